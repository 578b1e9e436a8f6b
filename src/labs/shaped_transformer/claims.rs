//! What the paper says, as checks of a recording. Thresholds: the spread over seeds 0 to 4 of the presets instant and standard, which the
//! texts give.

use crate::labs::{Check, Claim, Number};
use crate::record::{Recording, Track};

pub static CLAIMS: &[Claim] = &[
    Claim {
        id: "equation-describes-networks",
        statement: "The covariance of the tokens of a shaped transformer follows the stochastic equation, in depth over width.",
        check_text: "Correlations of the networks without weights (exact in law) at the last layer are as far from the equation's as two \
                     samples of one law at most (Kolmogorov-Smirnov, exceeded once in a thousand times), no quantile misses \
                     by more than four standard errors, nor does the median variance.",
        known_failure: "",
        check: |recording| agreement(recording, "chain"),
    },
    Claim {
        id: "equation-describes-weights",
        statement: "So do the tokens of networks with all their weights.",
        check_text: "As before, of networks of this program with shaped attention and shaped ReLU, every weight drawn.",
        known_failure: "",
        check: |recording| agreement(recording, "networks"),
    },
    Claim {
        id: "shaped-tokens-stay-apart",
        statement: "Shaped, the correlation of tokens keeps a distribution at any depth that is proportional to width.",
        check_text: "At the last layer the middle 90 % of correlations of the networks with weights span 0.8 at least, and their mean |ρ| is at most 0.75. Seeds 0 to 4: 1.51 to 1.66 and 0.43 to 0.47.",
        known_failure: "",
        check: stays_apart,
    },
    Claim {
        id: "unshaped-tokens-collapse",
        statement: "Without shaping, tokens become one.",
        check_text: "At the last layer the mean |ρ| of unshaped networks, with and without weights, is at least 0.9 and above the shaped ones' by 0.2. Seeds 0 to 4: at least 0.998, above by 0.53 to 0.56.",
        known_failure: "",
        check: collapses,
    },
    Claim {
        id: "centring-matters",
        statement: "Attention has to be centred at the identity.",
        check_text: "With everything else, but not centred, the median correlation at the last layer is at least 0.95. Seeds 0 to 4: at least 0.997.",
        known_failure: "",
        check: |recording| median_of(recording, "not-centred", 0.95),
    },
    Claim {
        id: "temperature-matters",
        statement: "The temperature has to grow with the width.",
        check_text: "With everything else, but logits not divided by √n, the 95 % quantile of the variance at the last layer is at least twice the equation's. Seeds 0 to 4: 3.4 to 4.8 times at width 64, over 60 times at 128.",
        known_failure: "",
        check: temperature,
    },
    Claim {
        id: "shaped-activation-matters",
        statement: "The activation has to tend to the identity.",
        check_text: "With everything else, but the ReLU as it is, the median correlation at the last layer is at least 0.6. Seeds 0 to 4: 0.79 to 0.81 at width 64, 0.91 at 128.",
        known_failure: "",
        check: |recording| median_of(recording, "rectifier", 0.6),
    },
    Claim {
        id: "critical-exponent",
        statement: "Shaping by 1/√n is the borderline: weaker shaping collapses, stronger shaping is trivial (Li, Nica and Roy 2022).",
        check_text: "An MLP with slopes 1 + c/nᵖ at width 256: at p = 1/4 the median correlation is at least 0.9; at 1/2 it is within 0.05 and four standard errors of the equation's, at 3/4 of a linear network's. The error is 0.04 with 256 networks, 0.02 with 1,024; it is told.",
        known_failure: "",
        check: critical,
    },
    Claim {
        id: "small-branches-tame-explosions",
        statement: "The equation holds up to an explosion time; small branch weights tame drift and diffusion.",
        check_text: "The equation's share of exploded paths at the last layer rises with γ from 0 at 0.2 to at least 0.01 at 0.85, up to 0.01 for chance. Seeds 0 to 4: 0.033 to 0.052 at 0.85.",
        known_failure: "",
        check: explosions,
    },
];

fn track<'a>(recording: &'a Recording, witness: &str) -> Option<&'a Track> {
    recording.tracks().map(|(_, track)| track).find(|t| t.attributes.get("witness").is_some_and(|w| w == witness))
}

pub(super) fn last(recording: &Recording, witness: &str, series: &str) -> Option<f64> {
    Some(track(recording, witness)?.scalar(series)?.latest_at(u64::MAX)?.1)
}

/// Whether chain and networks are what the equation describes.
fn is_whole(recording: &Recording) -> bool {
    let Some(lab) = &recording.header.lab else { return true };
    ["centre", "grow-temperature", "shape-activation"]
        .iter()
        .all(|id| lab.knobs.get(*id).is_none_or(|value| value == "true"))
}

/// A witness against the equation: all that `protocol::comparison` records of it.
fn agreement(recording: &Recording, witness: &str) -> Check {
    if !is_whole(recording) {
        return Check::NotYet("something is taken away: the equation describes networks with everything".into());
    }
    let of = |series: &str| last(recording, witness, series);
    let numbers = || {
        Some(vec![
            Number::at_most("distance", of("distance")?, of("distance bound")?),
            Number::at_most("worst quantile, standard errors", of("worst quantile")?, 4.0),
            Number::at_most("median variance, standard errors", of("variance deviation")?.abs(), 4.0),
        ])
    };
    Check::of_all(numbers(), "the paths of the equation and of the networks")
}

fn span(recording: &Recording, witness: &str) -> Option<f64> {
    let (_, row) = track(recording, witness)?.vector("correlation quantiles")?.latest_at(u64::MAX)?;
    Some(f64::from(*row.last()?) - f64::from(*row.first()?))
}

fn stays_apart(recording: &Recording) -> Check {
    let numbers = || {
        Some(vec![
            Number::at_least("span of the middle 90 %", span(recording, "networks")?, 0.8),
            Number::at_most("mean |ρ|", last(recording, "networks", "mean |correlation|")?, 0.75),
            Number::told("mean ρ", last(recording, "networks", "mean correlation")?),
        ])
    };
    Check::of_all(numbers(), "the networks with weights")
}

fn collapses(recording: &Recording) -> Check {
    let of = |witness: &str| last(recording, witness, "mean |correlation|");
    let numbers = || {
        let (without, with) = (of("unshaped")?, of("unshaped-networks")?);
        Some(vec![
            Number::at_least("mean |ρ| without weights", without, 0.9),
            Number::at_least("mean |ρ| with weights", with, 0.9),
            Number::at_least("above the shaped ones", with - of("networks")?, 0.2),
        ])
    };
    Check::of_all(numbers(), "the unshaped networks with weights")
}

fn median_of(recording: &Recording, witness: &str, least: f64) -> Check {
    let numbers = || {
        let median = last(recording, witness, "median correlation")?;
        Some(vec![
            Number::at_least("median correlation", median, least),
            Number::told("the equation's", last(recording, "equation", "median correlation")?),
        ])
    };
    Check::of_all(numbers(), "this block has nothing of the kind that could be taken away")
}

fn temperature(recording: &Recording) -> Check {
    let numbers = || {
        let (cold, whole) =
            (last(recording, "cold", "upper variance")?, last(recording, "equation", "upper variance")?);
        // Exploded in more than one of twenty networks: more than any number.
        let ratio = if cold.is_infinite() { f64::MAX } else { cold / whole };
        Some(vec![Number::at_least("ratio of the 95 % quantiles of V₁₁", ratio, 2.0)])
    };
    Check::of_all(numbers(), "this block has no attention")
}

fn critical(recording: &Recording) -> Check {
    let of = |exponent: &str, series: &str| {
        let is = |track: &&Track, name: &str, value: &str| track.attributes.get(name).is_some_and(|v| v == value);
        let mut tracks = recording.tracks().map(|(_, track)| track);
        let track =
            tracks.find(|t| is(t, "witness", "exponent") && is(t, "exponent", exponent) && is(t, "width", "256"))?;
        Some(track.scalar(series)?.latest_at(u64::MAX)?.1)
    };
    let median = |exponent: &str| of(exponent, "median correlation");
    let near = |exponent: &str, limit: f64| {
        let room = 0.05 + 4.0 * of(exponent, "median error")?;
        Some(Number::within(format!("p = {exponent}"), median(exponent)?, limit - room, limit + room))
    };
    let numbers = || {
        let (limit, linear) = (median("0.5, equation")?, median("above 0.5, equation")?);
        Some(vec![
            Number::at_least("p = 0.25", median("0.25")?, 0.9),
            near("0.5", limit)?,
            near("0.75", linear)?,
            Number::told("the equation's", limit),
            Number::told("a linear network's", linear),
            Number::told("standard error", of("0.5", "median error")?),
        ])
    };
    Check::of_all(numbers(), "the networks with other exponents")
}

fn explosions(recording: &Recording) -> Check {
    let block = recording.header.lab.as_ref().and_then(|lab| lab.knobs.get("block"));
    if block.is_some_and(|block| block == "mlp") {
        return Check::NotYet("an MLP's drift is no power of V: only blocks with attention explode".into());
    }
    let shares: Vec<(f64, f64)> = recording
        .tracks()
        .map(|(_, track)| track)
        .filter(|track| track.attributes.get("witness").is_some_and(|w| w == "gamma"))
        .filter_map(|track| Some((track.number("gamma")?, track.scalar("exploded")?.latest_at(u64::MAX)?.1)))
        .collect();
    let [(_, smallest), .., (_, largest)] = shares[..] else {
        return Check::NotYet("the equation at several branch weights".into());
    };
    let falls = shares.windows(2).map(|pair| pair[0].1 - pair[1].1).fold(0.0, f64::max);
    let told = shares.iter().map(|(gamma, share)| Number::told(format!("γ {gamma}"), *share));
    let mut numbers = vec![
        Number::at_most("share exploded at the smallest γ", smallest, 0.0),
        Number::at_least("share exploded at the largest γ", largest, 0.01),
        Number::at_most("largest fall from one γ to the next", falls, 0.01),
    ];
    numbers.extend(told);
    Check::of(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Header, LabHeader, Reading, SeriesId, Snapshot, TrackId, TrackInfo};

    /// A recording of one witness with these last numbers.
    fn recording(centre: &str, witness: &str, numbers: &[(&'static str, f64)]) -> Recording {
        let knobs = [("centre".to_owned(), centre.to_owned())].into();
        let lab = LabHeader { id: "shaped-transformer".into(), title: "t".into(), seed: 0, knobs };
        let mut recording = Recording::new(Header { lab: Some(lab), ..Header::default() });
        let attributes = [("witness".to_owned(), witness.to_owned())].into();
        recording.begin_track(&TrackInfo { attributes, ..TrackInfo::default() });
        let readings = numbers.iter().map(|(name, v)| (SeriesId::from_static(name), Reading::Scalar(*v))).collect();
        recording.push(&Snapshot { track: TrackId(0), step: 1, readings }).unwrap();
        recording
    }

    #[test]
    fn agreement_is_judged_by_its_bound_and_only_of_whole_networks() {
        let numbers = |distance: f64| {
            [("distance", distance), ("distance bound", 0.05), ("worst quantile", 3.0), ("variance deviation", -3.5)]
        };
        let of =
            |centre: &str, distance: f64| agreement(&recording(centre, "chain", &numbers(distance)), "chain").word();
        assert_eq!([of("true", 0.04), of("true", 0.06), of("false", 0.04)], ["holds", "fails", "not yet"]);
        assert_eq!(agreement(&recording("true", "chain", &numbers(0.0)), "networks").word(), "not yet");
        assert_eq!(of("true", f64::NAN), "fails");
    }

    #[test]
    fn what_a_block_lacks_is_not_yet() {
        let other = recording("true", "equation", &[("median correlation", 0.2)]);
        for claim in CLAIMS {
            assert_eq!((claim.check)(&other).word(), "not yet", "{}", claim.id);
        }
    }
}
