//! The lab of the shaped transformer, run as a whole in a small size.

use std::time::Duration;

use landscope::labs::{self, Experiment, Lab};
use landscope::record::{Recording, Track};
use landscope::run::bench::{Preset, Values};
use landscope::run::messages::{Command, Event};
use landscope::run::session::{Session, SessionOptions};
use landscope::run::worker::WorkerOptions;

fn lab() -> &'static dyn Lab {
    labs::find("shaped-transformer").unwrap()
}

fn values(set: &[(&str, &str)]) -> Values {
    let mut values = Values::preset(lab().knobs(), Preset::Instant);
    let small = [("width", "16"), ("paths", "256"), ("chains", "64"), ("networks", "8")];
    small.iter().chain(set).for_each(|(id, text)| values.set_text(id, text).unwrap());
    values
}

/// Runs the lab to its end; `turn` answers each event with a command, if it has one.
fn recorded(values: Values, mut turn: impl FnMut(&Event) -> Option<Command>) -> Recording {
    let worker = WorkerOptions { play: true, finest_slice: 0 };
    let options = SessionOptions { worker, ..SessionOptions::default() };
    let session = Session::start_lab(Box::new(Experiment(lab())), values, options).unwrap();
    let mut recording = Recording::default();
    loop {
        let event = session.events().recv_timeout(Duration::from_secs(60)).expect("something happens");
        match &event {
            Event::LabStarted { header, .. } => recording = Recording::new((**header).clone()),
            Event::Track(info) => recording.begin_track(info),
            Event::Snapshot(snapshot) => recording.push(snapshot).unwrap(),
            Event::Failed(message) => panic!("{message}"),
            Event::AtRest { .. } => return recording,
            _ => {}
        }
        if let Some(command) = turn(&event) {
            session.commands().send(command).unwrap();
        }
    }
}

fn track<'a>(recording: &'a Recording, witness: &str) -> &'a Track {
    let is = |track: &&Track| track.attributes.get("witness").is_some_and(|w| w == witness);
    recording.tracks().map(|(_, track)| track).find(is).unwrap_or_else(|| panic!("no {witness}"))
}

fn quantiles(recording: &Recording, witness: &str) -> Vec<Vec<f32>> {
    let rows = track(recording, witness).vector("correlation quantiles").unwrap();
    (0..rows.len()).map(|i| rows.row(i).to_vec()).collect()
}

#[test]
fn every_witness_is_told_at_every_layer_and_the_same_again() {
    let recording = recorded(values(&[]), |_| None);
    let again = recorded(values(&[]), |_| None);
    let all = ["equation", "chain", "networks", "unshaped", "unshaped-networks", "not-centred", "cold", "rectifier"];
    for witness in all {
        let rows = quantiles(&recording, witness);
        // T n = 12 layers, and the input.
        assert_eq!(rows.len(), 13, "{witness}");
        assert_eq!(rows[0], [0.2; 5], "{witness}");
        assert!(rows.iter().all(|row| row.is_sorted()), "{witness}");
        assert_eq!(rows, quantiles(&again, witness), "{witness}");
    }
    assert_ne!(quantiles(&recording, "equation"), quantiles(&recorded(seeded(1), |_| None), "equation"));
    // Refined in stages, the last word is that of all paths.
    let distance = track(&recording, "chain").scalar("distance bound").unwrap().latest_at(u64::MAX).unwrap().1;
    assert!((distance - 1.949 * (1.0 / 256.0 + 1.0 / 64.0_f64).sqrt()).abs() < 1e-9, "{distance}");
    assert!(lab().claims().iter().all(|claim| (claim.check)(&recording).word() != "not yet"));
    assert!(!lab().summary(&recording).is_empty());
}

fn seeded(seed: u64) -> Values {
    let mut values = values(&[]);
    values.seed = seed;
    values
}

#[test]
fn what_a_block_lacks_is_left_out_and_other_blocks_run() {
    let witnesses = |recording: &Recording| -> Vec<String> {
        recording.tracks().filter_map(|(_, track)| track.attributes.get("witness").cloned()).collect()
    };
    let of_attention = witnesses(&recorded(values(&[("block", "attention"), ("tokens", "3")]), |_| None));
    assert!(!of_attention.contains(&"rectifier".into()) && of_attention.contains(&"cold".into()));
    let of_mlp = witnesses(&recorded(values(&[("block", "mlp"), ("correlation", "-0.5")]), |_| None));
    assert!(!of_mlp.contains(&"cold".into()) && of_mlp.contains(&"correlation".into()));
}

/// A knob that is turned while it runs begins it anew, whatever it was at.
#[test]
fn turned_knobs_begin_anew() {
    let other = values(&[("gamma", "0.6"), ("centre", "false")]);
    let alone = recorded(other.clone(), |_| None);
    let mut begun = 0;
    let turned = recorded(values(&[]), |event| {
        begun += usize::from(matches!(event, Event::Snapshot(_)));
        (begun == 40).then(|| {
            begun += 1;
            Command::RestartLab(Box::new(other.clone()))
        })
    });
    for witness in ["equation", "chain", "networks"] {
        assert_eq!(quantiles(&turned, witness), quantiles(&alone, witness), "{witness}");
    }
    let check = |id: &str| (lab().claims().iter().find(|claim| claim.id == id).unwrap().check)(&turned);
    assert_eq!(check("equation-describes-networks").word(), "not yet", "centring is off");
}
