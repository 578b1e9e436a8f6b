//! Draws plots for paper: SVG through plotters, and PNG made of that SVG.
//!
//! The same [`Plot`]s as in the window, in a publication style. Text is drawn as outlines of our own fonts, so a figure looks
//! the same on every machine and needs no font there.

mod canvas;
mod color_bar;
mod field;
pub mod file;
pub mod film;
mod frame;
mod glyphs;
mod ink;
mod lines;
mod paper;
pub mod raster;
mod ridges;
mod surface;
mod text;

use crate::plots::Plot;

use canvas::{Canvas, Rect};
use raster::Pixels;

pub use ink::Ground;
pub use paper::{Camera, FigureSize, Paper};

/// Sides of a figure in pixels that are drawn.
pub const SIZES: std::ops::RangeInclusive<u32> = 200..=8_192;

/// A figure that can't be made.
#[derive(Debug, thiserror::Error)]
pub enum FigureError {
    #[error("can't draw a figure of {width} x {height} pixels; choose sides from {} to {}", SIZES.start(), SIZES.end())]
    Size { width: u32, height: u32 },
    #[error("can't draw the figure: {message}")]
    Drawing { message: String },
    #[error("can't turn the figure into a PNG: {message}; save it as SVG instead")]
    Raster { message: String },
}

/// Draws plots side by side on white, `size` in pixels (width, height), as SVG.
///
/// # Errors
/// [`FigureError::Size`] for sides that can't be drawn.
pub fn svg(plots: &[Plot], (width, height): (u32, u32)) -> Result<String, FigureError> {
    svg_on(plots, &Paper::of(FigureSize::Pixels { width, height }))
}

/// As [`svg`], as a PNG file.
///
/// # Errors
/// As [`svg`], and [`FigureError::Raster`].
pub fn png(plots: &[Plot], (width, height): (u32, u32)) -> Result<Vec<u8>, FigureError> {
    png_on(plots, &Paper::of(FigureSize::Pixels { width, height }))
}

/// Draws plots on a sheet of paper, in as many columns as suit it, its caption below them.
///
/// # Errors
/// As [`svg`].
pub fn svg_on(plots: &[Plot], paper: &Paper) -> Result<String, FigureError> {
    let sheet = paper.sheet(plots.len())?;
    let font = sheet.font;
    // A caption may be a little smaller: nobody reads it from the last row.
    let small = 0.92 * font;
    let margin = 1.2 * font;
    let mut caption = text::wrap(paper.caption.as_deref().unwrap_or_default(), small, sheet.width - 2.0 * margin);
    if !sheet.grows {
        let most = (0.2 * sheet.height / (1.35 * small)).max(1.0) as usize;
        if caption.len() > most {
            let rest = caption.split_off(most - 1).join(" ");
            caption.push(text::elide(&rest, small, sheet.width - 2.0 * margin));
        }
    }
    let below = if caption.is_empty() { 0.0 } else { 1.35 * small * caption.len() as f64 + 0.6 * font };
    let height = if sheet.grows { sheet.height + below } else { sheet.height };
    let title = plots.iter().map(Plot::title).collect::<Vec<_>>().join(", ");
    let side = |px: f64| {
        if sheet.millimetres { format!("{:.2}mm", px * 25.4 / 96.0) } else { format!("{px:.0}") }
    };
    canvas::draw([sheet.width, height], side, (&title, paper), |canvas| {
        let rows = plots.len().max(1).div_ceil(sheet.columns);
        let [wide, high] = [sheet.width / sheet.columns as f64, (height - below) / rows as f64];
        for (i, plot) in plots.iter().enumerate() {
            let (left, top) = (wide * (i % sheet.columns) as f64, high * (i / sheet.columns) as f64);
            let area = Rect { left, top, right: left + wide, bottom: top + high }.shrink(margin);
            draw(canvas, plot, area, font);
        }
        let corner = text::Style { vertical: text::Align::Start, ..text::Style::new(font, canvas.ink.quiet).right() };
        canvas.text([sheet.width - margin, margin], &paper.stamp, corner);
        for (i, line) in caption.iter().rev().enumerate() {
            let at = [margin, height - 0.9 * font - 1.35 * small * i as f64];
            let style = text::Style { vertical: text::Align::End, ..text::Style::new(small, canvas.ink.text) };
            canvas.text(at, line, style);
        }
    })
}

/// As [`svg_on`], as a PNG file that knows how large it is on paper and what it shows.
///
/// # Errors
/// As [`svg_on`], and [`FigureError::Raster`].
pub fn png_on(plots: &[Plot], paper: &Paper) -> Result<Vec<u8>, FigureError> {
    let density = paper.sheet(plots.len())?.density;
    raster::png(&pixels_on(plots, paper)?, 96.0 * density, &paper.description)
}

/// As [`svg_on`], as pixels.
///
/// # Errors
/// As [`svg_on`], and [`FigureError::Raster`].
pub fn pixels_on(plots: &[Plot], paper: &Paper) -> Result<Pixels, FigureError> {
    let density = paper.sheet(plots.len())?.density;
    raster::pixels(&svg_on(plots, paper)?, density)
}

fn draw(canvas: &mut Canvas<'_>, plot: &Plot, area: Rect, font: f64) {
    match plot {
        Plot::Lines(plot) => lines::draw(canvas, plot, area, font),
        Plot::Field(plot) => field::draw(canvas, plot, area, font),
        Plot::Surface(plot) => surface::draw(canvas, plot, area, font),
        Plot::Ridges(plot) => ridges::draw(canvas, plot, area, font),
        Plot::Empty { title, reason } => {
            let inner = frame::title_and_notes(canvas, title, &[], area, font);
            let lines = text::wrap(reason, font, inner.width() * 0.8);
            let top = inner.middle()[1] - 0.7 * font * lines.len() as f64;
            for (i, line) in lines.iter().enumerate() {
                let at = [inner.middle()[0], top + 1.4 * font * i as f64];
                canvas.text(at, line, text::Style::new(font, canvas.ink.quiet).centred());
            }
        }
    }
}
