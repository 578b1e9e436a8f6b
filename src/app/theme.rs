//! Every colour and size of the window, by name; dark and light.

use crate::plots::{Colormap, LineColor};
use egui::{Color32, CornerRadius, FontFamily, FontId, Margin, Shadow, Stroke, TextStyle, Theme, Vec2, Visuals};

/// Zoom of presenter mode: readable from the last row.
pub const PRESENTER_ZOOM: f32 = 1.6;

/// Lengths in points.
pub mod size {
    /// Between tiles, and between a panel and the tiles.
    pub const GAP: f32 = 6.0;
    /// Inside a tile.
    pub const PAD: i8 = 8;
    pub const CORNER: u8 = 5;
    pub const TOP_BAR: f32 = 40.0;
    pub const TIME_LINE: f32 = 66.0;
    pub const PANE_HEADER: f32 = 26.0;
    /// Side of a square button with an icon.
    pub const ICON: f32 = 22.0;
    pub const KNOB_PANEL: f32 = 304.0;
    /// Width of a number beside its slider.
    pub const NUMBER: f32 = 70.0;
    /// Width of a list of choices.
    pub const CHOICE: f32 = 122.0;
    pub const RAIL: f32 = 4.0;
    pub const TEXT_SMALL: f32 = 11.0;
    pub const TEXT_BODY: f32 = 13.0;
    pub const TEXT_TITLE: f32 = 14.5;
    pub const TEXT_HEADING: f32 = 17.0;
    pub const TEXT_MONO: f32 = 12.0;
}

/// The colours of one theme.
#[derive(Clone, Debug, PartialEq)]
pub struct Tokens {
    /// Behind the tiles.
    pub background: Color32,
    /// Bars and the knob panel.
    pub panel: Color32,
    /// A tile's inside.
    pub pane: Color32,
    /// Behind a plot's data, number fields, rails.
    pub well: Color32,
    pub button: Color32,
    pub button_hover: Color32,
    pub button_active: Color32,
    pub border: Color32,
    pub text: Color32,
    pub text_weak: Color32,
    /// Axis numbers, notes in corners.
    pub text_faint: Color32,
    pub grid: Color32,
    /// What is on, focused or being turned; live knobs.
    pub accent: Color32,
    pub on_accent: Color32,
    /// Marks of interventions.
    pub mark: Color32,
    /// The time cursor.
    pub cursor: Color32,
    /// The two kinds of stripe on cells that were not measured.
    pub missing: [Color32; 2],
    /// A path over a colour map, and the rim that keeps it apart from any colour below.
    pub path: Color32,
    pub path_rim: Color32,
    /// Where a path ends: the current point.
    pub here: Color32,
    /// Iso-lines over a colour map.
    pub contour: Color32,
    pub good: Color32,
    pub warning: Color32,
    pub danger: Color32,
    pub danger_fill: Color32,
    /// Okabe-Ito, in the order that reads best on this background.
    pub series: [Color32; 7],
}

const fn rgb(hex: u32) -> Color32 {
    Color32::from_rgb((hex >> 16) as u8, (hex >> 8) as u8, hex as u8)
}

const SKY: Color32 = rgb(0x56B4E9);
const BLUE: Color32 = rgb(0x0072B2);
const ORANGE: Color32 = rgb(0xE69F00);
const GREEN: Color32 = rgb(0x009E73);
const VERMILION: Color32 = rgb(0xD55E00);
const PURPLE: Color32 = rgb(0xCC79A7);
const YELLOW: Color32 = rgb(0xF0E442);

pub const DARK: Tokens = Tokens {
    background: rgb(0x0B0E12),
    panel: rgb(0x12161C),
    pane: rgb(0x151A21),
    well: rgb(0x0D1116),
    button: rgb(0x222933),
    button_hover: rgb(0x2C3541),
    button_active: rgb(0x384352),
    border: rgb(0x2A323D),
    text: rgb(0xE3E8EF),
    text_weak: rgb(0xA3AEBC),
    text_faint: rgb(0x7C8897),
    grid: rgb(0x232B35),
    accent: SKY,
    on_accent: rgb(0x06131C),
    mark: ORANGE,
    cursor: rgb(0xF2F5F9),
    missing: [rgb(0x1C222A), rgb(0x2A323D)],
    path: rgb(0xFFFFFF),
    path_rim: rgb(0x10141A),
    here: VERMILION,
    contour: Color32::from_rgba_premultiplied(0, 0, 0, 0x70),
    good: rgb(0x2DBE91),
    warning: ORANGE,
    danger: rgb(0xFF7A59),
    danger_fill: rgb(0x3A1D17),
    series: [SKY, ORANGE, GREEN, PURPLE, VERMILION, YELLOW, rgb(0x3D96D0)],
};

pub const LIGHT: Tokens = Tokens {
    background: rgb(0xE9ECF0),
    panel: rgb(0xF6F7F9),
    pane: rgb(0xFFFFFF),
    well: rgb(0xF1F3F6),
    button: rgb(0xE4E8ED),
    button_hover: rgb(0xD8DEE5),
    button_active: rgb(0xC8D0DA),
    border: rgb(0xCDD4DC),
    text: rgb(0x1A2029),
    text_weak: rgb(0x4D5866),
    text_faint: rgb(0x6A7583),
    grid: rgb(0xE3E7EC),
    accent: BLUE,
    on_accent: rgb(0xFFFFFF),
    mark: rgb(0xB86E00),
    cursor: rgb(0x1A2029),
    missing: [rgb(0xF1F3F6), rgb(0xD6DCE3)],
    path: rgb(0xFFFFFF),
    path_rim: rgb(0x10141A),
    here: VERMILION,
    contour: Color32::from_rgba_premultiplied(0, 0, 0, 0x70),
    good: rgb(0x00805D),
    warning: rgb(0x9A6200),
    danger: rgb(0xB83A10),
    danger_fill: rgb(0xFBE5DD),
    series: [BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, rgb(0x4B4F57)],
};

impl Tokens {
    /// Colour of series `index`; the palette repeats.
    pub fn series(&self, index: usize) -> Color32 {
        self.series[index % self.series.len()]
    }

    /// Colour of a line: on a dark ground without the dark end of the scale, on a light one without the light end.
    pub fn line(&self, color: LineColor) -> Color32 {
        match color {
            LineColor::Palette(index) => self.series(index),
            LineColor::Scale(at) => {
                let dark = self.well.intensity() < 0.5;
                let at = if dark { 0.25 + 0.7 * at } else { 0.85 * at };
                let [r, g, b] = Colormap::Viridis.rgb8(at);
                Color32::from_rgb(r, g, b)
            }
        }
    }
}

/// The tokens of the theme that `visuals` belong to.
pub fn of(visuals: &Visuals) -> &'static Tokens {
    if visuals.dark_mode { &DARK } else { &LIGHT }
}

/// Small text: axis numbers, notes.
pub fn small() -> FontId {
    FontId::proportional(size::TEXT_SMALL)
}

pub fn body() -> FontId {
    FontId::proportional(size::TEXT_BODY)
}

/// Formulas and numbers that line up.
pub fn mono() -> FontId {
    FontId::monospace(size::TEXT_MONO)
}

/// Puts both themes into a context.
pub fn install(ctx: &egui::Context) {
    ctx.set_fonts(fonts());
    ctx.set_visuals_of(Theme::Dark, visuals(Visuals::dark(), &DARK));
    ctx.set_visuals_of(Theme::Light, visuals(Visuals::light(), &LIGHT));
    ctx.all_styles_mut(|style| {
        style.text_styles = [
            (TextStyle::Small, small()),
            (TextStyle::Body, body()),
            (TextStyle::Button, body()),
            (TextStyle::Heading, FontId::proportional(size::TEXT_HEADING)),
            (TextStyle::Monospace, mono()),
        ]
        .into();
        let spacing = &mut style.spacing;
        spacing.item_spacing = Vec2::new(6.0, 5.0);
        spacing.button_padding = Vec2::new(8.0, 3.0);
        spacing.interact_size = Vec2::new(28.0, 22.0);
        spacing.menu_margin = Margin::same(6);
        spacing.window_margin = Margin::same(12);
        spacing.tooltip_width = 360.0;
        style.interaction.selectable_labels = false;
        // A menu that slides is late; the eye is on the plots.
        style.animation_time = 0.06;
        style.url_in_tooltip = true;
    });
}

/// egui's own fonts, with the monospaced one behind the proportional: it has the mathematical signs.
fn fonts() -> egui::FontDefinitions {
    let mut fonts = egui::FontDefinitions::default();
    let mono = fonts.families.get(&FontFamily::Monospace).and_then(|names| names.first()).cloned();
    if let (Some(mono), Some(proportional)) = (mono, fonts.families.get_mut(&FontFamily::Proportional))
        && !proportional.contains(&mono)
    {
        proportional.insert(1.min(proportional.len()), mono);
    }
    fonts
}

fn visuals(mut visuals: Visuals, tokens: &Tokens) -> Visuals {
    visuals.panel_fill = tokens.panel;
    visuals.window_fill = tokens.panel;
    visuals.window_stroke = Stroke::new(1.0, tokens.border);
    visuals.extreme_bg_color = tokens.well;
    visuals.text_edit_bg_color = Some(tokens.well);
    visuals.faint_bg_color = tokens.well;
    visuals.code_bg_color = tokens.well;
    visuals.hyperlink_color = tokens.accent;
    visuals.warn_fg_color = tokens.warning;
    visuals.error_fg_color = tokens.danger;
    visuals.weak_text_color = Some(tokens.text_weak);
    visuals.selection.bg_fill = tokens.accent.gamma_multiply(0.45);
    visuals.selection.stroke = Stroke::new(1.0, tokens.text);
    visuals.window_corner_radius = CornerRadius::same(size::CORNER + 2);
    visuals.menu_corner_radius = CornerRadius::same(size::CORNER);
    let shadow = Shadow { offset: [0, 4], blur: 14, spread: 0, color: Color32::from_black_alpha(90) };
    visuals.window_shadow = shadow;
    visuals.popup_shadow = shadow;
    let widgets = &mut visuals.widgets;
    let states = [
        (&mut widgets.noninteractive, tokens.panel, tokens.text, tokens.border),
        (&mut widgets.inactive, tokens.button, tokens.text, tokens.button),
        (&mut widgets.hovered, tokens.button_hover, tokens.text, tokens.border),
        (&mut widgets.active, tokens.button_active, tokens.text, tokens.accent),
        (&mut widgets.open, tokens.button_hover, tokens.text, tokens.border),
    ];
    for (widget, fill, text, border) in states {
        widget.bg_fill = fill;
        widget.weak_bg_fill = fill;
        widget.fg_stroke = Stroke::new(1.0, text);
        widget.bg_stroke = Stroke::new(1.0, border);
        widget.corner_radius = CornerRadius::same(size::CORNER - 1);
        widget.expansion = 0.0;
    }
    visuals
}

#[cfg(test)]
mod tests {
    use super::*;

    /// WCAG 2.1 contrast ratio of two opaque colours.
    fn contrast(a: Color32, b: Color32) -> f64 {
        let luminance = |c: Color32| {
            let channel = |v: u8| {
                let v = f64::from(v) / 255.0;
                if v <= 0.040_45 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
            };
            0.2126 * channel(c.r()) + 0.7152 * channel(c.g()) + 0.0722 * channel(c.b())
        };
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn text_stands_out_from_everything_it_is_written_on() {
        for tokens in [&DARK, &LIGHT] {
            for ground in [tokens.panel, tokens.pane, tokens.well] {
                assert!(contrast(tokens.text, ground) >= 7.0, "text on {ground:?}");
                assert!(contrast(tokens.text_weak, ground) >= 4.5, "weak text on {ground:?}");
                assert!(contrast(tokens.text_faint, ground) >= 3.9, "faint text on {ground:?}");
                assert!(contrast(tokens.danger, ground) >= 4.5, "danger on {ground:?}");
            }
            assert!(contrast(tokens.on_accent, tokens.accent) >= 4.5);
            assert!(contrast(tokens.text, tokens.button) >= 7.0);
        }
    }

    #[test]
    fn the_first_five_series_are_visible_and_all_differ() {
        for tokens in [&DARK, &LIGHT] {
            for (i, color) in tokens.series.iter().enumerate() {
                assert!(i >= 5 || contrast(*color, tokens.pane) >= 2.2, "series {i}");
                assert!(!tokens.series[..i].contains(color), "series {i}");
            }
        }
    }
}
