//! The points of a slice that an expensive metric is measured at, in order.

use crate::record::SliceExtent;

/// Points a side that every grid is counted in: what a point is doesn't depend on how far a slice is refined.
pub(super) const FINEST: usize = 65;

/// Points that are measured before something is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Round {
    /// Points a side of the grid that is shown after it.
    pub side: usize,
    /// (column, row) on the grid of [`FINEST`] points a side, the innermost first.
    pub sites: Vec<[usize; 2]>,
}

/// The rounds of a slice: the axes at nine points, the axes at more or the rest of that grid, and so on, every point
/// once. The axes come first since a profile is a picture by itself.
pub(super) fn rounds(extent: SliceExtent) -> Vec<Round> {
    let plans: &[(usize, bool)] = match extent {
        SliceExtent::Axes => &[(9, true), (17, true)],
        SliceExtent::Coarse => &[(9, true), (9, false)],
        SliceExtent::Medium => &[(9, true), (9, false), (17, false)],
        SliceExtent::Fine => &[(9, true), (9, false), (17, false), (33, false)],
    };
    let centre = FINEST / 2;
    let mut seen = vec![false; FINEST * FINEST];
    let mut rounds = Vec::new();
    for &(side, axes_alone) in plans {
        let stride = (FINEST - 1) / (side - 1);
        let mut sites = Vec::new();
        for row in (0..FINEST).step_by(stride) {
            for column in (0..FINEST).step_by(stride) {
                let on_axis = row == centre || column == centre;
                if (on_axis || !axes_alone) && !std::mem::replace(&mut seen[row * FINEST + column], true) {
                    sites.push([column, row]);
                }
            }
        }
        sites.sort_by_key(|site| site.map(|x| x.abs_diff(centre).pow(2)).iter().sum::<usize>());
        // Of the very first round something can be seen early.
        let early = if rounds.is_empty() { sites.split_off(5) } else { Vec::new() };
        rounds.push(Round { side, sites });
        if !early.is_empty() {
            rounds.push(Round { side, sites: early });
        }
    }
    rounds
}

/// Coordinate of a line of the finest grid, in [-radius, radius]: to the last bit as on every coarser grid.
pub(super) fn coordinate(at: usize, radius: f64) -> f64 {
    radius * (2.0 * at as f64 / (FINEST - 1) as f64 - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_point_comes_once_and_the_axes_come_first() {
        for (extent, total) in [
            (SliceExtent::Axes, 33),
            (SliceExtent::Coarse, 81),
            (SliceExtent::Medium, 289),
            (SliceExtent::Fine, 33 * 33),
        ] {
            let rounds = rounds(extent);
            let mut sites: Vec<_> = rounds.iter().flat_map(|round| round.sites.clone()).collect();
            assert_eq!(sites[0], [32, 32], "the centre is first");
            assert!(sites[..17].iter().all(|site| site.contains(&32)));
            sites.sort_unstable();
            sites.dedup();
            assert_eq!(sites.len(), total, "{extent:?}");
        }
    }

    #[test]
    fn coordinates_are_those_of_the_loss() {
        let mut grid = crate::nn::slice::grid::Grid::<()>::new(0.3, 17);
        for side in [9, 17] {
            for i in 0..side {
                let at = i * (FINEST - 1) / (side - 1);
                assert_eq!(coordinate(at, 0.3).to_bits(), grid.coordinate(i).to_bits());
            }
            grid.fill(vec![(); grid.missing().len()]);
            grid.refine();
        }
    }
}
