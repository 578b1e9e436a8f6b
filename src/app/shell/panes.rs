//! The instruments as tiles that can be dragged and resized, or one of them alone.

use std::collections::BTreeMap;

use egui::{
    CornerRadius, Frame, Rect, RichText, Sense, Stroke, Ui, UiBuilder, UiStackInfo, WidgetInfo, WidgetText, vec2,
};
use egui_tiles::{Behavior, SimplificationOptions, Tile, TileId, Tree, UiResponse};

use crate::app::action::Action;
use crate::app::arrangement::{self, PaneLayout};
use crate::app::export::{Export, ExportAction};
use crate::app::film::FilmAction;
use crate::app::layouts::LayoutAction;
use crate::app::plot_cache::PlotCache;
use crate::app::state::{Dialog, Window};
use crate::app::theme::{self, size};
use crate::app::views::{self, ViewState};
use crate::app::widgets::icon::{self, Emphasis, Icon};
use crate::figures::Camera;
use crate::figures::file::FileFormat;
use crate::plots::{PaneId, Plot, compare, pane};
use crate::record::{Recording, WindowCommand};

use super::pane_options;
use super::panels;
use super::stacks::{self, Stacks};

/// Panes that show several plots put them side by side when they are wider than high by this.
const WIDE: f32 = 1.15;

/// The window's layout as tiles that can be dragged.
pub struct Tiles {
    tree: Tree<PaneId>,
    /// The count of [`Window::layout_resets`] that the tree has followed.
    resets: u32,
    /// The names of the recording's panes.
    panes: Vec<String>,
    /// The layout that the tree was grown from, or has told the window of.
    told: PaneLayout,
    /// The layout that the tree has come to: tiles put what is odd in order by themselves.
    stands: Option<PaneLayout>,
}

impl Default for Tiles {
    fn default() -> Self {
        let recording = Recording::default();
        Self::grown(arrangement::start(&recording), &recording, 0)
    }
}

impl Tiles {
    fn grown(layout: PaneLayout, recording: &Recording, resets: u32) -> Self {
        let tree = arrangement::grow(&layout, recording);
        let stands = arrangement::read(&tree, recording, &layout.hidden);
        Self { tree, resets, panes: names(recording), told: layout, stands }
    }

    /// Becomes what the window has; whether these are other panes than before.
    fn follow(&mut self, window: &Window) -> bool {
        let (recording, layout) = (window.recording(), window.layout());
        let resets = window.layout_resets;
        let others = self.resets != resets || self.panes != names(recording);
        if others || self.told != layout {
            *self = Self::grown(layout, recording, resets);
        }
        others
    }

    /// The layout that hands have made of it, once they let go.
    fn moved(&mut self, recording: &Recording) -> Option<PaneLayout> {
        let now = arrangement::read(&self.tree, recording, &self.told.hidden)?;
        if self.stands.as_ref() == Some(&now) {
            return None;
        }
        self.told = now.clone();
        self.stands = Some(now.clone());
        Some(now)
    }
}

fn names(recording: &Recording) -> Vec<String> {
    arrangement::slugs(recording).into_iter().map(str::to_owned).collect()
}

/// What drawing a pane needs.
pub struct Drawn<'a> {
    pub window: &'a Window,
    pub plots: &'a mut PlotCache,
    pub views: &'a mut BTreeMap<(PaneId, usize), ViewState>,
    pub actions: &'a mut Vec<Action>,
    pub stacks: Stacks,
    /// The pane that is to come on top in its tile.
    pub asked: Option<PaneId>,
}

pub fn show(tiles: &mut Tiles, mut drawn: Drawn<'_>, ui: &mut Ui) {
    if tiles.follow(drawn.window) {
        drawn.views.clear();
    }
    match drawn.window.maximised {
        Some(id) => {
            drawn.pane(ui, id);
            // Put back, it is still in sight.
            drawn.asked = Some(id);
        }
        None => {
            drawn.stacks = Stacks::of(&tiles.tree);
            tiles.tree.ui(&mut drawn, ui);
            if !ui.input(|input| input.pointer.any_down())
                && let Some(layout) = tiles.moved(drawn.window.recording())
            {
                drawn.actions.push(Action::Layout(LayoutAction::Set(layout)));
            }
        }
    }
    if let Some(asked) = drawn.asked {
        tiles.tree.make_active(|_, tile| matches!(tile, Tile::Pane(id) if *id == asked));
        if drawn.window.maximised.is_none() {
            ui.ctx().request_repaint();
        }
    }
}

impl Drawn<'_> {
    /// One pane over the whole of `ui`; whether its header is being dragged.
    fn pane(&mut self, ui: &mut Ui, id: PaneId) -> bool {
        let tokens = theme::of(ui.visuals());
        let rect = ui.max_rect();
        let corner = CornerRadius::same(size::CORNER);
        ui.painter().rect(rect, corner, tokens.pane, Stroke::new(1.0, tokens.border), egui::StrokeKind::Inside);
        let (head, rest) = rect.split_top_bottom_at_y(rect.top() + size::PANE_HEADER);
        let body = rest.shrink2(vec2(f32::from(size::PAD), 0.0));
        let body = Rect::from_min_max(body.min, body.max - vec2(0.0, f32::from(size::PAD) * 0.75));
        let dragged = self.header(ui, id, head.shrink2(vec2(f32::from(size::PAD), 0.0)), rect.size());
        if body.is_positive() {
            self.body(ui, id, body);
        }
        dragged
    }

    fn header(&mut self, ui: &mut Ui, id: PaneId, rect: Rect, pane: egui::Vec2) -> bool {
        let title = pane::title(self.window.recording(), id);
        let is_alone = self.window.maximised == Some(id);
        let sense = if is_alone { Sense::click() } else { Sense::click_and_drag() };
        let handle = ui.interact(rect, ui.scope_id().with(("header", id)), sense);
        handle.widget_info(|| WidgetInfo::labeled(egui::Role::TitleBar, true, format!("{title} pane")));
        if handle.double_clicked() {
            self.actions.push(Action::Maximise(id));
        }
        let panes = if is_alone { vec![id] } else { self.stacks.panes_with(id) };
        let (end, asked) = stacks::titles(ui, rect, self.window.recording(), &panes, id);
        self.asked = self.asked.or(asked);
        let room = Rect::from_min_max(egui::pos2(end + 10.0, rect.top()), rect.max);
        let layout = egui::Layout::right_to_left(egui::Align::Center);
        let builder = UiBuilder::new().max_rect(room).layout(layout).id_salt(("buttons", id));
        ui.scope_builder(builder, |ui| {
            ui.spacing_mut().item_spacing.x = 3.0;
            let (sign, label) = if is_alone { (Icon::Restore, "Put back") } else { (Icon::Maximise, "Maximise") };
            let number = pane::of(self.window.recording()).iter().position(|pane| *pane == id).map_or(0, |i| i + 1);
            let name = format!("{label} {title}");
            if icon::button(ui, sign, &name, &format!("{label} ({number})"), Emphasis::Quiet).clicked() {
                self.actions.push(Action::Maximise(id));
            }
            self.menu(ui, id, pane);
            if let Some((choices, choice)) = self.plots.choices(id) {
                pane_options::compared_line(ui, id, (choices, choice), self.window, self.actions);
            }
            pane_options::header(ui, id, self.window, self.actions);
        });
        handle.drag_started()
    }

    fn menu(&mut self, ui: &mut Ui, id: PaneId, pane: egui::Vec2) {
        let title = pane::title(self.window.recording(), id);
        let button = icon::button(ui, Icon::More, &format!("{title} menu"), "Figure, data, help", Emphasis::Quiet);
        egui::Popup::menu(&button).show(|ui| {
            if ui.button("How to read this").clicked() {
                self.actions.push(Action::Show(Dialog::Guide(id)));
            }
            ui.separator();
            self.ways_out(ui, id, pane);
            pane_options::menu(ui, id, self.window, self.actions);
            ui.separator();
            if ui.button("Hide this pane").on_hover_text("View, Panes brings it back").clicked() {
                self.actions.push(Action::Layout(LayoutAction::Hide(id)));
            }
        });
    }

    /// Figures, tables, films, and what goes to the clipboard.
    fn ways_out(&mut self, ui: &mut Ui, id: PaneId, pane: egui::Vec2) {
        let screen = (pane * ui.pixels_per_point()).round();
        let orbit = self.views.get(&(id, 0)).map(|view| view.orbit).unwrap_or_default();
        let camera = Camera { yaw: f64::from(orbit.yaw), pitch: f64::from(orbit.pitch), ..Camera::default() };
        let camera = if orbit == views::Orbit::default() { Camera::default() } else { camera };
        let window = self.window;
        let export = |format| window.export_of(id, format, [screen.x as u32, screen.y as u32], camera);
        let figure = || export(FileFormat::Svg);
        let wishes: [(&str, &dyn Fn() -> Action); 6] = [
            ("Figure …", &|| Action::Show(Dialog::Export(figure()))),
            ("Data …", &|| Action::Show(Dialog::Export(export(FileFormat::Csv)))),
            ("Film …", &|| Action::Film(FilmAction::Ask { pane: id, camera })),
            ("Copy as picture", &|| copy(ExportAction::CopyPicture, figure())),
            ("Copy the caption", &|| copy(ExportAction::CopyCaption, figure())),
            ("Copy the command", &|| copy(ExportAction::CopyCommand, figure())),
        ];
        for (words, wish) in wishes {
            if ui.button(words).clicked() {
                self.actions.push(wish());
            }
        }
    }

    fn body(&mut self, ui: &mut Ui, id: PaneId, rect: Rect) {
        let now = ui.input(|input| input.time);
        let (plots, wait) = self.plots.get(self.window, id, now);
        if let Some(wait) = wait {
            ui.ctx().request_repaint_after_secs(wait as f32);
        }
        if plots.is_empty() {
            let layout = egui::Layout::centered_and_justified(egui::Direction::TopDown);
            ui.scope_builder(UiBuilder::new().max_rect(rect).layout(layout), |ui| {
                ui.label(RichText::new("Drawing all tracks").color(theme::of(ui.visuals()).text_faint));
            });
        }
        let beside = rect.width() > WIDE * rect.height();
        let (mut rect, mut shown) = (rect, 0..plots.len());
        if panels::fitting(rect, beside) < plots.len() && !self.window.recording().header.charts.is_empty() {
            shown = panels::tabs(ui, egui::Id::unique(("panels", id)), &mut rect, plots, beside);
        }
        let (count, first) = (shown.len().max(1), shown.start);
        // Panels of a lab's chart differ by what they show of it; the Playground's say so themselves.
        let is_compared = compare::is_comparing(self.window.recording(), &self.window.options);
        let pictures = is_compared && plots.iter().any(|plot| !matches!(plot, Plot::Lines(_)));
        let grid = if pictures { Grid::of_pictures(rect.size(), count) } else { Grid::of_curves(rect.size(), count) };
        let part = vec2(rect.width() / grid.columns as f32, rect.height() / grid.rows as f32);
        let is_titled = count > 1 && !self.window.recording().header.charts.is_empty();
        for (cell, index) in grid.shown(count).map(|index| first + index).enumerate() {
            let Some(plot) = plots.get(index) else { continue };
            let offset = part * vec2((cell % grid.columns) as f32, (cell / grid.columns) as f32);
            let gap = |several: usize| if several > 1 { size::GAP / 2.0 } else { 0.0 };
            let place = Rect::from_min_size(rect.min + offset, part);
            let place = place.shrink2(vec2(gap(grid.columns), gap(grid.rows)));
            let plot_id = egui::Id::unique(("plot", id, index));
            let view = self.views.entry((id, index)).or_default();
            let builder = UiBuilder::new().max_rect(place).id_salt(plot_id).ui_stack_info(UiStackInfo::default());
            ui.scope_builder(builder, |ui| {
                ui.set_clip_rect(place.intersect(ui.clip_rect()));
                // Which track a picture is of, its title says.
                if is_titled || (is_compared && count > 1 && !matches!(plot, Plot::Lines(_))) {
                    ui.add(egui::Label::new(RichText::new(plot.title()).small()).truncate());
                }
                views::show(ui, plot_id, plot, view);
                if let Some([a, b]) = view.selected.take() {
                    self.actions.push(Action::Window(WindowCommand::Select(a, b)));
                }
                if let Some(track) = view.picked.take() {
                    self.actions.push(Action::Focus(track));
                }
                if let Some(at) = view.clicked.take() {
                    self.actions.push(Action::Pick { pane: id, at });
                }
            });
        }
    }
}

fn copy(what: fn(Export) -> ExportAction, export: Export) -> Action {
    Action::Export(what(export))
}

/// How many pictures stand where.
struct Grid {
    columns: usize,
    rows: usize,
    cells: usize,
}

impl Grid {
    /// Curves share an axis: side by side in a wide pane, one below the other in a high one.
    fn of_curves(size: egui::Vec2, count: usize) -> Self {
        let (columns, rows) = if size.x > WIDE * size.y { (count, 1) } else { (1, count) };
        Self { columns, rows, cells: count }
    }

    /// Pictures as large as they get, and no smaller than they can be read; what has no place is left out.
    fn of_pictures(size: egui::Vec2, count: usize) -> Self {
        const LEAST: egui::Vec2 = vec2(150.0, 120.0);
        let side = |columns: usize, cells: usize| {
            let part = size / vec2(columns as f32, cells.div_ceil(columns) as f32);
            part.x.min(1.25 * part.y)
        };
        let best = |cells: usize| {
            let columns = (1..=cells).max_by(|a, b| side(*a, cells).total_cmp(&side(*b, cells))).unwrap_or(1);
            Self { columns, rows: cells.div_ceil(columns), cells }
        };
        let fits = |grid: &Self| {
            let part = size / vec2(grid.columns as f32, grid.rows as f32);
            part.x >= LEAST.x && part.y >= LEAST.y
        };
        (1..=count).rev().map(best).find(fits).unwrap_or_else(|| best(1))
    }

    /// The first pictures and the last, which is the difference.
    fn shown(&self, count: usize) -> impl Iterator<Item = usize> + use<> {
        let first = if self.cells < count { self.cells.saturating_sub(1).max(1) } else { count };
        (0..first).chain((self.cells < count && self.cells > 1).then_some(count - 1))
    }
}

/// All panes below a tile.
fn panes_in(tiles: &egui_tiles::Tiles<PaneId>, tile: TileId, found: &mut Vec<PaneId>) {
    match tiles.get(tile) {
        Some(Tile::Pane(id)) => found.push(*id),
        Some(Tile::Container(container)) => container.children().for_each(|child| panes_in(tiles, *child, found)),
        None => {}
    }
}

impl Behavior<PaneId> for Drawn<'_> {
    fn pane_ui(&mut self, ui: &mut Ui, _tile: TileId, pane: &mut PaneId) -> UiResponse {
        if self.pane(ui, *pane) { UiResponse::DragStarted } else { UiResponse::None }
    }

    fn tab_title_for_pane(&mut self, pane: &PaneId) -> WidgetText {
        pane::title(self.window.recording(), *pane).into()
    }

    fn is_tab_bar_visible(&self, container: TileId, _tabs: &egui_tiles::Tabs) -> bool {
        !self.stacks.has(container)
    }

    fn tab_title_for_tile(&mut self, tiles: &egui_tiles::Tiles<PaneId>, tile: TileId) -> WidgetText {
        let mut found = Vec::new();
        panes_in(tiles, tile, &mut found);
        let titles: Vec<_> = found.iter().map(|id| pane::title(self.window.recording(), *id)).collect();
        titles.join(", ").into()
    }

    fn tab_bar_color(&self, visuals: &egui::Visuals) -> egui::Color32 {
        theme::of(visuals).background
    }

    fn gap_width(&self, _style: &egui::Style) -> f32 {
        size::GAP
    }

    fn min_size(&self) -> f32 {
        120.0
    }

    fn simplification_options(&self) -> SimplificationOptions {
        arrangement::SIMPLIFICATIONS
    }

    fn drag_ui(&mut self, tiles: &egui_tiles::Tiles<PaneId>, ui: &mut Ui, tile_id: TileId) {
        if let Some(id) = tiles.get_pane(&tile_id) {
            Frame::popup(ui.style()).show(ui, |ui| ui.label(pane::title(self.window.recording(), *id)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_as_large_as_they_get_and_the_difference_is_among_them() {
        let grid = Grid::of_pictures(vec2(700.0, 500.0), 4);
        assert_eq!((grid.columns, grid.rows, grid.shown(4).collect::<Vec<_>>()), (2, 2, vec![0, 1, 2, 3]));
        let small = Grid::of_pictures(vec2(340.0, 380.0), 7);
        let shown: Vec<_> = small.shown(7).collect();
        assert_eq!((small.columns * small.rows, shown.len(), shown.last()), (6, 6, Some(&6)));
        let tiny = Grid::of_pictures(vec2(100.0, 60.0), 3);
        assert_eq!(tiny.shown(3).collect::<Vec<_>>(), [0]);
    }
}
