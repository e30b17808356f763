-- Times are microseconds since 1970 (UTC), spans are whole seconds; 0 and NULL never stand for each other.

CREATE TABLE jobs (
    id                  TEXT    NOT NULL PRIMARY KEY,
    type                TEXT    NOT NULL,
    queue               TEXT    NOT NULL,
    status              TEXT    NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'processing', 'completed', 'failed')),
    priority            INTEGER NOT NULL CHECK (priority BETWEEN -10 AND 10),
    attempts            INTEGER NOT NULL DEFAULT 0,
    max_attempts        INTEGER NOT NULL CHECK (max_attempts BETWEEN 1 AND 100),
    timeout_seconds     INTEGER NOT NULL CHECK (timeout_seconds BETWEEN 1 AND 86400),
    run_at              INTEGER NOT NULL,
    fence               INTEGER NOT NULL DEFAULT 0,
    lease_losses        INTEGER NOT NULL DEFAULT 0,
    releases            INTEGER NOT NULL DEFAULT 0,
    redrives            INTEGER NOT NULL DEFAULT 0,
    failure_kind        TEXT    CHECK (failure_kind IN ('error', 'timeout', 'worker_lost', 'permanent', 'cancelled')),
    worker_id           TEXT,
    cancel_requested_at INTEGER,
    started_at          INTEGER,
    deadline_at         INTEGER,
    finished_at         INTEGER,
    created_at          INTEGER NOT NULL,
    updated_at          INTEGER NOT NULL,
    progress_percent    REAL,
    progress_message    TEXT,
    progress_at         INTEGER,
    error_message       TEXT,
    payload             TEXT    NOT NULL,
    result              TEXT,
    CHECK (attempts BETWEEN 0 AND max_attempts),
    CHECK (status <> 'processing' OR worker_id IS NOT NULL),
    CHECK ((status = 'processing') = (deadline_at IS NOT NULL)),
    CHECK ((status IN ('completed', 'failed')) = (finished_at IS NOT NULL)),
    CHECK ((status = 'failed') = (failure_kind IS NOT NULL))
) STRICT;

-- The order of every queue. attempts and lease_losses ride along, so that Due and Stats read the index alone.
CREATE INDEX jobs_due ON jobs (queue, priority DESC, run_at, id, attempts, lease_losses) WHERE status = 'pending';
CREATE INDEX jobs_owner ON jobs (worker_id) WHERE status = 'processing';
CREATE INDEX jobs_dead ON jobs (finished_at DESC, id DESC) WHERE status = 'failed';
-- The list of dead jobs goes by id, and has to find them among millions of others.
CREATE INDEX jobs_failed ON jobs (id) WHERE status = 'failed';

-- The unsuccessful attempts; a success is told by the job itself.
CREATE TABLE job_attempts (
    job_id      TEXT    NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    fence       INTEGER NOT NULL,
    attempt     INTEGER NOT NULL,
    worker_id   TEXT    NOT NULL,
    started_at  INTEGER NOT NULL,
    finished_at INTEGER NOT NULL,
    outcome     TEXT    NOT NULL CHECK (outcome IN ('failed', 'timeout', 'cancelled', 'lease_lost', 'released')),
    error       TEXT    NOT NULL,
    PRIMARY KEY (job_id, fence)
) STRICT, WITHOUT ROWID;

CREATE TABLE job_types (
    name            TEXT    NOT NULL PRIMARY KEY,
    description     TEXT    NOT NULL,
    queue           TEXT    NOT NULL,
    max_attempts    INTEGER NOT NULL,
    timeout_seconds INTEGER NOT NULL,
    payload_schema  TEXT,
    example         TEXT,
    seen_at         INTEGER NOT NULL
) STRICT;

CREATE TABLE worker_sessions (
    id                 TEXT    NOT NULL PRIMARY KEY,
    hostname           TEXT    NOT NULL,
    pid                INTEGER NOT NULL,
    version            TEXT    NOT NULL,
    slots              INTEGER NOT NULL,
    types              TEXT    NOT NULL, -- JSON array
    queues             TEXT    NOT NULL, -- JSON array
    state              TEXT    NOT NULL CHECK (state IN ('alive', 'draining', 'dead')),
    running            INTEGER NOT NULL DEFAULT 0,
    started_at         INTEGER NOT NULL,
    beat_at            INTEGER NOT NULL,
    expires_at         INTEGER NOT NULL,
    last_completion_at INTEGER,
    dead_at            INTEGER,
    CHECK ((state = 'dead') = (dead_at IS NOT NULL))
) STRICT;

CREATE TABLE idempotency_keys (
    scope       TEXT    NOT NULL,
    key         TEXT    NOT NULL,
    fingerprint BLOB    NOT NULL,
    job_ids     TEXT    NOT NULL, -- JSON array in the order of submission
    expires_at  INTEGER NOT NULL,
    PRIMARY KEY (scope, key)
) STRICT;
CREATE INDEX idempotency_keys_expiry ON idempotency_keys (expires_at);

CREATE TABLE leases (
    role       TEXT    NOT NULL PRIMARY KEY,
    holder     TEXT    NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;

-- How many jobs have ended, one row: nobody counts millions of rows. Written in the transaction that ends them.
CREATE TABLE totals (
    completed INTEGER NOT NULL CHECK (completed >= 0),
    dead      INTEGER NOT NULL CHECK (dead >= 0),
    cancelled INTEGER NOT NULL CHECK (cancelled >= 0)
) STRICT;
INSERT INTO totals (completed, dead, cancelled) VALUES (0, 0, 0);

-- Completions by spans of 5 s, for the count of the last minute.
CREATE TABLE completed_counts (
    since INTEGER NOT NULL PRIMARY KEY,
    n     INTEGER NOT NULL
) STRICT;
