//! How much memory the recording holds, in the time line's row.

use egui::{RichText, Ui};

use crate::app::state::Window;
use crate::app::theme;

pub fn show(window: &Window, ui: &mut Ui) {
    let tokens = theme::of(ui.visuals());
    let used = window.recording().memory();
    let mib = |bytes: usize| bytes.div_ceil(1 << 20);
    let tight = used.is_summarised || used.is_thinned;
    let numbers = format!("{} of {} MiB", mib(used.bytes), mib(used.budget));
    let text =
        if tight && ui.available_width() > 420.0 { format!("{numbers}, older parts are summarised") } else { numbers };
    let color = if tight { tokens.text_weak } else { tokens.text_faint };
    let response = ui.add(egui::Label::new(RichText::new(text).color(color)).sense(egui::Sense::hover()));
    response.on_hover_ui(|ui| {
        ui.label("Memory of the recording that is shown, of its budget (--memory MIB)");
        if used.is_summarised {
            ui.label("Older numbers stand for several steps each, with their extremes: curves look the same at this size, and averages are those of all steps");
        }
        if used.is_thinned {
            ui.label("Of the older histograms, matrices and surfaces some are read back from the file when the cursor goes there; where there is no file, the nearest earlier one is shown");
        }
        if tight {
            ui.label("The recording's file keeps everything");
        }
    });
}
