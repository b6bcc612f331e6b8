//! `$excludeWhenNull`: a value without its nulls.

use std::borrow::Cow;

use super::{Directive, Example, Kind, Sign, any, made};
use crate::json::Json;
use crate::mapping::expression::{Expression, Found, Reader};
use crate::mapping::path::Scope;
use crate::yaml::Node;

/// `$excludeWhenNull`
pub const KIND: Kind = Kind {
    name: "excludeWhenNull",
    docs: "The value without the members that are `null`, at every depth; nothing when it is `null` itself. What stands \
           in lists stays as it is.",
    examples: &[
        Example {
            mapping: "{ $excludeWhenNull: $.traits }",
            event: r#"{"traits":{"plan":"pro","seats":null,"address":{"city":null}}}"#,
            gives: r#"{"plan":"pro","address":{}}"#,
        },
        Example { mapping: "{ $excludeWhenNull: $.userId }", event: r#"{"userId":null}"#, gives: "" },
    ],
    schema: any,
    parse,
};

#[derive(Debug)]
struct ExcludeWhenNull(Expression);

impl Directive for ExcludeWhenNull {
    fn resolve<'e>(&'e self, scope: &Scope<'e>) -> Found<'e> {
        let found = self.0.resolve(scope)?;
        match found.as_ref() {
            Json::Null => None,
            Json::Object(_) => Some(Cow::Owned(without_nulls(scope.keep(found)?))),
            _ => Some(found),
        }
    }
}

fn without_nulls(json: Json<'_>) -> Json<'_> {
    let Json::Object(object) = json else { return json };
    let kept = object.into_iter().filter(|(_, value)| !value.is_null());
    Json::Object(kept.map(|(key, value)| (key, without_nulls(value))).collect())
}

fn parse(node: &Node, _: Sign, reader: &mut Reader<'_>) -> Option<Expression> {
    made(ExcludeWhenNull(Expression::parse(node, reader)?))
}
