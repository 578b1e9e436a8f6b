//! `landscope train`: from a model file, weights and examples to trained weights, and back into `measure`.

use std::fs;
use std::path::Path;

use safetensors::tensor::{Dtype, TensorView};
use serde_json::Value as Json;

use super::program::{json_lines, output, stderr, stdout};

const MODEL: &str = "[model]\nkind = \"mlp\"\nwidth = 6\ndepth = 2\nactivation = \"tanh\"\n\
    [model.parametrization]\nkind = \"mup\"\nform = \"explicit\"\nbase_width = 3\n\
    [loss]\ntemperature = 1.5\n[input]\nshape = [3]\n[output]\nclasses = 2\n";

/// The same network by flags.
const FLAGS: &str = "--task safetensors --data d --model mlp --width 6 --depth 2 --activation tanh --temperature 1.5 \
    --parametrization mup --multipliers explicit --base-width 3";

/// What both ways of training are told besides.
const SETTING: &str = "--optimizer sgd --lr 0.3 --batch-size 7 --probe-budget 0 --json";

/// Points on both sides of a curved surface: something to learn that isn't learnt at once.
fn write_examples(home: &Path, name: &str, from: usize, count: usize) {
    let x: Vec<f32> = (3 * from..3 * (from + count)).map(|i| (i as f32 * 0.9 + 0.2).sin()).collect();
    let y: Vec<u8> = x.chunks(3).map(|x| u8::from(x[0] * x[1] + 0.3 * x[2] > 0.0)).collect();
    let bytes: Vec<u8> = x.iter().flat_map(|x| x.to_le_bytes()).collect();
    let x = TensorView::new(Dtype::F32, vec![count, 3], &bytes).unwrap();
    let y = TensorView::new(Dtype::U8, vec![count], &y).unwrap();
    fs::write(home.join(name), safetensors::serialize([("x", x), ("y", y)], None).unwrap()).unwrap();
}

/// A folder with the model m, its start w, examples d and test examples t.
fn prepared() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("m"), MODEL).unwrap();
    write_examples(home.path(), "d", 0, 60);
    write_examples(home.path(), "t", 60, 20);
    say(home.path(), "init --model m --seed 4 --out w");
    home
}

#[track_caller]
fn say(home: &Path, arguments: &str) -> std::process::Output {
    let words: Vec<_> = arguments.split_whitespace().collect();
    let result = output(home, &words);
    assert!(result.status.success(), "{arguments}: {}", stderr(&result));
    result
}

fn last(result: &std::process::Output) -> Json {
    json_lines(result).pop().unwrap()
}

#[test]
fn training_by_files_is_the_run_by_flags() {
    let home = prepared();
    let bytes = |name: &str| fs::read(home.path().join(name)).unwrap();
    let train = format!("train --model m --data d --weights w --steps 12 --save-weights a --out o1 {SETTING}");
    let by_files = last(&say(home.path(), &train));
    let run = format!("run {FLAGS} --init-weights w --steps 12 --save-weights b --out o2 {SETTING}");
    let by_flags = last(&say(home.path(), &run));
    assert_eq!(
        (&by_files["outcome"], &by_files["step"], &by_files["weights"]),
        (&"finished".into(), &12.into(), &"a".into())
    );
    assert_eq!(by_files["param_hash"], by_flags["param_hash"]);
    assert!(bytes("a") == bytes("b") && bytes("a") != bytes("w"), "one file, and not the start");
    // The specification that was written says where the parameters began and trains the same again.
    let again = last(&say(home.path(), "run --config o1/spec.toml --out o3 --json"));
    assert_eq!(again["param_hash"], by_files["param_hash"]);
}

#[test]
fn what_was_saved_has_the_loss_that_was_printed() {
    let home = prepared();
    let train =
        format!("train --model m --data d --test-data t --steps 40 --seed 4 --save-weights a --out o {SETTING}");
    let printed = last(&say(home.path(), &train));
    let measured = say(home.path(), "measure --model m --weights a --data t --probe loss --probe accuracy --json -");
    let report: Json = serde_json::from_str(&stdout(&measured)).unwrap();
    let value = |at: usize| report["measurements"][at]["value"].as_f64().unwrap();
    let loss = printed["test_loss"].as_f64().unwrap();
    assert!((value(0) / loss - 1.0).abs() < 1e-5, "f64 and f32: {} {loss}", value(0));
    assert_eq!(value(1), printed["test_accuracy"].as_f64().unwrap());
    let before = say(home.path(), "measure --model m --weights w --data t --probe loss --json -");
    let before: Json = serde_json::from_str(&stdout(&before)).unwrap();
    assert!(before["measurements"][0]["value"].as_f64().unwrap() > 1.1 * loss, "it has learnt");
}

#[test]
fn without_a_step_the_file_that_comes_out_is_the_one_that_went_in() {
    let home = prepared();
    let bytes = |name: &str| fs::read(home.path().join(name)).unwrap();
    let still =
        last(&say(home.path(), "train --model m --data d --test-data t --weights w --steps 0 --save-weights a --json"));
    assert_eq!(bytes("a"), bytes("w"));
    // Drawn from the same seed, they are the same.
    say(home.path(), "train --model m --data d --seed 4 --steps 0 --save-weights b");
    assert_eq!(bytes("b"), bytes("w"));
    let measured = say(home.path(), "measure --model m --weights w --data t --probe loss --json -");
    let report: Json = serde_json::from_str(&stdout(&measured)).unwrap();
    let (known, found) = (report["measurements"][0]["value"].as_f64().unwrap(), still["test_loss"].as_f64().unwrap());
    assert!((found / known - 1.0).abs() < 1e-5, "{found} {known}");
    assert_eq!(still["step"], 0);
}

#[test]
fn flags_may_repeat_the_files_but_not_contradict_them() {
    let home = prepared();
    say(home.path(), "train --model m --data d --width 6 --temperature 1.5 --task safetensors --steps 0");
    for (flags, words) in [
        ("--width 8", ["--width 8", "\"m\"", "6"]),
        ("--block outlier-protected", ["--block outlier-protected", "\"m\"", "change the file"]),
        ("--loss mse", ["--loss mse", "cross-entropy", "leave --loss out"]),
        ("--task digits", ["--task digits", "--data", "landscope run"]),
        ("--steps -1", ["--steps", "-1", "from 1"]),
        ("--weights nowhere", ["nowhere", "can't read the weights", "safetensors"]),
        ("--weights d", ["\"layer 1.weight\"", "[3, 6]", "missing"]),
        ("--test-data nowhere", ["nowhere", "doesn't exist", "check the path"]),
        ("--test-data w", ["\"x\"", "\"w\"", "layer 1.weight"]),
        ("--save-weights w", ["\"w\"", "exists already", "--save-weights"]),
        ("--save-weights no/where", ["no/where", "doesn't exist", "--save-weights"]),
    ] {
        let arguments = format!("train --model m --data d --out o {flags}");
        let result = output(home.path(), &arguments.split_whitespace().collect::<Vec<_>>());
        let said = stderr(&result);
        assert!(!result.status.success() && said.lines().count() == 1 && said.starts_with("error"), "{flags}: {said}");
        for word in words {
            assert!(said.contains(word), "{flags} must speak of {word:?}: {said}");
        }
    }
    for (arguments, word) in
        [("train --data d", "--model"), ("train --model m", "--data"), ("train --model d --data d", "\"d\"")]
    {
        let result = output(home.path(), &arguments.split_whitespace().collect::<Vec<_>>());
        assert!(!result.status.success() && stderr(&result).contains(word), "{arguments}: {}", stderr(&result));
    }
    assert!(!home.path().join("o/recording.landscope").exists(), "nothing was begun");
}

/// 20 examples, 2 outputs: the full kernel's blocks are the outputs', and what is traced is their sum.
#[test]
fn kernels_come_in_three_kinds_and_are_compared_with_other_weights() {
    let home = prepared();
    let measure = |flags: &str| {
        let said = say(home.path(), &format!("measure --model m --weights w --data t --json - {flags}"));
        let object: Json = serde_json::from_str(&stdout(&said)).unwrap();
        object["measurements"][0].clone()
    };
    let rows = |kind: &str| -> Vec<Vec<f64>> {
        serde_json::from_value(measure(&format!("--probe tangent-kernel --kernel {kind}"))["value"].clone()).unwrap()
    };
    let [traced, each, full] = ["traced", "per-output", "full"].map(rows);
    assert_eq!([&traced, &each, &full].map(|rows| [rows.len(), rows[0].len()]), [[20, 20], [40, 20], [40, 40]]);
    for (n, m) in [(0, 0), (3, 7), (19, 4)] {
        let size = traced[n][n].abs();
        assert!((traced[n][m] - each[n][m] - each[20 + n][m]).abs() < 1e-12 * size);
        assert!((each[20 + n][m] - full[2 * n + 1][2 * m + 1]).abs() < 1e-12 * size);
    }
    for probe in ["kernel-alignment", "cka"] {
        let alone =
            output(home.path(), &["measure", "--model", "m", "--weights", "w", "--data", "t", "--probe", probe]);
        assert!(!alone.status.success() && stderr(&alone).contains("--reference-weights"), "{}", stderr(&alone));
    }
    let same = measure("--probe kernel-alignment --reference-weights w");
    assert!((same["value"].as_f64().unwrap() - 1.0).abs() < 1e-12, "{same}");
    say(home.path(), "init --model m --seed 5 --out v");
    let other = measure("--probe kernel-alignment --reference-weights v")["value"].as_f64().unwrap();
    assert!(other > 0.0 && other < 0.9999, "{other}");
}
