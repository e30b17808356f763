-- The table that goqite needs, as in its documentation.
CREATE TABLE goqite (
    id       TEXT    NOT NULL PRIMARY KEY DEFAULT ('m_' || lower(hex(randomblob(16)))),
    created  TEXT    NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ')),
    updated  TEXT    NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ')),
    queue    TEXT    NOT NULL,
    body     BLOB    NOT NULL,
    timeout  TEXT    NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ')), -- delivered again after this time
    received INTEGER NOT NULL DEFAULT 0,
    priority INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE INDEX goqite_next ON goqite (queue, priority DESC, created);

CREATE TRIGGER goqite_touch AFTER UPDATE ON goqite
BEGIN
    UPDATE goqite SET updated = strftime('%Y-%m-%dT%H:%M:%fZ') WHERE id = old.id;
END;
