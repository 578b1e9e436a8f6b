//! Where training came from: past parameters, thinned as the run grows.

use std::sync::Arc;

use crate::probes::job::PastPoint;

/// Memory for past parameters.
const BUDGET_BYTES: usize = 64 << 20;
const MOST_POINTS: usize = 256;
const FEWEST_POINTS: usize = 16;

/// Parameters at multiples of a stride that doubles whenever the budget is full, so that the points
/// always cover the whole run evenly.
#[derive(Clone, Debug)]
pub struct History {
    points: Vec<PastPoint>,
    stride: u64,
    capacity: usize,
}

impl History {
    /// For networks of `parameters` numbers.
    pub fn new(parameters: usize) -> Self {
        let capacity = (BUDGET_BYTES / (4 * parameters.max(1))).clamp(FEWEST_POINTS, MOST_POINTS);
        Self { points: Vec::new(), stride: 1, capacity }
    }

    /// Whether the parameters after `step` updates are to be kept.
    pub fn wants(&self, step: u64) -> bool {
        step.is_multiple_of(self.stride) && self.points.last().is_none_or(|point| point.step < step)
    }

    pub fn push(&mut self, point: PastPoint) {
        self.points.push(point);
        if self.points.len() > self.capacity {
            self.stride *= 2;
            let stride = self.stride;
            self.points.retain(|point| point.step.is_multiple_of(stride));
        }
    }

    /// Forgets what came after `step`.
    pub fn rewind(&mut self, step: u64) {
        self.points.retain(|point| point.step <= step);
    }

    /// The kept points, then the one `before` the current one, if it is known, and the current one.
    pub fn up_to(&self, before: Option<PastPoint>, current: PastPoint) -> Arc<Vec<PastPoint>> {
        let mut points: Vec<_> = self.points.iter().filter(|point| point.step < current.step).cloned().collect();
        let newest = points.last().map(|point| point.step);
        points.extend(before.filter(|before| before.step < current.step && newest.is_none_or(|s| s < before.step)));
        points.push(current);
        Arc::new(points)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(step: u64) -> PastPoint {
        PastPoint { step, loss: 0.0, params: Arc::new(Vec::new()) }
    }

    #[test]
    fn points_cover_the_run_evenly_within_the_budget() {
        let mut history = History::new(1 << 20);
        for step in 0..5_000 {
            if history.wants(step) {
                history.push(point(step));
            }
        }
        let steps: Vec<_> = history.points.iter().map(|p| p.step).collect();
        assert!(steps.len() <= FEWEST_POINTS + 1 && steps.len() >= FEWEST_POINTS / 2, "{steps:?}");
        assert_eq!(steps[0], 0);
        assert!(steps.windows(2).all(|pair| pair[1] - pair[0] == history.stride), "{steps:?}");
        assert_eq!(history.up_to(None, point(5_000)).last().unwrap().step, 5_000);
    }

    #[test]
    fn the_point_before_the_current_one_comes_once() {
        let mut history = History::new(10);
        history.push(point(0));
        history.push(point(4));
        let steps = |before, current| {
            let path = history.up_to(before, point(current));
            path.iter().map(|p| p.step).collect::<Vec<_>>()
        };
        assert_eq!(steps(Some(point(8)), 9), [0, 4, 8, 9]);
        assert_eq!(steps(Some(point(4)), 5), [0, 4, 5]);
        assert_eq!(steps(None, 9), [0, 4, 9]);
    }

    #[test]
    fn rewinding_lets_the_same_steps_come_again() {
        let mut history = History::new(10);
        for step in 0..10 {
            history.push(point(step));
        }
        history.rewind(4);
        assert!(history.wants(5) && !history.wants(4));
    }
}
