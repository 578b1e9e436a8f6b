//! Pictures that memory has thinned, read back from the file for the cursor.

use std::path::Path;

use crate::record::file::Archive;
use crate::run::recording_of_run;

use super::state::Window;

impl Window {
    /// Where the run in front is recorded as it goes, so that nothing that memory can't hold is lost to the eye.
    pub fn recorded_in(&mut self, path: Option<&Path>) {
        self.recorded = path.map(|path| (path.to_owned(), 0));
    }

    /// Bytes that recordings may hold in memory.
    pub fn set_memory_budget(&mut self, bytes: usize) {
        self.memory_budget = bytes;
    }

    /// Keeps recordings within their budget, and reads what the cursor needs and memory lacks; whether there is more to read.
    pub(super) fn read_back(&mut self) -> bool {
        let budget = self.memory_budget;
        self.live.recording.set_memory_budget(budget);
        let (recording, path) = match &mut self.viewed {
            Some(viewed) => {
                let lone = viewed.others == 0;
                (&mut viewed.recording, lone.then(|| viewed.path.clone()))
            }
            None => {
                let own = self.recorded.as_ref().map(|(first, runs)| recording_of_run(first, *runs));
                (&mut self.live.recording, self.followed.clone().or(own))
            }
        };
        recording.set_memory_budget(budget);
        let Some(path) = path.filter(|_| recording.memory().is_thinned) else {
            self.archive = None;
            return false;
        };
        if self.archive.as_ref().is_none_or(|(_, archive)| archive.path() != path) {
            // A file that can't be read again leaves what memory has.
            let Ok(archive) = Archive::open(&path) else { return false };
            self.archive = Some((None, archive));
        }
        let Some((read, archive)) = &mut self.archive else { return false };
        // While the file is being written to, the next frame tries again.
        let Ok(more) = archive.index(recording) else { return true };
        let step = self.cursor.step(recording.newest_step());
        let wanted = (step, recording.focus());
        if *read != Some(wanted) || more {
            match archive.fetch(recording, step) {
                Ok(_) => *read = Some(wanted),
                Err(_) => return true,
            }
        }
        more
    }
}
