//! The only egui code: the window.
