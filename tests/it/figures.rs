//! Figures on paper: every kind of plot becomes SVG and PNG, whatever is in it.
//!
//! `LANDSCOPE_FIGURES=folder` keeps the pictures for looking at.

use landscope::figures::{self, FigureError};
use landscope::plots::pane::PANES;
use landscope::plots::{
    ActivationView, Colormap, FieldPlot, LandscapeView, Line, LinePlot, LineStyle, PaneOptions, Plot, Ridge, RidgePlot,
    SurfacePlot,
};
use landscope::record::{TimeCursor, example};

fn wavy(x: f64) -> f64 {
    (x * 12.9898).sin() * (x * 4.1).cos()
}

fn line(label: &str, color: usize, style: LineStyle, value: impl Fn(f64) -> f64) -> Line {
    let points = (0..600).map(|i| [f64::from(i) * 2.5, value(f64::from(i) * 2.5)]).collect();
    Line { label: label.into(), points, style, color: color.into() }
}

fn loss() -> Plot {
    let decay = |x: f64| 2.2 * (-x / 300.0).exp() + 0.05;
    let mut broken = line("Test", 1, LineStyle::Dashed, move |x| decay(x) + 0.08);
    broken.points[300][1] = f64::NAN;
    Plot::Lines(LinePlot {
        title: "Loss".into(),
        x_label: "Step".into(),
        y_label: "Cross-entropy (nats)".into(),
        y_log: true,
        lines: vec![
            line("Minibatch", 0, LineStyle::Faint, move |x| decay(x) * (1.0 + 0.4 * wavy(x))),
            line("Train", 0, LineStyle::Solid, decay),
            broken,
        ],
        x_max: 1_500.0,
        cursor: Some(1_200.0),
        marks: vec![(500.0, "lr 0.1 → 0.05".into()), (520.0, "momentum".into()), (900.0, "restore".into())],
        at_cursor: vec![("Train".into(), 0.0903), ("Test".into(), 0.17)],
        notes: vec!["1,437 training examples".into(), "smoothed over 20 steps".into()],
        ..LinePlot::default()
    })
}

fn accuracy() -> Plot {
    Plot::Lines(LinePlot {
        title: "Accuracy".into(),
        x_label: "Step".into(),
        y_label: "Share classified correctly".into(),
        y_range: Some([0.0, 1.0]),
        lines: vec![line("Train", 0, LineStyle::Solid, |x| 1.0 - 0.9 * (-x / 200.0).exp())],
        x_max: 1_500.0,
        ..LinePlot::default()
    })
}

fn many_lines() -> Plot {
    let names = ["embedding", "block 1 attention", "block 1 MLP", "block 2 attention", "block 2 MLP", "output"];
    let lines = names.iter().enumerate().map(|(i, name)| {
        line(name, i, LineStyle::Solid, move |x| (-x / 400.0 - i as f64).exp() * (1.0 + 0.2 * wavy(x + i as f64)))
    });
    Plot::Lines(LinePlot {
        title: "Gradient norms".into(),
        x_label: "Step".into(),
        y_label: "Norm".into(),
        y_log: true,
        x_max: 1_500.0,
        lines: lines.collect(),
        ..LinePlot::default()
    })
}

fn bumpy(a: f64, b: f64) -> f64 {
    0.2 + 1.5 * (a * a + 0.6 * b * b) + 0.3 * (3.0 * a).sin() * (4.0 * b).cos()
}

fn grid(n: usize) -> Vec<f32> {
    let at = |i: usize| 2.0 * i as f64 / (n - 1) as f64 - 1.0;
    (0..n * n).map(|k| bumpy(at(k % n), at(k / n)) as f32).collect()
}

fn surface() -> SurfacePlot {
    let path = (0..60).map(|i| {
        let t = 1.0 - f64::from(i) / 59.0;
        let (a, b) = (-0.8 * t, 0.9 * t * (3.0 * t).cos());
        [0.5 * a as f32, 0.5 * b as f32, bumpy(a, b) as f32]
    });
    SurfacePlot {
        title: "Loss around the parameters of step 1,500".into(),
        x_label: "First direction".into(),
        y_label: "Second direction".into(),
        value_label: "Loss (nats)".into(),
        n: 65,
        radius: 0.5,
        values: grid(65),
        value_range: [0.1, 2.6],
        path: path.collect(),
        levels: (1..12).map(|k| 0.2 * k as f32).collect(),
        notes: vec!["two random directions, filter-normalised".into(), "128 examples, f32, 65 × 65 points".into()],
        ..SurfacePlot::default()
    }
}

fn heat_map() -> Plot {
    let surface = surface();
    let ring =
        |r: f64| (0..=90).map(|i| f64::from(i) * std::f64::consts::TAU / 90.0).map(move |t| [r * t.cos(), r * t.sin()]);
    Plot::Field(FieldPlot {
        title: surface.title,
        x_label: surface.x_label,
        y_label: surface.y_label,
        value_label: surface.value_label,
        columns: 65,
        rows: 65,
        values: surface.values,
        value_range: surface.value_range,
        log: true,
        x_range: [-0.5, 0.5],
        y_range: [-0.5, 0.5],
        contours: (1..7).map(|k| (0.4 * k as f32, ring(0.1 * f64::from(k)).collect())).collect(),
        path: surface.path.iter().map(|p| [f64::from(p[0]), f64::from(p[1])]).collect(),
        square: true,
        notes: surface.notes,
        ..FieldPlot::default()
    })
}

fn rank_collapse() -> Plot {
    let labels: Vec<_> = (1..=4).flat_map(|b| [format!("block {b} attention"), format!("block {b}")]).collect();
    let (rows, columns) = (8, 700);
    let mut values: Vec<f32> = (0..rows * columns)
        .map(|k| (k / columns) as f32 / 8.0 * (1.0 - (-((k % columns) as f32) / 200.0).exp()))
        .collect();
    values[3 * columns + 100..3 * columns + 140].fill(f32::NAN);
    Plot::Field(FieldPlot {
        title: "Mean cosine between tokens".into(),
        x_label: "Step".into(),
        value_label: "Mean cosine".into(),
        columns,
        rows,
        values,
        value_range: [0.0, 1.0],
        colormap: Colormap::Magma,
        x_range: [0.0, 1_500.0],
        y_range: [0.0, 8.0],
        row_labels: labels,
        cursor: Some(900.0),
        ..FieldPlot::default()
    })
}

fn ridges() -> Plot {
    let ridge = |i: usize| {
        let width = 0.6 + 0.2 * i as f32;
        let bell = |k: usize| (-((k as f32 / 32.0 - 1.0) * 3.0 / width).powi(2)).exp() / (20.0 * width);
        let shares = (0..64).map(bell).collect();
        Ridge {
            label: format!("block {i} attention"),
            shares,
            summary: format!("mean 0.0{i}, std {width:.2}"),
            over: Vec::new(),
        }
    };
    Plot::Ridges(RidgePlot {
        title: "Activations at step 1,500".into(),
        x_label: "Activation".into(),
        x_range: [-3.0, 3.0],
        ridges: (1..10).map(ridge).collect(),
        notes: vec!["128 examples".into()],
        ..RidgePlot::default()
    })
}

fn all() -> Vec<(&'static str, Vec<Plot>)> {
    let empty =
        Plot::Empty { title: "Sharpness".into(), reason: "Not measured yet: the budget for probes is 0".into() };
    vec![
        ("lines", vec![loss(), accuracy()]),
        ("many-lines", vec![many_lines(), empty]),
        ("surface", vec![Plot::Surface(surface())]),
        ("heat-map", vec![heat_map()]),
        ("both", vec![Plot::Surface(surface()), heat_map()]),
        ("rank-collapse", vec![rank_collapse(), heat_map()]),
        ("ridges", vec![ridges()]),
        ("none", vec![]),
    ]
}

fn keep(name: &str, bytes: &[u8]) {
    if let Ok(folder) = std::env::var("LANDSCOPE_FIGURES") {
        std::fs::write(std::path::Path::new(&folder).join(name), bytes).unwrap();
    }
}

/// (width, height, share of pixels that aren't white)
fn look(png: &[u8]) -> (u32, u32, f64) {
    let picture = image::load_from_memory(png).unwrap().to_rgb8();
    let ink = picture.pixels().filter(|pixel| pixel.0 != [255; 3]).count();
    (picture.width(), picture.height(), ink as f64 / f64::from(picture.width() * picture.height()))
}

#[test]
fn every_kind_of_plot_is_drawn() {
    for (name, plots) in all() {
        let svg = figures::svg(&plots, (1_400, 700)).unwrap();
        keep(&format!("{name}.svg"), svg.as_bytes());
        assert!(svg.starts_with("<svg") && svg.len() < 3_000_000, "{name}: {} bytes", svg.len());
        for plot in &plots {
            assert!(svg.contains(&format!("aria-label=\"{}\"", plot.title())), "{name} has no title");
        }
        let png = figures::png(&plots, (1_400, 700)).unwrap();
        keep(&format!("{name}.png"), &png);
        let (width, height, ink) = look(&png);
        assert_eq!((width, height), (1_400, 700));
        assert!(plots.is_empty() || ink > 0.01, "{name} is nearly white: {ink}");
    }
}

#[test]
fn every_pane_of_a_recording_becomes_a_figure() {
    let recording = example::recording(300);
    let other = PaneOptions {
        landscape_view: LandscapeView::HeatMap,
        activation_view: ActivationView::Waterfall,
        ..PaneOptions::default()
    };
    for (look_at, options) in [("", PaneOptions::default()), ("-other", other)] {
        for pane in PANES {
            let plots = (pane.plots)(&recording, TimeCursor::At(250), &options);
            let png = figures::png(&plots, (1_400, 700)).unwrap();
            keep(&format!("pane-{}{look_at}.png", pane.slug), &png);
            assert!(look(&png).2 > 0.001, "{} is empty", pane.slug);
        }
    }
}

#[test]
fn text_is_large_enough_to_print() {
    // 11 pt are 14.67 pixels of 1/96 inch; inside there are 16 units a pixel.
    for (name, plots) in all() {
        let svg = figures::svg(&plots, (1_400, 700)).unwrap();
        for part in svg.split("font-size=\"").skip(1) {
            let size: f64 = part.split('"').next().unwrap().parse().unwrap();
            assert!(size / 16.0 * 0.75 >= 11.0, "{name}: {} pt", size / 16.0 * 0.75);
        }
    }
}

#[test]
fn sizes_out_of_range_are_refused_and_small_ones_drawn() {
    for size in [(0, 700), (1_400, 9_000), (199, 200)] {
        let error = figures::svg(&[loss()], size).unwrap_err();
        assert!(matches!(error, FigureError::Size { .. }) && error.to_string().contains("200 to 8192"), "{error}");
    }
    for (name, plots) in all() {
        for size in [(200, 200), (300, 900), (900, 300)] {
            figures::svg(&plots, size).unwrap_or_else(|error| panic!("{name} at {size:?}: {error}"));
        }
    }
}

#[test]
fn nothing_in_a_plot_brings_the_figure_down() {
    let wild = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -1.0, 1e300, 1e-300];
    for &a in &wild {
        for &b in &wild {
            for log in [false, true] {
                let points = vec![[0.0, a], [1.0, b], [a, b], [b, 2.0]];
                let lines = LinePlot {
                    lines: vec![Line {
                        label: "\u{1F600} <&>".into(),
                        points,
                        style: LineStyle::Dashed,
                        color: 99.into(),
                    }],
                    y_log: log,
                    y_range: Some([a, b]),
                    x_max: b,
                    cursor: Some(a),
                    marks: vec![(b, String::new())],
                    at_cursor: vec![("x".into(), a)],
                    ..LinePlot::default()
                };
                let free = LinePlot { y_range: None, ..lines.clone() };
                let (x, y) = (a as f32, b as f32);
                let field = FieldPlot {
                    columns: 2,
                    rows: 1,
                    values: vec![x, y],
                    value_range: [x, y],
                    log,
                    x_range: [a, b],
                    y_range: [b, a],
                    contours: vec![(x, vec![[a, b], [b, a]])],
                    path: vec![[a, a], [b, b]],
                    cursor: Some(b),
                    square: log,
                    ..FieldPlot::default()
                };
                let surface = SurfacePlot {
                    n: 2,
                    radius: x,
                    values: vec![x, y, 1.0, 2.0],
                    value_range: [y, x],
                    log,
                    path: vec![[x, y, x], [y, y, y]],
                    levels: vec![x, y],
                    ..SurfacePlot::default()
                };
                let ridge = Ridge {
                    label: String::new(),
                    shares: vec![x, y, 0.5],
                    summary: "é\u{300}".into(),
                    over: Vec::new(),
                };
                let ridges =
                    RidgePlot { x_range: [a, b], ridges: vec![ridge, Ridge::default()], ..RidgePlot::default() };
                let lying = SurfacePlot { n: usize::MAX, ..surface.clone() };
                let plots = [
                    Plot::Lines(lines),
                    Plot::Lines(free),
                    Plot::Field(field),
                    Plot::Surface(surface),
                    Plot::Surface(lying),
                    Plot::Ridges(ridges),
                ];
                let svg = figures::svg(&plots, (900, 300)).unwrap();
                assert!(!svg.contains("NaN\"") && !svg.contains("inf\""));
            }
        }
    }
    figures::png(&[Plot::Field(FieldPlot::default()), Plot::Ridges(RidgePlot::default())], (400, 300)).unwrap();
}
