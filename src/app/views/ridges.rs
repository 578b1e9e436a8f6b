//! Histograms of several layers above one another.

use egui::{Align2, Color32, Id, Mesh, Pos2, Rect, Sense, Shape, Stroke, Ui, pos2};

use super::axes::{self, Scale};
use super::ticks;
use crate::app::theme::{self, Tokens};
use crate::plots::{Colormap, RidgePlot};

/// How far the highest ridge reaches into the row above it, in rows.
const OVERLAP: f32 = 1.7;

pub fn show(ui: &mut Ui, id: Id, plot: &RidgePlot) {
    let tokens = theme::of(ui.visuals());
    let (area, response) = ui.allocate_exact_size(ui.available_size(), Sense::hover());
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Image, true, &plot.title));
    let count = plot.ridges.len();
    if area.width() < 60.0 || area.height() < 60.0 || count == 0 {
        return;
    }
    let widest = axes::labels_width(ui, plot.ridges.iter().map(|ridge| ridge.label.as_str()));
    let column = widest.min(area.width() * 0.35).max(20.0);
    let inner = Rect::from_min_max(
        pos2(area.left() + column, area.top() + 4.0),
        pos2(area.right() - 8.0, area.bottom() - 2.0 * axes::row(ui)),
    );
    if inner.width() < 20.0 || inner.height() < 16.0 {
        return;
    }
    let scale = Scale::x(plot.x_range, inner);
    let marks = ticks::linear(plot.x_range, axes::x_room(inner.width()));
    for tick in &marks {
        let at = scale.point(tick.at).round() + 0.5;
        let stroke = if tick.at == 0.0 { tokens.border } else { tokens.grid };
        ui.painter().vline(at, inner.y_range(), Stroke::new(1.0, stroke));
    }
    axes::x_labels(ui, inner, area, &scale, &marks, tokens);

    // The first ridge has its overlap above it inside the picture, so every ridge has the same height.
    let row = inner.height() / (count as f32 - 1.0 + OVERLAP + 0.05);
    let baseline = |i: usize| inner.top() + row * (OVERLAP + i as f32);
    let pointed = response.hover_pos().filter(|p| area.contains(*p) && p.y < inner.bottom() + 2.0).map(|p| {
        let nearest = ((p.y - inner.top()) / row - OVERLAP + 0.5).round().max(0.0) as usize;
        nearest.min(count - 1)
    });
    let highest = plot.highest();
    let stride = ((axes::row(ui) - 3.0) / row).ceil().max(1.0) as usize;
    for (i, ridge) in plot.ridges.iter().enumerate() {
        let alone = pointed.is_none_or(|p| p == i);
        let color = plot.color.map_or_else(|| hue(i, count, tokens), |color| tokens.line(color));
        let color = color.gamma_multiply(if alone { 1.0 } else { 0.45 });
        // A mild root brings out the tails without hiding that the peak is a peak.
        let height = |share: f32| {
            if highest > 0.0 && share > 0.0 { (share / highest).powf(0.75) * row * OVERLAP } else { 0.0 }
        };
        let top: Vec<_> =
            outline(&ridge.shares, inner).map(|(x, share)| pos2(x, baseline(i) - height(share))).collect();
        ridge_shape(ui, &top, baseline(i), color, tokens);
        for over in &ridge.over {
            let color = tokens.line(over.color).gamma_multiply(if alone { 1.0 } else { 0.3 });
            let top = outline(&over.shares, inner).map(|(x, share)| pos2(x, baseline(i) - height(share)));
            ui.painter().add(Shape::line(top.collect(), Stroke::new(1.6, color)));
        }
        ui.painter().hline(inner.x_range(), baseline(i), Stroke::new(1.0, color.gamma_multiply(0.55)));
        if i % stride == 0 || pointed == Some(i) {
            let color = if pointed == Some(i) { tokens.text } else { tokens.text_weak };
            let place = pos2(inner.left() - 6.0, baseline(i) - 6.0);
            let galley = elided(ui, &ridge.label, column - 8.0, color);
            let rect = Align2::RIGHT_CENTER.anchor_size(place, galley.size());
            ui.painter().galley(rect.min, galley, color);
        }
    }
    let mut left = inner.left() + 4.0;
    for (name, color) in &plot.names {
        let at = pos2(left, inner.top());
        left = ui.painter().text(at, Align2::LEFT_TOP, name, axes::font(ui), tokens.line(*color)).right() + 12.0;
    }
    let foot = Rect::from_min_max(pos2(area.left(), area.bottom() - axes::row(ui)), area.max);
    axes::foot(ui, id, foot, &plot.notes, &plot.x_label);
    if let (Some(i), Some(pointer)) = (pointed, response.hover_pos()) {
        let ridge = &plot.ridges[i];
        let mut text = format!("{}\n{}", ridge.label, ridge.summary);
        if let Some((x, share)) = bin_at(&ridge.shares, plot.x_range, scale.unit(pointer.x)) {
            text.push_str(&format!("\n{} {}: {:.2} % of values", plot.x_label, ticks::number(x), 100.0 * share));
        }
        for over in &ridge.over {
            text.push_str(&format!("\n{}: {}", over.label, over.summary));
        }
        response.on_hover_text_at_pointer(text);
    }
}

/// From the input side to the output side along viridis, within the part of it that stands out from the background.
fn hue(i: usize, count: usize, tokens: &Tokens) -> Color32 {
    let share = if count > 1 { i as f32 / (count - 1) as f32 } else { 0.5 };
    let dark_ground = tokens.pane.r() < 128;
    let at = if dark_ground { 0.46 + 0.44 * share } else { 0.12 + 0.58 * share };
    let [r, g, b] = Colormap::Viridis.rgb8(at);
    Color32::from_rgb(r, g, b)
}

/// Bin centres in points with their shares, closed at both ends; many bins are merged to what the screen resolves.
fn outline(shares: &[f32], inner: Rect) -> impl Iterator<Item = (f32, f32)> {
    let width = inner.width() / shares.len().max(1) as f32;
    let centres = shares
        .iter()
        .enumerate()
        .map(move |(k, share)| (inner.left() + width * (k as f32 + 0.5), if share.is_finite() { *share } else { 0.0 }));
    std::iter::once((inner.left(), shares.first().copied().unwrap_or(0.0)))
        .chain(centres)
        .chain(std::iter::once((inner.right(), shares.last().copied().unwrap_or(0.0))))
}

fn ridge_shape(ui: &Ui, top: &[Pos2], base: f32, color: Color32, tokens: &Tokens) {
    let mut fill = Mesh::default();
    // Opaque, so that the ridge in front hides the one behind.
    let body = mix(tokens.pane, color, 0.42);
    for point in top {
        fill.colored_vertex(*point, body);
        fill.colored_vertex(pos2(point.x, base), mix(tokens.pane, color, 0.16));
    }
    for k in 1..top.len() as u32 {
        let a = 2 * (k - 1);
        fill.add_triangle(a, a + 1, a + 2);
        fill.add_triangle(a + 1, a + 3, a + 2);
    }
    ui.painter().add(Shape::mesh(fill));
    ui.painter().add(Shape::line(top.to_vec(), Stroke::new(1.6, color)));
}

fn mix(a: Color32, b: Color32, share: f32) -> Color32 {
    let channel = |x: u8, y: u8| (f32::from(x) + (f32::from(y) - f32::from(x)) * share).round() as u8;
    Color32::from_rgb(channel(a.r(), b.r()), channel(a.g(), b.g()), channel(a.b(), b.b()))
}

fn bin_at(shares: &[f32], [low, high]: [f64; 2], x: f64) -> Option<(f64, f32)> {
    let at = (x - low) / (high - low) * shares.len() as f64;
    let bin = (at >= 0.0 && at < shares.len() as f64).then_some(at as usize)?;
    Some((low + (high - low) * (bin as f64 + 0.5) / shares.len() as f64, shares[bin]))
}

fn elided(ui: &Ui, text: &str, width: f32, color: Color32) -> std::sync::Arc<egui::Galley> {
    let mut job = egui::text::LayoutJob::simple_singleline(text.to_owned(), axes::font(ui), color);
    job.wrap = egui::text::TextWrapping::truncate_at_width(width.max(8.0));
    ui.painter().layout_job(job)
}

#[cfg(test)]
mod tests {
    use egui::vec2;

    use super::*;

    #[test]
    fn bins_are_found_under_the_pointer() {
        let shares = [0.1, 0.2, 0.3, 0.4];
        assert_eq!(bin_at(&shares, [-2.0, 2.0], -2.0), Some((-1.5, 0.1)));
        assert_eq!(bin_at(&shares, [-2.0, 2.0], 1.99), Some((1.5, 0.4)));
        assert_eq!(bin_at(&shares, [-2.0, 2.0], 2.0), None);
        assert_eq!(bin_at(&[], [0.0, 1.0], 0.5), None);
    }

    #[test]
    fn an_outline_spans_the_picture_and_survives_what_is_not_a_number() {
        let inner = Rect::from_min_size(pos2(10.0, 0.0), vec2(100.0, 10.0));
        let points: Vec<_> = outline(&[0.5, f32::NAN], inner).collect();
        assert_eq!(points[0].0, 10.0);
        assert_eq!(points[3].0, 110.0);
        assert_eq!(points[2].1, 0.0);
    }
}
