//! When a connection stood still: nothing was sent, so the time counts for no delivery's age.

use std::sync::Arc;
use std::time::Duration;

use crate::instant::Timestamp;

/// Spans of time in which a connection was off, refused, throttled or broken, or in which there was no process. Clones are
/// cheap and stay as they were.
#[derive(Debug, Clone)]
pub(super) struct Standstills {
    /// Apart from each other, in order.
    past: Arc<Vec<(Timestamp, Timestamp)>>,
    /// It stands still since then.
    since: Option<Timestamp>,
}

/// How many spans are remembered. Beyond, the oldest two become one, in favour of what waits.
const SPANS_MAX: usize = 256;
/// Shorter ones are not worth remembering.
const SPAN_MIN: Duration = Duration::from_secs(1);

impl Standstills {
    /// There was no process before `start`.
    pub(super) fn before(start: Timestamp) -> Standstills {
        Standstills { past: Arc::new(vec![(Timestamp::MIN, start)]), since: None }
    }

    /// Takes note of whether it stands still.
    pub(super) fn note(&mut self, stands: bool, now: Timestamp) {
        match (stands, self.since) {
            (true, None) => self.since = Some(now),
            (false, Some(since)) => {
                self.since = None;
                self.add(since, now);
            }
            _ => {}
        }
    }

    /// It stood still from one moment to another.
    pub(super) fn add(&mut self, from: Timestamp, to: Timestamp) {
        if self.since.is_some() || to < from + SPAN_MIN {
            return;
        }
        let past = Arc::make_mut(&mut self.past);
        past.push((from, to));
        if past.len() > SPANS_MAX {
            let (first, _) = past.remove(0);
            past[0].0 = first;
        }
    }

    /// The clock was set back.
    pub(super) fn set_back(&mut self, by: Duration) {
        let back = |at: &mut Timestamp| *at = at.checked_sub(by).unwrap_or(Timestamp::MIN);
        Arc::make_mut(&mut self.past).iter_mut().for_each(|(from, to)| {
            back(from);
            back(to);
        });
        self.since.iter_mut().for_each(back);
    }

    /// How much of the time between two moments it stood still.
    pub(super) fn during(&self, from: Timestamp, to: Timestamp) -> Duration {
        let last = self.since.map(|since| (since, Timestamp::MAX));
        let spans = last.iter().chain(self.past.iter().rev()).take_while(|(_, end)| *end > from);
        let within = spans.map(|(start, end)| to.min(*end).duration_since(from.max(*start)));
        within.filter_map(|span| Duration::try_from(span).ok()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_second(secs).unwrap()
    }

    #[track_caller]
    fn check(standstills: &Standstills, from: i64, to: i64, expected: u64) {
        assert_eq!(standstills.during(at(from), at(to)), Duration::from_secs(expected));
    }

    #[test]
    fn time_in_which_it_stood_still_is_told_apart() {
        let mut standstills = Standstills::before(at(100));
        standstills.note(true, at(200));
        check(&standstills, 0, 150, 100);
        check(&standstills, 120, 260, 60);
        standstills.note(true, at(250));
        standstills.note(false, at(300));
        standstills.add(at(400), at(500));
        check(&standstills, 150, 200, 0);
        check(&standstills, 210, 290, 80);
        check(&standstills, 0, 1000, 300);
        check(&standstills, 300, 250, 0);
        standstills.set_back(Duration::from_secs(50));
        check(&standstills, 140, 260, 100);
    }

    #[test]
    fn many_spans_take_no_more_room_and_never_count_too_much() {
        let mut standstills = Standstills::before(at(0));
        (0..1000).for_each(|n| standstills.add(at(10 * n), at(10 * n + 5)));
        assert_eq!(standstills.past.len(), SPANS_MAX);
        check(&standstills, 9_900, 10_000, 50);
        assert!(standstills.during(at(0), at(5_000)) >= Duration::from_secs(2_500));
    }
}
