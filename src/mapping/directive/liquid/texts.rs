//! Filters over texts.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use regex::Regex;
use url::form_urlencoded;

use super::VALUE_MAX;
use super::filters::{TOO_LONG, count, joined};
use super::view::text;
use crate::json::Json;

type Given<'g> = &'g [Json<'static>];
type Result = std::result::Result<Json<'static>, String>;

pub(super) fn replaced(text: &str, part: &str, by: &str) -> Result {
    let count = if part.is_empty() { text.chars().count() + 1 } else { text.matches(part).count() };
    match text.len().saturating_add(count.saturating_mul(by.len())) <= VALUE_MAX {
        true => Ok(text.replace(part, by).into()),
        false => Err(TOO_LONG.to_owned()),
    }
}

pub(super) fn replaced_first(text: &str, part: &str, by: &str) -> Result {
    match text.split_once(part) {
        Some((before, after)) => joined(&format!("{before}{by}"), after),
        None => Ok(text.to_owned().into()),
    }
}

pub(super) fn replaced_last(text: &str, part: &str, by: &str) -> Result {
    match text.rsplit_once(part) {
        Some((before, after)) => joined(&format!("{before}{by}"), after),
        None => Ok(text.to_owned().into()),
    }
}

/// The first letter a capital, the others small.
pub(super) fn capitalize(input: Json<'static>, _: Given<'_>) -> Result {
    let text = text(&input);
    let mut letters = text.chars();
    let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    Ok((first + &letters.as_str().to_lowercase()).into())
}

pub(super) fn split(input: Json<'static>, given: Given<'_>) -> Result {
    let (text, by) = (text(&input), text(&given[0]));
    let mut parts: Vec<String> = match by.is_empty() {
        true => text.chars().map(String::from).collect(),
        false => text.split(&by).map(str::to_owned).collect(),
    };
    while parts.last().is_some_and(String::is_empty) {
        parts.pop();
    }
    Ok(Json::List(parts.into_iter().map(Json::from).collect()))
}

/// So many characters at most, `...` among them.
pub(super) fn truncate(input: Json<'static>, given: Given<'_>) -> Result {
    let (text, most) = (text(&input), count(given, 0, 50)?);
    let more = given.get(1).map_or("...".to_owned(), self::text);
    if text.chars().count() <= most {
        return Ok(text.into());
    }
    let kept: String = text.chars().take(most.saturating_sub(more.chars().count())).collect();
    joined(&kept, &more)
}

/// So many words at most.
pub(super) fn truncatewords(input: Json<'static>, given: Given<'_>) -> Result {
    let (text, most) = (text(&input), count(given, 0, 15)?.max(1));
    let more = given.get(1).map_or("...".to_owned(), self::text);
    let words: Vec<&str> = text.split_whitespace().collect();
    match words.len() <= most {
        true => Ok(words.join(" ").into()),
        false => joined(&words[..most].join(" "), &more),
    }
}

const ENTITIES: [(char, &str); 5] = [('&', "&amp;"), ('<', "&lt;"), ('>', "&gt;"), ('"', "&#34;"), ('\'', "&#39;")];

fn escaped(text: &str) -> String {
    let entity = |c| ENTITIES.iter().find(|(plain, _)| *plain == c).map(|(_, entity)| *entity);
    text.chars().fold(String::with_capacity(text.len()), |mut made, c| {
        match entity(c) {
            Some(entity) => made.push_str(entity),
            None => made.push(c),
        }
        made
    })
}

pub(super) fn escape(input: Json<'static>, _: Given<'_>) -> Result {
    Ok(escaped(&text(&input)).into())
}

pub(super) fn escape_once(input: Json<'static>, _: Given<'_>) -> Result {
    // `&` comes last, so that what it makes is not taken for an entity.
    let plain =
        ENTITIES.iter().rev().fold(text(&input), |text, (plain, entity)| text.replace(entity, &plain.to_string()));
    Ok(escaped(&plain).into())
}

pub(super) fn strip_html(input: Json<'static>, _: Given<'_>) -> Result {
    Ok(without_markup(&text(&input)).into())
}

/// What stands between markup: scripts, comments, styles, and single tags, the first of them that is closed. Each end is
/// looked for from where the last was found, so that all of it is one walk through the text.
fn without_markup(text: &str) -> String {
    let mut kinds = [("<script", "</script>"), ("<!--", "-->"), ("<style", "</style>"), ("<", ">")]
        .map(|(begin, end)| (begin, End { word: end, at: Some(0) }));
    let mut made = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(open) = text[at..].find('<').map(|open| at + open) {
        made.push_str(&text[at..open]);
        let mut closed = kinds.iter_mut().filter(|(begin, _)| text[open..].starts_with(begin));
        let Some(end) = closed.find_map(|(begin, end)| end.after(text, open + begin.len())) else {
            at = open;
            break;
        };
        at = end;
    }
    made + &text[at..]
}

/// Where a word comes next.
struct End {
    word: &'static str,
    /// Where it began the last time; `None` when there are no more.
    at: Option<usize>,
}

impl End {
    /// The end of the first such word at `from` or later, which only grows.
    fn after(&mut self, text: &str, from: usize) -> Option<usize> {
        if self.at? < from {
            self.at = text[from..].find(self.word).map(|found| from + found);
        }
        self.at.map(|at| at + self.word.len())
    }
}

pub(super) fn normalize_whitespace(input: Json<'static>, _: Given<'_>) -> Result {
    static BLANKS: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\s+").expect("the pattern is written here"));
    Ok(BLANKS.replace_all(&text(&input), " ").into_owned().into())
}

/// Small letters and digits, `-` for the rest.
pub(super) fn slugify(input: Json<'static>, _: Given<'_>) -> Result {
    let text = text(&input).to_lowercase();
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    Ok(words.collect::<Vec<_>>().join("-").into())
}

pub(super) fn url_encode(input: Json<'static>, _: Given<'_>) -> Result {
    Ok(form_urlencoded::byte_serialize(text(&input).as_bytes()).collect::<String>().into())
}

pub(super) fn url_decode(input: Json<'static>, _: Given<'_>) -> Result {
    // A form of one name without `=` and `&`: all of it is the name.
    let text = text(&input).replace('=', "%3D").replace('&', "%26");
    let decoded: String = form_urlencoded::parse(text.as_bytes()).map(|(name, _)| name.into_owned()).collect();
    Ok(decoded.into())
}

/// Percent signs for what no address may hold; what means something in one stays.
pub(super) fn uri_escape(input: Json<'static>, _: Given<'_>) -> Result {
    let escaped = text(&input).bytes().fold(String::new(), |mut made, byte| {
        match byte.is_ascii_alphanumeric() || b";,/?:@&=+$-_.!~*'()#[]".contains(&byte) {
            true => made.push(char::from(byte)),
            false => made.push_str(&format!("%{byte:02X}")),
        }
        made
    });
    Ok(escaped.into())
}

pub(super) fn base64_encode(input: Json<'static>, _: Given<'_>) -> Result {
    Ok(STANDARD.encode(text(&input)).into())
}

pub(super) fn base64_decode(input: Json<'static>, _: Given<'_>) -> Result {
    let bytes = STANDARD.decode(text(&input)).map_err(|_| "not Base64".to_owned())?;
    String::from_utf8(bytes).map(Json::from).map_err(|_| "not text".to_owned())
}
