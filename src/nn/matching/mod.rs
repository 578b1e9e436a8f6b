//! Hidden units have no names: networks that differ by a permutation of units are one function. Matching finds the
//! permutation that brings one network nearest to another, so that the line between them can be judged.

mod activations;
mod assignment;
mod symmetry;
mod weights;

pub use activations::match_activations;
pub use symmetry::{Permutations, Symmetry, UnknownSymmetry};
pub use weights::{Matched, match_weights};
