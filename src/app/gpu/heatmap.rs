//! A matrix as coloured cells, drawn straight into egui's pass.

use std::sync::Arc;
use std::time::Instant;

use egui_wgpu::{CallbackResources, CallbackTrait, ScreenDescriptor, wgpu};

use super::Gpu;
use super::heatmap_cpu::{Cells, STRIPES};
use super::pipeline::{self, Binding, Recipe};

pub const SOURCE: &str = concat!(
    include_str!("../../../shaders/shared/fullscreen.wgsl"),
    include_str!("../../../shaders/shared/color.wgsl"),
    include_str!("../../../shaders/heatmap.wgsl")
);

/// `Params` of the shader.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Params {
    missing: [f32; 4],
    stripe: [f32; 4],
    size: [f32; 4],
    cells: [u32; 4],
}

pub struct Pipeline {
    bindings: wgpu::BindGroupLayout,
    pipeline: wgpu::RenderPipeline,
}

impl Pipeline {
    pub fn new(device: &wgpu::Device, target: wgpu::TextureFormat) -> Self {
        let kinds = [Binding::Uniform, Binding::Texels, Binding::Smooth, Binding::Sampler];
        let bindings = pipeline::bindings(device, "heatmap", &kinds);
        let pipeline = pipeline::make(
            device,
            &Recipe {
                label: "heatmap",
                source: SOURCE,
                fragment: "fs_main",
                bindings: &bindings,
                buffers: &[],
                target,
                blend: None,
                depth: None,
                topology: wgpu::PrimitiveTopology::TriangleList,
            },
        );
        Self { bindings, pipeline }
    }
}

/// What one heat map on screen keeps on the GPU.
pub struct Instance {
    params: wgpu::Buffer,
    uploaded: Option<Uploaded>,
}

struct Uploaded {
    cells: Arc<Cells>,
    texture: wgpu::Texture,
    bind: wgpu::BindGroup,
}

/// Draws `cells` into the callback's rectangle of `size` pixels. The number of columns and rows must each be between
/// 1 and the device's limit.
pub struct Callback {
    pub id: egui::Id,
    pub cells: Arc<Cells>,
    pub size: [u32; 2],
}

impl CallbackTrait for Callback {
    fn prepare(
        &self,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        _screen: &ScreenDescriptor,
        _encoder: &mut wgpu::CommandEncoder,
        resources: &mut CallbackResources,
    ) -> Vec<wgpu::CommandBuffer> {
        let Some(gpu) = resources.get_mut::<Gpu>() else { return Vec::new() };
        let Gpu { heatmap, heatmaps, tables, .. } = gpu;
        let instance = heatmaps.get(self.id, Instant::now(), || Instance {
            params: pipeline::uniform::<Params>(device, "heatmap"),
            uploaded: None,
        });
        let Cells { columns, rows, units, colormap, missing } = self.cells.as_ref();
        let color = |c: egui::Color32| [c.r(), c.g(), c.b(), 255].map(|v| f32::from(v) / 255.0);
        let params = Params {
            missing: color(missing[0]),
            stripe: color(missing[1]),
            size: [self.size[0] as f32, self.size[1] as f32, STRIPES, 0.0],
            cells: [*columns as u32, *rows as u32, 0, 0],
        };
        queue.write_buffer(&instance.params, 0, bytemuck::bytes_of(&params));

        if instance.uploaded.as_ref().is_some_and(|last| Arc::ptr_eq(&last.cells, &self.cells)) {
            return Vec::new();
        }
        let size = wgpu::Extent3d { width: *columns as u32, height: *rows as u32, depth_or_array_layers: 1 };
        let texture = match instance.uploaded.take() {
            Some(last) if last.texture.size() == size => last.texture,
            _ => device.create_texture(&wgpu::TextureDescriptor {
                label: Some("heatmap"),
                size,
                mip_level_count: 1,
                sample_count: 1,
                dimension: wgpu::TextureDimension::D2,
                format: wgpu::TextureFormat::R32Float,
                usage: wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST,
                view_formats: &[],
            }),
        };
        let layout =
            wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(4 * size.width), rows_per_image: None };
        queue.write_texture(texture.as_image_copy(), bytemuck::cast_slice(units), layout, size);
        let view = texture.create_view(&wgpu::TextureViewDescriptor::default());
        let resources = [
            instance.params.as_entire_binding(),
            wgpu::BindingResource::TextureView(&view),
            wgpu::BindingResource::TextureView(tables.table(*colormap)),
            wgpu::BindingResource::Sampler(&tables.sampler),
        ];
        let bind = pipeline::bind(device, &heatmap.bindings, &resources);
        instance.uploaded = Some(Uploaded { cells: self.cells.clone(), texture, bind });
        Vec::new()
    }

    fn paint(
        &self,
        _info: egui::PaintCallbackInfo,
        pass: &mut wgpu::RenderPass<'static>,
        resources: &CallbackResources,
    ) {
        let Some(gpu) = resources.get::<Gpu>() else { return };
        let Some(uploaded) = gpu.heatmaps.find(self.id).and_then(|instance| instance.uploaded.as_ref()) else { return };
        pass.set_pipeline(&gpu.heatmap.pipeline);
        pass.set_bind_group(0, &uploaded.bind, &[]);
        pass.draw(0..3, 0..1);
    }
}
