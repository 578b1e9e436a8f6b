//! A link as a QR code (ISO/IEC 18004), for the lecture hall.

use qrcodegen::{QrCode, QrCodeEcc};

/// Dark and light modules. Standards want a margin of [`Self::MARGIN`] light ones around them.
#[derive(Clone, PartialEq, Eq)]
pub struct QrPicture {
    /// Modules a side, without the margin.
    pub side: usize,
    dark: Vec<bool>,
}

/// Bytes that the largest code holds at its lowest error correction.
pub const MOST_BYTES: usize = 2_953;
/// Past this many modules a side, cameras in the last rows of a lecture hall have a hard time: a judgement.
const EASILY_READ: usize = 101;

impl QrPicture {
    pub const MARGIN: usize = 4;

    /// The smallest code that holds `text`, with the most error correction that its size has room for, from 7 % of damage on;
    /// none if no code is large enough.
    pub fn of(text: &str) -> Option<Self> {
        let code = QrCode::encode_text(text, QrCodeEcc::Low).ok()?;
        let side = code.size();
        let dark = (0..side).flat_map(|y| (0..side).map(move |x| (x, y))).map(|(x, y)| code.get_module(x, y)).collect();
        Some(Self { side: side as usize, dark })
    }

    /// Whether the module in column x of row y is dark; those outside are light.
    pub fn is_dark(&self, x: usize, y: usize) -> bool {
        x < self.side && self.dark.get(y * self.side + x).copied().unwrap_or(false)
    }

    /// Dark modules side by side: (row, first column, number).
    pub fn runs(&self) -> Vec<(usize, usize, usize)> {
        let mut runs = Vec::new();
        for y in 0..self.side {
            let mut x = 0;
            while x < self.side {
                let length = (x..self.side).take_while(|x| self.is_dark(*x, y)).count();
                if length > 0 {
                    runs.push((y, x, length));
                }
                x += length.max(1);
            }
        }
        runs
    }

    /// Whether a camera some metres away is likely to read it.
    pub fn is_easily_read(&self) -> bool {
        self.side <= EASILY_READ
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_grow_with_the_text_up_to_the_standards_limit() {
        let small = QrPicture::of("landscope://1/abc").unwrap();
        assert!(small.side <= 29 && small.is_easily_read(), "{}", small.side);
        let large = QrPicture::of(&"a".repeat(MOST_BYTES)).unwrap();
        assert!(large.side == 177 && !large.is_easily_read());
        assert!(QrPicture::of(&"a".repeat(MOST_BYTES + 1)).is_none());
    }

    #[test]
    fn runs_are_the_dark_modules() {
        let code = QrPicture::of("landscope://1/eJwrTk0GAAKJATA").unwrap();
        let runs = code.runs();
        let dark: usize = runs.iter().map(|(_, _, length)| length).sum();
        let counted = (0..code.side).flat_map(|y| (0..code.side).map(move |x| (x, y)));
        assert_eq!(dark, counted.filter(|(x, y)| code.is_dark(*x, *y)).count());
        assert!(runs.iter().all(|(y, x, length)| (*x..x + length).all(|x| code.is_dark(x, *y))));
        // The three corner squares that every reader looks for: a dark frame of 7 around a light one around 3 by 3 dark.
        for (left, top) in [(0, 0), (code.side - 7, 0), (0, code.side - 7)] {
            for (x, y) in (0..7).flat_map(|y| (0..7).map(move |x| (x, y))) {
                let ring: i32 = (3i32 - x).abs().max((3i32 - y).abs());
                assert_eq!(code.is_dark(left + x as usize, top + y as usize), ring != 2, "{x} {y}");
            }
        }
    }
}
