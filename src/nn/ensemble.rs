//! How good several networks are together, and how far their confidence can be believed.

use candle_core::{DType, Result, Tensor};

use super::batch::{Batch, TargetTensor};
use super::model::Model;

/// Equal bins of [`calibration_error`], as usual.
pub const BINS: usize = 15;

/// Class probabilities of N examples.
#[derive(Clone, Debug, PartialEq)]
pub struct Probabilities {
    classes: usize,
    /// Row-major `[N, classes]`.
    values: Vec<f64>,
}

impl Probabilities {
    /// `softmax(logits / temperature)` of row-major logits `[N, classes]`.
    ///
    /// Panics unless there are whole rows.
    pub fn softmax(logits: &[f64], classes: usize, temperature: f64) -> Self {
        assert!(classes > 0 && logits.len().is_multiple_of(classes), "logits come in rows of all classes");
        let mut values = Vec::with_capacity(logits.len());
        for row in logits.chunks_exact(classes) {
            let top = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let powers: Vec<f64> = row.iter().map(|z| ((z - top) / temperature).exp()).collect();
            let total: f64 = powers.iter().sum();
            values.extend(powers.iter().map(|p| p / total));
        }
        Self { classes, values }
    }

    /// The mean of the members' *probabilities* (not of their logits or log-probabilities): what a deep ensemble
    /// predicts (Lakshminarayanan et al. 2017). `None` without members, or if their shapes differ.
    pub fn mean(members: &[Self]) -> Option<Self> {
        let first = members.first()?;
        if members.iter().any(|m| m.classes != first.classes || m.values.len() != first.values.len()) {
            return None;
        }
        let count = members.len() as f64;
        let values = (0..first.values.len()).map(|k| members.iter().map(|m| m.values[k]).sum::<f64>() / count);
        Some(Self { classes: first.classes, values: values.collect() })
    }

    pub fn rows(&self) -> impl Iterator<Item = &[f64]> {
        self.values.chunks_exact(self.classes)
    }

    /// Examples N.
    pub fn len(&self) -> usize {
        self.values.len() / self.classes
    }

    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The most probable class of each example, the first of equals.
    pub fn predictions(&self) -> Vec<usize> {
        self.rows().map(|row| top(row).0).collect()
    }

    /// Share of examples whose most probable class is their label.
    pub fn accuracy(&self, labels: &[u32]) -> f64 {
        let hits = self.predictions().iter().zip(labels).filter(|(found, label)| **found == **label as usize).count();
        hits as f64 / labels.len() as f64
    }

    /// Negative log-likelihood, the mean of `-log p(label)`, in nats; infinite where a label got probability zero.
    pub fn nll(&self, labels: &[u32]) -> f64 {
        self.rows().zip(labels).map(|(row, &label)| -row[label as usize].ln()).sum::<f64>() / labels.len() as f64
    }
}

fn top(row: &[f64]) -> (usize, f64) {
    row.iter().copied().enumerate().fold((0, f64::NEG_INFINITY), |best, (k, p)| if p > best.1 { (k, p) } else { best })
}

/// Expected calibration error in [0, 1]: `sum_b n_b / N |accuracy_b - confidence_b|` over `bins` equal bins `(a, b]` of
/// the confidence, the probability of the predicted class (Guo et al. 2017, equation 3).
///
/// A biased estimate: with few examples a bin, even a calibrated network has some.
pub fn calibration_error(probabilities: &Probabilities, labels: &[u32], bins: usize) -> f64 {
    let mut sums = vec![[0.0; 2]; bins.max(1)];
    for (row, &label) in probabilities.rows().zip(labels) {
        let (class, confidence) = top(row);
        let [hits, confidences] = &mut sums[bin(confidence, bins.max(1))];
        *hits += f64::from(class == label as usize);
        *confidences += confidence;
    }
    sums.iter().map(|[hits, confidences]| (hits - confidences).abs()).sum::<f64>() / labels.len() as f64
}

/// The bin `(k / bins, (k + 1) / bins]` that holds `x`; 0 is in the first.
fn bin(x: f64, bins: usize) -> usize {
    let mut k = ((x * bins as f64).ceil() as usize).saturating_sub(1).min(bins - 1);
    // The product may be rounded over a border.
    if x <= k as f64 / bins as f64 {
        k = k.saturating_sub(1);
    } else if x > (k + 1) as f64 / bins as f64 {
        k = (k + 1).min(bins - 1);
    }
    k
}

/// Mean over pairs of members of the share of examples that they classify differently; 0 for a single one.
pub fn disagreement(members: &[Probabilities]) -> f64 {
    let found: Vec<Vec<usize>> = members.iter().map(Probabilities::predictions).collect();
    let (mut sum, mut pairs) = (0.0, 0);
    for (i, a) in found.iter().enumerate() {
        for b in &found[..i] {
            sum += a.iter().zip(b).filter(|(a, b)| a != b).count() as f64 / a.len() as f64;
            pairs += 1;
        }
    }
    if pairs > 0 { sum / f64::from(pairs) } else { 0.0 }
}

/// An ensemble beside its members.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    pub members: usize,
    /// Mean over the members.
    pub member_accuracy: f64,
    /// Mean over the members, in nats; never below `nll` (Jensen).
    pub member_nll: f64,
    pub accuracy: f64,
    /// Of the mean probability, in nats.
    pub nll: f64,
    /// With [`BINS`] bins, of the mean probability.
    pub calibration_error: f64,
    pub disagreement: f64,
}

/// `None` without members or examples, or where numbers of examples differ.
pub fn report(members: &[Probabilities], labels: &[u32]) -> Option<Report> {
    let together = Probabilities::mean(members)?;
    if labels.is_empty() || together.len() != labels.len() {
        return None;
    }
    let mean = |of: &dyn Fn(&Probabilities) -> f64| members.iter().map(of).sum::<f64>() / members.len() as f64;
    Some(Report {
        members: members.len(),
        member_accuracy: mean(&|m| m.accuracy(labels)),
        member_nll: mean(&|m| m.nll(labels)),
        accuracy: together.accuracy(labels),
        nll: together.nll(labels),
        calibration_error: calibration_error(&together, labels, BINS),
        disagreement: disagreement(members),
    })
}

/// Probabilities and labels of the graded rows of a batch; `None` for targets that are numbers.
///
/// # Errors
/// Networks whose predictions depend on the other examples of the batch; whatever candle says of shapes and the device.
pub fn predict(
    model: &dyn Model,
    params: &[Tensor],
    batch: &Batch,
    temperature: f64,
) -> Result<Option<(Probabilities, Vec<u32>)>> {
    let TargetTensor::Classes { labels, weights, .. } = &batch.targets else { return Ok(None) };
    if model.coupled_examples() > 1 {
        candle_core::bail!(
            "a prediction must not depend on the other examples that are asked about; give the network with the statistics \
             of training examples"
        );
    }
    let params: Vec<Tensor> = params.iter().map(Tensor::detach).collect();
    let outputs = model.forward(&params, &batch.inputs, None)?.to_dtype(DType::F64)?;
    let (rows, labels) = (outputs.to_vec2::<f64>()?, labels.to_vec1::<u32>()?);
    let graded: Vec<bool> = match weights {
        Some(weights) => weights.to_dtype(DType::F32)?.to_vec1::<f32>()?.iter().map(|w| *w != 0.0).collect(),
        None => vec![true; labels.len()],
    };
    let classes = outputs.dim(1)?;
    let kept: Vec<usize> = (0..labels.len()).filter(|&row| graded[row]).collect();
    let logits: Vec<f64> = kept.iter().flat_map(|&row| rows[row].iter().copied()).collect();
    let labels = kept.iter().map(|&row| labels[row]).collect();
    Ok(Some((Probabilities::softmax(&logits, classes, temperature), labels)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows given as probabilities: logarithms are their logits.
    fn of(rows: &[[f64; 2]]) -> Probabilities {
        let logits: Vec<f64> = rows.iter().flatten().map(|p| p.ln()).collect();
        Probabilities::softmax(&logits, 2, 1.0)
    }

    #[track_caller]
    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-12, "{a} {b}");
    }

    #[test]
    fn the_ensemble_averages_probabilities() {
        let members = [of(&[[0.9, 0.1], [0.4, 0.6]]), of(&[[0.5, 0.5], [0.8, 0.2]])];
        let labels = [0, 1];
        let found = report(&members, &labels).unwrap();
        close(found.nll, -(0.7_f64.ln() + 0.4_f64.ln()) / 2.0);
        close(found.member_nll, -(0.9_f64.ln() + 0.6_f64.ln() + 0.5_f64.ln() + 0.2_f64.ln()) / 4.0);
        assert!(found.nll < found.member_nll, "Jensen");
        // Together: 0 and 0; the first member 0 and 1; the second 0 (the first of equals) and 0.
        close(found.accuracy, 0.5);
        close(found.member_accuracy, 0.75);
        close(found.disagreement, 0.5);
    }

    #[test]
    fn temperature_divides_logits() {
        let found = Probabilities::softmax(&[2.0, 0.0, 1000.0, 998.0], 2, 2.0);
        for row in found.rows() {
            close(row[0], 1.0 / (1.0 + (-1.0_f64).exp()));
        }
    }

    #[test]
    fn calibration_by_hand() {
        // Bins (0.5, 0.6] and (0.8, 0.9]: |1 - 2 0.6| and |2 - 3 0.9| of five.
        let rows = [[0.6, 0.4], [0.4, 0.6], [0.9, 0.1], [0.9, 0.1], [0.1, 0.9]];
        let found = calibration_error(&of(&rows), &[0, 0, 0, 1, 1], 10);
        close(found, (0.2 + 0.7) / 5.0);
        // Confident and right, and confident and wrong.
        close(calibration_error(&of(&[[1.0, 0.0]]), &[0], BINS), 0.0);
        close(calibration_error(&of(&[[1.0, 0.0]]), &[1], BINS), 1.0);
    }

    #[test]
    fn borders_belong_to_the_bin_below() {
        for bins in [10, 15] {
            for k in 0..bins {
                let border = (k + 1) as f64 / bins as f64;
                assert_eq!(bin(border, bins), k);
                assert_eq!(bin(border + 1e-12, bins), (k + 1).min(bins - 1));
            }
            assert_eq!(bin(0.0, bins), 0);
        }
        assert_eq!(bin(f64::NAN, 15), 0);
    }

    #[test]
    fn disagreement_is_the_mean_over_pairs() {
        let (a, b) = ([0.9, 0.1], [0.2, 0.8]);
        let members = [of(&[a, a, a, a]), of(&[a, a, a, b]), of(&[b, b, a, b])];
        close(disagreement(&members), (1.0 + 3.0 + 2.0) / 4.0 / 3.0);
        close(disagreement(&members[..1]), 0.0);
    }

    #[test]
    fn nothing_to_say_of_nothing() {
        assert!(report(&[], &[]).is_none());
        assert!(report(&[of(&[[0.5, 0.5]])], &[0, 1]).is_none());
        assert!(Probabilities::mean(&[of(&[[0.5, 0.5]]), of(&[[0.5, 0.5], [0.1, 0.9]])]).is_none());
    }
}
