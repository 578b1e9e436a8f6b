//! Runs cells until none is left.

use std::io::Read;

use super::{Cell, Ending, Folder, Subject, SweepError};

/// What a worker tells.
#[derive(Clone, Debug)]
pub enum Progress<'a> {
    Started(&'a Cell),
    Finished(&'a Cell, &'a Ending),
}

/// Runs every cell that has no result and that nobody else runs, the most expensive first; how many it ran. Several workers, in threads or processes, on one
/// machine or on a shared disk, share the cells by their locks.
///
/// # Errors
/// [`SweepError`] where the folder can't be read or written.
pub fn work(folder: &Folder, subject: &dyn Subject, tell: &mut dyn FnMut(Progress<'_>)) -> Result<usize, SweepError> {
    let mut count = 0;
    loop {
        let mut any = false;
        // Read again in each pass: a cell may have been planned, retried or let go by a worker that was killed.
        for cell in folder.cells()? {
            let Some(claimed) = folder.claim(&cell)? else { continue };
            tell(Progress::Started(&cell));
            let mut ending = subject.run(&cell.spec, &claimed.recording());
            ending.numbers.retain(|_, value| value.is_finite());
            claimed.finish(&ending)?;
            tell(Progress::Finished(&cell, &ending));
            count += 1;
            any = true;
        }
        if !any {
            return Ok(count);
        }
    }
}

/// As [`work`], in `threads` threads of this process; how many cells they ran together.
///
/// # Errors
/// As there, and [`SweepError::Bug`] if a thread panicked.
pub fn work_in_threads(
    folder: &Folder,
    subject: &dyn Subject,
    threads: usize,
    tell: &(dyn Fn(Progress<'_>) + Sync),
) -> Result<usize, SweepError> {
    std::thread::scope(|scope| {
        let one = || work(folder, subject, &mut |progress| tell(progress));
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(one)).collect();
        workers.into_iter().map(|worker| worker.join().map_err(|_| SweepError::Bug)?).sum()
    })
}

/// Ends this process when its input closes: when the process that started it and held the other end is gone.
///
/// # Errors
/// If the system refuses a thread.
pub fn end_with_the_input() -> std::io::Result<()> {
    let watch = || {
        let mut ignored = [0; 64];
        while std::io::stdin().read(&mut ignored).is_ok_and(|read| read > 0) {}
        std::process::exit(1);
    };
    std::thread::Builder::new().name("input".into()).spawn(watch).map(drop)
}
