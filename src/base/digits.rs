//! Numbers as people read them.

/// Three significant digits, in scientific notation where plain digits would be many.
pub fn number(value: f64) -> String {
    if !value.is_finite() {
        return if value.is_nan() { "not a number".into() } else { format!("{value}") };
    }
    let size = value.abs();
    if size == 0.0 {
        return "0".into();
    }
    let digits = 2 - size.log10().floor() as i32;
    match digits {
        ..=-4 | 7.. => format!("{value:.1e}"),
        ..=0 => format!("{value:.0}"),
        _ => {
            let text = format!("{value:.*}", digits as usize);
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
    }
}

/// `12,345`, as people read it.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits() {
        let cases = [
            (0.0, "0"),
            (1.0, "1"),
            (0.123_456, "0.123"),
            (1234.5, "1234"),
            (12.345, "12.3"),
            (-0.001, "-0.001"),
            (1e-9, "1.0e-9"),
            (2.5e9, "2.5e9"),
            (f64::NAN, "not a number"),
        ];
        for (value, text) in cases {
            assert_eq!(number(value), text);
        }
    }
}
