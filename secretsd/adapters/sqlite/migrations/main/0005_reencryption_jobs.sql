-- Re-encryption of what is under older versions of a CMK: one a key, the last one stays.

CREATE TABLE reencryptions (
    account TEXT NOT NULL,
    key_id TEXT NOT NULL,
    state TEXT NOT NULL,
    started_ms INTEGER NOT NULL,
    per_second INTEGER NOT NULL,
    total INTEGER NOT NULL,
    done INTEGER NOT NULL,
    waiting INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    place TEXT NOT NULL,
    at_version INTEGER NOT NULL,
    after TEXT NOT NULL,
    after_version TEXT NOT NULL,
    next_due_ms INTEGER,
    finished_ms INTEGER,
    revision INTEGER NOT NULL CHECK (revision >= 0),
    row_mac BLOB NOT NULL,
    PRIMARY KEY (account, key_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX reencryptions_due ON reencryptions (next_due_ms) WHERE next_due_ms IS NOT NULL;
