-- The records, the events of their changes, the change feed and the leases.
--
-- Each record table has one column for each field of its record (domain/records.py) and `row_mac`, the authenticator
-- over all of them. Mappings and tuples are JSON. Keys are compared byte by byte. Tables whose rows are small and found
-- by key alone are WITHOUT ROWID; those with larger rows keep rowids, so that their key index stays flat and a bulk
-- load appends.

CREATE TABLE meta (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Who this storage is (compared with the anchor outside it), and how often its log began anew after a loss.
INSERT INTO meta (name, value) VALUES ('storage_id', lower(hex(randomblob(16)))), ('log_generation', '1');

CREATE TABLE accounts (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    default_key_id TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    revision INTEGER NOT NULL CHECK (revision >= 0),
    row_mac BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE users (
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    policies TEXT NOT NULL CHECK (json_valid(policies)),
    tags TEXT NOT NULL CHECK (json_valid(tags)),
    revision INTEGER NOT NULL CHECK (revision >= 0),
    row_mac BLOB NOT NULL,
    PRIMARY KEY (account, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE tokens (
    digest TEXT NOT NULL PRIMARY KEY,
    id TEXT NOT NULL,
    account TEXT NOT NULL,
    user TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER,
    revision INTEGER NOT NULL CHECK (revision >= 0),
    row_mac BLOB NOT NULL,
    UNIQUE (account, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX tokens_of_user ON tokens (account, user, id);

CREATE TABLE bindings (
    proof TEXT NOT NULL PRIMARY KEY,
    account TEXT NOT NULL,
    user TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    revision INTEGER NOT NULL CHECK (revision >= 0),
    row_mac BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX bindings_of_account ON bindings (account, proof);

CREATE TABLE policies (
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    statements TEXT NOT NULL CHECK (json_valid(statements)),
    description TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    revision INTEGER NOT NULL CHECK (revision >= 0),
    row_mac BLOB NOT NULL,
    PRIMARY KEY (account, name)
) STRICT;

CREATE TABLE keys (
    account TEXT NOT NULL,
    id TEXT NOT NULL,
    state TEXT NOT NULL,
    spec TEXT NOT NULL,
    usage TEXT NOT NULL,
    origin TEXT NOT NULL,
    protection_level TEXT NOT NULL,
    owner TEXT NOT NULL,
    description TEXT NOT NULL,
    current_version INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    deletion_ms INTEGER,
    tags TEXT NOT NULL CHECK (json_valid(tags)),
    revision INTEGER NOT NULL CHECK (revision >= 0),
    row_mac BLOB NOT NULL,
    PRIMARY KEY (account, id)
) STRICT;

CREATE TABLE key_versions (
    account TEXT NOT NULL,
    key_id TEXT NOT NULL,
    version INTEGER NOT NULL CHECK (version >= 1),
    spec TEXT NOT NULL,
    usage TEXT NOT NULL,
    origin TEXT NOT NULL,
    protection_level TEXT NOT NULL,
    suite INTEGER NOT NULL,
    kek_id TEXT NOT NULL,
    blob BLOB NOT NULL,
    mac BLOB NOT NULL,
    revision INTEGER NOT NULL CHECK (revision >= 0),
    row_mac BLOB NOT NULL,
    PRIMARY KEY (account, key_id, version)
) STRICT;

CREATE TABLE secrets (
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    id TEXT NOT NULL,
    description TEXT NOT NULL,
    key_id TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    changed_ms INTEGER NOT NULL,
    stages TEXT NOT NULL CHECK (json_valid(stages)),
    next_number INTEGER NOT NULL CHECK (next_number >= 1),
    version_count INTEGER NOT NULL CHECK (version_count >= 0),
    tags TEXT NOT NULL CHECK (json_valid(tags)),
    deletion_ms INTEGER,
    revision INTEGER NOT NULL CHECK (revision >= 0),
    row_mac BLOB NOT NULL,
    PRIMARY KEY (account, name),
    UNIQUE (account, id)
) STRICT;
CREATE INDEX secrets_to_delete ON secrets (deletion_ms) WHERE deletion_ms IS NOT NULL;

CREATE TABLE secret_versions (
    account TEXT NOT NULL,
    secret_id TEXT NOT NULL,
    id TEXT NOT NULL,
    number INTEGER NOT NULL CHECK (number >= 1),
    data_type TEXT NOT NULL,
    state TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    key_id TEXT NOT NULL,
    key_version INTEGER NOT NULL,
    revision INTEGER NOT NULL CHECK (revision >= 0),
    row_mac BLOB NOT NULL,
    PRIMARY KEY (account, secret_id, id),
    UNIQUE (account, secret_id, number)
) STRICT;

-- `row_mac` is empty here: a sealed value binds its own identity.
CREATE TABLE secret_values (
    account TEXT NOT NULL,
    secret_id TEXT NOT NULL,
    version_id TEXT NOT NULL,
    data_key BLOB NOT NULL,
    value BLOB NOT NULL,
    revision INTEGER NOT NULL CHECK (revision >= 0),
    row_mac BLOB NOT NULL,
    PRIMARY KEY (account, secret_id, version_id)
) STRICT;

CREATE TABLE rotations (
    account TEXT NOT NULL,
    secret_id TEXT NOT NULL,
    secret_name TEXT NOT NULL,
    rotator TEXT NOT NULL,
    settings TEXT NOT NULL,
    schedule TEXT NOT NULL CHECK (json_valid(schedule)),
    enabled INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    state TEXT NOT NULL,
    next_due_ms INTEGER,
    last_rotated_ms INTEGER,
    pending_version TEXT,
    attempts INTEGER NOT NULL CHECK (attempts >= 0),
    reason TEXT NOT NULL,
    journal TEXT NOT NULL CHECK (json_valid(journal)),
    revision INTEGER NOT NULL CHECK (revision >= 0),
    row_mac BLOB NOT NULL,
    PRIMARY KEY (account, secret_id)
) STRICT;
CREATE INDEX rotations_due ON rotations (next_due_ms) WHERE state <> 'quarantined';

-- Events of changes, in the transaction of their change. `seq` is the order of arrival; `account` is the first of the
-- accounts concerned and `salt` is its own. The event of one id always has the same first account, so this one index
-- both keeps an event from being there twice and serves the look-up.
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

-- The views of the other accounts concerned; `first_account` leads to the event.
CREATE TABLE event_views (
    account TEXT NOT NULL,
    id BLOB NOT NULL,
    first_account TEXT NOT NULL,
    salt BLOB NOT NULL CHECK (length(salt) = 32),
    PRIMARY KEY (account, id)
) STRICT, WITHOUT ROWID;

-- The change feed: which records changed, without gaps in `seq`. AUTOINCREMENT, so that no number comes twice.
CREATE TABLE changes (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    table_name TEXT NOT NULL,
    key TEXT NOT NULL
) STRICT;

-- A row stays when its lease is given back (owner '' then), because an epoch is never used again.
CREATE TABLE leases (
    name TEXT NOT NULL PRIMARY KEY,
    owner TEXT NOT NULL,
    epoch INTEGER NOT NULL CHECK (epoch >= 1),
    boot_id TEXT NOT NULL,
    expires_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
