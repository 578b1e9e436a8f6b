//! Tables without what they share with the defaults.

use toml::{Table, Value};

/// What `table` says that `defaults` doesn't: `defaults` with the result laid over it is `table`, where every field of
/// `defaults` is in `table`.
pub fn difference(table: &Table, defaults: &Table) -> Table {
    let mut found = Table::new();
    for (key, value) in table {
        match (value, defaults.get(key)) {
            (Value::Table(inner), Some(Value::Table(default))) => {
                let inner = difference(inner, default);
                if !inner.is_empty() {
                    found.insert(key.clone(), Value::Table(inner));
                }
            }
            (value, Some(default)) if same(value, default) => {}
            (value, _) => drop(found.insert(key.clone(), value.clone())),
        }
    }
    found
}

/// `defaults` with what `table` says in its place: what undoes [`difference`].
pub fn laid_over(mut defaults: Table, table: Table) -> Table {
    for (key, value) in table {
        let value = match (defaults.remove(&key), value) {
            (Some(Value::Table(below)), Value::Table(inner)) => Value::Table(laid_over(below, inner)),
            (_, value) => value,
        };
        defaults.insert(key, value);
    }
    defaults
}

/// Equality to the bit: `-0.0` isn't `0.0`, as the two may act differently.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Float(a), Value::Float(b)) => a.to_bits() == b.to_bits(),
        (a, b) => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_left() {
        let table = |text: &str| text.parse::<Table>().unwrap();
        let defaults = table("a = 1\nb = [1, 2]\nc = 0.0\n[t]\nx = 1\n[t.u]\ny = 'z'");
        assert!(difference(&defaults, &defaults).is_empty());
        let other = table("a = 1\nb = [1]\nc = -0.0\nnew = true\n[t]\nx = 2\n[t.u]\ny = 'z'");
        assert_eq!(difference(&other, &defaults), table("b = [1]\nc = -0.0\nnew = true\n[t]\nx = 2"));
        assert_eq!(laid_over(defaults.clone(), difference(&other, &defaults)), other);
        assert_eq!(laid_over(defaults.clone(), Table::new()), defaults);
    }
}
