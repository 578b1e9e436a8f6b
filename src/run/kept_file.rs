//! A small text file that survives crashes: written whole or not at all, with one backup, the version before.

use std::fs::{self, File};
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};

/// Largest file that is read, in bytes: settings are small, and what is larger isn't ours.
const LARGEST: u64 = 1 << 20;

/// Why a text isn't taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// It is no text of this kind: the backup is asked.
    Damaged(String),
    /// It was written by a newer program: it is left alone.
    Newer(String),
}

/// What was found.
#[derive(Debug, PartialEq, Eq)]
pub enum Found<T> {
    /// There is no file yet.
    Nothing,
    Whole(T),
    /// The file is damaged, its backup isn't.
    Backup {
        value: T,
        problem: String,
    },
    /// Both are damaged.
    Lost {
        problem: String,
    },
    /// The file must not be written to.
    Newer {
        problem: String,
    },
}

/// A text file at a fixed place, and its backup beside it.
#[derive(Clone, Debug)]
pub struct KeptFile {
    path: PathBuf,
    /// Whether the file as it stands is worth a backup.
    is_whole: bool,
}

impl KeptFile {
    pub fn new(path: PathBuf) -> Self {
        Self { path, is_whole: false }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    fn beside(&self, ending: &str) -> PathBuf {
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(ending);
        self.path.with_file_name(name)
    }

    /// The version before the present one.
    pub fn backup(&self) -> PathBuf {
        self.beside(".backup")
    }

    /// Reads the file, or else its backup; `check` makes a value of a text.
    pub fn read<T>(&mut self, check: impl Fn(&str) -> Result<T, Doubt>) -> Found<T> {
        let problem = match look(&self.path, &check) {
            Ok(None) => return Found::Nothing,
            Ok(Some(value)) => {
                self.is_whole = true;
                return Found::Whole(value);
            }
            Err(Doubt::Newer(problem)) => return Found::Newer { problem },
            Err(Doubt::Damaged(problem)) => problem,
        };
        match look(&self.backup(), &check) {
            Ok(Some(value)) => Found::Backup { value, problem },
            Err(Doubt::Newer(problem)) => Found::Newer { problem },
            Ok(None) | Err(Doubt::Damaged(_)) => Found::Lost { problem },
        }
    }

    /// Replaces the file: at every moment the old text or the new one is there, whole. A whole old text becomes the backup; a
    /// damaged one is kept beside, as `.damaged`.
    ///
    /// # Errors
    /// One sentence with the path and the cause.
    pub fn write(&mut self, text: &str) -> Result<(), String> {
        let result = self.replace(text);
        self.is_whole |= result.is_ok();
        result.map_err(|error| format!("Can't write {}: {error}", self.path.display()))
    }

    fn replace(&self, text: &str) -> std::io::Result<()> {
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder)?;
        }
        // Two programs at once don't write into one file.
        let new = self.beside(&format!(".new-{}", std::process::id()));
        let written =
            put(&new, text.as_bytes()).and_then(|()| self.keep_old()).and_then(|()| fs::rename(&new, &self.path));
        if written.is_err() {
            // What can't be removed is overwritten next time.
            let _ = fs::remove_file(&new);
        }
        written?;
        settle(&self.path);
        Ok(())
    }

    fn keep_old(&self) -> std::io::Result<()> {
        match fs::read(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
            Ok(old) if self.is_whole => {
                let copy = self.beside(&format!(".backup-{}", std::process::id()));
                put(&copy, &old)?;
                fs::rename(&copy, self.backup())
            }
            Ok(old) => put(&self.beside(".damaged"), &old),
        }
    }
}

fn look<T>(path: &Path, check: &impl Fn(&str) -> Result<T, Doubt>) -> Result<Option<T>, Doubt> {
    match read_text(path, LARGEST) {
        Ok(text) => {
            let place = |what: String| format!("{}: {what}", path.display());
            check(&text).map(Some).map_err(|doubt| match doubt {
                Doubt::Damaged(what) => Doubt::Damaged(place(what)),
                Doubt::Newer(what) => Doubt::Newer(place(what)),
            })
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Doubt::Damaged(format!("{}: {error}", path.display()))),
    }
}

/// A text of at most `largest` bytes.
pub(super) fn read_text(path: &Path, largest: u64) -> std::io::Result<String> {
    let mut text = String::new();
    let read = File::open(path)?.take(largest + 1).read_to_string(&mut text)?;
    if read as u64 > largest {
        return Err(std::io::Error::new(ErrorKind::InvalidData, format!("it is larger than {largest} bytes")));
    }
    Ok(text)
}

/// Writes bytes that are on the disk when it returns.
fn put(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes a renaming outlast a loss of power, where folders can be synchronised.
fn settle(path: &Path) {
    if let Some(Ok(folder)) = path.parent().map(File::open) {
        let _ = folder.sync_all();
    }
}

/// Writes a text that the user wants somewhere.
///
/// # Errors
/// One sentence with the path and what to do.
pub fn write_text(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| {
        format!("Can't write {path:?}: {error}; choose a folder that exists and that may be written to")
    })
}

pub fn is_folder(path: &Path) -> bool {
    path.is_dir()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Result<u64, Doubt> {
        match text.trim() {
            "newer" => Err(Doubt::Newer("from tomorrow".into())),
            text => text.parse().map_err(|_| Doubt::Damaged("no number".into())),
        }
    }

    fn file(folder: &Path) -> KeptFile {
        KeptFile::new(folder.join("deep").join("settings.toml"))
    }

    #[test]
    fn what_is_written_is_read_and_the_version_before_is_the_backup() {
        let folder = tempfile::tempdir().unwrap();
        let mut kept = file(folder.path());
        assert_eq!(kept.read(number), Found::Nothing);
        for value in ["1", "2", "3"] {
            kept.write(value).unwrap();
        }
        assert_eq!(file(folder.path()).read(number), Found::Whole(3));
        assert_eq!(fs::read_to_string(kept.backup()).unwrap(), "2");
        // Nothing else is left behind.
        assert_eq!(fs::read_dir(folder.path().join("deep")).unwrap().count(), 2);
    }

    #[test]
    fn a_file_damaged_at_any_byte_falls_back_to_its_backup_which_stays_whole() {
        let folder = tempfile::tempdir().unwrap();
        let mut kept = file(folder.path());
        kept.write("1").unwrap();
        kept.write("2").unwrap();
        fs::write(kept.path(), b"2\xff\x00").unwrap();
        let mut again = file(folder.path());
        let Found::Backup { value: 1, problem } = again.read(number) else { panic!() };
        assert!(problem.contains("settings.toml"), "{problem}");
        again.write("7").unwrap();
        assert_eq!(fs::read_to_string(again.backup()).unwrap(), "1", "the damaged text is no backup");
        assert_eq!(fs::read(again.beside(".damaged")).unwrap(), b"2\xff\x00");
        assert_eq!(file(folder.path()).read(number), Found::Whole(7));
        again.write("8").unwrap();
        assert_eq!(fs::read_to_string(again.backup()).unwrap(), "7");
    }

    #[test]
    fn nothing_but_damage_is_said_and_a_newer_file_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let mut kept = file(folder.path());
        kept.write("x").unwrap();
        assert!(matches!(file(folder.path()).read(number), Found::Lost { .. }));
        fs::write(kept.path(), "newer").unwrap();
        let Found::Newer { problem } = kept.read(number) else { panic!() };
        assert!(problem.contains("from tomorrow") && problem.contains("settings.toml"), "{problem}");
    }

    #[test]
    fn a_place_that_cannot_be_written_is_named() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("deep"), "a file").unwrap();
        let error = file(folder.path()).write("1").unwrap_err();
        assert!(error.contains("settings.toml"), "{error}");
    }
}
