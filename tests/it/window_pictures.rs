//! The window as pictures, drawn without a screen.

use std::sync::Arc;

use landscope::app::theme::{DARK, LIGHT};
use landscope::app::{Look, Studio};
use landscope::plots::PaneId;
use landscope::record::{Header, Reading, Snapshot, TrackId, names};
use landscope::run::messages::{Event, RunState};
use landscope::run::spec::RunSpec;

/// None, with a message, where there is no adapter; a failure where the environment demands one.
fn studio() -> Option<Studio> {
    match Studio::open() {
        Ok(studio) => Some(studio),
        Err(error) => {
            let message = format!("skipped: {error}");
            assert!(std::env::var_os("LANDSCOPE_REQUIRE_ADAPTER").is_none(), "{message}");
            eprintln!("{message}");
            None
        }
    }
}

fn events() -> Vec<Event> {
    let header = Header { planned_steps: 100, ..Header::default() };
    let mut events = vec![Event::Started { header: Arc::new(header), spec: Box::default() }];
    for step in 0..80u64 {
        let readings = vec![(names::TRAIN_LOSS, Reading::Scalar(1.0 / (1.0 + step as f64)))];
        events.push(Event::Snapshot(Arc::new(Snapshot { track: TrackId(0), step, readings })));
    }
    events.push(Event::State(RunState::Paused));
    events
}

#[test]
fn a_picture_has_the_size_and_the_colours_asked_for() {
    let Some(studio) = studio() else { return };
    for (dark, tokens) in [(true, &DARK), (false, &LIGHT)] {
        let look = Look { size: [900, 600], dark, ..Look::default() };
        let picture = studio.picture(RunSpec::default(), events(), &look).unwrap();
        assert_eq!(picture.dimensions(), (900, 600));
        let share = |color: egui::Color32| {
            let wanted = [color.r(), color.g(), color.b(), 255];
            picture.pixels().filter(|pixel| pixel.0 == wanted).count() as f64 / (900.0 * 600.0)
        };
        assert!(share(tokens.pane) > 0.2, "panes: {}", share(tokens.pane));
        assert!(share(tokens.panel) > 0.1, "panels: {}", share(tokens.panel));
    }
}

#[test]
fn two_pixels_a_point_draw_the_same_window_finer() {
    let Some(studio) = studio() else { return };
    let pane = Some(PaneId::Loss);
    let coarse = Look { size: [800, 520], pane, ..Look::default() };
    let fine = Look { size: [1_600, 1_040], scale: 2.0, pane, ..Look::default() };
    let coarse = studio.picture(RunSpec::default(), events(), &coarse).unwrap();
    let fine = studio.picture(RunSpec::default(), events(), &fine).unwrap();
    // Middle values of blocks: edges are sharper in the finer picture, areas are equal.
    let mut different = 0;
    for (x, y, pixel) in coarse.enumerate_pixels() {
        let other = fine.get_pixel(2 * x, 2 * y);
        let distance: i32 = pixel.0.iter().zip(other.0).map(|(a, b)| (i32::from(*a) - i32::from(b)).abs()).sum();
        different += usize::from(distance > 60);
    }
    let share = different as f64 / f64::from(coarse.width() * coarse.height());
    assert!(share < 0.08, "{share}");
}

#[test]
fn impossible_sizes_are_refused_with_the_possible_ones() {
    let Some(studio) = studio() else { return };
    for size in [[0, 600], [900, 1], [1_000_000, 600]] {
        let look = Look { size, ..Look::default() };
        let error = studio.picture(RunSpec::default(), events(), &look).unwrap_err().to_string();
        assert!(error.contains("200"), "{error}");
    }
}
