//! What data.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::shapes::Shapes;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaskKind {
    /// 1,797 handwritten digits of 8x8 pixels (built in).
    #[default]
    Digits,
    Spirals,
    Moons,
    Circles,
    Xor,
    Gaussians,
    /// Regression onto a random teacher network.
    TeacherStudent,
    /// Regression onto a sine of one variable.
    Sine,
    /// `a + b mod p`, the answer is the only graded token.
    ModularAddition,
    /// A random prefix, then the same prefix again.
    Copy,
    /// A small probabilistic grammar over its own vocabulary.
    Grammar,
    /// Landscope's own Rust source as bytes.
    SourceBytes,
    /// Landscope's own Rust source as characters.
    SourceCharacters,
    /// A folder with MNIST's or Fashion-MNIST's four IDX files, plain or .gz.
    Idx,
    /// A folder with CIFAR-10's binary batches.
    Cifar10,
    /// A folder of class folders of PNG pictures.
    ImageFolder,
    /// A CSV file whose last column is the label.
    Csv,
    /// Any UTF-8 text, as characters.
    Text,
    /// A safetensors file with `x` and `y` (and optionally `x_test`, `y_test`).
    Safetensors,
    /// A NumPy archive with `x` and `y` (and optionally `x_test`, `y_test`).
    Npz,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TaskSpec {
    pub kind: TaskKind,
    /// File or folder for the tasks that read the user's data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// Training examples used; 0 means all there are.
    pub train_size: usize,
    /// Probability that a training label is replaced by one drawn uniformly from all classes, in [0, 1];
    /// for regression, the standard deviation of noise added to the targets, in units of theirs.
    pub label_noise: f64,
    /// Tokens in a sequence (sequence tasks).
    pub context: usize,
    /// Test examples in a file of their own (safetensors).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_path: Option<PathBuf>,
    /// What examples look like (safetensors); none takes what the tensors suggest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shapes: Option<Shapes>,
}

impl Default for TaskSpec {
    fn default() -> Self {
        Self {
            kind: TaskKind::Digits,
            path: None,
            train_size: 0,
            label_noise: 0.0,
            context: 32,
            test_path: None,
            shapes: None,
        }
    }
}

impl TaskKind {
    /// Sequences of tokens, for a GPT.
    pub fn is_sequence(self) -> bool {
        matches!(
            self,
            Self::ModularAddition
                | Self::Copy
                | Self::Grammar
                | Self::SourceBytes
                | Self::SourceCharacters
                | Self::Text
        )
    }

    /// Whether examples are sequences shows when the file is read.
    pub fn may_be_sequence(self) -> bool {
        self == Self::Safetensors
    }

    /// Targets are numbers, not classes. (A `.npz` with float targets is found out when it is read.)
    pub fn is_regression(self) -> bool {
        matches!(self, Self::TeacherStudent | Self::Sine)
    }

    /// Reads the user's files.
    pub fn needs_path(self) -> bool {
        use TaskKind::{Cifar10, Csv, Idx, ImageFolder, Npz, Safetensors, Text};
        matches!(self, Idx | Cifar10 | ImageFolder | Csv | Text | Safetensors | Npz)
    }
}
