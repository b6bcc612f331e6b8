-- Version 4. Positions above the mark `floor` at which no event stands, as ranges with both ends, and why: `removed` on request,
-- `quarantined`, or `lost`: it should be there and is not.
CREATE TABLE absent (
    first INTEGER PRIMARY KEY,
    last INTEGER NOT NULL,
    why TEXT NOT NULL
) STRICT;
