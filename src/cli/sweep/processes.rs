//! A sweep in several processes.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, bail};

/// Runs `count` workers, each a process of its own, until there is nothing left to do. They end with this process, however it ends.
///
/// # Errors
/// If a process can't be started or failed.
pub fn run(path: &Path, count: usize) -> anyhow::Result<()> {
    let program = std::env::current_exe().context("can't find this program to start it again")?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let share = (cores / count).max(1).to_string();
    let start = || -> anyhow::Result<Child> {
        Command::new(&program)
            .args(["sweep", "run"])
            .arg(path)
            .arg("--worker")
            // Workers that all used every core would stand in each other's way.
            .env("RAYON_NUM_THREADS", &share)
            .stdin(Stdio::piped())
            .spawn()
            .context("can't start a worker")
    };
    let mut workers = (0..count).map(|_| start()).collect::<anyhow::Result<Vec<_>>>()?;
    // The other ends of the workers' inputs stay open as long as this process lives.
    let inputs: Vec<_> = workers.iter_mut().map(|worker| worker.stdin.take()).collect();
    let mut failed = 0;
    for worker in &mut workers {
        let status = worker.wait().context("can't wait for a worker")?;
        failed += usize::from(!status.success());
    }
    drop(inputs);
    if failed > 0 {
        bail!("{failed} of {count} workers stopped early; start the sweep again, finished cells are kept");
    }
    Ok(())
}
