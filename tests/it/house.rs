//! The house stands as drawn: imports run downward only, and the outside world ends where `src/lib.rs` says.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The rows, lowest first. A room imports from rows below its own.
const ROWS: &[&[&str]] = &[
    &["json", "metrics", "telemetry"],
    &["instant", "yaml"],
    &["event", "action", "sample"],
    &["mapping", "delivery"],
    &["store", "destination"],
    &["sandbox", "router", "http", "import"],
    &["settings"],
    &["app", "generate"],
    &["cli"],
];

/// Crates that only some rooms may name, by the start of their path below `src/`.
const OUTSIDE: &[(&str, &[&str])] = &[
    ("actix_web", &["http/", "sandbox/"]),
    ("actix_cors", &["http/"]),
    ("rusqlite", &["store/sqlite/"]),
    ("reqwest", &["destination/http.rs", "destination/intercom/client.rs"]),
    ("serde_saphyr", &["yaml.rs", "yaml/", "mapping/file.rs", "settings.rs"]),
    ("prometheus", &["metrics.rs", "http/ops.rs"]),
    ("anyhow", &["main.rs", "app.rs", "cli/"]),
    ("clap", &["main.rs", "cli/"]),
    ("notify", &["cli/watch.rs"]),
];

/// Files on a shelf that are not kinds but parts of the contract.
const CONTRACT: &[&str] = &["mod", "arguments", "backlog", "filter", "live", "removal"];

/// Folders whose files are kinds of one thing: each knows the contract in `mod.rs` and none of its neighbours.
const SHELVES: &[&str] = &["mapping/directive", "destination/intercom/actions", "store"];

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Every Rust file below `src/`: its path from there, and its text without comments and tests.
fn files() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![source()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(source()).unwrap().to_str().unwrap().to_owned();
                found.insert(name, code(&fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found
}

/// What runs: no comments, and nothing from the first `#[cfg(test)]` on a module with a body.
fn code(text: &str) -> String {
    let end = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
    let lines = text[..end].lines().map(|line| line.split("//").next().unwrap_or_default());
    lines.collect::<Vec<_>>().join("\n")
}

fn room(file: &str) -> &str {
    file.split('/').next().unwrap().trim_end_matches(".rs")
}

fn row(room: &str) -> Option<usize> {
    ROWS.iter().position(|rooms| rooms.contains(&room))
}

/// The rooms that a file names as `crate::room`.
fn imports(text: &str) -> BTreeSet<String> {
    let after = text.match_indices("crate::").map(|(at, found)| &text[at + found.len()..]);
    let mut rooms = BTreeSet::new();
    for rest in after {
        let group = rest.strip_prefix('{').and_then(|rest| rest.split('}').next());
        for name in group.unwrap_or(rest).split(',').take(if group.is_some() { usize::MAX } else { 1 }) {
            rooms.insert(name.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
        }
    }
    rooms
}

#[test]
fn imports_run_downward() {
    let mut upward = Vec::new();
    for (file, text) in files() {
        let Some(own) = row(room(&file)) else { continue };
        for name in imports(&text) {
            if name != room(&file) && row(&name).is_some_and(|other| other >= own) {
                upward.push(format!("src/{file} (row {own}) imports crate::{name} (row {})", row(&name).unwrap()));
            }
        }
    }
    assert!(upward.is_empty(), "imports that do not run downward:\n{}", upward.join("\n"));
}

#[test]
fn every_room_stands_in_a_row() {
    let unknown: BTreeSet<String> = files()
        .into_keys()
        .map(|file| room(&file).to_owned())
        .filter(|room| row(room).is_none() && !["lib", "main", "tests"].contains(&&**room))
        .collect();
    assert!(unknown.is_empty(), "rooms that tests/it/house.rs does not know: {unknown:?}");
}

#[test]
fn the_outside_world_ends_where_it_should() {
    let mut strays = Vec::new();
    for (file, text) in files() {
        for (name, homes) in OUTSIDE {
            let used = text.contains(&format!("{name}::"));
            if used && !homes.iter().any(|home| file.starts_with(home)) {
                strays.push(format!("src/{file} names {name}, which only {homes:?} may"));
            }
        }
    }
    assert!(strays.is_empty(), "{}", strays.join("\n"));
}

#[test]
fn kinds_on_a_shelf_do_not_know_each_other() {
    let files = files();
    let mut nosy = Vec::new();
    for shelf in SHELVES {
        let on_shelf = |file: &&String| file.starts_with(&format!("{shelf}/"));
        let kind = |file: &str| file[shelf.len() + 1..].split('/').next().unwrap().trim_end_matches(".rs").to_owned();
        let kinds: BTreeSet<String> = files.keys().filter(on_shelf).map(|file| kind(file)).collect();
        for file in files.keys().filter(on_shelf).filter(|file| !CONTRACT.contains(&&*kind(file))) {
            for other in kinds.iter().filter(|other| **other != kind(file) && !CONTRACT.contains(&&***other)) {
                let path = format!("{}::{other}::", shelf.replace('/', "::"));
                if files[file].contains(&path) || files[file].contains(&format!("super::{other}::")) {
                    nosy.push(format!("src/{file} knows its neighbour {other}"));
                }
            }
        }
    }
    assert!(nosy.is_empty(), "{}", nosy.join("\n"));
}

#[test]
fn every_file_says_what_it_is() {
    let mut silent = Vec::new();
    let mut folders = vec![source(), source().with_file_name("tests")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs")
                && !fs::read_to_string(&path).unwrap().starts_with("//! ")
            {
                silent.push(path);
            }
        }
    }
    assert!(silent.is_empty(), "files without a first line that says what they are: {silent:#?}");
}

#[test]
fn the_top_level_holds_nothing_else() {
    const ALLOWED: &[&str] = &[
        "Cargo.toml",
        "Cargo.lock",
        "LICENSE",
        "CHANGELOG.md",
        "README.md",
        "src",
        "mappings",
        "schemas",
        "tests",
        "deploy",
    ];
    const MADE: &[&str] = &["target", "data"];
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let names = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let other: Vec<String> = names
        .filter(|name| !name.starts_with('.') && !ALLOWED.contains(&&**name) && !MADE.contains(&&**name))
        .collect();
    assert!(other.is_empty(), "{other:?} do not belong at the top level");
    for name in ALLOWED {
        assert!(root.join(name).exists(), "{name} is missing");
    }
}
