//! What figures are drawn on: plotters' SVG backend in fractions of a pixel.

use plotters::backend::{DrawingBackend, SVGBackend};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontFamily, FontTransform, IntoFont, IntoTextStyle, RGBAColor, RGBColor, ShapeStyle, TextStyle};

use crate::plots::{Colormap, LineColor};

use super::FigureError;
use super::text::{self, Align, Style};

/// sRGB.
pub type Color = [u8; 3];

pub const BLACK: Color = [0x1a, 0x20, 0x29];
/// Axis numbers and notes.
pub const GREY: Color = [0x4d, 0x58, 0x66];
/// Frames and ticks.
pub const FRAME: Color = [0x8a, 0x93, 0x9f];
pub const GRID: Color = [0xe6, 0xe9, 0xed];
pub const WHITE: Color = [0xff, 0xff, 0xff];
/// Cells without a value.
pub const MISSING: Color = [0xd9, 0xdc, 0xe0];

/// Okabe and Ito (2008), in the order that reads best on white: the order of the window's light theme.
const SERIES: [Color; 7] = [
    [0x00, 0x72, 0xb2],
    [0xd5, 0x5e, 0x00],
    [0x00, 0x9e, 0x73],
    [0xcc, 0x79, 0xa7],
    [0xe6, 0x9f, 0x00],
    [0x56, 0xb4, 0xe9],
    [0x4b, 0x4f, 0x57],
];

pub fn series(index: usize) -> Color {
    SERIES[index % SERIES.len()]
}

/// As the window's lines on a light ground.
pub fn line_color(color: LineColor) -> Color {
    match color {
        LineColor::Palette(index) => series(index),
        LineColor::Scale(at) => Colormap::Viridis.rgb8(0.85 * at),
    }
}

/// The colour at `share` of the way from `a` to `b`.
pub fn mix(a: Color, b: Color, share: f64) -> Color {
    std::array::from_fn(|i| (f64::from(a[i]) + (f64::from(b[i]) - f64::from(a[i])) * share).round() as u8)
}

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
    backend: SVGBackend<'a>,
    failure: Option<String>,
}

/// The SVG of what `paint` draws.
pub fn draw(
    (width, height): (u32, u32),
    title: &str,
    paint: impl FnOnce(&mut Canvas<'_>),
) -> Result<String, FigureError> {
    let mut svg = String::new();
    let inner = (width * UNITS as u32, height * UNITS as u32);
    let mut canvas = Canvas { backend: SVGBackend::with_string(&mut svg, inner), failure: None };
    let all = Rect { left: 0.0, top: 0.0, right: f64::from(width), bottom: f64::from(height) };
    canvas.rect(all, WHITE);
    paint(&mut canvas);
    let presented = canvas.backend.present();
    let failure = canvas.failure.take().or_else(|| presented.err().map(|error| error.to_string()));
    drop(canvas);
    if let Some(message) = failure {
        return Err(FigureError::Drawing { message });
    }
    // The root says the size in pixels, whatever the units inside, and what the picture is for those who can't see it.
    let end = svg.find('>').ok_or_else(|| FigureError::Drawing { message: "the drawing has no root".into() })?;
    let escaped = title.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let root = format!(
        "<svg width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {} {}\" xmlns=\"http://www.w3.org/2000/svg\" \
         stroke-linejoin=\"round\">\n<title>{escaped}</title>",
        inner.0, inner.1
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
    pub fn text(&mut self, at: [f64; 2], text: &str, style: Style) {
        let runs = text::runs(text);
        if runs.len() == 1 {
            return self.run(at, text, style);
        }
        let share = match style.align {
            Align::Start => 0.0,
            Align::Middle => 0.5,
            Align::End => 1.0,
        };
        let mut along = -share * text::width(text, style.size);
        for run in runs {
            let at = if style.upwards { [at[0], at[1] - along] } else { [at[0] + along, at[1]] };
            // Spaces at its ends would be lost.
            let indent = text::width(&run[..run.len() - run.trim_start().len()], style.size);
            let at = if style.upwards { [at[0], at[1] - indent] } else { [at[0] + indent, at[1]] };
            self.run(at, run.trim(), Style { align: Align::Start, ..style });
            along += text::width(run, style.size);
        }
    }

    fn run(&mut self, [x, y]: [f64; 2], text: &str, style: Style) {
        if text.is_empty() {
            return;
        }
        let [r, g, b] = style.color;
        // plotters divides sizes by 1.24 and counts vertical positions from lines, not capitals: the foot is ours.
        let font = (FontFamily::Name(text::FAMILIES), style.size * UNITS * 1.24).into_font();
        let h_pos = match style.align {
            Align::Start => HPos::Left,
            Align::Middle => HPos::Center,
            Align::End => HPos::Right,
        };
        let capitals = 0.693 * style.size;
        let drop = match style.vertical {
            Align::Start => capitals,
            Align::Middle => 0.5 * capitals,
            Align::End => 0.0,
        };
        // `VPos::Bottom` lifts by half the height of an x.
        let drop = drop + 0.26 * style.size;
        let (at, font) = if style.upwards {
            ([x + drop, y], font.transform(FontTransform::Rotate270))
        } else {
            ([x, y + drop], font)
        };
        let style: TextStyle<'_> =
            font.color(&RGBColor(r, g, b)).into_text_style(&self.backend.get_size()).pos(Pos::new(h_pos, VPos::Bottom));
        let result = self.backend.draw_text(text, &style, units(at)).map_err(|e| e.to_string());
        self.keep(result);
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
        let svg = draw((300, 200), "a < b & c", |canvas| {
            canvas.path(
                &[[0.0, 0.0], [f64::NAN, 1.0], [2.0, 2.0], [3.0, f64::INFINITY], [4.0, 4.0]],
                Stroke::new(BLACK, 1.0),
            );
            canvas.polygon(&[[0.0, 0.0], [1.0, 1.0], [f64::NAN, 0.0]], BLACK, 1.0);
        })
        .unwrap();
        assert!(svg.contains("<title>a &lt; b &amp; c</title>"));
        assert!(!svg.contains("polyline") && !svg.contains("polygon"), "{svg}");
    }
}
