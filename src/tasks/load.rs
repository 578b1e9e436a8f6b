//! The registry of tasks.

use super::data::Task;
use super::error::TaskError;
use super::spec::{TaskKind, TaskSpec};
use super::{digits, files, plane, regression, sequence, splits};
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
    (TaskKind::Idx, files::idx::load),
    (TaskKind::Cifar10, files::cifar10::load),
    (TaskKind::ImageFolder, files::image_folder::load),
    (TaskKind::Csv, files::table::load),
    (TaskKind::Text, sequence::text::load),
    (TaskKind::Safetensors, files::tensors::load),
    (TaskKind::Npz, files::npz::load),
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

/// The examples of a training that somebody else does ([`TaskKind::Safetensors`]): all of `x` is trained on, and where there are
/// no test examples the test split is empty.
///
/// # Errors
/// [`TaskError`], for anything wrong with the user's files.
pub fn load_undivided(spec: &TaskSpec) -> Result<Task, TaskError> {
    files::tensors::load_undivided(spec)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tasks::data::{Inputs, Split, Targets, UNGRADED};

    #[test]
    fn the_registry_lists_every_kind_in_the_order_of_the_enum() {
        for (at, (kind, _)) in TASKS.iter().enumerate() {
            assert_eq!(*kind as usize, at, "{kind:?}");
        }
        assert_eq!(TASKS.len(), TaskKind::Npz as usize + 1, "a new kind goes before `Npz` or into this test");
    }

    #[test]
    fn built_in_tasks_are_consistent_and_equal_seeds_give_equal_data() {
        for (kind, _) in TASKS.iter().filter(|(kind, _)| !kind.needs_path()) {
            let spec = TaskSpec { kind: *kind, ..TaskSpec::default() };
            let task = load(&spec, &Streams::new(1)).unwrap();
            assert_eq!(task, load(&spec, &Streams::new(1)).unwrap(), "{kind:?}");
            for split in [&task.train, &task.test] {
                assert!(!split.is_empty(), "{kind:?}");
                check(split, *kind);
            }
            assert!(task.class_names.is_empty() || task.class_names.len() == task.train.targets.outputs(), "{kind:?}");
            assert!(!task.title.is_empty() && !task.source.is_empty(), "{kind:?}");
        }
    }

    fn check(split: &Split, kind: TaskKind) {
        assert_eq!(matches!(split.inputs, Inputs::Tokens { .. }), kind.is_sequence(), "{kind:?}");
        match &split.inputs {
            Inputs::Features { values, shape } => {
                assert_eq!(values.len(), split.len() * shape.iter().product::<usize>(), "{kind:?}");
                assert!(values.iter().all(|v| v.is_finite() && v.abs() < 20.0), "{kind:?}");
            }
            Inputs::Tokens { ids, vocabulary, .. } => {
                assert!(ids.iter().all(|&id| (id as usize) < *vocabulary), "{kind:?}");
            }
        }
        match &split.targets {
            Targets::Classes { labels, classes } => {
                assert_eq!(labels.len(), split.len(), "{kind:?}");
                assert!(labels.iter().all(|&label| (label as usize) < *classes), "{kind:?}");
            }
            Targets::NextTokens { ids, length, vocabulary } => {
                assert_eq!(ids.len(), split.len() * length, "{kind:?}");
                assert!(ids.iter().all(|&id| id == UNGRADED || (id as usize) < *vocabulary), "{kind:?}");
                assert!(ids.chunks_exact(*length).all(|row| row.iter().any(|&id| id != UNGRADED)), "{kind:?}");
            }
            Targets::Values { values, outputs } => assert_eq!(values.len(), split.len() * outputs, "{kind:?}"),
        }
    }

    #[test]
    fn training_size_is_exact_and_leaves_the_test_split_alone() {
        for (kind, _) in TASKS.iter().filter(|(kind, _)| !kind.needs_path()) {
            let sized = |train_size| {
                load(&TaskSpec { kind: *kind, train_size, ..TaskSpec::default() }, &Streams::new(0)).unwrap()
            };
            assert_eq!(sized(100).train.len(), 100, "{kind:?}");
            assert_eq!(sized(100).test, sized(0).test, "{kind:?}");
        }
    }

    #[test]
    fn tasks_for_files_ask_for_a_path() {
        for (kind, _) in TASKS.iter().filter(|(kind, _)| kind.needs_path()) {
            for path in [None, Some("".into())] {
                let error = load(&TaskSpec { kind: *kind, path, ..TaskSpec::default() }, &Streams::new(0)).unwrap_err();
                assert!(matches!(error, TaskError::NoPath { .. }), "{kind:?}: {error}");
            }
        }
    }
}
