//! Looks at the first bytes of a file before SQLite does, so that the error can say what the file is.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

use super::FileError;
use super::schema::{APPLICATION_ID, FORMAT_VERSION};

const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// Size of the database header.
const HEADER_BYTES: usize = 100;

/// Beginnings of files that people drop by mistake.
const OTHERS: &[(&[u8], &str)] = &[
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive (or NumPy's .npz)"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x89HDF", "an HDF5 file"),
    (b"<svg", "an SVG picture"),
    (b"<?xml", "an XML or SVG file"),
    (b"\x7fELF", "a program"),
];

/// What the header of a recording says of the file's size.
pub(super) struct Claimed {
    pub page_bytes: u64,
    pub pages: u64,
    pub file_bytes: u64,
}

impl Claimed {
    /// Whether the file ends before its last page.
    pub fn is_cut(&self) -> bool {
        self.file_bytes < self.page_bytes * self.pages
    }
}

/// Makes sure that `path` is a recording this program can read.
pub(super) fn check(path: &Path) -> Result<Claimed, FileError> {
    let unreadable = |source| FileError::Unreadable { path: path.into(), source };
    let not_ours = |found: String| FileError::NotARecording { path: path.into(), found };
    let mut file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if metadata.is_dir() {
        return Err(not_ours("it is a folder".into()));
    }
    let mut head = Vec::with_capacity(HEADER_BYTES);
    match file.by_ref().take(HEADER_BYTES as u64).read_to_end(&mut head) {
        Err(error) if error.kind() != ErrorKind::UnexpectedEof => return Err(unreadable(error)),
        _ => {}
    }
    if head.is_empty() {
        return Err(not_ours("it is empty".into()));
    }
    let shown = head.len().min(MAGIC.len());
    if head[..shown] != MAGIC[..shown] {
        let kind = OTHERS.iter().find(|(start, _)| head.starts_with(start)).map(|(_, kind)| *kind);
        let text = || if std::str::from_utf8(&head).is_ok() { "a text file" } else { "some other kind of file" };
        return Err(not_ours(format!("it is {}", kind.unwrap_or_else(text))));
    }
    if head.len() < HEADER_BYTES {
        return Err(FileError::Damaged { path: path.into(), what: format!("it ends after {} bytes", head.len()) });
    }
    let word = |at: usize| u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    if word(68) != APPLICATION_ID as u32 {
        return Err(not_ours("it is an SQLite database of another program".into()));
    }
    let version = word(60);
    if version > FORMAT_VERSION {
        return Err(FileError::Newer { path: path.into(), found: version, known: FORMAT_VERSION });
    }
    // The header has two bytes for the page size, in which 1 stands for 65,536.
    let page_bytes = match u64::from(u16::from_be_bytes([head[16], head[17]])) {
        1 => 65_536,
        bytes => bytes,
    };
    Ok(Claimed { page_bytes, pages: u64::from(word(28)), file_bytes: metadata.len() })
}
