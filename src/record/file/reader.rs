//! Reads a recording back, as much of it as is there.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Row};

use crate::record::memory;
use crate::record::reading::{SeriesId, Snapshot, TrackId};
use crate::record::recording::{Header, Intervention, Note, Outcome, Recording, TrackInfo};
use crate::record::{CheckpointInfo, Fingerprint, Fork};

use super::FileError;
use super::check::{Claimed, check};
use super::decode;
use super::schema::{LATER_COLUMNS, LATER_TABLES, TABLES, Table};
use super::whole_pages::WholePages;

/// A recording as it was found.
#[derive(Clone, Debug)]
pub struct Opened {
    pub recording: Recording,
    /// What is missing, in words for the user; `None` for a file that is whole.
    pub damage: Option<String>,
}

/// What a row says.
#[derive(Clone, Debug)]
pub enum Entry {
    Track(TrackInfo),
    Snapshot(Snapshot),
    /// One of an earlier step than another of its series that came before.
    Late(Snapshot),
    Intervention(Intervention),
    Fingerprint(Fingerprint),
    Note(Note),
    Checkpoint(CheckpointInfo),
    Outcome(TrackId, Outcome),
}

/// Reads a whole recording and says what of it is missing.
///
/// # Errors
/// [`FileError`] names the file, what was found and what to do. A file that is cut or damaged after its header is not
/// an error: what can be read is there, and [`Opened::damage`] says so.
pub fn open(path: &Path) -> Result<Opened, FileError> {
    open_within(path, memory::DEFAULT_BYTES)
}

/// As [`open`], holding at most `budget` bytes of it in memory: what is old is then summarised or thinned.
///
/// # Errors
/// As [`open`].
pub fn open_within(path: &Path, budget: usize) -> Result<Opened, FileError> {
    let claimed = check(path)?;
    let damaged = |what: String| FileError::Damaged { path: path.into(), what };
    let whole = WholePages::of(path, &claimed).map_err(|error| damaged(error.to_string()))?;
    let path = whole.as_ref().map_or(path, WholePages::path);
    let connection = connect(path).map_err(|error| damaged(error.to_string()))?;
    let mut recording = Recording::new(header(&connection).map_err(damaged)?);
    // A commit that a kill cut short is rolled back by now: what was behind what the header said then is whole again.
    let claimed = check(path).ok().filter(|again| !again.is_cut()).unwrap_or(claimed);
    recording.set_memory_budget(budget);
    let mut branches = BTreeMap::new();
    let mut late = Vec::new();
    let mut outcomes = Vec::new();
    let mut rows = Rows::default();
    let faults = rows.read(&connection, &mut |entry| {
        match entry {
            // What it inherits is read first.
            Entry::Track(TrackInfo { id, parent: Some(fork), label, attributes }) => {
                recording.begin_track(&TrackInfo { id, parent: None, label, attributes });
                branches.insert(id, fork);
            }
            Entry::Track(info) => recording.begin_track(&info),
            // Put in one by one, rows that go backwards by the million would each move all the others.
            Entry::Late(snapshot) => late.push(snapshot),
            Entry::Snapshot(snapshot) => match recording.push(&snapshot) {
                Err(misfit) if misfit.is_late => late.push(snapshot),
                result => result.map_err(|misfit| misfit.to_string())?,
            },
            Entry::Intervention(mark) => recording.intervene(mark),
            Entry::Fingerprint(fingerprint) => recording.fingerprints.push(fingerprint),
            Entry::Note(note) => recording.notes.push(note),
            Entry::Checkpoint(info) => recording.checkpoints.push(info),
            Entry::Outcome(track, outcome) => outcomes.push((track, outcome)),
        }
        Ok(())
    });
    recording.insert(late);
    recording.graft(branches);
    outcomes.into_iter().for_each(|(track, outcome)| recording.end_track(track, outcome));
    recording.touch();
    let damage = describe(&claimed, &faults, recording.newest_step());
    Ok(Opened { recording, damage })
}

/// Which rows were read, so that reading can go on as the file grows.
#[derive(Default)]
pub(super) struct Rows {
    /// The last row of each table.
    last: BTreeMap<&'static str, i64>,
    /// With the latest step that was read of each.
    series: HashMap<i64, (TrackId, SeriesId, u64)>,
}

type Visit<'a> = dyn FnMut(Entry) -> Result<(), String> + 'a;

impl Rows {
    /// Visits the rows that came since the last call, table by table, in the order in which they came; what went wrong, a
    /// line a table.
    pub fn read(&mut self, connection: &Connection, visit: &mut Visit<'_>) -> Vec<String> {
        // All tables as they were at one moment: an end isn't told before what came before it.
        let _moment = connection.unchecked_transaction().ok();
        let mut faults = Vec::new();
        let text = |row: &Row<'_>, column| row.get::<_, String>(column).map_err(|error| error.to_string());
        let track = |row: &Row<'_>, column| row.get(column).map(TrackId).map_err(|error| error.to_string());
        let mut scan = |rows: &mut Self, table, columns: &[&str], visit: &mut RowVisit<'_>| {
            rows.scan(connection, table, columns, &mut faults, visit);
        };
        scan(self, "track", &["id", "label", "attributes", "parent", "parent_step"], &mut |_, row| {
            let attributes = serde_json::from_str(&text(row, 2)?).map_err(|error| error.to_string())?;
            let parent: Option<u32> = row.get(3).map_err(|error| error.to_string())?;
            let parent = parent.map(|parent| Ok::<_, String>(Fork { track: TrackId(parent), step: step(row, 4)? }));
            let (id, label) = (track(row, 0)?, text(row, 1)?);
            visit(Entry::Track(TrackInfo { id, label, attributes, parent: parent.transpose()? }))
        });
        scan(self, "series", &["id", "track", "name"], &mut |rows, row| {
            let id = row.get(0).map_err(|error| error.to_string())?;
            rows.series.insert(id, (track(row, 1)?, SeriesId::owned(text(row, 2)?), 0));
            Ok(())
        });
        for table in TABLES {
            scan(self, table.name, table.columns, &mut |rows, row| visit(rows.snapshot(table, row)?));
        }
        scan(self, "intervention", &["step", "knob", "before", "after", "track"], &mut |_, row| {
            let (knob, from, to) = (text(row, 1)?, text(row, 2)?, text(row, 3)?);
            visit(Entry::Intervention(Intervention { track: track(row, 4)?, step: step(row, 0)?, knob, from, to }))
        });
        scan(self, "fingerprint", &["step", "hash", "track"], &mut |_, row| {
            visit(Entry::Fingerprint(Fingerprint { track: track(row, 2)?, step: step(row, 0)?, hash: text(row, 1)? }))
        });
        scan(self, "note", &["track", "step", "text"], &mut |_, row| {
            visit(Entry::Note(Note { track: track(row, 0)?, step: step(row, 1)?, text: text(row, 2)? }))
        });
        scan(self, "checkpoint", &["track", "step", "length(data)"], &mut |_, row| {
            let bytes = row.get::<_, i64>(2).map_err(|error| error.to_string())?.unsigned_abs() as usize;
            visit(Entry::Checkpoint(CheckpointInfo { track: track(row, 0)?, step: step(row, 1)?, bytes }))
        });
        scan(self, "outcome", &["json", "track"], &mut |_, row| {
            let outcome = serde_json::from_str(&text(row, 0)?).map_err(|error| error.to_string())?;
            visit(Entry::Outcome(track(row, 1)?, outcome))
        });
        faults
    }

    fn snapshot(&mut self, table: &Table, row: &Row<'_>) -> Result<Entry, String> {
        let id: i64 = row.get(0).map_err(|error| error.to_string())?;
        let (track, name, latest) = self.series.get_mut(&id).ok_or("it names no series")?;
        let readings = vec![(name.clone(), decode::reading(table, row)?)];
        let snapshot = Snapshot { track: *track, step: step(row, 1)?, readings };
        let is_late = snapshot.step < *latest;
        *latest = snapshot.step.max(*latest);
        Ok(if is_late { Entry::Late(snapshot) } else { Entry::Snapshot(snapshot) })
    }

    /// Visits new rows until the data end or break off; rows that make no sense are passed over.
    fn scan(
        &mut self,
        connection: &Connection,
        table: &'static str,
        columns: &[&str],
        faults: &mut Vec<String>,
        visit: &mut RowVisit<'_>,
    ) {
        if !is_plain(connection, table) {
            // Files of the first versions lack some tables.
            if !LATER_TABLES.iter().any(|(later, _)| *later == table) || is_there(connection, table) {
                faults.push(format!("table {table} is missing, or is no plain table"));
            }
            return;
        }
        let names = names_of(connection, table, columns);
        let sql = format!("SELECT {}, rowid FROM {table} WHERE rowid > ?1 ORDER BY rowid", names.join(", "));
        let mut passed_over = 0_u64;
        let mut last = self.last.get(table).copied().unwrap_or(i64::MIN);
        let mut whole = || -> rusqlite::Result<()> {
            let mut statement = connection.prepare(&sql)?;
            let mut rows = statement.query([last])?;
            while let Some(row) = rows.next()? {
                last = row.get(columns.len())?;
                if visit(self, row).is_err() {
                    passed_over += 1;
                }
            }
            Ok(())
        };
        if let Err(error) = whole() {
            faults.push(format!("table {table} breaks off ({error})"));
        }
        if passed_over > 0 {
            faults.push(format!("{passed_over} rows of table {table} make no sense"));
        }
        self.last.insert(table, last);
    }
}

/// Columns of a table in SQL; for those that the file lacks, what stands for them.
pub(super) fn names_of<'a>(connection: &Connection, table: &str, columns: &[&'a str]) -> Vec<&'a str> {
    let name = |&name: &&'a str| {
        let later = LATER_COLUMNS.iter().find(|(of, column, ..)| *of == table && *column == name);
        later.filter(|_| !has_column(connection, table, name)).map_or(name, |(.., instead)| *instead)
    };
    columns.iter().map(name).collect()
}

type RowVisit<'a> = dyn FnMut(&mut Rows, &Row<'_>) -> Result<(), String> + 'a;

pub(super) fn is_there(connection: &Connection, table: &str) -> bool {
    let sql = "SELECT count(*) FROM sqlite_schema WHERE name = ?1 COLLATE NOCASE";
    connection.query_row(sql, [table], |row| row.get::<_, i64>(0)).is_ok_and(|count| count > 0)
}

/// Whether the rows of `table` lie in the file: a view, a virtual table or a column that is computed could do anything, such
/// as never end.
fn is_plain(connection: &Connection, table: &str) -> bool {
    let count = |sql: &str| connection.query_row(sql, [table], |row| row.get::<_, i64>(0)).ok();
    let named = "SELECT count(*) FROM sqlite_schema WHERE type IN ('table', 'view') AND name = ?1 COLLATE NOCASE";
    let tables = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND rootpage > 0 AND name = ?1";
    let computed = "SELECT count(*) FROM pragma_table_xinfo(?1) WHERE hidden <> 0";
    count(named) == Some(1) && count(tables) == Some(1) && count(computed) == Some(0)
}

pub(super) fn connect(path: &Path) -> rusqlite::Result<Connection> {
    // Writing is only for the journal of a process that was killed in the middle of a commit: SQLite then restores the
    // state before it. Where that isn't allowed, the file is read as it is.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)
        .or_else(|_| Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY))?;
    connection.busy_timeout(Duration::from_secs(3))?;
    connection.pragma_update(None, "query_only", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    // Without this, SQLite refuses a file that is shorter than its header says instead of reading what is there.
    connection.pragma_update(None, "writable_schema", true)?;
    Ok(connection)
}

pub(super) fn header(connection: &Connection) -> Result<Header, String> {
    if !is_plain(connection, "header") {
        return Err("its table of contents can't be read".into());
    }
    let json: String = connection
        .query_row("SELECT json FROM header", [], |row| row.get(0))
        .map_err(|error| format!("its header can't be read ({error})"))?;
    serde_json::from_str(&json).map_err(|error| format!("its header isn't valid ({error})"))
}

/// Columns that came later are missing from older files.
fn has_column(connection: &Connection, table: &str, column: &str) -> bool {
    let sql = "SELECT count(*) FROM pragma_table_info(?1) WHERE name = ?2";
    connection.query_row(sql, [table, column], |row| row.get::<_, i64>(0)).is_ok_and(|count| count > 0)
}

fn step(row: &Row<'_>, column: usize) -> Result<u64, String> {
    let step: i64 = row.get(column).map_err(|error| error.to_string())?;
    u64::try_from(step).map_err(|_| format!("step {step} is negative"))
}

fn describe(claimed: &Claimed, faults: &[String], newest: u64) -> Option<String> {
    let mut text = String::new();
    if claimed.is_cut() {
        let should = claimed.page_bytes * claimed.pages;
        text = format!("The file is cut: {} of {should} bytes are there. ", claimed.file_bytes);
    } else if faults.is_empty() {
        return None;
    } else {
        text.push_str("The file is damaged. ");
    }
    text.push_str(&format!("What could be read goes to step {newest}"));
    if !faults.is_empty() {
        text.push_str(&format!(" ({})", faults.join("; ")));
    }
    Some(text)
}
