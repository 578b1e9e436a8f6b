//! What a user can get wrong: one clear line that names the thing, a non-zero exit, no panic.

use std::fs;
use std::path::Path;

use super::program::{output, stderr, stdout};

/// A wrong call and the words its answer must hold.
struct Case {
    arguments: Vec<String>,
    words: &'static [&'static str],
}

fn case(arguments: &str, words: &'static [&'static str]) -> Case {
    Case { arguments: arguments.split_whitespace().map(String::from).collect(), words }
}

#[track_caller]
fn check(home: &Path, case: &Case) {
    let arguments: Vec<_> = case.arguments.iter().map(String::as_str).collect();
    let result = output(home, &arguments);
    let said = stderr(&result);
    assert!(!result.status.success(), "{arguments:?} succeeded: {}", stdout(&result));
    assert!(!said.contains("panicked") && result.status.code().is_some(), "{arguments:?} panicked: {said}");
    let lines: Vec<_> = said.lines().filter(|line| line.starts_with("error")).collect();
    assert_eq!(lines.len(), 1, "{arguments:?} says one line that begins with `error`: {said}");
    for word in case.words {
        assert!(said.contains(word), "{arguments:?} must speak of {word:?}: {said}");
    }
}

#[test]
fn wrong_flags_and_values() {
    let home = tempfile::tempdir().unwrap();
    for case in [
        case("run --lrr 1", &["--lrr"]),
        case("fly", &["fly"]),
        case("run --lr", &["--lr"]),
        case("run --lr fast", &["--lr", "fast", "number"]),
        case("run --lr NaN", &["--lr", "NaN"]),
        case("run --lr -1", &["--lr", "-1", "from 0"]),
        case("run --momentum 1.5", &["--momentum", "1.5", "0.999"]),
        case("run --steps 0", &["--steps", "0", "from 1"]),
        case("run --width 99999999", &["--width", "4096"]),
        case("run --heads 5", &["heads", "5", "width"]),
        case("run --model perceptron", &["--model", "perceptron", "mlp"]),
        case("run --task mnist", &["--task", "mnist", "digits"]),
        case("run --task copy --model mlp", &["mlp", "copy", "gpt"]),
        case("run --task csv", &["csv", "--data"]),
        case("run --patch 3 --steps 1", &["patch", "3"]),
        case("run --device tpu", &["tpu", "cpu"]),
        case("coord-check --widths 32,wide", &["--widths", "wide"]),
        case("coord-check --widths 32,64", &["widths", "three"]),
        case("coord-check --widths 30,32,64", &["heads", "30"]),
        case("coord-check --seeds 0", &["seeds", "from 1"]),
        case("run --base-width 0", &["--base-width", "from 1"]),
        case("run --gamma0 0", &["--gamma0", "0.001"]),
        case("run --parametrization mean", &["--parametrization", "mup"]),
        case("screenshot --out x.png --size huge", &["--size", "huge"]),
        case("screenshot --out x.png --pane weather", &["--pane", "weather"]),
    ] {
        check(home.path(), &case);
    }
    #[cfg(not(feature = "cuda"))]
    check(home.path(), &case("run --device cuda --steps 1", &["cuda", "--features cuda", "--device cpu"]));
}

#[test]
fn wrong_specifications() {
    let home = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(home.path().join(name), text).unwrap();
    write("unknown.toml", "sede = 3\n");
    write("type.toml", "seed = \"three\"\n");
    write("range.toml", "[optimizer]\nmomentum = 7.0\n");
    write("broken.toml", "seed = = 3\n");
    for case in [
        case("run --config nowhere.toml", &["nowhere.toml"]),
        case("run --config unknown.toml", &["unknown.toml", "sede"]),
        case("run --config type.toml", &["type.toml", "seed"]),
        case("run --config range.toml", &["range.toml", "momentum", "7"]),
        case("run --config broken.toml", &["broken.toml", "line 1"]),
    ] {
        check(home.path(), &case);
    }
}

#[test]
fn wrong_data_files() {
    let home = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = home.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    };
    write("empty.csv", b"");
    write("ragged.csv", b"1,2,a\n1,2\n");
    write("short.txt", b"hello");
    write("latin.txt", &[b'a', 0xff, 0xfe, b'b']);
    write("not.npz", b"not a zip file");
    write("idx/train-images-idx3-ubyte", &[0, 0, 8, 1, 0, 0, 0, 1, 7]);
    write("idx/train-labels-idx1-ubyte", &[0, 0, 8, 1, 0, 0, 0, 1, 7]);
    write("idx/t10k-images-idx3-ubyte", &[0, 0, 8, 3, 0, 0, 0, 1]);
    write("idx/t10k-labels-idx1-ubyte", &[0, 0, 8, 1, 0, 0, 0, 1, 7]);
    write("cifar/data_batch_1.bin", &[1, 2, 3]);
    fs::create_dir_all(home.path().join("pictures")).unwrap();
    for case in [
        case("run --task csv --data nowhere.csv", &["nowhere.csv"]),
        case("run --task csv --data empty.csv", &["empty.csv"]),
        case("run --task csv --data ragged.csv", &["ragged.csv", "line 2"]),
        case("run --task text --data short.txt", &["short.txt", "5"]),
        case("run --task text --data latin.txt", &["latin.txt", "UTF-8"]),
        case("run --task npz --data not.npz", &["not.npz"]),
        case("run --task idx --data idx", &["train-images-idx3-ubyte"]),
        case("run --task cifar10 --data cifar", &["data_batch_1.bin"]),
        case("run --task image-folder --data pictures", &["pictures"]),
    ] {
        check(home.path(), &case);
    }
}

#[test]
fn wrong_places_and_recordings() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("file"), "x").unwrap();
    fs::write(home.path().join("text.landscope"), "this is no recording").unwrap();
    fs::write(home.path().join("empty.landscope"), "").unwrap();
    fs::write(home.path().join("cut.landscope"), b"SQLite format 3\0\x10\0").unwrap();
    for case in [
        case("run --steps 1 --out file", &["file", "--out"]),
        case("run --steps 1 --out file/below", &["file", "--out"]),
        case("view", &["FILE"]),
        case("view nowhere.landscope", &["nowhere.landscope"]),
        case("view text.landscope", &["text.landscope"]),
        case("view empty.landscope", &["empty.landscope"]),
        case("view cut.landscope", &["cut.landscope"]),
    ] {
        check(home.path(), &case);
    }
}

#[test]
fn wrong_models_weights_and_batches() {
    let home = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(home.path().join(name), bytes).unwrap();
    let model = "[model]\nkind = \"mlp\"\nwidth = 4\ndepth = 1\n[input]\nshape = [2]\n[output]\nclasses = 2\n";
    write("m.toml", model.as_bytes());
    write("wide.toml", model.replace("width = 4", "width = 5").as_bytes());
    write("shapeless.toml", b"[model]\nkind = \"mlp\"\n");
    write("heads.toml", b"[model]\nn_heads = 3\n[input]\nshape = [8, 8, 1]\n[output]\nclasses = 10\n");
    write("text.safetensors", b"this is no tensor");
    let x = safetensors::tensor::TensorView::new(safetensors::tensor::Dtype::F32, vec![1, 2], &[0; 8]).unwrap();
    write("half.safetensors", &safetensors::serialize([("x", x)], None).unwrap());
    let done = output(home.path(), &["init", "--model", "m.toml", "--out", "w.safetensors"]);
    assert!(done.status.success(), "{}", stderr(&done));
    let whole = fs::read(home.path().join("w.safetensors")).unwrap();
    write("cut.safetensors", &whole[..whole.len() - 3]);
    for case in [
        case("init --model m.toml", &["--out"]),
        case("init --model nowhere.toml --out v", &["nowhere.toml"]),
        case("init --model shapeless.toml --out v", &["shapeless.toml", "input"]),
        case("init --model heads.toml --out v", &["heads.toml", "heads", "3"]),
        case("init --model m.toml --out w.safetensors", &["w.safetensors", "exists"]),
        case("init --model m.toml --out no/where", &["no", "exist"]),
        case("init --model m.toml --seed x --out v", &["--seed", "x"]),
        case("measure --probe loss", &["--model"]),
        case("measure --model m.toml", &["--probe", "sharpness"]),
        case("measure --model m.toml --probe weather", &["weather", "sharpness"]),
        case("measure --model m.toml --probe loss --weights nowhere", &["nowhere"]),
        case("measure --model m.toml --probe loss --weights text.safetensors", &["text.safetensors", "again"]),
        case("measure --model m.toml --probe loss --weights cut.safetensors", &["cut.safetensors", "again"]),
        case("measure --model wide.toml --probe loss --weights w.safetensors", &["layer 1.weight", "[2, 4]", "[2, 5]"]),
        case("measure --model m.toml --probe loss --weights w.safetensors", &["--data"]),
        case("measure --model m.toml --probe loss --weights w.safetensors --data half.safetensors", &["\"y\"", "half"]),
        case("measure --model m.toml --probe loss --weights w.safetensors --data w.safetensors", &["\"x\"", "it has"]),
        case("run --steps 1 --init-weights w.safetensors", &["w.safetensors", "embedding.weight", "landscope init"]),
        case("run --steps 1 --init-weights nowhere", &["nowhere", "safetensors"]),
        case("run --task safetensors --data half.safetensors --model mlp", &["\"y\"", "half"]),
        case("run --task safetensors --data text.safetensors --model mlp", &["text.safetensors", "again"]),
    ] {
        check(home.path(), &case);
    }
}
