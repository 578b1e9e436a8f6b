//! A fair choice of rows where all would take too long.

use std::borrow::Cow;

/// Multiplications that the Gram matrix of the chosen rows may take: some milliseconds.
const WORK: usize = 1 << 25;
/// Rows that are chosen however wide they are.
const LEAST: usize = 256;

/// At most `max(256, 2^25 / width^2)` rows of `values = [n, width]`: all of them up to width 128 and 2,048 rows.
///
/// Row i of the choice is `i s mod n`, where s is the nearest number to n over the golden ratio that shares no divisor
/// with n: no row comes twice, and (unlike every second row) the choice visits all places of a sequence alike.
pub fn chosen<T: Copy>(values: &[T], width: usize) -> Cow<'_, [T]> {
    let width = width.max(1);
    let n = values.len() / width;
    let kept = most(width).min(n);
    if kept == n {
        return Cow::Borrowed(values);
    }
    let stride = stride(n);
    let row = |i: usize| i * stride % n;
    Cow::Owned((0..kept).flat_map(|i| values[row(i) * width..(row(i) + 1) * width].iter().copied()).collect())
}

fn most(width: usize) -> usize {
    LEAST.max(WORK / (width * width))
}

fn stride(n: usize) -> usize {
    const GOLDEN: f64 = 0.618_033_988_749_895;
    let middle = (n as f64 * GOLDEN) as usize;
    (0..n).flat_map(|by| [middle + by, middle.saturating_sub(by)]).find(|&s| s > 0 && divisor(s, n) == 1).unwrap_or(1)
}

fn divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn few_or_narrow_rows_are_all_taken() {
        let values: Vec<f32> = (0..2_048 * 128).map(|k| k as f32).collect();
        assert!(matches!(chosen(&values, 128), Cow::Borrowed(all) if all == values));
        assert!(matches!(chosen(&values[..256 * 1_024], 1_024), Cow::Borrowed(_)));
        assert!(chosen::<f32>(&[], 0).is_empty());
    }

    #[test]
    fn of_many_wide_rows_different_ones_are_taken_and_all_places_of_a_sequence_alike() {
        let (sequences, tokens, width) = (128, 16, 512);
        let n = sequences * tokens;
        // Each row holds its own number.
        let values: Vec<u32> = (0..n * width).map(|k| (k / width) as u32).collect();
        let found = chosen(&values, width);
        let rows: Vec<usize> = found.chunks(width).map(|row| row[0] as usize).collect();
        assert!(found.chunks(width).all(|row| row.iter().all(|x| *x == row[0])));
        assert_eq!(rows.len(), 256);
        assert_eq!(rows.iter().collect::<BTreeSet<_>>().len(), 256);
        for token in 0..tokens {
            assert_eq!(rows.iter().filter(|row| *row % tokens == token).count(), 16, "token {token}");
        }
        // And of the sequences a fair share: each eighth of them has an eighth of the rows, give or take a quarter.
        for part in 0..8 {
            let count = rows.iter().filter(|row| *row * 8 / n == part).count();
            assert!((24..=40).contains(&count), "{part}: {count}");
        }
    }
}
