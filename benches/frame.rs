//! Processor time of one frame of the window: layout, tessellation, encoding and upload, without rasterising.
//!
//! `cargo bench --bench frame -- 100000 120` draws 120 frames of the whole window, 1600 x 1000, six panes, over a
//! made-up recording of 100,000 steps, and prints one line of JSON for each case. `still` repaints as the pointer moves,
//! `live` rebuilds all pictures in every fourth frame (as 60 frames and 15 new pictures a second do), `scrub` in every
//! frame, `orbit` turns the surface in every frame. Times are of this thread's processor, so that a busy machine
//! and a software rasteriser's own threads don't count. Without a graphics adapter, `encode_ms` is missing.
//!
//! `cargo bench --bench frame -- 1000 120 1000` draws a recording of 1,000 tracks of 1,000 steps each, all of them in every
//! curve. `choose` then changes the colours in every thirtieth frame, so that all curves are drawn anew.

use std::path::PathBuf;

use egui::{Rect, pos2, vec2};
use egui_wgpu::{RenderState, RendererOptions, ScreenDescriptor, WgpuConfiguration, WgpuSetup};
use landscope::app::{App, Window};
use landscope::record::{Reading, Recording, Series, Snapshot, TimeCursor, TrackId, TrackInfo, example};

const SIZE: [u32; 2] = [1_600, 1_000];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Case {
    Still,
    Live,
    Scrub,
    Orbit,
    Choose,
}

fn main() {
    let arguments: Vec<u64> = std::env::args().skip(1).filter_map(|a| a.parse().ok()).collect();
    let steps = arguments.first().copied().unwrap_or(100_000);
    let frames = arguments.get(1).copied().unwrap_or(120) as usize;
    let device = device();
    let tracks = arguments.get(2).copied().unwrap_or(1) as u32;
    let recording = if tracks > 1 { many(tracks, steps) } else { example::recording(steps) };
    let cases: &[Case] = if tracks > 1 {
        &[Case::Still, Case::Scrub, Case::Choose]
    } else {
        &[Case::Still, Case::Live, Case::Scrub, Case::Orbit]
    };
    for case in cases {
        let files = vec![PathBuf::from("example"); tracks as usize];
        let mut app = App::new(Window::comparing_files(&files, recording.clone()));
        measure(*case, steps, frames, &mut app, device.as_ref());
    }
}

/// The example's numbers in many tracks, each a little different, with a learning rate and a seed.
fn many(tracks: u32, steps: u64) -> Recording {
    let example = example::recording(steps);
    let mut recording = Recording::new(example.header.clone());
    let numbers: Vec<_> = example.track(TrackId(0)).into_iter().flat_map(|track| track.series()).collect();
    for k in 0..tracks {
        let attributes = [("lr", f64::from(k % 100 + 1) * 1e-4), ("seed", f64::from(k / 100))];
        let attributes = attributes.map(|(name, value)| (name.to_owned(), value.to_string())).into();
        recording.begin_track(&TrackInfo { id: TrackId(k), label: format!("run {k}"), attributes, parent: None });
        let scale = 1.0 + 0.5 * f64::from(k) / f64::from(tracks);
        for step in 1..=steps {
            let reading = |series: &Series| match series {
                Series::Scalar(series) => series.exactly_at(step).map(|value| Reading::Scalar(scale * value)),
                Series::Vector(series) => {
                    let (_, row) = series.latest_at(step).filter(|(at, _)| *at == step)?;
                    Some(Reading::Vector(row.iter().map(|v| v * scale as f32).collect()))
                }
                Series::Heavy(series) => series.latest_at(step).filter(|_| step == steps).map(|(_, last)| last.clone()),
            };
            let found = numbers.iter().filter_map(|(id, series)| Some(((*id).clone(), reading(series)?)));
            let snapshot = Snapshot { track: TrackId(k), step, readings: found.collect() };
            recording.push(&snapshot).expect("each series keeps its kind");
        }
    }
    recording
}

fn device() -> Option<RenderState> {
    let setup = WgpuSetup::without_display_handle();
    let instance = pollster::block_on(setup.new_instance());
    let config = WgpuConfiguration { wgpu_setup: setup, ..WgpuConfiguration::default() };
    pollster::block_on(RenderState::create(&config, &instance, None, RendererOptions::default())).ok()
}

/// Processor time of this thread in milliseconds.
fn thread_ms() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the clock exists on every Unix, and `time` outlives the call.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 * 1e-6
}

fn measure(case: Case, steps: u64, frames: usize, app: &mut App, device: Option<&RenderState>) {
    let ctx = egui::Context::default();
    app.install(&ctx, device);
    let [mut ui, mut tessellate, mut encode, mut whole] = [(); 4].map(|()| Vec::with_capacity(frames));
    // The first frames load fonts and make pipelines.
    const WARM_UP: usize = 12;
    for frame in 0..frames + WARM_UP {
        let moving = match case {
            Case::Still | Case::Orbit | Case::Choose => false,
            Case::Live => frame % 4 == 0,
            Case::Scrub => true,
        };
        if moving {
            // Anywhere in the later half, never the same step twice in a row.
            app.window.cursor = TimeCursor::At(steps / 2 + (frame as u64 * 7_919) % (steps / 2).max(1));
        }
        if case == Case::Choose && frame % 30 == 0 {
            let by = ["lr", "seed"][frame / 30 % 2];
            app.window.options.comparing.color_by = Some(by.into());
        }
        let begin = thread_ms();
        app.receive(&ctx);
        let mut output = ctx.run_ui(input(case, frame), |ui| app.show(ui));
        let drawn = thread_ms();
        let points = output.pixels_per_point;
        let primitives = ctx.tessellate(std::mem::take(&mut output.shapes), points);
        let tessellated = thread_ms();
        let finish = device.map(|device| upload(device, &mut output, &primitives, points));
        let end = thread_ms();
        if let (Some(device), Some(commands)) = (device, finish) {
            // Uploads and the surface's own picture are carried out, off the clock; the window's pass was only recorded.
            device.queue.submit(commands);
            let _ = device.device.poll(egui_wgpu::wgpu::PollType::Wait { submission_index: None, timeout: None });
        }
        if case == Case::Choose || app.window.recording().tracks().nth(1).is_some() {
            // Threads that draw very many curves need the time that a screen gives them.
            std::thread::sleep(std::time::Duration::from_millis(16));
        }
        if frame >= WARM_UP {
            ui.push(drawn - begin);
            tessellate.push(tessellated - drawn);
            encode.push(end - tessellated);
            whole.push(end - begin);
        }
    }
    let median = |times: &mut Vec<f64>| quantile(times, 0.5);
    let tracks = app.window.recording().tracks().count();
    let encode = device.map_or(String::new(), |_| format!(" \"encode_ms\": {:.3},", median(&mut encode)));
    println!(
        "{{\"case\": \"{case:?}\", \"tracks\": {tracks}, \"steps\": {steps}, \"frames\": {frames}, \"ui_ms\": {:.3}, \"tessellate_ms\": {:.3},{encode} \
         \"frame_ms\": {:.3}, \"frame_p95_ms\": {:.3}}}",
        median(&mut ui),
        median(&mut tessellate),
        median(&mut whole),
        quantile(&mut whole, 0.95),
    );
}

fn quantile(times: &mut [f64], share: f64) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(((times.len() as f64 - 1.0) * share) as usize).copied().unwrap_or(f64::NAN)
}

/// A moving pointer; for [`Case::Orbit`] one that drags the middle of the second pane, which is the surface.
fn input(case: Case, frame: usize) -> egui::RawInput {
    let size = vec2(SIZE[0] as f32, SIZE[1] as f32);
    let sway = 60.0 * (frame as f32 * 0.21).sin();
    let mut events = Vec::new();
    if case == Case::Orbit {
        let at = pos2(0.58 * size.x + sway, 0.25 * size.y);
        events.push(egui::Event::PointerMoved(at));
        if frame == 4 {
            events.push(egui::Event::PointerButton {
                pos: at,
                button: egui::PointerButton::Primary,
                pressed: true,
                modifiers: egui::Modifiers::NONE,
            });
        }
    } else {
        events.push(egui::Event::PointerMoved(pos2(0.5 * size.x + sway, 0.5 * size.y + sway)));
    }
    egui::RawInput {
        screen_rect: Some(Rect::from_min_size(egui::Pos2::ZERO, size)),
        time: Some(frame as f64 / 60.0),
        predicted_dt: 1.0 / 60.0,
        max_texture_side: Some(8_192),
        focused: true,
        events,
        ..egui::RawInput::default()
    }
}

/// All that a frame costs the processor before the device draws.
fn upload(
    state: &RenderState,
    output: &mut egui::FullOutput,
    primitives: &[egui::ClippedPrimitive],
    pixels_per_point: f32,
) -> Vec<egui_wgpu::wgpu::CommandBuffer> {
    use egui_wgpu::wgpu;
    let RenderState { device, queue, target_format, renderer, .. } = state;
    let screen = ScreenDescriptor { size_in_pixels: SIZE, pixels_per_point };
    let mut renderer = renderer.write();
    for (id, deltas) in output.textures_delta.set.drain() {
        for delta in deltas {
            renderer.update_texture(device, queue, id, &delta);
        }
    }
    let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("frame") });
    let mut commands = renderer.update_buffers(device, queue, &mut encoder, primitives, &screen);
    commands.push(encoder.finish());
    let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("window") });
    let texture = device.create_texture(&wgpu::TextureDescriptor {
        label: Some("frame"),
        size: wgpu::Extent3d { width: SIZE[0], height: SIZE[1], depth_or_array_layers: 1 },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format: *target_format,
        usage: wgpu::TextureUsages::RENDER_ATTACHMENT,
        view_formats: &[],
    });
    let view = texture.create_view(&wgpu::TextureViewDescriptor::default());
    let pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
        label: Some("frame"),
        color_attachments: &[Some(wgpu::RenderPassColorAttachment {
            view: &view,
            resolve_target: None,
            depth_slice: None,
            ops: wgpu::Operations { load: wgpu::LoadOp::Clear(wgpu::Color::BLACK), store: wgpu::StoreOp::Store },
        })],
        ..wgpu::RenderPassDescriptor::default()
    });
    renderer.render(&mut pass.forget_lifetime(), primitives, &screen);
    let _recorded = encoder.finish();
    commands
}
