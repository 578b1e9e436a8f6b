//! The layout: bars, knob panel, panes, time line, and what stands in front of them.

mod banners;
mod branches;
mod connectivity;
mod coord_check;
mod dialogs;
mod export_dialog;
mod film_dialog;
mod knob_panel;
mod lab_knobs;
mod lesson_panel;
mod memory;
mod pane_options;
mod panes;
mod stacks;
mod time_line;
mod time_window;
mod toasts;
mod top_bar;
mod tracks;

use std::collections::BTreeMap;

use egui::{Frame, Margin, Panel, Ui};

use super::action::Action;
use super::keys;
use super::plot_cache::PlotCache;
use super::state::Window;
use super::theme::{self, size};
use super::views::ViewState;
use crate::plots::PaneId;

/// How things are drawn: where the tiles are, what was drawn last. Nothing in here is worth saving.
#[derive(Default)]
pub struct Shell {
    tiles: panes::Tiles,
    plots: PlotCache,
    /// Camera, zoom and the like of each plot of each pane.
    views: BTreeMap<(PaneId, usize), ViewState>,
    /// Where frames are drawn by the processor, new data are shown less often.
    slow: bool,
    dialog_pictures: dialogs::Pictures,
    lesson: lesson_panel::Memory,
    tracks: tracks::Memory,
}

impl Shell {
    /// Redraw for data a few times a second only: the processor draws.
    pub fn set_slow(&mut self, slow: bool) {
        self.slow = slow;
    }

    pub fn plot_builds(&self) -> u64 {
        self.plots.builds()
    }

    /// Draws the window and carries out what the user wishes.
    pub fn show(&mut self, window: &mut Window, ui: &mut Ui) {
        let mut actions = Vec::new();
        if window.play_on(f64::from(ui.input(|input| input.stable_dt))) {
            ui.ctx().request_repaint();
        }
        keys::read(ui.ctx(), window, &mut actions);
        self.look(window, ui);
        let tokens = theme::of(ui.visuals());
        let bar = |vertical: i8| Frame::new().fill(tokens.panel).inner_margin(Margin::symmetric(10, vertical));

        Panel::top("top bar")
            .exact_size(size::TOP_BAR)
            .frame(bar(4))
            .show(ui, |ui| top_bar::show(window, ui, &mut actions));
        Panel::bottom("time line").frame(bar(6)).show(ui, |ui| time_line::show(window, ui, &mut actions));
        if window.knobs_open {
            Panel::left("knobs")
                .default_size(size::KNOB_PANEL)
                .size_range(220.0..=420.0)
                .frame(Frame::new().fill(tokens.panel))
                .show(ui, |ui| knob_panel::show(window, ui, &mut actions));
        }
        if window.lesson_open
            && let Some(shown) = window.shown_lab()
        {
            Panel::right("lesson")
                .default_size(300.0)
                .size_range(240.0..=460.0)
                .frame(Frame::new().fill(tokens.panel))
                .show(ui, |ui| lesson_panel::show(window, &shown, &mut self.lesson, ui, &mut actions));
        }
        if window.tracks_open && tracks::has_several(window.recording()) {
            Panel::right("tracks")
                .default_size(230.0)
                .size_range(180.0..=420.0)
                .frame(bar(0))
                .show(ui, |ui| tracks::show(window, &mut self.tracks, ui, &mut actions));
        }
        banners::show(window, ui, &mut actions);
        let centre = Frame::new().fill(tokens.background).inner_margin(Margin::same(size::GAP as i8));
        egui::CentralPanel::default().frame(centre).show(ui, |ui| self.panes(window, ui, &mut actions));
        dialogs::show(window, ui.ctx(), &mut self.dialog_pictures, &mut actions);
        toasts::show(window, ui.ctx(), &mut actions);
        drop_files(ui, &mut actions);
        if !actions.is_empty() {
            // What was wished for shows in the very next frame.
            ui.ctx().request_repaint();
        }
        actions.into_iter().for_each(|action| window.apply(action));
        export_dialog::to_clipboard(window, ui.ctx());
    }

    fn look(&self, window: &Window, ui: &mut Ui) {
        let ctx = ui.ctx().clone();
        let theme = if window.dark { egui::Theme::Dark } else { egui::Theme::Light };
        if ctx.theme() != theme {
            ctx.set_theme(theme);
            ui.set_style(ctx.style_of(theme));
        }
        let zoom = if window.presenter { theme::PRESENTER_ZOOM } else { 1.0 };
        if (ctx.zoom_factor() - zoom).abs() > 1e-3 {
            ctx.set_zoom_factor(zoom);
        }
    }

    fn panes(&mut self, window: &mut Window, ui: &mut Ui, actions: &mut Vec<Action>) {
        let Self { tiles, plots, views, slow, .. } = self;
        // Below the interval of the wake-ups, or the two would take turns and draw twice as often.
        plots.interval_secs(if *slow { 0.3 } else { 1.0 / 15.0 });
        let drawn = panes::Drawn { window, plots, views, actions, stacks: stacks::Stacks::default(), asked: None };
        panes::show(tiles, drawn, ui);
    }
}

/// A file dropped on the window is a recording to be opened.
fn drop_files(ui: &Ui, actions: &mut Vec<Action>) {
    let hovered = ui.input(|input| input.raw.hovered_files.len());
    if hovered > 0 {
        let text = if hovered > 1 { "Drop to compare the recordings" } else { "Drop to open the recording" };
        let tokens = theme::of(ui.visuals());
        let layer = egui::LayerId::new(egui::Order::Foreground, egui::Id::unique("drop"));
        let painter = ui.ctx().layer_painter(layer);
        let all = ui.ctx().content_rect();
        painter.rect_filled(all, 0.0, tokens.background.gamma_multiply(0.8));
        let font = egui::FontId::proportional(2.0 * size::TEXT_HEADING);
        painter.text(all.center(), egui::Align2::CENTER_CENTER, text, font, tokens.text);
    }
    let dropped: Vec<_> = ui.input(|input| input.raw.dropped_files.iter().map(|file| file.path().to_owned()).collect());
    match &dropped[..] {
        [] => {}
        [path] => actions.push(Action::Open(path.clone())),
        _ => actions.push(Action::Compare { paths: dropped, with_shown: false }),
    }
}
