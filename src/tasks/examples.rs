//! Examples as a safetensors file holds them: `x` and `y`.

use std::path::Path;

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};

use super::data::{Inputs, Split, Targets, UNGRADED};
use super::error::TaskError;
use super::files::npy::Numbers;
use super::shapes::{InputShape, OutputShape, Shapes};

/// Examples, and what of their numbers f32 can't hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Examples {
    pub split: Split,
    /// Features `[N, ...]` as the file has them, where that is in f64.
    pub wide_inputs: Option<Vec<f64>>,
    /// Targets `[N, outputs]` of a regression, likewise.
    pub wide_targets: Option<Vec<f64>>,
}

/// A file's content.
pub struct File<'a> {
    path: &'a Path,
    tensors: SafeTensors<'a>,
}

struct Array {
    shape: Vec<usize>,
    numbers: Numbers,
    dtype: Dtype,
}

const FLOATS: &str = "give it as F32 or F64";
const INTEGERS: &str = "give it as integers (U8, I32, I64, ...)";

impl<'a> File<'a> {
    /// # Errors
    /// [`TaskError::BadSafetensors`].
    pub fn new(bytes: &'a [u8], path: &'a Path) -> Result<Self, TaskError> {
        match SafeTensors::deserialize(bytes) {
            Ok(tensors) => Ok(Self { path, tensors }),
            Err(error) => Err(TaskError::BadSafetensors { path: path.into(), message: error.to_string() }),
        }
    }

    pub fn has(&self, name: &str) -> bool {
        self.tensors.tensor(name).is_ok()
    }

    /// The shapes that the tensors `x` and `y` suggest: integer `x` `[N, T]` with integer `y` `[N, T]` are sequences, other
    /// integer `y` are classes, floating `y` are values.
    ///
    /// # Errors
    /// [`TaskError`] if a tensor is missing or fits nothing.
    pub fn shapes(&self, x: &str, y: &str) -> Result<Shapes, TaskError> {
        let (inputs, targets) = (self.array(x)?, self.array(y)?);
        let largest = |array: &Array| match &array.numbers {
            Numbers::Whole(values) => values.iter().copied().max().unwrap_or(0).max(0) as usize,
            Numbers::Real(_) => 0,
        };
        let whole = |array: &Array| matches!(array.numbers, Numbers::Whole(_));
        let input = match &inputs.shape[..] {
            [_, length] if whole(&inputs) && whole(&targets) && targets.shape == inputs.shape => {
                let vocabulary = 1 + largest(&inputs).max(largest(&targets));
                let output = OutputShape::Classes(vocabulary);
                return Ok(Shapes { input: InputShape::Tokens { length: *length, vocabulary }, output });
            }
            [_] => InputShape::Features(vec![1]),
            [_, d] => InputShape::Features(vec![*d]),
            [_, h, w] => InputShape::Features(vec![*h, *w, 1]),
            [_, h, w, c] => InputShape::Features(vec![*h, *w, *c]),
            other => return Err(self.wrong_shape(x, other, "[N, D], [N, H, W], [N, H, W, C], or token ids [N, T]")),
        };
        let output = match &targets.shape[..] {
            _ if whole(&targets) => OutputShape::Classes(1 + largest(&targets)),
            [_, outputs] => OutputShape::Values(*outputs),
            _ => OutputShape::Values(1),
        };
        Ok(Shapes { input, output })
    }

    /// The examples in the tensors called `x` and `y`, which have to fit `shapes`. Features are taken as they are; integers
    /// count as numbers. Classes are integers `[N]`, values floating `[N]` or `[N, values]`; targets of sequences are
    /// integers `[N, T]`, -1 where nothing is graded.
    ///
    /// # Errors
    /// [`TaskError`] names the tensor, what was found and what was expected.
    pub fn examples(&self, x: &str, y: &str, shapes: &Shapes) -> Result<Examples, TaskError> {
        let (inputs, targets) = (self.array(x)?, self.array(y)?);
        let count = inputs.shape.first().copied().unwrap_or(0);
        if count == 0 {
            return Err(self.wrong_shape(x, &inputs.shape, "at least one example"));
        }
        if targets.shape.first() != Some(&count) {
            let found = format!("{x:?} has the shape {:?} and {y:?} {:?}", inputs.shape, targets.shape);
            return Err(TaskError::TensorLengths { path: self.path.into(), found });
        }
        let (inputs, wide_inputs) = self.inputs(x, &inputs, shapes)?;
        let (targets, wide_targets) = self.targets(y, &targets, shapes)?;
        Ok(Examples { split: Split { inputs, targets }, wide_inputs, wide_targets })
    }

    fn inputs(&self, x: &str, array: &Array, shapes: &Shapes) -> Result<(Inputs, Option<Vec<f64>>), TaskError> {
        match &shapes.input {
            InputShape::Features(shape) => {
                let alike = array.shape[1..] == shape[..]
                    || (shape.len() == 3 && shape[2] == 1 && array.shape[1..] == shape[..2])
                    || (shape[..] == [1] && array.shape.len() == 1);
                if !alike {
                    let expected = format!("[N, {}] as the model reads it", joined(shape));
                    return Err(self.wrong_shape(x, &array.shape, &expected));
                }
                let values = array.numbers.finite(x, self.path)?;
                Ok((Inputs::Features { values, shape: shape.clone() }, wide(array)))
            }
            InputShape::Tokens { length, vocabulary } => {
                if array.shape[1..] != [*length] {
                    return Err(self.wrong_shape(x, &array.shape, &format!("[N, {length}] token ids")));
                }
                let ids = self.whole(x, array)?;
                let ids = self.below(x, ids, *vocabulary, *length, false)?;
                Ok((Inputs::Tokens { ids, length: *length, vocabulary: *vocabulary }, None))
            }
        }
    }

    fn targets(&self, y: &str, array: &Array, shapes: &Shapes) -> Result<(Targets, Option<Vec<f64>>), TaskError> {
        match (&shapes.input, shapes.output) {
            (InputShape::Tokens { length, .. }, OutputShape::Classes(vocabulary)) => {
                if array.shape[1..] != [*length] {
                    return Err(self.wrong_shape(y, &array.shape, &format!("[N, {length}] token ids")));
                }
                let ids = self.below(y, self.whole(y, array)?, vocabulary, *length, true)?;
                Ok((Targets::NextTokens { ids, length: *length, vocabulary }, None))
            }
            (_, OutputShape::Classes(classes)) => {
                if array.shape.len() != 1 {
                    return Err(self.wrong_shape(y, &array.shape, "[N] class indices"));
                }
                let labels = self.below(y, self.whole(y, array)?, classes, 1, false)?;
                Ok((Targets::Classes { labels, classes }, None))
            }
            (_, OutputShape::Values(outputs)) => {
                if array.shape[1..] != [outputs] && !(outputs == 1 && array.shape.len() == 1) {
                    return Err(self.wrong_shape(y, &array.shape, &format!("[N, {outputs}] numbers")));
                }
                if matches!(array.numbers, Numbers::Whole(_)) {
                    return Err(self.wrong_type(y, array.dtype, FLOATS));
                }
                let values = array.numbers.finite(y, self.path)?;
                Ok((Targets::Values { values, outputs }, wide(array)))
            }
        }
    }

    fn whole<'b>(&self, name: &str, array: &'b Array) -> Result<&'b [i64], TaskError> {
        match &array.numbers {
            Numbers::Whole(values) => Ok(values),
            Numbers::Real(_) => Err(self.wrong_type(name, array.dtype, INTEGERS)),
        }
    }

    /// Ids from 0 up to `limit`; with `gaps`, -1 means [`UNGRADED`].
    fn below(&self, name: &str, values: &[i64], limit: usize, each: usize, gaps: bool) -> Result<Vec<u32>, TaskError> {
        let id = |(at, &value): (usize, &i64)| match u32::try_from(value) {
            Ok(id) if (id as usize) < limit => Ok(id),
            _ if gaps && value == -1 => Ok(UNGRADED),
            _ => Err(TaskError::BadLabel {
                path: self.path.into(),
                place: format!("tensor {name:?}, example {}", at / each),
                label: value.to_string(),
                max: limit - 1,
            }),
        };
        values.iter().enumerate().map(id).collect()
    }

    fn array(&self, name: &str) -> Result<Array, TaskError> {
        let Ok(tensor) = self.tensors.tensor(name) else {
            let mut names = self.tensors.names();
            names.sort_unstable();
            let found = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            return Err(TaskError::MissingTensor { path: self.path.into(), name: name.into(), found });
        };
        let Some(numbers) = numbers(&tensor) else {
            return Err(self.wrong_type(name, tensor.dtype(), "convert it to integers, F32 or F64"));
        };
        Ok(Array { shape: tensor.shape().to_vec(), numbers, dtype: tensor.dtype() })
    }

    fn wrong_shape(&self, name: &str, found: &[usize], expected: &str) -> TaskError {
        let found = format!("{found:?} in tensor {name:?}");
        TaskError::WrongShape { path: self.path.into(), found, expected: expected.into() }
    }

    fn wrong_type(&self, name: &str, found: Dtype, expected: &'static str) -> TaskError {
        TaskError::WrongType { path: self.path.into(), name: name.into(), found: format!("{found:?}"), expected }
    }
}

fn joined(shape: &[usize]) -> String {
    shape.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")
}

fn wide(array: &Array) -> Option<Vec<f64>> {
    match &array.numbers {
        Numbers::Real(values) if array.dtype == Dtype::F64 => Some(values.clone()),
        _ => None,
    }
}

fn numbers(tensor: &TensorView) -> Option<Numbers> {
    fn whole<const N: usize>(bytes: &[u8], number: impl Fn([u8; N]) -> i64) -> Numbers {
        Numbers::Whole(bytes.as_chunks::<N>().0.iter().map(|&word| number(word)).collect())
    }
    fn real<const N: usize>(bytes: &[u8], number: impl Fn([u8; N]) -> f64) -> Numbers {
        Numbers::Real(bytes.as_chunks::<N>().0.iter().map(|&word| number(word)).collect())
    }
    let bytes = tensor.data();
    Some(match tensor.dtype() {
        Dtype::BOOL => whole(bytes, |b: [u8; 1]| i64::from(b[0])),
        Dtype::U8 => whole(bytes, |b| i64::from(u8::from_le_bytes(b))),
        Dtype::I8 => whole(bytes, |b| i64::from(i8::from_le_bytes(b))),
        Dtype::U16 => whole(bytes, |b| i64::from(u16::from_le_bytes(b))),
        Dtype::I16 => whole(bytes, |b| i64::from(i16::from_le_bytes(b))),
        Dtype::U32 => whole(bytes, |b| i64::from(u32::from_le_bytes(b))),
        Dtype::I32 => whole(bytes, |b| i64::from(i32::from_le_bytes(b))),
        Dtype::I64 => whole(bytes, i64::from_le_bytes),
        // Beyond i64 they are out of range anyway.
        Dtype::U64 => whole(bytes, |b| i64::try_from(u64::from_le_bytes(b)).unwrap_or(i64::MAX)),
        Dtype::F32 => real(bytes, |b| f64::from(f32::from_le_bytes(b))),
        Dtype::F64 => real(bytes, f64::from_le_bytes),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Type, shape and bytes.
    type Stored = (Dtype, Vec<usize>, Vec<u8>);

    fn floats(shape: &[usize], values: &[f64]) -> Stored {
        (Dtype::F64, shape.to_vec(), values.iter().flat_map(|v| v.to_le_bytes()).collect())
    }

    fn ids(shape: &[usize], values: &[i64]) -> Stored {
        (Dtype::I64, shape.to_vec(), values.iter().flat_map(|v| v.to_le_bytes()).collect())
    }

    fn file(tensors: &[(&str, &Stored)]) -> Vec<u8> {
        let views = tensors
            .iter()
            .map(|(name, (dtype, shape, bytes))| (*name, TensorView::new(*dtype, shape.clone(), bytes).unwrap()));
        safetensors::serialize(views, None).unwrap()
    }

    fn read(bytes: &[u8], shapes: Option<&Shapes>) -> Result<Examples, TaskError> {
        let file = File::new(bytes, Path::new("batch.safetensors"))?;
        let suggested = file.shapes("x", "y")?;
        file.examples("x", "y", shapes.unwrap_or(&suggested))
    }

    fn shapes(input: InputShape, output: OutputShape) -> Shapes {
        Shapes { input, output }
    }

    #[test]
    fn pictures_keep_their_digits() {
        let x: Vec<f64> = (0..8).map(|i| f64::from(i) / 3.0).collect();
        let bytes = file(&[("x", &floats(&[2, 2, 2], &x)), ("y", &ids(&[2], &[4, 0]))]);
        let found = read(&bytes, None).unwrap();
        assert_eq!(found.wide_inputs, Some(x));
        let Inputs::Features { shape, .. } = &found.split.inputs else { panic!("features") };
        assert_eq!(shape[..], [2, 2, 1]);
        assert_eq!(found.split.targets, Targets::Classes { labels: vec![4, 0], classes: 5 });
    }

    #[test]
    fn sequences_have_gaps_only_in_their_targets() {
        let (x, y) = (ids(&[2, 3], &[0, 1, 2, 3, 4, 5]), ids(&[2, 3], &[-1, 2, 6, 0, -1, 1]));
        let found = read(&file(&[("x", &x), ("y", &y)]), None).unwrap();
        let Targets::NextTokens { ids, length: 3, vocabulary: 7 } = &found.split.targets else { panic!("{found:?}") };
        assert_eq!(ids[..], [UNGRADED, 2, 6, 0, UNGRADED, 1]);
        refuses(&file(&[("x", &y), ("y", &x)]), None, &["\"x\"", "-1", "0 to 6"]);
    }

    #[test]
    fn numbers_to_predict_are_floats() {
        let x = floats(&[3], &[0.1, 0.2, 0.3]);
        let found = read(&file(&[("x", &x), ("y", &x)]), None).unwrap();
        assert_eq!(found.wide_targets, Some(vec![0.1, 0.2, 0.3]));
        let wanted = shapes(InputShape::Features(vec![1]), OutputShape::Values(1));
        refuses(&file(&[("x", &x), ("y", &ids(&[3], &[1, 2, 3]))]), Some(&wanted), &["\"y\"", "I64", "F32"]);
    }

    #[track_caller]
    fn refuses(bytes: &[u8], shapes: Option<&Shapes>, words: &[&str]) {
        let message = read(bytes, shapes).unwrap_err().to_string();
        for word in words.iter().chain(&["batch.safetensors"]) {
            assert!(message.contains(word), "{message}");
        }
        assert!(!message.contains('\n'), "{message}");
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let (x, y) = (floats(&[2, 2], &[1.0, 2.0, 3.0, 4.0]), ids(&[2], &[0, 1]));
        let good = file(&[("x", &x), ("y", &y)]);
        let model = |shape: &[usize], output| shapes(InputShape::Features(shape.to_vec()), output);
        refuses(&good, Some(&model(&[3], OutputShape::Classes(2))), &["[2, 2]", "[N, 3]"]);
        refuses(&good, Some(&model(&[2], OutputShape::Classes(1))), &["\"y\"", "example 1", "0 to 0"]);
        refuses(&good, Some(&model(&[2], OutputShape::Values(1))), &["\"y\"", "I64"]);
        refuses(&file(&[("x", &x), ("y", &x)]), Some(&model(&[2], OutputShape::Classes(2))), &["[2, 2]", "\"y\""]);
        refuses(&file(&[("x", &x)]), None, &["\"y\"", "it has x"]);
        refuses(&file(&[("x", &x), ("y", &ids(&[3], &[0, 1, 1]))]), None, &["[2, 2]", "[3]"]);
        refuses(&file(&[("x", &floats(&[1, 2], &[1.0, f64::NAN])), ("y", &ids(&[1], &[0]))]), None, &["NaN"]);
        refuses(&file(&[("x", &floats(&[0, 2], &[])), ("y", &ids(&[0], &[]))]), None, &["at least one"]);
        let words = shapes(InputShape::Tokens { length: 2, vocabulary: 5 }, OutputShape::Classes(5));
        refuses(&good, Some(&words), &["\"x\"", "F64", "integers"]);
        for end in [0, 7, 60, good.len() - 1] {
            refuses(&good[..end], None, &["whole safetensors file"]);
        }
    }
}
