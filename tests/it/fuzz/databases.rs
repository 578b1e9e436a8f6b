//! Whole databases whose values, tables and views are not what a recording has.

use std::fs;
use std::path::{Path, PathBuf};

use landscope::base::rng::Stream;
use landscope::labs::{Experiment, LABS};
use landscope::record::file::{self, RecordingWriter};
use landscope::record::{Reading, SeriesId, Snapshot, TrackId, TrackInfo};
use landscope::run::bench::{Preset, Program, Values};
use rand::Rng;
use rusqlite::types::Value;
use rusqlite::{Connection, params};

use super::{Case, bytes, exercise, texts, trained};

const TABLES: &[&str] = &[
    "scalar",
    "estimate",
    "vector",
    "matrix",
    "density",
    "surface",
    "spectrum",
    "series",
    "track",
    "intervention",
    "fingerprint",
    "outcome",
    "header",
    "meta",
    "checkpoint",
    "note",
];

const HOSTILE: &[&str] = &[
    "NULL",
    "0",
    "-1",
    "1",
    "9223372036854775807",
    "-9223372036854775808",
    "4294967296",
    "65536",
    "1e308",
    "-1e308",
    "9e999",
    "-9e999",
    "0.5",
    "''",
    "'text'",
    "x'00ff'",
    "x''",
    "zeroblob(4)",
    "zeroblob(100000)",
    "x'0000c07f000080ff00000080ffff7f7f01000000'",
    "zeroblob(324)",
    "CAST(x'fffe80' AS TEXT)",
    "'{}'",
    "'[]'",
    "'null'",
    "'{\"a\": 1}'",
    "char(0)",
    "replace(hex(zeroblob(500)), '0', 'é')",
];

/// A recording of a lab, so that its header has charts.
fn lab_recording(place: &Path, index: usize) -> PathBuf {
    let path = place.join(format!("lab-{index}.base"));
    if path.exists() {
        return path;
    }
    let lab = LABS[index];
    let values = Values::preset(lab.knobs(), Preset::Instant);
    let header = Experiment(lab).header(&values);
    let mut writer = RecordingWriter::create(&path, &header).unwrap();
    for id in 0..3 {
        let attributes =
            [("width", "8"), ("seed", "0"), ("lr", "0.1"), ("layer", "3")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        let info =
            TrackInfo { id: TrackId(id), label: format!("track {id}"), attributes: attributes.into(), parent: None };
        writer.begin_track(&info).unwrap();
        for step in 0..5 {
            let named = |name: &str, value: f64| (SeriesId::owned(name), Reading::Scalar(value));
            let readings =
                vec![named("train_loss", 1.0 / (1 + step) as f64), named("sharpness", 3.0), named("kurtosis", 1.5)];
            writer.append(&Snapshot { track: TrackId(id), step, readings }).unwrap();
        }
    }
    drop(writer);
    path
}

fn columns(database: &Connection, table: &str) -> Vec<String> {
    let mut statement = database.prepare("SELECT name FROM pragma_table_info(?1)").unwrap();
    statement.query_map([table], |row| row.get(0)).unwrap().flatten().collect()
}

/// Takes the rules off a table, which keep hostile values out.
fn without_rules(database: &Connection, table: &str) {
    let sql = format!(
        "ALTER TABLE {table} RENAME TO before; CREATE TABLE {table} AS SELECT * FROM before; DROP TABLE before"
    );
    // A view in the way is hostile enough.
    let _ = database.execute_batch(&sql);
}

fn one<'a>(list: &[&'a str], random: &mut Stream) -> &'a str {
    list[random.random_range(0..list.len())]
}

fn statement(database: &Connection, random: &mut Stream) -> String {
    let table = one(TABLES, random);
    let columns = columns(database, table);
    if columns.is_empty() {
        return String::new();
    }
    let column = &columns[random.random_range(0..columns.len())];
    let value = one(HOSTILE, random);
    let rows = ["", "WHERE rowid = 1", "WHERE rowid % 3 = 0", "WHERE rowid = (SELECT max(rowid) FROM TABLE)"];
    let rows = one(&rows, random).replace("TABLE", table);
    let endless = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT ";
    let all = columns.iter().map(|name| format!("x AS {name}")).collect::<Vec<_>>().join(", ");
    match random.random_range(0..16) {
        0..=5 => format!("UPDATE {table} SET {column} = {value} {rows}"),
        6 => format!("DELETE FROM {table} {rows}"),
        7 => format!("DROP TABLE {table}; CREATE VIEW {table} AS {endless} {all} FROM c"),
        8 => format!("DROP TABLE {table}"),
        9 => format!("ALTER TABLE {table} DROP COLUMN {column}"),
        10 => {
            // Many rows, often backwards.
            let count = random.random_range(1..3_000);
            let of = columns
                .iter()
                .map(|name| match (name.as_str(), random.random_range(0..3)) {
                    ("series", _) => "series".into(),
                    ("step", 0) => "100000 - i".into(),
                    ("step", 1) => "i % 7".into(),
                    ("step", _) => "i".into(),
                    (name, _) => name.to_owned(),
                })
                .collect::<Vec<String>>()
                .join(", ");
            format!(
                "INSERT INTO {table} SELECT {of} FROM (SELECT * FROM {table} LIMIT 2), \
                 (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) SELECT i FROM n)"
            )
        }
        11 => "CREATE TRIGGER a AFTER UPDATE ON scalar BEGIN DELETE FROM header; END; CREATE TABLE \"\"(x); \
               CREATE VIEW \"'; DROP TABLE scalar; --\" AS SELECT 1"
            .into(),
        12 => {
            format!(
                "DROP TABLE {table}; CREATE TABLE {table} ({}, hidden AS (hex(zeroblob(40000000))))",
                columns.iter().map(|name| format!("{name} DEFAULT 1")).collect::<Vec<_>>().join(", ")
            ) + &format!("; INSERT INTO {table} DEFAULT VALUES")
        }
        13 => format!(
            "DROP TABLE {table}; CREATE TABLE {table} ({}); INSERT INTO {table} DEFAULT VALUES",
            columns
                .iter()
                .map(|name| if name == column {
                    format!("{name} AS (hex(zeroblob(40000000)))")
                } else {
                    format!("{name} DEFAULT 1")
                })
                .collect::<Vec<_>>()
                .join(", ")
        ),
        14 => format!("CREATE INDEX i ON {table}({column}); UPDATE {table} SET {column} = {value} {rows}"),
        _ => format!("UPDATE {table} SET {column} = (SELECT {column} FROM {table} LIMIT 1)"),
    }
}

/// What a value of a valid recording may have become: near to it, at the end of its range, of another kind.
fn near(value: &Value, random: &mut Stream) -> Value {
    let whole = |random: &mut Stream, at: i64| {
        let far = [0, 1, -1, 65_536, 1 << 32, i64::MAX, i64::MIN];
        match random.random_range(0..10) {
            0..=2 => at.saturating_add(random.random_range(-2..=2)),
            3 => at.saturating_mul(random.random_range(-3..=7)),
            _ => far[random.random_range(0..far.len())],
        }
    };
    let real = |random: &mut Stream, at: f64| {
        let far = [0.0, -0.0, 5e-324, 1e-40, 1e38, 1e39, 1e308, -1e308, f64::INFINITY, f64::NEG_INFINITY];
        match random.random_range(0..3) {
            0 => at * [-1.0, 1e-9, 1e9, 1.0 + 1e-15][random.random_range(0..4)],
            _ => far[random.random_range(0..far.len())],
        }
    };
    if random.random_bool(0.1) {
        // Of another kind. SQLite makes of it what suits the column.
        return match random.random_range(0..5) {
            0 => Value::Null,
            1 => Value::Integer(whole(random, 1)),
            2 => Value::Real(real(random, 0.5)),
            3 => Value::Text("é\n'\"\u{202e}".repeat(random.random_range(0..50))),
            _ => Value::Blob(vec![random.random(); random.random_range(0..80)]),
        };
    }
    match value {
        Value::Null => Value::Real(real(random, 1.0)),
        Value::Integer(at) => Value::Integer(whole(random, *at)),
        Value::Real(at) => Value::Real(real(random, *at)),
        Value::Text(text) => Value::Text(match random.random_range(0..8) {
            0 => String::new(),
            1 if text.len() < 1_000 => text.repeat(random.random_range(2..200)),
            _ => texts::damage(text, random),
        }),
        Value::Blob(bytes) => {
            let mut bytes = bytes.clone();
            let size = bytes.len() / 4;
            match random.random_range(0..7) {
                // Numbers among the others that are none, or the largest.
                0..=2 if size > 0 => {
                    for _ in 0..random.random_range(1..=4) {
                        let at = 4 * random.random_range(0..size);
                        let number = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, -1e30, 1e-45, 0.0];
                        let number = number[random.random_range(0..number.len())];
                        bytes[at..at + 4].copy_from_slice(&number.to_le_bytes());
                    }
                }
                3 => bytes.truncate(4 * random.random_range(0..=size)),
                4 if bytes.len() < 10_000 => bytes.extend_from_within(..),
                5 => bytes.fill([0, 0xff, 0x7f][random.random_range(0..3)]),
                _ => bytes::damage(&mut bytes, random, &[]),
            }
            Value::Blob(bytes)
        }
    }
}

/// Changes one value, or the values of a column in a few rows, and leaves the rest of the recording as it is.
fn change(database: &Connection, random: &mut Stream) -> rusqlite::Result<()> {
    let filled = |table: &&&str| {
        let sql = format!("SELECT EXISTS (SELECT 1 FROM {table})");
        database.query_row(&sql, [], |row| row.get(0)).unwrap_or(false)
    };
    let tables: Vec<&&str> = TABLES.iter().filter(filled).collect();
    let table = tables[random.random_range(0..tables.len())];
    let columns = columns(database, table);
    let column = &columns[random.random_range(0..columns.len())];
    // The format's version and the header are one value each: without them there is no recording.
    if ["meta", "header"].contains(table) && random.random_bool(0.8) {
        return Ok(());
    }
    let rows: Vec<i64> = database
        .prepare(&format!("SELECT rowid FROM {table}"))?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for _ in 0..[1, 1, 1, 2, 5][random.random_range(0..5)] {
        let row = rows[random.random_range(0..rows.len())];
        let before: Value =
            database.query_row(&format!("SELECT {column} FROM {table} WHERE rowid = ?1"), [row], |row| row.get(0))?;
        let after = near(&before, random);
        match random.random_range(0..12) {
            0 => database.execute(&format!("DELETE FROM {table} WHERE rowid = ?1"), [row])?,
            1 => {
                // Once more, at the end: a row that comes late, or replaces another.
                let of: Vec<_> = columns.iter().map(|name| if name == column { "?2" } else { name }).collect();
                let sql = format!("INSERT INTO {table} SELECT {} FROM {table} WHERE rowid = ?1", of.join(", "));
                database.execute(&sql, params![row, after])?
            }
            _ => {
                database.execute(&format!("UPDATE {table} SET {column} = ?2 WHERE rowid = ?1"), params![row, after])?
            }
        };
    }
    Ok(())
}

pub fn recording(case: &mut Case<'_>) {
    let base = match case.random.random_range(0..LABS.len() + 8) {
        index if index < LABS.len() => lab_recording(case.place, index),
        index if index < LABS.len() + 4 => trained::recording(case.place),
        _ => bytes::small_recordings(case.place)[1].clone(),
    };
    let path = case.place.join("case.landscope");
    let _ = fs::remove_file(case.place.join("case.landscope-journal"));
    fs::copy(base, &path).unwrap();
    let database = Connection::open(&path).unwrap();
    // What a statement adds ends somewhere: 16 MiB, or 64 of large pages.
    let page: i64 = database.pragma_query_value(None, "page_size", |row| row.get(0)).unwrap();
    let _ = database.pragma_update(None, "max_page_count", if page > 4_096 { 2_048 } else { 16_384 });
    database.pragma_update(None, "journal_mode", "OFF").unwrap();
    database.pragma_update(None, "synchronous", "OFF").unwrap();
    if case.random.random_bool(0.8) {
        let _ = database.pragma_update(None, "journal_mode", "MEMORY");
        let changes = database.unchecked_transaction().unwrap();
        for _ in 0..case.random.random_range(1..6) {
            // The table's own rules refuse some, and those are then as they were.
            let _ = change(&changes, &mut case.random);
        }
        // Where the file would have become too large, all of it is taken back.
        let _ = changes.commit();
    } else {
        for _ in 0..case.random.random_range(1..4) {
            let sql = statement(&database, &mut case.random);
            if let Some(table) = TABLES.iter().find(|table| sql.contains(&format!("UPDATE {table} SET"))) {
                without_rules(&database, table);
            }
            // Some make no sense after those before.
            let _ = database.execute_batch(&sql);
        }
    }
    drop(database);
    exercise::open(case, &path);
}

/// Steps that go backwards, or over and over, by the million: a reader that sorts them in one by one never ends.
#[test]
fn a_million_rows_in_the_wrong_order_are_read_in_seconds() {
    let folder = tempfile::tempdir().unwrap();
    for (table, columns) in [
        ("scalar", "1, STEP, 0.5"),
        ("vector", "1, STEP, x'0000803f'"),
        ("matrix", "1, STEP, 1, 1, x'0000803f'"),
        ("estimate", "1, STEP, 0.5, 0.1, 1, 3, 4, 'f32', 'm', 0.1"),
    ] {
        for steps in ["1000000 - i", "(i * 7919) % 1000003", "CASE WHEN i < 100000 THEN i ELSE i % 100000 END"] {
            let path = folder.path().join("r.landscope");
            let _ = fs::remove_file(&path);
            drop(RecordingWriter::create(&path, &Default::default()).unwrap());
            let database = Connection::open(&path).unwrap();
            let numbers = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 299999) SELECT ";
            let values = columns.replace("STEP", steps);
            database
                .execute_batch(&format!(
                    "PRAGMA journal_mode = OFF; INSERT INTO series VALUES (1, 0, 'x', '{table}'); INSERT INTO {table} {numbers} {values} FROM n"
                ))
                .unwrap();
            drop(database);
            let began = std::time::Instant::now();
            let opened = file::open(&path).unwrap();
            assert!(!opened.recording.is_empty());
            // A hundred times what it takes: this is about rows times rows, not about speed.
            assert!(began.elapsed().as_secs() < 60, "{table} with steps {steps}: {:?}", began.elapsed());
        }
    }
}
