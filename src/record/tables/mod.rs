//! A recording as tidy tables: a row a number (or a measurement), a column a variable. Floats are printed as the shortest text
//! that is read back as the same bits.

mod heavy;
mod light;

use std::fmt;
use std::io;

use super::Recording;

/// A field of a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell<'a> {
    Text(&'a str),
    Whole(u64),
    Single(f32),
    Double(f64),
    Flag(bool),
    /// There is no value.
    Empty,
}

impl fmt::Display for Cell<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Whole(value) => value.fmt(f),
            // Powers of ten where plain digits would be mostly zeros.
            Self::Single(value) if is_extreme(f64::from(*value)) => write!(f, "{value:e}"),
            Self::Double(value) if is_extreme(*value) => write!(f, "{value:e}"),
            Self::Single(value) => value.fmt(f),
            Self::Double(value) => value.fmt(f),
            Self::Flag(value) => value.fmt(f),
            Self::Empty => Ok(()),
        }
    }
}

fn is_extreme(value: f64) -> bool {
    value.is_finite() && value != 0.0 && !(1e-5..1e16).contains(&value.abs())
}

/// Takes in one row.
pub type Sink<'s> = dyn FnMut(&[Cell<'_>]) -> io::Result<()> + 's;

/// One table of every recording.
pub struct Table {
    /// Of its file, without the ending.
    pub name: &'static str,
    /// What a row is.
    pub about: &'static str,
    pub columns: &'static [&'static str],
    rows: fn(&Recording, &mut Sink<'_>) -> io::Result<()>,
}

/// All tables, in the order in which they are written.
pub const TABLES: &[Table] = &[
    light::TRACKS,
    light::ATTRIBUTES,
    light::INTERVENTIONS,
    light::FINGERPRINTS,
    light::NOTES,
    light::SCALARS,
    light::ESTIMATES,
    light::VECTORS,
    heavy::MATRICES,
    heavy::DENSITIES,
    heavy::DENSITY_BINS,
    heavy::SURFACES,
    heavy::SURFACE_POINTS,
    heavy::SURFACE_PATHS,
    heavy::SPECTRA,
    heavy::SPECTRUM_VALUES,
];

impl Table {
    /// Every row in order, each with a cell a column.
    ///
    /// # Errors
    /// What `sink` says.
    pub fn rows(&self, recording: &Recording, sink: &mut Sink<'_>) -> io::Result<()> {
        (self.rows)(recording, sink)
    }

    /// The table as CSV (RFC 4180) with a header line; returns the number of rows.
    ///
    /// # Errors
    /// What `file` says.
    pub fn write_csv(&self, recording: &Recording, file: impl io::Write) -> io::Result<u64> {
        let mut writer = csv::Writer::from_writer(file);
        writer.write_record(self.columns)?;
        let mut count = 0;
        let mut text = String::new();
        self.rows(recording, &mut |cells| {
            for cell in cells {
                text.clear();
                fmt::write(&mut text, format_args!("{cell}")).map_err(io::Error::other)?;
                writer.write_field(&text)?;
            }
            count += 1;
            writer.write_record(None::<&[u8]>).map_err(io::Error::other)
        })?;
        writer.flush()?;
        Ok(count)
    }

    /// The table as JSON lines, an object a row: NaN is null, infinities are `"inf"` and `"-inf"`, and what has no value is left
    /// out. Returns the number of rows.
    ///
    /// # Errors
    /// What `file` says.
    pub fn write_json(&self, recording: &Recording, file: impl io::Write) -> io::Result<u64> {
        let mut file = io::BufWriter::new(file);
        let mut count = 0;
        self.rows(recording, &mut |cells| {
            let mut separator = '{';
            for (column, cell) in self.columns.iter().zip(cells).filter(|(_, cell)| **cell != Cell::Empty) {
                io::Write::write_fmt(&mut file, format_args!("{separator}\"{column}\":{}", json(cell)))?;
                separator = ',';
            }
            count += 1;
            io::Write::write_all(&mut file, if separator == '{' { b"{}\n" } else { b"}\n" })
        })?;
        io::Write::flush(&mut file)?;
        Ok(count)
    }
}

fn json(cell: &Cell<'_>) -> String {
    let number = |value: f64, text: String| match value {
        v if v.is_nan() => "null".into(),
        v if v.is_infinite() => format!("\"{text}\""),
        _ => text,
    };
    match cell {
        Cell::Text(text) => serde_json::Value::from(*text).to_string(),
        Cell::Single(value) => number(f64::from(*value), cell.to_string()),
        Cell::Double(value) => number(*value, cell.to_string()),
        Cell::Whole(_) | Cell::Flag(_) => cell.to_string(),
        Cell::Empty => "null".into(),
    }
}

#[cfg(test)]
mod tests;
