//! What `figure`, `film` and the like take: a recording, a pane of it, its switches, and what it is drawn on.

use std::path::PathBuf;

use anyhow::{Context as _, anyhow, bail};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::app;
use crate::figures::{Camera, FigureSize, Ground, Paper};
use crate::plots::shared_switches::SHARED;
use crate::plots::{PaneId, PaneOptions, pane, switches};
use crate::record::{Recording, Track, TrackId, file};
use crate::run::sweep::{self, Folder};

/// Adds FILE, `--pane`, a flag for every switch, `--size`, `--light`, `--dark` and the camera's flags.
pub fn add(command: Command, default_size: &'static str) -> Command {
    let file = file_argument("A recording, or the folder of a sweep; several recordings are compared").num_args(1..);
    let pane = Arg::new("pane").long("pane").value_name("PANE").required(true).help(format!(
        "Which pane: {}; of a lab or a sweep, the name of a chart",
        pane::PANES.iter().map(|pane| pane.slug).collect::<Vec<_>>().join(", ")
    ));
    let names: Vec<_> = FigureSize::NAMED.iter().map(|(name, _, about)| format!("{name} ({about})")).collect();
    let size = Arg::new("size")
        .long("size")
        .value_name("SIZE")
        .default_value(default_size)
        .help(format!("{}, or WIDTHxHEIGHT in pixels", names.join("; ")));
    let light = Arg::new("light").long("light").action(ArgAction::SetTrue).help("On a light ground, the default");
    let dark = Arg::new("dark")
        .long("dark")
        .action(ArgAction::SetTrue)
        .conflicts_with("light")
        .help("On a dark ground, with the colours of the window's dark theme");
    let track = Arg::new("track")
        .long("track")
        .value_name("TRACK")
        .help("Of a recording with branches: which one, by name or number [default: the newest]");
    let azimuth = degrees("azimuth", "Where a surface is seen from: degrees about the vertical axis [default: -58.4]");
    let elevation = degrees("elevation", "Degrees above the floor, 5 to 84 [default: 29.8]");
    let flags = switches::names().into_iter().map(switch_flag);
    let shared = SHARED.iter().map(|switch| {
        let about = format!("{} ({})", switch.about, switch.allowed);
        Arg::new(switch.name).long(switch.name).value_name("WORD").help_heading("Switches of all panes").help(about)
    });
    command.args([file, pane, track, size, light, dark, azimuth, elevation]).args(flags).args(shared)
}

/// FILE
pub fn file_argument(help: &'static str) -> Arg {
    Arg::new("file").required(true).value_name("FILE").value_parser(value_parser!(PathBuf)).help(help)
}

pub fn degrees(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .value_name("DEGREES")
        .allow_negative_numbers(true)
        .value_parser(value_parser!(f64))
        .help(help)
}

/// One flag for the switches of this name of all panes.
fn switch_flag(name: &'static str) -> Arg {
    let about: Vec<_> = switches::SWITCHES
        .iter()
        .filter(|switch| switch.name == name)
        .map(|switch| {
            let slug = pane::find(switch.pane).map_or("", |pane| pane.slug);
            let allowed = switch.allowed(&Recording::default());
            let allowed = if allowed.starts_with("a layer") { "a layer by name or number".into() } else { allowed };
            format!("{slug}: {} ({allowed})", switch.about.to_lowercase())
        })
        .collect();
    Arg::new(name).long(name).value_name("WORD").help_heading("Switches of the panes").help(about.join("; "))
}

/// The recording, read, or several beside one another; what is missing of a damaged one is said.
///
/// # Errors
/// What the file isn't.
pub fn recording(matches: &ArgMatches) -> anyhow::Result<(PathBuf, Recording)> {
    let paths: Vec<PathBuf> = matches.get_many("file").into_iter().flatten().cloned().collect();
    let Some(path) = paths.first().cloned() else { bail!("give the recording's path") };
    let mut recording = read(&paths)?;
    if let Ok(Some(name)) = matches.try_get_one::<String>("track") {
        let track = track(name, &recording)?;
        recording.set_focus(track);
    }
    Ok((path, recording))
}

fn read(paths: &[PathBuf]) -> anyhow::Result<Recording> {
    match paths {
        [folder] if Folder::is_one(folder) => Ok(sweep::recording(&Folder::open(folder)?)?),
        [path] => {
            // All of it: what memory can't hold would be missing from what leaves the program.
            let opened = file::open_within(path, usize::MAX)?;
            if let Some(damage) = opened.damage {
                eprintln!("{}, not whole: {damage}", path.display());
            }
            Ok(opened.recording)
        }
        several => {
            if let Some(folder) = several.iter().find(|path| Folder::is_one(path)) {
                bail!("{} is the folder of a sweep; give it alone, or the recordings of its cells", folder.display());
            }
            Ok(app::read_beside(several, usize::MAX)?)
        }
    }
}

/// The track of this name or number.
fn track(name: &str, recording: &Recording) -> anyhow::Result<TrackId> {
    let is_it = |(id, track): &(TrackId, &Track)| track.label == name || id.0.to_string() == name;
    if let Some((id, _)) = recording.tracks().find(is_it) {
        return Ok(id);
    }
    let all: Vec<_> = recording.tracks().map(|(id, track)| format!("{} {:?}", id.0, track.label)).collect();
    bail!("--track can't be {name:?}: this recording has {}", all.join(", "))
}

/// The pane that was named.
///
/// # Errors
/// Names the panes that there are.
pub fn pane(matches: &ArgMatches, recording: &Recording) -> anyhow::Result<PaneId> {
    let name = matches.get_one::<String>("pane").map_or("", String::as_str);
    let all = pane::of(recording);
    if let Some(id) = all.iter().find(|id| pane::slug(recording, **id) == name) {
        return Ok(*id);
    }
    let names: Vec<_> = all.iter().map(|id| pane::slug(recording, *id)).collect();
    bail!("--pane can't be {name:?}: this recording has {}", names.join(", "))
}

/// The switches that were given.
///
/// # Errors
/// Names the switch, the value and what is allowed, or the switches that the pane has.
pub fn options(matches: &ArgMatches, id: PaneId, recording: &Recording) -> anyhow::Result<PaneOptions> {
    let mut options = PaneOptions::default();
    for name in switches::names() {
        let Some(text) = matches.get_one::<String>(name) else { continue };
        let Some(switch) = switches::of(id).find(|switch| switch.name == name) else {
            let slug = pane::slug(recording, id);
            let has: Vec<_> = switches::of(id).map(|switch| format!("--{}", switch.name)).collect();
            let has = if has.is_empty() { "no switches".into() } else { has.join(", ") };
            bail!("--{name} doesn't belong to the pane {slug}, which has {has}")
        };
        switch.set(&mut options, text, recording).map_err(|message| anyhow!("--{message}"))?;
    }
    for switch in SHARED {
        let Some(text) = matches.get_one::<String>(switch.name) else { continue };
        if !switch.belongs_to(id) {
            bail!("--{} doesn't belong to a chart of a lab, which chooses its tracks itself", switch.name);
        }
        switch.set(&mut options, id, text).map_err(|message| anyhow!("--{message}"))?;
    }
    Ok(options)
}

/// What it is drawn on, but for caption and description.
///
/// # Errors
/// Names the flag, the value and what is allowed.
pub fn paper(matches: &ArgMatches) -> anyhow::Result<Paper> {
    let text = matches.get_one::<String>("size").context("give --size")?;
    let size = FigureSize::parse(text).map_err(|message| anyhow!("--{message}"))?;
    let ground = if matches.get_flag("dark") { Ground::Dark } else { Ground::Light };
    let mut camera = Camera::default();
    if let Some(degrees) = matches.get_one::<f64>("azimuth") {
        if !degrees.is_finite() || degrees.abs() > 3_600.0 {
            bail!("--azimuth can't be {degrees}; give degrees from -3600 to 3600");
        }
        camera.yaw = degrees.to_radians();
    }
    if let Some(degrees) = matches.get_one::<f64>("elevation") {
        let [low, high] = Camera::PITCH;
        let pitch = degrees.to_radians();
        if !(low..=high).contains(&pitch) {
            bail!("--elevation can't be {degrees}; give degrees from 5 to 84, above the floor and below straight down");
        }
        camera.pitch = pitch;
    }
    Ok(Paper { ground, camera, ..Paper::of(size) })
}
