//! Thick lines in space, drawn into the surface's off-screen pass: first what is in front of the surface, then,
//! paler, what shows through it.

use egui_wgpu::wgpu;

use super::pipeline::{self, Binding, COLOR, Recipe};
use super::scene::{Scene, Stroke};

pub const SOURCE: &str = include_str!("../../../shaders/strokes.wgsl");

/// `Params` of the shader.
#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Params {
    view_proj: [[f32; 4]; 4],
    eye: [f32; 4],
    size: [f32; 4],
}

pub struct Pipeline {
    bindings: wgpu::BindGroupLayout,
    visible: wgpu::RenderPipeline,
    hidden: wgpu::RenderPipeline,
}

impl Pipeline {
    pub fn new(device: &wgpu::Device) -> Self {
        let bindings = pipeline::bindings(device, "strokes", &[Binding::Uniform]);
        let attributes = wgpu::vertex_attr_array![
            0 => Float32x3, 1 => Float32, 2 => Float32x3, 3 => Float32, 4 => Float32x4, 5 => Float32
        ];
        let buffers = [Some(wgpu::VertexBufferLayout {
            array_stride: size_of::<Stroke>() as u64,
            step_mode: wgpu::VertexStepMode::Instance,
            attributes: &attributes,
        })];
        let make = |fragment, compare| {
            pipeline::make(
                device,
                &Recipe {
                    label: "strokes",
                    source: SOURCE,
                    fragment,
                    bindings: &bindings,
                    buffers: &buffers,
                    target: COLOR,
                    blend: Some(wgpu::BlendState::ALPHA_BLENDING),
                    depth: Some((false, compare)),
                    topology: wgpu::PrimitiveTopology::TriangleStrip,
                },
            )
        };
        let visible = make("fs_visible", wgpu::CompareFunction::LessEqual);
        let hidden = make("fs_hidden", wgpu::CompareFunction::Greater);
        Self { bindings, visible, hidden }
    }
}

/// The strokes of one scene.
pub struct Instance {
    params: wgpu::Buffer,
    bind: wgpu::BindGroup,
    strokes: pipeline::Growing,
}

impl Instance {
    pub fn new(device: &wgpu::Device, pipeline: &Pipeline) -> Self {
        let params = pipeline::uniform::<Params>(device, "strokes");
        let bind = pipeline::bind(device, &pipeline.bindings, &[params.as_entire_binding()]);
        Self { params, bind, strokes: pipeline::Growing::new(wgpu::BufferUsages::VERTEX) }
    }

    pub fn update(&mut self, device: &wgpu::Device, queue: &wgpu::Queue, scene: &Scene, size: [u32; 2]) {
        let params = Params {
            view_proj: scene.camera.view_proj.to_cols_array_2d(),
            eye: scene.camera.eye.extend(1.0).to_array(),
            size: [size[0] as f32, size[1] as f32, 0.0, 0.0],
        };
        queue.write_buffer(&self.params, 0, bytemuck::bytes_of(&params));
        self.strokes.write(device, queue, &scene.strokes);
    }

    pub fn draw(&self, pipeline: &Pipeline, pass: &mut wgpu::RenderPass<'_>) {
        let Some(strokes) = self.strokes.filled() else { return };
        pass.set_bind_group(0, &self.bind, &[]);
        pass.set_vertex_buffer(0, strokes);
        for pipeline in [&pipeline.visible, &pipeline.hidden] {
            pass.set_pipeline(pipeline);
            pass.draw(0..4, 0..self.strokes.len);
        }
    }
}
