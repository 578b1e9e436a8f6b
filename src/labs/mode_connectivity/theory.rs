//! `landscope theory mode-connectivity`.

use crate::labs::table::{Inputs, Table};
use crate::run::bench::Values;
use crate::run::connectivity::between::barrier;
use crate::theory::interpolation::{CONNECTED, Well, output_scale, two_wells, two_wells_barrier};

/// Correlations of the weights that outputs are predicted for: strangers, half and well matched networks.
const CORRELATIONS: [(f64, &str); 3] = [(0.0, "correlation_0"), (0.5, "correlation_0_5"), (0.9, "correlation_0_9")];

pub fn tables(values: &Values, inputs: &Inputs) -> Result<Vec<Table>, String> {
    inputs.only(&["wells", "path"])?;
    let n = values.int("points");
    let places: Vec<f64> = (0..n).map(|i| i as f64 / (n - 1) as f64).collect();
    let mut tables = vec![
        Table::new("threshold", "error barriers below it count as connected (Frankle et al. 2020)")
            .column("error_barrier", vec![CONNECTED]),
    ];
    for depth in values.numbers("depths") {
        let about = "outputs of the network at t over those of its ends, ((1-t)^2 + t^2 + 2 t (1-t) c)^((depth+1)/2), for \
            correlation c of the weights; exact in distribution for Gaussian starts with c = 0 and ReLU";
        let mut table = Table::new(&format!("output_scale_depth_{depth}"), about).column("t", places.clone());
        for (c, name) in CORRELATIONS {
            table = table.column(name, places.iter().map(|t| output_scale(*t, c, *depth as usize)).collect());
        }
        tables.push(table);
    }
    let equal = Well { loss: 0.0, slope: 0.0, curvature: 1.0 };
    let wells = match inputs.get("wells") {
        None => [equal; 2],
        Some(array) if (array.rows, array.columns) == (2, 3) => {
            let row = |r: usize| Well {
                loss: array.values[3 * r],
                slope: array.values[3 * r + 1],
                curvature: array.values[3 * r + 2],
            };
            [row(0), row(1)]
        }
        Some(array) => {
            return Err(format!(
                "wells can't be {}x{}; give two rows (a, b) of loss, slope and curvature towards the other end",
                array.rows, array.columns
            ));
        }
    };
    let about = "what both ends see by slope and curvature: the lower of two parabolas; ends at rest with curvature 1 without the input wells";
    tables.push(
        Table::new("two_wells", about)
            .column("t", places.clone())
            .column("loss", places.iter().map(|t| two_wells(wells, *t)).collect())
            .column("chord", places.iter().map(|t| wells[0].loss + t * (wells[1].loss - wells[0].loss)).collect()),
    );
    tables.push(
        Table::new("two_wells_barrier", "its height above the chord: curvature / 8 between equal ends at rest")
            .column("barrier", vec![two_wells_barrier(wells)]),
    );
    if let Some(path) = inputs.get("path") {
        if path.values.len() < 2 {
            return Err(
                "path can't have fewer than two numbers; give the loss at evenly spaced places of a line".into()
            );
        }
        let f = &path.values;
        let (first, last) = (f[0], f[f.len() - 1]);
        let highest = f.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        tables.push(
            Table::new("barriers", "of the input path: above the chord (Entezari), above the mean of the ends (Frankle), above the higher end")
                .column("above_chord", vec![barrier(f)])
                .column("above_mean", vec![highest - f64::midpoint(first, last)])
                .column("above_higher_end", vec![highest - first.max(last)]),
        );
    }
    Ok(tables)
}

#[cfg(test)]
mod tests {
    use crate::labs::table::Array;
    use crate::run::bench::Preset;

    use super::super::knobs::KNOBS;
    use super::*;

    fn array(rows: usize, columns: usize, values: &[f64]) -> Array {
        Array { rows, columns, values: values.to_vec() }
    }

    #[test]
    fn tables_answer_for_inputs_and_refuse_others() {
        let values = Values::preset(KNOBS, Preset::Standard);
        let tables_of = |name: &str, array: Array| tables(&values, &Inputs([(name.to_owned(), array)].into()));
        let find = |tables: &[Table], name: &str, column: &str| {
            let table = tables.iter().find(|table| table.name == name).unwrap();
            table.columns.iter().find(|(name, _)| name == column).unwrap().1.clone()
        };
        let plain = tables(&values, &Inputs::default()).unwrap();
        assert_eq!(find(&plain, "two_wells_barrier", "barrier"), [0.125]);
        let middle = find(&plain, "output_scale_depth_3", "correlation_0")[(values.int("points") - 1) / 2];
        assert!((middle - 0.25).abs() < 1e-12);
        let wells = tables_of("wells", array(2, 3, &[0.1, 0.0, 4.0, 0.1, 0.0, 4.0])).unwrap();
        assert!((find(&wells, "two_wells_barrier", "barrier")[0] - 0.5).abs() < 1e-12);
        let path = tables_of("path", array(1, 3, &[1.0, 3.0, 2.0])).unwrap();
        assert_eq!(find(&path, "barriers", "above_chord"), [1.5]);
        assert_eq!(find(&path, "barriers", "above_higher_end"), [1.0]);
        assert!(tables_of("wells", array(1, 3, &[0.0; 3])).unwrap_err().contains("1x3"));
        assert!(tables_of("waves", array(1, 3, &[0.0; 3])).unwrap_err().contains("waves"));
    }
}
