//! What is written from the code stands in the project as the code would write it now.

use std::path::Path;

#[test]
fn schemas_and_tables_are_up_to_date() {
    let bless = std::env::var_os("BLESS").is_some();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut stale = Vec::new();
    for generated in interline::generate::ALL {
        let (path, wanted) = (root.join(generated.path), (generated.content)());
        if std::fs::read_to_string(&path).ok().as_deref() == Some(&wanted) {
            continue;
        }
        match bless {
            true => std::fs::write(&path, wanted).unwrap(),
            false => stale.push(generated.path),
        }
    }
    assert!(stale.is_empty(), "{stale:?} are not what the code would write; BLESS=1 cargo test --test it generated");
}

#[test]
fn every_reference_in_a_schema_leads_somewhere() {
    for generated in interline::generate::ALL.iter().filter(|generated| generated.name.is_some()) {
        let schema: serde_json::Value = serde_json::from_str(&(generated.content)()).unwrap();
        let mut open = vec![&schema];
        while let Some(value) = open.pop() {
            if let Some(reference) = value.get("$ref").and_then(serde_json::Value::as_str) {
                let found = reference.strip_prefix('#').and_then(|pointer| schema.pointer(pointer));
                assert!(found.is_some(), "{}: {reference} leads nowhere", generated.path);
            }
            match value {
                serde_json::Value::Object(members) => open.extend(members.values()),
                serde_json::Value::Array(items) => open.extend(items),
                _ => {}
            }
        }
    }
}
