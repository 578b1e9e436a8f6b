//! Classes of points in a plane: nothing hides, a decision boundary can be drawn.

use super::budget;
use super::data::{Inputs, Split, Targets, Task};
use super::error::TaskError;
use super::spec::TaskSpec;
use crate::base::rng::{Stream, Streams};

pub mod circles;
pub mod gaussians;
pub mod moons;
pub mod spirals;
pub mod xor;

/// Training points where the spec names no number.
pub const TRAIN: usize = 1_000;
pub const TEST: usize = 500;

/// One kind of picture in the plane. Coordinates are of order one, around the origin.
struct Plane<D> {
    title: &'static str,
    /// Name of the streams: `task/<stream>/train` and `task/<stream>/test`.
    stream: &'static str,
    source: String,
    classes: u32,
    /// A point of the given class.
    draw: D,
}

impl<D: Fn(&mut Stream, u32) -> [f64; 2]> Plane<D> {
    /// Training and test points with classes in turn, so that classes are balanced; smaller training sets are
    /// the beginnings of larger ones.
    fn task(self, spec: &TaskSpec, streams: &Streams) -> Result<Task, TaskError> {
        let n = budget::generated(spec.train_size, TRAIN, 3 * size_of::<f32>())?;
        let split = |part: &str, n: usize| self.split(n, &mut streams.stream(&format!("task/{}/{part}", self.stream)));
        Ok(Task {
            title: self.title.into(),
            train: split("train", n),
            test: split("test", TEST),
            class_names: Vec::new(),
            source: self.source.clone(),
        })
    }

    fn split(&self, n: usize, stream: &mut Stream) -> Split {
        let labels: Vec<u32> = (0..self.classes).cycle().take(n).collect();
        let values = labels.iter().flat_map(|&class| (self.draw)(stream, class).map(|v| v as f32)).collect();
        Split {
            inputs: Inputs::Features { values, shape: vec![2] },
            targets: Targets::Classes { labels, classes: self.classes as usize },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Loader = fn(&TaskSpec, &Streams) -> Result<Task, TaskError>;
    const ALL: [(Loader, usize); 5] =
        [(spirals::load, 2), (moons::load, 2), (circles::load, 2), (xor::load, 2), (gaussians::load, 5)];

    #[test]
    fn points_are_balanced_of_order_one_and_around_the_origin() {
        for (load, classes) in ALL {
            let task = load(&TaskSpec::default(), &Streams::new(1)).unwrap();
            assert_eq!((task.train.len(), task.test.len()), (TRAIN, TEST), "{}", task.title);
            let Targets::Classes { labels, classes: stated } = &task.train.targets else { panic!("classes") };
            assert_eq!(*stated, classes);
            assert!((0..classes).all(|c| labels.iter().filter(|&&l| l as usize == c).count() == TRAIN / classes));
            let Inputs::Features { values, .. } = &task.train.inputs else { panic!("features") };
            for axis in 0..2 {
                let column: Vec<f32> = values.iter().skip(axis).step_by(2).copied().collect();
                let mean = column.iter().sum::<f32>() / TRAIN as f32;
                let square = column.iter().map(|v| v * v).sum::<f32>() / TRAIN as f32;
                assert!(mean.abs() < 0.25, "{}: mean {mean}", task.title);
                assert!((0.3..2.5).contains(&square), "{}: mean square {square}", task.title);
            }
        }
    }

    #[test]
    fn smaller_sets_are_beginnings_of_larger_ones_and_seeds_differ() {
        for (load, _) in ALL {
            let sized =
                |train_size, seed| load(&TaskSpec { train_size, ..TaskSpec::default() }, &Streams::new(seed)).unwrap();
            let (small, large) = (sized(10, 0), sized(3_000, 0));
            assert_eq!(large.train.len(), 3_000);
            assert_eq!(small.train, large.train.first(10));
            assert_eq!(small.test, large.test);
            assert_ne!(small.train.inputs, sized(10, 1).train.inputs);
            assert_ne!(small.train.inputs, small.test.first(10).inputs);
        }
    }

    #[test]
    fn neighbours_tell_the_class_except_where_classes_are_meant_to_overlap() {
        for (load, classes) in ALL {
            let task = load(&TaskSpec::default(), &Streams::new(2)).unwrap();
            let points = |split: &Split| match (&split.inputs, &split.targets) {
                (Inputs::Features { values, .. }, Targets::Classes { labels, .. }) => {
                    values.chunks_exact(2).map(|p| [p[0], p[1]]).zip(labels.clone()).collect::<Vec<_>>()
                }
                _ => panic!("points with classes"),
            };
            let train = points(&task.train);
            let distance = |a: [f32; 2], b: [f32; 2]| (a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2);
            let right = points(&task.test)
                .iter()
                .filter(|(at, class)| {
                    let nearest = train.iter().min_by(|a, b| distance(a.0, *at).total_cmp(&distance(b.0, *at)));
                    nearest.is_some_and(|(_, nearest)| nearest == class)
                })
                .count();
            let expected = if classes == 5 { 0.82 } else { 0.95 };
            assert!(right as f64 / TEST as f64 >= expected, "{}: {right} of {TEST}", task.title);
        }
    }

    /// Error rate and cross-entropy of Bayes' rule, the density of a class being that of normal noise around many
    /// points of its curve.
    fn best(load: Loader, noise: f64, curve: impl Fn(f64, u32) -> [f64; 2]) -> (f64, f64) {
        let n = 20_000;
        let spec = TaskSpec { train_size: n, ..TaskSpec::default() };
        let train = load(&spec, &Streams::new(0)).unwrap().train;
        let (Inputs::Features { values, .. }, Targets::Classes { labels, .. }) = (&train.inputs, &train.targets) else {
            panic!("points with classes")
        };
        let curves =
            [0, 1].map(|class| (0..200).map(|i| curve((f64::from(i) + 0.5) / 200.0, class)).collect::<Vec<_>>());
        let density = |point: &[f32], curve: &[[f64; 2]]| {
            let square = |at: &[f64; 2]| (f64::from(point[0]) - at[0]).powi(2) + (f64::from(point[1]) - at[1]).powi(2);
            curve.iter().map(|at| (-square(at) / (2.0 * noise * noise)).exp()).sum::<f64>() + 1e-300
        };
        let (mut wrong, mut loss) = (0.0, 0.0);
        for (point, &label) in values.chunks_exact(2).zip(labels) {
            let densities = [0, 1].map(|class| density(point, &curves[class]));
            let own = densities[label as usize] / (densities[0] + densities[1]);
            wrong += f64::from(u8::from(own < 0.5));
            loss -= own.ln();
        }
        (wrong / n as f64, loss / n as f64)
    }

    #[test]
    fn the_floors_are_as_the_sources_say() {
        use std::f64::consts::PI;
        let (error, loss) = best(moons::load, 1.2 * 0.15, |t, class| {
            let (sin, cos) = (PI * t).sin_cos();
            let [x, y] = if class == 0 { [cos, sin] } else { [1.0 - cos, 0.5 - sin] };
            [1.2 * (x - 0.5), 1.2 * (y - 0.25)]
        });
        assert!((error - 0.01).abs() < 0.003 && (loss - 0.024).abs() < 0.004, "moons {error} {loss}");
        let (error, loss) = best(circles::load, 0.12, |t, class| {
            let radius = if class == 0 { 0.75 } else { 1.5 };
            [radius * (2.0 * PI * t).cos(), radius * (2.0 * PI * t).sin()]
        });
        assert!((error - 0.001).abs() < 0.001 && (loss - 0.003).abs() < 0.002, "circles {error} {loss}");
    }
}
