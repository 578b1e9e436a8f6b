//! What figures are drawn on: plotters' SVG backend in fractions of a pixel.

use plotters::backend::{DrawingBackend, SVGBackend};
use plotters::style::{RGBAColor, ShapeStyle};

use super::FigureError;
use super::glyphs::{Outlines, escaped};
use super::ink::Ink;
use super::paper::{Camera, Paper, Room};
use super::text::{Align, Style};

pub use super::ink::{BLACK, Color, WHITE, mix};

/// The backend counts in whole units: this many make a pixel.
const UNITS: f64 = 16.0;

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rect {
    pub left: f64,
    pub top: f64,
    pub right: f64,
    pub bottom: f64,
}

impl Rect {
    pub fn width(&self) -> f64 {
        (self.right - self.left).max(1.0)
    }

    pub fn height(&self) -> f64 {
        (self.bottom - self.top).max(1.0)
    }

    pub fn middle(&self) -> [f64; 2] {
        [0.5 * (self.left + self.right), 0.5 * (self.top + self.bottom)]
    }

    pub fn shrink(self, by: f64) -> Self {
        Self { left: self.left + by, top: self.top + by, right: self.right - by, bottom: self.bottom - by }
    }

    pub fn contains(&self, [x, y]: [f64; 2]) -> bool {
        x >= self.left && x <= self.right && y >= self.top && y <= self.bottom
    }
}

/// How a line is drawn.
#[derive(Clone, Copy, Debug)]
pub struct Stroke {
    pub color: Color,
    pub width: f64,
    pub alpha: f64,
}

impl Stroke {
    pub fn new(color: Color, width: f64) -> Self {
        Self { color, width, alpha: 1.0 }
    }
}

impl From<Stroke> for ShapeStyle {
    fn from(Stroke { color: [r, g, b], width, alpha }: Stroke) -> Self {
        let stroke_width = (width * UNITS).round().max(1.0) as u32;
        Self { color: RGBAColor(r, g, b, alpha), filled: true, stroke_width }
    }
}

pub struct Canvas<'a> {
    pub ink: Ink,
    pub camera: Camera,
    pub room: Room,
    backend: SVGBackend<'a>,
    /// Text lies on top of everything.
    text: Outlines,
    failure: Option<String>,
}

/// The SVG of what `paint` draws on a sheet of so many pixels, called `title`. `side` says lengths as the file's head has them.
pub fn draw(
    [width, height]: [f64; 2],
    side: impl Fn(f64) -> String,
    (title, paper): (&str, &Paper),
    paint: impl FnOnce(&mut Canvas<'_>),
) -> Result<String, FigureError> {
    let mut svg = String::new();
    let inner = [width, height].map(|side| (side * UNITS).round() as u32);
    let mut canvas = Canvas {
        ink: Ink::on(paper.ground),
        camera: paper.camera,
        room: paper.room,
        backend: SVGBackend::with_string(&mut svg, inner.into()),
        text: Outlines::default(),
        failure: None,
    };
    canvas.rect(Rect { left: 0.0, top: 0.0, right: width, bottom: height }, canvas.ink.ground);
    paint(&mut canvas);
    let presented = canvas.backend.present();
    let failure = canvas.failure.take().or_else(|| presented.err().map(|error| error.to_string()));
    let text = canvas.text.svg();
    drop(canvas);
    if let Some(message) = failure {
        return Err(FigureError::Drawing { message });
    }
    let broken = |what: &str| FigureError::Drawing { message: format!("the drawing has no {what}") };
    svg.truncate(svg.rfind("</svg>").ok_or_else(|| broken("end"))?);
    svg.push_str(&text);
    svg.push_str("</svg>\n");
    // The root says how large the figure is, whatever the units inside, and what it is for those who can't see it.
    let end = svg.find('>').ok_or_else(|| broken("root"))?;
    let description = match paper.description.as_str() {
        "" => String::new(),
        words => format!("\n<desc>{}</desc>", escaped(words)),
    };
    let root = format!(
        "<svg width=\"{}\" height=\"{}\" viewBox=\"0 0 {} {}\" xmlns=\"http://www.w3.org/2000/svg\" \
         xmlns:xlink=\"http://www.w3.org/1999/xlink\" stroke-linejoin=\"round\">\n<title>{}</title>{description}",
        side(width),
        side(height),
        inner[0],
        inner[1],
        escaped(title)
    );
    svg.replace_range(..=end, &root);
    Ok(svg)
}

/// Whole units; far outside the picture is as good as farther.
fn unit(value: f64) -> i32 {
    (value * UNITS).round().clamp(-1e6, 1e6) as i32
}

fn units([x, y]: [f64; 2]) -> (i32, i32) {
    (unit(x), unit(y))
}

impl Canvas<'_> {
    fn keep<E: std::fmt::Display>(&mut self, result: Result<(), E>) {
        if let Err(error) = result {
            self.failure.get_or_insert(error.to_string());
        }
    }

    pub fn rect(&mut self, rect: Rect, color: Color) {
        let (from, to) = (units([rect.left, rect.top]), units([rect.right, rect.bottom]));
        if to.0 > from.0 && to.1 > from.1 {
            let result = self
                .backend
                .draw_rect(from, to, &ShapeStyle::from(Stroke::new(color, 1.0)), true)
                .map_err(|e| e.to_string());
            self.keep(result);
        }
    }

    pub fn line(&mut self, from: [f64; 2], to: [f64; 2], stroke: Stroke) {
        self.path(&[from, to], stroke);
    }

    /// A line through the points; it breaks where one isn't finite.
    pub fn path(&mut self, points: &[[f64; 2]], stroke: Stroke) {
        for part in points.split(|p| !p.iter().all(|v| v.is_finite())).filter(|part| part.len() > 1) {
            let result = self
                .backend
                .draw_path(part.iter().map(|&p| units(p)), &ShapeStyle::from(stroke))
                .map_err(|e| e.to_string());
            self.keep(result);
        }
    }

    /// As [`Self::path`], `on` pixels drawn and `off` left out, all along.
    pub fn dashes(&mut self, points: &[[f64; 2]], stroke: Stroke, [on, off]: [f64; 2]) {
        for part in points.split(|p| !p.iter().all(|v| v.is_finite())).filter(|part| part.len() > 1) {
            for dash in dashed(part, on.max(0.5), off.max(0.5)) {
                self.path(&dash, stroke);
            }
        }
    }

    pub fn polygon(&mut self, points: &[[f64; 2]], color: Color, alpha: f64) {
        if points.len() > 2 && points.iter().flatten().all(|v| v.is_finite()) {
            let style = Stroke { color, width: 1.0, alpha };
            let result = self
                .backend
                .fill_polygon(points.iter().map(|&p| units(p)), &ShapeStyle::from(style))
                .map_err(|e| e.to_string());
            self.keep(result);
        }
    }

    pub fn dot(&mut self, at: [f64; 2], radius: f64, color: Color) {
        if at.iter().all(|v| v.is_finite()) {
            let radius = (radius * UNITS).max(1.0) as u32;
            let style = Stroke::new(color, 1.0);
            let result =
                self.backend.draw_circle(units(at), radius, &ShapeStyle::from(style), true).map_err(|e| e.to_string());
            self.keep(result);
        }
    }

    /// One line of text.
    pub fn text(&mut self, [x, y]: [f64; 2], text: &str, style: Style) {
        if text.is_empty() || !(x.is_finite() && y.is_finite()) {
            return;
        }
        let width = super::text::width(text, style.size);
        let back = match style.align {
            Align::Start => 0.0,
            Align::Middle => 0.5 * width,
            Align::End => width,
        };
        let capitals = 0.693 * style.size;
        let drop = match style.vertical {
            Align::Start => capitals,
            Align::Middle => 0.5 * capitals,
            Align::End => 0.0,
        };
        let at = if style.upwards { [x + drop, y + back] } else { [x - back, y + drop] };
        self.text.add(at.map(|v| v * UNITS), text, (style.size * UNITS, style.upwards), style.color);
    }
}

fn dashed(points: &[[f64; 2]], on: f64, off: f64) -> Vec<Vec<[f64; 2]>> {
    let mut dashes = Vec::new();
    let mut dash = vec![points[0]];
    let (mut drawing, mut left) = (true, on);
    for pair in points.windows(2) {
        let ([mut x, mut y], [x1, y1]) = (pair[0], pair[1]);
        let mut length = (x1 - x).hypot(y1 - y);
        while length > left {
            let share = left / length;
            (x, y) = (x + (x1 - x) * share, y + (y1 - y) * share);
            length -= left;
            if drawing {
                dash.push([x, y]);
                dashes.push(std::mem::take(&mut dash));
            } else {
                dash = vec![[x, y]];
            }
            drawing = !drawing;
            left = if drawing { on } else { off };
        }
        left -= length;
        if drawing {
            dash.push([x1, y1]);
        }
    }
    dashes.push(dash);
    dashes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::paper::FigureSize;

    #[test]
    fn dashes_go_round_corners_and_keep_their_lengths() {
        let points = [[0.0, 0.0], [7.0, 0.0], [7.0, 100.0]];
        let all = dashed(&points, 8.0, 4.0);
        let length =
            |dash: &Vec<[f64; 2]>| dash.windows(2).map(|p| (p[1][0] - p[0][0]).hypot(p[1][1] - p[0][1])).sum::<f64>();
        assert_eq!(all[0], [[0.0, 0.0], [7.0, 0.0], [7.0, 1.0]]);
        assert!(all[..8].iter().all(|dash| (length(dash) - 8.0).abs() < 1e-9));
    }

    #[test]
    fn titles_are_escaped_and_numbers_that_are_none_left_out() {
        let paper = Paper::of(FigureSize::Pixels { width: 300, height: 200 });
        let svg = draw(
            [300.0, 200.0],
            |side| side.to_string(),
            ("a < b & c", &paper),
            |canvas| {
                canvas.path(
                    &[[0.0, 0.0], [f64::NAN, 1.0], [2.0, 2.0], [3.0, f64::INFINITY], [4.0, 4.0]],
                    Stroke::new(BLACK, 1.0),
                );
                canvas.polygon(&[[0.0, 0.0], [1.0, 1.0], [f64::NAN, 0.0]], BLACK, 1.0);
            },
        )
        .unwrap();
        assert!(svg.contains("<title>a &lt; b &amp; c</title>"));
        assert!(!svg.contains("polyline") && !svg.contains("polygon"), "{svg}");
    }
}
