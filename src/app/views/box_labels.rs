//! The numbers and names along the edges of the box that a surface stands in.

use egui::{Align2, Color32, Pos2, Rect, Ui, Vec2, vec2};
use glam::{Vec3, vec3};

use super::axes;
use super::camera::{Camera, FLOOR, HEIGHT};
use super::stage;
use crate::app::theme::Tokens;
use crate::plots::SurfacePlot;

/// Labels that are already placed: none is drawn over another.
struct Placed<'a> {
    ui: &'a Ui,
    within: Rect,
    taken: Vec<Rect>,
}

impl Placed<'_> {
    fn put(&mut self, at: Pos2, align: Align2, text: &str, color: Color32) {
        let galley = self.ui.painter().layout_no_wrap(text.to_owned(), axes::font(self.ui), color);
        let mut rect = align.anchor_size(at, galley.size());
        // Names near the rim move in rather than be cut off.
        let room = self.within.shrink(2.0);
        let shift = vec2(
            (room.left() - rect.left()).max(0.0) - (rect.right() - room.right()).max(0.0),
            (room.top() - rect.top()).max(0.0) - (rect.bottom() - room.bottom()).max(0.0),
        );
        if shift.length() > 80.0 {
            return;
        }
        rect = rect.translate(shift);
        if self.taken.iter().any(|other| other.intersects(rect)) {
            return;
        }
        self.taken.push(rect.expand(3.0));
        self.ui.painter().with_clip_rect(self.within).galley(rect.min, galley, color);
    }
}

/// Numbers along the two floor edges nearest to the reader and up one vertical edge, with the names of the axes.
pub fn show(ui: &Ui, inner: Rect, plot: &SurfacePlot, camera: &Camera, tokens: &Tokens) {
    // Between an edge of the box and its numbers.
    let away = axes::font(ui).size;
    let mut placed = Placed { ui, within: inner, taken: Vec::new() };
    let [near_x, near_y] = stage::near_corner(camera);
    let project = |point: Vec3| camera.project(point, inner);
    let Some(middle) = project(vec3(0.0, 0.0, FLOOR)) else { return };

    // The vertical edge at the left end of the picture.
    let ends = [vec3(near_x, -near_y, 0.0), vec3(-near_x, near_y, 0.0)];
    let left_first = |a: &Vec3, b: &Vec3| {
        let x = |v: &Vec3| project(*v).map_or(f32::INFINITY, |p| p.x);
        x(a).total_cmp(&x(b))
    };
    let edge = if left_first(&ends[0], &ends[1]).is_le() { ends[0] } else { ends[1] };
    if let Some(top) = project(edge.with_z(HEIGHT)) {
        placed.put(top + vec2(-4.0, -away), Align2::CENTER_CENTER, &plot.value_label, tokens.text_weak);
    }
    let floor = project(edge.with_z(FLOOR));

    // Names first: a number gives way to a name, not the other way round.
    let axes = [(vec3(0.0, near_y, FLOOR), &plot.x_label), (vec3(near_x, 0.0, FLOOR), &plot.y_label)];
    for (centre, name) in axes {
        if let Some(at) = project(centre) {
            let out = outwards(middle, at);
            placed.put(at + out * (2.5 * away), Align2::CENTER_CENTER, name, tokens.text_weak);
        }
    }
    for (t, text) in stage::height_ticks(plot) {
        if let Some(at) = project(edge.with_z(t * HEIGHT)) {
            placed.put(at - vec2(6.0, 0.0), Align2::RIGHT_CENTER, &text, tokens.text_faint);
        }
    }
    let radius = f64::from(plot.radius).max(f64::MIN_POSITIVE);
    for tick in stage::floor_ticks(plot) {
        let share = (tick.at / radius) as f32;
        for point in [vec3(share, near_y, FLOOR), vec3(near_x, share, FLOOR)] {
            let edge_centre = if point.y == near_y { vec3(0.0, near_y, FLOOR) } else { vec3(near_x, 0.0, FLOOR) };
            if let (Some(at), Some(centre)) = (project(point), project(edge_centre)) {
                // Not where the vertical axis has its foot, nor in the corner that both axes share.
                let shared = point.distance(vec3(near_x, near_y, FLOOR)) < 0.05;
                if shared || floor.is_some_and(|foot| foot.distance(at) < 8.0) {
                    continue;
                }
                placed.put(at + outwards(middle, centre) * away, Align2::CENTER_CENTER, &tick.label, tokens.text_faint);
            }
        }
    }
}

/// Unit vector on the screen, away from the middle of the floor.
fn outwards(middle: Pos2, at: Pos2) -> Vec2 {
    let out = at - middle;
    if out.length() > 1e-3 { out.normalized() } else { Vec2::DOWN }
}
