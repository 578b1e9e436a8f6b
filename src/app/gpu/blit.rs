//! Puts a finished off-screen picture into egui's pass.

use egui_wgpu::wgpu;

use super::pipeline::{self, Binding, Recipe};

pub const SOURCE: &str =
    concat!(include_str!("../../../shaders/shared/fullscreen.wgsl"), include_str!("../../../shaders/blit.wgsl"));

pub struct Pipeline {
    bindings: wgpu::BindGroupLayout,
    pipeline: wgpu::RenderPipeline,
}

impl Pipeline {
    pub fn new(device: &wgpu::Device, target: wgpu::TextureFormat) -> Self {
        let bindings = pipeline::bindings(device, "blit", &[Binding::Smooth, Binding::Sampler]);
        let pipeline = pipeline::make(
            device,
            &Recipe {
                label: "blit",
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

    pub fn bind(&self, device: &wgpu::Device, picture: &wgpu::TextureView, sampler: &wgpu::Sampler) -> wgpu::BindGroup {
        let resources = [wgpu::BindingResource::TextureView(picture), wgpu::BindingResource::Sampler(sampler)];
        pipeline::bind(device, &self.bindings, &resources)
    }

    pub fn draw(&self, pass: &mut wgpu::RenderPass<'static>, picture: &wgpu::BindGroup) {
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, picture, &[]);
        pass.draw(0..3, 0..1);
    }
}
