-- Groups, roles and their sessions, access keys, proofs that operators delegate, policies of resources, grants.

ALTER TABLE users ADD COLUMN groups TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(groups));
ALTER TABLE users ADD COLUMN boundary TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN inline TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(inline));
ALTER TABLE users ADD COLUMN service INTEGER NOT NULL DEFAULT 0 CHECK (service IN (0, 1));
ALTER TABLE users ADD COLUMN description TEXT NOT NULL DEFAULT '';
ALTER TABLE tokens ADD COLUMN access_key TEXT NOT NULL DEFAULT '';
ALTER TABLE tokens ADD COLUMN enrols_seconds INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tokens ADD COLUMN network TEXT NOT NULL DEFAULT '';
CREATE INDEX tokens_of_access_key ON tokens (access_key, expires_ms) WHERE access_key <> '';
CREATE INDEX tokens_by_expiry ON tokens (expires_ms) WHERE expires_ms IS NOT NULL;
ALTER TABLE bindings ADD COLUMN role TEXT NOT NULL DEFAULT '';
CREATE INDEX bindings_of_user ON bindings (account, user, proof) WHERE user <> '';
CREATE INDEX bindings_of_role ON bindings (account, role, proof) WHERE role <> '';

CREATE TABLE groups (
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    description TEXT NOT NULL,
    policies TEXT NOT NULL CHECK (json_valid(policies)),
    inline TEXT NOT NULL CHECK (json_valid(inline)),
    revision INTEGER NOT NULL CHECK (revision >= 0),
    row_mac BLOB NOT NULL,
    PRIMARY KEY (account, name)
) STRICT;

CREATE TABLE roles (
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    id TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    trust TEXT NOT NULL CHECK (json_valid(trust)),
    description TEXT NOT NULL,
    policies TEXT NOT NULL CHECK (json_valid(policies)),
    inline TEXT NOT NULL CHECK (json_valid(inline)),
    boundary TEXT NOT NULL,
    max_session_seconds INTEGER NOT NULL,
    revoked_ms INTEGER NOT NULL,
    tags TEXT NOT NULL CHECK (json_valid(tags)),
    revision INTEGER NOT NULL CHECK (revision >= 0),
    row_mac BLOB NOT NULL,
    PRIMARY KEY (account, name)
) STRICT;

CREATE TABLE access_keys (
    id TEXT NOT NULL PRIMARY KEY,
    account TEXT NOT NULL,
    user TEXT NOT NULL,
    secret TEXT NOT NULL,
    active INTEGER NOT NULL CHECK (active IN (0, 1)),
    created_ms INTEGER NOT NULL,
    revision INTEGER NOT NULL CHECK (revision >= 0),
    row_mac BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX access_keys_of_user ON access_keys (account, user, id);
CREATE INDEX access_keys_of_account ON access_keys (account, id);

CREATE TABLE sessions (
    digest TEXT NOT NULL PRIMARY KEY,
    access_key TEXT NOT NULL UNIQUE,
    account TEXT NOT NULL,
    role TEXT NOT NULL,
    role_id TEXT NOT NULL,
    name TEXT NOT NULL,
    secret TEXT NOT NULL,
    policy TEXT NOT NULL CHECK (json_valid(policy)),
    by TEXT NOT NULL,
    chained INTEGER NOT NULL CHECK (chained IN (0, 1)),
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    revision INTEGER NOT NULL CHECK (revision >= 0),
    row_mac BLOB NOT NULL
) STRICT;
CREATE INDEX sessions_by_expiry ON sessions (expires_ms);
CREATE INDEX sessions_of_account ON sessions (account, digest);
CREATE INDEX sessions_of_opener ON sessions (account, role, by, expires_ms, created_ms);
CREATE INDEX sessions_of_role ON sessions (account, role, access_key, expires_ms);

CREATE TABLE proof_spaces (
    space TEXT NOT NULL PRIMARY KEY,
    account TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    revision INTEGER NOT NULL CHECK (revision >= 0),
    row_mac BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE certificate_authorities (
    name TEXT NOT NULL PRIMARY KEY,
    account TEXT NOT NULL,
    certificates TEXT NOT NULL,
    crl TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    revision INTEGER NOT NULL CHECK (revision >= 0),
    row_mac BLOB NOT NULL
) STRICT;

CREATE TABLE token_issuers (
    name TEXT NOT NULL PRIMARY KEY,
    account TEXT NOT NULL,
    issuer TEXT NOT NULL,
    audience TEXT NOT NULL,
    keys TEXT NOT NULL,
    keys_url TEXT NOT NULL,
    claims TEXT NOT NULL CHECK (json_valid(claims)),
    required TEXT NOT NULL CHECK (json_valid(required)),
    created_ms INTEGER NOT NULL,
    revision INTEGER NOT NULL CHECK (revision >= 0),
    row_mac BLOB NOT NULL
) STRICT;
-- An issuer and an audience belong to one account, so that a JWT leads to one (SECURITY 14).
CREATE UNIQUE INDEX token_issuers_by_issuer ON token_issuers (issuer, audience);

CREATE TABLE resource_policies (
    account TEXT NOT NULL,
    resource TEXT NOT NULL,
    statements TEXT NOT NULL CHECK (json_valid(statements)),
    changed_ms INTEGER NOT NULL,
    revision INTEGER NOT NULL CHECK (revision >= 0),
    row_mac BLOB NOT NULL,
    PRIMARY KEY (account, resource)
) STRICT;

CREATE TABLE grants (
    account TEXT NOT NULL,
    key_id TEXT NOT NULL,
    id TEXT NOT NULL,
    grantee TEXT NOT NULL,
    operations TEXT NOT NULL CHECK (json_valid(operations)),
    equals TEXT NOT NULL CHECK (json_valid(equals)),
    subset TEXT NOT NULL CHECK (json_valid(subset)),
    name TEXT NOT NULL,
    retiring TEXT NOT NULL,
    by TEXT NOT NULL,
    parent TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER,
    revision INTEGER NOT NULL CHECK (revision >= 0),
    row_mac BLOB NOT NULL,
    PRIMARY KEY (account, key_id, id)
) STRICT;
CREATE UNIQUE INDEX grants_by_id ON grants (id);
CREATE INDEX grants_retirable ON grants (retiring, id) WHERE retiring <> '';
CREATE INDEX grants_by_expiry ON grants (expires_ms) WHERE expires_ms IS NOT NULL;

-- A caller of another account names a key in full, and a ciphertext names it by its id alone.
CREATE UNIQUE INDEX keys_by_id ON keys (id);
-- People tell accounts apart by it.
CREATE UNIQUE INDEX accounts_by_name ON accounts (name);

-- A secret may be under another account's key: what a key guards is found by the key alone.
DROP INDEX secret_versions_of_key;
CREATE INDEX secret_versions_of_key ON secret_versions (key_id, key_version, secret_id, id);

-- Whether there is a policy of the resource, so that one that is lost denies instead of denying nothing any more.
ALTER TABLE keys ADD COLUMN has_policy INTEGER NOT NULL DEFAULT 0 CHECK (has_policy IN (0, 1));
ALTER TABLE secrets ADD COLUMN has_policy INTEGER NOT NULL DEFAULT 0 CHECK (has_policy IN (0, 1));
