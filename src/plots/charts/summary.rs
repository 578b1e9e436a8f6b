//! A number a track, against what sets the tracks apart: U-curves, and heat maps over two knobs.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::statistics::{mean, standard_error};
use crate::plots::lines::{Band, Line, LineColor, LinePlot, LineStyle};
use crate::plots::{Plot, ranges, words};
use crate::record::Track;
use crate::record::chart::{Axis, Best, Heat};

use super::{Shown, heat, numeric_axis};

/// What is asked of the tracks.
pub struct Question<'a> {
    pub series: &'a str,
    pub by: &'a str,
    pub group: Option<&'a str>,
}

/// Attribute values in the order of their numbers; texts after them, in the order of the tracks.
#[derive(Clone, Debug, PartialEq)]
struct Place {
    number: f64,
    /// The first track with this text.
    first: usize,
    text: String,
}

impl Place {
    /// Of one of `tracks`.
    fn of(tracks: &[&Track], track: &Track, attribute: &str) -> Option<Self> {
        let text = track.attributes.get(attribute)?.clone();
        let number = text.parse().unwrap_or(f64::INFINITY);
        let alike = |other: &&Track| other.attributes.get(attribute) == Some(&text);
        let first = if number.is_finite() { 0 } else { tracks.iter().position(alike).unwrap_or(0) };
        Some(Self { number, first, text })
    }
}

impl Eq for Place {}

impl PartialOrd for Place {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Place {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let order = self.number.total_cmp(&other.number).then_with(|| self.first.cmp(&other.first));
        order.then_with(|| self.text.cmp(&other.text))
    }
}

/// The value of `series` at the cursor.
fn value(shown: &Shown<'_>, track: &Track, series: &str) -> Option<f64> {
    Some(track.scalar(series)?.latest_at(shown.at)?.1)
}

pub fn curves(shown: &Shown<'_>, question: &Question<'_>, x: &Axis, y: &Axis, best: Option<Best>) -> Plot {
    let mut groups: BTreeMap<Place, BTreeMap<Place, Vec<f64>>> = BTreeMap::new();
    let tracks: Vec<&Track> = shown.tracks.iter().map(|(track, _)| *track).collect();
    for track in &tracks {
        let everything = Place { number: 0.0, first: 0, text: String::new() };
        let group = question.group.map_or(Some(everything), |group| Place::of(&tracks, track, group));
        if let (Some(group), Some(at), Some(value)) =
            (group, Place::of(&tracks, track, question.by), value(shown, track, question.series))
        {
            groups.entry(group).or_default().entry(at).or_default().push(value);
        }
    }
    if groups.is_empty() {
        return shown.empty();
    }
    let mut plot = shown.lines(&x.label, y);
    let count = groups.len();
    let mut repeats = 0;
    for (k, (group, points)) in groups.iter().enumerate() {
        let color = if count == 1 || !group.number.is_finite() {
            LineColor::Palette(k)
        } else {
            LineColor::Scale(k as f32 / (count - 1) as f32)
        };
        // A mean over runs of which one diverged is no number.
        let means: Vec<_> = points.iter().map(|(at, values)| [at.number, mean(values).unwrap_or(f64::NAN)]).collect();
        repeats = repeats.max(points.values().map(Vec::len).max().unwrap_or(0));
        let chosen = best.and_then(|best| optimum(&means, best));
        let mut label = match (question.group, group.text.as_str()) {
            // What is a text says itself what it is.
            (Some(_), text) if !group.number.is_finite() => text.to_owned(),
            (Some(name), text) => format!("{name} {text}"),
            (None, _) => shown.title.clone(),
        };
        if let Some([at, _]) = chosen {
            label = format!("{label}, best at {}", words::number(at));
        }
        plot.spots.extend(chosen.map(|point| (point, color)));
        let spread: Vec<_> = points
            .iter()
            .filter_map(|(at, values)| {
                let (mean, error) = (mean(values)?, standard_error(values)?);
                Some([at.number, mean - error, mean + error])
            })
            .collect();
        if !spread.is_empty() {
            plot.bands.push(Band { label: label.clone(), points: spread, color, strength: 0.22 });
        }
        plot.lines.push(Line { label, points: means, style: LineStyle::Marked, color });
    }
    plot.x_axis = numeric_axis(x, plot.lines.iter().flat_map(|line| &line.points).map(|point| point[0]));
    if y.range.is_none() && !y.log {
        spread_out(&mut plot);
    }
    if repeats > 1 {
        plot.notes.push(format!("means of up to {repeats} runs; band: standard error"));
    }
    Plot::Lines(plot)
}

/// Every point of a summary counts, so none is cut off: positive values over more than two decades are drawn on a logarithmic axis.
fn spread_out(plot: &mut LinePlot) {
    let all = plot.lines.iter().flat_map(|line| &line.points).map(|point| point[1]).filter(|y| y.is_finite());
    let [low, high] = all.fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], y| [low.min(y), high.max(y)]);
    plot.y_log = low > 0.0 && high > 100.0 * low;
    if plot.y_log {
        // An error larger than its mean reaches below everything.
        plot.bands.iter_mut().flat_map(|band| &mut band.points).for_each(|point| point[1] = point[1].max(0.5 * low));
    }
}

fn optimum(points: &[[f64; 2]], best: Best) -> Option<[f64; 2]> {
    let finite = points.iter().copied().filter(|point| point[1].is_finite());
    match best {
        Best::Lowest => finite.min_by(|a, b| a[1].total_cmp(&b[1])),
        Best::Highest => finite.max_by(|a, b| a[1].total_cmp(&b[1])),
    }
}

pub fn grid(shown: &Shown<'_>, series: &str, by: &[String; 2], style: &Heat) -> Plot {
    let tracks: Vec<&Track> = shown.tracks.iter().map(|(track, _)| *track).collect();
    let [columns, rows] = places(&tracks, by);
    if columns.is_empty() || rows.is_empty() {
        return shown.empty();
    }
    let mut cells = vec![Vec::new(); columns.len() * rows.len()];
    let mut crossed = vec![false; cells.len()];
    for &track in &tracks {
        let place = |k: usize, places: &[Place]| places.binary_search(&Place::of(&tracks, track, &by[k])?).ok();
        let (Some(x), Some(y)) = (place(0, &columns), place(1, &rows)) else { continue };
        let index = y * columns.len() + x;
        cells[index].extend(value(shown, track, series));
        crossed[index] |= track.attributes.get(STATUS).is_some_and(|status| CROSSED.contains(&status.as_str()));
    }
    // A cell without a number is there, and empty.
    let values: Vec<f32> = cells.iter().map(|cell| mean(cell).map_or(f32::NAN, |v| v as f32)).collect();
    let fitted = ranges::without_high_outliers(&values, style.value.log).filter(|_| style.value.range.is_none());
    let mut plot = heat::field(shown, style, columns.len(), rows.len(), values);
    // One run that exploded would leave the others one colour.
    if let Some(fitted) = fitted {
        plot.value_range = fitted.range;
        if fitted.clipped > 0.0 {
            plot.notes.push(format!("{} of the cells lie above the scale", words::percent(fitted.clipped)));
        }
    }
    plot.x_range = [0.0, columns.len() as f64];
    plot.y_range = [0.0, rows.len() as f64];
    plot.row_labels = rows.iter().map(|row| row.text.clone()).collect();
    plot.column_labels = columns.iter().map(|column| column.text.clone()).collect();
    if crossed.contains(&true) {
        plot.crossed = crossed;
        plot.notes.push("hatched: failed or diverged".into());
    }
    Plot::Field(plot)
}

/// The attribute of a sweep's cell that says how it is, and what crosses it out.
const STATUS: &str = "status";
const CROSSED: [&str; 2] = ["failed", "diverged"];

/// The values that two attributes take, in order.
fn places(tracks: &[&Track], by: &[String; 2]) -> [Vec<Place>; 2] {
    [0, 1].map(|k| {
        let all: BTreeSet<_> = tracks.iter().filter_map(|track| Place::of(tracks, track, &by[k])).collect();
        all.into_iter().collect()
    })
}

/// The tracks behind a place of a grid.
pub fn tracks_at<'a>(tracks: &[&'a Track], by: &[String; 2], at: [f64; 2]) -> Vec<&'a Track> {
    let places = places(tracks, by);
    let wanted = |k: usize| places[k].get(at[k].floor().max(0.0) as usize);
    let is_there = |track: &Track| (0..2).all(|k| Place::of(tracks, track, &by[k]).as_ref() == wanted(k));
    tracks.iter().copied().filter(|track| is_there(track)).collect()
}
