//! Films: a pane at many steps, on axes that stand still, as GIF, PNG files or MP4.

mod ffmpeg;
mod gif;
mod palette;
mod target;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rayon::prelude::*;

use crate::plots::{Plot, ticks};

use super::paper::{FigureSize, Paper, Room};
use super::raster::Pixels;
use super::{FigureError, frame, text};

pub use target::Target;

/// Frames that a film may have.
pub const FRAMES: std::ops::RangeInclusive<usize> = 2..=10_000;
/// Frames a second. Viewers slow down a GIF that is faster.
pub const FPS: std::ops::RangeInclusive<f64> = 1.0..=50.0;

/// How much larger text is than in a figure of as many pixels.
const EMPHASIS: f64 = 1.3;

/// A film that can't be made.
#[derive(Debug, thiserror::Error)]
pub enum FilmError {
    #[error(transparent)]
    Figure(#[from] FigureError),
    #[error("can't write {path:?}: {message}; choose a folder that exists and that may be written to")]
    Unwritable { path: PathBuf, message: String },
    #[error("{path:?} holds frames of another film; give a new folder, or empty this one")]
    Occupied { path: PathBuf },
    #[error(
        "can't write an MP4: the program ffmpeg isn't on the PATH; install it, or ask for a .gif or for a folder of PNG files"
    )]
    NoFfmpeg,
    #[error("ffmpeg couldn't write the film: {message}")]
    Ffmpeg { message: String },
    #[error("can't start threads to draw on: {message}; close programs and try again")]
    Threads { message: String },
    #[error("the film was cancelled")]
    Cancelled,
}

/// What is drawn in each frame, and on what.
pub struct Film {
    frames: Vec<Vec<Plot>>,
    steps: Vec<u64>,
    paper: Paper,
    /// Radians that the camera turns from the first frame to the last.
    turn: f64,
}

impl Film {
    /// A film of plots on steady axes (see `plots::steady`) with the step of each frame; the camera turns by `turn` radians.
    pub fn new(frames: Vec<Vec<Plot>>, steps: Vec<u64>, mut paper: Paper, turn: f64) -> Result<Self, FigureError> {
        if matches!(paper.size, FigureSize::Pixels { .. }) {
            paper.emphasis = EMPHASIS;
        }
        paper.room = room(&frames, &paper)?;
        paper.camera.steady |= turn != 0.0;
        Ok(Self { frames, steps, paper, turn })
    }

    pub fn len(&self) -> usize {
        self.frames.len()
    }

    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// What frame `index` shows.
    pub fn plots(&self, index: usize) -> &[Plot] {
        &self.frames[index]
    }

    /// What frame `index` is drawn on.
    pub fn paper(&self, index: usize) -> Paper {
        let mut paper = self.paper.clone();
        let turns = self.turn / std::f64::consts::TAU;
        // A film that turns all around goes on where it began: its last frame is one before the first.
        let whole = turns != 0.0 && (turns - turns.round()).abs() < 1e-9;
        let last = if whole { self.len() } else { self.len().saturating_sub(1) };
        paper.camera.yaw += self.turn * index as f64 / last.max(1) as f64;
        paper.stamp = self.steps.get(index).map_or_else(String::new, |step| format!("step {step}"));
        paper
    }

    /// # Errors
    /// As [`super::pixels_on`].
    pub fn frame(&self, index: usize) -> Result<Pixels, FigureError> {
        super::pixels_on(self.plots(index), &self.paper(index))
    }

    /// Draws all frames on `threads` threads and writes them, `fps` frames a second. `told` hears how many frames are drawn, from any
    /// thread, and says whether to go on. The file is in its place only when it is whole.
    ///
    /// # Errors
    /// [`FilmError`], [`FilmError::Cancelled`] if `told` said so.
    pub fn write(
        &self,
        target: &Target,
        fps: f64,
        threads: usize,
        told: &(dyn Fn(usize) -> bool + Sync),
    ) -> Result<(), FilmError> {
        let threads = threads.max(1);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).thread_name(|i| format!("film {i}")).build();
        let pool = pool.map_err(|error| FilmError::Threads { message: error.to_string() })?;
        let work = Work { film: self, pool, batch: 2 * threads, told };
        match target {
            Target::Gif(path) => gif::write(&work, path, fps),
            Target::Frames(folder) => target::write_frames(&work, folder),
            Target::Mp4(path) => ffmpeg::write(&work, path, fps),
        }
    }
}

/// A film being written.
struct Work<'a> {
    film: &'a Film,
    pool: rayon::ThreadPool,
    /// Frames that wait in memory at most.
    batch: usize,
    told: &'a (dyn Fn(usize) -> bool + Sync),
}

impl Work<'_> {
    /// Draws every frame, hands it to `make` on whatever thread drew it, and what that makes to `take`, in order.
    fn each<T: Send>(
        &self,
        make: impl Fn(Pixels) -> Result<T, FilmError> + Sync,
        mut take: impl FnMut(usize, T) -> Result<(), FilmError>,
    ) -> Result<(), FilmError> {
        let (drawn, stopped) = (AtomicUsize::new(0), AtomicBool::new(false));
        let indices: Vec<_> = (0..self.film.len()).collect();
        for batch in indices.chunks(self.batch) {
            let made: Vec<_> = self.pool.install(|| {
                let one = |index: &usize| {
                    if stopped.load(Ordering::Relaxed) {
                        return Err(FilmError::Cancelled);
                    }
                    let made = make(self.film.frame(*index)?)?;
                    if !(self.told)(drawn.fetch_add(1, Ordering::Relaxed) + 1) {
                        stopped.store(true, Ordering::Relaxed);
                    }
                    Ok(made)
                };
                batch.par_iter().map(one).collect()
            });
            for (index, made) in batch.iter().zip(made) {
                take(*index, made?)?;
            }
            if stopped.load(Ordering::Relaxed) {
                return Err(FilmError::Cancelled);
            }
        }
        Ok(())
    }

    /// A few frames from all over the film.
    fn samples(&self, count: usize) -> Result<Vec<Pixels>, FilmError> {
        let mut indices = crate::plots::steady::steps(0, self.film.len().saturating_sub(1) as u64, count);
        indices.dedup();
        let drawn: Result<Vec<_>, _> =
            self.pool.install(|| indices.par_iter().map(|index| self.film.frame(*index as usize)).collect());
        Ok(drawn?)
    }
}

/// What the frames need at most for what changes its length.
fn room(frames: &[Vec<Plot>], paper: &Paper) -> Result<Room, FigureError> {
    let mut room = Room::default();
    for plots in frames {
        let sheet = paper.sheet(plots.len())?;
        let width = sheet.width / sheet.columns as f64 - 2.4 * sheet.font;
        for plot in plots {
            let notes: &[String] = match plot {
                Plot::Lines(plot) => &plot.notes,
                Plot::Field(plot) => &plot.notes,
                Plot::Surface(plot) => &plot.notes,
                Plot::Ridges(plot) => &plot.notes,
                Plot::Empty { .. } => &[],
            };
            room.note_lines = room.note_lines.max(frame::note_lines(notes, sheet.font, width).len());
            if let Plot::Lines(plot) = plot {
                let widest = |values: &[(String, f64)], around: &str| {
                    let words = values.iter().map(|(_, value)| format!("{}{around}", ticks::number(*value)));
                    words.map(|words| text::width(&words, 1.0)).fold(0.0, f64::max)
                };
                let raw = if plot.raw_at_cursor.is_empty() { 0.0 } else { widest(&plot.raw_at_cursor, " ()") };
                room.value = room.value.max(widest(&plot.at_cursor, "") + raw);
            }
            if let Plot::Ridges(plot) = plot {
                let words = plot.ridges.iter().map(|ridge| text::width(&ridge.summary, 1.0));
                room.summary = words.fold(room.summary, f64::max);
            }
        }
    }
    Ok(room)
}

#[cfg(test)]
mod tests;
