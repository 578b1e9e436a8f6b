//! Papers made executable: each lab is knobs, a protocol, charts, claims and its theory, one file (or folder) and one line in
//! [`LABS`].

pub mod caption;
pub mod claim;
mod experiment;
pub mod lab;
pub mod lesson;
mod mode_connectivity;
pub mod page;
mod rank_collapse;
pub mod reproduce;
mod shaped_transformer;
mod super_consistency;
pub mod table;

pub use claim::{Check, Claim, Number};
pub use experiment::Experiment;
pub use lab::{Lab, Paper};
pub use table::{Inputs, Table};

/// All labs, in the order of the window's list.
pub const LABS: &[&dyn Lab] = &[
    &rank_collapse::RankCollapse,
    &shaped_transformer::ShapedTransformer,
    &super_consistency::SuperConsistency,
    &mode_connectivity::ModeConnectivity,
];

/// The lab called `id`.
pub fn find(id: &str) -> Option<&'static dyn Lab> {
    LABS.iter().copied().find(|lab| lab.id() == id)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::run::bench::{Preset, Values};

    #[test]
    fn every_lab_explains_itself_and_its_presets_are_in_range() {
        let mut ids = BTreeSet::new();
        for lab in LABS {
            assert!(ids.insert(lab.id()), "{} twice", lab.id());
            let mut knobs = BTreeSet::new();
            for entry in lab.knobs() {
                let knob = &entry.knob;
                assert!(knobs.insert(knob.id), "{}: {} twice", lab.id(), knob.id);
                assert!(!["seed", "preset", "out", "json", "lab"].contains(&knob.id), "{} is taken", knob.id);
                for text in [knob.label, knob.definition, knob.formula, knob.effect, entry.group] {
                    assert!(!text.is_empty(), "{}: {}", lab.id(), knob.id);
                }
                for text in entry.presets {
                    let value = knob.parse(text).unwrap_or_else(|message| panic!("{}: {message}", lab.id()));
                    assert_eq!(value.to_string(), text, "{}: {} isn't written as it is shown", lab.id(), knob.id);
                }
            }
            for preset in Preset::ALL {
                let values = Values::preset(lab.knobs(), preset);
                lab.check(&values).unwrap();
                let charts = lab.charts(&values);
                let ids: BTreeSet<_> = charts.iter().map(|chart| chart.id.clone()).collect();
                assert_eq!(ids.len(), charts.len(), "{}: two charts with one id", lab.id());
                assert!(charts.iter().all(|chart| !chart.guide.is_empty() && !chart.panels.is_empty()));
            }
            let claims: BTreeSet<_> = lab.claims().iter().map(|claim| claim.id).collect();
            assert_eq!(claims.len(), lab.claims().len(), "{}: two claims with one id", lab.id());
            assert!(!claims.is_empty(), "{} claims nothing", lab.id());
        }
    }
}
