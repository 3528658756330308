-- When a token, access key or session was used last. It decides nothing, so it has no authenticator.

CREATE TABLE proof_uses (
    proof TEXT NOT NULL PRIMARY KEY,
    account TEXT NOT NULL,
    time_ms INTEGER NOT NULL,
    source TEXT NOT NULL,
    operation TEXT NOT NULL,
    until_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX proof_uses_by_end ON proof_uses (until_ms);
