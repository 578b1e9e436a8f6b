//! Values of knobs as they are typed for a sweep.

use anyhow::bail;

use crate::run::sweep::Axis;

/// `knob=value`.
///
/// # Errors
/// Names the text and the form wanted.
pub fn pair(text: &str) -> anyhow::Result<(String, String)> {
    match text.split_once('=') {
        Some((knob, value)) if !knob.trim().is_empty() => Ok((knob.trim().into(), value.trim().into())),
        _ => bail!("{text:?} isn't knob=value; give for example width=64"),
    }
}

/// `knob=a,b,c`, `knob=low..high*count` (evenly in logarithms), or values with commas of their own, `knob=1,2;1,2,4`.
///
/// # Errors
/// Names the text and the form wanted.
pub fn axis(text: &str) -> anyhow::Result<Axis> {
    let (knob, values) = pair(text)?;
    let values = if let Some((range, count)) = values.split_once('*') {
        geometric(text, range, count)?
    } else {
        let separator = if values.contains(';') { ';' } else { ',' };
        values.split(separator).map(|value| value.trim().to_owned()).collect()
    };
    let mut seen = std::collections::BTreeSet::new();
    if values.iter().any(|value| value.is_empty() || !seen.insert(value)) {
        bail!("axis {text:?} has an empty value or one twice; give each value once, such as {knob}=16,32,64");
    }
    Ok(Axis { knob, values })
}

fn geometric(text: &str, range: &str, count: &str) -> anyhow::Result<Vec<String>> {
    let parsed = range.split_once("..").and_then(|(low, high)| {
        Some((low.trim().parse::<f64>().ok()?, high.trim().parse::<f64>().ok()?, count.trim().parse::<usize>().ok()?))
    });
    let Some((low, high, count)) =
        parsed.filter(|(low, high, count)| *low > 0.0 && low < high && (2..=1_000).contains(count))
    else {
        bail!(
            "axis {text:?} isn't knob=low..high*count; give two positive numbers in rising order and a count from 2, such as lr=0.01..1*9"
        );
    };
    let at = |i: usize| low * (high / low).powf(i as f64 / (count - 1) as f64);
    // Four digits tell the values apart and stay readable.
    Ok((0..count).map(|i| format!("{:.3e}", at(i)).parse::<f64>().unwrap_or(low).to_string()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_listed_or_spread_evenly_in_logarithms() {
        assert_eq!(axis("width=16, 32,64").unwrap().values, ["16", "32", "64"]);
        assert_eq!(axis("lr=0.01..1*5").unwrap().values, ["0.01", "0.03162", "0.1", "0.3162", "1"]);
        assert_eq!(axis("widths=16,32;64,128").unwrap().values, ["16,32", "64,128"]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for wrong in ["width", "=3", "width=16,16", "width=16,,32", "lr=0..1*3", "lr=1..0.1*3", "lr=0.1..1*1"] {
            let message = axis(wrong).unwrap_err().to_string();
            assert!(message.contains(wrong.split('=').next().unwrap()) && message.contains("give"), "{message}");
        }
    }
}
