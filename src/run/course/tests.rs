use super::*;
use crate::record::{Header, Reading, Snapshot};
use crate::run::lockstep::SPEC;

fn mark(track: u32, step: u64, knob: &str, to: &str) -> Intervention {
    Intervention { track: TrackId(track), step, knob: knob.into(), from: String::new(), to: to.into() }
}

fn turn(step: u64, knob: &str, to: &str) -> Turn {
    Turn { step, knob: knob.into(), to: to.into() }
}

fn trained(recording: &mut Recording, track: u32, steps: std::ops::Range<u64>) {
    for step in steps {
        let readings = vec![(names::TRAIN_LOSS, Reading::Scalar(1.0))];
        recording.push(&Snapshot { track: TrackId(track), step, readings }).unwrap();
    }
}

fn begun() -> Recording {
    Recording::new(Header { spec: RunSpec::default().to_toml(), ..Header::default() })
}

#[test]
fn branches_of_branches_are_read_from_a_recording_with_what_was_turned_on_each() {
    let mut recording = begun();
    trained(&mut recording, 0, 0..50);
    recording.intervene(mark(0, 20, "lr", "0.1"));
    for (id, parent, step) in [(1, 0, 30), (2, 1, 40)] {
        let parent = Some(Fork { track: TrackId(parent), step });
        recording.begin_track(&TrackInfo { id: TrackId(id), parent, ..TrackInfo::default() });
        recording.intervene(mark(id, step, FORK, "step"));
        trained(&mut recording, id, step..step + 25);
    }
    recording.intervene(mark(2, 44, "momentum", "0.5"));
    let (spec, mut course) = Course::of(&recording).unwrap();
    assert_eq!(spec, RunSpec::default());
    assert_eq!(course.first, Leg { turns: vec![turn(20, "lr", "0.1")], until: Some(50) });
    let first = Branch { from: 0, step: 30, leg: Leg { turns: vec![], until: Some(55) } };
    let last = Branch { from: 1, step: 40, leg: Leg { turns: vec![turn(44, "momentum", "0.5")], until: None } };
    assert_eq!(course.branches, [first, last]);
    assert_eq!((course.turns(), course.is_empty()), (2, false));
    let same = course.clone();
    course.check(&spec).unwrap();
    assert_eq!(course, same, "what a recording says is canonical");
}

#[test]
fn twins_are_read_with_both_specifications_and_a_plain_run_has_no_course() {
    let mut recording = begun();
    trained(&mut recording, 0, 0..9);
    assert!(Course::of(&recording).unwrap().1.is_empty());
    let other = RunSpec { batch_size: 7, ..RunSpec::default() };
    let attributes = [(SPEC.to_owned(), other.to_toml())].into();
    recording.begin_track(&TrackInfo { id: TrackId(1), attributes, ..TrackInfo::default() });
    trained(&mut recording, 1, 0..9);
    recording.intervene(mark(0, 4, "lr", "0.1"));
    recording.intervene(mark(1, 5, "lr", "0.1"));
    let (spec, course) = Course::of(&recording).unwrap();
    assert_eq!((spec, &course.first.turns[..]), (RunSpec::default(), &[turn(4, "lr", "0.1")][..]));
    assert_eq!(course.beside, Some(Beside { spec: Box::new(other), turns: vec![turn(5, "lr", "0.1")] }));
}

#[test]
fn values_are_written_as_knobs_write_them_and_what_is_wrong_is_named() {
    let leg = |turns: &[Turn]| Leg { turns: turns.to_vec(), until: None };
    let mut course = Course { first: leg(&[turn(3, "lr", " 1e-1 ")]), ..Course::default() };
    course.check(&RunSpec::default()).unwrap();
    assert_eq!(course.first.turns, [turn(3, "lr", "0.1")]);
    let branch = |from, step, turns: &[Turn]| Branch { from, step, leg: leg(turns) };
    let beside = Some(Beside { spec: Box::default(), turns: vec![] });
    let with = |turns: &[Turn], branches: Vec<Branch>| Course { first: leg(turns), branches, ..Course::default() };
    for (mut course, words) in [
        (with(&[turn(3, "warp", "9")], vec![]), &["warp", "momentum"][..]),
        (with(&[turn(3, "width", "9")], vec![]), &["width", "while a run goes on"]),
        (with(&[turn(3, "lr", "fast")], vec![]), &["lr", "fast"]),
        (with(&[turn(3, "lr", "-1")], vec![]), &["lr", "-1"]),
        (with(&[turn(9, "lr", "0.1"), turn(3, "lr", "0.1")], vec![]), &["step 3", "from 9"]),
        (with(&[], vec![branch(1, 3, &[])]), &["branch 1", "0 to 0"]),
        (with(&[], vec![branch(0, 5, &[turn(3, "lr", "0.1")])]), &["step 3", "from 5"]),
        (Course { beside, ..with(&[], vec![branch(0, 5, &[])]) }, &["beside", "branches"]),
    ] {
        let error = course.check(&RunSpec::default()).unwrap_err();
        assert!(words.iter().all(|word| error.contains(word)) && !error.contains('\n'), "{error}");
    }
}
