//! A layout as one line: `((loss | landscape:1.5 | *sharpness + curvature) / (activations | gradients))`.
//!
//! `|` stands between the parts of a row, `/` between those of a column, `+` between panes in one stack, where `*` is before
//! the one in sight. A part's share of the width or height follows a colon; 1 is left out.

use std::fmt;
use std::str::FromStr;

use super::layout::{Part, Place, SHARE};

/// Rows in columns in rows: deeper than any hand has dragged them.
const DEEPEST: usize = 12;
/// More panes than any experiment has.
const MOST_PANES: usize = 512;
/// Thousandths.
const SHARES: std::ops::RangeInclusive<u32> = 1..=1_000_000;
/// What ends a name that isn't in quotes.
const SIGNS: &str = "|/+*():'";

/// A line that is no layout.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the layout can't be read at character {at}: {wanted}; write rows as (a | b), columns as (a / b), stacks as *a + b"
)]
pub struct LayoutError {
    /// Characters before the place, plus 1.
    pub at: usize,
    pub wanted: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pane(name) => write_name(f, name),
            Self::Stack { places, on_top } => {
                for (index, place) in places.iter().enumerate() {
                    f.write_str(if index == 0 { "" } else { " + " })?;
                    f.write_str(if index == *on_top { "*" } else { "" })?;
                    write_inner(f, place)?;
                }
                Ok(())
            }
            Self::Row(parts) => write_parts(f, parts, " | "),
            Self::Column(parts) => write_parts(f, parts, " / "),
        }
    }
}

fn write_name(f: &mut fmt::Formatter<'_>, name: &str) -> fmt::Result {
    let plain = !name.is_empty() && !name.contains(|c: char| SIGNS.contains(c) || c.is_whitespace());
    if plain { f.write_str(name) } else { write!(f, "'{}'", name.replace('\'', "''")) }
}

fn write_inner(f: &mut fmt::Formatter<'_>, place: &Place) -> fmt::Result {
    match place {
        Place::Stack { .. } => write!(f, "({place})"),
        _ => write!(f, "{place}"),
    }
}

fn write_parts(f: &mut fmt::Formatter<'_>, parts: &[Part], sign: &str) -> fmt::Result {
    f.write_str("(")?;
    for (index, part) in parts.iter().enumerate() {
        f.write_str(if index == 0 { "" } else { sign })?;
        // A stack needs no brackets in a row, unless a share follows.
        if part.share == SHARE {
            write!(f, "{}", part.place)?;
        } else {
            write_inner(f, &part.place)?;
            let text = format!("{}.{:03}", part.share / SHARE, part.share % SHARE);
            write!(f, ":{}", text.trim_end_matches('0').trim_end_matches('.'))?;
        }
    }
    f.write_str(")")
}

impl FromStr for Place {
    type Err = LayoutError;

    fn from_str(text: &str) -> Result<Self, LayoutError> {
        let mut reader = Reader { letters: text.chars().collect(), at: 0, panes: 0 };
        let place = reader.group(0)?;
        if reader.peek().is_some() {
            return Err(reader.wrong("the end was expected, or one of | / + between two panes"));
        }
        Ok(place)
    }
}

/// What stands between the parts of a group.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Between {
    Row,
    Column,
}

struct Reader {
    letters: Vec<char>,
    at: usize,
    panes: usize,
}

impl Reader {
    fn wrong(&self, wanted: impl Into<String>) -> LayoutError {
        LayoutError { at: self.at + 1, wanted: wanted.into() }
    }

    fn peek(&mut self) -> Option<char> {
        while self.letters.get(self.at).is_some_and(|c| c.is_whitespace()) {
            self.at += 1;
        }
        self.letters.get(self.at).copied()
    }

    fn take(&mut self, sign: char) -> bool {
        let found = self.peek() == Some(sign);
        self.at += usize::from(found);
        found
    }

    /// Stacks with `|` or `/` between them, up to a closing bracket or the end.
    fn group(&mut self, depth: usize) -> Result<Place, LayoutError> {
        if depth > DEEPEST {
            return Err(self.wrong(format!("brackets may be {DEEPEST} deep at most")));
        }
        let mut parts = vec![self.part(depth)?];
        let mut between = None;
        loop {
            let sign = match self.peek() {
                Some('|') => Between::Row,
                Some('/') => Between::Column,
                _ => break,
            };
            if between.is_some_and(|before| before != sign) {
                return Err(self.wrong("| and / don't stand side by side: put brackets around one of them"));
            }
            between = Some(sign);
            self.at += 1;
            parts.push(self.part(depth)?);
        }
        Ok(match (between, parts.pop()) {
            (None, Some(part)) => part.place,
            (Some(Between::Row), Some(last)) => Place::Row(parts.into_iter().chain([last]).collect()),
            (_, Some(last)) => Place::Column(parts.into_iter().chain([last]).collect()),
            (_, None) => return Err(self.wrong("a pane was expected")),
        })
    }

    /// One place or several with `+` between them, and their share.
    fn part(&mut self, depth: usize) -> Result<Part, LayoutError> {
        let mut places = Vec::new();
        let mut on_top = None;
        loop {
            if self.take('*') {
                if on_top.is_some() {
                    return Err(self.wrong("a stack has one pane in sight, and so one *"));
                }
                on_top = Some(places.len());
            }
            places.push(self.place(depth)?);
            if !self.take('+') {
                break;
            }
        }
        let share = if self.take(':') { self.share()? } else { SHARE };
        if places.len() > 1 {
            return Ok(Part { place: Place::Stack { places, on_top: on_top.unwrap_or(0) }, share });
        }
        match places.pop() {
            Some(place) => Ok(Part { place, share }),
            None => Err(self.wrong("a pane was expected")),
        }
    }

    fn place(&mut self, depth: usize) -> Result<Place, LayoutError> {
        if self.take('(') {
            let inner = self.group(depth + 1)?;
            return if self.take(')') { Ok(inner) } else { Err(self.wrong("a closing bracket was expected")) };
        }
        self.panes += 1;
        if self.panes > MOST_PANES {
            return Err(self.wrong(format!("there may be {MOST_PANES} panes at most")));
        }
        let name = if self.take('\'') { self.quoted()? } else { self.name() };
        if name.is_empty() { Err(self.wrong("the name of a pane was expected")) } else { Ok(Place::Pane(name)) }
    }

    fn name(&mut self) -> String {
        self.peek();
        let start = self.at;
        while self.letters.get(self.at).is_some_and(|c| !SIGNS.contains(*c) && !c.is_whitespace()) {
            self.at += 1;
        }
        self.letters[start..self.at].iter().collect()
    }

    /// Two quotes within are one.
    fn quoted(&mut self) -> Result<String, LayoutError> {
        let mut name = String::new();
        loop {
            match (self.letters.get(self.at), self.letters.get(self.at + 1)) {
                (Some('\''), Some('\'')) => {
                    name.push('\'');
                    self.at += 2;
                }
                (Some('\''), _) => {
                    self.at += 1;
                    return Ok(name);
                }
                (Some(letter), _) => {
                    name.push(*letter);
                    self.at += 1;
                }
                (None, _) => return Err(self.wrong("a closing quote was expected")),
            }
        }
    }

    fn share(&mut self) -> Result<u32, LayoutError> {
        let number = self.name();
        let share = number.parse::<f64>().ok().map(|share| (share * f64::from(SHARE)).round());
        match share {
            Some(share) if share >= f64::from(*SHARES.start()) && share <= f64::from(*SHARES.end()) => Ok(share as u32),
            _ => Err(self.wrong(format!("a share can't be {number:?}; give a number from 0.001 to 1000"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn layouts_are_written_as_they_are_read() {
        for text in [
            "loss",
            "(a | b)",
            "*a + b + c",
            "(a | *b + c | (d / e:1.5):0.25)",
            "((a | b) / (c | a + *b):2)",
            "'odd name (1)' + *'it''s'",
            "a + *(b | c)",
        ] {
            let place: Place = text.parse().unwrap();
            let again: Place = place.to_string().parse().unwrap();
            assert_eq!(again, place, "{text}: {place}");
        }
        assert_eq!("((a|b)/c:2.0)".parse::<Place>().unwrap().to_string(), "((a | b) / c:2)");
        assert_eq!("(a)".parse::<Place>().unwrap(), Place::Pane("a".into()));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for (text, at, word) in [
            ("", 1, "name"),
            ("(a | b", 7, "bracket"),
            ("(a | b / c)", 8, "brackets"),
            ("a b", 3, "end"),
            ("(a:0 | b)", 5, "share"),
            ("(a:x | b)", 5, "share"),
            ("*a + *b", 7, "one *"),
            ("'a", 3, "quote"),
        ] {
            let error = text.parse::<Place>().unwrap_err();
            assert!(error.at == at && error.wanted.contains(word), "{text}: {error}");
        }
        assert!("(".repeat(100_000).parse::<Place>().unwrap_err().wanted.contains("deep"));
    }

    pub(crate) fn places() -> impl Strategy<Value = Place> {
        let names = prop_oneof!["[a-z-]{1,8}", "[ -~é]{1,6}"].prop_filter("a name", |name| !name.is_empty());
        names.prop_map(Place::Pane).prop_recursive(3, 24, 4, |inner| {
            let part = (inner.clone(), 1u32..5_000).prop_map(|(place, share)| Part { place, share });
            prop_oneof![
                (proptest::collection::vec(inner, 2..4), 0usize..2)
                    .prop_map(|(places, on_top)| Place::Stack { places, on_top }),
                proptest::collection::vec(part.clone(), 2..4).prop_map(Place::Row),
                proptest::collection::vec(part, 2..4).prop_map(Place::Column),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_layout_reads_back_equal(place in places()) {
            prop_assert_eq!(place.to_string().parse::<Place>(), Ok(place));
        }

        #[test]
        fn no_line_is_a_panic(text in "[-a-z0-9|/+*():.' ]{0,40}") {
            let _ = text.parse::<Place>();
        }
    }
}
