//! A recording that another process writes, read as it grows.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::record::reading::TrackId;
use crate::record::recording::Header;

use super::FileError;
use super::check::check;
use super::reader::{Entry, Rows, connect, header};

/// Reads what has come since it last looked. It never writes to the file.
pub struct Follower {
    path: PathBuf,
    connection: Connection,
    rows: Rows,
    /// Changes with every commit of others.
    data_version: Option<i64>,
    known: BTreeSet<TrackId>,
}

impl Follower {
    /// # Errors
    /// As [`super::open`].
    pub fn open(path: &Path) -> Result<(Self, Header), FileError> {
        check(path)?;
        let damaged = |what: String| FileError::Damaged { path: path.into(), what };
        let connection = connect(path).map_err(|error| damaged(error.to_string()))?;
        let header = header(&connection).map_err(damaged)?;
        let rows = Rows::default();
        Ok((Self { path: path.into(), connection, rows, data_version: None, known: BTreeSet::new() }, header))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What came, branches after what they inherit. Nothing where nothing was written.
    pub fn poll(&mut self) -> Vec<Entry> {
        let version = self.connection.query_row("PRAGMA data_version", [], |row| row.get::<_, i64>(0)).ok();
        if version.is_some() && version == self.data_version {
            return Vec::new();
        }
        self.data_version = version;
        let mut entries = Vec::new();
        let Self { connection, rows, .. } = self;
        rows.read(connection, &mut |entry| {
            entries.push(entry);
            Ok(())
        });
        self.known.extend(entries.iter().filter_map(|entry| match entry {
            Entry::Track(info) if info.parent.is_none() => Some(info.id),
            _ => None,
        }));
        let mut begun: Vec<TrackId> = Vec::new();
        for entry in &entries {
            if let Entry::Track(info) = entry
                && info.parent.is_some()
                && self.known.insert(info.id)
            {
                begun.push(info.id);
            }
        }
        // Stable: within a track the order stays.
        entries.sort_by_key(|entry| begun.iter().position(|id| *id == track_of(entry)).map_or(0, |at| at + 1));
        entries
    }
}

fn track_of(entry: &Entry) -> TrackId {
    match entry {
        Entry::Track(info) => info.id,
        Entry::Snapshot(snapshot) | Entry::Late(snapshot) => snapshot.track,
        Entry::Intervention(mark) => mark.track,
        Entry::Fingerprint(fingerprint) => fingerprint.track,
        Entry::Note(note) => note.track,
        Entry::Checkpoint(info) => info.track,
        Entry::Outcome(track, _) => *track,
    }
}
