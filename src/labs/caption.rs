//! What stands below a figure: what is seen, of which run, and what the run was.

use crate::base::digits::grouped;
use crate::record::{Header, Intervention, Recording};
use crate::run::bench::{Preset, Values};
use crate::run::knobs;
use crate::run::ledger;
use crate::run::spec::RunSpec;

use super::Lab;

/// Knobs that are named; more are counted.
const MOST_KNOBS: usize = 8;
/// Interventions that are named.
const MOST_MARKS: usize = 3;

/// A caption of few sentences: what is seen, model and task or lab and paper, knobs that aren't at their defaults, changes by hand,
/// seed and version.
pub fn caption(recording: &Recording, what: &str) -> String {
    let header = &recording.header;
    let mut sentences = vec![what.to_owned()];
    let lab = header.lab.as_ref().and_then(|lab| super::find(&lab.id));
    match (&header.lab, lab) {
        (Some(about), Some(lab)) => {
            sentences.push(format!("{}, after {}", about.title, paper(lab)));
            sentences.push(lab_knobs(lab, header));
            sentences.push(format!("Seed {}", about.seed));
        }
        (Some(about), None) => sentences.push(format!("{}, seed {}", about.title, about.seed)),
        (None, _) => {
            sentences.push(run(header));
            if let Ok(spec) = RunSpec::from_toml(&header.spec, "of the recording") {
                sentences.push(run_knobs(&spec));
                sentences.push(format!("Seed {}", spec.seed));
            }
        }
    }
    sentences.push(interventions(recording));
    if !header.program_version.is_empty() {
        sentences.push(format!("Landscope {}", header.program_version));
    }
    sentences.retain(|sentence| !sentence.is_empty());
    sentences.iter().map(|sentence| format!("{}.", sentence.trim_end_matches('.'))).collect::<Vec<_>>().join(" ")
}

fn run(header: &Header) -> String {
    if header.model_title.is_empty() && header.task_title.is_empty() {
        return String::new();
    }
    let parameters = grouped(header.parameters as u64);
    capital(&format!("{} ({parameters} parameters) on {}", header.model_title, header.task_title))
}

/// `Noci et al., NeurIPS 2022, arXiv:2206.03126`
fn paper(lab: &dyn Lab) -> String {
    let paper = lab.paper();
    let authors: Vec<_> = paper.authors.split(", ").collect();
    let authors = match authors.as_slice() {
        [first, _, _, ..] => format!("{first} et al."),
        few => few.join(" and "),
    };
    format!("{authors}, {}, arXiv:{}", paper.venue, paper.arxiv)
}

fn listed(knobs: &[String]) -> String {
    let mut text = knobs[..knobs.len().min(MOST_KNOBS)].join(", ");
    if knobs.len() > MOST_KNOBS {
        text.push_str(&format!(" and {} more knobs", knobs.len() - MOST_KNOBS));
    }
    text
}

/// Knobs of the Playground that aren't at their defaults. How often and how well was measured isn't part of the run.
fn run_knobs(spec: &RunSpec) -> String {
    let changed = knobs::all().filter(|knob| {
        knob.group != knobs::Group::Measuring
            && !["seed", "steps", "task", "model", "data"].contains(&knob.id)
            && knob.is_relevant(spec)
            && knob.get(spec) != knob.default_value()
    });
    let changed: Vec<_> = changed.map(|knob| format!("{} {}", knob.id, knob.get(spec))).collect();
    if changed.is_empty() { "Default settings".into() } else { format!("With {}", listed(&changed)) }
}

/// The preset that is nearest, and the knobs that it has otherwise.
fn lab_knobs(lab: &dyn Lab, header: &Header) -> String {
    let Some(about) = &header.lab else { return String::new() };
    let differing = |preset: Preset| {
        let values = Values::preset(lab.knobs(), preset).texts();
        let differs = |(id, text): &(&String, &String)| values.get(*id).is_some_and(|other| other != *text);
        about.knobs.iter().filter(differs).map(|(id, text)| format!("{id} {text}")).collect::<Vec<_>>()
    };
    let all = Preset::ALL.map(|preset| (preset, differing(preset)));
    let Some((preset, changed)) = all.iter().min_by_key(|(_, changed)| changed.len()) else { return String::new() };
    let but = if changed.is_empty() { String::new() } else { format!(" but {}", listed(changed)) };
    format!("Preset {}{but}", preset.id())
}

fn interventions(recording: &Recording) -> String {
    let marks: Vec<_> = recording.interventions_of(recording.focus()).collect();
    let told = marks.iter().take(MOST_MARKS);
    let mut texts: Vec<_> = told.map(|mark| format!("{} at step {}", change(mark), grouped(mark.step))).collect();
    if marks.len() > MOST_MARKS {
        texts.push(format!("and {} times more", marks.len() - MOST_MARKS));
    }
    if texts.is_empty() { String::new() } else { format!("Turned by hand: {}", texts.join(", ")) }
}

fn change(mark: &Intervention) -> String {
    match mark {
        Intervention { knob, .. } if knob == ledger::FORK => "branch".into(),
        Intervention { knob, from, to, .. } if from.is_empty() && to.is_empty() => knob.clone(),
        Intervention { knob, from, to, .. } => format!("{knob} {from} to {to}"),
    }
}

fn capital(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().map_or_else(String::new, |first| first.to_uppercase().chain(rest).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labs::LABS;
    use crate::record::{LabHeader, example};

    #[test]
    fn a_run_is_told_by_what_was_turned() {
        let mut recording = example::recording(1_500);
        let mut spec = RunSpec { seed: 7, batch_size: 32, ..RunSpec::default() };
        spec.optimizer.lr = 0.02;
        spec.probes.landscape_radius = 0.5;
        recording.header.spec = spec.to_toml();
        recording.header.program_version = "9.9.9".into();
        let text = caption(&recording, "Loss landscape at step 1,500");
        assert!(text.starts_with("Loss landscape at step 1,500. "), "{text}");
        for part in ["lr 0.02", "batch-size 32", "Seed 7.", "Landscope 9.9.9.", "hand: lr 0.05 to 0.025 at step 1,000."]
        {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(!text.contains("radius") && !text.contains(".."), "{text}");
    }

    #[test]
    fn a_lab_is_told_by_its_paper_and_its_nearest_preset() {
        for lab in LABS {
            let mut values = Values::preset(lab.knobs(), Preset::Standard);
            values.seed = 5;
            let mut recording = Recording::default();
            let about = |values: &Values| LabHeader {
                id: lab.id().into(),
                title: lab.title().into(),
                seed: values.seed,
                knobs: values.texts(),
            };
            recording.header.lab = Some(about(&values));
            let text = caption(&recording, "Chart");
            assert!(text.contains(lab.paper().arxiv) && text.contains("Seed 5."), "{text}");
            assert!(text.contains("Preset standard.") || text.contains("Preset instant."), "{text}");
            assert!(text.len() < 300, "{text}");
        }
    }
}
