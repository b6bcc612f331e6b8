//! `identify_company`: makes a company or updates it, and attaches a contact to it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value};

use crate::action::{self, Action, Document, Email, Failure, Fills, Outcome, Timestamp, Unfit, Warning};
use crate::destination::intercom::client::Client;
use crate::destination::intercom::company::{Unlinked, Which};
use crate::destination::intercom::directory::Belonging;
use crate::destination::intercom::economy::UNCHANGED;
use crate::destination::intercom::fills;
use crate::destination::intercom::limits;
use crate::destination::intercom::whom::Whom;
use crate::json::Object;

/// Makes a company or updates it, by your own id, and attaches the contact to it.
///
/// The company is written even when the contact is not there yet; then only attaching is tried again. Calls about one company
/// are written in their order, whoever they are about.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IdentifyCompany {
    /// Your own id for the company. Cannot be changed later.
    #[schemars(extend("x-default" = "$.groupId"))]
    company_id: String,
    /// The company's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-default" = "$.traits.name"))]
    name: Option<String>,
    /// The company's website.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-default" = "$.traits.website"))]
    website: Option<String>,
    /// What the company does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-default" = "$.traits.industry"))]
    industry: Option<String>,
    /// The plan the company has with you.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-default" = "$.traits.plan"))]
    plan: Option<String>,
    /// How many people work there; rounded to a whole number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-default" = "$.traits.employees"))]
    size: Option<Number>,
    /// What the company brings you a month; rounded to a whole number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-default" = "$.traits.monthly_spend"))]
    monthly_spend: Option<Number>,
    /// When you made the company.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-default" = "$.traits.createdAt"))]
    remote_created_at: Option<Timestamp>,
    /// Attributes of your own, by name. `null` clears one.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    custom_attributes: Map<String, Value>,
    /// Intercom's own id of the contact, where you know it.
    #[serde(default, skip_serializing)]
    contact_id: Option<String>,
    /// Your own id for the contact.
    #[serde(default, skip_serializing)]
    #[schemars(extend("x-default" = "$.userId"))]
    external_id: Option<String>,
    /// The contact's e-mail address: the person's, not the company's.
    #[serde(default, skip_serializing)]
    #[schemars(extend("x-default" = "$.context.traits.email"))]
    email: Option<Email>,
    /// Tags to be put on the company, by name; those that do not exist yet are made.
    #[serde(default, skip_serializing)]
    tags: Vec<String>,
    /// Detaches the contact instead. The company itself is left as it is.
    #[serde(default, skip_serializing)]
    remove: bool,
}

impl Action for IdentifyCompany {
    type Client = Client;
    const NAME: &'static str = "identify_company";
    const TRIGGER: Option<&'static str> = Some(r#"type = "group""#);
    const FILLS: Option<&'static Fills> = Some(&fills::IDENTIFY_COMPANY);

    fn fit(fields: &mut Object<'_>, warnings: &mut Vec<Warning>) -> Result<(), Unfit> {
        limits::fit_company(fields, warnings);
        Ok(())
    }

    async fn perform(self, client: &Client) -> action::Result {
        match self.remove {
            true => self.detach(client).await,
            false => self.write_and_attach(client).await,
        }
    }
}

/// The step after which only attaching is left; it came to Intercom's id of the company.
pub const WRITTEN: &str = "company_written";

impl IdentifyCompany {
    async fn write_and_attach(&self, client: &Client) -> action::Result {
        let earlier = client.step(WRITTEN);
        let is_later = earlier.is_some();
        let (company, written) = match earlier {
            Some(company) => (company, true),
            None => match self.spared(client).await? {
                Some(company) => {
                    // Attaching may come much later, when the company may have been written anew: this is not to undo it.
                    client.finish_step(WRITTEN, &company);
                    (company, false)
                }
                None => (self.write(client).await?, true),
            },
        };
        let tagged = self.tag(client, &company).await?;
        let whom = self.whom();
        if whom.is_nobody() {
            let message = "the company was written, and nobody attached: nothing says which contact is meant";
            return Ok(Outcome::Delivered(vec![Warning::new("external_id", "no_identity", message)]));
        }
        client.comes_to_contact()?;
        if let Some(contact) = client.known(&whom).await
            && client.has(&contact.id, Belonging::Company(&company)).await
        {
            return Ok(match written || tagged {
                true => Outcome::Delivered(Vec::new()),
                false => {
                    let message = format!("company {company} has all of it already, and the contact is in it");
                    Outcome::Skipped(UNCHANGED, message)
                }
            });
        }
        match client.attach(&whom, &company).await {
            // It was deleted in between.
            Err(refusal) if refusal.is_company_missing() => {
                client.forget_company(&self.which()).await;
                // Somebody may have made it anew since an earlier attempt wrote it: this is not to undo that.
                let again = if is_later { client.company(&self.company_id).await? } else { None };
                let company = match again {
                    Some(company) => company,
                    None => self.write(client).await?,
                };
                client.attach(&whom, &company).await?;
            }
            other => drop(other?),
        }
        Ok(Outcome::Delivered(Vec::new()))
    }

    /// Intercom's id of the company, where it surely is as it is to be.
    async fn spared(&self, client: &Client) -> Result<Option<String>, Failure> {
        let Some(company) = client.registered(&self.company_id).await else { return Ok(None) };
        let is_spared = client.spared_company(&self.company_id, &self.body()).await?;
        Ok(is_spared.then_some(company))
    }

    fn body(&self) -> Map<String, Value> {
        let Ok(Value::Object(body)) = serde_json::to_value(self) else {
            unreachable!("a struct with named fields is written as an object")
        };
        body
    }

    async fn write(&self, client: &Client) -> Result<String, Failure> {
        let written = client.write_company(&self.body()).await?;
        client.finish_step(WRITTEN, &written.id);
        client.answer(Document::One(written.answer.json()?));
        Ok(written.id)
    }

    /// Puts the tags on; whether any had to be.
    async fn tag(&self, client: &Client, company: &str) -> Result<bool, Failure> {
        let mut sent = false;
        for name in &self.tags {
            let step = format!("tagged {name}");
            if client.step(&step).is_some() || client.has(company, Belonging::Tag(name)).await {
                continue;
            }
            client.tag_company(&self.which(), name, false).await?;
            client.gave(company, Belonging::Tag(name)).await;
            client.finish_step(&step, "done");
            sent = true;
        }
        Ok(sent)
    }

    async fn detach(&self, client: &Client) -> action::Result {
        let whom = self.whom();
        if whom.is_nobody() {
            let message = "nothing says which contact is to be detached";
            return Ok(Outcome::Skipped("no_identity", message.to_owned()));
        }
        match client.unlink(&whom, &self.which()).await? {
            Unlinked::Done(answer) => client.delivered(&answer),
            Unlinked::Nothing(what) => Ok(Outcome::Skipped("not_attached", format!("{what}, so nobody is attached"))),
        }
    }

    fn whom(&self) -> Whom<'_> {
        Whom::new(&self.contact_id, &self.external_id, &self.email)
    }

    fn which(&self) -> Which<'_> {
        Which { id: None, company_id: Some(&self.company_id) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{self, Json};

    #[track_caller]
    fn check(given: &str, expected: &str, codes: &[&str]) {
        let Json::Object(mut fields) = json::parse(given.as_bytes()).unwrap() else { panic!("an object is given") };
        let mut warnings = Vec::new();
        IdentifyCompany::fit(&mut fields, &mut warnings).unwrap();
        assert_eq!(Json::Object(fields).to_string(), expected);
        assert_eq!(warnings.iter().map(|warning| &*warning.code).collect::<Vec<_>>(), codes);
    }

    #[test]
    fn numbers_become_whole() {
        check(r#"{"size":20,"monthly_spend":99.5}"#, r#"{"size":20,"monthly_spend":100}"#, &["number_rounded"]);
        check(r#"{"size":20.0}"#, r#"{"size":20}"#, &[]);
        check(r#"{"size":-1}"#, "{}", &["number_out_of_range"]);
        check(r#"{"monthly_spend":2147483648}"#, "{}", &["number_out_of_range"]);
        check(r#"{"monthly_spend":2147483647}"#, r#"{"monthly_spend":2147483647}"#, &[]);
    }
}
