use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::app::arrangement::{PaneLayout, Part, Place};
use crate::app::views::Orbit;
use crate::plots::{ActivationView, LandscapeMetric, LandscapeView, PaneOptions, SignalStatistic};
use crate::record::{ParamRole, SliceMetric};
use crate::run::course::{Beside, Branch, Leg, Turn};
use crate::run::knobs::{Knob, KnobKind};

fn playground(spec: RunSpec) -> SharedState {
    let experiment = Experiment::Playground(Box::new(spec));
    SharedState { experiment, course: Course::default(), view: Some(View::default()) }
}

/// A value in a knob's range, from one number in [0, 1).
fn value(knob: &Knob, at: f64) -> KnobValue {
    match knob.kind {
        KnobKind::Float { min, max, .. } => KnobValue::Float((min + at * (max - min)).clamp(min, max)),
        KnobKind::Int { min, max, .. } => KnobValue::Int(min + (at * (max - min).min(1_000) as f64) as u64),
        KnobKind::Choice(options) => KnobValue::Choice(options[(at * options.len() as f64) as usize].0.into()),
        KnobKind::Toggle => KnobValue::Toggle(at < 0.5),
        KnobKind::Path => KnobValue::Path(if at < 0.5 { String::new() } else { format!("data/é {at:.2}.csv") }),
        KnobKind::Numbers { min, max, whole, most } => {
            let top = (max - min).min(100.0);
            let values = (0..most.min(3)).map(|i| min + (at + i as f64) / 3.0 * top);
            let mut values: Vec<_> = values.map(|v| if whole { v.round() } else { v }).collect();
            values.dedup();
            KnobValue::Numbers(values)
        }
    }
}

/// Turns knobs one after the other, and back where the rules between knobs forbid it.
fn turned(turns: &[(usize, f64)]) -> RunSpec {
    let all: Vec<_> = knobs::all().collect();
    let mut spec = RunSpec::default();
    for (index, at) in turns {
        let knob = all[index % all.len()];
        let before = spec.clone();
        if knob.set(&mut spec, &value(knob, *at)).is_err() || knobs::validate(&spec).is_err() {
            spec = before;
        }
    }
    spec
}

fn lab_turned(which: usize, seed: u64, turns: &[(usize, f64)]) -> Experiment {
    let lab = labs::LABS[which % labs::LABS.len()];
    let mut values = Values::preset(lab.knobs(), Preset::ALL[which % 3]);
    values.seed = seed;
    for (index, at) in turns {
        let entry = &lab.knobs()[index % lab.knobs().len()];
        let before = values.clone();
        // As typed: what is written must be what is read.
        let text = value(&entry.knob, *at).to_string();
        if values.set_text(entry.knob.id, &text).is_err() || lab.check(&values).is_err() {
            values = before;
        }
    }
    Experiment::Lab { lab, values }
}

fn turns() -> impl Strategy<Value = Vec<(usize, f64)>> {
    proptest::collection::vec((any::<usize>(), 0.0..1.0f64), 0..12)
}

fn experiments() -> impl Strategy<Value = Experiment> {
    prop_oneof![
        turns().prop_map(|turns| Experiment::Playground(Box::new(turned(&turns)))),
        (any::<usize>(), 0..1_000u64, turns()).prop_map(|(which, seed, turns)| lab_turned(which, seed, &turns)),
    ]
}

/// What may be done to a run, from a few numbers; nothing where the rules between knobs forbid it.
fn courses(spec: &RunSpec, steps: &[(usize, u64, f64)], which: u8) -> Course {
    let live: Vec<_> = knobs::all().filter(|knob| knob.is_live()).collect();
    let mut at = 0;
    let turns = steps.iter().map(|(index, step, share)| {
        at += step;
        let knob = live[index % live.len()];
        Turn { step: at, knob: knob.id.into(), to: value(knob, *share).to_string() }
    });
    let turns: Vec<_> = turns.collect();
    let mut course = Course { first: Leg { turns: turns.clone(), until: None }, ..Course::default() };
    let leg = |turns: &[Turn], until| Leg { turns: turns.to_vec(), until };
    match which % 4 {
        0 => {}
        1 => {
            let spec = Box::new(RunSpec { batch_size: spec.batch_size / 2 + 1, ..spec.clone() });
            course.beside = Some(Beside { spec, turns: if which < 128 { turns } else { Vec::new() } });
        }
        _ => {
            course.first.until = (which < 128).then_some(at + 7);
            course.branches = vec![
                Branch { from: 0, step: at / 2, leg: leg(&[], Some(at + 9)) },
                Branch { from: usize::from(which % 2), step: 0, leg: leg(&turns, None) },
            ];
        }
    }
    if course.check(spec).is_ok() { course } else { Course::default() }
}

fn options() -> impl Strategy<Value = PaneOptions> {
    (any::<[bool; 4]>(), 0..9usize, 0..9usize).prop_map(|(on, layer, pick)| PaneOptions {
        loss_log: on[0],
        landscape_view: if on[1] { LandscapeView::Profile } else { LandscapeView::Surface },
        landscape_metric: if on[2] {
            LandscapeMetric::Measured(SliceMetric::ALL[pick % SliceMetric::ALL.len()])
        } else {
            LandscapeMetric::Error
        },
        similarity_layer: if on[3] { usize::MAX } else { layer },
        activation_view: if on[0] { ActivationView::Waterfall } else { ActivationView::Ridges },
        gradient_role: on[1].then(|| ParamRole::ALL[pick % ParamRole::ALL.len()]),
        signal_statistic: SignalStatistic::FAMILIES[pick % 5].1[0],
        attention_head: layer,
        signal_log: on[2],
        ..PaneOptions::default()
    })
}

/// An arrangement of all of these panes, some put away.
fn arranged(panes: &[String], shape: &[(u8, u32)]) -> Option<PaneLayout> {
    let mut left: Vec<_> = panes.iter().map(|name| Place::Pane(name.clone())).collect();
    let hidden = if left.len() > 3 && shape.len().is_multiple_of(2) { vec![panes[2].clone()] } else { Vec::new() };
    left.retain(|place| !place.panes().iter().any(|name| hidden.iter().any(|hidden| hidden == name)));
    for (kind, share) in shape {
        if left.len() < 2 {
            break;
        }
        let (second, first) = (left.pop()?, left.pop()?);
        left.insert(
            0,
            match kind % 3 {
                0 => Place::Stack { places: vec![first, second], on_top: usize::from(kind % 2) },
                k => {
                    let parts = vec![Part { place: first, share: *share }, Part { place: second, share: 1_000 }];
                    if k == 1 { Place::Row(parts) } else { Place::Column(parts) }
                }
            },
        );
    }
    let root = match left.len() {
        1 => left.pop()?,
        _ => Place::Row(left.into_iter().map(|place| Part { place, share: 1_000 }).collect()),
    };
    Some(PaneLayout { root, hidden })
}

fn states() -> impl Strategy<Value = SharedState> {
    let shape = proptest::option::of(proptest::collection::vec((any::<u8>(), 1u32..4_000), 0..8));
    let angles = (-3.1..3.1f32, 0.1..1.4f32, 0.5..5.0f32);
    let flags = any::<[bool; 6]>();
    let done = (proptest::collection::vec((any::<usize>(), 0..90u64, 0.0..1.0f64), 0..5), any::<u8>());
    (experiments(), options(), shape, angles, flags, 0..1_000_000u64, done).prop_map(
        |(experiment, options, shape, angles, on, number, (steps, which))| {
            let course = match &experiment {
                Experiment::Playground(spec) => courses(spec, &steps, which),
                Experiment::Lab { .. } => Course::default(),
            };
            let panes = experiment.panes();
            let round = |x: f32| ((f64::from(x) * 1_000.0).round() / 1_000.0) as f32;
            let orbit = Orbit { yaw: round(angles.0), pitch: round(angles.1), zoom: round(angles.2) };
            let knob = match &experiment {
                Experiment::Playground(_) => "lr",
                Experiment::Lab { lab, .. } => lab.knobs()[0].knob.id,
            };
            let view = View {
                layout: shape.and_then(|shape| arranged(&panes, &shape)),
                maximised: on[0].then(|| panes[0].clone()),
                options,
                cameras: if on[1] {
                    BTreeMap::from([(panes[1 % panes.len()].clone(), orbit)])
                } else {
                    BTreeMap::new()
                },
                cursor: on[2].then_some(number),
                light: on[3],
                presenter: on[4],
                knobs_folded: on[5],
                lesson_folded: on[0],
                lesson_step: number as usize % 5,
                hidden_knobs: if on[1] { BTreeSet::from([knob.to_owned()]) } else { BTreeSet::new() },
                speed_limit: on[2].then_some(0.5 + number as f64 / 3.0),
                paused: on[3],
            };
            SharedState { experiment, course, view: (!on.iter().all(|on| *on)).then_some(view) }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_state_sent_by_link_arrives_equal(state in states()) {
        let text = state.to_toml().unwrap();
        let (again, remarks) = SharedState::read(&text).unwrap();
        prop_assert_eq!(&again, &state, "{}", text);
        prop_assert!(remarks.is_empty(), "{:?}", remarks);
        prop_assert_eq!(again.to_toml().unwrap(), text, "the text is canonical");
        prop_assert_eq!(SharedState::read(&state.to_link().unwrap()).unwrap().0, state);
    }

    #[test]
    fn a_mutated_link_or_text_is_refused_in_one_line_or_read(state in states(), at in any::<prop::sample::Index>(), byte in 32u8..127) {
        let mutated = |text: &str| {
            let mut bytes = text.as_bytes().to_vec();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            String::from_utf8_lossy(&bytes).into_owned()
        };
        let link = state.to_link().unwrap();
        for text in [mutated(&link), mutated(&state.to_toml().unwrap()), link[..at.index(link.len())].to_owned()] {
            match SharedState::read(&text) {
                Err(error) => {
                    let error = error.to_string();
                    prop_assert!(!error.contains('\n') && error.len() > 20, "{}", error);
                }
                // What is read can be sent on.
                Ok((state, _)) => prop_assert!(SharedState::read(&state.to_link().unwrap()).is_ok()),
            }
        }
    }
}

#[test]
fn a_default_state_is_a_short_link() {
    let state = playground(RunSpec::default());
    let text = state.to_toml().unwrap();
    assert_eq!(text.lines().filter(|line| !line.is_empty()).count(), 4, "{text}");
    let bare = SharedState { view: None, ..state.clone() };
    assert!(
        !bare.to_toml().unwrap().contains("view") && SharedState::read(&bare.to_link().unwrap()).unwrap().0 == bare
    );
    assert!(state.to_link().unwrap().len() < 140, "{}", state.to_link().unwrap());
}

#[test]
fn only_what_differs_is_written() {
    let mut state = playground(RunSpec { batch_size: 16, ..RunSpec::default() });
    let options = PaneOptions { loss_log: true, ..PaneOptions::default() };
    state.view = Some(View { options, ..View::default() });
    let text = state.to_toml().unwrap();
    assert!(text.contains("batch_size = 16") && text.contains("loss_log = true"), "{text}");
    assert!(!text.contains("steps") && !text.contains("landscape"), "{text}");
}

#[test]
fn what_is_wrong_is_named() {
    for (text, words) in [
        ("", &["landscope = 1"][..]),
        ("landscope = 1", &["experiment"]),
        ("landscope = 2\nexperiment = 'x'", &["format 2", "newer"]),
        ("landscope = 1\nexperiment = 'cooking'", &["cooking", "playground", "rank-collapse"]),
        ("landscope = 1\nexperiment = 'playground'\nsede = 1", &["sede"]),
        ("landscope = 1\nexperiment = 'playground'\n[spec]\nsede = 1", &["sede"]),
        ("landscope = 1\nexperiment = 'playground'\n[spec.optimizer]\nmomentum = 3.0", &["momentum", "3", "0.999"]),
        ("landscope = 1\nexperiment = 'playground'\n[knobs]\nlr = '1'", &["[spec]"]),
        ("landscope = 1\nexperiment = 'rank-collapse'\n[knobs]\nlayers = '0'", &["layers", "from"]),
        ("landscope = 1\nexperiment = 'rank-collapse'\n[spec]\nseed = 1", &["[knobs]"]),
        ("landscope = 1\nexperiment = 'playground'\n[view]\npanes = '(a | '", &["view.panes", "character"]),
        ("landscope = 1\nexperiment = 'playground'\n[view]\nspeed-limit = -1.0", &["speed-limit", "-1"]),
        ("landscope = 1\nexperiment = 'playground'\n[view.options]\nloss_logg = true", &["loss_logg"]),
        ("landscope = 1\nexperiment = 'playground'\n[view.cameras]\nlandscape = [9.0, 0.0, 1.0]", &["landscape", "9"]),
        ("landscope = ", &["line 1"]),
        ("landscope = 1\nexperiment = 'playground'\nturns = [[3, 'width', '8']]", &["width", "while a run goes on"]),
        ("landscope = 1\nexperiment = 'playground'\nturns = [[3, 'lr', 'x']]", &["lr", "x"]),
        ("landscope = 1\nexperiment = 'playground'\nturns = [[3, 'lr']]", &["turns", "[300, \"lr\", \"0.1\"]"]),
        ("landscope = 1\nexperiment = 'playground'\n[[branches]]\nfrom = 2\nstep = 3", &["branch 1", "2"]),
        ("landscope = 1\nexperiment = 'playground'\n[beside.spec]\nsede = 3", &["beside.spec", "sede"]),
        ("landscope = 1\nexperiment = 'rank-collapse'\nturns = [[3, 'lr', '0.1']]", &["turns", "Playground"]),
    ] {
        let error = SharedState::read(text).unwrap_err().to_string();
        assert!(words.iter().all(|word| error.contains(word)) && !error.contains('\n'), "{text}: {error}");
    }
}

#[test]
fn strangers_and_other_defaults_are_remarked_and_files_are_listed() {
    let text = "landscope = 1\nexperiment = 'playground'\ndefaults = '00000000'\n[spec]\ninit_weights = 'w.safetensors'\n\
                [spec.task]\nkind = 'csv'\npath = '/data/x.csv'\n[spec.model]\nkind = 'mlp'\n\
                [view]\npanes = '(loss | oracle)'\nhidden-knobs = ['lr', 'charm']";
    let (state, remarks) = SharedState::read(text).unwrap();
    assert_eq!(remarks.len(), 2);
    assert!(remarks[0].contains("defaults") && remarks[1].contains("charm, oracle"), "{remarks:?}");
    assert_eq!(state.experiment.paths(), [PathBuf::from("/data/x.csv"), PathBuf::from("w.safetensors")]);
    let view = state.view.unwrap();
    assert_eq!(view.hidden_knobs, BTreeSet::from(["lr".to_owned()]));
    let layout = view.layout.unwrap();
    assert!(layout.root.panes().len() == PANES.len() && layout.root.panes()[0] == "loss");
}

/// Found by the long run of `fuzz`.
#[test]
fn values_without_end_are_named_in_short_and_cameras_arrive_as_they_are_sent() {
    for text in [
        format!("landscope = 1\nexperiment = '{}'", "9".repeat(50_000)),
        format!("landscope = 1\nexperiment = 'playground'\n[spec]\n{} = 1", "a".repeat(50_000)),
        format!("landscope = 1\nexperiment = 'rank-collapse'\n[knobs]\nlayers = '{}'", "1, ".repeat(50_000)),
    ] {
        let error = SharedState::read(&text).unwrap_err().to_string();
        assert!(error.len() < 1_000 && error.contains('…') && error.starts_with("the state can't"), "{error}");
    }
    let text = "landscope = 1\nexperiment = 'playground'\n[view.options]\nsimilarity_layer = 2000000000\n\
                [view.cameras]\nlandscape = [0.12345, 1.0, 1.1844]\n";
    let (state, _) = SharedState::read(text).unwrap();
    assert_eq!(SharedState::read(&state.to_link().unwrap()).unwrap().0, state);
}

#[test]
fn a_branch_and_a_twin_are_written_as_a_user_would_write_them() {
    let text = "landscope = 1\nexperiment = 'playground'\nuntil = 700\nturns = [[120, 'momentum', 0.85]]\n\
                [[branches]]\nstep = 300\nturns = [[300, 'lr', '0.1']]\n[[branches]]\nfrom = 1\nstep = 350\nuntil = 400";
    let (state, remarks) = SharedState::read(text).unwrap();
    assert!(remarks.is_empty());
    let turn = |step, knob: &str, to: &str| Turn { step, knob: knob.into(), to: to.into() };
    let first = Leg { turns: vec![turn(120, "momentum", "0.85")], until: Some(700) };
    let branch = |from, step, turns| Branch { from, step, leg: Leg { turns, until: None } };
    let branches = vec![branch(0, 300, vec![turn(300, "lr", "0.1")]), branch(1, 350, vec![])];
    assert_eq!(state.course, Course { first, beside: None, branches }, "the last leg goes on");
    let canonical = state.to_toml().unwrap();
    assert!(canonical.contains("[[branches]]\nstep = 300\n") && canonical.contains("\"0.85\""), "{canonical}");

    let text = "landscope = 1\nexperiment = 'playground'\nturns = [[5, 'momentum', '0.5']]\n[spec]\nseed = 3\n\
                [beside.spec.optimizer]\nlr = 0.04\n[beside.spec.task]\nkind = 'csv'\npath = 'b.csv'\n[beside.spec.model]\nkind = 'mlp'";
    let (state, _) = SharedState::read(text).unwrap();
    let beside = state.course.beside.clone().unwrap();
    assert_eq!((beside.spec.seed, beside.spec.optimizer.lr, &beside.turns), (3, 0.04, &state.course.first.turns));
    assert_eq!(state.paths(), [PathBuf::from("b.csv")], "files of the second run are asked for, too");
    assert!(!state.to_toml().unwrap().contains("seed = 3\n\n[beside.spec]\nseed"), "only what differs from the first");
}
