//! Convolutional networks as a user trains them.

use landscope::nn::spec::{Downsample, ModelKind, ModelSpec};
use landscope::run::spec::RunSpec;
use landscope::run::trainer::{StepOutcome, Trainer};

/// Accuracy on the test split after `steps` updates with the default optimiser.
fn test_accuracy(model: &ModelSpec, seed: u64, steps: u64) -> f64 {
    let spec = RunSpec { seed, steps, model: model.clone(), ..RunSpec::default() };
    let mut trainer = Trainer::new(spec).unwrap();
    for _ in 0..steps {
        assert!(matches!(trainer.step().unwrap(), StepOutcome::Done(_)));
    }
    trainer.evaluate().unwrap().accuracy.unwrap()
}

#[test]
fn convnets_learn_the_digits() {
    for (kind, downsample) in [(ModelKind::ConvNet, Downsample::Pool), (ModelKind::ResidualConvNet, Downsample::Stride)]
    {
        let model = ModelSpec { kind, downsample, width: 16, ..ModelSpec::default() };
        for seed in 0..3 {
            let accuracy = test_accuracy(&model, seed, 500);
            assert!(accuracy > 0.9, "{kind:?}, seed {seed}: {accuracy}");
        }
    }
}
