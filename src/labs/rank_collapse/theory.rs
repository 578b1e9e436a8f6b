//! What `landscope theory rank-collapse` prints.

use crate::labs::{Inputs, Table};
use crate::run::bench::Values;
use crate::theory::signal_propagation::tokens::Tokens;
use crate::theory::token_alignment::{Alignment, Moments, cosine_at_infinite_depth, query_gradient, value_gradient};

use super::picture;

/// Every line of the lab's charts, for any knobs; of a matrix `tokens` `[n, d]` its own moments, and with `keys` and `values` its
/// exact gradients at uniform attention.
pub(super) fn tables(values: &Values, inputs: &Inputs) -> Result<Vec<Table>, String> {
    inputs.only(&["tokens", "keys", "values"])?;
    let chosen = picture::chosen(values);
    let (n, d, rho) = (values.int("tokens"), values.int("width"), values.float("rho-0"));
    let (mut n, mut d, mut start) = (n, d, Moments::of_unit_tokens(n, rho));
    let mut tables = Vec::new();
    if let Some(array) = inputs.get("tokens") {
        if array.rows < 2 || array.columns == 0 {
            let shape = format!("{} x {}", array.rows, array.columns);
            return Err(format!("tokens can't be {shape}; give a row for each of two or more tokens"));
        }
        (n, d) = (array.rows, array.columns);
        let gram = Tokens::new(n, &array.values).gram();
        // Lengths don't matter to correlations: per token, as the unit tokens of the closed form have it.
        start = gram.moments();
        tables.push(of_tokens(inputs, chosen.inverse_temperature, gram.relative_residual(), start)?);
    } else if !inputs.0.is_empty() {
        return Err("keys and values need a matrix tokens beside them; give all three".into());
    }
    let rho = start.cosine(n);
    let alignment = Alignment { tokens: n, attention: chosen.attention_scale.powi(2), mlp: chosen.mlp_scale.powi(2) };
    tables.push(recursion(&alignment, chosen.layers, start));
    tables.push(regimes(values, &alignment, chosen.layers, rho));
    if let Some(predicted) = picture::predicted(&chosen, n, d, rho.clamp(0.0, 1.0)) {
        tables.push(
            Table::new(
                "wide_limit",
                "The chosen network at uniform attention and infinite width, layer by layer, with the closed forms of the \
                 Jacobians' Frobenius norms at what its attention reads",
            )
            .column("layer", (0..=chosen.layers).map(|l| l as f64).collect())
            .column("cosine", predicted.cosine)
            .column("growth_of_c", predicted.growth)
            .column("residual_over_mean", predicted.contrast)
            .column("queries", predicted.gradients.iter().map(|g| g.queries().sqrt()).collect())
            .column("values", predicted.gradients.iter().map(|g| g.values().sqrt()).collect()),
        );
    }
    let cosines: Vec<f64> = (0..=50).map(|k| f64::from(k) / 50.0).collect();
    let gradients: Vec<_> =
        cosines.iter().map(|rho| picture::gradients_at(n, d, *rho, chosen.inverse_temperature)).collect();
    tables.push(
        Table::new(
            "gradients",
            "Squared Frobenius norms of dS/dW_Q and dS/dW_V at uniform attention, features of variance 1: \
             tau^2 (n-1)/n (1-rho)^2 d (n+d) and d^2 (1+(n-1)rho)",
        )
        .column("rho", cosines)
        .column("queries", gradients.iter().map(|g| g.queries()).collect())
        .column("values", gradients.iter().map(|g| g.values()).collect()),
    );
    Ok(tables)
}

fn of_tokens(inputs: &Inputs, tau: f64, residual: f64, moments: Moments) -> Result<Table, String> {
    let (n, d) = inputs.get("tokens").map_or((0, 0), |tokens| (tokens.rows, tokens.columns));
    let array = |name: &str| {
        inputs.get(name).map(|a| {
            if a.rows != d {
                return Err(format!("{name} has {} rows; give {d}, one for each feature of tokens", a.rows));
            }
            Ok(faer::Mat::from_fn(a.rows, a.columns, |i, j| a.values[i * a.columns + j]))
        })
    };
    let tokens = inputs.get("tokens").map(|a| faer::Mat::from_fn(n, d, |i, j| a.values[i * d + j]));
    let mut table =
        Table::new("given_tokens", "Of the given tokens: C, M, mean cosine by moments, |X - 1 mean'|_F/|X|_F")
            .column("c", vec![moments.sum])
            .column("m", vec![moments.square])
            .column("cosine", vec![moments.cosine(n)])
            .column("residual", vec![residual]);
    if let Some(x) = tokens {
        table = table.column("values_gradient", vec![value_gradient(x.as_ref())]);
        match (array("keys").transpose()?, array("values").transpose()?) {
            (Some(keys), Some(values)) => {
                let found = query_gradient(x.as_ref(), keys.as_ref(), values.as_ref(), tau);
                table = table.column("queries_gradient_at_zero_queries", vec![found]);
            }
            (None, None) => {}
            _ => return Err("keys and values belong together; give both or neither".into()),
        }
    }
    Ok(table)
}

fn recursion(alignment: &Alignment, layers: usize, start: Moments) -> Table {
    let n = alignment.tokens;
    let mut at = start;
    let moments: Vec<Moments> = (0..=layers)
        .map(|_| {
            let now = at;
            at = alignment.block(at);
            now
        })
        .collect();
    let rho = start.cosine(n);
    Table::new(
        "recursion",
        "Linear MLP, uniform attention, no normalisation: E C+ = (1+a1)(1+a2) C, E M+ = (1+a2)(M + a1 C/n), a = alpha^2; \
         rho_L = (n G s/(n - s + G s) - 1)/(n - 1), G = (1+a1)^L, s = 1 + (n-1) rho_0",
    )
    .column("layer", (0..=layers).map(|l| l as f64).collect())
    .column("c", moments.iter().map(|m| m.sum).collect())
    .column("m", moments.iter().map(|m| m.square).collect())
    .column("d", moments.iter().map(|m| m.square - m.sum / n as f64).collect())
    .column("cosine", moments.iter().map(|m| m.cosine(n)).collect())
    .column("cosine_closed", (0..=layers).map(|l| alignment.cosine(rho, l)).collect())
}

/// Both regimes of depth: what is left to 1 falls exponentially, or the limit of branches over the root of the depth.
fn regimes(values: &Values, alignment: &Alignment, layers: usize, rho: f64) -> Table {
    let alpha_1 = values.float("alpha-1");
    let depths: Vec<usize> = (0..=10).map(|k| 1 << k).filter(|l| *l <= layers.max(64) * 4).collect();
    let at = |attention: f64, l: usize| Alignment { attention, ..*alignment }.cosine(rho, l);
    let n = alignment.tokens as f64;
    let s = 1.0 + (n - 1.0) * rho;
    let a = alpha_1 * alpha_1;
    Table::new(
        "depth",
        "Correlation at the end: alpha_1 fixed, its exponential law 1 - n(n-s)/((n-1)s) (1+a1)^-L, alpha_1 over sqrt(L), \
         and the limit of that, G = e^(alpha_1^2)",
    )
    .column("depth", depths.iter().map(|l| *l as f64).collect())
    .column("fixed", depths.iter().map(|l| at(a, *l)).collect())
    .column(
        "fixed_exponential",
        depths.iter().map(|l| 1.0 - n * (n - s) / ((n - 1.0) * s) * (1.0 + a).powf(-(*l as f64))).collect(),
    )
    .column("scaled", depths.iter().map(|l| at(a / *l as f64, *l)).collect())
    .column("scaled_limit", depths.iter().map(|_| cosine_at_infinite_depth(alignment.tokens, rho, a)).collect())
}
