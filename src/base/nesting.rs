//! How deep the tables of a TOML text lie in each other, before a parser finds out.
//!
//! A parser that goes into `{a={a={a=...` or `a.a.a.a = 1` by calling itself runs out of stack at some ten thousand levels: an
//! abort, which nothing can catch.

/// Tables and lists that may lie in each other: settings have three or four.
const DEEPEST: usize = 64;

/// # Errors
/// One sentence that names the line, for a text that goes deeper.
pub fn check(text: &str) -> Result<(), String> {
    let mut brackets = 0_usize;
    for (number, line) in text.lines().enumerate() {
        let (mut dots, mut quote, mut escaped) = (0, None, false);
        for letter in line.chars() {
            match (quote, letter) {
                (Some('"'), '\\') if !escaped => {
                    escaped = true;
                    continue;
                }
                (Some(open), close) if open == close && !escaped => quote = None,
                (Some(_), _) => {}
                (None, '"' | '\'') => quote = Some(letter),
                (None, '#') => break,
                (None, '.') => dots += 1,
                (None, ',' | '=') => dots = 0,
                (None, '[' | '{') => (dots, brackets) = (0, brackets + 1),
                (None, ']' | '}') => (dots, brackets) = (0, brackets.saturating_sub(1)),
                (None, _) => {}
            }
            escaped = false;
            if dots.max(brackets) > DEEPEST {
                return Err(format!(
                    "line {} goes deeper than {DEEPEST} levels (a.b.c... or [[[...); settings have a few",
                    number + 1
                ));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_deep_is_refused_and_nothing_else() {
        let deep = "a.".repeat(100_000) + "a = 1";
        for text in [deep.clone(), format!("x = 1\n[{deep}]"), "\"a\".".repeat(70) + "b = 2", "a . ".repeat(70)] {
            assert!(check(&text).unwrap_err().contains("levels"));
        }
        for open in ["{a=", "[", "{", "[{a="] {
            assert!(check(&format!("x = {}", open.repeat(100_000))).unwrap_err().contains("line 1"), "{open}");
            assert!(check(&format!("x = {open}\n").repeat(100_000)).is_err(), "over lines");
        }
        assert!(check(&format!("x = 1\n{deep}")).unwrap_err().contains("line 2"));
        let numbers = vec!["0.5"; 1_000].join(", ");
        let tables = "[[axes]]\nvalues = [[1], [2]] # [[[\n".repeat(1_000);
        for text in [
            tables,
            "x = '[[['\n".repeat(100),
            format!("x = [{numbers}]"),
            format!("x = \"{}\"", "../".repeat(90)),
            "a.b.c = 'x.y'".into(),
        ] {
            assert_eq!(check(&text), Ok(()), "{text}");
        }
        assert_eq!(check(r#"x = "a \" b" # c"#), Ok(()));
    }
}
