//! Curves over steps, or over another number.

use super::csv_text;

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

#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    pub label: String,
    /// (step, value), steps rising; breaks at values that aren't finite.
    pub points: Vec<[f64; 2]>,
    pub style: LineStyle,
    /// Index into the series palette (Okabe-Ito).
    pub color: usize,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct LinePlot {
    pub title: String,
    pub x_label: String,
    pub y_label: String,
    pub y_log: bool,
    /// Fixed range of y, such as `[0, 1]` for shares.
    pub y_range: Option<[f64; 2]>,
    pub lines: Vec<Line>,
    /// Both ends of an axis that isn't one of steps; `None` for steps from 0 to `x_max`.
    pub x_span: Option<[f64; 2]>,
    /// Last step of the recording: the right end of the axis.
    pub x_max: f64,
    /// Step of the cursor, drawn as a vertical line when it isn't the newest.
    pub cursor: Option<f64>,
    /// (step, what) of interventions.
    pub marks: Vec<(f64, String)>,
    /// (label, value) at the cursor, one for each line that has one: the legend's numbers.
    pub at_cursor: Vec<(String, f64)>,
    /// Circumstances and warnings, printed small in the corner.
    pub notes: Vec<String>,
}

impl LinePlot {
    pub fn to_csv(&self) -> String {
        let mut text = csv_text::head(&self.title, &self.notes, &["line", &self.x_label, &self.y_label]);
        for line in &self.lines {
            let label = csv_text::quoted(&line.label);
            let mut last_x = None;
            for &[x, y] in &line.points {
                // A value that isn't finite at the step of the point before it only parts two strokes of the pen.
                if y.is_finite() || last_x != Some(x) {
                    text.push_str(&format!("{label},{x},{y}\n"));
                }
                last_x = Some(x);
            }
        }
        text
    }
}
