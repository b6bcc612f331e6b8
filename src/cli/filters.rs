//! Which deliveries a command is about, as flags.

use clap::Args;
use serde_json::{Map, Value};

/// Names and values of a query.
pub(super) type Pairs = Vec<(&'static str, String)>;

/// Conditions; all that are given must hold.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct Filters {
    /// Only of this destination.
    #[arg(long, value_name = "NAME")]
    destination: Option<String>,
    /// Only of this mapping.
    #[arg(long, value_name = "NAME")]
    mapping: Option<String>,
    /// Only with this code: of the failure, or the reason of a wait or a skip.
    #[arg(long)]
    code: Option<String>,
    /// Only of events accepted since then: a date, a time, or a time ago like 30m, 2h or 7d.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only of events accepted before then.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    #[command(flatten)]
    who: Who,
}

/// Which person a command is about.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct Who {
    /// Only of the person with this userId.
    #[arg(long, value_name = "ID")]
    user_id: Option<String>,
    /// Only of the person with this anonymousId.
    #[arg(long, value_name = "ID")]
    anonymous_id: Option<String>,
    /// Only of the person with this e-mail address.
    #[arg(long)]
    email: Option<String>,
}

impl Who {
    /// As the admin API calls them.
    pub(super) fn pairs(&self) -> Pairs {
        given([("user_id", &self.user_id), ("anonymous_id", &self.anonymous_id), ("email", &self.email)])
    }
}

/// Those that have a value.
pub(super) fn given<const N: usize>(all: [(&'static str, &Option<String>); N]) -> Pairs {
    all.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))).collect()
}

impl Filters {
    /// As the admin API calls them.
    pub(super) fn pairs(&self) -> Pairs {
        let mut pairs = given([
            ("destination", &self.destination),
            ("mapping", &self.mapping),
            ("code", &self.code),
            ("since", &self.since),
            ("until", &self.until),
        ]);
        pairs.extend(self.who.pairs());
        pairs
    }

    /// Whether none is given.
    pub(super) fn are_none(&self) -> bool {
        self.pairs().is_empty()
    }

    /// As members of a JSON body.
    pub(super) fn members(&self) -> Map<String, Value> {
        self.pairs().into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect()
    }
}

/// A path with a query.
pub(super) fn query(path: &str, pairs: &Pairs) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

/// Who types, for the record: the name they are logged in with.
pub(super) fn typist() -> String {
    let named = |variable| std::env::var(variable).ok().filter(|name| !name.is_empty());
    named("USER").or_else(|| named("LOGNAME")).unwrap_or_else(|| "the command line".to_owned())
}
