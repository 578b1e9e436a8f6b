//! Without a subcommand: the Playground, in a window where there is a display, else headless.

use clap::{ArgMatches, Command};

use crate::app::{self, WindowError};
use crate::run::session::{Session, SessionOptions};
use crate::run::spec::RunSpec;
use crate::run::worker::WorkerOptions;

use super::{arguments, autosave, headless, knob_flags};

/// Points a side of a slice while training rests.
const FINEST_SLICE: usize = 65;

pub fn arguments(command: Command) -> Command {
    knob_flags::add(
        command
            .arg(arguments::memory())
            .arg(arguments::out().help("Folder for recording and figures where there is no display")),
    )
}

pub fn run(matches: &ArgMatches) -> anyhow::Result<()> {
    let spec = knob_flags::spec(matches)?;
    match app::display() {
        Ok(()) => window(spec, arguments::memory_of(matches)),
        Err(WindowError::NoDisplay) => {
            eprintln!(
                "No display here: running the Playground without a window (DISPLAY and WAYLAND_DISPLAY aren't set)"
            );
            let folder = arguments::prepare_out(matches.get_one("out"))?;
            headless::run(spec, &folder, None, false)
        }
        Err(error) => Err(error.into()),
    }
}

fn window(spec: RunSpec, memory: usize) -> anyhow::Result<()> {
    let wake = app::Wake::default();
    let ring = wake.clone();
    let file = autosave::path();
    let options = SessionOptions {
        wake: std::sync::Arc::new(move || ring.ring()),
        recording: file.clone(),
        worker: WorkerOptions { play: true, finest_slice: FINEST_SLICE },
    };
    let session = Session::start(spec.clone(), options)?;
    let (commands, events) = (session.commands().clone(), session.events().clone());
    Ok(app::run(app::Source::Live { spec, commands, events, wake, file }, memory)?)
}
