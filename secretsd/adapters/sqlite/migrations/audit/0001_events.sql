-- The events of reads and refusals, shaped as those of changes are in the main file.

CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    id BLOB NOT NULL CHECK (length(id) = 16),
    account TEXT NOT NULL,
    time_ms INTEGER NOT NULL,
    principal TEXT NOT NULL,
    operation TEXT NOT NULL,
    resource TEXT NOT NULL,
    outcome TEXT NOT NULL,
    data BLOB NOT NULL,
    salt BLOB NOT NULL CHECK (length(salt) = 32),
    UNIQUE (account, id)
) STRICT;

CREATE TABLE event_views (
    account TEXT NOT NULL,
    id BLOB NOT NULL,
    first_account TEXT NOT NULL,
    salt BLOB NOT NULL CHECK (length(salt) = 32),
    PRIMARY KEY (account, id)
) STRICT, WITHOUT ROWID;

-- One row that whoever empties the write-ahead log writes first, so that no event pays for the log's new header.
CREATE TABLE log_starts (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    count INTEGER NOT NULL
) STRICT;
INSERT INTO log_starts (id, count) VALUES (1, 0);
