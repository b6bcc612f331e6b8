//! From a tree to a type: every unknown key is noted with the nearest known one, and what does not fit at its place.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::de::value::{MapAccessDeserializer, MapDeserializer, SeqDeserializer};
use serde::de::{DeserializeOwned, Deserializer, Error as _, IntoDeserializer, Visitor};
use serde_json::Value as Schema;
use serde_path_to_error::Segment;

use super::misfit::Misfit;
use super::{Key, Node, Problems, Value, cut, meant};

/// Reads a `T`. Unknown keys are all noted; of what does not fit, the first. `path` is where `node` stands by name.
pub fn decode<T: DeserializeOwned + JsonSchema>(node: &Node, path: &str, problems: &mut Problems) -> Option<T> {
    let schema = schemars::schema_for!(T).to_value();
    let known = Walk { root: &schema, problems }.known(node, vec![&schema], path);
    match serde_path_to_error::deserialize(&known) {
        Ok(value) => Some(value),
        Err(error) => {
            let (at, path) = find(&known, error.path(), path);
            if problems.iter().any(|problem| problem.path == path && problem.code == "value_invalid") {
                return None;
            }
            let Misfit { mut message, help } = error.into_inner();
            if let (Some(written), Some(text)) = (&at.written, at.as_text().filter(|text| !text.is_empty())) {
                message = message.replace(text, written);
            }
            problems.error("value_invalid", &at.place, &path, message).help = help;
            None
        }
    }
}

/// The deepest node on a path, and the path to it.
fn find<'n>(mut node: &'n Node, steps: &serde_path_to_error::Path, path: &str) -> (&'n Node, String) {
    let mut path = path.to_owned();
    for step in steps {
        let (found, name) = match step {
            Segment::Seq { index } => (node.as_list().and_then(|items| items.get(*index)), format!("[{index}]")),
            Segment::Map { key: name } | Segment::Enum { variant: name } => (node.get(name), name.clone()),
            Segment::Unknown => (None, String::new()),
        };
        let Some(found) = found else { break };
        let dot = if path.is_empty() || name.starts_with('[') { "" } else { "." };
        path = format!("{path}{dot}{name}");
        node = found;
    }
    (node, path)
}

/// Walks a tree along a JSON Schema.
struct Walk<'w> {
    root: &'w Schema,
    problems: &'w mut Problems,
}

impl<'w> Walk<'w> {
    /// The same tree without its unknown keys, which are noted. `schemas` are all that may describe the node.
    fn known(&mut self, node: &Node, schemas: Vec<&'w Schema>, path: &str) -> Node {
        let schemas = self.branches(schemas);
        let value = match &node.value {
            Value::List(items) => {
                let inner: Vec<&Schema> = schemas.iter().filter_map(|schema| schema.get("items")).collect();
                let items = items.iter().enumerate();
                Value::List(items.map(|(at, item)| self.known(item, inner.clone(), &format!("{path}[{at}]"))).collect())
            }
            Value::Map(members) => {
                Value::Map(members.iter().filter_map(|(key, value)| self.member(key, value, &schemas, path)).collect())
            }
            other => {
                self.range(node, &schemas, path);
                other.clone()
            }
        };
        Node { value, place: node.place.clone(), written: node.written.clone() }
    }

    /// Notes a number outside the range that its schema names.
    fn range(&mut self, node: &Node, schemas: &[&'w Schema], path: &str) {
        let number = match &node.value {
            Value::Number(number) => number.as_f64(),
            Value::Text(text) if node.written.is_some() => text.trim().parse().ok(),
            _ => None,
        };
        let bound = |word: &str| schemas.iter().find_map(|schema| schema.get(word)?.as_f64());
        let (Some(number), Some(low), Some(high)) = (number, bound("minimum"), bound("maximum")) else { return };
        if !(low..=high).contains(&number) {
            let is_whole = schemas.iter().any(|schema| schema.get("type").is_some_and(|kind| kind == "integer"));
            let what = if is_whole { "a whole number" } else { "a number" };
            let message = format!("expected {what} from {low} to {high}, found `{}`", node.shown());
            self.problems.error("value_invalid", &node.place, path, message);
        }
    }

    fn member(&mut self, key: &Key, value: &Node, schemas: &[&'w Schema], path: &str) -> Option<(Key, Node)> {
        let dot = if path.is_empty() { "" } else { "." };
        let path = format!("{path}{dot}{}", key.name);
        let mut inner: Vec<&Schema> =
            schemas.iter().filter_map(|schema| schema.get("properties")?.get(&key.name)).collect();
        if inner.is_empty() && is_closed(schemas) {
            let known = known_keys(schemas);
            let message = format!("unknown key `{}`", cut(&key.name));
            let help = meant(&key.name, known);
            self.problems.hide_misnamed(value);
            self.problems.error("unknown_key", &key.place, &path, message).help(help);
            return None;
        }
        if inner.is_empty() {
            inner = schemas.iter().filter_map(|schema| schema.get("additionalProperties")).collect();
        }
        Some((key.clone(), self.known(value, inner, &path)))
    }

    /// Every schema that a list of schemas leads to by reference or choice.
    fn branches(&self, mut open: Vec<&'w Schema>) -> Vec<&'w Schema> {
        let mut found: Vec<&'w Schema> = Vec::new();
        while let Some(schema) = open.pop() {
            if found.iter().any(|other| std::ptr::eq(*other, schema)) {
                continue;
            }
            found.push(schema);
            if let Some(pointer) = schema.get("$ref").and_then(|name| name.as_str()?.strip_prefix('#')) {
                open.extend(self.root.pointer(pointer));
            }
            for choice in ["anyOf", "oneOf", "allOf"] {
                open.extend(schema.get(choice).and_then(Schema::as_array).into_iter().flatten());
            }
        }
        found
    }
}

/// Whether only the named keys may stand there.
fn is_closed(schemas: &[&Schema]) -> bool {
    let closed = |schema: &Schema| {
        ["additionalProperties", "unevaluatedProperties"].iter().any(|word| schema.get(word) == Some(&false.into()))
    };
    let open = |schema: &Schema| schema.get("additionalProperties").is_some_and(|value| *value != Schema::Bool(false));
    schemas.iter().any(|schema| closed(schema)) && !schemas.iter().any(|schema| open(schema))
}

fn known_keys<'s>(schemas: &[&'s Schema]) -> BTreeSet<&'s str> {
    let properties = schemas.iter().filter_map(|schema| schema.get("properties")?.as_object());
    properties.flat_map(|members| members.keys().map(String::as_str)).collect()
}

impl<'de> IntoDeserializer<'de, Misfit> for &'de Node {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

type Members<'de> = MapDeserializer<'de, std::vec::IntoIter<(&'de str, &'de Node)>, Misfit>;

fn members(members: &[(Key, Node)]) -> Members<'_> {
    let pairs: Vec<(&str, &Node)> = members.iter().map(|(key, value)| (key.name.as_str(), value)).collect();
    MapDeserializer::new(pairs.into_iter())
}

/// What stood in an environment variable is text, so a number or truth value asked for is read from it.
macro_rules! read_written {
    ($($method:ident $visit:ident $type:ty),+) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
            match (&self.written, self.as_text().map(|text| text.trim().parse::<$type>())) {
                (Some(_), Some(Ok(value))) => visitor.$visit(value),
                _ => self.deserialize_any(visitor),
            }
        }
    )+};
}

impl<'de> Deserializer<'de> for &'de Node {
    type Error = Misfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match &self.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
                (Some(number), ..) => visitor.visit_u64(number),
                (_, Some(number), _) => visitor.visit_i64(number),
                (.., number) => visitor.visit_f64(number.unwrap_or(f64::MAX)),
            },
            Value::Text(text) => visitor.visit_borrowed_str(text),
            Value::List(items) => {
                let mut source = SeqDeserializer::new(items.iter());
                let value = visitor.visit_seq(&mut source)?;
                source.end().map(|()| value)
            }
            Value::Map(map) => {
                let mut source = members(map);
                let value = visitor.visit_map(&mut source)?;
                source.end().map(|()| value)
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_newtype_struct(self)
    }

    /// A section whose name stands there with nothing under it is an empty one.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        match self.value {
            Value::Null => visitor.visit_map(members(&[])),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        self.deserialize_struct("", &[], visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        match &self.value {
            Value::Text(text) => visitor.visit_enum(text.as_str().into_deserializer()),
            Value::Map(map) if map.len() == 1 => visitor.visit_enum(MapAccessDeserializer::new(members(map))),
            _ => Err(Misfit::custom(format!("expected a word or a map of one key, found {}", self.kind()))),
        }
    }

    read_written! {
        deserialize_bool visit_bool bool, deserialize_i8 visit_i8 i8, deserialize_i16 visit_i16 i16,
        deserialize_i32 visit_i32 i32, deserialize_i64 visit_i64 i64, deserialize_u8 visit_u8 u8,
        deserialize_u16 visit_u16 u16, deserialize_u32 visit_u32 u32, deserialize_u64 visit_u64 u64,
        deserialize_f32 visit_f32 f32, deserialize_f64 visit_f64 f64
    }

    serde::forward_to_deserialize_any! {
        i128 u128 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct identifier ignored_any
    }
}
