//! Hashes of whom an event is about: deliveries to one destination that share one go in order.
//!
//! Equal for equal ids whatever the call; kept in deliveries, so never changed.

use std::collections::BTreeSet;
use std::hash::Hasher;

use siphasher::sip::SipHasher13;

use crate::event::{ANONYMOUS, COMPANY, EMAIL, Kind, USER, names};
use crate::json::Json;

/// The keys of everybody an event names, in ascending order.
pub fn keys(event: &Json<'_>, kind: Kind) -> Vec<u64> {
    let keys: BTreeSet<u64> = names(event, kind).iter().map(|(space, name)| hash(space, name)).collect();
    keys.into_iter().collect()
}

/// The key of a `userId`.
pub fn of_user(id: &str) -> u64 {
    hash(USER, id)
}

/// The key of an `anonymousId`.
pub fn of_anonymous(id: &str) -> u64 {
    hash(ANONYMOUS, id)
}

/// The key of an e-mail address, however it is spelled.
pub fn of_email(address: &str) -> u64 {
    hash(EMAIL, &address.trim().to_lowercase())
}

/// Whether the key is that of a company.
pub fn is_company(key: u64) -> bool {
    key % 2 == 1
}

/// A key: even for a person, odd for a company.
fn hash(space: &str, id: &str) -> u64 {
    let mut hasher = SipHasher13::new();
    hasher.write(space.as_bytes());
    hasher.write_u8(0xff);
    hasher.write(id.as_bytes());
    hasher.finish() & !1 | u64::from(space == COMPANY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    fn keys_of((kind, text): (Kind, &str)) -> Vec<u64> {
        keys(&json::parse(text.as_bytes()).unwrap(), kind)
    }

    #[track_caller]
    fn check_shared(one: (Kind, &str), other: (Kind, &str), expected: bool) {
        let (one_keys, other_keys) = (keys_of(one), keys_of(other));
        assert_eq!(one_keys.iter().any(|key| other_keys.contains(key)), expected, "{} / {}", one.1, other.1);
    }

    #[test]
    fn events_of_one_person_share_a_key() {
        let track = |text| (Kind::Track, text);
        check_shared(track(r#"{"userId":"1"}"#), track(r#"{"userId":"1"}"#), true);
        check_shared(track(r#"{"userId":"1"}"#), track(r#"{"anonymousId":"1"}"#), false);
        check_shared(track(r#"{"userId":"1","anonymousId":"a"}"#), track(r#"{"anonymousId":"a"}"#), true);
        check_shared(
            track(r#"{"properties":{"email":"A@b.co"}}"#),
            (Kind::Identify, r#"{"userId":"2","traits":{"email":"a@B.co "}}"#),
            true,
        );
        check_shared((Kind::Alias, r#"{"userId":"2","previousId":"a"}"#), track(r#"{"anonymousId":"a"}"#), true);
        check_shared(
            (Kind::Group, r#"{"userId":"1","groupId":"g"}"#),
            (Kind::Group, r#"{"userId":"2","groupId":"g"}"#),
            true,
        );
        check_shared(
            (Kind::Group, r#"{"userId":"1","traits":{"email":"info@acme.co"}}"#),
            (Kind::Group, r#"{"userId":"2","traits":{"email":"info@acme.co"}}"#),
            false,
        );
    }

    #[test]
    fn a_name_that_is_asked_for_has_the_key_of_the_event() {
        let found = keys_of((Kind::Identify, r#"{"userId":"1","anonymousId":"a","traits":{"email":"A@b.co"}}"#));
        for key in [of_user("1"), of_anonymous("a"), of_email(" a@B.co")] {
            assert!(found.contains(&key) && !is_company(key));
        }
        assert!(keys_of((Kind::Group, r#"{"groupId":"g"}"#)).into_iter().all(is_company));
    }
}
