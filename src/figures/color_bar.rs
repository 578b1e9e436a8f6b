//! The colours of a field or surface with their values.

use super::canvas::{BLACK, Canvas, FRAME, GREY, Rect, Stroke};
use super::frame::{self, Scale};
use super::text::{self, Align, Style};
use crate::plots::ticks::{self, Tick};
use crate::plots::{Colormap, colormap};

pub struct ColorBar<'a> {
    pub label: &'a str,
    pub colormap: Colormap,
    pub range: [f32; 2],
    pub log: bool,
}

impl ColorBar<'_> {
    /// Ticks in axis units (decimal logarithms if `log`) and the range in the same units.
    fn ticks(&self, room: usize) -> (Vec<Tick>, [f64; 2]) {
        let [low, high] = self.range.map(f64::from);
        if self.log && low > 0.0 && high > low {
            let range = [low.log10(), high.log10()];
            (ticks::logarithmic(range, room), range)
        } else {
            (ticks::linear([low, high], room), [low, high])
        }
    }

    /// Draws the bar at the right end of `area`; returns the room that it took.
    pub fn draw(&self, canvas: &mut Canvas<'_>, area: Rect, font: f64) -> f64 {
        let (ticks, range) = self.ticks((area.height() / (2.5 * font)).max(2.0) as usize);
        let widest = ticks.iter().map(|tick| text::width(&tick.label, font)).fold(0.0, f64::max);
        let name = if self.label.is_empty() { 0.0 } else { 1.6 * font };
        let bar_width = 1.1 * font;
        let used = bar_width + 0.7 * font + widest + name;
        let bar = Rect { left: area.right - used, right: area.right - used + bar_width, ..area };
        let steps = colormap::LEVELS / 2;
        for i in 0..steps {
            let at = |i: usize| bar.bottom - bar.height() * i as f64 / steps as f64;
            // Each strip reaches under the next, so that no seam shows.
            let strip =
                Rect { top: at(i + 1).max(bar.top), bottom: if i == 0 { bar.bottom } else { at(i - 1) }, ..bar };
            canvas.rect(strip, self.colormap.rgb8((i as f32 + 0.5) / steps as f32));
        }
        frame::border(canvas, bar);
        let scale = Scale::y(range, bar);
        for tick in &ticks {
            let at = scale.px(tick.at);
            let length = if tick.label.is_empty() { 0.15 } else { 0.3 };
            canvas.line([bar.right, at], [bar.right + length * font, at], Stroke::new(FRAME, 1.0));
            canvas.text([bar.right + 0.5 * font, at], &tick.label, Style::new(font, GREY));
        }
        let style = Style { upwards: true, vertical: Align::End, ..Style::new(font, BLACK).centred() };
        canvas.text([area.right, bar.middle()[1]], &text::elide(self.label, font, bar.height()), style);
        used + 0.9 * font
    }
}
