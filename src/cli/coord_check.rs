//! `landscope coord-check`: does the scale of activations depend on the width?

use anyhow::{anyhow, bail};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use crate::base::statistics::LineFit;
use crate::record::coord_check::{FLAT, WRONG, with_error};
use crate::record::{CoordCheck, Statistic};
use crate::run::coord_check::{CoordCheckEvent, CoordCheckOptions, CoordCheckSession};

use super::knob_flags;

pub fn command() -> Command {
    let number = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name("N").value_parser(value_parser!(u64)).help(help)
    };
    let widths = Arg::new("widths")
        .long("widths")
        .value_name("N,N,...")
        .help("Widths to train, at least three [default: 32,64,128,256,512]");
    let json = Arg::new("json")
        .long("json")
        .action(ArgAction::SetTrue)
        .help("One JSON object on standard output: verdicts, and slopes and scales at every step");
    let command = Command::new("coord-check")
        .about("Train at several widths and fit how activations and their change scale with width, with a verdict a module")
        .arg(widths)
        .arg(number("seeds", "Runs a width [default: 3]"))
        .arg(number("examples", "Training examples whose activations are looked at [default: 64]"))
        .arg(json);
    knob_flags::add(command).mut_arg("steps", |steps| steps.help("Updates a run [default: 30]"))
}

pub fn run(matches: &ArgMatches) -> anyhow::Result<()> {
    let spec = knob_flags::spec(matches)?;
    let options = options(matches, spec.steps as usize)?.checked(&spec).map_err(|message| anyhow!("--{message}"))?;
    let bar = if matches.get_flag("json") { ProgressBar::hidden() } else { ProgressBar::new(0) };
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} updates  {msg}  {eta} left");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let session = CoordCheckSession::start(spec, options, std::sync::Arc::new(|| {}))?;
    for event in session.events() {
        match event {
            CoordCheckEvent::Progress(progress) => {
                bar.set_length(progress.updates as u64);
                bar.set_position(progress.done as u64);
                bar.set_message(format!("width {}", progress.width));
            }
            CoordCheckEvent::Done(check) => {
                bar.finish_and_clear();
                if matches.get_flag("json") {
                    println!("{}", object(&check));
                } else {
                    print(&check);
                }
                return Ok(());
            }
            CoordCheckEvent::Failed(message) => {
                bar.finish_and_clear();
                bail!("{message}");
            }
        }
    }
    bail!("the check ended without a word; this is a bug")
}

fn options(matches: &ArgMatches, steps: usize) -> anyhow::Result<CoordCheckOptions> {
    let default = CoordCheckOptions::default();
    let number = |name: &str, default: usize| matches.get_one::<u64>(name).map_or(default, |&n| n as usize);
    let widths = match matches.get_one::<String>("widths") {
        None => default.widths,
        Some(text) => text.split(',').map(|part| part.trim().parse()).collect::<Result<_, _>>().map_err(|_| {
            anyhow!("--widths can't be {text:?}; give whole numbers with commas between, such as 32,64,128")
        })?,
    };
    // The knob's own default is that of a whole run.
    let steps = if matches.get_one::<String>("steps").is_some() { steps } else { default.steps };
    Ok(CoordCheckOptions {
        widths,
        seeds: number("seeds", default.seeds),
        steps,
        examples: number("examples", default.examples),
    })
}

fn print(check: &CoordCheck) {
    println!("{}", check.title);
    println!(
        "{} widths from {} to {}, {} seed{}, {} updates; slopes of log2(scale) against log2(width), ± one standard error",
        check.widths.len(),
        check.widths[0],
        check.widths[check.widths.len() - 1],
        check.seeds.len(),
        if check.seeds.len() == 1 { "" } else { "s" },
        check.steps
    );
    println!();
    let name = |module: &str| format!("{module:20}");
    println!(
        "{} {:>14} {:>14} {:>14} {:>14} {:>14}  verdict",
        name("module"),
        "size at start",
        "change, step 1",
        "first third",
        "last third",
        "size at end"
    );
    for (module, verdict) in check.verdicts().iter().enumerate() {
        let [one, end] = [check.slope(Statistic::Change, 1, module), check.slope(Statistic::Rms, check.steps, module)];
        let cells = [verdict.start, one, verdict.early, verdict.late, end].map(|fit| with_error(fit.as_ref()));
        let [a, b, c, d, e] = cells;
        println!("{} {a:>14} {b:>14} {c:>14} {d:>14} {e:>14}  {}", name(&verdict.module), verdict.finding.word());
    }
    println!();
    println!(
        "flat: the change's slope is within ±{FLAT} in the first and the last third of the updates; grows, shrinks: beyond ±{WRONG} (half the \
         least exponent that theory knows) in one of them; drifts: between, such as corrections that vanish with width"
    );
    if check.diverged() > 0 {
        println!("{} of {} runs diverged", check.diverged(), check.widths.len() * check.seeds.len());
    }
}

fn fit(fit: Option<LineFit>) -> Value {
    fit.map_or(Value::Null, |fit| json!({ "slope": fit.slope, "error": fit.slope_error, "points": fit.points }))
}

fn object(check: &CoordCheck) -> Value {
    let modules: Vec<Value> = check
        .verdicts()
        .iter()
        .enumerate()
        .map(|(module, verdict)| {
            let slopes = |statistic, from: usize| -> Vec<Value> {
                (from..=check.steps).map(|step| fit(check.slope(statistic, step, module))).collect()
            };
            let scales = |statistic, from: usize| -> Vec<Vec<f64>> {
                let widths = 0..check.widths.len();
                widths.map(|w| (from..=check.steps).map(|t| check.scale(statistic, w, t, module)).collect()).collect()
            };
            json!({
                "module": verdict.module,
                "verdict": verdict.finding.word(),
                "fails": verdict.finding.fails(),
                "change_first_third": fit(verdict.early),
                "change_last_third": fit(verdict.late),
                "rms_slopes_from_step_0": slopes(Statistic::Rms, 0),
                "change_slopes_from_step_1": slopes(Statistic::Change, 1),
                "rms_by_width_and_step": scales(Statistic::Rms, 0),
                "change_by_width_and_step": scales(Statistic::Change, 1),
            })
        })
        .collect();
    json!({
        "title": check.title,
        "widths": check.widths,
        "seeds": check.seeds,
        "steps": check.steps,
        "flat_below": FLAT,
        "wrong_from": WRONG,
        "diverged_runs": check.diverged(),
        "modules": modules,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> anyhow::Result<CoordCheckOptions> {
        let all = std::iter::once("coord-check").chain(arguments.iter().copied());
        let matches = command().try_get_matches_from(all)?;
        let spec = knob_flags::spec(&matches)?;
        options(&matches, spec.steps as usize)
    }

    #[test]
    fn a_check_is_short_unless_told_otherwise() {
        assert_eq!(parse(&[]).unwrap(), CoordCheckOptions::default());
        let options = parse(&["--widths", "16, 32,64", "--seeds", "5", "--steps", "100", "--model", "mlp"]).unwrap();
        assert_eq!((options.widths, options.seeds, options.steps), (vec![16, 32, 64], 5, 100));
    }

    #[test]
    fn bad_widths_are_named() {
        let error = parse(&["--widths", "16,wide"]).unwrap_err().to_string();
        assert!(error.contains("--widths") && error.contains("wide"), "{error}");
    }
}
