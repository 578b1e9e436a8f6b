//! Gradients and updates.

use crate::plots::lines::LineStyle;
use crate::plots::{Pane, PaneId, PaneOptions, Plot, curves};
use crate::record::{Recording, SeriesId, TimeCursor, names};

pub(crate) const PANE: Pane = Pane {
    id: PaneId::Gradients,
    slug: "gradients",
    title: "Gradients and updates",
    guide: "Left: the length of the gradient of each group of parameters, over steps. \
        Right: how far one step moves a group, relative to the group's own length. \
        Healthy: the groups stay within a factor of ten or so of one another, and ratios lie near 1/1000. \
        Ratios near 1/10 tear the weights about, ratios under 1/100,000 mean that the group hardly learns. \
        Gradients that shrink from the output towards the input vanish with depth, those that grow explode; both ask for another initialisation, normalisation or residual scale. \
        Spikes come before a divergence. \
        In long runs each point is the mean over the steps that share a column of the picture; the numbers at the cursor are exact.",
    plots,
};

/// Solid colours before dashes tell two groups of one colour apart.
const COLORS: usize = 7;

fn plots(recording: &Recording, cursor: TimeCursor, options: &PaneOptions) -> Vec<Plot> {
    let rule = "rule of thumb: near 1e-3";
    vec![
        by_group(recording, cursor, options, "Gradient norm", "|g|", &names::GRADIENT_NORM, None),
        by_group(recording, cursor, options, "Update to weight", "|Δw| / |w|", &names::UPDATE_RATIO, Some(rule)),
    ]
}

fn by_group(
    recording: &Recording,
    cursor: TimeCursor,
    options: &PaneOptions,
    title: &str,
    y_label: &str,
    id: &SeriesId,
    note: Option<&str>,
) -> Plot {
    let Some(series) = recording.vector(id).filter(|series| !series.is_empty()) else {
        return Plot::Empty { title: title.into(), reason: "Not measured yet: it comes with the first steps".into() };
    };
    let at = series.latest_at(cursor.step(recording.newest_step()));
    let mut plot = curves::over_steps(recording, cursor, title, y_label);
    plot.y_log = options.gradients_log;
    let mut rows_a_point = 1;
    for group in 0..series.width() {
        let name = recording.header.parameter_groups.get(group).cloned();
        let label = name.unwrap_or_else(|| format!("group {}", group + 1));
        let (points, rows) = series.decimated(group, 0, u64::MAX, curves::COLUMNS);
        rows_a_point = rows;
        let style = if (group / COLORS).is_multiple_of(2) { LineStyle::Solid } else { LineStyle::Dashed };
        plot.add(&label, points, style, group % COLORS);
        plot.add_value(&label, at.map(|(_, row)| f64::from(row[group])));
    }
    if rows_a_point > 1 {
        plot.notes.push(format!("mean over {rows_a_point} measurements a point"));
    }
    plot.notes.extend(note.map(str::to_owned));
    Plot::Lines(plot)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::example;

    #[test]
    fn every_group_is_a_line_of_its_own_look() {
        let recording = example::recording(3_000);
        let plots = plots(&recording, TimeCursor::At(1_234), &PaneOptions::default());
        for plot in &plots {
            let Plot::Lines(plot) = plot else { panic!("{plot:?}") };
            let groups = &recording.header.parameter_groups;
            assert_eq!(plot.lines.len(), groups.len());
            for (i, line) in plot.lines.iter().enumerate() {
                assert_eq!(line.label, groups[i]);
                assert!(line.points.len() <= 601);
                let look = |l: &crate::plots::Line| (l.color, l.style);
                assert!(plot.lines[..i].iter().all(|other| look(other) != look(line)), "{}", line.label);
            }
        }
        let Plot::Lines(norms) = &plots[0] else { unreachable!() };
        let row = recording.vector(&names::GRADIENT_NORM).unwrap().latest_at(1_234).unwrap().1;
        assert_eq!(norms.at_cursor[3].1, f64::from(row[3]));
    }
}
