//! Height fields in three dimensions, by the painter's algorithm: what is far is drawn first.

use glam::{DVec3, dvec3};

use super::canvas::{BLACK, Canvas, Rect, Stroke, WHITE, mix};
use super::color_bar::ColorBar;
use super::frame;
use super::paper::Camera;
use super::text::{self, Style};
use crate::plots::{SurfacePlot, ticks};

/// The surface lies in [-1, 1] x [-1, 1] x [0, HEIGHT]: the window's box.
const HEIGHT: f64 = 0.85;
/// Distance of the eye from the middle of the box.
const DISTANCE: f64 = 5.2;

/// Directions that a steady camera is fitted for.
const YAWS: usize = 24;

/// Where points of the box fall on the paper.
struct Eye {
    right: DVec3,
    up: DVec3,
    back: DVec3,
    scale: f64,
    origin: [f64; 2],
}

impl Eye {
    /// Fits the box with room for the numbers around it.
    fn new(inner: Rect, font: f64, camera: Camera) -> Self {
        let mut eye = Self::towards(camera.yaw, camera.pitch);
        let yaws: Vec<_> = if camera.steady {
            (0..YAWS).map(|k| k as f64 * std::f64::consts::TAU / YAWS as f64).collect()
        } else {
            vec![camera.yaw]
        };
        let corners: Vec<_> = yaws
            .into_iter()
            .map(|yaw| Self::towards(yaw, camera.pitch))
            .flat_map(|eye| corners().map(move |corner| eye.project(corner)))
            .collect();
        let extent = |axis: usize| {
            corners.iter().fold([f64::INFINITY, f64::NEG_INFINITY], |[a, b], p| [a.min(p[axis]), b.max(p[axis])])
        };
        let ([left, right], [top, bottom]) = (extent(0), extent(1));
        let air = 3.2 * font;
        eye.scale = ((inner.width() - 2.0 * air) / (right - left)).min((inner.height() - 1.3 * air) / (bottom - top));
        let [x, y] = inner.middle();
        eye.origin = [x - eye.scale * 0.5 * (left + right), y - 0.35 * air - eye.scale * 0.5 * (top + bottom)];
        eye
    }

    /// Of a box one unit a pixel, around the origin.
    fn towards(yaw: f64, pitch: f64) -> Self {
        let (sin_yaw, cos_yaw) = yaw.sin_cos();
        let (sin, cos) = pitch.clamp(Camera::PITCH[0], Camera::PITCH[1]).sin_cos();
        let back = dvec3(cos_yaw * cos, sin_yaw * cos, sin);
        let up = dvec3(-cos_yaw * sin, -sin_yaw * sin, cos);
        Self { right: up.cross(back), up, back, scale: 1.0, origin: [0.0, 0.0] }
    }

    fn project(&self, point: DVec3) -> [f64; 2] {
        let p = point - DVec3::Z * (0.5 * HEIGHT);
        let nearer = self.scale * DISTANCE / (DISTANCE - p.dot(self.back));
        [self.origin[0] + nearer * p.dot(self.right), self.origin[1] - nearer * p.dot(self.up)]
    }

    fn depth(&self, point: DVec3) -> f64 {
        point.dot(self.back)
    }
}

fn corners() -> impl Iterator<Item = DVec3> {
    (0..8).map(|i| {
        let side = |bit: u32| if i >> bit & 1 == 1 { 1.0 } else { -1.0 };
        dvec3(side(0), side(1), if i >> 2 & 1 == 1 { HEIGHT } else { 0.0 })
    })
}

/// What is drawn in the order of its distance.
enum Piece {
    Facet { points: [[f64; 2]; 4], color: [u8; 3] },
    Line { points: [[f64; 2]; 2], stroke: Stroke },
    Dot { at: [f64; 2], radius: f64 },
}

pub fn draw(canvas: &mut Canvas<'_>, plot: &SurfacePlot, area: Rect, font: f64) {
    let mut inner = frame::title_and_notes(canvas, &plot.title, &plot.notes, area, font);
    let bar = ColorBar { label: &plot.value_label, colormap: plot.colormap, range: plot.value_range, log: plot.log };
    // No wider than the box can use, so that the colours stand beside it.
    let spare = inner.width() - 1.5 * inner.height() - bar.width(inner.height(), font);
    inner.left += (0.5 * spare).max(0.0);
    inner.right -= (0.5 * spare).max(0.0);
    inner.right -= bar.width(0.76 * inner.height(), font);
    let (middle, half) = (inner.middle()[1], 0.38 * inner.height());
    bar.draw(canvas, Rect { top: middle - half, bottom: middle + half, ..inner }, font);
    let eye = Eye::new(inner, font, canvas.camera);
    floor(canvas, plot, &eye, font);
    if plot.n.checked_mul(plot.n) != Some(plot.values.len()) {
        return;
    }
    let mut pieces = facets(plot, &eye, font);
    pieces.extend(path(plot, &eye, font));
    pieces.sort_by(|a, b| a.0.total_cmp(&b.0));
    for (_, piece) in pieces {
        match piece {
            Piece::Facet { points, color } => canvas.polygon(&grown(points, font), color, 1.0),
            Piece::Line { points, stroke } => canvas.path(&points, stroke),
            Piece::Dot { at, radius } => {
                canvas.dot(at, 1.5 * radius, WHITE);
                canvas.dot(at, radius, BLACK);
            }
        }
    }
}

/// Facets a side, about: coarse grids are interpolated, so that colours run smoothly and cliffs have no teeth.
const FACETS: usize = 96;

/// The surface between grid points, by bilinear interpolation of heights and slopes.
struct Sheet {
    n: usize,
    /// Height in the box with the slopes along the two axes; `None` where there is no value.
    points: Vec<Option<DVec3>>,
}

impl Sheet {
    fn new(plot: &SurfacePlot) -> Self {
        let n = plot.n;
        let heights: Vec<_> = plot.values.iter().map(|&v| Some(HEIGHT * f64::from(plot.unit(v)?))).collect();
        let at = |i: usize, j: usize| heights[j * n + i];
        let cell = 2.0 / (n.max(2) - 1) as f64;
        // Central differences, one-sided at edges and beside holes.
        let slope = |z: f64, before: Option<f64>, after: Option<f64>| match (before, after) {
            (Some(a), Some(b)) => (b - a) / (2.0 * cell),
            (Some(a), None) => (z - a) / cell,
            (None, Some(b)) => (b - z) / cell,
            (None, None) => 0.0,
        };
        let point = |k: usize| {
            let (i, j) = (k % n, k / n);
            let z = at(i, j)?;
            let x = slope(z, i.checked_sub(1).and_then(|i| at(i, j)), (i + 1 < n).then(|| at(i + 1, j)).flatten());
            let y = slope(z, j.checked_sub(1).and_then(|j| at(i, j)), (j + 1 < n).then(|| at(i, j + 1)).flatten());
            Some(dvec3(x, y, z))
        };
        Self { n, points: (0..n * n).map(point).collect() }
    }

    /// The place in the box and the upward normal at (i + s, j + t) of the grid.
    fn at(&self, (i, j): (usize, usize), [s, t]: [f64; 2]) -> Option<(DVec3, DVec3)> {
        let corner = |i: usize, j: usize| self.points[j * self.n + i];
        let low = corner(i, j)?.lerp(corner(i + 1, j)?, s);
        let high = corner(i, j + 1)?.lerp(corner(i + 1, j + 1)?, s);
        let DVec3 { x: slope_x, y: slope_y, z } = low.lerp(high, t);
        let side = |k: usize, share: f64| 2.0 * (k as f64 + share) / (self.n - 1) as f64 - 1.0;
        Some((dvec3(side(i, s), side(j, t), z), dvec3(-slope_x, -slope_y, 1.0).normalize()))
    }
}

fn facets(plot: &SurfacePlot, eye: &Eye, font: f64) -> Vec<(f64, Piece)> {
    let light = dvec3(-0.35, 0.25, 0.9).normalize();
    let sheet = Sheet::new(plot);
    let parts = (FACETS / plot.n.max(1)).max(1);
    let share = |k: usize| k as f64 / parts as f64;
    let levels: Vec<_> = plot.levels.iter().filter_map(|&v| Some(HEIGHT * f64::from(plot.unit(v)?))).collect();
    let mut pieces = Vec::new();
    for (j, i) in (1..plot.n).flat_map(|j| (1..plot.n).map(move |i| (j - 1, i - 1))) {
        for (q, p) in (0..parts).flat_map(|q| (0..parts).map(move |p| (q, p))) {
            let around = [(p, q), (p + 1, q), (p + 1, q + 1), (p, q + 1)];
            let [Some(a), Some(b), Some(c), Some(d)] = around.map(|(p, q)| sheet.at((i, j), [share(p), share(q)]))
            else {
                continue;
            };
            let corners = [a.0, b.0, c.0, d.0];
            let centre = corners.iter().sum::<DVec3>() / 4.0;
            let normal = (a.1 + b.1 + c.1 + d.1).normalize_or_zero();
            let base = plot.colormap.rgb8((centre.z / HEIGHT) as f32);
            let shade = 0.62 + 0.42 * normal.dot(light).max(0.0);
            let color = base.map(|v| (f64::from(v) * shade).min(255.0) as u8);
            let depth = eye.depth(centre);
            pieces.push((depth, Piece::Facet { points: corners.map(|p| eye.project(p)), color }));
            for &z in &levels {
                let stroke = Stroke::new(mix(base, BLACK, 0.55), 0.065 * font);
                for [from, to] in crossings(&corners, z) {
                    // In front of the neighbours' rims, too.
                    let points = [eye.project(from), eye.project(to)];
                    pieces.push((depth + LIFT, Piece::Line { points, stroke }));
                }
            }
        }
    }
    pieces
}

/// How much nearer than they are lines on the surface are taken to be, so that the facets around don't cover them.
const LIFT: f64 = 0.03;

/// Where the plane at height `z` crosses a facet.
fn crossings(corners: &[DVec3; 4], z: f64) -> Vec<[DVec3; 2]> {
    let mut points = Vec::new();
    for k in 0..4 {
        let (a, b) = (corners[k], corners[(k + 1) % 4]);
        if (a.z < z) != (b.z < z) {
            points.push(a.lerp(b, (z - a.z) / (b.z - a.z)));
        }
    }
    points.as_chunks::<2>().0.to_vec()
}

/// The iterates on the surface, lifted a little and drawn in front of the facets around them.
fn path(plot: &SurfacePlot, eye: &Eye, font: f64) -> Vec<(f64, Piece)> {
    let place = |[a, b, height]: [f32; 3]| {
        let side = |v: f32| f64::from(v / plot.radius.max(f32::MIN_POSITIVE));
        let z = HEIGHT * f64::from(plot.unit(height)?) + 0.01;
        (side(a).abs() <= 1.0 && side(b).abs() <= 1.0).then(|| dvec3(side(a), side(b), z))
    };
    let cell = 2.0 / (plot.n.max(2) - 1) as f64;
    let mut pieces = Vec::new();
    for pair in plot.path.windows(2) {
        let [Some(from), Some(to)] = [place(pair[0]), place(pair[1])] else { continue };
        // Long segments are cut to the size of facets, so that hills in front of a part hide just that part.
        let parts = ((to - from).length() / cell).ceil().clamp(1.0, 200.0) as usize;
        for k in 0..parts {
            let at = |k: usize| from.lerp(to, k as f64 / parts as f64);
            let (a, b) = (at(k), at(k + 1));
            let depth = eye.depth(0.5 * (a + b)) + 1.5 * LIFT;
            let points = [eye.project(a), eye.project(b)];
            pieces.push((depth, Piece::Line { points, stroke: Stroke::new(WHITE, 0.28 * font) }));
            pieces.push((depth + 1e-9, Piece::Line { points, stroke: Stroke::new(BLACK, 0.14 * font) }));
        }
    }
    if let Some(end) = plot.path.last().and_then(|&p| place(p)) {
        let depth = eye.depth(end) + 2.0 * LIFT;
        pieces.push((depth, Piece::Dot { at: eye.project(end), radius: 0.32 * font }));
    }
    pieces
}

/// A facet a little larger all around, so that no seam shows between neighbours: by about a pixel, but by less where facets are so
/// small that it would hide the lines on them.
fn grown(points: [[f64; 2]; 4], font: f64) -> [[f64; 2]; 4] {
    let centre: [f64; 2] = std::array::from_fn(|k| points.iter().map(|p| p[k]).sum::<f64>() / 4.0);
    let lengths = points.map(|[x, y]| (x - centre[0]).hypot(y - centre[1]));
    let by = (0.3 * lengths.iter().sum::<f64>() / 4.0).min(0.06 * font);
    std::array::from_fn(|k| {
        let [x, y] = points[k];
        let share = by / lengths[k].max(1e-9);
        [x + share * (x - centre[0]), y + share * (y - centre[1])]
    })
}

/// The floor with its grid, the two walls behind, numbers and names.
fn floor(canvas: &mut Canvas<'_>, plot: &SurfacePlot, eye: &Eye, font: f64) {
    // With the eye at negative y and positive x, the walls at the other ends are behind.
    let (back_x, back_y) = (-eye.back.x.signum(), -eye.back.y.signum());
    let radius = f64::from(plot.radius);
    let ticks = ticks::linear([-radius, radius], 4);
    let grid = frame::hairline(canvas.ink.grid, font);
    let line = |canvas: &mut Canvas<'_>, a: DVec3, b: DVec3, stroke| {
        canvas.line(eye.project(a), eye.project(b), stroke);
    };
    let place = |at: f64| if radius > 0.0 { at / radius } else { 0.0 };
    for tick in &ticks {
        let at = place(tick.at);
        line(canvas, dvec3(at, -1.0, 0.0), dvec3(at, 1.0, 0.0), grid);
        line(canvas, dvec3(-1.0, at, 0.0), dvec3(1.0, at, 0.0), grid);
        line(canvas, dvec3(at, back_y, 0.0), dvec3(at, back_y, HEIGHT), grid);
        line(canvas, dvec3(back_x, at, 0.0), dvec3(back_x, at, HEIGHT), grid);
    }
    let edge = frame::hairline(canvas.ink.frame, font);
    for side in [-1.0, 1.0] {
        line(canvas, dvec3(-1.0, side, 0.0), dvec3(1.0, side, 0.0), edge);
        line(canvas, dvec3(side, -1.0, 0.0), dvec3(side, 1.0, 0.0), edge);
        line(canvas, dvec3(side, back_y, 0.0), dvec3(side, back_y, HEIGHT), edge);
        line(canvas, dvec3(back_x, side, 0.0), dvec3(back_x, side, HEIGHT), edge);
    }
    line(canvas, dvec3(-1.0, back_y, HEIGHT), dvec3(1.0, back_y, HEIGHT), edge);
    line(canvas, dvec3(back_x, -1.0, HEIGHT), dvec3(back_x, 1.0, HEIGHT), edge);
    // Numbers along the two edges in front.
    let (front_x, front_y) = (-back_x, -back_y);
    for tick in &ticks {
        let at = place(tick.at);
        for (from, out) in
            [(dvec3(at, front_y, 0.0), dvec3(0.0, front_y, 0.0)), (dvec3(front_x, at, 0.0), dvec3(front_x, 0.0, 0.0))]
        {
            line(canvas, from, from + 0.05 * out, edge);
            outside(canvas, eye, (from, out), [1.2 * font, 0.0], &tick.label, Style::new(font, canvas.ink.quiet));
        }
    }
    let middle = [(dvec3(0.0, front_y, 0.0), &plot.x_label), (dvec3(front_x, 0.0, 0.0), &plot.y_label)];
    let widest = ticks.iter().map(|tick| text::width(&tick.label, font)).fold(0.0, f64::max);
    for (from, name) in middle {
        outside(canvas, eye, (from, from), [3.2 * font, widest], name, Style::new(font, canvas.ink.text));
    }
}

/// Text beyond an edge of the floor, `distance` pixels out and, where that is sideways, beyond numbers so wide as well.
fn outside(
    canvas: &mut Canvas<'_>,
    eye: &Eye,
    (from, out): (DVec3, DVec3),
    [distance, numbers]: [f64; 2],
    label: &str,
    style: Style,
) {
    let (a, b) = (eye.project(from), eye.project(from + 0.1 * out));
    let (dx, dy) = (b[0] - a[0], b[1] - a[1]);
    let length = dx.hypot(dy).max(1e-9);
    let half = 0.5 * text::width(label, style.size);
    // Flat directions need the text's own width besides.
    let flat = (dx / length).abs();
    let reach = distance + 0.6 * half * flat + numbers * (5.0 * (flat - 0.8)).max(0.0);
    canvas.text([a[0] + reach * dx / length, a[1] + reach * dy / length], label, style.centred());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_box_fits_and_depth_grows_towards_the_eye() {
        let inner = Rect { left: 10.0, top: 20.0, right: 500.0, bottom: 420.0 };
        let eye = Eye::new(inner, 15.0, Camera::default());
        for corner in corners() {
            assert!(inner.contains(eye.project(corner)), "{corner}");
        }
        assert!(eye.depth(eye.back) > eye.depth(-eye.back));
        // Right-handed: what is higher is drawn higher.
        assert!(eye.project(dvec3(0.0, 0.0, 1.0))[1] < eye.project(DVec3::ZERO)[1]);
    }

    #[test]
    fn iso_lines_lie_on_their_plane() {
        let corners = [dvec3(0.0, 0.0, 0.0), dvec3(1.0, 0.0, 1.0), dvec3(1.0, 1.0, 2.0), dvec3(0.0, 1.0, 1.0)];
        let lines = crossings(&corners, 0.5);
        assert_eq!(lines, [[dvec3(0.5, 0.0, 0.5), dvec3(0.0, 0.5, 0.5)]]);
        assert!(crossings(&corners, 3.0).is_empty());
    }

    #[test]
    fn holes_have_no_facets() {
        let mut values = vec![1.0; 25];
        values[12] = f32::NAN;
        let plot = SurfacePlot { n: 5, radius: 1.0, values, value_range: [0.0, 2.0], ..SurfacePlot::default() };
        let eye = Eye::new(Rect { left: 0.0, top: 0.0, right: 400.0, bottom: 300.0 }, 12.0, Camera::default());
        let parts = FACETS / 5;
        assert_eq!(facets(&plot, &eye, 12.0).len(), (16 - 4) * parts * parts);
    }
}
