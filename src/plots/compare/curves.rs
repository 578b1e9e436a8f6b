//! Curves of many tracks in one plot.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::plots::lines::{Band, Bundle, Line, LineColor, LinePlot, LineStyle};
use crate::plots::{PaneId, PaneOptions};

use super::looks::{self, Key, Look, Looks};
use super::{Drawn, FEW};

/// Curves of one track that can still be told apart by their strokes.
const STROKES: [(LineStyle, &str); 3] =
    [(LineStyle::Solid, "solid"), (LineStyle::Dashed, "dashed"), (LineStyle::Marked, "dotted")];
/// Places at which a mean over tracks is taken.
const PLACES: usize = 160;
/// What is compared instead of many curves a track.
pub const MEAN: &str = "mean";

/// The plots of one kind of all tracks as one. The first gives axes, marks and notes.
pub fn overlaid(tracks: Vec<(&Drawn, &LinePlot)>, looks: &Looks, options: &PaneOptions, id: PaneId) -> LinePlot {
    let Some((_, first)) = tracks.first() else { return LinePlot::default() };
    let x_max = tracks.iter().map(|(_, plot)| plot.x_max).fold(0.0, f64::max);
    let mut all = LinePlot {
        lines: Vec::new(),
        bands: Vec::new(),
        spots: Vec::new(),
        at_cursor: Vec::new(),
        raw_at_cursor: Vec::new(),
        x_max,
        ..(*first).clone()
    };
    all.y_range = tracks.iter().filter_map(|(_, plot)| plot.y_range).reduce(|[a, b], [c, d]| [a.min(c), b.max(d)]);
    let many = tracks.len() > FEW || matches!(looks.key, Key::Scale(_)) || options.comparing.group_by.is_some();
    let quantities = Quantities::of(&tracks, options.comparing.line.get(&id).map(String::as_str), many);
    all.choices = quantities.choices.clone();
    all.choice = quantities.choice.clone();
    let mut curves: Vec<(&Look, Vec<Line>)> = Vec::with_capacity(tracks.len());
    for (track, plot) in &tracks {
        let mut lines = quantities.lines(plot, &track.look, !many);
        if let Some(begins) = track.begins {
            lines.iter_mut().for_each(|line| line.points.retain(|point| point[0] >= begins as f64));
        }
        lines.retain(|line| !line.points.is_empty());
        let values = [(&mut all.at_cursor, &plot.at_cursor), (&mut all.raw_at_cursor, &plot.raw_at_cursor)];
        for (of_all, own) in values {
            of_all.extend(quantities.value(own).map(|value| (track.look.label.clone(), value)));
        }
        curves.push((&track.look, lines));
    }
    if options.comparing.group_by.is_some() {
        grouped(&mut all, curves);
    } else if many {
        let (focus, others): (Vec<_>, Vec<_>) = curves.into_iter().partition(|(look, _)| look.is_focus);
        let count = others.len() + focus.len();
        let lines = others
            .into_iter()
            .flat_map(|(look, lines)| lines.into_iter().map(|line| (look.track, look.name.clone(), line)));
        all.bundle = Some(Arc::new(Bundle::new(lines.collect())));
        for (look, lines) in focus {
            all.lines.extend(lines.into_iter().map(|line| Line {
                label: look.name.clone(),
                color: LineColor::Palette(4),
                ..line
            }));
            for values in [&mut all.at_cursor, &mut all.raw_at_cursor] {
                values.retain(|(label, _)| *label == look.label);
                values.iter_mut().for_each(|(label, _)| label.clone_from(&look.name));
            }
        }
        if let Key::Scale(key) = &looks.key {
            all.key = Some(key.clone());
        }
        all.notes.insert(0, format!("{count} tracks"));
    } else {
        all.lines = curves.into_iter().flat_map(|(_, lines)| lines).collect();
    }
    all.lines.extend(quantities.references);
    if let Some(strokes) = quantities.strokes.filter(|_| !many) {
        all.notes.insert(0, strokes);
    }
    all
}

/// Which curves of a track are compared.
struct Quantities {
    /// Labels in the tracks' plots, each with its stroke; none: the mean of all.
    chosen: Vec<(String, LineStyle)>,
    /// Their names in words.
    strokes: Option<String>,
    /// Lines that are the same for all tracks, such as a rule of thumb.
    references: Vec<Line>,
    log: bool,
    /// What can be chosen.
    choices: Vec<String>,
    choice: Option<String>,
}

impl Quantities {
    fn of(tracks: &[(&Drawn, &LinePlot)], wanted: Option<&str>, many: bool) -> Self {
        let (_, first) = tracks[0];
        let same = |line: &Line| {
            let constant = line.points.windows(2).all(|pair| pair[0][1] == pair[1][1]);
            let value = |line: &Line| line.points.first().map(|point| point[1]);
            line.style == LineStyle::Dashed
                && constant
                && tracks.iter().all(|(_, plot)| {
                    plot.lines.iter().any(|other| other.label == line.label && value(other) == value(line))
                })
        };
        let references: Vec<Line> = first.lines.iter().filter(|line| same(line)).cloned().collect();
        let mut labels: Vec<String> = Vec::new();
        for line in tracks.iter().take(FEW).flat_map(|(_, plot)| &plot.lines) {
            let is_noise = line.style == LineStyle::Faint || references.iter().any(|other| other.label == line.label);
            if !is_noise && !labels.contains(&line.label) {
                labels.push(line.label.clone());
            }
        }
        let mut all =
            Self { chosen: Vec::new(), strokes: None, references, log: first.y_log, choices: Vec::new(), choice: None };
        if labels.len() > STROKES.len() || (many && labels.len() > 1) {
            let is_alike = labels.len() > STROKES.len();
            all.choices = is_alike.then(|| MEAN.to_owned()).into_iter().chain(labels.iter().cloned()).collect();
            let choice = wanted.filter(|wanted| all.choices.iter().any(|choice| choice == wanted));
            let choice = choice.map_or_else(|| all.choices[0].clone(), str::to_owned);
            if choice != MEAN || !is_alike {
                all.chosen = vec![(choice.clone(), LineStyle::Solid)];
            }
            all.choice = Some(choice);
        } else {
            all.chosen = labels.into_iter().zip(STROKES.map(|(style, _)| style)).collect();
            let stroke =
                |((label, _), (_, word)): (&(String, LineStyle), (LineStyle, &str))| format!("{word}: {label}");
            let words: Vec<_> = all.chosen.iter().zip(STROKES).map(stroke).collect();
            all.strokes = (words.len() > 1).then(|| words.join(", "));
        }
        all
    }

    /// A track's curves, in its colour; `behind` them what was smoothed.
    fn lines(&self, plot: &LinePlot, look: &Look, behind: bool) -> Vec<Line> {
        let colored = |points, style| Line { label: look.label.clone(), points, style, color: look.color };
        if self.chosen.is_empty() {
            let strong: Vec<_> = (0..plot.lines.len()).filter(|i| self.counts(plot, *i)).collect();
            let raw: Vec<_> = strong.iter().filter_map(|i| plot.as_measured(*i)).collect();
            let smoothed = behind && plot.smoothing.half_life().is_some() && !raw.is_empty();
            let raw = smoothed.then(|| colored(self.mean(&raw), LineStyle::Faint));
            let strong: Vec<_> = strong.into_iter().map(|i| &plot.lines[i]).collect();
            return std::iter::once(colored(self.mean(&strong), LineStyle::Solid)).chain(raw).collect();
        }
        let found = self.chosen.iter().filter_map(|(label, style)| {
            let i = plot.lines.iter().position(|line| line.label == *label)?;
            let raw = plot.as_measured(i).filter(|_| behind && plot.smoothing.half_life().is_some());
            let raw = raw.map(|line| colored(line.points.clone(), LineStyle::Faint));
            Some(std::iter::once(colored(plot.lines[i].points.clone(), *style)).chain(raw))
        });
        found.flatten().collect()
    }

    /// What a track's legend entry says at the cursor.
    fn value(&self, values: &[(String, f64)]) -> Option<f64> {
        let of = |label: &String| values.iter().find(|(other, _)| other == label).map(|(_, value)| *value);
        match self.chosen.first() {
            Some((label, _)) => of(label),
            None => self.average(values.iter().map(|(_, value)| *value)),
        }
    }

    /// Whether line `i` is one of the curves that a mean is taken of.
    fn counts(&self, plot: &LinePlot, i: usize) -> bool {
        let line = &plot.lines[i];
        line.style != LineStyle::Faint && !self.references.iter().any(|other| other.label == line.label)
    }

    fn mean(&self, lines: &[&Line]) -> Vec<[f64; 2]> {
        let Some(first) = lines.first() else { return Vec::new() };
        let alike = || lines.iter().filter(|line| line.points.len() == first.points.len());
        let at = |i: usize| self.average(alike().map(|line| line.points[i][1])).unwrap_or(f64::NAN);
        first.points.iter().enumerate().map(|(i, point)| [point[0], at(i)]).collect()
    }

    /// On a logarithmic axis the geometric mean.
    fn average(&self, values: impl Iterator<Item = f64>) -> Option<f64> {
        let usable = values.filter(|v| v.is_finite() && !(self.log && *v <= 0.0));
        let (sum, count) =
            usable.fold((0.0, 0), |(sum, count), v| (sum + if self.log { v.ln() } else { v }, count + 1));
        let mean = (count > 0).then(|| sum / f64::from(count));
        if self.log { mean.map(f64::exp) } else { mean }
    }
}

/// Mean and spread of each group instead of its tracks.
fn grouped(all: &mut LinePlot, curves: Vec<(&Look, Vec<Line>)>) {
    let mut groups: BTreeMap<String, (LineColor, Vec<Line>)> = BTreeMap::new();
    let mut order = Vec::new();
    for (look, lines) in curves {
        // Only the first curve of each: means of several would be told apart by nothing.
        let Some(line) = lines.into_iter().next() else { continue };
        let entry = groups.entry(look.label.clone()).or_insert_with(|| {
            order.push(look.label.clone());
            (look.color, Vec::new())
        });
        entry.1.push(line);
    }
    let values = std::mem::take(&mut all.at_cursor);
    for label in order {
        let Some((color, lines)) = groups.remove(&label) else { continue };
        let (mean, spread) = mean_and_spread(&lines, all.y_log);
        let named = format!("{label} ({})", lines.len());
        let own: Vec<f64> = values.iter().filter(|(other, _)| *other == label).map(|(_, value)| *value).collect();
        if !own.is_empty() {
            all.at_cursor.push((named.clone(), own.iter().sum::<f64>() / own.len() as f64));
        }
        if lines.len() > 1 {
            all.bands.push(Band {
                label: format!("{named}, mean ± standard deviation"),
                points: spread,
                color,
                strength: 0.2,
            });
        }
        all.lines.push(Line { label: named, points: mean, style: LineStyle::Solid, color });
    }
    all.notes.insert(0, "mean ± one standard deviation of each group".into());
}

/// Mean of curves and one standard deviation to each side, at places spread over all of them; of logarithms where the axis has
/// them. A curve counts between its ends.
fn mean_and_spread(lines: &[Line], log: bool) -> (Vec<[f64; 2]>, Vec<[f64; 3]>) {
    let xs = || lines.iter().flat_map(|line| &line.points).map(|point| point[0]);
    let [low, high] = xs().fold([f64::INFINITY, f64::NEG_INFINITY], |[a, b], x| [a.min(x), b.max(x)]);
    let to = |v: f64| if log { v.ln() } else { v };
    let back = |v: f64| if log { v.exp() } else { v };
    let (mut means, mut spreads) = (Vec::new(), Vec::new());
    for place in 0..PLACES {
        let x = low + (high - low) * place as f64 / (PLACES - 1) as f64;
        let values: Vec<f64> =
            lines.iter().filter_map(|line| at(&line.points, x)).map(to).filter(|v| v.is_finite()).collect();
        if values.is_empty() {
            continue;
        }
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (values.len().max(2) - 1) as f64;
        let deviation = variance.sqrt();
        means.push([x, back(mean)]);
        spreads.push([x, back(mean - deviation), back(mean + deviation)]);
    }
    (means, spreads)
}

/// A curve's value at `x`, linear between its points; none beyond its ends and at gaps.
fn at(points: &[[f64; 2]], x: f64) -> Option<f64> {
    let after = points.partition_point(|point| point[0] < x);
    let right = points.get(after)?;
    if right[0] == x || after == 0 {
        return (right[0] == x).then_some(right[1]);
    }
    let left = points[after - 1];
    let share = (x - left[0]) / (right[0] - left[0]);
    Some(left[1] + share * (right[1] - left[1])).filter(|v| v.is_finite())
}

/// For notes of side-by-side pictures.
pub(super) fn left_out(looks: &[&Look]) -> Option<String> {
    (!looks.is_empty()).then(|| format!("not drawn: {}", looks::named(looks)))
}
