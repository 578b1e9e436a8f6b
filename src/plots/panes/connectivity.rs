//! Paths between networks: loss and error on the way. Not a pane of a recording: it compares parameters.

use crate::plots::lines::{Line, LinePlot, LineStyle, XAxis};
use crate::plots::{Plot, words};
use crate::record::Connectivity;
use crate::record::connectivity::{CurveKind, Heights, Matching, Pair, Walk, WalkPoint};

pub const TITLE: &str = "Connectivity";

/// "How to read this".
pub const GUIDE: &str = "Two sets of weights of one network are joined by a straight line; the curve is the loss on the way. \
    A flat line means that both lie in one basin: on the way nothing gets worse. \
    A hill between them is a barrier: its height above the chord, the straight line between the two ends, is the usual measure, and zero for a convex loss. \
    Hidden units have no names: networks that differ by the order of their units are one function. \
    So two runs from different starts nearly always have a barrier, and matching, which puts each unit of the second network in the place of its likest in the first, \
    removes most of it in wide networks. It can't change what the second network computes; the note says by how much rounding did.";

const COLORS: usize = 7;

/// Loss, and error where there are classes, along the paths of pair `index`; along those of all pairs if there are several
/// and `index` is none.
pub fn plots(found: &Connectivity, index: Option<usize>) -> Vec<Plot> {
    let chosen = index.and_then(|index| found.pairs.get(index));
    let pairs: Vec<&Pair> = chosen.map_or_else(|| found.pairs.iter().collect(), |pair| vec![pair]);
    let loss = plot(found, &pairs, format!("{TITLE}: loss"), found.loss.clone(), &|p| Some(p.loss));
    let mut plots = vec![Plot::Lines(LinePlot { notes: notes(found, &pairs), ..loss })];
    if pairs.iter().any(|pair| pair.walks.iter().any(|walk| walk.error.is_some())) {
        let error = plot(found, &pairs, format!("{TITLE}: error"), "error (1 - accuracy)".into(), &|p| p.error);
        plots.push(Plot::Lines(error));
    }
    plots
}

fn plot(
    found: &Connectivity,
    pairs: &[&Pair],
    title: String,
    y_label: String,
    value: &dyn Fn(&WalkPoint) -> Option<f64>,
) -> LinePlot {
    let several = pairs.len() > 1;
    let mut lines = Vec::new();
    for (at, pair) in pairs.iter().enumerate() {
        for (k, walk) in pair.walks.iter().enumerate() {
            let points = walk.points.iter().filter_map(|p| value(p).map(|y| [p.t, y])).collect();
            let label = if several { format!("{} - {}, {}", pair.a + 1, pair.b + 1, label(walk)) } else { label(walk) };
            // Where matching moves nothing, the line below is to be seen.
            let style = if walk.matching == Matching::None { LineStyle::Solid } else { LineStyle::Dashed };
            lines.push(Line { label, points, style, color: (if several { at } else { k } % COLORS).into() });
        }
    }
    let x_label = match pairs {
        [pair] => format!("from {} (0) to {} (1)", found.ends[pair.a].name, found.ends[pair.b].name),
        _ => "from the first (0) to the second (1)".into(),
    };
    LinePlot { title, x_label, y_label, lines, x_axis: XAxis::Linear([0.0, 1.0]), x_max: 1.0, ..LinePlot::default() }
}

/// Such as `weights matched`.
pub fn label(walk: &Walk) -> String {
    match walk.curve {
        CurveKind::Line => walk.matching.words().into(),
        curve => curve.words().into(),
    }
}

fn notes(found: &Connectivity, pairs: &[&Pair]) -> Vec<String> {
    let mut notes = vec![format!("{}, {}", found.model, found.data)];
    let about = &found.circumstances;
    notes.push(format!(
        "{} examples, {}, {} points and a search at each peak, {} s",
        about.examples,
        about.dtype,
        found.points,
        words::number(about.seconds)
    ));
    if let [pair] = pairs {
        for walk in &pair.walks {
            notes.push(format!("{}: loss barrier {}", label(walk), heights(&walk.loss)));
        }
        for matched in &pair.matched {
            let change = words::number(matched.output_change);
            let unfinished = if matched.converged == Some(false) { "; not converged" } else { "" };
            notes.push(format!(
                "{}: {} of {} units moved, distance {} to {}, outputs changed by at most {change}{unfinished}",
                matched.matching.words(),
                matched.moved,
                matched.units,
                words::number(pair.distance),
                words::number(matched.distance),
            ));
        }
    } else {
        notes.extend(found.ends.iter().enumerate().map(|(at, end)| format!("{}: {}", at + 1, end.name)));
    }
    notes.extend(found.unmatched.clone());
    notes
}

/// Such as `0.31 above the chord (at 0.52), 0.30 above the higher end`.
fn heights(found: &Heights) -> String {
    format!(
        "{} above the chord (at {}), {} above the higher end, {} above the ends' mean",
        words::number(found.above_chord.height),
        words::number(found.above_chord.t),
        words::number(found.above_higher_end.height),
        words::number(found.above_mean.height)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Circumstances;
    use crate::record::connectivity::{End, Height};

    fn walk(matching: Matching, height: f64) -> Walk {
        let at = |height| Height { height, t: 0.5, t_error: 1e-3 };
        let heights = Heights { above_chord: at(height), above_mean: at(height), above_higher_end: at(height) };
        let point = |t| WalkPoint { t, loss: 1.0 + 4.0 * height * t * (1.0 - t), error: Some(0.1) };
        let points = (0..25).map(|i| point(f64::from(i) / 24.0)).collect();
        Walk { curve: CurveKind::Line, matching, loss: heights, error: Some(heights), points }
    }

    fn found(networks: usize) -> Connectivity {
        let end = |at| End { name: format!("w{at}"), norm: 1.0, loss: 1.0, grades: None };
        let mut pairs = Vec::new();
        for a in 0..networks {
            for b in a + 1..networks {
                let walks = vec![walk(Matching::None, 0.3), walk(Matching::Weights, 0.0)];
                pairs.push(Pair { a, b, distance: 2.0, cosine: 0.1, matched: Vec::new(), walks, together: None });
            }
        }
        Connectivity {
            model: "mlp".into(),
            parameters: 3,
            loss: "cross-entropy".into(),
            data: "d".into(),
            points: 25,
            ends: (0..networks).map(end).collect(),
            pairs,
            together: None,
            unmatched: None,
            circumstances: Circumstances::default(),
        }
    }

    #[test]
    fn a_pair_has_a_line_a_walk_and_its_barrier_in_words() {
        let plots = plots(&found(2), Some(0));
        let [Plot::Lines(loss), Plot::Lines(error)] = &plots[..] else { panic!("two pictures of lines") };
        assert_eq!(loss.lines.len(), 2);
        assert_eq!(loss.lines[0].points[12], [0.5, 1.3]);
        assert_eq!(error.lines[1].points[3][1], 0.1);
        assert!(loss.x_label.contains("w0") && loss.x_label.contains("w1"));
        assert!(loss.notes.iter().any(|note| note.contains("0.3 above the chord")), "{:?}", loss.notes);
    }

    #[test]
    fn several_networks_are_numbered_and_named() {
        let plots = plots(&found(3), None);
        let Plot::Lines(loss) = &plots[0] else { panic!("lines") };
        assert_eq!(loss.lines.len(), 6);
        assert!(loss.lines[4].label.starts_with("2 - 3"), "{}", loss.lines[4].label);
        assert!(loss.notes.iter().any(|note| note == "3: w2"));
    }
}
