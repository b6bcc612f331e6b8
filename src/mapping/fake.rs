//! A made-up destination with an action that has a field of every kind, for the tests of this room.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::action::{self, Action, Definition, Email, Facts, Outcome, Patch, Timestamp, Unfit, Warning, WebUrl};
use crate::json::Object;
use crate::mapping::compile::{Compiled, Known, compile};
use crate::yaml::{Lookup, Missing, Problems};

/// Who someone is.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Role {
    User,
    Lead,
}

/// Greets someone.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only its facts are used")]
struct Greet {
    /// What they are.
    #[schemars(extend("x-default" = {"$if": {"exists": "$.userId", "then": "user", "else": "lead"}}))]
    role: Role,
    /// Your own id for them.
    #[schemars(extend("x-default" = "$.userId"))]
    id: Option<String>,
    /// Where to write to.
    #[schemars(extend("x-default" = {"$first": ["$.traits.email", "$.context.traits.email"]}))]
    #[serde(default)]
    email: Patch<Email>,
    /// A picture.
    #[schemars(extend("x-default" = "$.traits.avatar"))]
    avatar: Option<WebUrl>,
    /// How much.
    score: Option<f64>,
    /// How many.
    #[schemars(extend("x-default" = "$.traits.seats"))]
    seats: Option<i64>,
    /// Whether they want none of it.
    quiet: Option<bool>,
    /// When.
    #[schemars(extend("x-default" = "$.timestamp"))]
    seen_at: Timestamp,
    /// Anything else.
    #[schemars(extend("x-default" = "$.properties"))]
    #[serde(default)]
    facts: Map<String, Value>,
    /// Words.
    tags: Option<Vec<String>>,
    /// Whatever.
    extra: Option<Value>,
}

impl Action for Greet {
    type Client = ();
    const NAME: &'static str = "greet";
    const TRIGGER: Option<&'static str> = Some(r#"type = "identify""#);

    fn fit(fields: &mut Object<'_>, warnings: &mut Vec<Warning>) -> Result<(), Unfit> {
        if fields.get("id").is_none() && fields.get("email").is_none() {
            return Err(Unfit::new("nobody", "id", "neither id nor email"));
        }
        if fields.remove("quiet").is_some() {
            warnings.push(Warning::new("quiet", "unheard", "nobody listens"));
        }
        Ok(())
    }

    async fn perform(self, _: &()) -> action::Result {
        Ok(Outcome::Delivered(Vec::new()))
    }
}

/// Says goodbye.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only its facts are used")]
struct Leave {
    /// Your own id for them.
    id: String,
}

impl Action for Leave {
    type Client = ();
    const NAME: &'static str = "leave";
    const TRIGGER: Option<&'static str> = Some(r#"type = "track" and event = "Left""#);

    async fn perform(self, _: &()) -> action::Result {
        Ok(Outcome::Delivered(Vec::new()))
    }
}

static GREET: LazyLock<Facts> = LazyLock::new(|| Definition::of::<Greet>().facts);
static LEAVE: LazyLock<Facts> = LazyLock::new(|| Definition::of::<Leave>().facts);

/// The facts of an action with a field of every kind.
pub(super) fn facts() -> &'static Facts {
    &GREET
}

/// Compiles a file for the made-up destination `fake`, with sources `web` and `app`.
pub(super) fn compiled(text: &str) -> Result<Compiled, Problems> {
    let environment = BTreeMap::from([("TOKEN", "s3cret")]);
    let known = Known {
        destinations: &[("fake", vec![&*GREET, &*LEAVE]), ("other", vec![])],
        sources: Some(&["web", "app"]),
        check_settings: &|_, _, _| (),
        lookup: Lookup {
            environment: &|name| environment.get(name).map(|value| value.to_string()),
            file: &|_| Err("no such file".to_owned()),
            missing: Missing::RefusedWhenOn,
        },
    };
    compile(text, "mappings/people.yaml", &known)
}
