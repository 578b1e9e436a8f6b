//! The tables. `docs/RECORDING.md` explains them to other tools: change both together.

/// "LScp": in the database header, where `file` and others look for who owns a database.
pub const APPLICATION_ID: i32 = 0x4c53_6370;

/// Grows when an older program could no longer read the file.
pub const FORMAT_VERSION: u32 = 1;

pub(super) const PAGE_BYTES: u32 = 32_768;

/// Tables with a column `step`, which a rewind shortens.
pub(super) const STEP_TABLES: &[&str] =
    &["scalar", "estimate", "vector", "matrix", "density", "surface", "spectrum", "intervention", "fingerprint"];

/// Created in this order, so that what the rest depends on lies at the beginning of the file.
pub(super) const SCHEMA: &str = "
CREATE TABLE meta (key TEXT NOT NULL, value TEXT NOT NULL);
CREATE TABLE header (json TEXT NOT NULL);
CREATE TABLE outcome (json TEXT NOT NULL);
CREATE TABLE track (id INTEGER NOT NULL, label TEXT NOT NULL, attributes TEXT NOT NULL);
CREATE TABLE series (id INTEGER PRIMARY KEY, track INTEGER NOT NULL, name TEXT NOT NULL, kind TEXT NOT NULL);
CREATE TABLE intervention (step INTEGER NOT NULL, knob TEXT NOT NULL, before TEXT NOT NULL, after TEXT NOT NULL);
CREATE TABLE fingerprint (step INTEGER NOT NULL, hash TEXT NOT NULL);
CREATE TABLE scalar (series INTEGER NOT NULL, step INTEGER NOT NULL, value REAL);
CREATE TABLE estimate (series INTEGER NOT NULL, step INTEGER NOT NULL, value REAL, residual REAL,
    converged INTEGER NOT NULL, products INTEGER NOT NULL,
    examples INTEGER NOT NULL, dtype TEXT NOT NULL, method TEXT NOT NULL, seconds REAL);
CREATE TABLE vector (series INTEGER NOT NULL, step INTEGER NOT NULL, data BLOB NOT NULL);
CREATE TABLE matrix (series INTEGER NOT NULL, step INTEGER NOT NULL, rows INTEGER NOT NULL, columns INTEGER NOT NULL,
    data BLOB NOT NULL);
CREATE TABLE density (series INTEGER NOT NULL, step INTEGER NOT NULL, low REAL, high REAL,
    below INTEGER NOT NULL, above INTEGER NOT NULL, not_finite INTEGER NOT NULL,
    mean REAL, std REAL, zero_share REAL, counts BLOB NOT NULL);
CREATE TABLE surface (series INTEGER NOT NULL, step INTEGER NOT NULL, n INTEGER NOT NULL, radius REAL,
    path_share REAL, directions TEXT NOT NULL,
    examples INTEGER NOT NULL, dtype TEXT NOT NULL, method TEXT NOT NULL, seconds REAL,
    loss BLOB NOT NULL, accuracy BLOB NOT NULL, valid BLOB NOT NULL, path BLOB NOT NULL, x_axis TEXT, y_axis TEXT);
CREATE TABLE spectrum (series INTEGER NOT NULL, step INTEGER NOT NULL, json TEXT NOT NULL);
CREATE VIEW scalars AS SELECT track, name, step, value FROM scalar JOIN series ON series.id = scalar.series;
CREATE VIEW estimates AS SELECT track, name, step, value, residual, converged, products, examples, dtype, method, seconds
    FROM estimate JOIN series ON series.id = estimate.series;
";

pub(super) const INSERT_SERIES: &str = "INSERT INTO series (id, track, name, kind) VALUES (?1, ?2, ?3, ?4)";
pub(super) const INSERT_TRACK: &str = "INSERT INTO track (id, label, attributes) VALUES (?1, ?2, ?3)";
/// Files of the first versions have no such table.
pub(super) const TRACK: &str = "track";
pub(super) const SELECT_TRACK: &str = "SELECT id, label, attributes FROM track ORDER BY rowid";
pub(super) const INSERT_INTERVENTION: &str =
    "INSERT INTO intervention (step, knob, before, after) VALUES (?1, ?2, ?3, ?4)";
pub(super) const INSERT_FINGERPRINT: &str = "INSERT INTO fingerprint (step, hash) VALUES (?1, ?2)";

/// What a row of a reading is called in `series.kind`, its insertion and its columns when read back.
pub(super) struct Table {
    pub name: &'static str,
    pub insert: &'static str,
    pub select: &'static str,
}

pub(super) const SCALAR: Table = Table {
    name: "scalar",
    insert: "INSERT INTO scalar VALUES (?1, ?2, ?3)",
    select: "SELECT series, step, value FROM scalar ORDER BY rowid",
};

pub(super) const ESTIMATE: Table = Table {
    name: "estimate",
    insert: "INSERT INTO estimate VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    select: "SELECT series, step, value, residual, converged, products, examples, dtype, method, seconds
             FROM estimate ORDER BY rowid",
};

pub(super) const VECTOR: Table = Table {
    name: "vector",
    insert: "INSERT INTO vector VALUES (?1, ?2, ?3)",
    select: "SELECT series, step, data FROM vector ORDER BY rowid",
};

pub(super) const MATRIX: Table = Table {
    name: "matrix",
    insert: "INSERT INTO matrix VALUES (?1, ?2, ?3, ?4, ?5)",
    select: "SELECT series, step, rows, columns, data FROM matrix ORDER BY rowid",
};

pub(super) const DENSITY: Table = Table {
    name: "density",
    insert: "INSERT INTO density VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    select: "SELECT series, step, low, high, below, above, not_finite, mean, std, zero_share, counts
             FROM density ORDER BY rowid",
};

pub(super) const SURFACE: Table = Table {
    name: "surface",
    insert: "INSERT INTO surface VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
    select: "SELECT series, step, n, radius, path_share, directions, examples, dtype, method, seconds,
                    loss, accuracy, valid, path, x_axis, y_axis
             FROM surface ORDER BY rowid",
};

pub(super) const SPECTRUM: Table = Table {
    name: "spectrum",
    insert: "INSERT INTO spectrum VALUES (?1, ?2, ?3)",
    select: "SELECT series, step, json FROM spectrum ORDER BY rowid",
};
/// [`SURFACE`]'s selection in files from before axes had names.
pub(super) const SELECT_SURFACE_WITHOUT_AXES: &str =
    "SELECT series, step, n, radius, path_share, directions, examples, dtype, method, seconds,
            loss, accuracy, valid, path, NULL, NULL
     FROM surface ORDER BY rowid";

/// All kinds of readings, in the order in which they are read back.
pub(super) const TABLES: &[&Table] = &[&SCALAR, &ESTIMATE, &VECTOR, &MATRIX, &DENSITY, &SURFACE, &SPECTRUM];
