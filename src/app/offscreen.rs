//! The whole window as a picture, without a screen: what `landscope screenshot` and the tests look at.

use crossbeam::channel::bounded;
use egui::{RawInput, Rect, Vec2, ViewportId, ViewportInfo};
use egui_wgpu::{RenderState, RendererOptions, ScreenDescriptor, WgpuConfiguration, WgpuSetup};

use crate::plots::{PaneId, PaneOptions};
use crate::record::TimeCommand;
use crate::run::messages::Event;
use crate::run::spec::RunSpec;

use super::action::Action;
use super::link::Wake;
use super::state::Window;
use super::window::App;

/// Layout settles within a few passes: panels learn their sizes, plots their axes.
const PASSES: usize = 6;
/// Seconds of the window's clock between passes, so that short animations end.
const PASS_SECS: f64 = 0.2;
/// Shortest side of a picture in pixels.
const SMALLEST: u32 = 200;

#[derive(Debug, thiserror::Error)]
pub enum OffscreenError {
    #[error(
        "there is no graphics adapter: {message}; install a driver (on Debian, for drawing by the processor: apt-get install mesa-vulkan-drivers libvulkan1)"
    )]
    NoAdapter { message: String },
    #[error("a picture of {width}x{height} pixels can't be drawn; give sides from 200 to {limit}")]
    Size { width: u32, height: u32, limit: u32 },
    #[error("the graphics device did not deliver the picture: {message}")]
    Device { message: String },
}

/// How the window is to look on a picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Look {
    /// Width and height in pixels.
    pub size: [u32; 2],
    /// Pixels a point.
    pub scale: f32,
    pub dark: bool,
    pub presenter: bool,
    /// One pane alone.
    pub pane: Option<PaneId>,
    /// The step shown; the newest if none.
    pub at: Option<u64>,
    /// How panes are looked at.
    pub options: PaneOptions,
}

impl Default for Look {
    fn default() -> Self {
        Self {
            size: [1600, 1000],
            scale: 1.0,
            dark: true,
            presenter: false,
            pane: None,
            at: None,
            options: PaneOptions::default(),
        }
    }
}

/// The graphics adapters of this machine, one line each.
pub fn adapters() -> Vec<String> {
    let instance = pollster::block_on(WgpuSetup::without_display_handle().new_instance());
    let all = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::all()));
    all.iter()
        .map(|adapter| {
            let info = adapter.get_info();
            format!("{} ({:?}, {:?}) {}", info.name, info.backend, info.device_type, info.driver_info)
        })
        .collect()
}

/// A graphics device without a screen.
pub struct Studio {
    device: RenderState,
}

impl Studio {
    /// # Errors
    /// [`OffscreenError::NoAdapter`]
    pub fn open() -> Result<Self, OffscreenError> {
        let setup = WgpuSetup::without_display_handle();
        let instance = pollster::block_on(setup.new_instance());
        let config = WgpuConfiguration { wgpu_setup: setup, ..WgpuConfiguration::default() };
        pollster::block_on(RenderState::create(&config, &instance, None, RendererOptions::default()))
            .map(|device| Self { device })
            .map_err(|error| OffscreenError::NoAdapter { message: error.to_string() })
    }

    /// The window as it stands after `events` of a run.
    ///
    /// # Errors
    /// [`OffscreenError::Size`], [`OffscreenError::Device`]
    pub fn picture(
        &self,
        spec: RunSpec,
        events: impl IntoIterator<Item = Event>,
        look: &Look,
    ) -> Result<image::RgbaImage, OffscreenError> {
        let (commands, _worker) = bounded(1);
        let (_sender, receiver) = bounded(1);
        let mut window = Window::following(spec, commands, receiver, Wake::default());
        events.into_iter().for_each(|event| window.take(event));
        window.dark = look.dark;
        window.presenter = look.presenter;
        window.maximised = look.pane;
        window.options = look.options.clone();
        if let Some(step) = look.at {
            window.apply(Action::Time(TimeCommand::ScrubTo(step)));
        }
        self.render(&mut App::new(window), look.size, look.scale, &[])
    }

    /// Draws `app` into a picture of `size` pixels, `scale` of them to a point. Of `input`, one event arrives a pass.
    ///
    /// # Errors
    /// [`OffscreenError::Size`], [`OffscreenError::Device`]
    pub fn render(
        &self,
        app: &mut App,
        size: [u32; 2],
        scale: f32,
        input: &[egui::Event],
    ) -> Result<image::RgbaImage, OffscreenError> {
        let limit = self.device.device.limits().max_texture_dimension_2d;
        if size.iter().any(|side| !(SMALLEST..=limit).contains(side)) {
            return Err(OffscreenError::Size { width: size[0], height: size[1], limit });
        }
        let ctx = egui::Context::default();
        app.install(&ctx, Some(&self.device));
        let mut screen = Screen { device: &self.device, size, scale, time: 0.0 };
        let mut output = screen.pass(&ctx, app, None);
        for pass in 1..PASSES + input.len() {
            output = screen.pass(&ctx, app, input.get(pass.wrapping_sub(2)));
        }
        screen.picture(&ctx, output)
    }
}

struct Screen<'a> {
    device: &'a RenderState,
    size: [u32; 2],
    scale: f32,
    time: f64,
}

impl Screen<'_> {
    /// One pass of the window; textures go to the device at once.
    fn pass(&mut self, ctx: &egui::Context, app: &mut App, event: Option<&egui::Event>) -> egui::FullOutput {
        self.time += PASS_SECS;
        let points = self.scale * ctx.zoom_factor();
        let room = Vec2::new(self.size[0] as f32, self.size[1] as f32) / points;
        let viewport = ViewportInfo { native_pixels_per_point: Some(self.scale), ..ViewportInfo::default() };
        let input = RawInput {
            screen_rect: Some(Rect::from_min_size(egui::Pos2::ZERO, room)),
            viewports: [(ViewportId::ROOT, viewport)].into_iter().collect(),
            time: Some(self.time),
            predicted_dt: PASS_SECS as f32,
            events: event.cloned().into_iter().collect(),
            max_texture_side: Some(self.device.device.limits().max_texture_dimension_2d as usize),
            focused: true,
            ..RawInput::default()
        };
        app.receive(ctx);
        let mut output = ctx.run_ui(input, |ui| app.show(ui));
        let mut renderer = self.device.renderer.write();
        for (id, deltas) in output.textures_delta.set.drain() {
            for delta in deltas {
                renderer.update_texture(&self.device.device, &self.device.queue, id, &delta);
            }
        }
        output
    }

    fn picture(&self, ctx: &egui::Context, output: egui::FullOutput) -> Result<image::RgbaImage, OffscreenError> {
        let RenderState { device, queue, target_format, renderer, .. } = self.device;
        let screen = ScreenDescriptor { size_in_pixels: self.size, pixels_per_point: output.pixels_per_point };
        let primitives = ctx.tessellate(output.shapes, output.pixels_per_point);
        let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("window") });
        let mut renderer = renderer.write();
        let prepared = renderer.update_buffers(device, queue, &mut encoder, &primitives, &screen);
        let texture = device.create_texture(&wgpu::TextureDescriptor {
            label: Some("window"),
            size: wgpu::Extent3d { width: self.size[0], height: self.size[1], depth_or_array_layers: 1 },
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: *target_format,
            usage: wgpu::TextureUsages::RENDER_ATTACHMENT | wgpu::TextureUsages::COPY_SRC,
            view_formats: &[],
        });
        {
            let view = texture.create_view(&wgpu::TextureViewDescriptor::default());
            let attachment = wgpu::RenderPassColorAttachment {
                view: &view,
                resolve_target: None,
                ops: wgpu::Operations { load: wgpu::LoadOp::Clear(wgpu::Color::BLACK), store: wgpu::StoreOp::Store },
                depth_slice: None,
            };
            let pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
                label: Some("window"),
                color_attachments: &[Some(attachment)],
                ..wgpu::RenderPassDescriptor::default()
            });
            renderer.render(&mut pass.forget_lifetime(), &primitives, &screen);
        }
        // Rows in a buffer begin at multiples of 256 bytes.
        let row = (4 * self.size[0]).next_multiple_of(wgpu::COPY_BYTES_PER_ROW_ALIGNMENT);
        let buffer = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("picture"),
            size: u64::from(row) * u64::from(self.size[1]),
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let layout = wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(row), rows_per_image: None };
        encoder.copy_texture_to_buffer(
            texture.as_image_copy(),
            wgpu::TexelCopyBufferInfo { buffer: &buffer, layout },
            wgpu::Extent3d { width: self.size[0], height: self.size[1], depth_or_array_layers: 1 },
        );
        queue.submit(prepared.into_iter().chain([encoder.finish()]));
        self.read(&buffer, row as usize)
    }

    fn read(&self, buffer: &wgpu::Buffer, row: usize) -> Result<image::RgbaImage, OffscreenError> {
        let failed = |message: String| OffscreenError::Device { message };
        let slice = buffer.slice(..);
        let (sender, mapped) = crossbeam::channel::bounded(1);
        slice.map_async(wgpu::MapMode::Read, move |result| {
            let _ = sender.send(result);
        });
        let wait = wgpu::PollType::Wait { submission_index: None, timeout: None };
        self.device.device.poll(wait).map_err(|error| failed(error.to_string()))?;
        mapped.recv().map_err(|error| failed(error.to_string()))?.map_err(|error| failed(error.to_string()))?;
        let bytes = slice.get_mapped_range().map_err(|error| failed(error.to_string()))?;
        let width = 4 * self.size[0] as usize;
        let mut pixels: Vec<u8> = bytes.chunks(row).flat_map(|line| &line[..width]).copied().collect();
        let swaps =
            matches!(self.device.target_format, wgpu::TextureFormat::Bgra8Unorm | wgpu::TextureFormat::Bgra8UnormSrgb);
        for pixel in pixels.chunks_exact_mut(4) {
            if swaps {
                pixel.swap(0, 2);
            }
            pixel[3] = 255;
        }
        image::RgbaImage::from_raw(self.size[0], self.size[1], pixels)
            .ok_or_else(|| failed("the picture has the wrong size".into()))
    }
}
