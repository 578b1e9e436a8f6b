//! Parameters: names, roles, shapes and the flattening order.
//!
//! **The flattening order, said once:** the tensors in the order of [`Layout::infos`], each row-major. Flat
//! vectors of this length are what `linalg` sees, what is hashed and what checkpoints hold.

use std::sync::Arc;

use candle_core::{DType, Device, Result, Tensor, Var};

/// What a tensor does in the network: decides weight decay and how random directions are normalised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// First matrix that sees the inputs, `[fan_in, fan_out]`.
    Input,
    /// Matrix between hidden layers, `[fan_in, fan_out]`.
    Hidden,
    /// Matrix onto the outputs, `[fan_in, fan_out]`.
    Output,
    /// `[vocabulary, D]`: one row a token.
    Embedding,
    /// `[T, D]`: one row a position.
    Position,
    Bias,
    /// Factor of a normalisation.
    Gain,
}

impl Role {
    /// Weight decay applies to matrices and token embeddings only.
    pub fn decays(self) -> bool {
        matches!(self, Self::Input | Self::Hidden | Self::Output | Self::Embedding)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParamInfo {
    /// Such as `block 1.attention.project.weight`.
    pub name: String,
    pub shape: Vec<usize>,
    pub role: Role,
    /// Index into [`Layout::groups`].
    pub group: usize,
}

impl ParamInfo {
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The table of a network's parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    infos: Vec<ParamInfo>,
    offsets: Vec<usize>,
    groups: Vec<String>,
    total: usize,
}

impl Layout {
    /// Appends a tensor; a group not seen before opens a new one.
    pub fn push(&mut self, group: &str, name: impl Into<String>, shape: &[usize], role: Role) -> usize {
        let group_index = self.groups.iter().position(|g| g == group).unwrap_or_else(|| {
            self.groups.push(group.to_owned());
            self.groups.len() - 1
        });
        let info = ParamInfo { name: name.into(), shape: shape.to_vec(), role, group: group_index };
        self.offsets.push(self.total);
        self.total += info.len();
        self.infos.push(info);
        self.infos.len() - 1
    }

    pub fn infos(&self) -> &[ParamInfo] {
        &self.infos
    }

    /// Groups for per-layer norms, input side first.
    pub fn groups(&self) -> &[String] {
        &self.groups
    }

    /// Number of parameters P.
    pub fn total(&self) -> usize {
        self.total
    }

    /// Place of tensor `index` in the flat vector.
    pub fn range(&self, index: usize) -> std::ops::Range<usize> {
        self.offsets[index]..self.offsets[index] + self.infos[index].len()
    }

    /// Places of a group's tensors in the flat vector, ascending: a block of the curvature.
    pub fn ranges_of_group(&self, group: usize) -> Vec<std::ops::Range<usize>> {
        (0..self.infos.len()).filter(|&i| self.infos[i].group == group).map(|i| self.range(i)).collect()
    }

    /// Cuts a flat vector into tensors of these shapes.
    ///
    /// # Errors
    /// Whatever candle says of the device.
    pub fn unflatten<T: candle_core::WithDType>(
        &self,
        flat: &[T],
        dtype: DType,
        device: &Device,
    ) -> Result<Vec<Tensor>> {
        assert_eq!(flat.len(), self.total, "a flat vector has one entry a parameter");
        (0..self.infos.len())
            .map(|i| Tensor::from_slice(&flat[self.range(i)], self.infos[i].shape.as_slice(), device)?.to_dtype(dtype))
            .collect()
    }

    /// Joins tensors in the flattening order, as f64.
    ///
    /// # Errors
    /// Whatever candle says of the device.
    pub fn flatten(&self, tensors: &[Tensor]) -> Result<Vec<f64>> {
        let mut flat = Vec::with_capacity(self.total);
        for tensor in tensors {
            flat.extend(tensor.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>()?);
        }
        Ok(flat)
    }
}

/// The trained variables of a network.
#[derive(Clone, Debug)]
pub struct Params {
    layout: Arc<Layout>,
    vars: Vec<Var>,
}

impl Params {
    /// # Errors
    /// Whatever candle says of the device.
    pub fn from_flat(layout: Arc<Layout>, flat: &[f64], dtype: DType, device: &Device) -> Result<Self> {
        let vars = layout.unflatten(flat, dtype, device)?.iter().map(Var::from_tensor).collect::<Result<_>>()?;
        Ok(Self { layout, vars })
    }

    pub fn layout(&self) -> &Arc<Layout> {
        &self.layout
    }

    pub fn vars(&self) -> &[Var] {
        &self.vars
    }

    /// The variables as tensors that a forward pass takes (sharing storage; gradients flow to the variables).
    pub fn tensors(&self) -> Vec<Tensor> {
        self.vars.iter().map(|var| var.as_tensor().clone()).collect()
    }

    /// Detached copies that later updates don't touch.
    ///
    /// # Errors
    /// Whatever candle says of the device.
    pub fn frozen(&self) -> Result<Vec<Tensor>> {
        self.vars.iter().map(|var| var.as_tensor().detach().copy()).collect()
    }

    /// Overwrites all parameters, in place, from tensors of the same shapes.
    ///
    /// # Errors
    /// Whatever candle says of the device.
    pub fn assign(&self, tensors: &[Tensor]) -> Result<()> {
        for (var, tensor) in self.vars.iter().zip(tensors) {
            var.set(tensor)?;
        }
        Ok(())
    }

    /// BLAKE3 of the little-endian f32 values in the flattening order, as hexadecimal: equal hashes, equal bits.
    ///
    /// # Errors
    /// Whatever candle says of the device.
    pub fn hash(&self) -> Result<String> {
        let mut hasher = blake3::Hasher::new();
        for var in &self.vars {
            for value in var.as_tensor().to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()? {
                hasher.update(&value.to_le_bytes());
            }
        }
        Ok(hasher.finalize().to_hex()[..32].to_owned())
    }
}
