//! What a lesson's links do: knobs at once; what shows their effect, once the lab has begun anew with them.

use crate::labs::lesson::LessonAction;
use crate::plots::PaneId;
use crate::record::{TimeCommand, TimeCursor};
use crate::run::messages::Command;

use super::state::Window;
use super::toasts::Notice;

/// What a link asked for and what isn't there yet.
#[derive(Debug, Default)]
pub(super) struct Awaited {
    /// The specification of the recording that is to come; none if the one in front is meant.
    spec: Option<String>,
    /// The chart to bring out.
    chart: Option<String>,
    step: Option<u64>,
}

impl Awaited {
    /// The lab begins anew: what is awaited comes with this specification.
    pub fn comes_with(&mut self, spec: String) {
        if self.chart.is_some() || self.step.is_some() {
            self.spec = Some(spec);
        }
    }

    /// The reader has gone elsewhere.
    pub fn forget_step(&mut self) {
        self.step = None;
    }

    /// The reader has chosen another pane.
    pub fn forget_chart(&mut self) {
        self.chart = None;
    }
}

impl Window {
    /// Does what a link of the lesson says.
    pub(super) fn follow_lesson(&mut self, actions: Vec<LessonAction>) {
        let (mut restart, mut play) = (false, false);
        self.awaited = Awaited::default();
        for action in actions {
            match action {
                LessonAction::Set { knob, text } => restart |= self.set_from_lesson(&knob, &text),
                LessonAction::Preset(preset) => restart |= self.take_preset(preset),
                LessonAction::Go(Some(step)) => self.awaited.step = Some(step),
                LessonAction::Go(None) => {
                    self.awaited.step = None;
                    self.cursor = TimeCursor::Following;
                }
                LessonAction::Show(None) => {
                    self.awaited.chart = None;
                    self.maximised = None;
                }
                LessonAction::Show(Some(id)) => self.awaited.chart = Some(id),
                LessonAction::Play => play = true,
            }
        }
        if restart {
            self.restart_lab();
        }
        if play {
            self.send(Command::Play);
        }
        self.fulfil();
    }

    /// Does what was awaited of the recording in front.
    pub(super) fn fulfil(&mut self) {
        let is_due = |spec: &String| *spec == self.recording().header.spec && !self.live.is_settling();
        if !self.awaited.spec.as_ref().is_none_or(is_due) {
            return;
        }
        if let Some(id) = self.awaited.chart.take() {
            self.maximised = self.chart_called(&id);
        }
        let newest = self.recording().newest_step();
        let has_ended = self.recording().outcome.is_some();
        if let Some(step) = self.awaited.step.take_if(|step| *step <= newest || has_ended) {
            self.cursor = self.cursor.after(TimeCommand::ScrubTo(step), newest);
        }
    }

    fn chart_called(&self, id: &str) -> Option<PaneId> {
        let index = self.recording().header.charts.iter().position(|chart| chart.id == id)?;
        Some(PaneId::Chart(index as u8))
    }

    /// The name of the maximised chart of the lab in front.
    pub(super) fn maximised_chart(&self) -> Option<String> {
        let Some(PaneId::Chart(index)) = self.maximised.filter(|_| self.viewed.is_none()) else { return None };
        Some(self.recording().header.charts.get(usize::from(index))?.id.clone())
    }

    /// Keeps a chart maximised in a recording with other charts, if it has this one.
    pub(super) fn keep_maximised(&mut self, name: Option<String>) {
        if let Some(name) = name {
            self.maximised = self.chart_called(&name);
        }
    }

    /// Whether the lab has to begin anew for it.
    fn set_from_lesson(&mut self, id: &str, text: &str) -> bool {
        let Some(front) = &mut self.lab else {
            self.toasts.push(Notice::remark("This is a recording: open the lab to turn its knobs"));
            return false;
        };
        match front.draft.set_text(id, text) {
            Ok(()) => true,
            Err(message) => {
                self.toasts.push(Notice::problem(message));
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::app::lab::LabInFront;
    use crate::app::link::Wake;
    use crate::labs::{self, Experiment};
    use crate::record::{Reading, SeriesId, Snapshot, TrackId, TrackInfo};
    use crate::run::bench::{Preset, Program as _, Values};
    use crate::run::messages::Event;

    fn window() -> Window {
        let mut window = Window::idle(Wake::default());
        let lab = labs::find("rank-collapse").unwrap();
        window.lab = Some(LabInFront { lab, draft: Values::preset(lab.knobs(), Preset::Standard) });
        begin_anew(&mut window);
        window
    }

    /// What the worker answers to the knobs as they stand.
    fn begin_anew(window: &mut Window) {
        let front = window.lab.as_ref().unwrap();
        let (header, values) = (Experiment(front.lab).header(&front.draft), Box::new(front.draft.clone()));
        window.take(Event::LabStarted { header: Arc::new(header), values });
        window.receive();
        window.fulfil();
    }

    fn links(window: &mut Window, text: &str) {
        window.follow_lesson(text.split(';').map(|action| LessonAction::parse(action.trim()).unwrap()).collect());
    }

    fn layer(window: &mut Window, step: u64) {
        window.take(Event::Track(TrackInfo { id: TrackId(0), ..TrackInfo::default() }));
        let readings = vec![(SeriesId::owned("x"), Reading::Scalar(1.0))];
        window.take(Event::Snapshot(Arc::new(Snapshot { track: TrackId(0), step, readings })));
        window.fulfil();
    }

    #[test]
    fn what_a_link_shows_comes_with_the_recording_that_has_it() {
        let mut window = window();
        links(&mut window, "preset instant; set training = false; show tokens; go 0");
        assert_eq!((window.maximised, window.cursor), (None, TimeCursor::Following), "of the old recording");
        begin_anew(&mut window);
        assert_eq!(window.maximised_chart().as_deref(), Some("tokens"));
        assert_eq!(window.cursor, TimeCursor::At(0));

        // The recording in front has no such chart.
        assert!(window.chart_called("training").is_none());
        links(&mut window, "preset instant; show training; follow; play");
        begin_anew(&mut window);
        assert_eq!((window.maximised_chart().as_deref(), window.cursor), (Some("training"), TimeCursor::Following));
    }

    #[test]
    fn a_step_is_gone_to_once_it_is_there_unless_the_reader_goes_elsewhere() {
        let mut window = window();
        links(&mut window, "go 4");
        layer(&mut window, 2);
        assert_eq!(window.cursor, TimeCursor::Following);
        layer(&mut window, 4);
        assert_eq!(window.cursor, TimeCursor::At(4));
        links(&mut window, "go 9");
        window.apply(crate::app::action::Action::Time(TimeCommand::Follow));
        layer(&mut window, 9);
        assert_eq!(window.cursor, TimeCursor::Following);
    }

    #[test]
    fn a_maximised_chart_stays_in_front_where_charts_come_and_go() {
        let mut window = window();
        links(&mut window, "show gradients");
        let before = window.maximised;
        links(&mut window, "set training = false");
        begin_anew(&mut window);
        assert_eq!(window.maximised_chart().as_deref(), Some("gradients"));
        assert!(before.is_some());
        links(&mut window, "preset standard; show training");
        begin_anew(&mut window);
        links(&mut window, "set training = false");
        begin_anew(&mut window);
        assert_eq!(window.maximised, None, "it has gone");
    }

    #[test]
    fn presenter_mode_puts_the_panels_aside_and_brings_them_back() {
        use crate::app::action::Action;
        let mut window = window();
        window.apply(Action::ToggleKnobs);
        window.apply(Action::TogglePresenter);
        assert_eq!([window.knobs_open, window.lesson_open], [false, false]);
        window.apply(Action::TogglePresenter);
        assert_eq!([window.knobs_open, window.lesson_open], [false, true]);
    }
}
