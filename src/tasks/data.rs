//! Data as plain numbers.

/// Marks a position of a sequence that isn't graded.
pub const UNGRADED: u32 = u32::MAX;

/// Inputs of `n` examples.
#[derive(Clone, Debug, PartialEq)]
pub enum Inputs {
    /// Row-major `[N, ...shape]`; an image has the shape `[height, width, channels]`, features `[D]`.
    Features { values: Vec<f32>, shape: Vec<usize> },
    /// Row-major `[N, T]` of token ids below `vocabulary`.
    Tokens { ids: Vec<u32>, length: usize, vocabulary: usize },
}

/// What the outputs are compared with.
#[derive(Clone, Debug, PartialEq)]
pub enum Targets {
    /// One class an example, `[N]`, each below `classes`.
    Classes { labels: Vec<u32>, classes: usize },
    /// One token a position, `[N, T]`, each below `vocabulary` or [`UNGRADED`].
    NextTokens { ids: Vec<u32>, length: usize, vocabulary: usize },
    /// Numbers, `[N, outputs]`.
    Values { values: Vec<f32>, outputs: usize },
}

#[derive(Clone, Debug, PartialEq)]
pub struct Split {
    pub inputs: Inputs,
    pub targets: Targets,
}

impl Inputs {
    /// Number of examples.
    pub fn len(&self) -> usize {
        match self {
            Self::Features { values, shape } => values.len() / shape.iter().product::<usize>().max(1),
            Self::Tokens { ids, length, .. } => ids.len() / (*length).max(1),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The examples at `indices`, in that order.
    #[must_use]
    pub fn select(&self, indices: &[usize]) -> Self {
        match self {
            Self::Features { values, shape } => {
                let size = shape.iter().product();
                Self::Features { values: rows(values, size, indices), shape: shape.clone() }
            }
            Self::Tokens { ids, length, vocabulary } => {
                Self::Tokens { ids: rows(ids, *length, indices), length: *length, vocabulary: *vocabulary }
            }
        }
    }
}

impl Targets {
    /// Outputs a network needs for these targets (per position for sequences).
    pub fn outputs(&self) -> usize {
        match self {
            Self::Classes { classes, .. } => *classes,
            Self::NextTokens { vocabulary, .. } => *vocabulary,
            Self::Values { outputs, .. } => *outputs,
        }
    }

    /// Classes to choose from, 0 for regression.
    pub fn classes(&self) -> usize {
        match self {
            Self::Values { .. } => 0,
            other => other.outputs(),
        }
    }

    #[must_use]
    pub fn select(&self, indices: &[usize]) -> Self {
        match self {
            Self::Classes { labels, classes } => Self::Classes { labels: rows(labels, 1, indices), classes: *classes },
            Self::NextTokens { ids, length, vocabulary } => {
                Self::NextTokens { ids: rows(ids, *length, indices), length: *length, vocabulary: *vocabulary }
            }
            Self::Values { values, outputs } => {
                Self::Values { values: rows(values, *outputs, indices), outputs: *outputs }
            }
        }
    }
}

impl Split {
    pub fn len(&self) -> usize {
        self.inputs.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[must_use]
    pub fn select(&self, indices: &[usize]) -> Self {
        Self { inputs: self.inputs.select(indices), targets: self.targets.select(indices) }
    }

    /// The first `n` examples (all if there are fewer).
    #[must_use]
    pub fn first(&self, n: usize) -> Self {
        self.select(&(0..n.min(self.len())).collect::<Vec<_>>())
    }
}

fn rows<T: Copy>(values: &[T], size: usize, indices: &[usize]) -> Vec<T> {
    let mut selected = Vec::with_capacity(size * indices.len());
    for &i in indices {
        selected.extend_from_slice(&values[i * size..(i + 1) * size]);
    }
    selected
}

/// A learning problem: what to train on, what to test on.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    pub title: String,
    /// Without label noise; [`super::noise`] makes the noisy targets.
    pub train: Split,
    pub test: Split,
    /// One name a class (digits, folder names, characters); empty where numbers say enough.
    pub class_names: Vec<String>,
    /// Where the data come from and under what licence.
    pub source: String,
}
