//! Where a window's runs are recorded as they go, so that nothing is lost to a crash.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::places;

/// Recordings kept; older ones are removed when a new one begins.
const KEPT: usize = 10;
const PREFIX: &str = "playground-";
const EXTENSION: &str = "landscope";

/// A new file in the user's state folder, or none if there is no place: the run then isn't recorded on disk until
/// it is saved.
pub fn path() -> Option<PathBuf> {
    let folder = places::state()?;
    std::fs::create_dir_all(&folder).ok()?;
    prune(&folder);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_millis();
    Some(folder.join(format!("{PREFIX}{now}.{EXTENSION}")))
}

fn prune(folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut ours: Vec<_> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            name.starts_with(PREFIX) && name.ends_with(EXTENSION)
        })
        .collect();
    // Names hold the time of the start.
    ours.sort();
    let surplus = (ours.len() + 1).saturating_sub(KEPT);
    for path in &ours[..surplus.min(ours.len())] {
        // Another window may still write it; what can't be removed stays.
        let _ = std::fs::remove_file(path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_oldest_of_our_own_files_go() {
        let folder = tempfile::tempdir().unwrap();
        for i in 100..115 {
            std::fs::write(folder.path().join(format!("{PREFIX}{i}.{EXTENSION}")), "").unwrap();
        }
        std::fs::write(folder.path().join("mine.landscope"), "").unwrap();
        prune(folder.path());
        let left = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(left, KEPT - 1 + 1);
        assert!(folder.path().join("mine.landscope").exists());
        assert!(folder.path().join(format!("{PREFIX}114.{EXTENSION}")).exists());
        assert!(!folder.path().join(format!("{PREFIX}100.{EXTENSION}")).exists());
    }
}
