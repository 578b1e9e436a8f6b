//! Which checkpoints have appeared in a folder, whole.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use crate::nn::weights;

use super::FINISHED;

/// A file that nobody has written to for so long is looked into.
const SETTLES: Duration = Duration::from_millis(200);
/// One that isn't whole by then is reported, and still waited for.
const PATIENCE: Duration = Duration::from_secs(5);
/// Checkpoints that one look brings at most: their bytes are in memory.
const AT_ONCE: usize = 8;

/// The parameters after `step` updates, as a file has them.
pub struct Arrived {
    pub step: u64,
    pub path: PathBuf,
    pub bytes: Vec<u8>,
    pub hash: blake3::Hash,
    /// Other bytes under this name came before.
    pub again: bool,
}

impl Arrived {
    pub fn name(&self) -> String {
        name(&self.path)
    }
}

/// What a look brings.
pub enum Found {
    Checkpoint(Arrived),
    /// A line for the user.
    Remark(String),
}

/// How far a file is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// Not yet looked into since it changed.
    Fresh,
    /// Looked into and reported: it isn't whole, or can't be read.
    Stuck,
    Taken,
}

struct Seen {
    step: u64,
    size: u64,
    modified: Option<SystemTime>,
    /// When this size and time were first seen.
    since: Instant,
    fate: Fate,
    /// Of the bytes that were taken last.
    hash: Option<blake3::Hash>,
}

impl Seen {
    /// For how long nobody has written to it. Clocks of other machines may be ahead: then only our own counts.
    fn quiet(&self) -> Duration {
        let by_its_time = self.modified.and_then(|time| SystemTime::now().duration_since(time).ok());
        self.since.elapsed().max(by_its_time.unwrap_or_default())
    }
}

/// A folder and what has been seen in it.
pub struct Folder {
    path: PathBuf,
    files: BTreeMap<String, Seen>,
    /// Names that were passed over, and said so.
    strangers: BTreeSet<String>,
    /// Files of examples.
    data: Vec<PathBuf>,
    patience: Duration,
    lost: bool,
}

impl Folder {
    /// `data`: files that are no checkpoints.
    pub fn new(path: &Path, data: Vec<PathBuf>) -> Self {
        Self {
            path: path.into(),
            files: BTreeMap::new(),
            strangers: BTreeSet::new(),
            data,
            patience: PATIENCE,
            lost: false,
        }
    }

    /// What has come, in the order of steps. A file that is still being written holds up those of later steps, until it is whole
    /// or is said to be stuck.
    pub fn look(&mut self) -> Vec<Found> {
        let mut found = Vec::new();
        if self.list(&mut found) {
            self.take(&mut found);
        }
        found
    }

    /// Whether there is nothing to wait for among what has been seen.
    pub fn is_settled(&self) -> bool {
        self.files.values().all(|seen| seen.fate != Fate::Fresh)
    }

    /// Whether the other program has said that no more will come.
    pub fn is_finished(&self) -> bool {
        self.path.join(FINISHED).exists()
    }

    fn list(&mut self, found: &mut Vec<Found>) -> bool {
        let entries = match fs::read_dir(&self.path) {
            Ok(entries) => entries,
            Err(error) => {
                if !std::mem::replace(&mut self.lost, true) {
                    found.push(Found::Remark(format!(
                        "The folder {:?} can't be read ({error}); it is looked for until it is there again",
                        self.path
                    )));
                }
                return false;
            }
        };
        self.lost = false;
        let mut present = BTreeSet::new();
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let Some(step) = step_of(&name) else {
                let hidden = name.starts_with('.') || self.data.iter().any(|path| *path == entry.path());
                if name.ends_with(".safetensors") && !hidden && self.strangers.insert(name.clone()) {
                    found.push(Found::Remark(format!(
                        "{name} is passed over: a checkpoint is called step-N.safetensors, with its number of updates, such as step-000120.safetensors"
                    )));
                }
                continue;
            };
            // Gone again between the list and this look.
            let Ok(metadata) = entry.metadata() else { continue };
            let (size, modified) = (metadata.len(), metadata.modified().ok());
            present.insert(name.clone());
            let before = self.files.get(&name);
            if before.is_some_and(|seen| (seen.size, seen.modified) == (size, modified)) {
                continue;
            }
            let hash = before.and_then(|seen| seen.hash);
            let seen = Seen { step, size, modified, since: Instant::now(), fate: Fate::Fresh, hash };
            self.files.insert(name, seen);
        }
        let gone = |(name, seen): &(&String, &Seen)| !present.contains(*name) && seen.fate != Fate::Taken;
        let gone: Vec<String> = self.files.iter().filter(gone).map(|(name, _)| name.clone()).collect();
        for name in gone {
            self.files.remove(&name);
            found.push(Found::Remark(format!("{name} was removed before it could be read; nothing is known of it")));
        }
        true
    }

    fn take(&mut self, found: &mut Vec<Found>) {
        let mut order: Vec<(u64, String)> = self
            .files
            .iter()
            .filter(|(_, seen)| seen.fate == Fate::Fresh || seen.fate == Fate::Stuck)
            .map(|(name, seen)| (seen.step, name.clone()))
            .collect();
        order.sort();
        let mut taken = 0;
        for (step, name) in order {
            let path = self.path.join(&name);
            let Some(seen) = self.files.get_mut(&name) else { continue };
            if seen.fate == Fate::Stuck {
                continue;
            }
            let quiet = seen.quiet();
            if quiet < SETTLES || taken == AT_ONCE {
                return;
            }
            let whole = match fs::read(&path) {
                Ok(bytes) => weights::check_whole(&bytes).map(|()| bytes).map_err(|error| error.to_string()),
                // The next list says so.
                Err(error) if error.kind() == ErrorKind::NotFound => return,
                Err(error) => Err(format!("it can't be read ({error})")),
            };
            match whole {
                Ok(bytes) => {
                    let hash = blake3::hash(&bytes);
                    let before = seen.hash.replace(hash);
                    seen.fate = Fate::Taken;
                    if before != Some(hash) {
                        taken += 1;
                        found.push(Found::Checkpoint(Arrived { step, path, bytes, hash, again: before.is_some() }));
                    }
                }
                Err(_) if quiet < self.patience => return,
                Err(why) => {
                    seen.fate = Fate::Stuck;
                    found.push(Found::Remark(format!(
                        "{name} is no whole checkpoint: {why} (nothing was written to it for {:.0} s); it is measured as soon as it is whole",
                        quiet.as_secs_f64()
                    )));
                }
            }
        }
    }
}

fn name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// N of `step-N.safetensors`; none for other names and for steps beyond what a recording can hold.
fn step_of(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("step-")?.strip_suffix(".safetensors")?;
    let whole = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|step| whole && i64::try_from(*step).is_ok())
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};

    use crate::nn::params::{Layout, Role};

    use super::*;

    fn bytes(seed: f64) -> Vec<u8> {
        let mut layout = Layout::default();
        layout.push("layer", "layer.weight", &[3, 2], Role::Hidden);
        let flat: Vec<f64> = (0..6).map(|i| seed + f64::from(i)).collect();
        weights::to_bytes(&layout, &layout.unflatten(&flat, DType::F32, &Device::Cpu).unwrap()).unwrap()
    }

    /// A file that looks as if it had been written long ago.
    fn write(folder: &Path, name: &str, bytes: &[u8], secs_ago: u64) {
        let path = folder.join(name);
        fs::write(&path, bytes).unwrap();
        let time = SystemTime::now() - Duration::from_secs(secs_ago);
        fs::File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
    }

    fn look(folder: &mut Folder) -> Vec<String> {
        let words = |found| match found {
            Found::Checkpoint(arrived) => format!("{}{}", arrived.step, if arrived.again { " again" } else { "" }),
            Found::Remark(text) => text,
        };
        folder.look().into_iter().map(words).collect()
    }

    #[test]
    fn names_are_steps_or_they_are_not() {
        assert_eq!(step_of("step-000120.safetensors"), Some(120));
        assert_eq!(step_of("step-0.safetensors"), Some(0));
        for name in [
            "step-.safetensors",
            "step--3.safetensors",
            "step-+3.safetensors",
            "step-3.safetensors.tmp",
            "step-1e3.safetensors",
            "step-18446744073709551615.safetensors",
            "step-99999999999999999999999.safetensors",
            "model.safetensors",
        ] {
            assert_eq!(step_of(name), None, "{name}");
        }
    }

    #[test]
    fn checkpoints_come_once_and_in_order_and_strangers_are_named_once() {
        let place = tempfile::tempdir().unwrap();
        for (name, seed) in [("step-10.safetensors", 1.0), ("step-000002.safetensors", 2.0)] {
            write(place.path(), name, &bytes(seed), 60);
        }
        write(place.path(), "weights.safetensors", b"?", 60);
        write(place.path(), ".step-3.safetensors", b"?", 60);
        write(place.path(), "step-3.safetensors.tmp", b"?", 60);
        write(place.path(), "data.safetensors", b"?", 60);
        let mut folder = Folder::new(place.path(), vec![place.path().join("data.safetensors")]);
        let first = look(&mut folder);
        assert!(first[0].starts_with("weights.safetensors is passed over"), "{first:?}");
        assert_eq!(first[1..], ["2", "10"]);
        assert!(look(&mut folder).is_empty() && folder.is_settled() && !folder.is_finished());
        // Touched, but the same; then other bytes; then removed, which is what people do with old ones.
        write(place.path(), "step-10.safetensors", &bytes(1.0), 50);
        assert!(look(&mut folder).is_empty());
        write(place.path(), "step-10.safetensors", &bytes(9.0), 40);
        assert_eq!(look(&mut folder), ["10 again"]);
        fs::remove_file(place.path().join("step-10.safetensors")).unwrap();
        assert!(look(&mut folder).is_empty());
        write(place.path(), FINISHED, b"", 0);
        assert!(folder.is_finished());
    }

    #[test]
    fn a_file_that_grows_is_waited_for_and_holds_up_later_ones_until_it_is_given_up() {
        let place = tempfile::tempdir().unwrap();
        let whole = bytes(1.0);
        write(place.path(), "step-2.safetensors", &bytes(2.0), 60);
        for cut in [0, 3, 8, 40, whole.len() - 1] {
            write(place.path(), "step-1.safetensors", &whole[..cut], 2);
            let mut folder = Folder::new(place.path(), Vec::new());
            assert!(look(&mut folder).is_empty() && !folder.is_settled(), "{cut} bytes");
            write(place.path(), "step-1.safetensors", &whole[..cut], 20);
            let found = look(&mut folder);
            assert!(found[0].starts_with("step-1.safetensors is no whole checkpoint"), "{found:?}");
            assert_eq!(found[1..], ["2"]);
            assert!(look(&mut folder).is_empty() && folder.is_settled());
            write(place.path(), "step-1.safetensors", &whole, 10);
            assert_eq!(look(&mut folder), ["1"]);
        }
        // Written just now: somebody may still be at it.
        write(place.path(), "step-3.safetensors", &whole, 0);
        let mut folder = Folder::new(place.path(), Vec::new());
        assert_eq!(look(&mut folder), ["1", "2"]);
        assert!(!folder.is_settled());
        std::thread::sleep(SETTLES);
        assert_eq!(look(&mut folder), ["3"]);
    }

    #[test]
    fn what_vanishes_is_said_once() {
        let place = tempfile::tempdir().unwrap();
        let inner = place.path().join("run");
        fs::create_dir(&inner).unwrap();
        write(&inner, "step-1.safetensors", b"half", 2);
        let mut folder = Folder::new(&inner, Vec::new());
        assert!(look(&mut folder).is_empty());
        fs::remove_file(inner.join("step-1.safetensors")).unwrap();
        assert!(look(&mut folder)[0].contains("step-1.safetensors was removed"));
        assert!(look(&mut folder).is_empty());
        fs::remove_dir(&inner).unwrap();
        assert!(look(&mut folder)[0].contains("can't be read"));
        assert!(look(&mut folder).is_empty());
        fs::create_dir(&inner).unwrap();
        write(&inner, "step-4.safetensors", &bytes(1.0), 9);
        assert_eq!(look(&mut folder), ["4"]);
    }
}
