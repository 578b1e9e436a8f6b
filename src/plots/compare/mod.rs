//! Several tracks of one recording in one pane: curves over one another, pictures side by side.
//!
//! Each track is drawn by the pane as if it were alone; what comes out is put together here, so that every pane can compare.

mod curves;
mod fields;
mod looks;
mod ridges;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::record::{Recording, StepWindow, TimeCursor, TrackId};

use super::pane::Pane;
use super::{PaneId, PaneOptions, Plot, XAxis};

pub use looks::{Key, Look, Looks, attributes, name};

/// Most tracks that are drawn and named one by one; more are a bundle with a colour bar.
pub const FEW: usize = 12;
/// Most pictures beside one another.
pub const SIDE_BY_SIDE: usize = 4;

/// Which tracks are shown, and how they are told apart.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Comparing {
    pub hidden: BTreeSet<TrackId>,
    /// One track alone, whatever is hidden.
    pub solo: bool,
    /// Colour by this attribute; none: a colour a track.
    pub color_by: Option<String>,
    /// Mean and spread of the tracks with equal values of this attribute, instead of each.
    pub group_by: Option<String>,
    /// Where a pane has many curves a track: which is compared. None: their mean.
    pub line: BTreeMap<PaneId, String>,
    /// Pictures of several tracks at once; none: unless they are branches, which the one in focus stands for.
    pub pictures: Option<bool>,
    /// Histograms beside one another instead of over one another.
    pub ridges_apart: bool,
}

/// Whether the panes of `recording` show several tracks.
pub fn is_comparing(recording: &Recording, options: &PaneOptions) -> bool {
    recording.header.charts.is_empty() && !options.comparing.solo && shown(recording, options).nth(1).is_some()
}

/// The tracks that are shown, in order.
pub fn shown<'a>(recording: &'a Recording, options: &'a PaneOptions) -> impl Iterator<Item = TrackId> + 'a {
    recording.tracks().map(|(id, _)| id).filter(|id| !options.comparing.hidden.contains(id))
}

/// Whether drawing a pane means drawing very many tracks.
pub fn is_bulk(id: PaneId, recording: &Recording, options: &PaneOptions) -> bool {
    !PICTURES.contains(&id) && is_comparing(recording, options) && shown(recording, options).nth(FEW).is_some()
}

/// A track's own plots, and how it looks among the others.
struct Drawn {
    look: Look,
    plots: Vec<Plot>,
    /// Where it begins, if the track that it grew from is shown, too.
    begins: Option<u64>,
}

/// What a pane shows of all tracks that are shown.
pub(super) fn plots(pane: &Pane, recording: &Recording, cursor: TimeCursor, options: &PaneOptions) -> Vec<Plot> {
    let looks = Looks::of(recording, options);
    // One window for all, whatever the tracks' own ends are.
    let window = options.window.range(cursor.step(recording.newest_step()), recording.newest_step());
    let own = PaneOptions {
        window: window.map_or(StepWindow::All, |[from, to]| StepWindow::Between { from, to }),
        ..options.clone()
    };
    let shown: BTreeSet<_> = looks.tracks.iter().map(|look| look.track).collect();
    let drawn = |look: &Look| {
        let alone = recording.only(look.track);
        let fork = recording.track(look.track).and_then(|track| track.parent);
        let begins = fork.filter(|fork| shown.contains(&fork.track)).map(|fork| fork.step);
        Drawn { look: look.clone(), plots: (pane.plots)(&alone, cursor, &own), begins }
    };
    // The track in focus comes first: it gives axes and notes.
    let focus = recording.focus();
    let mut order: Vec<&Look> = looks.tracks.iter().collect();
    order.sort_by_key(|look| look.track != focus);
    let beside = if shows_pictures(recording, options) { SIDE_BY_SIDE } else { 1 };
    if PICTURES.contains(&pane.id) {
        order.truncate(beside);
    }
    let tracks: Vec<Drawn> = order.into_iter().map(drawn).collect();
    let count = tracks.iter().map(|track| track.plots.len()).max().unwrap_or(0);
    let mut plots: Vec<Plot> =
        (0..count).flat_map(|index| together(index, &tracks, &looks, pane.id, options, beside)).collect();
    for plot in &mut plots {
        if let Plot::Lines(plot) = plot
            && plot.x_axis == XAxis::Steps
        {
            plot.x_window = window.map(|range| range.map(|step| step as f64));
        }
    }
    plots
}

/// Whether heat maps, surfaces and histograms are those of several tracks.
pub fn shows_pictures(recording: &Recording, options: &PaneOptions) -> bool {
    options.comparing.pictures.unwrap_or(!recording.is_branched())
}

/// Panes of which a few tracks at most can be seen at once: drawing more would be for nothing.
const PICTURES: [PaneId; 2] = [PaneId::Landscape, PaneId::Activations];

/// Plot `index` of all tracks, put together by its kind.
fn together(
    index: usize,
    tracks: &[Drawn],
    looks: &Looks,
    id: PaneId,
    options: &PaneOptions,
    beside: usize,
) -> Vec<Plot> {
    let plots = || tracks.iter().filter_map(|track| Some((track, track.plots.get(index)?)));
    let Some((_, first)) = plots().find(|(_, plot)| !matches!(plot, Plot::Empty { .. })) else {
        return plots().next().map(|(_, plot)| plot.clone()).into_iter().collect();
    };
    match first {
        Plot::Field(_) | Plot::Surface(_) | Plot::Ridges(_) if beside == 1 => vec![first.clone()],
        Plot::Lines(_) => {
            let lines = plots().filter_map(|(track, plot)| match plot {
                Plot::Lines(plot) => Some((track, plot)),
                _ => None,
            });
            vec![Plot::Lines(curves::overlaid(lines.collect(), looks, options, id))]
        }
        Plot::Field(_) | Plot::Surface(_) => {
            fields::side_by_side(plots().map(|(track, plot)| (&track.look, plot)).take(beside).collect())
        }
        Plot::Ridges(_) => {
            let ridges = plots().filter_map(|(track, plot)| match plot {
                Plot::Ridges(plot) => Some((&track.look, plot)),
                _ => None,
            });
            ridges::together(ridges.take(beside).collect(), options.comparing.ridges_apart)
        }
        Plot::Empty { .. } => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
