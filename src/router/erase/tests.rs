//! Deleting with a store in memory and destinations that find whom the test says.

use std::sync::Mutex;

use futures_util::future::BoxFuture;

use super::*;
use crate::action::Failure;
use crate::delivery::Steps;
use crate::destination::Performed;
use crate::destination::erase::ErasedContact;
use crate::event::{Channel, Envelope, Event, Kind};
use crate::store::memory::Memory;

/// Finds these, and keeps for whom it was asked.
#[derive(Default)]
struct Book {
    contacts: Vec<ErasedContact>,
    asked: Mutex<Vec<Subject>>,
}

impl Destination for Book {
    fn perform<'a>(&'a self, _: &'a str, _: &'a [u8], _: &'a Steps) -> BoxFuture<'a, Performed> {
        unreachable!("nothing is performed")
    }

    fn probe(&self) -> BoxFuture<'_, Result<(), Failure>> {
        unreachable!("nobody asks")
    }

    fn erase<'a>(&'a self, subject: &'a Subject, _: bool) -> BoxFuture<'a, Erased> {
        self.asked.lock().unwrap().push(subject.clone());
        let erased = Erased { contacts: self.contacts.clone(), ..Erased::default() };
        Box::pin(std::future::ready(erased))
    }
}

/// A contact that was deleted, or was not there.
fn contact(external_id: &str, email: &str, was_there: bool) -> ErasedContact {
    ErasedContact {
        id: format!("id of {external_id}"),
        external_id: Some(external_id.to_owned()),
        email: Some(email.to_owned()),
        deleted_at: was_there.then_some(Timestamp::UNIX_EPOCH),
        verified: true,
    }
}

fn book(contacts: Vec<ErasedContact>) -> Arc<Book> {
    Arc::new(Book { contacts, ..Book::default() })
}

fn eraser(books: &[&Arc<Book>]) -> Eraser {
    let named = |(at, book): (usize, &&Arc<Book>)| (at.to_string(), (*book).clone() as Arc<dyn Destination>);
    Eraser {
        store: Arc::new(Memory::new(store::Settings::default())),
        destinations: books.iter().enumerate().map(named).collect(),
        under_way: UnderWay::default(),
        clock: Arc::new(|| Timestamp::UNIX_EPOCH),
    }
}

impl Eraser {
    async fn accept(&self, bodies: &[serde_json::Value]) {
        let events = bodies.iter().enumerate().map(|(at, body)| event(at, body)).collect();
        self.store.accept(events).await.unwrap();
    }

    async fn run(&self, wish: &Wish) -> Receipt {
        self.erase(wish, wish.subject().unwrap()).await.unwrap()
    }
}

fn event(at: usize, body: &serde_json::Value) -> Event {
    let envelope = Envelope {
        source: "website".into(),
        kind: Kind::Track,
        message_id: at.to_string(),
        received_at: Timestamp::UNIX_EPOCH,
        timestamp: Timestamp::UNIX_EPOCH,
        original_timestamp: None,
        sent_at: None,
        channel: Channel::Server,
        ip: None,
        shared: None,
        replay: None,
    };
    Event { envelope, body: body.to_string().into_bytes().into() }
}

fn of(user_id: &str) -> Wish {
    Wish { user_ids: vec![user_id.to_owned()], ..Wish::default() }
}

#[tokio::test]
async fn every_destination_is_asked_for_who_was_named_and_nobody_else() {
    let books = [book(vec![contact("u-21", "shared@acme.co", true)]), book(Vec::new())];
    let eraser = eraser(&[&books[0], &books[1]]);
    eraser.accept(&[serde_json::json!({"userId": "u-21", "properties": {"email": "shared@acme.co"}})]).await;
    let receipt = eraser.run(&of("u-21")).await;
    for asked in books.iter().flat_map(|book| book.asked.lock().unwrap().clone()) {
        assert_eq!(asked, of("u-21").subject().unwrap());
    }
    assert!(receipt.also_known_as.emails.contains("shared@acme.co"));
}

#[tokio::test]
async fn somebody_with_the_same_address_keeps_their_events_now_and_later() {
    let found = book(vec![contact("u-11", "info@acme.co", true)]);
    let eraser = eraser(&[&found]);
    let email = serde_json::json!({"email": "info@acme.co"});
    eraser
        .accept(&[
            serde_json::json!({"userId": "u-11"}),
            serde_json::json!({"userId": "u-12", "properties": email}),
            serde_json::json!({"anonymousId": "a", "properties": email}),
        ])
        .await;
    let wish = Wish { suppress: true, ..of("u-11") };
    let trial = eraser.run(&Wish { dry_run: true, ..wish.clone() }).await;
    let receipt = eraser.run(&wish).await;
    assert_eq!((trial.queue.events, receipt.queue.events), (2, 2));
    let left = eraser.store.events(Position(0), 9).await.unwrap();
    assert_eq!(left.iter().map(|stored| stored.position.0).collect::<Vec<_>>(), [2]);
    assert_eq!(*eraser.store.suppressed(), of("u-11").subject().unwrap().person);
}

#[tokio::test]
async fn an_address_brings_the_user_ids_it_came_with_as_hints() {
    let nobody = book(Vec::new());
    let eraser = eraser(&[&nobody]);
    eraser.accept(&[serde_json::json!({"userId": "u-2", "properties": {"email": "u2@x.co"}})]).await;
    eraser.run(&Wish { emails: vec!["u2@x.co".to_owned()], ..Wish::default() }).await;
    assert_eq!(nobody.asked.lock().unwrap()[0].hints, ["u-2".to_owned()].into());
}

#[tokio::test]
async fn what_is_being_attempted_is_waited_for_before_anybody_is_looked_for() {
    let found = book(vec![contact("u-31", "x@y.z", true)]);
    let eraser = eraser(&[&found]);
    eraser.accept(&[serde_json::json!({"userId": "u-31"})]).await;
    let attempting = eraser.under_way.begin(Position(1));
    let store = eraser.store.clone();
    let erasing = tokio::spawn(async move { eraser.run(&of("u-31")).await });
    while !store.is_removed(Position(1)) {
        tokio::task::yield_now().await;
    }
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(found.asked.lock().unwrap().is_empty(), "the attempt may still make the contact");
    drop(attempting);
    assert!(erasing.await.unwrap().done);
    assert!(!found.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn who_was_not_found_is_not_called_deleted() {
    for (contacts, says) in [(Vec::new(), "may be archived"), (vec![contact("u-1", "x@y.z", false)], "not there; ")] {
        let receipt = eraser(&[&book(contacts)]).run(&of("u-1")).await;
        let lines = receipt.lines().join("\n");
        assert!(!receipt.done && lines.contains(says) && lines.contains("NOT sure"), "{lines}");
    }
    assert!(eraser(&[&book(vec![contact("u-1", "x@y.z", true)])]).run(&of("u-1")).await.done);
}
