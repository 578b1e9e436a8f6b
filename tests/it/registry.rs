//! The registries: complete, unambiguous, and each entry works.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use landscope::plots::PaneOptions;
use landscope::plots::pane::PANES;
use landscope::probes::registry::PROBES;
use landscope::record::{Recording, TimeCursor};

#[test]
fn panes_have_names_guides_and_survive_an_empty_recording() {
    let mut slugs = BTreeSet::new();
    for pane in PANES {
        assert!(slugs.insert(pane.slug), "{} twice", pane.slug);
        assert!(pane.guide.len() > 200, "{}: the guide must explain how to read the pane", pane.slug);
        for cursor in [TimeCursor::Following, TimeCursor::At(7)] {
            let plots = (pane.plots)(&Recording::default(), cursor, &PaneOptions::default());
            assert!(!plots.is_empty(), "{} draws nothing, not even why", pane.slug);
        }
    }
}

#[test]
fn probes_have_names_and_a_price() {
    let mut ids = BTreeSet::new();
    for probe in PROBES {
        assert!(ids.insert(probe.id), "{} twice", probe.id);
        assert!(!probe.title.is_empty() && !probe.cost.is_empty(), "{}", probe.id);
    }
}

#[test]
fn every_shader_has_a_pipeline_of_its_name() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for entry in fs::read_dir(root.join("shaders")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "wgsl") {
            let twin = root.join("src/app/gpu").join(path.with_extension("rs").file_name().unwrap());
            assert!(twin.exists(), "{} has no {}", path.display(), twin.display());
        }
    }
}
