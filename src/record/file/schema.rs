//! The tables. `docs/RECORDING.md` explains them to other tools: change both together.

/// "LScp": in the database header, where `file` and others look for who owns a database.
pub const APPLICATION_ID: i32 = 0x4c53_6370;

/// Grows when an older program could no longer read the file.
pub const FORMAT_VERSION: u32 = 1;

pub(super) const PAGE_BYTES: u32 = 32_768;

/// Created in this order, so that what the rest depends on lies at the beginning of the file.
pub(super) const SCHEMA: &str = "
CREATE TABLE meta (key TEXT NOT NULL, value TEXT NOT NULL);
CREATE TABLE header (json TEXT NOT NULL);
CREATE TABLE outcome (json TEXT NOT NULL, track INTEGER NOT NULL DEFAULT 0);
CREATE TABLE track (id INTEGER NOT NULL, label TEXT NOT NULL, attributes TEXT NOT NULL, parent INTEGER, parent_step INTEGER);
CREATE TABLE series (id INTEGER PRIMARY KEY, track INTEGER NOT NULL, name TEXT NOT NULL, kind TEXT NOT NULL);
CREATE TABLE intervention (step INTEGER NOT NULL, knob TEXT NOT NULL, before TEXT NOT NULL, after TEXT NOT NULL,
    track INTEGER NOT NULL DEFAULT 0);
CREATE TABLE fingerprint (step INTEGER NOT NULL, hash TEXT NOT NULL, track INTEGER NOT NULL DEFAULT 0);
CREATE TABLE note (track INTEGER NOT NULL, step INTEGER NOT NULL, text TEXT NOT NULL);
CREATE TABLE checkpoint (track INTEGER NOT NULL, step INTEGER NOT NULL, data BLOB NOT NULL);
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
pub(super) const INSERT_TRACK: &str =
    "INSERT INTO track (id, label, attributes, parent, parent_step) VALUES (?1, ?2, ?3, ?4, ?5)";
pub(super) const INSERT_INTERVENTION: &str =
    "INSERT INTO intervention (step, knob, before, after, track) VALUES (?1, ?2, ?3, ?4, ?5)";
pub(super) const INSERT_FINGERPRINT: &str = "INSERT INTO fingerprint (step, hash, track) VALUES (?1, ?2, ?3)";
pub(super) const INSERT_NOTE: &str = "INSERT INTO note (track, step, text) VALUES (?1, ?2, ?3)";
pub(super) const INSERT_CHECKPOINT: &str = "INSERT INTO checkpoint (track, step, data) VALUES (?1, ?2, ?3)";
pub(super) const DELETE_CHECKPOINT: &str = "DELETE FROM checkpoint WHERE track = ?1 AND step = ?2";

/// Tables that older files lack, with what makes them.
pub(super) const LATER_TABLES: &[(&str, &str)] = &[
    (
        "track",
        "CREATE TABLE track (id INTEGER NOT NULL, label TEXT NOT NULL, attributes TEXT NOT NULL, parent INTEGER,
            parent_step INTEGER)",
    ),
    ("spectrum", "CREATE TABLE spectrum (series INTEGER NOT NULL, step INTEGER NOT NULL, json TEXT NOT NULL)"),
    ("note", "CREATE TABLE note (track INTEGER NOT NULL, step INTEGER NOT NULL, text TEXT NOT NULL)"),
    ("checkpoint", "CREATE TABLE checkpoint (track INTEGER NOT NULL, step INTEGER NOT NULL, data BLOB NOT NULL)"),
];

/// Columns that older files lack: table, name, declaration, and what stands for them where they are missing.
pub(super) const LATER_COLUMNS: &[(&str, &str, &str, &str)] = &[
    ("track", "parent", "INTEGER", "NULL"),
    ("track", "parent_step", "INTEGER", "NULL"),
    ("outcome", "track", "INTEGER NOT NULL DEFAULT 0", "0"),
    ("intervention", "track", "INTEGER NOT NULL DEFAULT 0", "0"),
    ("fingerprint", "track", "INTEGER NOT NULL DEFAULT 0", "0"),
    ("surface", "x_axis", "TEXT", "NULL"),
    ("surface", "y_axis", "TEXT", "NULL"),
];

/// What a row of a reading is called in `series.kind`, its insertion and its columns when read back, series and step first.
pub(super) struct Table {
    pub name: &'static str,
    pub insert: &'static str,
    pub columns: &'static [&'static str],
}

pub(super) const SCALAR: Table =
    Table { name: "scalar", insert: "INSERT INTO scalar VALUES (?1, ?2, ?3)", columns: &["series", "step", "value"] };

pub(super) const ESTIMATE: Table = Table {
    name: "estimate",
    insert: "INSERT INTO estimate VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    columns: &[
        "series",
        "step",
        "value",
        "residual",
        "converged",
        "products",
        "examples",
        "dtype",
        "method",
        "seconds",
    ],
};

pub(super) const VECTOR: Table =
    Table { name: "vector", insert: "INSERT INTO vector VALUES (?1, ?2, ?3)", columns: &["series", "step", "data"] };

pub(super) const MATRIX: Table = Table {
    name: "matrix",
    insert: "INSERT INTO matrix VALUES (?1, ?2, ?3, ?4, ?5)",
    columns: &["series", "step", "rows", "columns", "data"],
};

pub(super) const DENSITY: Table = Table {
    name: "density",
    insert: "INSERT INTO density VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    columns: &["series", "step", "low", "high", "below", "above", "not_finite", "mean", "std", "zero_share", "counts"],
};

pub(super) const SURFACE: Table = Table {
    name: "surface",
    insert: "INSERT INTO surface VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
    columns: &[
        "series",
        "step",
        "n",
        "radius",
        "path_share",
        "directions",
        "examples",
        "dtype",
        "method",
        "seconds",
        "loss",
        "accuracy",
        "valid",
        "path",
        "x_axis",
        "y_axis",
    ],
};

pub(super) const SPECTRUM: Table = Table {
    name: "spectrum",
    insert: "INSERT INTO spectrum VALUES (?1, ?2, ?3)",
    columns: &["series", "step", "json"],
};
/// All kinds of readings, in the order in which they are read back.
pub(super) const TABLES: &[&Table] = &[&SCALAR, &ESTIMATE, &VECTOR, &MATRIX, &DENSITY, &SURFACE, &SPECTRUM];
