//! Two intertwined spirals.

use std::f64::consts::PI;

use super::Plane;
use crate::base::rng::{Stream, Streams, normals, uniforms};
use crate::tasks::data::Task;
use crate::tasks::error::TaskError;
use crate::tasks::spec::TaskSpec;

const TURNS: f64 = 1.25;
const RADIUS: f64 = 2.0;
const NOISE: f64 = 0.06;

/// Class k in {0, 1}: the point at radius `2 t` and angle `2 pi 1.25 t + pi k`, t uniform on [0.1, 1), plus
/// normal noise of deviation 0.06 in both coordinates. Arms are 0.8 apart: hardly any overlap.
///
/// # Errors
/// [`TaskError::TooLarge`].
pub fn load(spec: &TaskSpec, streams: &Streams) -> Result<Task, TaskError> {
    Plane {
        title: "Spirals",
        stream: "spirals",
        source: "Generated: two spirals of 1.25 turns, noise 0.06; the classes hardly overlap, the loss can approach 0"
            .into(),
        classes: 2,
        draw,
    }
    .task(spec, streams)
}

fn draw(stream: &mut Stream, class: u32) -> [f64; 2] {
    let t = uniforms(stream, 1, 0.1, 1.0)[0];
    let noise = normals(stream, 2);
    let angle = 2.0 * PI * TURNS * t + PI * f64::from(class);
    [RADIUS * t * angle.cos() + NOISE * noise[0], RADIUS * t * angle.sin() + NOISE * noise[1]]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_arms_are_each_others_mirror_image_through_the_origin() {
        let streams = Streams::new(0);
        let [a, b] = [0, 1].map(|class| draw(&mut streams.stream("same"), class));
        let noise = 2.0 * 5.0 * NOISE;
        assert!((a[0] + b[0]).abs() < noise && (a[1] + b[1]).abs() < noise, "{a:?} {b:?}");
    }
}
