//! Networks of this program: curves with their curvature, then the sweep over learning rates.

use crate::record::{Reading, SeriesId, TrackId};
use crate::run::bench::{Bench, Fleet, Halt, Member, Values};
use crate::run::curvature::{Curvature, CurvatureProbe, Wanted, squared_error_factor};
use crate::run::knobs;
use crate::run::spec::RunSpec;

use super::consistency::{Compared, Measured};
use super::knobs::title;
use super::row::Row;

/// Measurements of the sharpness for one of its parts and of the kernel.
const RARER: u64 = 4;
/// Largest eigenvalues of the kernel.
const KERNEL: usize = 5;
/// Steps between records of the sweep, at least.
const SWEEP_RECORDS: u64 = 12;

/// A curve: a run with what measures it.
struct Curve {
    member: Member,
    size: f64,
    probe: CurvatureProbe,
    /// The largest eigenvalue of the kernel at the start.
    first_kernel: Option<f64>,
    /// To the papers' loss.
    factor: f64,
}

pub fn run(bench: &mut Bench<'_>) -> Result<(), Halt> {
    let values = bench.values().clone();
    let rows = Row::all(&values);
    let (steps, every) = (values.int("steps") as u64, values.int("every") as u64);
    let sweep_steps = values.int("sweep-steps") as u64;
    bench.plan(steps + 1 + sweep_steps);
    let mut groups = Vec::new();
    for row in &rows {
        groups.push((begin(bench, &values, row)?, row));
    }
    for step in 0..=steps {
        let factor = bench.values().float("lr-factor");
        for ((edge, compared, curves), row) in &mut groups {
            let mut measured = vec![Measured::default(); 3];
            for curve in curves.iter_mut() {
                if step % every == 0 {
                    let with_parts = values.toggle("parts") && step % (RARER * every) == 0;
                    measure(bench, step, curve, with_parts, &mut measured)?;
                }
                let lr = curve.factor * row.eta0 * factor;
                curve.member.set_live(|spec| spec.optimizer.lr = lr);
                if let Some(report) = curve.member.step()? {
                    let loss = curve.factor * report.loss;
                    bench.record_scalars(curve.member.track, step, &[("loss", loss)])?;
                    measured[1].values.push([curve.size, loss]);
                }
            }
            if step % every == 0 {
                bench.record_scalars(*edge, step, &[("edge", 2.0 / (row.eta0 * factor))])?;
                compared.record(bench, step, &measured)?;
            }
        }
        bench.round()?;
    }
    if sweep_steps > 0 { sweep(bench, &values, &rows, sweep_steps) } else { Ok(()) }
}

/// The edge, the comparison and the curves of a row.
fn begin(bench: &mut Bench<'_>, values: &Values, row: &Row) -> Result<(TrackId, Compared, Vec<Curve>), Halt> {
    let axis = values.choice("axis");
    let edge = super::edge_track(bench, row)?;
    let base = [("place", row.place), ("parametrization", row.parametrization.as_str())];
    let compared = Compared::begin(bench, row, values.numbers("sizes").len(), false)?;
    let mut curves = Vec::new();
    for &size in values.numbers("sizes") {
        let text = size.to_string();
        let track =
            bench.track(&format!("{axis} {text}"), &[base[0], base[1], ("kind", "curve"), (axis, text.as_str())])?;
        let mut member = Member::new(track, spec(values, row, size, row.eta0, values.seed).map_err(Halt::Error)?)?;
        let factor = squared_error_factor(member.trainer());
        member.set_live(|spec| spec.optimizer.lr = factor * row.eta0);
        let wanted = Wanted { examples: values.int("examples"), ..Wanted::default() };
        curves.push(Curve { member, size, probe: CurvatureProbe::new(wanted), first_kernel: None, factor });
    }
    Ok((edge, compared, curves))
}

fn measure(
    bench: &mut Bench<'_>,
    step: u64,
    curve: &mut Curve,
    with_parts: bool,
    measured: &mut [Measured],
) -> Result<(), Halt> {
    if curve.member.diverged().is_some() {
        return Ok(());
    }
    let trainer = curve.member.trainer();
    let also = Wanted { parts: true, kernel: KERNEL, tolerance: 0.05, most_products: 40, ..Wanted::default() };
    let found = if with_parts { curve.probe.measure_also(trainer, also)? } else { curve.probe.measure(trainer)? };
    let Some(found) = found else { return Ok(()) };
    let sharpness = curve.factor * found.sharpness.value;
    measured[0].values.push([curve.size, sharpness]);
    if let Some(top) = found.kernel.first() {
        measured[2].values.push([curve.size, top.value]);
    }
    let readings = readings(curve, &found, sharpness);
    bench.record(curve.member.track, step, readings)
}

fn readings(curve: &mut Curve, found: &Curvature, sharpness: f64) -> Vec<(SeriesId, Reading)> {
    let scalar = |name: &str, value| (SeriesId::owned(name), Reading::Scalar(value));
    let mut readings = vec![scalar("sharpness", sharpness)];
    if let (Some(g), Some(r)) = (&found.gauss_newton, &found.residual) {
        readings.push(scalar("gauss-newton", curve.factor * g.value));
        readings.push(scalar("residual", curve.factor * r.value.abs()));
    }
    if let Some(top) = found.kernel.first() {
        let first = *curve.first_kernel.get_or_insert(top.value);
        readings.push(scalar("kernel", top.value));
        readings.push(scalar("kernel-drift", top.value / first - 1.0));
        let values = found.kernel.iter().map(|eigenvalue| eigenvalue.value as f32).collect();
        readings.push((SeriesId::owned("kernel-eigenvalues"), Reading::Vector(values)));
    }
    readings
}

/// The loss at each rate and size, all growing together.
fn sweep(bench: &mut Bench<'_>, values: &Values, rows: &[Row], steps: u64) -> Result<(), Halt> {
    let axis = values.choice("axis");
    let standard = Row { place: "third", parametrization: "standard".into(), eta0: 1.0, gamma0: 1.0, exponent: 0.5 };
    let third = values.toggle("sweep-standard").then_some(&standard);
    let mut fleet = Fleet::default();
    let mut factors = Vec::new();
    for row in rows.iter().chain(third) {
        let rates = if row.parametrization == "standard" { "rates-standard" } else { "rates" };
        for &size in values.numbers("sizes") {
            for &eta0 in values.numbers(rates) {
                let (text, rate) = (size.to_string(), eta0.to_string());
                let attributes = [
                    ("place", row.place),
                    ("parametrization", row.parametrization.as_str()),
                    ("kind", "sweep"),
                    (axis, text.as_str()),
                    ("eta0", rate.as_str()),
                ];
                let label = format!("{}, {axis} {text}, η₀ {rate}", title(&row.parametrization));
                let track = bench.track(&label, &attributes)?;
                let mut member = Member::new(track, spec(values, row, size, eta0, values.seed).map_err(Halt::Error)?)?;
                let factor = squared_error_factor(member.trainer());
                member.set_live(|spec| spec.optimizer.lr = factor * eta0);
                factors.push(factor);
                fleet.0.push(member);
            }
        }
    }
    let every = (steps / SWEEP_RECORDS).max(1);
    for step in 0..=steps {
        for (member, factor) in fleet.0.iter_mut().zip(&factors) {
            let was_lost = member.diverged().is_some();
            // The loss is that before the update, so that the last update is one more than is told of.
            let loss = match member.step()? {
                Some(report) if step % every == 0 || step == steps => report.loss,
                None if !was_lost => f64::NAN,
                _ => continue,
            };
            bench.record_scalars(member.track, step, &[("sweep-loss", factor * loss)])?;
        }
        bench.round()?;
    }
    Ok(())
}

/// The run of one size and rate. The first matrix learns at 1/fan-in of its rate, as a multiplier `D^-1/2` in front of it would
/// have it; biases stay at zero.
fn spec(values: &Values, row: &Row, size: f64, eta0: f64, seed: u64) -> Result<RunSpec, String> {
    let model = values.choice("model");
    let by_depth = values.choice("axis") == "depth";
    let other = values.int("fixed-size") as f64;
    let (width, depth) = if by_depth { (other, size) } else { (size, other) };
    let pictures = !super::knobs::data(values).is_empty();
    let channels = if pictures { 3.0 } else { 1.0 };
    let fan_in = match model {
        "conv-net" | "residual-conv-net" => 9.0 * channels,
        "vision-transformer" => 4.0 * channels,
        _ if pictures => 3_072.0,
        _ => 64.0,
    };
    let standard = row.parametrization == "standard";
    let mut spec = RunSpec { seed, ..RunSpec::default() };
    let mut set = |id: &str, text: &str| -> Result<(), String> {
        let knob = knobs::find(id).ok_or_else(|| format!("there is no knob {id}"))?;
        knob.set(&mut spec, &knob.parse(text)?)
    };
    let parametrization = match row.parametrization.as_str() {
        "ntk" | "gamma-power" => "gamma-power",
        other => other,
    };
    set("model", model)?;
    if model == "gpt" {
        set("task", "source-characters")?;
        set("context", "16")?;
    } else if pictures {
        set("task", "cifar10")?;
        set("data", super::knobs::data(values))?;
    }
    let texts = [
        ("parametrization", parametrization.to_owned()),
        ("gamma-exponent", row.exponent.to_string()),
        ("gamma0", row.gamma0.to_string()),
        ("base-width", "1".into()),
        ("base-depth", "1".into()),
        ("width", width.to_string()),
        ("depth", depth.to_string()),
        ("activation", values.choice("activation").into()),
        ("loss", if model == "gpt" { "cross-entropy".into() } else { values.choice("loss").into() }),
        ("optimizer", "sgd".into()),
        ("momentum", "0".into()),
        ("weight-decay", "0".into()),
        ("lr", eta0.to_string()),
        ("rate-input", if standard { "1".into() } else { (1.0 / fan_in).to_string() }),
        ("rate-vectors", "0".into()),
        ("train-size", values.int("examples").to_string()),
        ("batch-size", values.int("batch").to_string()),
        ("steps", values.int("steps").to_string()),
    ];
    texts.iter().try_for_each(|(id, text)| set(id, text))?;
    Ok(spec)
}
