//! Activations.

use crate::base::statistics::median;
use crate::plots::{
    ActivationView, Colormap, FieldPlot, Pane, PaneId, PaneOptions, Plot, Ridge, RidgePlot, rebin, words,
};
use crate::record::{Density, HeavySeries, Reading, Recording, TimeCursor, names};

pub(crate) const PANE: Pane = Pane {
    id: PaneId::Activations,
    slug: "activations",
    title: "Activations",
    guide: "Each ridge is a histogram of what one layer puts out, the input side on top; all share one horizontal axis. \
        Healthy: bell-like ridges of similar width in all layers, stable over time. \
        Ridges that narrow with depth mean a vanishing signal, those that widen an exploding one; a spike at zero means units that are switched off. \
        Values far out on thin tails are outliers: a few units that carry much of the signal and make numbers of low precision useless. \
        The view over time shows one layer, steps to the right and values upwards, colour for the share of values on a logarithmic scale. \
        Values beyond the axis are counted beside the ridge, not drawn. \
        The widths depend on the normalisation in use, so compare layers of one run rather than two models.",
    plots,
};

const RIDGE_BINS: usize = 96;
const WATERFALL_BINS: usize = 72;
const WATERFALL_COLUMNS: usize = 240;
/// Decades of shares that colour shows.
const DECADES: f32 = 3.0;

fn plots(recording: &Recording, cursor: TimeCursor, options: &PaneOptions) -> Vec<Plot> {
    vec![match options.activation_view {
        ActivationView::Ridges => ridges(recording, cursor),
        ActivationView::Waterfall => waterfall(recording, cursor, options.activation_layer),
    }]
}

fn ridges(recording: &Recording, cursor: TimeCursor) -> Plot {
    let at = cursor.step(recording.newest_step());
    let mut layers = Vec::new();
    for layer in &recording.header.layers {
        let id = names::activations(&layer.name);
        if let Some((step, Reading::Density(density))) = recording.latest_at(&id, at) {
            layers.push((layer.name.as_str(), step, density.as_ref()));
        }
    }
    let Some(&(_, step, _)) = layers.first() else {
        return Plot::Empty { title: "Activations".into(), reason: words::unmeasured(recording) };
    };
    let x_range = value_range(layers.iter().map(|(_, _, density)| *density));
    let ridges = layers.iter().map(|(name, _, density)| {
        let shares = rebin::shares(density, x_range, RIDGE_BINS);
        let summary = summary(density, &shares);
        Ridge { label: (*name).to_owned(), shares, summary, over: Vec::new() }
    });
    Plot::Ridges(RidgePlot {
        title: "Activations".into(),
        x_label: "activation".into(),
        x_range,
        ridges: ridges.collect(),
        notes: vec![words::age(step, at), "height: share of values".into()],
        ..RidgePlot::default()
    })
}

fn summary(density: &Density, shown: &[f32]) -> String {
    let number = |v: f32| words::number(f64::from(v));
    let mut text = format!("mean {}, std {}", number(density.mean), number(density.std));
    let mut tell = |share: f64, what: &str| {
        if share > 5e-4 {
            text.push_str(&format!(", {} {what}", words::percent(share)));
        }
    };
    tell(f64::from(density.zero_share), "zero");
    let not_finite = f64::from(density.not_finite);
    let outside = 1.0 - shown.iter().map(|&share| f64::from(share)).sum::<f64>();
    tell(outside - not_finite / rebin::total(density).max(1.0), "outside");
    if density.not_finite > 0 {
        text.push_str(&format!(", {} not finite", density.not_finite));
    }
    text
}

/// A range that shows the bulk of every histogram: four standard deviations about the means, but no more than four
/// times what the layer in the middle needs, so that one exploding layer doesn't turn the others into needles.
fn value_range<'a>(densities: impl Iterator<Item = &'a Density>) -> [f64; 2] {
    let mut lows = Vec::new();
    let mut highs = Vec::new();
    for density in densities {
        let (mean, std) = (f64::from(density.mean), f64::from(density.std));
        let low = (mean - 4.0 * std).max(f64::from(density.low));
        let high = (mean + 4.0 * std).min(f64::from(density.high));
        if low.is_finite() && high.is_finite() && low <= high {
            lows.push(low);
            highs.push(high);
        }
    }
    let sizes: Vec<f64> = lows.iter().zip(&highs).map(|(low, high)| low.abs().max(high.abs())).collect();
    let most = 4.0 * median(&sizes).unwrap_or(1.0);
    let low = lows.iter().copied().fold(f64::INFINITY, f64::min).max(-most);
    let high = highs.iter().copied().fold(f64::NEG_INFINITY, f64::max).min(most);
    match high - low {
        span if span > 1e-9 * most => [low, high],
        // Nothing, or one number everywhere.
        span if span.is_finite() => [low - 0.5, high + 0.5],
        _ => [-1.0, 1.0],
    }
}

fn waterfall(recording: &Recording, cursor: TimeCursor, layer: usize) -> Plot {
    let layers = &recording.header.layers;
    let name = layers.get(layer.min(layers.len().saturating_sub(1))).map_or("", |layer| layer.name.as_str());
    let title = format!("Activations of {name} over time");
    let series = recording.heavy(&names::activations(name)).filter(|series| !series.is_empty());
    let Some(series) = series else {
        return Plot::Empty { title: title.trim_end().into(), reason: words::unmeasured(recording) };
    };
    let newest = recording.newest_step();
    let sampled = sample(series, newest);
    let known: Vec<&Density> = sampled.iter().flatten().copied().collect();
    let y_range = value_range(known.iter().copied());
    let (columns, rows) = (sampled.len(), WATERFALL_BINS);
    let mut values = vec![f32::NAN; columns * rows];
    let mut most = 0.0_f32;
    for (column, density) in sampled.iter().enumerate() {
        let Some(density) = density else { continue };
        for (row, share) in rebin::shares(density, y_range, rows).into_iter().enumerate() {
            values[row * columns + column] = share;
            most = most.max(share);
        }
    }
    let most = if most > 0.0 { most } else { 1.0 };
    let at = cursor.step(newest);
    Plot::Field(FieldPlot {
        title,
        x_label: "step".into(),
        y_label: "activation".into(),
        value_label: "share of values".into(),
        columns,
        rows,
        values,
        value_range: [most * 10.0_f32.powf(-DECADES), most],
        log: true,
        colormap: Colormap::Magma,
        x_range: [0.0, newest.max(1) as f64],
        y_range,
        cursor: (!cursor.is_following()).then_some(at as f64),
        notes: series.latest_at(at).map(|(step, _)| words::age(step, at)).into_iter().collect(),
        ..FieldPlot::default()
    })
}

/// The newest histogram of each of equal parts of [0, newest]; parts are no finer than the measurements.
fn sample(series: &HeavySeries, newest: u64) -> Vec<Option<&Density>> {
    let columns = series.len().clamp(1, WATERFALL_COLUMNS);
    let end = |column: usize| (newest as u128 * (column as u128 + 1) / columns as u128) as u64;
    (0..columns)
        .map(|column| match series.latest_at(end(column)) {
            Some((_, Reading::Density(density))) => Some(density.as_ref()),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::example;

    #[test]
    fn every_layer_has_a_ridge_that_holds_nearly_all_its_values() {
        let recording = example::recording(600);
        let Plot::Ridges(plot) = ridges(&recording, TimeCursor::At(300)) else { panic!() };
        assert_eq!(plot.ridges.len(), recording.header.layers.len());
        for (ridge, layer) in plot.ridges.iter().zip(&recording.header.layers) {
            assert_eq!(ridge.label, layer.name);
            let sum: f32 = ridge.shares.iter().sum();
            assert!(sum > 0.9 && sum <= 1.0 + 1e-4, "{}: {sum}", ridge.label);
        }
        assert!(plot.notes[0].contains("step 300"), "{:?}", plot.notes);
    }

    #[test]
    fn one_exploding_layer_leaves_the_others_their_shape() {
        let density = |std: f32| Density {
            low: -5.0 * std,
            high: 5.0 * std,
            counts: vec![1; 10],
            below: 0,
            above: 0,
            not_finite: 0,
            mean: 0.0,
            std,
            zero_share: 0.0,
        };
        let calm: Vec<_> = [1.0, 1.2, 0.9, 1.1].map(density).into();
        let [low, high] = value_range(calm.iter().chain([&density(1e6)]));
        assert!((-20.0..=-4.0).contains(&low) && (4.0..=20.0).contains(&high), "{low} {high}");
        assert_eq!(value_range([&density(0.0)].into_iter()), [-0.5, 0.5]);
        assert_eq!(value_range([&density(f32::NAN)].into_iter()), [-1.0, 1.0]);
    }

    #[test]
    fn a_column_of_the_waterfall_is_the_histogram_of_its_time() {
        let recording = example::recording(600);
        let last = recording.header.layers.len() - 1;
        let Plot::Field(plot) = waterfall(&recording, TimeCursor::Following, usize::MAX) else { panic!() };
        assert!(plot.title.contains(&recording.header.layers[last].name));
        assert_eq!(plot.values.len(), plot.columns * plot.rows);
        let id = names::activations(&recording.header.layers[last].name);
        let Some((_, Reading::Density(density))) = recording.latest_at(&id, 600) else { panic!() };
        let shares = rebin::shares(density, plot.y_range, plot.rows);
        let column: Vec<_> = (0..plot.rows).map(|row| plot.values[row * plot.columns + plot.columns - 1]).collect();
        assert_eq!(column, shares);
    }

    #[test]
    fn without_measurements_the_reader_is_told() {
        assert!(matches!(ridges(&Recording::default(), TimeCursor::Following), Plot::Empty { .. }));
        assert!(matches!(waterfall(&Recording::default(), TimeCursor::Following, 3), Plot::Empty { .. }));
    }
}
