//! Draws the charts that a recording's header asks for: one kind of panel per file.

mod densities;
mod ellipses;
mod fan;
mod heat;
mod plane;
mod profile;
mod steps;
mod summary;

use crate::record::chart::{Axis, Chart, ColorBy, Panel, PanelKind, SeriesLine, Stroke};
use crate::record::{Recording, TimeCursor, Track};

use super::lines::{LineColor, LinePlot, LineStyle, XAxis};
use super::{Plot, Smoothing, ranges, words};

/// What to draw of a chart: its panels side by side.
pub fn plots(chart: &Chart, recording: &Recording, cursor: TimeCursor, smoothing: Smoothing) -> Vec<Plot> {
    let mut plots: Vec<_> =
        chart.panels.iter().map(|panel| Shown::new(chart, panel, recording, cursor, smoothing).plot()).collect();
    if chart.panels.iter().all(|panel| panel.kind == chart.panels[0].kind) {
        share_heights(&mut plots);
    }
    plots
}

/// Panels that ask one question of different tracks are there to be compared: they have one range of y.
fn share_heights(plots: &mut [Plot]) {
    let mut lines: Vec<&mut LinePlot> = plots
        .iter_mut()
        .filter_map(|plot| match plot {
            Plot::Lines(plot) => Some(plot),
            _ => None,
        })
        .collect();
    if lines.len() < 2 || lines.iter().any(|plot| plot.y_range.is_some()) {
        return;
    }
    let points = |plot: &LinePlot| {
        let of_lines = plot.lines.iter().flat_map(|line| &line.points).map(|point| point[1]);
        let of_bands = plot.bands.iter().flat_map(|band| &band.points).flat_map(|point| [point[1], point[2]]);
        of_lines.chain(of_bands).collect::<Vec<f64>>()
    };
    let positive = lines.iter().flat_map(|plot| points(plot)).all(|y| y > 0.0 || !y.is_finite());
    if lines.iter().any(|plot| plot.y_log != lines[0].y_log) {
        lines.iter_mut().for_each(|plot| plot.y_log = positive);
    }
    let log = lines[0].y_log;
    let usable = lines.iter().flat_map(|plot| points(plot)).filter(|y| y.is_finite() && !(log && *y <= 0.0));
    let [low, high] = usable.fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], y| [low.min(y), high.max(y)]);
    if low < high {
        // As much air as a range has that isn't shared.
        let shared = if log {
            let air = (high / low).powf(0.035);
            [low / air, high * air]
        } else {
            let air = 0.035 * (high - low);
            ranges::about_zero([low, high]).unwrap_or([low - air, high + air])
        };
        lines.iter_mut().for_each(|plot| plot.y_range = Some(shared));
    }
}

/// The tracks behind a place, in axis units, of the chart's heat map over two attributes.
pub fn tracks_at<'a>(chart: &Chart, recording: &'a Recording, at: [f64; 2]) -> Vec<&'a Track> {
    let grid = chart.panels.iter().find_map(|panel| match &panel.kind {
        PanelKind::Grid { by, .. } => Some((panel, by)),
        _ => None,
    });
    let Some((panel, by)) = grid else { return Vec::new() };
    let tracks = recording.tracks().map(|(_, track)| track);
    let tracks: Vec<_> = tracks.filter(|track| panel.tracks.takes(&track.attributes)).collect();
    summary::tracks_at(&tracks, by, at)
}

/// What a step of the recording is called: `layer`, where its charts go along layers.
pub fn step_word(recording: &Recording) -> &str {
    let panels = recording.header.charts.iter().flat_map(|chart| &chart.panels);
    let mut labels = panels.filter_map(|panel| match &panel.kind {
        PanelKind::Steps { x_label, .. } | PanelKind::Fan { x_label, .. } => x_label.split_whitespace().next(),
        _ => None,
    });
    labels.next().unwrap_or("step")
}

/// As [`step_word`], for a reader of all charts: `layer or step` where some go along layers and others along steps.
pub fn step_words(recording: &Recording) -> String {
    let mut words: Vec<&str> = Vec::new();
    for panel in recording.header.charts.iter().flat_map(|chart| &chart.panels) {
        if let PanelKind::Steps { x_label, .. } | PanelKind::Fan { x_label, .. } = &panel.kind
            && let Some(word) = x_label.split_whitespace().next()
            && !words.contains(&word)
        {
            words.push(word);
        }
    }
    if words.is_empty() { "step".into() } else { words.join(" or ") }
}

/// Whether any chart has curves over the updates of a training.
pub fn has_curves_over_steps(recording: &Recording) -> bool {
    let mut panels = recording.header.charts.iter().flat_map(|chart| &chart.panels);
    panels.any(|panel| matches!(&panel.kind, PanelKind::Steps { x_label, .. } if steps::is_smoothable(x_label)))
}

/// A panel with all that it is drawn from.
struct Shown<'a> {
    title: String,
    panel: &'a Panel,
    recording: &'a Recording,
    cursor: TimeCursor,
    smoothing: Smoothing,
    /// The step that the cursor is at.
    at: u64,
    /// The tracks that the panel takes, with their colours.
    tracks: Vec<(&'a Track, LineColor)>,
}

impl<'a> Shown<'a> {
    fn new(
        chart: &Chart,
        panel: &'a Panel,
        recording: &'a Recording,
        cursor: TimeCursor,
        smoothing: Smoothing,
    ) -> Self {
        let tracks: Vec<_> =
            recording.tracks().map(|(_, track)| track).filter(|track| panel.tracks.takes(&track.attributes)).collect();
        let colors = colors(&panel.color, &tracks);
        Self {
            title: if panel.title.is_empty() { chart.title.clone() } else { panel.title.clone() },
            panel,
            recording,
            cursor,
            smoothing,
            at: cursor.step(recording.newest_step()),
            tracks: tracks.into_iter().zip(colors).collect(),
        }
    }

    fn plot(&self) -> Plot {
        match &self.panel.kind {
            PanelKind::Steps { lines, x_label, y } => steps::plot(self, lines, x_label, y),
            PanelKind::Profile { lines, x_series, x, y } => profile::plot(self, lines, x_series.as_deref(), x, y),
            PanelKind::Fan { series, x_label, y } => fan::plot(self, series, x_label, y),
            PanelKind::Matrix { series, heat, square } => heat::matrix(self, series, heat, *square),
            PanelKind::StepMap { series, heat } => heat::over_steps(self, series, heat),
            PanelKind::Densities { series, x } => densities::plot(self, series, x),
            PanelKind::Plane { series } => plane::plot(self, series),
            PanelKind::Summary { series, by, group, x, y, best } => {
                summary::curves(self, &summary::Question { series, by, group: group.as_deref() }, x, y, *best)
            }
            PanelKind::Grid { series, by, heat } => summary::grid(self, series, by, heat),
            PanelKind::Ellipses { series, x, y } => ellipses::plot(self, series, x, y),
        }
    }

    /// Nothing to draw yet, or ever.
    fn empty(&self) -> Plot {
        let reason = if let Some(first) = self.first_step().filter(|first| *first > self.at) {
            format!("Measured from {} {first} on", step_word(self.recording))
        } else if self.recording.outcome.is_some() {
            "Not part of this recording: its knobs left it out, or it ended before".into()
        } else if self.recording.tracks().all(|(_, track)| track.series().next().is_none()) {
            let begun = match self.recording.tracks().count() {
                0 => "",
                1 => "1 curve begun, ",
                several => &format!("{several} curves begun, "),
            };
            format!("Getting ready: {begun}the first readings take a few seconds")
        } else {
            "Not measured yet: it comes later in the experiment".into()
        };
        Plot::Empty { title: self.title.clone(), reason }
    }

    /// The first step at which a track has what the panel shows.
    fn first_step(&self) -> Option<u64> {
        let asked: Vec<&str> = match &self.panel.kind {
            PanelKind::Steps { lines, .. } | PanelKind::Profile { lines, .. } => {
                lines.iter().map(|line| line.series.as_str()).collect()
            }
            PanelKind::Fan { series, .. }
            | PanelKind::Matrix { series, .. }
            | PanelKind::StepMap { series, .. }
            | PanelKind::Densities { series, .. }
            | PanelKind::Plane { series }
            | PanelKind::Summary { series, .. }
            | PanelKind::Grid { series, .. }
            | PanelKind::Ellipses { series, .. } => vec![series],
        };
        let first = |track: &Track, id: &str| match (track.scalar(id), track.vector(id), track.heavy(id)) {
            (Some(series), ..) => series.steps().first().copied(),
            (_, Some(series), _) => series.steps().first().copied(),
            (.., series) => series?.entries().first().map(|(step, _)| *step),
        };
        let firsts = self.tracks.iter().flat_map(|(track, _)| asked.iter().filter_map(|id| first(track, id)));
        firsts.min()
    }

    /// A plot with title, axes and notes, without lines.
    fn lines(&self, x_label: &str, y: &Axis) -> LinePlot {
        LinePlot {
            title: self.title.clone(),
            x_label: x_label.into(),
            y_label: y.label.clone(),
            y_log: y.log,
            y_range: y.range,
            notes: self.panel.notes.clone(),
            ..LinePlot::default()
        }
    }

    /// A line's name: of the track, of the series, or of both where both differ.
    fn label(&self, track: &Track, line: &SeriesLine) -> String {
        match (track.label.as_str(), line.label.as_str()) {
            (label, "") => label.to_owned(),
            ("", label) => label.to_owned(),
            (_, label) if self.tracks.len() == 1 || self.panel.color == ColorBy::Series => label.to_owned(),
            (track, label) => format!("{track}, {label}"),
        }
    }

    /// The colour of a track's `k`th line. What is named after a line before it (`cosine_theory` after `cosine`) belongs to it.
    fn color(&self, of_track: LineColor, lines: &[SeriesLine], k: usize) -> LineColor {
        let belongs = |to: &SeriesLine| {
            lines[k].series.strip_prefix(&to.series).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
        };
        // `scale_theory/weights` after `scale/weights`.
        let plain = lines[k].series.replacen("_theory", "", 1);
        let own = || {
            let said_of = lines[..k].iter().position(|line| line.series == plain);
            said_of.or(lines[..k].iter().position(belongs)).unwrap_or(k)
        };
        match self.panel.color {
            ColorBy::Series => own().into(),
            ColorBy::Track if self.tracks.len() == 1 => own().into(),
            ColorBy::Track | ColorBy::Attribute(_) => of_track,
        }
    }

    /// The cursor as a note, where something is shown at it.
    fn at_note(&self, measured: u64) -> Option<String> {
        // Following, every track is at its own end.
        (measured != self.at && !self.cursor.is_following()).then(|| words::age(measured, self.at))
    }
}

fn colors(by: &ColorBy, tracks: &[&Track]) -> Vec<LineColor> {
    let ColorBy::Attribute(name) = by else { return (0..tracks.len()).map(LineColor::Palette).collect() };
    let numbers: Vec<_> = tracks.iter().map(|track| track.number(name)).collect();
    let known = || numbers.iter().copied().flatten();
    // Sizes are compared by their ratios; what isn't positive has none.
    let log = known().all(|v| v > 0.0);
    let scale = |v: f64| if log { v.ln() } else { v };
    let (low, high) = known().map(scale).fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)));
    let place = |v: f64| if high > low { ((scale(v) - low) / (high - low)) as f32 } else { 0.5 };
    let mut others: Vec<&str> = Vec::new();
    for (track, _) in tracks.iter().zip(&numbers).filter(|(_, number)| number.is_none()) {
        if !others.contains(&track.label.as_str()) {
            others.push(&track.label);
        }
    }
    // The last, which panels have in common, has the first.
    let own = |track: &Track| {
        let after = others.iter().rev().position(|label| *label == track.label).unwrap_or(0);
        LineColor::Palette(OF_OTHERS[after % OF_OTHERS.len()])
    };
    let color =
        |(track, number): (&&Track, &Option<f64>)| number.map_or_else(|| own(track), |v| LineColor::Scale(place(v)));
    tracks.iter().zip(&numbers).map(color).collect()
}

/// Colours of what stands beside tracks that are coloured by a number: none of them is on the colour map.
const OF_OTHERS: [usize; 3] = [7, 3, 1];

fn style(stroke: Stroke) -> LineStyle {
    match stroke {
        Stroke::Solid => LineStyle::Solid,
        Stroke::Dashed => LineStyle::Dashed,
        Stroke::Marked => LineStyle::Marked,
        Stroke::Faint => LineStyle::Faint,
    }
}

/// The axis of numbers from the smallest to the largest of `points`, with some air.
fn numeric_axis(axis: &Axis, xs: impl Iterator<Item = f64> + Clone) -> XAxis {
    let usable = xs.filter(|x| x.is_finite() && !(axis.log && *x <= 0.0));
    let [low, high] = axis
        .range
        .unwrap_or_else(|| usable.fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], x| [low.min(x), high.max(x)]));
    if low > high {
        return XAxis::Linear([0.0, 1.0]);
    }
    if axis.log {
        let air = if high > low { (high / low).powf(0.03) } else { 2.0 };
        XAxis::Logarithmic([low / air, high * air])
    } else {
        let air = if axis.range.is_some() {
            0.0
        } else if high > low {
            0.03 * (high - low)
        } else {
            0.5
        };
        XAxis::Linear([low - air, high + air])
    }
}

#[cfg(test)]
mod tests;
