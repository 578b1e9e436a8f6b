//! What a file or folder is, by what it holds: what can be done with something that was dropped on the window.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::tasks::spec::TaskKind;

use super::kept_file::read_text;
use super::sweep::Folder;

/// Bytes of the beginning that are looked at.
const HEAD: u64 = 4_096;
/// Largest text of a setting in bytes.
const LARGEST_SETTING: u64 = 1 << 20;
/// Largest list of tensors in a safetensors file in bytes (the format's own limit).
const LARGEST_LIST: u64 = 100_000_000;
/// What every SQLite database begins with.
const SQLITE: &[u8] = b"SQLite format 3\0";
const ZIP: &[u8] = b"PK\x03\x04";

/// What a file or folder is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileKind {
    Recording,
    /// The folder of a sweep.
    Sweep,
    /// A specification, a lab's setting, a saved state or a link, as text.
    Setting(String),
    /// Parameters of a network.
    Weights {
        tensors: usize,
    },
    /// Examples for a task; IDX files mean the folder that they lie in.
    Data {
        task: TaskKind,
        place: PathBuf,
    },
}

/// Looks at a file or folder; reads its beginning, or the list of a folder.
///
/// # Errors
/// One sentence that names the path, what it is, and what is known instead.
pub fn of(path: &Path) -> Result<FileKind, String> {
    let unreadable = |error: std::io::Error| format!("Can't read {}: {error}", path.display());
    if std::fs::metadata(path).map_err(unreadable)?.is_dir() {
        return of_folder(path);
    }
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase()).unwrap_or_default();
    let mut head = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len();
    file.take(HEAD).read_to_end(&mut head).map_err(unreadable)?;
    if head.starts_with(SQLITE) || extension == "landscope" {
        // What is wrong with a damaged recording is said by whoever opens it.
        return Ok(FileKind::Recording);
    }
    let data = |task| Ok(FileKind::Data { task, place: path.to_owned() });
    match extension.as_str() {
        "toml" => return setting(path),
        "safetensors" => return tensors(path, length),
        "npz" if head.starts_with(ZIP) => return data(TaskKind::Npz),
        _ => {}
    }
    if is_idx(path) {
        return of_folder(path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")));
    }
    if head.is_empty() {
        return Err(format!("{} is empty", path.display()));
    }
    if !is_text(&head) {
        return Err(format!("{} is none of what Landscope opens: {KNOWN}", path.display()));
    }
    if head.trim_ascii_start().len() >= 10 && head.trim_ascii_start()[..10].eq_ignore_ascii_case(b"landscope:") {
        return setting(path);
    }
    data(if ["csv", "tsv"].contains(&extension.as_str()) { TaskKind::Csv } else { TaskKind::Text })
}

const KNOWN: &str = "recordings, specifications and saved states (TOML), weights and examples (safetensors), .npz, CSV and text \
                     files, and folders with MNIST's IDX files, CIFAR-10's batches, class folders of PNG pictures or a sweep";

fn setting(path: &Path) -> Result<FileKind, String> {
    match read_text(path, LARGEST_SETTING) {
        Ok(text) => Ok(FileKind::Setting(text)),
        Err(error) => Err(format!("Can't read {} as a setting: {error}", path.display())),
    }
}

/// IDX files by the names of MNIST's.
fn is_idx(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let name = name.trim_end_matches(".gz");
    name.ends_with("-ubyte") && (name.contains("idx3") || name.contains("idx1"))
}

fn of_folder(path: &Path) -> Result<FileKind, String> {
    if Folder::is_one(path) {
        return Ok(FileKind::Sweep);
    }
    let data = |task| Ok(FileKind::Data { task, place: path.to_owned() });
    if path.join("data_batch_1.bin").is_file() || path.join("cifar-10-batches-bin").is_dir() {
        return data(TaskKind::Cifar10);
    }
    let unreadable = |error: std::io::Error| format!("Can't read {}: {error}", path.display());
    let entries: Vec<_> =
        std::fs::read_dir(path).map_err(unreadable)?.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    if entries.iter().any(|entry| is_idx(entry)) {
        return data(TaskKind::Idx);
    }
    let has_picture = |folder: &PathBuf| {
        let mut entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.any(|entry| entry.path().extension().is_some_and(|extension| extension.eq_ignore_ascii_case("png")))
    };
    if entries.iter().any(|entry| entry.is_dir() && has_picture(entry)) {
        return data(TaskKind::ImageFolder);
    }
    Err(format!("The folder {} holds none of what Landscope opens: {KNOWN}", path.display()))
}

/// UTF-8 without control characters; a letter may be cut by the end of the head.
fn is_text(head: &[u8]) -> bool {
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or(""),
        Err(_) => return false,
    };
    !text.is_empty() && !text.contains(|c: char| c.is_control() && !c.is_whitespace())
}

/// A safetensors file: examples where it has tensors `x` and `y`, else weights.
fn tensors(path: &Path, length: u64) -> Result<FileKind, String> {
    let damaged = || format!("{} isn't a whole safetensors file: copy or write it again", path.display());
    let mut file = File::open(path).map_err(|error| format!("Can't read {}: {error}", path.display()))?;
    let mut size = [0; 8];
    file.read_exact(&mut size).map_err(|_| damaged())?;
    let size = u64::from_le_bytes(size);
    if size > LARGEST_LIST || size > length.saturating_sub(8) {
        return Err(damaged());
    }
    let mut list = Vec::new();
    file.take(size).read_to_end(&mut list).map_err(|_| damaged())?;
    let list: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&list).map_err(|_| damaged())?;
    let tensors = list.keys().filter(|name| *name != "__metadata__").count();
    if list.contains_key("x") && list.contains_key("y") {
        return Ok(FileKind::Data { task: TaskKind::Safetensors, place: path.to_owned() });
    }
    Ok(FileKind::Weights { tensors })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor_file(names: &[&str]) -> Vec<u8> {
        let list: Vec<_> = names
            .iter()
            .map(|name| format!("\"{name}\":{{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}}"))
            .collect();
        let list = format!("{{{}}}", list.join(","));
        [&(list.len() as u64).to_le_bytes()[..], list.as_bytes()].concat()
    }

    #[test]
    fn files_are_known_by_what_they_hold() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, bytes).unwrap();
            path
        };
        let data = |task, place: &Path| Ok(FileKind::Data { task, place: place.to_owned() });
        assert_eq!(of(&write("a.db", b"SQLite format 3\0rest")), Ok(FileKind::Recording));
        assert_eq!(of(&write("a.landscope", b"torn")), Ok(FileKind::Recording));
        assert_eq!(of(&write("a.toml", b"seed = 1")), Ok(FileKind::Setting("seed = 1".into())));
        assert_eq!(of(&write("link.txt", b" landscope://1/abc")), Ok(FileKind::Setting(" landscope://1/abc".into())));
        assert_eq!(of(&write("w.safetensors", &tensor_file(&["a", "b"]))), Ok(FileKind::Weights { tensors: 2 }));
        for (name, bytes, task) in [
            ("d.safetensors", tensor_file(&["x", "y"]), TaskKind::Safetensors),
            ("d.npz", b"PK\x03\x04...".to_vec(), TaskKind::Npz),
            ("d.csv", b"a,b\n1,2\n".to_vec(), TaskKind::Csv),
            ("d.txt", "To be, or n\u{f6}t".into(), TaskKind::Text),
        ] {
            let path = write(name, &bytes);
            assert_eq!(of(&path), data(task, &path), "{name}");
        }
        let idx = write("mnist/train-images-idx3-ubyte.gz", b"\x1f\x8b");
        assert_eq!(of(&idx), data(TaskKind::Idx, &folder.path().join("mnist")));
        assert_eq!(of(&folder.path().join("mnist")), data(TaskKind::Idx, &folder.path().join("mnist")));
        write("cifar/data_batch_1.bin", b"");
        assert_eq!(of(&folder.path().join("cifar")), data(TaskKind::Cifar10, &folder.path().join("cifar")));
        write("cats/black/1.PNG", b"");
        assert_eq!(of(&folder.path().join("cats")), data(TaskKind::ImageFolder, &folder.path().join("cats")));
    }

    #[test]
    fn what_is_unknown_is_named_in_one_sentence() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            path
        };
        for (path, word) in [
            (folder.path().join("none"), "Can't read"),
            (folder.path().to_owned(), "holds none"),
            (write("a.bin", b"\x00\x01\xff"), "none of what"),
            (write("a.npz", b"\x00not a zip"), "none of what"),
            (write("empty", b""), "empty"),
            (write("a.safetensors", b"\xff\xff\xff\xff\xff\xff\xff\xff{}"), "whole"),
            (write("b.safetensors", b"abc"), "whole"),
            (write("a.toml", b"\xff"), "Can't read"),
        ] {
            let error = of(&path).unwrap_err();
            assert!(error.contains(word) && error.contains(&path.display().to_string()), "{error}");
        }
    }
}
