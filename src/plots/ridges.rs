//! Histograms of several layers above one another.

use super::csv_text;

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ridge {
    pub label: String,
    /// Share of values in each of the equal bins of the plot's `x_range`.
    pub shares: Vec<f32>,
    /// Mean, standard deviation and the rest, in words: shown on hover and beside the ridge.
    pub summary: String,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct RidgePlot {
    pub title: String,
    pub x_label: String,
    pub x_range: [f64; 2],
    /// Input side first: drawn from top to bottom.
    pub ridges: Vec<Ridge>,
    /// The share that a ridge of full height has; none for the largest of the plot's own.
    pub full_height: Option<f32>,
    pub notes: Vec<String>,
}

impl RidgePlot {
    /// The share that a ridge of full height has.
    pub fn highest(&self) -> f32 {
        let shares = self.ridges.iter().flat_map(|ridge| &ridge.shares).copied().filter(|share| share.is_finite());
        self.full_height.unwrap_or_else(|| shares.fold(0.0, f32::max))
    }

    pub fn to_csv(&self) -> String {
        let mut text = csv_text::head(&self.title, &self.notes, &["layer", &self.x_label, "share"]);
        let [low, high] = self.x_range;
        for ridge in &self.ridges {
            for (i, share) in ridge.shares.iter().enumerate() {
                let x = low + (high - low) * (i as f64 + 0.5) / ridge.shares.len() as f64;
                text.push_str(&format!("{},{x},{share}\n", csv_text::quoted(&ridge.label)));
            }
        }
        text
    }
}
