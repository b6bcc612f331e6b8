//! Why a value does not fit a setting, in the words of who wrote it.

use std::fmt;

use serde::de::{Error, Expected, Unexpected};

use super::{cut, nearest};

/// Why a value does not fit.
#[derive(Debug)]
pub struct Misfit {
    /// What was expected, and what stands there.
    pub message: String,
    /// What to write.
    pub help: Option<String>,
}

impl Misfit {
    fn new(message: String) -> Misfit {
        Misfit { message, help: None }
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Misfit {}

impl Error for Misfit {
    fn custom<T: fmt::Display>(message: T) -> Self {
        match message.to_string() {
            text if text.contains("socket address syntax") => {
                let help = Some("write an address and a port: 127.0.0.1:8080, 0.0.0.0:8080, [::1]:8080".to_owned());
                Misfit { message: "expected an address with a port".to_owned(), help }
            }
            text => Misfit::new(text),
        }
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let expected = expected.to_string();
        let (wanted, help) = wanted(&expected);
        let message = format!("expected {wanted}, found {}", found(unexpected));
        Misfit { message, help: help.map(str::to_owned) }
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(unexpected, expected)
    }

    fn unknown_variant(word: &str, expected: &'static [&'static str]) -> Self {
        let near = nearest(word, expected.iter().copied()).map(|near| format!("did you mean `{near}`? "));
        let help = format!("{}there are: {}", near.unwrap_or_default(), expected.join(", "));
        Misfit { message: format!("unknown word `{}`", cut(word)), help: Some(help) }
    }

    fn missing_field(field: &'static str) -> Self {
        Misfit::new(format!("`{field}` is missing"))
    }
}

/// A type by its name in the code, as people call it, and how to write one.
fn wanted(name: &str) -> (&str, Option<&'static str>) {
    match name {
        "f32" | "f64" => ("a number", None),
        "u8" => ("a whole number from 0 to 255", None),
        "u16" => ("a whole number from 0 to 65535", None),
        "u32" | "u64" | "usize" => ("a whole number, 0 or more", None),
        "i8" | "i16" | "i32" | "i64" | "isize" => ("a whole number", None),
        "a boolean" => ("true or false", None),
        "a string" | "path string" => ("text", Some("put quotes around it")),
        "a sequence" => ("a list", Some("write [one, another], or each on a line of its own after `- `")),
        "socket address" => {
            ("an address with a port", Some("write an address and a port: 127.0.0.1:8080, 0.0.0.0:8080, [::1]:8080"))
        }
        name if name.starts_with("struct ") => ("a map", None),
        other => (other, None),
    }
}

fn found(unexpected: Unexpected<'_>) -> String {
    match unexpected {
        Unexpected::Bool(value) => format!("`{value}`"),
        Unexpected::Unsigned(number) => format!("`{number}`"),
        Unexpected::Signed(number) => format!("`{number}`"),
        Unexpected::Float(number) => format!("`{number}`"),
        Unexpected::Str(text) => format!("`{}`", cut(text)),
        Unexpected::Unit => "nothing".to_owned(),
        Unexpected::Seq => "a list".to_owned(),
        Unexpected::Map => "a map".to_owned(),
        other => other.to_string(),
    }
}
