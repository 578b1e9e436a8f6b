//! Sets a surface on its stage: light, floor, walls, and the path of the iterates.

use std::sync::Arc;

use egui::Color32;
use glam::{Vec3, vec3};

use super::camera::{Camera, FLOOR, HEIGHT};
use super::ticks::{self, Tick};
use crate::app::gpu::scene::{MAX_LEVELS, Mesh, Scene, Stroke};
use crate::app::theme::Tokens;
use crate::plots::SurfacePlot;

/// Most pieces of the path that are drawn: beyond it, points are skipped evenly.
const MAX_PATH: usize = 1500;
/// How far the path floats above the surface, towards the eye.
const PATH_LIFT: f32 = 0.03;

pub fn scene(
    plot: &SurfacePlot,
    mesh: Arc<Mesh>,
    camera: Camera,
    yaw: f32,
    pixels_per_point: f32,
    tokens: &Tokens,
) -> Scene {
    let mut strokes = Vec::new();
    room(&mut strokes, plot, &camera, pixels_per_point, tokens);
    path(&mut strokes, plot, pixels_per_point, tokens);
    // Over the reader's left shoulder, whichever way the surface is turned.
    let light = vec3((yaw - 0.9).cos(), (yaw - 0.9).sin(), 1.15).normalize();
    let levels = plot.levels.iter().filter_map(|level| plot.unit(*level)).filter(|t| *t > 0.002 && *t < 0.998);
    Scene {
        mesh,
        strokes,
        camera,
        light,
        ambient: 0.5,
        levels: levels.take(MAX_LEVELS).collect(),
        colormap: plot.colormap,
        background: tokens.pane,
    }
}

/// Ticks of the two floor axes.
pub fn floor_ticks(plot: &SurfacePlot) -> Vec<Tick> {
    let radius = f64::from(plot.radius);
    ticks::linear([-radius, radius], 4)
}

/// Ticks of the vertical axis, with their height in [0, 1].
pub fn height_ticks(plot: &SurfacePlot) -> Vec<(f32, String)> {
    let [low, high] = plot.value_range.map(f64::from);
    let labelled = |ticks: Vec<Tick>, value: &dyn Fn(f64) -> f64| {
        ticks
            .into_iter()
            .filter(|tick| !tick.label.is_empty())
            .filter_map(|tick| Some((plot.unit(value(tick.at) as f32)?, tick.label)))
            .collect()
    };
    if plot.log {
        let units = [low, high].map(|v| v.max(f64::from(f32::MIN_POSITIVE)).log10());
        labelled(ticks::logarithmic(units, 5), &|at| 10f64.powf(at))
    } else {
        labelled(ticks::linear([low, high], 5), &|at| at)
    }
}

/// Signs of the floor's corner that is nearest to the eye; the walls stand at the other side.
pub fn near_corner(camera: &Camera) -> [f32; 2] {
    [camera.eye.x, camera.eye.y].map(|v| if v < 0.0 { -1.0 } else { 1.0 })
}

fn line(a: Vec3, b: Vec3, width: f32, color: Color32) -> Stroke {
    Stroke {
        a: a.to_array(),
        b: b.to_array(),
        width,
        hidden: 0.0,
        color: color.to_srgba_unmultiplied().map(|v| f32::from(v) / 255.0),
        lift: 0.0,
        padding: [0.0; 3],
    }
}

/// The grid on the floor and on the two walls behind the surface.
fn room(strokes: &mut Vec<Stroke>, plot: &SurfacePlot, camera: &Camera, scale: f32, tokens: &Tokens) {
    let [near_x, near_y] = near_corner(camera);
    let mut add = |a: Vec3, b: Vec3, color: Color32| strokes.push(line(a, b, 1.2 * scale, color));
    let (faint, edge) = (tokens.border, tokens.text_faint.gamma_multiply(0.6));
    let radius = f64::from(plot.radius).max(f64::MIN_POSITIVE);
    for tick in floor_ticks(plot) {
        let at = (tick.at / radius) as f32;
        add(vec3(at, -1.0, FLOOR), vec3(at, 1.0, FLOOR), faint);
        add(vec3(-1.0, at, FLOOR), vec3(1.0, at, FLOOR), faint);
        add(vec3(at, -near_y, FLOOR), vec3(at, -near_y, HEIGHT), faint);
        add(vec3(-near_x, at, FLOOR), vec3(-near_x, at, HEIGHT), faint);
    }
    for (t, _) in height_ticks(plot) {
        let z = t * HEIGHT;
        add(vec3(-1.0, -near_y, z), vec3(1.0, -near_y, z), faint);
        add(vec3(-near_x, -1.0, z), vec3(-near_x, 1.0, z), faint);
    }
    for z in [FLOOR, HEIGHT] {
        add(vec3(-1.0, -near_y, z), vec3(1.0, -near_y, z), edge);
        add(vec3(-near_x, -1.0, z), vec3(-near_x, 1.0, z), edge);
    }
    add(vec3(-1.0, near_y, FLOOR), vec3(1.0, near_y, FLOOR), edge);
    add(vec3(near_x, -1.0, FLOOR), vec3(near_x, 1.0, FLOOR), edge);
    for (x, y) in [(-near_x, -near_y), (near_x, -near_y), (-near_x, near_y)] {
        add(vec3(x, y, FLOOR), vec3(x, y, HEIGHT), edge);
    }
}

/// The iterates as a light line with a dark rim, a dot where the run is now, and a thread from it to the floor.
fn path(strokes: &mut Vec<Stroke>, plot: &SurfacePlot, scale: f32, tokens: &Tokens) {
    let radius = plot.radius.max(f32::MIN_POSITIVE);
    let point = |&[a, b, value]: &[f32; 3]| {
        let inside = a.abs() <= radius * 1.001 && b.abs() <= radius * 1.001;
        let t = plot.unit(value)?;
        inside.then(|| vec3(a / radius, b / radius, t * HEIGHT))
    };
    let stride = plot.path.len().div_ceil(MAX_PATH).max(1);
    // Counted from the newest, so that the line ends at the dot.
    let points: Vec<_> = plot.path.iter().rev().step_by(stride).map(point).collect();
    for (width, hidden, color) in [(5.0, 0.0, tokens.path_rim), (2.8, 0.32, tokens.path)] {
        for pair in points.windows(2) {
            if let [Some(a), Some(b)] = pair {
                strokes.push(Stroke { hidden, lift: PATH_LIFT, ..line(*a, *b, width * scale, color) });
            }
        }
    }
    let Some(here) = plot.path.last().and_then(point) else { return };
    strokes.push(Stroke { hidden: 0.35, ..line(vec3(here.x, here.y, FLOOR), here, 1.2 * scale, tokens.path) });
    for (width, color) in [(14.0, tokens.path_rim), (11.5, tokens.path), (8.0, tokens.here)] {
        strokes.push(Stroke { hidden: 0.5, lift: 2.0 * PATH_LIFT, ..line(here, here, width * scale, color) });
    }
}

#[cfg(test)]
mod tests {
    use super::super::camera::Orbit;
    use super::*;
    use crate::app::theme::DARK;

    fn plot(path: Vec<[f32; 3]>) -> SurfacePlot {
        SurfacePlot { n: 3, radius: 2.0, value_range: [0.0, 1.0], path, ..SurfacePlot::default() }
    }

    fn strokes(plot: &SurfacePlot) -> Vec<Stroke> {
        scene(plot, Arc::default(), Orbit::default().camera(1.0), 0.0, 1.0, &DARK).strokes
    }

    #[test]
    fn the_path_ends_at_the_dot_and_breaks_where_it_leaves() {
        let without = strokes(&plot(vec![])).len();
        let with = strokes(&plot(vec![[-2.0, 0.0, 1.0], [-1.0, 0.0, 0.5], [0.0, 0.0, 0.25]]));
        assert_eq!(with.len() - without, 2 * 2 + 1 + 3);
        let dot = with[with.len() - 1];
        assert_eq!((dot.a, dot.b), ([0.0, 0.0, 0.25 * HEIGHT], [0.0, 0.0, 0.25 * HEIGHT]));
        let broken = strokes(&plot(vec![[-1.0, 0.0, 1.0], [9.0, 0.0, 0.5], [f32::NAN; 3], [0.0, 0.0, 0.25]]));
        assert_eq!(broken.len() - without, 1 + 3);
    }

    #[test]
    fn long_paths_are_thinned() {
        let path: Vec<_> = (0..100_000).map(|k| [k as f32 / 1e5, 0.0, 0.5]).collect();
        assert!(strokes(&plot(path)).len() < 2 * MAX_PATH + 100);
    }

    #[test]
    fn a_stage_without_a_scale_is_still_finite() {
        let nothing = SurfacePlot { radius: 0.0, value_range: [1.0, 1.0], ..plot(vec![[0.0; 3]]) };
        for stroke in strokes(&nothing) {
            assert!(stroke.a.iter().chain(&stroke.b).all(|v| v.is_finite()), "{stroke:?}");
        }
    }
}
