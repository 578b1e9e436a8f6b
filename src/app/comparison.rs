//! Several recordings in one window, and which of their tracks is looked at.

use std::path::{Path, PathBuf};

use crate::record::Recording;
use crate::record::file::{self, Opened};

use super::state::Window;

/// What a file is called among others.
fn name(path: &Path) -> String {
    path.file_stem().map_or_else(|| path.to_string_lossy().into_owned(), |name| name.to_string_lossy().into_owned())
}

/// Reads recordings and puts their tracks into one, after those of `before`.
///
/// # Errors
/// Of the first that can't be read.
pub fn read(before: Option<(PathBuf, Recording)>, paths: &[PathBuf], budget: usize) -> Result<Opened, file::FileError> {
    let share = budget / (paths.len() + usize::from(before.is_some())).max(1);
    let mut damage = Vec::new();
    let mut parts: Vec<(String, Recording)> =
        before.into_iter().map(|(path, recording)| (name(&path), recording)).collect();
    for path in paths {
        let opened = file::open_within(path, share)?;
        damage.extend(opened.damage.map(|damage| format!("{}: {damage}", name(path))));
        parts.push((name(path), opened.recording));
    }
    let damage = (!damage.is_empty()).then(|| damage.join("; "));
    if parts.len() == 1 {
        return Ok(Opened { recording: parts.swap_remove(0).1, damage });
    }
    let mut recording = Recording::combined(parts);
    recording.set_memory_budget(budget);
    Ok(Opened { recording, damage })
}

/// As [`read`], without what a window shows.
///
/// # Errors
/// As [`read`].
pub fn read_beside(paths: &[PathBuf], budget: usize) -> Result<Recording, file::FileError> {
    read(None, paths, budget).map(|opened| opened.recording)
}

impl Window {
    /// The tracks of several files beside one another.
    pub fn comparing_files(files: &[PathBuf], recording: Recording) -> Self {
        let first = files.first().cloned().unwrap_or_default();
        let mut window = Self::viewing(&first, recording);
        if let Some(viewed) = &mut window.viewed {
            viewed.others = files.len().saturating_sub(1);
            viewed.files = files.to_vec();
            window.tracks_open = viewed.others > 0;
        }
        window
    }

    /// Opens files beside what is shown, or, of several, beside one another.
    pub(super) fn open_beside(&mut self, paths: Vec<PathBuf>, with_shown: bool) {
        let before = with_shown.then(|| {
            let path = self.viewed.as_ref().map_or_else(|| PathBuf::from("this run"), |viewed| viewed.path.clone());
            (path, self.recording().clone())
        });
        // A run that is still in memory has no file, so that no command can name it.
        let shown = match (&self.viewed, with_shown) {
            (Some(viewed), true) => viewed.files.clone(),
            (None, true) => Vec::new(),
            (_, false) => paths[..0].to_vec(),
        };
        let all_have_files = !with_shown || !shown.is_empty();
        let files = if all_have_files { [shown, paths.clone()].concat() } else { Vec::new() };
        self.background.read_all(before, paths, files, self.memory_budget);
    }
}
