//! What leaves the program: figures, numbers, films, and the commands that make them again.

use std::path::{Path, PathBuf};

use egui::Role;
use egui_kittest::kittest::Queryable as _;

use landscope::app::Window;
use landscope::app::export::Clip;
use landscope::app::state::Dialog;
use landscope::figures::{self, Camera, FigureSize, Ground, Paper};
use landscope::labs::caption::caption;
use landscope::labs::reproduce::{self, Origin};
use landscope::plots::{LandscapeView, PaneId, PaneOptions, pane};
use landscope::record::{LabHeader, Recording, TimeCursor, example, file, names};
use landscope::run::bench::{Preset, Values};

use super::program::{landscope, output, stderr, stdout};
use super::window::harness;
use super::window_files::wait_for;

const STEPS: u64 = 120;

/// A recording in a file of a folder of its own.
fn home() -> (tempfile::TempDir, Recording) {
    let home = tempfile::tempdir().unwrap();
    let recording = example::recording(STEPS);
    file::save(&home.path().join("run.landscope"), &recording).unwrap();
    (home, recording)
}

#[track_caller]
fn done(home: &Path, arguments: &[&str]) -> String {
    let result = output(home, arguments);
    assert!(result.status.success(), "{arguments:?}: {}", stderr(&result));
    stdout(&result)
}

#[track_caller]
fn refused(home: &Path, arguments: &[&str]) -> String {
    let result = output(home, arguments);
    let message = stderr(&result);
    assert!(!result.status.success() && message.trim().lines().count() == 1, "{arguments:?}: {message}");
    message
}

fn paper(size: FigureSize, recording: &Recording, what: &str) -> Paper {
    let words = caption(recording, what);
    Paper { caption: Some(words.clone()), description: words, ..Paper::of(size) }
}

#[test]
fn every_pane_is_drawn_headless_as_the_window_draws_it() {
    let (home, recording) = home();
    for id in pane::of(&recording) {
        let slug = pane::slug(&recording, id);
        done(home.path(), &["figure", "run.landscope", "--pane", slug, "--step", "90", "--size", "500x400"]);
        let written = std::fs::read_to_string(home.path().join(format!("landscope-{slug}-step90.svg"))).unwrap();
        // What the window shows of the file at that step.
        let mut window = Window::viewing(Path::new("run.landscope"), recording.clone());
        window.cursor = TimeCursor::At(90);
        let plots = window.plots(id);
        let what = pane::told(&recording, id, &plots, TimeCursor::At(90));
        let size = FigureSize::Pixels { width: 500, height: 400 };
        let drawn = figures::svg_on(&plots, &paper(size, &recording, &what)).unwrap();
        assert!(written == drawn, "{slug}");
        assert!(!written.contains("<text"), "{slug} asks for a font");
    }
}

#[test]
fn switches_sizes_and_grounds_are_flags() {
    let (home, recording) = home();
    let arguments = ["figure", "run.landscope", "--pane", "landscape", "--view", "map", "--log", "yes", "--dark"];
    done(home.path(), &[&arguments[..], &["--size", "journal", "--out", "a.svg", "--caption", "file"]].concat());
    let options = PaneOptions { landscape_view: LandscapeView::HeatMap, landscape_log: true, ..PaneOptions::default() };
    let plots = pane::plots(&recording, PaneId::Landscape, TimeCursor::Following, &options);
    let paper = paper(FigureSize::Journal, &recording, "Loss landscape at step 120");
    let paper = Paper { ground: Ground::Dark, caption: None, ..paper };
    let written = std::fs::read_to_string(home.path().join("a.svg")).unwrap();
    assert!(written == figures::svg_on(&plots, &paper).unwrap());
    assert!(written.starts_with("<svg width=\"89.00mm\""), "{}", &written[..80]);
    let beside = std::fs::read_to_string(home.path().join("a.svg.txt")).unwrap();
    assert_eq!(beside.trim(), paper.description);

    done(home.path(), &["figure", "run.landscope", "--pane", "loss", "--size", "slide", "--out", "b.png"]);
    let slide = image::open(home.path().join("b.png")).unwrap();
    assert_eq!((slide.width(), slide.height()), (1_920, 1_080));
    let turned = ["figure", "run.landscope", "--pane", "landscape", "--azimuth", "30", "--elevation", "60"];
    done(home.path(), &[&turned[..], &["--out", "c.svg", "--caption", "none"]].concat());
    let camera = Camera { yaw: 30.0_f64.to_radians(), pitch: 60.0_f64.to_radians(), steady: false };
    let plots = pane::plots(&recording, PaneId::Landscape, TimeCursor::Following, &PaneOptions::default());
    let description = caption(&recording, "Loss landscape at step 120");
    let size = FigureSize::Pixels { width: 1_400, height: 900 };
    let expected = figures::svg_on(&plots, &Paper { camera, description, ..Paper::of(size) }).unwrap();
    assert!(std::fs::read_to_string(home.path().join("c.svg")).unwrap() == expected);
}

#[test]
fn what_cannot_be_is_named_with_what_can() {
    let (home, recording) = home();
    let home = home.path();
    let figure = |more: &[&str]| refused(home, &[&["figure", "run.landscope"][..], more].concat());
    let message = figure(&["--pane", "los"]);
    for id in pane::of(&recording) {
        assert!(message.contains(pane::slug(&recording, id)), "{message}");
    }
    let message = figure(&["--pane", "loss", "--metric", "accuracy"]);
    assert!(message.contains("--metric") && message.contains("--log"), "{message}");
    let message = figure(&["--pane", "landscape", "--metric", "beauty"]);
    assert!(message.contains("beauty") && message.contains("sharpness"), "{message}");
    let message = figure(&["--pane", "activations", "--layer", "block 99"]);
    assert!(message.contains("block 99") && message.contains("embedding"), "{message}");
    assert!(figure(&["--pane", "loss", "--step", "121"]).contains("120"));
    assert!(figure(&["--pane", "loss", "--size", "a4"]).contains("journal-wide"));
    assert!(figure(&["--pane", "loss", "--out", "a.jpg"]).contains(".svg"));
    assert!(figure(&["--pane", "loss", "--elevation", "95"]).contains("84"));
    assert!(figure(&["--pane", "loss", "--out", "no/where.svg"]).contains("no/where.svg"));
    let film = |more: &[&str]| refused(home, &[&["film", "run.landscope", "--pane", "loss"][..], more].concat());
    assert!(film(&["--out", "a.avi"]).contains(".gif"));
    assert!(film(&["--out", "a.gif", "--fps", "500"]).contains("50"));
    assert!(film(&["--out", "a.gif", "--frames", "1"]).contains("10000"));
    assert!(film(&["--out", "a.gif", "--from", "50", "--to", "20"]).contains("forwards"));
    assert!(refused(home, &["export", "run.landscope"]).contains("--csv"));
    assert!(refused(home, &["figure", "gone.landscope", "--pane", "loss"]).contains("gone.landscope"));
}

#[test]
fn the_charts_of_a_lab_are_panes_of_their_own_names() {
    let home = tempfile::tempdir().unwrap();
    let lab = landscope::labs::find("rank-collapse").unwrap();
    let values = Values::preset(lab.knobs(), Preset::Instant);
    let mut recording = Recording::default();
    recording.header.charts = lab.charts(&values);
    let (id, title) = (lab.id().to_owned(), lab.title().to_owned());
    recording.header.lab = Some(LabHeader { id, title, seed: 0, knobs: values.texts() });
    file::save(&home.path().join("lab.landscope"), &recording).unwrap();
    let message = refused(home.path(), &["figure", "lab.landscope", "--pane", "loss"]);
    for chart in &recording.header.charts {
        assert!(message.contains(&chart.id), "{message}");
    }
    let chart = recording.header.charts[0].id.as_str();
    done(home.path(), &["figure", "lab.landscope", "--pane", chart, "--out", "chart.svg"]);
    let svg = std::fs::read_to_string(home.path().join("chart.svg")).unwrap();
    assert!(svg.contains(lab.paper().arxiv) && svg.contains("Preset instant"), "no caption");
    let message = refused(home.path(), &["figure", "lab.landscope", "--pane", chart, "--log", "yes"]);
    assert!(message.contains("no switches"), "{message}");
}

#[test]
fn the_numbers_behind_a_pane_are_those_recorded() {
    let (home, recording) = home();
    let figure = ["figure", "run.landscope", "--pane", "loss", "--out"];
    done(home.path(), &[&figure[..], &["loss.csv"]].concat());
    done(home.path(), &[&figure[..], &["loss.json"]].concat());
    let series = recording.scalar(&names::TEST_LOSS).unwrap();
    let recorded: Vec<_> = series.steps().iter().zip(series.values()).map(|(s, v)| (*s, v.to_bits())).collect();

    let text = std::fs::read_to_string(home.path().join("loss.csv")).unwrap();
    let table = text.split("\n\n").next().unwrap();
    let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).from_reader(table.as_bytes());
    let rows: Vec<csv::StringRecord> = reader.records().map_while(Result::ok).collect();
    let of_csv: Vec<_> = rows
        .iter()
        .filter(|row| &row[0] == "test")
        .map(|row| (row[1].parse::<u64>().unwrap(), row[2].parse::<f64>().unwrap().to_bits()))
        .collect();
    assert_eq!(of_csv, recorded);

    let text = std::fs::read_to_string(home.path().join("loss.json")).unwrap();
    let plots: serde_json::Value = serde_json::from_str(&text).unwrap();
    let lines = plots[0]["lines"].as_array().unwrap();
    let line = lines.iter().find(|line| line["label"] == "test").unwrap();
    let numbers = |axis: &str| line[axis].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect::<Vec<_>>();
    let of_json: Vec<_> = numbers("x").into_iter().zip(numbers("y")).map(|(x, y)| (x as u64, y.to_bits())).collect();
    assert_eq!(of_json, recorded);
}

#[test]
fn export_writes_every_number_of_every_track() {
    let (home, recording) = home();
    let said = done(home.path(), &["export", "run.landscope", "--csv", "tables", "--json", "lines"]);
    assert!(said.contains("scalars.csv: "), "{said}");
    let mut reader = csv::Reader::from_path(home.path().join("tables/scalars.csv")).unwrap();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let mut count = 0;
    for (id, track) in recording.tracks() {
        for (name, _) in track.series() {
            let Some(series) = track.scalar(name.as_str()) else { continue };
            count += series.len();
            let of = rows.iter().filter(|row| row[0] == id.0.to_string() && &row[1] == name.as_str());
            let read: Vec<_> =
                of.map(|row| (row[2].parse().unwrap(), row[3].parse::<f64>().unwrap().to_bits())).collect();
            let kept: Vec<(u64, u64)> =
                series.steps().iter().zip(series.values()).map(|(s, v)| (*s, v.to_bits())).collect();
            assert_eq!(read, kept, "{name}");
        }
    }
    assert_eq!(rows.len(), count);
    for folder in ["tables", "lines"] {
        let header: serde_json::Value =
            serde_json::from_slice(&std::fs::read(home.path().join(folder).join("header.json")).unwrap()).unwrap();
        assert_eq!(header, serde_json::to_value(&recording.header).unwrap());
    }
    let lines = std::fs::read_to_string(home.path().join("lines/scalars.jsonl")).unwrap();
    assert_eq!(lines.lines().count(), count);
}

#[test]
fn a_film_has_its_frames_and_says_where_it_is() {
    let (home, _) = home();
    let film = ["film", "run.landscope", "--pane", "landscape", "--frames", "5", "--size", "320x240", "--out"];
    let said = done(home.path(), &[&film[..], &["a.gif", "--orbit", "90"]].concat());
    assert!(said.contains("a.gif: 5 frames"), "{said}");
    let bytes = std::fs::read(home.path().join("a.gif")).unwrap();
    assert!(bytes.starts_with(b"GIF89a") && bytes[6..10] == [64, 1, 240, 0]);
    done(home.path(), &[&film[..], &["frames/"]].concat());
    assert_eq!(std::fs::read_dir(home.path().join("frames")).unwrap().count(), 5);
    assert!(refused(home.path(), &[&film[..], &["frames/"]].concat()).contains("another film"));
}

/// Raw pixels reach ffmpeg in order; without it, one line says what to do.
#[cfg(unix)]
#[test]
fn an_mp4_goes_through_ffmpeg_or_says_that_it_is_missing() {
    use std::os::unix::fs::PermissionsExt as _;
    let (home, _) = home();
    let film = ["film", "run.landscope", "--pane", "loss", "--frames", "4", "--size", "320x240", "--out", "a.mp4"];
    let with_path = |path: &Path| landscope(home.path()).args(film).env("PATH", path).output().unwrap();
    let empty = tempfile::tempdir().unwrap();
    let missing = with_path(empty.path());
    let message = stderr(&missing);
    assert!(!missing.status.success() && message.contains("ffmpeg isn't on the PATH"), "{message}");
    assert!(message.trim().lines().count() == 1 && !home.path().join("a.mp4").exists());

    // A stand-in that keeps what it is given: its last argument is the file.
    let stand_in = |text: &str| {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("ffmpeg");
        std::fs::write(&program, text).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        folder
    };
    let keeps = stand_in("#!/bin/sh\nfor file; do :; done\nexec /bin/cat > \"$file\"\n");
    let kept = with_path(keeps.path());
    assert!(kept.status.success(), "{}", stderr(&kept));
    assert_eq!(std::fs::metadata(home.path().join("a.mp4")).unwrap().len(), 4 * 3 * 320 * 240);
    let fails = stand_in("#!/bin/sh\necho 'Unknown encoder' >&2\nexit 1\n");
    let failed = with_path(fails.path());
    assert!(!failed.status.success() && stderr(&failed).contains("Unknown encoder"), "{}", stderr(&failed));
    let left = std::fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(left.into_iter().all(|name| !name.contains("unfinished")));
}

/// Runs a line as it was copied, where the program is on the PATH.
#[cfg(unix)]
#[track_caller]
fn pasted(line: &str, home: &Path) {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_landscope"));
    let path = format!("{}:{}", program.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let mut shell = std::process::Command::new("sh");
    let result = shell.arg("-c").arg(line).current_dir(home).env("PATH", path).env_remove("DISPLAY").output().unwrap();
    assert!(result.status.success(), "{line}: {}", stderr(&result));
}

#[cfg(unix)]
#[test]
fn the_command_copied_from_a_pane_draws_that_pane() {
    let (home, recording) = home();
    let mut harness = harness(Window::viewing(&home.path().join("run.landscope"), recording));
    harness.run();
    let window = &mut harness.state_mut().window;
    window.cursor = TimeCursor::At(77);
    window.options.loss_log = true;
    harness.run();
    let click = |harness: &mut egui_kittest::Harness<'static, landscope::app::App>, label: &str| {
        harness.get_by_role_and_label(Role::Button, label).click();
        harness.step();
    };
    click(&mut harness, "Loss and accuracy menu");
    harness.run();
    click(&mut harness, "Copy the command");
    let copied = |harness: &egui_kittest::Harness<'static, landscope::app::App>| {
        harness.output().platform_output.commands.iter().find_map(|command| match command {
            egui::OutputCommand::CopyText(text) => Some(text.clone()),
            _ => None,
        })
    };
    let mut line = copied(&harness);
    for _ in 0..5 {
        if line.is_none() {
            harness.step();
            line = copied(&harness);
        }
    }
    let line = line.expect("a command on the clipboard");
    assert!(line.contains("--log yes") && line.contains("--step 77"), "{line}");
    pasted(&line, home.path());
    let written = std::fs::read_to_string(home.path().join("landscope-loss-step77.svg")).unwrap();
    let window = &harness.state().window;
    let plots = window.plots(PaneId::Loss);
    let size = line.split("--size ").nth(1).unwrap().split(' ').next().unwrap();
    let paper = paper(FigureSize::parse(size).unwrap(), window.recording(), "Loss and accuracy at step 77");
    assert!(written == figures::svg_on(&plots, &paper).unwrap(), "{line}");
}

#[test]
fn a_picture_on_the_clipboard_is_the_figure_without_caption() {
    let (_home, recording) = home();
    let mut harness = harness(Window::viewing(Path::new("run.landscope"), recording));
    harness.run();
    let window = &mut harness.state_mut().window;
    let export = window.export_of(PaneId::Loss, figures::file::FileFormat::Png, [500, 400], Camera::default());
    // Shaped as on screen, and so large that text doesn't crowd the curves.
    let size = FigureSize::Pixels { width: 887, height: 710 };
    assert_eq!(export.size(), size);
    let plots = window.plots(PaneId::Loss);
    let words = caption(window.recording(), "Loss and accuracy at step 120");
    window.apply(landscope::app::action::Action::Export(landscope::app::export::ExportAction::CopyPicture(export)));
    let paper = Paper { description: words, ..Paper::of(size) };
    let expected = figures::pixels_on(&plots, &paper).unwrap();
    let mut picture = None;
    for _ in 0..500 {
        let window = &mut harness.state_mut().window;
        window.receive();
        if let Some(Clip::Picture(pixels)) = window.clipboard.take() {
            picture = Some(pixels);
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert!(picture.expect("a picture") == expected);
}

/// The run of a window that has no file is run again by what is copied, to the same numbers.
#[cfg(unix)]
#[test]
fn a_run_without_a_file_is_run_again() {
    let home = tempfile::tempdir().unwrap();
    let tiny =
        ["--model", "mlp", "--width", "8", "--steps", "12", "--probe-budget", "0", "--seed", "3", "--lr", "0.02"];
    done(home.path(), &[&["run", "--out", "first"][..], &tiny].concat());
    let first = file::read(&home.path().join("first/recording.landscope")).unwrap();
    let words = ["--pane", "loss", "--out", "loss.svg"].map(str::to_owned);
    let line = reproduce::command("figure", &Origin::Run(&first), &words).unwrap();
    pasted(&line, home.path());
    let again = file::read(&home.path().join("landscope-again/recording.landscope")).unwrap();
    assert_eq!(again.fingerprints.last(), first.fingerprints.last());
    assert!(home.path().join("loss.svg").exists());
}

#[test]
fn a_film_is_made_in_the_window_while_it_stays_awake() {
    let (home, recording) = home();
    let mut harness = harness(Window::viewing(Path::new("run.landscope"), recording));
    harness.run();
    let click = |harness: &mut egui_kittest::Harness<'static, landscope::app::App>, label: &str| {
        harness.get_by_role_and_label(Role::Button, label).click();
        harness.run();
    };
    click(&mut harness, "Loss and accuracy menu");
    click(&mut harness, "Film …");
    assert_eq!(harness.state().window.dialog, Some(Dialog::Film));
    let path = home.path().join("film.gif");
    let window = &mut harness.state_mut().window;
    let draft = window.filming.draft.as_mut().unwrap();
    assert_eq!((draft.from, draft.to), (0, STEPS));
    draft.frames = 4;
    draft.size = FigureSize::Pixels { width: 320, height: 240 };
    draft.path = path.to_string_lossy().into_owned();
    harness.run();
    click(&mut harness, "Make the film");
    let place = path.to_string_lossy().into_owned();
    wait_for(&mut harness, "the film", |window| window.toasts.iter().any(|notice| notice.text.contains(&place)));
    assert!(path.metadata().unwrap().len() > 1_000);
    let window = &harness.state().window;
    assert!(window.filming.running.is_none() && window.dialog.is_none());
}
