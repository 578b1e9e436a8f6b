//! Widths of text, from the tables of the font that figures are drawn with.

use std::sync::OnceLock;

use super::canvas::Color;

/// Ubuntu Light, and Hack for the signs that it lacks: see `assets/fonts/README.md`.
pub static FONTS: [&[u8]; 2] =
    [include_bytes!("../../assets/fonts/Ubuntu-Light.ttf"), include_bytes!("../../assets/fonts/Hack-Regular.ttf")];

/// For readers of the SVG that lack the font: others of about the same width.
pub const FAMILIES: &str = "Ubuntu, Segoe UI, Helvetica Neue, Arial, sans-serif";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    Start,
    Middle,
    End,
}

/// How a line of text is set.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// Pixels an em.
    pub size: f64,
    pub color: Color,
    pub align: Align,
    /// Where the given point is: at the capitals' top, middle or foot.
    pub vertical: Align,
    /// Reads upwards.
    pub upwards: bool,
}

impl Style {
    pub fn new(size: f64, color: Color) -> Self {
        Self { size, color, align: Align::Start, vertical: Align::Middle, upwards: false }
    }

    pub fn centred(self) -> Self {
        Self { align: Align::Middle, ..self }
    }

    pub fn right(self) -> Self {
        Self { align: Align::End, ..self }
    }
}

/// Advance of each character of the Basic Multilingual Plane in em, 0 where the font lacks it; of each font.
fn advances() -> &'static [Vec<f32>; 2] {
    static ADVANCES: OnceLock<[Vec<f32>; 2]> = OnceLock::new();
    ADVANCES.get_or_init(|| FONTS.map(|font| read_advances(font).unwrap_or_default()))
}

fn advance(font: usize, c: char) -> Option<f64> {
    advances()[font].get(c as usize).filter(|&&a| a > 0.0).map(|&a| f64::from(a))
}

/// Width of a line in pixels at `size` pixels an em, without kerning.
pub fn width(text: &str, size: f64) -> f64 {
    let em = |c: char| advance(0, c).or_else(|| advance(1, c)).unwrap_or(0.6);
    text.chars().map(em).sum::<f64>() * size
}

/// The text in parts that one font has: a renderer that lacks one sign would set the whole line in another font.
pub fn runs(text: &str) -> Vec<&str> {
    let mut runs = Vec::new();
    let mut from = 0;
    let mut last = None;
    for (at, c) in text.char_indices() {
        let first = advance(0, c).is_some();
        if last.is_some_and(|last| last != first) {
            runs.push(&text[from..at]);
            from = at;
        }
        last = Some(first);
    }
    runs.push(&text[from..]);
    runs
}

/// As much of the text as fits, with an ellipsis if it is not all.
pub fn elide(text: &str, size: f64, room: f64) -> String {
    if width(text, size) <= room {
        return text.into();
    }
    let mut short: String = text.into();
    while !short.is_empty() && width(&short, size) + width("…", size) > room {
        short.pop();
    }
    short.trim_end().to_owned() + "…"
}

/// Lines of whole words that fit; a word that is too long is elided.
pub fn wrap(text: &str, size: f64, room: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if width(line, size) + width(" ", size) + width(word, size) <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(elide(word, size, room)),
        }
    }
    lines
}

/// Reads `head`, `hhea`, `hmtx` and the `cmap` of format 4 of an OpenType font.
fn read_advances(font: &[u8]) -> Option<Vec<f32>> {
    let u16_at = |at: usize| Some(usize::from(u16::from_be_bytes(font.get(at..at + 2)?.try_into().ok()?)));
    let u32_at = |at: usize| Some(u32::from_be_bytes(font.get(at..at + 4)?.try_into().ok()?) as usize);
    let table = |tag: &[u8; 4]| {
        let at = (0..u16_at(4)?).map(|i| 12 + 16 * i).find(|&at| font.get(at..at + 4) == Some(tag))?;
        u32_at(at + 8)
    };
    let (head, hhea, hmtx, cmap) = (table(b"head")?, table(b"hhea")?, table(b"hmtx")?, table(b"cmap")?);
    let (em, metrics) = (u16_at(head + 18)? as f32, u16_at(hhea + 34)?);
    let mut places = (0..u16_at(cmap + 2)?).filter_map(|i| Some(cmap + u32_at(cmap + 4 + 8 * i + 4)?));
    let map = places.find(|&at| u16_at(at) == Some(4))?;
    let segments = u16_at(map + 6)? / 2;
    let mut advances = vec![0.0; 1 << 16];
    for segment in 0..segments {
        let field = |block: usize| map + 14 + 2 * (block * segments + segment) + if block > 0 { 2 } else { 0 };
        let (end, start) = (u16_at(field(0))?, u16_at(field(1))?);
        let (delta, offset) = (u16_at(field(2))?, u16_at(field(3))?);
        for (code, advance) in advances.iter_mut().enumerate().take(end.min(0xfffe) + 1).skip(start) {
            let glyph = match offset {
                0 => (code + delta) & 0xffff,
                offset => match u16_at(field(3) + offset + 2 * (code - start))? {
                    0 => 0,
                    glyph => (glyph + delta) & 0xffff,
                },
            };
            if glyph > 0 {
                *advance = u16_at(hmtx + 4 * glyph.min(metrics - 1))? as f32 / em;
            }
        }
    }
    Some(advances)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_font_has_what_axes_and_notes_say() {
        for c in ('!'..='~').chain("λησθμΔΣαβε·×±²–−…°√∞≤≥→←∝∇".chars()) {
            assert!(advance(0, c).or_else(|| advance(1, c)).is_some(), "{c:?} is missing");
        }
        let em = |c: char| advance(0, c).unwrap();
        assert!((0.2..0.3).contains(&em('i')) && (0.8..1.0).contains(&em('W')));
        assert_eq!(runs("lr 0.1 → 0.2"), ["lr 0.1 ", "→", " 0.2"]);
        assert_eq!(runs(""), [""]);
    }

    #[test]
    fn text_is_cut_and_wrapped_to_its_room() {
        let text = "two random directions, filter-normalised";
        for room in [20.0, 60.0, 100.0, 1_000.0] {
            assert!(width(&elide(text, 14.0, room), 14.0) <= room);
            assert!(wrap(text, 14.0, room).iter().all(|line| width(line, 14.0) <= room));
        }
        assert_eq!(wrap(text, 14.0, 1_000.0), [text]);
    }

    #[test]
    fn no_damaged_font_is_a_panic() {
        for length in [0, 11, 100, 5_000] {
            assert!(read_advances(&FONTS[0][..length]).is_none());
        }
    }
}
