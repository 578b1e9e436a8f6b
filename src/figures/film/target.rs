//! Where a film goes, and the folder of its frames.

use std::path::{Path, PathBuf};

use crate::figures::raster;

use super::{FilmError, Work};

/// What a film is written as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Plays everywhere, without end.
    Gif(PathBuf),
    /// `frame-0001.png` and so on in a folder.
    Frames(PathBuf),
    /// Through ffmpeg.
    Mp4(PathBuf),
}

impl Target {
    /// As the path's ending says; a path without an ending is a folder.
    ///
    /// # Errors
    /// One sentence that names the path and what is allowed.
    pub fn of(path: &Path) -> Result<Self, String> {
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
        let is_folder = path.to_string_lossy().ends_with(std::path::MAIN_SEPARATOR) || path.is_dir();
        match ending.as_deref() {
            _ if is_folder => Ok(Self::Frames(path.into())),
            None => Ok(Self::Frames(path.into())),
            Some("gif") => Ok(Self::Gif(path.into())),
            Some("mp4") => Ok(Self::Mp4(path.into())),
            Some(_) => Err(format!(
                "a film can't be {path:?}; give a path that ends in .gif or .mp4, or a folder for PNG files, such as frames/"
            )),
        }
    }

    pub fn path(&self) -> &Path {
        match self {
            Self::Gif(path) | Self::Frames(path) | Self::Mp4(path) => path,
        }
    }
}

pub(super) fn unwritable(path: &Path) -> impl Fn(std::io::Error) -> FilmError + '_ {
    move |error| FilmError::Unwritable { path: path.into(), message: error.to_string() }
}

/// Where a file is written until it is whole: beside its place, with the same ending.
pub(super) fn unfinished(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".unfinished-{name}"))
}

/// Moves a whole file to its place, or takes away what was begun.
pub(super) fn settle(begun: &Path, path: &Path, result: Result<(), FilmError>) -> Result<(), FilmError> {
    if result.is_ok() {
        return std::fs::rename(begun, path).map_err(unwritable(path));
    }
    // What can't be removed stays.
    let _ = std::fs::remove_file(begun);
    result
}

pub(super) fn write_frames(work: &Work<'_>, folder: &Path) -> Result<(), FilmError> {
    std::fs::create_dir_all(folder).map_err(unwritable(folder))?;
    let is_frame = |name: &str| name.starts_with("frame-") && name.ends_with(".png");
    let mut entries = std::fs::read_dir(folder).map_err(unwritable(folder))?;
    if entries.any(|entry| entry.is_ok_and(|entry| is_frame(&entry.file_name().to_string_lossy()))) {
        return Err(FilmError::Occupied { path: folder.into() });
    }
    let digits = work.film.len().to_string().len().max(4);
    let path = |index: usize| folder.join(format!("frame-{:0digits$}.png", index + 1));
    let description = work.film.paper(0).description;
    let result = work.each(
        |pixels| Ok(raster::png(&pixels, 96.0, &description)?),
        |index, png| std::fs::write(path(index), png).map_err(unwritable(&path(index))),
    );
    if result.is_err() {
        // Half a film would stand in the way of the next; what can't be removed stays.
        (0..work.film.len()).for_each(|index| drop(std::fs::remove_file(path(index))));
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_say_what_a_film_is() {
        assert_eq!(Target::of(Path::new("a.GIF")), Ok(Target::Gif("a.GIF".into())));
        assert_eq!(Target::of(Path::new("b/a.mp4")), Ok(Target::Mp4("b/a.mp4".into())));
        assert_eq!(Target::of(Path::new("frames/")), Ok(Target::Frames("frames/".into())));
        assert_eq!(Target::of(Path::new("frames")), Ok(Target::Frames("frames".into())));
        let message = Target::of(Path::new("a.avi")).unwrap_err();
        assert!(message.contains("a.avi") && message.contains(".gif"), "{message}");
    }
}
