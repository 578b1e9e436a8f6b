//! Plots as files: figures and tables.

use std::path::{Path, PathBuf};

use crate::plots::Plot;

use super::FigureError;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileFormat {
    Svg,
    Png,
    /// The plotted numbers, one table after the other.
    Csv,
}

impl FileFormat {
    pub const ALL: [Self; 3] = [Self::Svg, Self::Png, Self::Csv];

    pub fn extension(self) -> &'static str {
        match self {
            Self::Svg => "svg",
            Self::Png => "png",
            Self::Csv => "csv",
        }
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

/// Draws plots side by side into a file, `size` in pixels (tables have none).
///
/// # Errors
/// [`FileError::Figure`] for sizes that can't be drawn, [`FileError::Unwritable`] with the path.
pub fn write(plots: &[Plot], format: FileFormat, size: (u32, u32), path: &Path) -> Result<(), FileError> {
    let bytes = match format {
        FileFormat::Svg => super::svg(plots, size)?.into_bytes(),
        FileFormat::Png => super::png(plots, size)?,
        FileFormat::Csv => plots.iter().map(Plot::to_csv).collect::<Vec<_>>().join("\n").into_bytes(),
    };
    std::fs::write(path, bytes).map_err(|source| FileError::Unwritable { path: path.into(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_format_is_written_as_what_it_says_and_a_missing_folder_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let plots = [Plot::Empty { title: "Loss".into(), reason: "Not measured yet".into() }];
        for (format, start) in
            [(FileFormat::Svg, &b"<"[..]), (FileFormat::Png, b"\x89PNG"), (FileFormat::Csv, b"# Loss")]
        {
            let path = folder.path().join(format!("pane.{}", format.extension()));
            write(&plots, format, (400, 300), &path).unwrap();
            assert!(std::fs::read(&path).unwrap().starts_with(start), "{format:?}");
        }
        let nowhere = folder.path().join("nowhere").join("a.csv");
        let error = write(&plots, FileFormat::Csv, (400, 300), &nowhere).unwrap_err().to_string();
        assert!(error.contains("nowhere"), "{error}");
    }
}
