//! The layout: bars, knob panel, panes, time line, and what stands in front of them.

mod banners;
mod branches;
mod bring;
mod connectivity;
mod coord_check;
mod dialogs;
mod export_dialog;
mod film_dialog;
mod knob_panel;
mod lab_knobs;
mod lesson_panel;
mod memory;
mod menus;
mod pane_options;
mod panels;
mod panes;
mod settings;
mod share;
mod sides;
mod smoothing;
mod stacks;
mod time_line;
mod time_window;
mod toasts;
mod top_bar;
mod tracks;

use std::collections::BTreeMap;

use egui::{Frame, Margin, Panel, Ui};

use super::action::Action;
use super::arrangement;
use super::keys;
use super::plot_cache::PlotCache;
use super::state::{Dialog, Window};
use super::theme::{self, size};
use super::views::{Orbit, ViewState};
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
    sharing: share::Memory,
    lesson: lesson_panel::Memory,
    tracks: tracks::Memory,
    sides: sides::Memory,
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
        self.sides.make_room(window, ui.ctx().content_rect().width(), &mut actions);
        banners::show(window, ui, &mut actions);
        let centre = Frame::new().fill(tokens.background).inner_margin(Margin::same(size::GAP as i8));
        egui::CentralPanel::default().frame(centre).show(ui, |ui| self.panes(window, ui, &mut actions));
        if window.dialog == Some(Dialog::QrCode) {
            share::large_code(window, ui.ctx(), &mut self.sharing, &mut actions);
        } else {
            dialogs::show(window, ui.ctx(), &mut self.dialog_pictures, &mut self.sharing, &mut actions);
        }
        toasts::show(window, ui.ctx(), &mut actions);
        bring::show(window, ui, &mut actions);
        if !actions.is_empty() {
            // What was wished for shows in the very next frame.
            ui.ctx().request_repaint();
        }
        actions.into_iter().for_each(|action| window.apply(action));
        export_dialog::to_clipboard(window, ui.ctx());
        let (now, pointer_is_down) = ui.input(|input| (input.time, input.pointer.any_down()));
        window.history.end_frame(now, pointer_is_down);
        if let Some(wait) = window.keep_settings(now, pointer_is_down) {
            ui.ctx().request_repaint_after_secs(wait as f32);
        }
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
        let cameras = std::mem::take(&mut window.arranged.cameras_to_come);
        let drawn = panes::Drawn { window, plots, views, actions, stacks: stacks::Stacks::default(), asked: None };
        panes::show(tiles, drawn, ui);
        // What a link says of panes that aren't there yet waits for them.
        for (name, orbit) in cameras {
            match arrangement::find(window.recording(), &name) {
                Some(id) => views.entry((id, 0)).or_default().orbit = orbit,
                None => drop(window.arranged.cameras_to_come.insert(name, orbit)),
            }
        }
        let turned = views.iter().filter(|((_, index), view)| *index == 0 && view.orbit != Orbit::default());
        window.arranged.cameras = turned.map(|((id, _), view)| (*id, view.orbit)).collect();
    }
}
