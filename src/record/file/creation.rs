//! A new recording appears under its name with its tables and its header, or not at all: a process that is killed in its first
//! moments leaves no file that can't be opened.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, params};

use crate::record::recording::Header;

use super::FileError;
use super::schema::{APPLICATION_ID, FORMAT_VERSION, PAGE_BYTES, SCHEMA};

/// Makes the file, without overwriting anything.
///
/// # Errors
/// [`FileError::Exists`] rather than overwrite; [`FileError::Unwritable`] where no file can be made.
pub(super) fn create(path: &Path, header: &Header) -> Result<(), FileError> {
    if path.exists() {
        return Err(FileError::Exists { path: path.into() });
    }
    let unwritable = |reason: String| FileError::Unwritable { path: path.into(), reason };
    let partial = beside(path).ok_or_else(|| unwritable("it isn't the name of a file".into()))?;
    // Left over from a process that was killed and had our number.
    let _ = fs::remove_file(&partial);
    // Made here and not by SQLite, whose message for a missing folder would not name the reason.
    OpenOptions::new().write(true).create_new(true).open(&partial).map_err(|error| unwritable(error.to_string()))?;
    let made = fill(&partial, header).map_err(|error| unwritable(error.to_string())).and_then(|()| {
        name(&partial, path).map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => FileError::Exists { path: path.into() },
            _ => unwritable(error.to_string()),
        })
    });
    if made.is_err() {
        // Best effort: an unfinished file that we made is of no use to anyone.
        let _ = fs::remove_file(&partial);
    }
    made
}

/// `.name.123.partial` in the same folder.
fn beside(path: &Path) -> Option<PathBuf> {
    let mut name = OsString::from(".");
    name.push(path.file_name()?);
    name.push(format!(".{}.partial", std::process::id()));
    Some(path.with_file_name(name))
}

/// Gives a file its name, unless another has it.
fn name(partial: &Path, path: &Path) -> Result<(), Error> {
    match fs::hard_link(partial, path) {
        Ok(()) => fs::remove_file(partial),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(error),
        // Some file systems have no second names: there, somebody who is as quick as we could lose a file.
        Err(_) if !path.exists() => fs::rename(partial, path),
        Err(error) => Err(error),
    }
}

fn fill(path: &Path, header: &Header) -> rusqlite::Result<()> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.pragma_update(None, "page_size", PAGE_BYTES)?;
    connection.pragma_update(None, "journal_mode", "DELETE")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    connection.pragma_update(None, "user_version", FORMAT_VERSION)?;
    let transaction = connection.unchecked_transaction()?;
    transaction.execute_batch(SCHEMA)?;
    let json = serde_json::to_string(header).expect("a header is plain data");
    transaction.execute("INSERT INTO header VALUES (?1)", params![json])?;
    for (key, value) in [
        ("format", "Landscope recording"),
        ("format_version", &FORMAT_VERSION.to_string()),
        ("program_version", env!("CARGO_PKG_VERSION")),
    ] {
        transaction.execute("INSERT INTO meta VALUES (?1, ?2)", params![key, value])?;
    }
    transaction.commit()?;
    connection.close().map_err(|(_, error)| error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_appears_whole_under_its_name_and_leaves_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.landscope");
        create(&path, &Header::default()).unwrap();
        assert!(super::super::open(&path).unwrap().damage.is_none());
        let before = fs::read(&path).unwrap();
        assert!(matches!(create(&path, &Header::default()), Err(FileError::Exists { .. })));
        assert_eq!(fs::read(&path).unwrap(), before);
        let nowhere = folder.path().join("none").join("a.landscope");
        assert!(matches!(create(&nowhere, &Header::default()), Err(FileError::Unwritable { .. })));
        // What a killed process left doesn't stand in the way.
        fs::remove_file(&path).unwrap();
        fs::write(beside(&path).unwrap(), "half").unwrap();
        create(&path, &Header::default()).unwrap();
        let names: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["a.landscope"]);
    }
}
