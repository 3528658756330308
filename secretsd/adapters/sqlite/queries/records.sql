-- Reading records. A query starts with its name, `(hot)` where it must not walk through a table, and what it answers.
-- {table} stands for the columns of the table's records, in the order of their fields, and the authenticator.

-- account (hot)
-- The account with this id.
SELECT {accounts} FROM accounts WHERE id = ?1;

-- held (hot)
-- How many records of a kind an account has; no row where it never had one.
SELECT count FROM held WHERE account = ?1 AND kind = ?2;

-- user (hot)
-- The user of an account by name.
SELECT {users} FROM users WHERE account = ?1 AND name = ?2;

-- users (hot)
-- Users of an account after a name, in order of name.
SELECT {users} FROM users WHERE account = ?1 AND name > ?2 ORDER BY name LIMIT ?3;

-- token (hot)
-- The token with this digest.
SELECT {tokens} FROM tokens WHERE digest = ?1;

-- token_of_user (hot)
-- The token of a user by id.
SELECT {tokens} FROM tokens WHERE account = ?1 AND user = ?2 AND id = ?3;

-- tokens (hot)
-- Tokens of a user after an id, in order of id.
SELECT {tokens} FROM tokens WHERE account = ?1 AND user = ?2 AND id > ?3 ORDER BY id LIMIT ?4;

-- newest_token
-- The token of a user that was made last. Sorts what a user has, who is about to be made.
SELECT {tokens} FROM tokens WHERE account = ?1 AND user = ?2 ORDER BY created_ms DESC LIMIT 1;

-- binding (hot)
-- The binding of a proof.
SELECT {bindings} FROM bindings WHERE proof = ?1;

-- bindings (hot)
-- Bindings to users of an account after a proof, in order of proof.
SELECT {bindings} FROM bindings WHERE account = ?1 AND proof > ?2 ORDER BY proof LIMIT ?3;

-- bindings_of_others (hot)
-- Bindings of other accounts after a proof and before another one, in order of proof.
SELECT {bindings} FROM bindings WHERE account <> ?1 AND proof > ?2 AND proof < ?3 ORDER BY proof LIMIT ?4;

-- bindings_of_user (hot)
-- Bindings to a user, in order of proof.
SELECT {bindings} FROM bindings WHERE account = ?1 AND user = ?2 AND user <> '' ORDER BY proof LIMIT ?3;

-- bindings_of_role (hot)
-- Bindings to a role, in order of proof.
SELECT {bindings} FROM bindings WHERE account = ?1 AND role = ?2 AND role <> '' ORDER BY proof LIMIT ?3;

-- policy (hot)
-- The policy of an account by name.
SELECT {policies} FROM policies WHERE account = ?1 AND name = ?2;

-- policies (hot)
-- Policies of an account after a name, in order of name.
SELECT {policies} FROM policies WHERE account = ?1 AND name > ?2 ORDER BY name LIMIT ?3;

-- account_page (hot)
-- Accounts after an id, in order of id.
SELECT {accounts} FROM accounts WHERE id > ?1 ORDER BY id LIMIT ?2;

-- group (hot)
-- The group of an account by name.
SELECT {groups} FROM groups WHERE account = ?1 AND name = ?2;

-- groups (hot)
-- Groups of an account after a name, in order of name.
SELECT {groups} FROM groups WHERE account = ?1 AND name > ?2 ORDER BY name LIMIT ?3;

-- members
-- Users of an account after a name whose groups name this one, in order of name. Walks over the account's users.
SELECT {users} FROM users
WHERE account = ?1 AND name > ?3 AND EXISTS (SELECT 1 FROM json_each(users.groups) WHERE value = ?2)
ORDER BY name LIMIT ?4;

-- role (hot)
-- The role of an account by name.
SELECT {roles} FROM roles WHERE account = ?1 AND name = ?2;

-- roles (hot)
-- Roles of an account after a name, in order of name.
SELECT {roles} FROM roles WHERE account = ?1 AND name > ?2 ORDER BY name LIMIT ?3;

-- users_with
-- Users of an account after a name that a policy is attached to, or bounds, in order of name. Walks over the account's;
-- a name has no character that JSON writes otherwise, so it stands between its quotes as it is.
SELECT {users} FROM users
WHERE account = ?1 AND name > ?3 AND (boundary = ?2 OR instr(policies, '"' || ?2 || '"'))
ORDER BY name LIMIT ?4;

-- groups_with
-- Groups of an account after a name that a policy is attached to, in order of name. Walks likewise.
SELECT {groups} FROM groups
WHERE account = ?1 AND name > ?3 AND instr(policies, '"' || ?2 || '"')
ORDER BY name LIMIT ?4;

-- roles_with
-- Roles of an account after a name that a policy is attached to, or bounds, in order of name. Walks likewise.
SELECT {roles} FROM roles
WHERE account = ?1 AND name > ?3 AND (boundary = ?2 OR instr(policies, '"' || ?2 || '"'))
ORDER BY name LIMIT ?4;

-- roles_trusting
-- Roles of an account after a name whose trust policy has a text among its own, in order of name. Walks likewise.
SELECT {roles} FROM roles
WHERE account = ?1 AND name > ?3 AND instr(trust, '"' || ?2 || '"')
ORDER BY name LIMIT ?4;

-- access_key (hot)
-- The access key of this id.
SELECT {access_keys} FROM access_keys WHERE id = ?1;

-- access_keys (hot)
-- The access keys of a user, in order of id.
SELECT {access_keys} FROM access_keys WHERE account = ?1 AND user = ?2 ORDER BY id;

-- access_keys_of_account (hot)
-- The access keys of an account after an id, in order of id.
SELECT {access_keys} FROM access_keys WHERE account = ?1 AND id > ?2 ORDER BY id LIMIT ?3;

-- count_tokens (hot)
-- How many tokens of a user are good at a moment.
SELECT count(*) FROM tokens WHERE account = ?1 AND user = ?2 AND (expires_ms IS NULL OR expires_ms > ?3);

-- count_lasting_tokens (hot)
-- How many tokens of a user are good for longer than a time from a moment on, or enrol a host for longer.
SELECT count(*) FROM tokens
WHERE account = ?1 AND user = ?2 AND (
    expires_ms IS NULL OR expires_ms > ?3 + ?4 OR (expires_ms > ?3 AND enrols_seconds * 1000 > ?4)
);

-- tokens_of_access_key (hot)
-- The tokens that were got for an access key and are good at a moment, those that end first.
SELECT {tokens} FROM tokens WHERE access_key = ?1 AND access_key <> '' AND expires_ms > ?2
ORDER BY expires_ms LIMIT ?3;

-- expired_tokens (hot)
-- Tokens that were good until before a moment, the oldest first.
SELECT {tokens} FROM tokens WHERE expires_ms IS NOT NULL AND expires_ms < ?1 ORDER BY expires_ms LIMIT ?2;

-- session (hot)
-- The session with this digest.
SELECT {sessions} FROM sessions WHERE digest = ?1;

-- sessions_of_account (hot)
-- Sessions of an account's roles after a digest, in order of digest.
SELECT {sessions} FROM sessions WHERE account = ?1 AND digest > ?2 ORDER BY digest LIMIT ?3;

-- session_of_access_key (hot)
-- The session whose requests are signed with this access key.
SELECT {sessions} FROM sessions WHERE access_key = ?1;

-- sessions_of_role (hot)
-- Sessions of a role that are good at a moment, after an access key, in order of access key.
SELECT {sessions} FROM sessions
WHERE account = ?1 AND role = ?2 AND expires_ms > ?3 AND access_key > ?4
ORDER BY access_key LIMIT ?5;

-- count_sessions (hot)
-- How many sessions of a role that somebody opened are good at a moment, and came after the last revocation.
SELECT count(*) FROM sessions
WHERE account = ?1 AND role = ?2 AND by = ?3 AND expires_ms > ?4 AND created_ms > ?5;

-- newest_session (hot)
-- When the newest session of a role was opened; 0 for none.
SELECT coalesce(max(created_ms), 0) FROM sessions WHERE account = ?1 AND role = ?2;

-- expired_sessions (hot)
-- Sessions that were good until before a moment, the oldest first.
SELECT {sessions} FROM sessions WHERE expires_ms < ?1 ORDER BY expires_ms LIMIT ?2;

-- proof_spaces
-- All proof spaces, in order. They are few: an operator makes each by hand.
SELECT {proof_spaces} FROM proof_spaces ORDER BY space;

-- certificate_authorities
-- All certificate authorities, in order of name. They are few likewise.
SELECT {certificate_authorities} FROM certificate_authorities ORDER BY name;

-- token_issuers
-- All token issuers, in order of name. They are few likewise.
SELECT {token_issuers} FROM token_issuers ORDER BY name;

-- resource_policy (hot)
-- The policy of a resource of an account.
SELECT {resource_policies} FROM resource_policies WHERE account = ?1 AND resource = ?2;

-- grants (hot)
-- Grants of a key after an id, in order of id.
SELECT {grants} FROM grants WHERE account = ?1 AND key_id = ?2 AND id > ?3 ORDER BY id LIMIT ?4;

-- grant (hot)
-- The grant of this id, whoever's key it is on.
SELECT {grants} FROM grants WHERE id = ?1;

-- retirable_grants (hot)
-- Grants after an id that a principal may give up, in order of id.
SELECT {grants} FROM grants WHERE retiring = ?1 AND retiring <> '' AND id > ?2 ORDER BY id LIMIT ?3;

-- expired_grants (hot)
-- Grants that were good until before a moment, the oldest first.
SELECT {grants} FROM grants WHERE expires_ms IS NOT NULL AND expires_ms < ?1 ORDER BY expires_ms LIMIT ?2;

-- key_by_id (hot)
-- The CMK of this id, whosever it is.
SELECT {keys} FROM keys WHERE id = ?1;

-- key (hot)
-- The CMK of an account by id.
SELECT {keys} FROM keys WHERE account = ?1 AND id = ?2;

-- key_version (hot)
-- One wrapped version of a CMK.
SELECT {key_versions} FROM key_versions WHERE account = ?1 AND key_id = ?2 AND version = ?3;

-- keys (hot)
-- Keys of an account after an id, in order of id: those with the state ?4, spec ?5, usage ?6, origin ?7, protection
-- level ?8 and owner ?9 where these are not NULL, that carry all ?11 tags of the JSON object ?10; destroyed ones too
-- when ?12 is 1.
SELECT {keys} FROM keys
WHERE account = ?1 AND id > ?2
    AND (?4 IS NULL OR state = ?4) AND (?5 IS NULL OR spec = ?5) AND (?6 IS NULL OR usage = ?6)
    AND (?7 IS NULL OR origin = ?7) AND (?8 IS NULL OR protection_level = ?8) AND (?9 IS NULL OR owner = ?9)
    AND (?12 = 1 OR state <> 'destroyed')
    AND (
        ?11 = 0 OR ?11 = (
            SELECT count(*) FROM json_each(keys.tags) AS carried
            JOIN json_each(?10) AS wanted ON carried.key = wanted.key AND carried.value = wanted.value
        )
    )
ORDER BY id LIMIT ?3;

-- key_versions (hot)
-- Versions of a key below a number, the newest first.
SELECT {key_versions} FROM key_versions
WHERE account = ?1 AND key_id = ?2 AND version < ?3 ORDER BY version DESC LIMIT ?4;

-- keys_to_delete (hot)
-- Keys of all accounts that are to be destroyed by ?1, the longest overdue first.
SELECT {keys} FROM keys
WHERE deletion_ms IS NOT NULL AND state = 'pending-deletion' AND deletion_ms <= ?1 ORDER BY deletion_ms LIMIT ?2;

-- keys_to_rotate (hot)
-- Keys of all accounts whose next version is due at ?1.
SELECT {keys} FROM keys
WHERE next_rotation_ms IS NOT NULL AND next_rotation_ms <= ?1 AND state = 'enabled' ORDER BY next_rotation_ms LIMIT ?2;

-- keys_to_expire (hot)
-- Keys of all accounts whose imported material has expired at ?1.
SELECT {keys} FROM keys
WHERE material_expires_ms IS NOT NULL AND material_expires_ms <= ?1 AND state IN ('enabled', 'disabled')
ORDER BY material_expires_ms LIMIT ?2;

-- key_guards (hot)
-- Secret versions of all accounts under version ?2 of a key, behind the one of secret ?3 and id ?4, in order.
SELECT {secret_versions} FROM secret_versions
WHERE key_id = ?1 AND key_version = ?2 AND (secret_id, id) > (?3, ?4)
ORDER BY secret_id, id LIMIT ?5;

-- key_guard_count (hot)
-- How many secret versions of all accounts are under versions of a key below ?2.
SELECT count(*) FROM secret_versions WHERE key_id = ?1 AND key_version < ?2;

-- reencryption (hot)
-- The re-encryption of what is under a key.
SELECT {reencryptions} FROM reencryptions WHERE account = ?1 AND key_id = ?2;

-- reencryptions_due (hot)
-- Re-encryptions of all accounts that go on at ?1, the longest due first.
SELECT {reencryptions} FROM reencryptions
WHERE next_due_ms IS NOT NULL AND next_due_ms <= ?1 ORDER BY next_due_ms LIMIT ?2;

-- guards_of_key (hot)
-- A row for each secret version of any account under any version of a key, up to ?2 of them.
SELECT 1 FROM secret_versions WHERE key_id = ?1 LIMIT ?2;

-- key_versions_wrapped_otherwise
-- Versions that need another root KEK than ?1 to be used or to come back, behind a key ?2 ?3 ?4, in order.
SELECT {key_versions} FROM key_versions
WHERE kek_id <> ?1 AND state <> 'destroyed' AND (account, key_id, version) > (?2, ?3, ?4)
ORDER BY account, key_id, version LIMIT ?5;

-- count_wrapped_otherwise
-- How many versions have their material wrapped by another root KEK than ?1.
SELECT count(*) FROM key_versions WHERE kek_id <> ?1 AND state = 'live';

-- alias (hot)
-- One alias by name.
SELECT {aliases} FROM aliases WHERE account = ?1 AND name = ?2;

-- aliases (hot)
-- Aliases of an account after a name, in order of name.
SELECT {aliases} FROM aliases WHERE account = ?1 AND name > ?2 ORDER BY name LIMIT ?3;

-- aliases_of_key (hot)
-- Aliases of one key after a name, in order of name.
SELECT {aliases} FROM aliases WHERE account = ?1 AND key_id = ?4 AND name > ?2 ORDER BY name LIMIT ?3;

-- secret (hot)
-- The secret of an account by name.
SELECT {secrets} FROM secrets WHERE account = ?1 AND name = ?2;

-- secret_version (hot)
-- One version of a secret by id.
SELECT {secret_versions} FROM secret_versions WHERE account = ?1 AND secret_id = ?2 AND id = ?3;

-- secret_value (hot)
-- The sealed value of one version.
SELECT {secret_values} FROM secret_values WHERE account = ?1 AND secret_id = ?2 AND version_id = ?3;

-- secrets (hot)
-- Secrets from name ?2 on and before name ?3, in order of name; deleted ones too when ?4 is 1; only those that carry
-- all ?6 tags of the JSON object ?5.
SELECT {secrets} FROM secrets
WHERE account = ?1 AND name >= ?2 AND name < ?3
    AND (?4 = 1 OR deletion_ms IS NULL)
    AND (
        ?6 = 0 OR ?6 = (
            SELECT count(*) FROM json_each(secrets.tags) AS carried
            JOIN json_each(?5) AS wanted ON carried.key = wanted.key AND carried.value = wanted.value
        )
    )
ORDER BY name LIMIT ?7;

-- secret_versions (hot)
-- Versions of a secret below a number, the newest first.
SELECT {secret_versions} FROM secret_versions
WHERE account = ?1 AND secret_id = ?2 AND number < ?3 ORDER BY number DESC LIMIT ?4;

-- prunable (hot)
-- Versions of a secret whose ids are not in the JSON list ?3, past the newest ?5 of such, made before ?4; the oldest
-- first.
SELECT {secret_versions} FROM secret_versions
WHERE account = ?1 AND secret_id = ?2 AND created_ms < ?4
    AND id NOT IN (SELECT value FROM json_each(?3))
    AND number <= (
        SELECT number FROM secret_versions
        WHERE account = ?1 AND secret_id = ?2 AND id NOT IN (SELECT value FROM json_each(?3))
        ORDER BY number DESC LIMIT 1 OFFSET ?5
    )
ORDER BY number LIMIT ?6;

-- deletions_due (hot)
-- Secrets of all accounts whose recovery window ended by ?1, the longest overdue first.
SELECT {secrets} FROM secrets WHERE deletion_ms IS NOT NULL AND deletion_ms <= ?1 ORDER BY deletion_ms LIMIT ?2;

-- rotation (hot)
-- The rotation of a secret.
SELECT {rotations} FROM rotations WHERE account = ?1 AND secret_id = ?2;

-- rotations_due (hot)
-- Rotations that are due at ?1, whatever their state save quarantined; the oldest due first.
SELECT {rotations} FROM rotations
WHERE state <> 'quarantined' AND next_due_ms <= ?1 ORDER BY next_due_ms LIMIT ?2;

-- next_due (hot)
-- The earliest moment at which a rotation that is not quarantined is due.
SELECT min(next_due_ms) FROM rotations WHERE state <> 'quarantined';

-- rotations (hot)
-- Rotations of an account whose secrets' ids come after ?2, in order of id.
SELECT {rotations} FROM rotations WHERE account = ?1 AND secret_id > ?2 ORDER BY secret_id LIMIT ?3;

-- rotation_states
-- How many rotations of all accounts are in each state; seconds apart, so no index has to be kept for it.
SELECT state, count(*) FROM rotations GROUP BY state;

-- rotation_steps (hot)
-- Entries of a rotation's history below a number, the newest first.
SELECT {rotation_steps} FROM rotation_steps
WHERE account = ?1 AND secret_id = ?2 AND number < ?3 ORDER BY number DESC LIMIT ?4;

-- target (hot)
-- The target of that name.
SELECT {targets} FROM targets WHERE account = ?1 AND name = ?2;

-- targets (hot)
-- Targets after a name, in order of name.
SELECT {targets} FROM targets WHERE account = ?1 AND name > ?2 ORDER BY name LIMIT ?3;

-- target_login (hot)
-- Which secret holds a login at a target.
SELECT {target_logins} FROM target_logins WHERE target = ?1 AND login = ?2;

-- target_logins (hot)
-- The logins that are held at a target, those after ?2, in order.
SELECT {target_logins} FROM target_logins WHERE target = ?1 AND login > ?2 ORDER BY login LIMIT ?3;
