//! MNIST's format: four IDX files in a folder.

use std::path::{Path, PathBuf};

use super::{classes_of, name, reading};
use crate::base::rng::Streams;
use crate::tasks::data::{Inputs, Split, Targets, Task};
use crate::tasks::error::TaskError;
use crate::tasks::spec::TaskSpec;
use crate::tasks::{budget, standardise};

/// Unsigned bytes (0x08) in three dimensions.
const IMAGES: u32 = 0x0000_0803;
/// Unsigned bytes in one dimension.
const LABELS: u32 = 0x0000_0801;

/// `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte`, `t10k-labels-idx1-ubyte`, each plain or
/// with `.gz`, with a dash or a dot before `idx`: MNIST, Fashion-MNIST and whatever has their form. Pictures `[H, W, 1]` are
/// standardised by the mean and deviation of all training pixels; the split is the files'.
///
/// # Errors
/// [`TaskError`], for missing, damaged or mismatched files.
pub fn load(spec: &TaskSpec, _streams: &Streams) -> Result<Task, TaskError> {
    let folder = reading::folder(spec, "the four IDX files of MNIST or Fashion-MNIST")?;
    let mut train = part(folder, "train")?;
    let mut test = part(folder, "t10k")?;
    let (Inputs::Features { shape, .. }, Inputs::Features { shape: test_shape, .. }) = (&train.inputs, &test.inputs)
    else {
        unreachable!("pictures are features")
    };
    if shape != test_shape {
        return Err(TaskError::WrongShape {
            path: find(folder, "t10k", "images", 3)?,
            found: format!("{}x{}", test_shape[0], test_shape[1]),
            expected: format!("{}x{} as in the training pictures", shape[0], shape[1]),
        });
    }
    let classes = number_classes(folder, &mut train, &mut test)?;
    standardise::inputs(&mut train, &mut test, 1);
    Ok(Task {
        title: name(folder),
        train,
        test,
        class_names: (0..classes).map(|class| class.to_string()).collect(),
        source: format!("Your IDX files in {folder:?}"),
    })
}

/// Sets the number of classes of both splits: that of the training labels, which the test labels must not exceed.
fn number_classes(folder: &Path, train: &mut Split, test: &mut Split) -> Result<usize, TaskError> {
    let (Targets::Classes { labels, classes }, Targets::Classes { labels: test_labels, classes: test_classes }) =
        (&mut train.targets, &mut test.targets)
    else {
        unreachable!("labels are classes")
    };
    *classes = classes_of(labels, &find(folder, "train", "labels", 1)?)?;
    *test_classes = *classes;
    match test_labels.iter().position(|&label| label as usize >= *classes) {
        None => Ok(*classes),
        Some(at) => Err(TaskError::BadLabel {
            path: find(folder, "t10k", "labels", 1)?,
            place: format!("example {at}"),
            label: test_labels[at].to_string(),
            max: *classes - 1,
        }),
    }
}

fn find(folder: &Path, part: &str, what: &str, dimensions: usize) -> Result<PathBuf, TaskError> {
    let plain = ["-", "."].map(|dot| format!("{part}-{what}{dot}idx{dimensions}-ubyte"));
    let names: Vec<String> = plain.iter().flat_map(|name| [name.clone(), format!("{name}.gz")]).collect();
    reading::first_of(folder, &names)
}

/// Pictures and labels of one part; the number of classes is left at 0.
fn part(folder: &Path, part: &str) -> Result<Split, TaskError> {
    let images_path = find(folder, part, "images", 3)?;
    let labels_path = find(folder, part, "labels", 1)?;
    let (sizes, pixels) = read(&images_path, IMAGES)?;
    let (_, labels) = read(&labels_path, LABELS)?;
    let [examples, height, width] = sizes[..] else { unreachable!("three sizes were read") };
    if height == 0 || width == 0 {
        return Err(TaskError::WrongShape {
            path: images_path,
            found: format!("{height}x{width}"),
            expected: "at least 1x1 pixels".into(),
        });
    }
    if labels.len() != examples {
        return Err(TaskError::CountMismatch { path: labels_path, found: labels.len(), of: images_path, examples });
    }
    if examples == 0 {
        return Err(TaskError::TooFewExamples { path: images_path, found: 0, minimum: 1 });
    }
    Ok(Split {
        inputs: Inputs::Features { values: pixels.into_iter().map(f32::from).collect(), shape: vec![height, width, 1] },
        targets: Targets::Classes { labels: labels.into_iter().map(u32::from).collect(), classes: 0 },
    })
}

/// Sizes and bytes of one file: a big-endian magic number whose last byte counts the dimensions, their sizes, the bytes.
fn read(path: &Path, magic: u32) -> Result<(Vec<usize>, Vec<u8>), TaskError> {
    let dimensions = (magic & 0xff) as usize;
    let mut reader = reading::open(path, "an IDX file")?;
    let header = reading::up_to(&mut reader, 4 + 4 * dimensions as u64, path)?;
    let words: Vec<u32> =
        header.chunks_exact(4).map(|word| word.iter().fold(0, |sum, &byte| sum << 8 | u32::from(byte))).collect();
    if words.first().is_some_and(|&found| found != magic) {
        return Err(TaskError::WrongMagic {
            path: path.into(),
            found: format!("0x{:08x}", words[0]),
            expected: format!("0x{magic:08x} (IDX of {} bytes)", if magic == IMAGES { "picture" } else { "label" }),
        });
    }
    if words.len() < 1 + dimensions {
        return Err(TaskError::WrongSize {
            path: path.into(),
            found: header.len() as u64,
            expected: format!("at least {}", 4 + 4 * dimensions),
            why: "the header".into(),
        });
    }
    let sizes: Vec<usize> = words[1..].iter().map(|&size| size as usize).collect();
    let stated = sizes.iter().map(ToString::to_string).collect::<Vec<_>>().join("x");
    let in_memory: Vec<usize> = sizes.iter().copied().chain([size_of::<f32>()]).collect();
    budget::check(|| format!("{path:?}, which claims {stated} bytes,"), &in_memory, "check the file for damage")?;
    let expected = sizes.iter().product::<usize>() as u64;
    let content = reading::up_to(&mut reader, expected + 1, path)?;
    if content.len() as u64 != expected {
        return Err(TaskError::WrongSize {
            path: path.into(),
            found: content.len() as u64,
            expected: if content.len() as u64 > expected { format!("only {expected}") } else { expected.to_string() },
            why: format!("its header says {stated}"),
        });
    }
    Ok((sizes, content))
}
