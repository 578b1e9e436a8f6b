//! `landscope film`: a pane of a recording as a film.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{anyhow, bail};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use indicatif::{ProgressBar, ProgressStyle};

use crate::figures::Paper;
use crate::figures::film::{FPS, FRAMES, Film, Target};
use crate::labs::caption::caption;
use crate::plots::{pane, steady};

use super::shown;

pub fn command() -> Command {
    let step = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name("STEP").value_parser(value_parser!(u64)).help(help)
    };
    let from = step("from", "First step [default: the first that shows anything]");
    let to = step("to", "Last step [default: the recording's last]");
    let frames = Arg::new("frames")
        .long("frames")
        .value_name("N")
        .value_parser(value_parser!(usize))
        .default_value("90")
        .help("Frames, evenly spaced from the first step to the last");
    let fps = Arg::new("fps")
        .long("fps")
        .value_name("N")
        .value_parser(value_parser!(f64))
        .default_value("15")
        .help("Frames a second, 1 to 50");
    let orbit = shown::degrees("orbit", "Degrees that the camera turns around a surface in the course of the film");
    let whole = Arg::new("whole")
        .long("whole")
        .action(ArgAction::SetTrue)
        .help("Curves are whole in every frame, and the cursor moves along them; they grow otherwise");
    let caption = Arg::new("caption")
        .long("caption")
        .value_name("PLACE")
        .value_parser(["under", "none"])
        .default_value("under")
        .help("What is seen, of which run: below the picture, or nowhere");
    let out = Arg::new("out")
        .long("out")
        .value_name("PATH")
        .required(true)
        .value_parser(value_parser!(PathBuf))
        .help("film.gif, film.mp4 (through ffmpeg), or a folder for PNG files, such as frames/");
    let about = "Film a pane of a recording, on axes and colours that stand still";
    shown::add(Command::new("film").about(about), "960x640").args([from, to, frames, fps, orbit, whole, caption, out])
}

pub fn run(matches: &ArgMatches) -> anyhow::Result<()> {
    let paper = shown::paper(matches)?;
    let number = |name: &str| matches.get_one::<f64>(name).copied();
    let frames = matches.get_one::<usize>("frames").copied().unwrap_or(90);
    if !FRAMES.contains(&frames) {
        bail!("--frames can't be {frames}; give a whole number from {} to {}", FRAMES.start(), FRAMES.end());
    }
    let fps = number("fps").unwrap_or(15.0);
    if !FPS.contains(&fps) {
        bail!("--fps can't be {fps}; give a number from {} to {}", FPS.start(), FPS.end());
    }
    let turn = number("orbit").unwrap_or(0.0);
    if !turn.is_finite() || turn.abs() > 36_000.0 {
        bail!("--orbit can't be {turn}; give degrees from -36000 to 36000, such as 360 for once around");
    }
    let Some(path) = matches.get_one::<PathBuf>("out") else { bail!("give --out") };
    let target = Target::of(path).map_err(|message| anyhow!("--out: {message}"))?;

    let (_, recording) = shown::recording(matches)?;
    let id = shown::pane(matches, &recording)?;
    let options = shown::options(matches, id, &recording)?;
    let newest = recording.newest_step();
    let given = |name: &str| matches.get_one::<u64>(name).copied();
    let Some(from) = given("from").or_else(|| steady::first_shown(&recording, id, &options)) else {
        bail!("the pane {} shows nothing in this recording: there is nothing to film", pane::slug(&recording, id))
    };
    let to = given("to").unwrap_or(newest);
    if from > to || to > newest {
        bail!("--from {from} --to {to} can't be: the recording goes from step 0 to {newest}, and films go forwards");
    }
    let steps = steady::steps(from, to, frames);
    let words = caption(&recording, pane::title(&recording, id));
    let under = matches.get_one::<String>("caption").is_none_or(|place| place == "under");
    let paper = Paper { caption: under.then(|| words.clone()), description: words, ..paper };
    let plots = steady::frames(&recording, id, &options, &steps, !matches.get_flag("whole"));
    let film = Film::new(plots, steps, paper, turn.to_radians())?;

    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} frames  {eta} left");
    let bar = ProgressBar::new(frames as u64).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let started = Instant::now();
    let tell = |drawn: usize| {
        bar.set_position(drawn as u64);
        true
    };
    let written = film.write(&target, fps, threads, &tell);
    bar.finish_and_clear();
    written?;
    let said = format!("{}: {frames} frames in {:.1} s", path.display(), started.elapsed().as_secs_f64());
    // Whoever doesn't listen has the film all the same.
    let _ = writeln!(std::io::stdout(), "{said}");
    Ok(())
}
