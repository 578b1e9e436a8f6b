//! Heat maps: a matrix, a grid of the loss, a histogram over time.

use super::csv_text;
use super::ticks::Tick;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Colormap {
    #[default]
    Viridis,
    Cividis,
    Magma,
    /// Blue, white, red: for signed values about zero.
    Diverging,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct FieldPlot {
    pub title: String,
    pub x_label: String,
    pub y_label: String,
    pub value_label: String,
    pub columns: usize,
    pub rows: usize,
    /// Row-major; row 0 is drawn at the bottom (`y_range[0]`). NaN is drawn as missing.
    pub values: Vec<f32>,
    /// The values at the two ends of the colour map.
    pub value_range: [f32; 2],
    /// Colour by the logarithm.
    pub log: bool,
    pub colormap: Colormap,
    /// Outer edges of the cells.
    pub x_range: [f64; 2],
    pub y_range: [f64; 2],
    /// What is shown of x and y; none for all of it. A film shows as much of every frame, however fine its cells are.
    pub window: Option<[[f64; 2]; 2]>,
    /// Names of rows, bottom first; empty for numeric axes.
    pub row_labels: Vec<String>,
    /// Names of columns; empty for numeric axes.
    pub column_labels: Vec<String>,
    /// Iso-lines: each a polyline in axis units with its level.
    pub contours: Vec<(f32, Vec<[f64; 2]>)>,
    /// A path over the field (iterates), oldest first; several with a point that isn't finite between them.
    pub path: Vec<[f64; 2]>,
    /// Vertical line (the cursor on a time axis).
    pub cursor: Option<f64>,
    /// Cells that are crossed out, row-major; empty for none.
    pub crossed: Vec<bool>,
    /// Cells are squares: keep the aspect.
    pub square: bool,
    pub notes: Vec<String>,
}

impl FieldPlot {
    /// Where a value lies on the colour map, in [0, 1]; `None` if it isn't finite.
    pub fn unit(&self, value: f32) -> Option<f32> {
        let [low, high] = self.value_range;
        unit(value, low, high, self.log)
    }

    /// What is shown of x and y.
    pub fn shown(&self) -> [[f64; 2]; 2] {
        self.window.unwrap_or([self.x_range, self.y_range])
    }

    /// The value under a point in axis units, if there is a cell.
    pub fn value_at(&self, x: f64, y: f64) -> Option<f32> {
        let cell = |v: f64, [low, high]: [f64; 2], n: usize| {
            let at = (v - low) / (high - low) * n as f64;
            (at >= 0.0 && at < n as f64).then_some(at as usize)
        };
        let (i, j) = (cell(x, self.x_range, self.columns)?, cell(y, self.y_range, self.rows)?);
        self.values.get(j * self.columns + i).copied()
    }

    /// The names of the columns at their middles, every so many where there are more than `most`; none for numeric axes.
    pub fn column_ticks(&self, most: usize) -> Option<Vec<Tick>> {
        let stride = self.column_labels.len().div_ceil(most.max(1)).max(1);
        let [low, high] = self.x_range;
        let centre = |i: usize| low + (high - low) * (i as f64 + 0.5) / self.columns.max(1) as f64;
        let labels = self.column_labels.iter().enumerate().step_by(stride);
        let ticks: Vec<_> = labels.map(|(i, label)| Tick { at: centre(i), label: label.clone() }).collect();
        (!ticks.is_empty()).then_some(ticks)
    }

    pub fn to_csv(&self) -> String {
        // Two axes may have one name (token by token).
        let columns =
            ["row", "column", &format!("x: {}", self.x_label), &format!("y: {}", self.y_label), &self.value_label];
        let mut text = csv_text::head(&self.title, &self.notes, &columns);
        let centre = |i: usize, [low, high]: [f64; 2], n: usize| low + (high - low) * (i as f64 + 0.5) / n as f64;
        for row in 0..self.rows {
            for column in 0..self.columns {
                let x = match self.column_labels.get(column) {
                    Some(label) => csv_text::quoted(label),
                    None => centre(column, self.x_range, self.columns).to_string(),
                };
                let y = match self.row_labels.get(row) {
                    Some(label) => csv_text::quoted(label),
                    None => centre(row, self.y_range, self.rows).to_string(),
                };
                text.push_str(&format!("{row},{column},{x},{y},{}\n", self.values[row * self.columns + column]));
            }
        }
        text
    }
}

/// Position of `value` between `low` and `high`, in [0, 1], on a linear or logarithmic scale.
pub(super) fn unit(value: f32, low: f32, high: f32, log: bool) -> Option<f32> {
    if !value.is_finite() {
        return None;
    }
    let scale = |v: f32| if log { v.max(f32::MIN_POSITIVE).ln() } else { v };
    let span = scale(high) - scale(low);
    Some(if span > 0.0 { ((scale(value) - scale(low)) / span).clamp(0.0, 1.0) } else { 0.5 })
}
