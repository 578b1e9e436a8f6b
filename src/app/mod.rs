//! The only egui code: the window.
//!
//! [`state::Window`] is what the window knows, [`action::Action`] what a user can wish for, [`shell::Shell`] how it
//! is drawn. Widgets push actions; one place applies them.

pub mod action;
mod archive;
pub mod background;
mod branching;
mod comparison;
pub mod connectivity;
pub mod coord_check;
pub mod draft;
mod emblem;
pub mod export;
pub mod film;
pub mod gpu;
pub mod keys;
pub mod lab;
pub mod link;
pub mod live;
pub mod offscreen;
pub mod plot_cache;
pub mod shell;
pub mod state;
pub mod sweep;
pub mod theme;
pub mod toasts;
pub mod views;
mod watch;
pub mod widgets;
pub mod window;

pub use comparison::read_beside;
pub use link::Wake;
pub use offscreen::{Look, OffscreenError, Studio, adapters};
pub use state::Window;
pub use window::{App, Source, WindowError, display, run};

/// A path as the user can find it: from the root.
pub(crate) fn full_path(path: &std::path::Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string()
}
