//! The command line that makes a run again.

use std::path::Path;

use super::knobs;
use super::spec::{DeviceChoice, RunSpec};

/// A word as a POSIX shell takes it.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) { word.into() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}

/// `landscope run` with a flag for every knob of `spec` that isn't at its default, writing into `out`; none where flags alone don't
/// say all of it.
pub fn run(spec: &RunSpec, out: &Path) -> Option<String> {
    let mut words = vec!["landscope".to_owned(), "run".to_owned()];
    let mut said = RunSpec::default();
    let device = match spec.device {
        DeviceChoice::Auto => None,
        DeviceChoice::Cpu => Some("cpu"),
        DeviceChoice::Cuda => Some("cuda"),
        DeviceChoice::Metal => Some("metal"),
    };
    if let Some(device) = device {
        words.extend(["--device".into(), device.into()]);
        said.device = spec.device;
    }
    if let Some(path) = &spec.init_weights {
        words.extend(["--init-weights".into(), quoted(&path.to_string_lossy())]);
        said.init_weights = Some(path.clone());
    }
    // A knob may turn others (a preset does), so each is compared with what the flags before it have made.
    for knob in knobs::all() {
        let value = knob.get(spec);
        if knob.get(&said) == value {
            continue;
        }
        let before = said.clone();
        knob.set(&mut said, &value).ok()?;
        // "Custom" says nothing: the knobs that it sums up do.
        if said != before {
            words.extend([format!("--{}", knob.id), quoted(&value.to_string())]);
        }
    }
    words.extend(["--out".into(), quoted(&out.to_string_lossy())]);
    (said == *spec).then(|| words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_survive_a_shell() {
        assert_eq!(quoted("a-b_1.0/c"), "a-b_1.0/c");
        assert_eq!(quoted("my run's"), "'my run'\\''s'");
        assert_eq!(quoted(""), "''");
        assert_eq!(quoted("$HOME"), "'$HOME'");
    }

    #[test]
    fn only_what_differs_is_said() {
        let mut spec = RunSpec::default();
        assert_eq!(run(&spec, Path::new("out")).unwrap(), "landscope run --out out");
        spec.optimizer.lr = 0.25;
        spec.seed = 3;
        let line = run(&spec, Path::new("my runs")).unwrap();
        assert!(line.contains("--lr 0.25") && line.contains("--seed 3") && line.ends_with("--out 'my runs'"), "{line}");
        assert_eq!(line.matches("--").count(), 3, "{line}");
    }
}
