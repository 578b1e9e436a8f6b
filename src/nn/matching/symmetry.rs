//! Which axes of which tensors a permutation of units moves.

use crate::nn::params::Layout;
use crate::nn::spec::{ModelKind, ModelSpec, Sharing};

/// A network whose permutations aren't known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("units can't be matched here: {0}; matching knows mlp and residual-mlp networks")]
pub struct UnknownSymmetry(pub String);

/// The permutations that leave a network's function as it is: groups of units, and the axes that carry them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symmetry {
    /// Units of each group.
    sizes: Vec<usize>,
    /// For every tensor of the layout the groups that its rows and its columns follow; a vector has columns only.
    axes: Vec<[Option<usize>; 2]>,
}

/// One permutation a group: unit i of the permuted network is unit `p[i]` of the old one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permutations(pub Vec<Vec<usize>>);

impl Symmetry {
    /// MLPs: one group a hidden layer. Residual MLPs: one group for the stream, which all blocks share, and one for the
    /// hidden units of each block; gains and biases of normalisations follow the stream.
    ///
    /// # Errors
    /// [`UnknownSymmetry`] for other networks and for tensors that these don't have.
    pub fn of(spec: &ModelSpec, layout: &Layout) -> Result<Self, UnknownSymmetry> {
        if spec.sharing != Sharing::Dense {
            // Units of a layer with a mask or ties see other inputs: they can't change places.
            return Err(UnknownSymmetry("its layers have masks or ties".into()));
        }
        match spec.kind {
            ModelKind::Mlp => Self::mlp(layout),
            ModelKind::ResidualMlp => Self::residual(layout),
            ModelKind::ConvNet | ModelKind::ResidualConvNet => Err(UnknownSymmetry("this is a ConvNet".into())),
            ModelKind::VisionTransformer | ModelKind::Gpt => Err(UnknownSymmetry("this is a transformer".into())),
        }
    }

    fn mlp(layout: &Layout) -> Result<Self, UnknownSymmetry> {
        let (mut sizes, mut axes) = (Vec::new(), Vec::new());
        let mut before = None;
        let last = layout.infos().len() / 2;
        for (l, pair) in layout.infos().chunks(2).enumerate() {
            let [weight, bias] = pair else { return Err(stranger(&pair[0].name)) };
            if weight.shape.len() != 2 || bias.shape != [weight.shape[1]] {
                return Err(stranger(&bias.name));
            }
            let after = (l + 1 < last).then(|| {
                sizes.push(weight.shape[1]);
                sizes.len() - 1
            });
            axes.push([before, after]);
            axes.push([None, after]);
            before = after;
        }
        Ok(Self { sizes, axes })
    }

    fn residual(layout: &Layout) -> Result<Self, UnknownSymmetry> {
        let (mut sizes, mut axes) = (Vec::new(), Vec::new());
        for info in layout.infos() {
            let known = match info.name.rsplit_once('.') {
                Some(("embedding", "weight")) => {
                    sizes.push(info.shape[1]);
                    Some([None, Some(0)])
                }
                Some(("output", "weight")) => Some([Some(0), None]),
                Some(("output", "bias")) => Some([None, None]),
                Some((place, part)) => match (place.rsplit('.').next(), part) {
                    (Some("embedding" | "norm"), _) => Some([None, Some(0)]),
                    (Some("expand"), "weight") => {
                        sizes.push(info.shape[1]);
                        Some([Some(0), Some(sizes.len() - 1)])
                    }
                    (Some("expand"), "bias") => Some([None, Some(sizes.len() - 1)]),
                    (Some("contract"), "weight") => Some([Some(sizes.len() - 1), Some(0)]),
                    (Some("contract"), "bias") => Some([None, Some(0)]),
                    _ => None,
                },
                None => None,
            };
            axes.push(known.ok_or_else(|| stranger(&info.name))?);
        }
        let symmetry = Self { sizes, axes };
        let fits = layout.infos().iter().zip(&symmetry.axes).all(|(info, axes)| {
            let shape = if info.shape.len() == 1 { [1, info.shape[0]] } else { [info.shape[0], info.shape[1]] };
            axes.iter().zip(shape).all(|(axis, n)| axis.is_none_or(|group| symmetry.sizes.get(group) == Some(&n)))
        });
        if fits { Ok(symmetry) } else { Err(UnknownSymmetry("its layers don't fit each other".into())) }
    }

    /// Units of each group.
    pub fn sizes(&self) -> &[usize] {
        &self.sizes
    }

    pub(super) fn axes(&self) -> &[[Option<usize>; 2]] {
        &self.axes
    }

    pub fn identity(&self) -> Permutations {
        Permutations(self.sizes.iter().map(|&n| (0..n).collect()).collect())
    }

    /// Flat parameters with their units permuted: the same function.
    pub fn apply(&self, permutations: &Permutations, layout: &Layout, flat: &[f64]) -> Vec<f64> {
        let mut permuted = Vec::with_capacity(flat.len());
        for index in 0..layout.infos().len() {
            permuted.extend(self.tensor(permutations, layout, flat, index));
        }
        permuted
    }

    /// Tensor `index` of permuted parameters.
    pub(super) fn tensor(&self, permutations: &Permutations, layout: &Layout, flat: &[f64], index: usize) -> Vec<f64> {
        let tensor = &flat[layout.range(index)];
        let columns = layout.infos()[index].shape.last().copied().unwrap_or(1);
        let order = |axis: usize, at: usize| match self.axes[index][axis] {
            Some(group) => permutations.0[group][at],
            None => at,
        };
        (0..tensor.len()).map(|k| tensor[order(0, k / columns) * columns + order(1, k % columns)]).collect()
    }
}

fn stranger(name: &str) -> UnknownSymmetry {
    UnknownSymmetry(format!("the tensor {name} is unknown"))
}

impl Permutations {
    /// The permutations that undo these.
    pub fn inverse(&self) -> Self {
        let invert = |p: &Vec<usize>| {
            let mut inverse = vec![0; p.len()];
            p.iter().enumerate().for_each(|(i, &j)| inverse[j] = i);
            inverse
        };
        Self(self.0.iter().map(invert).collect())
    }
}
