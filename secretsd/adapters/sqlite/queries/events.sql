-- Writing and finding events; the same statements serve both files.

-- add_event (hot)
-- An event; one that is there already stays as it is, because it may be handed in more than once.
INSERT INTO events (id, account, time_ms, principal, operation, resource, outcome, data, salt)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
ON CONFLICT (account, id) DO NOTHING;

-- add_view (hot)
-- The view that another account concerned has of an event.
INSERT INTO event_views (account, id, first_account, salt) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (account, id) DO NOTHING;

-- horizon_of_events (hot)
-- The id of the row number ?4 (from 0) among an account's own events after ?2 up to ?3: where one look must end.
SELECT id FROM events WHERE account = ?1 AND id > ?2 AND id <= ?3 ORDER BY id LIMIT 1 OFFSET ?4;

-- horizon_of_views (hot)
-- The same among events of others that the account may see.
SELECT id FROM event_views WHERE account = ?1 AND id > ?2 AND id <= ?3 ORDER BY id LIMIT 1 OFFSET ?4;

-- find_events (hot)
-- An account's own events after ?2 up to ?3 that match; a resource that begins with ?7 when ?7 is given.
SELECT id, data FROM events
WHERE account = ?1 AND id > ?2 AND id <= ?3
    AND (?4 IS NULL OR principal = ?4)
    AND (?5 IS NULL OR operation = ?5)
    AND (?6 IS NULL OR resource = ?6)
    AND (?7 IS NULL OR substr(resource, 1, length(?7)) = ?7)
ORDER BY id LIMIT ?8;

-- find_views (hot)
-- The same for events of others that the account may see.
SELECT events.id, events.data FROM event_views
JOIN events ON events.account = event_views.first_account AND events.id = event_views.id
WHERE event_views.account = ?1 AND event_views.id > ?2 AND event_views.id <= ?3
    AND (?4 IS NULL OR principal = ?4)
    AND (?5 IS NULL OR operation = ?5)
    AND (?6 IS NULL OR resource = ?6)
    AND (?7 IS NULL OR substr(resource, 1, length(?7)) = ?7)
ORDER BY event_views.id LIMIT ?8;

-- start_log (hot)
-- The first write after the write-ahead log was emptied.
UPDATE log_starts SET count = count + 1 WHERE id = 1;
