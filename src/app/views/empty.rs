//! Nothing to draw yet, and why.

use egui::{Stroke, Ui, pos2, vec2};

use crate::app::theme;

pub fn show(ui: &mut Ui, title: &str, reason: &str) {
    let tokens = theme::of(ui.visuals());
    let (rect, response) = ui.allocate_exact_size(ui.available_size(), egui::Sense::hover());
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Label, true, format!("{title}: {reason}")));
    if rect.width() < 40.0 || rect.height() < 20.0 {
        return;
    }
    let wrap = (rect.width() - 32.0).clamp(20.0, 420.0);
    let mut job = egui::text::LayoutJob::simple(reason.to_owned(), theme::body(), tokens.text_weak, wrap);
    job.halign = egui::Align::Center;
    let painter = ui.painter().with_clip_rect(rect);
    let galley = painter.layout_job(job);
    let height = galley.size().y;
    let mut top = rect.center().y - height / 2.0;
    // A flat trace, as on a scope without a signal; left out where the text needs the room.
    if rect.height() > height + 56.0 {
        let (half, y) = (34.0_f32.min(wrap / 3.0), top - 6.0);
        let stroke = Stroke::new(1.5, tokens.text_faint.gamma_multiply(0.7));
        painter.hline(rect.center().x - half..=rect.center().x + half, y, stroke);
        painter.circle_filled(rect.center() + vec2(half, y - rect.center().y), 3.0, stroke.color);
        top += 10.0;
    }
    painter.galley(pos2(rect.center().x, top), galley, tokens.text_weak);
}
