//! Messages, stacked in the lower right corner above the time line.

use egui::{Align2, Area, Context, Frame, Id, Margin, Order, RichText, vec2};

use crate::app::action::Action;
use crate::app::state::Window;
use crate::app::theme::{self, size};
use crate::app::toasts::NoticeKind;
use crate::app::widgets::icon::{self, Emphasis, Icon};

pub fn show(window: &mut Window, ctx: &Context, actions: &mut Vec<Action>) {
    let now = ctx.input(|input| input.time);
    if let Some(left) = window.toasts.expire(now) {
        ctx.request_repaint_after_secs(left as f32 + 0.01);
    }
    if window.toasts.iter().next().is_none() {
        return;
    }
    let offset = vec2(-14.0, -size::TIME_LINE - 20.0);
    let area = Area::new(Id::unique("messages")).order(Order::Foreground).anchor(Align2::RIGHT_BOTTOM, offset);
    area.show(ctx, |ui| {
        let tokens = theme::of(ui.visuals());
        for (index, notice) in window.toasts.iter().enumerate() {
            let color = match notice.kind {
                NoticeKind::Done => tokens.good,
                NoticeKind::Remark => tokens.accent,
                NoticeKind::Problem => tokens.danger,
            };
            let frame = Frame::popup(ui.style()).inner_margin(Margin::symmetric(10, 7)).stroke((1.0, color));
            frame.show(ui, |ui| {
                ui.horizontal(|ui| {
                    ui.set_max_width(460.0);
                    let (dot, _) = ui.allocate_exact_size(vec2(10.0, 18.0), egui::Sense::hover());
                    ui.painter().circle_filled(dot.center(), 4.0, color);
                    let text = RichText::new(&notice.text).color(tokens.text);
                    ui.add(egui::Label::new(text).wrap().selectable(true));
                    if icon::button(ui, Icon::Close, "Dismiss message", "Dismiss", Emphasis::Quiet).clicked() {
                        actions.push(Action::Dismiss(index));
                    }
                });
            });
            ui.add_space(4.0);
        }
    });
}
