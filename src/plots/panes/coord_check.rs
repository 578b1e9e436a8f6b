//! The coordinate check: activations and their change against width. Not a pane of a recording: it has runs of its own.

use crate::plots::lines::{Line, LinePlot, LineStyle};
use crate::plots::{Plot, words};
use crate::record::coord_check::FLAT;
use crate::record::{CoordCheck, Finding, Statistic};

pub const TITLE: &str = "Coordinate check";

/// "How to read this".
pub const GUIDE: &str = "The network is trained anew at several widths. \
    Left: how far training has moved the activations of each module from where they started, on average, against the width. \
    Horizontal lines mean that a unit learns at the same pace at every width: what muP promises, and what lets a learning rate that was tuned on a narrow network serve a wide one. \
    Lines that rise blow up when the network gets wider (Standard with Adam, from the second layer on), lines that fall freeze (NTK). \
    Right: the slopes of these lines, in powers of the width, at every step; between the dashed lines they count as flat. \
    A module is called flat if its slope stays within ±0.1 in the first and the last third of the updates; it grows or shrinks if one of them is beyond ±0.25. \
    Theory's exponents are multiples of one half, so what is wrong shows as 0.5 or 1; slopes between, called drifts, are mostly corrections that vanish in wider networks.";

const COLORS: usize = 7;

/// Scale against width at `step` (clamped to 1 and the last), and slopes over steps.
pub fn plots(check: &CoordCheck, step: usize) -> Vec<Plot> {
    let step = step.clamp(1, check.steps.max(1));
    vec![Plot::Lines(against_width(check, step)), Plot::Lines(slopes(check, step))]
}

fn against_width(check: &CoordCheck, step: usize) -> LinePlot {
    let narrowest = check.widths[0] as f64;
    let doublings = |width: usize| (width as f64 / narrowest).log2();
    let lines = check.modules.iter().enumerate().map(|(module, name)| {
        let scale = |w: usize| check.scale(Statistic::Change, w, step, module);
        let points = check.widths.iter().enumerate().map(|(w, &width)| [doublings(width), scale(w)]).collect();
        Line { label: name.clone(), points, style: LineStyle::Marked, color: (module % COLORS).into() }
    });
    LinePlot {
        title: format!("{TITLE}: change of activations, step {step}"),
        x_label: format!("doublings of the width, from {narrowest}"),
        y_label: "mean |h − h₀|".into(),
        y_log: true,
        lines: lines.collect(),
        x_max: doublings(check.widths[check.widths.len() - 1]),
        notes: notes(check),
        ..LinePlot::default()
    }
}

fn slopes(check: &CoordCheck, step: usize) -> LinePlot {
    let mut plot = LinePlot {
        title: format!("{TITLE}: slopes"),
        x_label: "step".into(),
        y_label: "d log |h − h₀| / d log width".into(),
        x_max: check.steps as f64,
        ..LinePlot::default()
    };
    for (module, name) in check.modules.iter().enumerate() {
        let slope = |step| check.slope(Statistic::Change, step, module);
        let points = (1..=check.steps).filter_map(|t| slope(t).map(|fit| [t as f64, fit.slope])).collect();
        plot.lines.push(Line { label: name.clone(), points, style: LineStyle::Solid, color: (module % COLORS).into() });
        if let Some(fit) = slope(step) {
            plot.at_cursor.push((name.clone(), fit.slope));
            plot.notes.push(format!(
                "{name}: slope {} ± {} at step {step}",
                words::number(fit.slope),
                words::number(fit.slope_error)
            ));
        }
    }
    for (label, bound) in [("flat, at most", FLAT), ("flat, at least", -FLAT)] {
        let points = vec![[0.0, bound], [check.steps as f64, bound]];
        plot.lines.push(Line { label: label.into(), points, style: LineStyle::Dashed, color: COLORS.into() });
    }
    plot
}

/// What was run, and the verdicts in a sentence each.
fn notes(check: &CoordCheck) -> Vec<String> {
    let seeds = check.seeds.len();
    let mut notes = vec![check.title.clone(), format!("mean of {seeds} seed{}", if seeds == 1 { "" } else { "s" })];
    let verdicts = check.verdicts();
    if verdicts.iter().all(|verdict| verdict.finding == Finding::Flat) {
        notes.push("flat in every module".into());
    } else {
        notes.extend(verdicts.iter().map(|verdict| format!("{}: {verdict}", verdict.module)));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two modules: one stays, one grows as the square root of the width.
    fn check() -> CoordCheck {
        let (widths, modules) = (vec![16, 32, 128], vec!["layer 1".into(), "outputs".into()]);
        let mut check = CoordCheck::new("muP, mlp".into(), modules, widths.clone(), vec![0, 1], 4);
        for (w, &width) in widths.iter().enumerate() {
            for seed in 0..2 {
                for step in 0..=4 {
                    let moved = step as f64;
                    check.enter(w, seed, step, &[1.0, 1.0], &[moved, moved * (width as f64).sqrt()]);
                }
            }
        }
        check
    }

    #[test]
    fn lines_are_modules_over_doublings_and_slopes_are_exponents() {
        let [Plot::Lines(scales), Plot::Lines(slopes)] = &plots(&check(), usize::MAX)[..] else { panic!("two plots") };
        assert!(scales.y_log);
        assert_eq!(scales.lines[0].points, [[0.0, 4.0], [1.0, 4.0], [3.0, 4.0]]);
        assert_eq!(scales.lines[1].points[0][0], 0.0);
        assert!((scales.lines[1].points[2][1] - 4.0 * 128.0_f64.sqrt()).abs() < 1e-9);
        assert_eq!(slopes.lines[0].points.len(), 4);
        assert!(slopes.lines[1].points.iter().all(|[_, slope]| (slope - 0.5).abs() < 1e-12));
        assert!(scales.notes.iter().any(|note| note.starts_with("outputs: grows")), "{:?}", scales.notes);
        assert!(scales.to_csv().contains("layer 1"));
    }
}
