//! Text that was probably meant as a path, a template or Liquid, however deep it stands in a field.

use crate::event::MEMBERS;
use crate::mapping::directive;
use crate::yaml::{Key, Node, Problems, Value, cut};

/// Arguments of directives that are never expressions, though they may read like one.
const PLAIN: [&str; 6] = ["pattern", "pattern2", "regex", "replacement", "replacement2", "separator"];
/// Directives whose argument is taken as it stands, or is no text of this language.
const VERBATIM: [&str; 4] = ["literal", "path", "liquid", "template"];

/// What was meant by a text that is a path but for its beginning.
pub(super) fn path(text: &str) -> Option<String> {
    let without_dot = text.strip_prefix('$').is_some_and(|rest| {
        let end = rest.find(['.', '[']).unwrap_or(rest.len());
        MEMBERS.contains(&&rest[..end])
    });
    let without_root = ["properties.", "traits.", "context."].iter().any(|root| text.starts_with(root));
    let rest = text.strip_prefix('$').unwrap_or(text);
    ((without_dot || without_root) && !text.contains(' ')).then(|| format!("did you mean `$.{}`?", cut(rest)))
}

/// Warns of such texts inside a field's value, and of Liquid's tags where Liquid does not read them. `at_top`: whether
/// this is the field's value itself, whose paths are looked at when it is fitted.
pub(super) fn warn(node: &Node, at_top: bool, place: &str, problems: &mut Problems) {
    match &node.value {
        Value::Text(text) => warn_text(node, text, at_top, place, problems),
        Value::List(items) => {
            items.iter().enumerate().for_each(|(at, item)| warn(item, false, &format!("{place}[{at}]"), problems));
        }
        Value::Map(members) => {
            for (key, value) in members.iter().filter(|(key, _)| !is_verbatim(key)) {
                warn(value, false, &format!("{place}.{}", key.name), problems);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn is_verbatim(key: &Key) -> bool {
    let is_directive = |(kind, _): (&directive::Kind, _)| VERBATIM.contains(&kind.name);
    PLAIN.contains(&key.name.as_str()) || directive::named(&key.name).is_some_and(is_directive)
}

fn warn_text(node: &Node, text: &str, at_top: bool, place: &str, problems: &mut Problems) {
    if let Some(help) = path(text).filter(|_| !at_top) {
        let message = format!("`{}` is text, not a path", node.shown());
        problems.warning("path_mistaken", &node.place, place, message).help(help);
    } else if text.contains("{%") && text.contains("%}") {
        let message = "`{% … %}` is text here: tags are read by `$liquid` only";
        problems.warning("template_open", &node.place, place, message).help("write { $liquid: \"…\" }");
    }
}
