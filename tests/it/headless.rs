//! The program without a display, as a user runs it.

use std::time::{Duration, Instant};

use landscope::record::{file, names};

use super::program::{json_lines, landscope, output, stderr, stdout};

const QUICK: [&str; 12] = [
    "--width",
    "8",
    "--depth",
    "2",
    "--heads",
    "2",
    "--patch",
    "4",
    "--landscape-examples",
    "16",
    "--sharpness-examples",
    "16",
];

fn quick<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    arguments.iter().copied().chain(QUICK).collect()
}

#[test]
fn a_run_writes_recording_specification_and_a_figure_of_every_pane() {
    let home = tempfile::tempdir().unwrap();
    let result = output(home.path(), &quick(&["run", "--steps", "30", "--out", "here", "--json"]));
    assert!(result.status.success(), "{}", stderr(&result));
    let lines = json_lines(&result);
    let last = lines.last().unwrap();
    for key in
        ["outcome", "test_accuracy", "param_hash", "steps_per_sec", "step", "train_loss", "test_loss", "sharpness"]
    {
        assert!(last.get(key).is_some_and(|value| !value.is_null()), "{key} in {last}");
    }
    assert_eq!(last["outcome"], "finished");
    assert!(lines.len() >= 2 && lines[0]["step"] == 0);
    let folder = home.path().join("here");
    for pane in landscope::plots::pane::PANES {
        for extension in ["svg", "png", "csv"] {
            let found = std::fs::read_dir(&folder).unwrap().any(|entry| {
                let name = entry.unwrap().file_name().into_string().unwrap();
                name.contains(pane.slug) && name.ends_with(extension)
            });
            assert!(found, "{}.{extension}", pane.slug);
        }
    }
    assert!(std::fs::metadata(folder.join("weights.safetensors")).unwrap().len() > 1_000);
    let recording = file::read(&folder.join("recording.landscope")).unwrap();
    assert_eq!(recording.newest_step(), 30);
    assert!(recording.heavy(&names::LANDSCAPE).is_some() && recording.scalar(&names::SHARPNESS).is_some());
    assert_eq!(recording.fingerprints.last().unwrap().hash, last["param_hash"].as_str().unwrap());

    // The specification it wrote gives the same run, and the recording opens again.
    let again = output(home.path(), &["run", "--config", "here/spec.toml", "--out", "again", "--json"]);
    assert!(again.status.success(), "{}", stderr(&again));
    assert_eq!(json_lines(&again).last().unwrap()["param_hash"], last["param_hash"]);
    let viewed = output(home.path(), &["view", "here/recording.landscope", "--out", "figures"]);
    assert!(viewed.status.success() && home.path().join("figures").read_dir().unwrap().count() > 12);
}

#[test]
fn without_a_display_the_playground_says_so_and_runs() {
    let home = tempfile::tempdir().unwrap();
    let result = output(home.path(), &quick(&["--steps", "10"]));
    assert!(result.status.success(), "{}", stderr(&result));
    let said = stderr(&result);
    assert_eq!(said.lines().filter(|line| line.contains("No display")).count(), 1, "{said}");
    assert!(stdout(&result).contains("landscope-runs"), "{}", stdout(&result));
}

#[test]
fn divergence_is_a_result() {
    let home = tempfile::tempdir().unwrap();
    let arguments = quick(&[
        "run",
        "--steps",
        "2000",
        "--model",
        "mlp",
        "--optimizer",
        "sgd",
        "--lr",
        "100",
        "--json",
        "--out",
        "o",
    ]);
    let result = output(home.path(), &arguments);
    assert!(result.status.success(), "{}", stderr(&result));
    let outcome = json_lines(&result).last().unwrap()["outcome"].as_str().unwrap().to_owned();
    assert!(outcome.starts_with("Diverged at step"), "{outcome}");
}

#[test]
fn a_killed_run_leaves_a_recording_that_opens() {
    let home = tempfile::tempdir().unwrap();
    let arguments = quick(&["run", "--steps", "100000000", "--out", "killed", "--json"]);
    let mut child = landscope(home.path()).args(arguments).stdout(std::process::Stdio::null()).spawn().unwrap();
    let path = home.path().join("killed/recording.landscope");
    let started = Instant::now();
    while file::read(&path).map_or(0, |recording| recording.newest_step()) < 5 {
        assert!(started.elapsed() < Duration::from_secs(60), "nothing reaches the file");
        std::thread::sleep(Duration::from_millis(100));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let recording = file::read(&path).unwrap();
    assert!(recording.newest_step() >= 5 && recording.outcome.is_none());
}

#[test]
fn list_and_doctor_tell_what_there_is() {
    let home = tempfile::tempdir().unwrap();
    let listed = stdout(&output(home.path(), &["list"]));
    for word in ["digits", "vision-transformer", "--lr", "landscape"] {
        assert!(listed.contains(word), "{word}");
    }
    let doctor = output(home.path(), &["doctor"]);
    assert!(doctor.status.success(), "{}", stderr(&doctor));
    assert!(stdout(&doctor).contains("Hessian"), "{}", stdout(&doctor));
}

#[test]
fn weights_written_by_init_begin_the_run_that_the_seed_begins() {
    let home = tempfile::tempdir().unwrap();
    let spec = landscope::run::spec::RunSpec::default();
    let model = format!(
        "{}[input]\nshape = [8, 8, 1]\n[output]\nclasses = 10\n",
        toml::to_string(&std::collections::BTreeMap::from([("model", &spec.model)])).unwrap()
    );
    std::fs::write(home.path().join("m.toml"), model).unwrap();
    let written = output(home.path(), &["init", "--model", "m.toml", "--seed", "3", "--out", "w"]);
    assert!(written.status.success(), "{}", stderr(&written));
    let hash = |flags: &[&str]| {
        let arguments = [&["run", "--steps", "3", "--probe-budget", "0", "--json", "--seed", "3"], flags].concat();
        let result = output(home.path(), &arguments);
        assert!(result.status.success(), "{}", stderr(&result));
        json_lines(&result).last().unwrap()["param_hash"].clone()
    };
    assert_eq!(hash(&["--out", "a", "--init-weights", "w"]), hash(&["--out", "b"]));
}
