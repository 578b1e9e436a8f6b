//! Damaged settings: specifications, models, labs, sweeps.

use std::fs;

use landscope::base::rng::Stream;
use landscope::labs::LABS;
use landscope::run::bench::{Preset, Values};
use landscope::run::knobs;
use landscope::run::model_file::ModelFile;
use landscope::run::spec::RunSpec;
use landscope::run::sweep::{self, Folder};
use rand::Rng;

use super::{Case, exercise};

/// What stands in for a value, or anywhere.
const WORDS: &[&str] = &[
    "0",
    "1",
    "-1",
    "1e308",
    "-1e308",
    "5e-324",
    "nan",
    "-inf",
    "inf",
    "18446744073709551615",
    "9223372036854775807",
    "18446744073709551616",
    "-9223372036854775808",
    "0x7fffffffffffffff",
    "1_000_000",
    "true",
    "false",
    "\"\"",
    "\"\\u0000\"",
    "\"mlp\"",
    "\"gpt\"",
    "\"conv-net\"",
    "\"residual-conv-net\"",
    "\"vision-transformer\"",
    "\"mup\"",
    "\"safetensors\"",
    "\"local\"",
    "\"shared\"",
    "\"muon\"",
    "\"shampoo\"",
    "[]",
    "{}",
    "[[",
    "]]",
    "{",
    "}",
    "=",
    ".",
    "\n",
    "\"",
    "'''",
    "#",
    "\u{0}",
    "\u{feff}",
    "é",
    "\u{202e}",
    "[1, 1, 1]",
    "[4096, 4096, 1]",
    "[16777216]",
    "4096",
    "512",
    "1979-05-27T07:32:00Z",
    "null",
    ",",
    "1,2,3",
    "1e400",
    "\"../../x\"",
    "tokens = 3",
    "vocabulary = 2",
    "shape = [2]",
    "kind",
    "[model]",
    "[model.block]",
];

fn boundary(text: &str, random: &mut Stream) -> usize {
    let mut at = random.random_range(0..=text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// Changes `text` in a few places, mostly where its values are.
pub fn damage(text: &str, random: &mut Stream) -> String {
    let mut text = text.to_owned();
    for _ in 0..random.random_range(1..=6) {
        let word = WORDS[random.random_range(0..WORDS.len())];
        match random.random_range(0..9) {
            // A number or word is replaced, which is the likeliest to be read on.
            0..=3 => {
                let starts: Vec<usize> = text.match_indices(['=', ':', ',', '[']).map(|(at, _)| at + 1).collect();
                if starts.is_empty() {
                    continue;
                }
                let start = starts[random.random_range(0..starts.len())];
                let end = text[start..].find(['\n', ',', ']', '}']).map_or(text.len(), |len| start + len);
                text.replace_range(start..end, word);
            }
            4 => {
                let at = boundary(&text, random);
                text.insert_str(at, word);
            }
            5 => {
                let at = boundary(&text, random);
                if let Some(letter) = text[at..].chars().next() {
                    text.replace_range(at..at + letter.len_utf8(), if random.random_bool(0.5) { "" } else { "x" });
                }
            }
            6 => {
                let lines: Vec<&str> = text.lines().collect();
                if !lines.is_empty() {
                    let (from, to) = (random.random_range(0..lines.len()), random.random_range(0..lines.len()));
                    let mut lines = lines.clone();
                    match random.random_range(0..3) {
                        0 => lines.insert(to, lines[from]),
                        1 => drop(lines.remove(from)),
                        _ => lines.swap(from, to),
                    }
                    text = lines.join("\n");
                }
            }
            7 if random.random_bool(0.2) => {
                let at = boundary(&text, random);
                let many = ["[", "{a=", "\"", "a.", "[[a]]\n", "9", "'"][random.random_range(0..7)];
                text.insert_str(at, &many.repeat(random.random_range(1..20_000)));
            }
            8 if random.random_bool(0.3) => {
                let at = boundary(&text, random);
                text.truncate(at);
            }
            _ => {}
        }
    }
    text
}

pub fn spec(case: &mut Case<'_>) {
    let mut base = RunSpec::default();
    let all: Vec<_> = knobs::all().collect();
    for _ in 0..case.random.random_range(0..4) {
        // A specification on the way to somewhere.
        let knob = all[case.random.random_range(0..all.len())];
        if let knobs::KnobKind::Choice(options) = knob.kind {
            let (option, _) = options[case.random.random_range(0..options.len())];
            let _ = knob.set(&mut base, &knobs::KnobValue::Choice(option.into()));
        }
    }
    let text = damage(&base.to_toml(), &mut case.random);
    let Ok(spec) = RunSpec::from_toml(&text, "case.toml") else { return };
    case.taken();
    assert_eq!(RunSpec::from_toml(&spec.to_toml(), "again").as_ref().ok(), Some(&spec), "read back equal: {text}");
    for knob in knobs::all() {
        let value = knob.get(&spec);
        assert!(knob.check(&value).is_ok() && knob.parse(&value.to_string()).is_ok(), "{} = {value}", knob.id);
        knob.is_relevant(&spec);
    }
}

const MODELS: &[&str] = &[
    "statistics = \"batch\"\nbatch_size = 16\ndata = \"d.safetensors\"\n[model]\nkind = \"conv-net\"\nwidth = 8\ndepth = 2\n[input]\nshape = [8, 8, 1]\n[output]\nclasses = 10\n",
    "[model]\nkind = \"gpt\"\nwidth = 8\ndepth = 1\nn_heads = 2\n[input]\ntokens = 6\nvocabulary = 11\n[output]\nclasses = 11\n",
    "[model]\nkind = \"vision-transformer\"\nwidth = 8\ndepth = 1\nn_heads = 2\npatch = 2\n[model.block]\nfinal_norm = \"auto\"\n[model.attention]\nmask = \"auto\"\n[model.parametrization]\nkind = \"mup\"\n[loss]\nkind = \"mse\"\n[input]\nshape = [4, 4, 1]\n[output]\nclasses = 3\n",
    "[model]\nkind = \"mlp\"\nwidth = 6\ndepth = 2\nsharing = \"shared\"\n[input]\nshape = [4, 4, 1]\n[output]\nvalues = 2\n[optimizer]\nkind = \"sgd\"\nlr = 0.1\n",
];

pub fn model(case: &mut Case<'_>) {
    let base = MODELS[case.random.random_range(0..MODELS.len())];
    let text = damage(base, &mut case.random);
    let Ok(file) = ModelFile::from_toml(&text, "case.toml") else { return };
    case.taken();
    // A network that would fill the memory is the user's wish; whether it can be described is another matter.
    let input = file.shapes().empty_split().inputs;
    let numbers = match &input {
        landscope::tasks::data::Inputs::Features { shape, .. } => shape.iter().product::<usize>(),
        landscope::tasks::data::Inputs::Tokens { length, vocabulary, .. } => length + vocabulary,
    };
    if numbers * file.model.width <= 1 << 22 && file.model.depth <= 64 && file.model.width <= 512 {
        let _ = file.build();
        let _ = file.measured();
    }
    file.run_spec("data").to_toml();
}

pub fn lab(case: &mut Case<'_>) {
    let lab = LABS[case.random.random_range(0..LABS.len())];
    let preset = Preset::ALL[case.random.random_range(0..Preset::ALL.len())];
    let mut values = Values::preset(lab.knobs(), preset);
    let text = damage(&values.to_toml(lab.id()), &mut case.random);
    Values::lab_of(&text);
    if values.read_toml(&text).is_err() {
        return;
    }
    case.taken();
    let mut again = Values::preset(lab.knobs(), preset);
    again.read_toml(&values.to_toml(lab.id())).unwrap();
    assert_eq!(again, values);
    if lab.check(&values).is_ok() {
        lab.charts(&values);
    }
}

pub fn sweep(case: &mut Case<'_>) {
    let plan = "subject = \"run\"\nbase = \"seed = 0\"\nseeds = 2\n[[axes]]\nknob = \"lr\"\nvalues = [\"0.1\", \"0.2\"]\n[[axes]]\nknob = \"width\"\nvalues = [\"8\", \"16\", \"32\"]\n";
    let cell = "spec = \"seed = 0\"\ncost = 3.0\n[knobs]\nlr = \"0.1\"\nwidth = \"8\"\nseed = \"0\"\n";
    let result =
        r#"{"outcome":"finished","message":"","seconds":1.0,"numbers":{"train_loss":0.5,"test_accuracy":0.9}}"#;
    let folder = case.place.join("sweep");
    let _ = fs::remove_dir_all(&folder);
    let name = sweep::Cell::new("seed = 0".into(), Vec::new(), None).name();
    let place = folder.join("cells").join(name);
    fs::create_dir_all(&place).unwrap();
    let mut hurt = |text: &str, share: f64| {
        if case.random.random_bool(share) { damage(text, &mut case.random) } else { text.to_owned() }
    };
    fs::write(folder.join("sweep.toml"), hurt(plan, 0.6)).unwrap();
    fs::write(place.join("cell.toml"), hurt(cell, 0.4)).unwrap();
    fs::write(place.join("result.json"), hurt(result, 0.4)).unwrap();
    let Ok(found) = Folder::open(&folder) else { return };
    if let Ok(recording) = sweep::recording(&found) {
        case.taken();
        exercise::look(case, &recording);
    }
}

/// Found by the long run: tables in tables without end overflowed the stack of the parser.
#[test]
fn settings_that_go_too_deep_are_refused() {
    for deep in ["a.".repeat(100_000) + "a = 1", "a = ".to_owned() + &"{a=".repeat(100_000)] {
        assert!(RunSpec::from_toml(&deep, "deep.toml").unwrap_err().to_string().contains("deep.toml"));
        assert!(ModelFile::from_toml(&deep, "deep.toml").unwrap_err().to_string().contains("deep.toml"));
        let mut values = Values::preset(LABS[0].knobs(), Preset::Instant);
        assert!(values.read_toml(&deep).is_err() && Values::lab_of(&deep).is_none());
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("sweep.toml"), &deep).unwrap();
        assert!(Folder::open(folder.path()).is_err());
    }
}
