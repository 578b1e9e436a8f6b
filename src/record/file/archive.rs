//! Reads single pictures of a recording back from its file, for a cursor that stands where memory has thinned them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, params};

use crate::record::reading::{SeriesId, TrackId};
use crate::record::recording::Recording;
use crate::record::series::Place;

use super::FileError;
use super::decode;
use super::reader::{connect, is_there, names_of};
use super::schema::{DENSITY, MATRIX, SPECTRUM, SURFACE, Table};
use super::writer::replace;

/// Tables whose rows may be missing from memory; a [`Place`] has an index into them.
const PICTURES: &[&Table] = &[&MATRIX, &DENSITY, &SURFACE, &SPECTRUM];

/// Rows that one look at the file goes through at most: a few milliseconds.
const ROWS: i64 = 20_000;

/// Longest that reading waits for a commit. The cursor's owner asks again.
const WAIT: Duration = Duration::from_millis(2);

/// A recording's file beside the recording in memory. It may be written meanwhile.
pub struct Archive {
    path: PathBuf,
    connection: Connection,
    series: HashMap<i64, (TrackId, SeriesId)>,
    /// Rows that were looked at, for each of [`PICTURES`].
    seen: [i64; PICTURES.len()],
    selects: [Option<String>; PICTURES.len()],
}

impl Archive {
    /// # Errors
    /// [`FileError::Damaged`] if the file isn't whole.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        let damaged = |error: rusqlite::Error| FileError::Damaged { path: path.into(), what: error.to_string() };
        let connection = connect(path).map_err(damaged)?;
        connection.busy_timeout(WAIT).map_err(damaged)?;
        // A picture is read once and then held by the recording.
        connection.pragma_update(None, "cache_size", -512).map_err(damaged)?;
        let selects = std::array::from_fn(|table| {
            let table = PICTURES[table];
            let columns = names_of(&connection, table.name, table.columns).join(", ");
            let sql = format!("SELECT {columns} FROM {} WHERE rowid = ?1", table.name);
            is_there(&connection, table.name).then_some(sql)
        });
        Ok(Self { path: path.into(), connection, series: HashMap::new(), seen: [0; PICTURES.len()], selects })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Tells `recording` where the file has pictures, those that came since the last call; whether there may be more to tell.
    ///
    /// # Errors
    /// [`FileError::Database`], also while the file is being written to: then another call goes on.
    pub fn index(&mut self, recording: &mut Recording) -> Result<bool, FileError> {
        let mut more = false;
        for table in 0..PICTURES.len() {
            if self.selects[table].is_some() {
                more |= self.index_table(table, recording).map_err(|source| self.fault(source))? == ROWS;
            }
        }
        Ok(more)
    }

    fn index_table(&mut self, table: usize, recording: &mut Recording) -> rusqlite::Result<i64> {
        let sql = format!(
            "SELECT rowid, series, step FROM {} WHERE rowid > ?1 ORDER BY rowid LIMIT {ROWS}",
            PICTURES[table].name
        );
        let mut statement = self.connection.prepare(&sql)?;
        let mut rows = statement.query([self.seen[table]])?;
        let mut count = 0;
        while let Some(row) = rows.next()? {
            let (id, series, step): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
            if !self.series.contains_key(&series) {
                learn_series(&self.connection, &mut self.series)?;
            }
            if let (Some((track, name)), Ok(step)) = (self.series.get(&series), u64::try_from(step)) {
                recording.found(*track, name, step, Place { table: table as u8, row: id });
            }
            self.seen[table] = id;
            count += 1;
        }
        Ok(count)
    }

    /// Reads all pictures that `recording` lacks at `step`; how many there were.
    ///
    /// # Errors
    /// As [`Self::index`].
    pub fn fetch(&self, recording: &mut Recording, step: u64) -> Result<usize, FileError> {
        let missing = recording.missing_at(step);
        let count = missing.len();
        for (track, name, step, place) in missing {
            let table = usize::from(place.table);
            let Some(select) = self.selects.get(table).and_then(Option::as_deref) else { continue };
            let read = || {
                let mut statement = self.connection.prepare(select)?;
                statement.query_row(params![place.row], |row| Ok(decode::reading(PICTURES[table], row)))
            };
            match read() {
                Ok(Ok(reading)) => recording.fetched(track, &name, step, reading),
                // Damaged, or deleted by a rewind meanwhile: the picture before it stays.
                Ok(Err(_)) | Err(rusqlite::Error::QueryReturnedNoRows) => {}
                Err(source) => return Err(self.fault(source)),
            }
        }
        Ok(count)
    }

    fn fault(&self, source: rusqlite::Error) -> FileError {
        FileError::Database { path: self.path.clone(), source }
    }
}

/// Copies a recording, all of it, whatever of it is in memory; `dest` is replaced when the copy is whole.
///
/// # Errors
/// [`FileError::Unwritable`]
pub fn copy(from: &Path, dest: &Path) -> Result<(), FileError> {
    replace(dest, |partial| {
        let text = |error: rusqlite::Error| error.to_string();
        let target = partial.to_str().ok_or("its name isn't valid UTF-8")?;
        let connection = Connection::open_with_flags(from, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(text)?;
        connection.busy_timeout(Duration::from_secs(3)).map_err(text)?;
        connection.execute("VACUUM INTO ?1", params![target]).map_err(text)?;
        Ok(())
    })
}

fn learn_series(connection: &Connection, series: &mut HashMap<i64, (TrackId, SeriesId)>) -> rusqlite::Result<()> {
    let mut statement = connection.prepare("SELECT id, track, name FROM series")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let name: String = row.get(2)?;
        series.insert(row.get(0)?, (TrackId(row.get(1)?), SeriesId::owned(name)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::example;
    use crate::record::file::{self, RecordingWriter};
    use crate::record::{Header, Reading, Snapshot};

    #[test]
    fn every_picture_comes_back_from_the_file_whatever_memory_holds() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("example.landscope");
        let whole = example::recording(1_600);
        file::save(&path, &whole).unwrap();
        let mut small = file::open_within(&path, 3 << 20).unwrap().recording;
        assert!(small.memory().is_thinned, "{:?}", small.memory());
        let mut archive = Archive::open(&path).unwrap();
        while archive.index(&mut small).unwrap() {}
        let track = whole.track(TrackId(0)).unwrap();
        let mut fetched = 0;
        for step in [0, 3, 4, 77, 500, 501, 900, 1_599, 1_600] {
            fetched += archive.fetch(&mut small, step).unwrap();
            for (id, _) in track.series() {
                assert_eq!(whole.latest_at(id, step), small.latest_at(id, step), "{id} at {step}");
            }
        }
        assert!(fetched > 20);
        assert!(small.memory().bytes < 6 << 20, "{:?}", small.memory());
        // A copy has what memory hasn't.
        let again = folder.path().join("copy.landscope");
        copy(&path, &again).unwrap();
        let read = file::read(&again).unwrap();
        for (id, series) in track.series() {
            let copied = read.series(id).unwrap();
            assert_eq!(format!("{series:?}").len(), format!("{copied:?}").len(), "{id}");
        }
        assert!(copy(&folder.path().join("none"), &again).is_err());
    }

    #[test]
    fn a_file_that_grows_is_followed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("growing.landscope");
        let mut writer = RecordingWriter::create(&path, &Header::default()).unwrap();
        let mut recording = Recording::default();
        let mut archive = Archive::open(&path).unwrap();
        let id = SeriesId::owned("m");
        for step in 0..40 {
            let matrix = crate::record::Matrix { rows: 1, columns: 2, values: vec![step as f32, 1.0] };
            let readings = vec![(id.clone(), Reading::Matrix(matrix.into()))];
            let snapshot = Snapshot { track: TrackId(0), step, readings };
            writer.append(&snapshot).unwrap();
            writer.flush().unwrap();
            recording.push(&snapshot).unwrap();
            assert!(!archive.index(&mut recording).unwrap());
        }
        recording.set_memory_budget(1);
        assert!(recording.heavy(&id).unwrap().len() < 10);
        assert_eq!(archive.fetch(&mut recording, 21).unwrap(), 1);
        let Some((21, Reading::Matrix(matrix))) = recording.latest_at(&id, 21) else { panic!() };
        assert_eq!(matrix.values, [21.0, 1.0]);
        assert_eq!(archive.fetch(&mut recording, 21).unwrap(), 0);
    }
}
