//! Exclusive or of two signs.

use super::Plane;
use crate::base::rng::{Stream, Streams, uniforms};
use crate::tasks::data::Task;
use crate::tasks::error::TaskError;
use crate::tasks::spec::TaskSpec;

const MARGIN: f64 = 0.1;
const SIDE: f64 = 1.5;

/// Class 1 where exactly one coordinate is negative. Both coordinates have a magnitude uniform on [0.1, 1.5) and
/// random signs of the class, so a gap of 0.2 lies along both axes and the classes don't overlap.
///
/// # Errors
/// [`TaskError::TooLarge`].
pub fn load(spec: &TaskSpec, streams: &Streams) -> Result<Task, TaskError> {
    Plane {
        title: "XOR",
        stream: "xor",
        source: "Generated: the sign of a product, with a gap of 0.2 along both axes; the loss can approach 0".into(),
        classes: 2,
        draw,
    }
    .task(spec, streams)
}

fn draw(stream: &mut Stream, class: u32) -> [f64; 2] {
    let magnitudes = uniforms(stream, 2, MARGIN, SIDE);
    let first = if uniforms(stream, 1, 0.0, 1.0)[0] < 0.5 { -1.0 } else { 1.0 };
    let second = if class == 1 { -first } else { first };
    [first * magnitudes[0], second * magnitudes[1]]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_class_is_the_exclusive_or_of_the_signs_and_all_quadrants_are_used() {
        let mut stream = Streams::new(0).stream("xor");
        let mut quadrants = [0; 4];
        for i in 0..1_000 {
            let [x, y] = draw(&mut stream, i % 2);
            assert_eq!((x < 0.0) ^ (y < 0.0), i % 2 == 1);
            assert!(x.abs() >= MARGIN && y.abs() >= MARGIN);
            quadrants[usize::from(x < 0.0) * 2 + usize::from(y < 0.0)] += 1;
        }
        assert!(quadrants.iter().all(|&n| n > 190), "{quadrants:?}");
    }
}
