-- What the writer of the main file needs beside the records: fences, leases, the change feed.

-- fence (hot)
-- Whether a lease still has this owner and epoch.
SELECT 1 FROM leases WHERE name = ?1 AND owner = ?2 AND epoch = ?3;

-- lease (hot)
-- Who has a lease.
SELECT owner, epoch, boot_id, expires_ms FROM leases WHERE name = ?1;

-- write_lease (hot)
-- Give a lease to an owner, or prolong it.
INSERT INTO leases (name, owner, epoch, boot_id, expires_ms) VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT (name) DO UPDATE
SET owner = excluded.owner, epoch = excluded.epoch, boot_id = excluded.boot_id, expires_ms = excluded.expires_ms;

-- release_lease (hot)
-- Take a lease from this owner and epoch; the row keeps the epoch.
UPDATE leases SET owner = '', expires_ms = 0 WHERE name = ?1 AND owner = ?2 AND epoch = ?3;

-- over_quota
-- Whether an account has more than that many of a kind.
SELECT 1 FROM held WHERE account = ?1 AND kind = ?2 AND count > ?3;

-- attached
-- Whether a policy is attached to anybody of its account, or is anybody's boundary. Walks over the account's users.
SELECT 1 WHERE EXISTS (
    SELECT 1 FROM users WHERE account = ?1 AND (boundary = ?2 OR instr(policies, '"' || ?2 || '"'))
) OR EXISTS (
    SELECT 1 FROM groups WHERE account = ?1 AND instr(policies, '"' || ?2 || '"')
) OR EXISTS (
    SELECT 1 FROM roles WHERE account = ?1 AND (boundary = ?2 OR instr(policies, '"' || ?2 || '"'))
);

-- space_names
-- The names of all proof spaces, in order.
SELECT space FROM proof_spaces ORDER BY space;

-- announce (hot)
-- A row of the change feed.
INSERT INTO changes (table_name, key) VALUES (?1, ?2);

-- announce_versions (hot)
-- Rows of the change feed for every version of a secret.
INSERT INTO changes (table_name, key)
SELECT 'secret_versions', json_array(account, secret_id, id) FROM secret_versions WHERE account = ?1 AND secret_id = ?2;

-- announce_values (hot)
-- Rows of the change feed for every value of a secret.
INSERT INTO changes (table_name, key)
SELECT 'secret_values', json_array(account, secret_id, version_id) FROM secret_values
WHERE account = ?1 AND secret_id = ?2;

-- delete_versions (hot)
-- Take away every version of a secret.
DELETE FROM secret_versions WHERE account = ?1 AND secret_id = ?2;

-- delete_values (hot)
-- Take away every value of a secret.
DELETE FROM secret_values WHERE account = ?1 AND secret_id = ?2;

-- delete_steps (hot)
-- Take away a rotation's history below a number.
DELETE FROM rotation_steps WHERE account = ?1 AND secret_id = ?2 AND number < ?3;

-- changes_after (hot)
-- The change feed after a position.
SELECT seq, table_name, key FROM changes WHERE seq > ?1 ORDER BY seq LIMIT ?2;

-- identity
-- What tells this feed from that of another storage, or from that of a time before a restore.
SELECT value FROM meta WHERE name IN ('log_generation', 'storage_id') ORDER BY name DESC;

-- last_change (hot)
-- The newest position of the change feed; none while it is empty.
SELECT seq FROM changes WHERE seq >= 0 ORDER BY seq DESC LIMIT 1;

-- prune_changes (hot)
-- Drop the change feed up to a position.
DELETE FROM changes WHERE seq <= ?1;

-- data_version
-- Grows whenever another connection, of this process or any other, has committed to the file.
PRAGMA data_version;
