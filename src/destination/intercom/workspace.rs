//! Whose workspace the token opens: looked at before the first request, so that nothing goes to another one unnoticed.
//!
//! # Why
//! A token that was swapped, or a settings file that was copied, opens a workspace of other people without any error.
//! The workspace that was seen last is remembered; another one, or one in another region than the settings say, is as
//! good as a refused token: the destination pauses and keeps everything, until a person says what is meant.

use serde_json::{Value, json};

use super::Region;
use super::client::{Call, Client};
use crate::action::{Failure, Kind};
use crate::destination::{Memory, WORKSPACE};

impl Client {
    /// Looks once whose workspace this is. Without a memory, nobody asks.
    pub(super) async fn recognize(&self) -> Result<(), Failure> {
        let Some(memory) = &self.service.memory else { return Ok(()) };
        self.service.recognized.get_or_try_init(|| self.look(&**memory)).await?;
        Ok(())
    }

    async fn look(&self, memory: &dyn Memory) -> Result<(), Failure> {
        let known = memory.recall(WORKSPACE).map_err(unremembered)?;
        let known = known.map(|text| remembered(&self.service.name, &text)).transpose()?;
        let me = match self.call(Call::new("GET /me", &[])?).await {
            Ok(answer) => answer.json().map_err(|failure| untold(&failure.message))?,
            // It works, and does not tell.
            Err(refusal) if refusal.failure.kind == Kind::Rejected || refusal.is_forbidden() => {
                if known.is_some() {
                    return Err(untold(&refusal.failure.message));
                }
                Value::Null
            }
            Err(refusal) if refusal.failure.code == "reply_unreadable" => return Err(untold(&refusal.failure.message)),
            Err(refusal) => return Err(refusal.failure),
        };
        let Some(id) = me["app"]["id_code"].as_str() else {
            if known.is_some() {
                return Err(untold("intercom's answer to `GET /me` names no workspace"));
            }
            tracing::warn!(destination.name = %self.service.name, "Nothing says whose workspace the token opens");
            return Ok(());
        };
        check_region(self.settings().region, me["app"]["region"].as_str())?;
        check_workspace(&self.service.name, known.as_deref(), id)?;
        if known.is_none() {
            let seen = json!({"id": id, "name": me["app"]["name"], "region": me["app"]["region"]});
            memory.remember(WORKSPACE, &seen.to_string()).map_err(unremembered)?;
        }
        Ok(())
    }
}

fn unknown(message: String) -> Failure {
    Failure::new(Kind::Unavailable, "workspace_unknown", message)
}

fn unremembered(error: std::io::Error) -> Failure {
    unknown(format!("which workspace was seen last cannot be read or written: {error}"))
}

/// Nobody says whose workspace it is, so nothing is sent: it may be another one than before.
fn untold(why: &str) -> Failure {
    unknown(format!("it cannot be told which workspace the token opens, so nothing is sent: {why}"))
}

/// The id of the workspace that was seen last.
fn remembered(name: &str, text: &str) -> Result<String, Failure> {
    let seen: Value = serde_json::from_str(text).unwrap_or_default();
    seen["id"].as_str().map(str::to_owned).ok_or_else(|| {
        unknown(format!(
            "what is remembered of the workspace is damaged, so nothing is sent; `interline connect {name} \
             --accept-workspace` writes it anew"
        ))
    })
}

fn check_region(ours: Option<Region>, theirs: Option<&str>) -> Result<(), Failure> {
    let (Some(ours), Some(theirs)) = (ours, theirs) else { return Ok(()) };
    let ours = match ours {
        Region::Us => "us",
        Region::Eu => "eu",
        Region::Au => "au",
    };
    if ours.eq_ignore_ascii_case(theirs) {
        return Ok(());
    }
    let theirs = theirs.to_lowercase();
    let message = format!(
        "the workspace's data lives in {theirs}, and `settings.region` says {ours}: nothing is sent; write `region: {theirs}`, \
         or use a token of a workspace in {ours}"
    );
    Err(Failure::new(Kind::Unauthorized, "region_wrong", message))
}

fn check_workspace(name: &str, known: Option<&str>, id: &str) -> Result<(), Failure> {
    let Some(before) = known.filter(|before| *before != id) else { return Ok(()) };
    let message = format!(
        "the token opens the workspace {id}, and until now everything went to {before}: nothing is sent; if the change is \
         meant, run `interline connect {name} --accept-workspace`"
    );
    Err(Failure::new(Kind::Unauthorized, "workspace_changed", message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(result: Result<(), Failure>) -> Option<String> {
        result.err().map(|failure| failure.code.into_owned())
    }

    #[test]
    fn another_workspace_or_region_is_refused() {
        assert_eq!(code(check_workspace("crm", None, "b")), None);
        assert_eq!(code(check_workspace("crm", Some("b"), "b")), None);
        assert_eq!(code(check_workspace("crm", Some("a"), "b")).as_deref(), Some("workspace_changed"));
        assert_eq!(remembered("crm", r#"{"id":"b"}"#).unwrap(), "b");
        assert_eq!(code(remembered("crm", "damaged").map(drop)).as_deref(), Some("workspace_unknown"));
        assert_eq!(code(check_region(Some(Region::Eu), Some("EU"))), None);
        assert_eq!(code(check_region(None, Some("EU"))), None);
        assert_eq!(code(check_region(Some(Region::Us), Some("EU"))).as_deref(), Some("region_wrong"));
    }
}
