//! Landscope's own source as a text that is always there.

use std::path::Path;

use super::{check_context, text};
use crate::base::rng::Streams;
use crate::tasks::data::Task;
use crate::tasks::error::TaskError;
use crate::tasks::spec::TaskSpec;

/// The files in the order in which they are joined.
const FILES: &[&str] = &[
    include_str!("../../base/mod.rs"),
    include_str!("../../base/rng.rs"),
    include_str!("../../base/statistics.rs"),
    include_str!("../../linalg/lanczos.rs"),
    include_str!("../../linalg/mod.rs"),
    include_str!("../../linalg/operator.rs"),
    include_str!("../../linalg/vectors.rs"),
    include_str!("../../record/cursor.rs"),
    include_str!("../../record/mod.rs"),
    include_str!("../../record/names.rs"),
    include_str!("../../record/reading.rs"),
    include_str!("../../record/recording.rs"),
    include_str!("../../record/series/mod.rs"),
    include_str!("../../record/series/scalar.rs"),
    include_str!("../../record/series/vector.rs"),
    include_str!("../../optim/composed.rs"),
    include_str!("../../optim/fused.rs"),
    include_str!("../../optim/mod.rs"),
    include_str!("../../optim/optimizer.rs"),
    include_str!("../../optim/rule.rs"),
    include_str!("../../optim/schedule.rs"),
    include_str!("../../optim/spec.rs"),
    include_str!("../../optim/state.rs"),
    include_str!("../batches.rs"),
    include_str!("../budget.rs"),
    include_str!("../data.rs"),
    include_str!("../digits.rs"),
    include_str!("../error.rs"),
    include_str!("../files/cifar10.rs"),
    include_str!("../files/idx.rs"),
    include_str!("../files/image_folder.rs"),
    include_str!("../files/mod.rs"),
    include_str!("../files/npy.rs"),
    include_str!("../files/npz.rs"),
    include_str!("../files/reading.rs"),
    include_str!("../files/table.rs"),
    include_str!("../load.rs"),
    include_str!("../mod.rs"),
    include_str!("../noise.rs"),
    include_str!("../plane/circles.rs"),
    include_str!("../plane/gaussians.rs"),
    include_str!("../plane/mod.rs"),
    include_str!("../plane/moons.rs"),
    include_str!("../plane/spirals.rs"),
    include_str!("../plane/xor.rs"),
    include_str!("../regression/mod.rs"),
    include_str!("../regression/sine.rs"),
    include_str!("../regression/teacher_student.rs"),
    include_str!("copy.rs"),
    include_str!("grammar.rs"),
    include_str!("mod.rs"),
    include_str!("modular_addition.rs"),
    include_str!("source_text.rs"),
    include_str!("text.rs"),
    include_str!("../spec.rs"),
    include_str!("../splits.rs"),
    include_str!("../standardise.rs"),
];

fn joined() -> String {
    FILES.concat().replace("\r\n", "\n")
}

/// The source as its characters.
///
/// # Errors
/// [`TaskError::BadContext`].
pub fn load_characters(spec: &TaskSpec, _streams: &Streams) -> Result<Task, TaskError> {
    let context = check_context(spec.context)?;
    text::characters(
        &joined(),
        context,
        "Landscope's source, characters".into(),
        ORIGIN,
        Path::new("Landscope's source"),
    )
}

/// The source as bytes, with a vocabulary of all 256.
///
/// # Errors
/// [`TaskError::BadContext`].
pub fn load_bytes(spec: &TaskSpec, _streams: &Streams) -> Result<Task, TaskError> {
    let context = check_context(spec.context)?;
    let ids: Vec<u32> = joined().bytes().map(u32::from).collect();
    let names = (0..=u8::MAX).map(|byte| byte.escape_ascii().to_string()).collect();
    text::windows(&ids, names, context, "Landscope's source, bytes".into(), ORIGIN, Path::new("Landscope's source"))
}

const ORIGIN: &str = "Landscope's own Rust source as of this version (MIT or Apache-2.0)";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_context_finds_enough_text() {
        for context in [4, 32, 512] {
            let spec = TaskSpec { context, ..TaskSpec::default() };
            for load in [load_bytes, load_characters] {
                let task = load(&spec, &Streams::new(0)).unwrap();
                assert!(task.train.len() >= 100 && task.test.len() >= 10, "{context}: {}", task.test.len());
                assert_eq!(task.train.targets.outputs(), task.class_names.len());
            }
        }
        let names = load_bytes(&TaskSpec::default(), &Streams::new(0)).unwrap().class_names;
        assert_eq!((names.len(), names[10].as_str(), names[97].as_str()), (256, "\\n", "a"));
    }
}
