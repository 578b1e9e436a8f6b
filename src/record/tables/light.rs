//! Tracks, marks, and series of few numbers a step.

use std::io;

use super::{Cell, Sink, Table};
use crate::record::{Fork, Header, Recording, Series, SeriesId, TrackId, names};

pub(super) const TRACKS: Table = Table {
    name: "tracks",
    about: "a run, a branch of one (of which track, after which step), or a curve of a lab",
    columns: &["track", "label", "parent", "fork_step"],
    rows: |recording, sink| {
        recording.tracks().try_for_each(|(id, track)| {
            let fork = |cell: fn(Fork) -> u64| track.parent.map_or(Cell::Empty, |fork| Cell::Whole(cell(fork)));
            let (parent, step) = (fork(|fork| fork.track.0.into()), fork(|fork| fork.step));
            sink(&[Cell::Whole(id.0.into()), Cell::Text(&track.label), parent, step])
        })
    },
};

pub(super) const ATTRIBUTES: Table = Table {
    name: "attributes",
    about: "what sets a track apart",
    columns: &["track", "attribute", "value"],
    rows: |recording, sink| {
        for (id, track) in recording.tracks() {
            for (name, value) in &track.attributes {
                sink(&[Cell::Whole(id.0.into()), Cell::Text(name), Cell::Text(value)])?;
            }
        }
        Ok(())
    },
};

pub(super) const INTERVENTIONS: Table = Table {
    name: "interventions",
    about: "a knob moved by hand; the next update is the first with the new value",
    columns: &["track", "step", "knob", "before", "after"],
    rows: |recording, sink| {
        recording.interventions.iter().try_for_each(|mark| {
            let [knob, from, to] = [&mark.knob, &mark.from, &mark.to].map(|text| Cell::Text(text));
            sink(&[Cell::Whole(mark.track.0.into()), Cell::Whole(mark.step), knob, from, to])
        })
    },
};

pub(super) const FINGERPRINTS: Table = Table {
    name: "fingerprints",
    about: "the parameters after so many updates",
    columns: &["track", "step", "hash"],
    rows: |recording, sink| {
        recording
            .fingerprints
            .iter()
            .try_for_each(|of| sink(&[Cell::Whole(of.track.0.into()), Cell::Whole(of.step), Cell::Text(&of.hash)]))
    },
};

pub(super) const NOTES: Table = Table {
    name: "notes",
    about: "what a user wrote at a step",
    columns: &["track", "step", "text"],
    rows: |recording, sink| {
        recording.notes.iter().try_for_each(|note| {
            sink(&[Cell::Whole(note.track.0.into()), Cell::Whole(note.step), Cell::Text(&note.text)])
        })
    },
};

/// A series of a track.
pub(super) struct Of<'a> {
    pub track: TrackId,
    pub name: &'a SeriesId,
    pub series: &'a Series,
    /// Earlier readings of a branch are its parent's and stand there.
    first: u64,
}

impl Of<'_> {
    pub fn owns(&self, step: u64) -> bool {
        step >= self.first
    }
}

/// Every series of every track.
pub(super) fn series(recording: &Recording) -> impl Iterator<Item = Of<'_>> {
    recording.tracks().flat_map(|(track, of)| {
        let first = of.parent.map_or(0, |fork| fork.step);
        of.series().map(move |(name, series)| Of { track, name, series, first })
    })
}

pub(super) const SCALARS: Table = Table {
    name: "scalars",
    about: "a number",
    columns: &["track", "series", "step", "value"],
    rows: |recording, sink| {
        for of in series(recording) {
            let Series::Scalar(series) = of.series else { continue };
            for (step, value) in series.steps().iter().zip(series.values()).filter(|(step, _)| of.owns(**step)) {
                sink(&[
                    Cell::Whole(of.track.0.into()),
                    Cell::Text(of.name.as_str()),
                    Cell::Whole(*step),
                    Cell::Double(*value),
                ])?;
            }
        }
        Ok(())
    },
};

pub(super) const ESTIMATES: Table = Table {
    name: "estimates",
    about: "how a number of `scalars` was come by, where an iteration approached it",
    columns: &[
        "track",
        "series",
        "step",
        "value",
        "residual",
        "converged",
        "products",
        "examples",
        "dtype",
        "method",
        "seconds",
    ],
    rows: |recording, sink| {
        for of in series(recording) {
            let Series::Scalar(series) = of.series else { continue };
            for (step, estimate) in series.steps().iter().zip(series.estimates()).filter(|(step, _)| of.owns(**step)) {
                let about = &estimate.circumstances;
                sink(&[
                    Cell::Whole(of.track.0.into()),
                    Cell::Text(of.name.as_str()),
                    Cell::Whole(*step),
                    Cell::Double(estimate.value),
                    Cell::Double(estimate.residual),
                    Cell::Flag(estimate.converged),
                    Cell::Whole(estimate.products as u64),
                    Cell::Whole(about.examples as u64),
                    Cell::Text(&about.dtype),
                    Cell::Text(&about.method),
                    Cell::Double(about.seconds),
                ])?;
            }
        }
        Ok(())
    },
};

pub(super) const VECTORS: Table = Table {
    name: "vectors",
    about: "an entry of a row of numbers; `of` is its layer, group or part of the parameters, or head",
    columns: &["track", "series", "step", "index", "of", "value"],
    rows: vectors,
};

fn vectors(recording: &Recording, sink: &mut Sink<'_>) -> io::Result<()> {
    for of in series(recording) {
        let Series::Vector(series) = of.series else { continue };
        let entries: Vec<_> =
            (0..series.width()).map(|entry| entry_name(&recording.header, of.name, entry, series.width())).collect();
        for (row, step) in series.steps().iter().enumerate().filter(|(_, step)| of.owns(**step)) {
            for (entry, value) in series.row(row).iter().enumerate() {
                sink(&[
                    Cell::Whole(of.track.0.into()),
                    Cell::Text(of.name.as_str()),
                    Cell::Whole(*step),
                    Cell::Whole(entry as u64),
                    Cell::Text(&entries[entry]),
                    Cell::Single(*value),
                ])?;
            }
        }
    }
    Ok(())
}

/// What an entry belongs to, as the header names it; nothing where the header doesn't know.
fn entry_name(header: &Header, series: &SeriesId, entry: usize, width: usize) -> String {
    let groups = [names::GRADIENT_NORM, names::UPDATE_RATIO];
    let parts = [
        names::ROLE_GRADIENT_NORM,
        names::ROLE_UPDATE_RATIO,
        names::WEIGHT_INT8_ERROR,
        names::WEIGHT_INT8_ERROR_CHANNEL,
    ];
    if groups.contains(series) {
        return header.parameter_groups.get(entry).cloned().unwrap_or_default();
    }
    if parts.contains(series) {
        return header
            .parameter_parts
            .get(entry)
            .map_or_else(String::new, |part| format!("{} {}", part.layer, part.role.label()));
    }
    let heads = header.attention_heads.unwrap_or(0);
    if *series == names::ATTENTION_ENTROPY && heads > 0 {
        return format!("layer {} head {}", entry / heads + 1, entry % heads + 1);
    }
    if header.layers.len() == width { header.layers[entry].name.clone() } else { String::new() }
}
