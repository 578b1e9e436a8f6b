//! Parameters as the bytes of a safetensors file.
//!
//! One tensor for each entry of the layout, under its name and with its shape, little-endian and row-major. The metadata
//! entry `roles` says what each tensor does, as a JSON object from name to role.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use candle_core::{DType, Tensor};
use safetensors::tensor::Dtype;
use safetensors::{SafeTensorError, SafeTensors, View};

use super::params::{Layout, Role};

/// A file that doesn't hold the parameters of this network: which tensor, what was found, what to do.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    #[error("it isn't a whole safetensors file ({0}); copy or write it again")]
    Damaged(String),
    #[error("tensor {name:?} has the shape {found:?}, the model needs {expected:?}; {ADVICE}")]
    Shape { name: String, found: Vec<usize>, expected: Vec<usize> },
    #[error("tensor {name:?} of shape {expected:?} is missing (the file has {found}); {ADVICE}")]
    Missing { name: String, expected: Vec<usize>, found: String },
    #[error("tensor {name:?} of shape {found:?} is in the file, but not in the model; {ADVICE}")]
    Surplus { name: String, found: Vec<usize> },
    #[error("tensor {name:?} has the type {found}, F32 or F64 is needed; convert it and write the file again")]
    Type { name: String, found: String },
    #[error("the tensors couldn't be written as bytes: {0}")]
    Candle(#[from] candle_core::Error),
}

const ADVICE: &str =
    "give the weights of this very model, such as `landscope init` writes them, or the model of these weights";

/// Names that a message lists, at most.
const NAMES_LISTED: usize = 6;

/// The bytes of a file with `tensors`, in the order of the layout, as f32 or f64 as they are. Equal tensors, equal bytes.
///
/// # Errors
/// [`WeightsError::Type`] for other types than f32 and f64; whatever candle says of the device.
pub fn to_bytes(layout: &Layout, tensors: &[Tensor]) -> Result<Vec<u8>, WeightsError> {
    let stored: Vec<_> = layout
        .infos()
        .iter()
        .zip(tensors)
        .map(|(info, tensor)| Ok((info.name.as_str(), Stored::of(&info.name, tensor)?)))
        .collect::<Result<_, WeightsError>>()?;
    let roles: BTreeMap<_, _> = layout.infos().iter().map(|info| (info.name.as_str(), role(info.role))).collect();
    // One entry only: the crate writes them in the order of a hash map, which differs from run to run.
    let metadata = HashMap::from([("roles".to_owned(), serde_json::json!(roles).to_string())]);
    safetensors::serialize(stored, Some(metadata)).map_err(|error| WeightsError::Damaged(error.to_string()))
}

/// The parameters in `bytes`, in the flattening order of `layout`; f32 values are widened.
///
/// # Errors
/// [`WeightsError`] names the tensor that is missing, surplus, or of the wrong shape or type.
pub fn from_bytes(layout: &Layout, bytes: &[u8]) -> Result<Vec<f64>, WeightsError> {
    let file = SafeTensors::deserialize(bytes).map_err(|error| WeightsError::Damaged(error.to_string()))?;
    let mut flat = Vec::with_capacity(layout.total());
    for info in layout.infos() {
        let Ok(tensor) = file.tensor(&info.name) else {
            return Err(WeightsError::Missing {
                name: info.name.clone(),
                expected: info.shape.clone(),
                found: listed(&file),
            });
        };
        if tensor.shape() != info.shape {
            return Err(WeightsError::Shape {
                name: info.name.clone(),
                found: tensor.shape().to_vec(),
                expected: info.shape.clone(),
            });
        }
        match tensor.dtype() {
            Dtype::F32 => flat.extend(words(tensor.data(), |b| f64::from(f32::from_le_bytes(b)))),
            Dtype::F64 => flat.extend(words(tensor.data(), f64::from_le_bytes)),
            other => return Err(WeightsError::Type { name: info.name.clone(), found: format!("{other:?}") }),
        }
    }
    let mut names = file.names();
    names.sort_unstable();
    match names.into_iter().find(|name| layout.infos().iter().all(|info| info.name != *name)) {
        Some(name) => Err(WeightsError::Surplus {
            name: name.to_owned(),
            found: file.tensor(name).map(|tensor| tensor.shape().to_vec()).unwrap_or_default(),
        }),
        None => Ok(flat),
    }
}

/// Whether `bytes` are a whole safetensors file, whatever is in it.
///
/// # Errors
/// What is missing, for a file that may still be being written; what is wrong with its header, for others.
pub fn check_whole(bytes: &[u8]) -> Result<(), String> {
    match SafeTensors::read_metadata(bytes) {
        Ok(_) => Ok(()),
        Err(SafeTensorError::HeaderTooSmall | SafeTensorError::InvalidHeaderLength) => {
            Err(format!("its header isn't there in full ({} bytes are)", bytes.len()))
        }
        Err(SafeTensorError::MetadataIncompleteBuffer) => {
            Err(format!("its {} bytes aren't those that its header speaks of", bytes.len()))
        }
        Err(error) => Err(format!("its header isn't that of a safetensors file ({error})")),
    }
}

/// The texts that a whole file carries beside its tensors.
pub fn metadata(bytes: &[u8]) -> BTreeMap<String, String> {
    let found = SafeTensors::read_metadata(bytes).ok().and_then(|(_, header)| header.metadata().clone());
    found.unwrap_or_default().into_iter().collect()
}

fn listed(file: &SafeTensors) -> String {
    let mut names = file.names();
    names.sort_unstable();
    let rest = names.len().saturating_sub(NAMES_LISTED);
    names.truncate(NAMES_LISTED);
    let names = names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ");
    match (names.is_empty(), rest) {
        (true, _) => "no tensor".into(),
        (_, 0) => names,
        (_, rest) => format!("{names} and {rest} more"),
    }
}

/// Numbers of N bytes each.
fn words<const N: usize>(bytes: &[u8], number: impl Fn([u8; N]) -> f64) -> impl Iterator<Item = f64> {
    bytes.as_chunks::<N>().0.iter().map(move |&word| number(word))
}

fn role(role: Role) -> String {
    format!("{role:?}").to_lowercase()
}

/// A tensor's bytes.
struct Stored {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Stored {
    fn of(name: &str, tensor: &Tensor) -> Result<Self, WeightsError> {
        let flat = tensor.flatten_all()?;
        let (dtype, bytes) = match tensor.dtype() {
            DType::F32 => (Dtype::F32, flat.to_vec1::<f32>()?.iter().flat_map(|x| x.to_le_bytes()).collect()),
            DType::F64 => (Dtype::F64, flat.to_vec1::<f64>()?.iter().flat_map(|x| x.to_le_bytes()).collect()),
            other => return Err(WeightsError::Type { name: name.to_owned(), found: format!("{other:?}") }),
        };
        Ok(Self { dtype, shape: tensor.dims().to_vec(), bytes })
    }
}

impl View for Stored {
    fn dtype(&self) -> Dtype {
        self.dtype
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

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    fn layout(matrix: &[usize]) -> Layout {
        let mut layout = Layout::default();
        layout.push("layer 1", "layer 1.weight", matrix, Role::Input);
        layout.push("layer 1", "layer 1.bias", &[3], Role::Bias);
        layout
    }

    /// Values that f32 can't hold, so that a detour through it shows.
    fn flat() -> Vec<f64> {
        (0..9).map(|i| f64::from(i).sin() / 3.0).collect()
    }

    fn bytes(layout: &Layout, dtype: DType) -> Vec<u8> {
        to_bytes(layout, &layout.unflatten(&flat(), dtype, &Device::Cpu).unwrap()).unwrap()
    }

    #[test]
    fn what_was_written_is_read_to_the_bit() {
        let layout = layout(&[2, 3]);
        assert_eq!(from_bytes(&layout, &bytes(&layout, DType::F64)).unwrap(), flat());
        let narrow: Vec<f64> = flat().iter().map(|&x| f64::from(x as f32)).collect();
        assert_eq!(from_bytes(&layout, &bytes(&layout, DType::F32)).unwrap(), narrow);
        assert_eq!(bytes(&layout, DType::F64), bytes(&layout, DType::F64));
    }

    #[test]
    fn names_shapes_and_roles_are_in_the_header() {
        let bytes = bytes(&layout(&[2, 3]), DType::F32);
        let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
        assert_eq!(metadata.info("layer 1.weight").unwrap().shape, [2, 3]);
        let roles = &metadata.metadata().as_ref().unwrap()["roles"];
        assert_eq!(roles, r#"{"layer 1.bias":"bias","layer 1.weight":"input"}"#);
    }

    #[track_caller]
    fn refuses(layout: &Layout, bytes: &[u8], words: &[&str]) {
        let message = from_bytes(layout, bytes).unwrap_err().to_string();
        for word in words {
            assert!(message.contains(word), "{message}");
        }
        assert!(!message.contains('\n'), "{message}");
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let written = layout(&[2, 3]);
        let good = bytes(&written, DType::F32);
        refuses(&layout(&[3, 2]), &good, &["layer 1.weight", "[2, 3]", "[3, 2]", "landscope init"]);
        let mut larger = written.clone();
        larger.push("output", "output.weight", &[3, 1], Role::Output);
        refuses(&larger, &good, &["output.weight", "[3, 1]", "missing", "layer 1.bias"]);
        let mut smaller = Layout::default();
        smaller.push("layer 1", "layer 1.bias", &[3], Role::Bias);
        refuses(&smaller, &good, &["layer 1.weight", "not in the model"]);
        for end in [0, 7, 40, good.len() - 1] {
            refuses(&written, &good[..end], &["whole safetensors file", "again"]);
        }
    }

    #[test]
    fn a_file_is_whole_from_its_last_byte_on() {
        let written = layout(&[2, 3]);
        let whole = bytes(&written, DType::F64);
        assert_eq!(check_whole(&whole), Ok(()));
        for end in 0..whole.len() {
            let words = check_whole(&whole[..end]).unwrap_err();
            assert!(words.contains(&end.to_string()), "{words}");
        }
        assert!(check_whole(&[&whole[..], &[0]].concat()).is_err(), "a byte too many");
        assert!(check_whole(&[0xff; 64]).unwrap_err().contains("header"));
        assert!(metadata(&whole)["roles"].contains("layer 1.bias"));
        assert!(metadata(b"nothing").is_empty());
    }

    #[test]
    fn whole_numbers_are_no_weights() {
        let ids = Stored { dtype: Dtype::I32, shape: vec![3], bytes: vec![0; 12] };
        let mut layout = Layout::default();
        layout.push("layer 1", "layer 1.bias", &[3], Role::Bias);
        let file = safetensors::serialize([("layer 1.bias", ids)], None).unwrap();
        refuses(&layout, &file, &["layer 1.bias", "I32", "F32 or F64"]);
    }
}
