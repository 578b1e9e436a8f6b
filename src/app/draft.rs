//! The specification that the knobs show: what runs, or what the user is on the way to.

use crate::run::knobs::{self, Group, KnobValue};

use super::background::Browse;
use crate::run::spec::RunSpec;

/// Sets a knob in `spec` and bends what no longer fits with it, so that one click never ends in a refusal.
/// The bends come back as sentences for the user.
///
/// # Errors
/// One sentence that names the knob, the value and the allowed range; `spec` is then unchanged.
pub fn change(spec: &mut RunSpec, id: &str, value: &KnobValue) -> Result<Vec<String>, String> {
    let knob = knobs::find(id).ok_or_else(|| format!("There is no knob {id}"))?;
    knob.set(spec, value)?;
    let mut remarks = Vec::new();
    let others =
        matches!(knob.group, Group::Model | Group::Block | Group::Task) && id != "label-noise" && id != "train-size";
    if others && spec.init_weights.take().is_some() {
        remarks.push("The run begins from the seed again: the weights of the file were another network's".into());
    }
    fit_task_and_model(spec, id, &mut remarks);
    fit_heads(spec, &mut remarks);
    Ok(remarks)
}

/// Why `spec` can't run yet, in words for the knob panel; `None` if it can.
pub fn obstacle(spec: &RunSpec) -> Option<String> {
    if spec.task.kind.needs_path() && spec.task.path.is_none() {
        return Some("Choose the file or folder of this task: the run restarts then".into());
    }
    knobs::validate(spec).err()
}

fn choice(spec: &RunSpec, id: &str) -> String {
    knobs::find(id).map(|knob| knob.get(spec).to_string()).unwrap_or_default()
}

/// Sets a choice that the program makes on its own, and says so.
fn choose(spec: &mut RunSpec, id: &str, option: &str, because: &str, remarks: &mut Vec<String>) {
    let Some(knob) = knobs::find(id) else { return };
    if knob.set(spec, &KnobValue::Choice(option.into())).is_ok() {
        remarks.push(format!("{} is now {}: {because}", knob.label, title(knob, option)));
    }
}

/// What the task reads: a file or a folder.
pub fn data_place(spec: &RunSpec) -> Browse {
    let is_file = ["csv", "text", "safetensors", "npz"].contains(&choice(spec, "task").as_str());
    if is_file { Browse::DataFile } else { Browse::DataFolder }
}

/// How a choice is shown.
pub fn title(knob: &knobs::Knob, option: &str) -> String {
    match knob.kind {
        knobs::KnobKind::Choice(options) => {
            options.iter().find(|(id, _)| *id == option).map_or(option, |(_, title)| *title).to_owned()
        }
        _ => option.to_owned(),
    }
}

fn fit_task_and_model(spec: &mut RunSpec, changed: &str, remarks: &mut Vec<String>) {
    let is_gpt = choice(spec, "model") == "gpt";
    if spec.task.kind.is_sequence() == is_gpt {
        return;
    }
    match (changed, is_gpt) {
        ("model", true) => choose(spec, "task", "modular-addition", "a GPT learns sequences of tokens", remarks),
        ("model", false) => choose(spec, "task", "digits", "sequences of tokens need a GPT", remarks),
        (_, false) => choose(spec, "model", "gpt", "sequences of tokens need a GPT", remarks),
        (_, true) => {
            let pictures = ["digits", "idx", "cifar10", "image-folder"].contains(&choice(spec, "task").as_str());
            let model = if pictures { "vision-transformer" } else { "mlp" };
            choose(spec, "model", model, "a GPT learns sequences of tokens only", remarks);
        }
    }
}

/// The largest number of heads, at most the present, that divides the width.
fn fit_heads(spec: &mut RunSpec, remarks: &mut Vec<String>) {
    let Some(knob) = knobs::find("heads") else { return };
    let (width, heads) = (spec.model.width, spec.model.n_heads);
    if !knob.is_relevant(spec) || heads == 0 || width.is_multiple_of(heads) {
        return;
    }
    let fitting = (1..=heads).rev().find(|n| width.is_multiple_of(*n)).unwrap_or(1);
    if knob.set(spec, &KnobValue::Int(fitting as u64)).is_ok() {
        remarks.push(format!("{} is now {fitting}: it has to divide the width", knob.label));
    }
}

/// After the specification in force went from `before` to `after`: knobs that showed the old value follow; knobs
/// that the user has turned further since stay.
pub fn follow(draft: &mut RunSpec, before: &RunSpec, after: &RunSpec) {
    for knob in knobs::all() {
        let value = knob.get(after);
        if knob.get(draft) == knob.get(before) && knob.get(draft) != value {
            // Values of a running specification are in range.
            let _ = knob.set(draft, &value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(id: &str, value: &str) -> (RunSpec, Vec<String>) {
        let mut spec = RunSpec::default();
        let value = knobs::find(id).unwrap().parse(value).unwrap();
        let remarks = change(&mut spec, id, &value).unwrap();
        (spec, remarks)
    }

    #[test]
    fn every_choice_of_task_and_model_ends_in_a_specification_that_runs_or_waits_for_a_file() {
        for id in ["task", "model"] {
            let knobs::KnobKind::Choice(options) = knobs::find(id).unwrap().kind else { panic!("{id}") };
            for (option, _) in options {
                let (mut spec, _) = changed(id, option);
                if spec.task.kind.needs_path() {
                    assert!(obstacle(&spec).unwrap().contains("file"), "{option}");
                    change(&mut spec, "data", &KnobValue::Path("somewhere".into())).unwrap();
                }
                assert_eq!(obstacle(&spec), None, "{option}");
            }
        }
    }

    #[test]
    fn weights_of_a_file_go_with_the_network_they_are_of() {
        for (id, value, kept) in
            [("width", "16", false), ("task", "moons", false), ("lr", "0.5", true), ("seed", "3", true)]
        {
            let mut spec = RunSpec { init_weights: Some("w.safetensors".into()), ..RunSpec::default() };
            let value = knobs::find(id).unwrap().parse(value).unwrap();
            let remarks = change(&mut spec, id, &value).unwrap();
            assert_eq!(spec.init_weights.is_some(), kept, "{id}");
            assert_eq!(remarks.iter().any(|text| text.contains("from the seed")), !kept, "{id}: {remarks:?}");
        }
    }

    #[test]
    fn a_width_the_heads_do_not_divide_takes_fewer_heads_and_says_so() {
        let (spec, remarks) = changed("width", "33");
        assert_eq!((spec.model.width, spec.model.n_heads), (33, 3));
        assert!(remarks[0].contains("Heads"), "{remarks:?}");
    }

    #[test]
    fn a_value_out_of_range_changes_nothing() {
        let mut spec = RunSpec::default();
        let error = change(&mut spec, "momentum", &KnobValue::Float(3.0)).unwrap_err();
        assert!(error.contains("momentum"), "{error}");
        assert_eq!(spec, RunSpec::default());
    }

    #[test]
    fn knobs_follow_the_run_unless_the_user_has_turned_them_further() {
        let (before, mut after) = (RunSpec::default(), RunSpec::default());
        let mut draft = before.clone();
        after.optimizer.lr = 0.5;
        after.optimizer.momentum = 0.1;
        draft.optimizer.momentum = 0.7;
        follow(&mut draft, &before, &after);
        assert_eq!((draft.optimizer.lr, draft.optimizer.momentum), (0.5, 0.7));
    }
}
