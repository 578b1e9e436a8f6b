//! The colour maps as numbers: one table for the window's shaders, its fallback pictures, its colour bars and the figures.

use std::sync::OnceLock;

use colorgrad::Gradient as _;

use super::Colormap;

/// Entries of a table.
pub const LEVELS: usize = 256;

impl Colormap {
    pub const ALL: [Self; 4] = [Self::Viridis, Self::Cividis, Self::Magma, Self::Diverging];

    /// The map sampled at [`LEVELS`] equal steps of [0, 1], as sRGB bytes.
    pub fn table(self) -> &'static [[u8; 3]; LEVELS] {
        static TABLES: [OnceLock<[[u8; 3]; LEVELS]>; 4] = [const { OnceLock::new() }; 4];
        TABLES[self as usize].get_or_init(|| {
            let sample = |gradient: &dyn Fn(f32) -> colorgrad::Color| {
                std::array::from_fn(|i| {
                    let [r, g, b, _] = gradient(i as f32 / (LEVELS - 1) as f32).to_rgba8();
                    [r, g, b]
                })
            };
            match self {
                Self::Viridis => sample(&|t| colorgrad::preset::viridis().at(t)),
                Self::Cividis => sample(&|t| colorgrad::preset::cividis().at(t)),
                Self::Magma => sample(&|t| colorgrad::preset::magma().at(t)),
                // Red is high, as in every weather map.
                Self::Diverging => sample(&|t| colorgrad::preset::rd_bu().at(1.0 - t)),
            }
        })
    }

    /// The colour at `t`, clamped to [0, 1], interpolated between the entries of the table, as sRGB in [0, 1].
    pub fn rgb(self, t: f32) -> [f32; 3] {
        let table = self.table();
        let at = if t.is_nan() { 0.0 } else { t.clamp(0.0, 1.0) * (LEVELS - 1) as f32 };
        let low = (at as usize).min(LEVELS - 2);
        let share = at - low as f32;
        std::array::from_fn(|c| {
            let (a, b) = (f32::from(table[low][c]), f32::from(table[low + 1][c]));
            (a + (b - a) * share) / 255.0
        })
    }

    /// [`Self::rgb`] rounded to bytes.
    pub fn rgb8(self, t: f32) -> [u8; 3] {
        self.rgb(t).map(|v| (v * 255.0).round() as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_end_points() {
        // matplotlib's tables, to one unit in the last place of the resampled preset.
        let near = |a: [u8; 3], b: [u8; 3]| a.iter().zip(b).all(|(&x, y)| x.abs_diff(y) <= 3);
        assert!(near(Colormap::Viridis.rgb8(0.0), [68, 1, 84]));
        assert!(near(Colormap::Viridis.rgb8(1.0), [253, 231, 37]));
        assert!(near(Colormap::Magma.rgb8(0.0), [0, 0, 4]));
        assert!(near(Colormap::Magma.rgb8(1.0), [252, 253, 191]));
        let [r, _, b] = Colormap::Diverging.rgb8(1.0);
        assert!(r > b, "red is high");
    }

    #[test]
    fn sequential_maps_get_lighter_all_the_way() {
        for map in [Colormap::Viridis, Colormap::Cividis, Colormap::Magma] {
            let luminance = |t: f32| {
                let [r, g, b] = map.rgb(t).map(|v| v.powf(2.2));
                0.2126 * r + 0.7152 * g + 0.0722 * b
            };
            for i in 0..32 {
                assert!(luminance((i + 1) as f32 / 32.0) > luminance(i as f32 / 32.0), "{map:?} at {i}");
            }
        }
    }

    #[test]
    fn anything_is_a_colour() {
        for map in Colormap::ALL {
            for t in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -1.0, 2.0] {
                assert!(map.rgb(t).iter().all(|v| (0.0..=1.0).contains(v)));
            }
            assert_eq!(map.rgb8(f32::INFINITY), map.rgb8(1.0));
        }
    }
}
