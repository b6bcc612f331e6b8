//! The flags of `interline intercom`, made from the fields of the actions.

use std::io::Read;

use anyhow::{Context, bail};
use clap::builder::{PossibleValuesParser, StyledStr};
use clap::{Arg, ArgAction, ArgMatches, Command, FromArgMatches, Subcommand};

use crate::action::{Facts, Field, FieldKind};
use crate::destination::intercom;
use crate::json::{self, Json, Object};

/// The flag that clears fields.
const CLEAR: &str = "clear";

/// The action that was chosen, and the values of its flags as they were typed.
#[derive(Debug)]
pub(super) struct Chosen {
    /// The action.
    pub facts: &'static Facts,
    typed: Vec<(&'static Field, Vec<String>)>,
    cleared: Vec<String>,
}

fn actions() -> Vec<&'static Facts> {
    (intercom::KIND.actions)()
}

/// The fields that are flags. `all` is a flag of every list.
fn fields(facts: &'static Facts) -> impl Iterator<Item = &'static Field> {
    facts.fields.iter().filter(|field| field.name != "all")
}

impl Subcommand for Chosen {
    fn augment_subcommands(command: Command) -> Command {
        command
            .subcommands(actions().into_iter().map(subcommand))
            .subcommand_value_name("ACTION")
            .subcommand_help_heading("Actions")
    }

    fn augment_subcommands_for_update(command: Command) -> Command {
        Self::augment_subcommands(command)
    }

    fn has_subcommand(name: &str) -> bool {
        actions().iter().any(|facts| facts.name == name)
    }
}

impl FromArgMatches for Chosen {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Chosen, clap::Error> {
        let (name, matches) =
            matches.subcommand().ok_or_else(|| clap::Error::new(clap::error::ErrorKind::MissingSubcommand))?;
        let facts = actions().into_iter().find(|facts| facts.name == name);
        let facts = facts.ok_or_else(|| clap::Error::new(clap::error::ErrorKind::InvalidSubcommand))?;
        let typed = |field: &'static Field| {
            let values = matches.get_many::<String>(&field.name)?;
            Some((field, values.cloned().collect()))
        };
        let cleared = matches.try_get_many::<String>(CLEAR).ok().flatten();
        Ok(Chosen {
            facts,
            typed: fields(facts).filter_map(typed).collect(),
            cleared: cleared.into_iter().flatten().cloned().collect(),
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

fn subcommand(facts: &'static Facts) -> Command {
    let first = facts.summary.split(['\n']).next().and_then(|line| line.split(". ").next()).unwrap_or_default();
    let mut command = Command::new(facts.name)
        .alias(facts.name.replace('_', "-"))
        .about(first.trim_end_matches('.').to_owned())
        .long_about(facts.summary.clone())
        .after_help(StyledStr::from(format!("Example:\n  {}", example(facts))))
        .args(fields(facts).map(flag));
    let clearing: Vec<&'static str> =
        fields(facts).filter(|field| field.clears).map(|field| field.name.as_str()).collect();
    if !clearing.is_empty() {
        command = command.arg(
            Arg::new(CLEAR)
                .long(CLEAR)
                .value_name("FIELD")
                .action(ArgAction::Append)
                .value_parser(PossibleValuesParser::new(clearing))
                .hide_possible_values(true)
                .help_heading("Fields")
                .help("Clear this field; repeatable"),
        );
    }
    command
}

fn flag(field: &'static Field) -> Arg {
    let arg = Arg::new(field.name.as_str())
        .long(field.name.as_str())
        .alias(field.name.replace('_', "-"))
        .value_name(value_name(field))
        .help(
            format!("{}{}", field.docs, if field.required { " Required" } else { "" }).trim_end_matches('.').to_owned(),
        )
        .help_heading("Fields")
        .required(field.required)
        .allow_hyphen_values(true);
    match field.kind {
        FieldKind::Boolean => arg.num_args(0..=1).default_missing_value("true").action(ArgAction::Set),
        FieldKind::Texts | FieldKind::Object => arg.action(ArgAction::Append),
        _ if !field.choices.is_empty() => {
            arg.value_parser(PossibleValuesParser::new(field.choices.iter().map(String::as_str)))
        }
        _ => arg,
    }
}

fn value_name(field: &Field) -> &'static str {
    match field.kind {
        FieldKind::Text => "TEXT",
        FieldKind::Email => "EMAIL",
        FieldKind::Url => "URL",
        FieldKind::Number => "NUMBER",
        FieldKind::Integer => "INTEGER",
        FieldKind::Boolean => "true|false",
        FieldKind::Timestamp => "DATE",
        FieldKind::Object => "JSON|KEY=VALUE|@FILE|-",
        FieldKind::Texts => "TEXT",
        FieldKind::Any => "JSON|@FILE|-",
    }
}

/// A call that could be made: the required fields, or else the first one that names somebody or something.
fn example(facts: &'static Facts) -> String {
    let mut shown: Vec<&Field> = fields(facts).filter(|field| field.required).collect();
    if shown.is_empty() {
        let naming = ["email", "company_id", "name", "id", "from", "field"];
        let first = naming.iter().find_map(|name| facts.field(name));
        shown.extend(first);
        // One field alone says nothing there.
        let more: &[&str] = match first.map(|field| field.name.as_str()) {
            Some("from") => &["into"],
            Some("field") => &["operator", "value"],
            _ => &[],
        };
        shown.extend(more.iter().filter_map(|name| facts.field(name)));
    }
    let flags = shown.iter().map(|field| format!(" --{} {}", field.name, sample(field)));
    format!("interline intercom {}{}", facts.name, flags.collect::<String>())
}

fn sample(field: &Field) -> String {
    if let Some(choice) = field.choices.first() {
        return choice.clone();
    }
    let text = match (field.name.as_str(), field.kind) {
        ("id" | "contact_id" | "from" | "into" | "intercom_company_id", _) => "65f0c1e2a7b34d0012ab34cd",
        ("company_id", _) => "acme",
        ("external_id" | "user_id", _) => "u-1",
        ("ticket_type_id", _) => "1234",
        ("path", _) => "/admins",
        ("field", _) => "email",
        ("value", _) => "ann@example.com",
        ("event_name", _) => "\"Order Completed\"",
        ("name", _) => "Beta",
        (_, FieldKind::Email) => "ann@example.com",
        (_, FieldKind::Url) => "https://example.com",
        (_, FieldKind::Number | FieldKind::Integer) => "5",
        (_, FieldKind::Timestamp) => "2026-01-31",
        (_, FieldKind::Boolean) => "true",
        (_, FieldKind::Object) => "plan=pro",
        _ => "text",
    };
    text.to_owned()
}

impl Chosen {
    /// The values by field.
    pub(super) fn values(&self) -> anyhow::Result<Object<'static>> {
        let mut given = Object::new();
        for (field, typed) in &self.typed {
            let value = value(field, typed).with_context(|| format!("--{}", field.name))?;
            given.insert(field.name.clone(), value);
        }
        for name in &self.cleared {
            if given.get(name).is_some() {
                bail!("--{CLEAR} {name}, and --{name} with a value: only one of them");
            }
            given.insert(name.clone(), Json::Null);
        }
        Ok(given)
    }
}

fn value(field: &Field, typed: &[String]) -> anyhow::Result<Json<'static>> {
    let first = typed.first().map(String::as_str).unwrap_or_default();
    match field.kind {
        FieldKind::Object => object(typed),
        FieldKind::Texts if typed.len() > 1 || !first.trim_start().starts_with('[') => {
            Ok(Json::List(typed.iter().map(|text| Json::from(text.clone())).collect()))
        }
        FieldKind::Any => text_or_file(first).map(Json::from),
        _ => Ok(Json::from(first.to_owned())),
    }
}

/// JSON, a file of it, or `KEY=VALUE` as often as was typed; a value that is no JSON is text.
fn object(typed: &[String]) -> anyhow::Result<Json<'static>> {
    let first = typed.first().map(String::as_str).unwrap_or_default();
    if let [only] = typed
        && (only == "-" || only.starts_with(['@', '{']))
    {
        let text = text_or_file(only)?;
        let read = json::parse(text.as_bytes()).map_err(|malformed| anyhow::anyhow!("not JSON: {malformed}"))?;
        return Ok(read.into_owned());
    }
    let mut members = Object::new();
    for pair in typed {
        let Some((key, value)) = pair.split_once('=').filter(|(key, _)| !key.is_empty()) else {
            bail!("`{first}` is neither JSON nor KEY=VALUE nor @FILE");
        };
        let value = json::parse(value.as_bytes()).map_or_else(|_| Json::from(value.to_owned()), Json::into_owned);
        members.insert(key.to_owned(), value);
    }
    Ok(Json::Object(members))
}

fn text_or_file(typed: &str) -> anyhow::Result<String> {
    if typed == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("cannot read the standard input")?;
        return Ok(text);
    }
    match typed.strip_prefix('@') {
        Some(path) => std::fs::read_to_string(path).with_context(|| format!("cannot read {path}")),
        None => Ok(typed.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_field_hides_a_flag_of_the_command() {
        let command = <super::super::Intercom as clap::Args>::augment_args(Command::new("intercom"));
        let own: Vec<String> = command.get_arguments().filter_map(|arg| arg.get_long().map(str::to_owned)).collect();
        for facts in actions() {
            for field in fields(facts) {
                assert!(!own.contains(&field.name) && field.name != CLEAR, "{} {}", facts.name, field.name);
            }
        }
        command.debug_assert();
    }

    #[test]
    fn every_example_is_a_call_that_can_be_read() {
        for facts in actions() {
            let words = example(facts).replace("\"Order Completed\"", "Order-Completed");
            let words: Vec<&str> = words.split_whitespace().skip(1).collect();
            let command = <super::super::Intercom as clap::Args>::augment_args(Command::new("intercom"));
            let matches = command.try_get_matches_from(words.clone());
            let matches = matches.unwrap_or_else(|error| panic!("{words:?}: {error}"));
            Chosen::from_arg_matches(&matches).unwrap().values().unwrap();
        }
    }

    #[track_caller]
    fn check(typed: &[&str], expected: Result<&str, ()>) {
        let typed: Vec<String> = typed.iter().map(|text| (*text).to_owned()).collect();
        let came = object(&typed).map(|value| value.to_string()).map_err(|_| ());
        assert_eq!(came.as_deref().ok(), expected.ok());
    }

    #[test]
    fn an_object_is_json_or_pairs() {
        check(&[r#"{"a":1}"#], Ok(r#"{"a":1}"#));
        check(
            &["plan=pro", "seats=5", "paid=true", "none=null", "x=a=b"],
            Ok(r#"{"plan":"pro","seats":5,"paid":true,"none":null,"x":"a=b"}"#),
        );
        check(&["plan"], Err(()));
        check(&["=x"], Err(()));
        check(&["{broken"], Err(()));
        check(&["@/nowhere/at/all"], Err(()));
    }
}
