//! The gradient's length by what its tensors do.

use candle_core::Result;

use crate::nn::params::{Layout, Role};

use super::{Found, Measurement, Subject, Value};

pub const MEASUREMENT: Measurement = Measurement {
    id: "gradient-roles",
    title: "Gradient norms by role",
    formula: "|g| over all tensors of a role: query, key, value (thirds of the columns of their common matrix, their biases apart), project, expand, contract, convolution, other hidden matrices, input, output, embedding, position, bias, gain; parts: the same within each group",
    cost: "one gradient, about three forward passes",
    source: "Noci et al. 2022, theorem 3.2: those of queries and keys vanish where tokens are alike",
    measure,
};

fn measure(subject: &Subject) -> Result<Found> {
    let layout = subject.model.layout();
    let gradient = subject.gradient()?;
    let (mut whole, mut parts) = (Sums::default(), Sums::default());
    for (index, info) in layout.infos().iter().enumerate() {
        let group = &layout.groups()[info.group];
        let columns = layout.columns(index);
        let mut tell = |role: &str, square: f64| {
            whole.add(role, square);
            parts.add(&format!("{group}: {role}"), square);
        };
        if columns.is_empty() {
            tell(role(layout, index), gradient[layout.range(index)].iter().map(|g| g * g).sum());
        }
        for (name, columns) in columns {
            let square = layout.in_columns(&gradient, index, &columns).map(|g| g * g).sum();
            let bias = if info.role == Role::Bias { " bias" } else { "" };
            tell(&format!("{name}{bias}"), square);
        }
    }
    Ok(Found { parts: parts.roots(), ..Found::exact(Value::Named(whole.roots()), "reverse-mode differentiation") })
}

/// What a tensor does, in a word: within residual branches the matrix's own name.
fn role(layout: &Layout, index: usize) -> &str {
    let info = &layout.infos()[index];
    match info.role {
        Role::Hidden if info.name.starts_with("block ") => {
            let path = info.name.strip_suffix(".weight").unwrap_or(&info.name);
            path.rsplit('.').next().unwrap_or("hidden")
        }
        Role::Hidden => "hidden",
        Role::Input => "input",
        Role::Output => "output",
        Role::Embedding => "embedding",
        Role::Position => "position",
        Role::Bias => "bias",
        Role::Gain => "gain",
    }
}

/// Sums of squares under names, in the order in which these came up.
#[derive(Default)]
struct Sums(Vec<(String, f64)>);

impl Sums {
    fn add(&mut self, name: &str, square: f64) {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, sum)) => *sum += square,
            None => self.0.push((name.to_owned(), square)),
        }
    }

    fn roots(self) -> Vec<(String, f64)> {
        self.0.into_iter().map(|(name, square)| (name, square.sqrt())).collect()
    }
}
