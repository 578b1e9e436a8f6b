//! Films as MP4: raw pixels into ffmpeg, the one thing that this program leaves to another.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::figures::ink::Ink;

use super::target::{settle, unfinished};
use super::{FilmError, Work};

pub(super) fn write(work: &Work<'_>, path: &Path, fps: f64) -> Result<(), FilmError> {
    let begun = unfinished(path);
    let result = write_to(work, &begun, fps);
    settle(&begun, path, result)
}

fn write_to(work: &Work<'_>, path: &Path, fps: f64) -> Result<(), FilmError> {
    let first = work.film.frame(0)?;
    let [r, g, b] = Ink::on(work.film.paper(0).ground).ground;
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-y", "-loglevel", "error", "-f", "rawvideo", "-pixel_format", "rgb24"]);
    ffmpeg.args(["-video_size", &format!("{}x{}", first.width, first.height)]);
    ffmpeg.args(["-framerate", &fps.to_string(), "-i", "-"]);
    // H.264 wants even sides.
    ffmpeg.args(["-vf", &format!("pad=ceil(iw/2)*2:ceil(ih/2)*2:color=0x{r:02x}{g:02x}{b:02x}")]);
    ffmpeg.args(["-c:v", "libx264", "-crf", "16", "-pix_fmt", "yuv420p", "-movflags", "+faststart"]).arg(path);
    let spawned = ffmpeg.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let mut child = spawned.map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => FilmError::NoFfmpeg,
        _ => FilmError::Ffmpeg { message: error.to_string() },
    })?;
    let drawn = feed(work, &mut child);
    if let Err(FilmError::Cancelled | FilmError::Figure(_)) = drawn {
        // It may be gone already.
        let _ = child.kill();
    }
    let mut words = String::new();
    if let Some(mut stderr) = child.stderr.take() {
        let _ = stderr.read_to_string(&mut words);
    }
    let status = child.wait().map_err(|error| FilmError::Ffmpeg { message: error.to_string() })?;
    match drawn {
        Err(error @ (FilmError::Cancelled | FilmError::Figure(_))) => Err(error),
        // What ffmpeg says is why it stopped reading.
        _ if !status.success() => {
            let last = words.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it ended without a word");
            Err(FilmError::Ffmpeg { message: last.trim().to_owned() })
        }
        other => other,
    }
}

fn feed(work: &Work<'_>, child: &mut Child) -> Result<(), FilmError> {
    // Dropped at the end: ffmpeg then knows that there is no more.
    let Some(mut pipe) = child.stdin.take() else { return Ok(()) };
    work.each(Ok, |_, pixels| {
        pipe.write_all(&pixels.rgb).map_err(|error| FilmError::Ffmpeg { message: error.to_string() })
    })
}
