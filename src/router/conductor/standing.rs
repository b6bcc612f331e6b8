//! How the destination stands: whether it is in trouble, has had enough for now, or refuses the credentials.

use std::borrow::Cow;

use super::{Alarm, Conductor, Done};
use crate::instant::Timestamp;
use crate::router::pace::Hold;

impl Conductor {
    /// Says once that a destination is in trouble, and once that it is not any more.
    pub(super) fn tell_of_trouble(&mut self, trouble: Option<Cow<'static, str>>, delivered: bool) {
        let name = &self.connection.name;
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

    pub(super) fn quiet(&mut self, until: Timestamp) {
        let now = self.now();
        if matches!(self.pace.hold(now), Hold::Free | Hold::Full) {
            tracing::debug!(destination.name = %self.connection.name, %until, "The destination's allowance is used up");
        }
        self.pace.throttle(until, now);
        self.wait_out_quiet();
    }

    pub(super) fn wait_out_quiet(&mut self) {
        let now = self.now();
        if let Hold::Throttled(until) = self.pace.hold(now) {
            self.set_alarm(until, Alarm::Quiet);
        }
    }

    pub(super) fn unauthorized(&mut self) {
        if self.pace.is_unauthorized() {
            return;
        }
        self.pace.refuse();
        self.set_alarm(self.now() + self.probe_interval, Alarm::Probe(self.generation));
        tracing::error!(
            destination.name = %self.connection.name,
            "The destination refuses the credentials; nothing is lost, deliveries wait until they work"
        );
    }

    pub(super) fn resume(&mut self) {
        self.pace.authorize();
        self.wait_out_quiet();
        tracing::info!(destination.name = %self.connection.name, "The credentials work again");
    }

    pub(super) fn probe(&mut self) {
        if self.pace.hold(self.now()) == Hold::Off {
            self.set_alarm(self.now() + self.probe_interval, Alarm::Probe(self.generation));
            return;
        }
        let (connection, generation) = (self.connection.clone(), self.generation);
        self.running.spawn(async move {
            let works = connection.destination.probe().await.is_ok();
            (generation, Done::Probe { works })
        });
    }
}
