//! Attention.

use crate::base::statistics::finite_range;
use crate::plots::lines::{LinePlot, LineStyle, XAxis};
use crate::plots::{Colormap, EntropyView, FieldPlot, Pane, PaneId, PaneOptions, Plot, curves, words};
use crate::record::{Matrix, Reading, Recording, TimeCursor, TokenKind, VectorSeries, names};

pub(crate) const PANE: Pane = Pane {
    id: PaneId::Attention,
    slug: "attention",
    title: "Attention",
    guide: "Left: where each token of one training example looks, in the chosen layer and head at the cursor. \
        A row is a query: the token that looks; its cells say how much it takes from each token and sum to 1; a causal network leaves everything to the right of the diagonal empty. \
        Right: the entropy of these rows, as a mean over examples and queries: 0 when every query looks at one token, ln T when it looks at all T alike. \
        Healthy: heads start near the uniform line and part from it and from one another as they learn different things. \
        Entropy collapse (near 0) makes training unstable; heads that stay uniform only average, as the theory of rank collapse assumes (Noci et al. 2022). \
        Tokens of a picture are its patches in reading order; of long sequences the map shows groups of neighbours, summed over keys and averaged over queries.",
    plots,
};

/// Maps that are looked at to choose the colours.
const LOOKED_AT: usize = 32;
/// Solid colours before dashes tell two curves apart; the last is kept for what is not one.
const COLORS: usize = 6;
const REFERENCE: usize = 6;

fn plots(recording: &Recording, cursor: TimeCursor, options: &PaneOptions) -> Vec<Plot> {
    let header = &recording.header;
    let is_without = match header.attention_heads {
        Some(heads) => heads == 0,
        None => header.token_kind == TokenKind::Examples,
    };
    if is_without {
        let reason = "This network has no attention: a vision transformer or a GPT has".into();
        return vec![Plot::Empty { title: "Attention".into(), reason }];
    }
    let found = recording.vector(&names::ATTENTION_ENTROPY).filter(|series| !series.is_empty());
    let Some(series) = found else {
        let reason = match header.attention_heads {
            None => words::absent(recording, None),
            Some(_) => {
                format!("{} (none while \u{201c}Attention of example\u{201d} is 0)", words::unmeasured(recording))
            }
        };
        return vec![Plot::Empty { title: "Attention".into(), reason }];
    };
    vec![map(recording, cursor, options), entropies(recording, cursor, options, series)]
}

fn number_at(recording: &Recording, id: &crate::record::SeriesId, at: u64) -> Option<f64> {
    recording.scalar(id).and_then(|series| series.latest_at(at)).map(|(_, value)| value)
}

/// Heads of a layer, and layers.
fn shape(recording: &Recording, series: &VectorSeries) -> (usize, usize) {
    let heads = recording.header.attention_heads.unwrap_or(1).max(1);
    (heads, series.width() / heads)
}

fn map(recording: &Recording, cursor: TimeCursor, options: &PaneOptions) -> Plot {
    let at = cursor.step(recording.newest_step());
    let layers = (1..).take_while(|layer| recording.heavy(&names::attention(*layer)).is_some()).count();
    let layer = options.attention_layer.min(layers.saturating_sub(1)) + 1;
    let id = names::attention(layer);
    let Some((step, Reading::Matrix(stacked))) = recording.latest_at(&id, at) else {
        return Plot::Empty { title: "Attention map".into(), reason: words::unmeasured(recording) };
    };
    let heads = stacked.rows / stacked.columns.max(1);
    let head = options.attention_head.min(heads);
    let side = stacked.columns;
    let shown = of_head(stacked, head);
    let values = shown.chunks_exact(side.max(1)).rev().flatten().copied().collect::<Vec<_>>();
    // One scale for the whole run: if it jumped while one scrubs, colours could not be compared.
    let range = recording.heavy(&id).and_then(|series| {
        let stride = series.len().div_ceil(LOOKED_AT).max(1);
        let chosen = series.entries().iter().step_by(stride).map(|(_, reading)| reading);
        let shown = chosen.filter_map(|reading| match reading {
            Reading::Matrix(matrix) => Some(of_head(matrix, head)),
            _ => None,
        });
        finite_range(shown.flatten().chain(values.iter().copied()))
    });
    let [low, high] = range.unwrap_or([0.0, 1.0]);
    let (value_range, colormap) = if low < 0.0 {
        let far = high.max(-low);
        ([-far, far], Colormap::Diverging)
    } else {
        ([0.0, high], Colormap::Viridis)
    };
    let tokens = number_at(recording, &names::ATTENTION_TOKENS, at).map_or(side, |tokens| tokens as usize).max(side);
    let mut notes = vec![words::age(step, at)];
    if let Some(example) = number_at(recording, &names::ATTENTION_EXAMPLE, step) {
        notes.push(format!("training example {example}"));
    }
    if tokens > side {
        notes.push(format!("{tokens} tokens in {side} groups"));
    }
    let which = if head == 0 { "mean of heads".to_owned() } else { format!("head {head}") };
    // Cells are centred on the tokens' numbers.
    let edges = [-0.5, tokens as f64 - 0.5];
    Plot::Field(FieldPlot {
        title: format!("Attention: block {layer}, {which}, step {step}"),
        x_label: "token looked at (key)".into(),
        y_label: "token looking (query)".into(),
        value_label: "weight".into(),
        columns: side,
        rows: side,
        values,
        value_range,
        colormap,
        x_range: edges,
        y_range: [0.0, side as f64],
        // The first query on top.
        row_labels: (0..side).rev().map(|row| (row * tokens / side).to_string()).collect(),
        square: true,
        notes,
        ..FieldPlot::default()
    })
}

/// `[T, T]` of head 1, 2, ... of those one below the other; of 0, their mean.
fn of_head(stacked: &Matrix, head: usize) -> Vec<f32> {
    let size = stacked.columns * stacked.columns;
    let maps: Vec<_> = stacked.values.chunks_exact(size.max(1)).collect();
    match head {
        0 => (0..size).map(|k| maps.iter().map(|map| map[k]).sum::<f32>() / maps.len() as f32).collect(),
        head => maps.get(head.min(maps.len()) - 1).map(|map| map.to_vec()).unwrap_or_default(),
    }
}

fn entropies(recording: &Recording, cursor: TimeCursor, options: &PaneOptions, series: &VectorSeries) -> Plot {
    let step = cursor.step(recording.newest_step());
    let (heads, layers) = shape(recording, series);
    let layer = options.attention_layer.min(layers.saturating_sub(1));
    let at = series.latest_at(step);
    let y_label = "nats";
    let mut plot = match options.entropy_view {
        EntropyView::Layers => curves::over_steps(recording, cursor, options.curves(), "Entropy of attention", y_label),
        EntropyView::Heads => {
            let title = format!("Entropy of attention: block {}", layer + 1);
            curves::over_steps(recording, cursor, options.curves(), &title, y_label)
        }
        EntropyView::Depth => LinePlot {
            title: format!("Entropy of attention by layer, step {}", at.map_or(step, |(measured, _)| measured)),
            x_label: "block".into(),
            y_label: y_label.into(),
            x_axis: XAxis::Whole([1, layers]),
            x_max: layers as f64,
            ..LinePlot::default()
        },
    };
    let look = |index: usize| {
        let style = if (index / COLORS).is_multiple_of(2) { LineStyle::Solid } else { LineStyle::Dashed };
        (style, index % COLORS)
    };
    let mut rows_a_point = 1;
    match options.entropy_view {
        EntropyView::Layers => {
            for layer in 0..layers {
                let columns: Vec<_> = (layer * heads..(layer + 1) * heads).collect();
                let label = format!("block {}", layer + 1);
                rows_a_point = plot.add_rows(series, &columns, &label, look(layer), step);
            }
            plot.notes.push("mean over heads".into());
        }
        EntropyView::Heads => {
            for head in 0..heads {
                let label = format!("head {}", head + 1);
                rows_a_point = plot.add_rows(series, &[layer * heads + head], &label, look(head), step);
            }
        }
        EntropyView::Depth => {
            if let Some((_, row)) = at {
                for head in 0..heads {
                    let points = (0..layers).map(|l| [(l + 1) as f64, f64::from(row[l * heads + head])]).collect();
                    plot.add(&format!("head {}", head + 1), points, LineStyle::Marked, look(head).1);
                }
            }
        }
    }
    references(&mut plot, recording, step, options.entropy_view == EntropyView::Depth);
    plot.notes.extend(at.map(|(measured, _)| words::age(measured, step)));
    if rows_a_point > 1 {
        plot.notes.push(format!("mean over {rows_a_point} measurements a point"));
    }
    if at.is_some_and(|(_, row)| row.iter().all(|x| x.is_nan())) {
        plot.notes.push("shaped attention has negative weights, and these no entropy".into());
    }
    Plot::Lines(plot)
}

/// The entropy of attention to all visible tokens alike, and to all tokens.
fn references(plot: &mut LinePlot, recording: &Recording, step: u64, over_depth: bool) {
    let ends = match plot.x_axis.range() {
        Some(range) if over_depth => range,
        _ => [0.0, plot.x_max.max(1.0)],
    };
    let uniform = number_at(recording, &names::ATTENTION_UNIFORM, step);
    let all = number_at(recording, &names::ATTENTION_TOKENS, step).map(f64::ln);
    let is_causal = matches!((uniform, all), (Some(uniform), Some(all)) if uniform < all - 1e-9);
    let mut line = |value: Option<f64>, label: &str, style: LineStyle| {
        if let Some(value) = value {
            plot.add(label, ends.map(|x| [x, value]).to_vec(), style, REFERENCE);
        }
    };
    if is_causal {
        line(uniform, "all visible tokens alike, mean over queries", LineStyle::Dashed);
        line(all, "ln T: all tokens alike", LineStyle::Faint);
    } else {
        line(uniform, "ln T: all tokens alike", LineStyle::Dashed);
    }
    if let Some(most) = all.or(uniform).filter(|most| *most > 0.0) {
        plot.y_range = Some([0.0, 1.08 * most]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Header, Snapshot, TrackId, example};

    fn pair(recording: &Recording, cursor: TimeCursor, options: &PaneOptions) -> (FieldPlot, LinePlot) {
        let mut plots = plots(recording, cursor, options).into_iter();
        let (Some(Plot::Field(map)), Some(Plot::Lines(lines))) = (plots.next(), plots.next()) else { panic!() };
        (map, lines)
    }

    #[test]
    fn the_map_is_that_of_the_chosen_head_with_the_first_query_on_top() {
        let recording = example::recording(300);
        let Some((_, Reading::Matrix(stacked))) = recording.latest_at(&names::attention(3), 200) else { panic!() };
        for head in 1..=4 {
            let options = PaneOptions { attention_layer: 2, attention_head: head, ..PaneOptions::default() };
            let (map, _) = pair(&recording, TimeCursor::At(200), &options);
            assert!(map.title.contains(&format!("block 3, head {head}, step 200")), "{}", map.title);
            assert_eq!((map.columns, map.rows, map.row_labels[15].as_str()), (16, 16, "0"));
            for (query, key) in [(0, 0), (0, 5), (13, 2)] {
                let known = stacked.values[((head - 1) * 16 + query) * 16 + key];
                assert_eq!(map.values[(15 - query) * 16 + key], known);
                assert_eq!(map.value_at(key as f64, 15.5 - query as f64), Some(known));
            }
            assert!(map.values.iter().all(|x| (0.0..=map.value_range[1]).contains(x)));
        }
        let options = PaneOptions { attention_layer: 99, attention_head: 0, ..PaneOptions::default() };
        let (mean, _) = pair(&recording, TimeCursor::At(200), &options);
        assert!(mean.title.contains("block 4, mean of heads"), "{}", mean.title);
        let Some((_, Reading::Matrix(stacked))) = recording.latest_at(&names::attention(4), 200) else { panic!() };
        let known = (0..4).map(|head| stacked.values[(head * 16 + 7) * 16 + 3]).sum::<f32>() / 4.0;
        assert!((mean.values[(15 - 7) * 16 + 3] - known).abs() < 1e-7);
    }

    #[test]
    fn entropies_are_told_by_layer_by_head_and_over_depth_below_the_uniform_line() {
        let recording = example::recording(300);
        let row = recording.vector(&names::ATTENTION_ENTROPY).unwrap().latest_at(200).unwrap().1.to_vec();
        let look = |view| {
            let options = PaneOptions { attention_layer: 1, entropy_view: view, ..PaneOptions::default() };
            pair(&recording, TimeCursor::At(200), &options).1
        };
        let uniform = |plot: &LinePlot| {
            let line = plot.lines.iter().find(|line| line.label.starts_with("ln T")).unwrap();
            assert!(line.points.iter().all(|p| (p[1] - 16f64.ln()).abs() < 1e-12));
            assert!(plot.lines.iter().flat_map(|l| &l.points).all(|p| p[1] <= 16f64.ln() + 1e-6));
        };
        let layers = look(EntropyView::Layers);
        let mean: f64 = row[4..8].iter().map(|&x| f64::from(x)).sum::<f64>() / 4.0;
        assert_eq!((layers.lines.len(), layers.at_cursor[1].0.as_str()), (5, "block 2"));
        assert!((layers.at_cursor[1].1 - mean).abs() < 1e-12);
        let heads = look(EntropyView::Heads);
        assert_eq!(heads.at_cursor[3], ("head 4".into(), f64::from(row[7])));
        let depth = look(EntropyView::Depth);
        assert_eq!(
            depth.lines[2].points,
            (0..4).map(|l| [1.0 + l as f64, f64::from(row[l * 4 + 2])]).collect::<Vec<_>>()
        );
        [layers, heads, depth].iter().for_each(uniform);
    }

    #[test]
    fn a_causal_network_has_a_line_of_its_own() {
        let mut recording = example::recording(50);
        let readings = vec![(names::ATTENTION_UNIFORM, Reading::Scalar(1.9))];
        recording.push(&Snapshot { track: TrackId(0), step: 51, readings }).unwrap();
        let (_, lines) = pair(&recording, TimeCursor::Following, &PaneOptions::default());
        let visible = lines.lines.iter().find(|line| line.label.contains("visible")).unwrap();
        assert_eq!(visible.points[0][1], 1.9);
        assert!(lines.lines.iter().any(|line| line.label.starts_with("ln T")));
    }

    #[test]
    fn what_has_no_attention_says_so() {
        let reason = |recording: &Recording| match &plots(recording, TimeCursor::Following, &PaneOptions::default())[..]
        {
            [Plot::Empty { reason, .. }] => reason.clone(),
            other => panic!("{other:?}"),
        };
        let header = |heads, token_kind| Header { attention_heads: heads, token_kind, ..Header::default() };
        let without = Recording::new(header(Some(0), TokenKind::Tokens));
        assert!(reason(&without).contains("no attention"));
        assert!(reason(&Recording::new(header(None, TokenKind::Examples))).contains("no attention"));
        // A recording that is older than the series.
        let mut old = Recording::new(header(None, TokenKind::Tokens));
        let readings = vec![(names::KURTOSIS, Reading::Vector(vec![1.0]))];
        old.push(&Snapshot { track: TrackId(0), step: 0, readings }).unwrap();
        assert!(reason(&old).contains("older version"), "{}", reason(&old));
        let off = Recording::new(header(Some(4), TokenKind::Tokens));
        assert!(reason(&off).contains("Attention of example"));
    }
}
