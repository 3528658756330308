-- When proofs were used last; these statements serve the audit file.

-- note_use (hot)
-- The use of a proof, unless a later one is known.
INSERT INTO proof_uses (proof, account, time_ms, source, operation, until_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
ON CONFLICT (proof) DO UPDATE SET account = excluded.account, time_ms = excluded.time_ms, source = excluded.source,
    operation = excluded.operation, until_ms = excluded.until_ms
WHERE excluded.time_ms >= proof_uses.time_ms;

-- forget_uses (hot)
-- Uses that need not be kept any longer at that moment, so many at once.
DELETE FROM proof_uses
WHERE proof IN (SELECT proof FROM proof_uses WHERE until_ms < ?1 ORDER BY until_ms LIMIT ?2);

-- use (hot)
-- The last use of a proof.
SELECT proof, account, time_ms, source, operation, until_ms FROM proof_uses WHERE proof = ?1;
