//! Plots of several steps as the frames of one film: axes, colours and heights that stand still.

use crate::record::{Recording, TimeCursor};

use super::{FieldPlot, LinePlot, PaneId, PaneOptions, Plot, RidgePlot, SurfacePlot, XAxis};
use super::{contour, growing, pane, ranges, rebin};

/// Steps that are looked at for a pane's first measurement.
const LOOKS: usize = 257;

/// What a pane shows at each of some steps, on axes that stand still. Curves grow with the steps, or are whole in all frames.
pub fn frames(recording: &Recording, id: PaneId, options: &PaneOptions, steps: &[u64], grows: bool) -> Vec<Vec<Plot>> {
    let mut frames: Vec<_> =
        steps.iter().map(|step| pane::plots(recording, id, TimeCursor::At(*step), options)).collect();
    hold(&mut frames);
    if grows {
        growing::grow(&mut frames, steps);
    }
    frames
}

/// The first step, about, at which a pane shows anything; none if it never does.
pub fn first_shown(recording: &Recording, id: PaneId, options: &PaneOptions) -> Option<u64> {
    let is_shown = |step: &u64| {
        let plots = pane::plots(recording, id, TimeCursor::At(*step), options);
        plots.iter().any(|plot| !matches!(plot, Plot::Empty { .. }))
    };
    steps(0, recording.newest_step(), LOOKS).into_iter().find(is_shown)
}

/// So many steps from one to another, both included, evenly: a film of one step stands still in time.
pub fn steps(from: u64, to: u64, frames: usize) -> Vec<u64> {
    let last = frames.saturating_sub(1).max(1) as u128;
    let span = u128::from(to.saturating_sub(from));
    (0..frames as u128).map(|k| from + ((k * span + last / 2) / last) as u64).collect()
}

/// Gives the plots in one place of all frames one range of each axis, one scale of colours and heights, and one set of levels.
pub fn hold(frames: &mut [Vec<Plot>]) {
    let places = frames.iter().map(Vec::len).max().unwrap_or(0);
    for place in 0..places {
        let (mut lines, mut fields, mut surfaces, mut ridges) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for plot in frames.iter_mut().filter_map(|plots| plots.get_mut(place)) {
            match plot {
                Plot::Lines(plot) => lines.push(plot),
                Plot::Field(plot) => fields.push(plot),
                Plot::Surface(plot) => surfaces.push(plot),
                Plot::Ridges(plot) => ridges.push(plot),
                Plot::Empty { .. } => {}
            }
        }
        hold_lines(lines);
        hold_fields(fields);
        hold_surfaces(surfaces);
        hold_ridges(ridges);
    }
}

/// The smallest range that holds all of them; none without finite ends.
fn union(ranges: impl Iterator<Item = [f64; 2]>) -> Option<[f64; 2]> {
    let [low, high] = ranges
        .filter(|range| range.iter().all(|v| v.is_finite()))
        .fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], [a, b]| [low.min(a), high.max(b)]);
    (low <= high).then_some([low, high])
}

fn union_single(ranges: impl Iterator<Item = [f32; 2]>) -> Option<[f32; 2]> {
    union(ranges.map(|range| range.map(f64::from))).map(|range| range.map(|v| v as f32))
}

fn hold_lines(mut plots: Vec<&mut LinePlot>) {
    let x_max = plots.iter().map(|plot| plot.x_max).fold(f64::NEG_INFINITY, f64::max);
    let log = plots.iter().all(|plot| plot.y_log);
    let range_of = |plot: &LinePlot| {
        let lines = plot.lines.iter().chain(plot.bundle.iter().flat_map(|bundle| &bundle.lines));
        let of_lines = lines.flat_map(|line| &line.points).map(|point| point[1]);
        let of_bands = plot.bands.iter().flat_map(|band| &band.points).flat_map(|point| [point[1], point[2]]);
        let shown = of_lines.chain(of_bands).filter(|y| y.is_finite() && (!log || *y > 0.0));
        plot.y_range.or_else(|| union(shown.map(|y| [y, y])))
    };
    let y_range = union(plots.iter().filter_map(|plot| range_of(plot)));
    // A window that moves with the cursor would be an axis that moves.
    let windows: Option<Vec<_>> = plots.iter().map(|plot| plot.x_window).collect();
    let x_window = windows.and_then(|windows| union(windows.into_iter()));
    let axes: Vec<_> = plots.iter().map(|plot| plot.x_axis).collect();
    for plot in &mut plots {
        plot.x_max = x_max;
        plot.y_log = log;
        plot.y_range = y_range;
        plot.x_window = x_window;
        plot.x_axis = axes.iter().fold(plot.x_axis, |all, one| joined(all, *one));
    }
}

/// The axis that holds both; the first where they are of different kinds.
fn joined(a: XAxis, b: XAxis) -> XAxis {
    let both = |a: [f64; 2], b: [f64; 2]| union([a, b].into_iter()).unwrap_or(a);
    match (a, b) {
        (XAxis::Linear(a), XAxis::Linear(b)) => XAxis::Linear(both(a, b)),
        (XAxis::Logarithmic(a), XAxis::Logarithmic(b)) => XAxis::Logarithmic(both(a, b)),
        (XAxis::Whole(a), XAxis::Whole(b)) => XAxis::Whole([a[0].min(b[0]), a[1].max(b[1])]),
        (first, _) => first,
    }
}

fn hold_fields(plots: Vec<&mut FieldPlot>) {
    let Some(range) = union_single(plots.iter().map(|plot| plot.value_range)) else { return };
    let log = plots.iter().all(|plot| plot.log) && range[0] > 0.0;
    let count = plots.iter().map(|plot| distinct(plot.contours.iter().map(|(level, _)| *level))).max().unwrap_or(0);
    // Cells reach half a cell beyond the outermost points, so coarse frames show more than fine ones.
    let common = |axis: fn(&FieldPlot) -> [f64; 2]| {
        let ranges = plots.iter().map(|plot| axis(plot));
        ranges.fold([f64::NEG_INFINITY, f64::INFINITY], |[low, high], [a, b]| [low.max(a), high.min(b)])
    };
    let window = [common(|plot| plot.x_range), common(|plot| plot.y_range)];
    let differs = plots.iter().any(|plot| [plot.x_range, plot.y_range] != window);
    let window = (differs && window.iter().all(|[low, high]| low < high)).then_some(window);
    for plot in plots {
        plot.value_range = range;
        plot.log = log;
        plot.window = window;
        if count > 0 {
            plot.contours = contours(plot, &ranges::levels(range, log, count));
        }
    }
}

fn distinct(levels: impl Iterator<Item = f32>) -> usize {
    let mut levels: Vec<_> = levels.collect();
    levels.sort_by(f32::total_cmp);
    levels.dedup();
    levels.len()
}

/// Iso-lines through the centres of the cells, in axis units.
fn contours(plot: &FieldPlot, levels: &[f32]) -> Vec<(f32, Vec<[f64; 2]>)> {
    let place = |[i, j]: [f64; 2]| {
        let along = |[low, high]: [f64; 2], i: f64, n: usize| low + (high - low) * (i + 0.5) / n as f64;
        [along(plot.x_range, i, plot.columns), along(plot.y_range, j, plot.rows)]
    };
    let mut found = Vec::new();
    for &level in levels {
        for line in contour::contour(&plot.values, plot.columns, plot.rows, level) {
            found.push((level, line.into_iter().map(place).collect()));
        }
    }
    found
}

fn hold_surfaces(plots: Vec<&mut SurfacePlot>) {
    let Some(range) = union_single(plots.iter().map(|plot| plot.value_range)) else { return };
    let log = plots.iter().all(|plot| plot.log) && range[0] > 0.0;
    let count = plots.iter().map(|plot| plot.levels.len()).max().unwrap_or(0);
    for plot in plots {
        plot.value_range = range;
        plot.log = log;
        plot.levels = ranges::levels(range, log, count);
    }
}

fn hold_ridges(plots: Vec<&mut RidgePlot>) {
    let Some(range) = union(plots.iter().map(|plot| plot.x_range)) else { return };
    let mut plots = plots;
    for plot in &mut plots {
        for ridge in &mut plot.ridges {
            ridge.shares = rebin::moved(&ridge.shares, plot.x_range, range);
            for over in &mut ridge.over {
                over.shares = rebin::moved(&over.shares, plot.x_range, range);
            }
        }
        plot.x_range = range;
    }
    let highest = plots.iter().map(|plot| plot.highest()).fold(0.0, f32::max);
    plots.iter_mut().for_each(|plot| plot.full_height = Some(highest));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plots::LandscapeView;
    use crate::record::example;

    #[test]
    fn steps_are_even_and_have_both_ends() {
        assert_eq!(steps(0, 10, 5), [0, 3, 5, 8, 10]);
        assert_eq!(steps(7, 7, 3), [7, 7, 7]);
        assert_eq!(steps(3, 9, 1), [3]);
        assert_eq!(steps(0, u64::MAX, 2), [0, u64::MAX]);
        assert!(steps(0, 9, 0).is_empty());
    }

    /// The ranges of a plot that a film must not move.
    fn scales(plot: &Plot) -> String {
        match plot {
            Plot::Lines(plot) => format!("{:?} {:?} {} {}", plot.x_axis, plot.y_range, plot.y_log, plot.x_max),
            Plot::Field(plot) => format!("{:?} {:?} {}", plot.shown(), plot.value_range, plot.log),
            Plot::Surface(plot) => format!("{} {:?} {} {:?}", plot.radius, plot.value_range, plot.log, plot.levels),
            Plot::Ridges(plot) => format!("{:?} {:?}", plot.x_range, plot.full_height),
            Plot::Empty { .. } => String::new(),
        }
    }

    #[test]
    fn no_frame_of_any_pane_moves_an_axis() {
        let recording = example::recording(200);
        for id in pane::PANES.iter().map(|pane| pane.id) {
            for view in [LandscapeView::Surface, LandscapeView::HeatMap, LandscapeView::Profile] {
                let options = PaneOptions { landscape_view: view, ..PaneOptions::default() };
                let frame = |step| pane::plots(&recording, id, TimeCursor::At(step), &options);
                let mut frames: Vec<_> = steps(50, 200, 6).into_iter().map(frame).collect();
                hold(&mut frames);
                for place in 0..frames[0].len() {
                    let first = scales(&frames[0][place]);
                    assert!(frames.iter().all(|plots| scales(&plots[place]) == first), "{id:?} {view:?}: {first}");
                }
            }
        }
    }

    #[test]
    fn held_numbers_are_those_of_the_step() {
        let recording = example::recording(200);
        let options = PaneOptions { landscape_view: LandscapeView::HeatMap, ..PaneOptions::default() };
        let frame = |step| pane::plots(&recording, PaneId::Landscape, TimeCursor::At(step), &options);
        let mut frames = vec![frame(50), frame(200)];
        hold(&mut frames);
        for (held, step) in frames.iter().zip([50, 200]) {
            let (Plot::Field(held), Plot::Field(free)) = (&held[0], &frame(step)[0]) else { panic!() };
            assert_eq!(held.values, free.values);
            assert!(held.value_range[0] <= free.value_range[0] && held.value_range[1] >= free.value_range[1]);
            assert!(!held.contours.is_empty());
        }
    }
}
