//! The coordinate check: how large activations are, and how far training moves them, against width.
//!
//! In a parametrisation with a limit of infinite width, both are independent of width at every step, in every module
//! (Yang and Hu 2021; `microsoft/mup`'s `coord_check`). Here that becomes a number: the slope of log2(scale) against
//! log2(width), 0 if flat, with its standard error, and a verdict.

use crate::base::statistics::{LineFit, least_squares};

/// What is measured of a module's activations h at a step, over a fixed batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statistic {
    /// `sqrt(mean h^2)`.
    Rms,
    /// `mean |h - h_0|`, with h_0 those at the start: what training did.
    Change,
}

/// Largest |slope| that counts as flat: 7 % a doubling.
pub const FLAT: f64 = 0.1;
/// Least |slope| that counts as wrong: half of 1/2.
///
/// Theory's exponents are multiples of 1/2, so what is wrong in the limit of width shows as some 0.5 or 1. Between the two
/// lie corrections that vanish with width (muP's outputs at widths of 64 to 512 show -0.1 to -0.2) and slow drifts.
pub const WRONG: f64 = 0.25;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Finding {
    /// |slope| at most [`FLAT`], and with two standard errors at most [`WRONG`].
    Flat,
    /// |slope| between [`FLAT`] and [`WRONG`], and two standard errors from 0.
    Drifts,
    /// Slope at least [`WRONG`], and two standard errors above [`FLAT`].
    Grows,
    /// The same below 0.
    Shrinks,
    /// The noise is too large to say: more seeds, more widths.
    Unclear,
    /// So many of the runs left the finite numbers.
    Diverged { runs: usize },
    /// Training didn't move the module at all.
    Still,
}

/// What the check says of a module.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    pub module: String,
    pub finding: Finding,
    /// Slope of the change over the first and over the last third of the updates.
    pub early: Option<LineFit>,
    pub late: Option<LineFit>,
    /// Slope of the activations' size before the first update.
    pub start: Option<LineFit>,
}

/// Measurements of every run of a check.
#[derive(Clone, Debug, PartialEq)]
pub struct CoordCheck {
    /// The network and what else was the same at all widths.
    pub title: String,
    /// Taps, input side first, then the outputs.
    pub modules: Vec<String>,
    /// Rising.
    pub widths: Vec<usize>,
    pub seeds: Vec<u64>,
    /// Updates of each run; measured at steps 0 to this.
    pub steps: usize,
    /// `[width, seed, step, module]`, NaN where a run had diverged.
    rms: Vec<f64>,
    change: Vec<f64>,
}

impl CoordCheck {
    pub fn new(title: String, modules: Vec<String>, widths: Vec<usize>, seeds: Vec<u64>, steps: usize) -> Self {
        let len = widths.len() * seeds.len() * (steps + 1) * modules.len();
        Self { title, modules, widths, seeds, steps, rms: vec![f64::NAN; len], change: vec![f64::NAN; len] }
    }

    /// Enters the statistics of all modules of run (width, seed), by index, at a step.
    pub fn enter(&mut self, width: usize, seed: usize, step: usize, rms: &[f64], change: &[f64]) {
        let from = self.place(width, seed, step, 0);
        self.rms[from..from + self.modules.len()].copy_from_slice(rms);
        self.change[from..from + self.modules.len()].copy_from_slice(change);
    }

    fn place(&self, width: usize, seed: usize, step: usize, module: usize) -> usize {
        ((width * self.seeds.len() + seed) * (self.steps + 1) + step) * self.modules.len() + module
    }

    /// A measurement; width and seed by index.
    pub fn value(&self, statistic: Statistic, width: usize, seed: usize, step: usize, module: usize) -> f64 {
        let at = self.place(width, seed, step, module);
        match statistic {
            Statistic::Rms => self.rms[at],
            Statistic::Change => self.change[at],
        }
    }

    /// log2(scale) of a run, averaged over steps; not finite if it is that at one of them.
    fn log_scale(&self, statistic: Statistic, run: (usize, usize), steps: &[usize], module: usize) -> f64 {
        let sum: f64 = steps.iter().map(|&step| self.value(statistic, run.0, run.1, step, module).log2()).sum();
        sum / steps.len() as f64
    }

    /// Mean over the seeds of log2(scale) at a step, as a scale: the geometric mean. Diverged runs are left out.
    pub fn scale(&self, statistic: Statistic, width: usize, step: usize, module: usize) -> f64 {
        let logs: Vec<f64> = (0..self.seeds.len())
            .map(|seed| self.log_scale(statistic, (width, seed), &[step], module))
            .filter(|log| log.is_finite())
            .collect();
        if logs.is_empty() { f64::NAN } else { (logs.iter().sum::<f64>() / logs.len() as f64).exp2() }
    }

    /// Slope of log2(scale) against log2(width) at a step, through the points of all seeds.
    pub fn slope(&self, statistic: Statistic, step: usize, module: usize) -> Option<LineFit> {
        self.mean_slope(statistic, &[step], module)
    }

    /// [`Self::slope`] of the average of log2(scale) over steps: runs, not steps, are the points of the fit, as the steps
    /// of a run aren't independent.
    pub fn mean_slope(&self, statistic: Statistic, steps: &[usize], module: usize) -> Option<LineFit> {
        let runs = (0..self.widths.len()).flat_map(|w| (0..self.seeds.len()).map(move |s| (w, s)));
        least_squares(
            runs.map(|run| [(self.widths[run.0] as f64).log2(), self.log_scale(statistic, run, steps, module)]),
        )
    }

    /// Runs that had left the finite numbers by the last step.
    pub fn diverged(&self) -> usize {
        let runs = (0..self.widths.len()).flat_map(|w| (0..self.seeds.len()).map(move |s| (w, s)));
        let broken =
            |(w, s)| (0..self.modules.len()).any(|m| !self.value(Statistic::Rms, w, s, self.steps, m).is_finite());
        runs.filter(|&run| broken(run)).count()
    }

    /// The verdict on each module, from the change over the first third and the last third of the updates: the worse of
    /// the two counts, so that neither a first blow that later steps hide nor a slow drift passes.
    pub fn verdicts(&self) -> Vec<Verdict> {
        let third = self.steps.div_ceil(3);
        let (first, last): (Vec<_>, Vec<_>) = ((1..=third).collect(), (self.steps + 1 - third..=self.steps).collect());
        let diverged = self.diverged();
        let verdict = |(module, name): (usize, &String)| {
            let early = self.mean_slope(Statistic::Change, &first, module);
            let late = self.mean_slope(Statistic::Change, &last, module);
            let finding = if diverged > 0 {
                Finding::Diverged { runs: diverged }
            } else if self.is_still(module) {
                Finding::Still
            } else {
                worse(finding(early.as_ref()), finding(late.as_ref()), early, late)
            };
            Verdict { module: name.clone(), finding, early, late, start: self.slope(Statistic::Rms, 0, module) }
        };
        self.modules.iter().enumerate().map(verdict).collect()
    }

    fn is_still(&self, module: usize) -> bool {
        let runs = (0..self.widths.len()).flat_map(|w| (0..self.seeds.len()).map(move |s| (w, s)));
        runs.into_iter().all(|(w, s)| (1..=self.steps).all(|t| self.value(Statistic::Change, w, s, t, module) == 0.0))
    }
}

fn finding(fit: Option<&LineFit>) -> Finding {
    let Some(&LineFit { slope, slope_error, .. }) = fit else { return Finding::Unclear };
    let (size, margin) = (slope.abs(), 2.0 * slope_error);
    match size {
        _ if size >= WRONG && size - margin > FLAT && slope > 0.0 => Finding::Grows,
        _ if size >= WRONG && size - margin > FLAT => Finding::Shrinks,
        _ if size <= FLAT && size + margin <= WRONG => Finding::Flat,
        _ if size > FLAT && size < WRONG && size > margin => Finding::Drifts,
        _ => Finding::Unclear,
    }
}

/// What is wrong beats doubt, doubt beats a drift, a drift beats flatness; of two of a kind the steeper.
fn worse(early: Finding, late: Finding, early_fit: Option<LineFit>, late_fit: Option<LineFit>) -> Finding {
    let rank = |finding: Finding| match finding {
        Finding::Flat => 0,
        Finding::Drifts => 1,
        Finding::Unclear => 2,
        _ => 3,
    };
    let steepness = |fit: Option<LineFit>| fit.map_or(0.0, |fit| fit.slope.abs());
    match rank(early).cmp(&rank(late)) {
        std::cmp::Ordering::Less => late,
        std::cmp::Ordering::Greater => early,
        std::cmp::Ordering::Equal if steepness(late_fit) > steepness(early_fit) => late,
        std::cmp::Ordering::Equal => early,
    }
}

impl Finding {
    /// Whether the module's scale surely depends on the width, or no scale was left.
    pub fn fails(self) -> bool {
        matches!(self, Self::Grows | Self::Shrinks | Self::Diverged { .. })
    }

    /// In a word for tables and JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Flat => "flat",
            Self::Drifts => "drifts",
            Self::Grows => "grows",
            Self::Shrinks => "shrinks",
            Self::Unclear => "unclear",
            Self::Diverged { .. } => "diverged",
            Self::Still => "still",
        }
    }
}

/// `0.02 ± 0.03`: a slope with its standard error.
pub fn with_error(fit: Option<&LineFit>) -> String {
    fit.map_or_else(|| "unknown".into(), |fit| format!("{:.2} ± {:.2}", fit.slope, fit.slope_error))
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (early, late) = (with_error(self.early.as_ref()), with_error(self.late.as_ref()));
        match self.finding {
            Finding::Diverged { runs: 1 } => write!(f, "diverged: 1 run left the finite numbers"),
            Finding::Diverged { runs } => write!(f, "diverged: {runs} runs left the finite numbers"),
            Finding::Still => write!(f, "still: training didn't move it"),
            finding => write!(f, "{}: slope {early} early, {late} late", finding.word()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A check whose one module changes by `width^early` and later `width^late`, with noise of some per cent by seed.
    fn check(early: f64, late: f64, noise: f64) -> CoordCheck {
        let (widths, seeds) = (vec![32, 64, 128, 256], vec![0, 1, 2]);
        let mut check = CoordCheck::new("test".into(), vec!["layer 1".into()], widths.clone(), seeds, 9);
        for (w, &width) in widths.iter().enumerate() {
            for seed in 0..3 {
                for step in 0..=9 {
                    // Bounded, without trend in the width, another for each run.
                    let wobble = noise * [1.0, -1.0, 0.3, -0.4, 0.8, -0.7, -0.2][(5 * w + 3 * seed) % 7];
                    let power = (width as f64).powf(if step <= 4 { early } else { late });
                    let change = if step == 0 { 0.0 } else { power * wobble.exp2() };
                    check.enter(w, seed, step, &[(width as f64).powf(-0.5)], &[change]);
                }
            }
        }
        check
    }

    #[test]
    fn slopes_are_exponents() {
        let check = check(0.5, 1.0, 0.0);
        let [verdict] = check.verdicts().try_into().unwrap();
        let slope = |fit: Option<LineFit>| fit.unwrap().slope;
        assert!((slope(verdict.early) - 0.5).abs() < 1e-12);
        assert!((slope(verdict.late) - 1.0).abs() < 1e-12);
        assert!((slope(verdict.start) + 0.5).abs() < 1e-12);
        assert!((check.scale(Statistic::Change, 1, 9, 0) - 64.0).abs() < 1e-9);
    }

    #[test]
    fn the_worse_window_decides() {
        let cases = [
            (0.0, 0.0, 0.02, Finding::Flat),
            (0.05, -0.05, 0.02, Finding::Flat),
            (0.5, 0.0, 0.02, Finding::Grows),
            (0.0, 0.3, 0.02, Finding::Grows),
            (0.0, -0.18, 0.02, Finding::Drifts),
            (0.5, -0.18, 0.02, Finding::Grows),
            (0.0, -0.5, 0.02, Finding::Shrinks),
            (-0.5, 1.0, 0.02, Finding::Grows),
            // Noise of a factor of four says nothing of a slope.
            (0.0, 0.0, 2.0, Finding::Unclear),
        ];
        for (early, late, noise, expected) in cases {
            let [verdict] = check(early, late, noise).verdicts().try_into().unwrap();
            assert_eq!(verdict.finding, expected, "{early} {late} {noise}: {verdict}");
        }
    }

    #[test]
    fn broken_runs_and_modules_that_never_move_are_said() {
        let mut broken = check(0.0, 0.0, 0.02);
        broken.enter(3, 1, 9, &[f64::NAN], &[f64::NAN]);
        let verdict = &broken.verdicts()[0];
        assert_eq!(verdict.finding, Finding::Diverged { runs: 1 });
        assert!(verdict.finding.fails());

        let mut still = CoordCheck::new(String::new(), vec!["a".into()], vec![8, 16, 32], vec![0], 2);
        for (w, step) in [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (2, 0), (2, 1), (2, 2)] {
            still.enter(w, 0, step, &[1.0], &[0.0]);
        }
        assert_eq!(still.verdicts()[0].finding, Finding::Still);
    }
}
