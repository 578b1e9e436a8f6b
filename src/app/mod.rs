//! The only egui code: the window.
//!
//! [`state::Window`] is what the window knows, [`action::Action`] what a user can wish for, [`shell::Shell`] how it
//! is drawn. Widgets push actions; one place applies them.

pub mod action;
mod archive;
pub mod arrangement;
pub mod background;
mod branching;
pub mod bring;
mod comparison;
pub mod connectivity;
pub mod coord_check;
mod dialog;
pub mod draft;
mod emblem;
pub mod export;
pub mod film;
pub mod gpu;
pub mod history;
pub mod keys;
pub mod lab;
pub mod layouts;
mod lesson_links;
pub mod link;
pub mod live;
pub mod offscreen;
pub mod plot_cache;
pub mod settings;
pub mod share;
pub mod sharing;
pub mod shell;
pub mod state;
pub mod sweep;
pub mod theme;
pub mod toasts;
mod undo;
pub mod views;
mod watch;
pub mod widgets;
pub mod window;

pub use comparison::read_beside;
pub use link::Wake;
pub use offscreen::{Look, OffscreenError, Studio, adapters};
pub use state::Window;
pub use window::{App, Places, Source, WindowError, display, run};

/// A path as the user can find it: from the root.
pub(crate) fn full_path(path: &std::path::Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string()
}

/// A message as a sentence that stands alone.
pub(crate) fn sentence(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().map_or_else(String::new, |first| first.to_uppercase().chain(rest).collect())
}
