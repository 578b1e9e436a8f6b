//! 255 colours for a whole film: a palette that changes from frame to frame would flicker.

use std::collections::{BTreeMap, HashMap};

use crate::figures::ink::Color;
use crate::figures::raster::Pixels;

/// Colours that are most frequent (ground, text, grid, lines) are kept as they are.
const EXACT: usize = 32;
/// Colours in all: one place is left for "as before".
const MOST: usize = 255;

/// The colours of a film.
pub struct Palette {
    colors: Vec<Color>,
}

impl Palette {
    /// The index that stands for what the frame before shows.
    pub const SAME: u8 = 255;

    /// The colours of some frames: all of them where they fit, else the most frequent ones and, of the others, the means of boxes
    /// found by median cut (Heckbert 1982).
    pub fn of(frames: &[Pixels]) -> Self {
        // In order of the colours, so that equal films have equal palettes.
        let mut counts: BTreeMap<Color, u64> = BTreeMap::new();
        for frame in frames {
            for color in frame.rgb.as_chunks::<3>().0 {
                *counts.entry(*color).or_default() += 1;
            }
        }
        let mut by_count: Vec<(Color, u64)> = counts.into_iter().collect();
        if by_count.len() <= MOST {
            return Self { colors: by_count.into_iter().map(|(color, _)| color).collect() };
        }
        by_count.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
        let rest = by_count.split_off(EXACT);
        let mut colors: Vec<_> = by_count.into_iter().map(|(color, _)| color).collect();
        colors.extend(median_cut(rest, MOST - EXACT));
        Self { colors }
    }

    /// As a GIF has them: three bytes each, with the place for what stays as it was.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes: Vec<u8> = self.colors.iter().flatten().copied().collect();
        bytes.resize(3 * (MOST + 1), 0);
        bytes
    }

    /// The nearest colour of each pixel.
    pub fn indices(&self, frame: &Pixels) -> Vec<u8> {
        let mut known: HashMap<Color, u8> = HashMap::new();
        let pixels = frame.rgb.as_chunks::<3>().0.iter();
        pixels.map(|color| *known.entry(*color).or_insert_with(|| self.nearest(*color))).collect()
    }

    fn nearest(&self, color: Color) -> u8 {
        let at = (0..self.colors.len()).min_by_key(|at| distance(self.colors[*at], color));
        at.unwrap_or(0) as u8
    }
}

/// Squared, with weights for what the eye sees of red, green and blue.
fn distance(a: Color, b: Color) -> u32 {
    let [r, g, b] = std::array::from_fn(|k| u32::from(a[k].abs_diff(b[k])).pow(2));
    2 * r + 4 * g + 3 * b
}

/// Means of at most `most` boxes of colours.
fn median_cut(colors: Vec<(Color, u64)>, most: usize) -> Vec<Color> {
    let mut boxes = vec![colors];
    while boxes.len() < most {
        // The box with the longest side, weighed by how much of the picture it is.
        let worth = |colors: &Vec<(Color, u64)>| {
            let count: u64 = colors.iter().map(|(_, count)| count).sum();
            longest(colors).1 as f64 * (count as f64).sqrt()
        };
        let widest = (0..boxes.len()).max_by(|a, b| worth(&boxes[*a]).total_cmp(&worth(&boxes[*b])));
        let Some(at) = widest.filter(|at| boxes[*at].len() > 1) else { break };
        let mut all = boxes.swap_remove(at);
        let axis = longest(&all).0;
        all.sort_by_key(|(color, _)| (color[axis], *color));
        let half = all.iter().map(|(_, count)| count).sum::<u64>() / 2;
        let mut sum = 0;
        let middle = all.iter().position(|(_, count)| {
            sum += count;
            sum > half
        });
        let upper = all.split_off(middle.unwrap_or(0).clamp(1, all.len() - 1));
        boxes.push(all);
        boxes.push(upper);
    }
    boxes.iter().filter(|colors| !colors.is_empty()).map(|colors| mean(colors)).collect()
}

/// The axis along which colours differ most, and by how much.
fn longest(colors: &[(Color, u64)]) -> (usize, u8) {
    let side = |axis: usize| {
        let values = colors.iter().map(|(color, _)| color[axis]);
        let (low, high) = values.fold((u8::MAX, 0), |(low, high), v| (low.min(v), high.max(v)));
        high.saturating_sub(low)
    };
    (0..3).map(|axis| (axis, side(axis))).max_by_key(|(_, side)| *side).unwrap_or((0, 0))
}

fn mean(colors: &[(Color, u64)]) -> Color {
    let total: u64 = colors.iter().map(|(_, count)| count).sum();
    std::array::from_fn(|axis| {
        let sum: u64 = colors.iter().map(|(color, count)| u64::from(color[axis]) * count).sum();
        ((sum + total / 2) / total.max(1)) as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plots::Colormap;

    fn picture(colors: &[Color]) -> Pixels {
        Pixels { width: colors.len() as u32, height: 1, rgb: colors.iter().flatten().copied().collect() }
    }

    #[test]
    fn few_colours_are_kept_exactly() {
        let colors = [[255, 255, 255], [26, 32, 41], [0, 114, 178]];
        let palette = Palette::of(&[picture(&colors)]);
        let indices = palette.indices(&picture(&colors));
        for (color, index) in colors.iter().zip(indices) {
            assert_eq!(palette.colors[usize::from(index)], *color);
        }
        assert_eq!(palette.bytes().len(), 768);
    }

    /// A shaded colour map has thousands of colours; none is far from its place in the palette, and the ground is exact.
    #[test]
    fn many_colours_are_near_their_own() {
        let mut colors = vec![[255, 255, 255]; 5_000];
        for t in 0..256 {
            for shade in 0..40 {
                let base = Colormap::Viridis.rgb8(t as f32 / 255.0);
                colors.push(base.map(|v| (f64::from(v) * (0.62 + 0.01 * f64::from(shade))) as u8));
            }
        }
        let picture = picture(&colors);
        let palette = Palette::of(std::slice::from_ref(&picture));
        assert!(palette.colors.len() <= MOST);
        let indices = palette.indices(&picture);
        assert_eq!(palette.colors[usize::from(indices[0])], [255, 255, 255]);
        let error = |(color, index): (&Color, &u8)| {
            let near = palette.colors[usize::from(*index)];
            (0..3).map(|k| f64::from(near[k].abs_diff(color[k]))).fold(0.0, f64::max)
        };
        let errors: Vec<_> = colors.iter().zip(&indices).map(error).collect();
        let mean = errors[5_000..].iter().sum::<f64>() / (errors.len() - 5_000) as f64;
        assert!(mean < 6.0 && errors.iter().all(|error| *error < 24.0), "{mean}");
        assert_eq!(Palette::of(&[picture]).colors, palette.colors);
    }
}
