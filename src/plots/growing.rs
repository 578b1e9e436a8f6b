//! Frames of a film in which what runs over steps grows: each shows what was measured up to its step.

use std::sync::Arc;

use super::lines::Bundle;
use super::{FieldPlot, LinePlot, Plot, XAxis};

/// Cuts curves, and heat maps over steps, behind the step of each frame. Axes stay: hold them first (see [`super::steady`]).
pub fn grow(frames: &mut [Vec<Plot>], steps: &[u64]) {
    for (plots, step) in frames.iter_mut().zip(steps) {
        for plot in plots {
            match plot {
                Plot::Lines(plot) if plot.x_axis == XAxis::Steps => cut_lines(plot, *step as f64),
                Plot::Field(plot) if plot.cursor.is_some() => cut_field(plot, *step as f64),
                _ => {}
            }
        }
    }
}

fn cut_lines(plot: &mut LinePlot, step: f64) {
    // The axis begins where the whole curves do.
    plot.x_window.get_or_insert(plot.step_range());
    for line in plot.lines.iter_mut() {
        // Two points at one height are a reference, such as a rule of thumb: it holds from the beginning.
        let is_reference = matches!(line.points[..], [[_, a], [_, b]] if a == b);
        if !is_reference {
            line.points.retain(|[x, _]| *x <= step);
        }
    }
    plot.bands.iter_mut().for_each(|band| band.points.retain(|[x, ..]| *x <= step));
    plot.marks.retain(|(x, _)| *x <= step);
    if let Some(whole) = plot.bundle.take() {
        let mut lines = whole.lines.clone();
        lines.iter_mut().for_each(|line| line.points.retain(|[x, _]| *x <= step));
        let (tracks, names) = (whole.tracks.clone(), whole.names.clone());
        let Bundle { x_range, range, range_above_zero, .. } = *whole;
        plot.bundle = Some(Arc::new(Bundle { lines, tracks, names, x_range, range, range_above_zero }));
    }
}

/// Of a heat map over time, columns that lie for the most part after the step are missing.
fn cut_field(plot: &mut FieldPlot, step: f64) {
    let [left, right] = plot.x_range;
    let middle = |column: usize| left + (right - left) * (column as f64 + 0.5) / plot.columns as f64;
    let later: Vec<_> = (0..plot.columns).map(|column| middle(column) > step).collect();
    for (i, value) in plot.values.iter_mut().enumerate() {
        if later[i % plot.columns] {
            *value = f32::NAN;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plots::{LandscapeView, PaneId, PaneOptions, pane, steady};
    use crate::record::{TimeCursor, example};

    #[test]
    fn curves_are_short_at_first_and_whole_at_last_on_axes_that_stand_still() {
        let recording = example::recording(400);
        let options = PaneOptions::default();
        let steps = steady::steps(1, 400, 5);
        for id in [PaneId::Loss, PaneId::Gradients, PaneId::Sharpness, PaneId::Signal] {
            let frames = steady::frames(&recording, id, &options, &steps, true);
            let whole = pane::plots(&recording, id, TimeCursor::At(400), &options);
            for (place, last) in whole.iter().enumerate() {
                let Plot::Lines(last) = last else { continue };
                if last.x_axis != XAxis::Steps {
                    continue;
                }
                let at = |frame: usize| match &frames[frame][place] {
                    Plot::Lines(plot) => plot,
                    other => panic!("{other:?}"),
                };
                // In words: gaps are NaN, which equals nothing.
                let [frame, figure] = [&at(4).lines, &last.lines].map(|lines| format!("{lines:?}"));
                assert!(frame == figure, "{id:?}: the last frame is the figure");
                assert_eq!((&at(4).at_cursor, at(4).cursor), (&last.at_cursor, Some(400.0)));
                for (frame, step) in steps.iter().enumerate() {
                    let plot = at(frame);
                    assert_eq!(plot.x_window, Some(last.step_range()));
                    assert_eq!(plot.y_range, at(4).y_range);
                    let is_reference = |i: usize| last.lines[i].points.len() == 2;
                    let ends = (0..plot.lines.len()).filter(|i| !is_reference(*i)).map(|i| plot.lines[i].points.last());
                    assert!(ends.flatten().all(|end| end[0] <= *step as f64), "{id:?} at {step}");
                }
                let points = |frame: usize| at(frame).lines.iter().map(|line| line.points.len()).sum::<usize>();
                assert!(points(0) < points(2) && points(2) < points(4), "{id:?}");
            }
        }
    }

    #[test]
    fn a_heat_map_over_steps_grows_and_one_of_a_step_is_left() {
        let recording = example::recording(400);
        let options = PaneOptions { landscape_view: LandscapeView::HeatMap, ..PaneOptions::default() };
        let missing = |plots: &[Plot]| {
            let fields = plots.iter().filter_map(|plot| match plot {
                Plot::Field(plot) => Some(plot),
                _ => None,
            });
            fields.map(|plot| plot.values.iter().filter(|v| v.is_nan()).count()).collect::<Vec<_>>()
        };
        let steps = [100, 400];
        let grown = steady::frames(&recording, PaneId::RankCollapse, &options, &steps, true);
        let whole = steady::frames(&recording, PaneId::RankCollapse, &options, &steps, false);
        assert!(missing(&grown[0])[0] > missing(&whole[0])[0] + 100);
        assert_eq!(missing(&grown[1]), missing(&whole[1]));
        let landscape = |grows| format!("{:?}", steady::frames(&recording, PaneId::Landscape, &options, &steps, grows));
        assert!(landscape(true) == landscape(false));
    }
}
