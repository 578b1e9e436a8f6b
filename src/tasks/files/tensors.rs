//! Safetensors files.

use std::path::Path;

use super::{divided, name, reading};
use crate::base::rng::Streams;
use crate::tasks::data::{Split, Task};
use crate::tasks::error::TaskError;
use crate::tasks::examples::File;
use crate::tasks::spec::TaskSpec;

const EXPECTED: &str = "a safetensors file with the tensors x and y";

/// A file with the tensors `x` and `y` ([`File::examples`]), taken as they are. Test examples come from `x` and `y` of
/// `spec.test_path`, or else from `x_test` and `y_test`, or else a fifth (of each class) is for testing. Shapes are those
/// of the spec, or what the tensors suggest.
///
/// # Errors
/// [`TaskError`], for damaged files, missing tensors and tensors that don't fit.
pub fn load(spec: &TaskSpec, _streams: &Streams) -> Result<Task, TaskError> {
    read(spec, divided)
}

/// As [`load`], but where the file has no test examples, there are none: somebody else has trained on all of the others.
///
/// # Errors
/// As [`load`].
pub fn load_undivided(spec: &TaskSpec) -> Result<Task, TaskError> {
    read(spec, |all, _| Ok((all.clone(), all.first(0))))
}

fn read(
    spec: &TaskSpec,
    divide: impl FnOnce(&Split, &Path) -> Result<(Split, Split), TaskError>,
) -> Result<Task, TaskError> {
    let path = reading::file(spec, EXPECTED)?;
    let bytes = reading::bytes(path, EXPECTED)?;
    let file = File::new(&bytes, path)?;
    let shapes = match &spec.shapes {
        Some(shapes) => shapes.clone(),
        None => file.shapes("x", "y")?,
    };
    let all = file.examples("x", "y", &shapes)?.split;
    let (train, test) = if let Some(test_path) = &spec.test_path {
        let test_path = reading::file_at(test_path, EXPECTED)?;
        let bytes = reading::bytes(test_path, EXPECTED)?;
        (all, File::new(&bytes, test_path)?.examples("x", "y", &shapes)?.split)
    } else if file.has("x_test") || file.has("y_test") {
        (all, file.examples("x_test", "y_test", &shapes)?.split)
    } else {
        divide(&all, path)?
    };
    let class_names = (0..train.targets.classes()).map(|class| class.to_string()).collect();
    Ok(Task { title: name(path), train, test, class_names, source: format!("Your tensors {path:?}") })
}
