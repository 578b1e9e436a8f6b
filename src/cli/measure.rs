//! `landscope measure`: any measurement of given parameters on given examples.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use serde_json::json;

use crate::nn::curvature::Kernels;
use crate::nn::statistics::Statistics;
use crate::probes::measure::{Answer, COMPARISONS, MEASUREMENTS, Measurement, Options, Value};
use crate::run::measuring::{Order, measure_all};
use crate::run::model_file::ModelFile;
use crate::run::{device, weights_file};

use super::{measure_recording, model_files};

/// Relative residuals that are asked for where nothing else is: a little above what rounding leaves.
const TOLERANCE_F64: f64 = 1e-8;
const TOLERANCE_F32: f64 = 1e-4;
/// Numbers of a list that the table for people shows.
const SHOWN: usize = 8;

pub fn command() -> Command {
    let list = Arg::new("list")
        .long("list")
        .action(ArgAction::SetTrue)
        .help("Describe every probe with its formula, cost and source, and do nothing else");
    let probe = Arg::new("probe")
        .long("probe")
        .value_name("PROBE")
        .action(ArgAction::Append)
        .help("What to measure, such as sharpness; may be repeated; `all` measures everything");
    let number = |id: &'static str, default: &'static str, help: &'static str| {
        Arg::new(id).long(id).value_name("N").value_parser(value_parser!(u64)).default_value(default).help(help)
    };
    let tolerance = Arg::new("tolerance")
        .long("tolerance")
        .value_name("NUMBER")
        .value_parser(value_parser!(f64))
        .help("An eigenpair has converged at |H v - value v| <= tolerance |value| [default: 1e-8, with f32 1e-4]");
    let vectors = Arg::new("test-vectors")
        .long("test-vectors")
        .value_name("N")
        .default_value("100")
        .help("Random vectors of an estimated trace; `all` computes it exactly, with a product a parameter");
    let statistics = Arg::new("statistics")
        .long("statistics")
        .value_name("POLICY")
        .value_parser(["batch", "recomputed", "frozen"])
        .help("With BatchNorm: its statistics are those of minibatches (--batch-size), of all examples at every point, or of all examples at the given parameters, as constants");
    let minibatch = Arg::new("batch-size")
        .long("batch-size")
        .value_name("N")
        .value_parser(value_parser!(u64))
        .help("Examples of a minibatch, for --statistics batch");
    let kernel = Arg::new("kernel")
        .long("kernel")
        .value_name("KIND")
        .value_parser(["traced", "per-output", "full"])
        .default_value("traced")
        .help("What of the tangent kernel: the sum over outputs, one an output, or all");
    let json = Arg::new("json")
        .long("json")
        .value_name("FILE")
        .value_parser(value_parser!(PathBuf))
        .help("Write all answers as one JSON object; `-` writes it on standard output, without the table");
    Command::new("measure")
        .about("Measure given parameters on given examples: loss, gradient, curvature, signal")
        .arg(list)
        .arg(model_files::model_flag())
        .arg(model_files::path_flag("weights", "The parameters, a safetensors file"))
        .arg(model_files::path_flag(
            "reference-weights",
            "Other parameters of the network, for kernel-alignment and cka",
        ))
        .arg(model_files::path_flag("data", "The examples, a safetensors file with the tensors x and y"))
        .args(measure_recording::arguments())
        .arg(probe)
        .arg(model_files::dtype_flag("f64"))
        .arg(model_files::device_flag())
        .arg(number("top-k", "5", "Eigenvalues wanted"))
        .arg(tolerance)
        .arg(number("products", "1000", "Products with the Hessian that a search may spend"))
        .arg(vectors)
        .arg(statistics)
        .arg(minibatch)
        .arg(kernel)
        .arg(number("seed", "0", "Of the random vectors"))
        .arg(json)
}

pub fn run(matches: &ArgMatches) -> anyhow::Result<()> {
    if matches.get_flag("list") {
        list();
        return Ok(());
    }
    let probes = probes(matches)?;
    if let Some(path) = matches.get_one::<PathBuf>("recording") {
        return measure_recording::run(path, matches, &probes);
    }
    let mut model = model_files::model(model_files::path(matches, "model")?)?;
    choose_statistics(matches, &mut model);
    let built = model.measured()?;
    let weights_path = model_files::path(matches, "weights")?;
    let weights = weights_file::read(weights_path, built.layout())?;
    let reference_path = matches.get_one::<PathBuf>("reference-weights");
    let reference = reference_path.map(|path| weights_file::read(path, built.layout())).transpose()?;
    let data_path = model_files::path(matches, "data")?;
    let examples = model_files::examples(data_path, &model.shapes())?;
    let device = device::open(model_files::device(matches))?;
    let dtype = model_files::dtype(matches);
    let json_path = matches.get_one::<PathBuf>("json");
    if let Some(path) = json_path.filter(|path| path.as_os_str() != "-") {
        model_files::check_new_file(path, "json")?;
    }
    let silent = json_path.is_some_and(|path| path.as_os_str() == "-");
    let order = Order {
        model: &model,
        weights: &weights,
        reference: reference.as_deref(),
        examples: &examples,
        dtype,
        device: &device,
        seed: whole(matches, "seed"),
        options: options(matches, dtype == candle_core::DType::F32)?,
    };
    let mut answers = Vec::new();
    measure_all(&order, &probes, |answer| {
        if !silent {
            print(&answer);
        }
        answers.push(answer);
    })?;
    let Some(path) = json_path else { return Ok(()) };
    let mut report = json!({
        "program_version": env!("CARGO_PKG_VERSION"),
        "model": built.title(),
        "parameters": built.layout().total(),
        "weights": weights_path,
        "reference_weights": reference_path,
        "data": data_path,
        "device": device::title(&device),
        "seed": order.seed,
    });
    if let Some(statistics) = built.statistics() {
        report["statistics"] = statistics.into();
    }
    write(path, &report, &answers)
}

/// The report with the answers last, in their order and in the order of their fields.
pub(super) fn write(path: &Path, report: &serde_json::Value, answers: &[Answer]) -> anyhow::Result<()> {
    let head = serde_json::to_string(report)?;
    let answers: Vec<_> = answers.iter().map(serde_json::to_string).collect::<Result<_, _>>()?;
    let text = format!("{},\"measurements\":[\n{}\n]}}", head.trim_end_matches('}'), answers.join(",\n"));
    if path.as_os_str() == "-" {
        println!("{text}");
        return Ok(());
    }
    std::fs::write(path, text + "\n").with_context(|| format!("can't write {path:?}; give --json another place, or -"))
}

fn list() {
    println!("Probes of `landscope measure` (the whole definitions: docs/MEASURE.md)");
    for Measurement { id, title, formula, cost, source, .. } in MEASUREMENTS {
        println!("\n  {id}: {title}\n    {formula}\n    Costs {cost}\n    {source}");
    }
}

/// Flags go before the file.
fn choose_statistics(matches: &ArgMatches, model: &mut ModelFile) {
    let chosen = match matches.get_one::<String>("statistics").map(String::as_str) {
        Some("batch") => Some(Statistics::Batch),
        Some("recomputed") => Some(Statistics::Recomputed),
        Some("frozen") => Some(Statistics::Frozen),
        _ => None,
    };
    model.statistics = chosen.or(model.statistics);
    model.batch_size = matches.get_one::<u64>("batch-size").map(|&size| size as usize).or(model.batch_size);
}

fn probes(matches: &ArgMatches) -> anyhow::Result<Vec<&'static Measurement>> {
    let ids = || MEASUREMENTS.iter().map(|one| one.id).collect::<Vec<_>>().join(", ");
    let Some(wanted) = matches.get_many::<String>("probe") else {
        if matches.get_flag("add") {
            return Ok(Vec::new());
        }
        bail!("--probe is missing; give --probe with `all` or one of {}", ids());
    };
    let compares = matches.contains_id("reference-weights");
    let mut found = Vec::new();
    for id in wanted {
        if id == "all" {
            let possible = |one: &&&Measurement| compares || !COMPARISONS.contains(&one.id);
            found.extend(MEASUREMENTS.iter().filter(possible));
            continue;
        }
        match MEASUREMENTS.iter().find(|one| one.id == id) {
            Some(one) if COMPARISONS.contains(&one.id) && !compares => {
                bail!("--probe {id} compares with other parameters; give them with --reference-weights FILE")
            }
            Some(one) => found.push(*one),
            None => bail!("--probe can't be {id:?}; give `all` or one of {}", ids()),
        }
    }
    Ok(found)
}

pub(super) fn whole(matches: &ArgMatches, id: &str) -> u64 {
    matches.get_one::<u64>(id).copied().unwrap_or(0)
}

pub(super) fn options(matches: &ArgMatches, single: bool) -> anyhow::Result<Options> {
    let within = |id: &str, least: u64, most: u64| {
        let value = whole(matches, id);
        if !(least..=most).contains(&value) {
            bail!("--{id} can't be {value}; give a whole number from {least} to {most}");
        }
        Ok(value as usize)
    };
    let tolerance = match matches.get_one::<f64>("tolerance") {
        Some(value) if *value > 0.0 && *value < 1.0 => *value,
        Some(value) => bail!("--tolerance can't be {value}; give a number above 0 and below 1, such as 1e-8"),
        None if single => TOLERANCE_F32,
        None => TOLERANCE_F64,
    };
    let vectors = matches.get_one::<String>("test-vectors").map_or("100", String::as_str);
    let test_vectors = match (vectors, vectors.parse()) {
        ("all", _) => 0,
        (_, Ok(count)) if (2..=1_000_000).contains(&count) => count,
        _ => bail!("--test-vectors can't be {vectors:?}; give a whole number from 2 to 1000000, or `all`"),
    };
    Ok(Options {
        top_k: within("top-k", 1, 1_000)?,
        tolerance,
        most_products: within("products", 1, 1_000_000)?,
        test_vectors,
        kernels: match matches.get_one::<String>("kernel").map(String::as_str) {
            Some("per-output") => Kernels::PerOutput,
            Some("full") => Kernels::Full,
            _ => Kernels::Traced,
        },
    })
}

pub(super) fn print(answer: &Answer) {
    let circumstances = &answer.circumstances;
    let line = format!("{}{}", shown(&answer.value), sureness(answer));
    // A value by name stands below.
    println!("{}: {}", answer.id, line.trim_start_matches(", "));
    for (name, value) in &answer.parts {
        println!("    {name:32} {value:.6e}");
    }
    if let Value::Named(values) = &answer.value {
        for (name, value) in values {
            println!("    {name:32} {value:.6e}");
        }
    }
    let products = if answer.products > 0 { format!(", {} products", answer.products) } else { String::new() };
    println!(
        "    {}, {} examples, {}{products}, {:.2} s",
        circumstances.method, circumstances.examples, circumstances.dtype, circumstances.seconds
    );
}

fn shown(value: &Value) -> String {
    match value {
        Value::Number(value) => format!("{value:.9}"),
        Value::List(values) => {
            let mut words: Vec<_> = values.iter().take(SHOWN).map(|value| format!("{value:.9}")).collect();
            if values.len() > SHOWN {
                words.push(format!("and {} more", values.len() - SHOWN));
            }
            words.join(", ")
        }
        Value::Named(_) => String::new(),
        Value::Columns(columns) => {
            let names: Vec<_> = columns.iter().map(|(name, _)| name.as_str()).collect();
            format!("lists of {}; --json has their entries", names.join(", "))
        }
        Value::Matrix { columns, values } => {
            format!("a matrix of {} x {columns}; --json has its entries", values.len() / (*columns).max(1))
        }
    }
}

fn sureness(answer: &Answer) -> String {
    let mut words = String::new();
    if !answer.residuals.is_empty() {
        let largest = answer.residuals.iter().copied().fold(0.0, f64::max);
        words += &format!(", residual {largest:.1e}");
    }
    if let Some(error) = answer.standard_error {
        words += &format!(" ± {error:.2e} (standard error)");
    }
    if answer.converged == Some(false) {
        words += ", NOT converged: more --products, or a larger --tolerance";
    }
    words
}
