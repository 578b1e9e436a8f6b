//! A height field in three dimensions.

use super::csv_text;
use super::field::{Colormap, unit};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct SurfacePlot {
    pub title: String,
    pub x_label: String,
    pub y_label: String,
    pub value_label: String,
    /// Points a side.
    pub n: usize,
    pub radius: f32,
    /// Row-major `[n, n]`; NaN where not computed or not finite.
    pub values: Vec<f32>,
    pub value_range: [f32; 2],
    /// Height by the logarithm.
    pub log: bool,
    pub colormap: Colormap,
    /// Iterates as (a, b, height in value units), oldest first; the last is the centre.
    pub path: Vec<[f32; 3]>,
    /// Iso-lines are drawn at these values.
    pub levels: Vec<f32>,
    pub notes: Vec<String>,
    /// Changes whenever `values` do: a key for uploads.
    pub version: u64,
}

impl SurfacePlot {
    /// Height of a value in [0, 1]; `None` where there is none.
    pub fn unit(&self, value: f32) -> Option<f32> {
        let [low, high] = self.value_range;
        unit(value, low, high, self.log)
    }

    pub fn coordinate(&self, i: usize) -> f32 {
        self.radius * (2.0 * i as f32 / (self.n.max(2) - 1) as f32 - 1.0)
    }

    pub fn to_csv(&self) -> String {
        let columns = [self.x_label.as_str(), &self.y_label, &self.value_label];
        let mut text = csv_text::head(&self.title, &self.notes, &columns);
        for j in 0..self.n {
            for i in 0..self.n {
                text.push_str(&format!(
                    "{},{},{}\n",
                    self.coordinate(i),
                    self.coordinate(j),
                    self.values[j * self.n + i]
                ));
            }
        }
        text
    }
}
