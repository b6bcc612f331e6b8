//! The file: how it is opened, whose it is, which version it has, and what SQLite's errors mean to us.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, ffi};

use super::{inspect, quarantine};
use crate::store::{Error, Result};

/// The file's name in the data directory.
pub(super) const NAME: &str = "interline.db";
/// Marks the file as ours: "ILNE".
const APPLICATION_ID: i32 = 0x494c_4e45;
/// What leads from one version to the next; the version is how many of them were taken.
pub(super) const STEPS: &[&str] = &[
    include_str!("schema.sql"),
    include_str!("schema_2.sql"),
    include_str!("schema_3.sql"),
    include_str!("schema_4.sql"),
    include_str!("schema_5.sql"),
];
/// Bytes of a page.
pub(super) const PAGE_BYTES: usize = 8192;

const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The file in this data directory.
pub(super) fn path(directory: &Path) -> PathBuf {
    directory.join(NAME)
}

/// Makes the data directory, for us alone, when it is missing.
pub(super) fn make_directory(directory: &Path) -> Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
        .create(directory)
        .map_err(|error| Error::Unavailable(format!("cannot make the directory {}: {error}", directory.display())))?;
    // A power cut must not take the new name back. Some systems do not sync directories; those need not.
    if let Some(parent) = directory.parent() {
        let _ = File::open(parent).and_then(|parent| parent.sync_all());
    }
    Ok(())
}

/// Options for files that only we may read.
pub(super) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

/// Opens the file for the one writer: makes it when it is missing, refuses it when it is not ours, brings it to our
/// version.
pub(super) fn open_writer(path: &Path) -> Result<Connection> {
    let log = inspect::inspect(path)?;
    private(OpenOptions::new().create(true).append(true))
        .open(path)
        .map_err(|error| Error::Unavailable(format!("cannot open {}: {error}", path.display())))?;
    let mut file =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)
            .map_err(explain)?;
    let version = identify(&file, path)?;
    sync_what_is_there(path)?;
    configure_writer(&file, version).map_err(explain)?;
    migrate(&mut file, version).map_err(explain)?;
    if let Some(kept) = &log.kept {
        quarantine::keep(&file, "log", log.found.commits_beyond as i64, kept.as_bytes(), &[]).map_err(explain)?;
    }
    if log.found.frames_beyond > 0 || log.kept.is_some() {
        // What is beyond must not stand there the next time somebody looks.
        file.query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |_| Ok(())).map_err(explain)?;
    }
    Ok(file)
}

/// What a killed process wrote last may still be in the system's memory only, and from here on counts as stored.
fn sync_what_is_there(path: &Path) -> Result<()> {
    for path in [path.to_owned(), log_path(path)] {
        match OpenOptions::new().write(true).open(&path) {
            Ok(file) => file.sync_all().map_err(|error| {
                Error::Failed(format!("what is in {} could not be synced: {error}", path.display()))
            })?,
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(Error::Unavailable(format!("cannot open {}: {error}", path.display()))),
        }
    }
    Ok(())
}

/// The write-ahead log beside the file.
pub(super) fn log_path(path: &Path) -> PathBuf {
    let mut log = path.to_owned().into_os_string();
    log.push("-wal");
    log.into()
}

/// Opens the file for reading only.
pub(super) fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let file = Connection::open_with_flags(path, flags)?;
    file.busy_timeout(BUSY_TIMEOUT)?;
    file.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    file.execute_batch("PRAGMA query_only = ON; PRAGMA cell_size_check = ON; PRAGMA cache_size = -1024;")?;
    Ok(file)
}

/// The file's version; 0 when there is nothing in it.
fn identify(file: &Connection, path: &Path) -> Result<usize> {
    let shown = path.display();
    let foreign = |what: String| Error::Incompatible(format!("{shown} is not ours: {what}; set another data_dir"));
    let number = |sql: &str| file.query_row(sql, (), |row| row.get::<_, i32>(0));
    let application = match number("PRAGMA application_id") {
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::NotADatabase) => {
            return Err(foreign(format!("it is no SQLite file of version {}", rusqlite::version())));
        }
        answer => answer.map_err(explain)?,
    };
    let version = number("PRAGMA user_version").map_err(explain)?;
    if application == 0 && version == 0 && number("SELECT count(*) FROM sqlite_schema").map_err(explain)? == 0 {
        return Ok(0);
    }
    if application != APPLICATION_ID {
        let ids = format!("application id {application:#x} version {version}");
        return Err(foreign(format!("it has {ids}, a store has {APPLICATION_ID:#x} version {}", STEPS.len())));
    }
    let version = usize::try_from(version).unwrap_or_default();
    if version > STEPS.len() {
        return Err(Error::Incompatible(format!(
            "{shown} has version {version} of the store, and this program knows versions up to {}; start the newer \
             program again or set another data_dir",
            STEPS.len()
        )));
    }
    Ok(version)
}

/// Checkpoints are ours to begin, so that their errors are seen; closing does none behind our back.
fn configure_writer(file: &Connection, version: usize) -> rusqlite::Result<()> {
    file.busy_timeout(BUSY_TIMEOUT)?;
    file.set_prepared_statement_cache_capacity(64);
    file.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    if version == 0 {
        file.execute_batch(&format!("PRAGMA page_size = {PAGE_BYTES}; PRAGMA auto_vacuum = INCREMENTAL;"))?;
    }
    file.execute_batch("PRAGMA journal_mode = WAL;")?;
    file.execute_batch(
        "PRAGMA synchronous = FULL;
         PRAGMA fullfsync = ON;
         PRAGMA checkpoint_fullfsync = ON;
         PRAGMA wal_autocheckpoint = 0;
         PRAGMA journal_size_limit = 67108864;
         PRAGMA cell_size_check = ON;
         PRAGMA temp_store = MEMORY;
         PRAGMA cache_size = -8192;",
    )
}

fn migrate(file: &mut Connection, version: usize) -> rusqlite::Result<()> {
    if version == STEPS.len() {
        return Ok(());
    }
    let transaction = file.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    for step in &STEPS[version..] {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", STEPS.len() as i64)?;
    transaction.commit()
}

/// What an error of SQLite means to us. After a failed write or sync to the disk nothing is known about what it holds,
/// and asking again would only hide that (on Linux a second fsync succeeds): the store has failed for good. A disk that
/// is full or a file that is busy is another matter; a full disk shows also when the shared index of the write-ahead
/// log cannot grow.
pub(super) fn explain(error: rusqlite::Error) -> Error {
    let extended = error.sqlite_error().map(|error| error.extended_code);
    match error.sqlite_error_code() {
        _ if extended == Some(ffi::SQLITE_IOERR_SHMSIZE) => Error::Unavailable(error.to_string()),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Error::Failed(format!(
            "{NAME} is damaged ({error}); keep a copy of it, put a backup in its place, or have `sqlite3 {NAME} .recover` \
             write what can be read into a new file"
        )),
        Some(ErrorCode::SystemIoFailure | ErrorCode::ReadOnly) => Error::Failed(error.to_string()),
        _ => Error::Unavailable(error.to_string()),
    }
}

/// Whether there is no room: on the disk, or for the shared index of the write-ahead log.
pub(super) fn is_full(error: &rusqlite::Error) -> bool {
    let extended = error.sqlite_error().map(|error| error.extended_code);
    error.sqlite_error_code() == Some(ErrorCode::DiskFull) || extended == Some(ffi::SQLITE_IOERR_SHMSIZE)
}

/// Whether the fault lies in what was asked, not in the disk or the moment: the same statement alone would fail again.
pub(super) fn is_own_fault(error: &rusqlite::Error) -> bool {
    !matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::SystemIoFailure
                | ErrorCode::DatabaseCorrupt
                | ErrorCode::NotADatabase
                | ErrorCode::ReadOnly
                | ErrorCode::DiskFull
                | ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::CannotOpen
                | ErrorCode::OutOfMemory
        )
    )
}
