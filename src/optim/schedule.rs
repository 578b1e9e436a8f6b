//! The learning rate over time.

use super::spec::{OptimizerSpec, ScheduleKind, ScheduleSpec};

/// Learning rate of the update that leads from `step` to `step + 1`, of `total_steps` updates.
///
/// With s = `step`, W the warm-up and N the total: `lr min(1, (s + 1) / W)`; the cosine multiplies that, from s = W,
/// by `(1 + cos(pi (s - W) / (N - 1 - W))) / 2` (Loshchilov and Hutter 2017, without restarts), the linear schedule by
/// `1 - (s - W) / (N - 1 - W)`. Both are 0 at the last step (s = N - 1) and stay so after it.
pub fn lr_at(optimizer: &OptimizerSpec, schedule: &ScheduleSpec, step: u64, total_steps: u64) -> f64 {
    let warmup = schedule.warmup_steps;
    let rise = if warmup == 0 { 1.0 } else { ((step + 1) as f64 / warmup as f64).min(1.0) };
    let factor = match schedule.kind {
        ScheduleKind::Constant => 1.0,
        ScheduleKind::Warmup => rise,
        ScheduleKind::Cosine | ScheduleKind::Linear if step < warmup => rise,
        ScheduleKind::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * share_of_fall(step, warmup, total_steps)).cos()),
        ScheduleKind::Linear => 1.0 - share_of_fall(step, warmup, total_steps),
    };
    optimizer.lr * factor
}

/// How much of the way from the end of the warm-up to the last step is done.
fn share_of_fall(step: u64, warmup: u64, total_steps: u64) -> f64 {
    let length = total_steps.saturating_sub(1).saturating_sub(warmup);
    if length == 0 { 1.0 } else { ((step - warmup) as f64 / length as f64).min(1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(kind: ScheduleKind, warmup_steps: u64, total: u64, steps: u64) -> Vec<f64> {
        let optimizer = OptimizerSpec { lr: 2.0, ..OptimizerSpec::default() };
        (0..steps).map(|s| lr_at(&optimizer, &ScheduleSpec { kind, warmup_steps }, s, total)).collect()
    }

    #[test]
    fn constant_ignores_the_warm_up() {
        assert_eq!(rates(ScheduleKind::Constant, 10, 3, 5), [2.0; 5]);
    }

    #[test]
    fn warm_up_rises_linearly_and_never_starts_at_zero() {
        assert_eq!(rates(ScheduleKind::Warmup, 4, 100, 6), [0.5, 1.0, 1.5, 2.0, 2.0, 2.0]);
        assert_eq!(rates(ScheduleKind::Warmup, 0, 100, 2), [2.0, 2.0]);
    }

    #[test]
    fn cosine_ends_at_zero_on_the_last_step_and_is_halfway_in_the_middle() {
        let rates = rates(ScheduleKind::Cosine, 2, 7, 9);
        assert_eq!(rates[..3], [1.0, 2.0, 2.0]);
        assert!((rates[4] - 1.0).abs() < 1e-15, "{rates:?}");
        assert!(rates[6..].iter().all(|&lr| lr.abs() < 1e-15), "{rates:?}");
        assert!(rates[2..7].windows(2).all(|w| w[1] < w[0]));
    }

    #[test]
    fn linear_falls_evenly_to_zero_on_the_last_step() {
        assert_eq!(rates(ScheduleKind::Linear, 2, 7, 9), [1.0, 2.0, 2.0, 1.5, 1.0, 0.5, 0.0, 0.0, 0.0]);
        assert_eq!(rates(ScheduleKind::Linear, 0, 1, 2), [0.0, 0.0]);
    }

    #[test]
    fn a_run_shorter_than_its_warm_up_only_rises() {
        assert_eq!(rates(ScheduleKind::Cosine, 4, 2, 2), [0.5, 1.0]);
    }
}
