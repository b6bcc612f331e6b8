//! What a workspace holds in the end, so that two of them can be compared.

use std::collections::BTreeMap;

use serde_json::Value;

/// What is not the same although everything is: when it was written, and how often.
const PASSING: [&str; 5] = ["created_at", "updated_at", "last_request_at", "merged_at", "repeats"];

/// A state without what passes, and with names in the place of Intercom's ids.
pub fn lasting(mut state: Value) -> Value {
    let mut names = BTreeMap::new();
    for (list, members) in [("contacts", ["external_id", "email"]), ("companies", ["company_id", "name"])] {
        for item in state[list].as_array().unwrap() {
            let name = members.iter().find_map(|member| item[*member].as_str()).unwrap_or_default();
            names.insert(item["id"].as_str().unwrap().to_owned(), format!("{name} of {list}"));
        }
    }
    for (id, name) in state["tags"].as_array().unwrap().iter().map(|tag| (&tag["id"], &tag["name"])) {
        names.insert(id.as_str().unwrap_or_default().to_owned(), format!("tag {name}"));
    }
    state["tags"].take();
    renamed(&mut state, &names);
    for list in ["contacts", "companies", "events"] {
        state[list].as_array_mut().unwrap().sort_by_key(|item| {
            let mut item = item.clone();
            // The one thing that may differ, so it must not decide about the order.
            item.as_object_mut().unwrap().remove("last_seen_at");
            item.to_string()
        });
    }
    state
}

fn renamed(value: &mut Value, names: &BTreeMap<String, String>) {
    match value {
        Value::String(text) => {
            if let Some(name) = names.get(text) {
                *text = name.clone();
            }
        }
        Value::Array(items) => {
            items.iter_mut().for_each(|item| renamed(item, names));
            items.sort_by_key(Value::to_string);
        }
        Value::Object(members) => {
            members.retain(|name, _| !PASSING.contains(&name.as_str()) && name != "url");
            members.values_mut().for_each(|member| renamed(member, names));
        }
        _ => {}
    }
}

/// Takes the last sights out: they may be older, by less than the interval.
fn sights(state: &mut Value) -> Vec<Option<i64>> {
    let contacts = state["contacts"].as_array_mut().unwrap();
    contacts.iter_mut().map(|contact| contact["last_seen_at"].take().as_i64()).collect()
}

/// What differs in the end.
pub fn difference(mut on: Value, mut off: Value) -> Option<String> {
    let (seen_on, seen_off) = (sights(&mut on), sights(&mut off));
    if on != off {
        return Some(format!("with economies {on:#}\nwithout {off:#}"));
    }
    let is_near = |(on, off): (&Option<i64>, &Option<i64>)| match (on, off) {
        (Some(on), Some(off)) => (0..300).contains(&(off - on)),
        (on, off) => on == off,
    };
    let is_same = seen_on.iter().zip(&seen_off).all(is_near);
    (!is_same).then(|| format!("seen with economies {seen_on:?}, without {seen_off:?}"))
}
