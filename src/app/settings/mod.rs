//! What the window remembers from one day to the next: looks, layouts and places, never data.

mod keeper;
mod text;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml::Table;

use crate::plots::pane;

pub use keeper::Keeper;
pub use text::{Settings, SettingsDoubt};

use super::arrangement;
use super::share::View;
use super::state::Window;
use super::toasts::Notice;

/// Files that the menu offers again.
const RECENT: usize = 8;
/// Longest name of a layout, in characters: it stands in a menu.
const LONGEST_NAME: usize = 40;

/// What users do to the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingsAction {
    /// Where files are saved unless another place is typed; none for where the program was started.
    Folder(Option<PathBuf>),
    ForgetRecent,
}

/// A layout under a name: where the panes are and what they show.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedLayout {
    /// `playground` or a lab's id: the panes are its.
    pub experiment: String,
    /// A view's table, without cursor and colours.
    pub view: Table,
}

impl Window {
    /// Takes the settings of a kept file, and keeps them there from now on.
    pub fn keep_settings_in(&mut self, path: PathBuf) {
        let (settings, keeper, notice) = Keeper::open(path, self.wake.clone());
        self.take_settings(settings);
        self.keeper = Some(keeper);
        notice.into_iter().for_each(|notice| self.toasts.push(notice));
    }

    fn take_settings(&mut self, settings: Settings) {
        self.dark = !settings.light;
        self.presenter = settings.presenter;
        self.knobs_open = !settings.knobs_folded;
        self.lesson_open = !settings.lesson_folded;
        for (experiment, table) in &settings.last_layouts {
            // What another version wrote and this one can't read is as at the start.
            if let Ok(View { layout: Some(layout), .. }) = View::from_table(table.clone()) {
                self.arranged.layouts.insert(experiment.clone(), layout);
            }
        }
        self.memory = Memory { folder: settings.folder, recent: settings.recent, layouts: settings.layouts };
    }

    /// The settings as they stand.
    pub fn settings(&self) -> Settings {
        let layout_of =
            |layout: &arrangement::PaneLayout| View { layout: Some(layout.clone()), ..View::default() }.to_table();
        Settings {
            light: !self.dark,
            presenter: self.presenter,
            knobs_folded: !self.knobs_open,
            lesson_folded: !self.lesson_open,
            folder: self.memory.folder.clone(),
            recent: self.memory.recent.clone(),
            last_layouts: self
                .arranged
                .layouts
                .iter()
                .map(|(name, layout)| (name.clone(), layout_of(layout)))
                .collect(),
            layouts: self.memory.layouts.clone(),
        }
    }

    /// Has changed settings written, now and then and never while something is being dragged; the seconds until it should be
    /// asked again, if something waits.
    pub fn keep_settings(&mut self, now: f64, pointer_is_down: bool) -> Option<f64> {
        let mut keeper = self.keeper.take()?;
        let wait = if pointer_is_down { None } else { keeper.keep(now, || self.settings()) };
        keeper.problems().for_each(|problem| self.toasts.push(Notice::problem(problem)));
        self.keeper = Some(keeper);
        wait
    }

    /// Where the settings are kept.
    pub fn settings_path(&self) -> Option<&Path> {
        self.keeper.as_ref().map(Keeper::path)
    }

    pub(super) fn set_settings(&mut self, action: SettingsAction) {
        match action {
            SettingsAction::Folder(folder) => match folder {
                Some(folder) if !crate::run::kept_file::is_folder(&folder) => {
                    let text = format!("{} isn't a folder: choose one that exists", folder.display());
                    self.toasts.push(Notice::problem(text));
                }
                folder => self.memory.folder = folder,
            },
            SettingsAction::ForgetRecent => self.memory.recent.clear(),
        }
    }

    /// Puts a file first among the recent ones.
    pub(super) fn remember(&mut self, path: &Path) {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        self.memory.recent.retain(|known| *known != path);
        self.memory.recent.insert(0, path);
        self.memory.recent.truncate(RECENT);
    }

    /// Where a file of this name is saved unless another place is typed.
    pub fn place(&self, name: &str) -> String {
        match &self.memory.folder {
            Some(folder) => folder.join(name).to_string_lossy().into_owned(),
            None => format!("./{name}"),
        }
    }

    /// The names of the layouts that were kept of the panes that are shown.
    pub fn layout_names(&self) -> Vec<&str> {
        let experiment = arrangement::experiment_of(self.recording());
        let fitting = self.memory.layouts.iter().filter(|(_, layout)| layout.experiment == experiment);
        fitting.map(|(name, _)| name.as_str()).collect()
    }

    pub(super) fn choose_layout(&mut self, name: &str) {
        let Some(named) = self.memory.layouts.get(name) else { return };
        match View::from_table(named.view.clone()) {
            Err(message) => {
                self.toasts.push(Notice::problem(format!("The layout {name} can't be read: {message}; delete it")));
            }
            Ok(view) => {
                let recording = self.recording();
                let start = arrangement::start(recording);
                let slugs = arrangement::slugs(recording);
                let layout = view.layout.map_or(start.clone(), |layout| layout.fitted(&slugs, &start));
                let maximised = view.maximised.and_then(|name| arrangement::find(recording, &name));
                self.set_layout(layout);
                (self.maximised, self.options) = (maximised, view.options);
            }
        }
    }

    pub(super) fn save_layout(&mut self, name: &str) {
        let name: String = name.trim().chars().take(LONGEST_NAME).collect();
        if name.is_empty() {
            self.toasts.push(Notice::problem("A layout needs a name: type one"));
            return;
        }
        let experiment = arrangement::experiment_of(self.recording());
        if let Some(other) = self.memory.layouts.get(&name).filter(|kept| kept.experiment != experiment) {
            let text = format!("There is a layout {name} of {}: choose another name", other.experiment);
            self.toasts.push(Notice::problem(text));
            return;
        }
        let recording = self.recording();
        let view = View {
            layout: Some(self.layout()),
            maximised: self.maximised.map(|id| pane::slug(recording, id).to_owned()),
            options: self.options.clone(),
            ..View::default()
        };
        let named = NamedLayout { experiment, view: view.to_table() };
        let text = match self.memory.layouts.insert(name.clone(), named) {
            None => format!("Kept the layout {name}"),
            Some(_) => format!("Kept the layout {name} in the place of the one before"),
        };
        self.toasts.push(Notice::done(text));
    }

    pub(super) fn delete_layout(&mut self, name: &str) {
        if self.memory.layouts.remove(name).is_some() {
            self.toasts.push(Notice::remark(format!("Deleted the layout {name}")));
        }
    }
}

/// What is remembered and stands nowhere else in the window.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Memory {
    pub folder: Option<PathBuf>,
    /// The newest first.
    pub recent: Vec<PathBuf>,
    pub layouts: BTreeMap<String, NamedLayout>,
}
