//! The camera that orbits a box, and where points of the box fall on the screen.

use egui::{Pos2, Rect, Vec2, pos2};
use glam::{Mat4, Vec3, vec3};

/// Height of a surface: it lies in [-1, 1] by [-1, 1] by [0, HEIGHT].
pub const HEIGHT: f32 = 0.85;
/// The floor of the box is a little below the lowest point.
pub const FLOOR: f32 = -0.07;

const FIELD_OF_VIEW: f32 = 0.55;
/// Share of the half-width and half-height that the box may fill; the rest is for numbers.
const MARGIN: [f32; 2] = [0.88, 0.90];
/// Never quite level with the floor, never quite above: both lose the shape, and straight above loses "up".
const PITCH: [f32; 2] = [0.08, 1.48];
const ZOOM: [f32; 2] = [0.5, 5.0];

/// Where the reader looks from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Orbit {
    /// Radians about the vertical axis.
    pub yaw: f32,
    /// Radians above the floor.
    pub pitch: f32,
    /// 1 shows the whole box.
    pub zoom: f32,
}

impl Default for Orbit {
    fn default() -> Self {
        Self { yaw: -1.02, pitch: 0.52, zoom: 1.0 }
    }
}

impl Orbit {
    /// Turns with the pointer: the surface follows the hand.
    pub fn drag(&mut self, delta: Vec2) {
        self.turn(-delta.x * 0.008, delta.y * 0.008);
    }

    pub fn turn(&mut self, yaw: f32, pitch: f32) {
        self.yaw = (self.yaw + yaw).rem_euclid(std::f32::consts::TAU);
        if self.yaw > std::f32::consts::PI {
            self.yaw -= std::f32::consts::TAU;
        }
        self.pitch = (self.pitch + pitch).clamp(PITCH[0], PITCH[1]);
    }

    pub fn zoom_by(&mut self, factor: f32) {
        if factor.is_finite() && factor > 0.0 {
            self.zoom = (self.zoom * factor).clamp(ZOOM[0], ZOOM[1]);
        }
    }

    /// For a picture of this shape, width over height. At zoom 1 the box fills what the labels leave, whichever way it
    /// is turned; the distance depends on the pitch only, so that turning doesn't pump.
    pub fn camera(&self, aspect: f32) -> Camera {
        let aspect = if aspect.is_finite() { aspect.clamp(0.05, 20.0) } else { 1.0 };
        let (sin_yaw, cos_yaw) = self.yaw.sin_cos();
        let (sin_pitch, cos_pitch) = self.pitch.sin_cos();
        let back = vec3(cos_yaw * cos_pitch, sin_yaw * cos_pitch, sin_pitch);
        let up = vec3(-cos_yaw * sin_pitch, -sin_yaw * sin_pitch, cos_pitch);
        let (distance, rise) = fit(self.pitch, aspect);
        let centre = up * rise;
        let eye = centre + back * (distance / self.zoom);
        let view = Mat4::look_at_rh(eye, centre, Vec3::Z);
        // `_rh`, not `_rh_gl`: depth runs from 0 to 1 in wgpu.
        let projection = Mat4::perspective_rh(FIELD_OF_VIEW, aspect, 0.1, 100.0);
        Camera { view_proj: projection * view, eye }
    }
}

/// Distance from which the box, turned through all yaws, just fits a picture of this aspect, and how far up the
/// screen from the origin its middle is then.
///
/// A point at (x, y, z) in the camera's directions (right, up, towards the eye) is seen at x / (d - z), so it is
/// within the share m of the half-width w if d >= z + |x| / (m w); the same for y.
fn fit(pitch: f32, aspect: f32) -> (f32, f32) {
    let half_height = (0.5 * FIELD_OF_VIEW).tan();
    let (sin, cos) = pitch.sin_cos();
    let rim = (0..24).map(|k| (k as f32 * std::f32::consts::TAU / 24.0).sin_cos());
    let points: Vec<_> = rim
        .flat_map(|(s, c)| [FLOOR, HEIGHT].map(|z| (std::f32::consts::SQRT_2 * s, std::f32::consts::SQRT_2 * c, z)))
        .map(|(x, depth, z)| (x, z * cos - depth * sin, z * sin + depth * cos))
        .collect();
    let (mut distance, mut rise) = (4.0_f32, 0.0_f32);
    for _ in 0..12 {
        distance = points.iter().fold(2.0, |d, &(x, y, z)| {
            let across = x.abs() / (MARGIN[0] * half_height * aspect);
            let upwards = (y - rise).abs() / (MARGIN[1] * half_height);
            d.max(z + across.max(upwards))
        });
        let seen = points.iter().map(|&(_, y, z)| (y - rise) / (distance - z));
        let (low, high) = seen.fold((f32::MAX, f32::MIN), |(low, high), y| (low.min(y), high.max(y)));
        rise += 0.5 * (low + high) * distance;
    }
    (distance, rise)
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Camera {
    pub view_proj: Mat4,
    pub eye: Vec3,
}

impl Camera {
    /// Where a point of the box is drawn within `rect`; `None` behind the eye.
    pub fn project(&self, point: Vec3, rect: Rect) -> Option<Pos2> {
        let clip = self.view_proj * point.extend(1.0);
        (clip.w > 1e-3).then(|| {
            let ndc = clip.truncate() / clip.w;
            pos2(rect.left() + (ndc.x + 1.0) / 2.0 * rect.width(), rect.top() + (1.0 - ndc.y) / 2.0 * rect.height())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn corners() -> impl Iterator<Item = Vec3> {
        (0..8).map(|k| {
            let sign = |bit: usize| if k & bit == 0 { -1.0 } else { 1.0 };
            vec3(sign(1), sign(2), if k & 4 == 0 { FLOOR } else { HEIGHT })
        })
    }

    #[test]
    fn the_whole_box_is_in_view_from_everywhere() {
        for aspect in [0.5, 1.0, 1.4, 2.5] {
            let rect = Rect::from_min_size(pos2(0.0, 0.0), Vec2::new(100.0 * aspect, 100.0));
            for yaw in 0..24 {
                for pitch in [PITCH[0], 0.52, 1.0, PITCH[1]] {
                    let orbit = Orbit { yaw: yaw as f32 * 0.2618, pitch, zoom: 1.0 };
                    let camera = orbit.camera(aspect);
                    for corner in corners() {
                        let at = camera.project(corner, rect).expect("in front of the eye");
                        assert!(rect.contains(at), "{corner} at {at:?}, aspect {aspect}, {orbit:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn limits_hold_and_nonsense_is_ignored() {
        let mut orbit = Orbit::default();
        for _ in 0..1000 {
            orbit.drag(Vec2::new(37.0, 50.0));
            orbit.zoom_by(1.3);
        }
        assert!(orbit.pitch <= PITCH[1] && orbit.zoom <= ZOOM[1] && orbit.yaw.abs() <= std::f32::consts::PI + 1e-5);
        let before = orbit;
        for factor in [0.0, -1.0, f32::NAN, f32::INFINITY] {
            orbit.zoom_by(factor);
        }
        assert_eq!(orbit, before);
        assert!(Orbit::default().camera(f32::NAN).view_proj.is_finite());
    }

    #[test]
    fn depth_grows_away_from_the_eye() {
        let camera = Orbit::default().camera(1.5);
        let depth = |p: Vec3| {
            let clip = camera.view_proj * p.extend(1.0);
            clip.z / clip.w
        };
        let towards = camera.eye.normalize();
        assert!(depth(towards * 0.5) < depth(towards * -0.5));
        assert!(corners().all(|c| (0.0..1.0).contains(&depth(c))));
    }
}
