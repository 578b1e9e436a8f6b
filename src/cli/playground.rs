//! Without a subcommand: the Playground, in a window where there is a display, else headless.

use clap::{ArgMatches, Command};

use crate::app::{self, WindowError};
use crate::run::session::{Session, SessionOptions};
use crate::run::spec::RunSpec;
use crate::run::worker::WorkerOptions;

use super::{arguments, autosave, headless, knob_flags, places};

/// Points a side of a slice while training rests.
const FINEST_SLICE: usize = 65;

pub fn arguments(command: Command) -> Command {
    let out = arguments::out().help("Folder for recording and figures where there is no display");
    knob_flags::add(command.arg(arguments::memory()).arg(out).arg(knob_flags::against()))
}

pub fn run(matches: &ArgMatches) -> anyhow::Result<()> {
    let spec = knob_flags::spec(matches)?;
    let against = knob_flags::other_spec(matches, &spec)?;
    match app::display() {
        Ok(()) => window(spec, against, arguments::memory_of(matches)),
        Err(WindowError::NoDisplay) => {
            eprintln!(
                "No display here: running the Playground without a window (DISPLAY and WAYLAND_DISPLAY aren't set)"
            );
            let folder = arguments::prepare_out(matches.get_one("out"))?;
            headless::run(spec, against, &folder, None, false)
        }
        Err(error) => Err(error.into()),
    }
}

fn window(spec: RunSpec, against: Option<RunSpec>, memory: usize) -> anyhow::Result<()> {
    let wake = app::Wake::default();
    let ring = wake.clone();
    let file = autosave::path();
    let options = SessionOptions {
        wake: std::sync::Arc::new(move || ring.ring()),
        recording: file.clone(),
        worker: WorkerOptions { play: true, finest_slice: FINEST_SLICE },
    };
    let session = match against {
        Some(other) => Session::start_twin([spec.clone(), other], options)?,
        None => Session::start(spec.clone(), options)?,
    };
    let (commands, events) = (session.commands().clone(), session.events().clone());
    Ok(app::run(app::Source::Live { spec, commands, events, wake, file }, places::of_the_window(memory))?)
}
