//! The software twin of `surface.wgsl` and `strokes.wgsl`: the picture where there is no GPU, and the reference in
//! the tests where there is one.

use egui::{Color32, ColorImage};
use glam::{Vec2, Vec3, Vec4, vec2};

use super::scene::{Scene, Stroke};

/// Above this many pixels one sample a pixel has to do.
const SMOOTH_UP_TO: usize = 700_000;

/// Samples of a picture: colour in sRGB, and depth.
struct Canvas {
    width: usize,
    height: usize,
    color: Vec<Vec3>,
    depth: Vec<f32>,
}

/// Renders `scene` at `size` pixels (at least 1 x 1).
pub fn render(scene: &Scene, size: [usize; 2]) -> ColorImage {
    let [width, height] = size.map(|v| v.clamp(1, 8192));
    let smooth = if width * height <= SMOOTH_UP_TO { 2 } else { 1 };
    let samples = width * height * smooth * smooth;
    let mut canvas = Canvas {
        width: width * smooth,
        height: height * smooth,
        color: vec![rgb(scene.background); samples],
        depth: vec![1.0; samples],
    };
    for corners in scene.mesh.indices.chunks_exact(3) {
        triangle(&mut canvas, scene, [corners[0], corners[1], corners[2]], smooth as f32);
    }
    for visible in [true, false] {
        for stroke in scene.strokes.iter().filter(|s| visible || s.hidden > 0.0) {
            draw_stroke(&mut canvas, scene, stroke, smooth as f32, visible);
        }
    }
    canvas.resolve(smooth)
}

fn rgb(color: Color32) -> Vec3 {
    Vec3::new(f32::from(color.r()), f32::from(color.g()), f32::from(color.b())) / 255.0
}

impl Canvas {
    fn pixel(&self, ndc: Vec3) -> Vec2 {
        vec2((ndc.x + 1.0) * 0.5 * self.width as f32, (1.0 - ndc.y) * 0.5 * self.height as f32)
    }

    /// Sample columns and rows that a box touches, clipped to the canvas.
    fn covered(&self, low: Vec2, high: Vec2) -> Option<[std::ops::Range<usize>; 2]> {
        let range = |low: f32, high: f32, n: usize| {
            let (from, to) = (low.floor().max(0.0), (high.ceil() + 1.0).min(n as f32));
            (from < to).then_some(from as usize..to as usize)
        };
        Some([range(low.x, high.x, self.width)?, range(low.y, high.y, self.height)?])
    }

    fn resolve(&self, smooth: usize) -> ColorImage {
        let size = [self.width / smooth, self.height / smooth];
        let mut pixels = Vec::with_capacity(size[0] * size[1]);
        for y in 0..size[1] {
            for x in 0..size[0] {
                let mut sum = Vec3::ZERO;
                for k in 0..smooth * smooth {
                    sum += self.color[(y * smooth + k / smooth) * self.width + x * smooth + k % smooth];
                }
                let [r, g, b] = (sum / (smooth * smooth) as f32 * 255.0).round().to_array().map(|v| v as u8);
                pixels.push(Color32::from_rgb(r, g, b));
            }
        }
        ColorImage::new(size, pixels)
    }
}

fn triangle(canvas: &mut Canvas, scene: &Scene, corners: [u32; 3], smooth: f32) {
    let vertices = corners.map(|k| &scene.mesh.vertices[k as usize]);
    let clip: [Vec4; 3] = vertices.map(|v| scene.camera.view_proj * Vec3::from(v.position).extend(1.0));
    // The camera stays outside the box and its limits keep the box in front: no clipping is needed, only a guard.
    if clip.iter().any(|c| c.w < 0.05) {
        return;
    }
    let ndc = clip.map(|c| c.truncate() / c.w);
    let p = ndc.map(|v| canvas.pixel(v));
    let edge = |a: Vec2, b: Vec2, c: Vec2| (b - a).perp_dot(c - a);
    let area = edge(p[0], p[1], p[2]);
    if area.abs() < 1e-9 {
        return;
    }
    let Some([columns, rows]) = canvas.covered(p[0].min(p[1]).min(p[2]), p[0].max(p[1]).max(p[2])) else { return };
    let weights = |at: Vec2| [edge(p[1], p[2], at) / area, edge(p[2], p[0], at) / area, edge(p[0], p[1], at) / area];
    // Perspective: attributes divided by w are linear on the screen.
    let attribute = |share: [f32; 3]| {
        let s = [share[0] / clip[0].w, share[1] / clip[1].w, share[2] / clip[2].w];
        let sum = s[0] + s[1] + s[2];
        s.map(|v| v / sum)
    };
    let t_at = |at: Vec2| {
        let s = attribute(weights(at));
        s[0] * vertices[0].t + s[1] * vertices[1].t + s[2] * vertices[2].t
    };
    for y in rows {
        for x in columns.clone() {
            let at = vec2(x as f32 + 0.5, y as f32 + 0.5);
            let share = weights(at);
            if share.iter().any(|s| *s < 0.0) {
                continue;
            }
            let depth = share[0] * ndc[0].z + share[1] * ndc[1].z + share[2] * ndc[2].z;
            let index = y * canvas.width + x;
            if depth >= canvas.depth[index] {
                continue;
            }
            let s = attribute(share);
            let blend = |f: &dyn Fn(usize) -> Vec3| f(0) * s[0] + f(1) * s[1] + f(2) * s[2];
            let t = t_at(at);
            // `fwidth` at the resolution of a whole pixel.
            let slope = (t_at(at + vec2(smooth, 0.0)) - t).abs() + (t_at(at + vec2(0.0, smooth)) - t).abs();
            canvas.depth[index] = depth;
            canvas.color[index] = shade(
                scene,
                t,
                slope,
                blend(&|k| Vec3::from(vertices[k].position)),
                blend(&|k| Vec3::from(vertices[k].normal)),
            );
        }
    }
}

/// The fragment shader of `surface.wgsl`, line by line.
fn shade(scene: &Scene, t: f32, slope: f32, world: Vec3, normal: Vec3) -> Vec3 {
    let nearest = scene.levels.iter().map(|level| (t - level).abs()).fold(10.0, f32::min);
    let ink = if slope > 1e-6 { (1.15 - nearest / slope).clamp(0.0, 1.0) } else { 0.0 };
    let mut normal = normal.normalize_or_zero();
    let to_eye = (scene.camera.eye - world).normalize_or_zero();
    let below = normal.dot(to_eye) < 0.0;
    if below {
        normal = -normal;
    }
    let diffuse = normal.dot(scene.light).max(0.0);
    let gloss = normal.dot((scene.light + to_eye).normalize_or_zero()).max(0.0).powf(36.0);
    let base = Vec3::from(scene.colormap.rgb(t)).map(|v| v.powf(2.2));
    let lit = (scene.ambient + (1.0 - scene.ambient) * diffuse) * if below { 0.6 } else { 1.0 };
    let mut color = base * lit + Vec3::splat(0.07 * gloss);
    color = color.lerp(color * 0.22, 0.75 * ink);
    color.clamp(Vec3::ZERO, Vec3::ONE).map(|v| v.powf(1.0 / 2.2))
}

/// `strokes.wgsl`: in front of the surface, or (`visible` false) what shows through it.
fn draw_stroke(canvas: &mut Canvas, scene: &Scene, stroke: &Stroke, smooth: f32, visible: bool) {
    let lifted = |point: [f32; 3]| {
        let point = Vec3::from(point);
        let towards = (scene.camera.eye - point).normalize_or_zero();
        let clip = scene.camera.view_proj * (point + towards * stroke.lift).extend(1.0);
        (clip.w >= 0.05).then(|| clip.truncate() / clip.w)
    };
    let (Some(a), Some(b)) = (lifted(stroke.a), lifted(stroke.b)) else { return };
    let (pa, pb) = (canvas.pixel(a) / smooth, canvas.pixel(b) / smooth);
    let reach = 0.5 * stroke.width + 1.0;
    let low = (pa.min(pb) - Vec2::splat(reach)) * smooth;
    let high = (pa.max(pb) + Vec2::splat(reach)) * smooth;
    let Some([columns, rows]) = canvas.covered(low, high) else { return };
    let along = pb - pa;
    let squared = along.length_squared();
    let extent = squared.sqrt();
    let thin = stroke.width.min(1.0);
    let [red, green, blue, opacity] = stroke.color;
    let opacity = opacity * if visible { 1.0 } else { stroke.hidden };
    for y in rows {
        for x in columns.clone() {
            let at = vec2(x as f32 + 0.5, y as f32 + 0.5) / smooth;
            let share = if squared > 1e-9 { (at - pa).dot(along) / squared } else { 0.0 };
            if !visible && squared > 1e-9 && !(0.0..1.0).contains(&share) {
                continue;
            }
            let distance = at.distance(pa + along * share.clamp(0.0, 1.0));
            let cover = (0.5 * stroke.width.max(1.0) + 0.5 - distance).clamp(0.0, 1.0) * thin;
            if cover <= 0.0 {
                continue;
            }
            // The quad of the GPU reaches beyond both ends, and so does its depth.
            let beyond = reach / (extent + 2.0 * reach);
            let on_quad = (share * extent / (extent + 2.0 * reach) + beyond).clamp(0.0, 1.0);
            let depth = a.z + (b.z - a.z) * on_quad;
            let index = y * canvas.width + x;
            if (depth <= canvas.depth[index]) == visible {
                let over = Vec3::new(red, green, blue);
                canvas.color[index] = canvas.color[index].lerp(over, opacity * cover);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::scene::Mesh;
    use super::*;
    use crate::app::views::camera::{HEIGHT, Orbit};
    use crate::plots::{Colormap, SurfacePlot};

    fn scene(values: impl Fn(f32, f32) -> f32) -> Scene {
        let mut plot = SurfacePlot { n: 9, radius: 1.0, value_range: [0.0, 1.0], ..SurfacePlot::default() };
        plot.values = (0..81).map(|k| values(plot.coordinate(k % 9), plot.coordinate(k / 9))).collect();
        Scene {
            mesh: Arc::new(Mesh::of(&plot, HEIGHT)),
            strokes: Vec::new(),
            camera: Orbit::default().camera(1.0),
            light: Vec3::Z,
            ambient: 1.0,
            levels: Vec::new(),
            colormap: Colormap::Viridis,
            background: Color32::from_rgb(1, 2, 3),
        }
    }

    #[test]
    fn a_flat_surface_in_full_light_has_the_colour_of_its_value() {
        let image = render(&scene(|_, _| 0.5), [64, 64]);
        let expected = Colormap::Viridis.rgb8(0.5);
        let found = image[(32, 32)].to_array();
        for c in 0..3 {
            assert!(found[c].abs_diff(expected[c]) <= 12, "{found:?} {expected:?}");
        }
        assert_eq!(image[(0, 0)], Color32::from_rgb(1, 2, 3), "outside the surface is background");
    }

    #[test]
    fn what_is_nearer_hides_what_is_behind() {
        // A dot on the floor below a raised surface, seen from above.
        let mut scene = scene(|_, _| 1.0);
        scene.camera = Orbit { pitch: 1.4, ..Orbit::default() }.camera(1.0);
        let dot = Stroke {
            a: [0.0; 3],
            b: [0.0; 3],
            width: 12.0,
            hidden: 0.0,
            color: [1.0, 0.0, 0.0, 1.0],
            lift: 0.0,
            padding: [0.0; 3],
        };
        let red = |scene: &Scene| render(scene, [64, 64]).pixels.iter().filter(|p| p.r() > 200 && p.g() < 60).count();
        scene.strokes = vec![dot];
        assert_eq!(red(&scene), 0);
        scene.strokes = vec![Stroke { hidden: 1.0, ..dot }];
        assert!(red(&scene) > 60);
        scene.strokes = vec![Stroke { a: [0.0, 0.0, 1.0], b: [0.0, 0.0, 1.0], ..dot }];
        assert!(red(&scene) > 60);
    }

    #[test]
    fn any_size_and_any_data() {
        for size in [[0, 0], [1, 1], [1, 300], [3, 2]] {
            let image = render(&scene(|a, b| a * b), size);
            assert_eq!(image.size, size.map(|v| v.max(1)));
        }
        for value in [f32::NAN, f32::INFINITY, f32::MAX] {
            render(&scene(|a, _| if a > 0.0 { value } else { 0.3 }), [20, 20]);
        }
    }
}
