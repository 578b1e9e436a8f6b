//! Named random streams of one seed.
//!
//! Everything random in a run draws from a stream named after its purpose. Two purposes never share
//! a stream, so measuring more, or drawing a window, can't shift the numbers that training sees.

use rand::distr::{Distribution, Uniform};
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

/// A generator with a documented, portable sequence (ChaCha with 8 rounds).
pub type Stream = ChaCha8Rng;

/// The family of independent random streams that one seed determines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Streams {
    seed: u64,
}

impl Streams {
    pub fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The stream called `name`, from its beginning: a function of (seed, name) alone.
    pub fn stream(&self, name: &str) -> Stream {
        self.indexed(name, 0)
    }

    /// A family of its own, the `index`-th called `name`: what draws from it shares no stream with this one.
    #[must_use]
    pub fn derived(&self, name: &str, index: u64) -> Self {
        let mut seed = [0; 8];
        self.indexed(name, index).fill_bytes(&mut seed);
        Self { seed: u64::from_le_bytes(seed) }
    }

    /// The `index`-th stream called `name`, for one stream per epoch, layer or vector.
    pub fn indexed(&self, name: &str, index: u64) -> Stream {
        let mut hasher = blake3::Hasher::new_derive_key("landscope named random stream, version 1");
        hasher.update(&self.seed.to_le_bytes());
        hasher.update(&index.to_le_bytes());
        hasher.update(name.as_bytes());
        Stream::from_seed(*hasher.finalize().as_bytes())
    }
}

/// `n` independent draws from the standard normal distribution.
pub fn normals(stream: &mut Stream, n: usize) -> Vec<f64> {
    (0..n).map(|_| StandardNormal.sample(stream)).collect()
}

/// `n` independent draws, uniform on `[low, high)`.
pub fn uniforms(stream: &mut Stream, n: usize, low: f64, high: f64) -> Vec<f64> {
    let range = Uniform::new(low, high).expect("callers pass low < high, both finite");
    (0..n).map(|_| range.sample(stream)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_depends_on_seed_name_and_index_and_on_nothing_else() {
        let streams = Streams::new(7);
        let a = normals(&mut streams.stream("init"), 8);
        assert_eq!(a, normals(&mut streams.stream("init"), 8));
        assert_ne!(a, normals(&mut streams.stream("batches"), 8));
        assert_ne!(a, normals(&mut streams.indexed("init", 1), 8));
        assert_ne!(a, normals(&mut Streams::new(8).stream("init"), 8));
    }

    #[test]
    fn a_derived_family_is_another_seed_that_name_and_index_determine() {
        let streams = Streams::new(7);
        let derived = streams.derived("noise", 3);
        assert_eq!(derived, streams.derived("noise", 3));
        for other in [streams, streams.derived("noise", 4), streams.derived("start", 3), Streams::new(8)] {
            assert_ne!(derived, other);
        }
    }

    #[test]
    fn normals_have_the_moments_of_a_standard_normal() {
        let draws = normals(&mut Streams::new(0).stream("moments"), 100_000);
        let moment = |k: i32| draws.iter().map(|x| x.powi(k)).sum::<f64>() / draws.len() as f64;
        // Four standard errors of each sample moment.
        assert!(moment(1).abs() < 0.013, "{}", moment(1));
        assert!((moment(2) - 1.0).abs() < 0.018, "{}", moment(2));
        assert!((moment(4) - 3.0).abs() < 0.125, "{}", moment(4));
    }
}
