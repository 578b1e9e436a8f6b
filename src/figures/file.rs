//! Plots as files: figures and tables.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::plots::Plot;

use super::{FigureError, Paper};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileFormat {
    Svg,
    Png,
    /// The plotted numbers, one table after the other.
    Csv,
    /// The plotted numbers, an object a plot.
    Json,
}

impl FileFormat {
    pub const ALL: [Self; 4] = [Self::Svg, Self::Png, Self::Csv, Self::Json];

    pub fn extension(self) -> &'static str {
        match self {
            Self::Svg => "svg",
            Self::Png => "png",
            Self::Csv => "csv",
            Self::Json => "json",
        }
    }

    /// The format that a file's ending says.
    pub fn of(path: &Path) -> Option<Self> {
        let ending = path.extension()?.to_str()?.to_lowercase();
        Self::ALL.into_iter().find(|format| format.extension() == ending)
    }

    /// Whether it is drawn, on paper.
    pub fn is_figure(self) -> bool {
        matches!(self, Self::Svg | Self::Png)
    }
}

/// A file that can't be written.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error(transparent)]
    Figure(#[from] FigureError),
    #[error("can't write {path:?}: {source}; choose a folder that exists and that may be written to")]
    Unwritable { path: PathBuf, source: std::io::Error },
}

/// Draws plots into a file (tables need no paper).
///
/// # Errors
/// [`FileError::Figure`] for sizes that can't be drawn, [`FileError::Unwritable`] with the path.
pub fn write(plots: &[Plot], format: FileFormat, paper: &Paper, path: &Path) -> Result<(), FileError> {
    let bytes = match format {
        FileFormat::Svg => super::svg_on(plots, paper)?.into_bytes(),
        FileFormat::Png => super::png_on(plots, paper)?,
        FileFormat::Csv => plots.iter().map(Plot::to_csv).collect::<Vec<_>>().join("\n").into_bytes(),
        FileFormat::Json => Plot::to_json(plots).into_bytes(),
    };
    put(path, &bytes)
}

/// Writes a figure's caption beside it, `figure.svg.txt`; returns the path.
///
/// # Errors
/// [`FileError::Unwritable`] with the path.
pub fn write_caption(figure: &Path, caption: &str) -> Result<PathBuf, FileError> {
    let mut name = OsString::from(figure);
    name.push(".txt");
    let path = PathBuf::from(name);
    put(&path, format!("{caption}\n").as_bytes())?;
    Ok(path)
}

fn put(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    std::fs::write(path, bytes).map_err(|source| FileError::Unwritable { path: path.into(), source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::FigureSize;

    #[test]
    fn each_format_is_written_as_what_it_says_and_a_missing_folder_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let plots = [Plot::Empty { title: "Loss".into(), reason: "Not measured yet".into() }];
        let paper = Paper::of(FigureSize::Pixels { width: 400, height: 300 });
        let starts = [&b"<svg"[..], b"\x89PNG", b"# Loss", b"["];
        for (format, start) in FileFormat::ALL.into_iter().zip(starts) {
            let path = folder.path().join(format!("pane.{}", format.extension()));
            write(&plots, format, &paper, &path).unwrap();
            assert!(std::fs::read(&path).unwrap().starts_with(start), "{format:?}");
            assert_eq!(FileFormat::of(&path), Some(format));
        }
        let nowhere = folder.path().join("nowhere").join("a.csv");
        let error = write(&plots, FileFormat::Csv, &paper, &nowhere).unwrap_err().to_string();
        assert!(error.contains("nowhere"), "{error}");
        let beside = write_caption(&folder.path().join("pane.svg"), "Words.").unwrap();
        assert!(beside.ends_with("pane.svg.txt"));
        assert_eq!(std::fs::read_to_string(beside).unwrap(), "Words.\n");
    }
}
