//! Histograms of several layers above one another.

use super::csv_text;
use super::lines::LineColor;

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ridge {
    pub label: String,
    /// Share of values in each of the equal bins of the plot's `x_range`.
    pub shares: Vec<f32>,
    /// Mean, standard deviation and the rest, in words: shown on hover and beside the ridge.
    pub summary: String,
    /// Outlines over it: the same layer of other tracks.
    pub over: Vec<OverRidge>,
}

/// Another track's histogram of a layer, on the same bins.
#[derive(Clone, Debug, PartialEq)]
pub struct OverRidge {
    /// The track's name.
    pub label: String,
    pub color: LineColor,
    pub shares: Vec<f32>,
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
    /// Colour of all ridges, where tracks are told apart; none: by their place.
    pub color: Option<LineColor>,
    /// Tracks and their colours, for a legend; none for a single track.
    pub names: Vec<(String, LineColor)>,
    pub notes: Vec<String>,
}

impl RidgePlot {
    /// The share that a ridge of full height has.
    pub fn highest(&self) -> f32 {
        let over = self.ridges.iter().flat_map(|ridge| &ridge.over).flat_map(|over| &over.shares);
        let shares = self.ridges.iter().flat_map(|ridge| &ridge.shares).chain(over);
        let shares = shares.copied().filter(|share| share.is_finite());
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
            for over in &ridge.over {
                let label = csv_text::quoted(&format!("{}, {}", ridge.label, over.label));
                for (i, share) in over.shares.iter().enumerate() {
                    let x = low + (high - low) * (i as f64 + 0.5) / over.shares.len() as f64;
                    text.push_str(&format!("{label},{x},{share}\n"));
                }
            }
        }
        text
    }
}
