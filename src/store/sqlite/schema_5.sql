-- Version 5. What deliveries have written past older ones of the same person, which wait outside their lines, so that it is not
-- written over when those go: by destination, the person's key and the thing. `value` and `whom` are hashes; `id` is the
-- delivery, and `stands_at` its place in the order of calls.
CREATE TABLE passed (
    destination TEXT NOT NULL,
    key INTEGER NOT NULL,
    thing TEXT NOT NULL,
    value INTEGER NOT NULL,
    whom INTEGER NOT NULL,
    id INTEGER NOT NULL,
    stands_at INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    PRIMARY KEY (destination, key, thing)
) STRICT, WITHOUT ROWID;

CREATE INDEX passed_by_id ON passed (id);
