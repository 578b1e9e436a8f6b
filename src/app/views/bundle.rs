//! Very many curves as one picture: drawn once on a thread of its own and then shown as a texture, so that a frame costs the
//! same for ten curves and for a thousand.

use std::sync::Arc;

use crossbeam::channel::{Receiver, bounded};
use egui::{Color32, ColorImage, Context, Rect, TextureHandle, TextureOptions, Ui, pos2};

use super::axes::Scale;
use crate::app::theme::Tokens;
use crate::plots::Bundle;

/// So many points are drawn at once; more take a thread.
const AT_ONCE: usize = 20_000;
/// How much of the ground a curve covers.
const OPACITY: f32 = 0.6;

/// All that a picture depends on.
#[derive(Clone, Debug, PartialEq)]
struct Source {
    bundle: Arc<Bundle>,
    /// In axis units: steps, and values or their logarithms.
    x: [f64; 2],
    y: [f64; 2],
    log: bool,
    size: [usize; 2],
    is_dark: bool,
}

/// The newest picture, and the one that is being drawn.
#[derive(Default)]
pub struct Memory {
    picture: Option<(Source, TextureHandle)>,
    drawing: Option<(Source, Receiver<ColorImage>)>,
    /// The range of the values within a range of x.
    range: Option<Range>,
}

/// The values of a bundle (or their logarithms) within some steps.
struct Range {
    bundle: Arc<Bundle>,
    log: bool,
    steps: [f64; 2],
    values: [f64; 2],
}

impl Memory {
    /// Least and largest value (or logarithm) between two steps.
    pub fn range(&mut self, bundle: &Arc<Bundle>, log: bool, x: [f64; 2]) -> [f64; 2] {
        let known = self
            .range
            .as_ref()
            .filter(|known| Arc::ptr_eq(&known.bundle, bundle) && (known.log, known.steps) == (log, x));
        if let Some(known) = known {
            return known.values;
        }
        let range = within(bundle, log, x).map(|value| super::lines::transform(value, log));
        self.range = Some(Range { bundle: bundle.clone(), log, steps: x, values: range });
        range
    }

    /// Draws the bundle into `inner`. While a new picture is being made, the last is shown in its place.
    pub fn show(
        &mut self,
        ui: &Ui,
        inner: Rect,
        bundle: &Arc<Bundle>,
        (x, y): (&Scale, &Scale),
        log: bool,
        tokens: &Tokens,
    ) {
        let size = (inner.size() * ui.pixels_per_point()).round();
        let size = [size.x.max(1.0) as usize, size.y.max(1.0) as usize];
        let is_dark = tokens.well.intensity() < 0.5;
        let wanted = Source { bundle: bundle.clone(), x: x.units, y: y.units, log, size, is_dark };
        self.collect(ui.ctx());
        let is = |source: &Source| {
            // Pointers first: equal bundles have very many equal points.
            Arc::ptr_eq(&source.bundle, &wanted.bundle)
                && (source.x, source.y, source.log, source.size, source.is_dark)
                    == (wanted.x, wanted.y, wanted.log, wanted.size, wanted.is_dark)
        };
        let current = self.picture.as_ref().is_some_and(|(source, _)| is(source));
        if !current && self.drawing.is_none() {
            self.begin(ui.ctx(), wanted, tokens);
        }
        let Some((source, texture)) = &self.picture else { return };
        let place = Rect::from_min_max(
            pos2(x.point(source.x[0]), y.point(source.y[1])),
            pos2(x.point(source.x[1]), y.point(source.y[0])),
        );
        let whole = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
        ui.painter().with_clip_rect(inner).image(texture.id(), place, whole, Color32::WHITE);
    }

    fn begin(&mut self, ctx: &Context, source: Source, tokens: &Tokens) {
        let colors: Vec<_> = source.bundle.lines.iter().map(|line| tokens.line(line.color)).collect();
        let points: usize = source.bundle.lines.iter().map(|line| line.points.len()).sum();
        if points <= AT_ONCE {
            let image = draw(&source, &colors);
            self.picture = Some((source, ctx.load_texture("bundle", image, TextureOptions::LINEAR)));
            return;
        }
        let (sender, receiver) = bounded(1);
        let (work, waker) = (source.clone(), ctx.clone());
        let body = move || {
            // The pane may be gone by now.
            let _ = sender.send(draw(&work, &colors));
            waker.request_repaint();
        };
        if std::thread::Builder::new().name("bundle".into()).spawn(body).is_ok() {
            self.drawing = Some((source, receiver));
        }
    }

    fn collect(&mut self, ctx: &Context) {
        let Some((source, receiver)) = self.drawing.take() else { return };
        match receiver.try_recv() {
            Ok(image) => match &mut self.picture {
                Some((of, texture)) => {
                    texture.set(image, TextureOptions::LINEAR);
                    *of = source;
                }
                None => self.picture = Some((source, ctx.load_texture("bundle", image, TextureOptions::LINEAR))),
            },
            Err(crossbeam::channel::TryRecvError::Empty) => self.drawing = Some((source, receiver)),
            Err(crossbeam::channel::TryRecvError::Disconnected) => {}
        }
    }
}

/// Least and largest value between two steps; above zero, if logarithms are drawn. Logarithms of a million values would
/// take longer than a frame lasts.
fn within(bundle: &Bundle, log: bool, x: [f64; 2]) -> [f64; 2] {
    if x[0] <= bundle.x_range[0] && bundle.x_range[1] <= x[1] {
        return if log { bundle.range_above_zero } else { bundle.range };
    }
    let inside = bundle.lines.iter().flat_map(|line| {
        let from = line.points.partition_point(|p| p[0] < x[0]).saturating_sub(1);
        line.points[from..].iter().take_while(move |p| p[0] <= x[1]).map(|p| p[1])
    });
    let shown = inside.filter(|value| value.is_finite() && (!log || *value > 0.0));
    shown.fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], y| [low.min(y), high.max(y)])
}

/// Every curve over the ones before it, smooth at its edges, on nothing.
fn draw(source: &Source, colors: &[Color32]) -> ColorImage {
    let [width, height] = source.size;
    let mut canvas = Canvas { width, height, pixels: vec![[0.0; 4]; width * height] };
    let place = |p: [f64; 2]| {
        let share = |v: f64, [low, high]: [f64; 2]| (v - low) / (high - low);
        let y = share(super::lines::transform(p[1], source.log), source.y);
        [(share(p[0], source.x) * width as f64) as f32, ((1.0 - y) * height as f64) as f32]
    };
    for (line, color) in source.bundle.lines.iter().zip(colors) {
        let color = [color.r(), color.g(), color.b()].map(|v| f32::from(v) / 255.0);
        let mut last: Option<[f32; 2]> = None;
        for point in line.points.iter().map(|p| place(*p)) {
            let here = point.iter().all(|v| v.is_finite()).then_some(point);
            if let (Some(a), Some(b)) = (last, here) {
                canvas.segment(a, b, color);
            }
            last = here;
        }
    }
    let pixel = |[r, g, b, a]: &[f32; 4]| {
        let byte = |v: f32| (v.clamp(0.0, 1.0) * 255.0).round() as u8;
        Color32::from_rgba_premultiplied(byte(*r), byte(*g), byte(*b), byte(*a))
    };
    ColorImage::new(source.size, canvas.pixels.iter().map(pixel).collect())
}

struct Canvas {
    width: usize,
    height: usize,
    /// Red, green, blue, opacity; premultiplied.
    pixels: Vec<[f32; 4]>,
}

impl Canvas {
    /// A stroke about one pixel wide (Wu 1991): along its longer side each step shares its ink between two pixels.
    fn segment(&mut self, a: [f32; 2], b: [f32; 2], color: [f32; 3]) {
        let (dx, dy) = (b[0] - a[0], b[1] - a[1]);
        let steep = dy.abs() > dx.abs();
        let (along, across) = if steep { (1, 0) } else { (0, 1) };
        let (from, to) = if a[along] <= b[along] { (a, b) } else { (b, a) };
        let length = to[along] - from[along];
        let limit = [self.width, self.height][along] as f32;
        // Half open, so that two strokes that meet don't ink their meeting twice.
        let (first, end) = (from[along].floor().max(0.0), to[along].floor().min(limit));
        if length <= 0.0 || end < first {
            return self.ink(from, 1.0, color);
        }
        let slope = (to[across] - from[across]) / length;
        let mut at = first;
        while at < end.max(first + 1.0).min(limit) {
            let middle = (at + 0.5).clamp(from[along], to[along]);
            let side = from[across] + slope * (middle - from[along]) - 0.5;
            let share = side - side.floor();
            for (offset, ink) in [(0.0, 1.0 - share), (1.0, share)] {
                let mut pixel = [at + 0.5; 2];
                pixel[across] = side.floor() + offset + 0.5;
                self.ink(pixel, ink, color);
            }
            at += 1.0;
        }
    }

    fn ink(&mut self, at: [f32; 2], share: f32, color: [f32; 3]) {
        if !(at[0] >= 0.0 && at[1] >= 0.0 && at[0] < self.width as f32 && at[1] < self.height as f32) {
            return;
        }
        let pixel = &mut self.pixels[at[1] as usize * self.width + at[0] as usize];
        let opacity = OPACITY * share;
        for (channel, value) in pixel.iter_mut().zip(color.into_iter().chain([1.0])) {
            *channel = *channel * (1.0 - opacity) + value * opacity;
        }
    }
}

/// The curve that passes nearest to a place, in points on the screen, with its value at that x.
pub fn nearest(bundle: &Bundle, at: [f64; 2], log: bool, y: &Scale, pointer_y: f32) -> Option<(usize, f64)> {
    let distance = |line: &crate::plots::Line| {
        let after = line.points.partition_point(|p| p[0] < at[0]);
        let (left, right) = (line.points.get(after.checked_sub(1)?)?, line.points.get(after)?);
        let share = if right[0] > left[0] { (at[0] - left[0]) / (right[0] - left[0]) } else { 1.0 };
        let value = left[1] + share * (right[1] - left[1]);
        let place = y.point(super::lines::transform(value, log));
        place.is_finite().then(|| ((place - pointer_y).abs(), value))
    };
    let near = bundle.lines.iter().enumerate().filter_map(|(i, line)| Some((i, distance(line)?)));
    let (i, (distance, value)) = near.min_by(|a, b| a.1.0.total_cmp(&b.1.0))?;
    (distance < 12.0).then_some((i, value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plots::{Line, LineStyle};
    use crate::record::TrackId;

    fn bundle(lines: &[&[[f64; 2]]]) -> Arc<Bundle> {
        let line = |points: &[[f64; 2]]| Line {
            label: String::new(),
            points: points.to_vec(),
            style: LineStyle::Solid,
            color: 0.into(),
        };
        Arc::new(Bundle::new(
            lines.iter().enumerate().map(|(i, points)| (TrackId(i as u32), String::new(), line(points))).collect(),
        ))
    }

    fn source(bundle: Arc<Bundle>, log: bool) -> Source {
        Source { bundle, x: [0.0, 10.0], y: [0.0, 10.0], log, size: [20, 20], is_dark: true }
    }

    /// Opacity of each pixel, from the stroke's distance to its centre: along the whole stroke they agree.
    #[test]
    fn strokes_lie_where_their_points_are_and_have_one_weight() {
        for points in
            [[[1.0, 5.0], [9.0, 5.0]], [[5.0, 1.0], [5.0, 9.0]], [[1.0, 1.0], [9.0, 9.0]], [[1.0, 2.0], [9.0, 6.5]]]
        {
            let image = draw(&source(bundle(&[&points]), false), &[Color32::WHITE]);
            let [a, b] = points.map(|p| [2.0 * p[0], 20.0 - 2.0 * p[1]]);
            let length = ((b[0] - a[0]).powi(2) + (b[1] - a[1]).powi(2)).sqrt();
            let mut ink = 0.0;
            for (i, pixel) in image.pixels.iter().enumerate() {
                let (px, py) = ((i % 20) as f64 + 0.5, (i / 20) as f64 + 0.5);
                let across = ((b[0] - a[0]) * (py - a[1]) - (b[1] - a[1]) * (px - a[0])).abs() / length;
                assert!(pixel.a() == 0 || across < 1.5, "{points:?}: ink at {px} {py}");
                ink += f64::from(pixel.a()) / 255.0 / f64::from(OPACITY);
            }
            // One unit of ink a step along the longer side.
            let longer = (b[0] - a[0]).abs().max((b[1] - a[1]).abs());
            assert!((ink - longer).abs() < 1.1, "{points:?}: {ink} of {longer}");
        }
    }

    #[test]
    fn gaps_and_what_lies_outside_are_left_out() {
        let lines: [&[[f64; 2]]; 3] = [
            &[[0.0, f64::NAN], [1.0, 2.0], [2.0, f64::INFINITY]],
            &[[-50.0, 5.0], [-20.0, 5.0]],
            &[[0.0, 500.0], [9.0, 400.0]],
        ];
        let image = draw(&source(bundle(&lines), false), &[Color32::WHITE; 3]);
        assert!(image.pixels.iter().all(|pixel| pixel.a() == 0));
        let logs = draw(&source(bundle(&[&[[0.0, 0.0], [2.0, 1e5], [8.0, 1e5]]]), true), &[Color32::WHITE]);
        assert!(logs.pixels[10 * 20 + 10].a() > 0 || logs.pixels[9 * 20 + 10].a() > 0);
    }

    #[test]
    fn the_range_is_that_of_what_is_drawn() {
        let lines: [&[[f64; 2]]; 2] =
            [&[[0.0, -3.0], [1.0, 0.01], [2.0, f64::INFINITY]], &[[0.0, 5.0], [1.0, f64::NAN], [4.0, 100.0]]];
        let bundle = bundle(&lines);
        let mut memory = Memory::default();
        for (log, x, expected) in [
            (false, [0.0, 4.0], [-3.0, 100.0]),
            (true, [-1.0, 9.0], [-2.0, 2.0]),
            (false, [0.5, 3.0], [-3.0, 5.0]),
            (true, [0.0, 3.0], [-2.0, 5.0_f64.log10()]),
        ] {
            assert_eq!(memory.range(&bundle, log, x), expected, "{log} {x:?}");
        }
    }

    #[test]
    fn the_nearest_curve_is_found_with_its_value() {
        let lines: [&[[f64; 2]]; 2] = [&[[0.0, 0.0], [10.0, 10.0]], &[[0.0, 10.0], [10.0, 0.0]]];
        let bundle = bundle(&lines);
        let y = Scale { units: [0.0, 10.0], points: [100.0, 0.0] };
        assert_eq!(nearest(&bundle, [2.0, 2.0], false, &y, 80.0), Some((0, 2.0)));
        assert_eq!(nearest(&bundle, [2.0, 8.0], false, &y, 22.0), Some((1, 8.0)));
        assert_eq!(nearest(&bundle, [2.0, 8.0], false, &y, 50.0), None);
        assert_eq!(nearest(&bundle, [20.0, 8.0], false, &y, 50.0), None);
    }
}
