//! One instrument per file: what each pane draws of a recording.

pub mod activations;
pub mod attention;
pub mod connectivity;
pub mod coord_check;
pub mod curvature;
pub mod gradients;
pub mod landscape;
pub mod loss;
pub mod rank_collapse;
pub mod sharpness;
pub mod signal_propagation;
