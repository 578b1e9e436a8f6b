//! A whole run without a window.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, bail};
use serde_json::json;

use crate::record::{Outcome, Recording, names};
use crate::run::messages::{Command, Event, RunState};
use crate::run::session::{Session, SessionOptions};
use crate::run::spec::RunSpec;
use crate::run::worker::WorkerOptions;

use super::figure_files;
use super::progress::{self, Progress};

/// Points a side of the last slice: sharp enough for a figure, seconds of work.
const FINEST_SLICE: usize = 33;

/// Trains `spec` (and beside it `against`) to its end, writes recording and figures into `folder` and the last weights to `save_weights` or beside
/// them, and says where.
///
/// # Errors
/// What is wrong with the specification, the data or the disk. A divergence is a result, not an error.
pub fn run(
    spec: RunSpec,
    against: Option<RunSpec>,
    folder: &Path,
    save_weights: Option<&Path>,
    json: bool,
) -> anyhow::Result<()> {
    let recording_path = folder.join("recording.landscope");
    if recording_path.exists() {
        bail!("{} exists already; give --out another folder, or move the old recording away", recording_path.display());
    }
    let toml_path = folder.join("spec.toml");
    std::fs::write(&toml_path, spec.to_toml()).with_context(|| format!("can't write {}", toml_path.display()))?;
    let progress = Progress::new(json, spec.steps);
    let options = SessionOptions {
        recording: Some(recording_path),
        worker: WorkerOptions { play: true, finest_slice: FINEST_SLICE },
        ..SessionOptions::default()
    };
    let beside = folder.join("weights.safetensors");
    let weights = save_weights.unwrap_or(&beside);
    let session = match against {
        Some(other) => Session::start_twin([spec, other], options)?,
        None => Session::start(spec, options)?,
    };
    let (recording, steps_per_sec) = listen(&session, &progress, folder, weights)?;
    // Ends the recording file.
    drop(session);
    progress.finish();
    figure_files::write_all(&recording, folder)?;
    report(&recording, steps_per_sec, folder, weights, json);
    Ok(())
}

/// Records what the worker tells until the run has ended, the last measurements are in and the parameters are saved;
/// with the updates per second of the run proper.
fn listen(session: &Session, progress: &Progress, folder: &Path, weights: &Path) -> anyhow::Result<(Recording, f64)> {
    let mut recording = Recording::default();
    let mut started = Instant::now();
    let mut steps_per_sec = 0.0;
    while let Ok(event) = session.events().recv() {
        match event {
            Event::Started { header, .. } => {
                progress.say(&format!(
                    "{}: {} ({} parameters) on {}",
                    header.task_title, header.model_title, header.parameters, header.device
                ));
                recording = Recording::new((*header).clone());
            }
            Event::Track(info) => recording.begin_track(&info),
            Event::Snapshot(snapshot) => {
                recording.push(&snapshot).context("the worker sent a reading that doesn't fit; this is a bug")?;
                progress.snapshot(&snapshot, &recording);
            }
            Event::Fingerprint(fingerprint) => recording.fingerprints.push(fingerprint),
            Event::State(RunState::Running) => started = Instant::now(),
            Event::Failed(message) => {
                progress.finish();
                bail!("{message}");
            }
            Event::SaveFailed(message) if recording.outcome.is_some() => bail!("{message}"),
            Event::SaveFailed(message) => bail!("can't record into {}: {message}", folder.display()),
            // What went wrong follows.
            Event::Ended { outcome: Outcome::Failed(_), .. } => {}
            Event::Ended { outcome, .. } => {
                steps_per_sec = recording.newest_step() as f64 / started.elapsed().as_secs_f64().max(1e-9);
                recording.outcome = Some(outcome);
                progress.say("Measuring the last step");
            }
            Event::AtRest { .. } if recording.outcome.is_some() => {
                // A worker that is gone closes its events, too.
                let _ = session.commands().send(Command::SaveWeights(weights.into()));
            }
            Event::Saved(path) if path == weights => return Ok((recording, steps_per_sec)),
            // Nobody turns knobs here, and pictures are for the eye.
            Event::AtRest { .. }
            | Event::Intervention { .. }
            | Event::LabStarted { .. }
            | Event::KnobTurned { .. }
            | Event::Progress(_)
            | Event::Checkpoint(_)
            | Event::Note(_)
            | Event::Picture(_)
            | Event::State(_)
            | Event::Pace(_)
            | Event::Checkpoints(_)
            | Event::Remark(_)
            | Event::Saved(_) => {}
        }
    }
    bail!("the worker ended without a word; this is a bug")
}

/// Says where the parameters were saved, if they were.
pub fn tell_weights(path: Option<&Path>) {
    if let Some(path) = path {
        println!("weights: {}", path.display());
    }
}

fn report(recording: &Recording, steps_per_sec: f64, folder: &Path, weights: &Path, json: bool) {
    let accuracy = recording.scalar(&names::TEST_ACCURACY).and_then(|series| series.latest_at(u64::MAX));
    let hash = recording.fingerprints.last().map(|fingerprint| fingerprint.hash.as_str()).unwrap_or_default();
    let outcome = match &recording.outcome {
        Some(Outcome::Diverged(divergence)) => divergence.to_string(),
        _ => "finished".into(),
    };
    if json {
        let mut object = progress::line(recording, recording.newest_step());
        object.insert("outcome".into(), json!(outcome));
        object.insert("test_accuracy".into(), json!(accuracy.map(|(_, value)| value)));
        object.insert("param_hash".into(), json!(hash));
        object.insert("steps_per_sec".into(), json!(steps_per_sec));
        object.insert("out".into(), json!(folder));
        object.insert("weights".into(), json!(weights));
        progress::print_line(object);
    } else {
        let accuracy = accuracy.map_or_else(String::new, |(_, a)| format!(", test accuracy {:.2} %", 100.0 * a));
        println!(
            "{outcome} after {} steps{accuracy}, {steps_per_sec:.0} steps/s, parameters {hash}",
            recording.newest_step()
        );
        println!("recording, weights and figures: {}", folder.display());
        if !weights.starts_with(folder) {
            tell_weights(Some(weights));
        }
    }
}
