//! How the destination stands: whether it is in trouble, has had enough for now, or refuses the credentials.

use std::borrow::Cow;

use super::{Alarm, Conductor};
use crate::delivery::Id;
use crate::instant::Timestamp;
use crate::router::pace::breaker::Turn;
use crate::router::pace::{Ended, Hold};

impl Conductor {
    /// Says once that a destination is in trouble, and once that it is not any more.
    pub(super) fn tell_of_trouble(&mut self, trouble: Option<Cow<'static, str>>, delivered: bool) {
        let name = &self.name;
        match trouble {
            Some(code) if !self.in_trouble => {
                self.in_trouble = true;
                tracing::warn!(destination.name = %name, %code, "The destination is in trouble; deliveries wait and are attempted again");
            }
            None if delivered && self.in_trouble => {
                self.in_trouble = false;
                tracing::info!(destination.name = %name, "The destination takes deliveries again");
            }
            _ => {}
        }
    }

    pub(super) fn quiet(&mut self, until: Timestamp, now: Timestamp) {
        if matches!(self.pace.hold(now), Hold::Free | Hold::Full | Hold::Paced(_)) {
            tracing::debug!(destination.name = %self.name, %until, "The destination asks for quiet");
        }
        self.pace.throttle(until, now);
    }

    /// Counts an attempt that ended, and says once that the breaker opened, and once that it closed.
    pub(super) fn end_attempt(&mut self, id: Id, ended: Ended, now: Timestamp) {
        let name = &self.name;
        match self.pace.end(id, &ended, now) {
            Some(Turn::Opened) => tracing::warn!(
                destination.name = %name,
                "The destination fails whatever it is sent; nothing is sent but one delivery now and then, until it takes one"
            ),
            Some(Turn::Closed) => {
                tracing::info!(destination.name = %name, "The destination answers again; deliveries go on");
            }
            None => {}
        }
    }

    pub(super) fn unauthorized(&mut self, now: Timestamp) {
        if self.pace.is_unauthorized() {
            return;
        }
        self.pace.refuse(now);
        self.probe_later(now);
        tracing::error!(
            destination.name = %self.name,
            "The destination refuses the credentials; nothing is lost, deliveries wait until they work"
        );
    }

    pub(super) fn resume(&mut self) {
        self.pace.authorize();
        self.alarms.drop_probes();
        tracing::info!(destination.name = %self.name, "The credentials work again");
    }

    pub(super) fn probe(&mut self, now: Timestamp) {
        match self.pace.hold(now) {
            Hold::Off | Hold::Paused => self.probe_later(now),
            _ => self.is_probe_due = true,
        }
    }

    /// A person says that credentials that were refused may work again.
    pub(in crate::router) fn look_again(&mut self, now: Timestamp) {
        if self.pace.is_unauthorized() {
            self.probe(now);
        }
    }

    /// The credentials are looked at once more, an interval after the last look.
    pub(super) fn probe_later(&mut self, now: Timestamp) {
        self.alarms.drop_probes();
        self.alarms.set(now + self.probe_interval, Alarm::Probe(self.generation));
    }
}
