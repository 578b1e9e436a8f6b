//! Several recordings in one window, and the steps that all panes show, driven as a person does it.

use std::path::PathBuf;

use egui::{Key, Modifiers, Role, pos2};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};

use landscope::app::action::Action;
use landscope::app::{App, Window};
use landscope::plots::{LineStyle, PaneId, Plot, Smoothing};
use landscope::record::{Header, Reading, Recording, StepWindow, TimeCursor, TrackId, file, names};

use super::window::{harness, header, snapshot};

fn recording(lr: f64, steps: u64) -> Recording {
    let spec = format!("seed = 3\n[optimizer]\nlr = {lr}\n");
    let mut recording = Recording::new(Header { spec, ..header() });
    (0..=steps).for_each(|step| {
        let mut snapshot = snapshot(step);
        snapshot.readings[0].1 = Reading::Scalar(lr * step as f64 + 1.0);
        recording.push(&snapshot).unwrap();
    });
    recording
}

fn compared(count: usize) -> Harness<'static, App> {
    let part = |k: usize| (format!("run {k}"), recording(0.1 * (k + 1) as f64, 100 + 10 * k as u64));
    let all = Recording::combined((0..count).map(part).collect());
    let files: Vec<PathBuf> = (0..count).map(|k| format!("run {k}.landscope").into()).collect();
    let mut harness = harness(Window::comparing_files(&files, all));
    harness.run();
    harness
}

fn loss_lines(harness: &Harness<'static, App>) -> Vec<String> {
    let plots = harness.state().window.plots(PaneId::Loss);
    let Plot::Lines(plot) = &plots[0] else { panic!("{plots:?}") };
    let mut labels: Vec<_> = plot.lines.iter().map(|line| line.label.clone()).collect();
    labels.sort();
    labels.dedup();
    labels
}

#[test]
fn tracks_are_listed_found_hidden_and_put_in_focus() {
    let mut harness = compared(3);
    assert_eq!(loss_lines(&harness), ["run 0", "run 1", "run 2"]);
    harness.get_by_role_and_label(Role::CheckBox, "Show run 1").click();
    harness.run();
    assert_eq!(loss_lines(&harness), ["run 0", "run 2"]);
    harness.get_by_role_and_label(Role::Button, "Focus run 2").click();
    harness.run();
    let window = &harness.state().window;
    assert_eq!(window.recording().focus(), TrackId(2));
    assert!(window.recording().header.spec.contains("0.3"), "knobs are those of the track in focus");
    harness.get_by_role_and_label(Role::CheckBox, "Only the track in focus").click();
    harness.run();
    let plots = harness.state().window.plots(PaneId::Loss);
    let Plot::Lines(plot) = &plots[0] else { panic!() };
    assert!(plot.lines.iter().any(|line| line.label == "minibatch" && line.points.last().unwrap()[0] == 120.0));
    // The list is found by name and value, and folds away.
    harness.get_by_role_and_label(Role::TextInput, "Find tracks").click();
    harness.run();
    harness.get_by_role_and_label(Role::TextInput, "Find tracks").type_text("0.2");
    harness.run();
    assert!(harness.query_by_role_and_label(Role::CheckBox, "Show run 0").is_none());
    assert!(harness.query_by_role_and_label(Role::CheckBox, "Show run 1").is_some());
}

#[test]
fn colours_go_by_a_knob_that_differs() {
    let mut harness = compared(3);
    let options = &mut harness.state_mut().window.options;
    options.comparing.color_by = Some("lr".into());
    harness.run();
    assert_eq!(loss_lines(&harness), ["lr 0.1", "lr 0.2", "lr 0.30000000000000004"]);
    let listed = harness.get_by_role_and_label(Role::ComboBox, "Colour by");
    assert_eq!(listed.accesskit_node().value().as_deref(), Some("lr"));
}

#[test]
fn files_are_opened_beside_one_another() {
    let folder = tempfile::tempdir().unwrap();
    let paths: Vec<_> = [0.1, 0.2]
        .iter()
        .map(|lr| {
            let path = folder.path().join(format!("lr {lr}.landscope"));
            file::save(&path, &recording(*lr, 50)).unwrap();
            path
        })
        .collect();
    let mut harness = harness(Window::viewing(&paths[0], file::read(&paths[0]).unwrap()));
    harness.run();
    assert!(!harness.state().window.tracks_open);
    harness.state_mut().window.apply(Action::Compare { paths: vec![paths[1].clone()], with_shown: true });
    for _ in 0..200 {
        if harness.state().window.recording().tracks().count() == 2 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
        harness.step();
    }
    harness.run();
    assert!(harness.state().window.tracks_open);
    assert_eq!(loss_lines(&harness), ["lr 0.1", "lr 0.2"]);
    harness.state_mut().window.apply(Action::Compare { paths: vec![folder.path().join("none")], with_shown: true });
    for _ in 0..100 {
        std::thread::sleep(std::time::Duration::from_millis(10));
        harness.step();
    }
    assert_eq!(harness.state().window.recording().tracks().count(), 2, "what can't be read changes nothing");
}

#[test]
fn a_drag_with_shift_shows_these_steps_in_every_pane() {
    let mut harness = compared(2);
    harness.state_mut().window.apply(Action::Maximise(PaneId::Loss));
    harness.run();
    let rect = harness.get_by_role_and_label(Role::Image, "Loss").rect();
    let at = |share: f32| pos2(rect.left() + share * rect.width(), rect.center().y);
    harness.event_modifiers(egui::Event::PointerMoved(at(0.25)), Modifiers::SHIFT);
    harness.run();
    let press = |harness: &mut Harness<'static, App>, at, pressed| {
        let button = egui::PointerButton::Primary;
        let event = egui::Event::PointerButton { pos: at, button, pressed, modifiers: Modifiers::SHIFT };
        harness.event_modifiers(event, Modifiers::SHIFT);
        harness.step();
    };
    press(&mut harness, at(0.25), true);
    for share in [0.35, 0.45, 0.5] {
        harness.event_modifiers(egui::Event::PointerMoved(at(share)), Modifiers::SHIFT);
        harness.step();
    }
    press(&mut harness, at(0.5), false);
    harness.run();
    let window = harness.state().window.options.window;
    let StepWindow::Between { from, to } = window else { panic!("{window:?}") };
    assert!((20..=35).contains(&from) && (48..=62).contains(&to), "{window:?} of 110 steps");
    let plots = harness.state().window.plots(PaneId::Gradients);
    let Plot::Lines(plot) = &plots[0] else { panic!() };
    assert_eq!(plot.x_window, Some([from as f64, to as f64]));
}

/// A drag of the first button along some points, with keys held.
fn drag(harness: &mut Harness<'static, App>, path: &[egui::Pos2], modifiers: Modifiers) {
    let press = |harness: &mut Harness<'static, App>, pos, pressed| {
        let event = egui::Event::PointerButton { pos, button: egui::PointerButton::Primary, pressed, modifiers };
        harness.event_modifiers(event, modifiers);
        harness.step();
    };
    harness.event_modifiers(egui::Event::PointerMoved(path[0]), modifiers);
    harness.run();
    press(harness, path[0], true);
    for at in path {
        harness.event_modifiers(egui::Event::PointerMoved(*at), modifiers);
        harness.step();
    }
    press(harness, path[path.len() - 1], false);
    harness.run();
}

#[test]
fn the_steps_shown_are_chosen_on_the_time_line() {
    let mut harness = compared(2);
    let newest = harness.state().window.recording().newest_step();
    assert_eq!(newest, 110);
    let shown = |harness: &Harness<'static, App>| harness.state().window.options.window;
    let handle =
        |harness: &Harness<'static, App>, name| harness.get_by_role_and_label(Role::Slider, name).rect().center();
    let [left, right] = ["First step shown", "Last step shown"].map(|name| handle(&harness, name));
    let along = |step: f32| pos2(left.x + step / 110.0 * (right.x - left.x), left.y);
    // A handle moves its end, what lies between them moves both.
    drag(&mut harness, &[left, along(10.0), along(20.0), along(30.0)], Modifiers::NONE);
    let StepWindow::Between { from, to } = shown(&harness) else { panic!("{:?}", shown(&harness)) };
    assert!((28..=32).contains(&from) && to == 110, "{from} {to}");
    let right = handle(&harness, "Last step shown");
    drag(&mut harness, &[right, along(90.0), along(70.0)], Modifiers::NONE);
    let StepWindow::Between { from, to } = shown(&harness) else { panic!() };
    assert!((28..=32).contains(&from) && (68..=72).contains(&to), "{from} {to}");
    drag(&mut harness, &[along(50.0), along(60.0), along(70.0)], Modifiers::NONE);
    let StepWindow::Between { from: moved, to: end } = shown(&harness) else { panic!() };
    assert!((18..=22).contains(&(moved - from)) && moved - from == end - to, "{moved} {end}");
    let Plot::Lines(plot) = &harness.state().window.plots(PaneId::Gradients)[0] else { panic!() };
    assert_eq!(plot.x_window, Some([moved as f64, end as f64]), "all panes follow");
    // With Shift the bar itself chooses; the cursor stays.
    let bar = harness.get_by_role_and_label(Role::Slider, "Time line").rect();
    let on_bar = |step: f32| pos2(along(step).x, bar.top() + 14.0);
    drag(&mut harness, &[on_bar(80.0), on_bar(50.0), on_bar(40.0)], Modifiers::SHIFT);
    let StepWindow::Between { from, to } = shown(&harness) else { panic!() };
    assert!((38..=42).contains(&from) && (78..=82).contains(&to), "{from} {to}");
    assert!(harness.state().window.cursor.is_following());
    // Two clicks show all again.
    let middle = along(60.0);
    for pressed in [true, false, true, false] {
        harness.event(egui::Event::PointerMoved(middle));
        let button = egui::PointerButton::Primary;
        harness.event(egui::Event::PointerButton { pos: middle, button, pressed, modifiers: Modifiers::NONE });
        harness.step();
    }
    harness.run();
    assert_eq!(shown(&harness), StepWindow::All);
}

#[test]
fn smoothing_is_chosen_for_all_curves_and_undone() {
    let mut harness = compared(2);
    harness.get_by_role_and_label(Role::ComboBox, "Smoothing").click();
    harness.run();
    harness.get_by_role_and_label(Role::RadioButton, "Every curve, with a half-life of").click();
    harness.run();
    assert_eq!(harness.state().window.options.smoothing, Smoothing::HalfLife(20.0));
    let field = "Half-life of smoothing in steps";
    harness.get_by_role_and_label(Role::TextInput, field).click();
    harness.run();
    harness.get_by_role_and_label(Role::TextInput, field).type_text("ema:0.5");
    harness.run();
    harness.key_press(Key::Enter);
    harness.run();
    assert_eq!(harness.state().window.options.smoothing, Smoothing::HalfLife(1.0));
    let Plot::Lines(plot) = &harness.state().window.plots(PaneId::Loss)[0] else { panic!() };
    assert!(plot.lines.iter().any(|line| line.style == LineStyle::Faint && line.label == "run 1"));
    // A link has it, and the command that draws the pane.
    let link = harness.state().window.shared_state().unwrap().to_toml().unwrap();
    assert!(link.contains("smoothing = \"1\""), "{link}");
    harness.state_mut().window.apply(Action::Undo);
    harness.run();
    assert_ne!(harness.state().window.options.smoothing, Smoothing::HalfLife(1.0));
}

#[test]
fn a_recording_is_played_from_the_cursor_to_its_end() {
    let mut harness = compared(2);
    harness.state_mut().window.apply(Action::PlaybackSpeed(100.0));
    harness.get_by_role_and_label(Role::Button, "Play the recording").click();
    harness.step();
    for _ in 0..12 {
        harness.step();
    }
    let TimeCursor::At(step) = harness.state().window.cursor else { panic!() };
    assert!((20..=60).contains(&step), "{step}");
    for _ in 0..40 {
        harness.step();
    }
    let window = &harness.state().window;
    assert!(window.cursor.is_following() && window.playback.is_none());
    harness.key_press(Key::G);
    harness.step();
    assert!(harness.state().window.playback.is_some());
}

#[test]
fn pictures_that_memory_has_thinned_are_read_back_for_the_cursor() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("long.landscope");
    let whole = landscope::record::example::recording(1_600);
    file::save(&path, &whole).unwrap();
    let opened = file::open_within(&path, 3 << 20).unwrap().recording;
    let mut window = Window::viewing(&path, opened);
    window.set_memory_budget(3 << 20);
    let mut harness = harness(window);
    for step in [4, 500, 1_200] {
        harness.state_mut().window.cursor = TimeCursor::At(step);
        (0..5).for_each(|_| harness.step());
        let shown = harness.state().window.recording();
        assert!(shown.memory().is_thinned);
        assert_eq!(shown.latest_at(&names::LANDSCAPE, step), whole.latest_at(&names::LANDSCAPE, step), "step {step}");
    }
    harness.get_by_label_contains("older parts are summarised");
    // Saving writes what memory hasn't, too.
    let copy = folder.path().join("copy.landscope");
    harness.state_mut().window.apply(Action::Save(copy.clone()));
    for _ in 0..300 {
        if copy.exists() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
        harness.step();
    }
    let saved = file::read(&copy).unwrap();
    assert_eq!(saved.heavy(&names::LANDSCAPE).unwrap().len(), whole.heavy(&names::LANDSCAPE).unwrap().len());
}

#[test]
fn readings_of_one_step_are_told_in_every_curve_pane() {
    let mut harness = compared(2);
    let rect = harness.get_by_role_and_label(Role::Image, "Loss").rect();
    harness.event(egui::Event::PointerMoved(rect.center()));
    harness.step();
    harness.step();
    let ctx = harness.ctx.clone();
    assert!(landscope::app::views::hovered_step(&ctx).is_some_and(|step| (40.0..70.0).contains(&step)));
}
