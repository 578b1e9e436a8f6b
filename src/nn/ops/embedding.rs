//! Rows looked up in tables.

use candle_core::{Result, Tensor};

use super::rows::add_rows;

/// The rows of `table` `[V, D]` at `ids` `[B, T]`: `[B T, D]`.
///
/// # Errors
/// Whatever candle says of shapes and the device; an id that isn't below V.
pub fn embed(table: &Tensor, ids: &Tensor) -> Result<Tensor> {
    table.index_select(&ids.flatten_all()?, 0)
}

/// `x + positions`, the first `tokens` rows of `positions` `[T_max, D]` added to each sequence of `x` `[B T, D]`.
///
/// # Errors
/// Whatever candle says of shapes and the device.
pub fn add_positions(x: &Tensor, positions: &Tensor, tokens: usize) -> Result<Tensor> {
    if positions.dim(0)? == tokens { add_rows(x, positions) } else { add_rows(x, &positions.narrow(0, 0, tokens)?) }
}
