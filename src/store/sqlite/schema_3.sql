-- Version 3. Long pieces of work that go on after a restart; what a record says is the router's own.
CREATE TABLE jobs (
    id INTEGER PRIMARY KEY,
    record TEXT NOT NULL,
    checksum INTEGER NOT NULL
) STRICT;
