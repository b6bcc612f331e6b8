//! One history: what happens when, drawn by a seed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use fastrand::Rng;
use jiff::SignedDuration;

use super::destination::{BAD, Destination, MAKES, NEEDS, PLAIN, SPOILT, WRITES};
use super::ledger::{Event, Ledger};
use super::oracle::{self, Told};
use crate::delivery::{Id, retry};
use crate::instant::Timestamp;
use crate::router::PaceSettings;
use crate::router::attempt::Attempted;
use crate::router::conductor::{Begin, Bounds, Conductor, Generation, Joining, Step};
use crate::router::load::Load;
use crate::router::passed::Past;
use crate::store::Owed;

mod attempts;
mod disturbance;

/// More than any history needs.
const HAPPENINGS_MAX: usize = 100_000;
/// A full check is made after so many happenings.
const CHECK_EVERY: usize = 16;
/// More than can be done at once.
const STEPS_MAX: usize = 1_000;
const MINUTE: u64 = 60;
const HOUR: u64 = 3600;

/// Something that happens.
#[derive(Debug)]
enum What {
    Accept,
    Route,
    /// The next message reaches the conductor.
    Mail(u64),
    Ends(u64, usize),
    Durable(u64, usize),
    Page(u64, Vec<Joining>),
    Probed(u64, Generation),
    Wake,
    Crash,
    Start,
    SetClock,
    Mood,
    Off,
    On,
    Rebuild,
    Pause,
    Resume,
    Remove,
    Reopen,
    /// From here on nothing goes wrong any more.
    Calm,
}

#[derive(Debug)]
enum Message {
    Routed(Vec<Joining>),
    Unseen(usize, Id),
    Reopened(Joining),
    Use(bool),
    Off,
}

impl Message {
    fn told(&self) -> String {
        match self {
            Message::Routed(joining) => {
                format!("  routed {}", joining.iter().map(|one| one.id.to_string()).collect::<Vec<_>>().join(" "))
            }
            Message::Unseen(count, last) => format!("  routed {count}, the last of them {last}"),
            Message::Reopened(one) => format!("  {} is open again", one.id),
            Message::Use(is_rebuilt) => format!("  on, {}", if *is_rebuilt { "built anew" } else { "as it was" }),
            Message::Off => "  off".to_owned(),
        }
    }
}

/// An attempt under way.
struct Flight {
    begin: Begin,
    ids: Vec<Id>,
    load: Option<Load>,
    /// What has nothing to do before the one that it follows.
    put_aside: Option<Owed>,
    /// What newer ones have written anew on their way past it.
    spared: Option<Owed>,
    past: Past,
    held: usize,
    at: Timestamp,
    attempted: Option<Attempted>,
}

pub(super) struct History {
    rng: Rng,
    /// Since the beginning; only goes on.
    time: Duration,
    /// How far the clock is off.
    skew: SignedDuration,
    agenda: BTreeMap<(Duration, u64), What>,
    number: u64,
    ledger: Ledger,
    destination: Destination,
    retry: retry::Settings,
    pace: PaceSettings,
    bounds: Bounds,
    conductor: Option<Conductor>,
    /// Counts processes: what belongs to an earlier one does not happen any more.
    life: u64,
    /// The one alarm that is set.
    wake: (Duration, u64),
    mail: VecDeque<Message>,
    /// Opened again, and the conductor does not know yet.
    unheard: BTreeSet<Id>,
    flights: BTreeMap<usize, Flight>,
    told: Told,
    is_off: bool,
    /// An operator paused it, as the clock said then.
    paused: Option<Timestamp>,
    is_calm: bool,
    calm_since: Duration,
    /// Since when a delivery comes too early.
    too_early_since: BTreeMap<Id, Duration>,
    log: Option<Vec<String>>,
    came: Came,
}

/// What a history came to.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Came {
    pub(super) happenings: usize,
    /// How many went with another one.
    pub(super) carried: usize,
    /// How many did what needs nobody while an older one waited.
    pub(super) ahead: usize,
    /// How many had nothing left to write.
    pub(super) spared: usize,
}

impl History {
    pub(super) fn new(seed: u64, is_told: bool) -> History {
        let mut rng = Rng::with_seed(seed);
        // In half of the histories whoever comes too early waits for hours, and only being woken helps.
        let is_patient = rng.bool();
        let retry = retry::Settings {
            first_wait_secs: if is_patient { 0.01 } else { 1.0 },
            wait_max_secs: if is_patient { 5.0 * HOUR as f64 } else { 300.0 },
            too_early_first_wait_secs: if is_patient { 5.0 * HOUR as f64 } else { 10.0 },
            too_early_max_secs: if is_patient { 200 * HOUR } else { HOUR },
            ..retry::Settings::default()
        };
        let bounds = match rng.u8(..8) {
            0 => Bounds::default(),
            // From the shelf one may be fetched only when its time comes.
            1..6 if is_patient => Bounds::default(),
            _ if is_patient => Bounds { lined: 400, parked: 400, page: 5 },
            _ => Bounds { lined: rng.usize(2..12), parked: rng.usize(2..8), page: rng.usize(2..20) },
        };
        let mut history = History {
            pace: PaceSettings { at_once_max: rng.usize(1..6), ..PaceSettings::default() },
            rng,
            time: Duration::ZERO,
            skew: SignedDuration::ZERO,
            agenda: BTreeMap::new(),
            number: 0,
            ledger: Ledger::default(),
            destination: Destination::new(),
            retry,
            bounds,
            conductor: None,
            life: 0,
            wake: (Duration::ZERO, 0),
            mail: VecDeque::new(),
            unheard: BTreeSet::new(),
            flights: BTreeMap::new(),
            told: Told::default(),
            is_off: false,
            paused: None,
            is_calm: false,
            calm_since: Duration::ZERO,
            too_early_since: BTreeMap::new(),
            log: is_told.then(Vec::new),
            came: Came::default(),
        };
        history.plan(is_patient);
        history
    }

    /// Everything that happened, a line for each.
    pub(super) fn told(&self) -> String {
        self.log.as_deref().unwrap_or_default().join("\n")
    }

    /// Draws what happens, and when.
    fn plan(&mut self, is_patient: bool) {
        let length = Duration::from_secs(*self.rng.choice([2, 30, 10 * MINUTE, HOUR].iter()).expect("there are some"));
        let at = |history: &mut History, most: u32, what: fn() -> What| {
            for _ in 0..history.rng.u32(..=most) {
                let time = length.mul_f64(history.rng.f64());
                history.plan_at(time, what());
            }
        };
        at(self, 14, || What::Accept);
        at(self, 3, || What::Crash);
        // A wait that a wrong clock wrote may last as long as any, which the patient would not tell from being forgotten.
        at(self, if is_patient { 0 } else { 2 }, || What::SetClock);
        at(self, 6, || What::Mood);
        at(self, 2, || What::Off);
        at(self, 2, || What::Rebuild);
        at(self, 1, || What::Pause);
        at(self, 1, || What::Remove);
        at(self, 2, || What::Reopen);
        self.plan_at(length, What::Calm);
        self.plan_at(Duration::ZERO, What::Start);
        if is_patient {
            return;
        }
        // Days in which nothing is sent count for no age.
        if self.rng.u8(..4) == 0 {
            let what = [What::Off, What::Crash].into_iter().nth(self.rng.usize(..2)).expect("there are two");
            self.plan_at(length / 2, what);
        }
    }

    fn plan_at(&mut self, time: Duration, what: What) {
        self.number += 1;
        self.agenda.insert((time, self.number), what);
    }

    fn plan_in(&mut self, most: Duration, what: What) {
        let time = self.time + most.mul_f64(self.rng.f64());
        self.plan_at(time, what);
    }

    fn now(&self) -> Timestamp {
        let start = Timestamp::from_second(1_767_225_600).expect("it is a date");
        start + SignedDuration::try_from(self.time).expect("it is short") + self.skew
    }

    fn tell(&mut self, line: impl FnOnce(&History) -> String) {
        if self.log.is_some() {
            let line = format!("{:>12.3} {}", self.time.as_secs_f64(), line(self));
            self.log.iter_mut().for_each(|log| log.push(line.clone()));
        }
    }

    /// Runs it to its end.
    pub(super) fn run(&mut self) -> Result<Came, String> {
        while let Some(((time, _), what)) = self.agenda.pop_first() {
            self.time = time;
            self.came.happenings += 1;
            if self.came.happenings > HAPPENINGS_MAX {
                return Err("it does not come to its end".to_owned());
            }
            match &what {
                What::Wake => {}
                What::Page(_, page) => {
                    let page = page.iter().map(|one| one.id.to_string()).collect::<Vec<_>>().join(" ");
                    self.tell(|_| format!("page {page}"));
                }
                what => self.tell(|_| format!("{what:?}")),
            }
            self.happen(what)?;
            self.conduct()?;
            if self.is_calm && self.is_over() {
                oracle::ended(&self.ledger, &self.destination)?;
                return Ok(self.came);
            }
            // Where few have room in memory, one after the other waits as long as it may.
            let limit = if self.retry.first_wait_secs < 1.0 { HOUR } else { 12 * HOUR };
            if self.is_calm && self.time > self.calm_since + Duration::from_secs(limit) {
                let open = self.ledger.deliveries.values().filter(|owed| !owed.progress.status.is_settled());
                let open: Vec<_> = open.map(|owed| format!("{} {:?}", owed.id, owed.progress.status)).collect();
                return Err(format!("these wait in vain: {}", open.join(", ")));
            }
        }
        Err("nothing happens any more".to_owned())
    }

    fn is_over(&self) -> bool {
        let is_routed = self.ledger.routed == self.ledger.events.len();
        is_routed && self.ledger.deliveries.values().all(|owed| owed.progress.status.is_settled())
    }

    fn happen(&mut self, what: What) -> Result<(), String> {
        let now = self.now();
        match what {
            What::Accept => self.accept(),
            What::Route => self.route(),
            What::Mail(life) if life == self.life => self.hear(now),
            What::Ends(life, flight) if life == self.life => return self.end(flight),
            What::Durable(life, flight) if life == self.life => self.write(flight, now),
            What::Page(life, page) if life == self.life => {
                self.conductor.iter_mut().for_each(|conductor| conductor.page(page.clone(), now));
            }
            What::Probed(life, generation) if life == self.life => self.probed(generation, now),
            What::Mail(_) | What::Ends(..) | What::Durable(..) | What::Page(..) | What::Probed(..) | What::Wake => {}
            What::Crash => self.crash(),
            What::Start => self.start(now),
            What::SetClock => self.set_clock(),
            What::Mood => self.change_mood(),
            What::Off | What::On => self.switch(matches!(what, What::On)),
            What::Rebuild => self.rebuild(),
            What::Pause => self.pause(now),
            What::Resume => self.paused = None,
            What::Remove => self.remove(),
            What::Reopen => self.reopen(),
            What::Calm => self.calm(),
        }
        Ok(())
    }

    fn accept(&mut self) {
        for _ in 0..self.rng.usize(1..5) {
            // Many say the same once more.
            let last = self.ledger.events.last().filter(|_| self.rng.u8(..4) == 0).cloned();
            let (keys, does) = match last {
                Some(last) => (last.keys, last.does),
                None => (self.draw_keys(), (0..self.rng.usize(..4)).map(|_| self.draw_deed()).collect()),
            };
            self.ledger.events.push(Event { keys, does, accepted_at: self.now() });
        }
        self.plan_in(Duration::from_millis(50), What::Route);
    }

    /// A user id, an anonymous id, an address, a company: each perhaps. Those of people are even.
    fn draw_keys(&mut self) -> Vec<u64> {
        let mut keys = Vec::new();
        for (kind, one_in) in [(10, 2), (20, 2), (30, 3), (41, 5)] {
            if self.rng.u8(..one_in) == 0 {
                keys.push(kind + 2 * self.rng.u64(..3));
            }
        }
        keys
    }

    fn draw_deed(&mut self) -> &'static str {
        match self.rng.u8(..10) {
            0..2 => MAKES,
            2..4 => NEEDS,
            4..6 => WRITES,
            6 => BAD,
            7 => SPOILT,
            _ => PLAIN,
        }
    }

    fn route(&mut self) {
        if self.conductor.is_none() {
            return;
        }
        let mut routed = Vec::new();
        while self.ledger.routed < self.ledger.events.len() && routed.len() < 8 {
            routed.extend(self.ledger.route());
        }
        if let Some(last) = routed.last().map(|owed| owed.id) {
            let is_seen = self.rng.u8(..5) != 0;
            let count = routed.len();
            let joining: Vec<Joining> = routed.into_iter().map(Joining::new).collect();
            self.post(if is_seen { Message::Routed(joining) } else { Message::Unseen(count, last) });
        }
        if self.ledger.routed < self.ledger.events.len() {
            self.plan_in(Duration::from_millis(5), What::Route);
        }
    }

    fn post(&mut self, message: Message) {
        if self.conductor.is_some() {
            self.mail.push_back(message);
            self.plan_in(Duration::from_millis(5), What::Mail(self.life));
        }
    }

    fn hear(&mut self, now: Timestamp) {
        let Some(message) = self.mail.pop_front() else { return };
        self.tell(|_| message.told());
        let Some(conductor) = &mut self.conductor else { return };
        match message {
            Message::Routed(joining) => conductor.routed(joining, now),
            Message::Unseen(count, last) => conductor.routed_unseen(count, last),
            Message::Reopened(joining) => {
                self.unheard.remove(&joining.id);
                conductor.reopened(vec![joining], now);
            }
            Message::Use(is_rebuilt) => {
                conductor.use_now(is_rebuilt, now);
                self.told.is_off = false;
                if is_rebuilt {
                    self.told.generation += 1;
                    self.told.quiet_until = Duration::ZERO;
                }
            }
            Message::Off => {
                conductor.off();
                self.told.is_off = true;
            }
        }
    }

    /// Has the conductor decide until there is nothing more to do, and checks it.
    fn conduct(&mut self) -> Result<(), String> {
        let now = self.now();
        let paused = self.paused;
        self.conductor.iter_mut().for_each(|conductor| conductor.pause(paused));
        let mut steps = 0;
        while let Some(step) = self.conductor.as_mut().and_then(|conductor| conductor.next(now)) {
            steps += 1;
            if steps > STEPS_MAX {
                return Err("the conductor does not come to its end".to_owned());
            }
            match step {
                Step::Begin(begin) => self.begin(begin, now)?,
                Step::Read(read) => {
                    self.tell(|history| {
                        let conductor = history.conductor.as_ref().map(Conductor::told);
                        format!("  {read:?}: {}", conductor.unwrap_or_default())
                    });
                    let page = self.ledger.open(read.after, read.max);
                    // Mostly at once; sometimes so late that much happens meanwhile.
                    let within = if self.rng.u8(..4) == 0 { 3_000 } else { 20 };
                    self.plan_in(Duration::from_millis(within), What::Page(self.life, page));
                }
                Step::Probe(generation) => {
                    self.plan_in(Duration::from_secs(1), What::Probed(self.life, generation));
                }
            }
        }
        let Some(conductor) = &mut self.conductor else { return Ok(()) };
        if self.came.happenings.is_multiple_of(CHECK_EVERY) {
            let mut open = self.ledger.open(None, usize::MAX);
            open.retain(|one| !self.unheard.contains(&one.id));
            conductor.check(&open, |id| self.ledger.reopened.contains(&id))?;
        }
        let wake_at = conductor.wake_at(now);
        let pause = Duration::try_from(wake_at.duration_since(now)).unwrap_or_default();
        // A timer rings a little late.
        let at = self.time + pause + Duration::from_micros(1);
        self.agenda.remove(&self.wake);
        self.plan_at(at, What::Wake);
        self.wake = (at, self.number);
        Ok(())
    }
}
