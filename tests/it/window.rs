//! The window, driven as a person drives it: what is clicked, dragged and typed arrives at the worker.

use std::sync::Arc;

use crossbeam::channel::{Receiver, Sender, bounded};
use egui::{Key, Modifiers, Role, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};

use landscope::app::state::Dialog;
use landscope::app::{App, Wake, Window, theme};
use landscope::plots::LandscapeView;
use landscope::plots::pane::PANES;
use landscope::record::{
    Divergence, Fork, Header, Intervention, LayerInfo, Outcome, Reading, Snapshot, TimeCursor, TrackId, TrackInfo,
    names,
};
use landscope::run::knobs::KnobValue;
use landscope::run::messages::{Command, Event, RunState};
use landscope::run::spec::RunSpec;

/// A window without a graphics device, and the other ends of its channels.
pub struct Desk {
    pub harness: Harness<'static, App>,
    commands: Receiver<Command>,
    events: Sender<Event>,
}

pub fn header() -> Header {
    let layer = |name: &str| LayerInfo { name: name.into() };
    Header {
        spec: RunSpec::default().to_toml(),
        model_title: "Vision transformer".into(),
        task_title: "Digits".into(),
        device: "CPU".into(),
        layers: vec![layer("embedding"), layer("block 1"), layer("block 2")],
        parameter_groups: vec!["embedding".into(), "block 1".into(), "block 2".into()],
        planned_steps: 1_500,
        ..Header::default()
    }
}

pub fn snapshot(step: u64) -> Snapshot {
    let loss = 2.0 / (1.0 + step as f64 / 20.0);
    let readings = vec![
        (names::TRAIN_LOSS, Reading::Scalar(loss)),
        (names::GRADIENT_NORM, Reading::Vector(vec![0.1, 0.2, 0.3])),
        (names::TOKEN_COSINE, Reading::Vector(vec![0.2, 0.3, 0.4])),
    ];
    Snapshot { track: TrackId(0), step, readings }
}

pub fn harness(window: Window) -> Harness<'static, App> {
    // Tall enough that every knob is in sight.
    Harness::builder()
        .with_size([1600.0, 1700.0])
        .with_max_steps(40)
        .with_step_dt(1.0 / 30.0)
        .with_context_setup(theme::install)
        .build_ui_state(
            |ui, app: &mut App| {
                app.receive(ui.ctx());
                app.show(ui);
            },
            App::new(window),
        )
}

/// A run of `steps` recorded steps, running.
fn desk_with(capacity: usize, steps: u64) -> Desk {
    let (sender, commands) = bounded(capacity);
    let (events, receiver) = bounded(4_096);
    let window = Window::following(RunSpec::default(), sender, receiver, Wake::default());
    let spec = Box::new(RunSpec::default());
    events.send(Event::Started { header: Arc::new(header()), spec }).unwrap();
    events.send(Event::State(RunState::Running)).unwrap();
    (0..=steps).for_each(|step| events.send(Event::Snapshot(Arc::new(snapshot(step)))).unwrap());
    let mut desk = Desk { harness: harness(window), commands, events };
    // Draining is limited in time a frame.
    for _ in 0..1_000 {
        if desk.window().recording().newest_step() == steps {
            break;
        }
        desk.harness.step();
    }
    desk.harness.run();
    desk
}

pub fn desk() -> Desk {
    desk_with(64, 200)
}

impl Desk {
    pub fn window(&self) -> &Window {
        &self.harness.state().window
    }

    pub fn tell(&mut self, event: Event) {
        self.events.send(event).unwrap();
        self.harness.run();
    }

    pub fn click(&mut self, label: &str) {
        self.harness.get_by_role_and_label(Role::Button, label).click();
        self.harness.run();
    }

    /// Brings a pane on top of those that share its tile.
    fn bring_up(&mut self, title: &str) {
        if let Some(tab) = self.harness.query_by_role_and_label(Role::Tab, &format!("{title} tab")) {
            tab.click();
            self.harness.run();
        }
    }

    pub fn key(&mut self, key: Key) {
        self.harness.key_press(key);
        self.harness.run();
    }

    pub fn asked(&self) -> Vec<Command> {
        self.commands.try_iter().collect()
    }

    fn rail(&self, label: &str) -> egui::Rect {
        self.harness.get_by_role_and_label(Role::Slider, label).rect()
    }

    fn enter(&mut self, label: &str, text: &str) {
        self.harness.get_by_role_and_label(Role::TextInput, label).focus();
        self.harness.run();
        self.harness.get_by_role_and_label(Role::TextInput, label).type_text(text);
        self.harness.run();
        self.key(Key::Enter);
    }
}

fn float_of(command: Option<&Command>, knob: &str) -> f64 {
    match command {
        Some(Command::SetKnob { id, value: KnobValue::Float(value) }) if *id == knob => *value,
        other => panic!("{knob}: {other:?}"),
    }
}

fn restarted(commands: &[Command]) -> &RunSpec {
    match commands {
        [Command::Restart(spec)] => spec,
        other => panic!("{other:?}"),
    }
}

#[test]
fn transport_buttons_and_keys_ask_the_worker() {
    let mut desk = desk();
    desk.click("Pause");
    assert!(matches!(desk.asked()[..], [Command::Pause]));
    desk.tell(Event::State(RunState::Paused));
    desk.click("Play");
    assert!(matches!(desk.asked()[..], [Command::Play]));
    desk.key(Key::Space);
    assert!(matches!(desk.asked()[..], [Command::Play]));
    desk.key(Key::S);
    desk.click("Step");
    assert!(matches!(desk.asked()[..], [Command::Step, Command::Step]));
    desk.key(Key::R);
    assert_eq!(*restarted(&desk.asked()), RunSpec::default());
    desk.click("Reset");
    assert_eq!(*restarted(&desk.asked()), RunSpec::default());
}

#[test]
fn a_live_knob_dragged_reaches_the_worker_and_the_worker_alone_makes_the_mark() {
    let mut desk = desk();
    let rail = desk.rail("Learning rate");
    desk.harness.drag_at(rail.center());
    desk.harness.run();
    desk.harness.hover_at(rail.center() + vec2(60.0, 0.0));
    desk.harness.run();
    desk.harness.drop_at(rail.center() + vec2(60.0, 0.0));
    desk.harness.run();
    let asked = desk.asked();
    assert!(!asked.is_empty());
    let lr = float_of(asked.last(), "lr");
    assert!(lr > 0.01 && lr < 1e3, "{lr}");
    assert_eq!(desk.window().draft.optimizer.lr, lr);
    assert!(desk.window().recording().interventions.is_empty());

    let mut spec = RunSpec::default();
    spec.optimizer.lr = lr;
    let mark =
        Intervention { track: TrackId(0), step: 200, knob: "lr".into(), from: "0.002".into(), to: lr.to_string() };
    desk.tell(Event::Intervention { mark: mark.clone(), spec: Box::new(spec.clone()) });
    assert_eq!(desk.window().recording().interventions, [mark]);
    assert_eq!(*desk.window().spec(), spec);
    desk.harness.get_by_label("1 intervention");
}

#[test]
fn numbers_can_be_typed_and_a_wrong_one_is_answered_with_the_range() {
    let mut desk = desk();
    desk.enter("Learning rate", "0.05");
    assert_eq!(float_of(desk.asked().first(), "lr"), 0.05);
    desk.enter("Learning rate", "fast");
    assert!(desk.asked().is_empty());
    let told: Vec<_> = desk.window().toasts.iter().map(|notice| notice.text.clone()).collect();
    assert!(told[0].contains("lr") && told[0].contains("fast") && told[0].contains("1000"), "{told:?}");
    assert_eq!(desk.window().draft.optimizer.lr, 0.05);
    desk.enter("Width", "48");
    assert_eq!(restarted(&desk.asked()).model.width, 48);
}

#[test]
fn a_double_click_sets_the_default() {
    let mut desk = desk();
    desk.enter("Momentum", "0.5");
    desk.asked();
    let rail = desk.rail("Momentum");
    for _ in 0..2 {
        desk.harness.drag_at(rail.center());
        desk.harness.drop_at(rail.center());
    }
    desk.harness.run();
    assert_eq!(float_of(desk.asked().last(), "momentum"), RunSpec::default().optimizer.momentum);
}

#[test]
fn arrow_keys_turn_the_focused_knob_and_shift_turns_it_further() {
    let mut desk = desk();
    desk.harness.get_by_role_and_label(Role::Slider, "Momentum").focus();
    desk.harness.run();
    desk.key(Key::ArrowLeft);
    let fine = float_of(desk.asked().first(), "momentum");
    desk.harness.key_press_modifiers(Modifiers::SHIFT, Key::ArrowDown);
    desk.harness.run();
    let coarse = float_of(desk.asked().first(), "momentum");
    assert!(0.9 - fine > 0.0 && fine - coarse > 5.0 * (0.9 - fine), "{fine} {coarse}");
    assert!(desk.window().cursor.is_following(), "the arrow belongs to the knob, not to the time line");
}

#[test]
fn a_cold_knob_restarts_once_when_it_is_released() {
    let mut desk = desk();
    let rail = desk.rail("Width");
    desk.harness.drag_at(rail.center());
    for offset in [10.0, 25.0, 40.0, 60.0] {
        desk.harness.hover_at(rail.center() + vec2(offset, 0.0));
        desk.harness.run();
        assert!(desk.asked().is_empty());
    }
    desk.harness.drop_at(rail.center() + vec2(60.0, 0.0));
    desk.harness.run();
    let asked = desk.asked();
    let spec = restarted(&asked);
    assert!(spec.model.width > 32 && spec.model.width.is_multiple_of(spec.model.n_heads));
}

#[test]
fn a_task_that_needs_another_model_brings_it_and_one_that_needs_a_file_waits_for_it() {
    let mut desk = desk();
    let app = desk.harness.state_mut();
    let choose =
        |id, value: &str| landscope::app::action::Action::SetKnob { id, value: KnobValue::Choice(value.into()) };
    app.window.apply(choose("task", "grammar"));
    let asked: Vec<_> = desk.commands.try_iter().collect();
    assert!(restarted(&asked).task.kind.is_sequence());
    desk.harness.state_mut().window.apply(choose("task", "csv"));
    desk.harness.run();
    assert!(desk.asked().is_empty());
    desk.enter("File or folder", "data/iris.csv");
    let asked = desk.asked();
    assert_eq!(restarted(&asked).task.path.as_deref(), Some(std::path::Path::new("data/iris.csv")));
}

#[test]
fn scrubbing_stands_still_while_the_run_goes_on_and_follow_catches_up() {
    let mut desk = desk();
    let bar = desk.rail("Time line");
    desk.harness.drag_at(bar.center());
    desk.harness.drop_at(bar.center());
    desk.harness.run();
    assert_eq!(desk.window().cursor, TimeCursor::At(100));
    desk.tell(Event::Snapshot(Arc::new(snapshot(201))));
    assert_eq!(desk.window().cursor.step(201), 100);
    desk.key(Key::ArrowLeft);
    desk.harness.key_press_modifiers(Modifiers::SHIFT, Key::ArrowRight);
    desk.harness.run();
    assert_eq!(desk.window().cursor, TimeCursor::At(109));
    desk.enter("Go to step", "42");
    assert_eq!(desk.window().cursor, TimeCursor::At(42));
    desk.key(Key::F);
    assert!(desk.window().cursor.is_following());
}

#[test]
fn keys_are_text_while_a_field_is_typed_into() {
    let mut desk = desk();
    desk.harness.get_by_role_and_label(Role::TextInput, "Learning rate").focus();
    desk.harness.run();
    for key in [Key::Space, Key::R, Key::S, Key::Num2, Key::T] {
        desk.key(key);
    }
    assert!(desk.asked().is_empty());
    assert!(desk.window().dark && desk.window().maximised.is_none());
}

#[test]
fn every_pane_can_be_maximised_by_button_and_by_key_and_put_back() {
    let mut desk = desk();
    const DIGITS: [Key; 9] =
        [Key::Num1, Key::Num2, Key::Num3, Key::Num4, Key::Num5, Key::Num6, Key::Num7, Key::Num8, Key::Num9];
    assert!(PANES.len() <= DIGITS.len());
    let last = format!("1 … {}", PANES.len());
    assert!(landscope::app::keys::KEYS.iter().any(|(keys, _)| *keys == last), "the list of keys says {last}");
    for (pane, key) in PANES.iter().zip(DIGITS) {
        desk.key(key);
        assert_eq!(desk.window().maximised, Some(pane.id));
        desk.harness.get_by_label(&format!("Put back {}", pane.title));
        desk.key(key);
        assert_eq!(desk.window().maximised, None);
        // Put back, it is on top of its tile.
        desk.click(&format!("Maximise {}", pane.title));
        assert_eq!(desk.window().maximised, Some(pane.id));
        desk.key(Key::Escape);
        assert_eq!(desk.window().maximised, None);
    }
}

#[test]
fn panes_that_share_a_tile_are_chosen_by_tab_and_the_hidden_one_costs_nothing() {
    let mut desk = desk();
    let shown = |desk: &Desk, title: &str| desk.harness.query_by_label(&format!("{title} pane")).is_some();
    assert!(shown(&desk, "Rank collapse") && !shown(&desk, "Signal propagation"));
    let built = |desk: &Desk| desk.harness.state().plot_builds();
    let before = built(&desk);
    desk.tell(Event::Snapshot(Arc::new(snapshot(201))));
    desk.harness.step();
    assert_eq!(built(&desk) - before, 6, "one build for each tile, of the pane in sight");
    desk.harness.get_by_role_and_label(Role::Tab, "Signal propagation tab").click();
    desk.harness.run();
    assert!(!shown(&desk, "Rank collapse") && shown(&desk, "Signal propagation"));
    desk.harness.get_by_role_and_label(Role::Tab, "Rank collapse tab").click();
    desk.harness.run();
    assert!(shown(&desk, "Rank collapse") && !shown(&desk, "Signal propagation"));
}

#[test]
fn a_divergence_is_told_with_its_layer_and_one_click_restores() {
    let mut desk = desk();
    let divergence = Divergence { step: 200, layer: "block 2".into(), quantity: "activation".into() };
    desk.tell(Event::Ended { track: TrackId(0), outcome: Outcome::Diverged(divergence) });
    desk.harness.get_by_label("Diverged at step 200: the first number that isn't finite is in block 2 (activation)");
    desk.click("Restore last good step with lr/10");
    assert!(matches!(desk.asked()[..], [Command::RestoreLastGood { lr_factor }] if lr_factor == 0.1));
    let parent = Some(Fork { track: TrackId(0), step: 150 });
    desk.tell(Event::Track(TrackInfo { id: TrackId(1), parent, ..TrackInfo::default() }));
    desk.tell(Event::State(RunState::Running));
    assert!(desk.harness.query_by_label("Restore last good step with lr/10").is_none());
    assert_eq!(desk.window().recording().newest_step(), 150);
}

#[test]
fn a_branch_is_asked_for_at_the_cursor_and_drawn_as_a_tree() {
    let mut desk = desk();
    desk.harness
        .state_mut()
        .window
        .apply(landscope::app::action::Action::Time(landscope::record::TimeCommand::ScrubTo(120)));
    desk.harness.run();
    desk.click("Branch here");
    let wanted = Fork { track: TrackId(0), step: 120 };
    assert!(matches!(desk.asked()[..], [Command::Fork(fork)] if fork == wanted));
    assert!(desk.harness.query_by_label("Show first run").is_none());
    desk.tell(Event::Track(TrackInfo {
        id: TrackId(1),
        label: "branch 1".into(),
        parent: Some(wanted),
        ..TrackInfo::default()
    }));
    desk.tell(Event::State(RunState::Paused));
    assert_eq!(desk.window().recording().newest_step(), 120);
    desk.harness.get_by_label("Show branch 1");
    desk.click("Show first run");
    assert_eq!(desk.window().recording().newest_step(), 200);
    desk.click("Note");
    desk.harness.get_by_label("Note at step 200");
}

#[test]
fn a_failure_keeps_the_recording_and_offers_a_restart() {
    let mut desk = desk();
    desk.tell(Event::Failed("the worker panicked".into()));
    assert_eq!(desk.window().recording().newest_step(), 200);
    desk.click("Restart");
    restarted(&desk.asked());
}

#[test]
fn a_stalled_worker_never_blocks_the_window_and_gets_the_newest_values_later() {
    let mut desk = desk_with(1, 10);
    for i in 1..=30 {
        let value = KnobValue::Float(f64::from(i) / 100.0);
        desk.harness.state_mut().window.apply(landscope::app::action::Action::SetKnob { id: "lr", value });
    }
    desk.key(Key::Space);
    assert_eq!(desk.window().waiting_commands(), 2);
    let mut asked = Vec::new();
    while let Ok(command) = desk.commands.try_recv() {
        asked.push(command);
        desk.harness.step();
    }
    assert_eq!(asked.len(), 3);
    assert_eq!(float_of(asked.get(1), "lr"), 0.3);
    assert!(matches!(asked[2], Command::Pause));
}

#[test]
fn a_flood_of_events_is_taken_in_over_several_frames_completely() {
    let mut desk = desk_with(64, 4_000);
    assert_eq!(desk.window().recording().scalar(&names::TRAIN_LOSS).unwrap().len(), 4_001);
    desk.tell(Event::State(RunState::Paused));
    desk.harness.get_by_label("Paused");
}

#[test]
fn theme_presenter_and_knobs_are_switched_by_key() {
    let mut desk = desk();
    assert_eq!(desk.harness.ctx.theme(), egui::Theme::Dark);
    desk.key(Key::T);
    assert_eq!(desk.harness.ctx.theme(), egui::Theme::Light);
    desk.key(Key::P);
    assert!((desk.harness.ctx.zoom_factor() - theme::PRESENTER_ZOOM).abs() < 1e-6);
    desk.key(Key::P);
    assert!((desk.harness.ctx.zoom_factor() - 1.0).abs() < 1e-6);
    desk.key(Key::K);
    assert!(desk.harness.query_by_label("Learning rate").is_none());
}

#[test]
fn help_opens_and_closes() {
    let mut desk = desk();
    desk.click("What is Learning rate?");
    assert_eq!(desk.window().dialog, Some(Dialog::Knob("lr")));
    desk.harness.get_by_label("--lr");
    desk.key(Key::Escape);
    assert_eq!(desk.window().dialog, None);
    desk.harness.event(egui::Event::Text("?".into()));
    desk.harness.run();
    assert_eq!(desk.window().dialog, Some(Dialog::Keys));
    desk.key(Key::Escape);
    for pane in PANES {
        desk.bring_up(pane.title);
        desk.click(&format!("{} menu", pane.title));
        desk.click("How to read this");
        assert_eq!(desk.window().dialog, Some(Dialog::Guide(pane.id)));
        desk.key(Key::Escape);
    }
}

#[test]
fn pane_switches_change_what_the_pane_shows() {
    let mut desk = desk();
    desk.click("Surface or heat map: map");
    assert_eq!(desk.window().options.landscape_view, LandscapeView::HeatMap);
    desk.click("Surface or heat map: line");
    assert_eq!(desk.window().options.landscape_view, LandscapeView::Profile);
    desk.click("Loss on a logarithmic scale");
    assert!(desk.window().options.loss_log);
}

#[test]
fn an_idle_window_asks_for_no_frame() {
    let mut desk = desk();
    desk.tell(Event::State(RunState::Paused));
    desk.harness.step();
    desk.harness.step();
    let delay = desk.harness.output().viewport_output[&egui::ViewportId::ROOT].repaint_delay;
    assert!(delay > std::time::Duration::from_secs(60), "{delay:?}");
}

#[test]
fn every_widget_has_a_name() {
    let mut desk = desk();
    for pane in PANES {
        desk.bring_up(pane.title);
        desk.harness.get_by_label(&format!("{} pane", pane.title));
    }
    let widgets = [Role::Button, Role::Slider, Role::TextInput, Role::ComboBox, Role::CheckBox];
    let mut seen = 0;
    for node in desk.harness.root().children_recursive() {
        let node = node.accesskit_node();
        if widgets.contains(&node.role()) {
            seen += 1;
            let name = node.label().or_else(|| node.value()).unwrap_or_default();
            assert!(!name.is_empty(), "{:?} at {:?} has no name", node.role(), node.bounding_box());
        }
    }
    assert!(seen > 60, "{seen}");
}
