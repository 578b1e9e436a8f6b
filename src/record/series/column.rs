//! A list that grows in pieces of one size.
//!
//! A vector that doubles holds twice what it needs and, while it moves, three times that. Long series would then miss their
//! memory budget by such a factor, and leave holes of every size behind. Pieces are all alike: what one series frees,
//! another one fills.

use std::iter::FusedIterator;
use std::ops::{Index, Range};

/// Entries of a whole piece.
const PIECE: usize = 4_096;
/// Entries that a piece begins with: most series are short.
const START: usize = 8;

/// Values by index, of which the last can be taken away and new ones added.
#[derive(Clone, Debug)]
pub struct Column<T> {
    pieces: Vec<Vec<T>>,
    len: usize,
}

impl<T> Default for Column<T> {
    fn default() -> Self {
        Self { pieces: Vec::new(), len: 0 }
    }
}

impl<T> Column<T> {
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn get(&self, index: usize) -> Option<&T> {
        self.pieces.get(index / PIECE)?.get(index % PIECE)
    }

    pub fn first(&self) -> Option<&T> {
        self.get(0)
    }

    pub fn last(&self) -> Option<&T> {
        self.get(self.len.checked_sub(1)?)
    }

    pub fn iter(&self) -> Iter<'_, T> {
        self.range(0..self.len)
    }

    /// Entries of a range; what lies beyond the end is left out.
    pub fn range(&self, range: Range<usize>) -> Iter<'_, T> {
        let end = range.end.min(self.len);
        Iter { column: self, at: range.start.min(end), end }
    }

    /// The first index at which `before` doesn't hold, where it holds for all entries up to some point.
    pub fn partition_point(&self, mut before: impl FnMut(&T) -> bool) -> usize {
        let piece = self.pieces.partition_point(|piece| piece.last().is_some_and(&mut before));
        match self.pieces.get(piece) {
            Some(inside) => piece * PIECE + inside.partition_point(before),
            None => self.len,
        }
    }

    pub fn push(&mut self, value: T) {
        if self.len == self.pieces.len() * PIECE {
            self.pieces.push(Vec::new());
        }
        let Some(piece) = self.pieces.last_mut() else { return };
        if piece.len() == piece.capacity() {
            // Doubled, but never beyond a whole piece.
            piece.reserve_exact(piece.len().clamp(START, (PIECE - piece.len()).max(START)));
        }
        piece.push(value);
        self.len += 1;
    }

    pub fn set(&mut self, index: usize, value: T) {
        self.pieces[index / PIECE][index % PIECE] = value;
    }

    /// Keeps the first `len` entries.
    pub fn truncate(&mut self, len: usize) {
        if len >= self.len {
            return;
        }
        self.pieces.truncate(len.div_ceil(PIECE));
        if let Some(piece) = self.pieces.last_mut() {
            piece.truncate(len - (len.div_ceil(PIECE) - 1) * PIECE);
        }
        self.len = len;
    }

    /// Memory that is held, used or not.
    pub fn bytes(&self) -> usize {
        let last = self.pieces.last().map_or(0, Vec::capacity);
        let entries = self.pieces.len().saturating_sub(1) * PIECE + last;
        entries * size_of::<T>() + self.pieces.capacity() * size_of::<Vec<T>>()
    }
}

impl<T: Clone> Column<T> {
    pub fn to_vec(&self) -> Vec<T> {
        self.iter().cloned().collect()
    }
}

impl<T> Index<usize> for Column<T> {
    type Output = T;

    fn index(&self, index: usize) -> &T {
        &self.pieces[index / PIECE][index % PIECE]
    }
}

impl<T> Extend<T> for Column<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, values: I) {
        values.into_iter().for_each(|value| self.push(value));
    }
}

impl<T> FromIterator<T> for Column<T> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        let mut column = Self::default();
        column.extend(values);
        column
    }
}

impl<T: PartialEq> PartialEq for Column<T> {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.iter().eq(other.iter())
    }
}

impl<T: PartialEq> PartialEq<[T]> for Column<T> {
    fn eq(&self, other: &[T]) -> bool {
        self.len == other.len() && self.iter().eq(other.iter())
    }
}

impl<T: PartialEq> PartialEq<Vec<T>> for &Column<T> {
    fn eq(&self, other: &Vec<T>) -> bool {
        **self == other[..]
    }
}

impl<T: PartialEq, const N: usize> PartialEq<[T; N]> for &Column<T> {
    fn eq(&self, other: &[T; N]) -> bool {
        **self == other[..]
    }
}

impl<'a, T> IntoIterator for &'a Column<T> {
    type Item = &'a T;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

/// Over the entries of a [`Column`].
#[derive(Debug)]
pub struct Iter<'a, T> {
    column: &'a Column<T>,
    at: usize,
    end: usize,
}

impl<T> Clone for Iter<'_, T> {
    fn clone(&self) -> Self {
        Self { ..*self }
    }
}

impl<'a, T> Iterator for Iter<'a, T> {
    type Item = &'a T;

    fn next(&mut self) -> Option<&'a T> {
        if self.at == self.end {
            return None;
        }
        self.at += 1;
        Some(&self.column[self.at - 1])
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.len(), Some(self.len()))
    }

    fn nth(&mut self, n: usize) -> Option<&'a T> {
        self.at = self.at.saturating_add(n).min(self.end);
        self.next()
    }
}

impl<'a, T> DoubleEndedIterator for Iter<'a, T> {
    fn next_back(&mut self) -> Option<&'a T> {
        if self.at == self.end {
            return None;
        }
        self.end -= 1;
        Some(&self.column[self.end])
    }
}

impl<T> ExactSizeIterator for Iter<'_, T> {
    fn len(&self) -> usize {
        self.end - self.at
    }
}

impl<T> FusedIterator for Iter<'_, T> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_vector_in_all_but_memory() {
        let mut column = Column::default();
        let mut vector = Vec::new();
        for (count, keep) in [(3, 3), (5_000, 4_096), (9_000, 12_000), (1, 8_192), (10, 0), (4_097, 4_097)] {
            column.extend(0..count);
            vector.extend(0..count);
            column.truncate(keep);
            vector.truncate(keep);
            assert_eq!(&column, vector);
            assert_eq!((column.first(), column.last()), (vector.first(), vector.last()));
            assert_eq!(
                column.range(2..7).copied().collect::<Vec<_>>(),
                vector.iter().skip(2).take(5.min(vector.len().saturating_sub(2))).copied().collect::<Vec<_>>()
            );
            assert!(
                column.iter().rev().eq(vector.iter().rev()) && column.iter().step_by(7).eq(vector.iter().step_by(7))
            );
        }
        let sorted: Column<usize> = (0..9_001).map(|i| 2 * i).collect();
        for at in [0, 1, 2, 8_190, 8_191, 8_192, 8_193, 18_000, 18_001, 99_999] {
            assert_eq!(sorted.partition_point(|v| *v < at), at.div_ceil(2).min(9_001), "{at}");
        }
        assert_eq!(Column::<u8>::default().partition_point(|_| true), 0);
    }

    #[test]
    fn it_holds_little_more_than_it_needs() {
        let mut column = Column::default();
        for i in 0..100_000_u64 {
            column.push(i);
            let needed = 8 * column.len();
            let allowed = if column.len() < PIECE { 2 * needed + 200 } else { needed + 8 * PIECE + 2_000 };
            assert!((needed..=allowed).contains(&column.bytes()), "{} of {needed}", column.bytes());
        }
        column.truncate(10);
        assert!(column.bytes() < 8 * PIECE + 2_000);
    }
}
