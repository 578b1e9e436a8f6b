//! Readings of many kilobytes each.

use crate::record::reading::{PathPoint, Reading};
use crate::record::spectrum::Spectrum;

use super::column::Column;

/// Where a file has a reading: its table and row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub table: u8,
    pub row: i64,
}

/// Readings read back that are kept: the cursor goes to and fro.
const KEPT: usize = 3;

/// Histograms, matrices, surfaces and spectra. What is old is thinned where memory is short; where a file has it, it is
/// read back for the cursor.
#[derive(Clone, Debug, Default)]
pub struct HeavySeries {
    entries: Vec<(u64, Reading)>,
    bytes: usize,
    thinned: u32,
    /// All readings that a file has, in the order of their steps.
    places: Column<(u64, Place)>,
    /// Read back, the last used at the end.
    fetched: Vec<(u64, Reading)>,
}

impl PartialEq for HeavySeries {
    /// What was read back is no difference.
    fn eq(&self, other: &Self) -> bool {
        self.entries == other.entries
    }
}

impl HeavySeries {
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What is in memory: evenly spread over the older steps, and all of the newest.
    pub fn entries(&self) -> &[(u64, Reading)] {
        &self.entries
    }

    pub fn latest_at(&self, step: u64) -> Option<(u64, &Reading)> {
        let held = self.held_at(step);
        let fetched = self.fetched.iter().filter(|(s, _)| *s <= step).max_by_key(|(s, _)| *s);
        match (held, fetched) {
            (Some(held), Some((s, reading))) if *s > held.0 => Some((*s, reading)),
            (Some(held), _) => Some(held),
            (None, fetched) => fetched.map(|(s, reading)| (*s, reading)),
        }
    }

    fn held_at(&self, step: u64) -> Option<(u64, &Reading)> {
        let i = self.entries.partition_point(|(s, _)| *s <= step).checked_sub(1)?;
        Some((self.entries[i].0, &self.entries[i].1))
    }

    /// How often every second of the older readings was dropped.
    pub fn times_thinned(&self) -> u32 {
        self.thinned
    }

    pub(super) fn push(&mut self, step: u64, reading: Reading) {
        self.bytes += reading_bytes(&reading);
        self.fetched.retain(|(s, _)| *s != step);
        match self.entries.binary_search_by_key(&step, |(s, _)| *s) {
            Ok(at) => {
                self.bytes -= reading_bytes(&self.entries[at].1);
                self.entries[at].1 = reading;
            }
            Err(at) => self.entries.insert(at, (step, reading)),
        }
    }

    /// Keeps every second entry of all but the newest quarter, the first and the newest among them; whether any went.
    pub(super) fn thin(&mut self) -> bool {
        let before = self.entries.len();
        let old = before * 3 / 4;
        let mut index = 0;
        self.entries.retain(|_| {
            index += 1;
            index > old || index % 2 == 1
        });
        self.bytes = self.entries.iter().map(|(_, reading)| reading_bytes(reading)).sum();
        let went = self.entries.len() < before;
        self.thinned += u32::from(went);
        went
    }

    pub(super) fn truncate_after(&mut self, step: u64) {
        self.entries.truncate(self.entries.partition_point(|(s, _)| *s <= step));
        self.bytes = self.entries.iter().map(|(_, reading)| reading_bytes(reading)).sum();
        self.places.truncate(self.places.partition_point(|(s, _)| *s <= step));
        self.fetched.retain(|(s, _)| *s <= step);
    }

    pub fn bytes(&self) -> usize {
        let fetched: usize = self.fetched.iter().map(|(_, reading)| reading_bytes(reading)).sum();
        self.bytes + fetched + self.places.bytes() + self.entries.capacity() * size_of::<(u64, Reading)>()
    }

    /// Learns that a file has the reading of `step` at `place`.
    pub(in crate::record) fn found(&mut self, step: u64, place: Place) {
        let at = self.places.partition_point(|(s, _)| *s < step);
        if self.places.get(at).is_some_and(|(s, _)| *s == step) {
            self.places.set(at, (step, place));
        } else {
            // Measured afterwards, it comes before others that are known.
            let later: Vec<_> = self.places.range(at..self.places.len()).copied().collect();
            self.places.truncate(at);
            self.places.push((step, place));
            self.places.extend(later);
        }
    }

    /// Where the file has the newest reading at or before `step`, if memory only has an older one.
    pub(in crate::record) fn missing_at(&self, step: u64) -> Option<(u64, Place)> {
        let i = self.places.partition_point(|(s, _)| *s <= step).checked_sub(1)?;
        let (known, place) = self.places[i];
        let held = self.latest_at(step).is_some_and(|(s, _)| s >= known);
        (!held).then_some((known, place))
    }

    pub(in crate::record) fn fetched(&mut self, step: u64, reading: Reading) {
        if self.fetched.len() == KEPT {
            self.fetched.remove(0);
        }
        self.fetched.push((step, reading));
    }
}

/// Bytes behind a reading. Allocations have some bytes about them, and readings are shared by pointers that count.
fn reading_bytes(reading: &Reading) -> usize {
    const ABOUT: usize = 32;
    match reading {
        Reading::Scalar(_) | Reading::Estimate(_) => ABOUT,
        Reading::Vector(values) => 4 * values.capacity() + ABOUT,
        Reading::Matrix(matrix) => 4 * matrix.values.capacity() + size_of_val(&**matrix) + 2 * ABOUT,
        Reading::Density(density) => 4 * density.counts.capacity() + size_of_val(&**density) + 2 * ABOUT,
        Reading::Surface(surface) => {
            let points = 4 * (surface.loss.capacity() + surface.accuracy.capacity()) + surface.valid.capacity();
            let path = surface.path.capacity() * size_of::<PathPoint>();
            let texts = surface.directions.capacity() + surface.axes.iter().map(String::capacity).sum::<usize>();
            points + path + texts + size_of_val(&**surface) + 12 * ABOUT
        }
        Reading::Spectrum(spectrum) => {
            let Spectrum { ritz, top, bottom, .. } = &**spectrum;
            size_of_val(&ritz[..])
                + size_of_val(&top[..])
                + size_of_val(&bottom[..])
                + size_of_val(&**spectrum)
                + 8 * ABOUT
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::record::reading::Matrix;

    fn matrix(value: u64) -> Reading {
        Reading::Matrix(Arc::new(Matrix { rows: 1, columns: 1, values: vec![value as f32] }))
    }

    #[test]
    fn what_was_thinned_is_asked_of_the_file_and_shown_again() {
        let mut series = HeavySeries::default();
        for step in 0..100 {
            series.push(step, matrix(step));
            series.found(step, Place { table: 1, row: step as i64 });
        }
        assert_eq!(series.missing_at(7), None);
        assert!(series.thin() && series.thin());
        assert_eq!((series.entries()[0].0, series.entries().last().unwrap().0), (0, 99));
        let (step, place) = series.missing_at(7).unwrap();
        assert_eq!((step, place.row), (7, 7));
        assert!(series.latest_at(7).unwrap().0 < 7);
        let before = series.bytes();
        series.fetched(7, matrix(70));
        assert!(series.bytes() > before);
        assert_eq!(series.latest_at(7), Some((7, &matrix(70))));
        assert_eq!((series.missing_at(7), series.latest_at(99).unwrap().0), (None, 99));
        for step in [9, 10, 11] {
            series.fetched(step, matrix(step));
        }
        assert!(series.missing_at(7).is_some(), "only a few are kept");
        series.truncate_after(5);
        assert!(series.latest_at(90).unwrap().0 <= 5 && series.missing_at(90).is_none_or(|(step, _)| step <= 5));
    }
}
