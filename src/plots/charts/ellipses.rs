//! 2x2 covariances as ellipses.

use crate::plots::Plot;
use crate::plots::lines::{Line, LineStyle, XAxis};
use crate::record::chart::Axis;

use super::Shown;

/// Points of half an ellipse.
const POINTS: usize = 60;

/// `{z: z' C⁻¹ z = 1}` with `C = [[xx, xy], [xy, yy]]`: at `x = √xx cos φ`, `y = xy/xx x ± √(yy − xy²/xx) sin φ`, as an upper and a lower half.
pub fn plot(shown: &Shown<'_>, series: &str, x: &Axis, y: &Axis) -> Plot {
    let mut plot = shown.lines(&x.label, y);
    let mut reach = 0.0_f64;
    for (track, color) in &shown.tracks {
        let Some((_, row)) = track.vector(series).and_then(|rows| rows.latest_at(shown.at)) else { continue };
        let &[xx, xy, yy] = row else { continue };
        let [xx, xy, yy] = [xx, xy, yy].map(f64::from);
        if !(xx > 0.0 && yy.is_finite() && xy.is_finite()) {
            continue;
        }
        let height = (yy - xy * xy / xx).max(0.0).sqrt();
        for side in [1.0, -1.0] {
            let point = |i: usize| {
                let angle = std::f64::consts::PI * (1.0 - i as f64 / (POINTS - 1) as f64);
                let at = xx.sqrt() * angle.cos();
                [at, xy / xx * at + side * height * angle.sin()]
            };
            let points: Vec<_> = (0..POINTS).map(point).collect();
            plot.lines.push(Line { label: track.label.clone(), points, style: LineStyle::Solid, color: *color });
        }
        reach = reach.max(xx.sqrt()).max(yy.sqrt());
    }
    if plot.lines.is_empty() {
        return shown.empty();
    }
    let reach = 1.05 * reach;
    plot.equal_units = true;
    let [low, high] = x.range.unwrap_or([-reach, reach]);
    plot.x_axis = XAxis::Linear([low, high]);
    plot.y_range = y.range.or(Some([-reach, reach]));
    Plot::Lines(plot)
}
