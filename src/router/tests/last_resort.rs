//! What has waited for its contact as long as it may: the destination is told so, once and for all, and its word counts.

use super::*;
use crate::destination::Before;

/// Has nobody; what it does as a last resort is its script.
struct Empty {
    script: Mutex<VecDeque<crate::action::Result>>,
    /// Whether each attempt was told to be the last resort.
    told: Mutex<Vec<bool>>,
}

fn too_early() -> Failure {
    Failure::new(Kind::TooEarly, "contact_not_found", "nobody is there")
}

impl Destination for Empty {
    fn perform<'a>(&'a self, _: &'a str, _: &'a [u8], _: &'a Steps) -> BoxFuture<'a, Performed> {
        unreachable!("a delivery is performed with what is known of it")
    }

    fn perform_owed<'a>(&'a self, _: &'a str, _: &'a [u8], before: Before<'a>) -> BoxFuture<'a, Performed> {
        self.told.lock().unwrap().push(before.waited_out);
        let result = match before.waited_out {
            true => self.script.lock().unwrap().pop_front().expect("it is attempted no more often"),
            false => Err(too_early()),
        };
        Box::pin(std::future::ready(Performed { result, ..Performed::failed(too_early()) }))
    }

    fn probe(&self) -> BoxFuture<'_, Result<(), Failure>> {
        Box::pin(async { Ok(()) })
    }
}

/// How a delivery ends that may wait no time, and what each attempt was told. Where the script holds a failure that passes,
/// the engine is started anew on the way.
async fn end(script: Vec<crate::action::Result>) -> (String, Vec<bool>) {
    let destination = Arc::new(Empty { script: Mutex::new(script.into()), told: Mutex::default() });
    let store = Arc::new(Memory::new(store::Settings::default()));
    store.accept(vec![event("A")]).await.unwrap();
    let retry = retry::Settings { too_early_max_secs: 0, first_wait_secs: 0.0, ..retry::Settings::default() };
    let settings = Settings { retry, ..Settings::default() };
    let wait = async {
        loop {
            let around = Surroundings::new(Arc::new(|| Timestamp::UNIX_EPOCH), Arc::new(|| 1.0));
            let connections = vec![around_it(&destination)];
            let router = Router::start(store.clone(), connections, &settings, around).await.unwrap();
            let attempts = destination.told.lock().unwrap().len();
            while destination.told.lock().unwrap().len() == attempts {
                tokio::task::yield_now().await;
            }
            router.stop(LIMIT).await;
            let owed = store.deliveries(vec![id(1)]).await.unwrap().remove(0);
            if owed.progress.status.is_settled() {
                return format!("{} {}", owed.progress.status.name(), owed.progress.status.code().unwrap_or_default());
            }
        }
    };
    let ended = tokio::time::timeout(LIMIT, wait).await.expect("it ends");
    let told = destination.told.lock().unwrap().clone();
    (ended, told)
}

fn around_it(destination: &Arc<Empty>) -> Arc<Connection> {
    around(destination.clone(), "intercom", "")
}

#[tokio::test]
async fn the_destination_says_how_a_delivery_ends_that_waited_in_vain() {
    let told = vec![false, true];
    assert_eq!(end(vec![Err(too_early())]).await, ("dead_letter contact_not_found".to_owned(), told.clone()));
    let skipped = Outcome::Skipped("contact_not_found", String::new());
    assert_eq!(end(vec![Ok(skipped)]).await, ("skipped contact_not_found".to_owned(), told.clone()));
    assert_eq!(end(vec![Ok(Outcome::Delivered(Vec::new()))]).await, ("delivered ".to_owned(), told));
}

#[tokio::test]
async fn a_last_resort_that_fails_stays_the_last_resort_whatever_happens_meanwhile() {
    let fails = |kind| Err(Failure::new(kind, "busy", "not now"));
    let script = vec![fails(Kind::Unavailable), fails(Kind::Unknown), Err(too_early())];
    let (ended, told) = end(script).await;
    assert_eq!((&*ended, told), ("dead_letter contact_not_found", vec![false, true, true, true]));
}
