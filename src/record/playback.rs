//! The cursor moving by itself.

use super::cursor::TimeCursor;

/// Speeds on offer, in steps a second.
pub const SPEEDS: [f64; 7] = [1.0, 5.0, 20.0, 100.0, 500.0, 2_000.0, 10_000.0];

/// A cursor that is played.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Playback {
    /// Steps a second.
    pub speed: f64,
    /// Of a step that isn't whole yet.
    rest: f64,
}

impl Playback {
    pub fn at(speed: f64) -> Self {
        Self { speed, rest: 0.0 }
    }

    /// The cursor after so many seconds; none at the end, where the newest step is followed again.
    pub fn advance(&mut self, cursor: TimeCursor, secs: f64, newest: u64) -> Option<TimeCursor> {
        // A window that slept doesn't jump.
        let moved = self.speed * secs.clamp(0.0, 0.25) + self.rest;
        self.rest = moved.fract();
        let step = cursor.step(newest).saturating_add(moved as u64);
        (step < newest).then_some(TimeCursor::At(step))
    }

    /// Where playing begins: at the cursor, or from the start if that is at the end.
    pub fn start(cursor: TimeCursor, newest: u64) -> TimeCursor {
        let step = cursor.step(newest);
        TimeCursor::At(if step < newest { step } else { 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_keeps_its_speed_at_any_frame_rate_and_ends_at_the_newest_step() {
        for frames in [7, 60, 144] {
            let mut playback = Playback::at(20.0);
            let mut cursor = Playback::start(TimeCursor::Following, 100);
            assert_eq!(cursor, TimeCursor::At(0));
            for _ in 0..3 * frames {
                cursor = playback.advance(cursor, 1.0 / f64::from(frames), 100).unwrap();
            }
            assert!((59..=60).contains(&cursor.step(100)), "{frames}: {cursor:?}");
        }
        let mut fast = Playback::at(10_000.0);
        assert_eq!(fast.advance(TimeCursor::At(50), 0.1, 100), None);
        assert_eq!(fast.advance(TimeCursor::At(50), 60.0, 10_000).unwrap(), TimeCursor::At(2_550));
        assert_eq!(Playback::start(TimeCursor::At(7), 100), TimeCursor::At(7));
    }
}
