//! The single values that outlive the process: the greatest position, the routed position, the key of the hashes, and who is
//! suppressed.

use rusqlite::{Connection, OptionalExtension, params};

use super::record::{bytes, checksum, integer};

/// The greatest position ever used; written when events go, otherwise the events tell it.
pub(super) const LAST: &str = "last";
/// Events up to here are routed.
pub(super) const ROUTED: &str = "routed";
/// Events up to here may be missing, because trimming has been there.
pub(super) const FLOOR: &str = "floor";
/// How many events were not routed, by source, and where the store stood then.
pub(super) const UNROUTED: &str = "unrouted";
/// The key of the hashes.
pub(super) const KEY: &str = "key";

/// Whose events are not wanted any more.
pub(super) const SUPPRESSED: &str = "suppressed";

/// Writes a value in the place of the old one.
pub(super) fn write(file: &Connection, name: &str, value: &[u8]) -> rusqlite::Result<()> {
    let mut upsert = file.prepare_cached(
        "INSERT INTO marks VALUES (?1, ?2, ?3)
         ON CONFLICT (name) DO UPDATE SET value = excluded.value, checksum = excluded.checksum",
    )?;
    upsert.execute(params![name, value, checksum(&[name.as_bytes(), value])])?;
    Ok(())
}

/// Writes a position.
pub(super) fn write_position(file: &Connection, name: &str, position: i64) -> rusqlite::Result<()> {
    write(file, name, &position.to_le_bytes())
}

/// Reads a value: `None` when it was never written, `Err` with its bytes when it is damaged.
pub(super) fn read(file: &Connection, name: &str) -> rusqlite::Result<Option<Result<Vec<u8>, Vec<u8>>>> {
    file.query_row("SELECT value, checksum FROM marks WHERE name = ?1", [name], |row| {
        let value = bytes(row, 0)?;
        let holds = integer(row, 1)? == i64::from(checksum(&[name.as_bytes(), value]));
        Ok(if holds { Ok(value.to_vec()) } else { Err(value.to_vec()) })
    })
    .optional()
}
