-- Who made a version, "" for those from before; when whoever a grant names was made, null for those from before.

ALTER TABLE secret_versions ADD COLUMN made_by TEXT NOT NULL DEFAULT '';
ALTER TABLE grants ADD COLUMN grantee_ms INTEGER;
ALTER TABLE grants ADD COLUMN retiring_ms INTEGER;
