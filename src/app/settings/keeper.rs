//! The thread that writes the settings, so that a slow disk never holds up a frame.

use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use crossbeam::channel::{Receiver, Sender, TrySendError, bounded};

use crate::app::link::Wake;
use crate::app::toasts::Notice;
use crate::run::kept_file::{Found, KeptFile};

use super::text::Settings;

/// Seconds between two looks at what has changed.
const LOOK_EVERY: f64 = 0.5;
/// Problems that may wait to be told: a disk that is full says so once, not every half second.
const PROBLEMS: usize = 4;

/// Keeps the settings in their file. Dropping it writes what is left, and waits for that.
pub struct Keeper {
    path: PathBuf,
    /// None where the file must not be written.
    orders: Option<Sender<String>>,
    thread: Option<JoinHandle<()>>,
    problems: Receiver<String>,
    /// What is in the file, or on its way there.
    kept: Settings,
    looked_at: f64,
}

impl Keeper {
    /// Reads the settings and begins to keep them; what the user should be told comes third.
    pub fn open(path: PathBuf, wake: Wake) -> (Settings, Self, Option<Notice>) {
        let mut file = KeptFile::new(path.clone());
        let (settings, may_write, notice) = match file.read(Settings::from_toml) {
            Found::Nothing => (Settings::default(), true, None),
            Found::Whole(settings) => (settings, true, None),
            Found::Backup { value, problem } => (
                value,
                true,
                Some(Notice::problem(format!("The settings were damaged, and their backup is used ({problem})"))),
            ),
            Found::Lost { problem } => {
                let text = format!("The settings are damaged, and so is their backup: they begin anew ({problem})");
                (Settings::default(), true, Some(Notice::problem(text)))
            }
            Found::Newer { problem } => {
                let text = format!(
                    "The settings were written by a newer Landscope ({problem}): they are left alone, and what you change here isn't kept"
                );
                (Settings::default(), false, Some(Notice::remark(text)))
            }
        };
        let (sender, orders) = bounded::<String>(1);
        let (tell, problems) = bounded(PROBLEMS);
        let body = move || {
            let mut failing = false;
            while let Ok(text) = orders.recv() {
                let result = file.write(&text);
                if let Err(problem) = &result
                    && !failing
                {
                    // A full channel has been told enough.
                    let _ = tell.try_send(format!("{problem}. The settings aren't kept until that works again"));
                    wake.ring();
                }
                failing = result.is_err();
            }
        };
        let thread =
            if may_write { std::thread::Builder::new().name("settings".into()).spawn(body).ok() } else { None };
        let orders = thread.is_some().then_some(sender);
        let keeper = Self { path, orders, thread, problems, kept: settings.clone(), looked_at: f64::NEG_INFINITY };
        (settings, keeper, notice)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What went wrong since the last question.
    pub fn problems(&self) -> impl Iterator<Item = String> {
        self.problems.try_iter()
    }

    /// Looks at the settings at `now` (seconds), at most every half second, and has them written if they changed; the seconds
    /// until another look is due, if it isn't time yet or the thread is busy.
    pub fn keep(&mut self, now: f64, settings: impl FnOnce() -> Settings) -> Option<f64> {
        self.orders.as_ref()?;
        let left = self.looked_at + LOOK_EVERY - now;
        if left > 0.0 {
            return Some(left);
        }
        self.looked_at = now;
        let settings = settings();
        (settings != self.kept && !self.order(settings)).then_some(LOOK_EVERY)
    }

    /// Whether the thread has taken the order.
    fn order(&mut self, settings: Settings) -> bool {
        let Some(orders) = &self.orders else { return true };
        let taken = !matches!(orders.try_send(settings.to_toml()), Err(TrySendError::Full(_)));
        if taken {
            self.kept = settings;
        }
        taken
    }

    /// The window closes: the last state is written, however busy the thread is.
    pub fn close(mut self, settings: &Settings) {
        if let Some(orders) = &self.orders
            && *settings != self.kept
        {
            // The thread lives as long as this sender.
            let _ = orders.send(settings.to_toml());
        }
        self.finish();
    }

    fn finish(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.finish();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn light() -> Settings {
        Settings { light: true, ..Settings::default() }
    }

    #[test]
    fn changed_settings_are_written_once_and_read_the_next_day() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("landscope").join("settings.toml");
        let (settings, mut keeper, notice) = Keeper::open(path.clone(), Wake::default());
        assert!(settings == Settings::default() && notice.is_none());
        assert_eq!(keeper.keep(0.0, Settings::default), None);
        assert!(!path.exists(), "nothing has changed, so nothing is written");
        assert_eq!(keeper.keep(0.2, || panic!("too soon")), Some(0.3));
        assert_eq!(keeper.keep(1.0, light), None);
        assert_eq!(keeper.keep(2.0, light), None);
        drop(keeper);
        assert_eq!(Keeper::open(path.clone(), Wake::default()).0, light());
        assert!(!folder.path().join("landscope").join("settings.toml.backup").exists(), "it was written once");
    }

    #[test]
    fn closing_writes_what_was_changed_last() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("settings.toml");
        Keeper::open(path.clone(), Wake::default()).1.close(&light());
        assert_eq!(Keeper::open(path, Wake::default()).0, light());
    }

    #[test]
    fn a_newer_file_is_left_alone_and_said_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("settings.toml");
        std::fs::write(&path, "version = 9\nhologram = true\n").unwrap();
        let (settings, mut keeper, notice) = Keeper::open(path.clone(), Wake::default());
        assert!(settings == Settings::default() && notice.unwrap().text.contains("newer"));
        keeper.keep(0.0, light);
        keeper.close(&light());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "version = 9\nhologram = true\n");
    }

    #[test]
    fn a_damaged_file_falls_back_to_the_backup_and_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("settings.toml");
        Keeper::open(path.clone(), Wake::default()).1.close(&light());
        Keeper::open(path.clone(), Wake::default()).1.close(&Settings { presenter: true, ..light() });
        let whole = std::fs::read_to_string(&path).unwrap();
        // "version = 1" alone is a whole file; what is cut before that isn't.
        for cut in [0, 5, 10] {
            std::fs::write(&path, &whole[..cut]).unwrap();
            let (settings, _, notice) = Keeper::open(path.clone(), Wake::default());
            assert_eq!(settings, light());
            assert!(notice.unwrap().text.contains("backup"));
        }
    }

    #[test]
    fn a_disk_that_refuses_is_told_once() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("taken"), "").unwrap();
        let (_, mut keeper, _) = Keeper::open(folder.path().join("taken").join("settings.toml"), Wake::default());
        for (now, presenter) in [(1.0, true), (2.0, false), (3.0, true)] {
            keeper.keep(now, || Settings { presenter, ..light() });
            std::thread::sleep(std::time::Duration::from_millis(30));
        }
        keeper.orders = None;
        keeper.thread.take().unwrap().join().unwrap();
        let problems: Vec<_> = keeper.problems().collect();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].contains("settings.toml"));
    }
}
