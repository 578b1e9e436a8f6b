//! The linear network: exact curves first, then the sweep, then networks of this program beside them.

use crate::record::TrackId;
use crate::run::bench::{Bench, Halt, Values};
use crate::run::linear_networks::{LinearRun, Start};
use crate::theory::linear_network::{LinearNetwork, Regression};

use super::consistency::{Compared, Measured};
use super::problem::{Problem, limit, network, weights};
use super::row::Row;

/// Draws of the weights behind each point of the sweep.
const REPEATS: u64 = 3;

/// A curve of the exact model.
struct Curve {
    track: TrackId,
    /// None for the limit.
    size: Option<usize>,
    model: LinearNetwork,
    /// Its loss at the start.
    first: f64,
}

/// Times its start that a loss is followed: a limit that has no catapult would leave no room for what has one.
const FOLLOWED: f64 = 1e4;

pub fn run(bench: &mut Bench<'_>) -> Result<(), Halt> {
    let values = bench.values().clone();
    let problem = Problem::draw(&values, bench.streams());
    let task = problem.regression();
    let rows = Row::all(&values);
    let (steps, every) = (values.int("steps") as u64, values.int("every") as u64);
    let networks = sizes(&values).filter(|n| *n <= values.int("networks")).count() * rows.len();
    bench.plan((steps / every + 1) + rows.len() as u64 + networks as u64);
    let mut curves = Vec::new();
    for row in &rows {
        curves.push((begin(bench, &values, row, &task)?, row));
    }
    for step in (0..=steps).step_by(every as usize) {
        for ((curves, compared), row) in &mut curves {
            measure(bench, step, curves, compared)?;
            for curve in curves {
                (0..every).for_each(|_| curve.model.step(row.eta0));
            }
        }
        bench.round()?;
    }
    for row in &rows {
        if values.int("sweep-steps") > 0 {
            sweep(bench, &values, row, &task)?;
        }
        bench.round()?;
    }
    for ((curves, compared), row) in &curves {
        beside(bench, &values, row, &problem, curves, compared)?;
    }
    Ok(())
}

fn sizes(values: &Values) -> impl Iterator<Item = usize> {
    values.numbers("sizes").iter().map(|size| *size as usize)
}

/// The tracks of a row: the edge, the comparison, the limit and one a width.
fn begin(bench: &mut Bench<'_>, values: &Values, row: &Row, task: &Regression) -> Result<(Vec<Curve>, Compared), Halt> {
    super::edge(bench, row, values.int("steps") as u64)?;
    let compared = Compared::begin(bench, row, sizes(values).count(), true)?;
    let track = bench.track("width ∞", &attributes(row, "limit", &[]))?;
    let curve = |track, size, model: LinearNetwork| Curve { track, size, first: model.loss(), model };
    let mut curves = vec![curve(track, None, limit(task, row, bench.streams()))];
    for n in sizes(values) {
        let track = bench.track(&format!("width {n}"), &attributes(row, "curve", &[("width", &n.to_string())]))?;
        let drawn = weights(bench.streams(), values.int("features"), n, 0);
        curves.push(curve(track, Some(n), network(task, row, n, &drawn)));
    }
    Ok((curves, compared))
}

fn attributes<'a>(row: &'a Row, kind: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [("place", row.place), ("parametrization", row.parametrization.as_str()), ("kind", kind)]
        .into_iter()
        .chain(more.iter().copied())
        .collect()
}

/// Records what is exact at this step, and how far the widths are from the limit.
fn measure(bench: &mut Bench<'_>, step: u64, curves: &[Curve], compared: &Compared) -> Result<(), Halt> {
    let mut measured = vec![Measured::default(); 3];
    for curve in curves {
        // A difference of larger numbers: below their rounding it may come out negative.
        let loss = curve.model.loss().max(0.0);
        let Some(found) = curve.model.sharpness().filter(|_| loss < FOLLOWED * curve.first) else { continue };
        let prefix = if curve.size.is_some() { "" } else { "limit-" };
        let numbers = [("sharpness", found.hessian), ("loss", loss), ("kernel", found.gauss_newton)];
        for (measured, (_, value)) in measured.iter_mut().zip(numbers) {
            match curve.size {
                Some(n) => measured.values.push([n as f64, value]),
                None => measured.limit = Some(value),
            }
        }
        let named: Vec<(String, f64)> = numbers
            .into_iter()
            .chain([("gauss-newton", found.gauss_newton), ("residual", found.residual)])
            .map(|(name, value)| (format!("{prefix}{name}"), value))
            .collect();
        let scalars: Vec<(&str, f64)> = named.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        bench.record_scalars(curve.track, step, &scalars)?;
    }
    compared.record(bench, step, &measured)
}

/// The loss after some steps at each rate and width.
fn sweep(bench: &mut Bench<'_>, values: &Values, row: &Row, task: &Regression) -> Result<(), Halt> {
    let steps = values.int("sweep-steps") as u64;
    for n in sizes(values) {
        for repeat in 0..REPEATS {
            let drawn = weights(bench.streams(), values.int("features"), n, repeat);
            let start = network(task, row, n, &drawn);
            for eta0 in values.numbers("rates") {
                let (width, rate, repeat) = (n.to_string(), eta0.to_string(), repeat.to_string());
                let more = [("width", width.as_str()), ("eta0", rate.as_str()), ("repeat", repeat.as_str())];
                let track = bench.track(&format!("width {n}, η₀ {eta0}"), &attributes(row, "sweep", &more))?;
                let mut model = start.clone();
                (0..steps).for_each(|_| model.step(*eta0));
                let loss = model.loss();
                // Ten times the start counts as diverged, as it does in training.
                let loss = if loss < 10.0 * start.loss() { loss } else { f64::NAN };
                bench.record_scalars(track, steps, &[("sweep-loss", loss)])?;
            }
        }
    }
    Ok(())
}

/// Networks of this program with the same weights, on the same tracks.
fn beside(
    bench: &mut Bench<'_>,
    values: &Values,
    row: &Row,
    problem: &Problem,
    curves: &[Curve],
    compared: &Compared,
) -> Result<(), Halt> {
    let (steps, every) = (values.int("steps") as u64, values.int("every") as u64);
    let task = problem.regression();
    let mut worst = 0.0_f64;
    for curve in curves {
        let Some(n) = curve.size.filter(|n| *n <= values.int("networks")) else { continue };
        let (e, v) = weights(bench.streams(), problem.features, n, 0);
        let mut exact = network(&task, row, n, &(e.clone(), v.clone()));
        let start = Start { x: &problem.x, y: &problem.y, e: &e, v: &v };
        let mut run = LinearRun::new(&start, row.gamma0, row.exponent)?;
        for step in 0..=steps {
            let known = exact.loss();
            if step % every == 0 {
                let mut scalars = vec![("network-loss", run.loss()?)];
                if let (Some(found), Some(known)) = (run.hessian_sharpness()?, exact.sharpness()) {
                    scalars.push(("network-sharpness", found));
                    worst = worst.max((found / known.hessian - 1.0).abs());
                }
                bench.record_scalars(curve.track, step, &scalars)?;
            }
            let loss = run.step(row.eta0)?;
            if known.is_finite() {
                worst = worst.max((loss - known).abs() / known.max(1.0));
            }
            exact.step(row.eta0);
        }
        bench.round()?;
    }
    if worst > 0.0 {
        bench.record_scalars(compared.sharpness(), steps, &[("network-deviation", worst)])?;
    }
    Ok(())
}
