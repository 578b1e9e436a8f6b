//! Draws [`Plot`]s: what is to be seen is decided in `plots`, how it looks on screen is decided here.

mod axes;
mod empty;
mod legend;
mod lines;
mod ticks;

use egui::{Id, Ui};

use crate::plots::Plot;

/// What one picture remembers between frames: the reader's zoom, camera and hidden lines. Keep one for each picture
/// on screen, whatever kind of plot it currently shows.
#[derive(Default)]
pub struct ViewState {
    lines: lines::Memory,
}

/// Draws `plot` into all of the space that `ui` has left. `id` must be the same in every frame and differ between
/// pictures.
pub fn show(ui: &mut Ui, id: Id, plot: &Plot, state: &mut ViewState) {
    match plot {
        Plot::Lines(plot) => lines::show(ui, id, plot, &mut state.lines),
        Plot::Field(_) | Plot::Surface(_) | Plot::Ridges(_) => {}
        Plot::Empty { title, reason } => empty::show(ui, title, reason),
    }
}
