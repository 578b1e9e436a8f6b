//! Rank collapse.

use crate::base::statistics::finite_range;
use crate::plots::{Colormap, FieldPlot, Pane, PaneId, PaneOptions, Plot, words};
use crate::record::{Reading, Recording, TimeCursor, TokenKind, VectorSeries, names};

pub(crate) const PANE: Pane = Pane {
    id: PaneId::RankCollapse,
    slug: "rank-collapse",
    title: "Rank collapse",
    guide: "How alike the tokens of a sequence have become: the cosine between two tokens' vectors is 1 when they point the same way and 0 when they have nothing in common. \
        Left: the mean over all pairs of different tokens, one row a layer with the input on top, steps to the right. \
        Right: every pair of one layer at the cursor; the diagonal is each token with itself. \
        Healthy: low values near the input and a moderate rise with depth. \
        Rank collapse: the deep rows go to 1 and the right picture turns one colour; all tokens then carry the same information and attention can't tell them apart. \
        Residual branches that are too weak cause it, normalisation before the branch slows it. \
        For models without tokens the examples of a batch take their place, and high values mean that the network can't tell examples apart.",
    plots,
};

const COLUMNS: usize = 300;
/// Matrices that are looked at to choose the colours.
const LOOKED_AT: usize = 32;
/// Cosines somewhat below zero are drawn as zero, so that the whole map is left for telling high from very high; only
/// strongly opposed tokens ask for a signed one.
const SIGNED_BELOW: f32 = -0.3;

fn plots(recording: &Recording, cursor: TimeCursor, options: &PaneOptions) -> Vec<Plot> {
    let (one, many) = match recording.header.token_kind {
        TokenKind::Tokens => ("token", "tokens"),
        TokenKind::Examples => ("example", "examples"),
    };
    vec![means(recording, cursor, many), similarity(recording, cursor, options.similarity_layer, one, many)]
}

fn means(recording: &Recording, cursor: TimeCursor, many: &str) -> Plot {
    let title = format!("Mean cosine of {many}");
    let Some(series) = recording.vector(&names::TOKEN_COSINE).filter(|series| !series.is_empty()) else {
        return Plot::Empty { title, reason: words::unmeasured(recording) };
    };
    let newest = recording.newest_step();
    let (columns, rows) = (series.len().clamp(1, COLUMNS), series.width());
    let mut values = vec![f32::NAN; columns * rows];
    for column in 0..columns {
        if let Some(row) = newest_in(series, newest, column, columns) {
            for (layer, &cosine) in row.iter().enumerate() {
                // The first layer on top, as in the ridges.
                values[(rows - 1 - layer) * columns + column] = cosine;
            }
        }
    }
    let (value_range, colormap) = scale(is_signed(&values));
    let name =
        |layer: usize| recording.header.layers.get(layer).map_or_else(|| format!("layer {layer}"), |l| l.name.clone());
    let at = cursor.step(newest);
    let mut notes: Vec<_> = series.latest_at(at).map(|(step, _)| words::age(step, at)).into_iter().collect();
    notes.extend(instead_of_tokens(recording));
    notes.extend(below_zero(&values, value_range));
    Plot::Field(FieldPlot {
        title,
        x_label: "step".into(),
        y_label: "layer".into(),
        value_label: "mean cosine".into(),
        columns,
        rows,
        values,
        value_range,
        colormap,
        x_range: [0.0, newest.max(1) as f64],
        y_range: [0.0, rows as f64],
        row_labels: (0..rows).rev().map(name).collect(),
        cursor: (!cursor.is_following()).then_some(at as f64),
        notes,
        ..FieldPlot::default()
    })
}

/// What the colours don't show.
fn below_zero(cosines: &[f32], [shown, _]: [f32; 2]) -> Option<String> {
    let [low, _] = finite_range(cosines.iter().copied())?;
    (low < shown - 5e-3).then(|| format!("cosines below 0 (down to {}) are drawn as 0", words::number(f64::from(low))))
}

fn is_signed(cosines: &[f32]) -> bool {
    finite_range(cosines.iter().copied()).is_some_and(|[low, _]| low < SIGNED_BELOW)
}

/// Signed cosines need a map with a middle; without signs the whole map tells high from very high.
fn scale(signed: bool) -> ([f32; 2], Colormap) {
    if signed { ([-1.0, 1.0], Colormap::Diverging) } else { ([0.0, 1.0], Colormap::Viridis) }
}

/// The last row within or before one of `columns` equal parts of [0, newest].
fn newest_in(series: &VectorSeries, newest: u64, column: usize, columns: usize) -> Option<&[f32]> {
    let end = (u128::from(newest) * (column as u128 + 1) / columns as u128) as u64;
    series.latest_at(end).map(|(_, row)| row)
}

fn instead_of_tokens(recording: &Recording) -> Option<String> {
    let examples = recording.header.token_kind == TokenKind::Examples;
    examples.then(|| "this model has no tokens: the examples of a batch take their place".into())
}

fn similarity(recording: &Recording, cursor: TimeCursor, layer: usize, one: &str, many: &str) -> Plot {
    let layers = &recording.header.layers;
    let name = layers.get(layer.min(layers.len().saturating_sub(1))).map_or("", |layer| layer.name.as_str());
    let at = cursor.step(recording.newest_step());
    let id = names::token_similarity(name);
    let Some((step, Reading::Matrix(matrix))) = recording.latest_at(&id, at) else {
        return Plot::Empty { title: format!("Similarity of {many}"), reason: words::unmeasured(recording) };
    };
    let mut notes = vec![words::age(step, at)];
    if recording.header.token_kind == TokenKind::Tokens {
        notes.push("mean over examples".into());
    }
    notes.extend(instead_of_tokens(recording));
    // One scale for the whole run: if it jumped while one scrubs, colours could not be compared.
    let signed = recording.heavy(&id).is_some_and(|series| {
        let stride = series.len().div_ceil(LOOKED_AT).max(1);
        let chosen = series.entries().iter().step_by(stride);
        chosen.map(|(_, reading)| reading).any(|r| matches!(r, Reading::Matrix(m) if is_signed(&m.values)))
    });
    let (value_range, colormap) = scale(signed);
    notes.extend(below_zero(&matrix.values, value_range));
    // Cells are centred on the tokens' numbers.
    let edges = |n: usize| [-0.5, n as f64 - 0.5];
    Plot::Field(FieldPlot {
        title: format!("Similarity of {many}: {name}, step {step}"),
        x_label: one.into(),
        y_label: one.into(),
        value_label: "cosine".into(),
        columns: matrix.columns,
        rows: matrix.rows,
        values: matrix.values.clone(),
        value_range,
        colormap,
        x_range: edges(matrix.columns),
        y_range: edges(matrix.rows),
        square: true,
        notes,
        ..FieldPlot::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Snapshot, TrackId, example};

    fn fields(recording: &Recording, cursor: TimeCursor, layer: usize) -> [FieldPlot; 2] {
        let options = PaneOptions { similarity_layer: layer, ..PaneOptions::default() };
        let fields = plots(recording, cursor, &options).into_iter().map(|plot| match plot {
            Plot::Field(field) => field,
            other => panic!("{other:?}"),
        });
        fields.collect::<Vec<_>>().try_into().unwrap()
    }

    #[test]
    fn rows_are_layers_with_the_first_on_top_and_columns_are_time() {
        let recording = example::recording(1_000);
        let [means, _] = fields(&recording, TimeCursor::At(400), 0);
        assert_eq!(means.row_labels.last().unwrap(), "embedding");
        assert_eq!((means.columns, means.rows), (300, 9));
        let series = recording.vector(&names::TOKEN_COSINE).unwrap();
        let embedding = &means.values[8 * 300..];
        assert_eq!(embedding[299], series.latest_at(1_000).unwrap().1[0]);
        assert_eq!(embedding[149], series.latest_at(500).unwrap().1[0]);
        assert_eq!(means.cursor, Some(400.0));
        assert_eq!(means.value_range, [0.0, 1.0]);
        assert_eq!(means.value_at(999.9, 0.5), Some(series.latest_at(1_000).unwrap().1[8]));
    }

    #[test]
    fn the_matrix_is_that_of_the_chosen_layer_at_the_cursor() {
        let recording = example::recording(100);
        let [_, last] = fields(&recording, TimeCursor::At(40), usize::MAX);
        assert!(last.title.contains("block 4") && last.title.contains("step 40"), "{}", last.title);
        let [_, first] = fields(&recording, TimeCursor::At(40), 0);
        assert!(first.title.contains("embedding"), "{}", first.title);
        assert_eq!(first.value_at(3.0, 3.0), Some(1.0));
        assert_eq!(first.value_at(3.0, 5.0), first.value_at(5.0, 3.0));
    }

    #[test]
    fn slightly_opposed_tokens_keep_the_scale_and_are_mentioned() {
        let mut recording = example::recording(100);
        let width = recording.header.layers.len();
        let readings = vec![(names::TOKEN_COSINE, Reading::Vector(vec![-0.12; width]))];
        recording.push(&Snapshot { track: TrackId(0), step: 101, readings }).unwrap();
        let [means, matrix] = fields(&recording, TimeCursor::Following, 0);
        assert_eq!(means.value_range, [0.0, 1.0]);
        assert!(means.notes.iter().any(|note| note.contains("-0.12")), "{:?}", means.notes);
        assert_eq!(matrix.value_range, [0.0, 1.0]);
    }

    #[test]
    fn examples_are_called_examples_and_signed_means_get_a_signed_scale() {
        let mut recording = example::recording(100);
        recording.header.token_kind = TokenKind::Examples;
        let width = recording.header.layers.len();
        let readings = vec![(names::TOKEN_COSINE, Reading::Vector(vec![-0.5; width]))];
        recording.push(&Snapshot { track: TrackId(0), step: 101, readings }).unwrap();
        let [means, matrix] = fields(&recording, TimeCursor::Following, 0);
        assert!(means.title.contains("examples") && matrix.x_label == "example");
        assert!(means.notes.iter().any(|note| note.contains("no tokens")));
        assert_eq!((means.value_range, means.colormap), ([-1.0, 1.0], Colormap::Diverging));
    }
}
