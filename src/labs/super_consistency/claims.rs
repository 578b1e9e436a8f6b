//! What the paper says, as checks of a recording.

use crate::base::statistics::mean;
use crate::labs::{Check, Claim, Number};
use crate::record::{Recording, Track};

use super::consistency::Comparison;

/// The first sizes are called inconsistent of, at least.
const LEAST_SIZES: usize = 3;

pub static CLAIMS: &[Claim] = &[
    Claim {
        id: "progressive-sharpening",
        statement: "Under muP the sharpness rises during training at every width, by a factor that doesn't depend on it",
        check_text: "largest sharpness of the run over the first: the least over widths, that at the widest, and the largest over the least (over ten seeds of the linear model the least is 1.1 to 1.7, at width 16)",
        known_failure: "",
        check: progressive_sharpening,
    },
    Claim {
        id: "super-consistency",
        statement: "Under muP the sharpness is super consistent: at three widths and more the curves coincide, and no less late than early",
        check_text: "root mean square of the relative distance to the widest net (to infinite width in the linear model), mean over the last quarter, without the narrowest width; and that over \
                     the mean over the second eighth",
        known_failure: "",
        check: super_consistency,
    },
    Claim {
        id: "loss-drifts",
        statement: "The loss isn't super consistent: late in training its distance to the widest net is larger than that of the sharpness",
        check_text: "the loss's root mean square relative distance over that of the sharpness, mean over the last quarter, muP",
        known_failure: "",
        check: loss_drifts,
    },
    Claim {
        id: "kernel-accumulates",
        statement: "The tangent kernel's eigenvalues accumulate finite-size error under muP while the Hessian's don't",
        check_text: "growth of the kernel's root mean square relative distance from the second eighth to the last quarter over that of the sharpness",
        known_failure: "With the squared error the fit gets good, H is G, and G's eigenvalues are the kernel's: at the edge both are held at 2/eta0. The paper sees the difference with the cross-entropy.",
        check: kernel_accumulates,
    },
    Claim {
        id: "edge-of-stability",
        statement: "The sharpness of full-batch gradient descent settles at 2/eta0 at every width under muP",
        check_text: "mean sharpness over the last quarter times eta0/2, the least and the largest over widths; only where some curve comes within a tenth of the line",
        known_failure: "",
        check: edge_of_stability,
    },
    Claim {
        id: "ntk-does-not-sharpen",
        statement: "Under NTK sharpening fades as the width grows, and is absent in the limit",
        check_text: "change of the sharpness from the start to the last quarter's mean, in magnitude: at the widest net, and at the narrowest over the widest; muP's at the widest beside it",
        known_failure: "",
        check: ntk_does_not_sharpen,
    },
    Claim {
        id: "rate-transfers-mup",
        statement: "Under muP the best learning rate is the same at every width",
        check_text: "largest best rate over the smallest, over widths",
        known_failure: "",
        check: |recording| transfers(recording, "mup", true),
    },
    Claim {
        id: "rate-does-not-transfer-ntk",
        statement: "Under NTK the best learning rate moves with the width",
        check_text: "largest best rate over the smallest, over widths, with the same grid",
        known_failure: "It moves by less than a factor of two: the targets are small and the networks shallow, NTK's sharpness at the start, which limits the stable rates, hardly depends on the width, and the best rate is nearly the largest stable one.",
        check: |recording| transfers(recording, "ntk", false),
    },
    Claim {
        id: "rate-falls-standard",
        statement: "Under the Standard parametrisation the best learning rate falls as the width grows",
        check_text: "best rate at the narrowest over that at the widest",
        known_failure: "",
        check: |recording| transfers(recording, "standard", false),
    },
    Claim {
        id: "gauss-newton-dominates",
        statement: "Under muP the Gauss-Newton part makes the sharpness: the residual part is small once the loss has fallen",
        check_text: "largest over widths of |R|/G, mean over the last quarter; and at the start, told",
        known_failure: "",
        check: gauss_newton_dominates,
    },
    Claim {
        id: "power-law",
        statement: "The distance to the widest net falls with the width as a power law",
        check_text: "exponent of the sharpness's and the loss's distance under muP, mean over the second half; and their mean standard error, told",
        known_failure: "At the edge of stability the dynamics hold the sharpness at 2/eta0 at every width, so that what is left of its distance is chance: its exponent isn't significant there. The loss's is.",
        check: power_law,
    },
    Claim {
        id: "depth-mup",
        statement: "With Depth-muP and one layer a block the sharpness is consistent over depths and the rate transfers; with two layers a block it isn't",
        check_text: "as super-consistency, of a recording whose sizes are depths",
        known_failure: "Not part of presets instant and standard, whose sizes are widths.",
        check: depth_mup,
    },
    Claim {
        id: "exact-linear-model",
        statement: "Networks of this program follow the closed recursion of the linear model to rounding",
        check_text: "largest relative deviation of losses and sharpness, in double precision (Lanczos' residual is 1e-7)",
        known_failure: "Not part of preset standard, whose networks aren't linear: see preset instant.",
        check: exact_linear_model,
    },
];

/// The tracks of a kind and parametrisation. `gamma = N^(1/2)` is muP.
fn tracks<'a>(recording: &'a Recording, parametrization: &str, kind: &str) -> Vec<&'a Track> {
    let takes = |track: &&Track| {
        let is = |name: &str, value: &str| track.attributes.get(name).is_some_and(|found| found == value);
        is("parametrization", parametrization) && is("kind", kind)
    };
    recording.tracks().map(|(_, track)| track).filter(takes).collect()
}

fn axis(recording: &Recording) -> &'static str {
    let depth = recording.header.lab.as_ref().and_then(|lab| lab.knobs.get("axis")).is_some_and(|axis| axis == "depth");
    if depth { "depth" } else { "width" }
}

/// Curves by size.
fn curves<'a>(recording: &'a Recording, parametrization: &str) -> Vec<(f64, &'a Track)> {
    let axis = axis(recording);
    let sized = |track: &'a Track| track.number(axis).map(|size| (size, track));
    let mut curves: Vec<_> = tracks(recording, parametrization, "curve").into_iter().filter_map(sized).collect();
    curves.sort_by(|a, b| a.0.total_cmp(&b.0));
    curves
}

/// Mean of a scalar over the share `[from, to)` of the recorded steps.
fn over(track: &Track, series: &str, from: f64, to: f64) -> Option<f64> {
    let series = track.scalar(series)?;
    let last = *series.steps().last()? as f64;
    let inside = |step: u64| (from * last..=to * last).contains(&(step as f64));
    let chosen: Vec<f64> = series
        .steps()
        .iter()
        .zip(series.values())
        .filter(|(step, _)| inside(**step))
        .map(|(_, value)| *value)
        .collect();
    mean(&chosen)
}

fn first(track: &Track, series: &str) -> Option<f64> {
    track.scalar(series)?.values().first().copied()
}

fn highest(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::NEG_INFINITY, f64::max)
}

fn lowest(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::INFINITY, f64::min)
}

/// Whether the run is long enough to speak of late and early.
fn enough<'a>(recording: &'a Recording, parametrization: &str) -> Option<Vec<(f64, &'a Track)>> {
    let curves = curves(recording, parametrization);
    (recording.outcome.is_some() && curves.len() >= LEAST_SIZES).then_some(curves)
}

const MISSING: &str = "it needs a finished run with muP and three sizes or more";

fn progressive_sharpening(recording: &Recording) -> Check {
    let numbers = enough(recording, "mup").and_then(|curves| {
        let factor = |(_, track): &(f64, &Track)| {
            let series = track.scalar("sharpness")?;
            Some(highest(&series.values().to_vec()) / series.values().first()?)
        };
        let factors: Vec<f64> = curves.iter().map(factor).collect::<Option<_>>()?;
        Some(vec![
            Number::at_least("least factor", lowest(&factors), 1.05),
            Number::at_least("factor at the widest", factors[factors.len() - 1], 1.3),
            Number::at_most("largest over least", highest(&factors) / lowest(&factors), 2.0),
        ])
    });
    Check::of_all(numbers, MISSING)
}

/// Root mean square relative distance to the widest (or the limit), mean over a share of the steps, without the smallest size.
fn spread(recording: &Recording, parametrization: &str, series: &str, from: f64, to: f64) -> Option<f64> {
    let curves = enough(recording, parametrization)?;
    let limit = tracks(recording, parametrization, "limit").first().copied();
    let steps = curves[0].1.scalar(series)?.steps().to_vec();
    let last = *steps.last()? as f64;
    let at = |step: u64| {
        let value = |track: &Track, name: &str| track.scalar(name)?.latest_at(step).map(|(_, value)| value);
        let values: Vec<[f64; 2]> =
            curves[1..].iter().map(|(size, track)| Some([*size, value(track, series)?])).collect::<Option<_>>()?;
        let reference = limit.and_then(|track| value(track, &format!("limit-{series}")));
        Comparison::of(&values, reference).map(|comparison| comparison.spread())
    };
    let chosen = steps.iter().filter(|step| (from * last..=to * last).contains(&(**step as f64)));
    mean(&chosen.map(|step| at(*step)).collect::<Option<Vec<f64>>>()?)
}

const LATE: [f64; 2] = [0.75, 1.0];
const EARLY: [f64; 2] = [0.125, 0.25];

fn consistent(recording: &Recording, parametrization: &str) -> Option<Vec<Number>> {
    let of = |[from, to]: [f64; 2]| spread(recording, parametrization, "sharpness", from, to);
    let (late, early) = (of(LATE)?, of(EARLY)?);
    Some(vec![Number::at_most("late", late, 0.1), Number::at_most("late over early", late / early, 1.5)])
}

fn super_consistency(recording: &Recording) -> Check {
    if axis(recording) == "depth" {
        return Check::NotYet("its sizes are depths: see the claim about Depth-muP".into());
    }
    Check::of_all(consistent(recording, "mup"), MISSING)
}

fn loss_drifts(recording: &Recording) -> Check {
    let of = |series| spread(recording, "mup", series, LATE[0], LATE[1]);
    let numbers = of("loss").zip(of("sharpness")).map(|(loss, sharpness)| {
        vec![
            Number::at_least("loss over sharpness", loss / sharpness, 2.0),
            Number::told("loss", loss),
            Number::told("sharpness", sharpness),
        ]
    });
    Check::of_all(numbers, MISSING)
}

fn kernel_accumulates(recording: &Recording) -> Check {
    let growth = |series| {
        let of = |[from, to]: [f64; 2]| spread(recording, "mup", series, from, to);
        Some(of(LATE)? / of(EARLY)?)
    };
    let numbers = growth("kernel").zip(growth("sharpness")).map(|(kernel, sharpness)| {
        vec![
            Number::at_least("kernel's growth over sharpness's", kernel / sharpness, 1.5),
            Number::told("kernel's growth", kernel),
        ]
    });
    Check::of_all(numbers, "it needs a finished run with muP, three sizes or more, and parts")
}

fn edge_of_stability(recording: &Recording) -> Check {
    let Some(curves) = enough(recording, "mup") else { return Check::NotYet(MISSING.into()) };
    let edge = tracks(recording, "mup", "edge").first().and_then(|track| over(track, "edge", LATE[0], LATE[1]));
    let Some(edge) = edge else { return Check::NotYet(MISSING.into()) };
    let late: Option<Vec<f64>> =
        curves.iter().map(|(_, track)| Some(over(track, "sharpness", LATE[0], LATE[1])? / edge)).collect();
    let Some(late) = late else { return Check::NotYet("a curve diverged".into()) };
    if highest(&late) < 0.9 {
        return Check::NotYet(format!(
            "no curve has come near the line: the highest is at {:.2} of it; give a larger eta0 or more steps",
            highest(&late)
        ));
    }
    Check::of(vec![
        Number::at_least("lowest over 2/eta0", lowest(&late), 0.85),
        Number::at_most("highest over 2/eta0", highest(&late), 1.15),
    ])
}

/// `|late / first - 1|` of the sharpness.
fn change(track: &Track) -> Option<f64> {
    Some((over(track, "sharpness", LATE[0], LATE[1])? / first(track, "sharpness")? - 1.0).abs())
}

fn ntk_does_not_sharpen(recording: &Recording) -> Check {
    let numbers = enough(recording, "ntk").zip(enough(recording, "mup")).and_then(|(ntk, mup)| {
        let (narrowest, widest) = (change(ntk.first()?.1)?, change(ntk.last()?.1)?);
        Some(vec![
            Number::at_most("change at the widest", widest, 0.15),
            Number::at_least("narrowest over widest", narrowest / widest, 2.0),
            Number::at_least("muP's at the widest", change(mup.last()?.1)?, 0.3),
        ])
    });
    Check::of_all(numbers, "it needs a finished run with muP and NTK and three sizes or more")
}

/// The rate with the lowest final loss (mean over repeats) at each size.
fn best_rates(recording: &Recording, parametrization: &str) -> Option<Vec<(f64, f64)>> {
    let axis = axis(recording);
    let mut cells: std::collections::BTreeMap<(u64, u64), Vec<f64>> = std::collections::BTreeMap::new();
    for track in tracks(recording, parametrization, "sweep") {
        let (size, rate) = (track.number(axis)?, track.number("eta0")?);
        let (_, loss) = track.scalar("sweep-loss")?.latest_at(u64::MAX)?;
        cells.entry((size as u64, rate.to_bits())).or_default().push(loss);
    }
    let mut best: std::collections::BTreeMap<u64, (f64, f64)> = std::collections::BTreeMap::new();
    for ((size, rate), losses) in cells {
        let Some(loss) = mean(&losses) else { continue };
        let entry = best.entry(size).or_insert((loss, f64::from_bits(rate)));
        if loss < entry.0 {
            *entry = (loss, f64::from_bits(rate));
        }
    }
    let found: Vec<(f64, f64)> = best.into_iter().map(|(size, (_, rate))| (size as f64, rate)).collect();
    (recording.outcome.is_some() && found.len() >= LEAST_SIZES).then_some(found)
}

fn transfers(recording: &Recording, parametrization: &str, expected: bool) -> Check {
    let numbers = best_rates(recording, parametrization).map(|best| {
        let rates: Vec<f64> = best.iter().map(|(_, rate)| *rate).collect();
        let ratio = highest(&rates) / lowest(&rates);
        let (narrow, wide) = (rates[0], rates[rates.len() - 1]);
        let judged = match (expected, parametrization) {
            (true, _) => Number::at_most("largest over smallest", ratio, 2.01),
            (false, "standard") => Number::at_least("narrowest's over widest's", narrow / wide, 3.9),
            (false, _) => Number::at_least("largest over smallest", ratio, 2.01),
        };
        vec![judged, Number::told("at the narrowest", narrow), Number::told("at the widest", wide)]
    });
    Check::of_all(numbers, "it needs a finished sweep of this parametrization over three sizes or more")
}

fn gauss_newton_dominates(recording: &Recording) -> Check {
    let numbers = enough(recording, "mup").and_then(|curves| {
        let ratio = |track: &Track| {
            Some(over(track, "residual", LATE[0], LATE[1])? / over(track, "gauss-newton", LATE[0], LATE[1])?)
        };
        let late: Vec<f64> = curves.iter().map(|(_, track)| ratio(track)).collect::<Option<_>>()?;
        let widest = curves.last()?.1;
        Some(vec![
            Number::at_most("|R|/G late", highest(&late), 0.3),
            Number::told("at the start, widest", first(widest, "residual")? / first(widest, "gauss-newton")?),
        ])
    });
    Check::of_all(numbers, "it needs a finished run with muP, three sizes or more, and parts")
}

fn power_law(recording: &Recording) -> Check {
    let numbers = enough(recording, "mup").and_then(|_| {
        let rows = tracks(recording, "mup", "comparison");
        let of = |quantity: &str, name: &str| {
            let is = |track: &&&Track| track.attributes.get("quantity").is_some_and(|found| found == quantity);
            over(rows.iter().find(is)?, name, 0.5, 1.0)
        };
        Some(vec![
            Number::at_most("sharpness", of("sharpness", "exponent")?, 0.0),
            Number::at_most("loss", of("loss", "exponent")?, -0.2),
            Number::told("error of the loss's", of("loss", "exponent-error")?),
        ])
    });
    Check::of_all(numbers, "it needs a finished run with muP and four sizes or more")
}

fn depth_mup(recording: &Recording) -> Check {
    if axis(recording) != "depth" {
        return Check::NotYet(
            "its sizes are widths: run with --axis depth --first depth-mup --second mup --model residual-conv-net and, for two layers a block, residual-mlp".into(),
        );
    }
    Check::of_all(consistent(recording, "depth-mup"), "it needs a finished run with depth-mup and three depths or more")
}

fn exact_linear_model(recording: &Recording) -> Check {
    let deviations: Vec<f64> = ["mup", "ntk", "gamma-power"]
        .iter()
        .flat_map(|parametrization| tracks(recording, parametrization, "comparison"))
        .filter_map(|track| first(track, "network-deviation"))
        .collect();
    if deviations.is_empty() {
        return Check::NotYet("it needs model linear with networks beside it".into());
    }
    Check::of(vec![Number::at_most("largest deviation", highest(&deviations), 1e-10)])
}
