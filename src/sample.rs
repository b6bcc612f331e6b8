//! A stream of events as a B2B product sends them: for demos, trials and benchmarks. The same seed gives the same stream.
//!
//! Of 10,000 events about 7,000 are track calls, 1,600 identify, 860 group and 580 page calls, of 2,000 people of whom few
//! are very busy (Zipf); an event has about 840 bytes. They come as visits do: each begins with an identify call, as a page
//! that loads makes one, and some twenty visits go on at once. One person in seventeen is known by e-mail address alone.

use std::time::Duration;

use serde_json::{Value, json};

use crate::instant::{self, Timestamp};

/// How many people there are.
pub const PEOPLE: usize = 2_000;
const COMPANIES: usize = 225;
/// Visits that go on at once.
const VISITS: usize = 20;
/// Events of a visit, at most; half as many on average.
const VISIT_MAX: u32 = 20;
/// Of so many people one has no user id.
const VISITORS: usize = 17;
const EVENTS: &[&str] = &[
    "Report Viewed",
    "Project Created",
    "Task Completed",
    "Invite Sent",
    "File Uploaded",
    "Comment Added",
    "Search Performed",
    "Order Completed",
    "Export Started",
    "Integration Connected",
    "Trial Extended",
    "Seat Added",
];
const PLANS: &[&str] = &["free", "starter", "business", "enterprise"];
const PAGES: &[&str] = &["/dashboard", "/projects", "/reports", "/settings/billing", "/team"];
const FIRST: &[&str] = &["Ada", "Grace", "Linus", "Barbara", "Edsger", "Radia", "Ken", "Margaret", "Alan", "Frances"];
const LAST: &[&str] =
    &["Okafor", "Lindqvist", "Moreau", "Tanaka", "Novak", "Silva", "Haddad", "Kaya", "Jensen", "Rossi"];

/// A person's stay.
struct Visit {
    person: usize,
    /// Events that are still to come.
    left: u32,
    has_begun: bool,
}

/// An endless stream.
pub struct Sample {
    luck: fastrand::Rng,
    busy: Vec<f64>,
    visits: Vec<Visit>,
    number: u64,
    at: Timestamp,
}

impl Sample {
    /// The stream of a seed; its first event happens at `start`.
    pub fn new(seed: u64, start: Timestamp) -> Sample {
        let mut sum = 0.0;
        let busy = (0..PEOPLE).map(|rank| {
            sum += 1.0 / (rank + 1) as f64;
            sum
        });
        Sample { busy: busy.collect(), luck: fastrand::Rng::with_seed(seed), visits: Vec::new(), number: 0, at: start }
    }

    fn person(&mut self) -> usize {
        let point = self.luck.f64() * self.busy[PEOPLE - 1];
        self.busy.partition_point(|sum| *sum < point).min(PEOPLE - 1)
    }

    fn pick<'l>(&mut self, list: &[&'l str]) -> &'l str {
        list[self.luck.usize(..list.len())]
    }

    /// Whose turn it is, and whether it is the first call of a visit.
    fn turn(&mut self) -> (usize, bool) {
        while self.visits.len() < VISITS {
            let visit = Visit { person: self.person(), left: self.luck.u32(1..VISIT_MAX), has_begun: false };
            self.visits.push(visit);
        }
        let at = self.luck.usize(..VISITS);
        let visit = &mut self.visits[at];
        let turn = (visit.person, !visit.has_begun);
        visit.has_begun = true;
        visit.left -= 1;
        if visit.left == 0 {
            self.visits.swap_remove(at);
        }
        turn
    }

    fn call(&mut self, person: usize, is_first: bool) -> Value {
        if is_first {
            return self.identify(person);
        }
        match self.luck.u32(..1000) {
            0..66 => self.identify(person),
            66..161 => self.group(person),
            161..225 => self.page(),
            _ => self.track(person),
        }
    }

    fn identify(&mut self, person: usize) -> Value {
        let (first, last) = (FIRST[person % FIRST.len()], LAST[person / FIRST.len() % LAST.len()]);
        json!({"type": "identify", "traits": {
            "email": email(person), "firstName": first, "lastName": last, "name": format!("{first} {last}"),
            "phone": format!("+1555{person:07}"), "plan": PLANS[person % PLANS.len()], "seats": self.luck.u32(1..200),
            "createdAt": "2024-05-01T09:30:00.000Z", "role": "admin", "language": "en",
        }})
    }

    fn group(&mut self, person: usize) -> Value {
        let company = person % COMPANIES;
        json!({"type": "group", "groupId": format!("company-{company}"), "traits": {
            "name": format!("Company {company}"), "plan": PLANS[company % PLANS.len()], "employees": 10 + company * 3,
            "industry": "Software", "website": format!("https://company-{company}.example.com"), "monthly_spend": company * 20,
            "createdAt": "2023-01-15T00:00:00.000Z",
        }})
    }

    fn page(&mut self) -> Value {
        let path = self.pick(PAGES);
        json!({"type": "page", "name": "App", "properties": {"path": path, "title": "Interline sample", "referrer": ""}})
    }

    fn track(&mut self, person: usize) -> Value {
        let event = self.pick(EVENTS);
        let mut properties = json!({
            "feature": self.pick(PAGES), "duration_ms": self.luck.u32(20..9000), "success": self.luck.bool(),
            "project_id": format!("prj_{}", self.luck.u32(..500)), "plan": self.pick(PLANS), "version": "4.12.0",
            "experiment": {"name": "onboarding", "variant": self.pick(&["a", "b"])},
        });
        if event == "Order Completed" {
            properties["revenue"] = json!(f64::from(self.luck.u32(500..50_000)) / 100.0);
            properties["currency"] = json!("USD");
            properties["order_id"] = json!(format!("ord_{}", self.number));
        }
        if is_visitor(person) {
            properties["email"] = json!(email(person));
        }
        json!({"type": "track", "event": event, "properties": properties})
    }
}

impl Iterator for Sample {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        let (person, is_first) = self.turn();
        let mut event = self.call(person, is_first);
        self.number += 1;
        self.at += Duration::from_millis(self.luck.u64(1..3_000));
        event["messageId"] = json!(format!("sample-{:016x}-{}", self.luck.u64(..), self.number));
        if !is_visitor(person) {
            event["userId"] = json!(format!("user-{person}"));
        }
        event["anonymousId"] = json!(format!("{:08x}-0000-4000-8000-{person:012x}", person * 7919));
        event["timestamp"] = json!(instant::to_text(self.at));
        event["integrations"] = json!({});
        event["context"] = json!({
            "library": {"name": "analytics.js", "version": "next-1.84.3"}, "locale": "en-US", "timezone": "Europe/Berlin",
            "userAgent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36",
            "page": {"path": "/dashboard", "url": "https://app.example.com/dashboard", "search": "", "title": "Dashboard"},
            "traits": {"email": email(person)},
        });
        Some(event.to_string())
    }
}

/// Whether a person is known by e-mail address alone.
fn is_visitor(person: usize) -> bool {
    person % VISITORS == VISITORS - 1
}

fn email(person: usize) -> String {
    format!("person{person}@company-{}.example.com", person % COMPANIES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_a_stream_of_the_stated_shape() {
        let stream = |seed| Sample::new(seed, Timestamp::UNIX_EPOCH).take(10_000).collect::<Vec<_>>();
        let events = stream(1);
        assert_eq!(events, stream(1));
        assert_ne!(events, stream(2));
        let share = |kind: &str| events.iter().filter(|event| event.contains(&format!(r#""type":"{kind}""#))).count();
        let near =
            |kind: &str, wanted: usize| assert!(share(kind).abs_diff(wanted) < wanted / 8, "{kind}: {}", share(kind));
        near("track", 6_970);
        near("identify", 1_593);
        near("group", 859);
        near("page", 578);
        let bytes = events.iter().map(String::len).sum::<usize>() / events.len();
        assert!((760..920).contains(&bytes), "{bytes} bytes an event");
    }
}
