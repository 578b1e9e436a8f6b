//! Plotted numbers as JSON. JSON knows neither NaN nor infinities: they are `null`, `"inf"` and `"-inf"`.

use serde::{Serialize, Serializer};

use super::{FieldPlot, LinePlot, Plot, RidgePlot, SurfacePlot};

/// A number as its own type prints it: the shortest text that is read back as the same bits.
#[derive(Clone, Copy)]
enum Number {
    Single(f32),
    Double(f64),
}

impl From<f32> for Number {
    fn from(value: f32) -> Self {
        Self::Single(value)
    }
}

impl From<f64> for Number {
    fn from(value: f64) -> Self {
        Self::Double(value)
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let wide = match *self {
            Self::Single(value) => f64::from(value),
            Self::Double(value) => value,
        };
        match *self {
            _ if wide.is_nan() => serializer.serialize_none(),
            _ if wide == f64::INFINITY => serializer.serialize_str("inf"),
            _ if wide == f64::NEG_INFINITY => serializer.serialize_str("-inf"),
            Self::Single(value) => serializer.serialize_f32(value),
            Self::Double(value) => serializer.serialize_f64(value),
        }
    }
}

fn numbers<T: Into<Number>>(values: impl IntoIterator<Item = T>) -> Vec<Number> {
    values.into_iter().map(Into::into).collect()
}

#[derive(Serialize)]
struct Line {
    label: String,
    x: Vec<Number>,
    y: Vec<Number>,
}

#[derive(Serialize)]
struct Band<'a> {
    label: &'a str,
    x: Vec<Number>,
    lower: Vec<Number>,
    upper: Vec<Number>,
}

#[derive(Serialize)]
struct Mark<'a> {
    x: Number,
    what: &'a str,
}

#[derive(Serialize)]
struct Ridge<'a> {
    label: &'a str,
    shares: Vec<Number>,
    summary: &'a str,
    /// The same layer of other tracks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    over: Vec<Ridge<'a>>,
}

/// Places along an axis, or the names of what stands there.
#[derive(Serialize)]
#[serde(untagged)]
enum Places<'a> {
    Numbers(Vec<Number>),
    Names(&'a [String]),
}

#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
enum Picture<'a> {
    Lines {
        title: &'a str,
        x_label: &'a str,
        y_label: &'a str,
        lines: Vec<Line>,
        bands: Vec<Band<'a>>,
        marks: Vec<Mark<'a>>,
        notes: &'a [String],
    },
    Field {
        title: &'a str,
        x_label: &'a str,
        y_label: &'a str,
        value_label: &'a str,
        x: Places<'a>,
        y: Places<'a>,
        /// A list a row, from the bottom.
        values: Vec<Vec<Number>>,
        path: Vec<Vec<Number>>,
        notes: &'a [String],
    },
    Surface {
        title: &'a str,
        x_label: &'a str,
        y_label: &'a str,
        value_label: &'a str,
        x: Vec<Number>,
        y: Vec<Number>,
        values: Vec<Vec<Number>>,
        path: Vec<Vec<Number>>,
        notes: &'a [String],
    },
    Ridges {
        title: &'a str,
        x_label: &'a str,
        x: Vec<Number>,
        ridges: Vec<Ridge<'a>>,
        notes: &'a [String],
    },
    Empty {
        title: &'a str,
        reason: &'a str,
    },
}

pub(super) fn of(plots: &[Plot]) -> String {
    let pictures: Vec<_> = plots.iter().map(picture).collect();
    serde_json::to_string_pretty(&pictures).expect("texts and numbers can be written")
}

fn picture(plot: &Plot) -> Picture<'_> {
    match plot {
        Plot::Lines(plot) => lines(plot),
        Plot::Field(plot) => field(plot),
        Plot::Surface(plot) => surface(plot),
        Plot::Ridges(plot) => ridges(plot),
        Plot::Empty { title, reason } => Picture::Empty { title, reason },
    }
}

fn lines(plot: &LinePlot) -> Picture<'_> {
    let column = |line: &super::Line, k: usize| numbers(line.numbers().map(|point| point[k]));
    let line = |line, label| Line { label, x: column(line, 0), y: column(line, 1) };
    let own = plot.lines.iter().enumerate().map(|(i, one)| line(one, plot.distinct_name(i)));
    let bundled = plot.bundle.iter().flat_map(|bundle| &bundle.lines).map(|one| line(one, one.label.clone()));
    let edge = |band: &super::Band, k: usize| numbers(band.points.iter().map(|point| point[k]));
    Picture::Lines {
        title: &plot.title,
        x_label: &plot.x_label,
        y_label: &plot.y_label,
        lines: own.chain(bundled).collect(),
        bands: plot
            .bands
            .iter()
            .map(|band| Band { label: &band.label, x: edge(band, 0), lower: edge(band, 1), upper: edge(band, 2) })
            .collect(),
        marks: plot.marks.iter().map(|(x, what)| Mark { x: (*x).into(), what }).collect(),
        notes: &plot.notes,
    }
}

fn rows(values: &[f32], columns: usize) -> Vec<Vec<Number>> {
    values.chunks(columns.max(1)).map(|row| numbers(row.iter().copied())).collect()
}

fn field(plot: &FieldPlot) -> Picture<'_> {
    let centre = |[low, high]: [f64; 2], n: usize| {
        numbers((0..n).map(move |i| low + (high - low) * (i as f64 + 0.5) / n as f64))
    };
    Picture::Field {
        title: &plot.title,
        x_label: &plot.x_label,
        y_label: &plot.y_label,
        value_label: &plot.value_label,
        x: match plot.column_labels.as_slice() {
            [] => Places::Numbers(centre(plot.x_range, plot.columns)),
            names => Places::Names(names),
        },
        y: match plot.row_labels.as_slice() {
            [] => Places::Numbers(centre(plot.y_range, plot.rows)),
            names => Places::Names(names),
        },
        values: rows(&plot.values, plot.columns),
        path: plot.path.iter().map(|point| numbers(*point)).collect(),
        notes: &plot.notes,
    }
}

fn surface(plot: &SurfacePlot) -> Picture<'_> {
    let places = || numbers((0..plot.n).map(|i| plot.coordinate(i)));
    Picture::Surface {
        title: &plot.title,
        x_label: &plot.x_label,
        y_label: &plot.y_label,
        value_label: &plot.value_label,
        x: places(),
        y: places(),
        values: rows(&plot.values, plot.n),
        path: plot.path.iter().map(|point| numbers(*point)).collect(),
        notes: &plot.notes,
    }
}

fn ridges(plot: &RidgePlot) -> Picture<'_> {
    let over = |over: &'_ super::OverRidge| numbers(over.shares.iter().copied());
    let bins = plot.ridges.first().map_or(0, |ridge| ridge.shares.len());
    let [low, high] = plot.x_range;
    Picture::Ridges {
        title: &plot.title,
        x_label: &plot.x_label,
        x: numbers((0..bins).map(|i| low + (high - low) * (i as f64 + 0.5) / bins as f64)),
        ridges: plot
            .ridges
            .iter()
            .map(|ridge| Ridge {
                label: &ridge.label,
                shares: numbers(ridge.shares.iter().copied()),
                summary: &ridge.summary,
                over: ridge
                    .over
                    .iter()
                    .map(|one| Ridge { label: &one.label, shares: over(one), summary: &one.summary, over: Vec::new() })
                    .collect(),
            })
            .collect(),
        notes: &plot.notes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plots::{Line as Curve, LineStyle};

    #[test]
    fn numbers_come_back_as_their_own_bits_and_what_is_none_is_said() {
        let values = [0.1_f32, f32::MIN_POSITIVE, 1.0 / 3.0, -0.0, f32::NAN, f32::INFINITY, 16_777_217.0, 1e-42];
        let plot = Plot::Field(FieldPlot {
            columns: 4,
            rows: 2,
            values: values.to_vec(),
            x_range: [0.0, 4.0],
            y_range: [0.0, 2.0],
            ..FieldPlot::default()
        });
        let points = vec![[1.0, 0.1], [2.0, f64::NEG_INFINITY], [3.0, 1.0 / 3.0]];
        let line = Curve { label: "a \"b\"".into(), points, style: LineStyle::Solid, color: 0.into() };
        let lines = Plot::Lines(LinePlot { lines: vec![line], ..LinePlot::default() });
        let read: serde_json::Value = serde_json::from_str(&of(&[plot, lines])).unwrap();
        let cells = [&read[0]["values"][0], &read[0]["values"][1]];
        for (k, value) in values.iter().enumerate() {
            let cell = &cells[k / 4][k % 4];
            match value {
                v if v.is_nan() => assert!(cell.is_null()),
                v if v.is_infinite() => assert_eq!(cell, "inf"),
                v => assert_eq!((cell.to_string().parse::<f32>().unwrap()).to_bits(), v.to_bits(), "{cell}"),
            }
        }
        assert_eq!(read[1]["lines"][0]["label"], "a \"b\"");
        assert_eq!(read[1]["lines"][0]["y"][1], "-inf");
        assert_eq!(read[1]["lines"][0]["y"][2].as_f64().unwrap().to_bits(), (1.0_f64 / 3.0).to_bits());
        assert_eq!(read[0]["x"], serde_json::json!([0.5, 1.5, 2.5, 3.5]));
    }
}
