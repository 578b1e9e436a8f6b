//! Files in the window: saved, opened, exported, each by a thread that doesn't make it wait.

use std::sync::Arc;

use egui::{Key, Modifiers, Role};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};

use landscope::app::export::Export;
use landscope::app::state::Dialog;
use landscope::app::{App, Window};
use landscope::record::{Outcome, Recording, TimeCursor};
use landscope::run::messages::{Command, Event};

use super::window::{desk, harness, header, snapshot};

#[test]
fn saving_asks_for_a_path_and_the_worker_writes() {
    let mut desk = desk();
    desk.harness.key_press_modifiers(Modifiers::COMMAND, Key::S);
    desk.harness.run();
    assert!(matches!(desk.window().dialog, Some(Dialog::Save { .. })));
    desk.click("Save");
    match &desk.asked()[..] {
        [Command::Save(path)] => assert!(path.to_string_lossy().contains("digits-step200"), "{path:?}"),
        other => panic!("{other:?}"),
    }
    desk.tell(Event::Saved("here.landscope".into()));
    assert!(desk.window().toasts.iter().any(|notice| notice.text.contains("here.landscope")));
}

#[test]
fn a_file_is_shown_without_transport_and_its_knobs_cannot_be_turned() {
    let mut recording = Recording::new(header());
    (0..50).for_each(|step| recording.push(&snapshot(step)).unwrap());
    recording.outcome = Some(Outcome::Finished);
    let mut harness = harness(Window::viewing(std::path::Path::new("old.landscope"), recording));
    harness.run();
    harness.get_by_label("Recording old.landscope");
    assert!(harness.query_by_label("Reset").is_none());
    assert!(harness.get_by_role_and_label(Role::Slider, "Width").accesskit_node().is_disabled());
    harness.key_press(Key::ArrowLeft);
    harness.run();
    assert_eq!(harness.state().window.cursor, TimeCursor::At(48));
}

#[test]
fn opening_a_file_puts_the_run_on_pause_behind_it() {
    let mut desk = desk();
    desk.harness.state_mut().window.view("old.landscope".into(), Recording::new(header()));
    desk.harness.run();
    assert!(matches!(desk.asked()[..], [Command::Pause]));
    assert_eq!(desk.window().recording().newest_step(), 0);
    desk.tell(Event::Snapshot(Arc::new(snapshot(201))));
    desk.click("Back to the run");
    assert_eq!(desk.window().recording().newest_step(), 201);
}

/// Runs frames until background threads have answered.
#[track_caller]
pub fn wait_for(harness: &mut Harness<'static, App>, what: &str, done: impl Fn(&Window) -> bool) {
    for _ in 0..500 {
        harness.step();
        if done(&harness.state().window) {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("waited too long for {what}");
}

pub fn told(window: &Window, words: &str) -> bool {
    window.toasts.iter().any(|notice| notice.text.contains(words))
}

#[test]
fn a_saved_recording_is_opened_by_typing_its_path_and_a_wrong_one_is_explained() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.landscope");
    let recording = landscope::record::example::recording(60);
    let mut harness = harness(Window::viewing(std::path::Path::new("example"), recording));
    harness.state_mut().window.apply(landscope::app::action::Action::Save(path.clone()));
    wait_for(&mut harness, "saving", |window| told(window, "Wrote"));

    let mut desk = desk();
    desk.harness.key_press_modifiers(Modifiers::COMMAND, Key::O);
    desk.harness.run();
    desk.harness.get_by_role_and_label(Role::TextInput, "Path").type_text(path.to_str().unwrap());
    desk.harness.run();
    desk.click("Open");
    wait_for(&mut desk.harness, "opening", |window| window.viewed.is_some());
    assert_eq!(desk.window().recording().newest_step(), 60);
    assert!(told(desk.window(), "run.landscope"));

    desk.harness.state_mut().window.apply(landscope::app::action::Action::Open(folder.path().join("none")));
    wait_for(&mut desk.harness, "the explanation", |window| told(window, "Can't read"));
    assert_eq!(desk.window().recording().newest_step(), 60, "what was open stays open");
}

#[test]
fn a_pane_is_exported_as_figure_and_table_where_the_prompt_says() {
    let folder = tempfile::tempdir().unwrap();
    let mut desk = desk();
    for (entry, extension) in [("Figure …", "svg"), ("Figure …", "png"), ("Data …", "csv"), ("Data …", "json")]
    {
        desk.click("Loss and accuracy menu");
        desk.click(entry);
        desk.harness.get_by_role_and_label(Role::RadioButton, &extension.to_uppercase()).click();
        desk.harness.run();
        let Some(Dialog::Export(asked)) = desk.window().dialog.clone() else { panic!() };
        assert_eq!(asked.path, format!("./landscope-loss-step200.{extension}"));
        let path = folder.path().join(format!("loss.{extension}"));
        let again = Dialog::Export(Export { path: path.to_str().unwrap().into(), ..asked });
        desk.harness.state_mut().window.apply(landscope::app::action::Action::Show(again));
        desk.harness.run();
        desk.click("Export");
        let place = path.to_str().unwrap().to_owned();
        wait_for(&mut desk.harness, "the file", move |window| told(window, &place));
        assert!(path.metadata().unwrap().len() > 200);
    }
}
