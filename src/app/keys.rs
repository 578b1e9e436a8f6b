//! The keys: everything a lecturer does without the mouse.

use egui::{Context, Event, Key, Modifiers};

use crate::plots::pane;
use crate::record::TimeCommand;

use super::action::Action;
use super::sharing::ShareAction;
use super::state::{Dialog, Window};

/// Keys and what they do, for the list on screen.
pub const KEYS: &[(&str, &str)] = &[
    ("Space", "Play or pause"),
    ("S", "One step, then pause"),
    ("R", "Reset: begin the run anew"),
    ("← →", "Move the time cursor by a step"),
    ("Shift ← →", "Move it by ten steps"),
    ("F", "Follow the newest step"),
    ("B", "Begin a branch at the cursor"),
    ("N", "Write a note at the cursor"),
    ("G", "Play the recording: the cursor moves by itself"),
    ("Shift drag", "In a curve: show these steps alone, in all panes"),
    ("1 … 9", "Maximise a pane; again to put it back"),
    ("Esc", "Close what is open, or put the pane back"),
    ("K", "Show or hide the knobs"),
    ("L", "Show or hide lesson and claims of a lab"),
    ("C", "Show or hide the list of tracks"),
    ("T", "Dark or light"),
    ("P", "Presenter mode: large text"),
    ("Ctrl S", "Save the recording"),
    ("Ctrl O", "Open a file or a link"),
    ("Ctrl V", "Open the link that was copied"),
    ("Ctrl L", "Share: link, file, QR code"),
    ("Ctrl Z", "Undo what was done to knobs and panes"),
    ("Ctrl Shift Z, Ctrl Y", "Do it again"),
    ("?", "This list"),
    ("Tab, ← →", "Go to the next knob, turn it (with Shift: further)"),
];

/// Turns pressed keys into wishes. Keys belong to a text field while one is being typed into, and arrows to
/// whatever has the focus.
pub fn read(ctx: &Context, window: &Window, actions: &mut Vec<Action>) {
    let command = |key| ctx.input_mut(|input| input.consume_key(Modifiers::COMMAND, key));
    if command(Key::S) {
        actions.push(Action::Show(window.save_dialog()));
    }
    if command(Key::O) {
        actions.push(Action::Show(Dialog::Open { path: String::new() }));
    }
    if command(Key::L) {
        let open = window.dialog == Some(Dialog::Share);
        actions.push(if open { Action::Back } else { Action::Show(Dialog::Share) });
    }
    if window.dialog.is_some() && ctx.input(|input| input.key_pressed(Key::Escape)) {
        actions.push(Action::Back);
        return;
    }
    if ctx.text_edit_focused() {
        return;
    }
    edits(ctx, actions);
    pasted(ctx, actions);
    let transport = window.has_transport() && !window.is_watching();
    let plain = |key| ctx.input_mut(|input| input.consume_key(Modifiers::NONE, key));
    // Before the widgets see it, or a focused button would be pressed as well.
    if plain(Key::Space) && transport {
        actions.push(Action::PlayPause);
    }
    if plain(Key::S) && transport {
        actions.push(Action::Step);
    }
    if plain(Key::R) && transport {
        actions.push(Action::Restart);
    }
    let simple = [
        (Key::F, Action::Time(TimeCommand::Follow)),
        (Key::G, Action::Playback),
        (Key::K, Action::ToggleKnobs),
        (Key::L, Action::ToggleLesson),
        (Key::C, Action::ToggleTracks),
        (Key::T, Action::ToggleTheme),
        (Key::P, Action::TogglePresenter),
        (Key::Escape, Action::Back),
    ];
    actions.extend(simple.into_iter().filter(|(key, _)| plain(*key)).map(|(_, action)| action));
    if plain(Key::B) {
        actions.push(Action::Fork);
    }
    if plain(Key::N) && !window.recording().is_empty() && !window.is_following_a_file() {
        let step = window.cursor.step(window.recording().newest_step());
        actions.push(Action::Show(Dialog::Note { step, text: String::new() }));
    }
    if asks_for_keys(ctx) {
        let open = window.dialog == Some(Dialog::Keys);
        actions.push(if open { Action::Back } else { Action::Show(Dialog::Keys) });
    }
    const DIGITS: [Key; 9] =
        [Key::Num1, Key::Num2, Key::Num3, Key::Num4, Key::Num5, Key::Num6, Key::Num7, Key::Num8, Key::Num9];
    for (pane, key) in pane::of(window.recording()).into_iter().zip(DIGITS) {
        if plain(key) {
            actions.push(Action::Maximise(pane));
        }
    }
    if ctx.memory(|memory| memory.focused()).is_none() {
        for (key, sign) in [(Key::ArrowLeft, -1), (Key::ArrowRight, 1)] {
            for (modifiers, by) in [(Modifiers::SHIFT, 10), (Modifiers::NONE, 1)] {
                let presses = ctx.input_mut(|input| input.count_and_consume_key(modifiers, key)) as i64;
                if presses > 0 {
                    actions.push(Action::Time(TimeCommand::MoveBy(sign * by * presses)));
                }
            }
        }
    }
}

/// Undo and redo.
fn edits(ctx: &Context, actions: &mut Vec<Action>) {
    let pressed = |modifiers, key| ctx.input_mut(|input| input.count_and_consume_key(modifiers, key));
    // The keys with more modifiers first: those with fewer would take them, too.
    let again = pressed(Modifiers::COMMAND | Modifiers::SHIFT, Key::Z) + pressed(Modifiers::COMMAND, Key::Y);
    actions.extend(std::iter::repeat_n(Action::Redo, again));
    actions.extend(std::iter::repeat_n(Action::Undo, pressed(Modifiers::COMMAND, Key::Z)));
}

/// What is pasted on the window is a link, or the text of a state.
fn pasted(ctx: &Context, actions: &mut Vec<Action>) {
    let pasted = ctx.input(|input| {
        input.events.iter().find_map(|event| match event {
            Event::Paste(text) if !text.trim().is_empty() => Some(text.clone()),
            _ => None,
        })
    });
    if let Some(text) = pasted {
        actions.push(Action::Share(ShareAction::Open(text)));
    }
}

/// `?` sits behind different keys on different keyboards: the character counts.
fn asks_for_keys(ctx: &Context) -> bool {
    ctx.input(|input| {
        input.events.iter().any(|event| match event {
            Event::Text(text) => text == "?",
            Event::Key { key: Key::Questionmark, pressed: true, .. } => {
                // Where the character arrives, too, one of them is enough.
                !input.events.iter().any(|event| matches!(event, Event::Text(text) if text == "?"))
            }
            _ => false,
        })
    })
}
