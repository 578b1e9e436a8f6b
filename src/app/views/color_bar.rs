//! The key to a colour map: a bar with numbers.

use egui::{Align2, Color32, Mesh, Rect, Shape, Stroke, StrokeKind, Ui, pos2, vec2};

use super::axes::{self, Scale};
use super::ticks::{self, Tick};
use crate::app::theme;
use crate::plots::Colormap;

const BAR: f32 = 12.0;
const STEPS: usize = 32;

pub struct Key<'a> {
    pub label: &'a str,
    pub range: [f32; 2],
    pub log: bool,
    pub colormap: Colormap,
}

impl Key<'_> {
    /// Ticks in units of the bar: values, or their decimal logarithms.
    pub fn ticks(&self, room: usize) -> Vec<Tick> {
        let range = self.units();
        if self.log { ticks::logarithmic(range, room) } else { ticks::linear(range, room) }
    }

    pub fn units(&self) -> [f64; 2] {
        // As `plots` does: a logarithm begins at the smallest positive number.
        let unit = |v: f32| if self.log { f64::from(v.max(f32::MIN_POSITIVE)).log10() } else { f64::from(v) };
        self.range.map(unit)
    }
}

/// Width of the bar with its numbers, without the gap to the picture.
pub fn width(ui: &Ui, key: &Key, height: f32) -> f32 {
    let ticks = key.ticks(axes::y_room(height));
    BAR + 2.0 + axes::labels_width(ui, ticks.iter().map(|tick| tick.label.as_str()))
}

/// Draws the bar at the left edge of `rect`, over its whole height; `value` gets a pointer.
pub fn show(ui: &Ui, rect: Rect, key: &Key, value: Option<f32>) {
    let tokens = theme::of(ui.visuals());
    let bar = Rect::from_min_size(rect.min, vec2(BAR, rect.height()));
    let mut mesh = Mesh::default();
    for k in 0..=STEPS {
        let share = k as f32 / STEPS as f32;
        let [r, g, b] = key.colormap.rgb8(share);
        let y = bar.bottom() - share * bar.height();
        mesh.colored_vertex(pos2(bar.left(), y), Color32::from_rgb(r, g, b));
        mesh.colored_vertex(pos2(bar.right(), y), Color32::from_rgb(r, g, b));
    }
    for k in 0..STEPS as u32 {
        mesh.add_triangle(2 * k, 2 * k + 1, 2 * k + 2);
        mesh.add_triangle(2 * k + 1, 2 * k + 3, 2 * k + 2);
    }
    ui.painter().add(Shape::mesh(mesh));
    ui.painter().rect_stroke(bar, 0.0, Stroke::new(1.0, tokens.border), StrokeKind::Outside);
    let scale = Scale::y(key.units(), bar);
    let mut last = f32::INFINITY;
    for tick in key.ticks(axes::y_room(rect.height())).iter().filter(|tick| !tick.label.is_empty()) {
        let at = scale.point(tick.at);
        if (last - at).abs() < axes::row(ui) - 3.0 || !(bar.top() - 1.0..=bar.bottom() + 1.0).contains(&at) {
            continue;
        }
        last = at;
        ui.painter().hline(bar.right()..=bar.right() + 3.0, at, Stroke::new(1.0, tokens.text_faint));
        let place = pos2(bar.right() + 5.0, at);
        ui.painter().text(place, Align2::LEFT_CENTER, &tick.label, axes::font(ui), tokens.text_faint);
    }
    if let Some(value) = value.filter(|v| v.is_finite()) {
        let unit = if key.log { f64::from(value.max(f32::MIN_POSITIVE)).log10() } else { f64::from(value) };
        let y = scale.point(unit).clamp(bar.top(), bar.bottom());
        let tip = [pos2(bar.left(), y), pos2(bar.left() - 6.0, y - 4.0), pos2(bar.left() - 6.0, y + 4.0)];
        ui.painter().add(Shape::convex_polygon(tip.to_vec(), tokens.text, Stroke::NONE));
    }
}
