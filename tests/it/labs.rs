//! Labs from outside: lessons that lead where they say, claims that hold, pages that say what the code says.

use std::path::Path;
use std::sync::Mutex;

use landscope::labs::lesson::{Lesson, LessonAction};
use landscope::labs::{Check, Experiment, LABS, Lab, page};
use landscope::record::{Outcome, Recording, TimeCursor};
use landscope::run::bench::{Preset, Values};
use landscope::run::messages::Event;
use landscope::run::session::{Session, SessionOptions};

/// Set where there is time for the statistical checks: `.ci/run` sets it.
fn slow() -> bool {
    std::env::var_os("LANDSCOPE_SLOW_TESTS").is_some_and(|value| value == "1")
}

/// Labs use all cores: one at a time.
static TURN: Mutex<()> = Mutex::new(());

fn run(lab: &'static dyn Lab, values: Values) -> Recording {
    let session = Session::start_lab(Box::new(Experiment(lab)), values, SessionOptions::default()).unwrap();
    let mut recording = Recording::default();
    for event in session.events() {
        match event {
            Event::LabStarted { header, .. } => recording = Recording::new((*header).clone()),
            Event::Track(info) => recording.begin_track(&info),
            Event::Snapshot(snapshot) => recording.push(&snapshot).unwrap(),
            Event::Failed(message) => panic!("{}: {message}", lab.id()),
            Event::Ended { outcome, .. } => recording.outcome = Some(outcome),
            Event::AtRest { .. } => break,
            _ => {}
        }
    }
    assert_eq!(recording.outcome, Some(Outcome::Finished), "{}", lab.id());
    recording
}

#[test]
fn every_lab_runs_shows_something_and_judges_its_claims() {
    let _turn = TURN.lock();
    for lab in LABS {
        let recording = run(*lab, Values::preset(lab.knobs(), Preset::Instant));
        for chart in &recording.header.charts {
            let plots = landscope::plots::charts::plots(chart, &recording, TimeCursor::Following, Default::default());
            assert_eq!(plots.len(), chart.panels.len());
            for plot in plots {
                assert!(!plot.to_csv().is_empty());
                landscope::figures::svg(&[plot], (700, 500)).unwrap();
            }
        }
        for claim in lab.claims() {
            let check = (claim.check)(&recording);
            assert!(!check.to_string().is_empty(), "{}: {} says nothing", lab.id(), claim.id);
        }
        assert!(!lab.summary(&recording).is_empty(), "{}: nothing for a sweep to compare", lab.id());
    }
}

#[test]
fn a_recording_without_readings_is_judged_not_yet() {
    for lab in LABS {
        for claim in lab.claims() {
            let check = (claim.check)(&Recording::default());
            assert!(matches!(check, Check::NotYet(_)), "{}: {} is {}", lab.id(), claim.id, check.word());
        }
    }
}

#[test]
fn claims_hold_at_the_size_they_are_made_for() {
    if !slow() {
        eprintln!("skipped: set LANDSCOPE_SLOW_TESTS=1 to run the labs at preset standard");
        return;
    }
    let _turn = TURN.lock();
    for lab in LABS {
        let recording = run(*lab, Values::preset(lab.knobs(), Preset::Standard));
        for claim in lab.claims().iter().filter(|claim| claim.known_failure.is_empty()) {
            let check = (claim.check)(&recording);
            assert!(matches!(check, Check::Holds(_)), "{}: {} {}: {check}", lab.id(), claim.id, check.word());
        }
    }
}

#[test]
fn every_link_of_every_lesson_leads_somewhere() {
    for lab in LABS {
        let lesson = Lesson::parse(lab.lesson()).unwrap_or_else(|message| panic!("{}: {message}", lab.id()));
        assert!(!lesson.title.is_empty(), "{} has no lesson", lab.id());
        assert!((5..=8).contains(&lesson.steps.len()), "{}: {} steps", lab.id(), lesson.steps.len());
        let mut values = Values::preset(lab.knobs(), Preset::Instant);
        for step in &lesson.steps {
            assert!(!step.question.is_empty() && !step.answer.is_empty(), "{}: {} asks nothing", lab.id(), step.title);
            assert!(step.actions().next().is_some(), "{}: {} has no link", lab.id(), step.title);
            for action in step.actions() {
                match action {
                    LessonAction::Set { knob, text } => values.set_text(knob, text).unwrap(),
                    LessonAction::Preset(preset) => values = Values::preset(lab.knobs(), *preset),
                    LessonAction::Show(Some(id)) => {
                        let charts = lab.charts(&values);
                        assert!(charts.iter().any(|chart| chart.id == *id), "{} has no chart {id}", lab.id());
                    }
                    LessonAction::Show(None) | LessonAction::Go(_) | LessonAction::Play => {}
                }
            }
            lab.check(&values).unwrap();
        }
    }
}

#[test]
fn what_lessons_expect_is_so() {
    let _turn = TURN.lock();
    for lab in LABS {
        let lesson = Lesson::parse(lab.lesson()).unwrap();
        assert!(lesson.steps.iter().any(|step| !step.expects.is_empty()), "{}: nothing is expected", lab.id());
        let mut values = Values::preset(lab.knobs(), Preset::Instant);
        let mut last: Option<(Values, Recording)> = None;
        for step in &lesson.steps {
            for action in step.actions() {
                match action {
                    LessonAction::Set { knob, text } => values.set_text(knob, text).unwrap(),
                    // The larger sizes are the reader's to wait for.
                    LessonAction::Preset(Preset::Instant) => values = Values::preset(lab.knobs(), Preset::Instant),
                    _ => {}
                }
            }
            if step.expects.is_empty() {
                continue;
            }
            if last.as_ref().is_none_or(|(of, _)| *of != values) {
                last = Some((values.clone(), run(*lab, values.clone())));
            }
            let (_, recording) = last.as_ref().unwrap();
            for expect in &step.expects {
                expect.check(recording).unwrap_or_else(|found| panic!("{}, {}: {found}", lab.id(), step.title));
            }
        }
    }
}

#[test]
fn pages_say_what_the_code_says() {
    for lab in LABS {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/labs").join(format!("{}.md", lab.id()));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|_| panic!("{} has no page", lab.id()));
        let renew = format!("renew it with `landscope claims {} --seeds 5 --pages docs/labs`", lab.id());
        assert!(text.contains(&page::about(*lab)), "{}: knobs or paper differ; {renew}", lab.id());
        for claim in lab.claims() {
            let statement = claim.statement.replace('|', "\\|");
            assert!(text.contains(&statement), "{}: {} isn't there; {renew}", lab.id(), claim.id);
        }
    }
}
