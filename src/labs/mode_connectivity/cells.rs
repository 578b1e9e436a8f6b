//! The settings that are run: one cell each, every cell repeated.

use crate::run::bench::Values;
use crate::run::connectivity::family::Origin;
use crate::run::knobs;
use crate::run::spec::{DeviceChoice, RunSpec};
use crate::run::trainer::Memory;

/// Networks with masks and ties need a multiple of the 64 pixels; with two channels a pixel, all three kinds learn.
const SHARING_WIDTH: usize = 128;

/// One setting.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// `copies`, `starts`, `factors` or `control`.
    pub protocol: &'static str,
    /// Such as `SGD 0.2, warm-up 100`.
    pub setting: String,
    /// What differs from plain copies: `plain` for nothing, or such as `batch 16`.
    pub factor: String,
    pub optimizer: &'static str,
    pub lr: f64,
    pub warmup: u64,
    pub width: usize,
    pub depth: usize,
    pub sharing: String,
    pub batch_size: Option<usize>,
    pub train_size: Option<usize>,
    pub label_noise: Option<f64>,
    pub origin: Origin,
}

impl Cell {
    /// The specification of a repetition, counted from 0.
    ///
    /// # Errors
    /// One sentence that names the knob, the value and what to do.
    pub fn spec(&self, values: &Values, repetition: usize) -> Result<RunSpec, String> {
        // Repetitions of neighbouring seeds share nothing.
        let seed = values.seed.wrapping_mul(1_000).wrapping_add(repetition as u64) & (u64::MAX >> 1);
        let mut spec = RunSpec { seed, device: DeviceChoice::Cpu, ..RunSpec::default() };
        let train_size = self.train_size.unwrap_or_else(|| values.int("train-size"));
        let label_noise = self.label_noise.unwrap_or_else(|| values.float("label-noise"));
        let settings = [
            ("model", "mlp".to_owned()),
            ("activation", "relu".into()),
            ("norm", "none".into()),
            ("width", self.width.to_string()),
            ("depth", self.depth.to_string()),
            ("sharing", self.sharing.clone()),
            ("optimizer", self.optimizer.into()),
            ("lr", self.lr.to_string()),
            ("momentum", "0.9".into()),
            ("beta2", "0.999".into()),
            ("weight-decay", "0".into()),
            ("schedule", "cosine".into()),
            ("warmup-steps", self.warmup.to_string()),
            ("steps", values.int("steps").to_string()),
            ("batch-size", self.batch_size.unwrap_or_else(|| values.int("batch-size")).to_string()),
            ("train-size", train_size.to_string()),
            ("label-noise", label_noise.to_string()),
        ];
        for (id, text) in settings {
            let knob = knobs::find(id).ok_or_else(|| format!("there is no knob {id:?}; this is a bug"))?;
            knob.set(&mut spec, &knob.parse(&text)?)?;
        }
        Ok(spec)
    }

    /// What sets its tracks apart, for charts and claims.
    pub fn attributes(&self) -> Vec<(&'static str, String)> {
        vec![
            ("protocol", self.protocol.into()),
            ("setting", self.setting.clone()),
            ("factor", self.factor.clone()),
            ("optimizer", self.optimizer.into()),
            ("lr", self.lr.to_string()),
            ("warmup", self.warmup.to_string()),
            ("width", self.width.to_string()),
            ("depth", self.depth.to_string()),
        ]
    }
}

/// All cells of a setting of the knobs, those that are seen first at the front.
pub fn cells(values: &Values) -> Vec<Cell> {
    let protocol = values.choice("protocol");
    let asked = |name: &str| protocol == "all" || protocol == name;
    let mut cells = Vec::new();
    if asked("starts") {
        for depth in values.numbers("depths") {
            cells.extend(values.numbers("widths").iter().map(|width| starts(values, *depth as usize, *width as usize)));
        }
    }
    if asked("copies") {
        cells.extend(copies(values));
    }
    if asked("factors") {
        cells.extend(factors(values, !asked("copies") || values.choice("optimizers") == "adam"));
    }
    cells.push(Cell {
        protocol: "control",
        setting: "softmax regression".into(),
        width: 1,
        depth: 0,
        lr: 0.1,
        sharing: "dense".into(),
        origin: Origin::OwnStarts,
        ..plain(values, 0.1)
    });
    cells
}

/// Copies under SGD without warm-up, spawned at the start.
fn plain(values: &Values, lr: f64) -> Cell {
    Cell {
        protocol: "factors",
        setting: format!("SGD {lr}"),
        factor: "plain".into(),
        optimizer: "sgd",
        lr,
        warmup: 0,
        width: values.int("width"),
        depth: values.int("depth"),
        sharing: values.choice("sharing").into(),
        batch_size: None,
        train_size: None,
        label_noise: None,
        origin: Origin::Spawned { steps: vec![0], memory: memory(values) },
    }
}

fn memory(values: &Values) -> Memory {
    if values.choice("memory") == "kept" { Memory::Kept } else { Memory::Reset }
}

fn starts(values: &Values, depth: usize, width: usize) -> Cell {
    let lr = values.float("start-rate");
    Cell {
        protocol: "starts",
        setting: format!("{depth}x{width}"),
        width,
        depth,
        sharing: "dense".into(),
        origin: Origin::OwnStarts,
        ..plain(values, lr)
    }
}

fn copies(values: &Values) -> Vec<Cell> {
    let steps = values.numbers("spawn-steps").iter().map(|k| *k as u64).collect();
    let origin = Origin::Spawned { steps, memory: memory(values) };
    let chosen = values.choice("optimizers");
    let mut cells = Vec::new();
    for (optimizer, name, rates) in [("sgd", "SGD", "sgd-rates"), ("adam", "Adam", "adam-rates")] {
        if chosen != optimizer && chosen != "both" {
            continue;
        }
        // The largest rate without warm-up first: there the hill is.
        for lr in values.numbers(rates).iter().rev() {
            for warmup in values.numbers("warmups").iter().map(|w| *w as u64) {
                let warmed = if warmup == 0 { String::new() } else { format!(", warm-up {warmup}") };
                let setting = format!("{name} {lr}{warmed}");
                let origin = origin.clone();
                cells.push(Cell { protocol: "copies", setting, optimizer, warmup, origin, ..plain(values, *lr) });
            }
        }
    }
    cells
}

/// One change at a time, at every rate of SGD; `with_plain` if copies don't show what it is a change of.
fn factors(values: &Values, with_plain: bool) -> Vec<Cell> {
    let rates = values.numbers("sgd-rates");
    let mut cells = Vec::new();
    for &lr in rates {
        let plain = plain(values, lr);
        let changed = |factor: &str| Cell { factor: factor.into(), ..plain.clone() };
        if with_plain {
            cells.push(plain.clone());
        }
        cells.push(Cell { batch_size: Some(16), ..changed("batch 16") });
        cells.push(Cell { label_noise: Some(0.2), ..changed("label noise 0.2") });
        cells.push(Cell { train_size: Some(300), ..changed("300 examples") });
        cells.push(Cell { width: 16, sharing: "dense".into(), ..changed("width 16") });
        cells.push(Cell { depth: plain.depth + 2, ..changed("2 layers more") });
        for (sharing, factor) in [("dense", "width 128"), ("local", "local, 128"), ("shared", "shared, 128")] {
            cells.push(Cell { width: SHARING_WIDTH, sharing: sharing.into(), ..changed(factor) });
        }
    }
    cells
}

#[cfg(test)]
mod tests {
    use crate::run::bench::Preset;
    use crate::run::knobs::validate;

    use super::super::knobs::KNOBS;
    use super::*;

    #[test]
    fn every_cell_of_every_preset_is_a_run() {
        for preset in Preset::ALL {
            let values = Values::preset(KNOBS, preset);
            let cells = cells(&values);
            assert!(cells.len() >= 2 && cells.last().unwrap().depth == 0);
            let mut seeds = std::collections::BTreeSet::new();
            for cell in &cells {
                for repetition in 0..2 {
                    let spec = cell.spec(&values, repetition).unwrap();
                    validate(&spec).unwrap();
                    assert_eq!((spec.model.width, spec.model.depth), (cell.width, cell.depth));
                    seeds.insert(spec.seed);
                }
            }
            assert_eq!(seeds.len(), 2, "all cells of a repetition have one data set and one start");
        }
    }

    #[test]
    fn a_factor_changes_one_thing() {
        let values = Values::preset(KNOBS, Preset::Standard);
        let spec = |cell: &Cell| cell.spec(&values, 0).unwrap();
        let plain = spec(&plain(&values, 0.2));
        let all = factors(&values, false);
        let noisy = all.iter().find(|cell| cell.factor.contains("noise") && cell.lr == 0.2).unwrap();
        let mut known = plain.clone();
        known.task.label_noise = 0.2;
        assert_eq!(spec(noisy), known);
        let wide = all.iter().find(|cell| cell.factor == "width 128").unwrap();
        let shared = all.iter().find(|cell| cell.sharing == "shared").unwrap();
        assert_eq!((wide.width, wide.lr), (shared.width, shared.lr));
    }
}
