//! How the worker's time is shared between training and measuring.

use std::time::Duration;

/// Seconds after which past work counts half: long enough to spread one slow product, short enough that a
/// turned knob is felt at once.
const HALF_LIFE_SECS: f64 = 2.0;

/// Running account of time spent in training and in probes.
#[derive(Clone, Debug, Default)]
pub struct Budget {
    training_secs: f64,
    probing_secs: f64,
}

impl Budget {
    pub fn trained(&mut self, time: Duration) {
        self.forget(time);
        self.training_secs += time.as_secs_f64();
    }

    pub fn probed(&mut self, time: Duration) {
        self.forget(time);
        self.probing_secs += time.as_secs_f64();
    }

    /// Share of recent time that went to probes, in [0, 1].
    pub fn probe_share(&self) -> f64 {
        let total = self.training_secs + self.probing_secs;
        if total > 0.0 { self.probing_secs / total } else { 0.0 }
    }

    /// Whether a probe may work now under `budget`, a share in [0, 1].
    pub fn allows(&self, budget: f64) -> bool {
        budget > 0.0 && self.training_secs > 0.0 && self.probe_share() < budget
    }

    fn forget(&mut self, time: Duration) {
        let keep = 0.5_f64.powf(time.as_secs_f64() / HALF_LIFE_SECS);
        self.training_secs *= keep;
        self.probing_secs *= keep;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_in_pieces_settles_at_the_budget() {
        for share in [0.1, 0.25, 0.6] {
            let (mut budget, mut probing, mut total) = (Budget::default(), 0.0, 0.0);
            for _ in 0..20_000 {
                if budget.allows(share) {
                    budget.probed(Duration::from_millis(15));
                    probing += 15.0;
                    total += 15.0;
                } else {
                    budget.trained(Duration::from_millis(4));
                    total += 4.0;
                }
            }
            let measured: f64 = probing / total;
            assert!((measured - share).abs() < 0.02, "{measured} for {share}");
        }
    }

    #[test]
    fn no_budget_means_no_probes() {
        let mut budget = Budget::default();
        budget.trained(Duration::from_secs(100));
        assert!(!budget.allows(0.0));
        assert!(budget.allows(0.01));
    }
}
