//! Two interleaved half circles.

use std::f64::consts::PI;

use super::Plane;
use crate::base::rng::{Stream, Streams, normals, uniforms};
use crate::tasks::data::Task;
use crate::tasks::error::TaskError;
use crate::tasks::spec::TaskSpec;

const NOISE: f64 = 0.15;
const SCALE: f64 = 1.2;

/// Class 0: `(cos t, sin t)`; class 1: `(1 - cos t, 1/2 - sin t)`; t uniform on [0, pi), plus normal noise of
/// deviation 0.15; then centred at (1/2, 1/4) and scaled by 1.2. (The same shape as scikit-learn's `make_moons`.)
///
/// # Errors
/// [`TaskError::TooLarge`].
pub fn load(spec: &TaskSpec, streams: &Streams) -> Result<Task, TaskError> {
    Plane {
        title: "Moons",
        stream: "moons",
        source:
            "Generated: two half circles, noise 0.15; the classes overlap: the best possible classifier errs on one \
                 point in a hundred and has the cross-entropy 0.024 nats"
                .into(),
        classes: 2,
        draw,
    }
    .task(spec, streams)
}

fn draw(stream: &mut Stream, class: u32) -> [f64; 2] {
    let t = uniforms(stream, 1, 0.0, PI)[0];
    let noise = normals(stream, 2);
    let [x, y] = if class == 0 { [t.cos(), t.sin()] } else { [1.0 - t.cos(), 0.5 - t.sin()] };
    [SCALE * (x - 0.5 + NOISE * noise[0]), SCALE * (y - 0.25 + NOISE * noise[1])]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_circles_have_radius_one_before_scaling() {
        let mut stream = Streams::new(0).stream("moons");
        let radii: Vec<f64> = (0..2_000)
            .map(|_| {
                let [x, y] = draw(&mut stream, 0);
                (x / SCALE + 0.5).hypot(y / SCALE + 0.25)
            })
            .collect();
        // E|r| is about 1 + noise^2 / 2; the deviation of the mean of 2,000 is 0.0034.
        let mean = radii.iter().sum::<f64>() / radii.len() as f64;
        assert!((mean - 1.0 - NOISE * NOISE / 2.0).abs() < 0.014, "{mean}");
    }
}
