//! The state of the window as it leaves the program and as it arrives: by link, by file, from the clipboard.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::plots::{PaneId, pane};
use crate::record::TimeCursor;
use crate::run::course::Course;
use crate::run::messages::{Command, RunState};
use crate::run::spec::RunSpec;

use super::action::Action;
use super::arrangement::{self, PaneLayout};
use super::draft;
use super::lab::LabInFront;
use super::share::{Experiment, SharedState, View};
use super::state::{Dialog, Window};
use super::toasts::Notice;
use super::views::Orbit;

/// What users do about links and states.
#[derive(Clone, Debug, PartialEq)]
pub enum ShareAction {
    /// A link, or the text of a state, that was pasted, dropped or typed.
    Open(String),
    /// Begin what has arrived: questions about it are answered.
    Begin(Box<SharedState>),
    /// Write the state into a file.
    SaveAs(PathBuf),
    /// Whether the link holds the view, too.
    WithView(bool),
    /// Whether the link holds what was done to the run, too.
    WithCourse(bool),
    /// Hide these knobs, or show them again.
    HideKnobs(Vec<String>, bool),
    /// Something was copied: say so.
    Copied(&'static str),
}

/// Where things stand in the window, apart from data; and what a link has said about a recording that hasn't begun yet.
#[derive(Default)]
pub struct Arranged {
    /// The layout of each experiment's panes, where it isn't the one of the start.
    pub layouts: BTreeMap<String, PaneLayout>,
    /// Knobs that the panel doesn't show.
    pub hidden_knobs: BTreeSet<String>,
    /// Where surfaces are seen from, as they were drawn last.
    pub cameras: BTreeMap<PaneId, Orbit>,
    /// Likewise, but for what is to be drawn, by the names of panes.
    pub cameras_to_come: BTreeMap<String, Orbit>,
    /// Where the cursor goes when the run has begun.
    pub cursor_to_come: Option<u64>,
    /// Whether links leave the view out.
    pub without_view: bool,
    /// Whether they leave out what was done to the run.
    pub without_course: bool,
}

/// Something that was opened and that the user should see before it begins.
#[derive(Clone, Debug, PartialEq)]
pub struct Arriving {
    pub state: Box<SharedState>,
    pub remarks: Vec<String>,
    /// Files and folders of this computer that it would read.
    pub files: Vec<PathBuf>,
    /// What would be lost.
    pub at_stake: Option<String>,
}

impl Window {
    /// The experiment that is shown, as its knobs stand; none for what is no experiment of this program, such as a sweep.
    pub fn shown_experiment(&self) -> Option<Experiment> {
        if let Some(shown) = self.shown_lab() {
            return Some(Experiment::Lab { lab: shown.lab, values: shown.values });
        }
        let header = &self.recording().header;
        if header.lab.is_some() || !header.charts.is_empty() {
            return None;
        }
        let spec = self.viewed.as_ref().map_or(&self.draft, |viewed| &viewed.spec);
        Some(Experiment::Playground(Box::new(spec.clone())))
    }

    /// What a link holds now; why there is none otherwise.
    ///
    /// # Errors
    /// One sentence for the user.
    pub fn shared_state(&self) -> Result<SharedState, String> {
        let mut experiment =
            self.shown_experiment().ok_or("A sweep isn't one experiment: open one of its cells and share that")?;
        if let Experiment::Playground(spec) = &experiment
            && let Some(obstacle) = draft::obstacle(spec)
        {
            return Err(format!("These knobs can't be run, so there is nothing to share yet. {obstacle}"));
        }
        let mut course = Course::default();
        if let (Experiment::Playground(spec), false, Some((began, done))) =
            (&mut experiment, self.arranged.without_course, self.course_now())
        {
            (**spec, course) = (began, done);
        }
        let view = (!self.arranged.without_view).then(|| self.view_now());
        Ok(SharedState { experiment, course, view })
    }

    /// What was done to the run that is shown, and the knobs that it began with. None where nothing was done, and where knobs were set
    /// that the run doesn't have yet: they are another run's.
    pub fn course_now(&self) -> Option<(RunSpec, Course)> {
        let known = match &self.viewed {
            Some(viewed) => viewed.others == 0,
            None => self.is_following_a_file() || (self.has_playground() && self.draft == self.live.spec),
        };
        let recording = self.recording();
        if !known || recording.header.lab.is_some() || recording.header.spec.is_empty() {
            return None;
        }
        // Of a recording of another version, knobs may be unknown here: what couldn't be opened isn't offered.
        let sayable = |(spec, course): &(RunSpec, Course)| !course.is_empty() && course.clone().check(spec).is_ok();
        Course::of(recording).ok().filter(sayable)
    }

    /// Panes, panels, colours and cursor as they stand.
    fn view_now(&self) -> View {
        let recording = self.recording();
        let cameras = self.arranged.cameras.iter().filter(|(_, orbit)| **orbit != Orbit::default());
        View {
            layout: self.arranged.layouts.get(&arrangement::experiment_of(recording)).cloned(),
            maximised: self.maximised.map(|id| pane::slug(recording, id).to_owned()),
            options: self.options.clone(),
            cameras: cameras.map(|(id, orbit)| (pane::slug(recording, *id).to_owned(), rounded(*orbit))).collect(),
            cursor: match self.cursor {
                TimeCursor::Following => None,
                TimeCursor::At(step) => Some(step),
            },
            light: !self.dark,
            presenter: self.presenter,
            knobs_folded: !self.knobs_open,
            lesson_folded: !self.lesson_open,
            lesson_step: self.lesson_step,
            hidden_knobs: self.arranged.hidden_knobs.clone(),
            speed_limit: self.speed_limit,
            paused: self.has_transport() && self.live.state == RunState::Paused,
        }
    }

    pub(super) fn share(&mut self, action: ShareAction) {
        match action {
            ShareAction::Open(text) => match SharedState::read(&text) {
                Ok((state, remarks)) => self.arrive(state, remarks),
                Err(error) => self.toasts.push(Notice::problem(super::sentence(&error.to_string()))),
            },
            ShareAction::Begin(state) => self.begin_shared(*state),
            ShareAction::SaveAs(path) => {
                self.dialog = None;
                match self.shared_state().and_then(|state| state.to_toml()) {
                    Ok(text) => self.background.write_text(text, path),
                    Err(message) => self.toasts.push(Notice::problem(message)),
                }
            }
            ShareAction::WithView(with) => self.arranged.without_view = !with,
            ShareAction::WithCourse(with) => self.arranged.without_course = !with,
            ShareAction::HideKnobs(ids, hide) => {
                for id in ids {
                    if hide {
                        self.arranged.hidden_knobs.insert(id);
                    } else {
                        self.arranged.hidden_knobs.remove(&id);
                    }
                }
            }
            ShareAction::Copied(what) => self.toasts.push(Notice::done(what)),
        }
    }

    /// Begins what was opened, unless it reads files of this computer or something would be lost: then the user is asked first.
    pub fn arrive(&mut self, state: SharedState, remarks: Vec<String>) {
        let files = state.paths();
        let at_stake = self.at_stake();
        if files.is_empty() && at_stake.is_none() {
            remarks.into_iter().for_each(|remark| self.toasts.push(Notice::remark(remark)));
            self.begin_shared(state);
        } else {
            self.dialog = Some(Dialog::Arrival(Arriving { state: Box::new(state), remarks, files, at_stake }));
        }
    }

    /// What would be lost if another experiment began now.
    pub fn at_stake(&self) -> Option<String> {
        let recording = &self.live.recording;
        let step = recording.newest_step();
        // A lab that has come to its end comes to the same end again.
        let is_lost = self.link.is_some()
            && step > 0
            && !self.is_kept()
            && self.saved_at.is_none_or(|saved| saved < step)
            && (self.lab.is_none() || self.live.is_running());
        is_lost.then(|| {
            let what = if self.lab.is_some() { "The lab" } else { "The run" };
            format!("{what} that is open (step {step}) isn't saved, and ends when another begins")
        })
    }

    /// Whether what is recorded is written into a file as it goes, by this program or another.
    fn is_kept(&self) -> bool {
        self.recorded.is_some() || self.followed.is_some() || self.is_following_a_file() || self.is_watching()
    }

    fn begin_shared(&mut self, state: SharedState) {
        let SharedState { experiment, course, view } = state;
        let title = experiment.title();
        let maximised =
            view.as_ref().and_then(|view| view.maximised.as_deref()).and_then(|name| pane_named(&experiment, name));
        let key = match &experiment {
            Experiment::Playground(_) => "playground",
            Experiment::Lab { lab, .. } => lab.id(),
        };
        self.dialog = None;
        match experiment {
            Experiment::Lab { lab, values } => self.begin(Some(LabInFront { lab, draft: values })),
            Experiment::Playground(spec) => {
                self.draft = *spec;
                if self.has_playground() {
                    self.close_file();
                    self.history.clear();
                    self.cursor = TimeCursor::Following;
                    self.maximised = None;
                    let spec = Box::new(self.draft.clone());
                    self.send(if course.is_empty() {
                        Command::Restart(spec)
                    } else {
                        Command::Repeat { spec, course: Box::new(course) }
                    });
                } else {
                    self.begin_again(course);
                }
            }
        }
        self.toasts.push(Notice::done(format!("Opened: {title}")));
        let Some(view) = view else {
            self.send(Command::Play);
            return;
        };
        self.send(if view.paused { Command::Pause } else { Command::Play });
        self.apply(Action::SpeedLimit(view.speed_limit));
        match view.layout {
            Some(layout) => drop(self.arranged.layouts.insert(key.into(), layout)),
            None => drop(self.arranged.layouts.remove(key)),
        }
        self.maximised = maximised;
        self.options = view.options;
        self.arranged.cameras_to_come = view.cameras;
        self.arranged.cursor_to_come = view.cursor;
        self.arranged.hidden_knobs = view.hidden_knobs;
        self.dark = !view.light;
        self.presenter = view.presenter;
        self.knobs_open = !view.knobs_folded;
        self.lesson_open = !view.lesson_folded;
        self.lesson_step = view.lesson_step;
    }

    /// Whether there is a worker of the Playground, in front or behind a file.
    pub(super) fn has_playground(&self) -> bool {
        self.link.is_some() && self.lab.is_none() && !self.is_following_a_file() && !self.is_watching()
    }

    /// A run has begun: its cursor goes where the link says. (It stands at the newest step until that one is reached.)
    pub(super) fn cursor_at_start(&mut self) -> TimeCursor {
        self.arranged.cursor_to_come.take().map_or(TimeCursor::Following, TimeCursor::At)
    }
}

/// As links hold it.
fn rounded(orbit: Orbit) -> Orbit {
    let round = |x: f32| ((f64::from(x) * 1_000.0).round() / 1_000.0) as f32;
    Orbit { yaw: round(orbit.yaw), pitch: round(orbit.pitch), zoom: round(orbit.zoom) }
}

fn pane_named(experiment: &Experiment, name: &str) -> Option<PaneId> {
    match experiment {
        Experiment::Playground(_) => pane::PANES.iter().find(|pane| pane.slug == name).map(|pane| pane.id),
        Experiment::Lab { lab, values } => {
            let index = lab.charts(values).iter().position(|chart| chart.id == name)?;
            u8::try_from(index).ok().map(PaneId::Chart)
        }
    }
}
