//! Single records whose bytes have changed: put aside and counted, or mended, and never handed out.

use interline::delivery::Position;
use interline::store::{Passing, Store};
use tempfile::TempDir;

use super::embedded::{check_stats, filled, ids, open, open_ids, peek};
use super::fixture::{accept, at, event, id, messages, now, pending, route, settled, story, text, waiting, wrote};

#[tokio::test]
async fn a_damaged_event_is_put_aside_and_the_others_go_on() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    accept(&store, "website", &["a", "b", "c"]).await;
    // Until they are routed, they are in memory as well.
    store.close().await;
    let flipped = "UPDATE events SET body = CAST(replace(CAST(body AS TEXT), 'u-1', 'u-3') AS BLOB) WHERE position = 2";
    assert_eq!(peek(&directory).execute(flipped, ()).unwrap(), 1);
    let store = open(&directory);
    check_stats(&store, 3, 0, 0);
    assert_eq!(messages(&store, 0, 10).await, ["a", "c"]);
    assert!(store.event(Position(2)).await.unwrap().is_none());
    check_stats(&store, 2, 0, 1);
    store.route(&[route(1, vec![]), route(3, vec![])]).await.unwrap();
    check_stats(&store, 0, 0, 1);
    store.close().await;
    let store = open(&directory);
    check_stats(&store, 0, 0, 1);
    let kept: String = peek(&directory)
        .query_row("SELECT CAST(second AS TEXT) FROM quarantine WHERE kind = 'event' AND id = 2", (), |row| row.get(0))
        .unwrap();
    assert!(kept.contains("u-3"), "{kept}");
}

#[tokio::test]
async fn every_column_of_an_event_is_covered() {
    for change in ["position = 9", "envelope = replace(envelope, 'track', 'group')", "checksum = checksum - 1"] {
        let directory = TempDir::new().unwrap();
        let store = open(&directory);
        accept(&store, "website", &["a"]).await;
        store.close().await;
        peek(&directory).execute(&format!("UPDATE events SET {change}"), ()).unwrap();
        let store = open(&directory);
        assert_eq!(messages(&store, 0, 10).await, [""; 0], "{change}");
        assert_eq!(store.stats().quarantined, 1, "{change}");
    }
}

#[tokio::test]
async fn a_damaged_last_event_does_not_free_its_position() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    accept(&store, "website", &["a", "b"]).await;
    store.close().await;
    peek(&directory).execute("UPDATE events SET checksum = 0 WHERE position = 2", ()).unwrap();
    let store = open(&directory);
    assert_eq!(messages(&store, 0, 10).await, ["a"]);
    check_stats(&store, 1, 0, 1);
    store.close().await;
    assert_eq!(open(&directory).accept(vec![event("website", "c")]).await.unwrap(), [at(3)]);
}

#[tokio::test]
async fn a_delivery_with_a_damaged_record_is_put_aside() {
    for change in ["record = replace(record, 'track_event', 'track_evens')", "destination = 'intercon'"] {
        let directory = TempDir::new().unwrap();
        let store = filled(&directory).await;
        check_stats(&store, 3, 2, 0);
        let (pending, dead) = (id(1, 0).to_number(), id(2, 1).to_number());
        let sql = format!("UPDATE deliveries SET {change} WHERE id IN ({pending}, {dead})");
        assert_eq!(peek(&directory).execute(&sql, ()).unwrap(), 2);
        assert_eq!(ids(&store, &[id(1, 0), id(1, 1), id(2, 0), id(2, 1)]).await, [id(1, 1), id(2, 0)], "{change}");
        check_stats(&store, 2, 1, 2);
        assert_eq!(open_ids(&store).await, [id(2, 0)]);
        store.close().await;
        check_stats(&open(&directory), 2, 1, 2);
    }
}

#[tokio::test]
async fn a_delivery_with_damaged_progress_starts_again_unless_it_had_ended() {
    let directory = TempDir::new().unwrap();
    let store = filled(&directory).await;
    store.settle(&[(id(1, 0), &waiting(3, true))]).await.unwrap();
    let (waiting, dead) = (id(1, 0).to_number(), id(2, 1).to_number());
    let sql = "UPDATE deliveries SET progress = replace(progress, '\"attempts\":1', '\"attempts\":2') WHERE id IN";
    assert_eq!(peek(&directory).execute(&format!("{sql} ({waiting}, {dead})"), ()).unwrap(), 2);
    let found = store.deliveries(vec![id(1, 0), id(1, 1), id(2, 0), id(2, 1)]).await.unwrap();
    assert_eq!(found.iter().map(|owed| owed.id).collect::<Vec<_>>(), [id(1, 0), id(1, 1), id(2, 0)]);
    assert_eq!(text(&found[0].progress), text(&pending()));
    assert_eq!(text(&found[1].progress), text(&story()));
    check_stats(&store, 3, 1, 2);
    let open = store.open(None, None, 1).await.unwrap();
    assert_eq!((open[0].id, open[0].until, open[0].parked), (id(1, 0), None, false));
}

#[tokio::test]
async fn a_damaged_entry_of_an_open_delivery_is_written_anew() {
    for change in ["keys = x'0000000000000000'", "until = 5", "parked = 1", "destination = 'x'", "source = 'y'"] {
        let directory = TempDir::new().unwrap();
        let store = filled(&directory).await;
        let sql = format!("UPDATE open_deliveries SET {change} WHERE id = {}", id(1, 0).to_number());
        assert_eq!(peek(&directory).execute(&sql, ()).unwrap(), 1);
        let found = store.open(None, None, 10).await.unwrap();
        assert_eq!(found.iter().map(|open| open.id).collect::<Vec<_>>(), [id(1, 0), id(2, 0)], "{change}");
        assert_eq!((&found[0].keys, found[0].until, found[0].parked), (&vec![17, u64::MAX], None, false), "{change}");
        check_stats(&store, 3, 2, 1);
    }
}

#[tokio::test]
async fn a_damaged_note_of_what_went_past_is_put_aside() {
    for change in ["value = 7", "whom = 7", "stands_at = 9", "thing = 'other'", "destination = 'x'"] {
        let directory = TempDir::new().unwrap();
        let store = filled(&directory).await;
        let past = [wrote(4, "name", 2, 2), wrote(6, "name", 2, 2)];
        let passing = Passing { destination: "intercom", wrote: &past, forget: &[] };
        store.settle_passing(&[(id(2, 0), &settled("delivered"))], passing).await.unwrap();
        assert_eq!(peek(&directory).execute(&format!("UPDATE passed SET {change} WHERE key = 4"), ()).unwrap(), 1);
        for _ in 0..2 {
            let found = [store.passed("x", &[4]).await, store.passed("intercom", &[4]).await];
            assert!(found.into_iter().all(|found| found.unwrap().is_empty()), "{change}");
            assert_eq!(store.passed("intercom", &[6]).await.unwrap(), [wrote(6, "name", 2, 2)], "{change}");
            check_stats(&store, 2, 2, 1);
        }
    }
}

#[tokio::test]
async fn a_note_for_a_destination_that_is_no_text_any_more_is_trimmed() {
    let directory = TempDir::new().unwrap();
    let store = filled(&directory).await;
    let passing = Passing { destination: "intercom", wrote: &[wrote(4, "name", 2, 2)], forget: &[] };
    store.settle_passing(&[(id(2, 0), &settled("delivered"))], passing).await.unwrap();
    let file = peek(&directory);
    assert_eq!(file.execute("UPDATE passed SET destination = CAST(x'ff' AS TEXT)", ()).unwrap(), 1);
    store.trim(now(0)).await.unwrap();
    assert!(!file.prepare("SELECT * FROM passed").unwrap().exists(()).unwrap());
}

#[tokio::test]
async fn damaged_marks_and_message_ids_are_counted_and_the_store_opens() {
    let directory = TempDir::new().unwrap();
    filled(&directory).await.close().await;
    let file = peek(&directory);
    assert_eq!(file.execute("UPDATE marks SET value = x'FF' WHERE name = 'routed'", ()).unwrap(), 1);
    assert_eq!(file.execute("UPDATE message_ids SET checksum = 1", ()).unwrap(), 1);
    drop(file);
    let store = open(&directory);
    check_stats(&store, 3, 2, 2);
    assert_eq!((store.stats().last, store.stats().routed), (Position(3), Position(2)));
    assert_eq!(store.accept(vec![event("website", "a")]).await.unwrap(), [at(4)], "it cannot know the id any more");
}

#[tokio::test]
async fn looking_through_finds_what_nobody_reads() {
    let directory = TempDir::new().unwrap();
    let store = filled(&directory).await;
    let (open_one, gone) = (id(1, 0).to_number(), id(2, 0).to_number());
    let file = peek(&directory);
    file.execute(&format!("DELETE FROM open_deliveries WHERE id = {open_one}"), ()).unwrap();
    file.execute("UPDATE events SET checksum = 0 WHERE position = 1", ()).unwrap();
    drop(file);
    store.trim(now(0)).await.unwrap();
    assert_eq!(open_ids(&store).await, [id(1, 0), id(2, 0)], "the entry was written anew");
    assert_eq!(store.stats().quarantined, 2);
    peek(&directory).execute(&format!("DELETE FROM deliveries WHERE id = {gone}"), ()).unwrap();
    assert_eq!(ids(&store, &[id(2, 0)]).await, []);
    assert_eq!(open_ids(&store).await, [id(1, 0)], "nothing waits for a delivery that is gone");
    assert_eq!(store.stats().quarantined, 3);
}
