//! Widgets of the house. Each shows a value and reports what the user wishes; none changes the state.

pub mod icon;
pub mod knob;
pub mod number;
pub mod path;
pub mod rail;
pub mod scrub;
pub mod span;
