//! Which deliveries a caller means: the same words in a query and in a JSON body.

use url::form_urlencoded;

use crate::delivery::{Id, key};
use crate::http::problem::{Code, Problem, nearest};
use crate::instant::{self, Timestamp};
use crate::store::{self, Filter, Page, Store};

const STATUSES: [&str; 6] = ["pending", "paused", "waiting", "delivered", "skipped", "dead_letter"];
/// The conditions on dead letters.
pub(super) const CONDITIONS: [&str; 8] =
    ["destination", "mapping", "code", "since", "until", "user_id", "anonymous_id", "email"];
const LIMIT_DEFAULT: usize = 50;
/// The most that one page has.
pub(super) const LIMIT_MAX: usize = 500;
/// How often the store is asked for one page, when what is meant is rare.
const ROUNDS_MAX: usize = 25;

/// What a caller asks for.
#[derive(Debug)]
pub(super) struct Asked {
    /// Which.
    pub(super) filter: Filter,
    /// Only those that are paused.
    pub(super) paused: bool,
    /// How many, at most.
    pub(super) limit: usize,
}

impl Asked {
    /// Everything, newest first.
    pub(super) fn new() -> Asked {
        Asked { filter: Filter::default(), paused: false, limit: LIMIT_DEFAULT }
    }

    /// Reads a query. Parameters beside the conditions on dead letters are those of `more`.
    pub(super) fn of_query(query: &str, more: &[&str], now: Timestamp) -> Result<Asked, Problem> {
        let mut asked = Asked::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()).filter(|(_, value)| !value.is_empty()) {
            asked.set(&name, &value, more, now)?;
        }
        Ok(asked)
    }

    /// Takes one condition.
    pub(super) fn set(&mut self, name: &str, value: &str, more: &[&str], now: Timestamp) -> Result<(), Problem> {
        let filter = &mut self.filter;
        let text = || Some(value.to_owned());
        match name {
            _ if !CONDITIONS.contains(&name) && !more.contains(&name) => {
                let known: Vec<&str> = CONDITIONS.iter().chain(more).copied().collect();
                return Err(unknown("parameter", name, &known));
            }
            "status" if value == "paused" => self.paused = true,
            "status" if STATUSES.contains(&value) => filter.status = text(),
            "status" => return Err(unknown("status", value, &STATUSES)),
            "destination" => filter.destination = text(),
            "mapping" => filter.mapping = text(),
            "code" => filter.code = text(),
            "since" => filter.since = Some(time(name, value, now)?),
            "until" => filter.until = Some(time(name, value, now)?),
            "user_id" => filter.keys.push(key::of_user(value)),
            "anonymous_id" => filter.keys.push(key::of_anonymous(value)),
            "email" => filter.keys.push(key::of_email(value)),
            "before" => filter.before = Some(id(value)?),
            "after" => filter.after = Some(id(value)?),
            "limit" => self.limit = limit(value.parse().ok())?,
            other => unreachable!("`{other}` stands in a list of parameters and is not read"),
        }
        Ok(())
    }
}

/// Asks the store until the page is full, the end is reached, or it has looked at very many.
pub(super) async fn page(store: &dyn Store, mut filter: Filter, limit: usize) -> store::Result<Page> {
    let mut whole = Page::default();
    for _ in 0..ROUNDS_MAX {
        let part = store.list(filter.clone(), limit - whole.found.len()).await?;
        whole.found.extend(part.found);
        whole.next = part.next;
        match part.next {
            Some(next) if whole.found.len() < limit => filter = filter.continued(next),
            _ => break,
        }
    }
    Ok(whole)
}

/// How many, if it is a number that can be.
pub(super) fn limit(given: Option<usize>) -> Result<usize, Problem> {
    given
        .filter(|limit| (1..=LIMIT_MAX).contains(limit))
        .ok_or_else(|| Problem::new(Code::ParameterInvalid, format!("`limit` is not a number from 1 to {LIMIT_MAX}")))
}

/// A delivery's id.
pub(super) fn id(text: &str) -> Result<Id, Problem> {
    text.parse().map_err(|message: String| Problem::new(Code::ParameterInvalid, message))
}

/// A moment, or a time ago.
pub(super) fn time(name: &str, text: &str, now: Timestamp) -> Result<Timestamp, Problem> {
    instant::parse_or_ago(text, now).ok_or_else(|| {
        let text: String = text.chars().take(60).collect();
        let message = format!(
            "`{name}` is `{text}`; write a date, a time like 2026-01-31T12:00:00Z, or a time ago like 30m, 2h or 7d"
        );
        Problem::new(Code::ParameterInvalid, message)
    })
}

/// A refusal of a word that is not known.
pub(super) fn unknown(what: &str, word: &str, known: &[&str]) -> Problem {
    let word: String = word.chars().take(60).collect();
    let hint = match nearest(&word, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("there are {}", known.join(", ")),
    };
    Problem::new(Code::ParameterInvalid, format!("unknown {what} `{word}`, {hint}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MORE: [&str; 3] = ["status", "before", "limit"];

    fn read(query: &str) -> Result<Asked, Problem> {
        Asked::of_query(query, &MORE, instant::parse("2026-01-08T12:00:00Z").unwrap())
    }

    #[test]
    fn parameters_are_checked() {
        let asked =
            read("status=dead_letter&destination=intercom&before=7.1&limit=20&since=1d&email=A%40b.co").unwrap();
        assert_eq!(asked.filter.status.as_deref(), Some("dead_letter"));
        assert_eq!(asked.filter.destination.as_deref(), Some("intercom"));
        assert_eq!(asked.filter.before.map(|id| id.to_string()).as_deref(), Some("7.1"));
        assert_eq!(asked.filter.since, instant::parse("2026-01-07T12:00:00Z"));
        assert_eq!(asked.filter.keys, [key::of_email("a@b.co")]);
        assert_eq!((asked.limit, read("status=&limit=").unwrap().limit), (20, LIMIT_DEFAULT));
        for bad in ["status=dead", "limit=0", "limit=501", "limit=x", "before=7", "after=7.0", "state=x", "since=soon"]
        {
            assert_eq!(read(bad).map(|_| ()).unwrap_err().code, Code::ParameterInvalid, "{bad}");
        }
        assert_eq!(read("stats=x").unwrap_err().message, "unknown parameter `stats`, did you mean `status`?");
    }
}
