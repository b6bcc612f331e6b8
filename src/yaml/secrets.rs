//! What no message and no excerpt of a file may show: what `${…}` stood for, and the values of keys that hold secrets.

use super::{Node, Value};

/// Shorter values are not looked for in messages: they would be found in every second word, and protect nothing.
const LENGTH_MIN: usize = 4;
/// The words of a longer value are looked for from this length on.
const WORD_MIN: usize = 6;
/// A text under a misnamed key is hidden from this length on: shorter ones are words, such as a region.
const MISNAMED_MIN: usize = 8;

/// The values that are not to be shown, each with what is shown in its place.
#[derive(Debug, Clone, Default)]
pub(super) struct Secrets {
    /// In messages.
    known: Vec<(String, String)>,
    /// In the text of the file as well.
    literal: Vec<String>,
}

impl Secrets {
    /// Keeps what `${…}` stood for.
    pub(super) fn interpolated(&mut self, value: &str, written: &str) {
        self.add(value, written);
        // Parsers show texts by the word. Shorter words are those of the language the text is written in.
        let words = value.split(|c: char| !(c.is_alphanumeric() || c == '_'));
        words.filter(|word| word.len() >= WORD_MIN).for_each(|word| self.add(word, written));
    }

    /// Keeps the texts under keys that hold secrets, anywhere under `node`.
    pub(super) fn under(&mut self, node: &Node) {
        match &node.value {
            Value::List(items) => items.iter().for_each(|item| self.under(item)),
            Value::Map(members) => {
                for (key, value) in members {
                    match is_secret(&key.name) {
                        true => self.texts(value, LENGTH_MIN),
                        false => self.under(value),
                    }
                }
            }
            _ => {}
        }
    }

    /// Keeps the longer texts under a key that is not known: it may be a secret's key, misnamed.
    pub(super) fn misnamed(&mut self, node: &Node) {
        self.texts(node, MISNAMED_MIN);
    }

    fn texts(&mut self, node: &Node, length_min: usize) {
        match &node.value {
            Value::List(items) => items.iter().for_each(|item| self.texts(item, length_min)),
            Value::Map(members) => members.iter().for_each(|(_, value)| self.texts(value, length_min)),
            Value::Text(text) if node.written.is_none() && text.len() >= length_min => {
                self.add(text, "***");
                self.literal.push(text.clone());
            }
            _ => {}
        }
    }

    fn add(&mut self, value: &str, shown: &str) {
        let is_new = value.len() >= LENGTH_MIN && self.known.iter().all(|(known, _)| known != value);
        if is_new {
            let quoted = serde_json::Value::from(value).to_string();
            let escaped = &quoted[1..quoted.len() - 1];
            if escaped != value {
                self.known.push((escaped.to_owned(), shown.to_owned()));
            }
            self.known.push((value.to_owned(), shown.to_owned()));
            // The longest first, so that none is shown in part.
            self.known.sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
        }
    }

    /// A message without them.
    pub(super) fn mask(&self, message: &mut String) {
        for (value, shown) in &self.known {
            if message.contains(value.as_str()) {
                *message = message.replace(value.as_str(), shown);
            }
            mask_cut(message, value, shown);
        }
    }

    /// The text of a file without those that stand in it, byte for byte.
    pub(super) fn blank(&self, text: &str) -> String {
        let blanked = |text: String, secret: &String| text.replace(secret.as_str(), &"*".repeat(secret.len()));
        self.literal.iter().fold(text.to_owned(), blanked)
    }
}

/// Masks the beginning of a value where a message was cut off within it.
fn mask_cut(message: &mut String, value: &str, shown: &str) {
    let mut from = 0;
    while let Some(end) = message[from..].find('…').map(|at| from + at) {
        let starts = value.char_indices().map(|(at, _)| at).filter(|at| *at >= LENGTH_MIN).rev();
        let part = starts.into_iter().find(|at| message[..end].ends_with(&value[..*at]));
        let end = match part {
            Some(length) => {
                message.replace_range(end - length..end, shown);
                end - length + shown.len()
            }
            None => end,
        };
        from = end + '…'.len_utf8();
    }
}

/// Whether a key of settings is one of a secret, however it is spelled.
fn is_secret(key: &str) -> bool {
    let key = key.to_lowercase().replace(['-', ' '], "_");
    ["token", "secret", "password", "authorization", "write_key", "api_key", "apikey"]
        .iter()
        .any(|word| key.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: &str, message: &str, expected: &str) {
        let mut secrets = Secrets::default();
        secrets.interpolated(value, "${S}");
        let mut message = message.to_owned();
        secrets.mask(&mut message);
        assert_eq!(message, expected);
    }

    #[test]
    fn values_are_masked_whole_by_the_word_escaped_and_cut_off() {
        check("hunter2secret", "unknown filter `hunter2secret`", "unknown filter `${S}`");
        check("hunter2 secret", "`secret` has no quotes", "`${S}` has no quotes");
        check("se\"cret\\", r#"found `["se\"cret\\"]`"#, "found `[\"${S}\"]`");
        check("hunter2secret", "`a is hunter2s…`", "`a is ${S}…`");
        check("8", "line 8 holds 8", "line 8 holds 8");
    }
}
