//! The program's sign in the task bar: a basin with its contours.

use crate::plots::Colormap;

const SIDE: u32 = 64;
/// Height between two contours.
const CONTOUR: f32 = 0.16;

/// Drawn, not loaded: it is a loss landscape after all.
pub fn icon() -> egui::IconData {
    let mut rgba = Vec::with_capacity((4 * SIDE * SIDE) as usize);
    for j in 0..SIDE {
        for i in 0..SIDE {
            let at = |k: u32| (k as f32 + 0.5) / SIDE as f32 * 2.0 - 1.0;
            let (x, y) = (at(i), at(j));
            let height = (0.9 * (x - 0.15).powi(2) + 1.3 * (y + 0.1 + 0.25 * x).powi(2)).sqrt();
            let [r, g, b] = Colormap::Viridis.rgb8(1.0 - 0.85 * height);
            let on_contour = (height / CONTOUR).fract() < 0.16;
            let dim = |v: u8| if on_contour { v / 2 } else { v };
            // A square with round corners.
            let corner = (x.abs() - 0.72).max(0.0).hypot((y.abs() - 0.72).max(0.0));
            let alpha = ((0.28 - corner) * SIDE as f32 / 2.0 + 0.5).clamp(0.0, 1.0);
            rgba.extend([dim(r), dim(g), dim(b), (255.0 * alpha) as u8]);
        }
    }
    egui::IconData { rgba, width: SIDE, height: SIDE }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sign_is_a_square_with_clear_corners_and_a_bright_basin() {
        let icon = icon();
        assert_eq!(icon.rgba.len(), (4 * SIDE * SIDE) as usize);
        assert_eq!(icon.rgba[3], 0);
        let centre = (4 * (SIDE / 2 * SIDE + SIDE / 2)) as usize;
        assert_eq!(icon.rgba[centre + 3], 255);
        assert!(icon.rgba[centre + 1] > 100);
    }
}
