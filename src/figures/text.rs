//! How lines of text are set, and how much room they need.

use super::canvas::Color;
use super::glyphs;

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

/// Width of a line in pixels at `size` pixels an em.
pub fn width(text: &str, size: f64) -> f64 {
    glyphs::shape(text).1 * size
}

/// As much of the text as fits, with an ellipsis if it is not all.
pub fn elide(text: &str, size: f64, room: f64) -> String {
    // Beginnings, each twice as long: of a text without end, not much more is looked at than fits.
    let mut length = 64;
    let beginning = loop {
        match text.char_indices().nth(length) {
            Some((end, _)) if width(&text[..end], size) <= room => length *= 2,
            Some((end, _)) => break &text[..end],
            None => break text,
        }
    };
    if beginning.len() == text.len() && width(text, size) <= room {
        return text.into();
    }
    let room = room - width("…", size);
    let ends: Vec<usize> = beginning.char_indices().map(|(at, _)| at).collect();
    let fitting = ends.partition_point(|&end| width(&beginning[..end], size) <= room);
    let end = fitting.checked_sub(1).map_or(0, |last| ends[last]);
    beginning[..end].trim_end().to_owned() + "…"
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_and_wrapped_to_its_room() {
        let text = "two random directions, filter-normalised";
        for room in [20.0, 60.0, 100.0, 1_000.0] {
            assert!(width(&elide(text, 14.0, room), 14.0) <= room);
            assert!(wrap(text, 14.0, room).iter().all(|line| width(line, 14.0) <= room));
        }
        assert_eq!(wrap(text, 14.0, 1_000.0), [text]);
        // The most that fits, as by trying all.
        for room in 14..250 {
            let fits = |n: &usize| width(&text[..*n], 14.0) + width("…", 14.0) <= f64::from(room);
            let most = (0..text.len()).filter(fits).max().unwrap_or(0);
            assert_eq!(elide(text, 14.0, f64::from(room)), text[..most].trim_end().to_owned() + "…", "{room}");
        }
    }

    /// Found by the long run of `fuzz`: taking letters off the end one by one took minutes.
    #[test]
    fn a_word_without_end_is_elided_at_once() {
        for word in ["9", "é", "\u{202e}", "a\u{301}"] {
            let lines = wrap(&word.repeat(100_000), 12.0, 300.0);
            assert!(lines.len() == 1 && width(&lines[0], 12.0) <= 300.0);
        }
    }
}
