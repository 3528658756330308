-- How many records an account has of each kind that has a quota, kept by the tables themselves, so that nobody counts.
-- It decides about no access and is read by no cache, so it has no authenticator.

CREATE TABLE held (
    account TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('secrets', 'keys', 'users', 'tokens')),
    count INTEGER NOT NULL,
    PRIMARY KEY (account, kind)
) STRICT, WITHOUT ROWID;

INSERT INTO held SELECT account, 'secrets', count(*) FROM secrets GROUP BY account;
INSERT INTO held SELECT account, 'keys', count(*) FROM keys WHERE state <> 'destroyed' GROUP BY account;
INSERT INTO held SELECT account, 'users', count(*) FROM users GROUP BY account;
INSERT INTO held SELECT account, 'tokens', count(*) FROM tokens GROUP BY account;

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
