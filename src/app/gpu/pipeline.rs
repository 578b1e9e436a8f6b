//! What all pipelines are made of: layouts, buffers, the tables of the colour maps.

use bytemuck::Pod;
use egui_wgpu::wgpu::{self, util::DeviceExt as _};

use crate::plots::{Colormap, colormap};

/// Colour of off-screen pictures: gamma-encoded, like egui's own target.
pub const COLOR: wgpu::TextureFormat = wgpu::TextureFormat::Rgba8Unorm;
pub const DEPTH: wgpu::TextureFormat = wgpu::TextureFormat::Depth32Float;
/// 1 and 4 are the only counts that every device has.
pub const SAMPLES: u32 = 4;

/// How a pipeline differs from the others.
pub struct Recipe<'a> {
    pub label: &'a str,
    pub source: &'a str,
    pub fragment: &'a str,
    pub bindings: &'a wgpu::BindGroupLayout,
    pub buffers: &'a [Option<wgpu::VertexBufferLayout<'a>>],
    pub target: wgpu::TextureFormat,
    pub blend: Option<wgpu::BlendState>,
    /// Whether depth is written, and which depths pass; `None` for pictures that have no depth.
    pub depth: Option<(bool, wgpu::CompareFunction)>,
    pub topology: wgpu::PrimitiveTopology,
}

pub fn make(device: &wgpu::Device, recipe: &Recipe) -> wgpu::RenderPipeline {
    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: Some(recipe.label),
        source: wgpu::ShaderSource::Wgsl(recipe.source.into()),
    });
    let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label: Some(recipe.label),
        bind_group_layouts: &[Some(recipe.bindings)],
        immediate_size: 0,
    });
    let target =
        wgpu::ColorTargetState { format: recipe.target, blend: recipe.blend, write_mask: wgpu::ColorWrites::ALL };
    device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
        label: Some(recipe.label),
        layout: Some(&layout),
        vertex: wgpu::VertexState {
            module: &module,
            entry_point: Some("vs_main"),
            buffers: recipe.buffers,
            compilation_options: wgpu::PipelineCompilationOptions::default(),
        },
        fragment: Some(wgpu::FragmentState {
            module: &module,
            entry_point: Some(recipe.fragment),
            targets: &[Some(target)],
            compilation_options: wgpu::PipelineCompilationOptions::default(),
        }),
        primitive: wgpu::PrimitiveState { topology: recipe.topology, ..wgpu::PrimitiveState::default() },
        depth_stencil: recipe.depth.map(|(write, compare)| wgpu::DepthStencilState {
            format: DEPTH,
            depth_write_enabled: Some(write),
            depth_compare: Some(compare),
            stencil: wgpu::StencilState::default(),
            bias: wgpu::DepthBiasState::default(),
        }),
        // With depth: our own off-screen pass. Without: inside egui's, which is not multisampled.
        multisample: wgpu::MultisampleState {
            count: if recipe.depth.is_some() { SAMPLES } else { 1 },
            ..wgpu::MultisampleState::default()
        },
        multiview_mask: None,
        cache: None,
    })
}

/// A kind of thing that a shader reads.
#[derive(Clone, Copy)]
pub enum Binding {
    Uniform,
    /// Read texel by texel.
    Texels,
    /// Read through a sampler.
    Smooth,
    Sampler,
}

/// Bindings 0, 1, 2, ... of group 0.
pub fn bindings(device: &wgpu::Device, label: &str, kinds: &[Binding]) -> wgpu::BindGroupLayout {
    let texture = |filterable| wgpu::BindingType::Texture {
        sample_type: wgpu::TextureSampleType::Float { filterable },
        view_dimension: wgpu::TextureViewDimension::D2,
        multisampled: false,
    };
    let entries: Vec<_> = (0..)
        .zip(kinds)
        .map(|(binding, kind)| wgpu::BindGroupLayoutEntry {
            binding,
            visibility: match kind {
                Binding::Uniform => wgpu::ShaderStages::VERTEX_FRAGMENT,
                _ => wgpu::ShaderStages::FRAGMENT,
            },
            ty: match kind {
                Binding::Uniform => wgpu::BindingType::Buffer {
                    ty: wgpu::BufferBindingType::Uniform,
                    has_dynamic_offset: false,
                    min_binding_size: None,
                },
                Binding::Texels => texture(false),
                Binding::Smooth => texture(true),
                Binding::Sampler => wgpu::BindingType::Sampler(wgpu::SamplerBindingType::Filtering),
            },
            count: None,
        })
        .collect();
    device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: Some(label), entries: &entries })
}

pub fn bind(
    device: &wgpu::Device,
    layout: &wgpu::BindGroupLayout,
    resources: &[wgpu::BindingResource],
) -> wgpu::BindGroup {
    let entries: Vec<_> = (0..)
        .zip(resources)
        .map(|(binding, resource)| wgpu::BindGroupEntry { binding, resource: resource.clone() })
        .collect();
    device.create_bind_group(&wgpu::BindGroupDescriptor { label: None, layout, entries: &entries })
}

pub fn uniform<T: Pod>(device: &wgpu::Device, label: &str) -> wgpu::Buffer {
    device.create_buffer(&wgpu::BufferDescriptor {
        label: Some(label),
        size: size_of::<T>() as u64,
        usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    })
}

/// A buffer that grows with what is written to it.
pub struct Growing {
    usage: wgpu::BufferUsages,
    buffer: Option<wgpu::Buffer>,
    /// Elements in use.
    pub len: u32,
}

impl Growing {
    pub fn new(usage: wgpu::BufferUsages) -> Self {
        Self { usage, buffer: None, len: 0 }
    }

    pub fn write<T: Pod>(&mut self, device: &wgpu::Device, queue: &wgpu::Queue, items: &[T]) {
        self.len = items.len() as u32;
        let bytes: &[u8] = bytemuck::cast_slice(items);
        match &self.buffer {
            _ if bytes.is_empty() => {}
            Some(buffer) if buffer.size() >= bytes.len() as u64 => queue.write_buffer(buffer, 0, bytes),
            _ => {
                self.buffer = Some(device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
                    label: None,
                    contents: bytes,
                    usage: self.usage | wgpu::BufferUsages::COPY_DST,
                }));
            }
        }
    }

    /// `None` if nothing is in use.
    pub fn filled(&self) -> Option<wgpu::BufferSlice<'_>> {
        self.buffer.as_ref().filter(|_| self.len > 0).map(|buffer| buffer.slice(..))
    }
}

/// The tables of all colour maps, and the sampler that reads between their entries.
pub struct Colormaps {
    pub sampler: wgpu::Sampler,
    tables: Vec<wgpu::TextureView>,
}

impl Colormaps {
    pub fn new(device: &wgpu::Device, queue: &wgpu::Queue) -> Self {
        let sampler = device.create_sampler(&wgpu::SamplerDescriptor {
            mag_filter: wgpu::FilterMode::Linear,
            min_filter: wgpu::FilterMode::Linear,
            ..wgpu::SamplerDescriptor::default()
        });
        let table = |map: Colormap| {
            let texels: Vec<u8> = map.table().iter().flat_map(|&[r, g, b]| [r, g, b, 255]).collect();
            let texture = device.create_texture_with_data(
                queue,
                &wgpu::TextureDescriptor {
                    label: Some("colour map"),
                    size: wgpu::Extent3d { width: colormap::LEVELS as u32, height: 1, depth_or_array_layers: 1 },
                    mip_level_count: 1,
                    sample_count: 1,
                    dimension: wgpu::TextureDimension::D2,
                    format: wgpu::TextureFormat::Rgba8Unorm,
                    usage: wgpu::TextureUsages::TEXTURE_BINDING,
                    view_formats: &[],
                },
                wgpu::util::TextureDataOrder::LayerMajor,
                &texels,
            );
            texture.create_view(&wgpu::TextureViewDescriptor::default())
        };
        Self { sampler, tables: Colormap::ALL.map(table).into() }
    }

    pub fn table(&self, map: Colormap) -> &wgpu::TextureView {
        &self.tables[map as usize]
    }
}
