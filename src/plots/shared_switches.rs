//! The switches that all panes share: which steps and which tracks they show, and how tracks are told apart.

use std::collections::BTreeSet;

use crate::record::{StepWindow, TrackId};

use super::{PaneId, PaneOptions, Smoothing};

/// One of them; [`super::switches`] has those of single panes.
pub struct SharedSwitch {
    /// In kebab case: the flag is `--name`.
    pub name: &'static str,
    pub about: &'static str,
    /// In words.
    pub allowed: &'static str,
    /// Sets what was typed, if it is allowed.
    set: fn(&mut PaneOptions, PaneId, &str) -> Option<()>,
    text: fn(&PaneOptions, PaneId) -> String,
}

const SMOOTH: &str = "smooth";

/// All of them.
pub const SHARED: &[SharedSwitch] = &[
    SharedSwitch {
        name: "window",
        about: "Steps that curves show",
        allowed: "all, last:500 for so many steps up to the cursor, or 120..400",
        set: |options, _, text| {
            options.window = window(text)?;
            Some(())
        },
        text: |options, _| match options.window {
            StepWindow::All => "all".into(),
            StepWindow::Last(steps) => format!("last:{steps}"),
            StepWindow::Between { from, to } => format!("{from}..{to}"),
        },
    },
    SharedSwitch {
        name: SMOOTH,
        about: "How strongly curves are smoothed",
        allowed: Smoothing::ALLOWED,
        set: |options, _, text| {
            options.smoothing = text.parse().ok()?;
            Some(())
        },
        text: |options, _| options.smoothing.to_string(),
    },
    SharedSwitch {
        name: "solo",
        about: "The track in focus alone",
        allowed: "yes or no",
        set: |options, _, text| {
            options.comparing.solo = yes(text)?;
            Some(())
        },
        text: |options, _| if options.comparing.solo { "yes".into() } else { "no".into() },
    },
    SharedSwitch {
        name: "hide",
        about: "Tracks that aren't shown",
        allowed: "none, or the tracks' numbers with commas between",
        set: |options, _, text| {
            options.comparing.hidden = hidden(text)?;
            Some(())
        },
        text: |options, _| {
            let hidden: Vec<_> = options.comparing.hidden.iter().map(|track| track.0.to_string()).collect();
            if hidden.is_empty() { "none".into() } else { hidden.join(",") }
        },
    },
    SharedSwitch {
        name: "color-by",
        about: "Colour tracks by this attribute",
        allowed: "none, or an attribute such as lr",
        set: |options, _, text| {
            options.comparing.color_by = named(text);
            Some(())
        },
        text: |options, _| options.comparing.color_by.clone().unwrap_or_else(none),
    },
    SharedSwitch {
        name: "group-by",
        about: "Mean and spread of the tracks with equal values of this attribute",
        allowed: "none, or an attribute such as width",
        set: |options, _, text| {
            options.comparing.group_by = named(text);
            Some(())
        },
        text: |options, _| options.comparing.group_by.clone().unwrap_or_else(none),
    },
    SharedSwitch {
        name: "line",
        about: "Of many curves a track, the one that is compared",
        allowed: "none for their mean, or the curve's name",
        set: |options, pane, text| {
            match named(text) {
                Some(line) => drop(options.comparing.line.insert(pane, line)),
                None => drop(options.comparing.line.remove(&pane)),
            }
            Some(())
        },
        text: |options, pane| options.comparing.line.get(&pane).cloned().unwrap_or_else(none),
    },
    SharedSwitch {
        name: "apart",
        about: "Histograms of tracks beside one another instead of over one another",
        allowed: "yes or no",
        set: |options, _, text| {
            options.comparing.ridges_apart = yes(text)?;
            Some(())
        },
        text: |options, _| if options.comparing.ridges_apart { "yes".into() } else { "no".into() },
    },
];

fn none() -> String {
    "none".into()
}

fn named(text: &str) -> Option<String> {
    (text != "none").then(|| text.to_owned())
}

fn yes(text: &str) -> Option<bool> {
    match text {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}

fn window(text: &str) -> Option<StepWindow> {
    if text == "all" {
        return Some(StepWindow::All);
    }
    if let Some(steps) = text.strip_prefix("last:") {
        return steps.parse().ok().filter(|steps| *steps >= 2).map(StepWindow::Last);
    }
    let (from, to) = text.split_once("..")?;
    let (from, to) = (from.parse().ok()?, to.parse().ok()?);
    (from < to).then_some(StepWindow::Between { from, to })
}

fn hidden(text: &str) -> Option<BTreeSet<TrackId>> {
    if text == "none" {
        return Some(BTreeSet::new());
    }
    text.split(',').map(|number| number.trim().parse().ok().map(TrackId)).collect()
}

/// Those that aren't as they are at first: (name, text).
pub fn changed(pane: PaneId, options: &PaneOptions) -> Vec<(&'static str, String)> {
    let first = PaneOptions::default();
    let text = |switch: &SharedSwitch| (switch.name, (switch.text)(options, pane));
    SHARED
        .iter()
        .filter(|switch| switch.belongs_to(pane) && (switch.text)(options, pane) != (switch.text)(&first, pane))
        .map(text)
        .collect()
}

impl SharedSwitch {
    /// Whether a pane has it: the charts of labs choose their steps and tracks themselves.
    pub fn belongs_to(&self, pane: PaneId) -> bool {
        !matches!(pane, PaneId::Chart(_)) || self.name == SMOOTH
    }

    /// Sets what was typed.
    ///
    /// # Errors
    /// One sentence that names the switch, the text and the allowed values.
    pub fn set(&self, options: &mut PaneOptions, pane: PaneId, text: &str) -> Result<(), String> {
        (self.set)(options, pane, text).ok_or_else(|| format!("{} can't be {text:?}; give {}", self.name, self.allowed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shared_option_is_written_as_it_is_read() {
        let mut options = PaneOptions::default();
        let pane = PaneId::Gradients;
        let texts = ["120..400", "20", "yes", "0,3", "lr", "seed", "block 1", "yes"];
        for (switch, text) in SHARED.iter().zip(texts) {
            switch.set(&mut options, pane, text).unwrap();
        }
        let said = changed(pane, &options);
        assert_eq!(said.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>(), texts);
        let mut again = PaneOptions::default();
        for (name, text) in said {
            SHARED.iter().find(|switch| switch.name == name).unwrap().set(&mut again, pane, &text).unwrap();
        }
        assert_eq!(again, options);
        assert_eq!(window("last:500"), Some(StepWindow::Last(500)));
        for wrong in ["last:1", "9..3", "some", ""] {
            assert!(SHARED[0].set(&mut options, pane, wrong).unwrap_err().contains("120..400"), "{wrong}");
        }
    }
}
