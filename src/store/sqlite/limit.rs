//! A bound on the file's size that can be set while it is open: for trials of a full disk.

use futures_util::future::BoxFuture;

use super::Sqlite;
use super::file::PAGE_BYTES;
use super::group::{Group, Work};
use crate::store::Result;

impl Sqlite {
    /// From now on refuses to let the file grow beyond so many bytes, as a full disk would: for trials.
    pub fn limit(&self, bytes: u64) -> BoxFuture<'_, Result<()>> {
        self.write(Limit { pages: (bytes / PAGE_BYTES as u64).max(1) })
    }
}

struct Limit {
    pages: u64,
}

impl Work for Limit {
    type Answer = ();

    fn weight(&self) -> usize {
        1
    }

    fn run(&self, group: &mut Group<'_>) -> rusqlite::Result<()> {
        group.file.query_row(&format!("PRAGMA max_page_count = {}", self.pages), (), |_| Ok(()))
    }
}
