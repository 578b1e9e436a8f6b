//! NumPy archives.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use zip::ZipArchive;

use super::npy::{self, Array, Numbers};
use super::{classes_of, divided, name, reading};
use crate::base::rng::Streams;
use crate::tasks::data::{Inputs, Split, Targets, Task};
use crate::tasks::error::TaskError;
use crate::tasks::spec::TaskSpec;
use crate::tasks::standardise;

/// An archive (`numpy.savez`, compressed or not) with `x` and `y`, and `x_test` and `y_test` if the data come divided;
/// otherwise a fifth (of each class) is for testing.
///
/// `x` of any real type: `[N, D]` features, standardised each by itself; `[N, H, W]` or `[N, H, W, C]` with at most four
/// channels pictures, standardised per channel; `[N]` one feature. Integer or boolean `y` `[N]`: classes 0, 1, 2, ...
/// Float `y` `[N]` or `[N, outputs]`: regression, each output standardised by the training examples (a loss of 1 is
/// that of the constant mean).
///
/// # Errors
/// [`TaskError`], for damaged archives, missing arrays and arrays that don't fit together.
pub fn load(spec: &TaskSpec, _streams: &Streams) -> Result<Task, TaskError> {
    let path = reading::file(spec, "a .npz file")?;
    let mut archive = Archive::open(path)?;
    let all = archive.split("x", "y")?;
    let names = archive.names();
    let (mut train, mut test) = match ["x_test", "y_test"].map(|name| names.iter().any(|n| n == name)) {
        [false, false] => {
            let all = all.with_classes(None, path)?;
            divided(&all, path)?
        }
        _ => {
            let test = archive.split("x_test", "y_test")?;
            all.check_alike(&test, path)?;
            let train = all.with_classes(None, path)?;
            let classes = train.targets.classes();
            (train, test.with_classes(Some(classes), path)?)
        }
    };
    let Inputs::Features { shape, .. } = &train.inputs else { unreachable!("arrays are features") };
    let channels = shape[shape.len() - 1];
    standardise::inputs(&mut train, &mut test, channels);
    if let (Targets::Values { values, outputs }, Targets::Values { values: test, .. }) =
        (&mut train.targets, &mut test.targets)
    {
        standardise::standardise(values, test, *outputs);
    }
    let class_names = (0..train.targets.classes()).map(|class| class.to_string()).collect();
    Ok(Task { title: name(path), train, test, class_names, source: format!("Your archive {path:?}") })
}

/// Features and targets before the number of classes is known.
struct Pair {
    values: Vec<f32>,
    shape: Vec<usize>,
    targets: Numbers,
    /// Outputs of a regression.
    outputs: usize,
}

impl Pair {
    fn check_alike(&self, test: &Self, path: &Path) -> Result<(), TaskError> {
        let wrong = |name: &str, found: String, expected: String| {
            Err(TaskError::WrongShape { path: path.into(), found: format!("{found} in {name:?}"), expected })
        };
        if self.shape != test.shape {
            return wrong("x_test", format!("[N, {:?}]", test.shape), format!("[N, {:?}] as in \"x\"", self.shape));
        }
        match (&self.targets, &test.targets) {
            (Numbers::Whole(_), Numbers::Whole(_)) => Ok(()),
            (Numbers::Real(_), Numbers::Real(_)) if self.outputs == test.outputs => Ok(()),
            (Numbers::Real(_), Numbers::Real(_)) => {
                wrong("y_test", format!("[N, {}]", test.outputs), format!("[N, {}] as in \"y\"", self.outputs))
            }
            _ => Err(TaskError::WrongType {
                path: path.into(),
                name: "y_test".into(),
                found: "of another sort than that of \"y\"".into(),
                expected: "give both as integers (classes) or both as floats (regression)",
            }),
        }
    }

    /// Labels checked against `classes`, or counted where that is `None`.
    fn with_classes(self, classes: Option<usize>, path: &Path) -> Result<Split, TaskError> {
        let inputs = Inputs::Features { values: self.values, shape: self.shape };
        let whole = match self.targets {
            Numbers::Real(values) => {
                let values = values.into_iter().map(|v| v as f32).collect();
                return Ok(Split { inputs, targets: Targets::Values { values, outputs: self.outputs } });
            }
            Numbers::Whole(whole) => whole,
        };
        let limit = classes.map_or(i64::from(u16::MAX), |classes| classes as i64 - 1);
        if let Some(at) = whole.iter().position(|label| !(0..=limit).contains(label)) {
            return Err(TaskError::BadLabel {
                path: path.into(),
                place: format!("example {at}"),
                label: whole[at].to_string(),
                max: limit as usize,
            });
        }
        let labels: Vec<u32> = whole.into_iter().map(|label| label as u32).collect();
        let classes = classes.map_or_else(|| classes_of(&labels, path), Ok)?;
        Ok(Split { inputs, targets: Targets::Classes { labels, classes } })
    }
}

struct Archive<'a> {
    path: &'a Path,
    zip: ZipArchive<BufReader<File>>,
}

impl<'a> Archive<'a> {
    fn open(path: &'a Path) -> Result<Self, TaskError> {
        let unreadable = |source| TaskError::Unreadable { path: path.into(), source };
        let file = File::open(path).map_err(unreadable)?;
        if file.metadata().map_err(unreadable)?.len() == 0 {
            return Err(TaskError::Empty { path: path.into(), expected: "a .npz archive" });
        }
        let zip = ZipArchive::new(BufReader::new(file))
            .map_err(|error| TaskError::BadArchive { path: path.into(), message: reading::one_line(error) })?;
        Ok(Self { path, zip })
    }

    /// Names of the arrays, without `.npy`.
    fn names(&self) -> Vec<String> {
        self.zip.file_names().flatten().map(|name| reading::one_line(name.trim_end_matches(".npy"))).collect()
    }

    fn split(&mut self, x: &str, y: &str) -> Result<Pair, TaskError> {
        let inputs = self.array(x)?;
        let targets = self.array(y)?;
        let path = self.path;
        let wrong = |name: &str, shape: &[usize], expected: &str| {
            Err(TaskError::WrongShape {
                path: path.into(),
                found: format!("{shape:?} in {name:?}"),
                expected: expected.into(),
            })
        };
        let shape = match inputs.shape[..] {
            [_] => vec![1],
            [_, d] => vec![d],
            [_, h, w] => vec![h, w, 1],
            [_, h, w, c] if c <= 4 => vec![h, w, c],
            _ => {
                return wrong(
                    x,
                    &inputs.shape,
                    "[N, D] features, [N, H, W] or [N, H, W, C] pictures with up to 4 channels",
                );
            }
        };
        if inputs.shape.contains(&0) {
            return wrong(x, &inputs.shape, "at least one example and one feature");
        }
        let n = inputs.shape[0];
        let (outputs, wanted) = match (&targets.shape[..], &targets.numbers) {
            ([m], _) | ([m, 1], _) => (1, *m),
            ([m, outputs], Numbers::Real(_)) if *outputs > 0 => (*outputs, *m),
            _ => return wrong(y, &targets.shape, "[N] labels (integers) or [N, outputs] numbers (floats)"),
        };
        if wanted != n {
            return Err(TaskError::CountMismatch {
                path: path.into(),
                found: wanted,
                of: Path::new(x).into(),
                examples: n,
            });
        }
        targets.numbers.finite(y, path)?;
        Ok(Pair { values: inputs.numbers.finite(x, path)?, shape, outputs, targets: targets.numbers })
    }

    fn array(&mut self, name: &str) -> Result<Array, TaskError> {
        let path = self.path;
        let entry_name =
            [format!("{name}.npy"), name.to_owned()].into_iter().find(|n| self.zip.index_for_name(n).is_some());
        let Some(entry_name) = entry_name else {
            let found = self.names();
            let found = if found.is_empty() { "none".to_owned() } else { found.join(", ") };
            return Err(TaskError::MissingArray { path: path.into(), name: name.to_owned(), found });
        };
        let entry = self.zip.by_name(&entry_name).map_err(|error| TaskError::BadArchive {
            path: path.into(),
            message: format!("array {name:?}: {}", reading::one_line(error)),
        })?;
        let stored = entry.size();
        npy::read(BufReader::new(entry), stored, name, path)
    }
}
