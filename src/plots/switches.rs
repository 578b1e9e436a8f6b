//! The switches of panes by name: what a command line sets, and how the command that draws a pane again is written.

use crate::record::{ParamRole, Recording};

use super::{
    ActivationView, CurvatureView, EntropyView, GradientView, LandscapeMetric, LandscapeView, PaneId, PaneOptions,
    SignalStatistic, shared_switches,
};

/// One switch of one pane. Panes share names: what `log` or `layer` means depends on the pane.
pub struct Switch {
    pub pane: PaneId,
    /// In kebab case: the flag is `--name`.
    pub name: &'static str,
    pub about: &'static str,
    kind: Kind,
}

/// Gives the place of a value among the words, and puts the value of a place.
type Get = fn(&PaneOptions) -> usize;
type Set = fn(&mut PaneOptions, usize);

enum Kind {
    Choice {
        words: fn() -> Vec<String>,
        get: Get,
        set: Set,
    },
    /// One of the header's layers, by name or by number from 1.
    Layer {
        get: Get,
        set: Set,
    },
    /// A whole number from `least`.
    Count {
        least: usize,
        get: Get,
        set: Set,
    },
}

/// Values with names.
trait Words: Copy + PartialEq + Sized {
    fn all() -> Vec<(Self, String)>;
}

fn words<T: Words>() -> Vec<String> {
    T::all().into_iter().map(|(_, word)| word).collect()
}

fn place<T: Words>(value: T) -> usize {
    T::all().iter().position(|(one, _)| *one == value).unwrap_or(0)
}

fn nth<T: Words>(place: usize) -> T {
    T::all()[place].0
}

fn named<T: Copy>(all: &[(T, &str)]) -> Vec<(T, String)> {
    all.iter().map(|(value, word)| (*value, (*word).to_owned())).collect()
}

/// `Max / median` is `max-median` on a command line.
fn kebab(label: &str) -> String {
    let words: Vec<_> = label.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    words.join("-").to_lowercase()
}

impl Words for bool {
    fn all() -> Vec<(Self, String)> {
        named(&[(false, "no"), (true, "yes")])
    }
}

impl Words for LandscapeView {
    fn all() -> Vec<(Self, String)> {
        named(&[(Self::Surface, "surface"), (Self::HeatMap, "map"), (Self::Profile, "line")])
    }
}

impl Words for LandscapeMetric {
    fn all() -> Vec<(Self, String)> {
        let word = |metric| match metric {
            Self::Measured(metric) => metric.id().to_owned(),
            other => kebab(other.label()),
        };
        Self::all().map(|metric| (metric, word(metric))).collect()
    }
}

impl Words for ActivationView {
    fn all() -> Vec<(Self, String)> {
        named(&[(Self::Ridges, "layers"), (Self::Waterfall, "time")])
    }
}

impl Words for GradientView {
    fn all() -> Vec<(Self, String)> {
        named(&[(Self::Groups, "groups"), (Self::Roles, "roles"), (Self::Depth, "depth")])
    }
}

impl Words for Option<ParamRole> {
    fn all() -> Vec<(Self, String)> {
        let roles = ParamRole::ALL.map(|role| (Some(role), kebab(role.label())));
        std::iter::once((None, "all".to_owned())).chain(roles).collect()
    }
}

impl Words for CurvatureView {
    fn all() -> Vec<(Self, String)> {
        named(&[(Self::Eigenvalues, "ends"), (Self::Trace, "trace")])
    }
}

impl Words for SignalStatistic {
    fn all() -> Vec<(Self, String)> {
        let all = Self::FAMILIES.iter().flat_map(|(_, family)| family.iter());
        all.map(|statistic| (*statistic, kebab(statistic.label()))).collect()
    }
}

impl Words for EntropyView {
    fn all() -> Vec<(Self, String)> {
        named(&[(Self::Layers, "layers"), (Self::Heads, "heads"), (Self::Depth, "depth")])
    }
}

const fn log(pane: PaneId, get: Get, set: Set) -> Switch {
    Switch { pane, name: "log", about: "Logarithmic scale", kind: Kind::Choice { words: words::<bool>, get, set } }
}

/// All switches, pane by pane.
pub const SWITCHES: &[Switch] = &[
    log(PaneId::Loss, |o| place(o.loss_log), |o, i| o.loss_log = nth(i)),
    Switch {
        pane: PaneId::Landscape,
        name: "view",
        about: "Surface, heat map, or curves along the two axes",
        kind: Kind::Choice {
            words: words::<LandscapeView>,
            get: |o| place(o.landscape_view),
            set: |o, i| o.landscape_view = nth(i),
        },
    },
    Switch {
        pane: PaneId::Landscape,
        name: "metric",
        about: "Height",
        kind: Kind::Choice {
            words: words::<LandscapeMetric>,
            get: |o| place(o.landscape_metric),
            set: |o, i| o.landscape_metric = nth(i),
        },
    },
    log(PaneId::Landscape, |o| place(o.landscape_log), |o, i| o.landscape_log = nth(i)),
    log(PaneId::Sharpness, |o| place(o.sharpness_log), |o, i| o.sharpness_log = nth(i)),
    Switch {
        pane: PaneId::Activations,
        name: "view",
        about: "All layers at the step, or one over time",
        kind: Kind::Choice {
            words: words::<ActivationView>,
            get: |o| place(o.activation_view),
            set: |o, i| o.activation_view = nth(i),
        },
    },
    Switch {
        pane: PaneId::Activations,
        name: "layer",
        about: "Layer over time",
        kind: Kind::Layer { get: |o| o.activation_layer, set: |o, i| o.activation_layer = i },
    },
    Switch {
        pane: PaneId::RankCollapse,
        name: "layer",
        about: "Layer of the matrix",
        kind: Kind::Layer { get: |o| o.similarity_layer, set: |o, i| o.similarity_layer = i },
    },
    Switch {
        pane: PaneId::Gradients,
        name: "view",
        about: "By layer over steps, by role over steps, or by role over depth",
        kind: Kind::Choice {
            words: words::<GradientView>,
            get: |o| place(o.gradient_view),
            set: |o, i| o.gradient_view = nth(i),
        },
    },
    Switch {
        pane: PaneId::Gradients,
        name: "role",
        about: "One role alone",
        kind: Kind::Choice {
            words: words::<Option<ParamRole>>,
            get: |o| place(o.gradient_role),
            set: |o, i| o.gradient_role = nth(i),
        },
    },
    log(PaneId::Gradients, |o| place(o.gradients_log), |o, i| o.gradients_log = nth(i)),
    Switch {
        pane: PaneId::Signal,
        name: "statistic",
        about: "What is shown of each layer",
        kind: Kind::Choice {
            words: words::<SignalStatistic>,
            get: |o| place(o.signal_statistic),
            set: |o, i| o.signal_statistic = nth(i),
        },
    },
    log(PaneId::Signal, |o| place(o.signal_log), |o, i| o.signal_log = nth(i)),
    Switch {
        pane: PaneId::Curvature,
        name: "view",
        about: "Ends of the spectrum, or its trace",
        kind: Kind::Choice {
            words: words::<CurvatureView>,
            get: |o| place(o.curvature_view),
            set: |o, i| o.curvature_view = nth(i),
        },
    },
    Switch {
        pane: PaneId::Attention,
        name: "view",
        about: "Entropies of the layers, of the layer's heads, or over depth",
        kind: Kind::Choice {
            words: words::<EntropyView>,
            get: |o| place(o.entropy_view),
            set: |o, i| o.entropy_view = nth(i),
        },
    },
    Switch {
        pane: PaneId::Attention,
        name: "layer",
        about: "Layer of the attention map, the first being 1",
        kind: Kind::Count { least: 1, get: |o| o.attention_layer + 1, set: |o, i| o.attention_layer = i - 1 },
    },
    Switch {
        pane: PaneId::Attention,
        name: "head",
        about: "Head of the attention map, the first being 1; 0 for the mean of all",
        kind: Kind::Count { least: 0, get: |o| o.attention_head, set: |o, i| o.attention_head = i },
    },
];

/// The names of all switches, each once.
pub fn names() -> Vec<&'static str> {
    let mut names: Vec<&'static str> = Vec::new();
    for switch in SWITCHES {
        if !names.contains(&switch.name) {
            names.push(switch.name);
        }
    }
    names
}

/// The switches of a pane; charts of labs have none.
pub fn of(pane: PaneId) -> impl Iterator<Item = &'static Switch> {
    SWITCHES.iter().filter(move |switch| switch.pane == pane)
}

/// The switches of a pane, those that all share among them, that aren't as they are at first: (name, text).
pub fn changed(pane: PaneId, options: &PaneOptions, recording: &Recording) -> Vec<(&'static str, String)> {
    if matches!(pane, PaneId::Chart(_)) {
        return Vec::new();
    }
    let first = PaneOptions::default();
    let text = |switch: &Switch| (switch.name, switch.text(options, recording));
    let own = of(pane).filter(|switch| switch.at(options) != switch.at(&first)).map(text);
    own.chain(shared_switches::changed(pane, options)).collect()
}

impl Switch {
    fn at(&self, options: &PaneOptions) -> usize {
        match self.kind {
            Kind::Choice { get, .. } | Kind::Layer { get, .. } | Kind::Count { get, .. } => get(options),
        }
    }

    /// The allowed values, in words.
    pub fn allowed(&self, recording: &Recording) -> String {
        match &self.kind {
            Kind::Choice { words, .. } => format!("one of {}", words().join(", ")),
            Kind::Layer { .. } => {
                let layers = &recording.header.layers;
                let names: Vec<_> = layers.iter().map(|layer| format!("{:?}", layer.name)).collect();
                format!("a layer by name ({}) or by number from 1 to {}", names.join(", "), layers.len())
            }
            Kind::Count { least, .. } => format!("a whole number from {least}"),
        }
    }

    /// Sets what was typed.
    ///
    /// # Errors
    /// One sentence that names the switch, the text and the allowed values.
    pub fn set(&self, options: &mut PaneOptions, text: &str, recording: &Recording) -> Result<(), String> {
        let wrong = || format!("{} can't be {text:?}; give {}", self.name, self.allowed(recording));
        let number = || text.parse::<usize>().ok();
        match &self.kind {
            Kind::Choice { words, set, .. } => {
                let place = words().iter().position(|word| word == text).ok_or_else(wrong)?;
                set(options, place);
            }
            Kind::Layer { set, .. } => {
                let layers = &recording.header.layers;
                let by_number = || number().filter(|n| (1..=layers.len()).contains(n)).map(|n| n - 1);
                let place = layers.iter().position(|layer| layer.name == text).or_else(by_number).ok_or_else(wrong)?;
                set(options, place);
            }
            Kind::Count { least, set, .. } => {
                let number = number().filter(|n| n >= least && *n < usize::MAX / 2).ok_or_else(wrong)?;
                set(options, number);
            }
        }
        Ok(())
    }

    /// As [`Self::set`] reads it.
    pub fn text(&self, options: &PaneOptions, recording: &Recording) -> String {
        let at = self.at(options);
        match &self.kind {
            Kind::Choice { words, .. } => words().swap_remove(at),
            Kind::Layer { .. } => {
                let layers = &recording.header.layers;
                let at = at.min(layers.len().saturating_sub(1));
                layers.get(at).map_or_else(|| (at + 1).to_string(), |layer| layer.name.clone())
            }
            Kind::Count { .. } => at.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plots::pane::PANES;
    use crate::record::example;

    /// What a switch may be set to, in a recording.
    fn values(switch: &Switch, recording: &Recording) -> Vec<String> {
        match &switch.kind {
            Kind::Choice { words, .. } => words(),
            Kind::Layer { .. } => recording.header.layers.iter().map(|layer| layer.name.clone()).collect(),
            Kind::Count { least, .. } => (*least..4).map(|n| n.to_string()).collect(),
        }
    }

    #[test]
    fn every_value_is_written_as_it_is_read() {
        let recording = example::recording(40);
        for switch in SWITCHES {
            let mut texts = std::collections::BTreeSet::new();
            for text in values(switch, &recording) {
                let mut options = PaneOptions::default();
                switch.set(&mut options, &text, &recording).unwrap();
                assert_eq!(switch.text(&options, &recording), text);
                assert!(texts.insert(text), "{} of {:?} has a word twice", switch.name, switch.pane);
            }
            let message = switch.set(&mut PaneOptions::default(), "nonsense", &recording).unwrap_err();
            assert!(message.contains(switch.name) && message.contains("nonsense"), "{message}");
        }
    }

    /// Setting the changed switches of every pane gives the same options: a command line misses nothing.
    #[test]
    fn every_option_is_reached_by_a_switch() {
        let recording = example::recording(40);
        let mut all = PaneOptions::default();
        for switch in SWITCHES {
            let texts = values(switch, &recording);
            let first = switch.text(&all, &recording);
            let other = texts.iter().rev().find(|text| **text != first).unwrap();
            switch.set(&mut all, other, &recording).unwrap();
        }
        let mut again = PaneOptions::default();
        for pane in PANES {
            for (name, text) in changed(pane.id, &all, &recording) {
                let switch = of(pane.id).find(|switch| switch.name == name).unwrap();
                switch.set(&mut again, &text, &recording).unwrap();
            }
        }
        assert_eq!(all, again);
        let fields = |options: &PaneOptions| {
            let mut options = options.clone();
            // TOML has neither none nor the largest number.
            options.similarity_layer = options.similarity_layer.min(1_000);
            toml::Table::try_from(options).unwrap()
        };
        let (first, changed) = (fields(&PaneOptions::default()), fields(&all));
        // What all panes share has a test of its own.
        for (field, value) in
            changed.iter().filter(|(field, _)| !["window", "smoothing", "comparing"].contains(&field.as_str()))
        {
            assert_ne!(first.get(field), Some(value), "no switch turns {field}: add one, or the command line can't");
        }
    }
}
