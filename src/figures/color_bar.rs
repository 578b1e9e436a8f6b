//! The colours of a field or surface with their values.

use super::canvas::{Canvas, Rect};
use super::frame::{self, Scale};
use super::text::{self, Align, Style};
use crate::plots::ticks::{self, Tick};
use crate::plots::{Colormap, colormap};

/// Width of the colours, in em.
const BAR: f64 = 1.1;

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

    fn room_for_ticks(height: f64, font: f64) -> usize {
        (height / (3.0 * font)).max(2.0) as usize
    }

    /// Width of the bar with its numbers and name, and the gap before it, beside a picture of this height.
    pub fn width(&self, height: f64, font: f64) -> f64 {
        let (ticks, _) = self.ticks(Self::room_for_ticks(height, font));
        let widest = ticks.iter().map(|tick| text::width(&tick.label, font)).fold(0.0, f64::max);
        let name = if self.label.is_empty() { 0.0 } else { 1.8 * font };
        (0.9 + BAR + 0.7) * font + widest + name
    }

    /// Draws the bar to the right of `beside`, as high as it.
    pub fn draw(&self, canvas: &mut Canvas<'_>, beside: Rect, font: f64) {
        let (ticks, range) = self.ticks(Self::room_for_ticks(beside.height(), font));
        let end = beside.right + self.width(beside.height(), font);
        let left = beside.right + 0.9 * font;
        let bar = Rect { left, right: left + BAR * font, ..beside };
        let steps = colormap::LEVELS / 2;
        for i in 0..steps {
            let at = |i: usize| bar.bottom - bar.height() * i as f64 / steps as f64;
            // Each strip reaches under the next, so that no seam shows.
            let strip = Rect { top: at(i + 1), bottom: if i == 0 { bar.bottom } else { at(i - 1) }, ..bar };
            canvas.rect(strip, self.colormap.rgb8((i as f32 + 0.5) / steps as f32));
        }
        frame::border(canvas, bar, font);
        let scale = Scale::y(range, bar);
        for tick in &ticks {
            let at = scale.px(tick.at);
            let length = if tick.label.is_empty() { 0.15 } else { 0.3 };
            canvas.line([bar.right, at], [bar.right + length * font, at], frame::hairline(canvas.ink.frame, font));
            canvas.text([bar.right + 0.5 * font, at], &tick.label, Style::new(font, canvas.ink.quiet));
        }
        let style = Style { upwards: true, vertical: Align::End, ..Style::new(font, canvas.ink.text).centred() };
        canvas.text([end, bar.middle()[1]], &text::elide(self.label, font, bar.height()), style);
    }
}
