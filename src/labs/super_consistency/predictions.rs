//! What `landscope theory super-consistency` prints: the closed model for any examples, and thresholds.

use crate::base::rng::Streams;
use crate::labs::{Inputs, Table};
use crate::run::bench::Values;
use crate::theory::edge_of_stability::{gradient_descent_threshold, heavy_ball_threshold, nesterov_threshold};
use crate::theory::linear_network::{LinearNetwork, Regression, State};

use super::problem::{Problem, limit, network, weights};
use super::row::Row;

/// Momenta whose thresholds are told.
const MOMENTA: [f64; 4] = [0.0, 0.5, 0.9, 0.99];

/// Trajectories, the sharpness at the start and thresholds. Inputs: `x` `[P, D]` with `y` `[P]` in place of the drawn problem, and `e` `[D, N]` with
/// `v` `[N]` for one width with weights of one's own.
///
/// # Errors
/// One sentence that names the input and what to give.
pub fn tables(values: &Values, inputs: &Inputs) -> Result<Vec<Table>, String> {
    inputs.only(&["x", "y", "e", "v"])?;
    let rows: Vec<Row> = Row::all(values)
        .into_iter()
        .filter(|row| !["standard", "depth-mup"].contains(&row.parametrization.as_str()))
        .collect();
    if rows.is_empty() {
        return Err("the closed recursion is that of mup, ntk and gamma-power; give --first one of those".into());
    }
    let task = regression(values, inputs)?;
    let d = task.correlation.len();
    let given = given_weights(inputs, d)?;
    let mut tables = Vec::new();
    let mut starts = Vec::new();
    for row in &rows {
        let networks = networks(values, &task, row, given.as_ref())?;
        let first = networks.iter().map(|(_, network)| network.sharpness().map_or(f64::NAN, |s| s.hessian));
        starts.push((row, networks.iter().map(|(n, _)| *n).collect::<Vec<_>>(), first.collect::<Vec<_>>()));
        tables.push(trajectory(values, row, networks));
    }
    let about = "gamma^2 lambda_max(H) before the first step by parametrisation (its gamma = gamma0 N^a) and width (inf: the (3D+1)-matrix with w = 0, v = 1, M = I); \
                 NTK's limit is 2 lambda_max(X'X/P)";
    let of_rows =
        |value: fn(&Row) -> f64| starts.iter().flat_map(move |(row, widths, _)| vec![value(row); widths.len()]);
    tables.push(
        Table::new("start", about)
            .column("gamma_exponent", of_rows(|row| row.exponent).collect())
            .column("gamma0", of_rows(|row| row.gamma0).collect())
            .column("width", starts.iter().flat_map(|(_, widths, _)| widths.clone()).collect())
            .column("sharpness", starts.iter().flat_map(|(_, _, first)| first.clone()).collect()),
    );
    tables.push(thresholds(&rows));
    Ok(tables)
}

fn regression(values: &Values, inputs: &Inputs) -> Result<Regression, String> {
    match (inputs.get("x"), inputs.get("y")) {
        (None, None) => Ok(Problem::draw(values, Streams::new(values.seed)).regression()),
        (Some(x), Some(y)) if x.rows == y.values.len() && x.rows > 0 && x.columns > 0 => {
            Ok(Regression::of(&x.values, &y.values))
        }
        (Some(x), Some(y)) => {
            Err(format!("x has {} rows and y {} numbers; give a number of y for each row of x", x.rows, y.values.len()))
        }
        (Some(_), None) => Err("x was given without y; give both, or neither".into()),
        (None, Some(_)) => Err("y was given without x; give both, or neither".into()),
    }
}

type Weights = (Vec<f64>, Vec<f64>);

fn given_weights(inputs: &Inputs, d: usize) -> Result<Option<Weights>, String> {
    match (inputs.get("e"), inputs.get("v")) {
        (None, None) => Ok(None),
        (Some(e), Some(v)) if e.rows == d && e.columns == v.values.len() && e.columns > d => {
            Ok(Some((e.values.clone(), v.values.clone())))
        }
        (Some(e), Some(v)) => Err(format!(
            "e is {}x{} and v has {} numbers; give e a row for each of the {d} columns of x and a column for each number of v, more than {d}",
            e.rows,
            e.columns,
            v.values.len()
        )),
        _ => Err("e and v belong together: give both, or neither".into()),
    }
}

fn networks(
    values: &Values,
    task: &Regression,
    row: &Row,
    given: Option<&Weights>,
) -> Result<Vec<(f64, LinearNetwork)>, String> {
    let (streams, d) = (Streams::new(values.seed), task.correlation.len());
    let mut networks = Vec::new();
    if let Some((e, v)) = given {
        let n = v.len() as f64;
        let state = State::of(e, v, row.gamma(n));
        networks.push((n, LinearNetwork::new(task.clone(), row.kappa(n), state)));
    } else {
        for &n in values.numbers("sizes") {
            if n <= d as f64 {
                return Err(format!(
                    "sizes can't have {n}: the exact sharpness needs widths over the {d} columns of x; give larger widths"
                ));
            }
            networks.push((n, network(task, row, n as usize, &weights(streams, d, n as usize, 0))));
        }
    }
    networks.push((f64::INFINITY, limit(task, row, streams)));
    Ok(networks)
}

fn trajectory(values: &Values, row: &Row, networks: Vec<(f64, LinearNetwork)>) -> Table {
    let about = "gradient descent on f = x'EV/(sqrt(N) gamma), gamma = gamma0 N^a, rate eta0 gamma^2, exactly: width (inf: the limit), step, loss 1/(2P) sum (f - y)^2, gamma^2 \
                 lambda_max of the Hessian, of its Gauss-Newton part and of the rest, |V|^2/N, |w|; the recursion on (w, v, M) of docs/labs/super-consistency.md";
    let names = ["width", "step", "loss", "sharpness", "gauss_newton", "residual", "v", "w_norm"];
    let mut columns = vec![Vec::new(); names.len()];
    for (n, mut network) in networks {
        for step in 0..=values.int("steps") {
            if step % values.int("every") == 0 {
                let found = network.sharpness();
                let of =
                    |part: fn(&crate::theory::linear_network::Sharpness) -> f64| found.as_ref().map_or(f64::NAN, part);
                let w = network.state().w.iter().map(|w| w * w).sum::<f64>().sqrt();
                let numbers = [
                    n,
                    step as f64,
                    network.loss(),
                    of(|s| s.hessian),
                    of(|s| s.gauss_newton),
                    of(|s| s.residual),
                    network.state().v,
                    w,
                ];
                columns.iter_mut().zip(numbers).for_each(|(column, number)| column.push(number));
            }
            network.step(row.eta0);
        }
    }
    let name = format!("trajectory_{}", row.parametrization.replace('-', "_"));
    names.iter().zip(columns).fold(Table::new(&name, about), |table, (name, column)| table.column(name, column))
}

fn thresholds(rows: &[Row]) -> Table {
    let about = "largest stable gamma^2 lambda_max(H) at a fixed rate: gradient descent 2/eta0, heavy ball 2(1 + b)/eta0, Nesterov 2(1 + b)/((1 + 2b) eta0)";
    let cells: Vec<(f64, f64)> = rows.iter().flat_map(|row| MOMENTA.map(|momentum| (row.eta0, momentum))).collect();
    let column = |of: fn(f64, f64) -> f64| cells.iter().map(|(eta0, momentum)| of(*eta0, *momentum)).collect();
    Table::new("thresholds", about)
        .column("eta0", column(|eta0, _| eta0))
        .column("momentum", column(|_, momentum| momentum))
        .column("gradient_descent", column(|eta0, _| gradient_descent_threshold(eta0)))
        .column("heavy_ball", column(heavy_ball_threshold))
        .column("nesterov", column(nesterov_threshold))
}
