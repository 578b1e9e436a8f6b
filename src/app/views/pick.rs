//! Which point of a surface is under the pointer.

use egui::{Pos2, Rect};
use glam::{Vec3, vec3};

use super::camera::{Camera, HEIGHT};
use crate::plots::SurfacePlot;

/// Steps along the ray through the box: finer than the cells of a 65 x 65 surface.
const STEPS: usize = 192;

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hit {
    pub a: f32,
    pub b: f32,
    pub value: f32,
    /// In the box.
    pub point: [f32; 3],
}

/// The first point of the surface on the ray through `pointer`.
pub fn surface(plot: &SurfacePlot, camera: &Camera, inner: Rect, pointer: Pos2) -> Option<Hit> {
    let inverse = camera.view_proj.inverse();
    let share = (pointer - inner.min) / inner.size();
    let far = inverse.project_point3(vec3(2.0 * share.x - 1.0, 1.0 - 2.0 * share.y, 1.0));
    let direction = (far - camera.eye).try_normalize()?;
    let [enter, leave] = box_span(camera.eye, direction)?;
    // Height of the ray over the surface; a change of sign is a hit.
    let mut last: Option<(f32, f32)> = None;
    for k in 0..=STEPS {
        let along = enter + (leave - enter) * k as f32 / STEPS as f32;
        let point = camera.eye + direction * along;
        let Some((t, _)) = sample(plot, point.x, point.y) else {
            last = None;
            continue;
        };
        let over = point.z - t * HEIGHT;
        if let Some((before, was)) = last
            && (was > 0.0) != (over > 0.0)
        {
            let at = camera.eye + direction * (before + (along - before) * was / (was - over));
            let (t, value) = sample(plot, at.x, at.y)?;
            let point = [at.x, at.y, t * HEIGHT];
            return Some(Hit { a: at.x * plot.radius, b: at.y * plot.radius, value, point });
        }
        last = Some((along, over));
    }
    None
}

/// Where the ray is inside the box, slightly enlarged.
fn box_span(eye: Vec3, direction: Vec3) -> Option<[f32; 2]> {
    let (low, high) = (vec3(-1.0, -1.0, -0.02), vec3(1.0, 1.0, HEIGHT + 0.02));
    let (a, b) = ((low - eye) / direction, (high - eye) / direction);
    let (enter, leave) = (a.min(b).max_element().max(0.0), a.max(b).min_element());
    (enter < leave).then_some([enter, leave])
}

/// Place on the colour map and value between grid points; `None` outside and beside missing points.
fn sample(plot: &SurfacePlot, x: f32, y: f32) -> Option<(f32, f32)> {
    let n = plot.n;
    if n < 2 || plot.values.len() != n * n || x.abs() > 1.0 || y.abs() > 1.0 {
        return None;
    }
    let grid = |v: f32| {
        let at = (v + 1.0) / 2.0 * (n - 1) as f32;
        let cell = (at as usize).min(n - 2);
        (cell, at - cell as f32)
    };
    let ((i, u), (j, v)) = (grid(x), grid(y));
    let corner = |di: usize, dj: usize| {
        let value = plot.values[(j + dj) * n + i + di];
        Some((plot.unit(value)?, value))
    };
    let mut sum = (0.0, 0.0);
    for (di, dj, weight) in [(0, 0, (1.0 - u) * (1.0 - v)), (1, 0, u * (1.0 - v)), (0, 1, (1.0 - u) * v), (1, 1, u * v)]
    {
        let (t, value) = corner(di, dj)?;
        sum.0 += weight * t;
        sum.1 += weight * value;
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use egui::{pos2, vec2};

    use super::super::camera::Orbit;
    use super::*;

    fn bowl() -> SurfacePlot {
        let mut plot = SurfacePlot { n: 33, radius: 2.0, value_range: [0.0, 8.0], ..SurfacePlot::default() };
        plot.values = (0..33 * 33)
            .map(|k| {
                let (a, b) = (plot.coordinate(k % 33), plot.coordinate(k / 33));
                a * a + b * b
            })
            .collect();
        plot
    }

    #[test]
    fn a_projected_point_is_found_again() {
        let (plot, inner) = (bowl(), Rect::from_min_size(pos2(7.0, 9.0), vec2(400.0, 300.0)));
        let camera = Orbit { pitch: 1.2, ..Orbit::default() }.camera(inner.width() / inner.height());
        for (a, b) in [(0.0, 0.0), (1.0, -0.5), (-1.5, 1.5)] {
            let value: f32 = a * a + b * b;
            let point = vec3(a / 2.0, b / 2.0, value / 8.0 * HEIGHT);
            let pointer = camera.project(point, inner).expect("in view");
            let hit = surface(&plot, &camera, inner, pointer).expect("on the surface");
            assert!((hit.a - a).abs() < 0.05 && (hit.b - b).abs() < 0.05, "{hit:?}");
            assert!((hit.value - value).abs() < 0.1, "{hit:?}");
        }
    }

    #[test]
    fn beside_the_surface_and_in_holes_there_is_nothing() {
        let (mut plot, inner) = (bowl(), Rect::from_min_size(pos2(0.0, 0.0), vec2(400.0, 300.0)));
        let camera = Orbit::default().camera(inner.width() / inner.height());
        assert_eq!(surface(&plot, &camera, inner, pos2(1.0, 1.0)), None);
        plot.values.fill(f32::NAN);
        assert_eq!(surface(&plot, &camera, inner, inner.center()), None);
    }
}
