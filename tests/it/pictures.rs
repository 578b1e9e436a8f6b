//! One plot of each kind with the awkward parts real data has, and a bench that draws it.

use egui::{Id, Vec2};
use egui_kittest::Harness;
use egui_kittest::wgpu::WgpuTestRenderer;
use egui_wgpu::RenderState;
use image::RgbaImage;
use landscope::app::views::ViewState;
use landscope::app::{gpu, theme, views};
use landscope::plots::{Colormap, FieldPlot, Line, LinePlot, LineStyle, Plot, Ridge, RidgePlot, SurfacePlot};

/// A valley with two basins; smooth, with values from about 0.03 to 3.2.
fn loss(a: f32, b: f32) -> f32 {
    let basin = |x: f32, y: f32| (-((a - x).powi(2) + (b - y).powi(2)) * 3.0).exp();
    0.6 * (a * a + 0.6 * b * b) + 1.3 - 1.1 * basin(0.0, 0.0) - 0.9 * basin(0.75, -0.5) + 0.25 * (2.5 * a).sin() * b
}

/// A spiral towards the centre.
fn iterates() -> Vec<[f32; 2]> {
    (0..=60).map(|k| 1.0 - k as f32 / 60.0).map(|r| [0.95 * r * (5.0 * r).cos(), 0.95 * r * (5.0 * r).sin()]).collect()
}

pub fn surface() -> SurfacePlot {
    let mut plot = SurfacePlot {
        title: "Loss landscape".into(),
        x_label: "direction a".into(),
        y_label: "direction b".into(),
        value_label: "train loss".into(),
        n: 33,
        radius: 1.0,
        value_range: [0.1, 2.6],
        path: iterates().into_iter().map(|[a, b]| [a, b, loss(a, b)]).collect(),
        levels: (0..12).map(|k| 0.2 * k as f32 + 0.2).collect(),
        notes: vec!["Step 1,240".into(), "33 x 33 of 512 examples, filter-normalised".into(), "0.8 s old".into()],
        version: 1,
        ..SurfacePlot::default()
    };
    plot.values = (0..33 * 33).map(|k| loss(plot.coordinate(k % 33), plot.coordinate(k / 33))).collect();
    // A corner that was not reached yet.
    for j in 0..6 {
        for i in 0..6 - j {
            plot.values[j * 33 + i] = f32::NAN;
        }
    }
    plot
}

pub fn field() -> FieldPlot {
    let surface = surface();
    let circle = |r: f64| {
        (0..=60).map(|k| f64::from(k) * std::f64::consts::TAU / 60.0).map(move |t| [r * t.cos(), r * t.sin()]).collect()
    };
    FieldPlot {
        title: surface.title,
        x_label: surface.x_label,
        y_label: surface.y_label,
        value_label: surface.value_label,
        columns: 33,
        rows: 33,
        values: surface.values,
        value_range: surface.value_range,
        x_range: [-1.03, 1.03],
        y_range: [-1.03, 1.03],
        contours: vec![(0.4, circle(0.3)), (0.8, circle(0.5)), (1.2, circle(0.7))],
        path: iterates().into_iter().map(|p| p.map(f64::from)).collect(),
        square: true,
        notes: surface.notes,
        ..FieldPlot::default()
    }
}

pub fn layers() -> FieldPlot {
    let names = ["patch embedding", "block 1 attention", "block 1 mlp", "block 2 attention", "block 2 mlp", "readout"];
    let (columns, rows) = (400, names.len());
    let value = |k: usize| {
        let (step, layer) = ((k % columns) as f32, (k / columns) as f32);
        if layer > 4.5 && step < 60.0 { f32::NAN } else { 1.0 - (-(layer + 0.4) * step / 500.0).exp() }
    };
    FieldPlot {
        title: "Rank collapse".into(),
        x_label: "step".into(),
        y_label: "layer".into(),
        value_label: "mean cosine".into(),
        columns,
        rows,
        values: (0..columns * rows).map(value).collect(),
        value_range: [0.0, 1.0],
        colormap: Colormap::Magma,
        x_range: [0.0, 12_000.0],
        y_range: [0.0, rows as f64],
        row_labels: names.map(String::from).into(),
        cursor: Some(8_000.0),
        notes: vec!["64 examples".into()],
        ..FieldPlot::default()
    }
}

pub fn lines() -> LinePlot {
    let curve = |label: &str, style, color, f: &dyn Fn(f64) -> f64| {
        let points = (0..=600).map(|k| f64::from(k) * 20.0).map(|x| [x, f(x)]).collect();
        Line { label: label.into(), points, style, color: usize::into(color) }
    };
    let wobble = |x: f64| ((x * 0.37).sin() + (x * 1.91).sin()) * 0.05;
    let train = |x: f64| 2.2 * (-x / 2500.0).exp() + 0.01;
    let lines = vec![
        curve("minibatch", LineStyle::Faint, 0, &|x| train(x) * (1.0 + 3.0 * wobble(x))),
        curve("train", LineStyle::Solid, 0, &train),
        curve("test", LineStyle::Solid, 1, &|x| if (5000.0..5400.0).contains(&x) { f64::NAN } else { train(x) + 0.1 }),
        curve("2 / lr", LineStyle::Dashed, 2, &|_| 1.0),
    ];
    LinePlot {
        title: "Loss".into(),
        x_label: "step".into(),
        y_label: "loss".into(),
        lines,
        x_max: 12_000.0,
        cursor: Some(9_000.0),
        marks: vec![(3_000.0, "learning rate 0.1 -> 0.03".into()), (7_000.0, "batch size 64 -> 128".into())],
        at_cursor: vec![("train".into(), 0.0701), ("test".into(), 0.1701), ("2 / lr".into(), 1.0)],
        notes: vec!["Smoothed over 20 steps".into(), "test on 360 examples".into()],
        ..LinePlot::default()
    }
}

pub fn ridges() -> RidgePlot {
    let names = ["patch embedding", "block 1 attention", "block 1 mlp", "block 2 attention", "block 2 mlp", "readout"];
    let ridge = |i: usize, label: &str| {
        let (centre, width) = (0.3 * i as f64 - 0.6, 0.35 + 0.18 * i as f64);
        let density = |x: f64| (-((x - centre) / width).powi(2) / 2.0).exp() / width;
        let shares = (0..96).map(|k| -4.0 + 8.0 * (f64::from(k) + 0.5) / 96.0).map(|x| (density(x) / 40.0) as f32);
        Ridge {
            label: label.into(),
            shares: shares.collect(),
            summary: format!("mean {centre:.2}, sd {width:.2}"),
            over: Vec::new(),
        }
    };
    RidgePlot {
        title: "Activations".into(),
        x_label: "activation".into(),
        x_range: [-4.0, 4.0],
        ridges: names.iter().enumerate().map(|(i, label)| ridge(i, label)).collect(),
        notes: vec!["Step 1,240".into(), "64 examples".into()],
        ..RidgePlot::default()
    }
}

pub struct Desk {
    pub plot: Plot,
    pub state: ViewState,
}

pub fn id() -> Id {
    Id::unique("picture under test")
}

/// `plot` alone in a window of this size, drawn by the GPU or, with `installed` false, by its software twin.
pub fn desk(
    state: Option<RenderState>,
    installed: bool,
    dark: bool,
    size: impl Into<Vec2>,
    plot: Plot,
) -> Harness<'static, Desk> {
    let mut builder =
        Harness::builder().with_size(size).with_max_steps(20).with_step_dt(1.0 / 30.0).with_render_cursor(false);
    let mut pipelines = None;
    if let Some(state) = state {
        pipelines = installed.then(|| state.clone());
        builder = builder.renderer(WgpuTestRenderer::from_render_state(state));
    }
    builder
        .with_theme(if dark { egui::Theme::Dark } else { egui::Theme::Light })
        .with_context_setup(move |ctx| {
            theme::install(ctx);
            if let Some(state) = pipelines {
                gpu::install(ctx, &state);
            }
        })
        .build_ui_state(
            |ui, desk: &mut Desk| {
                let pane = theme::of(ui.visuals()).pane;
                egui::Frame::new().fill(pane).inner_margin(8).show(ui, |ui| {
                    views::show(ui, id(), &desk.plot, &mut desk.state);
                });
            },
            Desk { plot, state: ViewState::default() },
        )
}

/// The finished picture, kept.
pub fn render(harness: &mut Harness<'static, Desk>, name: &str) -> RgbaImage {
    harness.run();
    let image = harness.render().unwrap();
    keep(&image, name);
    image
}

/// With `LANDSCOPE_PICTURES` set to a folder, writes a picture there, to be looked at.
pub fn keep(image: &RgbaImage, name: &str) {
    if let Some(folder) = std::env::var_os("LANDSCOPE_PICTURES") {
        std::fs::create_dir_all(&folder).unwrap();
        image.save(std::path::Path::new(&folder).join(format!("{name}.png"))).unwrap();
    }
}
