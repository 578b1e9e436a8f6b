//! A sweep on disk.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::base::nesting;

use super::{Cell, Ending, Outcome, Plan, Subject, SweepError};

const PLAN: &str = "sweep.toml";
const CELLS: &str = "cells";
const CELL: &str = "cell.toml";
const RESULT: &str = "result.json";
const LOCK: &str = "lock";
const ATTEMPTS: &str = "attempts.log";
const RECORDING: &str = "recording.landscope";

/// How far a cell is.
#[derive(Clone, Debug, PartialEq)]
pub enum Status {
    Waiting,
    /// Somebody holds its lock.
    Running,
    Done(Ending),
}

/// A folder with a sweep.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
    pub plan: Plan,
}

/// A cell that nobody else runs while this lives.
pub struct Claimed {
    folder: PathBuf,
    // The lock ends with the file, however the process ends.
    _lock: File,
}

fn unwritable(path: &Path) -> impl Fn(std::io::Error) -> SweepError + '_ {
    |error| SweepError::Unwritable { path: path.into(), reason: error.to_string() }
}

/// Writes a file that appears whole or not at all.
fn write_whole(path: &Path, text: &str) -> Result<(), SweepError> {
    let partial = path.with_extension(format!("partial-{}", std::process::id()));
    let write = || {
        let mut file = File::create(&partial)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&partial, path)
    };
    write().map_err(unwritable(path))
}

impl Folder {
    /// Plans into `path`: writes what isn't there yet. An earlier plan of the same subject and base grows by the new values.
    ///
    /// # Errors
    /// [`SweepError::Other`] where another sweep lies already.
    pub fn plan(path: &Path, plan: Plan, subject: &dyn Subject) -> Result<Self, SweepError> {
        let cells = plan.cells(subject)?;
        fs::create_dir_all(path.join(CELLS)).map_err(unwritable(path))?;
        let plan = match Self::open(path) {
            Ok(before) => united(before.plan, plan).map_err(|what| SweepError::Other { path: path.into(), what })?,
            Err(_) if path.join(PLAN).exists() => {
                return Err(SweepError::Other { path: path.into(), what: "its sweep.toml can't be read" });
            }
            Err(_) => plan,
        };
        write_whole(&path.join(PLAN), &toml::to_string(&plan).expect("a plan is what TOML can say"))?;
        let folder = Self { path: path.into(), plan };
        for cell in cells {
            folder.put(&cell)?;
        }
        Ok(folder)
    }

    fn put(&self, cell: &Cell) -> Result<(), SweepError> {
        let folder = self.cell_folder(&cell.name());
        let file = folder.join(CELL);
        if file.exists() {
            return Ok(());
        }
        fs::create_dir_all(&folder).map_err(unwritable(&folder))?;
        write_whole(&file, &toml::to_string(cell).expect("a cell is what TOML can say"))
    }

    /// # Errors
    /// [`SweepError::NoSweep`].
    pub fn open(path: &Path) -> Result<Self, SweepError> {
        let no_sweep = |reason: String| SweepError::NoSweep { path: path.into(), reason };
        let text = fs::read_to_string(path.join(PLAN)).map_err(|error| no_sweep(format!("no {PLAN} ({error})")))?;
        nesting::check(&text).map_err(no_sweep)?;
        let plan = toml::from_str(&text).map_err(|error| no_sweep(error.to_string().trim().replace('\n', " ")))?;
        Ok(Self { path: path.into(), plan })
    }

    /// Whether `path` looks like one.
    pub fn is_one(path: &Path) -> bool {
        path.join(PLAN).is_file()
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    fn cell_folder(&self, name: &str) -> PathBuf {
        self.path.join(CELLS).join(name)
    }

    pub fn recording_of(&self, cell: &Cell) -> PathBuf {
        self.cell_folder(&cell.name()).join(RECORDING)
    }

    /// All cells, the most expensive first, then by name.
    ///
    /// # Errors
    /// [`SweepError::NoSweep`] for a cell that can't be read.
    pub fn cells(&self) -> Result<Vec<Cell>, SweepError> {
        let no_sweep = |reason: String| SweepError::NoSweep { path: self.path.clone(), reason };
        let entries = fs::read_dir(self.path.join(CELLS)).map_err(|error| no_sweep(error.to_string()))?;
        let mut cells = Vec::new();
        for entry in entries {
            let file = entry.map_err(|error| no_sweep(error.to_string()))?.path().join(CELL);
            // A cell whose planning was killed has no file yet.
            let Ok(text) = fs::read_to_string(&file) else { continue };
            nesting::check(&text).map_err(|what| no_sweep(format!("{}: {what}", file.display())))?;
            let cell: Cell =
                toml::from_str(&text).map_err(|error| no_sweep(format!("{}: {}", file.display(), error.message())))?;
            cells.push((cell.name(), cell));
        }
        let cost = |cell: &Cell| cell.cost.unwrap_or(0.0);
        cells.sort_by(|a, b| cost(&b.1).total_cmp(&cost(&a.1)).then_with(|| a.0.cmp(&b.0)));
        Ok(cells.into_iter().map(|(_, cell)| cell).collect())
    }

    /// The result of a cell, if it has one.
    pub fn ending(&self, cell: &Cell) -> Option<Ending> {
        let text = fs::read_to_string(self.cell_folder(&cell.name()).join(RESULT)).ok()?;
        serde_json::from_str(&text).ok()
    }

    pub fn status(&self, cell: &Cell) -> Status {
        if let Some(ending) = self.ending(cell) {
            return Status::Done(ending);
        }
        let lock = File::open(self.cell_folder(&cell.name()).join(LOCK));
        match lock.map(|lock| lock.try_lock()) {
            Ok(Err(TryLockError::WouldBlock)) => Status::Running,
            _ => Status::Waiting,
        }
    }

    /// Takes a cell to run, if it has no result and nobody runs it.
    ///
    /// # Errors
    /// [`SweepError::Unwritable`].
    pub fn claim(&self, cell: &Cell) -> Result<Option<Claimed>, SweepError> {
        let folder = self.cell_folder(&cell.name());
        if folder.join(RESULT).exists() {
            return Ok(None);
        }
        let path = folder.join(LOCK);
        let lock =
            OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(unwritable(&path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(unwritable(&path)(error)),
        }
        // Somebody may have finished it between the first look and the lock.
        if folder.join(RESULT).exists() {
            return Ok(None);
        }
        let claimed = Claimed { folder, _lock: lock };
        claimed.log("started")?;
        // What a killed run left.
        let _ = fs::remove_file(claimed.recording());
        Ok(Some(claimed))
    }

    /// Takes back the results that failed (and with `diverged` those that diverged), so that they run again; how many.
    ///
    /// # Errors
    /// [`SweepError`].
    pub fn retry(&self, diverged: bool) -> Result<usize, SweepError> {
        let mut count = 0;
        for cell in self.cells()? {
            let again = self.ending(&cell).is_some_and(|ending| match ending.outcome {
                Outcome::Failed => true,
                Outcome::Diverged => diverged,
                Outcome::Finished => false,
            });
            if again {
                let path = self.cell_folder(&cell.name()).join(RESULT);
                fs::remove_file(&path).map_err(unwritable(&path))?;
                count += 1;
            }
        }
        Ok(count)
    }
}

impl Claimed {
    pub fn recording(&self) -> PathBuf {
        self.folder.join(RECORDING)
    }

    fn log(&self, what: &str) -> Result<(), SweepError> {
        let path = self.folder.join(ATTEMPTS);
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_secs());
        let line = format!("{what} {now} process {}\n", std::process::id());
        let append = || OpenOptions::new().create(true).append(true).open(&path)?.write_all(line.as_bytes());
        append().map_err(unwritable(&path))
    }

    /// Writes the result and lets go.
    ///
    /// # Errors
    /// [`SweepError::Unwritable`]; the cell then has no result and can be run again.
    pub fn finish(self, ending: &Ending) -> Result<(), SweepError> {
        let text = serde_json::to_string_pretty(ending).expect("an ending is plain data");
        write_whole(&self.folder.join(RESULT), &text)?;
        self.log("finished")
    }
}

/// Axes of both, values in the order of their appearance.
fn united(mut before: Plan, new: Plan) -> Result<Plan, &'static str> {
    if before.subject != new.subject {
        return Err("it is about another lab");
    }
    if before.base != new.base {
        return Err("its cells share other settings");
    }
    if before.axes.iter().map(|axis| &axis.knob).ne(new.axes.iter().map(|axis| &axis.knob)) {
        return Err("it goes over other knobs");
    }
    for (axis, more) in before.axes.iter_mut().zip(new.axes) {
        let fresh: Vec<_> = more.values.into_iter().filter(|value| !axis.values.contains(value)).collect();
        axis.values.extend(fresh);
    }
    before.seeds = before.seeds.max(new.seeds);
    Ok(before)
}

/// Copies cells and results that `into` lacks from another folder of the same sweep; how many results came.
///
/// # Errors
/// [`SweepError::Other`] if it is about something else.
pub fn merge(into: &Folder, from: &Folder) -> Result<usize, SweepError> {
    let other = |what| SweepError::Other { path: from.path.clone(), what };
    let plan = united(into.plan.clone(), from.plan.clone()).map_err(other)?;
    write_whole(&into.path.join(PLAN), &toml::to_string(&plan).expect("a plan is what TOML can say"))?;
    let mut count = 0;
    for cell in from.cells()? {
        into.put(&cell)?;
        let Some(ending) = from.ending(&cell).filter(|_| into.ending(&cell).is_none()) else { continue };
        let Some(claimed) = into.claim(&cell)? else { continue };
        let source = from.recording_of(&cell);
        if source.exists() {
            fs::copy(&source, claimed.recording()).map_err(unwritable(&claimed.recording()))?;
        }
        claimed.finish(&ending)?;
        count += 1;
    }
    Ok(count)
}
