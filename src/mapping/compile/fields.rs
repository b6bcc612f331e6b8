//! How the fields of one mapping are filled, and what can be known of it before any event.

use super::{Compiler, mistaken};
use crate::action::{Facts, Field, FieldKind};
use crate::json::Json;
use crate::mapping::Filled;
use crate::mapping::coerce::{Misfit, coerce, meant_choice};
use crate::mapping::expression::{Expression, Reader};
use crate::mapping::file::Entry;
use crate::mapping::trigger::KindSet;
use crate::yaml::{Key, Node, Place, cut, meant};

impl Compiler<'_, '_> {
    /// How each field is filled, in the action's order.
    pub(super) fn fields(&mut self, entry: &Entry<'_>, facts: &'static Facts, kinds: KindSet) -> Vec<Filled> {
        for (key, _) in entry.fields.iter().filter(|(key, _)| facts.field(&key.name).is_none()) {
            self.unknown_field(entry, key, facts);
        }
        let mut filled = Vec::new();
        for field in &facts.fields {
            let given = entry.fields.iter().find(|(key, _)| key.name == field.name).map(|(_, node)| node);
            let default = || Some(Node::from_json(field.default.as_ref().filter(|_| entry.defaults)?, &entry.place));
            match given {
                Some(node) if node.is_null() => self.require(field, entry, &node.place, "and cannot be unset"),
                Some(node) => filled.extend(self.filled(field, node, entry, Some(kinds))),
                None => match default() {
                    Some(node) => {
                        let default = self.filled(field, &node, entry, None);
                        self.check_default(field, default.as_ref(), entry, kinds);
                        filled.extend(default);
                    }
                    None => self.require(field, entry, &entry.place, "and has no default here"),
                },
            }
        }
        filled
    }

    fn unknown_field(&mut self, entry: &Entry<'_>, key: &Key, facts: &Facts) {
        let message = format!("`{}` has no field `{}`", facts.name, cut(&key.name));
        let path = format!("{}.fields.{}", entry.path, key.name);
        let help = meant(&key.name, facts.fields.iter().map(|field| field.name.as_str()));
        self.problems.error("unknown_field", &key.place, &path, message).help(help);
    }

    fn require(&mut self, field: &Field, entry: &Entry<'_>, place: &Place, why: &str) {
        if field.required {
            let message = format!("field `{}` is required {why}", field.name);
            let path = format!("{}.fields", entry.path);
            self.problems
                .error("field_missing", place, &path, message)
                .help(format!("add it to `fields`: {}", field.docs));
        }
    }

    /// A required field whose default comes to nothing for every call that gets here makes each a dead letter.
    fn check_default(&mut self, field: &Field, default: Option<&Filled>, entry: &Entry<'_>, kinds: KindSet) {
        let Some(Filled { expression: Expression::Path(path), .. }) = default.filter(|_| field.required) else {
            return;
        };
        if path.root().is_some_and(|root| !kinds.is_empty() && !kinds.have(root)) {
            let (name, default) = (&field.name, path.text());
            let message = format!(
                "{kinds} calls have no `{default}` for `{name}`: without a caller that adds it, all are dead letters"
            );
            let place = entry.action.as_ref().map_or(&entry.place, |action| &action.node.place);
            let path = format!("{}.fields", entry.path);
            self.problems
                .warning("field_never_filled", place, &path, message)
                .help(format!("add `{name}: …` to `fields`"));
        }
    }

    /// Reads how a field is filled. `kinds` are the calls that this is for; `None` for a default, which nobody wrote.
    fn filled(
        &mut self,
        field: &'static Field,
        node: &Node,
        entry: &Entry<'_>,
        kinds: Option<KindSet>,
    ) -> Option<Filled> {
        let path = format!("{}.fields.{}", entry.path, field.name);
        let is_default = kinds.is_none();
        let kinds = kinds.unwrap_or(KindSet::ALL);
        let mut reader = Reader::new(self.problems, &path, kinds);
        let expression = Expression::parse(node, &mut reader)?;
        let text = match node.as_written() {
            Json::String(text) => text.into_owned(),
            other => other.to_string(),
        };
        if !is_default {
            mistaken::warn(node, true, &path, self.problems);
        }
        let expression = self.fitted(field, expression, node, &path)?;
        Some(Filled { field, expression, text, is_default })
    }

    /// Checks what can be known before any event: literals are fitted here and now, and kinds must agree.
    fn fitted(&mut self, field: &Field, expression: Expression, node: &Node, path: &str) -> Option<Expression> {
        if let Expression::Literal(value) = expression {
            return self.literal(field, value, node, path);
        }
        let gives = expression.gives();
        let fits = match (field.kind, gives) {
            (FieldKind::Object, Some(kind)) => kind == "object",
            (FieldKind::Any, _) | (_, None) => true,
            (_, Some(kind)) => kind != "object",
        };
        if fits {
            return Some(expression);
        }
        let gives = if gives == Some("string") { "text" } else { gives.unwrap_or_default() };
        let message = format!("field `{}` takes {}, and this always gives {gives}", field.name, field.kind.name());
        self.problems.error("value_invalid", &node.place, path, message);
        None
    }

    fn literal(&mut self, field: &Field, value: Json<'static>, node: &Node, path: &str) -> Option<Expression> {
        let mistaken = value.as_str().and_then(mistaken::path);
        match coerce(field, Some(std::borrow::Cow::Borrowed(&value)), &mut Vec::new()) {
            Err(Misfit { why, .. }) => {
                let message = format!("field `{}`: {}", field.name, redact(why, node));
                let choice = meant_choice(field, &value).map(|word| format!("did you mean `{word}`?"));
                let form = (field.kind == FieldKind::Timestamp)
                    .then(|| "a date is 2026-01-31, 2026-01-31T12:00:00Z or a Unix time".to_owned());
                let problem = self.problems.error("value_invalid", &node.place, path, message);
                problem.help = choice.or(mistaken).or(form);
                None
            }
            Ok(None) => {
                let message = format!("field `{}` stays out: this counts as missing", field.name);
                let help = "write null to unset a field".to_owned();
                self.problems.warning("value_empty", &node.place, path, message).help(help);
                None
            }
            Ok(Some(fitted)) => {
                let fitted = fitted.into_owned();
                if let Some(help) = mistaken {
                    let message = format!("`{}` is text, not a path", node.shown());
                    self.problems.warning("path_mistaken", &node.place, path, message).help(help);
                } else if WHO.contains(&field.name.as_str()) && !fitted.is_null() {
                    let message =
                        format!("field `{}` is the same for every event: everybody becomes one person", field.name);
                    let help = "take it from the event, as in `$.userId` or `$.traits.email`".to_owned();
                    self.problems.warning("identity_constant", &node.place, path, message).help(help);
                }
                Some(Expression::Literal(fitted))
            }
        }
    }
}

/// Fields that say who an event is about.
const WHO: [&str; 4] = ["contact_id", "email", "external_id", "user_id"];

/// Messages show `${…}`, not what it stood for.
fn redact(message: String, node: &Node) -> String {
    match (&node.written, node.as_text()) {
        (Some(written), Some(text)) if !text.is_empty() => message.replace(&cut(text), written),
        _ => message,
    }
}
