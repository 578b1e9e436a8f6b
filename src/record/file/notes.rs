//! Notes on a recording that nobody writes at the moment.

use std::path::Path;

use crate::record::recording::Note;

use super::FileError;
use super::writer::RecordingWriter;

/// Adds a note to the file.
///
/// # Errors
/// [`FileError::WrittenElsewhere`] if somebody writes the file; [`FileError::Database`] if it can't be written.
pub fn add_note(path: &Path, note: &Note) -> Result<(), FileError> {
    let mut writer = RecordingWriter::reopen(path)?;
    writer.note(note)?;
    writer.flush()
}
