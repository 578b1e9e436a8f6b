//! Dashed lines that stay dashed however close their points are.

use egui::{Pos2, Rect, Shape, Stroke};

const ON: f32 = 7.0;
const OFF: f32 = 5.0;

/// The dashes of a polyline that may be seen within `view`, counted by length along it.
pub fn along(points: impl Iterator<Item = Pos2>, view: Rect, stroke: Stroke) -> Vec<Shape> {
    let view = view.expand(ON);
    let mut shapes = Vec::new();
    let (mut last, mut walked): (Option<Pos2>, f32) = (None, 0.0);
    let mut dash: Vec<Pos2> = Vec::new();
    for point in points {
        let Some(from) = last.replace(point) else { continue };
        let length = (point - from).length();
        // Far outside (a zoomed plot) there is nothing to count.
        if !length.is_finite() || length > 1e5 || !view.intersects(Rect::from_two_pos(from, point)) {
            flush(&mut dash, &mut shapes, stroke);
            walked = 0.0;
            continue;
        }
        let mut done = 0.0;
        while done < length {
            let inside = walked % (ON + OFF);
            let inked = inside < ON;
            let rest = if inked { ON - inside } else { ON + OFF - inside };
            let step = rest.min(length - done).max(1e-3);
            let at = |along: f32| from + (point - from) * (along / length).min(1.0);
            if inked {
                if dash.is_empty() {
                    dash.push(at(done));
                }
                dash.push(at(done + step));
            } else {
                flush(&mut dash, &mut shapes, stroke);
            }
            done += step;
            walked += step;
        }
    }
    flush(&mut dash, &mut shapes, stroke);
    shapes
}

fn flush(dash: &mut Vec<Pos2>, shapes: &mut Vec<Shape>, stroke: Stroke) {
    if dash.len() > 1 {
        shapes.push(Shape::line(std::mem::take(dash), stroke));
    }
    dash.clear();
}

#[cfg(test)]
mod tests {
    use egui::{Color32, pos2};

    use super::*;

    fn inked(points: usize) -> (usize, f32) {
        let view = Rect::from_min_max(pos2(0.0, 0.0), pos2(600.0, 100.0));
        let line = (0..=points).map(|k| pos2(600.0 * k as f32 / points as f32, 50.0));
        let shapes = along(line, view, Stroke::new(1.0, Color32::WHITE));
        let length = |shape: &Shape| -> f32 {
            match shape {
                Shape::Path(path) => path.points.windows(2).map(|w| (w[1] - w[0]).length()).sum(),
                other => panic!("a path, not {other:?}"),
            }
        };
        (shapes.len(), shapes.iter().map(length).sum())
    }

    #[test]
    fn the_pattern_does_not_depend_on_the_points() {
        for points in [1, 7, 600, 5_000] {
            let (count, length) = inked(points);
            assert_eq!(count, 50, "{points} points");
            assert!((length - 350.0).abs() < 3.0, "{points} points: {length}");
        }
    }

    #[test]
    fn nothing_far_outside_is_counted() {
        let view = Rect::from_min_max(pos2(0.0, 0.0), pos2(100.0, 100.0));
        let stroke = Stroke::new(1.0, Color32::WHITE);
        let far = [pos2(0.0, 1e6), pos2(100.0, 1e6), pos2(f32::INFINITY, 0.0), pos2(f32::NAN, 0.0)];
        assert!(along(far.into_iter(), view, stroke).is_empty());
    }
}
