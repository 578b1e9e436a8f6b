//! Films as GIF: one palette for all frames, and of each frame only what has changed.

use std::borrow::Cow;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use gif::{DisposalMethod, Encoder, Frame, Repeat};

use super::palette::Palette;
use super::target::{settle, unfinished, unwritable};
use super::{FilmError, Work};

/// Frames that the palette is made of.
const SAMPLES: usize = 5;

pub(super) fn write(work: &Work<'_>, path: &Path, fps: f64) -> Result<(), FilmError> {
    let begun = unfinished(path);
    let result = write_to(work, &begun, fps);
    settle(&begun, path, result)
}

fn write_to(work: &Work<'_>, path: &Path, fps: f64) -> Result<(), FilmError> {
    let file = BufWriter::new(File::create(path).map_err(unwritable(path))?);
    let samples = work.samples(SAMPLES)?;
    let palette = Palette::of(&samples);
    let Some((width, height)) = samples.first().map(|first| (first.width, first.height)) else { return Ok(()) };
    drop(samples);
    let broken = |error: gif::EncodingError| FilmError::Unwritable { path: path.into(), message: error.to_string() };
    let mut encoder = Encoder::new(file, width as u16, height as u16, &palette.bytes()).map_err(broken)?;
    encoder.set_repeat(Repeat::Infinite).map_err(broken)?;
    let mut shown: Vec<u8> = Vec::new();
    work.each(
        |pixels| Ok(palette.indices(&pixels)),
        |index, indices| {
            let mut frame = changed(&shown, &indices, [width as usize, height as usize]);
            frame.delay = delay(index, fps);
            shown = indices;
            encoder.write_frame(&frame).map_err(broken)
        },
    )
}

/// Hundredths of a second that frame `index` stays: rounded so that the film as a whole keeps its speed.
fn delay(index: usize, fps: f64) -> u16 {
    let at = |index: usize| (100.0 * index as f64 / fps).round() as u64;
    (at(index + 1) - at(index)).max(2) as u16
}

/// What differs from the frame before: a rectangle, in which what stays as it was is see-through.
fn changed(before: &[u8], now: &[u8], [width, height]: [usize; 2]) -> Frame<'static> {
    if before.len() != now.len() {
        return Frame {
            width: width as u16,
            height: height as u16,
            buffer: Cow::Owned(now.to_vec()),
            ..Frame::default()
        };
    }
    let (mut left, mut right, mut top, mut bottom) = (width, 0, height, 0);
    for (y, (old, new)) in before.chunks_exact(width).zip(now.chunks_exact(width)).enumerate() {
        let Some(first) = old.iter().zip(new).position(|(a, b)| a != b) else { continue };
        let last = old.iter().zip(new).rposition(|(a, b)| a != b).unwrap_or(first);
        (left, right) = (left.min(first), right.max(last + 1));
        (top, bottom) = (top.min(y), y + 1);
    }
    if left >= right {
        // Nothing: a frame still has to have a pixel.
        (left, right, top, bottom) = (0, 1, 0, 1);
    }
    let mut buffer = Vec::with_capacity((right - left) * (bottom - top));
    for y in top..bottom {
        let row = y * width..(y + 1) * width;
        let (old, new) = (&before[row.clone()][left..right], &now[row][left..right]);
        buffer.extend(old.iter().zip(new).map(|(a, b)| if a == b { Palette::SAME } else { *b }));
    }
    Frame {
        left: left as u16,
        top: top as u16,
        width: (right - left) as u16,
        height: (bottom - top) as u16,
        transparent: Some(Palette::SAME),
        dispose: DisposalMethod::Keep,
        buffer: Cow::Owned(buffer),
        ..Frame::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounded_delays_keep_the_speed_of_the_film() {
        for fps in [1.0, 7.0, 24.0, 30.0, 50.0] {
            let total: u64 = (0..300).map(|index| u64::from(delay(index, fps))).sum();
            assert!((total as f64 - 30_000.0 / fps).abs() <= 1.0, "{fps}: {total}");
        }
    }

    #[test]
    fn only_what_changed_is_written() {
        let before = vec![1; 20];
        let mut now = before.clone();
        (now[7], now[13]) = (2, 3);
        let frame = changed(&before, &now, [5, 4]);
        assert_eq!((frame.left, frame.top, frame.width, frame.height), (2, 1, 2, 2));
        assert_eq!(&*frame.buffer, [2, Palette::SAME, Palette::SAME, 3]);
        let same = changed(&before, &before, [5, 4]);
        assert_eq!(&*same.buffer, [Palette::SAME]);
        assert_eq!(changed(&[], &now, [5, 4]).buffer.len(), 20);
    }
}
