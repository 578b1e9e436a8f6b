//! Rows of equally many numbers in pieces of one size, as a [`super::column::Column`] holds single values.

/// Bytes of a whole piece, about.
const PIECE_BYTES: usize = 32_768;

#[derive(Clone, Debug, Default)]
pub(super) struct Rows {
    width: usize,
    len: usize,
    /// Each whole but the last.
    pieces: Vec<Vec<f32>>,
}

impl Rows {
    pub fn of_width(width: usize) -> Self {
        Self { width, ..Self::default() }
    }

    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows of a whole piece.
    fn whole(&self) -> usize {
        (PIECE_BYTES / (4 * self.width.max(1))).max(1)
    }

    pub fn row(&self, index: usize) -> &[f32] {
        let (piece, row) = (index / self.whole(), index % self.whole());
        &self.pieces[piece][row * self.width..(row + 1) * self.width]
    }

    pub fn push(&mut self, row: &[f32]) {
        let whole = self.whole();
        if self.len == self.pieces.len() * whole {
            self.pieces.push(Vec::new());
        }
        let Some(piece) = self.pieces.last_mut() else { return };
        if piece.len() + row.len() > piece.capacity() {
            let rows = piece.len() / self.width.max(1);
            piece.reserve_exact(self.width * rows.clamp(whole.min(4), (whole - rows).max(1)));
        }
        piece.extend_from_slice(row);
        self.len += 1;
    }

    pub fn set(&mut self, index: usize, row: &[f32]) {
        let (piece, at) = (index / self.whole(), index % self.whole());
        self.pieces[piece][at * self.width..(at + 1) * self.width].copy_from_slice(row);
    }

    pub fn copy(&mut self, from: usize, to: usize) {
        if from != to {
            let row = self.row(from).to_vec();
            self.set(to, &row);
        }
    }

    pub fn truncate(&mut self, len: usize) {
        if len >= self.len {
            return;
        }
        let whole = self.whole();
        self.pieces.truncate(len.div_ceil(whole));
        if let Some(piece) = self.pieces.last_mut() {
            piece.truncate((len - (len.div_ceil(whole) - 1) * whole) * self.width);
        }
        self.len = len;
    }

    /// Memory that is held, used or not.
    pub fn bytes(&self) -> usize {
        let last = self.pieces.last().map_or(0, Vec::capacity);
        let whole = self.whole() * self.width * self.pieces.len().saturating_sub(1);
        4 * (whole + last) + self.pieces.capacity() * size_of::<Vec<f32>>()
    }
}

impl PartialEq for Rows {
    fn eq(&self, other: &Self) -> bool {
        (self.width, self.len) == (other.width, other.len) && (0..self.len).all(|i| self.row(i) == other.row(i))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_and_memory_is_what_they_need() {
        for width in [1, 3, 40, 9_000] {
            let mut rows = Rows::of_width(width);
            let row = |i: usize| (0..width).map(|k| (i * 7 + k) as f32).collect::<Vec<_>>();
            let count = 400_000 / width + 3;
            (0..count).for_each(|i| rows.push(&row(i)));
            assert!((0..count).all(|i| rows.row(i) == row(i)), "{width}");
            let needed = 4 * width * count;
            assert!(rows.bytes() >= needed && rows.bytes() < needed + 4 * width + 2 * PIECE_BYTES, "{width}");
            rows.truncate(count / 2);
            rows.push(&row(5));
            assert_eq!((rows.row(count / 2 - 1), rows.row(count / 2)), (&row(count / 2 - 1)[..], &row(5)[..]));
            rows.truncate(0);
            assert_eq!(rows, Rows::of_width(width));
        }
    }
}
