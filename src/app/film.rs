//! A film of a pane as the window knows it: what to film, and a film that is being drawn.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::figures::film::{FPS, FRAMES, Film, Target};
use crate::figures::{Camera, FigureSize, Ground, Paper};
use crate::labs::caption::caption;
use crate::plots::{PaneId, PaneOptions, Plot, XAxis, pane, steady, switches};
use crate::record::Recording;

use super::export::{camera_words, chooses_a_track};
use super::state::Window;
use super::toasts::Notice;

/// Frames of a film unless the reader says otherwise.
const USUAL_FRAMES: usize = 90;

/// What is filmed and how, as the dialog has it.
#[derive(Clone, Debug, PartialEq)]
pub struct FilmDraft {
    pub pane: PaneId,
    pub from: u64,
    pub to: u64,
    pub frames: usize,
    pub fps: f64,
    pub size: FigureSize,
    pub ground: Ground,
    /// Curves grow with the steps; otherwise they are whole in every frame.
    pub grows: bool,
    /// Degrees that the camera turns around a surface.
    pub turn: f64,
    pub camera: Camera,
    pub path: String,
}

#[derive(Clone, Debug, PartialEq)]
pub enum FilmAction {
    /// Opens the dialog for a pane.
    Ask {
        pane: PaneId,
        camera: Camera,
    },
    Change(FilmDraft),
    Start,
    Cancel,
    /// The command line that makes the film to the clipboard.
    CopyCommand,
}

/// How far a film is, shared with the thread that draws it.
#[derive(Clone, Debug, Default)]
pub struct FilmProgress {
    pub frames: usize,
    drawn: Arc<AtomicUsize>,
    cancelled: Arc<AtomicBool>,
}

impl FilmProgress {
    pub fn drawn(&self) -> usize {
        self.drawn.load(Ordering::Relaxed)
    }

    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// Takes in how many frames are drawn; whether to go on.
    pub fn tell(&self, drawn: usize) -> bool {
        self.drawn.fetch_max(drawn, Ordering::Relaxed);
        !self.cancelled.load(Ordering::Relaxed)
    }
}

/// The film in the dialog, and the one that is being drawn.
#[derive(Default)]
pub struct Filming {
    pub draft: Option<FilmDraft>,
    pub running: Option<FilmProgress>,
}

/// All that a thread needs to draw a film.
pub struct FilmOrder {
    recording: Recording,
    options: PaneOptions,
    draft: FilmDraft,
    pub target: Target,
    pub progress: FilmProgress,
}

impl FilmOrder {
    /// # Errors
    /// One sentence that says what went wrong.
    pub fn draw(&self, threads: usize, told: &(dyn Fn() + Sync)) -> Result<(), String> {
        let FilmDraft { pane: id, from, to, frames, fps, size, ground, grows, turn, camera, .. } = self.draft;
        let steps = steady::steps(from, to, frames);
        let plots = steady::frames(&self.recording, id, &self.options, &steps, grows);
        let words = caption(&self.recording, pane::title(&self.recording, id));
        let paper = Paper { ground, camera, description: words.clone(), caption: Some(words), ..Paper::of(size) };
        let film = Film::new(plots, steps, paper, turn.to_radians()).map_err(|error| error.to_string())?;
        let tell = |drawn: usize| {
            let goes_on = self.progress.tell(drawn);
            told();
            goes_on
        };
        film.write(&self.target, fps, threads, &tell).map_err(|error| error.to_string())
    }
}

impl FilmDraft {
    /// # Errors
    /// One sentence that names what can't be, and what is allowed.
    pub fn check(&self) -> Result<Target, String> {
        if self.from > self.to {
            return Err(format!(
                "The film can't begin at step {} and end at {}: end at a later one",
                self.from, self.to
            ));
        }
        if !FRAMES.contains(&self.frames) {
            return Err(format!("A film has from {} to {} frames", FRAMES.start(), FRAMES.end()));
        }
        if !FPS.contains(&self.fps) {
            return Err(format!("A film has from {} to {} frames a second", FPS.start(), FPS.end()));
        }
        Target::of(Path::new(self.path.trim()))
    }

    fn words(&self, options: &PaneOptions, recording: &Recording) -> Vec<String> {
        let mut words: Vec<String> = Vec::new();
        let mut say = |name: &str, value: String| words.extend([format!("--{name}"), value]);
        say("pane", pane::slug(recording, self.pane).to_owned());
        for (name, text) in switches::changed(self.pane, options, recording) {
            say(name, text);
        }
        if chooses_a_track(recording) {
            say("track", recording.focus().0.to_string());
        }
        say("from", self.from.to_string());
        say("to", self.to.to_string());
        say("frames", self.frames.to_string());
        say("fps", self.fps.to_string());
        say("size", self.size.text());
        if self.turn != 0.0 {
            say("orbit", self.turn.to_string());
        }
        words.extend(camera_words(&self.camera));
        if self.ground == Ground::Dark {
            words.push("--dark".into());
        }
        if !self.grows {
            words.push("--whole".into());
        }
        words.extend(["--out".into(), self.path.clone()]);
        words
    }
}

impl Window {
    /// Carries out a wish.
    pub(super) fn film(&mut self, action: FilmAction) {
        match action {
            FilmAction::Ask { pane, camera } => {
                self.filming.draft = Some(self.film_of(pane, camera));
                self.dialog = Some(super::dialog::Dialog::Film);
            }
            FilmAction::Change(draft) => self.filming.draft = Some(draft),
            FilmAction::Start => self.start_film(),
            FilmAction::Cancel => {
                if let Some(running) = &self.filming.running {
                    running.cancel();
                }
            }
            FilmAction::CopyCommand => {
                let Some(draft) = &self.filming.draft else { return };
                let words = draft.words(&self.options, self.recording());
                self.copy_command("film", &words, "Copied the command that makes this film");
            }
        }
    }

    /// From the first measurement to the newest step.
    fn film_of(&self, id: PaneId, camera: Camera) -> FilmDraft {
        let recording = self.recording();
        FilmDraft {
            pane: id,
            from: steady::first_shown(recording, id, &self.options).unwrap_or(0),
            to: recording.newest_step(),
            frames: USUAL_FRAMES,
            fps: 15.0,
            size: FigureSize::Pixels { width: 960, height: 640 },
            ground: if self.dark { Ground::Dark } else { Ground::Light },
            grows: true,
            turn: 0.0,
            camera,
            path: self.place(&format!("landscope-{}.gif", pane::slug(recording, id))),
        }
    }

    fn start_film(&mut self) {
        let Some(draft) = self.filming.draft.clone().filter(|_| self.filming.running.is_none()) else { return };
        match draft.check() {
            Err(message) => self.toasts.push(Notice::problem(message)),
            Ok(target) => {
                let progress = FilmProgress { frames: draft.frames, ..FilmProgress::default() };
                let order = FilmOrder {
                    recording: self.recording().clone(),
                    options: self.options.clone(),
                    draft,
                    target,
                    progress: progress.clone(),
                };
                self.filming.running = Some(progress);
                self.background.film(order);
            }
        }
    }

    /// Whether a pane shows a surface now, which a camera can go around.
    pub fn shows_surface(&self, id: PaneId) -> bool {
        self.plots(id).iter().any(|plot| matches!(plot, Plot::Surface(_)))
    }

    /// Whether a pane has curves over steps, which can grow.
    pub fn shows_curves(&self, id: PaneId) -> bool {
        self.plots(id).iter().any(|plot| match plot {
            Plot::Lines(plot) => plot.x_axis == XAxis::Steps,
            Plot::Field(plot) => plot.cursor.is_some(),
            _ => false,
        })
    }

    /// A film has ended, well or not.
    pub(super) fn filmed(&mut self, path: &Path, result: Result<(), String>) {
        let cancelled = self.filming.running.take().is_some_and(|running| running.cancelled.load(Ordering::Relaxed));
        match result {
            Ok(()) => {
                if self.dialog == Some(super::dialog::Dialog::Film) {
                    self.dialog = None;
                }
                self.toasts.push(Notice::done(format!("Wrote {}", super::full_path(path))));
            }
            Err(_) if cancelled => self.toasts.push(Notice::remark("The film was cancelled")),
            Err(message) => self.toasts.push(Notice::problem(super::sentence(&message))),
        }
    }
}
