//! CIFAR-10's binary version.

use std::path::Path;

use super::reading;
use crate::base::rng::Streams;
use crate::tasks::data::{Inputs, Split, Targets, Task};
use crate::tasks::error::TaskError;
use crate::tasks::spec::TaskSpec;
use crate::tasks::standardise;

const SIDE: usize = 32;
const PLANE: usize = SIDE * SIDE;
const CHANNELS: usize = 3;
const RECORD: usize = 1 + CHANNELS * PLANE;
const NAMES: [&str; 10] = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];
const SUBFOLDER: &str = "cifar-10-batches-bin";

/// `data_batch_1.bin` to `data_batch_5.bin` and `test_batch.bin`, in the folder or in its `cifar-10-batches-bin`: records of a
/// label and 32x32 pixels, first all red, then green, then blue. Pictures become `[32, 32, 3]`, standardised per colour
/// by the training pixels; the split is the files'.
///
/// A. Krizhevsky (2009), Learning multiple layers of features from tiny images.
///
/// # Errors
/// [`TaskError`], for missing or damaged files.
pub fn load(spec: &TaskSpec, _streams: &Streams) -> Result<Task, TaskError> {
    let folder = reading::folder(spec, "the binary version of CIFAR-10")?;
    let inner = folder.join(SUBFOLDER);
    let folder = if inner.is_dir() { inner.as_path() } else { folder };
    let (mut values, mut labels) = (Vec::new(), Vec::new());
    for batch in 1..=5 {
        read(folder, &format!("data_batch_{batch}.bin"), &mut values, &mut labels)?;
    }
    let mut train = split(values, labels);
    let (mut values, mut labels) = (Vec::new(), Vec::new());
    read(folder, "test_batch.bin", &mut values, &mut labels)?;
    let mut test = split(values, labels);
    standardise::inputs(&mut train, &mut test, CHANNELS);
    Ok(Task {
        title: "CIFAR-10".into(),
        train,
        test,
        class_names: NAMES.map(String::from).to_vec(),
        source: format!("Your CIFAR-10 files in {folder:?} (A. Krizhevsky 2009)"),
    })
}

fn split(values: Vec<f32>, labels: Vec<u32>) -> Split {
    Split {
        inputs: Inputs::Features { values, shape: vec![SIDE, SIDE, CHANNELS] },
        targets: Targets::Classes { labels, classes: NAMES.len() },
    }
}

fn read(folder: &Path, file: &str, values: &mut Vec<f32>, labels: &mut Vec<u32>) -> Result<(), TaskError> {
    let path = reading::first_of(folder, &[file.to_owned()])?;
    let content = reading::bytes(&path, "CIFAR-10's records of 3,073 bytes")?;
    if content.len() % RECORD != 0 {
        return Err(TaskError::WrongSize {
            path,
            found: content.len() as u64,
            expected: format!("a multiple of {RECORD}"),
            why: "a record is a label and 32x32 pixels of three colours".into(),
        });
    }
    for (at, record) in content.chunks_exact(RECORD).enumerate() {
        let label = record[0];
        if usize::from(label) >= NAMES.len() {
            return Err(TaskError::BadLabel {
                path,
                place: format!("record {at}"),
                label: label.to_string(),
                max: NAMES.len() - 1,
            });
        }
        labels.push(u32::from(label));
        let planes = &record[1..];
        values.extend((0..PLANE * CHANNELS).map(|i| f32::from(planes[(i % CHANNELS) * PLANE + i / CHANNELS])));
    }
    Ok(())
}
