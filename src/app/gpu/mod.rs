//! Our own pipelines beside egui's: one per file, with its shader of the same name in `shaders/`.
//!
//! Everything lives in egui's callback resources; what a widget needs for itself is kept under the widget's id and
//! dropped when it hasn't been drawn for a while. All of it stays within WebGL2's limits: no storage buffers, no
//! filtered float textures. Each picture has a software twin (`*_cpu.rs`), used where there is no GPU.

pub mod blit;
pub mod heatmap;
pub mod heatmap_cpu;
mod pipeline;
pub mod scene;
pub mod strokes;
pub mod surface;
pub mod surface_cpu;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use egui_wgpu::wgpu;

/// An instance that hasn't been drawn for this long is dropped: its pane is closed or behind another.
const KEEP: Duration = Duration::from_secs(20);

/// All pipelines and the instances of the widgets that use them.
pub struct Gpu {
    heatmap: heatmap::Pipeline,
    surface: surface::Pipeline,
    strokes: strokes::Pipeline,
    blit: blit::Pipeline,
    tables: pipeline::Colormaps,
    heatmaps: Instances<heatmap::Instance>,
    surfaces: Instances<surface::Instance>,
}

impl Gpu {
    /// `target` is the format of egui's own pass, in which heat maps and finished pictures are drawn.
    pub fn new(device: &wgpu::Device, queue: &wgpu::Queue, target: wgpu::TextureFormat) -> Self {
        Self {
            heatmap: heatmap::Pipeline::new(device, target),
            surface: surface::Pipeline::new(device),
            strokes: strokes::Pipeline::new(device),
            blit: blit::Pipeline::new(device, target),
            tables: pipeline::Colormaps::new(device, queue),
            heatmaps: Instances::default(),
            surfaces: Instances::default(),
        }
    }
}

/// Puts the pipelines into egui's callback resources and tells the views in `ctx` that they may use them.
pub fn install(ctx: &egui::Context, render_state: &egui_wgpu::RenderState) {
    let gpu = Gpu::new(&render_state.device, &render_state.queue, render_state.target_format);
    render_state.renderer.write().callback_resources.insert(gpu);
    let limit = render_state.device.limits().max_texture_dimension_2d;
    ctx.data_mut(|data| data.insert_temp(installed_id(), limit));
}

/// The largest side of a picture the GPU can make; `None` if the pipelines were not installed, and pictures are made
/// on the CPU.
pub fn largest_side(ctx: &egui::Context) -> Option<u32> {
    ctx.data(|data| data.get_temp(installed_id()))
}

fn installed_id() -> egui::Id {
    egui::Id::unique("landscope pipelines")
}

/// What widgets keep between frames, by their ids.
struct Instances<T> {
    by_id: HashMap<egui::Id, (T, Instant)>,
}

impl<T> Default for Instances<T> {
    fn default() -> Self {
        Self { by_id: HashMap::new() }
    }
}

impl<T> Instances<T> {
    /// The widget's instance, made if it has none, marked as used `now`; others that have fallen out of use go.
    fn get(&mut self, id: egui::Id, now: Instant, make: impl FnOnce() -> T) -> &mut T {
        self.by_id.retain(|other, (_, used)| *other == id || now.saturating_duration_since(*used) < KEEP);
        let (instance, used) = self.by_id.entry(id).or_insert_with(|| (make(), now));
        *used = now;
        instance
    }

    fn find(&self, id: egui::Id) -> Option<&T> {
        self.by_id.get(&id).map(|(instance, _)| instance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instances_that_are_not_drawn_are_dropped() {
        let mut instances = Instances::default();
        let start = Instant::now();
        let [one, other] = ["one", "other"].map(egui::Id::unique);
        instances.get(one, start, || "one");
        instances.get(other, start, || "other");
        instances.get(one, start + KEEP / 2, || "new");
        instances.get(one, start + KEEP, || "new");
        assert_eq!(instances.find(one), Some(&"one"), "in use: kept, not made anew");
        assert_eq!(instances.find(other), None);
        assert_eq!(*instances.get(other, start + KEEP, || "again"), "again");
    }
}
