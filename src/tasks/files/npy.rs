//! One NumPy array.

use std::io::Read;
use std::path::Path;

use npyz::{DType, Deserialize, NpyFile, NpyHeader, Order, TypeChar};

use super::reading;
use crate::tasks::budget;
use crate::tasks::error::TaskError;

/// NumPy's own limit.
const LONGEST_HEADER: usize = 10_000;
/// A header has three pairs of brackets; deep nesting would only exhaust the parser's stack.
const MOST_BRACKETS: usize = 64;

/// Numbers in row-major order.
pub struct Array {
    pub shape: Vec<usize>,
    pub numbers: Numbers,
}

pub enum Numbers {
    Whole(Vec<i64>),
    Real(Vec<f64>),
}

impl Numbers {
    /// The numbers as f32.
    ///
    /// # Errors
    /// [`TaskError::NonFinite`], also for numbers beyond f32's range.
    pub fn finite(&self, name: &str, path: &Path) -> Result<Vec<f32>, TaskError> {
        let values: Vec<f32> = match self {
            Numbers::Whole(values) => values.iter().map(|&v| v as f32).collect(),
            Numbers::Real(values) => values.iter().map(|&v| v as f32).collect(),
        };
        match values.iter().position(|v| !v.is_finite()) {
            None => Ok(values),
            Some(at) => Err(TaskError::NonFinite {
                path: path.into(),
                place: format!("array {name:?}, element {at}"),
                value: values[at].to_string(),
            }),
        }
    }
}

/// Reads the array called `name`, of which the archive `path` says that it has `stored` bytes.
///
/// # Errors
/// [`TaskError`], for damaged headers, types that aren't real numbers, and shapes larger than memory or than the array.
pub fn read(mut reader: impl Read, stored: u64, name: &str, path: &Path) -> Result<Array, TaskError> {
    let bad = |message: String| TaskError::BadArchive {
        path: path.into(),
        message: format!("array {name:?}: {}", reading::one_line(message)),
    };
    let (header, length) = header(&mut reader).map_err(&bad)?;
    let shape: Vec<usize> = header.shape().iter().map(|&size| usize::try_from(size).unwrap_or(usize::MAX)).collect();
    let in_memory: Vec<usize> = shape.iter().copied().chain([size_of::<f64>()]).collect();
    budget::check(|| format!("{path:?}, array {name:?} of shape {shape:?},"), &in_memory, "give fewer examples")?;
    let count: u64 = header.shape().iter().product();
    let DType::Plain(kind) = header.dtype() else {
        return Err(wrong_type(path, name, &header));
    };
    let needed = count * kind.size_field();
    let stored = stored.saturating_sub(length as u64);
    if needed > stored {
        return Err(TaskError::WrongSize {
            path: path.into(),
            found: stored,
            expected: needed.to_string(),
            why: format!("array {name:?} claims the shape {shape:?}"),
        });
    }
    let order = header.order();
    let file = NpyFile::with_header(header.clone(), reader);
    let numbers = match (kind.type_char(), kind.size_field()) {
        (TypeChar::Bool, 1) => Numbers::Whole(collect::<bool, _, _>(file, i64::from).map_err(&bad)?),
        (TypeChar::Int, 1) => Numbers::Whole(collect::<i8, _, _>(file, i64::from).map_err(&bad)?),
        (TypeChar::Int, 2) => Numbers::Whole(collect::<i16, _, _>(file, i64::from).map_err(&bad)?),
        (TypeChar::Int, 4) => Numbers::Whole(collect::<i32, _, _>(file, i64::from).map_err(&bad)?),
        (TypeChar::Int, 8) => Numbers::Whole(collect::<i64, _, _>(file, |v| v).map_err(&bad)?),
        (TypeChar::Uint, 1) => Numbers::Whole(collect::<u8, _, _>(file, i64::from).map_err(&bad)?),
        (TypeChar::Uint, 2) => Numbers::Whole(collect::<u16, _, _>(file, i64::from).map_err(&bad)?),
        (TypeChar::Uint, 4) => Numbers::Whole(collect::<u32, _, _>(file, i64::from).map_err(&bad)?),
        // Labels beyond i64 are out of range anyway; as features they would lose digits in any float.
        (TypeChar::Uint, 8) => {
            Numbers::Whole(collect::<u64, _, _>(file, |v| i64::try_from(v).unwrap_or(i64::MAX)).map_err(&bad)?)
        }
        (TypeChar::Float, 4) => Numbers::Real(collect::<f32, _, _>(file, f64::from).map_err(&bad)?),
        (TypeChar::Float, 8) => Numbers::Real(collect::<f64, _, _>(file, |v| v).map_err(&bad)?),
        _ => return Err(wrong_type(path, name, &header)),
    };
    let numbers = match numbers {
        Numbers::Whole(values) => Numbers::Whole(row_major(values, &shape, order)),
        Numbers::Real(values) => Numbers::Real(row_major(values, &shape, order)),
    };
    Ok(Array { shape, numbers })
}

fn wrong_type(path: &Path, name: &str, header: &NpyHeader) -> TaskError {
    TaskError::WrongType {
        path: path.into(),
        name: name.to_owned(),
        found: header.dtype().descr(),
        expected: "convert it to integers, booleans, float32 or float64",
    }
}

/// The header and its bytes, after a look that keeps the parser from overflowing its stack or its integers.
fn header(reader: &mut impl Read) -> Result<(NpyHeader, usize), String> {
    let mut text = vec![0; 10];
    reader.read_exact(&mut text).map_err(|_| "shorter than a header".to_owned())?;
    let length = match text[6] {
        1 => usize::from(u16::from_le_bytes([text[8], text[9]])),
        _ => {
            text.extend([0; 2]);
            reader.read_exact(&mut text[10..]).map_err(|_| "shorter than a header".to_owned())?;
            u32::from_le_bytes([text[8], text[9], text[10], text[11]]) as usize
        }
    };
    if !text.starts_with(b"\x93NUMPY") {
        return Err("doesn't start as a NumPy array does".into());
    }
    if length > LONGEST_HEADER {
        return Err(format!("a header of {length} bytes"));
    }
    let start = text.len();
    text.resize(start + length, 0);
    reader.read_exact(&mut text[start..]).map_err(|_| "its header is cut off".to_owned())?;
    if text[start..].iter().filter(|byte| b"([{".contains(byte)).count() > MOST_BRACKETS {
        return Err("its header nests too deeply".into());
    }
    let numbers = text[start..].split(|byte| !byte.is_ascii_digit()).filter(|digits| !digits.is_empty());
    let product = numbers
        .map(|digits| std::str::from_utf8(digits).ok()?.parse::<u64>().ok())
        .try_fold(1_u64, |product, n| product.checked_mul(n?.max(1)));
    if product.is_none() {
        return Err("its shape is beyond any memory".into());
    }
    // The parser's own message draws a picture over several lines.
    match NpyHeader::from_reader(&text[..]) {
        Ok(header) => Ok((header, text.len())),
        Err(error) => Err(format!("its header can't be parsed ({:?})", error.kind())),
    }
}

fn collect<T: Deserialize, R: Read, U>(file: NpyFile<R>, convert: impl Fn(T) -> U) -> Result<Vec<U>, String> {
    let mut values = Vec::new();
    // Not `collect`: its memory would be asked for by the header's word alone.
    for value in file.data::<T>().map_err(|error| error.to_string())? {
        values.push(convert(value.map_err(|error| error.to_string())?));
    }
    Ok(values)
}

/// Values in row-major order: NumPy also writes the transpose ("Fortran order").
fn row_major<T: Copy>(values: Vec<T>, shape: &[usize], order: Order) -> Vec<T> {
    if order == Order::C || shape.len() < 2 {
        return values;
    }
    let mut at = vec![0; shape.len()];
    let mut rows = Vec::with_capacity(values.len());
    for _ in 0..values.len() {
        let index = at.iter().zip(shape).rev().fold(0, |index, (i, size)| index * size + i);
        rows.push(values[index]);
        for axis in (0..shape.len()).rev() {
            at[axis] += 1;
            if at[axis] < shape[axis] {
                break;
            }
            at[axis] = 0;
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fortran_order_is_transposed() {
        // [[1, 2, 3], [4, 5, 6]] column by column.
        assert_eq!(row_major(vec![1, 4, 2, 5, 3, 6], &[2, 3], Order::Fortran), [1, 2, 3, 4, 5, 6]);
        // [2, 2, 2] with the value 4 i + 2 j + k.
        assert_eq!(row_major(vec![0, 4, 2, 6, 1, 5, 3, 7], &[2, 2, 2], Order::Fortran), [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(row_major(vec![1, 4, 2], &[3, 1], Order::C), [1, 4, 2]);
    }
}
