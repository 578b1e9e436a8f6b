//! The colours of figures, on a light ground and on a dark one: those of the window's two themes.

use crate::plots::{Colormap, LineColor};

/// sRGB.
pub type Color = [u8; 3];

/// What marks are drawn with over a colour map, whatever the ground.
pub const BLACK: Color = [0x1a, 0x20, 0x29];
pub const WHITE: Color = [0xff, 0xff, 0xff];

/// What a figure is drawn on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Ground {
    /// Paper.
    #[default]
    Light,
    /// A slide in a dark hall.
    Dark,
}

/// The colours that go with a ground.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ink {
    pub ground: Color,
    pub text: Color,
    /// Axis numbers and notes.
    pub quiet: Color,
    /// Frames and ticks.
    pub frame: Color,
    pub grid: Color,
    /// Cells without a value.
    pub missing: Color,
    /// Okabe and Ito (2008), in the order that reads best on this ground.
    series: [Color; 7],
    /// The part of viridis that stands out from the ground.
    scale: [f32; 2],
    /// The same for ridges, from the input side to the output side.
    ridges: [f32; 2],
}

const LIGHT: Ink = Ink {
    ground: WHITE,
    text: BLACK,
    quiet: [0x4d, 0x58, 0x66],
    frame: [0x8a, 0x93, 0x9f],
    grid: [0xe6, 0xe9, 0xed],
    missing: [0xd9, 0xdc, 0xe0],
    series: [
        [0x00, 0x72, 0xb2],
        [0xd5, 0x5e, 0x00],
        [0x00, 0x9e, 0x73],
        [0xcc, 0x79, 0xa7],
        [0xe6, 0x9f, 0x00],
        [0x56, 0xb4, 0xe9],
        [0x4b, 0x4f, 0x57],
    ],
    scale: [0.0, 0.85],
    ridges: [0.12, 0.7],
};

const DARK: Ink = Ink {
    ground: [0x0d, 0x11, 0x16],
    text: [0xe3, 0xe8, 0xef],
    quiet: [0xa3, 0xae, 0xbc],
    frame: [0x5a, 0x66, 0x75],
    grid: [0x23, 0x2b, 0x35],
    missing: [0x2a, 0x32, 0x3d],
    series: [
        [0x56, 0xb4, 0xe9],
        [0xe6, 0x9f, 0x00],
        [0x00, 0x9e, 0x73],
        [0xcc, 0x79, 0xa7],
        [0xd5, 0x5e, 0x00],
        [0xf0, 0xe4, 0x42],
        [0x3d, 0x96, 0xd0],
    ],
    scale: [0.25, 0.95],
    ridges: [0.46, 0.9],
};

impl Ink {
    pub fn on(ground: Ground) -> Self {
        match ground {
            Ground::Light => LIGHT,
            Ground::Dark => DARK,
        }
    }

    /// As the window's lines.
    pub fn line(&self, color: LineColor) -> Color {
        match color {
            LineColor::Palette(index) => self.series[index % self.series.len()],
            LineColor::Scale(at) => Colormap::Viridis.rgb8(between(self.scale, at)),
        }
    }

    /// Ridge `i` of `count`.
    pub fn ridge(&self, i: usize, count: usize) -> Color {
        let share = if count > 1 { i as f32 / (count - 1) as f32 } else { 0.5 };
        Colormap::Viridis.rgb8(between(self.ridges, share))
    }
}

fn between([from, to]: [f32; 2], share: f32) -> f32 {
    from + (to - from) * share
}

/// The colour at `share` of the way from `a` to `b`.
pub fn mix(a: Color, b: Color, share: f64) -> Color {
    std::array::from_fn(|i| (f64::from(a[i]) + (f64::from(b[i]) - f64::from(a[i])) * share).round() as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// WCAG 2.1.
    fn contrast(a: Color, b: Color) -> f64 {
        let luminance = |color: Color| {
            let [r, g, b] = color.map(|v| {
                let v = f64::from(v) / 255.0;
                if v <= 0.040_45 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
            });
            0.2126 * r + 0.7152 * g + 0.0722 * b
        };
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn text_and_lines_stand_out_from_both_grounds() {
        for ground in [Ground::Light, Ground::Dark] {
            let ink = Ink::on(ground);
            assert!(contrast(ink.text, ink.ground) >= 7.0 && contrast(ink.quiet, ink.ground) >= 4.5);
            for i in 0..5 {
                assert!(contrast(ink.line(LineColor::Palette(i)), ink.ground) >= 2.2, "{ground:?} {i}");
            }
            for at in [0.0, 0.5, 1.0] {
                assert!(contrast(ink.line(LineColor::Scale(at)), ink.ground) >= 1.4, "{ground:?} {at}");
            }
        }
    }
}
