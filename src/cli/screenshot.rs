//! `landscope screenshot`: the whole window as a picture, without a window system.

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::app;
use crate::plots::PaneOptions;
use crate::record::ParamRole;
use crate::run::messages::Event;
use crate::run::session::{Session, SessionOptions};
use crate::run::worker::WorkerOptions;

use super::{arguments, knob_flags};

/// Points a side of the slice in the picture.
const FINEST_SLICE: usize = 33;

pub fn command() -> Command {
    let out = Arg::new("out")
        .long("out")
        .required(true)
        .value_name("FILE")
        .value_parser(value_parser!(PathBuf))
        .help("The PNG to write");
    let size = Arg::new("size").long("size").value_name("WxH").default_value("1600x1000").help("Size in pixels");
    let pane = Arg::new("pane").long("pane").value_name("PANE").help("Show this pane alone (see `landscope list`)");
    let scale = Arg::new("scale")
        .long("scale")
        .value_name("NUMBER")
        .value_parser(value_parser!(f32))
        .help("Pixels a point [default: 1]");
    let light = Arg::new("light").long("light").action(ArgAction::SetTrue).help("Light instead of dark colours");
    let presenter = Arg::new("presenter").long("presenter").action(ArgAction::SetTrue).help("Large text, for lectures");
    let at =
        Arg::new("at").long("at").value_name("STEP").value_parser(value_parser!(u64)).help("Scrub back to this step");
    let view = Arg::new("view")
        .long("view")
        .value_name("TOML")
        .action(ArgAction::Append)
        .help("A switch of a pane, such as 'signal_statistic = \"InputGram\"' (repeat for more)");
    let command = Command::new("screenshot")
        .about("Train, then render the whole window into a PNG; needs a graphics adapter, but no display")
        .args([out, size, scale, pane, view, at, light, presenter]);
    knob_flags::add(command).mut_arg("steps", |steps| steps.help("Updates before the picture is taken [default: 300]"))
}

pub fn run(matches: &ArgMatches) -> anyhow::Result<()> {
    let mut spec = knob_flags::spec(matches)?;
    if matches.get_one::<String>("steps").is_none() {
        spec.steps = 300;
    }
    let Some(path) = matches.get_one::<PathBuf>("out") else { bail!("give --out FILE") };
    let size = arguments::size(matches.get_one::<String>("size").map_or("1600x1000", String::as_str))?;
    let look = app::Look {
        size,
        scale: matches.get_one::<f32>("scale").copied().unwrap_or(1.0).clamp(0.5, 4.0),
        dark: !matches.get_flag("light"),
        presenter: matches.get_flag("presenter"),
        pane: pane(matches.get_one::<String>("pane"))?,
        at: matches.get_one::<u64>("at").copied(),
        options: view(matches.get_many::<String>("view").into_iter().flatten())?,
    };
    // Fails before the training, not after it.
    let studio = app::Studio::open()?;
    let options = SessionOptions {
        worker: WorkerOptions { play: true, finest_slice: FINEST_SLICE },
        ..SessionOptions::default()
    };
    let session = Session::start(spec.clone(), options)?;
    let mut events = Vec::new();
    for event in session.events() {
        if let Event::Failed(message) = &event {
            bail!("{message}");
        }
        let done = matches!(event, Event::AtRest { .. });
        events.push(event);
        if done {
            break;
        }
    }
    drop(session);
    let picture = studio.picture(spec, events, &look)?;
    picture.save(path).with_context(|| format!("can't write {}", path.display()))?;
    println!("wrote {}", path.display());
    Ok(())
}

fn pane(name: Option<&String>) -> anyhow::Result<Option<crate::plots::PaneId>> {
    let Some(name) = name else { return Ok(None) };
    let found = crate::plots::pane::PANES.iter().find(|pane| pane.slug == name);
    match found {
        Some(pane) => Ok(Some(pane.id)),
        None => {
            let slugs: Vec<_> = crate::plots::pane::PANES.iter().map(|pane| pane.slug).collect();
            bail!("--pane can't be {name:?}; give one of {}", slugs.join(", "))
        }
    }
}

/// The switches of the panes, each a line of TOML.
fn view<'a>(lines: impl Iterator<Item = &'a String>) -> anyhow::Result<PaneOptions> {
    // TOML has neither none nor the largest number, so these need another value to be known by name.
    let known = PaneOptions { gradient_role: Some(ParamRole::Queries), similarity_layer: 0, ..PaneOptions::default() };
    let known = toml::Table::try_from(known).context("can't list the switches")?;
    let mut chosen = toml::Table::new();
    for line in lines {
        let table: toml::Table =
            line.parse().with_context(|| format!("--view {line:?} isn't a line of TOML such as 'loss_log = true'"))?;
        for (key, value) in table {
            if !known.contains_key(&key) {
                let keys: Vec<_> = known.keys().map(String::as_str).collect();
                bail!("--view knows no {key:?}; give one of {}", keys.join(", "));
            }
            chosen.insert(key, value);
        }
    }
    chosen.try_into().context("--view was given a value that its switch doesn't have")
}
