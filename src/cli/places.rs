//! Where the system wants programs to keep what they know.

use std::path::PathBuf;

use crate::app::Places;

use super::autosave;

/// Where windows keep what should outlast them; recordings hold at most `memory_budget` bytes in memory.
pub fn of_the_window(memory_budget: usize) -> Places {
    Places { memory_budget, settings: settings(), new_recording: Some(autosave::path) }
}

/// Recordings that are written as a run goes: `$XDG_STATE_HOME/landscope`, or where the platform keeps such things.
pub fn state() -> Option<PathBuf> {
    if cfg!(windows) {
        return set("LOCALAPPDATA").map(|path| path.join("landscope"));
    }
    if let Some(state) = set("XDG_STATE_HOME") {
        return Some(state.join("landscope"));
    }
    let home = set("HOME")?;
    Some(if cfg!(target_os = "macos") {
        home.join("Library/Application Support/landscope")
    } else {
        home.join(".local/state/landscope")
    })
}

/// The settings: `$XDG_CONFIG_HOME/landscope/settings.toml`, or where the platform keeps such things.
fn settings() -> Option<PathBuf> {
    let folder = if cfg!(windows) {
        set("APPDATA")?.join("landscope")
    } else if let Some(config) = set("XDG_CONFIG_HOME") {
        config.join("landscope")
    } else if cfg!(target_os = "macos") {
        set("HOME")?.join("Library/Application Support/landscope")
    } else {
        set("HOME")?.join(".config/landscope")
    };
    Some(folder.join("settings.toml"))
}

fn set(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}
