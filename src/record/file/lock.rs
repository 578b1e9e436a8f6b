//! Who writes a recording: one process at a time.
//!
//! The lock isn't on the file itself: SQLite has its own there, which closing a second handle of the process would lift. It
//! lies in the system's folder for temporary files, goes with the process that holds it, and needs no tidying up.

use std::fs::{File, OpenOptions, TryLockError};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use super::FileError;

/// Held while a recording is written. Where the system has no locks, it holds nothing.
pub(super) struct WriteLock(#[expect(dead_code, reason = "closing it gives the lock back")] Option<File>);

impl WriteLock {
    /// # Errors
    /// [`FileError::WrittenElsewhere`].
    pub fn take(path: &Path) -> Result<Self, FileError> {
        let Some(file) = place(path).and_then(|place| OpenOptions::new().create(true).append(true).open(place).ok())
        else {
            return Ok(Self(None));
        };
        match file.try_lock() {
            Ok(()) => Ok(Self(Some(file))),
            Err(TryLockError::WouldBlock) => Err(FileError::WrittenElsewhere { path: path.into() }),
            Err(TryLockError::Error(_)) => Ok(Self(None)),
        }
    }
}

/// Whether some process (this one, too) writes the recording at the moment.
pub fn is_being_written(path: &Path) -> bool {
    let file = place(path).and_then(|place| File::open(place).ok());
    file.is_some_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

fn place(path: &Path) -> Option<PathBuf> {
    let mut hasher = DefaultHasher::new();
    path.canonicalize().ok()?.hash(&mut hasher);
    Some(std::env::temp_dir().join(format!("landscope-{:016x}.lock", hasher.finish())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_has_one_writer_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.landscope");
        std::fs::write(&path, "").unwrap();
        assert!(!is_being_written(&path));
        let lock = WriteLock::take(&path).unwrap();
        assert!(is_being_written(&path));
        assert!(WriteLock::take(&path).is_err());
        drop(lock);
        assert!(!is_being_written(&path));
        WriteLock::take(&path).unwrap();
    }
}
