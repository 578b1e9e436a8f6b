//! The state of the window as text: what a link, a saved state and a QR code hold.
//!
//! [`SharedState`] is the state, [`SharedState::to_toml`] its canonical text, [`link`] packs that text into one line, and
//! [`qr`] draws the line. `docs/SHARING.md` has the format.

mod course;
pub mod link;
pub mod qr;
mod sparse;
mod state;
mod view;

pub use state::{Experiment, ShareError, SharedState, VERSION};
pub use view::View;
