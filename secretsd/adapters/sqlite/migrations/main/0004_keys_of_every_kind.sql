-- Keys of every kind: public keys, rotation, import, deletion in two steps, and second names.

ALTER TABLE keys ADD COLUMN deletion_protection INTEGER NOT NULL DEFAULT 0 CHECK (deletion_protection IN (0, 1));
ALTER TABLE keys ADD COLUMN protection_reason TEXT NOT NULL DEFAULT '';
ALTER TABLE keys ADD COLUMN rotation_seconds INTEGER;
ALTER TABLE keys ADD COLUMN next_rotation_ms INTEGER;
ALTER TABLE keys ADD COLUMN last_rotation_ms INTEGER;
ALTER TABLE keys ADD COLUMN material_expires_ms INTEGER;
ALTER TABLE keys ADD COLUMN oldest_version INTEGER NOT NULL DEFAULT 1;
CREATE INDEX keys_to_delete ON keys (deletion_ms) WHERE deletion_ms IS NOT NULL AND state = 'pending-deletion';
CREATE INDEX keys_to_rotate ON keys (next_rotation_ms) WHERE next_rotation_ms IS NOT NULL;
CREATE INDEX keys_to_expire ON keys (material_expires_ms) WHERE material_expires_ms IS NOT NULL;

ALTER TABLE key_versions ADD COLUMN public_key BLOB NOT NULL DEFAULT x'';
ALTER TABLE key_versions ADD COLUMN fingerprint BLOB NOT NULL DEFAULT x'';
ALTER TABLE key_versions ADD COLUMN created_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE key_versions ADD COLUMN state TEXT NOT NULL DEFAULT 'live';

CREATE TABLE aliases (
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    key_id TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    changed_ms INTEGER NOT NULL,
    revision INTEGER NOT NULL CHECK (revision >= 0),
    row_mac BLOB NOT NULL,
    PRIMARY KEY (account, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX aliases_of_key ON aliases (account, key_id, name);

-- Which secret versions a key version still guards: it is destroyed only when none is left.
CREATE INDEX secret_versions_of_key ON secret_versions (account, key_id, key_version, secret_id, id);
