-- Version 1. A checksum is the CRC-32C of the row's other columns, as record.rs computes it.

-- What was accepted, in order. Positions are never used twice.
CREATE TABLE events (
    position INTEGER PRIMARY KEY,
    envelope TEXT NOT NULL,
    body BLOB NOT NULL,
    checksum INTEGER NOT NULL
) STRICT;

-- What is or was owed to destinations; the id is the event's position << 16 | number.
CREATE TABLE deliveries (
    id INTEGER PRIMARY KEY,
    destination TEXT NOT NULL,
    status TEXT NOT NULL,
    record TEXT NOT NULL,
    record_checksum INTEGER NOT NULL,
    progress TEXT NOT NULL,
    progress_checksum INTEGER NOT NULL
) STRICT;

CREATE INDEX deliveries_by_destination ON deliveries (destination, id);
CREATE INDEX deliveries_dead ON deliveries (id, destination) WHERE status = 'dead_letter';
CREATE INDEX deliveries_skipped ON deliveries (id, destination) WHERE status = 'skipped';

-- Those deliveries that have not ended, as far as their order goes: `keys` are 8 bytes each, little-endian, `until` and
-- `accepted_at` are in microseconds since 1970; `until` is NULL while nothing holds it back.
CREATE TABLE open_deliveries (
    id INTEGER PRIMARY KEY,
    source TEXT NOT NULL,
    destination TEXT NOT NULL,
    keys BLOB NOT NULL,
    until INTEGER,
    parked INTEGER NOT NULL,
    accepted_at INTEGER NOT NULL,
    checksum INTEGER NOT NULL
) STRICT;

-- Hashes of (source, message id), 16 bytes each, one row per commit and hour; the id is hours since 1970 << 32 | number.
CREATE TABLE message_ids (
    id INTEGER PRIMARY KEY,
    hashes BLOB NOT NULL,
    checksum INTEGER NOT NULL
) STRICT;

-- Single values: `last` (the greatest position ever used), `routed` (events up to there are routed), `key` (of the hashes).
CREATE TABLE marks (
    name TEXT PRIMARY KEY,
    value BLOB NOT NULL,
    checksum INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Records whose checksum did not hold, as they were found: `first` and `second` are an event's envelope and body, or a
-- delivery's record and progress.
CREATE TABLE quarantine (
    number INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    id INTEGER NOT NULL,
    first BLOB NOT NULL,
    second BLOB NOT NULL
) STRICT;
