//! What stands in front of the panes.

use std::path::PathBuf;

use crate::plots::PaneId;
use crate::run::knobs;

use super::export::Export;
use super::sharing::Arriving;
use super::state::Window;

/// What stands in front of the panes.
#[derive(Clone, Debug, PartialEq)]
pub enum Dialog {
    /// The list of keys.
    Keys,
    /// How to read a pane.
    Guide(PaneId),
    /// What a knob means.
    Knob(&'static str),
    CoordCheck,
    Connectivity,
    SaveWeights {
        path: String,
    },
    Save {
        path: String,
    },
    Open {
        path: String,
    },
    /// The link and what else leaves the program.
    Share,
    /// Its QR code, as large as the window.
    QrCode,
    Settings,
    /// Where to write the state.
    SaveState {
        path: String,
    },
    /// What to do with weights that were brought.
    Weights {
        path: PathBuf,
        tensors: usize,
        /// Or why they aren't those of the network that the knobs describe.
        fit: Result<(), String>,
    },
    /// What has arrived and has to be agreed to.
    Arrival(Arriving),
    /// Something to be written at a step.
    Note {
        step: u64,
        text: String,
    },
    /// A pane as a figure or a table.
    Export(Export),
    Film,
}

impl Window {
    /// A prompt for where to save, with a place filled in.
    pub fn save_dialog(&self) -> Dialog {
        let task = match &self.recording().header.lab {
            Some(lab) => lab.id.clone(),
            None => knobs::find("task").map_or_else(String::new, |knob| knob.get(self.spec()).to_string()),
        };
        Dialog::Save { path: self.place(&format!("landscope-{task}-step{}.landscope", self.recording().newest_step())) }
    }

    /// Likewise for the weights.
    pub fn save_weights_dialog(&self) -> Dialog {
        let task = knobs::find("task").map_or_else(String::new, |knob| knob.get(self.spec()).to_string());
        let name = format!("landscope-{task}-step{}.safetensors", self.recording().newest_step());
        Dialog::SaveWeights { path: self.place(&name) }
    }
}
