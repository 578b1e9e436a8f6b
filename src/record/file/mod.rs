//! The recording as a file: one SQLite database, written as the run goes.
//!
//! `docs/RECORDING.md` describes the tables for other tools. The choices behind them:
//!
//! - **A rollback journal that is deleted at each commit**, not a write-ahead log: between two commits the recording is
//!   exactly one file, so that a copy taken at any quiet moment, even after `kill -9`, is whole. Two commits a second
//!   cost nothing that a log would save.
//! - **Rows wait in memory for up to [`COMMIT_SECS`]** and are then written in one transaction with statements prepared
//!   once; that is what a killed process loses. Whoever stops appending (a pause) calls [`RecordingWriter::flush`].
//! - **Pages of 32 KiB, no indices, rows in the order of arrival**: a table's tree then has one inner page over its
//!   leaves up to a hundred megabytes, so that a file cut anywhere still opens up to the cut.

mod archive;
mod check;
mod checkpoints;
mod creation;
mod decode;
mod encode;
mod follower;
mod lock;
mod notes;
mod reader;
mod schema;
mod whole_pages;
mod writer;

use std::path::{Path, PathBuf};

use super::recording::Recording;

pub use archive::{Archive, copy};
pub use checkpoints::{checkpoint, checkpoint_before};
pub use follower::Follower;
pub use lock::is_being_written;
pub use notes::add_note;
pub use reader::{Entry, Opened, open, open_within};
pub use schema::{APPLICATION_ID, FORMAT_VERSION};
pub use writer::{COMMIT_SECS, RecordingWriter, save};

/// Why a recording can't be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("Can't read {path:?}: {source}; give the path of a recording that Landscope wrote")]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{path:?} isn't a recording: {found}; open a file that Landscope recorded or saved")]
    NotARecording { path: PathBuf, found: String },
    #[error(
        "{path:?} has format version {found}, and this program reads versions up to {known}; open it with a newer Landscope"
    )]
    Newer { path: PathBuf, found: u32, known: u32 },
    #[error("The recording {path:?} is damaged before its first reading: {what}; restore it from a copy")]
    Damaged { path: PathBuf, what: String },
    #[error("Can't write the recording {path:?}: {reason}; choose a folder that exists and that may be written to")]
    Unwritable { path: PathBuf, reason: String },
    #[error("{path:?} exists already; choose another name, or move the old file away")]
    Exists { path: PathBuf },
    #[error("{path:?} is the recording that is being written; choose another name for the copy")]
    IsBeingWritten { path: PathBuf },
    #[error("{path:?} is being written by another window or program; go on there, or save a copy first and open that")]
    WrittenElsewhere { path: PathBuf },
    #[error("The recording {path:?} has no checkpoint at or before step {step} of track {track}; {hint}")]
    NoCheckpoint { path: PathBuf, track: u32, step: u64, hint: &'static str },
    #[error(
        "Can't write to the recording {path:?}: {source}; look for a full disk or a file that was moved (what was written stays readable)"
    )]
    Database { path: PathBuf, source: rusqlite::Error },
    #[error("Series {series:?} can't be recorded at step {step}: {reason}")]
    Misfit { series: String, step: u64, reason: &'static str },
}

/// Reads a whole recording. Of a file that is damaged or cut, what comes before; [`open`] also says what is missing.
///
/// # Errors
/// [`FileError`] names the file, what was found and what to do.
pub fn read(path: &Path) -> Result<Recording, FileError> {
    open(path).map(|opened| opened.recording)
}
