//! Who performs an action: this command, or a running router.

use anyhow::{Context, anyhow, bail};
use serde_json::Value;

use crate::action::Facts;
use crate::cli::local::{Described, Where};
use crate::cli::remote::{Api, Remote, good, segment};
use crate::destination::{self, Destination, Done, Performed, intercom};
use crate::json::{Json, Object};
use crate::mapping;

/// The way an action goes.
pub(super) enum Door {
    /// From here to the destination.
    Direct(Box<Described>, Box<dyn Destination>),
    /// Through a running router's admin API, to the destination of this name.
    Remote(Box<Api>, String),
}

/// The name of the only destination that a running router has on.
async fn only_one(api: &Api) -> anyhow::Result<String> {
    let answer = api.get("/api/destinations").await?;
    let on = answer["destinations"].as_array().into_iter().flatten().filter(|one| one["kind"].is_string());
    let names: Vec<&str> = on.filter_map(|one| one["name"].as_str()).collect();
    match names.as_slice() {
        [only] => Ok((*only).to_owned()),
        [] => bail!("the router has no destination that is switched on"),
        several => bail!("there are several destinations ({}): name one with --destination", several.join(", ")),
    }
}

impl Door {
    /// The running router, when one is named; else the destination file.
    pub(super) async fn open(remote: &Remote, place: &Where, destination: Option<&str>) -> anyhow::Result<Door> {
        if let Some(api) = remote.api()? {
            let name = match destination {
                Some(name) => name.to_owned(),
                None => only_one(&api).await?,
            };
            return Ok(Door::Remote(Box::new(api), name));
        }
        let described = place.find(destination)?;
        if described.kind.name != intercom::KIND.name {
            bail!("{} is no destination of Intercom, but of {}", described.name, described.kind.name);
        }
        let built = described.build()?;
        Ok(Door::Direct(Box::new(described), built))
    }

    /// The destination's name.
    pub(super) fn name(&self) -> &str {
        match self {
            Door::Direct(described, _) => &described.name,
            Door::Remote(_, name) => name,
        }
    }

    /// Performs an action.
    pub(super) async fn perform(&self, facts: &Facts, given: &Object<'static>) -> anyhow::Result<Done> {
        match self {
            Door::Direct(_, destination) => Ok(destination::by_hand(&**destination, facts, given).await.into()),
            Door::Remote(api, name) => {
                let path = format!("/api/destinations/{}/actions/{}", segment(name), facts.name);
                let (status, answer) = api.post(&path, &Json::Object(given.clone()).to_value()).await?;
                // What the action came to has an outcome, whatever the status.
                let answer = if answer["outcome"].is_string() { answer } else { good(status, answer)? };
                read(answer)
            }
        }
    }

    /// The requests an action would make, to a workspace in which everybody is there.
    pub(super) async fn rehearse(&self, facts: &Facts, given: &Object<'static>) -> anyhow::Result<Done> {
        let Door::Direct(described, _) = self else {
            bail!("--dry-run needs the destination file, not a running router: leave out --url");
        };
        let payload = mapping::by_hand(facts, given).map_err(|unfit| anyhow!("{}", unfit.message))?;
        let payload = Json::Object(payload.object).to_string();
        let settings = &described.mappings.settings;
        let performed: Performed = (described.kind.rehearse)(settings, facts.name, payload.as_bytes(), true).await;
        Ok(performed.into())
    }
}

fn read(answer: Value) -> anyhow::Result<Done> {
    serde_json::from_value(answer).context("the router's answer is not understood; is it of another version?")
}
