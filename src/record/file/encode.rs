//! Readings as rows. Binary columns are little-endian on every machine.

use rusqlite::{Statement, params};

use crate::record::reading::{PathPoint, Reading};

use super::schema::{DENSITY, ESTIMATE, MATRIX, SCALAR, SPECTRUM, SURFACE, Table, VECTOR};

pub(super) fn table(reading: &Reading) -> &'static Table {
    match reading {
        Reading::Scalar(_) => &SCALAR,
        Reading::Estimate(_) => &ESTIMATE,
        Reading::Vector(_) => &VECTOR,
        Reading::Matrix(_) => &MATRIX,
        Reading::Density(_) => &DENSITY,
        Reading::Surface(_) => &SURFACE,
        Reading::Spectrum(_) => &SPECTRUM,
    }
}

/// Inserts a reading with the statement of its [`table`].
pub(super) fn insert(statement: &mut Statement<'_>, series: i64, step: i64, reading: &Reading) -> rusqlite::Result<()> {
    match reading {
        // SQLite has no NaN: it stores NULL, which is read back as NaN.
        Reading::Scalar(value) => statement.execute(params![series, step, value]),
        Reading::Estimate(estimate) => {
            let about = &estimate.circumstances;
            statement.execute(params![
                series,
                step,
                estimate.value,
                estimate.residual,
                estimate.converged,
                estimate.products as i64,
                about.examples as i64,
                about.dtype,
                about.method,
                about.seconds
            ])
        }
        Reading::Vector(values) => statement.execute(params![series, step, floats(values)]),
        Reading::Matrix(matrix) => {
            let (rows, columns) = (matrix.rows as i64, matrix.columns as i64);
            statement.execute(params![series, step, rows, columns, floats(&matrix.values)])
        }
        Reading::Density(density) => {
            let counts: Vec<u8> = density.counts.iter().flat_map(|count| count.to_le_bytes()).collect();
            statement.execute(params![
                series,
                step,
                density.low,
                density.high,
                density.below,
                density.above,
                density.not_finite,
                density.mean,
                density.std,
                density.zero_share,
                counts
            ])
        }
        Reading::Surface(surface) => {
            let about = &surface.circumstances;
            let valid: Vec<u8> = surface.valid.iter().map(|&valid| u8::from(valid)).collect();
            statement.execute(params![
                series,
                step,
                surface.n as i64,
                surface.radius,
                surface.path_share,
                surface.directions,
                about.examples as i64,
                about.dtype,
                about.method,
                about.seconds,
                floats(&surface.loss),
                floats(&surface.accuracy),
                valid,
                path(&surface.path),
                surface.axes[0],
                surface.axes[1]
            ])
        }
        Reading::Spectrum(spectrum) => {
            let json = serde_json::to_string(&**spectrum)
                .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
            statement.execute(params![series, step, json])
        }
    }?;
    Ok(())
}

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// 20 bytes a point: step (u64), a, b, loss (f32).
fn path(points: &[PathPoint]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(20 * points.len());
    for point in points {
        bytes.extend(point.step.to_le_bytes());
        for value in [point.a, point.b, point.loss] {
            bytes.extend(value.to_le_bytes());
        }
    }
    bytes
}
