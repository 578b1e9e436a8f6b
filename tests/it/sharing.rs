//! State that travels: links and saved states from the window to the command line and back, undo, settings, files that are brought.

use std::path::Path;

use egui::{Event as Input, Key, Modifiers, Role};
use egui_kittest::kittest::{NodeT as _, Queryable as _};

use landscope::app::action::Action;
use landscope::app::bring::Brought;
use landscope::app::layouts::LayoutAction;
use landscope::app::share::{Experiment, SharedState};
use landscope::app::sharing::ShareAction;
use landscope::app::state::Dialog;
use landscope::app::{Wake, Window};
use landscope::plots::{PaneId, PaneOptions};
use landscope::record::TimeCursor;
use landscope::run::course::Course;
use landscope::run::knobs::KnobValue;
use landscope::run::messages::{Command, Event};
use landscope::run::spec::RunSpec;

use super::program::{output, stderr, stdout};
use super::window::{Desk, desk, header};
use super::window_files::{told, wait_for};

/// A desk whose run is written into a file as it goes: nothing would be lost.
fn kept_desk() -> Desk {
    let mut desk = desk();
    desk.harness.state_mut().window.recorded_in(Some(Path::new("kept.landscope")));
    desk
}

fn apply(desk: &mut Desk, action: Action) {
    desk.harness.state_mut().window.apply(action);
    desk.harness.run();
}

/// A state that differs from a new window's in every way.
fn other_state() -> SharedState {
    let mut desk = kept_desk();
    let window = &mut desk.harness.state_mut().window;
    window.draft.batch_size = 16;
    window.apply(Action::SetOptions(PaneOptions { loss_log: true, ..PaneOptions::default() }));
    window.apply(Action::Layout(LayoutAction::Hide(PaneId::Attention)));
    window.apply(Action::Maximise(PaneId::Gradients));
    window.apply(Action::ToggleTheme);
    window.apply(Action::ToggleKnobs);
    window.apply(Action::SpeedLimit(Some(20.0)));
    window.apply(Action::Share(ShareAction::HideKnobs(vec!["momentum".into()], true)));
    window.cursor = TimeCursor::At(70);
    window.shared_state().unwrap()
}

#[test]
fn a_link_that_is_pasted_begins_its_experiment_and_shows_it_in_the_same_way() {
    let state = other_state();
    let mut desk = kept_desk();
    desk.harness.event(Input::Paste(format!(" {}\n", state.to_link().unwrap())));
    desk.harness.run();
    let asked = desk.asked();
    assert!(
        matches!(&asked[..], [Command::Restart(spec), Command::Play, Command::SpeedLimit(Some(limit))] if spec.batch_size == 16 && *limit == 20.0),
        "{asked:?}"
    );
    let spec = Box::new(RunSpec { batch_size: 16, ..RunSpec::default() });
    desk.tell(Event::Started { header: std::sync::Arc::new(header()), spec });
    let window = desk.window();
    assert_eq!(window.shared_state().unwrap(), state);
    assert!(!window.dark && !window.knobs_open && window.maximised == Some(PaneId::Gradients));
    assert!(window.layout().is_hidden("attention") && window.cursor == TimeCursor::At(70));
}

#[test]
fn what_is_no_link_is_one_message_and_changes_nothing() {
    let mut desk = kept_desk();
    let before = desk.window().shared_state().unwrap();
    let link = other_state().to_link().unwrap();
    for (text, words) in [("lr = 0.1", "landscope = 1"), (&link[..link.len() - 9], "copy the whole link")] {
        desk.harness.event(Input::Paste(text.to_owned()));
        desk.harness.run();
        assert!(told(desk.window(), words), "{words}");
    }
    assert_eq!(desk.window().toasts.iter().count(), 2);
    assert!(desk.asked().is_empty() && desk.window().shared_state().unwrap() == before);
}

#[test]
fn a_link_that_reads_files_or_ends_a_run_that_is_not_saved_asks_first() {
    let spec = RunSpec { init_weights: Some("secret/w.safetensors".into()), ..RunSpec::default() };
    let experiment = Experiment::Playground(Box::new(spec));
    let reads = SharedState { experiment, course: Course::default(), view: None };
    let mut desk = kept_desk();
    apply(&mut desk, Action::Share(ShareAction::Open(reads.to_link().unwrap())));
    desk.harness.get_by_label("secret/w.safetensors");
    desk.click("Cancel");
    assert!(desk.asked().is_empty() && desk.window().draft.init_weights.is_none());

    let mut desk = self::desk();
    apply(&mut desk, Action::Share(ShareAction::Open(other_state().to_link().unwrap())));
    desk.harness.get_by_label_contains("isn't saved");
    assert!(desk.asked().is_empty());
    desk.click("Begin it");
    assert!(matches!(&desk.asked()[..], [Command::Restart(_), ..]));
    assert_eq!(desk.window().dialog, None);
}

#[test]
fn the_dialog_holds_the_link_of_what_is_shown() {
    let mut desk = desk();
    desk.harness.key_press_modifiers(Modifiers::COMMAND, Key::L);
    desk.harness.run();
    let link =
        |desk: &Desk| desk.harness.get_by_role_and_label(Role::TextInput, "Link").accesskit_node().value().unwrap();
    let first = link(&desk);
    assert_eq!(SharedState::read(&first).unwrap().0, desk.window().shared_state().unwrap());
    apply(&mut desk, Action::ToggleTheme);
    assert!(link(&desk) != first && SharedState::read(&link(&desk)).unwrap().0.view.unwrap().light);
    desk.click("Copy the link");
    assert!(told(desk.window(), "Copied the link"));
    desk.click("Enlarge the QR code");
    assert_eq!(desk.window().dialog, Some(Dialog::QrCode));
    desk.key(Key::Escape);
    assert_eq!(desk.window().dialog, None);
}

#[test]
fn a_dragged_slider_is_undone_at_once_and_redone() {
    let mut desk = desk();
    let lr = |desk: &Desk| desk.window().draft.optimizer.lr;
    let before = lr(&desk);
    let rail = desk.harness.get_by_role_and_label(Role::Slider, "Learning rate").rect();
    let at = |share: f32| rail.left_center() + egui::vec2(share * rail.width(), 0.0);
    desk.harness.drag_at(at(0.3));
    for share in [0.4, 0.5, 0.6, 0.7] {
        desk.harness.hover_at(at(share));
        desk.harness.run_steps(8);
    }
    desk.harness.drop_at(at(0.8));
    desk.harness.run();
    let after = lr(&desk);
    assert!(desk.asked().len() > 2 && after != before);
    let name = desk.window().history.next_undo().unwrap().name.clone();
    assert!(name.starts_with(&format!("Learning rate {before} → ")), "{name}");
    desk.harness.key_press_modifiers(Modifiers::COMMAND, Key::Z);
    desk.harness.run();
    assert!(matches!(&desk.asked()[..], [Command::SetKnob { id: "lr", value: KnobValue::Float(v) }] if *v == before));
    assert!(lr(&desk) == before && desk.window().history.next_undo().is_none());
    desk.harness.key_press_modifiers(Modifiers::COMMAND | Modifiers::SHIFT, Key::Z);
    desk.harness.run();
    assert!(matches!(&desk.asked()[..], [Command::SetKnob { id: "lr", value: KnobValue::Float(v) }] if *v == after));
}

#[test]
fn options_places_and_cold_knobs_are_undone_in_turn() {
    let mut desk = desk();
    let start = desk.window().layout();
    apply(&mut desk, Action::SetOptions(PaneOptions { loss_log: true, ..PaneOptions::default() }));
    apply(&mut desk, Action::Layout(LayoutAction::Hide(PaneId::Loss)));
    apply(&mut desk, Action::Maximise(PaneId::Sharpness));
    apply(&mut desk, Action::SetKnob { id: "width", value: KnobValue::Int(48) });
    let names = |desk: &Desk| desk.window().history.next_undo().map(|edit| edit.name.clone()).unwrap_or_default();
    desk.asked();
    assert!(names(&desk).starts_with("Width 32 → 48"), "{}", names(&desk));
    desk.tell(Event::Started { header: header().into(), spec: Box::new(desk.window().draft.clone()) });
    apply(&mut desk, Action::Undo);
    assert!(matches!(&desk.asked()[..], [Command::Restart(spec)] if spec.model.width == 32));
    assert_eq!(names(&desk), "Maximise Sharpness");
    apply(&mut desk, Action::Undo);
    assert_eq!((desk.window().maximised, names(&desk).as_str()), (None, "Hide Loss and accuracy"));
    apply(&mut desk, Action::Undo);
    assert_eq!((desk.window().layout(), names(&desk).as_str()), (start, "Option of a pane: loss log"));
    apply(&mut desk, Action::Undo);
    assert!(!desk.window().options.loss_log && names(&desk).is_empty());
    (0..4).for_each(|_| apply(&mut desk, Action::Redo));
    let window = desk.window();
    assert!(window.options.loss_log && window.layout().is_hidden("loss") && window.draft.model.width == 48);
}

#[test]
fn a_pane_that_is_dragged_to_another_place_is_one_edit() {
    let mut desk = desk();
    let before = desk.window().layout();
    let place = |desk: &Desk, title: &str| {
        desk.harness.get_by_role_and_label(Role::TitleBar, &format!("{title} pane")).rect().center()
    };
    let (from, to) = (place(&desk, "Loss and accuracy"), place(&desk, "Gradients and updates"));
    desk.harness.drag_at(from);
    desk.harness.run_steps(2);
    for share in [0.3, 0.7, 1.0] {
        desk.harness.hover_at(from + share * (to - from) + egui::vec2(0.0, 60.0 * share));
        desk.harness.run_steps(3);
    }
    desk.harness.drop_at(to + egui::vec2(0.0, 60.0));
    desk.harness.run();
    let moved = desk.window().layout();
    assert!(!moved.same_but_for_tabs(&before), "{}", moved.root);
    assert_eq!(desk.window().history.next_undo().unwrap().name, "Moved panes");
    apply(&mut desk, Action::Undo);
    desk.harness.run();
    assert!(desk.window().layout().same_but_for_tabs(&before) && desk.window().history.next_undo().is_none());
}

#[test]
fn settings_and_layouts_are_there_the_next_day() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("settings.toml");
    let mut desk = desk();
    desk.harness.state_mut().window.keep_settings_in(path.clone());
    apply(&mut desk, Action::ToggleTheme);
    apply(&mut desk, Action::Layout(LayoutAction::Hide(PaneId::Loss)));
    apply(&mut desk, Action::Layout(LayoutAction::Save("Lecture 3".into())));
    apply(&mut desk, Action::ResetLayout);
    apply(&mut desk, Action::Layout(LayoutAction::Hide(PaneId::Signal)));
    // Frames have it written; nothing has to be closed.
    for _ in 0..200 {
        if std::fs::read_to_string(&path).is_ok_and(|text| text.contains("signal-propagation")) {
            break;
        }
        desk.harness.run_steps(3);
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    drop(desk);
    let mut window = Window::idle(Wake::default());
    window.keep_settings_in(path.clone());
    assert!(!window.dark && window.layout().is_hidden("signal-propagation"));
    assert_eq!(window.layout_names(), ["Lecture 3"]);
    window.apply(Action::Layout(LayoutAction::Choose("Lecture 3".into())));
    assert!(window.layout().is_hidden("loss") && !window.layout().is_hidden("signal-propagation"));
    window.apply(Action::Layout(LayoutAction::Delete("Lecture 3".into())));
    window.quit();
    let mut window = Window::idle(Wake::default());
    window.keep_settings_in(path);
    assert!(window.layout_names().is_empty() && window.layout().is_hidden("loss"));
}

/// What a file turns out to be while it is held over the window.
fn hovered(desk: &mut Desk, path: &Path) -> Result<Brought, String> {
    desk.harness.state_mut().window.hover(Some(path.to_owned()));
    for _ in 0..500 {
        // Without a frame, which would find no file over the window.
        desk.harness.state_mut().window.receive();
        if let Some(found) = desk.window().hovered.as_ref().and_then(|hovered| hovered.found.clone()) {
            return found;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("nobody looks at {path:?}");
}

#[test]
fn files_that_are_brought_do_what_their_kind_says() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let mut desk = kept_desk();
    let spec = write("spec.toml", "batch_size = 8");
    assert_eq!(hovered(&mut desk, &spec).unwrap().does(), "Begins what it describes: Playground");
    apply(&mut desk, Action::ToggleTheme);
    apply(&mut desk, Action::Open(spec));
    wait_for(&mut desk.harness, "the specification", |window| window.draft.batch_size == 8);
    assert!(matches!(&desk.asked()[..], [Command::Restart(spec), ..] if spec.batch_size == 8));
    assert!(!desk.window().dark, "a bare specification leaves the window as it is");
    desk.tell(Event::Started { header: header().into(), spec: Box::new(desk.window().draft.clone()) });

    let table = write("points.csv", "a,b,label\n0,1,0\n1,0,1\n");
    apply(&mut desk, Action::Open(table.clone()));
    wait_for(&mut desk.harness, "the table", |window| window.draft.task.path.is_some());
    match &desk.asked()[..] {
        [Command::Restart(spec)] => assert_eq!((spec.task.path.as_ref(), spec.batch_size), (Some(&table), 8)),
        other => panic!("{other:?}"),
    }
    apply(&mut desk, Action::Undo);
    assert_eq!(desk.window().draft.task.path, None, "task and file are one edit");

    let wrong = write("wrong.bin", "\u{0}\u{1}");
    assert!(hovered(&mut desk, &wrong).unwrap_err().contains("none of what"));
    apply(&mut desk, Action::Open(wrong));
    wait_for(&mut desk.harness, "the explanation", |window| told(window, "wrong.bin is none of what"));
}

#[test]
fn weights_that_fit_begin_a_run_and_others_are_explained() {
    let home = tempfile::tempdir().unwrap();
    let out = home.path().join("run");
    let run =
        ["run", "--steps", "2", "--width", "16", "--heads", "2", "--save-weights", "w.safetensors", "--out", "run"];
    assert!(output(home.path(), &run).status.success());
    let path = home.path().join("w.safetensors");
    let mut desk = kept_desk();
    let fit = |found: Brought| match found {
        Brought::Weights { fit, tensors } => fit.map(|()| tensors),
        other => panic!("{other:?}"),
    };
    let reason = fit(hovered(&mut desk, &path).unwrap()).unwrap_err();
    assert!(reason.contains("shape") && reason.contains("w.safetensors"), "{reason}");
    let spec = RunSpec::from_toml(&std::fs::read_to_string(out.join("spec.toml")).unwrap(), "spec.toml").unwrap();
    desk.harness.state_mut().window.draft = spec;
    desk.harness.state_mut().window.hover(None);
    assert!(fit(hovered(&mut desk, &path).unwrap()).unwrap() > 10);
    apply(&mut desk, Action::Open(path.clone()));
    wait_for(&mut desk.harness, "the question", |window| matches!(window.dialog, Some(Dialog::Weights { .. })));
    desk.harness.run();
    desk.click("Begin a run with them");
    assert!(matches!(&desk.asked()[..], [Command::Restart(spec)] if spec.init_weights.as_ref() == Some(&path)));
    desk.harness.get_by_label_contains("Begins with the weights of");
}

#[test]
fn the_command_line_reads_and_writes_links() {
    let home = tempfile::tempdir().unwrap();
    let state = other_state();
    let link = state.to_link().unwrap();
    // As it is pasted after the program's name, and under the names of the subcommand.
    for arguments in [&[link.as_str(), "--toml"][..], &["view", &link, "--toml"], &["open", &link, "--toml"]] {
        let text = stdout(&output(home.path(), arguments));
        assert_eq!(SharedState::read(&text).unwrap().0, state, "{text}");
        std::fs::write(home.path().join("state.toml"), text).unwrap();
    }
    assert_eq!(stdout(&output(home.path(), &["view", "state.toml", "--link"])).trim(), link);
    std::fs::write(home.path().join("wrong.toml"), "sede = 1").unwrap();
    std::fs::write(home.path().join("spec.toml"), "seed = 7").unwrap();
    let spec = SharedState::read(&stdout(&output(home.path(), &["view", "spec.toml", "--link"]))).unwrap().0.experiment;
    assert!(matches!(spec, Experiment::Playground(spec) if spec.seed == 7));
    for (arguments, words) in [
        (&[&link[..40]][..], "copy the whole link"),
        (&["view", "landscope://7/x"], "newer"),
        (&["view", &link], "--toml"),
        (&["view", "state.toml", "--out", "x"], "landscope run"),
        (&["view", "missing.toml"], "missing.toml"),
        (&["view", "wrong.toml"], "sede"),
    ] {
        let result = output(home.path(), arguments);
        let error = stderr(&result);
        assert!(!result.status.success() && error.contains(words) && error.trim().lines().count() == 1, "{error}");
    }
}
