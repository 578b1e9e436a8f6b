//! A three-dimensional picture as plain data: what both the GPU pipelines and the software rasteriser draw.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use egui::Color32;
use glam::{Vec3, vec3};

use crate::plots::{Colormap, SurfacePlot};

/// Most iso-lines a surface can have; `surface.wgsl` has room for as many.
pub const MAX_LEVELS: usize = 32;

#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Vertex {
    pub position: [f32; 3],
    /// Place on the colour map.
    pub t: f32,
    pub normal: [f32; 3],
    pub padding: f32,
}

/// A line with round ends; `a == b` is a dot.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Stroke {
    pub a: [f32; 3],
    /// In pixels.
    pub width: f32,
    pub b: [f32; 3],
    /// Share that shows through the surface.
    pub hidden: f32,
    /// sRGB and opacity.
    pub color: [f32; 4],
    /// How far it is drawn towards the eye.
    pub lift: f32,
    pub padding: [f32; 3],
}

/// A height field as triangles. The floor is [-1, 1] by [-1, 1]; heights run from 0 to `height`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mesh {
    pub vertices: Vec<Vertex>,
    pub indices: Vec<u32>,
    /// Equal keys mean equal meshes.
    pub key: u64,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Scene {
    pub mesh: Arc<Mesh>,
    pub strokes: Vec<Stroke>,
    pub camera: crate::app::views::camera::Camera,
    /// Towards the light.
    pub light: Vec3,
    /// Share of light that comes from everywhere.
    pub ambient: f32,
    /// Iso-lines, on the colour map's scale.
    pub levels: Vec<f32>,
    pub colormap: Colormap,
    pub background: Color32,
}

impl Scene {
    /// Equal keys mean equal pictures (of equal size).
    pub fn key(&self) -> u64 {
        let Self { mesh, strokes, camera, light, ambient, levels, colormap, background } = self;
        let mut hasher = DefaultHasher::new();
        mesh.key.hash(&mut hasher);
        bytemuck::cast_slice::<_, u8>(strokes).hash(&mut hasher);
        camera.view_proj.to_cols_array().map(f32::to_bits).hash(&mut hasher);
        light.to_array().map(f32::to_bits).hash(&mut hasher);
        ambient.to_bits().hash(&mut hasher);
        bytemuck::cast_slice::<_, u8>(levels).hash(&mut hasher);
        colormap.hash(&mut hasher);
        background.hash(&mut hasher);
        hasher.finish()
    }
}

impl Mesh {
    /// Key of the mesh that `plot` would give.
    pub fn key_of(plot: &SurfacePlot, height: f32) -> u64 {
        let mut hasher = DefaultHasher::new();
        (plot.n, plot.log, plot.version).hash(&mut hasher);
        plot.value_range.map(f32::to_bits).hash(&mut hasher);
        height.to_bits().hash(&mut hasher);
        bytemuck::cast_slice::<_, u8>(&plot.values).hash(&mut hasher);
        hasher.finish()
    }

    /// Triangles between neighbouring points; those that miss a point are left out, so that missing points are holes.
    pub fn of(plot: &SurfacePlot, height: f32) -> Self {
        let n = plot.n;
        let key = Self::key_of(plot, height);
        if n < 2 || plot.values.len() != n * n {
            return Self { key, ..Self::default() };
        }
        let units: Vec<_> = plot.values.iter().map(|v| plot.unit(*v)).collect();
        let at = |i: usize, j: usize| units[j * n + i];
        let step = 2.0 / (n - 1) as f32;
        // Central differences where both neighbours exist, else towards the one that does.
        let slope = |before: Option<f32>, here: f32, after: Option<f32>| match (before, after) {
            (Some(b), Some(a)) => (a - b) * height / (2.0 * step),
            (Some(b), None) => (here - b) * height / step,
            (None, Some(a)) => (a - here) * height / step,
            (None, None) => 0.0,
        };
        let mut vertices = Vec::with_capacity(n * n);
        for j in 0..n {
            for i in 0..n {
                let t = at(i, j).unwrap_or(0.0);
                let near = |k: usize, f: &dyn Fn(usize) -> Option<f32>| {
                    (k.checked_sub(1).and_then(f), if k + 1 < n { f(k + 1) } else { None })
                };
                let (left, right) = near(i, &|k| at(k, j));
                let (down, up) = near(j, &|k| at(i, k));
                let normal = vec3(-slope(left, t, right), -slope(down, t, up), 1.0).normalize();
                let position = [-1.0 + step * i as f32, -1.0 + step * j as f32, t * height];
                vertices.push(Vertex { position, t, normal: normal.to_array(), padding: 0.0 });
            }
        }
        let mut indices = Vec::with_capacity(6 * (n - 1) * (n - 1));
        for j in 0..n - 1 {
            for i in 0..n - 1 {
                let corners = [(i, j), (i + 1, j), (i + 1, j + 1), (i, j + 1)];
                let index = corners.map(|(i, j)| (j * n + i) as u32);
                match corners.map(|(i, j)| at(i, j)) {
                    [Some(a), Some(b), Some(c), Some(d)] => {
                        // Split along the diagonal with the smaller step: fewer spurious creases.
                        let order =
                            if (a - c).abs() <= (b - d).abs() { [0, 1, 2, 0, 2, 3] } else { [0, 1, 3, 1, 2, 3] };
                        indices.extend(order.map(|k| index[k]));
                    }
                    some => {
                        let present: Vec<_> = (0..4).filter(|&k| some[k].is_some()).map(|k| index[k]).collect();
                        if present.len() == 3 {
                            indices.extend(present);
                        }
                    }
                }
            }
        }
        Self { vertices, indices, key }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(n: usize, value: impl Fn(f32, f32) -> f32) -> SurfacePlot {
        let mut plot = SurfacePlot { n, radius: 1.0, value_range: [0.0, 2.0], ..SurfacePlot::default() };
        plot.values = (0..n * n).map(|k| value(plot.coordinate(k % n), plot.coordinate(k / n))).collect();
        plot
    }

    #[test]
    fn a_plane_has_the_normal_of_a_plane() {
        let mesh = Mesh::of(&plot(9, |a, b| 1.0 + 0.5 * a - 0.25 * b), 1.0);
        // Height is half the value: z = 0.5 + 0.25 a - 0.125 b.
        let expected = vec3(-0.25, 0.125, 1.0).normalize();
        for vertex in &mesh.vertices {
            assert!((Vec3::from(vertex.normal) - expected).length() < 1e-5, "{vertex:?}");
        }
        assert_eq!(mesh.indices.len(), 8 * 8 * 6);
    }

    #[test]
    fn a_missing_point_is_a_hole() {
        let mut all = plot(5, |a, b| a * a + b * b);
        all.values[12] = f32::NAN;
        let mesh = Mesh::of(&all, 1.0);
        assert!(!mesh.indices.contains(&12));
        // Each of the four cells about it keeps the triangle of its other corners.
        assert_eq!(mesh.indices.len(), (12 * 2 + 4) * 3);
        assert!(mesh.vertices.iter().all(|v| v.normal.iter().all(|c| c.is_finite())));
        all.values.fill(f32::INFINITY);
        assert!(Mesh::of(&all, 1.0).indices.is_empty());
    }

    #[test]
    fn degenerate_sizes_are_empty() {
        for n in [0, 1] {
            assert!(Mesh::of(&plot(n, |_, _| 1.0), 1.0).indices.is_empty());
        }
        let short = SurfacePlot { n: 5, values: vec![1.0; 3], ..SurfacePlot::default() };
        assert!(Mesh::of(&short, 1.0).indices.is_empty());
    }

    #[test]
    fn the_key_follows_the_values() {
        let one = plot(5, |a, _| a);
        let mut other = one.clone();
        assert_eq!(Mesh::of(&one, 1.0).key, Mesh::key_of(&other, 1.0));
        other.values[3] = 0.6;
        assert_ne!(Mesh::key_of(&one, 1.0), Mesh::key_of(&other, 1.0));
    }
}
