-- Groups, roles, policies and bindings have quotas as well: how many there are of them is kept beside the others.

-- A table is renamed only while nothing speaks of it.
DROP TRIGGER secret_added;
DROP TRIGGER secret_deleted;
DROP TRIGGER user_added;
DROP TRIGGER user_deleted;
DROP TRIGGER token_added;
DROP TRIGGER token_deleted;
DROP TRIGGER key_added;
DROP TRIGGER key_deleted;
DROP TRIGGER key_changed;

CREATE TABLE held_of_every_kind (
    account TEXT NOT NULL,
    kind TEXT NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (account, kind)
) STRICT, WITHOUT ROWID;
INSERT INTO held_of_every_kind SELECT account, kind, count FROM held;
DROP TABLE held;
ALTER TABLE held_of_every_kind RENAME TO held;

INSERT INTO held SELECT account, 'groups', count(*) FROM groups GROUP BY account;
INSERT INTO held SELECT account, 'roles', count(*) FROM roles GROUP BY account;
INSERT INTO held SELECT account, 'policies', count(*) FROM policies GROUP BY account;
INSERT INTO held SELECT account, 'bindings', count(*) FROM bindings GROUP BY account;

CREATE TRIGGER secret_added AFTER INSERT ON secrets BEGIN
    INSERT INTO held VALUES (new.account, 'secrets', 1) ON CONFLICT (account, kind) DO UPDATE SET count = count + 1;
END;
CREATE TRIGGER secret_deleted AFTER DELETE ON secrets BEGIN
    UPDATE held SET count = count - 1 WHERE account = old.account AND kind = 'secrets';
END;

CREATE TRIGGER user_added AFTER INSERT ON users BEGIN
    INSERT INTO held VALUES (new.account, 'users', 1) ON CONFLICT (account, kind) DO UPDATE SET count = count + 1;
END;
CREATE TRIGGER user_deleted AFTER DELETE ON users BEGIN
    UPDATE held SET count = count - 1 WHERE account = old.account AND kind = 'users';
END;

CREATE TRIGGER token_added AFTER INSERT ON tokens BEGIN
    INSERT INTO held VALUES (new.account, 'tokens', 1) ON CONFLICT (account, kind) DO UPDATE SET count = count + 1;
END;
CREATE TRIGGER token_deleted AFTER DELETE ON tokens BEGIN
    UPDATE held SET count = count - 1 WHERE account = old.account AND kind = 'tokens';
END;

-- A destroyed key stays as its tombstone, and counts no more.
CREATE TRIGGER key_added AFTER INSERT ON keys WHEN new.state <> 'destroyed' BEGIN
    INSERT INTO held VALUES (new.account, 'keys', 1) ON CONFLICT (account, kind) DO UPDATE SET count = count + 1;
END;
CREATE TRIGGER key_deleted AFTER DELETE ON keys WHEN old.state <> 'destroyed' BEGIN
    UPDATE held SET count = count - 1 WHERE account = old.account AND kind = 'keys';
END;
CREATE TRIGGER key_changed AFTER UPDATE OF state ON keys WHEN (old.state = 'destroyed') <> (new.state = 'destroyed') BEGIN
    UPDATE held SET count = count + iif(new.state = 'destroyed', -1, 1) WHERE account = new.account AND kind = 'keys';
END;

CREATE TRIGGER group_added AFTER INSERT ON groups BEGIN
    INSERT INTO held VALUES (new.account, 'groups', 1) ON CONFLICT (account, kind) DO UPDATE SET count = count + 1;
END;
CREATE TRIGGER group_deleted AFTER DELETE ON groups BEGIN
    UPDATE held SET count = count - 1 WHERE account = old.account AND kind = 'groups';
END;
CREATE TRIGGER role_added AFTER INSERT ON roles BEGIN
    INSERT INTO held VALUES (new.account, 'roles', 1) ON CONFLICT (account, kind) DO UPDATE SET count = count + 1;
END;
CREATE TRIGGER role_deleted AFTER DELETE ON roles BEGIN
    UPDATE held SET count = count - 1 WHERE account = old.account AND kind = 'roles';
END;
CREATE TRIGGER policy_added AFTER INSERT ON policies BEGIN
    INSERT INTO held VALUES (new.account, 'policies', 1) ON CONFLICT (account, kind) DO UPDATE SET count = count + 1;
END;
CREATE TRIGGER policy_deleted AFTER DELETE ON policies BEGIN
    UPDATE held SET count = count - 1 WHERE account = old.account AND kind = 'policies';
END;
CREATE TRIGGER binding_added AFTER INSERT ON bindings BEGIN
    INSERT INTO held VALUES (new.account, 'bindings', 1) ON CONFLICT (account, kind) DO UPDATE SET count = count + 1;
END;
CREATE TRIGGER binding_deleted AFTER DELETE ON bindings BEGIN
    UPDATE held SET count = count - 1 WHERE account = old.account AND kind = 'bindings';
END;
