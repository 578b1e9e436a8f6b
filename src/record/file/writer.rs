//! Writes a recording while it happens.

use std::collections::HashMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags, params};

use crate::record::reading::{Reading, SeriesId, Snapshot, TrackId};
use crate::record::recording::{Header, Intervention, Note, Outcome, Recording, TrackInfo};
use crate::record::{Checkpoint, Fingerprint};

use super::FileError;
use super::creation;
use super::encode;
use super::lock::WriteLock;
use super::schema::{
    DELETE_CHECKPOINT, INSERT_CHECKPOINT, INSERT_FINGERPRINT, INSERT_INTERVENTION, INSERT_NOTE, INSERT_SERIES,
    INSERT_TRACK, LATER_COLUMNS, LATER_TABLES, TABLES,
};

/// Longest time that rows wait in memory while snapshots keep coming: what `kill -9` can lose.
pub const COMMIT_SECS: f64 = 0.5;

/// Rows that are written at once even sooner, to bound memory.
const COMMIT_ROWS: usize = 8_192;

/// Rows that may wait while another program holds the file (a tool in the middle of reading it).
const HELD_ROWS: usize = 200_000;

/// How long a commit waits for another program, and how long one that can't be put off does.
const HELD_WAITS: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(5)];

/// What waits for the next transaction.
enum Row {
    Track(TrackInfo),
    Series { id: i64, track: TrackId, name: SeriesId, kind: &'static str },
    Reading { series: i64, step: i64, reading: Reading },
    Intervention(Intervention),
    Fingerprint(Fingerprint),
    Note(Note),
    Checkpoint(Checkpoint),
    NoCheckpoint { track: TrackId, step: u64 },
}

/// Number and kind of the series that have begun.
type KnownSeries = HashMap<(TrackId, SeriesId), (i64, &'static str)>;

/// A recording file that is being written; dropping it writes what still waits.
pub struct RecordingWriter {
    path: PathBuf,
    connection: Connection,
    series: KnownSeries,
    next_series: i64,
    waiting: Vec<Row>,
    last_commit: Instant,
    _lock: WriteLock,
}

impl RecordingWriter {
    /// Begins a new file.
    ///
    /// # Errors
    /// [`FileError::Exists`] rather than overwrite; [`FileError::Unwritable`] where no file can be made.
    pub fn create(path: &Path, header: &Header) -> Result<Self, FileError> {
        creation::create(path, header)?;
        let unwritable =
            |source: rusqlite::Error| FileError::Unwritable { path: path.into(), reason: source.to_string() };
        let connection = connect(path).map_err(unwritable)?;
        Ok(Self {
            path: path.into(),
            connection,
            series: HashMap::new(),
            next_series: 1,
            waiting: Vec::new(),
            last_commit: Instant::now(),
            _lock: WriteLock::take(path)?,
        })
    }

    /// Goes on with a recording that exists, whole: later rows come after those it has.
    ///
    /// # Errors
    /// [`FileError::WrittenElsewhere`] if another window or program writes it; as [`Self::flush`].
    pub fn reopen(path: &Path) -> Result<Self, FileError> {
        let lock = WriteLock::take(path)?;
        let database = |source| FileError::Database { path: path.into(), source };
        let open = || {
            let connection = connect(path)?;
            bring_up_to_date(&connection)?;
            let series = known_series(&connection)?;
            Ok((connection, series))
        };
        let (connection, series) = open().map_err(database)?;
        let next_series = series.values().map(|(id, _)| id + 1).max().unwrap_or(1);
        let (path, waiting, last_commit) = (path.into(), Vec::new(), Instant::now());
        Ok(Self { path, connection, series, next_series, waiting, last_commit, _lock: lock })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Throws the recording away, file and all.
    ///
    /// # Errors
    /// [`FileError::Unwritable`] if it can't be removed.
    pub fn discard(mut self) -> Result<(), FileError> {
        self.waiting.clear();
        let path = self.path.clone();
        drop(self);
        std::fs::remove_file(&path).map_err(|error| FileError::Unwritable { path, reason: error.to_string() })
    }

    /// Adds a snapshot; it is in the file within [`COMMIT_SECS`] if further calls follow.
    ///
    /// # Errors
    /// [`FileError::Misfit`] if a series changes its kind (nothing of the snapshot is then written),
    /// [`FileError::Database`] if the disk is full or the file went away; rows then wait for the next attempt.
    pub fn append(&mut self, snapshot: &Snapshot) -> Result<(), FileError> {
        let misfit = |id: &SeriesId, reason| FileError::Misfit { series: id.to_string(), step: snapshot.step, reason };
        let step = i64::try_from(snapshot.step);
        for (id, reading) in &snapshot.readings {
            if step.is_err() {
                return Err(misfit(id, "the step is beyond what a file can hold"));
            }
            let kind = encode::table(reading).name;
            let began = self.series.get(&(snapshot.track, id.clone())).map(|&(_, began)| began);
            if began.is_some_and(|began| began != kind && !(heavy(began) && heavy(kind))) {
                return Err(misfit(id, "it began with readings of another kind"));
            }
        }
        for (id, reading) in &snapshot.readings {
            let kind = encode::table(reading).name;
            let next = self.next_series;
            let (series, _) = *self.series.entry((snapshot.track, id.clone())).or_insert_with(|| {
                self.next_series += 1;
                self.waiting.push(Row::Series { id: next, track: snapshot.track, name: id.clone(), kind });
                (next, kind)
            });
            self.waiting.push(Row::Reading { series, step: step.unwrap_or(i64::MAX), reading: reading.clone() });
        }
        self.commit_if_due()
    }

    /// Names a track.
    ///
    /// # Errors
    /// As [`Self::flush`].
    pub fn begin_track(&mut self, info: &TrackInfo) -> Result<(), FileError> {
        self.waiting.push(Row::Track(info.clone()));
        self.commit_if_due()
    }

    /// # Errors
    /// As [`Self::flush`].
    pub fn intervene(&mut self, mark: &Intervention) -> Result<(), FileError> {
        self.waiting.push(Row::Intervention(mark.clone()));
        self.commit_if_due()
    }

    /// # Errors
    /// As [`Self::flush`].
    pub fn fingerprint(&mut self, fingerprint: &Fingerprint) -> Result<(), FileError> {
        self.waiting.push(Row::Fingerprint(fingerprint.clone()));
        self.commit_if_due()
    }

    /// What the user wrote at a step.
    ///
    /// # Errors
    /// As [`Self::flush`].
    pub fn note(&mut self, note: &Note) -> Result<(), FileError> {
        self.waiting.push(Row::Note(note.clone()));
        self.commit_if_due()
    }

    /// Adds a checkpoint.
    ///
    /// # Errors
    /// As [`Self::flush`].
    pub fn checkpoint(&mut self, checkpoint: &Checkpoint) -> Result<(), FileError> {
        self.waiting.push(Row::Checkpoint(checkpoint.clone()));
        self.commit_if_due()
    }

    /// Removes a checkpoint: its place in the file is used again.
    ///
    /// # Errors
    /// As [`Self::flush`].
    pub fn drop_checkpoint(&mut self, track: TrackId, step: u64) -> Result<(), FileError> {
        self.waiting.push(Row::NoCheckpoint { track, step });
        self.commit_if_due()
    }

    /// Says how a track ended and writes all that waits. More may follow (a finished run that goes on).
    ///
    /// # Errors
    /// As [`Self::flush`].
    pub fn finish(&mut self, track: TrackId, outcome: &Outcome) -> Result<(), FileError> {
        self.flush_now()?;
        let json = serde_json::to_string(outcome).expect("an outcome is plain data");
        self.transact(|connection| {
            connection.execute("DELETE FROM outcome WHERE track = ?1", params![track.0])?;
            connection.execute("INSERT INTO outcome (json, track) VALUES (?1, ?2)", params![json, track.0])?;
            Ok(())
        })
    }

    /// Writes all that waits. While another program holds the file, rows go on waiting, which is no error until there
    /// are too many.
    ///
    /// # Errors
    /// [`FileError::Database`]; what waits goes on waiting.
    pub fn flush(&mut self) -> Result<(), FileError> {
        match self.write_waiting() {
            Err(FileError::Database { source, .. }) if is_busy(&source) && self.waiting.len() < HELD_ROWS => {
                self.last_commit = Instant::now();
                Ok(())
            }
            result => result,
        }
    }

    /// As [`Self::flush`], for what can't be put off.
    fn flush_now(&mut self) -> Result<(), FileError> {
        self.wait_for_others(HELD_WAITS[1]);
        let result = self.write_waiting();
        self.wait_for_others(HELD_WAITS[0]);
        result
    }

    fn wait_for_others(&self, time: Duration) {
        // Without it a commit that finds the file held fails at once, and is tried again.
        let _ = self.connection.busy_timeout(time);
    }

    fn write_waiting(&mut self) -> Result<(), FileError> {
        if !self.waiting.is_empty() {
            self.transact(|connection| write_rows(connection, &self.waiting))?;
            self.waiting.clear();
        }
        self.last_commit = Instant::now();
        Ok(())
    }

    /// Writes all so far into a second, compact file, which replaces `dest` only when it is whole.
    ///
    /// # Errors
    /// [`FileError::IsBeingWritten`] if `dest` is this very file, [`FileError::Unwritable`] if it can't be made.
    pub fn save_copy(&mut self, dest: &Path) -> Result<(), FileError> {
        if let (Ok(own), Ok(other)) = (self.path.canonicalize(), dest.canonicalize())
            && own == other
        {
            return Err(FileError::IsBeingWritten { path: dest.into() });
        }
        self.flush_now()?;
        replace(dest, |partial| {
            let target = partial.to_str().ok_or("its name isn't valid UTF-8")?;
            self.connection.execute("VACUUM INTO ?1", params![target]).map_err(|error| error.to_string())?;
            Ok(())
        })
    }

    fn commit_if_due(&mut self) -> Result<(), FileError> {
        let due = self.last_commit.elapsed() >= Duration::from_secs_f64(COMMIT_SECS);
        if due || self.waiting.len() >= COMMIT_ROWS { self.flush() } else { Ok(()) }
    }

    fn transact(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<()>) -> Result<(), FileError> {
        let all = || {
            let transaction = self.connection.unchecked_transaction()?;
            work(&transaction)?;
            transaction.commit()
        };
        all().map_err(|source| FileError::Database { path: self.path.clone(), source })
    }
}

impl Drop for RecordingWriter {
    fn drop(&mut self) {
        // Whoever wants to know calls `flush` first.
        let _ = self.flush_now();
    }
}

/// Writes a whole recording, replacing `dest` only when the new file is complete.
///
/// # Errors
/// [`FileError::Unwritable`] and [`FileError::Database`].
pub fn save(dest: &Path, recording: &Recording) -> Result<(), FileError> {
    replace(dest, |partial| {
        let text = |error: FileError| error.to_string();
        let mut writer = RecordingWriter::create(partial, &recording.header).map_err(text)?;
        for (track, contents) in recording.tracks() {
            if !contents.label.is_empty() || !contents.attributes.is_empty() || contents.parent.is_some() {
                let (label, attributes) = (contents.label.clone(), contents.attributes.clone());
                writer
                    .begin_track(&TrackInfo { id: track, label, attributes, parent: contents.parent })
                    .map_err(text)?;
            }
            // A branch's history is its parent's.
            let first = contents.parent.map_or(0, |fork| fork.step);
            for (id, series) in contents.series() {
                series
                    .for_each(|step, reading| {
                        let readings = vec![(id.clone(), reading)];
                        if step < first { Ok(()) } else { writer.append(&Snapshot { track, step, readings }) }
                    })
                    .map_err(text)?;
            }
        }
        recording.interventions.iter().try_for_each(|mark| writer.intervene(mark)).map_err(text)?;
        recording.fingerprints.iter().try_for_each(|fingerprint| writer.fingerprint(fingerprint)).map_err(text)?;
        recording.notes.iter().try_for_each(|note| writer.note(note)).map_err(text)?;
        for (track, _) in recording.tracks() {
            if let Some(outcome) = recording.outcome_of(track) {
                writer.finish(track, outcome).map_err(text)?;
            }
        }
        writer.flush().map_err(text)
    })
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked))
}

fn heavy(kind: &str) -> bool {
    matches!(kind, "matrix" | "density" | "surface")
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.busy_timeout(HELD_WAITS[0])?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    Ok(connection)
}

/// Makes the tables and columns that came after the file was begun.
fn bring_up_to_date(connection: &Connection) -> rusqlite::Result<()> {
    let transaction = connection.unchecked_transaction()?;
    for (table, sql) in LATER_TABLES {
        if !transaction.table_exists(None, *table)? {
            transaction.execute_batch(sql)?;
        }
    }
    for (table, column, declaration, _) in LATER_COLUMNS {
        if !transaction.column_exists(None, *table, *column)? {
            transaction.execute_batch(&format!("ALTER TABLE {table} ADD COLUMN {column} {declaration}"))?;
        }
    }
    transaction.commit()
}

fn known_series(connection: &Connection) -> rusqlite::Result<KnownSeries> {
    let mut statement = connection.prepare("SELECT id, track, name, kind FROM series")?;
    let mut rows = statement.query([])?;
    let mut series = HashMap::new();
    while let Some(row) = rows.next()? {
        let kind: String = row.get(3)?;
        if let Some(table) = TABLES.iter().find(|table| table.name == kind) {
            series.insert((TrackId(row.get(1)?), SeriesId::owned(row.get::<_, String>(2)?)), (row.get(0)?, table.name));
        }
    }
    Ok(series)
}

fn write_rows(connection: &Connection, rows: &[Row]) -> rusqlite::Result<()> {
    let mut series = connection.prepare(INSERT_SERIES)?;
    let mut readings = TABLES
        .iter()
        .map(|table| Ok((table.name, connection.prepare(table.insert)?)))
        .collect::<rusqlite::Result<Vec<_>>>()?;
    for row in rows {
        match row {
            Row::Track(info) => {
                let attributes = serde_json::to_string(&info.attributes).expect("attributes are text");
                let parent = (info.parent.map(|fork| fork.track.0), info.parent.map(|fork| integer(fork.step)));
                connection.execute(INSERT_TRACK, params![info.id.0, info.label, attributes, parent.0, parent.1])?;
            }
            Row::Series { id, track, name, kind } => {
                series.execute(params![id, track.0, name.as_str(), kind])?;
            }
            Row::Reading { series, step, reading } => {
                let name = encode::table(reading).name;
                let found = readings.iter_mut().find(|(table, _)| *table == name);
                let (_, statement) = found.expect("every kind of reading has a table");
                encode::insert(statement, *series, *step, reading)?;
            }
            Row::Intervention(mark) => {
                let row = params![integer(mark.step), mark.knob, mark.from, mark.to, mark.track.0];
                connection.execute(INSERT_INTERVENTION, row)?;
            }
            Row::Fingerprint(Fingerprint { track, step, hash }) => {
                connection.execute(INSERT_FINGERPRINT, params![integer(*step), hash, track.0])?;
            }
            Row::Note(note) => {
                connection.execute(INSERT_NOTE, params![note.track.0, integer(note.step), note.text])?;
            }
            Row::Checkpoint(Checkpoint { track, step, data }) => {
                connection.execute(INSERT_CHECKPOINT, params![track.0, integer(*step), data.as_slice()])?;
            }
            Row::NoCheckpoint { track, step } => {
                connection.execute(DELETE_CHECKPOINT, params![track.0, integer(*step)])?;
            }
        }
    }
    Ok(())
}

/// A step as SQLite has integers.
fn integer(step: u64) -> i64 {
    i64::try_from(step).unwrap_or(i64::MAX)
}

/// Lets `write` make a file beside `dest` and moves it there when it is whole and on the disk.
pub(super) fn replace(dest: &Path, write: impl FnOnce(&Path) -> Result<(), String>) -> Result<(), FileError> {
    let unwritable = |reason: String| FileError::Unwritable { path: dest.into(), reason };
    let name = dest.file_name().ok_or_else(|| unwritable("it isn't the name of a file".into()))?;
    let folder = dest.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        return Err(unwritable(format!("there is no folder {folder:?}")));
    }
    let mut partial_name = std::ffi::OsString::from(".");
    partial_name.push(name);
    partial_name.push(format!(".{}.partial", std::process::id()));
    let partial = folder.join(partial_name);
    // Left over from a process that was killed and had our number.
    let _ = fs::remove_file(&partial);
    let done = write(&partial)
        .and_then(|()| {
            File::open(&partial).and_then(|file| file.sync_all()).map_err(|error| error.to_string())?;
            fs::rename(&partial, dest).map_err(|error| error.to_string())
        })
        .map_err(unwritable);
    if done.is_err() {
        let _ = fs::remove_file(&partial);
    }
    done
}
