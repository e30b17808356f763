-- Access tokens, and what was done with them. The names begin with windlass_ because an application may keep tables of
-- its own in this file, and "tokens" is a likely name for one.
CREATE TABLE windlass_tokens (
    id           TEXT NOT NULL PRIMARY KEY,
    name         TEXT NOT NULL,
    hash         BLOB NOT NULL UNIQUE, -- SHA-256 of the secret
    scopes       TEXT NOT NULL,        -- a JSON array, as the two below
    types        TEXT NOT NULL,        -- empty: all
    queues       TEXT NOT NULL,        -- empty: all
    created_by   TEXT NOT NULL,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER,              -- NULL: never
    revoked_at   INTEGER,
    last_used_at INTEGER               -- exact to a minute
) STRICT;

CREATE TABLE windlass_audit (
    id          INTEGER PRIMARY KEY AUTOINCREMENT, -- of an entry that is pruned, it is not used again
    happened_at INTEGER NOT NULL,
    actor_id    TEXT NOT NULL,
    actor_name  TEXT NOT NULL,
    action      TEXT NOT NULL,
    target      TEXT NOT NULL,
    count       INTEGER NOT NULL,
    reason      TEXT NOT NULL,
    address     TEXT NOT NULL,
    request_id  TEXT NOT NULL
) STRICT;
CREATE INDEX windlass_audit_target ON windlass_audit (target, id);
