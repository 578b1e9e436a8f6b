//! Several witnesses of one correlation: the equation, networks without weights, networks with weights, and networks from
//! which something is taken away.

use std::ops::Range;
use std::sync::Arc;

use crate::base::rng::Streams;
use crate::base::statistics::mean;
use crate::base::two_samples::{kolmogorov_smirnov, quantile_deviation};
use crate::record::{Density, Reading, SeriesId, TrackId};
use crate::run::bench::{Bench, Halt};
use crate::run::shaped_networks;
use crate::theory::shaped_chain::{self, Network};
use crate::theory::shaped_correlation;
use crate::theory::shaped_paths::{Paths, diffusion};
use crate::theory::shaped_transformer::Shaped;

use super::exponents;
use super::knobs::Setting;

/// Of correlations and variances.
pub const QUANTILES: [f64; 5] = [0.05, 0.25, 0.5, 0.75, 0.95];
/// Shares of all paths after which everything is told again: the first picture comes at once and sharpens.
const STAGES: [f64; 4] = [1.0 / 64.0, 1.0 / 16.0, 0.25, 1.0];
/// Bins of a density, at most.
const BINS: f64 = 48.0;
/// Networks that are shown one by one.
const SINGLE: usize = 6;
/// Decades of variance that its density spans.
const DECADES: [f64; 2] = [-3.0, 3.0];
/// `sqrt(-ln(0.001/2)/2)`: a distance that equal laws exceed once in a thousand times, times `sqrt(1/n + 1/m)`.
const ONCE_IN_A_THOUSAND: f64 = 1.949;
/// Branch weights at which explosions are counted.
pub const GAMMAS: [f64; 5] = [0.2, 0.35, 0.5, 0.7, 0.85];

/// How paths are come by.
#[derive(Clone, Copy)]
enum Source {
    Equation(Shaped),
    /// The equation of the correlation alone.
    Correlation(Shaped),
    Chain(Network),
    Weights(Network),
}

/// A track with its paths so far.
struct Witness {
    track: TrackId,
    source: Source,
    count: usize,
    paths: Paths,
    /// Whether it is held against the equation.
    compared: bool,
}

impl Witness {
    /// Paths after a stage.
    fn goal(&self, stage: usize) -> usize {
        ((self.count as f64 * STAGES[stage]).ceil() as usize).max(1)
    }

    /// Pieces that its paths are drawn in.
    fn pieces(&self, setting: &Setting) -> u64 {
        let size = piece(setting, self.source);
        let begun = |stage: usize| if stage == 0 { 0 } else { self.goal(stage - 1) };
        (0..STAGES.len()).map(|stage| (self.goal(stage) - begun(stage)).div_ceil(size) as u64).sum()
    }
}

pub fn run(bench: &mut Bench<'_>) -> Result<(), Halt> {
    let setting = Setting::of(bench.values());
    let mut quick = quick(bench, &setting)?;
    let mut slow = slow(bench, &setting)?;
    let rounds: u64 = quick.iter().chain(&slow).map(|witness| witness.pieces(&setting)).sum();
    let exponents = bench.values().int("chains").div_ceil(2).min(1_024);
    bench.plan(rounds + exponents::pieces(exponents));
    let mut equation = None;
    grow(bench, &setting, &mut quick, &mut equation)?;
    for (witness, single) in slow.iter_mut().zip(["single", "unshaped-single"]) {
        witness.paths = draw(&setting, witness.source, 0..SINGLE.min(witness.count), bench.streams())?;
        singles(bench, &setting, &witness.paths, single)?;
    }
    grow(bench, &setting, &mut slow, &mut equation)?;
    exponents::run(bench, exponents)
}

/// Networks with weights one by one.
fn singles(bench: &mut Bench<'_>, setting: &Setting, paths: &Paths, witness: &str) -> Result<(), Halt> {
    for k in 0..paths.count() {
        let track = bench.track(&format!("Network {}", k + 1), &[("witness", witness)])?;
        for at in 0..=setting.kept {
            let [rho, first, second] =
                [&paths.correlations, &paths.variances, &paths.second_variances].map(|of| of[at][k]);
            let both = rho * (first * second).sqrt();
            let readings = vec![scalar("correlation", rho), vector("covariance", &[first, both, second])];
            bench.record(track, (at * setting.each) as u64, readings)?;
        }
    }
    Ok(())
}

/// What takes a second or two.
fn quick(bench: &mut Bench<'_>, setting: &Setting) -> Result<Vec<Witness>, Halt> {
    let (paths, chains) = (bench.values().int("paths"), bench.values().int("chains"));
    let mut witnesses = Vec::new();
    let mut add = |label: &str, id: &str, fan: &str, source: Source, count: usize, compared: bool| {
        let (count_text, width) = (count.to_string(), setting.network.width.to_string());
        let attributes = [("witness", id), ("fan", fan), ("paths", &count_text), ("width", &width)];
        let track = bench.track(label, &attributes)?;
        witnesses.push(Witness { track, source, count, paths: Paths::default(), compared });
        Ok::<_, Halt>(())
    };
    let (shaped, network, whole) = (setting.shaped, setting.network, setting.whole());
    add("Equation, n → ∞", "equation", "bands", Source::Equation(shaped), paths, false)?;
    add(&format!("Chain, n = {}", network.width), "chain", "lines", Source::Chain(network), chains, true)?;
    if !shaped.attention {
        let source = Source::Correlation(shaped);
        add("Equation of the correlation alone", "correlation", "lines", source, paths, true)?;
    }
    add("Unshaped chain", "unshaped", "bands", Source::Chain(whole.unshaped()), chains, false)?;
    let without = [
        ("Not centred", "not-centred", shaped.attention, Network { centred: false, ..whole }),
        ("Temperature without √n", "cold", shaped.attention, Network { temperature_grows: false, ..whole }),
        ("ReLU as it is", "rectifier", shaped.mlp, Network { slopes_shrink: false, ..whole }),
    ];
    for (label, id, matters, network) in without {
        if matters {
            add(label, id, "bands", Source::Chain(network), chains, false)?;
        }
    }
    for gamma in GAMMAS {
        let shaped = Shaped { gamma, ..shaped };
        let (gamma, count) = (gamma.to_string(), paths / 4);
        let attributes = [("witness", "gamma"), ("gamma", gamma.as_str())];
        let track = bench.track(&format!("Equation, γ = {gamma}"), &attributes)?;
        let (source, paths) = (Source::Equation(shaped), Paths::default());
        witnesses.push(Witness { track, source, count, paths, compared: false });
    }
    Ok(witnesses)
}

/// Networks with all their weights.
fn slow(bench: &mut Bench<'_>, setting: &Setting) -> Result<Vec<Witness>, Halt> {
    let count = bench.values().int("networks");
    let of = [
        (format!("Networks, n = {}", setting.network.width), "networks", setting.network, count, true),
        ("Unshaped networks".to_owned(), "unshaped-networks", setting.whole().unshaped(), count.div_ceil(4), false),
    ];
    of.into_iter()
        .map(|(label, id, network, count, compared)| {
            let (paths, width) = (count.to_string(), network.width.to_string());
            let attributes = [("witness", id), ("fan", "lines"), ("paths", &paths), ("width", &width)];
            let track = bench.track(&label, &attributes)?;
            Ok(Witness { track, source: Source::Weights(network), count, paths: Paths::default(), compared })
        })
        .collect()
}

/// Draws the paths of all witnesses, stage by stage; the first of all, the equation, is handed on for comparison.
fn grow(
    bench: &mut Bench<'_>,
    setting: &Setting,
    witnesses: &mut [Witness],
    equation: &mut Option<Paths>,
) -> Result<(), Halt> {
    let streams = bench.streams();
    for stage in 0..STAGES.len() {
        for (i, witness) in witnesses.iter_mut().enumerate() {
            let (goal, size) = (witness.goal(stage), piece(setting, witness.source));
            while witness.paths.count() < goal {
                let begun = witness.paths.count();
                witness.paths.extend(draw(setting, witness.source, begun..goal.min(begun + size), streams)?);
                bench.round()?;
            }
            tell(bench, setting, witness, equation.as_ref())?;
            if i == 0 && matches!(witness.source, Source::Equation(_)) {
                *equation = Some(witness.paths.clone());
            }
        }
    }
    Ok(())
}

/// Paths that some 50 ms of one core draw, at least one.
fn piece(setting: &Setting, source: Source) -> usize {
    let (layers, width) = (setting.layers() as f64, setting.network.width as f64);
    let steps = (setting.end() / setting.dt).max(setting.kept as f64);
    let square = (setting.shaped.tokens * setting.shaped.tokens) as f64;
    let matrices = 4.0 * f64::from(u8::from(setting.shaped.attention)) + 3.0 * f64::from(u8::from(setting.shaped.mlp));
    let units = f64::from(u8::from(setting.shaped.mlp)) * width * square.sqrt();
    // Seconds a path.
    let cost = match source {
        Source::Equation(_) => steps * 4e-7 * square,
        Source::Correlation(_) => steps * 3e-8,
        Source::Chain(_) => layers * (6e-7 * square + units * 1.2e-8),
        Source::Weights(_) => layers * (2e-4 + width * width * matrices * 1e-8),
    };
    ((0.05 / cost) as usize).max(1)
}

fn draw(setting: &Setting, source: Source, which: Range<usize>, streams: Streams) -> Result<Paths, Halt> {
    let Setting { start, dt, kept, each, .. } = setting;
    let (layers, end) = (each * kept, setting.end());
    Ok(match source {
        Source::Equation(shaped) => diffusion(&shaped, start, end, *dt, *kept, which, streams),
        Source::Correlation(shaped) => {
            let correlations = shaped_correlation::correlations(&shaped, start[1], end, *dt, *kept, which, streams);
            let unknown: Vec<Vec<f64>> = correlations.iter().map(|at| vec![f64::NAN; at.len()]).collect();
            let times = (0..=*kept).map(|k| end * k as f64 / *kept as f64).collect();
            Paths { times, correlations, variances: unknown.clone(), second_variances: unknown }
        }
        Source::Chain(network) => shaped_chain::networks(&network, start, layers, *kept, which, streams),
        Source::Weights(network) => shaped_networks::networks(&network, start, layers, *kept, which, streams)?,
    })
}

/// Records what is known of a witness, at every kept layer.
fn tell(bench: &mut Bench<'_>, setting: &Setting, witness: &Witness, equation: Option<&Paths>) -> Result<(), Halt> {
    for at in 0..=setting.kept {
        let mut readings = readings(&witness.paths, at);
        if let Some(equation) = equation.filter(|_| witness.compared) {
            readings.extend(comparison(equation, &witness.paths, at));
        }
        bench.record(witness.track, (at * setting.each) as u64, readings)?;
    }
    Ok(())
}

fn scalar(name: &'static str, value: f64) -> (SeriesId, Reading) {
    (SeriesId::from_static(name), Reading::Scalar(value))
}

fn vector(name: &'static str, values: &[f64]) -> (SeriesId, Reading) {
    // What is infinite can't be drawn: a gap.
    let drawn = |v: f64| if v.is_finite() { v as f32 } else { f32::NAN };
    (SeriesId::from_static(name), Reading::Vector(values.iter().map(|&v| drawn(v)).collect()))
}

fn density(name: &'static str, values: impl Iterator<Item = f64> + Clone, range: [f64; 2]) -> (SeriesId, Reading) {
    (SeriesId::from_static(name), Reading::Density(Arc::new(histogram(values, range))))
}

fn readings(paths: &Paths, at: usize) -> Vec<(SeriesId, Reading)> {
    let rho = &paths.correlations[at];
    let quantiles = paths.correlation_quantiles(at, &QUANTILES);
    let finite: Vec<f64> = rho.iter().copied().filter(|r| r.is_finite()).collect();
    let mut readings = vec![
        vector("correlation quantiles", &quantiles),
        scalar("median correlation", quantiles[2]),
        scalar("mean correlation", mean(&finite).unwrap_or(f64::NAN)),
        scalar("mean |correlation|", paths.mean_absolute_correlation(at)),
        density("correlation density", rho.iter().copied(), [-1.0, 1.0]),
    ];
    if paths.variances[at].iter().all(|v| v.is_nan()) {
        return readings;
    }
    let first = Paths::variance_quantiles(&paths.variances[at], &QUANTILES);
    let second = Paths::variance_quantiles(&paths.second_variances[at], &[0.5])[0];
    let exploded = paths.variances[at].iter().filter(|v| v.is_infinite()).count();
    readings.extend([
        vector("variance quantiles", &first),
        scalar("median variance", first[2]),
        scalar("upper variance", first[4]),
        scalar("median second variance", second),
        scalar("exploded", exploded as f64 / paths.count().max(1) as f64),
        density("variance density", paths.variances[at].iter().map(|v| v.log10()), DECADES),
    ]);
    readings
}

/// A witness against the equation: the distance of Kolmogorov and Smirnov with the bound that equal laws pass once in a thousand
/// times, and by how many standard errors quantiles of correlation and the median variance miss.
fn comparison(equation: &Paths, paths: &Paths, at: usize) -> Vec<(SeriesId, Reading)> {
    // Tokens that are one have the correlation 1 up to rounding, which is no difference.
    let rounded = |values: &[f64]| values.iter().map(|v| (v * 1e9).round() / 1e9).collect::<Vec<_>>();
    let (ours, theirs) = (rounded(&equation.correlations[at]), rounded(&paths.correlations[at]));
    let Some(found) = kolmogorov_smirnov(&ours, &theirs) else { return Vec::new() };
    let alive = |values: &[f64]| values.iter().filter(|v| v.is_finite()).count() as f64;
    let bound = ONCE_IN_A_THOUSAND * (alive(&ours).recip() + alive(&theirs).recip()).sqrt();
    // Where all paths are at one place there are no quantiles to miss.
    let spread = ours.iter().chain(&theirs).filter(|r| r.is_finite()).any(|r| *r != ours[0]);
    let deviation = |q: f64| quantile_deviation(&ours, &theirs, q).filter(|_| spread);
    let worst = QUANTILES.iter().filter_map(|&q| deviation(q)).fold(0.0, |worst: f64, z| worst.max(z.abs()));
    let variance = match at {
        0 => Some(0.0),
        _ => quantile_deviation(&equation.variances[at], &paths.variances[at], 0.5),
    };
    let mut readings =
        vec![scalar("distance", found.distance), scalar("distance bound", bound), scalar("worst quantile", worst)];
    readings.extend(variance.map(|z| scalar("variance deviation", z)));
    readings
}

/// Equal bins; what isn't a number is counted apart, so is infinity.
fn histogram(values: impl Iterator<Item = f64> + Clone, [low, high]: [f64; 2]) -> Density {
    // Some 2 n^(1/3), as Rice's rule has it: fewer samples, broader bins.
    let finite: Vec<f64> = values.clone().filter(|v| v.is_finite()).collect();
    let bins = (2.0 * (finite.len() as f64).cbrt()).clamp(8.0, BINS).round();
    let mut density = Density {
        low: low as f32,
        high: high as f32,
        counts: vec![0; bins as usize],
        below: 0,
        above: 0,
        not_finite: 0,
        mean: f32::NAN,
        std: f32::NAN,
        zero_share: 0.0,
    };
    for value in values {
        let place = (value - low) / (high - low) * bins;
        match place {
            _ if !value.is_finite() => density.not_finite += 1,
            _ if value < low => density.below += 1,
            _ if value > high => density.above += 1,
            place => density.counts[(place as usize).min(bins as usize - 1)] += 1,
        }
    }
    if let Some(middle) = mean(&finite) {
        let square = finite.iter().map(|v| (v - middle).powi(2)).sum::<f64>() / finite.len() as f64;
        (density.mean, density.std) = (middle as f32, square.sqrt() as f32);
    }
    density
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_counted_once() {
        let values = [-1.0, -0.99, 0.0, 0.5, 1.0, 1.5, -2.0, f64::NAN, f64::INFINITY];
        let found = histogram(values.into_iter(), [-1.0, 1.0]);
        assert_eq!((found.below, found.above, found.not_finite), (1, 1, 2));
        assert_eq!((found.counts.len(), found.counts.iter().sum::<u32>()), (8, 5));
        assert_eq!((found.counts[0], found.counts[7]), (2, 1));
        // (-1 - 0.99 + 0.5 + 1 + 1.5 - 2)/7
        assert!((found.mean + 0.99 / 7.0).abs() < 1e-6);
        assert!(histogram([f64::NAN].into_iter(), [0.0, 1.0]).mean.is_nan());
    }
}
