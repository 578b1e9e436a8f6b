//! The examples of `docs/WATCH.md`: what the page shows is what runs, and Landscope's numbers are Python's.
//!
//! `LANDSCOPE_PYTHON` names an interpreter with torch, jax, scikit-learn and safetensors; without it only the page is read.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::program::{output, stderr};

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs")
}

#[test]
fn the_page_shows_the_example_that_runs() {
    let page = fs::read_to_string(docs().join("WATCH.md")).unwrap();
    let example = fs::read_to_string(docs().join("examples/watch_digits.py")).unwrap();
    assert!(page.contains(example.trim_end()), "docs/WATCH.md has docs/examples/watch_digits.py as it is");
    let jax = fs::read_to_string(docs().join("examples/watch_jax.py")).unwrap();
    let from = jax.find("update = ").unwrap();
    assert!(page.contains(jax[from..].trim_end()), "docs/WATCH.md has the loop of docs/examples/watch_jax.py as it is");
}

fn python(interpreter: &str, script: &str, arguments: &[&Path]) -> String {
    let result = Command::new(interpreter)
        .arg(docs().join("examples").join(script))
        .args(arguments)
        .env("OMP_NUM_THREADS", "1")
        .output()
        .expect("LANDSCOPE_PYTHON starts");
    assert!(result.status.success(), "{script}: {}", String::from_utf8_lossy(&result.stderr));
    String::from_utf8_lossy(&result.stdout).into_owned()
}

#[test]
fn losses_gradients_and_sharpness_are_those_of_python_in_double_precision() {
    let Ok(interpreter) = std::env::var("LANDSCOPE_PYTHON") else {
        eprintln!("SKIP: LANDSCOPE_PYTHON doesn't name an interpreter with torch, jax, scikit-learn and safetensors");
        return;
    };
    for script in ["watch_digits.py", "watch_jax.py"] {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("run");
        python(&interpreter, script, &[&folder]);
        let recording = home.path().join("r.landscope");
        let arguments = ["--once", "--probe", "sharpness", "--sharpness-examples", "1437", "--out"];
        let place = [folder.to_str().unwrap(), recording.to_str().unwrap()];
        let result = output(home.path(), &[&["watch", place[0]], &arguments[..], &[place[1]]].concat());
        assert!(result.status.success(), "{}", stderr(&result));
        let told = python(&interpreter, "watch_check.py", &[&folder, &recording]);
        let last: serde_json::Value = serde_json::from_str(told.lines().last().unwrap()).unwrap();
        eprintln!("{script}: {last}");
        assert_eq!(last["checkpoints"], 41);
        for (name, most) in [("loss", 1e-5), ("gradient", 1e-3), ("sharpness", 1e-3)] {
            let worst = last["largest relative differences"][name].as_f64().unwrap();
            assert!(worst < most, "{script}, {name}: {worst:e}");
        }
    }
}
