//! How deep the tables of a TOML text lie in each other, before a parser finds out.
//!
//! Parsers limit nested brackets, but `a.a.a.a = 1` with a hundred thousand names makes as many tables, and whoever walks
//! through them runs out of stack: an abort, which nothing can catch.

/// Tables that may lie in each other by dots: settings have three.
const DEEPEST: usize = 64;

/// # Errors
/// One sentence that names the line, for a text with longer rows of names.
pub fn check(text: &str) -> Result<(), String> {
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
                (None, '.') => dots += 1,
                (None, ',' | '=' | '[' | ']' | '{' | '}' | '#') => dots = 0,
                (None, _) => {}
            }
            escaped = false;
            if dots > DEEPEST {
                return Err(format!(
                    "line {} has a name of more than {DEEPEST} parts (a.b.c...); settings have at most a few",
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
    fn long_rows_of_names_are_refused_and_nothing_else() {
        let deep = "a.".repeat(100_000) + "a = 1";
        for text in [deep.clone(), format!("x = 1\n[{deep}]"), "\"a\".".repeat(70) + "b = 2", "a . ".repeat(70)] {
            assert!(check(&text).unwrap_err().contains("parts"));
        }
        assert!(check(&format!("x = 1\n{deep}")).unwrap_err().contains("line 2"));
        let numbers = vec!["0.5"; 1_000].join(", ");
        for text in [format!("x = [{numbers}]"), format!("x = \"{}\"", "../".repeat(90)), "a.b.c = 'x.y'".into()] {
            assert_eq!(check(&text), Ok(()), "{text}");
        }
        assert_eq!(check(r#"x = "a \" b" # c"#), Ok(()));
    }
}
