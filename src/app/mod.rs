//! The only egui code: the window.

pub mod theme;
pub mod views;
