//! Checkpoints are read one at a time: they are the bulk of a file.

use std::path::Path;
use std::sync::Arc;

use rusqlite::OptionalExtension;

use crate::record::reading::TrackId;
use crate::record::{Checkpoint, CheckpointInfo};

use super::FileError;
use super::check::check;
use super::reader::connect;

/// The last checkpoint of `track` at or before `step`; none if there is none.
pub fn checkpoint_before(known: &[CheckpointInfo], track: TrackId, step: u64) -> Option<CheckpointInfo> {
    known.iter().filter(|info| info.track == track && info.step <= step).max_by_key(|info| info.step).copied()
}

/// Reads the checkpoint at `step` of `track`.
///
/// # Errors
/// [`FileError`] if the file can't be read or has none there.
pub fn checkpoint(path: &Path, track: TrackId, step: u64) -> Result<Checkpoint, FileError> {
    check(path)?;
    let damaged = |error: rusqlite::Error| FileError::Damaged { path: path.into(), what: error.to_string() };
    let connection = connect(path).map_err(damaged)?;
    let sql = "SELECT data FROM checkpoint WHERE track = ?1 AND step = ?2 ORDER BY rowid DESC LIMIT 1";
    let data: Option<Vec<u8>> = connection
        .query_row(sql, (track.0, i64::try_from(step).unwrap_or(i64::MAX)), |row| row.get(0))
        .optional()
        .map_err(damaged)?;
    match data {
        Some(data) => Ok(Checkpoint { track, step, data: Arc::new(data) }),
        None => Err(FileError::NoCheckpoint { path: path.into(), track: track.0, step, hint: "it was removed" }),
    }
}
