//! Iso-lines of a grid by marching squares.

const NONE: u32 = u32::MAX;

/// Where a row-major grid `[rows, columns]` of point values crosses `level`, as polylines in grid units: point
/// (i, j) of the grid is at `[i, j]`. Closed lines end where they began.
///
/// Each cell between four points is crossed by straight segments through the linear interpolations on its edges; in a
/// saddle (two opposite corners above), the mean of the corners stands for the centre and decides which corners are
/// joined. Cells with a corner that isn't finite have no line.
///
/// Source: W. E. Lorensen and H. E. Cline, "Marching cubes", 1987, in two dimensions, with the saddle rule of
/// G. Wyvill et al., 1986.
pub fn contour(values: &[f32], columns: usize, rows: usize, level: f32) -> Vec<Vec<[f64; 2]>> {
    if columns < 2 || rows < 2 || values.len() < columns * rows || !level.is_finite() {
        return Vec::new();
    }
    let mut links = Links::new(values, columns, level);
    for j in 0..rows - 1 {
        for i in 0..columns - 1 {
            links.cross_cell(i, j);
        }
    }
    links.into_polylines()
}

/// An edge of the grid is named `2 point` (to the right of the point) or `2 point + 1` (upwards of it).
struct Links<'a> {
    values: &'a [f32],
    columns: usize,
    level: f32,
    /// The one or two edges that each edge's crossing is joined with.
    next: Vec<[u32; 2]>,
    crossed: Vec<u32>,
}

impl<'a> Links<'a> {
    fn new(values: &'a [f32], columns: usize, level: f32) -> Self {
        Self { values, columns, level, next: vec![[NONE; 2]; 2 * values.len()], crossed: Vec::new() }
    }

    fn cross_cell(&mut self, i: usize, j: usize) {
        let point = j * self.columns + i;
        // Counter-clockwise from the lower left.
        let corners = [point, point + 1, point + 1 + self.columns, point + self.columns].map(|p| self.values[p]);
        if !corners.iter().all(|v| v.is_finite()) {
            return;
        }
        let above = corners.map(|v| v >= self.level);
        let case = above.iter().enumerate().fold(0, |case, (bit, &above)| case | usize::from(above) << bit);
        let [bottom, right, top, left] = [2 * point, 2 * (point + 1) + 1, 2 * (point + self.columns), 2 * point + 1];
        match case {
            0 | 15 => {}
            1 | 14 => self.join(left, bottom),
            2 | 13 => self.join(bottom, right),
            4 | 11 => self.join(right, top),
            8 | 7 => self.join(top, left),
            3 | 12 => self.join(left, right),
            6 | 9 => self.join(bottom, top),
            // Saddles: 5 has the lower left and the upper right above the level, 10 the other two.
            saddle => {
                let centre_above = corners.iter().sum::<f32>() / 4.0 >= self.level;
                if centre_above == (saddle == 5) {
                    self.join(bottom, right);
                    self.join(top, left);
                } else {
                    self.join(left, bottom);
                    self.join(right, top);
                }
            }
        }
    }

    fn join(&mut self, a: usize, b: usize) {
        for (from, to) in [(a, b), (b, a)] {
            let slot = &mut self.next[from];
            if slot[0] == NONE {
                self.crossed.push(from as u32);
                slot[0] = to as u32;
            } else {
                slot[1] = to as u32;
            }
        }
    }

    fn into_polylines(mut self) -> Vec<Vec<[f64; 2]>> {
        let mut lines = Vec::new();
        let crossed = std::mem::take(&mut self.crossed);
        // Open lines first, from an end; what is left are loops.
        for ends in [true, false] {
            for &start in &crossed {
                let [a, b] = self.next[start as usize];
                if a != NONE && (!ends || b == NONE) {
                    lines.push(self.follow(start));
                }
            }
        }
        lines
    }

    /// Walks along the links from `start`, removing them.
    fn follow(&mut self, start: u32) -> Vec<[f64; 2]> {
        let mut line = vec![self.crossing(start)];
        let mut at = start;
        loop {
            let [to, other] = std::mem::replace(&mut self.next[at as usize], [NONE; 2]);
            let to = if to == NONE { other } else { to };
            if to == NONE {
                return line;
            }
            if at == start && other != NONE {
                // A loop: the last edge will find its way back to here.
                self.next[start as usize] = [NONE, NONE];
                let back = &mut self.next[other as usize];
                *back = if back[0] == start { [back[0], back[1]] } else { [back[1], back[0]] };
            }
            let slot = &mut self.next[to as usize];
            if slot[0] == at {
                *slot = [slot[1], NONE];
            } else if slot[1] == at {
                slot[1] = NONE;
            }
            line.push(self.crossing(to));
            at = to;
        }
    }

    /// Where the level lies on an edge, by linear interpolation.
    fn crossing(&self, edge: u32) -> [f64; 2] {
        let (point, upwards) = (edge as usize / 2, edge % 2 == 1);
        let other = if upwards { point + self.columns } else { point + 1 };
        let (a, b) = (f64::from(self.values[point]), f64::from(self.values[other]));
        let t = ((f64::from(self.level) - a) / (b - a)).clamp(0.0, 1.0);
        let (i, j) = ((point % self.columns) as f64, (point / self.columns) as f64);
        if upwards { [i, j + t] } else { [i + t, j] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(n: usize, f: impl Fn(f64, f64) -> f64) -> Vec<f32> {
        (0..n * n).map(|k| f((k % n) as f64, (k / n) as f64) as f32).collect()
    }

    #[test]
    fn a_circle_is_one_closed_line_at_its_radius() {
        let n = 41;
        let values = grid(n, |x, y| ((x - 20.0).powi(2) + (y - 20.0).powi(2)).sqrt());
        let lines = contour(&values, n, n, 13.3);
        assert_eq!(lines.len(), 1);
        let line = &lines[0];
        assert_eq!(line.first(), line.last());
        for [x, y] in line {
            let r = ((x - 20.0).powi(2) + (y - 20.0).powi(2)).sqrt();
            assert!((r - 13.3).abs() < 0.02, "{r}");
        }
        let length: f64 = line.windows(2).map(|p| (p[1][0] - p[0][0]).hypot(p[1][1] - p[0][1])).sum();
        assert!((length / (2.0 * std::f64::consts::PI * 13.3) - 1.0).abs() < 5e-3, "{length}");
    }

    #[test]
    fn a_plane_gives_one_straight_open_line() {
        let n = 9;
        let lines = contour(&grid(n, |x, y| x + 2.0 * y), n, n, 7.5);
        assert_eq!(lines.len(), 1);
        assert!(lines[0].iter().all(|[x, y]| (x + 2.0 * y - 7.5).abs() < 1e-6));
        let ends = [lines[0][0], lines[0][lines[0].len() - 1]];
        assert!(ends.iter().any(|p| p[0] == 0.0) && ends.iter().any(|p| p[1] == 0.0), "{ends:?}");
    }

    #[test]
    fn two_minima_give_two_loops() {
        let n = 33;
        let well = |x: f64, y: f64, cx: f64| -(-((x - cx).powi(2) + (y - 16.0).powi(2)) / 12.0).exp();
        let values = grid(n, |x, y| well(x, y, 8.0) + well(x, y, 24.0));
        let lines = contour(&values, n, n, -0.5);
        assert_eq!(lines.len(), 2);
        assert!(lines.iter().all(|line| line.first() == line.last() && line.len() > 8));
    }

    #[test]
    fn a_saddle_is_decided_by_its_centre() {
        // Two opposite corners above. Low centre: each above-corner is cut off by itself; high centre: they are joined.
        let low = contour(&[1.0, 0.0, 0.0, 1.0], 2, 2, 0.9);
        assert_eq!(low.len(), 2);
        assert!(low.iter().all(|line| line.iter().map(|p| (p[0] - p[1]).abs()).sum::<f64>() < 0.25), "{low:?}");
        let high = contour(&[1.0, 0.0, 0.0, 1.0], 2, 2, 0.1);
        assert_eq!(high.len(), 2);
        // The lines now cut off the two corners below.
        let near = |p: &[f64; 2], c: [f64; 2]| (p[0] - c[0]).hypot(p[1] - c[1]) < 0.15;
        assert!(high.iter().all(|line| line.iter().all(|p| near(p, [1.0, 0.0]) || near(p, [0.0, 1.0]))), "{high:?}");
        // The exact saddle xy on a fine grid: four arms, never crossing the axes of the other sign.
        let n = 21;
        let lines = contour(&grid(n, |x, y| (x - 10.0) * (y - 10.0)), n, n, 4.0);
        assert_eq!(lines.len(), 2);
        assert!(lines.iter().flatten().all(|[x, y]| (x - 10.0) * (y - 10.0) > 3.0));
    }

    #[test]
    fn missing_points_break_the_line_and_nothing_else() {
        let n = 9;
        let mut values = grid(n, |x, _| x);
        values[4 * n + 3] = f32::NAN;
        values[0] = f32::INFINITY;
        let lines = contour(&values, n, n, 3.5);
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines.iter().flatten().all(|[x, y]| *x == 3.5 && (*y <= 3.0 || *y >= 5.0)));
        assert!(contour(&[f32::NAN; 9], 3, 3, 0.0).is_empty());
        assert!(contour(&[1.0; 9], 3, 3, 1.0).is_empty(), "a plateau at the level has no line");
        assert!(contour(&[1.0], 1, 1, 1.0).is_empty());
        assert!(contour(&[], 3, 3, 1.0).is_empty());
    }

    #[test]
    fn every_crossed_edge_is_visited_once() {
        // Pseudo-random heights: many saddles, many pieces.
        let n = 30;
        let mut state = 1_u32;
        let values: Vec<f32> = (0..n * n)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 8) as f32 / 16_777_216.0
            })
            .collect();
        let above = |k: usize| values[k] >= 0.5;
        let mut edges = 0;
        for k in 0..n * n {
            edges += usize::from(k % n + 1 < n && above(k) != above(k + 1));
            edges += usize::from(k / n + 1 < n && above(k) != above(k + n));
        }
        let lines = contour(&values, n, n, 0.5);
        let points: usize = lines.iter().map(|l| if l.first() == l.last() { l.len() - 1 } else { l.len() }).sum();
        assert_eq!(points, edges);
    }
}
