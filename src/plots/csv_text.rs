//! Plotted numbers as CSV text (RFC 4180), with the title and the notes in comments above the header line.

use std::fmt::Write as _;

/// Title and notes as comment lines, then the names of the columns.
pub(super) fn head(title: &str, notes: &[String], columns: &[&str]) -> String {
    let mut text = String::new();
    for line in std::iter::once(title).chain(notes.iter().map(String::as_str)) {
        let _ = writeln!(text, "# {}", line.replace(['\n', '\r'], " "));
    }
    let names: Vec<_> = columns.iter().map(|column| quoted(column)).collect();
    let _ = writeln!(text, "{}", names.join(","));
    text
}

/// A field, quoted where it has to be.
pub(super) fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) || text.starts_with('#') {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_comments_can_not_break_the_table() {
        assert_eq!(quoted("a,b \"c\""), "\"a,b \"\"c\"\"\"");
        assert_eq!(quoted("#1"), "\"#1\"");
        let text = head("two\nlines", &["note".into()], &["step", "loss, in nats"]);
        assert_eq!(text, "# two lines\n# note\nstep,\"loss, in nats\"\n");
    }
}
