//! The registry of tasks.

use super::data::Task;
use super::error::TaskError;
use super::spec::{TaskKind, TaskSpec};
use super::{digits, plane, regression, sequence, splits};
use crate::base::rng::Streams;

type Loader = fn(&TaskSpec, &Streams) -> Result<Task, TaskError>;

/// Every task, in the order of [`TaskKind`], which is the order on screen.
const TASKS: &[(TaskKind, Loader)] = &[
    (TaskKind::Digits, digits::load),
    (TaskKind::Spirals, plane::spirals::load),
    (TaskKind::Moons, plane::moons::load),
    (TaskKind::Circles, plane::circles::load),
    (TaskKind::Xor, plane::xor::load),
    (TaskKind::Gaussians, plane::gaussians::load),
    (TaskKind::TeacherStudent, regression::teacher_student::load),
    (TaskKind::Sine, regression::sine::load),
    (TaskKind::ModularAddition, sequence::modular_addition::load),
    (TaskKind::Copy, sequence::copy::load),
    (TaskKind::Grammar, sequence::grammar::load),
    (TaskKind::SourceBytes, sequence::source_text::load_bytes),
    (TaskKind::SourceCharacters, sequence::source_text::load_characters),
    (TaskKind::Text, sequence::text::load),
];

/// Makes or reads the data that `spec` describes.
///
/// Generators draw from streams called `task/...`. `spec.train_size` is applied here ([`splits::limit_training`]),
/// `spec.label_noise` isn't: [`super::noise`] makes noisy targets, as the knob is live.
///
/// # Errors
/// [`TaskError`], for anything wrong with the user's files.
pub fn load(spec: &TaskSpec, streams: &Streams) -> Result<Task, TaskError> {
    let (_, loader) =
        TASKS.iter().find(|(kind, _)| *kind == spec.kind).expect("every kind is in the registry: tests load them all");
    let mut task = loader(spec, streams)?;
    splits::limit_training(&mut task, spec.train_size, streams);
    Ok(task)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn training_size_is_applied() {
        let spec = TaskSpec { train_size: 100, ..TaskSpec::default() };
        let task = load(&spec, &Streams::new(0)).unwrap();
        assert_eq!((task.train.len(), task.test.len()), (100, 359));
    }
}
