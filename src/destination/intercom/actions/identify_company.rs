//! `identify_company`: makes a company or updates it, and attaches a contact to it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value};

use crate::action::{self, Action, Email, Failure, Outcome, Timestamp, Unfit, Warning};
use crate::destination::intercom::client::Client;
use crate::destination::intercom::contact::not_found;
use crate::destination::intercom::error::Refusal;
use crate::destination::intercom::identity::{Contact, Identity};
use crate::destination::intercom::limits;
use crate::json::{Json, Object};

/// Makes a company or updates it, by your own id, and attaches the contact to it.
///
/// The company is written even when the contact is not there yet; then only attaching is tried again.
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
    /// Attributes of your own, by name. They must exist in the workspace.
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
    /// Detaches the contact instead. The company itself is left as it is.
    #[serde(default, skip_serializing)]
    remove: bool,
}

/// The greatest number Intercom keeps of a company.
const NUMBER_MAX: f64 = 2_147_483_647.0;

impl Action for IdentifyCompany {
    type Client = Client;
    const NAME: &'static str = "identify_company";
    const TRIGGER: &'static str = r#"type = "group""#;

    fn fit(fields: &mut Object<'_>, warnings: &mut Vec<Warning>) -> Result<(), Unfit> {
        for field in ["size", "monthly_spend"] {
            whole(fields, field, warnings);
        }
        limits::fit_attributes(fields, warnings);
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
const WRITTEN: &str = "company_written";

impl IdentifyCompany {
    async fn write_and_attach(&self, client: &Client) -> action::Result {
        let Ok(Value::Object(body)) = serde_json::to_value(self) else {
            unreachable!("a struct with named fields is written as an object")
        };
        let company = match client.step(WRITTEN) {
            Some(company) => company,
            None => {
                let company = client.write_company(&body).await?;
                client.finish_step(WRITTEN, &company);
                company
            }
        };
        if self.is_nobody() {
            let message = "the company was written, and nobody attached: nothing says which contact is meant";
            return Ok(Outcome::Delivered(vec![Warning::new("external_id", "no_identity", message)]));
        }
        let contact = self.contact(client).await?;
        match self.attach(client, contact, &company).await {
            // It was deleted in between.
            Err(refusal) if refusal.failure.code == "company_not_found" => {
                let company = client.write_company(&body).await?;
                let contact = self.contact(client).await?;
                self.attach(client, contact, &company).await?;
            }
            other => other?,
        }
        Ok(Outcome::Delivered(Vec::new()))
    }

    async fn detach(&self, client: &Client) -> action::Result {
        if self.is_nobody() {
            let message = "nothing says which contact is to be detached";
            return Ok(Outcome::Skipped("no_identity", message.to_owned()));
        }
        let done = |what: &str| Ok(Outcome::Skipped("not_attached", format!("{what}, so nobody is attached")));
        let Some(company) = client.company(&self.company_id).await? else {
            return done("the company is not there");
        };
        let contact = match self.contact(client).await {
            Err(failure) if failure.code == "contact_not_found" => return done("the contact is not there"),
            other => other?,
        };
        match client.detach(&contact.id, &company).await {
            Ok(_) => Ok(Outcome::Delivered(Vec::new())),
            Err(Refusal { canonical: Some(id), .. }) => {
                client.forget(&contact, &self.identity()).await;
                client.detach(&id, &company).await?;
                Ok(Outcome::Delivered(Vec::new()))
            }
            Err(refusal) if refusal.is_missing() => {
                client.forget(&contact, &self.identity()).await;
                client.forget_company(&self.company_id).await;
                done("intercom knows of no such link")
            }
            Err(refusal) => Err(refusal.failure),
        }
    }

    /// Attaches the contact; one that is not where it was is looked for once more.
    async fn attach(&self, client: &Client, contact: Contact, company: &str) -> Result<(), Refusal> {
        let refusal = match client.attach(&contact.id, company).await {
            Ok(_) => return Ok(()),
            Err(refusal) => refusal,
        };
        let gone = refusal.is_missing() && refusal.failure.code != "company_not_found";
        if !gone && refusal.canonical.is_none() {
            return Err(refusal);
        }
        client.forget(&contact, &self.identity()).await;
        let again = match refusal.canonical {
            Some(id) => Contact::unseen(&id),
            None if self.contact_id.is_some() => return Err(missing(not_found(&self.named()))),
            None => self.contact(client).await.map_err(missing)?,
        };
        match client.attach(&again.id, company).await {
            Ok(_) => Ok(()),
            Err(refusal) if refusal.is_missing() && refusal.failure.code != "company_not_found" => {
                Err(missing(not_found(&self.named())))
            }
            Err(refusal) => Err(refusal),
        }
    }

    /// The contact, by Intercom's id without asking.
    async fn contact(&self, client: &Client) -> Result<Contact, Failure> {
        if let Some(id) = &self.contact_id {
            return Ok(Contact::unseen(id));
        }
        match client.contact(&self.identity()).await? {
            Some(contact) => Ok(Contact::clone(&contact)),
            None => Err(not_found(&self.named())),
        }
    }

    fn identity(&self) -> Identity {
        Identity::new(self.external_id.as_deref(), self.email.as_ref().map(Email::as_str))
    }

    fn is_nobody(&self) -> bool {
        self.contact_id.is_none() && self.identity().is_nobody()
    }

    fn named(&self) -> String {
        match &self.contact_id {
            Some(id) => format!("id `{id}`"),
            None => self.identity().name(),
        }
    }
}

fn missing(failure: Failure) -> Refusal {
    Refusal { status: None, failure, canonical: None }
}

/// Makes a number whole, or drops it when Intercom cannot keep it.
fn whole(fields: &mut Object<'_>, field: &str, warnings: &mut Vec<Warning>) {
    let Some(Json::Number(number)) = fields.get(field) else { return };
    let rounded = number.as_f64().unwrap_or(f64::INFINITY).round();
    if !(0.0..=NUMBER_MAX).contains(&rounded) {
        let message = format!("{number} was dropped: intercom keeps 0 to {NUMBER_MAX}");
        warnings.push(Warning::new(field, "number_out_of_range", message));
        fields.remove(field);
        return;
    }
    if number.as_f64() != Some(rounded) {
        let message = format!("{number} was rounded to {rounded}: intercom keeps whole numbers");
        warnings.push(Warning::new(field, "number_rounded", message));
    }
    fields.insert(field.to_owned(), (rounded as i64).into());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

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
