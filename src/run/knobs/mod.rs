//! One definition of a knob gives the slider, the command-line flag, the range check and the help.

mod attention;
mod block;
mod knob;
mod measuring;
mod model;
mod optimizer;
mod rates;
mod task;
mod training;

use super::spec::RunSpec;

pub use knob::{Knob, KnobKind, KnobValue, Liveness, Scale};

/// Groups, in the order of the panel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    Training,
    Rates,
    Model,
    Block,
    Task,
    Measuring,
}

impl Group {
    pub const ALL: [Self; 6] = [Self::Training, Self::Rates, Self::Model, Self::Block, Self::Task, Self::Measuring];

    pub fn title(self) -> &'static str {
        match self {
            Self::Training => "Training",
            Self::Rates => "Learning rates by role",
            Self::Model => "Model",
            Self::Block => "Block",
            Self::Task => "Task",
            Self::Measuring => "Measuring",
        }
    }
}

/// A knob of the Playground: a value of the specification that people turn.
pub struct SpecKnob {
    pub knob: Knob,
    pub group: Group,
    get: fn(&RunSpec) -> KnobValue,
    set: fn(&mut RunSpec, &KnobValue),
    /// Whether the rest of the specification makes use of it.
    relevant: fn(&RunSpec) -> bool,
}

impl std::ops::Deref for SpecKnob {
    type Target = Knob;

    fn deref(&self) -> &Knob {
        &self.knob
    }
}

/// All knobs of the Playground, in the order of the panel.
pub fn all() -> impl Iterator<Item = &'static SpecKnob> {
    let model = block::PRESET.iter().chain(model::KNOBS).chain(block::KNOBS).chain(attention::KNOBS);
    let model = model.chain(block::REST);
    let training = optimizer::KNOBS.iter().chain(training::KNOBS).chain(rates::KNOBS);
    training.chain(model).chain(task::KNOBS).chain(measuring::KNOBS)
}

pub fn find(id: &str) -> Option<&'static SpecKnob> {
    all().find(|knob| knob.id == id)
}

impl SpecKnob {
    pub fn get(&self, spec: &RunSpec) -> KnobValue {
        (self.get)(spec)
    }

    /// The value in a new specification.
    pub fn default_value(&self) -> KnobValue {
        (self.get)(&RunSpec::default())
    }

    /// Whether the knob does anything for this specification (heads of an MLP don't).
    pub fn is_relevant(&self, spec: &RunSpec) -> bool {
        (self.relevant)(spec)
    }

    /// Sets a value of this knob.
    ///
    /// # Errors
    /// One sentence that names the knob, the value and the allowed range.
    pub fn set(&self, spec: &mut RunSpec, value: &KnobValue) -> Result<(), String> {
        self.check(value)?;
        (self.set)(spec, value);
        Ok(())
    }
}

/// Checks every knob's range and the rules between them.
///
/// # Errors
/// One sentence that names the knob, the value and what to do.
pub fn validate(spec: &RunSpec) -> Result<(), String> {
    for knob in all() {
        knob.check(&knob.get(spec))?;
    }
    let model = &spec.model;
    let is_transformer = model::is_transformer(spec);
    if is_transformer && !model.width.is_multiple_of(model.n_heads) {
        return Err(format!(
            "heads can't be {} with width {}: each head gets width/heads channels; give a divisor of the width",
            model.n_heads, model.width
        ));
    }
    let known = !spec.task.kind.may_be_sequence();
    if known && spec.task.kind.is_sequence() != (model.kind == crate::nn::spec::ModelKind::Gpt) {
        return Err(format!(
            "model {} can't learn task {}: sequences of tokens need `gpt`, everything else one of mlp, residual-mlp, vision-transformer, conv-net, residual-conv-net",
            find("model").expect("registered").get(spec),
            find("task").expect("registered").get(spec)
        ));
    }
    if spec.task.kind.needs_path() && spec.task.path.is_none() {
        return Err(format!(
            "task {} reads your own data: give its place with --data",
            find("task").expect("registered").get(spec)
        ));
    }
    if model.depth == 0 && model.kind != crate::nn::spec::ModelKind::Mlp {
        return Err(
            "depth can't be 0 for this model: only `mlp` is something without hidden layers; give 1 or more".into()
        );
    }
    if model.depth == 0 && model.parametrization.kind != crate::nn::parametrization::Parametrization::Standard {
        return Err("depth can't be 0 with this parametrization, which scales by it; give 1 or more, or parametrization standard".into());
    }
    if spec.batch_size == 1 && model.kind == crate::nn::spec::ModelKind::Mlp && model::has_batch_norm(spec) {
        return Err("batch-size can't be 1 with batch-norm: one example less its mean is 0; give 2 or more, or set batch-norm to false".into());
    }
    let standard = model.parametrization.kind == crate::nn::parametrization::Parametrization::Standard;
    if !standard && !super::parametrization::has_column(&spec.optimizer) {
        return Err(format!(
            "parametrization {} doesn't say how the rates of {} change with width: give parametrization standard, or one of \
             sgd, adam, adam-w, rms-prop, soap, or shampoo with grafting",
            find("parametrization").expect("registered").get(spec),
            find("optimizer").expect("registered").get(spec)
        ));
    }
    if spec.eval_every == 0 {
        return Err("eval_every can't be 0; give the number of steps between evaluations, 1 or more".into());
    }
    Ok(())
}

/// Serialises an enum variant to its kebab-case name.
fn name_of<T: serde::Serialize>(value: &T) -> KnobValue {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => KnobValue::Choice(name),
        other => unreachable!("choices are unit variants: {other:?}"),
    }
}

/// The inverse of [`name_of`], for names that [`Knob::check`] has let pass.
fn named<T: serde::de::DeserializeOwned>(value: &KnobValue) -> T {
    let KnobValue::Choice(name) = value else { unreachable!("checked") };
    serde_json::from_value(serde_json::Value::String(name.clone())).expect("every listed choice is a variant")
}

fn float(value: &KnobValue) -> f64 {
    let KnobValue::Float(v) = value else { unreachable!("checked") };
    *v
}

fn int(value: &KnobValue) -> u64 {
    let KnobValue::Int(v) = value else { unreachable!("checked") };
    *v
}

fn toggle(value: &KnobValue) -> bool {
    let KnobValue::Toggle(v) = value else { unreachable!("checked") };
    *v
}

fn always(_: &RunSpec) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_and_every_knob_explains_itself() {
        let mut seen = std::collections::BTreeSet::new();
        for knob in all() {
            assert!(seen.insert(knob.id), "{} twice", knob.id);
            for text in [knob.label, knob.definition, knob.formula, knob.effect] {
                assert!(!text.is_empty(), "{}", knob.id);
            }
        }
    }

    #[test]
    fn defaults_are_valid_and_survive_set_get_and_print_parse() {
        validate(&RunSpec::default()).unwrap();
        for knob in all() {
            let value = knob.default_value();
            let mut spec = RunSpec::default();
            knob.set(&mut spec, &value).unwrap();
            assert_eq!(spec, RunSpec::default(), "{}", knob.id);
            assert_eq!(knob.parse(&value.to_string()).unwrap(), value, "{}", knob.id);
        }
    }

    #[test]
    fn every_choice_sets_what_it_gets() {
        for knob in all() {
            if let KnobKind::Choice(options) = knob.kind {
                for (id, _) in options {
                    let mut spec = RunSpec::default();
                    knob.set(&mut spec, &KnobValue::Choice((*id).into())).unwrap();
                    if *id == block::CUSTOM {
                        // Not a setting but the absence of a known one.
                        assert_eq!(spec, RunSpec::default());
                        continue;
                    }
                    assert_eq!(knob.get(&spec), KnobValue::Choice((*id).into()), "{}", knob.id);
                }
            }
        }
    }

    #[test]
    fn a_wrong_value_is_answered_with_the_knob_the_value_and_the_range() {
        let message = find("lr").unwrap().parse("fast").unwrap_err();
        assert!(message.contains("lr") && message.contains("fast") && message.contains("from"), "{message}");
        assert!(find("momentum").unwrap().parse("1.5").is_err());
        assert!(find("lr").unwrap().parse("NaN").is_err());
    }
}
