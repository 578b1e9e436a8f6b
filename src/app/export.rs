//! How a pane leaves the window: as a figure, a table, a picture on the clipboard, or the command that makes it again.

use std::path::{Path, PathBuf};

use crate::figures::file::FileFormat;
use crate::figures::raster::Pixels;
use crate::figures::{Camera, FigureSize, Ground, Paper};
use crate::labs::caption::caption;
use crate::labs::reproduce::{self, Origin};
use crate::plots::{PaneId, Plot, pane, switches};
use crate::record::Recording;
use crate::run::recording_of_run;

use super::state::Window;
use super::toasts::Notice;

/// Where a figure's caption goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CaptionPlace {
    /// Below the picture.
    #[default]
    Under,
    /// In a text file beside the figure.
    File,
    Nowhere,
}

/// What the reader chose for the last figure, and wants for the next.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Choice {
    /// None for the size that the pane has on screen.
    pub size: Option<FigureSize>,
    pub ground: Ground,
    pub caption: CaptionPlace,
}

/// A pane as it is to leave the window.
#[derive(Clone, Debug, PartialEq)]
pub struct Export {
    pub pane: PaneId,
    pub format: FileFormat,
    pub choice: Choice,
    /// Pixels that the pane has on screen.
    pub screen: [u32; 2],
    pub camera: Camera,
    pub path: String,
}

#[derive(Clone, Debug, PartialEq)]
pub enum ExportAction {
    /// Into its file.
    Write(Export),
    /// The figure's pixels to the clipboard.
    CopyPicture(Export),
    /// The command line that draws the figure to the clipboard.
    CopyCommand(Export),
    /// The caption to the clipboard.
    CopyCaption(Export),
}

/// Pixels in all that a figure needs for its text not to crowd its picture.
const ROOMY: f64 = 900.0 * 700.0;

/// What waits for the clipboard, which only a frame can reach.
pub enum Clip {
    Text(String),
    Picture(Pixels),
}

impl Export {
    pub fn size(&self) -> FigureSize {
        self.choice.size.unwrap_or_else(|| self.as_on_screen())
    }

    /// The proportions that the pane has on screen, and its size; of a small pane more, as a figure has text about its picture.
    pub fn as_on_screen(&self) -> FigureSize {
        let [width, height] = self.screen.map(f64::from);
        let enlarged = (ROOMY / (width * height).max(1.0)).sqrt().max(1.0);
        let side = |side: f64| {
            let side = (side * enlarged).round() as u32;
            side.clamp(*crate::figures::SIZES.start(), *crate::figures::SIZES.end())
        };
        FigureSize::Pixels { width: side(width), height: side(height) }
    }

    /// The same in another format, with the path's ending changed as well.
    #[must_use]
    pub fn in_format(&self, format: FileFormat) -> Self {
        let path = Path::new(&self.path).with_extension(format.extension());
        Self { format, path: path.to_string_lossy().into_owned(), ..self.clone() }
    }

    /// What `landscope figure` is told after the file.
    fn words(&self, window: &Window) -> Vec<String> {
        let recording = window.recording();
        let mut words = vec!["--pane".to_owned(), pane::slug(recording, self.pane).to_owned()];
        if !window.cursor.is_following() {
            words.extend(["--step".into(), window.cursor.step(recording.newest_step()).to_string()]);
        }
        if chooses_a_track(recording) {
            words.extend(["--track".into(), recording.focus().0.to_string()]);
        }
        for (name, text) in switches::changed(self.pane, &window.options, recording) {
            words.extend([format!("--{name}"), text]);
        }
        if !self.format.is_figure() {
            words.extend(["--format".into(), self.format.extension().into()]);
            return words;
        }
        words.extend(["--size".into(), self.size().text()]);
        if self.format != FileFormat::Svg {
            words.extend(["--format".into(), self.format.extension().into()]);
        }
        if self.choice.ground == Ground::Dark {
            words.push("--dark".into());
        }
        match self.choice.caption {
            CaptionPlace::Under => {}
            CaptionPlace::File => words.extend(["--caption".into(), "file".into()]),
            CaptionPlace::Nowhere => words.extend(["--caption".into(), "none".into()]),
        }
        words.extend(camera_words(&self.camera));
        words
    }
}

/// Whether a command has to say which track is in focus.
pub fn chooses_a_track(recording: &Recording) -> bool {
    recording.header.charts.is_empty() && recording.tracks().nth(1).is_some()
}

/// The camera's flags, where it was turned.
pub fn camera_words(camera: &Camera) -> Vec<String> {
    let first = Camera::default();
    if (camera.yaw, camera.pitch) == (first.yaw, first.pitch) {
        return Vec::new();
    }
    let degrees = |radians: f64| format!("{:.2}", radians.to_degrees());
    vec!["--azimuth".into(), degrees(camera.yaw), "--elevation".into(), degrees(camera.pitch)]
}

impl Window {
    /// A pane as it would leave now.
    pub fn export_of(&self, pane: PaneId, format: FileFormat, screen: [u32; 2], camera: Camera) -> Export {
        let recording = self.recording();
        let step = self.cursor.step(recording.newest_step());
        let name = format!("landscope-{}-step{step}.{}", pane::slug(recording, pane), format.extension());
        let path = self.place(&name);
        Export { pane, format, choice: self.figure_choice, screen, camera, path }
    }

    /// Carries out a wish.
    pub(super) fn leave(&mut self, action: ExportAction) {
        match action {
            ExportAction::Write(export) => {
                self.dialog = None;
                let plots = self.plots(export.pane);
                let (paper, caption) = self.paper(&export, &plots);
                let beside =
                    (export.choice.caption == CaptionPlace::File && export.format.is_figure()).then_some(caption);
                self.figure_choice = export.choice;
                self.background.export(plots, export.format, paper, beside, PathBuf::from(&export.path));
            }
            ExportAction::CopyPicture(export) => {
                let plots = self.plots(export.pane);
                let (mut paper, _) = self.paper(&export, &plots);
                paper.caption = None;
                self.background.draw(plots, paper);
            }
            ExportAction::CopyCommand(export) => {
                let words = export.words(self);
                self.copy_command("figure", &words, "Copied the command that draws this figure");
            }
            ExportAction::CopyCaption(export) => {
                let plots = self.plots(export.pane);
                let (_, caption) = self.paper(&export, &plots);
                self.copy(caption, "Copied the caption");
            }
        }
    }

    /// Copies the command line that does something with the recording in front.
    pub(super) fn copy_command(&mut self, subcommand: &str, words: &[String], said: &str) {
        let line = self.origin().and_then(|origin| reproduce::command(subcommand, &origin, words));
        match line {
            Ok(line) => self.copy(line, said),
            Err(message) => self.toasts.push(Notice::problem(message)),
        }
    }

    /// Where the numbers in front are, or come from: a run in which nothing was turned by hand is easily run again, any other is in the
    /// file that it is recorded in.
    fn origin(&self) -> Result<Origin<'_>, String> {
        if let Some(viewed) = &self.viewed {
            if viewed.files.is_empty() {
                return Err("One of the recordings here has no file, so no command can name it: save it, and open the files together".into());
            }
            return Ok(Origin::Files(viewed.files.clone()));
        }
        if let Some(path) = &self.followed {
            return Ok(Origin::Files(vec![path.clone()]));
        }
        let recording = self.recording();
        let turned = recording.is_branched() || !recording.interventions.is_empty();
        match &self.recorded {
            Some((first, runs)) if turned => Ok(Origin::Files(vec![recording_of_run(first, *runs)])),
            _ => Ok(Origin::Run(recording)),
        }
    }

    pub(super) fn copy(&mut self, text: String, said: &str) {
        self.clipboard = Some(Clip::Text(text));
        self.toasts.push(Notice::done(said));
    }

    /// What the figure is drawn on, and its caption.
    fn paper(&self, export: &Export, plots: &[Plot]) -> (Paper, String) {
        let recording = self.recording();
        let words = caption(recording, &pane::told(recording, export.pane, plots, self.cursor));
        let paper = Paper {
            ground: export.choice.ground,
            camera: export.camera,
            caption: (export.choice.caption == CaptionPlace::Under).then(|| words.clone()),
            description: words.clone(),
            ..Paper::of(export.size())
        };
        (paper, words)
    }
}
