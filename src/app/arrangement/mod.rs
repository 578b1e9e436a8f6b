//! Where the panes are, as data: what is undone, kept, named and sent by link. The tiles on screen are drawn from it.

mod layout;
mod start;
mod text;
mod tree;

pub use layout::{PaneLayout, Part, Place, SHARE, experiment_of, find, slugs};
pub use start::{ROWS, start};
pub use text::LayoutError;
pub use tree::{SIMPLIFICATIONS, grow, read};
