//! Links and saved states, as they are and damaged.

use landscope::app::share::{Experiment, SharedState, link};
use landscope::base::rng::Stream;
use landscope::labs::LABS;
use landscope::run::bench::{Preset, Values};
use landscope::run::course::{Beside, Branch, Course, Leg, Turn};
use landscope::run::knobs::{self, Knob, KnobKind, KnobValue};
use landscope::run::spec::RunSpec;
use rand::Rng;

use super::{Case, texts};

/// Views that say something of everything.
const VIEWS: &[&str] = &[
    "",
    "[view]\n",
    "[view]\npaused = true\ncursor = 300\nspeed-limit = 20.0\nhidden-knobs = [\"lr\", \"momentum\", \"seed\"]\n",
    "[view]\npanes = \"((loss | landscape:1.5 | *sharpness + curvature) / (activations | gradients))\"\nhidden-panes = [\"attention\"]\nmaximised = \"landscape\"\ntheme = \"light\"\npresenter = true\nfold-knobs = true\nfold-lesson = true\nlesson-step = 2\n[view.options]\nloss_log = true\n[view.cameras]\nlandscape = [-1.02, 0.52, 1.0]\n",
    "[view]\npanes = \"(loss + *'a b' + gradients | (landscape / activations:0.25):3)\"\ncursor = 0\nlesson-step = 1\n[view.options]\nlandscape_view = \"profile\"\nattention_head = 3\n",
];

fn value(knob: &Knob, random: &mut Stream) -> KnobValue {
    let at: f64 = random.random();
    match knob.kind {
        KnobKind::Float { min, max, .. } => KnobValue::Float((min + at * (max - min)).clamp(min, max)),
        KnobKind::Int { min, max, .. } => KnobValue::Int(min + (at * (max - min).min(1_000) as f64) as u64),
        KnobKind::Choice(options) => KnobValue::Choice(options[random.random_range(0..options.len())].0.into()),
        KnobKind::Toggle => KnobValue::Toggle(at < 0.5),
        KnobKind::Path => KnobValue::Path(if at < 0.5 { String::new() } else { format!("data/é {at:.2}.csv") }),
        KnobKind::Numbers { min, max, .. } => KnobValue::Numbers(vec![min, max]),
    }
}

/// A specification some knobs away from another.
fn turned(mut spec: RunSpec, random: &mut Stream) -> RunSpec {
    let all: Vec<_> = knobs::all().collect();
    for _ in 0..random.random_range(0..6) {
        let before = spec.clone();
        let knob = all[random.random_range(0..all.len())];
        if knob.set(&mut spec, &value(knob, random)).is_err() || knobs::validate(&spec).is_err() {
            spec = before;
        }
    }
    spec
}

/// Knobs turned while a run goes on, a run beside it, branches; without those that its rules forbid.
fn course(spec: &RunSpec, random: &mut Stream) -> Course {
    let live: Vec<_> = knobs::all().filter(|knob| knob.is_live()).collect();
    let turns = |random: &mut Stream, start: u64| {
        let mut step = start;
        let turns = (0..random.random_range(0..3)).map(|_| {
            step += random.random_range(0..50);
            let knob = live[random.random_range(0..live.len())];
            Turn { step, knob: knob.id.into(), to: value(knob, random).to_string() }
        });
        turns.collect::<Vec<_>>()
    };
    let mut course = Course::default();
    course.first.turns = turns(random, 0);
    if random.random_bool(0.3) {
        let turns = if random.random_bool(0.5) { course.first.turns.clone() } else { turns(random, 0) };
        course.beside = Some(Beside { spec: Box::new(turned(spec.clone(), random)), turns });
    } else if random.random_bool(0.7) {
        course.first.until = random.random_bool(0.7).then(|| random.random_range(0..500));
        for index in 0..random.random_range(1..4) {
            let step = random.random_range(0..200);
            let until = random.random_bool(0.5).then(|| step + random.random_range(0..100));
            let leg = Leg { turns: turns(random, step), until };
            course.branches.push(Branch { from: random.random_range(0..=index), step, leg });
        }
    }
    if course.check(spec).is_ok() { course } else { Course::default() }
}

/// A whole text of one kind or another.
fn whole(random: &mut Stream) -> String {
    let mut done = Course::default();
    let experiment = if random.random_bool(0.6) {
        let spec = turned(RunSpec::default(), random);
        if random.random_bool(0.6) {
            done = course(&spec, random);
        }
        Experiment::Playground(Box::new(spec))
    } else {
        let lab = LABS[random.random_range(0..LABS.len())];
        let mut values = Values::preset(lab.knobs(), Preset::ALL[random.random_range(0..Preset::ALL.len())]);
        values.seed = random.random_range(0..3);
        for _ in 0..random.random_range(0..4) {
            let knob = &lab.knobs()[random.random_range(0..lab.knobs().len())].knob;
            let _ = values.set_text(knob.id, &value(knob, random).to_string());
        }
        Experiment::Lab { lab, values }
    };
    let text = SharedState { experiment, course: done, view: None }.to_toml().unwrap();
    text + "\n" + VIEWS[random.random_range(0..VIEWS.len())]
}

pub fn link(case: &mut Case<'_>) {
    let random = &mut case.random;
    let whole = whole(random);
    let text = if random.random_bool(0.85) { texts::damage(&whole, random) } else { whole };
    let text = if random.random_bool(0.6) {
        text
    } else {
        let mut link = link::pack(&text);
        if random.random_bool(0.4) {
            // Letters lost or mistaken on their way.
            for _ in 0..random.random_range(1..4) {
                let at = random.random_range(0..link.len());
                match random.random_range(0..4) {
                    0 => link.truncate(at),
                    1 => link.insert_str(at, [" ", "\n", ">", "=", "A"][random.random_range(0..5)]),
                    _ => drop(link.remove(at)),
                }
                if link.is_empty() {
                    break;
                }
            }
        }
        link
    };
    match SharedState::read(&text) {
        Err(error) => {
            let error = error.to_string();
            assert!(!error.contains('\n') && error.len() > 20 && error.len() < 4_000, "{error}");
        }
        Ok((state, _)) => {
            case.taken();
            // What was read can be sent on, and arrives equal.
            let canonical = state.to_toml().unwrap();
            let (again, remarks) = SharedState::read(&canonical).unwrap();
            assert!(again == state && remarks.is_empty(), "{remarks:?}: {canonical}");
            assert_eq!(again.to_toml().unwrap(), canonical);
            let sent = SharedState::read(&state.to_link().unwrap()).unwrap().0;
            assert!(sent == state, "{canonical}");
            state.paths();
        }
    }
}
