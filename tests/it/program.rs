//! Runs the built program as a user would.

use std::path::Path;
use std::process::{Command, Output};

/// The program without a display and with its state under `home`.
pub fn landscope(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_landscope"));
    command
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY")
        .env_remove("WAYLAND_SOCKET")
        .env("XDG_STATE_HOME", home)
        .env("XDG_CONFIG_HOME", home)
        .current_dir(home);
    command
}

/// Runs to the end.
pub fn output(home: &Path, arguments: &[&str]) -> Output {
    landscope(home).args(arguments).output().expect("the program starts")
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The lines of `--json`.
pub fn json_lines(output: &Output) -> Vec<serde_json::Value> {
    stdout(output).lines().map(|line| serde_json::from_str(line).expect("each line is one object")).collect()
}
