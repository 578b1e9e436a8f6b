use std::path::Path;

use super::*;
use crate::figures::{FigureSize, Ground};
use crate::plots::{LandscapeView, PaneId, PaneOptions, steady};
use crate::record::example;

const SIZE: FigureSize = FigureSize::Pixels { width: 320, height: 240 };

fn film(pane: PaneId, view: LandscapeView, turn: f64) -> Film {
    let recording = example::recording(120);
    let options = PaneOptions { landscape_view: view, ..PaneOptions::default() };
    let steps = steady::steps(60, 120, 7);
    let mut paper = Paper::of(SIZE);
    paper.ground = Ground::Dark;
    Film::new(steady::frames(&recording, pane, &options, &steps, true), steps, paper, turn).unwrap()
}

fn write(film: &Film, path: &Path, threads: usize) {
    film.write(&Target::of(path).unwrap(), 10.0, threads, &|_| true).unwrap();
}

/// Every frame of a GIF as a viewer shows it.
fn decoded(path: &Path) -> Vec<Vec<u8>> {
    let mut options = ::gif::DecodeOptions::new();
    options.set_color_output(::gif::ColorOutput::RGBA);
    let mut decoder = options.read_info(std::fs::File::open(path).unwrap()).unwrap();
    let (width, height) = (usize::from(decoder.width()), usize::from(decoder.height()));
    let mut screen = vec![0; 3 * width * height];
    let mut frames = Vec::new();
    while let Some(frame) = decoder.read_next_frame().unwrap() {
        for (k, pixel) in frame.buffer.as_chunks::<4>().0.iter().enumerate() {
            let (x, y) = (k % usize::from(frame.width), k / usize::from(frame.width));
            let at = 3 * ((y + usize::from(frame.top)) * width + x + usize::from(frame.left));
            if pixel[3] > 0 {
                screen[at..at + 3].copy_from_slice(&pixel[..3]);
            }
        }
        frames.push(screen.clone());
    }
    frames
}

fn mean_error(a: &[u8], b: &[u8]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>() / a.len() as f64
}

#[test]
fn a_gif_has_every_frame_and_each_is_its_figure() {
    let folder = tempfile::tempdir().unwrap();
    for (pane, view) in [
        (PaneId::Landscape, LandscapeView::Surface),
        (PaneId::Landscape, LandscapeView::HeatMap),
        (PaneId::Loss, LandscapeView::Surface),
        (PaneId::Activations, LandscapeView::Surface),
    ] {
        let film = film(pane, view, 0.0);
        let path = folder.path().join("film.gif");
        write(&film, &path, 2);
        let frames = decoded(&path);
        assert_eq!(frames.len(), film.len());
        for (index, frame) in frames.iter().enumerate() {
            let figure = crate::figures::pixels_on(film.plots(index), &film.paper(index)).unwrap();
            assert_eq!((figure.width, figure.height), (320, 240));
            let error = mean_error(frame, &figure.rgb);
            assert!(error < 2.0, "{pane:?} {view:?}, frame {index}: {error}");
        }
        assert!(mean_error(&frames[0], &frames[6]) > 0.05, "{pane:?}: nothing moves");
    }
}

#[test]
fn a_folder_has_the_figures_themselves_and_no_second_film() {
    let folder = tempfile::tempdir().unwrap();
    let film = film(PaneId::Loss, LandscapeView::Surface, 0.0);
    let frames = folder.path().join("frames");
    write(&film, &frames, 1);
    for index in [0, film.len() - 1] {
        let bytes = std::fs::read(frames.join(format!("frame-{:04}.png", index + 1))).unwrap();
        let picture = image::load_from_memory(&bytes).unwrap().to_rgb8();
        assert_eq!(picture.into_raw(), film.frame(index).unwrap().rgb);
    }
    let again = film.write(&Target::Frames(frames.clone()), 10.0, 1, &|_| true);
    assert!(matches!(again, Err(FilmError::Occupied { .. })));
}

#[test]
fn any_number_of_threads_makes_the_same_file() {
    let folder = tempfile::tempdir().unwrap();
    let film = film(PaneId::Landscape, LandscapeView::Surface, 1.0);
    let files: Vec<_> = [1, 3]
        .map(|threads| {
            let path = folder.path().join(format!("{threads}.gif"));
            write(&film, &path, threads);
            std::fs::read(path).unwrap()
        })
        .into();
    assert!(files[0] == files[1]);
}

#[test]
fn a_camera_that_turns_moves_the_picture_and_a_full_turn_closes() {
    let turning = film(PaneId::Landscape, LandscapeView::Surface, std::f64::consts::TAU);
    let yaw = |index: usize| turning.paper(index).camera.yaw;
    let step = yaw(1) - yaw(0);
    assert!((yaw(6) + step - yaw(0) - std::f64::consts::TAU).abs() < 1e-9);
    assert!(turning.paper(0).camera.steady);
    let half = film(PaneId::Landscape, LandscapeView::Surface, 1.5);
    assert!((half.paper(6).camera.yaw - half.paper(0).camera.yaw - 1.5).abs() < 1e-9);
}

#[test]
fn a_cancelled_film_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let film = film(PaneId::Loss, LandscapeView::Surface, 0.0);
    let result = film.write(&Target::Gif(folder.path().join("film.gif")), 10.0, 1, &|drawn| drawn < 3);
    assert!(matches!(result, Err(FilmError::Cancelled)));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
