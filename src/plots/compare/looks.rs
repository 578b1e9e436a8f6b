//! How tracks are told apart: colours, names, groups.

use std::collections::BTreeSet;

use crate::plots::lines::{LineColor, LineKey};
use crate::plots::{PaneOptions, words};
use crate::record::{Recording, Track, TrackId};

use super::{FEW, shown};

/// Colours that are told apart by name.
const COLORS: usize = 7;
/// Of what lacks the attribute.
const UNKNOWN: LineColor = LineColor::Palette(6);

/// How one track looks.
#[derive(Clone, Debug, PartialEq)]
pub struct Look {
    pub track: TrackId,
    /// In the legend: the track's own name, or the value it is coloured by.
    pub label: String,
    /// The track's own name.
    pub name: String,
    pub color: LineColor,
    /// The value of the attribute that is grouped by.
    pub group: Option<String>,
    pub is_focus: bool,
}

/// What colours mean.
#[derive(Clone, Debug, PartialEq)]
pub enum Key {
    /// Lines are named one by one.
    Names,
    /// A scale: too many values to name them.
    Scale(LineKey),
}

/// All shown tracks.
#[derive(Clone, Debug, PartialEq)]
pub struct Looks {
    pub tracks: Vec<Look>,
    pub key: Key,
}

/// The attributes in which the tracks of a recording differ.
pub fn attributes(recording: &Recording) -> Vec<String> {
    let names: BTreeSet<&String> = recording.tracks().flat_map(|(_, track)| track.attributes.keys()).collect();
    // Whole specifications tell nobody anything as a colour.
    let short = |name: &&String| {
        let mut values = recording.tracks().filter_map(|(_, track)| track.attributes.get(*name));
        values.all(|value| value.len() < 80 && !value.contains('\n'))
    };
    let differs = |name: &&String| {
        let mut values = recording.tracks().map(|(_, track)| track.attributes.get(*name));
        let first = values.next().flatten();
        values.any(|value| value != first)
    };
    names.into_iter().filter(differs).filter(short).cloned().collect()
}

/// What a track is called where it has no name of its own.
pub fn name(id: TrackId, track: &Track) -> String {
    match (track.label.as_str(), track.parent) {
        ("", None) if id.0 == 0 => "first run".into(),
        ("", None) => format!("track {}", id.0),
        ("", Some(fork)) => format!("branch {} at {}", id.0, fork.step),
        (label, _) => label.to_owned(),
    }
}

impl Looks {
    pub fn of(recording: &Recording, options: &PaneOptions) -> Self {
        let comparing = &options.comparing;
        let tracks: Vec<_> = shown(recording, options).filter_map(|id| Some((id, recording.track(id)?))).collect();
        // Grouped tracks are coloured by their group.
        let by = comparing.group_by.as_ref().or(comparing.color_by.as_ref());
        let (colors, labels, key) = match by {
            Some(attribute) => by_attribute(&tracks, attribute),
            None => by_track(recording, &tracks),
        };
        let group = |track: &Track| comparing.group_by.as_ref().map(|name| value(track, name));
        let focus = recording.focus();
        let looks = tracks.iter().zip(colors).zip(labels).map(|(((id, track), color), label)| Look {
            track: *id,
            label,
            name: name(*id, track),
            color,
            group: group(track),
            is_focus: *id == focus,
        });
        Self { tracks: looks.collect(), key }
    }
}

fn value(track: &Track, attribute: &str) -> String {
    track.attributes.get(attribute).cloned().unwrap_or_else(|| "none".into())
}

type Colored = (Vec<LineColor>, Vec<String>, Key);

fn by_track(recording: &Recording, tracks: &[(TrackId, &Track)]) -> Colored {
    let labels = tracks.iter().map(|(id, track)| name(*id, track)).collect();
    if tracks.len() <= FEW {
        // A track keeps its colour when others are hidden.
        let place = |id: TrackId| recording.tracks().position(|(other, _)| other == id).unwrap_or(0);
        return (tracks.iter().map(|(id, _)| LineColor::Palette(place(*id) % COLORS)).collect(), labels, Key::Names);
    }
    let last = (tracks.len() - 1) as f32;
    let colors = (0..tracks.len()).map(|i| LineColor::Scale(i as f32 / last)).collect();
    let key = LineKey { label: "track".into(), range: [1.0, tracks.len() as f64], log: false };
    (colors, labels, Key::Scale(key))
}

fn by_attribute(tracks: &[(TrackId, &Track)], attribute: &str) -> Colored {
    let numbers: Vec<Option<f64>> = tracks.iter().map(|(_, track)| track.number(attribute)).collect();
    let values: Vec<String> = tracks.iter().map(|(_, track)| value(track, attribute)).collect();
    let labels: Vec<String> = values.iter().map(|value| format!("{attribute} {value}")).collect();
    let distinct: BTreeSet<&String> = values.iter().collect();
    let known = || numbers.iter().copied().flatten().filter(|v| v.is_finite());
    let [low, high] = known().fold([f64::INFINITY, f64::NEG_INFINITY], |[a, b], v| [a.min(v), b.max(v)]);
    if high > low {
        // Sizes and rates are compared by their ratios, over a decade or more.
        let log = low > 0.0 && high >= 10.0 * low;
        let scale = |v: f64| if log { v.ln() } else { v };
        let place = |v: f64| ((scale(v) - scale(low)) / (scale(high) - scale(low))) as f32;
        let color = |v: &Option<f64>| v.filter(|v| v.is_finite()).map_or(UNKNOWN, |v| LineColor::Scale(place(v)));
        let key = LineKey { label: attribute.to_owned(), range: [low, high], log };
        let key = if distinct.len() <= FEW { Key::Names } else { Key::Scale(key) };
        return (numbers.iter().map(color).collect(), labels, key);
    }
    let place = |value: &String| distinct.iter().position(|other| *other == value).unwrap_or(0);
    let last = distinct.len().saturating_sub(1).max(1) as f32;
    let color = |value: &String| match distinct.len() {
        0..=COLORS => LineColor::Palette(place(value)),
        _ => LineColor::Scale(place(value) as f32 / last),
    };
    let key = if distinct.len() <= FEW {
        Key::Names
    } else {
        let label = format!(
            "{attribute}, in order ({} … {})",
            distinct.first().map_or("", |v| v),
            distinct.last().map_or("", |v| v)
        );
        Key::Scale(LineKey { label, range: [1.0, distinct.len() as f64], log: false })
    };
    (values.iter().map(color).collect(), labels, key)
}

/// A short list of names for a note, such as `a, b and 3 more`.
pub(super) fn named(looks: &[&Look]) -> String {
    let names: Vec<_> = looks.iter().take(3).map(|look| look.name.as_str()).collect();
    match looks.len() {
        0..=3 => names.join(", "),
        n => format!("{} and {} more", names.join(", "), words::number((n - 3) as f64)),
    }
}
