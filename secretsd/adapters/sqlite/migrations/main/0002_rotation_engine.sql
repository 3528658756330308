-- Targets of rotations, what each rotation does at them, and its history.

ALTER TABLE secrets ADD COLUMN barrier TEXT NOT NULL DEFAULT 'open';
ALTER TABLE secrets ADD COLUMN pinned INTEGER NOT NULL DEFAULT 0 CHECK (pinned IN (0, 1));

ALTER TABLE rotations ADD COLUMN machine TEXT NOT NULL DEFAULT 'standalone';
ALTER TABLE rotations ADD COLUMN target TEXT NOT NULL DEFAULT '';
ALTER TABLE rotations ADD COLUMN logins TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(logins));
ALTER TABLE rotations ADD COLUMN grace_seconds INTEGER NOT NULL DEFAULT 300 CHECK (grace_seconds >= 0);
ALTER TABLE rotations ADD COLUMN kept TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(kept));
ALTER TABLE rotations ADD COLUMN cancelled INTEGER NOT NULL DEFAULT 0 CHECK (cancelled IN (0, 1));
ALTER TABLE rotations ADD COLUMN away INTEGER NOT NULL DEFAULT 0 CHECK (away IN (0, 1));
ALTER TABLE rotations ADD COLUMN since_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rotations ADD COLUMN last_result TEXT NOT NULL DEFAULT 'none';
ALTER TABLE rotations ADD COLUMN run INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rotations ADD COLUMN steps INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rotations ADD COLUMN epoch_floor INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rotations ADD COLUMN restored INTEGER NOT NULL DEFAULT 0 CHECK (restored IN (0, 1));

CREATE TABLE rotation_steps (
    account TEXT NOT NULL,
    secret_id TEXT NOT NULL,
    number INTEGER NOT NULL CHECK (number >= 0),
    run INTEGER NOT NULL,
    time_ms INTEGER NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    version_id TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    result TEXT NOT NULL,
    revision INTEGER NOT NULL CHECK (revision >= 0),
    row_mac BLOB NOT NULL,
    PRIMARY KEY (account, secret_id, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE targets (
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    id TEXT NOT NULL,
    rotator TEXT NOT NULL,
    address TEXT NOT NULL CHECK (json_valid(address)),
    created_ms INTEGER NOT NULL,
    changed_ms INTEGER NOT NULL,
    admin_login TEXT NOT NULL,
    admin TEXT NOT NULL,
    logins TEXT NOT NULL CHECK (json_valid(logins)),
    description TEXT NOT NULL,
    revision INTEGER NOT NULL CHECK (revision >= 0),
    row_mac BLOB NOT NULL,
    PRIMARY KEY (account, name)
) STRICT;

-- One secret over all accounts holds a login at a target: the primary key says so.
CREATE TABLE target_logins (
    target TEXT NOT NULL,
    login TEXT NOT NULL,
    account TEXT NOT NULL,
    secret_id TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    revision INTEGER NOT NULL CHECK (revision >= 0),
    row_mac BLOB NOT NULL,
    PRIMARY KEY (target, login)
) STRICT, WITHOUT ROWID;
