//! The equation as plain numbers: `landscope theory shaped-transformer`.

use crate::base::rng::Streams;
use crate::base::statistics::quantile;
use crate::labs::{Inputs, Table};
use crate::run::bench::Values;
use crate::theory::shaped_correlation;
use crate::theory::shaped_paths::{Paths, diffusion};
use crate::theory::shaped_transformer::Shaped;

use super::knobs::Setting;
use super::protocol::QUANTILES;

/// The matrix that takes the place of the tokens' covariance at the input.
const COVARIANCE: &str = "V";

pub fn tables(values: &Values, inputs: &Inputs) -> Result<Vec<Table>, String> {
    inputs.only(&[COVARIANCE])?;
    let mut setting = Setting::of(values);
    if let Some(array) = inputs.get(COVARIANCE) {
        setting.shaped.tokens = array.rows;
        setting.start = covariance(array.rows, array.columns, &array.values)?;
    }
    let paths = values.int("paths");
    let streams = Streams::new(values.seed);
    let mut tables = vec![
        quantiles(&setting, paths, streams),
        drift(&setting.shaped, &setting.start),
        diffusion_matrix(&setting.shaped, &setting.start),
    ];
    if setting.shaped.tokens > 1 {
        let [drift, square] = setting.shaped.correlation_change(&setting.start);
        let about =
            "Drift and squared diffusion a unit of time of the correlation of tokens 1 and 2 at V, by Ito's formula";
        tables.push(
            Table::new("correlation_step", about)
                .column("correlation", vec![setting.start[1] / (setting.start[0] * second(&setting)).sqrt()])
                .column("drift", vec![drift])
                .column("squared_diffusion", vec![square]),
        );
    }
    if !setting.shaped.attention && setting.shaped.tokens > 1 {
        tables.push(alone(&setting, paths, streams));
    }
    if setting.shaped.mlp {
        tables.push(kernel(&setting.shaped));
    }
    Ok(tables)
}

fn second(setting: &Setting) -> f64 {
    setting.start[setting.shaped.tokens + 1]
}

/// # Errors
/// One sentence that says what of the matrix is wrong.
fn covariance(rows: usize, columns: usize, values: &[f64]) -> Result<Vec<f64>, String> {
    let refuse = |what: String| Err(format!("V {what}; give the covariance of the tokens, [m, m] with m from 1 to 8"));
    if rows != columns || !(1..=8).contains(&rows) {
        return refuse(format!("can't be [{rows}, {columns}]"));
    }
    let size = (0..rows).map(|a| values[a * rows + a]).fold(0.0, f64::max);
    for (at, value) in values.iter().enumerate() {
        let (a, b) = (at / rows, at % rows);
        if !value.is_finite() {
            return refuse(format!("has the entry {value} at ({}, {})", a + 1, b + 1));
        }
        if (value - values[b * rows + a]).abs() > 1e-9 * size {
            return refuse(format!("isn't symmetric at ({}, {})", a + 1, b + 1));
        }
        if a == b && *value <= 0.0 {
            return refuse(format!("has the variance {value} at ({}, {})", a + 1, b + 1));
        }
    }
    if !crate::theory::shaped_paths::in_cone(rows, values) {
        return refuse("isn't positive semidefinite".into());
    }
    Ok(values.to_vec())
}

fn quantiles(setting: &Setting, count: usize, streams: Streams) -> Table {
    let Setting { shaped, start, dt, kept, each, .. } = setting;
    let paths = diffusion(shaped, start, setting.end(), *dt, *kept, 0..count, streams);
    let over = |of: &dyn Fn(usize) -> f64| (0..=*kept).map(of).collect::<Vec<_>>();
    let about = "Quantiles over paths of dV = b dt + Sigma^1/2 dB (Euler-Maruyama), of the correlation of tokens 1 and 2 among those that haven't exploded, and \
                 of the variance of token 1, where exploded ones count as infinite; median variance of token 2; mean |rho|; share exploded";
    let mut table = Table::new("equation", about)
        .column("layer", over(&|at| (at * each) as f64))
        .column("time", paths.times.clone());
    for q in QUANTILES {
        let name = format!("correlation_q{:02.0}", 100.0 * q);
        table = table.column(&name, over(&|at| paths.correlation_quantiles(at, &[q])[0]));
    }
    for q in QUANTILES {
        let name = format!("variance_q{:02.0}", 100.0 * q);
        table = table.column(&name, over(&|at| Paths::variance_quantiles(&paths.variances[at], &[q])[0]));
    }
    let exploded = paths.exploded();
    table
        .column("second_variance_q50", over(&|at| Paths::variance_quantiles(&paths.second_variances[at], &[0.5])[0]))
        .column("mean_absolute_correlation", over(&|at| paths.mean_absolute_correlation(at)))
        .column("exploded", over(&|at| exploded[at] as f64 / count as f64))
}

/// Indices from 1 of the upper triangle.
fn pairs(m: usize) -> Vec<(usize, usize)> {
    (0..m).flat_map(|a| (a..m).map(move |b| (a, b))).collect()
}

fn drift(shaped: &Shaped, v: &[f64]) -> Table {
    let m = shaped.tokens;
    let b = shaped.drift(v);
    let pairs = pairs(m);
    let of = |of: &dyn Fn(usize, usize) -> f64| pairs.iter().map(|&(a, b)| of(a, b)).collect::<Vec<_>>();
    Table::new("drift", "b at V: n times the mean change of V[a, b] in one layer, in the limit of large n")
        .column("a", of(&|a, _| (a + 1) as f64))
        .column("b", of(&|_, b| (b + 1) as f64))
        .column("v", of(&|a, b| v[a * m + b]))
        .column("drift", of(&|i, j| b[i * m + j]))
}

fn diffusion_matrix(shaped: &Shaped, v: &[f64]) -> Table {
    let m = shaped.tokens;
    let sigma = shaped.covariance(v);
    let rows: Vec<_> =
        pairs(m).into_iter().flat_map(|first| pairs(m).into_iter().map(move |other| (first, other))).collect();
    let of =
        |of: &dyn Fn((usize, usize), (usize, usize)) -> f64| rows.iter().map(|&(i, j)| of(i, j)).collect::<Vec<_>>();
    Table::new(
        "covariance",
        "Sigma at V: n times the covariance of the changes of V[a, b] and V[d, w] in one layer, in the limit",
    )
    .column("a", of(&|i, _| (i.0 + 1) as f64))
    .column("b", of(&|i, _| (i.1 + 1) as f64))
    .column("d", of(&|_, j| (j.0 + 1) as f64))
    .column("w", of(&|_, j| (j.1 + 1) as f64))
    .column("covariance", of(&|i, j| sigma[(i.0 * m + i.1) * m * m + j.0 * m + j.1]))
}

fn alone(setting: &Setting, count: usize, streams: Streams) -> Table {
    let Setting { shaped, start, dt, kept, each, .. } = setting;
    let rho = start[1] / (start[0] * second(setting)).sqrt();
    let paths = shaped_correlation::correlations(shaped, rho, setting.end(), *dt, *kept, 0..count, streams);
    let about = "Quantiles of d rho = gamma^2 [nu(rho) - rho (1 - rho^2)] dt + sqrt(2) gamma (1 - rho^2) dB, the correlation in a network of MLPs alone";
    let mut table = Table::new("correlation_alone", about)
        .column("layer", (0..=*kept).map(|at| (at * each) as f64).collect())
        .column("time", (0..=*kept).map(|at| setting.end() * at as f64 / *kept as f64).collect());
    for q in QUANTILES {
        let values = paths.iter().map(|at| quantile(at, q).unwrap_or(f64::NAN)).collect();
        table = table.column(&format!("correlation_q{:02.0}", 100.0 * q), values);
    }
    table
}

fn kernel(shaped: &Shaped) -> Table {
    let rho: Vec<f64> = (-20..=20).map(|i| f64::from(i) / 20.0).collect();
    let of = |of: &dyn Fn(f64) -> f64| rho.iter().map(|&rho| of(rho)).collect::<Vec<_>>();
    let about = "The shaped MLP: nu(rho) = (c_+ - c_-)^2/(2 pi) (sqrt(1 - rho^2) - rho arccos rho), times c at the networks' width with finite-width; drift and \
                 diffusion of the correlation in a network of MLPs alone";
    Table::new("mlp", about)
        .column("correlation", rho.clone())
        .column("nu", of(&|rho| shaped.nu(rho)))
        .column("drift", of(&|rho| shaped_correlation::change(shaped, rho)[0]))
        .column("diffusion", of(&|rho| shaped_correlation::change(shaped, rho)[1]))
}
