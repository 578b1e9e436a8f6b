//! Rows and columns of stacks of panes. Panes go by their names, so that a layout outlives the recording it was made at.

use crate::plots::{PaneId, pane};
use crate::record::Recording;

/// Shares of a row or column are whole thousandths of the usual share, so that they are written down exactly.
pub const SHARE: u32 = 1_000;

/// A part of a row or a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub place: Place,
    /// In units of 1 / [`SHARE`]; the parts of a row divide its width in proportion.
    pub share: u32,
}

/// A part of the window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    Pane(String),
    /// One behind the other; `on_top` is in sight.
    Stack {
        places: Vec<Place>,
        on_top: usize,
    },
    /// From left to right.
    Row(Vec<Part>),
    /// From top to bottom.
    Column(Vec<Part>),
}

/// Where the panes are, and which are put away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaneLayout {
    pub root: Place,
    /// Not on screen, in the order of the registry. A pane that is neither here nor in `root` is new since the layout was
    /// made, and finds a place by itself.
    pub hidden: Vec<String>,
}

/// The names of a recording's panes, in the order of the keys.
pub fn slugs(recording: &Recording) -> Vec<&str> {
    pane::of(recording).into_iter().map(|id| pane::slug(recording, id)).collect()
}

/// The pane of a recording with this name.
pub fn find(recording: &Recording, slug: &str) -> Option<PaneId> {
    pane::of(recording).into_iter().find(|id| pane::slug(recording, *id) == slug)
}

/// What a layout of this recording's panes belongs to: `playground`, a lab's id, or the names of the charts that no lab
/// has asked for.
pub fn experiment_of(recording: &Recording) -> String {
    match &recording.header.lab {
        Some(lab) => lab.id.clone(),
        None if recording.header.charts.is_empty() => "playground".into(),
        None => slugs(recording).join(" "),
    }
}

impl Place {
    /// The names of its panes, from left to right, top to bottom, front to back.
    pub fn panes(&self) -> Vec<&str> {
        match self {
            Self::Pane(name) => vec![name],
            Self::Stack { places, .. } => places.iter().flat_map(Self::panes).collect(),
            Self::Row(parts) | Self::Column(parts) => parts.iter().flat_map(|part| part.place.panes()).collect(),
        }
    }

    /// Without the panes that `keep` refuses; nothing where none is left.
    fn retain(self, keep: &mut dyn FnMut(&str) -> bool) -> Option<Self> {
        match self {
            Self::Pane(name) => keep(&name).then_some(Self::Pane(name)),
            Self::Stack { places, on_top } => {
                let kept: Vec<_> = places.into_iter().map(|place| place.retain(keep)).collect();
                let before = kept.iter().take(on_top).flatten().count();
                let mut places: Vec<_> = kept.into_iter().flatten().collect();
                let on_top = before.min(places.len().saturating_sub(1));
                if places.len() < 2 { places.pop() } else { Some(Self::Stack { places, on_top }) }
            }
            Self::Row(row) => Self::of_parts(row, Self::Row, keep),
            Self::Column(column) => Self::of_parts(column, Self::Column, keep),
        }
    }

    fn of_parts(parts: Vec<Part>, make: fn(Vec<Part>) -> Self, keep: &mut dyn FnMut(&str) -> bool) -> Option<Self> {
        let kept = |part: Part| Some(Part { share: part.share, place: part.place.retain(keep)? });
        let mut parts: Vec<_> = parts.into_iter().filter_map(kept).collect();
        if parts.len() < 2 { parts.pop().map(|part| part.place) } else { Some(make(parts)) }
    }

    /// Puts a pane behind what lies last.
    fn append(&mut self, name: &str) {
        match self {
            Self::Row(parts) | Self::Column(parts) if !parts.is_empty() => {
                if let Some(last) = parts.last_mut() {
                    last.place.append(name);
                }
            }
            Self::Stack { places, .. } => places.push(Self::Pane(name.to_owned())),
            _ => {
                let before = std::mem::replace(self, Self::Pane(String::new()));
                *self = Self::Stack { places: vec![before, Self::Pane(name.to_owned())], on_top: 0 };
            }
        }
    }

    /// The same, with the front panes of all stacks in front: what differs is only which tab is chosen.
    fn untabbed(&self) -> Self {
        let parts = |parts: &[Part]| {
            parts.iter().map(|part| Part { share: part.share, place: part.place.untabbed() }).collect()
        };
        match self {
            Self::Pane(name) => Self::Pane(name.clone()),
            Self::Stack { places, .. } => {
                Self::Stack { places: places.iter().map(Self::untabbed).collect(), on_top: 0 }
            }
            Self::Row(row) => Self::Row(parts(row)),
            Self::Column(column) => Self::Column(parts(column)),
        }
    }
}

impl PaneLayout {
    pub fn new(root: Place) -> Self {
        Self { root, hidden: Vec::new() }
    }

    pub fn is_hidden(&self, name: &str) -> bool {
        self.hidden.iter().any(|hidden| hidden == name)
    }

    /// For these panes: others are left out, new ones go behind the last, and where none is left it is `start`.
    #[must_use]
    pub fn fitted(&self, panes: &[&str], start: &Self) -> Self {
        let mut placed: Vec<String> = Vec::new();
        let mut known = |name: &str| {
            // No pane is in two places.
            let keep = panes.contains(&name) && !self.is_hidden(name) && !placed.iter().any(|placed| placed == name);
            if keep {
                placed.push(name.to_owned());
            }
            keep
        };
        let Some(mut root) = self.root.clone().retain(&mut known) else { return start.clone() };
        for name in panes {
            if !self.is_hidden(name) && !placed.iter().any(|placed| placed == name) {
                root.append(name);
            }
        }
        let hidden = panes.iter().filter(|name| self.is_hidden(name)).map(|name| (*name).to_owned()).collect();
        Self { root, hidden }
    }

    /// Puts a pane away; the last one stays.
    pub fn hide(&mut self, name: &str) {
        if let Some(root) = self.root.clone().retain(&mut |pane| pane != name)
            && !self.is_hidden(name)
        {
            self.root = root;
            self.hidden.push(name.to_owned());
        }
    }

    /// Brings a pane back, behind what lies last.
    pub fn bring_back(&mut self, name: &str) {
        if self.is_hidden(name) {
            self.hidden.retain(|hidden| hidden != name);
            self.root.append(name);
        }
    }

    /// Whether the two differ at most in the tabs that are chosen.
    pub fn same_but_for_tabs(&self, other: &Self) -> bool {
        self.hidden == other.hidden && self.root.untabbed() == other.root.untabbed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(text: &str) -> PaneLayout {
        PaneLayout::new(text.parse().unwrap())
    }

    #[test]
    fn a_layout_fits_other_panes_and_new_ones_find_a_place() {
        let made = layout("((a | *b + c) / d)");
        let start = layout("(x | y)");
        assert_eq!(made.fitted(&["a", "b", "c", "d"], &start), made);
        assert_eq!(made.fitted(&["a", "c", "e"], &start), layout("(a | *c + e)"));
        assert_eq!(made.fitted(&["x", "y"], &start), start);
        assert_eq!(layout("(a | b | a + b)").fitted(&["a", "b"], &start), layout("(a | b)"));
    }

    #[test]
    fn hidden_panes_stay_away_until_they_are_brought_back_and_the_last_one_stays() {
        let mut made = layout("(a | b | c)");
        made.hide("b");
        made.hide("b");
        assert_eq!((made.root.to_string().as_str(), made.hidden.len()), ("(a | c)", 1));
        assert_eq!(made.fitted(&["a", "b", "c"], &layout("z")), made);
        made.bring_back("b");
        assert_eq!(made, layout("(a | *c + b)"));
        let mut alone = layout("a");
        alone.hide("a");
        assert_eq!(alone, layout("a"));
    }

    #[test]
    fn the_tab_in_front_follows_what_is_left() {
        let mut made = layout("a + b + *c");
        made.hide("a");
        assert_eq!(made.root.to_string(), "b + *c");
        assert!(made.same_but_for_tabs(&PaneLayout { hidden: made.hidden.clone(), ..layout("*b + c") }));
        assert!(!made.same_but_for_tabs(&PaneLayout { hidden: made.hidden.clone(), ..layout("*c + b") }));
    }
}
