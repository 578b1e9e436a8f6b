//! What an experiment wants shown of its recording, as plain data in the recording's header: a file that is opened
//! without the experiment that made it still knows its pictures.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One pane: panels side by side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Chart {
    /// In kebab case, for file names and lessons.
    pub id: String,
    pub title: String,
    /// "How to read this": what the axes are, what is to be seen.
    pub guide: String,
    /// Charts of one stack share a tile, as tabs; stacks stand in the order of their numbers.
    pub stack: u8,
    pub panels: Vec<Panel>,
}

/// One picture of a [`Chart`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Panel {
    /// The chart's title, if empty.
    #[serde(default)]
    pub title: String,
    /// Which tracks are shown.
    #[serde(default)]
    pub tracks: TrackFilter,
    #[serde(default)]
    pub color: ColorBy,
    pub kind: PanelKind,
    /// What is printed small in the corner.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// Tracks all of whose named attributes have one of the named values; without any, all tracks.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TrackFilter(pub Vec<(String, Vec<String>)>);

impl TrackFilter {
    /// Tracks whose `attribute` is `value`.
    pub fn is(attribute: &str, value: &str) -> Self {
        Self::default().and(attribute, &[value])
    }

    /// Those of them whose `attribute` is one of `values`, too.
    pub fn and(mut self, attribute: &str, values: &[&str]) -> Self {
        self.0.push((attribute.into(), values.iter().map(|value| (*value).into()).collect()));
        self
    }

    pub fn takes(&self, attributes: &BTreeMap<String, String>) -> bool {
        self.0.iter().all(|(name, values)| attributes.get(name).is_some_and(|value| values.contains(value)))
    }
}

/// What a line's colour says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum ColorBy {
    /// The track or, where tracks have several lines, the line: a palette in order.
    #[default]
    Track,
    /// The series alone: all tracks' lines of one series have one colour.
    Series,
    /// A numeric attribute, from the smallest to the largest along a colour map (in logarithms).
    Attribute(String),
}

/// How a line is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stroke {
    #[default]
    Solid,
    /// What theory says.
    Dashed,
    /// A dot at each measurement.
    Marked,
    /// Thin and pale.
    Faint,
}

/// A series as a line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeriesLine {
    /// Name of the series; tracks without it have no line.
    pub series: String,
    /// Stands behind the track's label; empty for the label alone.
    #[serde(default)]
    pub label: String,
    #[serde(default)]
    pub stroke: Stroke,
}

impl SeriesLine {
    pub fn new(series: &str, label: &str, stroke: Stroke) -> Self {
        Self { series: series.into(), label: label.into(), stroke }
    }
}

/// An axis.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Axis {
    pub label: String,
    #[serde(default)]
    pub log: bool,
    /// Fixed ends; else the data's.
    #[serde(default)]
    pub range: Option<[f64; 2]>,
}

impl Axis {
    pub fn linear(label: &str) -> Self {
        Self { label: label.into(), log: false, range: None }
    }

    pub fn log(label: &str) -> Self {
        Self { label: label.into(), log: true, range: None }
    }

    pub fn within(label: &str, low: f64, high: f64) -> Self {
        Self { label: label.into(), log: false, range: Some([low, high]) }
    }
}

/// Which end of a curve is the good one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Best {
    Lowest,
    Highest,
}

/// The colours of a heat map.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum HeatColors {
    #[default]
    Viridis,
    Cividis,
    Magma,
    /// Blue, white, red about the middle of the range.
    Diverging,
}

/// A heat map's values.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Heat {
    pub value: Axis,
    pub x_label: String,
    pub y_label: String,
    #[serde(default)]
    pub colors: HeatColors,
}

/// How readings become a picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum PanelKind {
    /// Scalars over steps, a line a track and series. `x_label` says what a step is (`step`, `layer`).
    Steps { lines: Vec<SeriesLine>, x_label: String, y: Axis },
    /// Vectors at the cursor, against another vector of the same track and length or, without, against 0, 1, ...
    Profile { lines: Vec<SeriesLine>, x_series: Option<String>, x: Axis, y: Axis },
    /// Vectors of an odd number of quantiles over steps: bands about the middle; of tracks with the attribute
    /// `fan = lines` dashed lines.
    Fan { series: String, x_label: String, y: Axis },
    /// The matrix of the first track at the cursor.
    Matrix { series: String, heat: Heat, square: bool },
    /// Vectors over steps as a heat map, the first entry on top.
    StepMap { series: String, heat: Heat },
    /// Histograms at the cursor as densities, a line a track.
    Densities { series: String, x: Axis },
    /// A loss surface with the training path of the first track at the cursor.
    Plane { series: String },
    /// A scalar at the cursor against a numeric attribute, a line for each value of another: mean over the tracks that share both, with
    /// their standard error.
    Summary { series: String, by: String, group: Option<String>, x: Axis, y: Axis, best: Option<Best> },
    /// The same over two attributes, as a heat map.
    Grid { series: String, by: [String; 2], heat: Heat },
    /// Ellipses `{z: z'C⁻¹z = 1}` of the 2x2 covariances that a vector series holds as (xx, xy, yy), at the cursor: one a track.
    Ellipses { series: String, x: Axis, y: Axis },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_ask_for_every_attribute() {
        let attributes = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
        let filter = TrackFilter::is("kind", "net").and("width", &["16", "64"]);
        assert!(filter.takes(&attributes(&[("kind", "net"), ("width", "64"), ("seed", "1")])));
        assert!(!filter.takes(&attributes(&[("kind", "net"), ("width", "32")])));
        assert!(!filter.takes(&attributes(&[("width", "64")])));
        assert!(TrackFilter::default().takes(&attributes(&[])));
    }

    #[test]
    fn charts_survive_their_text() {
        let chart = Chart {
            id: "rho".into(),
            title: "Correlation".into(),
            guide: "g".into(),
            stack: 0,
            panels: vec![Panel {
                title: String::new(),
                tracks: TrackFilter::is("kind", "net"),
                color: ColorBy::Attribute("width".into()),
                kind: PanelKind::Steps {
                    lines: vec![SeriesLine::new("rho", "", Stroke::Dashed)],
                    x_label: "layer".into(),
                    y: Axis::within("correlation", -1.0, 1.0),
                },
                notes: vec![],
            }],
        };
        let text = serde_json::to_string(&chart).unwrap();
        assert_eq!(serde_json::from_str::<Chart>(&text).unwrap(), chart);
    }
}
