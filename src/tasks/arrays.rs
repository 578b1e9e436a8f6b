//! All floating tensors of a safetensors file, as they are.

use std::path::Path;

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};

use super::error::TaskError;

/// A tensor as numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    pub name: String,
    pub shape: Vec<usize>,
    /// Row-major.
    pub values: Vec<f64>,
}

/// Every tensor, by name.
///
/// # Errors
/// [`TaskError`] for a file that can't be read or isn't whole, and for a tensor of other than floating numbers.
pub fn safetensors(path: &Path) -> Result<Vec<Array>, TaskError> {
    let bytes = std::fs::read(path).map_err(|source| TaskError::Unreadable { path: path.into(), source })?;
    let bad = |message: String| TaskError::BadSafetensors { path: path.into(), message };
    let tensors = SafeTensors::deserialize(&bytes).map_err(|error| bad(error.to_string()))?;
    let read = |(name, tensor): (String, TensorView<'_>)| {
        let values = numbers(&tensor)
            .ok_or_else(|| bad(format!("tensor {name:?} holds {:?}; give F32 or F64", tensor.dtype())))?;
        Ok(Array { name, shape: tensor.shape().to_vec(), values })
    };
    let mut arrays = tensors.tensors().into_iter().map(read).collect::<Result<Vec<_>, _>>()?;
    arrays.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(arrays)
}

fn numbers(tensor: &TensorView<'_>) -> Option<Vec<f64>> {
    let data = tensor.data();
    match tensor.dtype() {
        Dtype::F64 => Some(data.as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect()),
        Dtype::F32 => Some(data.as_chunks().0.iter().map(|bytes| f64::from(f32::from_le_bytes(*bytes))).collect()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_widths_are_read_and_integers_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.safetensors");
        let wide: Vec<u8> = [0.1_f64, 0.2].iter().flat_map(|v| v.to_le_bytes()).collect();
        let narrow: Vec<u8> = [0.5_f32].iter().flat_map(|v| v.to_le_bytes()).collect();
        let view = |dtype, shape: Vec<usize>, data| TensorView::new(dtype, shape, data).unwrap();
        let tensors = [("v", view(Dtype::F64, vec![1, 2], &wide)), ("a", view(Dtype::F32, vec![1], &narrow))];
        std::fs::write(&path, safetensors::serialize(tensors, None).unwrap()).unwrap();
        let arrays = safetensors(&path).unwrap();
        let array = |name: &str, shape, values| Array { name: name.into(), shape, values };
        assert_eq!(arrays, [array("a", vec![1], vec![0.5]), array("v", vec![1, 2], vec![0.1, 0.2])]);

        let ids = [("ids", view(Dtype::U8, vec![2], &[1, 2]))];
        std::fs::write(&path, safetensors::serialize(ids, None).unwrap()).unwrap();
        let message = safetensors(&path).unwrap_err().to_string();
        assert!(message.contains("ids") && message.contains("F32"), "{message}");
        assert!(safetensors(&folder.path().join("none")).unwrap_err().to_string().contains("none"));
    }
}
