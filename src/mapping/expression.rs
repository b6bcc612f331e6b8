//! How a field is filled: a value, a path, a template, an object, a list or a directive.

use std::borrow::Cow;

use crate::event::MEMBERS;
use crate::json::{Json, Object};
use crate::mapping::directive::{self, Directive, Sign};
use crate::mapping::path::{Fault, Path, Scope, Spelling};
use crate::mapping::trigger::KindSet;
use crate::yaml::{Key, Node, Problems, Value, cut, nearest};

/// What an expression comes to; `None` when there is nothing.
pub type Found<'e> = Option<Cow<'e, Json<'e>>>;

/// An expression, compiled.
#[derive(Debug)]
pub enum Expression {
    /// Itself.
    Literal(Json<'static>),
    /// What stands at a place in the event.
    Path(Path),
    /// An object of expressions; a member that comes to nothing is left out, `null` is kept.
    Object(Vec<(Box<str>, Expression)>),
    /// A list of expressions; an item that comes to nothing is `null`.
    List(Vec<Expression>),
    /// A directive.
    Directive(Box<dyn Directive>),
}

impl Expression {
    /// Reads an expression. What is wrong with it is noted; it is then `None`.
    pub fn parse(node: &Node, reader: &mut Reader<'_>) -> Option<Expression> {
        match &node.value {
            Value::Text(text) => parse_text(node, text, reader),
            Value::Map(members) => parse_map(members, reader),
            Value::List(items) => {
                let parsed: Vec<Option<Expression>> = (items.iter().enumerate())
                    .map(|(at, item)| reader.within(&format!("[{at}]"), |reader| Expression::parse(item, reader)))
                    .collect();
                parsed.into_iter().collect::<Option<Vec<_>>>().map(list)
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => Some(Expression::Literal(node.to_json())),
        }
    }

    /// What it comes to for an event.
    pub fn resolve<'e>(&'e self, scope: &Scope<'e>) -> Found<'e> {
        match self {
            Expression::Literal(value) => Some(Cow::Borrowed(value)),
            Expression::Path(path) => path.resolve(scope),
            Expression::Directive(directive) => directive.resolve(scope),
            Expression::Object(members) => {
                let mut object = Object::new();
                for (name, expression) in members {
                    if let Some(value) = scope.noting_in(|| format!(".{name}"), || expression.resolve(scope)) {
                        object.push_new(&**name, scope.keep(value)?);
                    }
                }
                Some(Cow::Owned(Json::Object(object)))
            }
            Expression::List(items) => {
                let item = |(at, item): (usize, &'e Expression)| match scope
                    .noting_in(|| format!("[{at}]"), || item.resolve(scope))
                {
                    Some(value) => scope.keep(value),
                    None => Some(Json::Null),
                };
                Some(Cow::Owned(Json::List(items.iter().enumerate().map(item).collect::<Option<_>>()?)))
            }
        }
    }

    /// The JSON type it always comes to, when there is only one (see [`Json::kind`]).
    pub fn gives(&self) -> Option<&'static str> {
        match self {
            Expression::Literal(value) => Some(value.kind()),
            Expression::Object(_) => Some("object"),
            Expression::List(_) => Some("list"),
            Expression::Path(path) => path.is_list().then_some("list"),
            Expression::Directive(directive) => directive.gives(),
        }
    }
}

/// Whether a value counts as nothing: missing, `null` or empty text.
pub fn is_empty(found: &Found<'_>) -> bool {
    match found.as_deref() {
        None | Some(Json::Null) => true,
        Some(Json::String(text)) => text.is_empty(),
        _ => false,
    }
}

/// Where expressions are read: notes problems by name and place.
pub struct Reader<'p> {
    /// The problems of the file.
    pub problems: &'p mut Problems,
    /// Where in the file this is, by name.
    pub path: String,
    /// Whether paths start at the event itself, so that its members are known.
    pub at_event: bool,
    /// The calls that the expression is resolved for.
    pub kinds: KindSet,
    /// How many things were read that depend on the event.
    reads: usize,
}

impl<'p> Reader<'p> {
    /// A reader of what stands at `path` in the file, for events of these calls.
    pub fn new(problems: &'p mut Problems, path: &str, kinds: KindSet) -> Reader<'p> {
        Reader { problems, path: path.to_owned(), at_event: true, kinds, reads: 0 }
    }

    /// The same for what is resolved against something else than an event.
    pub fn outside(self) -> Reader<'p> {
        Reader { at_event: false, ..self }
    }

    /// How many things were read that depend on the event; what adds none is the same for every event.
    pub(in crate::mapping) fn reads(&self) -> usize {
        self.reads
    }

    /// Something was read that depends on the event.
    pub(in crate::mapping) fn depends_on_event(&mut self) {
        self.reads += 1;
    }

    /// Reads something one step further in.
    pub fn within<T>(&mut self, step: &str, read: impl FnOnce(&mut Self) -> T) -> T {
        let length = self.path.len();
        self.path.push_str(step);
        let result = read(self);
        self.path.truncate(length);
        result
    }

    /// Reads something whose paths start elsewhere than at the event.
    pub fn elsewhere<T>(&mut self, read: impl FnOnce(&mut Self) -> T) -> T {
        let at_event = std::mem::replace(&mut self.at_event, false);
        let result = read(self);
        self.at_event = at_event;
        result
    }

    /// Reads a path that makes up `range` of a scalar's value.
    pub fn path(&mut self, node: &Node, range: std::ops::Range<usize>, spelling: Spelling) -> Option<Path> {
        let text = &node.as_text()?[range.clone()];
        self.depends_on_event();
        match Path::parse(text, spelling) {
            Ok(parsed) => {
                let place = self.problems.inside(node, range);
                for (code, note) in parsed.notes {
                    self.problems.warning(code, &place, &self.path, note);
                }
                self.check_root(&parsed.path, &place);
                Some(parsed.path)
            }
            Err(Fault { span, message, help }) => {
                let place = self.problems.inside(node, range.start + span.start..range.start + span.end);
                self.problems.error("path_invalid", &place, &self.path, message).help = help;
                None
            }
        }
    }

    /// A first member that no event has, but is one letter from one that all have, is a typing error. One that the calls
    /// in question never have comes to nothing.
    fn check_root(&mut self, path: &Path, place: &crate::yaml::Place) {
        let Some(root) = path.root().filter(|_| self.at_event) else { return };
        if !MEMBERS.contains(&root) {
            let Some(near) = nearest(root, MEMBERS) else { return };
            let message = format!("events have no member `{}`", cut(root));
            self.problems.warning("path_unlikely", place, &self.path, message).help(format!("did you mean `{near}`?"));
        } else if !self.kinds.is_empty() && !self.kinds.have(root) {
            let message =
                format!("{} calls have no `{root}`: this comes to nothing unless a caller adds it", self.kinds);
            let instead = self.kinds.iter().next().and_then(|kind| kind.has_instead(root));
            let help = instead.map(|instead| format!("did you mean `{}`?", path.text().replacen(root, instead, 1)));
            self.problems.warning("path_unlikely", place, &self.path, message).help = help;
        }
    }
}

fn parse_text(node: &Node, text: &str, reader: &mut Reader<'_>) -> Option<Expression> {
    if text == "$" || text.starts_with("$.") || text.starts_with("$[") {
        return reader.path(node, 0..text.len(), Spelling::Strict).map(Expression::Path);
    }
    match text.contains("{{") {
        true => directive::template::read(node, Sign::Dollar, reader),
        false => Some(Expression::Literal(node.to_json())),
    }
}

fn parse_map(members: &[(Key, Node)], reader: &mut Reader<'_>) -> Option<Expression> {
    // Segment's editor leaves its own notes beside a directive.
    let is_note = |key: &Key| key.name == "_metadata" && members.iter().any(|(key, _)| key.name.starts_with('@'));
    let mut own = members.iter().filter(|(key, _)| !is_note(key));
    if let (Some((key, argument)), None) = (own.next(), own.next())
        && key.name.starts_with(['$', '@'])
    {
        return directive::parse(key, argument, reader);
    }
    if let Some((key, _)) = members.iter().find(|(key, _)| directive::named(&key.name).is_some()) {
        let others = members.iter().map(|(other, _)| other).filter(|other| *other != key && !is_note(other));
        let others: Vec<String> = others.map(|other| format!("`{}`", cut(&other.name))).collect();
        let message = format!("`{}` stands alone; beside it: {}", key.name, others.join(", "));
        reader
            .problems
            .error("directive_not_alone", &key.place, &reader.path, message)
            .help("give the directive a map of its own; {$literal: …} if all of this is data");
        return None;
    }
    let parsed: Vec<Option<(Box<str>, Expression)>> = (members.iter())
        .map(|(key, value)| {
            let step = format!(".{}", key.name);
            let expression = reader.within(&step, |reader| Expression::parse(value, reader))?;
            Some((key.name.as_str().into(), expression))
        })
        .collect();
    parsed.into_iter().collect::<Option<Vec<_>>>().map(object)
}

/// An object; a literal when all of it is.
fn object(members: Vec<(Box<str>, Expression)>) -> Expression {
    if !members.iter().all(|(_, expression)| matches!(expression, Expression::Literal(_))) {
        return Expression::Object(members);
    }
    let mut object = Object::new();
    for (name, expression) in members {
        if let Expression::Literal(value) = expression {
            object.push_new(name.into_string(), value);
        }
    }
    Expression::Literal(Json::Object(object))
}

/// A list; a literal when all of it is.
fn list(items: Vec<Expression>) -> Expression {
    if !items.iter().all(|item| matches!(item, Expression::Literal(_))) {
        return Expression::List(items);
    }
    let literal = |item| match item {
        Expression::Literal(value) => value,
        _ => Json::Null,
    };
    Expression::Literal(Json::List(items.into_iter().map(literal).collect()))
}

#[cfg(test)]
mod tests;
