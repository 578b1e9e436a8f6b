//! `landscope connect`: the loss on the way between given parameters.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, anyhow, bail};
use clap::{Arg, ArgMatches, Command, value_parser};
use indicatif::{ProgressBar, ProgressStyle};

use crate::base::rng::Streams;
use crate::figures;
use crate::nn::paths::Judge;
use crate::plots::panes;
use crate::record::Connectivity;
use crate::record::connectivity::{CurveKind, Matching, Pair, Together};
use crate::run::connectivity::{ConnectivityEvent, ConnectivityOptions, ConnectivitySession, Order};
use crate::run::measuring::wide_batch;
use crate::run::{device, weights_file};

use super::model_files;

const FIGURE: (u32, u32) = (1_400, 700);

pub fn command() -> Command {
    let files = Arg::new("weights")
        .value_name("WEIGHTS")
        .num_args(2..)
        .required(true)
        .value_parser(value_parser!(PathBuf))
        .help("Parameters to connect, safetensors files; of more than two, all pairs");
    let number = |id: &'static str, default: &'static str, help: &'static str| {
        Arg::new(id).long(id).value_name("N").value_parser(value_parser!(u64)).default_value(default).help(help)
    };
    let matching = Arg::new("match")
        .long("match")
        .value_name("HOW")
        .value_parser(["weights", "activations", "none", "all"])
        .default_value("all")
        .help("Bring the units of the second network next to those of the first: by weights, by activations, or both");
    let curve = Arg::new("curve")
        .long("curve")
        .value_name("CURVE")
        .value_parser(["line", "bezier", "polychain"])
        .default_value("line")
        .help("Beside the straight line, train a curve of low loss between the ends");
    let lr = Arg::new("curve-lr")
        .long("curve-lr")
        .value_name("NUMBER")
        .value_parser(value_parser!(f64))
        .default_value("0.01")
        .help("Learning rate of the curve's Adam, on a cosine schedule");
    let json = Arg::new("json")
        .long("json")
        .value_name("FILE")
        .value_parser(value_parser!(PathBuf))
        .help("Write everything as one JSON object; `-` writes it on standard output, without the tables");
    let figure = model_files::path_flag("figure", "Write the paths as a figure, .svg or .png");
    Command::new("connect")
        .about("Loss and error barriers between networks of one shape, before and after matching their units, and their ensemble")
        .arg(files)
        .arg(model_files::model_flag())
        .arg(model_files::path_flag("data", "The examples, a safetensors file with the tensors x and y"))
        .arg(model_files::path_flag("train-data", "Examples that a curve is trained on [default: those of --data]"))
        .arg(number("points", "25", "Points of the even grid of each path, at least 25; peaks are searched beyond it"))
        .arg(matching)
        .arg(curve)
        .arg(number("curve-steps", "300", "Updates of the curve's bends"))
        .arg(number("curve-batch", "128", "Examples of an update of the bends; 0 for all"))
        .arg(number("bends", "1", "Points of the curve between its ends"))
        .arg(lr)
        .arg(model_files::dtype_flag("f64"))
        .arg(model_files::device_flag())
        .arg(number("seed", "0", "Of the order of weight matching, and of the curve's batches"))
        .arg(json)
        .arg(figure)
}

pub fn run(matches: &ArgMatches) -> anyhow::Result<()> {
    let options = options(matches)?;
    let json = matches.get_one::<PathBuf>("json");
    let figure = matches.get_one::<PathBuf>("figure");
    for (path, flag) in [(json.filter(|path| path.as_os_str() != "-"), "json"), (figure, "figure")] {
        if let Some(path) = path {
            model_files::check_new_file(path, flag)?;
        }
    }
    let draw = figure.map(|path| figure_format(path)).transpose()?;
    let order = order(matches, options)?;
    let silent = json.is_some_and(|path| path.as_os_str() == "-");
    let found = wait(order, silent)?;
    if !silent {
        print(&found);
    }
    if let (Some(path), Some(draw)) = (figure, draw) {
        let index = (found.pairs.len() == 1).then_some(0);
        let bytes = draw(&panes::connectivity::plots(&found, index))?;
        std::fs::write(path, bytes).with_context(|| format!("can't write {path:?}; give --figure another place"))?;
    }
    let Some(path) = json else { return Ok(()) };
    let text = serde_json::to_string(&found)?;
    if silent {
        println!("{text}");
        return Ok(());
    }
    std::fs::write(path, text + "\n").with_context(|| format!("can't write {path:?}; give --json another place, or -"))
}

type Draw = fn(&[crate::plots::Plot]) -> anyhow::Result<Vec<u8>>;

fn figure_format(path: &Path) -> anyhow::Result<Draw> {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("svg") => Ok(|plots| Ok(figures::svg(plots, FIGURE)?.into_bytes())),
        Some("png") => Ok(|plots| Ok(figures::png(plots, FIGURE)?)),
        _ => bail!("--figure can't be {path:?}; give a name that ends in .svg or .png"),
    }
}

fn order(matches: &ArgMatches, options: ConnectivityOptions) -> anyhow::Result<Order> {
    let model = model_files::model(model_files::path(matches, "model")?)?;
    let built = model.build()?;
    let mut networks = Vec::new();
    for path in matches.get_many::<PathBuf>("weights").unwrap_or_default() {
        networks.push((path.display().to_string(), weights_file::read(path, built.layout())?));
    }
    let data = model_files::path(matches, "data")?;
    let examples = model_files::examples(data, &model.shapes())?;
    let train = match matches.get_one::<PathBuf>("train-data") {
        Some(path) => model_files::examples(path, &model.shapes())?.split,
        None => examples.split.clone(),
    };
    let device = device::open(model_files::device(matches))?;
    let dtype = model_files::dtype(matches);
    let batch = wide_batch(&examples, dtype, &device)?;
    Ok(Order {
        spec: model.model.clone(),
        judge: Judge { model: built, batch, loss: model.loss.clone(), dtype, device },
        data: data.display().to_string(),
        networks,
        train: Arc::new(train),
        streams: Streams::new(whole(matches, "seed")),
        options,
    })
}

fn options(matches: &ArgMatches) -> anyhow::Result<ConnectivityOptions> {
    let text = |id: &str| matches.get_one::<String>(id).map_or("", String::as_str);
    let options = ConnectivityOptions {
        points: whole(matches, "points") as usize,
        matchings: match text("match") {
            "weights" => vec![Matching::Weights],
            "activations" => vec![Matching::Activations],
            "none" => Vec::new(),
            _ => vec![Matching::Weights, Matching::Activations],
        },
        curve: match text("curve") {
            "bezier" => CurveKind::Bezier,
            "polychain" => CurveKind::Polychain,
            _ => CurveKind::Line,
        },
        bends: whole(matches, "bends") as usize,
        curve_steps: whole(matches, "curve-steps"),
        curve_lr: matches.get_one::<f64>("curve-lr").copied().unwrap_or(0.01),
        curve_batch: whole(matches, "curve-batch") as usize,
    };
    options.check().map_err(|message| anyhow!("--{message}"))?;
    Ok(options)
}

fn whole(matches: &ArgMatches, id: &str) -> u64 {
    matches.get_one::<u64>(id).copied().unwrap_or(0)
}

fn wait(order: Order, silent: bool) -> anyhow::Result<Connectivity> {
    let bar = if silent { ProgressBar::hidden() } else { ProgressBar::new(0) };
    let style = ProgressStyle::with_template("{bar:30} {percent} %  {msg}  {eta} left");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let session = ConnectivitySession::start(move || Ok(order), Arc::new(|| {}))?;
    for event in session.events() {
        match event {
            ConnectivityEvent::Progress(progress) => {
                bar.set_length(progress.of as u64);
                bar.set_position(progress.done as u64);
                bar.set_message(progress.what);
            }
            ConnectivityEvent::Done(found) => {
                bar.finish_and_clear();
                return Ok(*found);
            }
            ConnectivityEvent::Failed(message) => {
                bar.finish_and_clear();
                bail!("{message}");
            }
        }
    }
    bail!("the comparison ended without a word; this is a bug")
}

fn print(found: &Connectivity) {
    println!("{}", found.model);
    println!("{} examples of {}, {}", found.circumstances.examples, found.data, found.circumstances.dtype);
    println!("\n{:>3}  {:>12} {:>12} {:>9}  network", "", "|w|", found.loss.as_str(), "accuracy");
    for (at, end) in found.ends.iter().enumerate() {
        let accuracy = end.grades.map_or_else(|| "-".into(), |g| format!("{:.4}", g.accuracy));
        println!("{:>3}  {:>12.6} {:>12.6} {accuracy:>9}  {}", at + 1, end.norm, end.loss, end.name);
    }
    println!(
        "\nBarriers: above the chord between the ends, above the ends' mean, above the higher end; of the loss, then of the error"
    );
    for pair in &found.pairs {
        print_pair(pair);
    }
    if let Some(reason) = &found.unmatched {
        println!("  Not matched: {reason}");
    }
    if found.pairs.len() > 1
        && let Some(together) = &found.together
    {
        println!("\nAll {} networks", found.ends.len());
        print_together(together);
    }
}

fn print_pair(pair: &Pair) {
    println!("\n{} and {}: |a - b| {:.6}, cosine {:.4}", pair.a + 1, pair.b + 1, pair.distance, pair.cosine);
    for walk in &pair.walks {
        let loss = &walk.loss;
        let mut line = format!(
            "  {:20} {:>11.6} {:>11.6} {:>11.6}",
            panes::connectivity::label(walk),
            loss.above_chord.height,
            loss.above_mean.height,
            loss.above_higher_end.height
        );
        if let Some(error) = &walk.error {
            line += &format!(
                "  {:>9.4} {:>9.4} {:>9.4}",
                error.above_chord.height, error.above_mean.height, error.above_higher_end.height
            );
        }
        println!("{line}  highest at t = {:.3} ± {:.3}", loss.above_chord.t, loss.above_chord.t_error);
    }
    for matched in &pair.matched {
        let sweeps = matched.sweeps.map_or_else(String::new, |n| format!(", {n} sweeps"));
        let unfinished = if matched.converged == Some(false) { ", NOT converged" } else { "" };
        println!(
            "  {}: {} of {} units moved{sweeps}{unfinished}, |a - b| {:.6}, outputs changed by at most {:.1e} of {:.1e}",
            matched.matching.words(),
            matched.moved,
            matched.units,
            matched.distance,
            matched.output_change,
            matched.largest_output
        );
    }
    if let Some(together) = &pair.together {
        print_together(together);
    }
}

fn print_together(together: &Together) {
    println!("  {:20} {:>9} {:>9} {:>9}", "", "accuracy", "NLL", "ECE");
    for (name, grades) in [("mean", together.mean), ("better", together.best), ("ensemble", together.ensemble)] {
        println!("  {name:20} {:>9.4} {:>9.4} {:>9.4}", grades.accuracy, grades.nll, grades.calibration_error);
    }
    println!("  They disagree on {:.2} % of the examples", 100.0 * together.disagreement);
}
