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
    if !works("Xvfb") || !works("xdotool") || !works("python3") {
        let message = "SKIP: Xvfb, xdotool or python3 is missing (Debian: apt-get install xvfb xdotool python3)";
        assert!(std::env::var_os("LANDSCOPE_REQUIRE_ADAPTER").is_none(), "{message}");
        eprintln!("{message}");
        return None;
    }
    let number = 100 + std::process::id() % 400;
    let name = format!(":{number}");
    let server = Command::new("Xvfb")
        .args([&name, "-screen", "0", "1280x800x24", "-nolisten", "tcp", "-noreset"])
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

/// Presses a key until it works: a window that has just opened may not have the focus yet.
#[track_caller]
fn press_until(display: &Display, key: &str, worked: impl Fn() -> bool) {
    for _ in 0..5 {
        xdotool(display, &["key", key]);
        let started = Instant::now();
        while started.elapsed() < Duration::from_secs(20) {
            if worked() {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    panic!("{key} does nothing");
}

/// Asks the window to close as a window manager does for its close button: with the message WM_DELETE_WINDOW. (xdotool's
/// `windowclose` destroys it instead.)
fn close(display: &Display, id: &str) {
    let script = "import ctypes, sys
x = ctypes.CDLL('libX11.so.6')
class Message(ctypes.Structure):
    _fields_ = [('type', ctypes.c_int), ('serial', ctypes.c_ulong), ('send', ctypes.c_int), ('display', ctypes.c_void_p),
                ('window', ctypes.c_ulong), ('message', ctypes.c_ulong), ('format', ctypes.c_int), ('data', ctypes.c_long * 5),
                ('pad', ctypes.c_long * 24)]
x.XOpenDisplay.restype = ctypes.c_void_p
x.XInternAtom.restype = ctypes.c_ulong
x.XInternAtom.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int]
x.XSendEvent.argtypes = [ctypes.c_void_p, ctypes.c_ulong, ctypes.c_int, ctypes.c_long, ctypes.c_void_p]
x.XSync.argtypes = [ctypes.c_void_p, ctypes.c_int]
d = x.XOpenDisplay(None)
m = Message(type=33, window=int(sys.argv[1]), message=x.XInternAtom(d, b'WM_PROTOCOLS', 0), format=32)
m.data[0] = x.XInternAtom(d, b'WM_DELETE_WINDOW', 0)
x.XSendEvent(d, int(sys.argv[1]), 0, 0, ctypes.byref(m))
x.XSync(d, 0)";
    let python = Command::new("python3").env("DISPLAY", &display.name).args(["-c", script, id]).status();
    assert!(python.is_ok_and(|status| status.success()), "python3 sends the message");
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
    // At rest the worker leaves a fingerprint of the very last step, which is no multiple of a hundred (but for luck).
    let rests = || {
        let recording = autosaved(home.path());
        recording.is_some_and(|r| {
            r.fingerprints.last().is_some_and(|last| last.step == r.newest_step() && last.step % 100 != 0)
        })
    };
    press_until(&display, "space", rests);
    let paused = steps(home.path());
    std::thread::sleep(Duration::from_millis(1_500));
    assert_eq!(steps(home.path()), paused, "paused means that no step is taken");
    press_until(&display, "space", || steps(home.path()) > paused + 10);
    close(&display, &id);
    let started = Instant::now();
    while window.try_wait().unwrap().is_none() && started.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(50));
    }
    let status = window.try_wait().unwrap().expect("the program ends with its window");
    assert!(status.success(), "{status}");
    assert!(autosaved(home.path()).is_some_and(|recording| recording.newest_step() > paused));
}
