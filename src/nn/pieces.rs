//! Long computations in short pieces, on all cores, until somebody wants the machine back.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use candle_core::Result;

/// When to pause between two pieces.
#[derive(Clone, Copy)]
pub struct Until<'a> {
    pub deadline: Instant,
    /// Asked by the calling thread between its own pieces.
    pub stop: &'a dyn Fn() -> bool,
}

impl Until<'_> {
    fn is_now(&self) -> bool {
        Instant::now() >= self.deadline || (self.stop)()
    }
}

/// Does the pieces `from..end` in their order until it is time to pause, and answers those done: always the next
/// ones, and at least one. Resume with `from` moved on by the number of answers.
///
/// The calling thread takes part, and so do `threads - 1` of the current rayon pool. Nobody waits for anybody before
/// the end: each takes the next piece as soon as its last is done. `desk` makes what a thread keeps from piece to
/// piece, such as buffers.
///
/// # Errors
/// The first error of `work` in the order of the pieces.
pub fn in_pieces<D, T: Send>(
    from: usize,
    end: usize,
    threads: usize,
    until: Until,
    desk: impl Fn() -> D + Sync,
    work: impl Fn(&mut D, usize) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let next = AtomicUsize::new(from);
    let halt = AtomicBool::new(false);
    let done = Mutex::new(Vec::new());
    let take_part = |pause: &dyn Fn() -> bool| {
        let mut mine = Vec::new();
        let mut desk = desk();
        loop {
            let piece = next.fetch_add(1, Ordering::Relaxed);
            if piece >= end {
                break;
            }
            let answer = work(&mut desk, piece);
            let failed = answer.is_err();
            mine.push((piece, answer));
            if failed || pause() {
                halt.store(true, Ordering::Relaxed);
            }
            if halt.load(Ordering::Relaxed) {
                break;
            }
        }
        done.lock().unwrap_or_else(PoisonError::into_inner).append(&mut mine);
    };
    let deadline = until.deadline;
    rayon::in_place_scope(|scope| {
        for _ in 1..threads.min(end.saturating_sub(from)) {
            scope.spawn(|_| {
                if !halt.load(Ordering::Relaxed) {
                    take_part(&|| Instant::now() >= deadline);
                }
            });
        }
        take_part(&|| until.is_now());
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_unstable_by_key(|&(piece, _)| piece);
    done.into_iter().map(|(_, answer)| answer).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn far() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    #[test]
    fn pieces_come_once_and_in_order_however_often_it_pauses() {
        for threads in [1, 2, 4] {
            let mut found = Vec::new();
            while found.len() < 50 {
                let until = Until { deadline: far(), stop: &|| true };
                let answers = in_pieces(found.len(), 50, threads, until, || (), |(), piece| Ok(piece * 10)).unwrap();
                assert!(!answers.is_empty());
                found.extend(answers);
            }
            assert_eq!(found, (0..50).map(|i| i * 10).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_deadline_in_the_past_allows_one_piece_a_thread() {
        let until = Until { deadline: Instant::now(), stop: &|| false };
        assert_eq!(in_pieces(3, 50, 1, until, || (), |(), piece| Ok(piece)).unwrap(), [3]);
    }

    #[test]
    fn the_first_error_is_the_answer() {
        let until = Until { deadline: far(), stop: &|| false };
        let failed = in_pieces(
            0,
            50,
            2,
            until,
            || (),
            |(), piece| {
                if piece >= 5 { candle_core::bail!("piece {piece}") } else { Ok(piece) }
            },
        );
        assert!(failed.unwrap_err().to_string().starts_with("piece 5"));
    }
}
