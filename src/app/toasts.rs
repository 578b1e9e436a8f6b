//! Messages that come and go: what was done, what went wrong.

/// Seconds a message stays.
const STAYS_SECS: f64 = 7.0;
const PROBLEM_STAYS_SECS: f64 = 20.0;
/// More would cover the panes.
const AT_MOST: usize = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeKind {
    Done,
    /// The program changed something on its own.
    Remark,
    Problem,
}

/// Something to tell the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    pub kind: NoticeKind,
    pub text: String,
}

impl Notice {
    pub fn done(text: impl Into<String>) -> Self {
        Self { kind: NoticeKind::Done, text: text.into() }
    }

    pub fn remark(text: impl Into<String>) -> Self {
        Self { kind: NoticeKind::Remark, text: text.into() }
    }

    pub fn problem(text: impl Into<String>) -> Self {
        Self { kind: NoticeKind::Problem, text: text.into() }
    }
}

/// The messages on screen, oldest first.
#[derive(Default)]
pub struct Toasts {
    shown: Vec<(Notice, Option<f64>)>,
}

impl Toasts {
    /// Adds a message; one that already stands is shown afresh instead of twice.
    pub fn push(&mut self, notice: Notice) {
        self.shown.retain(|(shown, _)| *shown != notice);
        self.shown.push((notice, None));
        let excess = self.shown.len().saturating_sub(AT_MOST);
        self.shown.drain(..excess);
    }

    /// Takes a message back that has become untrue, such as that something is under way.
    pub fn withdraw(&mut self, text: &str) {
        self.shown.retain(|(notice, _)| notice.text != text);
    }

    pub fn iter(&self) -> impl Iterator<Item = &Notice> {
        self.shown.iter().map(|(notice, _)| notice)
    }

    pub fn dismiss(&mut self, index: usize) {
        if index < self.shown.len() {
            self.shown.remove(index);
        }
    }

    /// Drops what has stood long enough at time `now` (seconds); the seconds until the next one goes.
    pub fn expire(&mut self, now: f64) -> Option<f64> {
        for (_, since) in &mut self.shown {
            since.get_or_insert(now);
        }
        let left = |(notice, since): &(Notice, Option<f64>)| {
            let stays = if notice.kind == NoticeKind::Problem { PROBLEM_STAYS_SECS } else { STAYS_SECS };
            since.unwrap_or(now) + stays - now
        };
        self.shown.retain(|entry| left(entry) > 0.0);
        self.shown.iter().map(left).min_by(f64::total_cmp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_go_after_their_time_and_problems_stay_longer() {
        let mut toasts = Toasts::default();
        toasts.push(Notice::done("a"));
        toasts.push(Notice::problem("b"));
        assert_eq!(toasts.expire(100.0), Some(STAYS_SECS));
        toasts.expire(100.0 + STAYS_SECS);
        assert_eq!(toasts.iter().map(|n| n.text.as_str()).collect::<Vec<_>>(), ["b"]);
        assert_eq!(toasts.expire(100.0 + PROBLEM_STAYS_SECS), None);
    }

    #[test]
    fn the_same_message_stands_once_and_old_ones_make_room() {
        let mut toasts = Toasts::default();
        for i in 0..20 {
            toasts.push(Notice::remark("same"));
            toasts.push(Notice::remark(format!("{}", i % 7)));
        }
        assert_eq!(toasts.iter().count(), AT_MOST);
        assert_eq!(toasts.iter().filter(|n| n.text == "same").count(), 1);
    }
}
