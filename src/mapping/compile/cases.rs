//! Whether the tests of a file speak of what the file has.

use crate::mapping::case::{Expected, Test};
use crate::mapping::{Mapping, Mappings};
use crate::yaml::{Problems, cut, meant};

/// Notes what is wrong with the tests of a file. `names` are those of its mappings, also of such that did not compile.
pub(super) fn check(tests: &[Test], mappings: &Mappings, names: &[&str], problems: &mut Problems) {
    for (at, test) in tests.iter().enumerate() {
        if let Some(first) = tests[..at].iter().find(|first| first.name == test.name) {
            let message = format!("a test on line {} is already called `{}`", first.place.line, cut(&test.name));
            problems.warning("duplicate_name", &test.place, &test.path, message).help("give it another name");
        }
        if test.expect.is_empty() && !test.only {
            problems
                .warning(
                    "test_empty",
                    &test.place,
                    &test.path,
                    "this test cannot fail: it expects nothing of any mapping",
                )
                .help("name a mapping in `expect`, or take out `only: false` to say that none matches");
        }
        check_source(test, mappings, problems);
        for (at, expected) in test.expect.iter().enumerate() {
            if test.expect[..at].iter().any(|other| other.mapping == expected.mapping) {
                let message = format!("`{}` stands in this `expect` twice", cut(&expected.mapping));
                let help = "an event gives a mapping one payload; put all of it into one item";
                problems.error("duplicate_name", &expected.place, &expected.path, message).help(help);
            }
            match mappings.get(&expected.mapping) {
                Some(mapping) => check_expected(expected, mapping, problems),
                None if names.contains(&expected.mapping.as_str()) => {}
                None => {
                    let message = format!("no mapping is called `{}`", cut(&expected.mapping));
                    let help = meant(&expected.mapping, names.iter().copied());
                    problems.error("unknown_mapping", &expected.place, &expected.path, message).help(help);
                }
            }
        }
    }
}

fn check_source(test: &Test, mappings: &Mappings, problems: &mut Problems) {
    let (Some(source), Some(sources)) = (&test.source, &mappings.sources) else { return };
    if !sources.contains(source) && !test.expect.is_empty() {
        let message = format!("this destination takes no events of `{}`, so nothing can match", cut(source));
        let help = meant(source, sources.iter().map(String::as_str));
        problems.warning("test_empty", &test.place, &test.path, message).help(help);
    }
}

fn check_expected(expected: &Expected, mapping: &Mapping, problems: &mut Problems) {
    if !mapping.enabled {
        let message = format!("`{}` is switched off; the test runs it as if it were on", cut(&mapping.name));
        problems.warning("test_of_disabled", &expected.place, &expected.path, message);
    }
    let asks = expected.payload.is_some()
        || expected.error.is_some()
        || expected.warnings.is_some()
        || expected.outcome.is_some()
        || expected.requests.is_some();
    if !expected.matched && asks {
        let message = "nothing else can be expected of a mapping that does not match";
        problems
            .error("value_invalid", &expected.place, &expected.path, message)
            .help("take out `matched: false`, or everything beside it");
    }
    if expected.error.is_some() && expected.payload.is_some() {
        let message = "a mapping gives a payload or an error, never both";
        problems.error("value_invalid", &expected.place, &expected.path, message).help("take out one of the two");
    }
    let members = expected.payload.as_ref().and_then(|payload| payload.as_map()).unwrap_or_default();
    for (key, _) in members.iter().filter(|(key, _)| mapping.action.field(&key.name).is_none()) {
        let message = format!("`{}` has no field `{}`", mapping.action.name, cut(&key.name));
        let path = format!("{}.payload.{}", expected.path.trim_end_matches(".mapping"), key.name);
        let help = meant(&key.name, mapping.action.fields.iter().map(|field| field.name.as_str()));
        problems.error("unknown_field", &key.place, &path, message).help(help);
    }
}
