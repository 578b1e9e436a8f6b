//! Gradients and updates.

use crate::plots::by_role::{self, RoleLook};
use crate::plots::lines::LineStyle;
use crate::plots::{GradientView, Pane, PaneId, PaneOptions, Plot, curves};
use crate::record::{Recording, SeriesId, TimeCursor, names};

pub(crate) const PANE: Pane = Pane {
    id: PaneId::Gradients,
    slug: "gradients",
    title: "Gradients and updates",
    guide: "Left: the length of the gradient of each group of parameters, over steps; right: how far one step moves a group, relative to the group's own length. \
        By role: queries, keys, values and the others apart, as means over the layers or one role layer by layer; by depth, from the input to the output at the cursor. \
        Healthy: the groups stay within a factor of ten or so of one another, and ratios lie near 1/1000; near 1/10 they tear the weights about, under 1/100,000 the group hardly learns. \
        Gradients that shrink from the output towards the input vanish with depth, those that grow explode; both ask for another initialisation, normalisation or residual scale, and spikes come before a divergence. \
        Queries and keys whose gradients vanish beside those of the values tell of rank collapse: where tokens are all alike, it doesn't matter which of them is looked at (Noci et al. 2022). \
        In long runs each point is the mean over the steps that share a column of the picture; the numbers at the cursor are exact.",
    plots,
};

/// Solid colours before dashes tell two groups of one colour apart.
const COLORS: usize = 7;
const UNMEASURED: &str = "Not measured yet: it comes with the first steps";

fn plots(recording: &Recording, cursor: TimeCursor, options: &PaneOptions) -> Vec<Plot> {
    let rule = "rule of thumb: near 1e-3";
    if options.gradient_view != GradientView::Groups {
        let draw = if options.gradient_view == GradientView::Roles { by_role::over_steps } else { by_role::over_depth };
        let absent = if recording.vector(&names::GRADIENT_NORM).is_some_and(|series| !series.is_empty()) {
            "Not in this recording: an older version made it"
        } else {
            UNMEASURED
        };
        let note = "mean over the layers; one role alone shows them one by one";
        let picture = |series, title, y_label, reference| {
            let look = RoleLook {
                series,
                title,
                y_label,
                log: options.gradients_log,
                reference,
                note,
                absent: absent.into(),
                view: options.curves(),
            };
            draw(recording, cursor, &look, options.gradient_role)
        };
        return vec![
            picture(names::ROLE_GRADIENT_NORM, "Gradient norm by role", "|g|", None),
            picture(
                names::ROLE_UPDATE_RATIO,
                "Update to weight by role",
                "|Δw| / |w|",
                Some((1e-3, "rule of thumb: 1e-3")),
            ),
        ];
    }
    let gradient = by_group(recording, cursor, options, "Gradient norm", "|g|", &names::GRADIENT_NORM, None);
    if recording.header.watched.is_some() {
        // Another program's updates aren't known, its weights are.
        let weights = by_group(recording, cursor, options, "Weight norm", "|w|", &names::WEIGHT_NORM, None);
        return vec![gradient, weights];
    }
    vec![
        gradient,
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
        return Plot::Empty { title: title.into(), reason: UNMEASURED.into() };
    };
    let at = cursor.step(recording.newest_step());
    let mut plot = curves::over_steps(recording, cursor, options.curves(), title, y_label);
    plot.y_log = options.gradients_log;
    let mut rows_a_point = 1;
    for group in 0..series.width() {
        let name = recording.header.parameter_groups.get(group).cloned();
        let label = name.unwrap_or_else(|| format!("group {}", group + 1));
        let style = if (group / COLORS).is_multiple_of(2) { LineStyle::Solid } else { LineStyle::Dashed };
        rows_a_point = plot.add_rows(series, &[group], &label, (style, group % COLORS), at);
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
    fn rows_are_smoothed_as_numbers_are_wherever_one_looks() {
        let recording = example::recording(3_000);
        let shown = |window| {
            let smoothing = crate::plots::Smoothing::HalfLife(40.0);
            let options = PaneOptions { smoothing, window, ..PaneOptions::default() };
            match plots(&recording, TimeCursor::At(1_234), &options).remove(0) {
                Plot::Lines(plot) => plot,
                other => panic!("{other:?}"),
            }
        };
        let series = recording.vector(&names::GRADIENT_NORM).unwrap();
        let mut slow = crate::record::Average::new(40.0);
        let averages: Vec<_> =
            (0..series.len()).map(|i| slow.after(series.steps()[i] as f64, f64::from(series.row(i)[3]), 1.0)).collect();
        let all = shown(crate::record::StepWindow::All);
        let here = series.index_at(1_234).unwrap();
        assert!((all.at_cursor[3].1 - averages[here]).abs() < 1e-9);
        assert_eq!(all.raw_at_cursor[3].1, f64::from(series.row(here)[3]));
        let part = shown(crate::record::StepWindow::Between { from: 1_000, to: 1_300 });
        assert!(part.lines[6].points.len() > 100);
        for [step, value] in &part.lines[6].points {
            let i = series.index_at(*step as u64).unwrap();
            assert!((value - averages[i]).abs() < 1e-9, "step {step}");
        }
        assert_eq!(part.lines[7].style, LineStyle::Faint);
        assert_eq!(part.lines[6].label, part.lines[7].label);
    }

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
