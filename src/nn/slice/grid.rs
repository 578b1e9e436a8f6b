//! Nested grids: every level holds all points of the one before.

/// Points a side of the first level, at most.
const COARSEST: usize = 11;
/// Points a side that a slice can be refined to.
pub const LEVELS: [usize; 5] = [9, 17, 33, 41, 65];

/// Points a side of the first level of a grid that ends with `finest`: 9, or 11 for 41.
fn coarsest(finest: usize) -> usize {
    let mut side = finest;
    while side > COARSEST {
        side = side.div_ceil(2);
    }
    side
}

/// Values on the square grid `[-radius, radius]^2` that is being refined from 9x9 (or 11x11) on. A point of one level is a point
/// of all later ones, at the same coordinates to the last bit, and isn't computed twice.
#[derive(Clone, Debug)]
pub struct Grid<V> {
    radius: f64,
    side: usize,
    finest: usize,
    /// Row-major `[side, side]`.
    values: Vec<Option<V>>,
    /// Points that this level adds, the innermost first, of which `done` have values.
    order: Vec<usize>,
    done: usize,
}

impl<V: Copy> Grid<V> {
    /// An empty 9x9 grid (11x11 on the way to 41) that can be refined to `finest` points a side, one of [`LEVELS`].
    pub fn new(radius: f64, finest: usize) -> Self {
        debug_assert!(LEVELS.contains(&finest));
        let side = coarsest(finest);
        let mut grid = Self { radius, side, finest, values: vec![None; side * side], order: Vec::new(), done: 0 };
        grid.arrange();
        grid
    }

    /// Points a side of the level that is being computed.
    pub fn side(&self) -> usize {
        self.side
    }

    /// Row-major `[side, side]`; row `j` has `b = coordinate(j)`, column `i` has `a = coordinate(i)`.
    pub fn values(&self) -> &[Option<V>] {
        &self.values
    }

    /// Of grid line `i`.
    pub fn coordinate(&self, i: usize) -> f64 {
        self.radius * (2.0 * i as f64 / (self.side - 1) as f64 - 1.0)
    }

    /// `[a, b]` of the points that this level still lacks, in the order in which [`Self::fill`] takes their values.
    pub fn missing(&self) -> Vec<[f64; 2]> {
        self.order[self.done..].iter().map(|&at| self.site(at)).collect()
    }

    /// Gives values to the next missing points.
    pub fn fill(&mut self, values: impl IntoIterator<Item = V>) {
        for value in values {
            self.values[self.order[self.done]] = Some(value);
            self.done += 1;
        }
    }

    pub fn level_is_complete(&self) -> bool {
        self.done == self.order.len()
    }

    /// Whether this level is complete and the last.
    pub fn is_complete(&self) -> bool {
        self.level_is_complete() && self.side == self.finest
    }

    /// Goes on to the next level; `false` if there is none.
    pub fn refine(&mut self) -> bool {
        if self.side == self.finest {
            return false;
        }
        let (old, side) = (self.side, 2 * self.side - 1);
        let mut values = vec![None; side * side];
        for (at, value) in self.values.iter().enumerate() {
            values[2 * (at / old) * side + 2 * (at % old)] = *value;
        }
        self.values = values;
        self.side = side;
        self.arrange();
        true
    }

    fn arrange(&mut self) {
        let mut order: Vec<_> = (0..self.values.len()).filter(|&at| self.values[at].is_none()).collect();
        let centre = self.side / 2;
        order.sort_by_key(|&at| (at % self.side).abs_diff(centre).pow(2) + (at / self.side).abs_diff(centre).pow(2));
        self.order = order;
        self.done = 0;
    }

    fn site(&self, at: usize) -> [f64; 2] {
        [self.coordinate(at % self.side), self.coordinate(at / self.side)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete(grid: &mut Grid<[f64; 2]>) -> usize {
        let missing = grid.missing();
        grid.fill(missing.clone());
        missing.len()
    }

    #[test]
    fn levels_nest_exactly_and_compute_each_point_once() {
        for finest in LEVELS {
            nests(Grid::new(0.3, finest), finest);
        }
    }

    fn nests(mut grid: Grid<[f64; 2]>, finest: usize) {
        let mut computed = 0;
        loop {
            computed += complete(&mut grid);
            assert!(grid.level_is_complete());
            // What a point was given as its value are the coordinates at the level that computed it.
            for (at, value) in grid.values().iter().enumerate() {
                let here = [grid.coordinate(at % grid.side()), grid.coordinate(at / grid.side())];
                assert_eq!(value.unwrap().map(f64::to_bits), here.map(f64::to_bits));
            }
            assert_eq!(computed, grid.side().pow(2));
            if !grid.refine() {
                break;
            }
        }
        assert_eq!(grid.side(), finest);
        assert!(grid.is_complete());
    }

    #[test]
    fn the_centre_comes_first_and_the_corners_last() {
        let grid = Grid::<()>::new(2.0, 9);
        let missing = grid.missing();
        assert_eq!(missing[0], [0.0, 0.0]);
        assert!(missing[1..5].iter().all(|p| p[0].abs() + p[1].abs() == 0.5));
        assert!(missing[77..].iter().all(|p| p[0].abs() == 2.0 && p[1].abs() == 2.0));
    }

    #[test]
    fn half_filled_levels_resume_where_they_were() {
        let mut grid = Grid::new(1.0, 17);
        let first = grid.missing();
        grid.fill(first[..10].iter().copied());
        assert!(!grid.level_is_complete());
        assert_eq!(grid.missing(), first[10..]);
        assert_eq!(grid.values().iter().flatten().count(), 10);
    }
}
