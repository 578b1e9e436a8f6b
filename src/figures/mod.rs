//! Draws plots for paper: SVG through plotters, and PNG made of that SVG.
//!
//! The same [`Plot`]s as in the window, in a light publication style. No font of the system is needed.

mod canvas;
mod color_bar;
mod field;
pub mod file;
mod frame;
mod lines;
mod raster;
mod ridges;
mod surface;
mod text;

use crate::plots::Plot;

use canvas::{Canvas, Rect};

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
pub fn svg(plots: &[Plot], size: (u32, u32)) -> Result<String, FigureError> {
    let (width, height) = size;
    if !SIZES.contains(&width) || !SIZES.contains(&height) {
        return Err(FigureError::Size { width, height });
    }
    let title = plots.iter().map(Plot::title).collect::<Vec<_>>().join(", ");
    canvas::draw(size, &title, |canvas| {
        let count = plots.len().max(1);
        let column = f64::from(width) / count as f64;
        // 11 pt at 1400 x 700; small figures keep text that can be read.
        let font = (15.0 * (f64::from(height) / 700.0).min(f64::from(width) / 1400.0)).max(11.0);
        for (i, plot) in plots.iter().enumerate() {
            let x = column * i as f64;
            let area = Rect { left: x, top: 0.0, right: x + column, bottom: f64::from(height) }.shrink(1.2 * font);
            draw(canvas, plot, area, font);
        }
    })
}

/// As [`svg`], as a PNG file.
///
/// # Errors
/// As [`svg`], and [`FigureError::Raster`].
pub fn png(plots: &[Plot], size: (u32, u32)) -> Result<Vec<u8>, FigureError> {
    raster::png(&svg(plots, size)?)
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
                canvas.text(at, line, text::Style::new(font, canvas::GREY).centred());
            }
        }
    }
}
