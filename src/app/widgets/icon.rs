//! Square buttons with a drawn sign: crisp at every size, named for tests and screen readers.

use egui::epaint::PathShape;
use egui::{
    Color32, Painter, Pos2, Rect, Response, Role, Sense, Shape, Stroke, StrokeKind, Ui, Vec2, WidgetInfo, pos2,
};

use crate::app::theme::{self, size};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Icon {
    Play,
    Pause,
    Step,
    Reset,
    Maximise,
    Restore,
    /// Three dots: more.
    More,
    /// Half a disc: dark and light.
    Theme,
    /// A screen on a stand.
    Presenter,
    Close,
    /// An arrow against a wall: the newest step.
    Follow,
    /// Three sliders.
    Knobs,
    Help,
    /// An open book.
    Lesson,
    /// A line that parts in two.
    Branch,
    /// A flag.
    Note,
}

/// How a button stands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Emphasis {
    Plain,
    /// It is on.
    On,
    /// No ground until the pointer is over it.
    Quiet,
}

/// A square button. `label` is its name; `tip` what it does, with its key.
pub fn button(ui: &mut Ui, icon: Icon, label: &str, tip: &str, emphasis: Emphasis) -> Response {
    let side = size::ICON;
    let (rect, response) = ui.allocate_exact_size(Vec2::splat(side), Sense::click());
    let enabled = ui.is_enabled();
    response.widget_info(|| match emphasis {
        Emphasis::On => WidgetInfo::selected(Role::Button, enabled, true, label),
        Emphasis::Plain | Emphasis::Quiet => WidgetInfo::labeled(Role::Button, enabled, label),
    });
    if ui.is_rect_visible(rect) {
        let tokens = theme::of(ui.visuals());
        let touched = response.hovered() || response.has_focus();
        let fill = match emphasis {
            Emphasis::On => tokens.accent,
            _ if response.is_pointer_button_down_on() => tokens.button_active,
            _ if touched => tokens.button_hover,
            Emphasis::Plain => tokens.button,
            Emphasis::Quiet => Color32::TRANSPARENT,
        };
        let color = match emphasis {
            Emphasis::On => tokens.on_accent,
            Emphasis::Quiet if !touched => tokens.text_weak,
            _ => tokens.text,
        };
        let color = if enabled { color } else { color.gamma_multiply(0.4) };
        ui.painter().rect_filled(rect, f32::from(size::CORNER - 1), fill);
        if response.has_focus() {
            ui.painter().rect_stroke(
                rect,
                f32::from(size::CORNER - 1),
                Stroke::new(1.0, tokens.accent),
                StrokeKind::Inside,
            );
        }
        paint(ui.painter(), icon, rect.shrink(side * 0.26), color);
    }
    response.on_hover_text(tip)
}

/// Paints a sign into a square.
pub fn paint(painter: &Painter, icon: Icon, rect: Rect, color: Color32) {
    let at = |x: f32, y: f32| rect.lerp_inside(Vec2::new(x, y));
    let stroke = Stroke::new((rect.width() * 0.14).max(1.2), color);
    let line = |points: &[(f32, f32)]| {
        painter.add(Shape::line(points.iter().map(|&(x, y)| at(x, y)).collect(), stroke));
    };
    let fill = |points: &[(f32, f32)]| {
        let points: Vec<Pos2> = points.iter().map(|&(x, y)| at(x, y)).collect();
        painter.add(Shape::convex_polygon(points, color, Stroke::NONE));
    };
    let bar = |x0: f32, x1: f32| painter.rect_filled(Rect::from_min_max(at(x0, 0.0), at(x1, 1.0)), 1.0, color);
    match icon {
        Icon::Play => fill(&[(0.12, 0.0), (1.0, 0.5), (0.12, 1.0)]),
        Icon::Pause => {
            bar(0.08, 0.38);
            bar(0.62, 0.92);
        }
        Icon::Step => {
            fill(&[(0.0, 0.0), (0.7, 0.5), (0.0, 1.0)]);
            bar(0.76, 0.98);
        }
        Icon::Reset => {
            // Three quarters of a circle with an arrow head at its start.
            let arc = (0..=18).map(|i| {
                let angle = -0.9 + i as f32 / 18.0 * 5.0;
                pos2(0.5 + 0.46 * angle.cos(), 0.5 + 0.46 * angle.sin())
            });
            let points: Vec<Pos2> = arc.map(|p| at(p.x, p.y)).collect();
            painter.add(PathShape::line(points, stroke));
            fill(&[(0.52, -0.08), (0.98, -0.02), (0.78, 0.42)]);
        }
        Icon::Branch => {
            line(&[(0.15, 1.0), (0.15, 0.0)]);
            line(&[(0.15, 0.75), (0.8, 0.45), (0.8, 0.0)]);
            for (x, y) in [(0.15, 1.0), (0.15, 0.0), (0.8, 0.0)] {
                painter.circle_filled(at(x, y), rect.width() * 0.13, color);
            }
        }
        Icon::Note => {
            line(&[(0.2, 1.05), (0.2, 0.0)]);
            fill(&[(0.2, 0.0), (1.0, 0.27), (0.2, 0.55)]);
        }
        Icon::Maximise => {
            line(&[(0.6, 0.0), (1.0, 0.0), (1.0, 0.4)]);
            line(&[(0.4, 1.0), (0.0, 1.0), (0.0, 0.6)]);
            line(&[(0.62, 0.38), (1.0, 0.0)]);
            line(&[(0.38, 0.62), (0.0, 1.0)]);
        }
        Icon::Restore => {
            line(&[(0.6, 0.0), (0.6, 0.4), (1.0, 0.4)]);
            line(&[(0.4, 1.0), (0.4, 0.6), (0.0, 0.6)]);
            line(&[(0.6, 0.4), (1.0, 0.0)]);
            line(&[(0.4, 0.6), (0.0, 1.0)]);
        }
        Icon::More => {
            for y in [0.1, 0.5, 0.9] {
                painter.circle_filled(at(0.5, y), rect.width() * 0.12, color);
            }
        }
        Icon::Theme => {
            painter.circle_stroke(rect.center(), rect.width() * 0.5, stroke);
            let half: Vec<Pos2> = (0..=12)
                .map(|i| {
                    let angle = -std::f32::consts::FRAC_PI_2 + i as f32 / 12.0 * std::f32::consts::PI;
                    rect.center() + Vec2::angled(angle) * rect.width() * 0.5
                })
                .collect();
            painter.add(Shape::convex_polygon(half, color, Stroke::NONE));
        }
        Icon::Presenter => {
            painter.rect_stroke(Rect::from_min_max(at(-0.1, 0.05), at(1.1, 0.7)), 1.0, stroke, StrokeKind::Inside);
            line(&[(0.5, 0.7), (0.5, 1.0)]);
            line(&[(0.2, 1.0), (0.8, 1.0)]);
        }
        Icon::Close => {
            line(&[(0.1, 0.1), (0.9, 0.9)]);
            line(&[(0.9, 0.1), (0.1, 0.9)]);
        }
        Icon::Follow => {
            line(&[(0.0, 0.5), (0.68, 0.5)]);
            line(&[(0.38, 0.2), (0.68, 0.5), (0.38, 0.8)]);
            line(&[(0.95, 0.0), (0.95, 1.0)]);
        }
        Icon::Knobs => {
            for (y, x) in [(0.12, 0.7), (0.5, 0.3), (0.88, 0.6)] {
                line(&[(0.0, y), (1.0, y)]);
                painter.circle_filled(at(x, y), rect.width() * 0.15, color);
            }
        }
        Icon::Lesson => {
            line(&[(0.5, 0.2), (0.0, 0.05), (0.0, 0.85), (0.5, 1.0), (1.0, 0.85), (1.0, 0.05), (0.5, 0.2)]);
            line(&[(0.5, 0.2), (0.5, 1.0)]);
        }
        Icon::Help => {
            let font = egui::FontId::proportional(rect.height() * 1.45);
            painter.text(rect.center(), egui::Align2::CENTER_CENTER, "?", font, color);
        }
    }
}
