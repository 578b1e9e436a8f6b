//! Opens the window on the desktop and closes it again.

use std::path::PathBuf;
use std::time::Duration;

use crossbeam::channel::{Receiver, Sender};
use egui::Ui;
use egui_wgpu::RenderState;

use crate::labs::Lab;
use crate::record::Recording;
use crate::run::bench::Values;
use crate::run::messages::{Command, Event};
use crate::run::spec::RunSpec;

use super::lab::LabInFront;
use super::link::Wake;
use super::share::SharedState;
use super::shell::Shell;
use super::state::Window;
use super::{gpu, theme};

/// From an event to the frame that shows it: thirty frames a second are smooth for curves that are rebuilt fifteen times
/// a second, and cost the run half of what sixty would. Input is drawn at once, whatever this says.
const WAKE: Duration = Duration::from_millis(33);
/// Where the processor draws, frames cost the run dearly.
const SLOW_WAKE: Duration = Duration::from_millis(400);

/// The window and how it is drawn.
pub struct App {
    pub window: Window,
    shell: Shell,
}

impl App {
    pub fn new(window: Window) -> Self {
        Self { window, shell: Shell::default() }
    }

    /// Readies a context and, where there is one, the graphics device.
    pub fn install(&mut self, ctx: &egui::Context, render: Option<&RenderState>) {
        theme::install(ctx);
        if let Some(render) = render {
            gpu::install(ctx, render);
        }
        let mut delay = WAKE;
        if render.is_some_and(|render| render.adapter.get_info().device_type == wgpu::DeviceType::Cpu) {
            self.shell.set_slow(true);
            delay = SLOW_WAKE;
        }
        self.window.wake().connect(ctx, delay);
    }

    /// How many times plots were built: what is out of sight must cost nothing.
    pub fn plot_builds(&self) -> u64 {
        self.shell.plot_builds()
    }

    /// Takes in what has arrived.
    pub fn receive(&mut self, ctx: &egui::Context) {
        if self.window.receive() {
            ctx.request_repaint_after(self.window.wake().delay().max(WAKE));
        }
    }

    /// Draws a frame.
    pub fn show(&mut self, ui: &mut Ui) {
        self.shell.show(&mut self.window, ui);
    }
}

impl eframe::App for App {
    fn logic(&mut self, ctx: &egui::Context, _frame: &mut eframe::Frame) {
        self.receive(ctx);
    }

    fn ui(&mut self, ui: &mut Ui, _frame: &mut eframe::Frame) {
        self.show(ui);
    }

    fn on_exit(&mut self) {
        self.window.quit();
    }
}

/// What surrounds the window: where it keeps what should outlast it, and how much memory recordings may hold.
#[derive(Clone, Debug)]
pub struct Places {
    /// Bytes.
    pub memory_budget: usize,
    /// The file of the settings.
    pub settings: Option<PathBuf>,
    /// Names a new file for a run of the Playground that the window begins, so that nothing is lost to a crash.
    pub new_recording: Option<fn() -> Option<PathBuf>>,
}

/// What the window shows.
#[expect(clippy::large_enum_variant, reason = "there is one in a program, and it is moved once")]
pub enum Source {
    /// A run: the other ends of its channels. Whoever sends events rings `wake`.
    Live { spec: RunSpec, commands: Sender<Command>, events: Receiver<Event>, wake: Wake, file: Option<PathBuf> },
    /// An experiment that the window begins: a lab with its knobs.
    Lab { lab: &'static dyn Lab, values: Values, wake: Wake },
    /// A recording that another program writes.
    Followed(PathBuf),
    /// A sweep's folder.
    Sweep(PathBuf),
    /// What a link, a saved state or a specification holds, with remarks for the user: it begins, or is asked about.
    Shared { state: Box<SharedState>, remarks: Vec<String> },
    /// A recording, or the tracks of several: `others` is their number after the first.
    File { path: PathBuf, recording: Box<Recording>, others: usize },
}

/// Why there is no window.
#[derive(Debug, thiserror::Error)]
pub enum WindowError {
    #[error(
        "there is no display: neither DISPLAY nor WAYLAND_DISPLAY is set; start this on a desktop, or use `landscope run`"
    )]
    NoDisplay,
    #[error(
        "the library {library} is missing, and the window can't read keys without it; install it (on Debian: apt-get install {package})"
    )]
    LibraryMissing { library: &'static str, package: &'static str },
    #[error(
        "can't open a window: {message}; check DISPLAY or WAYLAND_DISPLAY, and the libraries of X11 (on Debian: apt-get install libxkbcommon-x11-0 libxcursor1 libxi6 libx11-xcb1)"
    )]
    NoWindow { message: String },
    #[error(
        "can't start the graphics device: {message}; install a driver (on Debian, for drawing by the processor: apt-get install mesa-vulkan-drivers libvulkan1), or choose another backend with WGPU_BACKEND=vulkan or gl"
    )]
    NoGraphics { message: String },
    #[error("the window could not be set up: {message}")]
    SetUp { message: String },
}

/// Opens the window and returns when it is closed. The worker is then told to quit; whoever started it joins it. What the user
/// sets and runs is kept at `places`.
///
/// # Errors
/// [`WindowError::NoDisplay`] where there is no desktop; the others say what to install.
pub fn run(source: Source, places: Places) -> Result<(), WindowError> {
    display()?;
    let options = eframe::NativeOptions {
        viewport: egui::ViewportBuilder::default()
            .with_title("Landscope")
            .with_app_id("landscope")
            .with_inner_size([1600.0, 1000.0])
            .with_min_inner_size([800.0, 520.0])
            .with_drag_and_drop(true)
            .with_icon(super::emblem::icon()),
        renderer: eframe::Renderer::Wgpu,
        // Nothing here fades over large areas, and every pixel would pay for it where the processor draws.
        dithering: false,
        ..eframe::NativeOptions::default()
    };
    eframe::run_native(
        "landscope",
        options,
        Box::new(move |creation| {
            let mut shared = None;
            let mut window = match source {
                Source::Live { spec, commands, events, wake, file } => {
                    let mut window = Window::following(spec, commands, events, wake);
                    window.recorded_in(file.as_deref());
                    window
                }
                Source::Lab { lab, values, wake } => {
                    let mut window = Window::idle(wake);
                    window.new_recording = places.new_recording;
                    window.begin(Some(LabInFront { lab, draft: values }));
                    window
                }
                Source::Shared { state, remarks } => {
                    shared = Some((state, remarks));
                    Window::idle(Wake::default())
                }
                Source::Followed(path) => {
                    let mut window = Window::idle(Wake::default());
                    window.follow_file(&path);
                    window
                }
                Source::Sweep(path) => {
                    let mut window = Window::idle(Wake::default());
                    window.watch_sweep(&path);
                    window
                }
                Source::File { path, recording, others } => Window::comparing_files(&path, *recording, others),
            };
            window.set_memory_budget(places.memory_budget);
            window.new_recording = places.new_recording;
            if let Some(path) = places.settings {
                window.keep_settings_in(path);
            }
            // What a link says of the view counts more than the settings.
            if let Some((state, remarks)) = shared {
                window.arrive(*state, remarks);
            }
            let mut app = App::new(window);
            app.install(&creation.egui_ctx, creation.wgpu_render_state.as_ref());
            Ok(Box::new(app))
        }),
    )
    .map_err(explain)
}

fn explain(error: eframe::Error) -> WindowError {
    let message = error.to_string();
    match error {
        eframe::Error::WinitEventLoop(_) | eframe::Error::Winit(_) => WindowError::NoWindow { message },
        eframe::Error::Wgpu(_) => WindowError::NoGraphics { message },
        _ => WindowError::SetUp { message },
    }
}

/// Whether a window can be opened here, as far as it can be told beforehand: on Linux whether there is a display at
/// all, and the one library whose absence would be a panic.
///
/// # Errors
/// [`WindowError::NoDisplay`], [`WindowError::LibraryMissing`]
#[cfg(all(unix, not(target_os = "macos")))]
pub fn display() -> Result<(), WindowError> {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    if is_set("WAYLAND_DISPLAY") || is_set("WAYLAND_SOCKET") {
        return Ok(());
    }
    if !is_set("DISPLAY") {
        return Err(WindowError::NoDisplay);
    }
    if !has_library(c"libxkbcommon-x11.so.0") && !has_library(c"libxkbcommon-x11.so") {
        return Err(WindowError::LibraryMissing { library: "libxkbcommon-x11.so.0", package: "libxkbcommon-x11-0" });
    }
    Ok(())
}

#[cfg(all(unix, not(target_os = "macos")))]
fn has_library(name: &std::ffi::CStr) -> bool {
    // SAFETY: `name` ends in a zero byte; the handle is closed again, and only if it was opened.
    unsafe {
        let handle = libc::dlopen(name.as_ptr(), libc::RTLD_LAZY);
        if handle.is_null() {
            return false;
        }
        libc::dlclose(handle);
    }
    true
}

#[cfg(not(all(unix, not(target_os = "macos"))))]
/// Whether a window can be opened here: never known beforehand on this system.
///
/// # Errors
/// None.
pub fn display() -> Result<(), WindowError> {
    Ok(())
}
