//! The real window under Xvfb, driven by real keys.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use landscope::record::{Recording, file};

use super::program::landscope;

/// An X server of our own; ends with the test.
struct Display {
    server: Child,
    name: String,
}

impl Drop for Display {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn works(program: &str) -> bool {
    let found = Command::new(program).arg("-help").stdout(Stdio::null()).stderr(Stdio::null()).status();
    found.is_ok()
}

/// None (with a message, or a failure where the environment demands it) if Xvfb or xdotool is missing.
fn display() -> Option<Display> {
    if !works("Xvfb") || !works("xdotool") {
        let message = "SKIP: Xvfb or xdotool is missing (Debian: apt-get install xvfb xdotool)";
        assert!(std::env::var_os("LANDSCOPE_REQUIRE_ADAPTER").is_none(), "{message}");
        eprintln!("{message}");
        return None;
    }
    let number = 100 + std::process::id() % 400;
    let name = format!(":{number}");
    let server = Command::new("Xvfb")
        .args([&name, "-screen", "0", "1280x800x24", "-nolisten", "tcp"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let socket = PathBuf::from(format!("/tmp/.X11-unix/X{number}"));
    let display = Display { server, name };
    wait_for("Xvfb", || socket.exists());
    Some(display)
}

#[track_caller]
fn wait_for(what: &str, ready: impl Fn() -> bool) {
    let started = Instant::now();
    while !ready() {
        assert!(started.elapsed() < Duration::from_secs(90), "waited too long for {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn xdotool(display: &Display, arguments: &[&str]) -> String {
    let output = Command::new("xdotool").env("DISPLAY", &display.name).args(arguments).output().unwrap();
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// The recording that the window keeps as it goes.
fn autosaved(home: &Path) -> Option<Recording> {
    let folder = home.join("landscope");
    let path = folder.read_dir().ok()?.find_map(|entry| {
        let path = entry.ok()?.path();
        path.extension().is_some_and(|e| e == "landscope").then_some(path)
    })?;
    file::read(&path).ok()
}

fn steps(home: &Path) -> u64 {
    autosaved(home).map_or(0, |recording| recording.newest_step())
}

#[test]
fn the_window_opens_trains_obeys_keys_and_closes() {
    let Some(display) = display() else { return };
    let home = tempfile::tempdir().unwrap();
    let mut command = landscope(home.path());
    command.env("DISPLAY", &display.name).env("XDG_RUNTIME_DIR", home.path());
    let mut window =
        command.args(["--width", "8", "--depth", "2", "--heads", "2", "--steps", "1000000"]).spawn().unwrap();
    wait_for("the first steps", || steps(home.path()) > 20);
    let id = xdotool(&display, &["search", "--sync", "--onlyvisible", "--name", "Landscope"]);
    let id = id.lines().next().expect("a window called Landscope").to_owned();
    xdotool(&display, &["windowfocus", &id]);
    std::thread::sleep(Duration::from_millis(800));
    xdotool(&display, &["key", "space"]);
    // Paused: the same step for a second.
    wait_for("the pause", || {
        let before = steps(home.path());
        std::thread::sleep(Duration::from_millis(1_500));
        before > 0 && steps(home.path()) == before
    });
    let paused = steps(home.path());
    xdotool(&display, &["key", "space"]);
    wait_for("going on", || steps(home.path()) > paused + 10);
    // Asks the window politely, as its close button does.
    let closed = Command::new("xdotool").env("DISPLAY", &display.name).args(["windowclose", &id]).status().unwrap();
    assert!(closed.success());
    let started = Instant::now();
    while window.try_wait().unwrap().is_none() && started.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(window.try_wait().unwrap().is_some(), "the program ends with its window");
    assert!(autosaved(home.path()).is_some_and(|recording| recording.newest_step() > paused));
}
