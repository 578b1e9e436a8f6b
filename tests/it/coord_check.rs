//! The coordinate check as a user runs it: from the command line and in the window.

use std::time::{Duration, Instant};

use egui::Key;
use egui_kittest::kittest::Queryable;
use landscope::app::action::Action;
use landscope::app::coord_check::{CoordCheckAction, Stage};
use landscope::app::state::Dialog;

use super::program::{json_lines, output, stderr, stdout};
use super::window::desk;

const QUICK: [&str; 9] = ["coord-check", "--model", "mlp", "--train-size", "64", "--widths", "8,16,32", "--seeds", "2"];

fn quick<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    QUICK.iter().chain(arguments).copied().collect()
}

#[test]
fn the_table_has_a_row_and_a_verdict_a_module() {
    let home = tempfile::tempdir().unwrap();
    let result = output(home.path(), &quick(&["--steps", "3", "--parametrization", "mup"]));
    assert!(result.status.success(), "{}", stderr(&result));
    let said = stdout(&result);
    for module in ["layer 1", "layer 2", "outputs"] {
        let row = said.lines().find(|line| line.starts_with(module)).unwrap();
        let words = ["flat", "drifts", "grows", "shrinks", "unclear"];
        assert!(words.iter().any(|word| row.ends_with(word)), "{row}");
        assert_eq!(row.matches('±').count(), 5, "{row}");
    }
    assert!(said.contains("muP") && said.contains("3 widths from 8 to 32, 2 seeds, 3 updates"), "{said}");
}

#[test]
fn json_holds_every_slope_and_scale_and_a_diverged_run_is_a_result() {
    let home = tempfile::tempdir().unwrap();
    let result = output(home.path(), &quick(&["--steps", "3", "--json"]));
    assert!(result.status.success(), "{}", stderr(&result));
    let object = &json_lines(&result)[0];
    assert_eq!(object["widths"], serde_json::json!([8, 16, 32]));
    let modules = object["modules"].as_array().unwrap();
    assert_eq!(modules.len(), 3);
    for module in modules {
        assert_eq!(module["change_slopes_from_step_1"].as_array().unwrap().len(), 3);
        assert_eq!(module["rms_slopes_from_step_0"].as_array().unwrap().len(), 4);
        assert_eq!(module["change_by_width_and_step"].as_array().unwrap().len(), 3);
        assert!(module["rms_slopes_from_step_0"][0]["error"].is_f64());
    }

    let result = output(home.path(), &quick(&["--json", "--optimizer", "sgd", "--lr", "1000", "--steps", "20"]));
    assert!(result.status.success(), "{}", stderr(&result));
    let object = &json_lines(&result)[0];
    assert!(object["diverged_runs"].as_u64().unwrap() > 0);
    assert_eq!(object["modules"][0]["verdict"], "diverged");
}

#[test]
fn the_window_runs_it_in_the_background_and_shows_verdicts() {
    let mut desk = desk();
    desk.harness.state_mut().window.apply(Action::Show(Dialog::CoordCheck));
    // A network that is quick to train.
    desk.harness.state_mut().window.draft.model.kind = landscope::nn::spec::ModelKind::Mlp;
    for action in [CoordCheckAction::Widths("4, 8".into()), CoordCheckAction::Steps(2), CoordCheckAction::Seeds(1)] {
        desk.harness.state_mut().window.apply(Action::CoordCheck(action));
    }
    desk.harness.run();
    desk.click("Start");
    assert!(matches!(&desk.window().coord_check.stage, Stage::Failed(message) if message.contains("three")));
    let widths = CoordCheckAction::Widths("4, 8, 16".into());
    desk.harness.state_mut().window.apply(Action::CoordCheck(widths));
    desk.harness.run();
    desk.click("Start");
    let start = Instant::now();
    while matches!(desk.window().coord_check.stage, Stage::Running(..)) {
        assert!(start.elapsed() < Duration::from_secs(60), "it never ends");
        std::thread::sleep(Duration::from_millis(20));
        desk.harness.step();
    }
    desk.harness.run();
    let Stage::Done(result) = &desk.window().coord_check.stage else { panic!("no result") };
    assert_eq!(result.check.widths, [4, 8, 16]);
    for verdict in result.verdicts.clone() {
        assert!(desk.harness.query_all_by_label(&verdict.module).next().is_some(), "{}", verdict.module);
    }
    desk.key(Key::Escape);
    assert_eq!(desk.window().dialog, None);
}
