//! Events that came before their contacts: whoever stands where, they settle when the contacts come.
//!
//! The clock stands still, so nothing is attempted again because its time has come, only because something woke it.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// Knows people by their names. An event called `needs a b` is too early until one of those is known; one called
/// `makes a b` makes them known.
#[derive(Default)]
struct People(Mutex<BTreeSet<String>>);

impl Destination for People {
    fn perform<'a>(&'a self, _: &'a str, payload: &'a [u8], _: &'a Steps) -> BoxFuture<'a, Performed> {
        let payload: serde_json::Value = serde_json::from_slice(payload).unwrap();
        let mut words = payload["event_name"].as_str().unwrap().split(' ').map(str::to_owned);
        let makes = words.next().unwrap() == "makes";
        let mut known = self.0.lock().unwrap();
        let mut performed = Performed::failed(Failure::new(Kind::TooEarly, "contact_not_there_yet", "nobody is there"));
        if makes {
            known.extend(words);
            performed.result = Ok(Outcome::Delivered(Vec::new()));
        } else if words.any(|name| known.contains(&name)) {
            performed.result = Ok(Outcome::Delivered(Vec::new()));
        }
        Box::pin(std::future::ready(performed))
    }

    fn probe(&self) -> BoxFuture<'_, Result<(), Failure>> {
        Box::pin(async { Ok(()) })
    }
}

struct Run {
    store: Arc<Memory>,
    people: Arc<People>,
    router: Router,
    accepted: usize,
}

impl Run {
    async fn start() -> Run {
        let store = Arc::new(Memory::new(store::Settings::default()));
        Run::on(store, Arc::default(), 0).await
    }

    async fn on(store: Arc<Memory>, people: Arc<People>, accepted: usize) -> Run {
        let (clock, settings) = (Arc::new(|| Timestamp::UNIX_EPOCH), Settings::default());
        let connections = vec![around(people.clone(), "intercom", "")];
        let router = Router::start(store.clone(), connections, &settings, Surroundings::new(clock, Arc::new(|| 1.0)))
            .await
            .unwrap();
        Run { store, people, router, accepted }
    }

    async fn restart(self) -> Run {
        self.router.stop(LIMIT).await;
        Run::on(self.store, self.people, self.accepted).await
    }

    /// Accepts an event that makes or needs the people with these names: `u…` is a user id, `a…` an anonymous id, `e…` an
    /// address.
    async fn accept(&mut self, does: &str, names: &[&str]) {
        self.accepted += 1;
        let name = |space: char| names.iter().find(|name| name.starts_with(space));
        let body = serde_json::json!({
            "type": "track", "messageId": self.accepted.to_string(), "event": format!("{does} {}", names.join(" ")),
            "userId": name('u'), "anonymousId": name('a'), "properties": { "email": name('e') },
        });
        let mut event = event(&self.accepted.to_string());
        event.body = body.to_string().into_bytes().into();
        self.store.accept(vec![event]).await.unwrap();
    }

    async fn until(&self, what: &str, holds: impl Fn(&[store::Open]) -> bool) {
        let look = async {
            loop {
                let stats = self.store.stats();
                if stats.routed == stats.last && holds(&self.store.open(None, None, 1000).await.unwrap()) {
                    return;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(LIMIT, look).await.unwrap_or_else(|_| panic!("{what} in time"));
    }

    async fn parked(&self, count: usize) {
        self.until("they are parked", |open| open.len() == count && open.iter().all(|one| one.parked)).await;
    }

    async fn settled(&self) {
        self.until("everything settles", |open| open.is_empty()).await;
    }
}

/// Those before the last come too early; the last makes everybody.
async fn check(early: &[&[&str]], maker: &[&str], restart: bool) {
    let mut run = Run::start().await;
    for names in early {
        run.accept("needs", names).await;
    }
    run.parked(early.len()).await;
    if restart {
        run = run.restart().await;
    }
    run.accept("makes", maker).await;
    run.settled().await;
}

#[tokio::test]
async fn a_contact_comes_although_one_that_needs_it_stands_behind_another_such() {
    for restart in [false, true] {
        check(&[&["u1"], &["u1", "a1"]], &["u1", "a1"], restart).await;
        check(&[&["e1"], &["a1", "e1"]], &["a1", "e1"], restart).await;
        check(&[&["u1"], &["u1", "e1"], &["e1", "a1"]], &["u1", "a1"], restart).await;
        check(&[&["u1", "a1"], &["u1", "a1"]], &["u1", "a1"], restart).await;
    }
}

const NAMES: [&str; 6] = ["u1", "u2", "a1", "a2", "e1", "e2"];

/// At most one name of each kind, and one at least.
fn some_names() -> impl Strategy<Value = Vec<&'static str>> {
    let one_of = |kind: usize| prop::option::of(prop::sample::select(&NAMES[2 * kind..2 * kind + 2]));
    let names = (one_of(0), one_of(1), one_of(2));
    let names = names.prop_map(|(user, anonymous, email)| [user, anonymous, email].into_iter().flatten().collect());
    names.prop_filter("somebody is named", |names: &Vec<&str>| !names.is_empty())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever the names and the order: when every contact has come, everything has settled.
    #[test]
    fn everything_settles_when_every_contact_has_come(
        events in prop::collection::vec((prop::bool::weighted(0.2), some_names()), 1..20),
        restart in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let mut run = Run::start().await;
            for (makes, names) in &events {
                run.accept(if *makes { "makes" } else { "needs" }, names).await;
            }
            if restart {
                run = run.restart().await;
            }
            for name in NAMES {
                run.accept("makes", &[name]).await;
            }
            run.settled().await;
        });
    }
}
