//! Two people, any order of calls about them, and whatever may come between: restarts, kills in the middle of a request,
//! answers that are lost, a search that is behind, contacts that are deleted in Intercom. In the end there are as many
//! contacts as there should be, with the last of what was said.
//!
//! # Why
//! What should be there is reckoned by a few lines that know nothing of searches, caches and notes: a lead for each address
//! that nobody has, a user for each id, and one contact where the two were said to be one person.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use interline::action::Kind;
use interline::app::memory::Folder;
use interline::delivery::Steps;
use interline::destination::intercom::{self, Intercom};
use interline::destination::{Before, Context, Destination, Memory, Notes, Performed};
use interline::metrics::Metrics;
use interline::sandbox::{self, AccessToken, Close, Control, Effect, Fault, Incoming, Sandbox, SearchLag};
use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use crate::support::virtual_time::{clock, wire};

/// By so much the search is behind; the router believes that it is by a minute at most.
const LAG_SECS: u32 = 45;

/// Something that is said of a person; each has two addresses.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Call {
    /// Somebody left this address.
    Lead(usize, usize),
    /// The user came, with this address or without one.
    User(usize, Option<usize>),
    /// Who left this address is the user.
    Alias(usize, usize),
    /// The user did something.
    Track(usize),
}

/// What goes wrong with one request of a call's first attempt.
#[derive(Debug, Clone, Copy)]
enum Wrong {
    Nothing,
    /// It is lost on the way.
    Lost(u64),
    /// It is done, and nobody hears of it.
    Unheard(u64),
    /// The process ends while it is under way; then it is done.
    Killed(u64),
    /// The process ends after it was done, and before anybody hears of it.
    KilledAfter(u64),
    /// The process ends after the attempt, before what came of it is written down.
    Unsettled,
}

#[derive(Debug, Clone, Copy)]
enum Event {
    Said(Call, Wrong),
    Restart,
    /// So many seconds pass.
    Wait(u64),
    /// In Intercom, somebody deletes the user.
    Deleted(usize),
    /// In Intercom, somebody archives the user; who comes with the id brings them back.
    Archived(usize),
}

/// Keeps what is written down before something is done.
#[derive(Default)]
struct Notebook(Mutex<Steps>);

impl Notes for Notebook {
    fn note(&self, steps: Steps) -> BoxFuture<'_, ()> {
        self.0.lock().unwrap().extend(steps);
        Box::pin(async {})
    }
}

/// What should be there, as far as names tell it.
#[derive(Default)]
struct Person {
    user: Option<(Option<usize>, String)>,
    /// Whether nobody finds the user by their address.
    is_archived: bool,
    leads: BTreeMap<usize, String>,
}

impl Person {
    fn hear(&mut self, call: Call, name: &str) {
        match call {
            Call::Lead(_, address) => match &mut self.user {
                Some((Some(own), known)) if *own == address && !self.is_archived => *known = name.to_owned(),
                _ => drop(self.leads.insert(address, name.to_owned())),
            },
            Call::User(_, address) => {
                let before = self.user.take().and_then(|(own, _)| own);
                let returns = std::mem::take(&mut self.is_archived);
                self.user = Some((address.or(before), name.to_owned()));
                // Who comes back has the address of before again for a moment, if there was one.
                let taken = [address, before.filter(|_| returns)];
                taken.into_iter().flatten().for_each(|address| drop(self.leads.remove(&address)));
            }
            Call::Alias(_, address) => {
                let Some(lead) = self.leads.remove(&address) else { return };
                let returns = std::mem::take(&mut self.is_archived);
                let (own, name) = self.user.take().unwrap_or((None, lead));
                own.filter(|_| returns).map(|own| self.leads.remove(&own));
                self.user = Some((own.or(Some(address)), name));
            }
            Call::Track(_) => {}
        }
    }
}

/// A delivery that waits beside its line.
struct Parked {
    call: Call,
    name: String,
    steps: Steps,
}

struct World {
    control: Control,
    directory: TempDir,
    intercom: Intercom,
    people: [Person; 2],
    parked: Vec<Parked>,
    said: usize,
}

impl World {
    fn new() -> World {
        let settings = sandbox::Settings {
            search_lag_secs: SearchLag::Secs(LAG_SECS),
            rate_limit_per_10s: 0,
            ..sandbox::Settings::default()
        };
        let time = clock();
        let control = Sandbox::without_network(settings, move || time()).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let intercom = start(&control, &directory);
        World { control, directory, intercom, people: Default::default(), parked: Vec::new(), said: 0 }
    }

    fn restart(&mut self) {
        self.intercom = start(&self.control, &self.directory);
    }

    async fn take(&mut self, event: Event) {
        match event {
            Event::Said(call, wrong) => {
                self.said += 1;
                let parked = Parked { call, name: format!("n{}", self.said), steps: Steps::new() };
                self.bring(parked, wrong).await;
                self.wake(person(call)).await;
            }
            Event::Restart => self.restart(),
            Event::Wait(secs) => sleep(Duration::from_secs(secs)).await,
            Event::Deleted(number) => self.change(number, "DELETE", "").await,
            Event::Archived(number) => self.change(number, "POST", "/archive").await,
        }
    }

    /// Attempts a delivery until it has ended, or is to wait beside its line.
    async fn bring(&mut self, mut delivery: Parked, mut wrong: Wrong) {
        let (action, payload) = payload(delivery.call, &delivery.name);
        for _ in 0..40 {
            let performed =
                self.attempt(action, &payload, &mut delivery.steps, std::mem::replace(&mut wrong, Wrong::Nothing));
            let Some(performed) = performed.await else { continue };
            delivery.steps.extend(performed.steps);
            match performed.result {
                Ok(_) => return self.people[person(delivery.call)].hear(delivery.call, &delivery.name),
                Err(failure) if failure.kind == Kind::TooEarly => return self.parked.push(delivery),
                Err(failure) if matches!(failure.kind, Kind::Unavailable | Kind::Unknown) => {
                    sleep(failure.retry_after.unwrap_or(Duration::from_secs(7))).await;
                }
                Err(failure) => panic!("{action} {payload}: {failure}"),
            }
        }
        panic!("{action} {payload}: no end in 40 attempts");
    }

    /// `None`: the process ended with it.
    async fn attempt(&mut self, action: &str, payload: &Value, steps: &mut Steps, wrong: Wrong) -> Option<Performed> {
        let fault = match wrong {
            Wrong::Nothing | Wrong::Unsettled => None,
            Wrong::Lost(nth) => Some((nth, Effect::Close(Close::Before))),
            Wrong::Unheard(nth) => Some((nth, Effect::Close(Close::After))),
            Wrong::Killed(nth) => Some((nth, Effect::Hold)),
            Wrong::KilledAfter(nth) => Some((nth, Effect::HoldReply)),
        };
        if let Some((nth, effect)) = fault {
            self.control.fault(Fault { nth, ..Fault::new("*", effect) });
        }
        let notes = Arc::new(Notebook::default());
        let text = payload.to_string();
        let before = Before { steps, notes: notes.clone(), waited_out: false, follows: false };
        let attempt = self.intercom.perform_owed(action, text.as_bytes(), before);
        let performed = timeout(Duration::from_secs(5), attempt).await.ok();
        self.control.clear_faults();
        let performed = performed.filter(|_| !matches!(wrong, Wrong::Unsettled));
        if performed.is_none() {
            self.control.release();
            sleep(Duration::from_secs(1)).await;
            steps.extend(std::mem::take(&mut *notes.0.lock().unwrap()));
            self.restart();
        }
        performed
    }

    /// Whatever is delivered about a person wakes what waits for them.
    async fn wake(&mut self, number: usize) {
        let (woken, others) = std::mem::take(&mut self.parked).into_iter().partition(|one| person(one.call) == number);
        self.parked = others;
        for delivery in woken {
            self.bring(delivery, Wrong::Nothing).await;
        }
    }

    /// What somebody does to the user in Intercom itself.
    async fn change(&mut self, number: usize, method: &str, what: &str) {
        let state = self.control.state();
        let is_it = |contact: &&Value| contact["external_id"] == user(number) && contact["merged_into"].is_null();
        let Some(id) = state["contacts"].as_array().unwrap().iter().find(is_it).map(|contact| contact["id"].clone())
        else {
            return;
        };
        let (path, token) =
            (format!("/contacts/{}{what}", id.as_str().unwrap()), Some(AccessToken("token".to_owned())));
        let body = Some(Vec::new());
        let incoming = Incoming { method: method.to_owned(), path, token, body, ..Incoming::default() };
        assert_eq!(Sandbox::ask(&self.control, &incoming).await.status, 200);
        let person = &mut self.people[number];
        match method {
            "DELETE" => *person = Person { leads: std::mem::take(&mut person.leads), ..Person::default() },
            _ => person.is_archived = true,
        }
    }

    fn there(&self) -> Vec<(String, String, String)> {
        let state = self.control.state();
        let there = state["contacts"].as_array().unwrap().iter().filter(|contact| contact["merged_into"].is_null());
        let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        let mut there: Vec<_> =
            there.map(|one| (text(&one["external_id"]), text(&one["email"]), text(&one["name"]))).collect();
        there.sort();
        there
    }

    fn expected(&self) -> Vec<(String, String, String)> {
        let mut expected = Vec::new();
        for (number, person) in self.people.iter().enumerate() {
            if let Some((own, name)) = &person.user {
                let email = own.map_or_else(|| "-".to_owned(), |own| address(number, own));
                expected.push((user(number), email, name.clone()));
            }
            expected
                .extend(person.leads.iter().map(|(own, name)| ("-".to_owned(), address(number, *own), name.clone())));
        }
        expected.sort();
        expected
    }
}

fn start(control: &Control, directory: &TempDir) -> Intercom {
    let settings: intercom::Settings =
        serde_json::from_value(json!({ "region": "us", "access_token": "token" })).unwrap();
    let memory: Arc<dyn Memory> = Arc::new(Folder::of(directory.path(), "crm"));
    let context =
        Context { name: "crm".into(), metrics: Metrics::new(), clock: clock_of(control), memory: Some(memory) };
    Intercom::over(wire(control, Duration::from_millis(2)), settings, context)
}

/// The stand-in's time, which is the router's as well.
fn clock_of(control: &Control) -> interline::destination::Clock {
    let control = control.clone();
    Arc::new(move || control.now())
}

fn person(call: Call) -> usize {
    match call {
        Call::Lead(number, _) | Call::User(number, _) | Call::Alias(number, _) | Call::Track(number) => number,
    }
}

fn user(number: usize) -> String {
    format!("u-{number}")
}

fn address(number: usize, own: usize) -> String {
    format!("{}-{number}@example.com", ["a", "b"][own])
}

fn payload(call: Call, name: &str) -> (&'static str, Value) {
    match call {
        Call::Lead(number, own) => {
            ("identify_contact", json!({ "role": "lead", "email": address(number, own), "name": name }))
        }
        Call::User(number, None) => {
            ("identify_contact", json!({ "role": "user", "external_id": user(number), "name": name }))
        }
        Call::User(number, Some(own)) => {
            let email = address(number, own);
            ("identify_contact", json!({ "role": "user", "external_id": user(number), "email": email, "name": name }))
        }
        Call::Alias(number, own) => {
            let (from, into) = (address(number, own), user(number));
            (
                "merge_contacts",
                json!({ "from_external_id": from, "into_external_id": into, "skip_duplicate_validation": true }),
            )
        }
        Call::Track(number) => {
            ("track_event", json!({ "event_name": "Seen", "created_at": 1_767_225_600, "user_id": user(number) }))
        }
    }
}

fn calls() -> impl Strategy<Value = Call> {
    let (number, own) = (0..2_usize, 0..2_usize);
    prop_oneof![
        3 => (number.clone(), own.clone()).prop_map(|(number, own)| Call::Lead(number, own)),
        2 => number.clone().prop_map(|number| Call::User(number, None)),
        3 => (number.clone(), own.clone()).prop_map(|(number, own)| Call::User(number, Some(own))),
        2 => (number.clone(), own).prop_map(|(number, own)| Call::Alias(number, own)),
        1 => number.prop_map(Call::Track),
    ]
}

fn wrongs() -> impl Strategy<Value = Wrong> {
    let nth = 1..5_u64;
    prop_oneof![
        6 => Just(Wrong::Nothing),
        1 => nth.clone().prop_map(Wrong::Lost),
        1 => nth.clone().prop_map(Wrong::Unheard),
        1 => nth.clone().prop_map(Wrong::Killed),
        1 => nth.prop_map(Wrong::KilledAfter),
        1 => Just(Wrong::Unsettled),
    ]
}

fn events() -> impl Strategy<Value = Event> {
    prop_oneof![
        8 => (calls(), wrongs()).prop_map(|(call, wrong)| Event::Said(call, wrong)),
        2 => Just(Event::Restart),
        2 => (1..70_u64).prop_map(Event::Wait),
        1 => (0..2_usize).prop_map(Event::Deleted),
        1 => (0..2_usize).prop_map(Event::Archived),
    ]
}

/// Plays a history to its end; what is there then, and what should be.
fn play(history: &[Event]) -> [Vec<(String, String, String)>; 2] {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let mut world = World::new();
        for event in history {
            world.take(*event).await;
        }
        for _ in 0..3 {
            sleep(Duration::from_secs(100)).await;
            for number in 0..2 {
                world.wake(number).await;
            }
        }
        [world.there(), world.expected()]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn people_are_as_many_contacts_as_they_should_be(history in proptest::collection::vec(events(), 1..9)) {
        let [there, expected] = play(&history);
        prop_assert_eq!(there, expected);
    }
}

/// More, where the environment asks for them.
fn cases() -> u32 {
    std::env::var("INTERLINE_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(64)
}
