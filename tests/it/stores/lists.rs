//! Lists of deliveries: filtered by everything, newest first, in pages.

use interline::delivery::Delivery;
use interline::store::{Filter, Page, Store};

use super::fixture::{Place, accept, delivery, each, event_at, id, now, pending, route, settled, waiting};

#[tokio::test]
async fn lists_are_filtered_newest_first() {
    each(async |place: Place| {
        let store = place.open();
        accept(&*store, "website", &["a", "b", "c", "d", "e"]).await;
        let one = |position, name: &str, progress| route(position, vec![(delivery("website", name), progress)]);
        store
            .route(&[
                one(1, "intercom", pending()),
                one(2, "intercom", settled("dead_letter")),
                one(3, "other", settled("dead_letter")),
                one(4, "intercom", settled("skipped")),
                one(5, "other", waiting(1, false)),
            ])
            .await
            .unwrap();
        store.settle(&[(id(1, 0), &settled("delivered"))]).await.unwrap();
        check_list(&*store, None, None, None, &[5, 4, 3, 2, 1]).await;
        check_list(&*store, Some("dead_letter"), None, None, &[3, 2]).await;
        check_list(&*store, Some("dead_letter"), Some("intercom"), None, &[2]).await;
        check_list(&*store, Some("dead_letter"), None, Some(3), &[2]).await;
        check_list(&*store, None, Some("intercom"), None, &[4, 2, 1]).await;
        check_list(&*store, None, Some("intercom"), Some(4), &[2, 1]).await;
        check_list(&*store, Some("delivered"), None, None, &[1]).await;
        check_list(&*store, Some("skipped"), None, None, &[4]).await;
        check_list(&*store, Some("waiting"), Some("other"), None, &[5]).await;
        check_list(&*store, Some("waiting"), Some("intercom"), None, &[]).await;
        check_list(&*store, Some("pending"), None, None, &[]).await;
        check_list(&*store, Some("lost"), None, None, &[]).await;
        check_list(&*store, None, Some("nobody"), None, &[]).await;
        assert_eq!(store.list(Filter::default(), 2).await.unwrap().found.len(), 2);
    })
    .await;
}

pub async fn check_list(
    store: &dyn Store,
    status: Option<&str>,
    destination: Option<&str>,
    before: Option<u64>,
    expected: &[u64],
) {
    let filter = Filter {
        status: status.map(str::to_owned),
        destination: destination.map(str::to_owned),
        before: before.map(|position| id(position, 0)),
        ..Filter::default()
    };
    let found = store.list(filter.clone(), 10).await.unwrap().found;
    assert_eq!(found.iter().map(|owed| owed.id.position.0).collect::<Vec<_>>(), expected, "{filter:?}");
}

/// Twelve deliveries of hours 0 to 11; every third is dead, and every second is about another person.
async fn many(store: &dyn Store) {
    for hour in 0..12 {
        store.accept(vec![event_at("website", &format!("m{hour}"), now(hour))]).await.unwrap();
        let mapping = if hour < 6 { "Early" } else { "Late" };
        let one = Delivery {
            mapping: mapping.into(),
            accepted_at: now(hour),
            keys: vec![hour as u64 % 2, 100],
            ..delivery("website", "intercom")
        };
        let progress = if hour % 3 == 0 { settled("dead_letter") } else { settled("delivered") };
        store.route(&[route(hour as u64 + 1, vec![(one, progress)])]).await.unwrap();
    }
}

#[tokio::test]
async fn a_list_is_filtered_by_everything_and_in_pages() {
    each(async |place: Place| {
        let store = place.open();
        many(&*store).await;
        let store = place.reopen(store).await;
        let all = Filter::default;
        let text = |text: &str| Some(text.to_owned());
        check_filter(&*store, Filter { mapping: text("Late"), ..all() }, &[12, 11, 10, 9, 8, 7]).await;
        check_filter(&*store, Filter { code: text("payload_invalid"), ..all() }, &[10, 7, 4, 1]).await;
        check_filter(&*store, Filter { code: text("payload_invalid"), mapping: text("Late"), ..all() }, &[10, 7]).await;
        let dead = || Filter { status: text("dead_letter"), ..all() };
        check_filter(&*store, Filter { keys: vec![1], ..dead() }, &[10, 4]).await;
        check_filter(&*store, Filter { keys: vec![1, 100], oldest_first: true, ..dead() }, &[4, 10]).await;
        check_filter(&*store, Filter { keys: vec![1, 0], ..all() }, &[]).await;
        let any_key = Some(std::sync::Arc::new([7, 0].into()));
        check_filter(&*store, Filter { any_key, since: Some(now(8)), ..all() }, &[11, 9]).await;
        check_filter(&*store, Filter { since: Some(now(3)), until: Some(now(6)), ..all() }, &[6, 5, 4]).await;
        check_filter(&*store, Filter { since: Some(now(12)), ..all() }, &[]).await;
        check_filter(&*store, Filter { until: Some(now(0)), ..all() }, &[]).await;
        check_filter(&*store, Filter { after: Some(id(3, 0)), before: Some(id(6, 0)), ..all() }, &[5, 4]).await;
        check_filter(&*store, Filter { after: Some(id(6, 0)), before: Some(id(3, 0)), ..all() }, &[]).await;
        check_filter(&*store, Filter { actions: vec!["identify_contact".into()], ..all() }, &[]).await;
        check_filter(&*store, Filter { actions: vec!["track_event".into()], keys: vec![1], ..dead() }, &[10, 4]).await;
    })
    .await;
}

/// The same in one page and in pages of two.
async fn check_filter(store: &dyn Store, filter: Filter, expected: &[u64]) {
    let positions = |page: &Page| page.found.iter().map(|owed| owed.id.position.0).collect::<Vec<_>>();
    assert_eq!(positions(&store.list(filter.clone(), 100).await.unwrap()), expected, "{filter:?}");
    let (mut found, mut next) = (Vec::new(), Some(filter.clone()));
    while let Some(filter) = next {
        let page = store.list(filter.clone(), 2).await.unwrap();
        found.extend(positions(&page));
        next = page.next.map(|last| filter.continued(last));
    }
    assert_eq!(found, expected, "{filter:?} in pages");
}
