//! Histograms of several layers above one another.

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
    pub notes: Vec<String>,
}

impl RidgePlot {
    pub fn to_csv(&self) -> String {
        let mut text = format!("# {}\nlayer,{},share\n", self.title, self.x_label);
        let [low, high] = self.x_range;
        for ridge in &self.ridges {
            for (i, share) in ridge.shares.iter().enumerate() {
                let x = low + (high - low) * (i as f64 + 0.5) / ridge.shares.len() as f64;
                text.push_str(&format!("{},{x},{share}\n", super::field::quoted(&ridge.label)));
            }
        }
        text
    }
}
