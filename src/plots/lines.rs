//! Curves over steps, or over another number.

use std::sync::Arc;

use super::Smoothing;
use super::csv_text;
use super::ticks::{self, Tick};
use crate::record::TrackId;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LineStyle {
    #[default]
    Solid,
    Dashed,
    /// Solid, with a dot at each point: measurements so few that each deserves to be seen.
    Marked,
    /// Thin and pale: the minibatch noise behind a smoothed curve.
    Faint,
}

impl LineStyle {
    /// In words, as the notes of a comparison say it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Solid => "solid",
            Self::Dashed => "dashed",
            Self::Marked => "dotted",
            Self::Faint => "pale",
        }
    }
}

/// A line's colour.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LineColor {
    /// Index into the series palette (Okabe-Ito).
    Palette(usize),
    /// A place in [0, 1] along viridis, without the end that is hard to see on the ground.
    Scale(f32),
}

impl From<usize> for LineColor {
    fn from(index: usize) -> Self {
        Self::Palette(index)
    }
}

/// What lies between two curves, such as the middle half of many.
#[derive(Clone, Debug, PartialEq)]
pub struct Band {
    pub label: String,
    /// (x, lower, upper), x rising.
    pub points: Vec<[f64; 3]>,
    pub color: LineColor,
    /// Opacity in [0, 1].
    pub strength: f32,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    pub label: String,
    /// (step or another number, value), the first rising; breaks at values that aren't finite.
    pub points: Vec<[f64; 2]>,
    pub style: LineStyle,
    pub color: LineColor,
}

impl Line {
    /// The points, without those that only part two strokes of the pen: a value that isn't finite at the place of the point before
    /// it.
    pub fn numbers(&self) -> impl Iterator<Item = [f64; 2]> {
        let mut last_x = None;
        self.points.iter().copied().filter(move |&[x, y]| {
            let counts = y.is_finite() || last_x != Some(x);
            last_x = Some(x);
            counts
        })
    }
}

/// Very many curves, one a track, that are looked at as a whole.
#[derive(Debug, Default, PartialEq)]
pub struct Bundle {
    pub lines: Vec<Line>,
    /// Whose each line is, by number and by name.
    pub tracks: Vec<TrackId>,
    pub names: Vec<String>,
    /// Of all finite points: where they lie along x, and least and largest value. `INFINITY` first where there is none.
    pub x_range: [f64; 2],
    pub range: [f64; 2],
    /// Least and largest value above zero.
    pub range_above_zero: [f64; 2],
}

impl Bundle {
    /// Looks at each point once: call it where no frame waits.
    pub fn new(lines: Vec<(TrackId, String, Line)>) -> Self {
        let mut all = Self::default();
        let points = lines.iter().flat_map(|(_, _, line)| &line.points);
        let finite = points.filter(|[x, y]| x.is_finite() && y.is_finite());
        [all.x_range, all.range, all.range_above_zero] = finite.fold([EMPTY; 3], |[x, values, above], point| {
            let above = if point[1] > 0.0 { widened(above, point[1]) } else { above };
            [widened(x, point[0]), widened(values, point[1]), above]
        });
        for (track, name, line) in lines {
            all.tracks.push(track);
            all.names.push(name);
            all.lines.push(line);
        }
        all
    }
}

const EMPTY: [f64; 2] = [f64::INFINITY, f64::NEG_INFINITY];

fn widened([low, high]: [f64; 2], value: f64) -> [f64; 2] {
    [low.min(value), high.max(value)]
}

/// What the colours of many lines stand for.
#[derive(Clone, Debug, PartialEq)]
pub struct LineKey {
    pub label: String,
    /// The values at both ends of the scale.
    pub range: [f64; 2],
    /// The scale is one of logarithms.
    pub log: bool,
}

/// What runs along the bottom of a plot.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum XAxis {
    /// Steps, from 0 to [`LinePlot::x_max`].
    #[default]
    Steps,
    /// Any numbers, in this range.
    Linear([f64; 2]),
    /// Counted from the first to the last, such as layers, with some room beside them.
    Whole([usize; 2]),
    /// Positive numbers, in this range.
    Logarithmic([f64; 2]),
}

impl XAxis {
    /// Place on the axis: the number, or its decimal logarithm; NaN where it has none.
    pub fn place(self, x: f64) -> f64 {
        match self {
            Self::Steps | Self::Linear(_) | Self::Whole(_) => x,
            Self::Logarithmic(_) if x > 0.0 => x.log10(),
            Self::Logarithmic(_) => f64::NAN,
        }
    }

    /// The number at a place.
    pub fn number(self, place: f64) -> f64 {
        match self {
            Self::Steps | Self::Linear(_) | Self::Whole(_) => place,
            Self::Logarithmic(_) => 10.0_f64.powf(place),
        }
    }

    /// The places of a fixed range; `None` for steps.
    pub fn range(self) -> Option<[f64; 2]> {
        match self {
            Self::Steps => None,
            Self::Whole([first, last]) => {
                let room = 0.04 * last.saturating_sub(first).max(1) as f64;
                Some([first as f64 - room, last as f64 + room])
            }
            Self::Linear(range) | Self::Logarithmic(range) => Some(range.map(|x| self.place(x))),
        }
    }

    /// At most about `most` ticks over these places.
    pub fn ticks(self, places: [f64; 2], most: usize) -> Vec<Tick> {
        match self {
            Self::Steps | Self::Whole(_) => ticks::whole(places, most),
            Self::Linear(_) => ticks::linear(places, most),
            Self::Logarithmic(_) => ticks::logarithmic(places, most),
        }
    }

    /// A number as a reader wants it: whole steps, four digits of the rest.
    pub fn words(self, x: f64) -> String {
        match self {
            Self::Steps | Self::Whole(_) => format!("{}", x.round().max(0.0)),
            Self::Linear(_) | Self::Logarithmic(_) => ticks::number(x),
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct LinePlot {
    pub title: String,
    pub x_label: String,
    pub x_axis: XAxis,
    pub y_label: String,
    pub y_log: bool,
    /// Fixed range of y, such as `[0, 1]` for shares.
    pub y_range: Option<[f64; 2]>,
    /// A unit of y is as long as one of x: a circle is round.
    pub equal_units: bool,
    pub lines: Vec<Line>,
    /// Behind all: the curves of so many tracks that none is named.
    pub bundle: Option<Arc<Bundle>>,
    /// What the bundle's colours mean.
    pub key: Option<LineKey>,
    /// Where one of many curves a track is compared: their names, and which it is.
    pub choices: Vec<String>,
    pub choice: Option<String>,
    /// Behind the lines, the first at the back.
    pub bands: Vec<Band>,
    /// Points that are picked out, such as an optimum.
    pub spots: Vec<([f64; 2], LineColor)>,
    /// Last step of the recording: the right end of the axis.
    pub x_max: f64,
    /// The steps that are shown, where not all are.
    pub x_window: Option<[f64; 2]>,
    /// Step of the cursor, drawn as a vertical line when it isn't the newest.
    pub cursor: Option<f64>,
    /// (step, what) of interventions.
    pub marks: Vec<(f64, String)>,
    /// (label, value) at the cursor, one for each line that has one: the legend's numbers.
    pub at_cursor: Vec<(String, f64)>,
    /// Where a line is smoothed, the same as it was measured. A pale line of its name lies behind it then.
    pub raw_at_cursor: Vec<(String, f64)>,
    /// How lines that are added are smoothed.
    pub smoothing: Smoothing,
    /// Circumstances and warnings, printed small in the corner.
    pub notes: Vec<String>,
}

impl LinePlot {
    /// Whether line `i` is the first of its name: several lines of one name are one thing, named once.
    pub fn is_named(&self, i: usize) -> bool {
        self.lines[..i].iter().all(|line| line.label != self.lines[i].label)
    }

    /// Ends of an axis over steps that holds all lines. Runs begin at step 0 or 1; what begins far later begins at its own first
    /// step.
    pub fn step_range(&self) -> [f64; 2] {
        let all = self.lines.iter().flat_map(|line| &line.points).map(|p| p[0]).filter(|x| x.is_finite());
        let (low, high) = all.fold((f64::INFINITY, self.x_max), |(low, high), x| (low.min(x), high.max(x)));
        let low = if low.is_finite() && low > 0.1 * high { low } else { 0.0 };
        let high = if high.is_finite() && high > low { high } else { low + 1.0 };
        [low, high]
    }

    /// Line `i`, before or after it was smoothed: of the lines of its name the pale one.
    pub fn as_measured(&self, i: usize) -> Option<&Line> {
        let line = &self.lines[i];
        let is_it = |other: &&Line| other.style == LineStyle::Faint && other.label == line.label;
        self.lines[i + 1..].iter().find(is_it).filter(|_| line.style != LineStyle::Faint)
    }

    /// What tells line `i` from all others: its name; where several have it, with how they are drawn.
    pub fn distinct_name(&self, i: usize) -> String {
        let line = &self.lines[i];
        let strong = |other: &Line| other.label == line.label && other.style != LineStyle::Faint;
        if line.style == LineStyle::Faint {
            let of = self.lines[..i].iter().rposition(strong);
            return of.map_or_else(|| line.label.clone(), |of| format!("{}, as measured", self.distinct_name(of)));
        }
        let differs = self.lines.iter().any(|other| strong(other) && other.style != line.style);
        if differs { format!("{}, {}", line.label, line.style.word()) } else { line.label.clone() }
    }

    pub fn to_csv(&self) -> String {
        let mut text = csv_text::head(&self.title, &self.notes, &["line", &self.x_label, &self.y_label]);
        for band in &self.bands {
            for (edge, k) in [("lower", 1), ("upper", 2)] {
                let label = csv_text::quoted(&format!("{}, {edge}", band.label));
                for point in &band.points {
                    text.push_str(&format!("{label},{},{}\n", point[0], point[k]));
                }
            }
        }
        let own = self.lines.iter().enumerate().map(|(i, line)| (line, self.distinct_name(i)));
        let bundled = self.bundle.iter().flat_map(|bundle| &bundle.lines).map(|line| (line, line.label.clone()));
        for (line, label) in own.chain(bundled) {
            let label = csv_text::quoted(&label);
            for [x, y] in line.numbers() {
                text.push_str(&format!("{label},{x},{y}\n"));
            }
        }
        text
    }
}
