//! The software twin of `heatmap.wgsl`.

use egui::{Color32, ColorImage};

use crate::plots::Colormap;

/// Cells averaged along one axis where several fall into one pixel.
const MAX_AVERAGED: usize = 8;
/// Width of a pair of stripes on missing cells, in pixels.
pub const STRIPES: f32 = 8.0;

/// A matrix ready to be coloured.
#[derive(Clone, Debug, PartialEq)]
pub struct Cells {
    pub columns: usize,
    pub rows: usize,
    /// Row-major, bottom row first: places on the colour map in [0, 1], -1 where there is no value.
    pub units: Vec<f32>,
    pub colormap: Colormap,
    /// The two kinds of stripe on missing cells.
    pub missing: [Color32; 2],
}

/// The picture of `cells` at `size` pixels (at least 1 x 1), top row first.
pub fn render(cells: &Cells, size: [usize; 2]) -> ColorImage {
    let [width, height] = size.map(|v| v.clamp(1, 8192));
    let spans: [Vec<_>; 2] = [(width, cells.columns), (height, cells.rows)].map(|(pixels, cells)| {
        let span = cells as f32 / pixels as f32;
        let count = ((span + 0.999) as usize).clamp(1, MAX_AVERAGED);
        (0..pixels)
            .map(|k| {
                let low = k as f32 * cells as f32 / pixels as f32;
                (0..count).map(move |i| {
                    let share = (i as f32 + 0.5) / count as f32;
                    ((low + span * share) as usize).min(cells.saturating_sub(1))
                })
            })
            .collect()
    });
    let mut pixels = Vec::with_capacity(width * height);
    for y in 0..height {
        for x in 0..width {
            let (mut sum, mut found) = (0.0, 0.0);
            for row in spans[1][height - 1 - y].clone() {
                for column in spans[0][x].clone() {
                    if let Some(&unit) = cells.units.get(row * cells.columns + column).filter(|u| **u >= 0.0) {
                        sum += unit;
                        found += 1.0;
                    }
                }
            }
            pixels.push(if found > 0.0 {
                let [r, g, b] = cells.colormap.rgb8(sum / found);
                Color32::from_rgb(r, g, b)
            } else {
                cells.missing[usize::from(((x + y) as f32 / STRIPES).fract() < 0.5)]
            });
        }
    }
    ColorImage::new([width, height], pixels)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(columns: usize, rows: usize, units: &[f32]) -> Cells {
        let missing = [Color32::BLACK, Color32::WHITE];
        Cells { columns, rows, units: units.to_vec(), colormap: Colormap::Viridis, missing }
    }

    fn color(t: f32) -> Color32 {
        let [r, g, b] = Colormap::Viridis.rgb8(t);
        Color32::from_rgb(r, g, b)
    }

    #[test]
    fn row_zero_is_at_the_bottom_and_cells_are_sharp() {
        let image = render(&cells(2, 2, &[0.0, 0.25, 0.5, 1.0]), [4, 4]);
        assert_eq!([image[(0, 3)], image[(3, 3)], image[(0, 0)], image[(3, 0)]], [0.0, 0.25, 0.5, 1.0].map(color));
        assert_eq!(image[(1, 2)], color(0.0));
    }

    #[test]
    fn crowded_cells_are_averaged_without_the_missing_ones() {
        let image = render(&cells(4, 1, &[0.0, 1.0, -1.0, 0.5]), [2, 1]);
        assert_eq!([image[(0, 0)], image[(1, 0)]], [color(0.5), color(0.5)]);
    }

    #[test]
    fn missing_cells_are_striped_and_nothing_is_still_a_picture() {
        let image = render(&cells(1, 1, &[-1.0]), [16, 1]);
        assert!(image.pixels.contains(&Color32::BLACK) && image.pixels.contains(&Color32::WHITE));
        assert_eq!(render(&cells(0, 0, &[]), [0, 0]).size, [1, 1]);
    }
}
