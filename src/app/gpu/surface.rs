//! A lit height field: rendered off screen with depth and four samples a pixel when something changed, and put into
//! egui's pass as a finished picture.

use std::sync::Arc;
use std::time::Instant;

use egui_wgpu::{CallbackResources, CallbackTrait, ScreenDescriptor, wgpu};

use super::pipeline::{self, Binding, COLOR, DEPTH, Growing, Recipe, SAMPLES};
use super::scene::{MAX_LEVELS, Scene, Vertex};
use super::{Gpu, strokes};
use crate::plots::Colormap;

pub const SOURCE: &str =
    concat!(include_str!("../../../shaders/shared/color.wgsl"), include_str!("../../../shaders/surface.wgsl"));

/// `Params` of the shader.
#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Params {
    view_proj: [[f32; 4]; 4],
    eye: [f32; 4],
    light: [f32; 4],
    count: [u32; 4],
    levels: [f32; MAX_LEVELS],
}

pub struct Pipeline {
    bindings: wgpu::BindGroupLayout,
    pipeline: wgpu::RenderPipeline,
}

impl Pipeline {
    pub fn new(device: &wgpu::Device) -> Self {
        let kinds = [Binding::Uniform, Binding::Smooth, Binding::Sampler];
        let bindings = pipeline::bindings(device, "surface", &kinds);
        let attributes = wgpu::vertex_attr_array![0 => Float32x3, 1 => Float32, 2 => Float32x3];
        let pipeline = pipeline::make(
            device,
            &Recipe {
                label: "surface",
                source: SOURCE,
                fragment: "fs_main",
                bindings: &bindings,
                buffers: &[Some(wgpu::VertexBufferLayout {
                    array_stride: size_of::<Vertex>() as u64,
                    step_mode: wgpu::VertexStepMode::Vertex,
                    attributes: &attributes,
                })],
                target: COLOR,
                blend: None,
                depth: Some((true, wgpu::CompareFunction::Less)),
                topology: wgpu::PrimitiveTopology::TriangleList,
            },
        );
        Self { bindings, pipeline }
    }
}

/// What one surface on screen keeps on the GPU.
pub struct Instance {
    params: wgpu::Buffer,
    vertices: Growing,
    indices: Growing,
    strokes: strokes::Instance,
    mesh_key: Option<u64>,
    bind: Option<(Colormap, wgpu::BindGroup)>,
    target: Option<Target>,
    /// Key and size of the picture in `target`.
    drawn: Option<(u64, [u32; 2])>,
    /// How often the picture was made, not merely shown.
    renders: u64,
}

struct Target {
    size: [u32; 2],
    picture: wgpu::TextureView,
    samples: wgpu::TextureView,
    depth: wgpu::TextureView,
    blit: wgpu::BindGroup,
}

/// Shows `scene` in the callback's rectangle of `size` pixels; no side may be zero or beyond the device's limit.
pub struct Callback {
    pub id: egui::Id,
    pub scene: Arc<Scene>,
    /// [`Scene::key`] of the scene.
    pub key: u64,
    pub size: [u32; 2],
}

impl CallbackTrait for Callback {
    fn prepare(
        &self,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        _screen: &ScreenDescriptor,
        encoder: &mut wgpu::CommandEncoder,
        resources: &mut CallbackResources,
    ) -> Vec<wgpu::CommandBuffer> {
        if let Some(gpu) = resources.get_mut::<Gpu>() {
            gpu.render_surface(device, queue, encoder, self);
        }
        Vec::new()
    }

    fn paint(
        &self,
        _info: egui::PaintCallbackInfo,
        pass: &mut wgpu::RenderPass<'static>,
        resources: &CallbackResources,
    ) {
        let Some(gpu) = resources.get::<Gpu>() else { return };
        if let Some(target) = gpu.surfaces.find(self.id).and_then(|instance| instance.target.as_ref()) {
            gpu.blit.draw(pass, &target.blit);
        }
    }
}

impl Gpu {
    /// How often the surface of this widget was rendered; frames that only show it again don't count.
    pub fn surface_renders(&self, id: egui::Id) -> u64 {
        self.surfaces.find(id).map_or(0, |instance| instance.renders)
    }

    fn render_surface(
        &mut self,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        encoder: &mut wgpu::CommandEncoder,
        Callback { id, scene, key, size }: &Callback,
    ) {
        let Self { surface, strokes, blit, tables, surfaces, .. } = self;
        let instance = surfaces.get(*id, Instant::now(), || Instance::new(device, strokes));
        if instance.drawn == Some((*key, *size)) {
            return;
        }
        if instance.target.as_ref().is_none_or(|target| target.size != *size) {
            instance.target = Some(Target::new(device, *size, blit, &tables.sampler));
        }
        if instance.mesh_key != Some(scene.mesh.key) {
            instance.vertices.write(device, queue, &scene.mesh.vertices);
            instance.indices.write(device, queue, &scene.mesh.indices);
            instance.mesh_key = Some(scene.mesh.key);
        }
        if instance.bind.as_ref().is_none_or(|(map, _)| *map != scene.colormap) {
            let resources = [
                instance.params.as_entire_binding(),
                wgpu::BindingResource::TextureView(tables.table(scene.colormap)),
                wgpu::BindingResource::Sampler(&tables.sampler),
            ];
            instance.bind = Some((scene.colormap, pipeline::bind(device, &surface.bindings, &resources)));
        }
        queue.write_buffer(&instance.params, 0, bytemuck::bytes_of(&params(scene)));
        instance.strokes.update(device, queue, scene, *size);
        instance.draw(encoder, surface, strokes, scene);
        instance.drawn = Some((*key, *size));
        instance.renders += 1;
    }
}

fn params(scene: &Scene) -> Params {
    let mut levels = [0.0; MAX_LEVELS];
    let count = scene.levels.len().min(MAX_LEVELS);
    levels[..count].copy_from_slice(&scene.levels[..count]);
    Params {
        view_proj: scene.camera.view_proj.to_cols_array_2d(),
        eye: scene.camera.eye.extend(1.0).to_array(),
        light: scene.light.extend(scene.ambient).to_array(),
        count: [count as u32, 0, 0, 0],
        levels,
    }
}

impl Instance {
    fn new(device: &wgpu::Device, strokes: &strokes::Pipeline) -> Self {
        Self {
            params: pipeline::uniform::<Params>(device, "surface"),
            vertices: Growing::new(wgpu::BufferUsages::VERTEX),
            indices: Growing::new(wgpu::BufferUsages::INDEX),
            strokes: strokes::Instance::new(device, strokes),
            mesh_key: None,
            bind: None,
            target: None,
            drawn: None,
            renders: 0,
        }
    }

    fn draw(&self, encoder: &mut wgpu::CommandEncoder, surface: &Pipeline, strokes: &strokes::Pipeline, scene: &Scene) {
        let (Some(target), Some((_, bind))) = (&self.target, &self.bind) else { return };
        let [r, g, b] =
            [scene.background.r(), scene.background.g(), scene.background.b()].map(|v| f64::from(v) / 255.0);
        let mut pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
            label: Some("surface"),
            color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                view: &target.samples,
                resolve_target: Some(&target.picture),
                depth_slice: None,
                ops: wgpu::Operations {
                    load: wgpu::LoadOp::Clear(wgpu::Color { r, g, b, a: 1.0 }),
                    store: wgpu::StoreOp::Discard,
                },
            })],
            depth_stencil_attachment: Some(wgpu::RenderPassDepthStencilAttachment {
                view: &target.depth,
                depth_ops: Some(wgpu::Operations { load: wgpu::LoadOp::Clear(1.0), store: wgpu::StoreOp::Discard }),
                stencil_ops: None,
            }),
            timestamp_writes: None,
            occlusion_query_set: None,
            multiview_mask: None,
        });
        if let (Some(vertices), Some(indices)) = (self.vertices.filled(), self.indices.filled()) {
            pass.set_pipeline(&surface.pipeline);
            pass.set_bind_group(0, bind, &[]);
            pass.set_vertex_buffer(0, vertices);
            pass.set_index_buffer(indices, wgpu::IndexFormat::Uint32);
            pass.draw_indexed(0..self.indices.len, 0, 0..1);
        }
        self.strokes.draw(strokes, &mut pass);
    }
}

impl Target {
    fn new(device: &wgpu::Device, size: [u32; 2], blit: &super::blit::Pipeline, sampler: &wgpu::Sampler) -> Self {
        use wgpu::TextureUsages as Usage;
        let view = |label, format, sample_count, usage| {
            let texture = device.create_texture(&wgpu::TextureDescriptor {
                label: Some(label),
                size: wgpu::Extent3d { width: size[0], height: size[1], depth_or_array_layers: 1 },
                mip_level_count: 1,
                sample_count,
                dimension: wgpu::TextureDimension::D2,
                format,
                usage,
                view_formats: &[],
            });
            texture.create_view(&wgpu::TextureViewDescriptor::default())
        };
        let picture = view("surface", COLOR, 1, Usage::RENDER_ATTACHMENT | Usage::TEXTURE_BINDING);
        let samples = view("surface samples", COLOR, SAMPLES, Usage::RENDER_ATTACHMENT);
        let depth = view("surface depth", DEPTH, SAMPLES, Usage::RENDER_ATTACHMENT);
        let blit = blit.bind(device, &picture, sampler);
        Self { size, picture, samples, depth, blit }
    }
}
