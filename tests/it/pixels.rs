//! What the GPU draws is what its software twin draws, and both are pictures of the data.

use std::collections::HashSet;

use egui::{Pos2, Rect, vec2};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use image::RgbaImage;
use landscope::app::gpu::Gpu;
use landscope::app::views::Orbit;
use landscope::app::{App, Studio, Window};
use landscope::plots::pane::PANES;
use landscope::plots::{FieldPlot, PaneOptions, Plot, SurfacePlot};
use landscope::record::{TimeCursor, example};

use super::adapter::render_state;
use super::pictures::{self, desk, render};

/// Mean error between GPU and software: sample positions and rounding differ at edges, nothing else.
const TOLERANCE: f64 = 0.003;

fn all() -> Vec<(&'static str, Plot)> {
    let log = |mut plot: landscope::plots::LinePlot| {
        plot.y_log = true;
        plot
    };
    vec![
        ("lines", Plot::Lines(pictures::lines())),
        ("lines_log", Plot::Lines(log(pictures::lines()))),
        ("field", Plot::Field(pictures::field())),
        ("layers", Plot::Field(pictures::layers())),
        ("surface", Plot::Surface(pictures::surface())),
        ("ridges", Plot::Ridges(pictures::ridges())),
        (
            "empty",
            Plot::Empty { title: "Sharpness".into(), reason: "Measured for the first time after step 20".into() },
        ),
    ]
}

fn colors(image: &RgbaImage) -> usize {
    image.pixels().map(|p| p.0).collect::<HashSet<_>>().len()
}

/// Mean absolute difference of the channels, in [0, 1].
fn mean_error(a: &RgbaImage, b: &RgbaImage) -> f64 {
    assert_eq!(a.dimensions(), b.dimensions());
    let sum: f64 = a.as_raw().iter().zip(b.as_raw()).map(|(x, y)| f64::from(x.abs_diff(*y))).sum();
    sum / a.as_raw().len() as f64 / 255.0
}

/// Share of pixels that differ visibly.
fn differing(a: &RgbaImage, b: &RgbaImage) -> f64 {
    let far = |(x, y): (&image::Rgba<u8>, &image::Rgba<u8>)| x.0.iter().zip(y.0).any(|(p, q)| p.abs_diff(q) > 24);
    a.pixels().zip(b.pixels()).filter(|pair| far(*pair)).count() as f64 / a.pixels().len() as f64
}

#[test]
fn gpu_and_software_twin_agree() {
    for (name, plot) in all() {
        if !matches!(plot, Plot::Field(_) | Plot::Surface(_)) {
            continue;
        }
        let picture = |installed| {
            let mut desk = desk(Some(render_state()?), installed, true, [420.0, 320.0], plot.clone());
            Some(render(&mut desk, &format!("{name}_{}", if installed { "gpu" } else { "cpu" })))
        };
        let (Some(gpu), Some(cpu)) = (picture(true), picture(false)) else { return };
        assert!(colors(&gpu) > 300, "{name} has {} colours", colors(&gpu));
        let (error, apart) = (mean_error(&gpu, &cpu), differing(&gpu, &cpu));
        println!("{name}: mean error {error:.5}, {:.2} % differ", 100.0 * apart);
        assert!(error < TOLERANCE && apart < 0.02, "{name}: mean error {error:.5}, {:.2} % differ", 100.0 * apart);
    }
}

#[test]
fn the_twin_would_notice_a_wrong_picture() {
    let picture = |plot: SurfacePlot| {
        let mut desk = desk(Some(render_state()?), true, true, [420.0, 320.0], Plot::Surface(plot));
        Some(render(&mut desk, "surface_other"))
    };
    let reversed = pictures::surface().values.into_iter().rev().collect();
    let mirrored = SurfacePlot { values: reversed, ..pictures::surface() };
    let bare = SurfacePlot { path: Vec::new(), levels: Vec::new(), ..pictures::surface() };
    let [Some(right), Some(mirrored), Some(bare)] = [pictures::surface(), mirrored, bare].map(picture) else { return };
    let [mirrored, bare] = [mirrored, bare].map(|other| mean_error(&right, &other));
    assert!(mirrored > 2.0 * TOLERANCE && bare > TOLERANCE, "{mirrored:.4} without path and iso-lines {bare:.4}");
}

/// Where the surface is, in points (and pixels: one to one).
fn canvas(harness: &egui_kittest::Harness<'static, pictures::Desk>) -> Rect {
    harness.get_by_label("Loss surface").rect()
}

#[test]
fn the_surface_turns_zooms_and_comes_back() {
    let state = render_state();
    let drawn = state.is_some();
    let mut harness = desk(state, true, true, [420.0, 320.0], Plot::Surface(pictures::surface()));
    let picture = |harness: &mut _, name: &str| drawn.then(|| render(harness, name));
    harness.run();
    let first = picture(&mut harness, "turn_0");
    let centre = canvas(&harness).center();

    drag(&mut harness, centre, centre + vec2(70.0, 25.0));
    let turned = harness.state().state.orbit;
    assert!(turned.yaw < Orbit::default().yaw - 0.3 && turned.pitch > Orbit::default().pitch + 0.1, "{turned:?}");
    let second = picture(&mut harness, "turn_1");

    harness.hover_at(centre);
    harness.run();
    harness.event(egui::Event::MouseWheel {
        unit: egui::MouseWheelUnit::Point,
        delta: vec2(0.0, 120.0),
        phase: egui::TouchPhase::Move,
        source: egui::MouseWheelSource::Wheel,
        modifiers: egui::Modifiers::NONE,
    });
    harness.run_steps(12);
    assert!(harness.state().state.orbit.zoom > 1.2, "{:?}", harness.state().state.orbit);

    harness.key_press(egui::Key::ArrowLeft);
    harness.run();
    assert!(harness.state().state.orbit.yaw < turned.yaw, "arrow keys turn the focused surface");

    harness.get_by_label("Reset view").click();
    harness.run();
    assert_eq!(harness.state().state.orbit, Orbit::default());
    assert!(harness.query_by_label("Reset view").is_none(), "nothing to reset");

    drag(&mut harness, centre, centre + vec2(30.0, 0.0));
    assert_ne!(harness.state().state.orbit, Orbit::default());
    harness.run_steps(60);
    for _ in 0..2 {
        harness.drag_at(centre);
        harness.step();
        harness.drop_at(centre);
        harness.step();
    }
    harness.run();
    assert_eq!(harness.state().state.orbit, Orbit::default(), "a double click comes back");
    harness.remove_cursor();
    let again = picture(&mut harness, "turn_2");
    if let (Some(first), Some(second), Some(again)) = (first, second, again) {
        assert!(differing(&first, &second) > 0.05);
        assert!(differing(&first, &again) < 0.01, "{}", differing(&first, &again));
    }
}

fn drag(harness: &mut egui_kittest::Harness<'static, pictures::Desk>, from: Pos2, to: Pos2) {
    harness.drag_at(from);
    harness.run();
    harness.hover_at(to);
    harness.run();
    harness.drop_at(to);
    harness.run();
}

#[test]
fn a_surface_is_rendered_only_when_something_changed() {
    let Some(state) = render_state() else { return };
    let mut harness = desk(Some(state.clone()), true, true, [300.0, 240.0], Plot::Surface(pictures::surface()));
    let renders = |state: &egui_wgpu::RenderState| {
        state.renderer.read().callback_resources.get::<Gpu>().map_or(0, |gpu| gpu.surface_renders(pictures::id()))
    };
    for _ in 0..4 {
        render(&mut harness, "same");
    }
    assert_eq!(renders(&state), 1);
    harness.state_mut().state.orbit.turn(0.2, 0.0);
    render(&mut harness, "turned");
    assert_eq!(renders(&state), 2);
    let Plot::Surface(plot) = &mut harness.state_mut().plot else { panic!("a surface") };
    plot.values[500] += 0.5;
    render(&mut harness, "changed");
    assert_eq!(renders(&state), 3);
}

#[test]
fn any_data_at_any_size() {
    let square = |value: f32, n: usize| SurfacePlot { n, values: vec![value; n * n], ..pictures::surface() };
    let cells =
        |value: f32, n: usize| FieldPlot { columns: n, rows: n, values: vec![value; n * n], ..pictures::field() };
    let mut plots: Vec<_> = all().into_iter().map(|(_, plot)| plot).collect();
    for value in [f32::NAN, f32::INFINITY, -1.0, f32::MAX, 1.0] {
        plots.push(Plot::Surface(SurfacePlot { log: value < 0.0, ..square(value, 5) }));
        plots.push(Plot::Field(FieldPlot { log: value < 0.0, ..cells(value, 5) }));
    }
    for n in [0, 1, 2] {
        plots.push(Plot::Surface(square(0.5, n)));
        plots.push(Plot::Field(cells(0.5, n)));
    }
    plots.push(Plot::Surface(SurfacePlot::default()));
    plots.push(Plot::Field(FieldPlot::default()));
    plots.push(Plot::Lines(landscope::plots::LinePlot::default()));
    plots.push(Plot::Ridges(landscope::plots::RidgePlot::default()));
    plots.push(Plot::Field(FieldPlot { value_range: [f32::NAN; 2], x_range: [1.0; 2], ..pictures::field() }));
    for installed in [true, false] {
        for size in [[1.0, 1.0], [64.0, 61.0], [200.0, 90.0], [90.0, 200.0]] {
            let state = render_state();
            let drawn = state.is_some();
            let mut harness = desk(state, installed, false, size, plots[0].clone());
            for plot in &plots {
                harness.state_mut().plot = plot.clone();
                harness.run();
                if drawn {
                    harness.render().unwrap();
                }
            }
        }
    }
}

#[test]
fn a_click_hides_a_line_and_another_shows_it() {
    let mut harness = desk(None, false, true, [600.0, 400.0], Plot::Lines(pictures::lines()));
    harness.run();
    let on = |harness: &egui_kittest::Harness<'static, pictures::Desk>| {
        harness.get_by_label("Line test").accesskit_node().toggled()
    };
    let before = on(&harness);
    harness.get_by_label("Line test").click();
    harness.run();
    assert_ne!(on(&harness), before);
    harness.get_by_label("Line test").click();
    harness.run();
    assert_eq!(on(&harness), before);
}

/// Not an assertion but a look: every kind of picture, small and large, dark and light, into `LANDSCOPE_PICTURES`.
#[test]
fn gallery() {
    if std::env::var_os("LANDSCOPE_PICTURES").is_none() {
        return;
    }
    for (name, plot) in all() {
        for (dark, theme) in [(true, "dark"), (false, "light")] {
            for size in [[316.0, 226.0], [620.0, 420.0], [2400.0, 1300.0]] {
                let Some(state) = render_state() else { return };
                let mut harness = desk(Some(state), true, dark, size, plot.clone());
                render(&mut harness, &format!("{name}_{theme}_{}", size[0]));
                // Under the pointer, off the middle.
                harness.hover_at(Pos2::new(0.45 * size[0], 0.55 * size[1]));
                harness.run_steps(40);
                render(&mut harness, &format!("{name}_{theme}_{}_pointed", size[0]));
            }
        }
    }
    // Every pane of a whole recording, and the window about them.
    let recording = example::recording(3_000);
    for pane in PANES {
        let plots = (pane.plots)(&recording, TimeCursor::At(2_400), &PaneOptions::default());
        for (k, plot) in plots.into_iter().enumerate() {
            for size in [[316.0, 226.0], [620.0, 420.0]] {
                let Some(state) = render_state() else { return };
                let mut harness = desk(Some(state), true, true, size, plot.clone());
                render(&mut harness, &format!("pane_{}_{k}_{}", pane.slug, size[0]));
            }
        }
    }
    for (size, dark) in [([1600, 1000], true), ([1280, 800], false)] {
        let Ok(studio) = Studio::open() else { return };
        let mut window = Window::viewing(std::path::Path::new("example"), recording.clone());
        window.dark = dark;
        let picture = studio.render(&mut App::new(window), size, 1.0, &[]).unwrap();
        pictures::keep(&picture, &format!("window_{}", size[0]));
    }
}
