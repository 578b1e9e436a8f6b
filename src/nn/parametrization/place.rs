//! Where a tensor stands in the network, as far as scaling cares.

use crate::nn::params::{Layout, Role};

/// A row of the table of exponents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Row {
    /// From the inputs' fixed size to the width.
    Input,
    /// From width to width.
    Hidden,
    /// From the width to the outputs' fixed size.
    Output,
    Embedding,
    Position,
    /// Of units: as many as the width.
    Bias,
    Gain,
    /// Of outputs: as many as there are outputs, at any width.
    OutputBias,
}

impl Row {
    pub const ALL: [Self; 8] = [
        Self::Input,
        Self::Hidden,
        Self::Output,
        Self::Embedding,
        Self::Position,
        Self::Bias,
        Self::Gain,
        Self::OutputBias,
    ];
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub row: Row,
    /// Within a residual branch: its effect passes the branch's factor.
    pub in_branch: bool,
}

/// The place of tensor `index`. A bias that follows an output matrix is the outputs'; tensors of `block ...` are those
/// of residual branches.
pub fn place(layout: &Layout, index: usize) -> Place {
    let infos = layout.infos();
    let info = &infos[index];
    let row = match info.role {
        Role::Input => Row::Input,
        Role::Hidden => Row::Hidden,
        Role::Output => Row::Output,
        Role::Embedding => Row::Embedding,
        Role::Position => Row::Position,
        Role::Gain => Row::Gain,
        Role::Bias if index > 0 && infos[index - 1].role == Role::Output => Row::OutputBias,
        Role::Bias => Row::Bias,
    };
    Place { row, in_branch: info.name.starts_with("block ") }
}

#[cfg(test)]
mod tests {
    use crate::nn::build::build;
    use crate::nn::spec::{ModelKind, ModelSpec};
    use crate::tasks::data::{Inputs, Split, Targets};

    use super::*;

    fn split(kind: ModelKind) -> Split {
        if kind == ModelKind::Gpt {
            return Split {
                inputs: Inputs::Tokens { ids: vec![0, 1, 2], length: 3, vocabulary: 7 },
                targets: Targets::NextTokens { ids: vec![1, 2, 3], length: 3, vocabulary: 7 },
            };
        }
        Split {
            inputs: Inputs::Features { values: vec![0.1, 0.2], shape: vec![2] },
            targets: Targets::Values { values: vec![1.0], outputs: 1 },
        }
    }

    /// Shapes at two widths tell what scales: exactly the axes that a row says.
    #[test]
    fn rows_are_what_the_shapes_do_when_the_width_doubles() {
        let kinds = [ModelKind::Mlp, ModelKind::ResidualMlp, ModelKind::VisionTransformer, ModelKind::Gpt];
        for kind in kinds {
            let at = |width| {
                let spec = ModelSpec { kind, width, depth: 3, n_heads: 2, ..ModelSpec::default() };
                build(&spec, &split(kind)).unwrap().layout().clone()
            };
            let (narrow, wide) = (at(8), at(16));
            for (i, (a, b)) in narrow.infos().iter().zip(wide.infos()).enumerate() {
                let scales: Vec<bool> = a.shape.iter().zip(&b.shape).map(|(a, b)| a != b).collect();
                let expected: &[bool] = match place(&narrow, i).row {
                    Row::Hidden => &[true, true],
                    Row::Output => &[true, false],
                    Row::Input | Row::Embedding | Row::Position => &[false, true],
                    Row::Bias | Row::Gain => &[true],
                    Row::OutputBias => &[false],
                };
                assert_eq!(scales, expected, "{kind:?} {}", a.name);
            }
        }
    }

    #[test]
    fn branches_are_the_blocks_of_residual_networks() {
        let in_branches = |kind| {
            let spec = ModelSpec { kind, width: 8, depth: 2, n_heads: 2, ..ModelSpec::default() };
            let model = build(&spec, &split(kind)).unwrap();
            let layout = model.layout();
            let names = layout.infos().iter().enumerate().filter(|(i, _)| place(layout, *i).in_branch);
            names.map(|(_, info)| info.name.clone()).collect::<Vec<_>>()
        };
        assert!(in_branches(ModelKind::Mlp).is_empty());
        // Norm, expand and contract of two blocks, each with two tensors; the final norm is outside.
        assert_eq!(in_branches(ModelKind::ResidualMlp).len(), 12);
        // The same for attention.
        assert_eq!(in_branches(ModelKind::Gpt).len(), 24);
    }
}
