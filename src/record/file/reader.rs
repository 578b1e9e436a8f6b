//! Reads a recording back, as much of it as is there.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Row};

use crate::record::memory;
use crate::record::reading::{SeriesId, Snapshot, TrackId};
use crate::record::recording::{Header, Intervention, Outcome, Recording, TrackInfo};

use super::FileError;
use super::check::{Claimed, check};
use super::decode;
use super::schema::{SELECT_SURFACE_WITHOUT_AXES, SELECT_TRACK, SPECTRUM, SURFACE, TABLES, TRACK, Table};
use super::whole_pages::WholePages;

/// A recording as it was found.
#[derive(Clone, Debug)]
pub struct Opened {
    pub recording: Recording,
    /// What is missing, in words for the user; `None` for a file that is whole.
    pub damage: Option<String>,
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
    let header = header(&connection).map_err(damaged)?;
    let mut reader = Reader { recording: Recording::new(header), series: HashMap::new(), faults: Vec::new() };
    reader.recording.set_memory_budget(budget);
    if is_there(&connection, TRACK) {
        reader.read_tracks(&connection);
    }
    reader.read_series(&connection);
    for table in TABLES.iter().filter(|table| table.name != SPECTRUM.name || is_there(&connection, table.name)) {
        reader.read_table(&connection, table);
    }
    reader.read_marks(&connection);
    let Reader { recording, faults, .. } = reader;
    let damage = describe(&claimed, &faults, recording.newest_step());
    Ok(Opened { recording, damage })
}

/// Files of the first versions have no spectra and no named tracks.
pub(super) fn is_there(connection: &Connection, table: &str) -> bool {
    let sql = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?1";
    connection.query_row(sql, [table], |row| row.get::<_, i64>(0)).is_ok_and(|tables| tables == 1)
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

fn header(connection: &Connection) -> Result<Header, String> {
    // A view of that name could do anything; a recording has a table.
    let sql = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'header'";
    let tables: i64 = connection.query_row(sql, [], |row| row.get(0)).map_err(|error| error.to_string())?;
    if tables != 1 {
        return Err("its table of contents can't be read".into());
    }
    let json: String = connection
        .query_row("SELECT json FROM header", [], |row| row.get(0))
        .map_err(|error| format!("its header can't be read ({error})"))?;
    serde_json::from_str(&json).map_err(|error| format!("its header isn't valid ({error})"))
}

struct Reader {
    recording: Recording,
    series: HashMap<i64, (TrackId, SeriesId)>,
    /// What went wrong, a line a table.
    faults: Vec<String>,
}

impl Reader {
    fn read_tracks(&mut self, connection: &Connection) {
        let (recording, faults) = (&mut self.recording, &mut self.faults);
        scan(connection, TRACK, SELECT_TRACK, faults, |row| {
            let attributes: String = row.get(2).map_err(|error| error.to_string())?;
            recording.begin_track(&TrackInfo {
                id: TrackId(row.get(0).map_err(|error| error.to_string())?),
                label: row.get(1).map_err(|error| error.to_string())?,
                attributes: serde_json::from_str(&attributes).map_err(|error| error.to_string())?,
            });
            Ok(())
        });
    }

    fn read_series(&mut self, connection: &Connection) {
        let (series, faults) = (&mut self.series, &mut self.faults);
        scan(connection, "series", "SELECT id, track, name FROM series ORDER BY id", faults, |row| {
            let name: String = row.get(2).map_err(|error| error.to_string())?;
            let track = row.get(1).map_err(|error| error.to_string())?;
            series.insert(row.get(0).map_err(|error| error.to_string())?, (TrackId(track), SeriesId::owned(name)));
            Ok(())
        });
    }

    fn read_table(&mut self, connection: &Connection, table: &Table) {
        let Self { recording, series, faults } = self;
        let nameless = table.name == SURFACE.name && !has_column(connection, table.name, "x_axis");
        let select = if nameless { SELECT_SURFACE_WITHOUT_AXES } else { table.select };
        // One snapshot is filled again and again: a file has millions of rows.
        scan(connection, table.name, select, faults, |row| {
            let id: i64 = row.get(0).map_err(|error| error.to_string())?;
            let (track, name) = series.get(&id).ok_or("it names no series")?;
            let snapshot = Snapshot {
                track: *track,
                step: step(row, 1)?,
                readings: vec![(name.clone(), decode::reading(table, row)?)],
            };
            recording.push(&snapshot).map_err(|misfit| misfit.to_string())
        });
    }

    fn read_marks(&mut self, connection: &Connection) {
        let Self { recording, faults, .. } = self;
        let sql = "SELECT step, knob, before, after FROM intervention ORDER BY rowid";
        scan(connection, "intervention", sql, faults, |row| {
            let text = |column| row.get::<_, String>(column).map_err(|error| error.to_string());
            recording.intervene(Intervention { step: step(row, 0)?, knob: text(1)?, from: text(2)?, to: text(3)? });
            Ok(())
        });
        let sql = "SELECT step, hash FROM fingerprint ORDER BY rowid";
        scan(connection, "fingerprint", sql, faults, |row| {
            let hash = row.get(1).map_err(|error| error.to_string())?;
            recording.fingerprints.push((step(row, 0)?, hash));
            Ok(())
        });
        scan(connection, "outcome", "SELECT json FROM outcome ORDER BY rowid", faults, |row| {
            let json: String = row.get(0).map_err(|error| error.to_string())?;
            recording.outcome = Some(serde_json::from_str::<Outcome>(&json).map_err(|error| error.to_string())?);
            Ok(())
        });
        recording.touch();
    }
}

/// Columns that came later are missing from older files.
pub(super) fn has_column(connection: &Connection, table: &str, column: &str) -> bool {
    let sql = "SELECT count(*) FROM pragma_table_info(?1) WHERE name = ?2";
    connection.query_row(sql, [table, column], |row| row.get::<_, i64>(0)).is_ok_and(|count| count > 0)
}

fn step(row: &Row<'_>, column: usize) -> Result<u64, String> {
    let step: i64 = row.get(column).map_err(|error| error.to_string())?;
    u64::try_from(step).map_err(|_| format!("step {step} is negative"))
}

/// Visits the rows of a query until the data end or break off; rows that make no sense are passed over.
fn scan(
    connection: &Connection,
    table: &str,
    sql: &str,
    faults: &mut Vec<String>,
    mut visit: impl FnMut(&Row<'_>) -> Result<(), String>,
) {
    let mut passed_over = 0_u64;
    let mut whole = || -> rusqlite::Result<()> {
        let mut statement = connection.prepare(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            if visit(row).is_err() {
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
