//! Everything the window knows, apart from how it is drawn.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, Sender};

use crate::plots::{LandscapeMetric, PaneId, PaneOptions, Plot, pane};
use crate::record::file::Archive;
use crate::record::{Divergence, Outcome, Playback, Recording, TimeCursor, TrackId, memory};
use crate::run::messages::{Command, Event, RunState};
use crate::run::session::Session;
use crate::run::spec::RunSpec;

use super::background::{Background, Browse, Finished};
use super::bring::Hovered;
use super::connectivity::{Comparing, EndChoice, Pick};
use super::coord_check::CoordChecking;
use super::draft;
use super::export::{Choice, Clip, Export};
use super::film::Filming;
use super::history::History;
use super::lab::LabInFront;
use super::lesson_links::Awaited;
use super::link::{Link, Wake};
use super::live::Live;
use super::settings::{Keeper, Memory};
use super::sharing::Arranged;
use super::sweep::SweepWatch;
use super::toasts::{Notice, Toasts};

pub use super::dialog::Dialog;

/// Longest that one frame spends on what has arrived.
const DRAIN: Duration = Duration::from_millis(4);

/// What is said while a file is read.
pub(super) fn opening(path: &Path) -> String {
    format!("Opening {}", super::full_path(path))
}

/// A recording that was opened from a file.
pub struct Viewed {
    pub path: PathBuf,
    pub recording: Recording,
    pub spec: RunSpec,
    /// Files beside the first whose tracks are shown, too.
    pub others: usize,
    /// All of them, where each has a file.
    pub files: Vec<PathBuf>,
}

/// The window's state.
pub struct Window {
    pub live: Live,
    /// A file in front of the run, or instead of one.
    pub viewed: Option<Viewed>,
    /// What the knobs show.
    pub draft: RunSpec,
    pub speed_limit: Option<f64>,
    pub cursor: TimeCursor,
    pub options: PaneOptions,
    pub maximised: Option<PaneId>,
    pub dark: bool,
    pub presenter: bool,
    /// Which of knobs and lesson presenter mode has put aside.
    pub(super) put_aside: [bool; 2],
    pub knobs_open: bool,
    pub dialog: Option<Dialog>,
    pub coord_check: CoordChecking,
    pub comparing: Comparing,
    pub filming: Filming,
    /// What figures were like last.
    pub figure_choice: Choice,
    /// What the next frame puts on the clipboard.
    pub clipboard: Option<Clip>,
    pub toasts: Toasts,
    /// How often the panes were put back to their places.
    pub layout_resets: u32,
    /// Counts changes of the recording as a whole.
    shown_generation: u64,
    pub(super) link: Option<Link>,
    /// What can be undone.
    pub history: History,
    /// Where the panes are, and what else a link says of the view.
    pub arranged: Arranged,
    /// Names new files for runs that the window begins.
    pub new_recording: Option<fn() -> Option<PathBuf>>,
    /// The newest step when the run was saved last.
    pub(super) saved_at: Option<u64>,
    /// Where the run is being saved to, and its newest step then.
    saving: Option<(PathBuf, u64)>,
    /// A file that is held over the window.
    pub hovered: Option<Hovered>,
    /// What is kept from one day to the next and stands nowhere else.
    pub memory: Memory,
    /// Where it is kept; none for nowhere, as in tests.
    pub(super) keeper: Option<Keeper>,
    /// The lab in front; none for the Playground.
    pub lab: Option<LabInFront>,
    /// The worker that this window began; none if somebody else did.
    pub(super) session: Option<Session>,
    /// The recording that another program writes.
    pub followed: Option<PathBuf>,
    /// The sweep that is watched.
    pub(super) sweep: Option<SweepWatch>,
    /// Whether lesson and claims are shown.
    pub lesson_open: bool,
    /// The step of the lesson that is open.
    pub lesson_step: usize,
    pub(super) awaited: Awaited,
    /// Bytes that recordings may hold in memory.
    pub memory_budget: usize,
    /// The cursor moves by itself.
    pub playback: Option<Playback>,
    /// Its speed, when it does, in steps a second.
    pub playback_speed: f64,
    /// Whether the list of tracks is shown, where there are several.
    pub tracks_open: bool,
    /// The file that the first run goes to, and how many runs began since.
    pub(super) recorded: Option<(PathBuf, usize)>,
    /// The file of what is shown, with the step and track for which it was read last.
    pub(super) archive: Option<(Option<(u64, TrackId)>, Archive)>,
    pub(super) wake: Wake,
    pub(super) background: Background,
}

impl Window {
    /// Follows a worker. `wake` is what the worker's side rings after it has sent something.
    pub fn following(spec: RunSpec, commands: Sender<Command>, events: Receiver<Event>, wake: Wake) -> Self {
        let mut live = Live::default();
        live.spec = spec.clone();
        Self::new(live, spec, Some(Link::new(commands, events)), wake)
    }

    /// Shows a recording; there is no run.
    pub fn viewing(path: &Path, recording: Recording) -> Self {
        let mut window = Self::new(Live::default(), RunSpec::default(), None, Wake::default());
        window.view(path.to_owned(), recording);
        window
    }

    fn new(live: Live, draft: RunSpec, link: Option<Link>, wake: Wake) -> Self {
        Self {
            live,
            viewed: None,
            draft,
            speed_limit: None,
            cursor: TimeCursor::Following,
            options: PaneOptions::default(),
            maximised: None,
            dark: true,
            presenter: false,
            put_aside: [true; 2],
            knobs_open: true,
            dialog: None,
            coord_check: CoordChecking::default(),
            comparing: Comparing::default(),
            filming: Filming::default(),
            figure_choice: Choice::default(),
            clipboard: None,
            toasts: Toasts::default(),
            layout_resets: 0,
            shown_generation: 0,
            link,
            history: History::default(),
            arranged: Arranged::default(),
            new_recording: None,
            saved_at: None,
            saving: None,
            hovered: None,
            memory: Memory::default(),
            keeper: None,
            lab: None,
            session: None,
            followed: None,
            sweep: None,
            lesson_open: true,
            lesson_step: 0,
            awaited: Awaited::default(),
            memory_budget: memory::DEFAULT_BYTES,
            playback: None,
            playback_speed: 20.0,
            tracks_open: false,
            recorded: None,
            archive: None,
            background: Background::new(wake.clone()),
            wake,
        }
    }

    /// Without a run yet: [`Window::begin`] makes one.
    pub fn idle(wake: Wake) -> Self {
        Self::new(Live::default(), RunSpec::default(), None, wake)
    }

    /// Another recording is shown than before.
    pub(super) fn changed_as_a_whole(&mut self) {
        self.shown_generation += 1;
    }

    /// The recording that the panes show.
    pub fn recording(&self) -> &Recording {
        self.viewed.as_ref().map_or(&self.live.recording, |viewed| &viewed.recording)
    }

    /// The specification of what the panes show.
    pub fn spec(&self) -> &RunSpec {
        self.viewed.as_ref().map_or(&self.live.spec, |viewed| &viewed.spec)
    }

    /// Whether a worker is there and in front.
    pub fn has_transport(&self) -> bool {
        self.link.is_some() && self.viewed.is_none() && !self.is_following_a_file()
    }

    /// Whether another program's recording is shown as it grows.
    pub fn is_following_a_file(&self) -> bool {
        self.live.state == RunState::Following
    }

    /// Whether what is in front is the training of another program.
    pub fn is_watching(&self) -> bool {
        self.has_transport() && self.live.recording.header.watched.is_some()
    }

    /// Whether a run waits behind the file that is shown.
    pub fn has_run_behind(&self) -> bool {
        self.link.is_some() && self.viewed.is_some()
    }

    /// Where numbers stopped being numbers, in the run or in the file.
    pub fn divergence(&self) -> Option<&Divergence> {
        match &self.viewed {
            None => self.live.divergence.as_ref(),
            Some(viewed) => match &viewed.recording.outcome {
                Some(Outcome::Diverged(divergence)) => Some(divergence),
                _ => None,
            },
        }
    }

    pub fn wake(&self) -> &Wake {
        &self.wake
    }

    /// Commands that wait for a worker that doesn't take them.
    pub fn waiting_commands(&self) -> usize {
        self.link.as_ref().map_or(0, Link::waiting)
    }

    /// Key of everything that pane `id` shows but for the cursor and the options.
    pub fn data_key(&self, id: PaneId) -> (u64, u64) {
        let partial = if id == PaneId::Landscape { self.live.generation } else { 0 };
        (self.recording().version(), self.shown_generation + (partial << 24))
    }

    /// Key of the recording that is shown.
    pub fn recording_key(&self) -> (u64, u64) {
        (self.recording().version(), self.shown_generation)
    }

    /// What pane `id` shows now.
    pub fn plots(&self, id: PaneId) -> Vec<Plot> {
        if id == PaneId::Landscape
            && self.viewed.is_none()
            && self.cursor.is_following()
            && !matches!(self.options.landscape_metric, LandscapeMetric::Measured(_))
            && let Some(slice) = self.live.partial_slice()
        {
            return pane::plots(&slice, id, self.cursor, &self.options);
        }
        pane::plots(self.recording(), id, self.cursor, &self.options)
    }

    pub(super) fn send(&mut self, command: Command) {
        if let Some(link) = &mut self.link {
            link.send(command);
        }
    }

    /// Takes in what has arrived from the worker and from background threads, for at most a few milliseconds.
    /// Returns whether more is waiting.
    pub fn receive(&mut self) -> bool {
        self.wake.clear();
        while let Some(finished) = self.background.finished() {
            self.finish(finished);
        }
        let maximised = self.maximised_chart();
        if self.live.settle() {
            self.shown_generation += 1;
            self.keep_maximised(maximised);
        }
        self.follow_sweep();
        self.coord_check.receive();
        self.comparing.receive();
        let unread = self.read_back();
        let Some(mut link) = self.link.take() else { return unread };
        link.flush();
        let start = Instant::now();
        let mut more = true;
        while more && start.elapsed() < DRAIN {
            match link.receive() {
                Some(event) => self.take(event),
                None => more = false,
            }
        }
        let more = more && link.has_more();
        let blocked = link.waiting() > 0;
        self.link = Some(link);
        self.fulfil();
        more || blocked || unread || self.live.is_settling()
    }

    /// Takes in one event of the worker.
    pub fn take(&mut self, event: Event) {
        let before = self.live.spec.clone();
        let starts = matches!(event, Event::Started { .. } | Event::LabStarted { .. });
        if let Event::Track(info) = &event
            && info.parent.is_some()
            && self.viewed.is_none()
        {
            self.shown_generation += 1;
            self.cursor = TimeCursor::Following;
        }
        let changes = starts || matches!(event, Event::Intervention { .. });
        if let Event::Checkpoints(checkpoints) = &event {
            self.comparing.take(checkpoints.clone(), &self.wake);
        }
        if let Event::Saved(path) = &event {
            self.written(path);
        }
        if let Some(notice) = self.live.receive(event) {
            self.toasts.push(notice);
        }
        if starts {
            if let Some((_, runs)) = &mut self.recorded {
                *runs += 1;
            }
            self.archive = None;
            self.shown_generation += 1;
            self.saved_at = None;
            if self.viewed.is_none() && (self.lab.is_none() || self.arranged.cursor_to_come.is_some()) {
                self.cursor = self.cursor_at_start();
            }
        }
        if changes && self.viewed.is_none() {
            draft::follow(&mut self.draft, &before, &self.live.spec);
        }
    }

    fn finish(&mut self, finished: Finished) {
        if let Finished::Read { path, .. } = &finished {
            self.toasts.withdraw(&opening(path));
        }
        match finished {
            Finished::Picked { path: None, .. } => {}
            Finished::Looked { path, found, dropped: true } => self.brought(path, found),
            Finished::Looked { path, found, dropped: false } => {
                if let Some(hovered) = self.hovered.as_mut().filter(|hovered| hovered.path == path) {
                    hovered.found = Some(found);
                }
            }
            Finished::Picked { purpose, path: Some(path) } => self.picked(purpose, path),
            Finished::Read { path, result: Ok(opened), others, files } => {
                let place = super::full_path(&path);
                match opened.damage {
                    None => self.toasts.push(Notice::done(format!("Opened {place}"))),
                    Some(damage) => self.toasts.push(Notice::problem(format!("Opened {place}, not whole: {damage}"))),
                }
                self.remember(&path);
                self.view(path, opened.recording);
                if let Some(viewed) = &mut self.viewed {
                    viewed.others = others;
                    viewed.files = files;
                    self.tracks_open = others > 0;
                }
            }
            Finished::Filmed { path, result } => self.filmed(&path, result),
            Finished::Drawn(Ok(picture)) => {
                self.clipboard = Some(Clip::Picture(picture));
                self.toasts.push(Notice::done("Copied the picture"));
            }
            Finished::Drawn(Err(message)) => self.toasts.push(Notice::problem(message)),
            Finished::Measured { path, result: Ok(found) } => self.add_measured(&path, found),
            Finished::Written { path, result: Ok(()) } => {
                self.written(&path);
                self.toasts.push(Notice::done(format!("Wrote {}", super::full_path(&path))));
            }
            Finished::Read { result: Err(message), .. }
            | Finished::Measured { result: Err(message), .. }
            | Finished::Written { result: Err(message), .. } => {
                self.toasts.push(Notice::problem(message));
            }
        }
    }

    /// A path from the system's dialog goes where it was asked for.
    fn picked(&mut self, purpose: Browse, picked: PathBuf) {
        match (purpose, &mut self.dialog) {
            (Browse::OpenRecording, _) => self.apply(super::action::Action::Open(picked)),
            (
                Browse::SaveAs,
                Some(
                    Dialog::Save { path }
                    | Dialog::SaveWeights { path }
                    | Dialog::SaveState { path }
                    | Dialog::Export(Export { path, .. }),
                ),
            ) => {
                *path = picked.to_string_lossy().into_owned();
            }
            (Browse::SaveAs, Some(Dialog::Film)) => {
                if let Some(draft) = &mut self.filming.draft {
                    draft.path = picked.to_string_lossy().into_owned();
                }
            }
            (Browse::SaveAs, _) => {}
            (Browse::SaveFolder, _) => {
                self.apply(super::action::Action::Settings(super::settings::SettingsAction::Folder(Some(picked))));
            }
            (Browse::Weights(end), _) => {
                let choice = EndChoice { pick: Pick::File, path: picked.to_string_lossy().into_owned() };
                self.comparing.ends[end.min(1)] = choice;
            }
            (Browse::DataFile | Browse::DataFolder, _) => {
                let value = crate::run::knobs::KnobValue::Path(picked.to_string_lossy().into_owned());
                self.apply(super::action::Action::SetKnob { id: "data", value });
            }
        }
    }

    /// Puts a recording in front; a run goes on pause behind it.
    pub fn view(&mut self, path: PathBuf, recording: Recording) {
        if self.viewed.is_none() && self.live.is_running() {
            self.send(Command::Pause);
        }
        let spec = RunSpec::from_toml(&recording.header.spec, "of the recording").unwrap_or_default();
        self.draft = spec.clone();
        self.viewed = Some(Viewed { files: vec![path.clone()], path, recording, spec, others: 0 });
        self.archive = None;
        self.shown_generation += 1;
        self.cursor = TimeCursor::Following;
    }

    pub(super) fn close_file(&mut self) {
        if self.has_run_behind() {
            self.viewed = None;
            self.draft = self.live.spec.clone();
            self.archive = None;
            self.shown_generation += 1;
            self.cursor = TimeCursor::Following;
        }
    }

    /// A file is on the disk: if it is the run's recording, nothing of it would be lost.
    fn written(&mut self, path: &Path) {
        if let Some((_, step)) = self.saving.take_if(|(saving, _)| saving == path) {
            self.saved_at = Some(step);
        }
    }

    /// The worker writes what it recorded; of a file, the window writes a copy.
    pub(super) fn save(&mut self, path: PathBuf) {
        if self.viewed.is_none() {
            self.saving = Some((path.clone(), self.live.recording.newest_step()));
        }
        let used = self.recording().memory();
        let is_whole = !(used.is_summarised || used.is_thinned);
        // What a lab's memory holds can be written at once, whatever became of its file.
        if self.has_transport() && (self.lab.is_none() || !is_whole && self.recorded.is_some()) {
            self.send(Command::Save(path));
        } else {
            let lone = self.viewed.as_ref().filter(|viewed| viewed.others == 0);
            match lone.filter(|_| !is_whole) {
                // The file has what memory hasn't.
                Some(viewed) => self.background.copy(viewed.path.clone(), path),
                None => self.background.save(self.recording().clone(), path),
            }
        }
    }

    /// Ends the worker. Its session is joined by whoever began it.
    pub fn quit(&mut self) {
        self.send(Command::Quit);
        if let Some(keeper) = self.keeper.take() {
            keeper.close(&self.settings());
        }
    }
}
