//! A circle within a circle.

use std::f64::consts::PI;

use super::Plane;
use crate::base::rng::{Stream, Streams, normals, uniforms};
use crate::tasks::data::Task;
use crate::tasks::error::TaskError;
use crate::tasks::spec::TaskSpec;

const RADII: [f64; 2] = [0.75, 1.5];
const NOISE: f64 = 0.12;

/// Class k: a point uniform on the circle of radius 0.75 (k = 0) or 1.5 (k = 1), plus normal noise of deviation
/// 0.12 in both coordinates. No straight line separates the classes; their radii are six deviations apart.
///
/// # Errors
/// [`TaskError::TooLarge`].
pub fn load(spec: &TaskSpec, streams: &Streams) -> Result<Task, TaskError> {
    Plane {
        title: "Circles",
        stream: "circles",
        source: "Generated: circles of radius 0.75 and 1.5, noise 0.12; the best possible classifier errs on one point in a \
                 thousand and has the cross-entropy 0.003 nats"
                .into(),
        classes: 2,
        draw,
    }
    .task(spec, streams)
}

fn draw(stream: &mut Stream, class: u32) -> [f64; 2] {
    let angle = uniforms(stream, 1, 0.0, 2.0 * PI)[0];
    let noise = normals(stream, 2);
    let radius = RADII[class as usize];
    [radius * angle.cos() + NOISE * noise[0], radius * angle.sin() + NOISE * noise[1]]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_beyond_the_middle_is_as_the_source_says() {
        let mut stream = Streams::new(0).stream("circles");
        let n = 20_000;
        let astray = (0..n)
            .filter(|i| {
                let [x, y] = draw(&mut stream, i % 2);
                (x.hypot(y) > 1.125) != (i % 2 == 1)
            })
            .count();
        // P(z > 0.375 / 0.12 = 3.1) is 0.0009; curvature adds to the inner circle's share.
        assert!((5..60).contains(&astray), "{astray} of {n}");
    }
}
