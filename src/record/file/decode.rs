//! Rows as readings. Sizes are believed only where the bytes are there.

use std::sync::Arc;

use rusqlite::Row;

use crate::record::reading::{Circumstances, Density, Estimate, Matrix, PathPoint, Reading, Surface};

use super::schema::Table;

/// Largest side of a slice that is believed.
const MAX_SIDE: usize = 4_097;

/// The reading in a row of `table`, or why it isn't one.
pub(super) fn reading(table: &Table, row: &Row<'_>) -> Result<Reading, String> {
    match table.name {
        "scalar" => Ok(Reading::Scalar(real(row, 2)?)),
        "estimate" => estimate(row),
        "vector" => Ok(Reading::Vector(floats(&blob(row, 2)?)?)),
        "matrix" => matrix(row),
        "density" => density(row),
        "surface" => surface(row),
        _ => spectrum(row),
    }
}

fn estimate(row: &Row<'_>) -> Result<Reading, String> {
    Ok(Reading::Estimate(Estimate {
        value: real(row, 2)?,
        residual: real(row, 3)?,
        converged: row.get(4).map_err(text)?,
        products: count(row, 5)?,
        circumstances: circumstances(row, 6)?,
    }))
}

fn matrix(row: &Row<'_>) -> Result<Reading, String> {
    let (rows, columns) = (count(row, 2)?, count(row, 3)?);
    let values = floats(&blob(row, 4)?)?;
    match rows.checked_mul(columns) {
        // Without entries the sides could be anything, and whoever draws them would believe it.
        Some(size) if size == values.len() && (size > 0 || rows.max(columns) == 0) => {
            Ok(Reading::Matrix(Arc::new(Matrix { rows, columns, values })))
        }
        _ => Err(format!("a matrix of {rows} x {columns} has {} entries", values.len())),
    }
}

fn density(row: &Row<'_>) -> Result<Reading, String> {
    let counts = chunks(&blob(row, 10)?, u32::from_le_bytes)?;
    let share = |column| row.get::<_, u32>(column).map_err(text);
    Ok(Reading::Density(Arc::new(Density {
        low: real(row, 2)? as f32,
        high: real(row, 3)? as f32,
        counts,
        below: share(4)?,
        above: share(5)?,
        not_finite: share(6)?,
        mean: real(row, 7)? as f32,
        std: real(row, 8)? as f32,
        zero_share: real(row, 9)? as f32,
    })))
}

fn surface(row: &Row<'_>) -> Result<Reading, String> {
    let n = count(row, 2)?;
    let (loss, accuracy) = (floats(&blob(row, 10)?)?, floats(&blob(row, 11)?)?);
    let valid: Vec<bool> = blob(row, 12)?.iter().map(|&byte| byte != 0).collect();
    let whole = n <= MAX_SIDE
        && loss.len() == n * n
        && valid.len() == n * n
        && (accuracy.is_empty() || accuracy.len() == n * n);
    if !whole {
        return Err(format!("a slice of {n} x {n} has {} losses", loss.len()));
    }
    Ok(Reading::Surface(Arc::new(Surface {
        n,
        radius: real(row, 3)? as f32,
        loss,
        accuracy,
        valid,
        path: path(&blob(row, 13)?)?,
        path_share: real(row, 4)? as f32,
        directions: row.get(5).map_err(text)?,
        axes: [axis(row, 14)?, axis(row, 15)?],
        circumstances: circumstances(row, 6)?,
    })))
}

fn spectrum(row: &Row<'_>) -> Result<Reading, String> {
    let json: String = row.get(2).map_err(text)?;
    let spectrum = serde_json::from_str(&json).map_err(|error| error.to_string())?;
    Ok(Reading::Spectrum(Arc::new(spectrum)))
}

fn circumstances(row: &Row<'_>, first: usize) -> Result<Arc<Circumstances>, String> {
    Ok(Arc::new(Circumstances {
        examples: count(row, first)?,
        dtype: row.get(first + 1).map_err(text)?,
        method: row.get(first + 2).map_err(text)?,
        seconds: real(row, first + 3)?,
    }))
}

fn path(bytes: &[u8]) -> Result<Vec<PathPoint>, String> {
    chunks(bytes, |bytes: [u8; 20]| {
        let float = |at: usize| f32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let step = u64::from_le_bytes(std::array::from_fn(|i| bytes[i]));
        PathPoint { step, a: float(8), b: float(12), loss: float(16) }
    })
}

fn floats(bytes: &[u8]) -> Result<Vec<f32>, String> {
    chunks(bytes, f32::from_le_bytes)
}

/// The values of `N` bytes each that fill `bytes`.
fn chunks<const N: usize, T>(bytes: &[u8], value: impl Fn([u8; N]) -> T) -> Result<Vec<T>, String> {
    let (whole, rest) = bytes.as_chunks::<N>();
    if rest.is_empty() {
        Ok(whole.iter().map(|&chunk| value(chunk)).collect())
    } else {
        Err(format!("{} bytes aren't a multiple of {N}", bytes.len()))
    }
}

/// A number; NULL is NaN.
fn real(row: &Row<'_>, column: usize) -> Result<f64, String> {
    row.get::<_, Option<f64>>(column).map(|value| value.unwrap_or(f64::NAN)).map_err(text)
}

/// The name of an axis; NULL where none was written.
fn axis(row: &Row<'_>, column: usize) -> Result<String, String> {
    row.get::<_, Option<String>>(column).map(Option::unwrap_or_default).map_err(text)
}

fn count(row: &Row<'_>, column: usize) -> Result<usize, String> {
    let value: i64 = row.get(column).map_err(text)?;
    usize::try_from(value).map_err(|_| format!("{value} isn't a number of things"))
}

fn blob(row: &Row<'_>, column: usize) -> Result<Vec<u8>, String> {
    row.get(column).map_err(text)
}

fn text(error: rusqlite::Error) -> String {
    error.to_string()
}
