//! Draws [`Plot`]s: what is to be seen is decided in `plots`, how it looks on screen is decided here.

mod axes;
mod box_labels;
mod bundle;
pub mod camera;
mod color_bar;
mod dashes;
mod empty;
mod field;
mod hover;
mod legend;
mod lines;
mod pick;
mod ridges;
mod stage;
mod surface;

use egui::{FontId, Id, TextStyle, Ui};

pub use camera::Orbit;
pub use hover::hovered_step;

use crate::app::theme;
use crate::plots::{Plot, ticks};
use crate::record::TrackId;

/// What one picture remembers between frames: the reader's zoom, camera and hidden lines. Keep one for each picture
/// on screen, whatever kind of plot it currently shows.
#[derive(Default)]
pub struct ViewState {
    /// Where a surface is seen from.
    pub orbit: Orbit,
    /// Where a heat map was clicked in this frame, in its axes' units.
    pub clicked: Option<[f64; 2]>,
    /// The steps over which the pointer was dragged to choose them, when it is let go.
    pub selected: Option<[u64; 2]>,
    /// Whose curve was clicked in this frame, among very many.
    pub picked: Option<TrackId>,
    lines: lines::Memory,
    field: field::Memory,
    surface: surface::Memory,
}

/// Draws `plot` into all of the space that `ui` has left. `id` must be the same in every frame and differ between
/// pictures.
pub fn show(ui: &mut Ui, id: Id, plot: &Plot, state: &mut ViewState) {
    let size = theme::size::TEXT_SMALL * axes::emphasis(ui.available_size());
    ui.style_mut().text_styles.insert(TextStyle::Small, FontId::proportional(size));
    match plot {
        Plot::Lines(plot) => {
            let lines::Done { picked, selected } = lines::show(ui, id, plot, &mut state.lines);
            (state.picked, state.selected) = (picked, selected);
        }
        Plot::Field(plot) => state.clicked = field::show(ui, id, plot, &mut state.field),
        Plot::Surface(plot) => surface::show(ui, id, plot, &mut state.orbit, &mut state.surface),
        Plot::Ridges(plot) => ridges::show(ui, id, plot),
        Plot::Empty { title, reason } => empty::show(ui, title, reason),
    }
}
