-- Version 5. Deliveries that were settled past older ones of the same person, which wait outside their lines: by destination and
-- the person's key, so that what these have written is not written over when those go.
CREATE TABLE passed (
    destination TEXT NOT NULL,
    key INTEGER NOT NULL,
    id INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    PRIMARY KEY (destination, key, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX passed_by_id ON passed (id);
