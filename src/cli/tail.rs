//! `interline tail`: events and deliveries of a running router, as they happen.

use clap::Args;
use serde_json::Value;

use super::deliveries::why;
use super::filters::{Who, given, query};
use super::remote::Remote;
use super::{Format, Verdict, print, runtime};

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  interline tail --user-id u-1\n  interline tail --status dead_letter --format json | jq .delivery.id\n\n\
    Events show as they are routed, deliveries as they are made and as their status changes. With --destination, --mapping\n\
    or --status only deliveries show. Ends with Ctrl-C, or when the router ends.\n\n\
    Asks the admin API of a running router: --url or INTERLINE_ADMIN_URL, by default http://127.0.0.1:8081."
)]
pub(super) struct Tail {
    #[command(flatten)]
    remote: Remote,
    /// How it is printed; json is one document a line.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Only of this source.
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Only deliveries to this destination.
    #[arg(long, value_name = "NAME")]
    destination: Option<String>,
    /// Only deliveries of this mapping.
    #[arg(long, value_name = "NAME")]
    mapping: Option<String>,
    /// Only deliveries that become this: pending, waiting, delivered, skipped or dead_letter.
    #[arg(long)]
    status: Option<String>,
    #[command(flatten)]
    who: Who,
}

impl Tail {
    pub(super) fn run(self) -> anyhow::Result<Verdict> {
        let mut pairs = given([
            ("source", &self.source),
            ("destination", &self.destination),
            ("mapping", &self.mapping),
            ("status", &self.status),
        ]);
        pairs.extend(self.who.pairs());
        let api = self.remote.api_or_usual()?;
        let mut show = |line: &str| match self.format {
            Format::Json => print(line),
            Format::Human => print(readable(line)),
        };
        runtime()?.block_on(api.lines(&query("/api/tail", &pairs), &mut show))?;
        Ok(Verdict::Fine)
    }
}

/// One line for people.
fn readable(line: &str) -> String {
    let Ok(seen) = serde_json::from_str::<Value>(line) else { return line.to_owned() };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let words = if let Some(event) = seen.get("event") {
        let call = &event["call"];
        let who = ["userId", "anonymousId"].iter().find_map(|name| call[*name].as_str()).unwrap_or_default();
        let name = text(&event["name"]);
        vec![
            text(&seen["at"]),
            "event".to_owned(),
            event["position"].to_string(),
            text(&event["source"]),
            text(&event["type"]),
            name,
            who.to_owned(),
        ]
    } else if let Some(delivery) = seen.get("delivery") {
        let (id, destination, mapping) =
            (text(&delivery["id"]), text(&delivery["destination"]), text(&delivery["mapping"]));
        vec![
            text(&seen["at"]),
            "delivery".to_owned(),
            id,
            destination,
            mapping,
            text(&delivery["status"]["is"]),
            why(delivery),
        ]
    } else {
        return format!("{} lines were missed: this reader is too slow", seen["missed"]);
    };
    words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join("  ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_readable() {
        let check = |line: &str, expected: &str| assert_eq!(readable(line), expected);
        check(r#"{"missed":7}"#, "7 lines were missed: this reader is too slow");
        check(
            r#"{"at":"2026-01-31T12:00:00.000Z","event":{"position":4,"source":"website","type":"track","name":"Paid","call":{"userId":"u-1"}}}"#,
            "2026-01-31T12:00:00.000Z  event  4  website  track  Paid  u-1",
        );
        check(
            r#"{"at":"2026-01-31T12:00:00.000Z","delivery":{"id":"4.0","destination":"crm","mapping":"Track","status":{"is":"waiting","reason":"timeout"}}}"#,
            "2026-01-31T12:00:00.000Z  delivery  4.0  crm  Track  waiting  timeout",
        );
        check(
            r#"{"at":"2026-01-31T12:00:00.000Z","delivery":{"id":"4.0","destination":"crm","mapping":"Track","status":{"is":"delivered"},"carried_by":"3.0"}}"#,
            "2026-01-31T12:00:00.000Z  delivery  4.0  crm  Track  delivered  carried by 3.0",
        );
    }
}
