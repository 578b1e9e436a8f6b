//! The command lines that make a figure, a film or a run again.

use std::path::{Path, PathBuf};

use crate::record::Recording;
use crate::run::bench::{Preset, Values};
use crate::run::command_line::{self, quoted};
use crate::run::spec::RunSpec;

use super::Lab;

/// Where a run that a command makes again is written.
const FOLDER: &str = "landscope-again";

/// Where the numbers of a picture are, or come from.
pub enum Origin<'a> {
    /// A recording's file, or several whose tracks are compared.
    Files(Vec<PathBuf>),
    /// A run of the Playground, or a lab, that has no file of its own.
    Run(&'a Recording),
}

/// `landscope figure FILE ...` or the like, after what makes the file where there is none. `words` follow the file.
///
/// # Errors
/// Why no command can say it, and what to do.
pub fn command(subcommand: &str, origin: &Origin<'_>, words: &[String]) -> Result<String, String> {
    let words = words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ");
    match origin {
        Origin::Files(paths) => {
            let paths: Vec<_> = paths.iter().map(|path| quoted(&path.to_string_lossy())).collect();
            Ok(format!("landscope {subcommand} {} {words}", paths.join(" ")))
        }
        Origin::Run(recording) => {
            let run = run_command(recording)?;
            Ok(format!("{run} && landscope {subcommand} {FOLDER}/recording.landscope {words}"))
        }
    }
}

fn run_command(recording: &Recording) -> Result<String, String> {
    if recording.is_branched() || !recording.interventions.is_empty() {
        return Err("Knobs were turned while this ran, so no command makes it again: save the recording, open it, and copy the command there".into());
    }
    let folder = Path::new(FOLDER);
    let lost =
        || "No flags say all of this setting: save the recording, open it, and copy the command there".to_owned();
    match &recording.header.lab {
        Some(about) => {
            let lab = super::find(&about.id).ok_or_else(lost)?;
            let mut values = Values::preset(lab.knobs(), Preset::Standard);
            values.seed = about.seed;
            about.knobs.iter().try_for_each(|(id, text)| values.set_text(id, text))?;
            Ok(lab_command(lab, &values, folder))
        }
        None => {
            let spec =
                RunSpec::from_toml(&recording.header.spec, "of the recording").map_err(|error| error.to_string())?;
            command_line::run(&spec, folder).ok_or_else(lost)
        }
    }
}

/// `landscope run LAB` with the preset that leaves the fewest knobs to be said.
pub fn lab_command(lab: &dyn Lab, values: &Values, out: &Path) -> String {
    let said = values.texts();
    let flags = |preset: Preset| {
        let texts = Values::preset(lab.knobs(), preset).texts();
        let differing = said.iter().filter(|(id, text)| texts.get(*id) != Some(*text));
        differing.map(|(id, text)| format!(" --{id} {}", quoted(text))).collect::<Vec<_>>()
    };
    let mut best = (Preset::Standard, flags(Preset::Standard));
    for preset in Preset::ALL {
        let others = flags(preset);
        if others.len() < best.1.len() {
            best = (preset, others);
        }
    }
    let (preset, flags) = best;
    let seed = if values.seed == 0 { String::new() } else { format!(" --seed {}", values.seed) };
    format!(
        "landscope run {} --preset {}{}{seed} --out {}",
        lab.id(),
        preset.id(),
        flags.concat(),
        quoted(&out.to_string_lossy())
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labs::LABS;
    use crate::record::Intervention;

    #[test]
    fn a_lab_is_said_by_its_nearest_preset() {
        for lab in LABS {
            let mut values = Values::preset(lab.knobs(), Preset::Instant);
            values.seed = 4;
            let line = lab_command(*lab, &values, Path::new("out"));
            assert!(line.starts_with(&format!("landscope run {} --preset ", lab.id())), "{line}");
            assert!(line.ends_with(" --seed 4 --out out"), "{line}");
            assert_eq!(line.matches("--").count(), 3, "{line}");
        }
    }

    #[test]
    fn a_file_is_named_and_what_has_none_is_run_first() {
        let words = ["--pane".to_owned(), "loss".to_owned()];
        let line = command("figure", &Origin::Files(vec!["my run.landscope".into()]), &words).unwrap();
        assert_eq!(line, "landscope figure 'my run.landscope' --pane loss");
        let mut recording = Recording::default();
        recording.header.spec = RunSpec { seed: 2, ..RunSpec::default() }.to_toml();
        let line = command("figure", &Origin::Run(&recording), &words).unwrap();
        assert_eq!(
            line,
            "landscope run --seed 2 --out landscope-again && landscope figure landscope-again/recording.landscope --pane loss"
        );
        let track = crate::record::TrackId(0);
        let mark = Intervention { track, step: 3, knob: "lr".into(), from: "1".into(), to: "2".into() };
        recording.intervene(mark);
        assert!(command("figure", &Origin::Run(&recording), &words).unwrap_err().contains("save the recording"));
    }
}
