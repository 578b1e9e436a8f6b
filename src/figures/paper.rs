//! What figures are drawn on: sizes in print and on slides, grounds, and where surfaces are seen from.

use super::ink::Ground;
use super::{FigureError, SIZES};

/// CSS pixels, the unit of figures: 96 an inch.
const PX_PER_MM: f64 = 96.0 / 25.4;
const PX_PER_PT: f64 = 96.0 / 72.0;
/// Dots an inch of a journal's PNG.
const PRINT_DPI: f64 = 600.0;

/// How large a figure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FigureSize {
    /// One column of a journal.
    Journal,
    /// Both columns.
    JournalWide,
    /// A slide of 16 to 9.
    Slide,
    /// So many pixels.
    Pixels { width: u32, height: u32 },
}

impl FigureSize {
    /// The sizes that have names, each with what it is.
    pub const NAMED: [(&'static str, Self, &'static str); 3] = [
        ("journal", Self::Journal, "one column, 89 mm wide, text of 8 pt"),
        ("journal-wide", Self::JournalWide, "both columns, 183 mm wide, text of 8 pt"),
        ("slide", Self::Slide, "1920 x 1080 pixels, text for the last row"),
    ];

    /// Reads `journal` or `1400x700`.
    ///
    /// # Errors
    /// One sentence that names the text and what is allowed.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some((_, size, _)) = Self::NAMED.iter().find(|(name, ..)| *name == text) {
            return Ok(*size);
        }
        let sides = text.split_once('x').and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)));
        match sides {
            Some((width, height)) if SIZES.contains(&width) && SIZES.contains(&height) => {
                Ok(Self::Pixels { width, height })
            }
            _ => {
                let names = Self::NAMED.map(|(name, ..)| name).join(", ");
                let (least, most) = (SIZES.start(), SIZES.end());
                Err(format!(
                    "size can't be {text:?}; give one of {names}, or WIDTHxHEIGHT in pixels with sides from {least} to {most}, such as 1400x700"
                ))
            }
        }
    }

    /// As [`Self::parse`] reads it.
    pub fn text(self) -> String {
        match self {
            Self::Pixels { width, height } => format!("{width}x{height}"),
            named => Self::NAMED.iter().find(|(_, size, _)| *size == named).map_or("", |(name, ..)| name).to_owned(),
        }
    }

    /// The sheet for so many plots.
    ///
    /// # Errors
    /// [`FigureError::Size`] for sides that can't be drawn.
    fn sheet(self, plots: usize) -> Result<Sheet, FigureError> {
        let count = plots.max(1);
        let print = |width_mm: f64, columns: usize, row_mm: f64| Sheet {
            width: width_mm * PX_PER_MM,
            height: row_mm * PX_PER_MM * count.div_ceil(columns) as f64,
            font: 8.0 * PX_PER_PT,
            columns,
            density: PRINT_DPI / 96.0,
            grows: true,
            millimetres: true,
        };
        let screen = |width: f64, height: f64, font: f64| Sheet {
            width,
            height,
            font,
            columns: columns(count, width / height),
            density: 1.0,
            grows: false,
            millimetres: false,
        };
        Ok(match self {
            Self::Journal => print(89.0, 1, 66.0),
            Self::JournalWide => {
                let columns = if count == 4 { 2 } else { count.min(3) };
                print(183.0, columns, [84.0, 72.0, 60.0][columns - 1])
            }
            Self::Slide => screen(1_920.0, 1_080.0, 34.0),
            Self::Pixels { width, height } => {
                if !SIZES.contains(&width) || !SIZES.contains(&height) {
                    return Err(FigureError::Size { width, height });
                }
                // 11 pt at 1400 x 700; small figures keep text that can be read.
                let font = (15.0 * (f64::from(height) / 700.0).min(f64::from(width) / 1400.0)).max(11.0);
                screen(f64::from(width), f64::from(height), font)
            }
        })
    }
}

/// The number of columns in which so many plots come nearest to a good shape on a sheet of this aspect; empty places count
/// against it.
fn columns(count: usize, aspect: f64) -> usize {
    let badness = |columns: usize| {
        let rows = count.div_ceil(columns);
        let cell = aspect * rows as f64 / columns as f64;
        (cell / 1.4).ln().abs() + 0.3 * (rows * columns - count) as f64 / count as f64
    };
    (1..=count).min_by(|a, b| badness(*a).total_cmp(&badness(*b))).unwrap_or(1)
}

/// A size with its measures, in CSS pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sheet {
    pub width: f64,
    /// Of the pictures; a caption comes on top where the sheet grows.
    pub height: f64,
    /// Pixels an em.
    pub font: f64,
    /// Plots side by side.
    pub columns: usize,
    /// Dots of a PNG for each pixel.
    pub density: f64,
    /// Whether a caption makes it higher: a column has a width, a slide both.
    pub grows: bool,
    /// Whether its size is said in millimetres.
    pub millimetres: bool,
}

/// Where surfaces are seen from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Camera {
    /// Radians about the vertical axis.
    pub yaw: f64,
    /// Radians above the floor.
    pub pitch: f64,
    /// One size for all yaws, so that a film that turns doesn't pump; otherwise as large as fits.
    pub steady: bool,
}

impl Default for Camera {
    /// The window's first look.
    fn default() -> Self {
        Self { yaw: -1.02, pitch: 0.52, steady: false }
    }
}

impl Camera {
    /// Radians of [`Self::pitch`]: never level with the floor, never straight above, where "up" is lost.
    pub const PITCH: [f64; 2] = [0.08, 1.48];
}

/// Room that a film keeps free in every frame for what changes its length, so that the picture stands still.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Room {
    /// Lines of notes.
    pub note_lines: usize,
    /// Width of a value in the legend, in em.
    pub value: f64,
    /// Width of the words beside a ridge, in em.
    pub summary: f64,
}

/// What a figure is drawn on.
#[derive(Clone, Debug, PartialEq)]
pub struct Paper {
    pub size: FigureSize,
    pub ground: Ground,
    pub camera: Camera,
    /// Text is larger than the size has it by this: a film is looked at from farther than a page.
    pub emphasis: f64,
    /// Text below the pictures.
    pub caption: Option<String>,
    /// Words in the upper right corner: the step of a film's frame.
    pub stamp: String,
    /// What is said of the figure in the file's own description, whether or not it is drawn.
    pub description: String,
    pub room: Room,
}

impl Paper {
    /// The sheet for so many plots.
    ///
    /// # Errors
    /// [`FigureError::Size`] for sides that can't be drawn.
    pub(super) fn sheet(&self, plots: usize) -> Result<Sheet, FigureError> {
        let sheet = self.size.sheet(plots)?;
        Ok(Sheet { font: self.emphasis * sheet.font, ..sheet })
    }

    pub fn of(size: FigureSize) -> Self {
        Self {
            size,
            ground: Ground::default(),
            camera: Camera::default(),
            emphasis: 1.0,
            caption: None,
            stamp: String::new(),
            description: String::new(),
            room: Room::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_they_are_written() {
        for (_, size, _) in FigureSize::NAMED {
            assert_eq!(FigureSize::parse(&size.text()), Ok(size));
        }
        let free = FigureSize::Pixels { width: 900, height: 640 };
        assert_eq!(FigureSize::parse(&free.text()), Ok(free));
        for wrong in ["", "a4", "10x10", "900x", "900x99999"] {
            let message = FigureSize::parse(wrong).unwrap_err();
            assert!(message.contains("journal-wide") && message.contains("8192"), "{message}");
        }
    }

    #[test]
    fn plots_stand_where_they_keep_a_good_shape() {
        assert_eq!(columns(1, 2.0), 1);
        assert_eq!(columns(2, 2.0), 2);
        assert_eq!(columns(2, 0.6), 1);
        assert_eq!(columns(3, 4.0), 3);
        assert_eq!(columns(4, 16.0 / 9.0), 2);
        for count in 1..12 {
            assert!((1..=count).contains(&columns(count, 1.5)));
        }
    }

    #[test]
    fn a_column_keeps_its_width_and_print_its_text() {
        for count in [1, 2, 5] {
            let sheet = FigureSize::Journal.sheet(count).unwrap();
            assert!((sheet.width / PX_PER_MM - 89.0).abs() < 1e-9);
            assert!((sheet.font / PX_PER_PT - 8.0).abs() < 1e-9);
            let wide = FigureSize::JournalWide.sheet(count).unwrap();
            assert!((wide.width / PX_PER_MM - 183.0).abs() < 1e-9);
        }
        // An 18 pt text of a slide 7.5 inches high is the least that guides for speakers allow.
        let slide = FigureSize::Slide.sheet(1).unwrap();
        assert!(slide.font / slide.height >= 16.9 / 540.0);
    }
}
