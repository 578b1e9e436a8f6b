//! Parameters by what they do, layer by layer: queries apart from keys and values, weights apart from biases.

use std::ops::Range;

use candle_core::{DType, Result, Storage, Tensor};

use crate::record::{ParamPart, ParamRole};

use super::ops::float::{Float, slice};
use super::params::{Layout, ParamInfo, Role};

/// Some columns of a tensor, or all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Piece {
    tensor: usize,
    columns: Option<Range<usize>>,
    /// Numbers a row.
    width: usize,
    part: usize,
}

/// The parts of a layout, in its order; every parameter lies in exactly one of them.
#[derive(Clone, Debug, Default)]
pub struct RoleParts {
    parts: Vec<ParamPart>,
    pieces: Vec<Piece>,
}

impl RoleParts {
    pub fn of(layout: &Layout) -> Self {
        let mut found = Self::default();
        for (tensor, info) in layout.infos().iter().enumerate() {
            let layer = info.name.split('.').next().unwrap_or_default().to_owned();
            let width = info.shape.last().copied().unwrap_or(1).max(1);
            let blocks = layout.columns(tensor);
            if blocks.is_empty() || info.role == Role::Bias {
                let part = found.part(&layer, role_of(info));
                found.pieces.push(Piece { tensor, columns: None, width, part });
                continue;
            }
            for (name, columns) in blocks {
                let role = match name {
                    "query" => ParamRole::Queries,
                    "key" => ParamRole::Keys,
                    "value" => ParamRole::Values,
                    _ => role_of(info),
                };
                let part = found.part(&layer, role);
                found.pieces.push(Piece { tensor, columns: Some(columns), width, part });
            }
        }
        found
    }

    fn part(&mut self, layer: &str, role: ParamRole) -> usize {
        let known = self.parts.iter().position(|part| part.layer == layer && part.role == role);
        known.unwrap_or_else(|| {
            self.parts.push(ParamPart { layer: layer.to_owned(), role });
            self.parts.len() - 1
        })
    }

    pub fn parts(&self) -> &[ParamPart] {
        &self.parts
    }

    /// Sum of the squares of each part's numbers, in f64; `tensors` have the shapes of the layout.
    ///
    /// # Errors
    /// Whatever candle says of the device.
    pub fn squares(&self, tensors: &[Tensor]) -> Result<Vec<f64>> {
        let mut sums = vec![0.0; self.parts.len()];
        for piece in &self.pieces {
            let tensor = tensors[piece.tensor].contiguous()?;
            if tensor.device().is_cpu() {
                let (storage, layout) = tensor.storage_and_layout();
                if let Storage::Cpu(numbers) = &*storage {
                    sums[piece.part] += match tensor.dtype() {
                        DType::F64 => piece.squares(slice::<f64>(numbers, layout)?),
                        _ => piece.squares(slice::<f32>(numbers, layout)?),
                    };
                    continue;
                }
            }
            sums[piece.part] += piece.squares(&tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?);
        }
        Ok(sums)
    }

    /// `|after - before| / |before|` of each part; 0 where all that was there was zero.
    ///
    /// # Errors
    /// Whatever candle says of shapes and the device.
    pub fn relative_change(&self, before: &[Tensor], after: &[Tensor]) -> Result<Vec<f64>> {
        let changes = before.iter().zip(after).map(|(before, after)| after - before).collect::<Result<Vec<_>>>()?;
        let (changed, whole) = (self.squares(&changes)?, self.squares(before)?);
        let ratio = |(changed, whole): (f64, f64)| if whole == 0.0 { 0.0 } else { (changed / whole).sqrt() };
        Ok(changed.into_iter().zip(whole).map(ratio).collect())
    }

    /// The matrices of a part, each row-major with its width; of a part without matrices, nothing.
    ///
    /// # Errors
    /// Whatever candle says of the device.
    pub fn matrices(&self, part: usize, tensors: &[Tensor]) -> Result<Vec<(Vec<f32>, usize)>> {
        if !self.parts[part].role.is_matrix() {
            return Ok(Vec::new());
        }
        let pieces = self.pieces.iter().filter(|piece| piece.part == part);
        let matrix = |piece: &Piece| {
            let values = tensors[piece.tensor].to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
            Ok(match &piece.columns {
                None => (values, piece.width),
                Some(columns) => {
                    let rows = values.chunks_exact(piece.width);
                    (rows.flat_map(|row| row[columns.clone()].iter().copied()).collect(), columns.len())
                }
            })
        };
        pieces.map(matrix).collect()
    }
}

impl Piece {
    fn squares<T: Float>(&self, values: &[T]) -> f64 {
        let columns = self.columns.clone().unwrap_or(0..self.width);
        values.chunks_exact(self.width).map(|row| sum_of_squares(&row[columns.clone()])).sum()
    }
}

/// In lanes, so that one sum needn't wait for the other.
fn sum_of_squares<T: Float>(values: &[T]) -> f64 {
    let mut lanes = [0.0; 8];
    for chunk in values.chunks(8) {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane += value.wide() * value.wide();
        }
    }
    lanes.iter().sum()
}

fn role_of(info: &ParamInfo) -> ParamRole {
    let (prefix, _) = info.name.rsplit_once('.').unwrap_or((&info.name, ""));
    match info.role {
        Role::Gain => ParamRole::Norms,
        Role::Bias if prefix.ends_with("norm") => ParamRole::Norms,
        Role::Bias => ParamRole::Biases,
        Role::Embedding | Role::Position => ParamRole::Embedding,
        Role::Input if prefix == "embedding" => ParamRole::Embedding,
        Role::Output => ParamRole::Output,
        Role::Hidden if prefix.ends_with(".project") => ParamRole::Projection,
        Role::Hidden if prefix.ends_with(".expand") => ParamRole::Expand,
        Role::Hidden if prefix.ends_with(".contract") => ParamRole::Contract,
        Role::Input | Role::Hidden => ParamRole::Weights,
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use crate::base::rng::{Streams, normals};
    use crate::nn::build::build;
    use crate::nn::spec::{ModelKind, ModelSpec};
    use crate::tasks::data::{Inputs, Split, Targets};

    use super::*;

    fn pictures() -> Split {
        let values = (0..2 * 4 * 6).map(|i| (i as f32 * 0.37).sin()).collect();
        Split {
            inputs: Inputs::Features { values, shape: vec![4, 6, 1] },
            targets: Targets::Classes { labels: vec![0, 1], classes: 5 },
        }
    }

    fn setting(kind: ModelKind) -> (std::sync::Arc<Layout>, RoleParts) {
        let spec = ModelSpec { kind, width: 8, depth: 2, n_heads: 2, ..ModelSpec::default() };
        let layout = build(&spec, &pictures()).unwrap().layout().clone();
        let parts = RoleParts::of(&layout);
        (layout, parts)
    }

    fn random(layout: &Layout, name: &str) -> (Vec<f64>, Vec<Tensor>) {
        let flat = normals(&mut Streams::new(4).stream(name), layout.total());
        let tensors = layout.unflatten(&flat, DType::F64, &Device::Cpu).unwrap();
        (flat, tensors)
    }

    #[test]
    fn every_parameter_belongs_to_one_part_and_squares_add_up() {
        for kind in [
            ModelKind::Mlp,
            ModelKind::ResidualMlp,
            ModelKind::VisionTransformer,
            ModelKind::ConvNet,
            ModelKind::ResidualConvNet,
        ] {
            let (layout, parts) = setting(kind);
            let (flat, tensors) = random(&layout, "x");
            let squares = parts.squares(&tensors).unwrap();
            let whole: f64 = flat.iter().map(|x| x * x).sum();
            assert!((squares.iter().sum::<f64>() - whole).abs() < 1e-9 * whole, "{kind:?}");
            assert!(squares.iter().all(|s| *s > 0.0), "{kind:?}");
            for (i, part) in parts.parts().iter().enumerate() {
                assert!(!parts.parts()[..i].contains(part), "{part:?}");
            }
        }
    }

    #[test]
    fn a_transformer_has_all_the_roles_and_queries_are_the_first_third_of_the_columns() {
        let (layout, parts) = setting(ModelKind::VisionTransformer);
        let (flat, tensors) = random(&layout, "x");
        let squares = parts.squares(&tensors).unwrap();
        let of = |layer: &str, role| {
            let at = parts.parts().iter().position(|part| part.layer == layer && part.role == role);
            squares[at.unwrap_or_else(|| panic!("{layer} {role:?}"))]
        };
        let range = |name: &str| {
            let at = layout.infos().iter().position(|info| info.name == name).unwrap();
            &flat[layout.range(at)]
        };
        let sum = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>();
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-12 * b, "{a} {b}");
        let stacked = range("block 2.attention.query key value.weight");
        for (third, role) in [ParamRole::Queries, ParamRole::Keys, ParamRole::Values].into_iter().enumerate() {
            let mut entries = stacked.iter().enumerate().filter(|(k, _)| k % 24 / 8 == third).map(|(_, x)| *x);
            near(of("block 2", role), sum(&mut entries));
        }
        for (name, role) in [
            ("block 2.attention.project.weight", ParamRole::Projection),
            ("block 2.mlp.expand.weight", ParamRole::Expand),
            ("block 2.mlp.contract.weight", ParamRole::Contract),
        ] {
            near(of("block 2", role), sum(&mut range(name).iter().copied()));
        }
        let norms = ["attention.norm.gain", "attention.norm.bias", "mlp.norm.gain", "mlp.norm.bias"];
        near(
            of("block 1", ParamRole::Norms),
            norms.iter().map(|name| sum(&mut range(&format!("block 1.{name}")).iter().copied())).sum(),
        );
        near(
            of("embedding", ParamRole::Embedding),
            sum(&mut range("embedding.weight").iter().chain(range("embedding.positions")).copied()),
        );
        near(of("output", ParamRole::Output), sum(&mut range("output.weight").iter().copied()));
        let roles: std::collections::BTreeSet<_> = parts.parts().iter().map(|part| part.role).collect();
        assert_eq!(roles.len(), 10, "{roles:?}");
    }

    #[test]
    fn changes_are_relative_to_what_was_there_and_matrices_are_whole() {
        let (layout, parts) = setting(ModelKind::VisionTransformer);
        let (_, before) = random(&layout, "x");
        let after: Vec<_> = before.iter().map(|t| (t * 1.25).unwrap()).collect();
        for ratio in parts.relative_change(&before, &after).unwrap() {
            assert!((ratio - 0.25).abs() < 1e-12, "{ratio}");
        }
        let zeros: Vec<_> = before.iter().map(|t| t.zeros_like().unwrap()).collect();
        assert!(parts.relative_change(&zeros, &after).unwrap().iter().all(|ratio| *ratio == 0.0));
        for (at, part) in parts.parts().iter().enumerate() {
            let matrices = parts.matrices(at, &before).unwrap();
            assert_eq!(matrices.is_empty(), !part.role.is_matrix(), "{part:?}");
            let squares: f64 = matrices.iter().flat_map(|(m, _)| m).map(|&x| f64::from(x).powi(2)).sum();
            let known = parts.squares(&before).unwrap()[at];
            assert!(matrices.is_empty() || (squares - known).abs() < 1e-6 * known, "{part:?}");
            if part.role == ParamRole::Keys {
                assert_eq!((matrices[0].0.len(), matrices[0].1), (64, 8));
            }
        }
    }
}
