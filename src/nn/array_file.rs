//! Named arrays of f32 or f64 and a text, as the bytes of a safetensors file.

use std::borrow::Cow;
use std::collections::HashMap;

use safetensors::tensor::Dtype;
use safetensors::{SafeTensors, View};

/// Little-endian and row-major.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawArray {
    pub shape: Vec<usize>,
    /// f64 instead of f32.
    pub wide: bool,
    pub bytes: Vec<u8>,
}

impl View for RawArray {
    fn dtype(&self) -> Dtype {
        if self.wide { Dtype::F64 } else { Dtype::F32 }
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.bytes)
    }

    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

/// The metadata entry that holds the text.
const ENTRY: &str = "landscope";

/// The bytes of a file. Equal arrays and texts, equal bytes.
///
/// # Errors
/// What the format can't hold, in words.
pub fn to_bytes(arrays: Vec<(String, RawArray)>, text: String) -> Result<Vec<u8>, String> {
    // One entry only: the crate writes them in the order of a hash map, which differs from run to run.
    let metadata = HashMap::from([(ENTRY.to_owned(), text)]);
    safetensors::serialize(arrays, Some(metadata)).map_err(|error| error.to_string())
}

/// The text of a file, and its arrays of f32 and f64 by name.
///
/// # Errors
/// Why the bytes are no such file.
pub fn from_bytes(bytes: &[u8]) -> Result<(String, HashMap<String, RawArray>), String> {
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|error| error.to_string())?;
    let text = header.metadata().as_ref().and_then(|entries| entries.get(ENTRY)).cloned();
    let file = SafeTensors::deserialize(bytes).map_err(|error| error.to_string())?;
    let mut arrays = HashMap::new();
    for (name, view) in file.tensors() {
        if matches!(view.dtype(), Dtype::F32 | Dtype::F64) {
            let (shape, wide) = (view.shape().to_vec(), view.dtype() == Dtype::F64);
            arrays.insert(name, RawArray { shape, wide, bytes: view.data().to_vec() });
        }
    }
    Ok((text.ok_or("it has no metadata of Landscope")?, arrays))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_come_back_and_damage_is_told() {
        let array = RawArray { shape: vec![1, 2], wide: false, bytes: vec![0, 0, 128, 63, 0, 0, 0, 64] };
        let bytes = to_bytes(vec![("a/b".into(), array.clone())], "text".into()).unwrap();
        let (text, arrays) = from_bytes(&bytes).unwrap();
        assert_eq!((text.as_str(), &arrays["a/b"]), ("text", &array));
        for len in 0..bytes.len() {
            assert!(from_bytes(&bytes[..len]).is_err(), "{len}");
        }
    }
}
