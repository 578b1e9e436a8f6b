//! Several recordings as one: their tracks side by side, with what sets them apart as attributes.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::base::nesting;

use super::branches::{Fingerprint, Fork};
use super::reading::TrackId;
use super::recording::{Header, Intervention, Note, Recording, Track};

/// The attribute that says which file a track is from.
pub const FILE: &str = "file";

/// The seed and every knob in which the recordings' specifications differ, by dotted names, for each recording in order;
/// `none` where one lacks it.
pub fn differences(headers: &[&Header]) -> Vec<BTreeMap<String, String>> {
    let specs: Vec<_> = headers.iter().map(|header| flat(&header.spec)).collect();
    let mut keys: Vec<_> = specs.iter().flat_map(BTreeMap::keys).collect();
    keys.sort_unstable();
    keys.dedup();
    let differs = |key: &str| specs.windows(2).any(|pair| pair[0].get(key) != pair[1].get(key));
    let kept: Vec<_> = keys.into_iter().filter(|key| key.as_str() == "seed" || differs(key)).collect();
    let of = |spec: &BTreeMap<String, String>| {
        let value = |key: &str| spec.get(key).cloned().unwrap_or_else(|| "none".into());
        kept.iter().map(|key| (short(key, &kept).to_owned(), value(key))).collect()
    };
    specs.iter().map(of).collect()
}

/// The last part of a dotted name, unless another ends alike.
fn short<'a>(key: &'a str, all: &[&String]) -> &'a str {
    let last = |key: &'a str| key.rsplit('.').next().unwrap_or(key);
    let name = last(key);
    let alike = all.iter().filter(|other| other.rsplit('.').next() == Some(name)).count();
    if alike > 1 { key } else { name }
}

/// A specification's entries by their dotted names.
fn flat(spec: &str) -> BTreeMap<String, String> {
    let mut entries = BTreeMap::new();
    // The text comes from a file that anybody may have made.
    if let Ok(table) = nesting::check(spec).and_then(|()| spec.parse::<toml::Table>().map_err(|e| e.to_string())) {
        flatten("", &table, &mut entries);
    }
    entries
}

fn flatten(prefix: &str, table: &toml::Table, entries: &mut BTreeMap<String, String>) {
    for (key, value) in table {
        let name = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match value {
            toml::Value::Table(inner) => flatten(&name, inner, entries),
            toml::Value::String(text) => drop(entries.insert(name, text.clone())),
            other => drop(entries.insert(name, other.to_string())),
        }
    }
}

impl Recording {
    /// Takes the tracks of other recordings in. Those of each get the name of their file, the seed and what else their
    /// specifications differ in as attributes; of recordings that were combined before, tracks keep theirs.
    #[must_use]
    pub fn combined(parts: Vec<(String, Self)>) -> Self {
        let headers: Vec<_> = parts.iter().map(|(_, part)| &part.header).collect();
        let attributes = differences(&headers);
        let names = unlike(parts.iter().map(|(name, _)| name.clone()).collect());
        let mut all: Option<Self> = None;
        for (((_, part), name), attributes) in parts.into_iter().zip(names).zip(attributes) {
            let all = all.get_or_insert_with(|| Self::new(part.header.clone()));
            all.take_in(part, &name, &attributes);
        }
        let mut all = all.unwrap_or_default();
        let first = all.tracks.keys().next().copied().unwrap_or_default();
        all.set_focus(first);
        all
    }

    fn take_in(&mut self, part: Self, name: &str, attributes: &BTreeMap<String, String>) {
        let shift = self.tracks.keys().next_back().map_or(0, |last| last.0 + 1);
        let lone = part.tracks.len() == 1;
        let header = Arc::new(part.header.clone());
        self.header.planned_steps = self.header.planned_steps.max(header.planned_steps);
        self.absorb(part, shift, |track| {
            if track.attributes.contains_key(FILE) {
                return;
            }
            track.label = match track.label.as_str() {
                "" => name.to_owned(),
                _ if lone => name.to_owned(),
                label => format!("{name}: {label}"),
            };
            track.header.get_or_insert_with(|| header.clone());
            track.attributes.insert(FILE.into(), name.to_owned());
            for (key, value) in attributes {
                track.attributes.entry(key.clone()).or_insert_with(|| value.clone());
            }
        });
    }

    /// One track alone, as if there were no other: a cheap copy that shares its readings.
    #[must_use]
    pub fn only(&self, id: TrackId) -> Self {
        let Some(track) = self.tracks.get(&id) else { return Self::new(self.header.clone()) };
        let header = track.header.as_deref().unwrap_or(&self.header).clone();
        self.only_with(id, track.clone(), header)
    }

    /// The header of the track in focus.
    pub fn header_of(&self, id: TrackId) -> &Header {
        self.tracks.get(&id).and_then(|track| track.header.as_deref()).unwrap_or(&self.header)
    }
}

impl Recording {
    fn absorb(&mut self, part: Self, shift: u32, mut edit: impl FnMut(&mut Track)) {
        let moved = |id: TrackId| TrackId(id.0 + shift);
        for (id, track) in &part.tracks {
            let mut track = (**track).clone();
            track.parent = track.parent.map(|fork| Fork { track: moved(fork.track), ..fork });
            track.outcome = part.outcome_of(*id).cloned();
            edit(&mut track);
            self.newest_track = moved(*id);
            self.outcome.clone_from(&track.outcome);
            self.tracks.insert(moved(*id), Arc::new(track));
        }
        self.newest_step = self.newest_step.max(part.newest_step);
        self.branched |= part.branched;
        // Checkpoints stay with their files.
        self.interventions
            .extend(part.interventions.into_iter().map(|mark| Intervention { track: moved(mark.track), ..mark }));
        self.fingerprints
            .extend(part.fingerprints.into_iter().map(|print| Fingerprint { track: moved(print.track), ..print }));
        self.notes.extend(part.notes.into_iter().map(|note| Note { track: moved(note.track), ..note }));
        self.count_memory();
    }

    fn only_with(&self, id: TrackId, track: Arc<Track>, header: Header) -> Self {
        Self {
            interventions: self.interventions_of(id).cloned().collect(),
            outcome: self.outcome_of(id).cloned(),
            focus: Some(id),
            newest_track: id,
            newest_step: track.newest_step,
            tracks: BTreeMap::from([(id, track)]),
            ..Self::new(header)
        }
    }
}

/// Names that differ: those that occur more than once are numbered.
fn unlike(names: Vec<String>) -> Vec<String> {
    let count = |name: &str, upto: usize| names[..upto].iter().filter(|other| *other == name).count();
    let name = |(i, name): (usize, &String)| match count(name, names.len()) {
        1 => name.clone(),
        _ => format!("{name} ({})", count(name, i) + 1),
    };
    names.iter().enumerate().map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Reading, SeriesId, Snapshot};

    fn recording(spec: &str, steps: u64) -> Recording {
        let mut recording = Recording::new(Header { spec: spec.into(), planned_steps: steps, ..Header::default() });
        for step in 0..steps {
            let readings = vec![(SeriesId::owned("x"), Reading::Scalar(step as f64))];
            recording.push(&Snapshot { track: TrackId(0), step, readings }).unwrap();
        }
        recording
    }

    #[test]
    fn tracks_are_named_after_their_files_and_told_apart_by_their_knobs() {
        let parts = [
            ("a", recording("seed = 1\nwidth = 8\n[optimizer]\nlr = 0.1\nmomentum = 0.9", 10)),
            ("b", recording("seed = 1\nwidth = 8\n[optimizer]\nlr = 0.2\nmomentum = 0.9", 20)),
            ("b", recording("seed = 1\nwidth = 8\n[optimizer]\nlr = 0.1\n[model]\nlr = 3", 30)),
        ];
        let all = Recording::combined(parts.map(|(name, part)| (name.to_owned(), part)).into());
        let tracks: Vec<_> = all.tracks().map(|(_, track)| track).collect();
        let labels: Vec<_> = tracks.iter().map(|track| track.label.as_str()).collect();
        assert_eq!(labels, ["a", "b (1)", "b (2)"]);
        let attribute = |track: usize, key: &str| tracks[track].attributes.get(key).map(String::as_str);
        assert_eq!(attribute(1, "optimizer.lr"), Some("0.2"));
        assert_eq!((attribute(0, "model.lr"), attribute(2, "model.lr")), (Some("none"), Some("3")));
        assert_eq!(
            (attribute(2, "momentum"), attribute(0, "seed"), attribute(0, "width")),
            (Some("none"), Some("1"), None)
        );
        assert_eq!(tracks[2].scalar("x").unwrap().len(), 30);
        assert_eq!((all.newest_step(), all.focus(), all.header.planned_steps), (29, TrackId(0), 30));
        // One of them alone is what it was.
        let alone = all.only(TrackId(1));
        assert_eq!((alone.newest_step(), alone.header.planned_steps), (19, 20));
        assert_eq!(alone.scalar(&SeriesId::owned("x")).unwrap().len(), 20);
        assert!(alone.header.spec.contains("0.2"));
        // And all of them can be compared with more.
        let more = Recording::combined(vec![("all".into(), all), ("c".into(), recording("seed = 2", 5))]);
        let labels: Vec<_> = more.tracks().map(|(_, track)| track.label.as_str()).collect();
        assert_eq!(labels, ["a", "b (1)", "b (2)", "c"]);
    }
}
