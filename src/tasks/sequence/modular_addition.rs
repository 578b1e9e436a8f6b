//! Sums modulo a prime.

use crate::base::rng::Streams;
use crate::tasks::data::{Inputs, Split, Targets, Task, UNGRADED};
use crate::tasks::error::TaskError;
use crate::tasks::spec::TaskSpec;
use crate::tasks::splits;

/// The modulus p.
const MODULUS: u32 = 97;
const PLUS: u32 = MODULUS;
const EQUALS: u32 = MODULUS + 1;
const VOCABULARY: usize = MODULUS as usize + 2;
const LENGTH: usize = 4;
const TEST_SHARE: f64 = 0.5;

/// All `97^2 = 9,409` sequences `a + b =`; the answer `(a + b) mod 97` is predicted at the last position, the only
/// graded one. Half of the pairs are trained on, the other half tested, divided the same way for every seed. The
/// context length is always four.
///
/// A. Power et al. (2022), Grokking: generalization beyond overfitting on small algorithmic datasets.
///
/// # Errors
/// None; the signature is the registry's.
pub fn load(_spec: &TaskSpec, _streams: &Streams) -> Result<Task, TaskError> {
    let pairs = || (0..MODULUS).flat_map(|a| (0..MODULUS).map(move |b| (a, b)));
    let all = Split {
        inputs: Inputs::Tokens {
            ids: pairs().flat_map(|(a, b)| [a, PLUS, b, EQUALS]).collect(),
            length: LENGTH,
            vocabulary: VOCABULARY,
        },
        targets: Targets::NextTokens {
            ids: pairs().flat_map(|(a, b)| [UNGRADED, UNGRADED, UNGRADED, (a + b) % MODULUS]).collect(),
            length: LENGTH,
            vocabulary: VOCABULARY,
        },
    };
    let (train, test) = splits::divide(&all, &splits::random(pairs().count(), TEST_SHARE));
    let class_names = (0..MODULUS).map(|n| n.to_string()).chain(["+".into(), "=".into()]).collect();
    Ok(Task {
        title: "Modular addition".into(),
        train,
        test,
        class_names,
        source: "All sums a + b mod 97, half of them for training (A. Power et al. 2022, Grokking); the answer is \
                 certain, the loss can approach 0; guessing a number costs ln 97 = 4.575 nats"
            .into(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::tokens;
    use super::*;

    #[test]
    fn every_pair_appears_once_with_its_answer() {
        let task = load(&TaskSpec::default(), &Streams::new(0)).unwrap();
        assert_eq!((task.train.len(), task.test.len()), (4_704, 4_705));
        assert_eq!(task.class_names.len(), VOCABULARY);
        let mut seen = std::collections::BTreeSet::new();
        for split in [&task.train, &task.test] {
            let (inputs, targets) = tokens(split);
            for (question, answer) in inputs.chunks_exact(4).zip(targets.chunks_exact(4)) {
                assert_eq!((question[1], question[3]), (97, 98));
                assert_eq!(answer, [UNGRADED, UNGRADED, UNGRADED, (question[0] + question[2]) % 97]);
                assert!(seen.insert((question[0], question[2])));
            }
        }
        assert_eq!(seen.len(), 97 * 97);
    }
}
