//! Pages of a list, by opaque cursors that are good in one workspace only.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::reply::Refusal;
use super::settings::Settings;

/// Entries a list of contacts has when nobody asks for a number.
pub const LIST_DEFAULT: usize = 10;
/// Entries a search has when nobody asks for a number.
pub const SEARCH_DEFAULT: usize = 50;
/// Most entries of a page.
pub const MAX: usize = 150;

/// One page.
pub struct Page<'a, T> {
    /// What stands on it.
    pub items: &'a [T],
    /// The reply's `pages`.
    pub pages: Value,
}

/// Which page is wanted.
pub struct Wanted<'q> {
    /// Entries of a page, at least one.
    pub per_page: usize,
    /// Cursor of the page before.
    pub starting_after: Option<&'q str>,
    /// The workspace whose cursors are good.
    pub settings: &'q Settings,
}

impl Wanted<'_> {
    /// Cuts the page out of all entries. A cursor nobody gave out is refused.
    pub fn cut<'a, T>(&self, all: &'a [T], id_of: impl Fn(&T) -> &str) -> Result<Page<'a, T>, Refusal> {
        let from = match self.starting_after {
            None => 0,
            Some(cursor) => {
                let id = read_cursor(cursor, self.settings)?;
                1 + all.iter().position(|item| id_of(item) == id).ok_or_else(bad_cursor)?
            }
        };
        let items = &all[from..all.len().min(from + self.per_page)];
        let mut pages = json!({
            "type": "pages",
            "page": from / self.per_page + 1,
            "per_page": self.per_page,
            "total_pages": all.len().div_ceil(self.per_page),
        });
        if let Some(last) = items.last().filter(|_| from + items.len() < all.len()) {
            let cursor = write_cursor(id_of(last), self.settings);
            pages["next"] = json!({"per_page": self.per_page, "starting_after": cursor});
        }
        Ok(Page { items, pages })
    }
}

fn write_cursor(id: &str, settings: &Settings) -> String {
    URL_SAFE_NO_PAD.encode(format!("{}/{id}", settings.workspace_id))
}

fn read_cursor(cursor: &str, settings: &Settings) -> Result<String, Refusal> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| bad_cursor())?;
    let text = String::from_utf8(bytes).map_err(|_| bad_cursor())?;
    let (workspace, id) = text.rsplit_once('/').ok_or_else(bad_cursor)?;
    match workspace == settings.workspace_id {
        true => Ok(id.to_owned()),
        false => Err(bad_cursor()),
    }
}

fn bad_cursor() -> Refusal {
    Refusal::new(400, "bad_request", "bad 'starting_after' parameter")
}
