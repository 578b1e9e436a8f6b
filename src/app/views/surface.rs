//! The surface in space: camera, picture, numbers on its edges, read-out.

use std::sync::Arc;

use egui::{Color32, EventFilter, Id, Key, Pos2, Rect, Response, Sense, TextureHandle, Ui, pos2, vec2};
use glam::Vec3;

use super::camera::{Camera, HEIGHT, Orbit};
use super::{axes, box_labels, pick, stage, ticks};
use crate::app::gpu::{self, scene::Mesh, scene::Scene, surface, surface_cpu};
use crate::app::theme::{self, Tokens};
use crate::plots::SurfacePlot;

/// The triangles and the picture of the last frame, kept while nothing changes.
#[derive(Default)]
pub struct Memory {
    mesh: Option<Arc<Mesh>>,
    /// The picture made on the CPU: of what, how large.
    picture: Option<(u64, [usize; 2], TextureHandle)>,
}

pub fn show(ui: &mut Ui, id: Id, plot: &SurfacePlot, orbit: &mut Orbit, memory: &mut Memory) {
    let tokens = theme::of(ui.visuals());
    let (area, _) = ui.allocate_exact_size(ui.available_size(), Sense::hover());
    if area.width() < 40.0 || area.height() < 40.0 {
        return;
    }
    let inner = picture_rect(Rect::from_min_max(area.min, pos2(area.right(), area.bottom() - axes::row(ui))), ui);
    let response = ui.interact(inner, id.with("surface"), Sense::click_and_drag());
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Image, true, "Loss surface"));
    steer(ui, &response, orbit);

    let camera = orbit.camera(inner.width() / inner.height());
    let mesh = mesh(plot, memory);
    let scene =
        stage::scene(plot, mesh, camera, orbit.yaw, ui.pixels_per_point() * axes::emphasis(inner.size()), tokens);
    picture(ui, id, inner, scene, memory);
    box_labels::show(ui, inner, plot, &camera, tokens);
    if response.has_focus() {
        let stroke = egui::Stroke::new(1.0, tokens.accent);
        ui.painter().rect_stroke(inner, 2.0, stroke, egui::StrokeKind::Inside);
    }

    let foot = Rect::from_min_max(pos2(area.left(), area.bottom() - axes::row(ui)), area.max);
    let pointed = response.hover_pos().filter(|p| inner.contains(*p));
    let said = pointed.map(|p| read_out(ui, inner, plot, &camera, p, tokens));
    axes::foot(ui, id, foot, &plot.notes, said.as_deref().unwrap_or_default());
    reset(ui, inner, orbit, tokens);
}

fn picture_rect(rect: Rect, ui: &Ui) -> Rect {
    use egui::emath::GuiRounding as _;
    rect.round_to_pixels(ui.pixels_per_point())
}

/// Drag turns, the wheel and pinching zoom, a double click goes back; the arrow keys, + and - do the same for a
/// focused surface.
fn steer(ui: &Ui, response: &Response, orbit: &mut Orbit) {
    if response.dragged() {
        orbit.drag(response.drag_delta());
        ui.set_cursor_icon(egui::CursorIcon::Grabbing);
    } else if response.hovered() {
        ui.set_cursor_icon(egui::CursorIcon::Grab);
    }
    if response.double_clicked() {
        *orbit = Orbit::default();
    } else if response.clicked() || response.drag_started() {
        response.request_focus();
    }
    if response.contains_pointer() {
        let (wheel, pinch) = ui.input(|input| (input.smooth_scroll_delta.y, input.zoom_delta()));
        orbit.zoom_by((wheel / 300.0).exp() * pinch);
    }
    if response.has_focus() {
        let filter = EventFilter { horizontal_arrows: true, vertical_arrows: true, ..EventFilter::default() };
        ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, filter));
        ui.input(|input| {
            let pressed = |key| input.num_presses(key) as f32;
            let turn = pressed(Key::ArrowRight) - pressed(Key::ArrowLeft);
            let lift = pressed(Key::ArrowUp) - pressed(Key::ArrowDown);
            orbit.turn(0.1 * turn, 0.1 * lift);
            let zoom = pressed(Key::Plus) + pressed(Key::Equals) - pressed(Key::Minus);
            orbit.zoom_by(1.15_f32.powf(zoom));
        });
    }
}

fn mesh(plot: &SurfacePlot, memory: &mut Memory) -> Arc<Mesh> {
    let key = Mesh::key_of(plot, HEIGHT);
    match &memory.mesh {
        Some(mesh) if mesh.key == key => mesh.clone(),
        _ => memory.mesh.insert(Arc::new(Mesh::of(plot, HEIGHT))).clone(),
    }
}

fn picture(ui: &Ui, id: Id, inner: Rect, scene: Scene, memory: &mut Memory) {
    let size = (inner.size() * ui.pixels_per_point()).round().max(vec2(1.0, 1.0));
    let size = [size.x as u32, size.y as u32];
    let key = scene.key();
    if gpu::largest_side(ui.ctx()).is_some_and(|limit| size[0].max(size[1]) <= limit) {
        let callback = surface::Callback { id, scene: Arc::new(scene), key, size };
        ui.painter().add(egui_wgpu::Callback::new_paint_callback(inner, callback));
        return;
    }
    let size = size.map(|v| v as usize);
    if !memory.picture.as_ref().is_some_and(|(of, at, _)| *of == key && *at == size) {
        let image = surface_cpu::render(&scene, size);
        let texture = ui.ctx().load_texture("surface", image, egui::TextureOptions::LINEAR);
        memory.picture = Some((key, size, texture));
    }
    if let Some((_, _, texture)) = &memory.picture {
        let whole = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
        ui.painter().image(texture.id(), inner, whole, Color32::WHITE);
    }
}

/// What is under the pointer, in words; how to move the camera where there is nothing.
fn read_out(ui: &Ui, inner: Rect, plot: &SurfacePlot, camera: &Camera, pointer: Pos2, tokens: &Tokens) -> String {
    let Some(hit) = pick::surface(plot, camera, inner, pointer) else {
        return "drag to turn, wheel to zoom".into();
    };
    if let Some(at) = camera.project(Vec3::from(hit.point), inner) {
        ui.painter().circle(at, 3.0, tokens.path, egui::Stroke::new(1.0, tokens.path_rim));
    }
    let [a, b] = [hit.a, hit.b].map(|v| ticks::number(f64::from(v)));
    let value = ticks::number(f64::from(hit.value));
    format!("{} {a}, {} {b}: {} {value}", plot.x_label, plot.y_label, plot.value_label)
}

/// A way back, shown once the camera has moved.
fn reset(ui: &mut Ui, inner: Rect, orbit: &mut Orbit, tokens: &Tokens) {
    if *orbit == Orbit::default() {
        return;
    }
    let size = vec2(axes::text_width(ui, "Reset view") + 16.0, 20.0);
    let place = Rect::from_min_size(pos2(inner.right() - size.x - 4.0, inner.top() + 4.0), size);
    let text = egui::RichText::new("Reset view").font(axes::font(ui)).color(tokens.text_weak);
    let button = egui::Button::new(text).fill(tokens.button.gamma_multiply(0.9));
    if ui.put(place, button).on_hover_text("Back to where the camera began (also: double-click)").clicked() {
        *orbit = Orbit::default();
    }
}
