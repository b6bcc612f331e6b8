//! Looking through what is kept, a part at a time, so that damage is found before what is damaged is needed.

use std::sync::{Mutex, PoisonError};

use rusqlite::Connection;

use super::Sqlite;
use super::query::Found;
use super::record::{Bad, Kept};
use crate::delivery::Position;
use crate::store::{Result, Store};

/// Records in a part.
const PART: usize = 5000;

/// Where the next part begins.
#[derive(Debug, Default)]
pub(super) struct Audit(Mutex<Next>);

#[derive(Debug, Default, Clone, Copy)]
struct Next {
    event: Position,
    delivery: i64,
}

impl Audit {
    fn next(&self) -> Next {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn move_to(&self, next: Next) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = next;
    }
}

impl Sqlite {
    /// Reads the next part, which reports and puts aside what is wrong in it; after the last part comes the first again.
    pub(super) async fn look_through(&self) -> Result<()> {
        let Next { event, delivery } = self.audit.next();
        let events = self.events(event, PART).await?;
        let ids = self.read(move |file| ids(file, delivery)).await?;
        self.audit.move_to(Next {
            event: events.get(PART - 1).map_or(Position(0), |last| last.position),
            delivery: ids.get(PART - 1).copied().unwrap_or(0),
        });
        Ok(())
    }
}

/// The next deliveries. One that has not ended must stand among the open ones as well.
fn ids(file: &Connection, after: i64) -> Found<i64> {
    let columns = Kept::COLUMNS;
    let mut select = file.prepare_cached(&format!(
        "SELECT {columns}, EXISTS (SELECT 1 FROM open_deliveries WHERE open_deliveries.id = deliveries.id)
         FROM deliveries WHERE id > ?1 ORDER BY id LIMIT ?2"
    ))?;
    let (mut found, mut bad) = (Vec::new(), Vec::new());
    let mut rows = select.query([after, PART as i64])?;
    while let Some(row) = rows.next()? {
        let is_open: bool = row.get(7)?;
        let kept = Kept::read(row)?;
        let id = kept.id;
        match kept.whole() {
            Ok(owed) if !is_open && !owed.progress.status.is_settled() => bad.push(Bad::Unopened(id)),
            Ok(_) => found.push(id),
            Err(damaged) => bad.push(damaged),
        }
    }
    Ok((found, bad))
}
