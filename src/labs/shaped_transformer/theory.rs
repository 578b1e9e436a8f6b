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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labs::table::Array;
    use crate::run::bench::Preset;

    fn values(set: &[(&str, &str)]) -> Values {
        let mut values = Values::preset(super::super::knobs::KNOBS, Preset::Instant);
        for (id, text) in [("paths", "64"), ("width", "32")].iter().chain(set) {
            values.set_text(id, text).unwrap();
        }
        values
    }

    fn inputs(name: &str, rows: usize, columns: usize, values: &[f64]) -> Inputs {
        Inputs([(name.to_owned(), Array { rows, columns, values: values.to_vec() })].into())
    }

    fn column<'a>(tables: &'a [Table], table: &str, name: &str) -> &'a [f64] {
        let table = tables.iter().find(|t| t.name == table).unwrap();
        &table.columns.iter().find(|(column, _)| column == name).unwrap().1
    }

    /// `b_11 = gamma^2 (1 - r)^2/(4 tau_0^2)`, `b_12 = r b_11`, `Sigma_11,11 = 2 gamma^2 (2 - gamma^2) + gamma^4 (1 - r)^3/(2 tau_0^2)`.
    #[test]
    fn a_given_covariance_has_its_closed_forms() {
        let r = 0.3;
        let values = values(&[("block", "attention"), ("gamma", "0.6"), ("temperature", "0.8")]);
        let tables = tables(&values, &inputs("V", 2, 2, &[1.0, r, r, 1.0])).unwrap();
        let b = 0.36 * (1.0 - r) * (1.0 - r) / (4.0 * 0.64);
        let drift = column(&tables, "drift", "drift");
        assert!((drift[0] - b).abs() < 1e-14 && (drift[1] - r * b).abs() < 1e-14 && (drift[2] - b).abs() < 1e-14);
        let sigma = column(&tables, "covariance", "covariance");
        let known = 2.0 * 0.36 * 1.64 + 0.36 * 0.36 * (1.0 - r).powi(3) / (2.0 * 0.64);
        assert!((sigma[0] - known).abs() < 1e-14 && sigma.len() == 9);
        // From T n = 24 layers, all kept.
        assert_eq!(column(&tables, "equation", "layer").len(), 25);
        assert_eq!(column(&tables, "equation", "correlation_q50")[0], r);
        assert!(tables.iter().all(|table| table.columns.iter().all(|(_, v)| v.len() == table.columns[0].1.len())));
    }

    #[test]
    fn mlps_have_an_equation_of_the_correlation() {
        let tables = tables(&values(&[("block", "mlp"), ("finite-width", "true")]), &Inputs::default()).unwrap();
        let nu = column(&tables, "mlp", "nu");
        // c at n = 32 and c_- = -1.
        let slope = 1.0 - 1.0 / 32.0_f64.sqrt();
        let known = 2.0 / (1.0 + slope * slope) / (2.0 * std::f64::consts::PI);
        assert!((nu[20] - known).abs() < 1e-14 && nu[40].abs() < 1e-15, "at 0 and at 1");
        assert_eq!(column(&tables, "correlation_alone", "correlation_q05")[0], 0.2);
        let (step, drift) = (column(&tables, "correlation_step", "drift"), column(&tables, "mlp", "drift"));
        assert!((step[0] - drift[24]).abs() < 1e-13, "both at 0.2");
    }

    #[test]
    fn what_is_no_covariance_is_refused_in_words() {
        let refused = |inputs: &Inputs| tables(&values(&[]), inputs).unwrap_err();
        assert!(refused(&inputs("W", 2, 2, &[1.0; 4])).contains("\"W\""));
        assert!(refused(&inputs("V", 2, 1, &[1.0; 2])).contains("[2, 1]"));
        assert!(refused(&inputs("V", 2, 2, &[1.0, 0.5, 0.2, 1.0])).contains("symmetric"));
        assert!(refused(&inputs("V", 2, 2, &[1.0, 0.0, 0.0, 0.0])).contains("variance 0"));
        assert!(refused(&inputs("V", 2, 2, &[1.0, 2.0, 2.0, 1.0])).contains("semidefinite"));
        assert!(refused(&inputs("V", 2, 2, &[1.0, f64::NAN, f64::NAN, 1.0])).contains("NaN"));
    }
}
