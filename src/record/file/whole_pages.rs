//! A file that was cut within a page, without that page.
//!
//! SQLite fills the missing end of a page with zeros, and rows whose bytes lay there are read as numbers: wrong ones. So
//! the pages that are whole are copied, and the copy is read.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::check::Claimed;

static COPIES: AtomicU64 = AtomicU64::new(0);

/// The copy; it goes with this value.
pub(super) struct WholePages(PathBuf);

impl WholePages {
    /// `None` for files of whole pages, and for those with not even one.
    pub fn of(path: &Path, claimed: &Claimed) -> io::Result<Option<Self>> {
        let pages = claimed.file_bytes / claimed.page_bytes.max(1);
        if pages == 0 || pages * claimed.page_bytes == claimed.file_bytes {
            return Ok(None);
        }
        let number = COPIES.fetch_add(1, Ordering::Relaxed);
        let copy = Self(std::env::temp_dir().join(format!("landscope-{}-{number}.whole", std::process::id())));
        io::copy(&mut File::open(path)?.take(pages * claimed.page_bytes), &mut File::create(&copy.0)?)?;
        // A process that was killed in the middle of a commit: what it had begun must not be read.
        match std::fs::copy(journal(path), journal(&copy.0)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(Some(copy)),
        }
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

/// Where SQLite keeps what a commit is about to overwrite.
fn journal(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-journal");
    name.into()
}

impl Drop for WholePages {
    fn drop(&mut self) {
        // What can't be removed stays, in a folder that the system empties.
        let _ = std::fs::remove_file(journal(&self.0));
        let _ = std::fs::remove_file(&self.0);
    }
}
