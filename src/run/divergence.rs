//! When training has ended in nonsense, and where that began.

use candle_core::{DType, Result, Tensor};
use serde::{Deserialize, Serialize};

use crate::optim::StepNorms;
use crate::record::Divergence;

/// A loss so many times its start (or 1, if that is more) is out of hand even if every number is finite:
/// Adam's updates are bounded, so that an absurd learning rate need never overflow.
const EXPLODED: f64 = 10.0;
/// For so many steps in a row: one bad minibatch is no divergence.
const PATIENCE: u32 = 10;

/// What is wrong with a loss.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Suspicion {
    NotFinite { step: u64 },
    Exploded { step: u64, times: f64 },
}

/// Remembers the first loss and counts steps far above it.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Watch {
    first: Option<f64>,
    above: u32,
}

impl Watch {
    /// The verdict on the loss at `step`.
    pub fn loss(&mut self, step: u64, loss: f64) -> Option<Suspicion> {
        if !loss.is_finite() {
            return Some(Suspicion::NotFinite { step });
        }
        let first = *self.first.get_or_insert(loss);
        let times = loss / first.max(1.0);
        self.above = if times > EXPLODED { self.above + 1 } else { 0 };
        (self.above >= PATIENCE).then_some(Suspicion::Exploded { step, times })
    }
}

/// The first layer in the order of computation whose activations aren't finite; where all are, the loss itself,
/// or the layer with the largest activations.
///
/// # Errors
/// Whatever candle says of the device.
pub fn in_activations(found: Suspicion, layers: &[String], taps: &[Tensor]) -> Result<Divergence> {
    let mut largest = (0.0, "loss");
    for (name, tap) in layers.iter().zip(taps) {
        // NaN may get lost in a maximum, not in a sum of magnitudes.
        let magnitude = tap.to_dtype(DType::F64)?.abs()?.mean_all()?.to_scalar::<f64>()?;
        if let (false, Suspicion::NotFinite { step }) = (magnitude.is_finite(), found) {
            return Ok(Divergence { step, layer: name.clone(), quantity: "activation".into() });
        }
        if magnitude > largest.0 {
            largest = (magnitude, name);
        }
    }
    Ok(match found {
        Suspicion::NotFinite { step } => Divergence { step, layer: "loss".into(), quantity: "loss".into() },
        Suspicion::Exploded { step, times } => Divergence {
            step,
            layer: largest.1.into(),
            quantity: format!(
                "the loss is {} times its start; every number is still finite, the largest activations (mean {:.1e}) are",
                if times < 1e4 { format!("{times:.0}") } else { format!("{times:.0e}") },
                largest.0
            ),
        },
    })
}

/// The first group of parameters in the order of the backward pass (outputs first) whose gradient isn't finite, or
/// the first in forward order whose update isn't.
pub fn in_norms(step: u64, norms: &StepNorms, groups: &[String]) -> Option<Divergence> {
    let found =
        |group: usize, quantity: &str| Divergence { step, layer: groups[group].clone(), quantity: quantity.into() };
    if let Some(group) = norms.gradient.iter().rposition(|norm| !norm.is_finite()) {
        return Some(found(group, "gradient"));
    }
    norms.update_ratio.iter().position(|ratio| !ratio.is_finite()).map(|group| found(group, "update"))
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn one_bad_minibatch_is_no_divergence_but_staying_there_is() {
        let mut watch = Watch::default();
        assert_eq!(watch.loss(0, 2.3), None);
        assert_eq!(watch.loss(1, 1e6), None);
        assert_eq!(watch.loss(2, 2.0), None);
        let verdicts: Vec<_> = (3..13).map(|step| watch.loss(step, 1e6)).collect();
        assert!(verdicts[..9].iter().all(Option::is_none));
        assert!(matches!(verdicts[9], Some(Suspicion::Exploded { step: 12, .. })));
    }

    #[test]
    fn the_first_layer_that_is_not_finite_is_named() {
        let layers: Vec<String> = ["embedding", "block 1", "block 2"].map(String::from).to_vec();
        let tap = |v: f32| Tensor::new(&[1.0, v], &Device::Cpu).unwrap();
        let taps = [tap(2.0), tap(f32::NAN), tap(f32::INFINITY)];
        let found = in_activations(Suspicion::NotFinite { step: 7 }, &layers, &taps).unwrap();
        assert_eq!((found.layer.as_str(), found.step), ("block 1", 7));
        let finite = [tap(2.0), tap(3.0), tap(9.0)];
        assert_eq!(in_activations(Suspicion::NotFinite { step: 7 }, &layers, &finite).unwrap().layer, "loss");
        let exploded = Suspicion::Exploded { step: 7, times: 400.0 };
        assert_eq!(in_activations(exploded, &layers, &finite).unwrap().layer, "block 2");
    }
}
