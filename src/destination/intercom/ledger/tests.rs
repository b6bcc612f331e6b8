//! Notes of addresses: who knows them, how long, and what the file comes to.

use std::collections::BTreeMap;

use super::*;

/// Keeps texts, and counts how often one is written anew. Only who holds one may change it.
#[derive(Default)]
struct Shelf(Mutex<BTreeMap<String, (u64, String)>>, Arc<AtomicBool>);

/// Somebody holds a text of a shelf.
struct Held(Arc<AtomicBool>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

impl Shelf {
    fn text(&self) -> String {
        self.recall(KEY).unwrap().unwrap_or_default()
    }

    fn writings(&self) -> u64 {
        self.0.lock().unwrap().get(KEY).map_or(0, |(writings, _)| *writings)
    }
}

impl Memory for Shelf {
    fn recall(&self, key: &str) -> io::Result<Option<String>> {
        Ok(self.0.lock().unwrap().get(key).map(|(_, text)| text.clone()))
    }

    fn remember(&self, key: &str, text: &str) -> io::Result<()> {
        assert!(self.1.load(Ordering::Relaxed), "it is held");
        let mut shelf = self.0.lock().unwrap();
        let writings = shelf.get(key).map_or(0, |(writings, _)| *writings);
        shelf.insert(key.to_owned(), (writings + 1, text.to_owned()));
        Ok(())
    }

    fn append(&self, key: &str, text: &str) -> io::Result<()> {
        assert!(self.1.load(Ordering::Relaxed), "it is held");
        self.0.lock().unwrap().entry(key.to_owned()).or_default().1.push_str(text);
        Ok(())
    }

    fn hold(&self, _: &str) -> io::Result<Box<dyn Send>> {
        assert!(!self.1.swap(true, Ordering::Relaxed), "nobody holds it yet");
        Ok(Box::new(Held(self.1.clone())))
    }

    fn added(&self, key: &str, mark: Mark) -> io::Result<Added> {
        let (writing, text) = self.0.lock().unwrap().get(key).cloned().unwrap_or_default();
        let is_anew = writing != mark.writing;
        let from = if is_anew { 0 } else { mark.length as usize };
        Ok(Added { text: text[from..].to_owned(), mark: Mark { writing, length: text.len() as u64 }, is_anew })
    }
}

fn ledger(shelf: &Arc<Shelf>, lines_max: usize) -> Ledger {
    let memory: Arc<dyn Memory> = shelf.clone();
    let settings = Settings { search_lag_secs: 60, ..Settings::default() };
    let mut ledger = Ledger::new(&"crm".into(), &settings, Some(&memory));
    ledger.file = Some(Arc::new(File { memory, lag_secs: 60, lines_max, read: Mutex::default() }));
    ledger
}

fn has(id: &str) -> Note {
    Note::Has(id.into())
}

fn contacts(ledger: &Ledger, email: &str, now: i64) -> Vec<String> {
    ledger.contacts(email, now).iter().map(|id| id.to_string()).collect()
}

#[tokio::test]
async fn another_instance_knows_what_was_noted_until_the_search_does() {
    let shelf = Arc::default();
    let (one, other) = (ledger(&shelf, 10), ledger(&shelf, 10));
    assert_eq!(contacts(&other, "a@b.co", 0), [""; 0]);
    one.note("a@b.co", has("c1"), 0).await;
    one.note("a@b.co", has("c2"), 30).await;
    one.note("x@b.co", has("c1"), 30).await;
    for ledger in [&one, &other] {
        assert_eq!(contacts(ledger, "a@b.co", 59), ["c1", "c2"]);
        assert_eq!((contacts(ledger, "a@b.co", 60), contacts(ledger, "b@b.co", 60)), (vec!["c2".to_owned()], vec![]));
        assert!(ledger.is_noted("c1", 60) && !ledger.is_noted("c1", 90));
    }
    assert!(!shelf.text().contains("b.co"), "an address is not written: {}", shelf.text());
    assert!(shelf.text().starts_with("0 80305c9bb1bb2480e03894350e0a8a36 c1\n"), "{}", shelf.text());
}

#[tokio::test]
async fn what_came_of_asking_ends_it() {
    let shelf = Arc::default();
    let ledger = ledger(&shelf, 10);
    for (note, is_asked) in [(Note::Asked, true), (Note::Refused, false), (Note::Asked, true), (has("c1"), false)] {
        ledger.note("a@b.co", note, 0).await;
        assert_eq!(ledger.is_asked("a@b.co", 59), is_asked);
    }
    ledger.note("a@b.co", Note::Asked, 10).await;
    assert!(ledger.is_asked("a@b.co", 69) && !ledger.is_asked("a@b.co", 70));
}

#[tokio::test]
async fn the_file_is_written_anew_once_in_a_while_and_stays_short() {
    let shelf = Arc::default();
    let (one, other) = (ledger(&shelf, 10), ledger(&shelf, 10));
    for second in 0..1_000 {
        one.note(&format!("{second}@b.co"), has(&second.to_string()), second).await;
        assert!(shelf.text().lines().count() <= 20, "ten are kept, and as many more may stand there");
    }
    assert_eq!(shelf.writings(), 98, "once for every ten beyond the first twenty");
    assert_eq!(contacts(&other, "989@b.co", 1_000), [""; 0], "the oldest go first");
    assert_eq!(contacts(&other, "990@b.co", 1_000), ["990"]);
    // What is old goes with the next line.
    one.note("a@b.co", has("c1"), 5_000).await;
    assert_eq!(shelf.text().lines().count(), 1);
    // With room enough, it is once in a lag.
    let shelf = Arc::default();
    let one = ledger(&shelf, 1_000_000);
    for second in 0..600 {
        one.note(&format!("{second}@b.co"), has("c"), second).await;
    }
    assert_eq!(shelf.writings(), 8);
}

#[tokio::test]
async fn a_damaged_line_spoils_no_other() {
    let shelf: Arc<Shelf> = Arc::default();
    let one = ledger(&shelf, 10);
    one.note("a@b.co", has("c1"), 0).await;
    let held = shelf.hold(KEY).unwrap();
    shelf.append(KEY, "nonsense\n12 xyz c9\n0 8030").unwrap();
    drop(held);
    assert_eq!(contacts(&one, "a@b.co", 0), ["c1"]);
    one.note("x@b.co", has("c2"), 0).await;
    for ledger in [one, ledger(&shelf, 10)] {
        assert_eq!(
            (contacts(&ledger, "a@b.co", 0), contacts(&ledger, "x@b.co", 0)),
            (vec!["c1".into()], vec!["c2".into()])
        );
    }
    assert!(!shelf.text().contains("8030\n"));
}

#[tokio::test]
async fn notes_of_a_person_can_be_taken_out_with_the_addresses_they_gave_up() {
    let shelf = Arc::default();
    let ledger = ledger(&shelf, 10);
    ledger.strike("c1", Some("a@b.co"), 0).await;
    ledger.note("old@b.co", has("c1"), 0).await;
    ledger.note("a@b.co", has("c1"), 0).await;
    ledger.note("a@b.co", Note::Asked, 0).await;
    ledger.note("x@b.co", has("c2"), 0).await;
    ledger.strike("c1", Some("a@b.co"), 0).await;
    assert_eq!((contacts(&ledger, "a@b.co", 0), contacts(&ledger, "x@b.co", 0)), (vec![], vec!["c2".to_owned()]));
    assert_eq!(shelf.text().lines().count(), 1);
    ledger.strike("c2", None, 0).await;
    assert_eq!(shelf.text(), "");
}

#[tokio::test]
async fn a_clock_that_ran_ahead_keeps_nothing_open() {
    let shelf = Arc::default();
    let (one, other) = (ledger(&shelf, 10), ledger(&shelf, 10));
    one.note("a@b.co", Note::Asked, 86_400).await;
    one.note("a@b.co", Note::Asked, 86_401).await;
    for ledger in [&one, &other] {
        assert!(ledger.is_asked("a@b.co", 10) && ledger.is_asked("a@b.co", 69) && !ledger.is_asked("a@b.co", 70));
    }
}

#[tokio::test]
async fn those_at_once_are_written_together() {
    let shelf = Arc::default();
    let ledger = ledger(&shelf, 1_000);
    let notes = (0..100).map(|n| ledger.note("a@b.co", has(if n % 2 == 0 { "c1" } else { "c2" }), 0));
    futures_util::future::join_all(notes).await;
    assert_eq!(shelf.text().lines().count(), 100);
    assert_eq!(contacts(&ledger, "a@b.co", 0).len(), 100);
}

#[tokio::test]
async fn where_the_search_never_lags_nothing_is_noted() {
    let shelf: Arc<Shelf> = Arc::default();
    let memory: Arc<dyn Memory> = shelf.clone();
    let settings = Settings { search_lag_secs: 0, ..Settings::default() };
    let ledger = Ledger::new(&"crm".into(), &settings, Some(&memory));
    ledger.note("a@b.co", has("c1"), 0).await;
    assert_eq!((shelf.text(), contacts(&ledger, "a@b.co", 0)), (String::new(), vec![]));
}
