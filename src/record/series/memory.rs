//! What series share that give up detail for memory.

use std::ops::Range;

use crate::record::reading::{Circumstances, Estimate};

use super::column::Column;

/// Bytes that an estimate points to. Allocations have some bytes about them.
pub(super) fn of_circumstances(estimate: &Estimate) -> usize {
    let Circumstances { dtype, method, .. } = &*estimate.circumstances;
    let about = 32;
    2 * size_of::<usize>() + size_of::<Circumstances>() + dtype.capacity() + method.capacity() + about
}

/// Moves `len` things together, two neighbours of each of the `ranges` becoming one: `keep(to, from)` puts one or two things at
/// `to`, which is never after them. How many things are left.
pub(super) fn merge(ranges: &[Range<usize>], len: usize, mut keep: impl FnMut(usize, Range<usize>)) -> usize {
    let mut to = 0;
    let mut from = 0;
    let mut ranges = ranges.iter().peekable();
    while from < len {
        while ranges.peek().is_some_and(|range| range.end <= from) {
            ranges.next();
        }
        let inside = ranges.peek().is_some_and(|range| range.start <= from);
        let both = from..(from + if inside { 2 } else { 1 }).min(len);
        from = both.end;
        keep(to, both);
        to += 1;
    }
    to
}

/// Parts of a range of entries, at most about `columns` of them, none empty: blocks of equally many entries; where the first
/// `merged` entries stand for many measurements, of equally many steps. Both are aligned, so that a growing series keeps the
/// parts it has had.
pub(super) fn parts(steps: &Column<u64>, entries: Range<usize>, columns: usize, merged: usize) -> Vec<Range<usize>> {
    let Range { start: mut at, end: to } = entries;
    if at >= to {
        return Vec::new();
    }
    let mut parts = Vec::with_capacity(columns + 2);
    if merged <= at {
        let block = (to - at).div_ceil(columns).next_power_of_two();
        while at < to {
            let end = ((at / block + 1) * block).min(to);
            parts.push(at..end);
            at = end;
        }
        return parts;
    }
    let span = steps[to - 1] - steps[at] + 1;
    let width = span.div_ceil(columns as u64).next_power_of_two();
    while at < to {
        let last = steps[at] | (width - 1);
        // Between here and the last, which is as far as there are entries.
        let end = steps.partition_point(|step| *step <= last).min(to);
        parts.push(at..end);
        at = end;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_of_the_ranges_become_one() {
        let mut kept = Vec::new();
        let left = merge(&[2..6, 8..10], 11, |to, from| kept.push((to, from)));
        assert_eq!(left, 8);
        let expected = [0..1, 1..2, 2..4, 4..6, 6..7, 7..8, 8..10, 10..11];
        assert!(kept.into_iter().eq(expected.into_iter().enumerate()));
    }

    #[test]
    fn parts_follow_one_another_and_are_as_many_as_wanted() {
        let steps: Column<u64> = (0..1_000).map(|i| if i < 500 { 64 * i } else { 64 * 500 + i }).collect();
        for merged in [0, 500] {
            for range in [0..1_000, 3..997, 490..510, 7..8, 5..5] {
                for columns in [1, 7, 300] {
                    let parts = parts(&steps, range.clone(), columns, merged);
                    assert!(parts.len() <= columns + 1, "{} of {columns}", parts.len());
                    assert!(parts.iter().all(|part| !part.is_empty()));
                    assert!(parts.windows(2).all(|pair| pair[0].end == pair[1].start));
                    let ends = parts.first().map(|part| part.start).zip(parts.last().map(|part| part.end));
                    assert_eq!(ends, (!range.is_empty()).then_some((range.start, range.end)));
                }
            }
        }
    }
}
