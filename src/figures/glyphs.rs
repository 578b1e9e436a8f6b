//! Text as outlines: shaped with the fonts that are part of the program, so that a figure looks the same wherever it is opened.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::OnceLock;

use harfrust::{ShapeOptions, ShaperData, UnicodeBuffer};
use skrifa::instance::{LocationRef, Size};
use skrifa::outline::DrawSettings;
use skrifa::outline::pen::SvgPen;
use skrifa::{FontRef, GlyphId, MetadataProvider as _};

/// Ubuntu Light, and Hack for the signs that it lacks: see `assets/fonts/README.md`.
static FONTS: [&[u8]; 2] =
    [include_bytes!("../../assets/fonts/Ubuntu-Light.ttf"), include_bytes!("../../assets/fonts/Hack-Regular.ttf")];

struct Face {
    font: FontRef<'static>,
    shaping: ShaperData,
    /// Font units an em.
    em: f64,
}

fn faces() -> &'static [Option<Face>; 2] {
    static FACES: OnceLock<[Option<Face>; 2]> = OnceLock::new();
    FACES.get_or_init(|| {
        FONTS.map(|bytes| {
            let font = FontRef::new(bytes).ok()?;
            let em = f64::from(font.metrics(Size::unscaled(), LocationRef::default()).units_per_em);
            Some(Face { shaping: ShaperData::new(&font), font, em: em.max(1.0) })
        })
    })
}

/// Whether one of the two fonts has a character.
pub fn has(font: usize, c: char) -> bool {
    faces()[font].as_ref().is_some_and(|face| face.font.charmap().map(c).is_some())
}

/// A glyph of a line of text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Glyph {
    font: usize,
    id: u32,
    /// From the left end of the line, in em.
    x: f64,
    /// Above the baseline, in em.
    y: f64,
}

/// The glyphs of a line with its width in em, kerned.
pub fn shape(text: &str) -> (Vec<Glyph>, f64) {
    let mut glyphs = Vec::new();
    let mut width = 0.0;
    for run in runs(text) {
        let index = usize::from(!run.chars().next().is_some_and(|c| has(0, c)));
        let Some(face) = &faces()[index] else { continue };
        let mut buffer = UnicodeBuffer::new();
        buffer.push_str(run);
        buffer.guess_segment_properties();
        let shaped = face.shaping.shaper(&face.font).build().shape(buffer, ShapeOptions::new());
        for (info, place) in shaped.glyph_infos().iter().zip(shaped.glyph_positions()) {
            let (x, y) = (width + f64::from(place.x_offset) / face.em, f64::from(place.y_offset) / face.em);
            glyphs.push(Glyph { font: index, id: info.glyph_id, x, y });
            width += f64::from(place.x_advance) / face.em;
        }
    }
    (glyphs, width)
}

/// The text in parts that one font has.
fn runs(text: &str) -> Vec<&str> {
    let mut runs = Vec::new();
    let mut from = 0;
    let mut last = None;
    for (at, c) in text.char_indices() {
        let first = has(0, c);
        if last.is_some_and(|last| last != first) {
            runs.push(&text[from..at]);
            from = at;
        }
        last = Some(first);
    }
    runs.push(&text[from..]);
    runs.retain(|run| !run.is_empty());
    runs
}

/// The outlines of an SVG's text: each glyph is drawn once and used wherever it stands.
#[derive(Default)]
pub struct Outlines {
    /// Path of each glyph in font units, y upwards; empty for blanks.
    paths: BTreeMap<(usize, u32), String>,
    lines: String,
}

impl Outlines {
    /// Adds a line of text whose baseline begins at `at`, `size` units an em, turned a quarter to read `upwards` if so.
    pub fn add(&mut self, at: [f64; 2], text: &str, (size, upwards): (f64, bool), color: [u8; 3]) {
        let [r, g, b] = color;
        let turn = if upwards { " rotate(-90)" } else { "" };
        let _ = write!(
            self.lines,
            "<g aria-label=\"{}\" font-size=\"{size:.0}\" fill=\"#{r:02X}{g:02X}{b:02X}\" transform=\"translate({:.0} {:.0}){turn}\">",
            escaped(text),
            at[0],
            at[1]
        );
        for glyph in shape(text).0 {
            let Some(face) = &faces()[glyph.font] else { continue };
            let path = self.paths.entry((glyph.font, glyph.id)).or_insert_with(|| outline(face, glyph.id));
            if path.is_empty() {
                continue;
            }
            let scale = size / face.em;
            let _ = write!(
                self.lines,
                "<use xlink:href=\"#g{}-{}\" transform=\"translate({:.1} {:.1}) scale({scale:.4} {:.4})\"/>",
                glyph.font,
                glyph.id,
                glyph.x * size,
                -glyph.y * size,
                -scale
            );
        }
        self.lines.push_str("</g>\n");
    }

    /// The glyphs' definitions and the lines of text, as SVG.
    pub fn svg(&self) -> String {
        let mut svg = String::from("<defs>\n");
        for ((font, id), path) in self.paths.iter().filter(|(_, path)| !path.is_empty()) {
            let _ = writeln!(svg, "<path id=\"g{font}-{id}\" d=\"{path}\"/>");
        }
        svg.push_str("</defs>\n");
        svg.push_str(&self.lines);
        svg
    }
}

fn outline(face: &Face, id: u32) -> String {
    let mut pen = SvgPen::with_precision(0);
    let glyph = face.font.outline_glyphs().get(GlyphId::new(id));
    let drawn =
        glyph.map(|glyph| glyph.draw(DrawSettings::unhinted(Size::unscaled(), LocationRef::default()), &mut pen));
    match drawn {
        Some(Ok(_)) => pen.to_string(),
        _ => String::new(),
    }
}

/// Text as it may stand in an attribute or an element.
pub fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    // XML has no control characters, not even escaped.
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fonts_have_what_axes_and_notes_say() {
        for c in ('!'..='~').chain("λησθμΔΣαβε·×±²–−…°√∞≤≥→←∝∇".chars()) {
            assert!(has(0, c) || has(1, c), "{c:?} is missing");
        }
        assert_eq!(runs("lr 0.1 → 0.2"), ["lr 0.1 ", "→", " 0.2"]);
        assert!(runs("").is_empty());
    }

    #[test]
    fn lines_are_kerned_and_as_wide_as_their_glyphs() {
        let width = |text: &str| shape(text).1;
        assert!((0.2..0.3).contains(&width("i")) && (0.8..1.0).contains(&width("W")));
        assert!(width("To") < width("T") + width("o"), "no kerning");
        assert!((width("a → b") - width("a ") - width("→") - width(" b")).abs() < 1e-9);
        let (glyphs, _) = shape("loss");
        assert!(glyphs.windows(2).all(|pair| pair[0].x < pair[1].x));
    }

    #[test]
    fn a_glyph_is_defined_once_and_blanks_are_not() {
        let mut outlines = Outlines::default();
        outlines.add([0.0, 0.0], "a a <", (160.0, false), [0; 3]);
        outlines.add([5.0, 9.0], "a", (160.0, true), [255, 0, 0]);
        let svg = outlines.svg();
        assert_eq!(svg.matches("<path id=").count(), 2);
        assert_eq!(svg.matches("<use ").count(), 4);
        assert!(svg.contains("aria-label=\"a a &lt;\"") && svg.contains("rotate(-90)") && svg.contains("#FF0000"));
    }
}
