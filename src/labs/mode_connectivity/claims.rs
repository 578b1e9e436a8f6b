//! What the paper says, checked on a recording.

use crate::base::statistics::{mean, standard_error};
use crate::labs::claim::{Check, Claim, Number};
use crate::record::{Recording, Track};
use crate::theory::interpolation::CONNECTED;

/// Networks worse than this didn't learn: a barrier between them says nothing.
const LEARNED: f64 = 0.85;
/// Repetitions without which a mean isn't judged.
const FEWEST: usize = 3;

/// Tracks with these attributes, in order.
fn tracks<'a>(recording: &'a Recording, wanted: &[(&str, &str)]) -> Vec<&'a Track> {
    let has = |track: &&Track| {
        wanted.iter().all(|(name, value)| track.attributes.get(*name).is_some_and(|found| found == value))
    };
    recording.tracks().map(|(_, track)| track).filter(has).collect()
}

/// The different values of a numeric attribute, rising.
fn values(tracks: &[&Track], attribute: &str) -> Vec<f64> {
    let mut found: Vec<f64> = tracks.iter().filter_map(|track| track.number(attribute)).collect();
    found.sort_by(f64::total_cmp);
    found.dedup();
    found
}

fn last(track: &Track, series: &str) -> Option<f64> {
    Some(track.scalar(series)?.latest_at(u64::MAX)?.1)
}

/// The last values of a series; none without enough repetitions, or if one of them hasn't come to its end.
fn finals(recording: &Recording, wanted: &[(&str, &str)], series: &str) -> Option<Vec<f64>> {
    recording.outcome.as_ref()?;
    let found: Option<Vec<_>> = tracks(recording, wanted).into_iter().map(|track| last(track, series)).collect();
    found.filter(|values| values.len() >= FEWEST)
}

/// Their mean.
fn average(recording: &Recording, wanted: &[(&str, &str)], series: &str) -> Option<f64> {
    mean(&finals(recording, wanted, series)?)
}

/// Learning rate extremes of the copies of an optimiser, as texts.
fn rates(recording: &Recording, optimizer: &str) -> Option<[String; 2]> {
    let rates = values(&tracks(recording, &[("protocol", "copies"), ("optimizer", optimizer)]), "lr");
    Some([rates.first()?.to_string(), rates.last()?.to_string()])
}

/// Attributes of copies that left at k.
fn copies<'a>(optimizer: &'a str, lr: &'a str, warmup: &'a str, k: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![("protocol", "copies"), ("optimizer", optimizer), ("lr", lr), ("warmup", warmup), ("k", k)]
}

fn modest_rate(recording: &Recording) -> Check {
    let numbers = || {
        let [low, high] = rates(recording, "sgd")?;
        let at = copies("sgd", &low, "0", "0");
        let numbers = vec![
            Number::at_most("test-error barrier", average(recording, &at, "test_error_barrier")?, CONNECTED),
            Number::at_most("training-loss barrier", average(recording, &at, "train_loss_barrier")?, 0.02),
            Number::at_least("test accuracy", average(recording, &at, "test_accuracy")?, LEARNED),
            Number::told("rate", low.parse().ok()?),
        ];
        (low != high).then_some(numbers)
    };
    Check::of_all(numbers(), "copies under SGD without warm-up from k = 0, at two rates or more, three repetitions")
}

fn large_rate(recording: &Recording) -> Check {
    let numbers = || {
        let [low, high] = rates(recording, "sgd")?;
        let barrier = |lr: &str| average(recording, &copies("sgd", lr, "0", "0"), "train_loss_barrier");
        let at = copies("sgd", &high, "0", "0");
        let numbers = vec![
            Number::at_least(
                "training-loss barrier over that at the lowest rate",
                barrier(&high)? / barrier(&low)?,
                8.0,
            ),
            Number::at_least("training-loss barrier", barrier(&high)?, 0.02),
            Number::at_least("test accuracy", average(recording, &at, "test_accuracy")?, LEARNED),
            Number::told("its standard error", standard_error(&finals(recording, &at, "train_loss_barrier")?)?),
            Number::told("test-error barrier", average(recording, &at, "test_error_barrier")?),
        ];
        (low != high).then_some(numbers)
    };
    Check::of_all(numbers(), "copies under SGD without warm-up from k = 0, at two rates or more, three repetitions")
}

/// Barriers at k = 0 of the largest rate, without warm-up and with the longest.
fn warmed(recording: &Recording, optimizer: &str) -> Option<[f64; 2]> {
    let [_, high] = rates(recording, optimizer)?;
    let wanted = [("protocol", "copies"), ("optimizer", optimizer)];
    let longest = values(&tracks(recording, &wanted), "warmup").last().copied().filter(|warmup| *warmup > 0.0)?;
    let barrier = |warmup: &str| average(recording, &copies(optimizer, &high, warmup, "0"), "train_loss_barrier");
    Some([barrier("0")?, barrier(&longest.to_string())?])
}

fn warmup_ratio(recording: &Recording, optimizer: &str, most: f64) -> Check {
    let numbers = warmed(recording, optimizer).map(|[cold, warm]| {
        vec![
            Number::at_most("training-loss barrier with warm-up over that without", warm / cold, most),
            Number::told("without", cold),
            Number::told("with", warm),
        ]
    });
    Check::of_all(numbers, "copies from k = 0 with and without warm-up, three repetitions")
}

fn warmup(recording: &Recording) -> Check {
    warmup_ratio(recording, "sgd", 0.6)
}

fn adam_warmup(recording: &Recording) -> Check {
    warmup_ratio(recording, "adam", 0.5)
}

fn adam_fragile(recording: &Recording) -> Check {
    let numbers = warmed(recording, "adam").zip(warmed(recording, "sgd")).map(|([adam, _], [sgd, _])| {
        vec![
            Number::at_least("Adam's training-loss barrier over SGD's, each at its largest rate", adam / sgd, 1.0),
            Number::told("Adam's", adam),
            Number::told("SGD's", sgd),
        ]
    });
    Check::of_all(numbers, "copies under SGD and Adam from k = 0, three repetitions")
}

fn later(recording: &Recording) -> Check {
    let numbers = || {
        let [_, high] = rates(recording, "sgd")?;
        let all = tracks(recording, &[("protocol", "copies"), ("optimizer", "sgd"), ("lr", &high), ("warmup", "0")]);
        let end = all.iter().filter_map(|track| track.scalar("distance")?.steps().last().copied()).max()? as f64;
        let late = values(&all, "k").into_iter().rfind(|k| *k < end && *k > 0.0)?.to_string();
        let barrier = |k: &str| average(recording, &copies("sgd", &high, "0", k), "train_loss_barrier");
        let connected = |k: &f64| {
            let error = average(recording, &copies("sgd", &high, "0", &k.to_string()), "test_error_barrier");
            error.is_some_and(|error| error < CONNECTED)
        };
        let smallest = values(&all, "k").into_iter().find(connected);
        Some(vec![
            Number::at_most("training-loss barrier over that of k = 0", barrier(&late)? / barrier("0")?, 0.2),
            Number::told("k", late.parse().ok()?),
            Number::told("smallest k with a test-error barrier under 2 %", smallest.unwrap_or(f64::INFINITY)),
        ])
    };
    Check::of_all(numbers(), "copies under SGD from k = 0 and a later step, three repetitions")
}

fn last_step(recording: &Recording) -> Check {
    let numbers = || {
        recording.outcome.as_ref()?;
        let all = tracks(recording, &[("protocol", "copies")]);
        let end = all.iter().filter_map(|track| track.scalar("distance")?.steps().last().copied()).max()?;
        let of_end = tracks(recording, &[("protocol", "copies"), ("k", &end.to_string())]);
        let heights = |series| of_end.iter().filter_map(move |track| last(track, series)).fold(0.0, f64::max);
        let largest = heights("train_loss_barrier").max(heights("test_error_barrier")).max(heights("distance"));
        (!of_end.is_empty()).then(|| vec![Number::within("largest barrier or distance", largest, 0.0, 0.0)])
    };
    Check::of_all(numbers(), "copies from k = T")
}

/// For each (depth, width) of different starts: attributes as texts.
fn sizes(recording: &Recording) -> Vec<[String; 2]> {
    let all = tracks(recording, &[("protocol", "starts")]);
    let depths = values(&all, "depth");
    let widths = values(&all, "width");
    depths.iter().flat_map(|d| widths.iter().map(move |w| [d.to_string(), w.to_string()])).collect()
}

fn of_starts(recording: &Recording, [depth, width]: &[String; 2], series: &str) -> Option<f64> {
    average(recording, &[("protocol", "starts"), ("depth", depth), ("width", width)], series)
}

fn starts_apart(recording: &Recording) -> Check {
    let least = sizes(recording)
        .iter()
        .map(|size| of_starts(recording, size, "test_loss_barrier"))
        .reduce(|a, b| Some(a?.min(b?)))
        .flatten();
    let numbers = least.map(|least| vec![Number::at_least("least mean test-loss barrier of a size", least, 0.05)]);
    Check::of_all(numbers, "different starts, three repetitions")
}

fn removed(recording: &Recording, matching: &str, least: f64) -> Check {
    let share = |size: &[String; 2]| {
        let naive = of_starts(recording, size, "test_loss_barrier")?;
        Some(1.0 - of_starts(recording, size, &format!("test_loss_barrier/{matching}"))? / naive)
    };
    let worst = sizes(recording).iter().map(share).reduce(|a, b| Some(a?.min(b?))).flatten();
    let numbers =
        worst.map(|worst| vec![Number::at_least("least share of the barrier removed, of all sizes", worst, least)]);
    Check::of_all(numbers, "different starts with that matching, three repetitions")
}

fn weights_remove(recording: &Recording) -> Check {
    removed(recording, "weights", 0.6)
}

fn activations_remove(recording: &Recording) -> Check {
    removed(recording, "activations", 0.6)
}

/// Barriers at the smallest and the largest value of depth (or width), at the largest of the other.
fn extremes(recording: &Recording, attribute: &str, series: &str) -> Option<[f64; 2]> {
    let all = tracks(recording, &[("protocol", "starts")]);
    let (range, other) = (values(&all, attribute), if attribute == "depth" { "width" } else { "depth" });
    let fixed = values(&all, other).last()?.to_string();
    let at = |value: f64| {
        average(recording, &[("protocol", "starts"), (other, &fixed), (attribute, &value.to_string())], series)
    };
    if range.len() < 2 { None } else { Some([at(*range.first()?)?, at(*range.last()?)?]) }
}

fn deeper(recording: &Recording) -> Check {
    let numbers = extremes(recording, "depth", "test_loss_barrier").map(|[shallow, deep]| {
        vec![
            Number::at_least("barrier of the deepest over the shallowest", deep / shallow, 2.0),
            Number::told("shallowest", shallow),
            Number::told("deepest", deep),
        ]
    });
    Check::of_all(numbers, "different starts at two depths, three repetitions")
}

fn wider(recording: &Recording) -> Check {
    let numbers = extremes(recording, "width", "test_loss_barrier/weights").map(|[narrow, wide]| {
        vec![
            Number::at_most("matched barrier of the widest over the narrowest", wide / narrow, 0.6),
            Number::told("narrowest", narrow),
            Number::told("widest", wide),
        ]
    });
    Check::of_all(numbers, "different starts at two widths, matched by weights, three repetitions")
}

/// Barrier of SGD's copies at the largest rate with a factor changed.
fn changed(recording: &Recording, factor: &str, rate: fn(Vec<f64>) -> Option<f64>) -> Option<f64> {
    let lr = rate(values(&tracks(recording, &[("protocol", "factors")]), "lr"))?.to_string();
    let wanted = [("optimizer", "sgd"), ("lr", &lr), ("warmup", "0"), ("k", "0"), ("factor", factor)];
    average(recording, &wanted, "train_loss_barrier")
}

fn largest(rates: Vec<f64>) -> Option<f64> {
    rates.last().copied()
}

fn smallest(rates: Vec<f64>) -> Option<f64> {
    rates.first().copied()
}

fn sharing(recording: &Recording) -> Check {
    let numbers = || {
        let [dense, local, shared] =
            ["width 128", "local, 128", "shared, 128"].map(|factor| changed(recording, factor, largest));
        Some(vec![
            Number::at_least("shared over locally connected", shared? / local?, 2.0),
            Number::told("dense", dense?),
            Number::told("locally connected", local?),
            Number::told("shared", shared?),
        ])
    };
    Check::of_all(numbers(), "factors: dense, locally connected and shared, three repetitions")
}

fn convolutions(recording: &Recording) -> Check {
    let numbers = || {
        let [dense, shared] = ["width 128", "shared, 128"].map(|factor| changed(recording, factor, largest));
        Some(vec![Number::at_least("training-loss barrier of shared over dense", shared? / dense?, 1.5)])
    };
    Check::of_all(numbers(), "factors: dense and shared, three repetitions")
}

fn noise_of_batches(recording: &Recording) -> Check {
    let numbers = || {
        let [plain, small] = ["plain", "batch 16"].map(|factor| changed(recording, factor, smallest));
        Some(vec![
            Number::at_least("training-loss barrier with batches of 16 over 64, smallest rate", small? / plain?, 3.0),
            Number::told("batches of 64", plain?),
            Number::told("batches of 16", small?),
        ])
    };
    Check::of_all(numbers(), "factors: batches of 16, three repetitions")
}

fn harder_data(recording: &Recording) -> Check {
    let numbers = || {
        let ratio = |rate| Some(changed(recording, "label noise 0.2", rate)? / changed(recording, "plain", rate)?);
        Some(vec![
            Number::at_least(
                "training-loss barrier with label noise over without, smallest rate",
                ratio(smallest)?,
                2.0,
            ),
            Number::at_least("the same, largest rate", ratio(largest)?, 2.0),
            Number::told("with label noise, smallest rate", changed(recording, "label noise 0.2", smallest)?),
            Number::told("with label noise, largest rate", changed(recording, "label noise 0.2", largest)?),
        ])
    };
    Check::of_all(numbers(), "factors: label noise, three repetitions")
}

fn control(recording: &Recording) -> Check {
    let numbers = || {
        recording.outcome.as_ref()?;
        let all = tracks(recording, &[("protocol", "control")]);
        let heights =
            all.iter().filter_map(|track| track.scalar("train_loss_barrier")).flat_map(|series| series.values());
        let worst = heights.copied().reduce(f64::max)?;
        Some(vec![Number::at_most("largest training-loss barrier ever measured", worst, 1e-12)])
    };
    Check::of_all(numbers(), "softmax regression")
}

/// Mean barriers at the end of each protocol: of copies and factors those of k = 0, or of the first spawn step.
pub fn summary(recording: &Recording) -> Vec<(String, f64)> {
    let mut found = Vec::new();
    for protocol in ["copies", "starts", "factors"] {
        let all = tracks(recording, &[("protocol", protocol)]);
        let first = values(&all, "k").first().copied();
        let kept: Vec<_> = all.into_iter().filter(|track| track.number("k") == first).collect();
        for series in [
            "train_loss_barrier",
            "test_loss_barrier",
            "test_error_barrier",
            "test_loss_barrier/weights",
            "test_accuracy",
        ] {
            let ends: Vec<_> = kept.iter().filter_map(|track| last(track, series)).collect();
            found.extend(mean(&ends).map(|value| (format!("{protocol}_{}", series.replace('/', "_")), value)));
        }
    }
    found
}

pub const CLAIMS: &[Claim] = &[
    Claim {
        id: "modest-rate-connected",
        statement: "A small MLP at a modest learning rate is linearly mode connected from k = 0 on.",
        check_text: "SGD at the smallest rate without warm-up, k = 0: mean test-error barrier under 2 % (Frankle's threshold) and training-loss barrier under 0.02.",
        known_failure: "",
        check: modest_rate,
    },
    Claim {
        id: "large-rate-breaks",
        statement: "A large early learning rate breaks linear mode connectivity.",
        check_text: "SGD at the largest rate without warm-up, k = 0: mean training-loss barrier at least 8 times that of the smallest rate, and 0.02.",
        known_failure: "",
        check: large_rate,
    },
    Claim {
        id: "warmup-restores",
        statement: "Warm-up restores the connectivity that a large early rate broke.",
        check_text: "SGD at the largest rate, k = 0: mean training-loss barrier with the longest warm-up at most 0.6 of that without.",
        known_failure: "",
        check: warmup,
    },
    Claim {
        id: "later-connected",
        statement: "Copies that leave later are connected.",
        check_text: "SGD at the largest rate without warm-up: mean training-loss barrier of the latest spawn step before T at most a fifth of that of k = 0.",
        known_failure: "",
        check: later,
    },
    Claim {
        id: "last-step-zero",
        statement: "Copies that leave at the last step have no barrier (an identity).",
        check_text: "k = T: barrier and distance are 0 to the last bit.",
        known_failure: "",
        check: last_step,
    },
    Claim {
        id: "adam-fragile",
        statement: "Adam is more fragile than SGD.",
        check_text: "Largest rates, no warm-up, k = 0: Adam's mean training-loss barrier at least SGD's.",
        known_failure: "At this scale the rate decides, not the optimiser: Adam at 0.01 has some hundredths of the barrier of SGD at 0.2 and several times that of SGD at 0.05, and no rule says which rates to compare.",
        check: adam_fragile,
    },
    Claim {
        id: "adam-warmup-helps",
        statement: "Warm-up helps Adam.",
        check_text: "Adam at the largest rate, k = 0: mean training-loss barrier with the longest warm-up at most half of that without. Both are far below what breaks connectivity: the direction is claimed, not the importance.",
        known_failure: "",
        check: adam_warmup,
    },
    Claim {
        id: "starts-apart",
        statement: "Networks from different starts are not linearly connected.",
        check_text: "Every size: mean test-loss barrier at least 0.05.",
        known_failure: "",
        check: starts_apart,
    },
    Claim {
        id: "weights-remove",
        statement: "Matching units by weights removes most of the barrier between different starts.",
        check_text: "Every size: at least 60 % of the mean test-loss barrier; the smallest share is that of narrow deep networks.",
        known_failure: "",
        check: weights_remove,
    },
    Claim {
        id: "activations-remove",
        statement: "Matching units by activations removes most of the barrier between different starts.",
        check_text: "Every size: at least 60 % of the mean test-loss barrier; the smallest share is that of narrow deep networks.",
        known_failure: "",
        check: activations_remove,
    },
    Claim {
        id: "depth-raises",
        statement: "The barrier between different starts grows with depth.",
        check_text: "At the largest width: mean test-loss barrier of the deepest at least twice that of the shallowest.",
        known_failure: "",
        check: deeper,
    },
    Claim {
        id: "width-matches",
        statement: "What matching leaves shrinks with width.",
        check_text: "At the largest depth: mean test-loss barrier after weight matching of the widest at most 0.6 of the narrowest's. Between them it needn't fall at every step.",
        known_failure: "",
        check: wider,
    },
    Claim {
        id: "sharing-breaks",
        statement: "Of the two steps from a dense layer to a convolution it is weight sharing, not sparsity, that breaks connectivity.",
        check_text: "SGD at the largest rate, k = 0, width 128: mean training-loss barrier of shared weights at least twice that of locally connected ones.",
        known_failure: "",
        check: sharing,
    },
    Claim {
        id: "convolutions-worse",
        statement: "Convolutional networks lack the connectivity of fully connected ones.",
        check_text: "As before: mean training-loss barrier of shared weights at least 1.5 times that of dense ones.",
        known_failure: "On 8x8 digits two channels a pixel are a small convolution, and the dense network of the same width, with some twenty times its parameters, parts at the same rate: the barriers of both are alike within their spread, now one higher, now the other.",
        check: convolutions,
    },
    Claim {
        id: "small-batches-part",
        statement: "More SGD noise (smaller batches) breaks connectivity.",
        check_text: "SGD at the smallest rate, k = 0: mean training-loss barrier with batches of 16 at least three times that with 64. At the large rate batches of 16 diverge, which is no evidence.",
        known_failure: "",
        check: noise_of_batches,
    },
    Claim {
        id: "harder-data-part",
        statement: "Harder data break connectivity, and at a lower rate.",
        check_text: "SGD, k = 0: mean training-loss barrier with a fifth of the labels random at least twice that without, at the smallest and at the largest rate.",
        known_failure: "",
        check: harder_data,
    },
    Claim {
        id: "convex-control",
        statement: "A convex loss has no barrier: the control.",
        check_text: "Softmax regression with different starts: training-loss barrier at every measurement at most 1e-12, in f64.",
        known_failure: "",
        check: control,
    },
];
