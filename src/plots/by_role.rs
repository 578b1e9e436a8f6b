//! Numbers of parts of a network, by what their parameters do: over steps and over depth.

use crate::record::{ParamPart, ParamRole, Recording, SeriesId, TimeCursor, VectorSeries};

use super::lines::{LinePlot, LineStyle, XAxis};
use super::{CurveView, Plot, curves, words};

/// What is drawn, and how.
pub(super) struct RoleLook<'a> {
    pub series: SeriesId,
    pub title: &'a str,
    pub y_label: &'a str,
    pub log: bool,
    /// A value to compare with, and what it means.
    pub reference: Option<(f64, &'a str)>,
    /// Of the curves over steps, when all roles are shown.
    pub note: &'a str,
    /// Instead of a picture.
    pub absent: String,
    pub view: CurveView,
}

/// Colours before dashes tell two curves apart; the last is kept for the reference.
const COLORS: usize = 6;
const REFERENCE: usize = 6;

/// Roles that there are numbers for, in the order of the legend.
fn roles(parts: &[ParamPart], series: &VectorSeries) -> Vec<ParamRole> {
    let newest = series.row(series.len() - 1);
    let is_told = |role: ParamRole| parts.iter().zip(newest).any(|(part, x)| part.role == role && x.is_finite());
    ParamRole::ALL.into_iter().filter(|role| is_told(*role)).collect()
}

/// Layers, input side first.
fn layers(parts: &[ParamPart]) -> Vec<&str> {
    let mut layers: Vec<&str> = Vec::new();
    for part in parts {
        if !layers.contains(&part.layer.as_str()) {
            layers.push(&part.layer);
        }
    }
    layers
}

fn look_of(index: usize) -> (LineStyle, usize) {
    let style = if (index / COLORS).is_multiple_of(2) { LineStyle::Solid } else { LineStyle::Dashed };
    (style, index % COLORS)
}

/// Where a role stands in the legend: it keeps its colour from picture to picture.
fn place(role: ParamRole) -> usize {
    ParamRole::ALL.iter().position(|other| *other == role).unwrap_or(0)
}

/// A curve a role, the mean over its layers; or of one role a curve a layer.
pub(super) fn over_steps(recording: &Recording, cursor: TimeCursor, look: &RoleLook, only: Option<ParamRole>) -> Plot {
    let Some((series, parts)) = told(recording, look) else { return empty(look) };
    let mut plot = curves::over_steps(recording, cursor, look.view, look.title, look.y_label);
    plot.y_log = look.log;
    let at = cursor.step(recording.newest_step());
    let known = roles(parts, series);
    let only = only.filter(|role| known.contains(role));
    let mut rows_a_point = 1;
    let columns_of = |role: ParamRole| -> Vec<usize> {
        (0..parts.len().min(series.width())).filter(|&c| parts[c].role == role).collect()
    };
    match only {
        None => {
            for role in known {
                rows_a_point = plot.add_rows(series, &columns_of(role), role.label(), look_of(place(role)), at);
            }
        }
        Some(role) => {
            for (i, column) in columns_of(role).into_iter().enumerate() {
                rows_a_point = plot.add_rows(series, &[column], &parts[column].layer, look_of(i), at);
            }
        }
    }
    let ends = [0.0, plot.x_max.max(1.0)];
    reference(&mut plot, look, ends);
    match only {
        None => plot.notes.push(look.note.to_owned()),
        Some(role) => plot.notes.push(format!("{} of each layer", role.label())),
    }
    if rows_a_point > 1 {
        plot.notes.push(format!("mean over {rows_a_point} measurements a point"));
    }
    Plot::Lines(plot)
}

/// A curve a role, over the layers at the cursor; one role alone beside its first measurement.
pub(super) fn over_depth(recording: &Recording, cursor: TimeCursor, look: &RoleLook, only: Option<ParamRole>) -> Plot {
    let Some((series, parts)) = told(recording, look) else { return empty(look) };
    let step = cursor.step(recording.newest_step());
    let Some((measured, row)) = series.latest_at(step) else { return empty(look) };
    let layers = layers(parts);
    let last = layers.len().saturating_sub(1);
    let mut plot = LinePlot {
        title: format!("{} by layer, step {measured}", look.title),
        x_label: "layer".into(),
        y_label: look.y_label.into(),
        y_log: look.log,
        x_axis: XAxis::Whole([0, last]),
        x_max: last.max(1) as f64,
        ..LinePlot::default()
    };
    let known = roles(parts, series);
    let only = only.filter(|role| known.contains(role));
    let points = |role: ParamRole, row: &[f32]| -> Vec<[f64; 2]> {
        let of_role = parts.iter().zip(row).filter(|(part, _)| part.role == role);
        of_role
            .map(|(part, &y)| [layers.iter().position(|l| *l == part.layer).unwrap_or(0) as f64, f64::from(y)])
            .collect()
    };
    if let Some(role) = only.filter(|_| series.steps()[0] < measured) {
        plot.add(&format!("step {}", series.steps()[0]), points(role, series.row(0)), LineStyle::Dashed, 1);
    }
    for role in known.into_iter().filter(|role| only.is_none_or(|only| only == *role)) {
        let label = if only.is_some() { format!("step {measured}") } else { role.label().to_owned() };
        let (points, (style, color)) = (points(role, row), look_of(place(role)));
        // One layer alone is a dot, which dashes couldn't show.
        let is_marked = style == LineStyle::Solid || points.len() == 1 || only.is_some();
        plot.add(&label, points, if is_marked { LineStyle::Marked } else { style }, color);
    }
    reference(&mut plot, look, [0.0, last.max(1) as f64]);
    plot.notes.push(words::age(measured, step));
    plot.notes.extend(only.map(|role| role.label().to_owned()));
    plot.notes.push(format!("0 is {}, {last} is {}", layers.first().unwrap_or(&""), layers.last().unwrap_or(&"")));
    Plot::Lines(plot)
}

fn told<'a>(recording: &'a Recording, look: &RoleLook) -> Option<(&'a VectorSeries, &'a [ParamPart])> {
    let series = recording.vector(&look.series).filter(|series| !series.is_empty())?;
    let parts = &recording.header.parameter_parts[..];
    (!parts.is_empty()).then_some((series, parts))
}

fn empty(look: &RoleLook) -> Plot {
    Plot::Empty { title: look.title.into(), reason: look.absent.clone() }
}

fn reference(plot: &mut LinePlot, look: &RoleLook, [left, right]: [f64; 2]) {
    if let Some((value, meaning)) = look.reference {
        plot.add(meaning, vec![[left, value], [right, value]], LineStyle::Dashed, REFERENCE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{example, names};

    fn look(series: SeriesId) -> RoleLook<'static> {
        RoleLook {
            series,
            title: "Norm",
            y_label: "|g|",
            log: true,
            reference: Some((0.1, "a tenth")),
            note: "mean over the layers",
            absent: "an older version made it".into(),
            view: CurveView::default(),
        }
    }

    fn lines(plot: Plot) -> LinePlot {
        match plot {
            Plot::Lines(plot) => plot,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn roles_are_means_over_their_layers_and_one_role_alone_shows_them() {
        let recording = example::recording(600);
        let parts = &recording.header.parameter_parts;
        let look = look(names::ROLE_GRADIENT_NORM);
        let (measured, row) = recording.vector(&look.series).unwrap().latest_at(333).unwrap();
        let of = |role| parts.iter().zip(row).filter(move |(part, _)| part.role == role).map(|(_, &x)| f64::from(x));
        let all = lines(over_steps(&recording, TimeCursor::At(333), &look, None));
        let values: Vec<f64> = of(ParamRole::Keys).collect();
        let known = values.iter().sum::<f64>() / values.len() as f64;
        assert!(all.at_cursor.contains(&("keys".into(), known)), "{:?}", all.at_cursor);
        for (i, line) in all.lines.iter().enumerate() {
            let looks = |l: &crate::plots::Line| (l.color, l.style);
            assert!(all.lines[..i].iter().all(|other| looks(other) != looks(line)), "{}", line.label);
        }
        let keys = lines(over_steps(&recording, TimeCursor::At(333), &look, Some(ParamRole::Keys)));
        assert_eq!(keys.at_cursor.iter().map(|(_, y)| *y).collect::<Vec<_>>(), values);
        assert_eq!(keys.at_cursor[1].0, "block 2");

        let depth = lines(over_depth(&recording, TimeCursor::At(333), &look, None));
        assert!(depth.title.contains(&format!("step {measured}")), "{}", depth.title);
        let line = depth.lines.iter().find(|line| line.label == "keys").unwrap();
        assert_eq!(line.points, values.iter().enumerate().map(|(l, &y)| [1.0 + l as f64, y]).collect::<Vec<_>>());
        // One layer alone is a dot: the first and the last of the layers.
        for (label, at) in [("embedding", 0.0), ("output", 5.0)] {
            let line = depth.lines.iter().find(|line| line.label == label).unwrap();
            assert_eq!((line.points.len(), line.points[0][0], line.style), (1, at, LineStyle::Marked));
        }
        let alone = lines(over_depth(&recording, TimeCursor::At(333), &look, Some(ParamRole::Keys)));
        assert_eq!(alone.lines.len(), 3, "then, now and the reference");
    }

    #[test]
    fn what_is_not_a_matrix_has_no_rounding_error_and_old_recordings_say_why_they_are_empty() {
        let mut recording = example::recording(50);
        let look = look(names::WEIGHT_INT8_ERROR);
        let plot = lines(over_steps(&recording, TimeCursor::Following, &look, None));
        assert!(plot.lines.iter().all(|line| line.label != "biases" && !line.label.contains("norm")));
        assert!(plot.lines.iter().any(|line| line.label == "expand"));
        // A role that has no numbers here counts as all of them.
        let all = lines(over_steps(&recording, TimeCursor::Following, &look, Some(ParamRole::Biases)));
        assert_eq!(all.lines.len(), plot.lines.len());
        recording.header.parameter_parts.clear();
        for draw in [over_steps, over_depth] {
            let plot = draw(&recording, TimeCursor::Following, &look, None);
            assert!(matches!(plot, Plot::Empty { reason, .. } if reason.contains("older")));
        }
    }
}
