-- The CHECK on the payload belongs to a domain, so it is evaluated when a payload is inserted. A CHECK of the table
-- would be evaluated at each update, though none changes the payload.
CREATE DOMAIN windlass.job_payload AS jsonb CONSTRAINT job_payload_object CHECK (jsonb_typeof(VALUE) = 'object');

-- The record of all work. Columns without NULLs come first, wide ones before narrow ones, and those in an index before
-- the others: PostgreSQL reads such columns without walking through the row, and each update looks at all columns of
-- the indexes. Text columns compare by bytes (COLLATE "C"), as Go does.
CREATE TABLE windlass.jobs (
    -- UUIDv7: the order of ids is the order of creation. Index entries of later versions of a row belong beside the
    -- first one, so pages are left half empty for them. Otherwise pages split, or are searched for dead entries again
    -- and again.
    id                  uuid        NOT NULL PRIMARY KEY WITH (fillfactor = 50),
    fence               bigint      NOT NULL DEFAULT 0,
    run_at              timestamptz NOT NULL,
    created_at          timestamptz NOT NULL DEFAULT now(),
    updated_at          timestamptz NOT NULL DEFAULT now(),
    timeout_seconds     integer     NOT NULL,
    releases            integer     NOT NULL DEFAULT 0,   -- hand-backs by a worker that stopped
    redrives            integer     NOT NULL DEFAULT 0,
    attempts            smallint    NOT NULL DEFAULT 0,
    max_attempts        smallint    NOT NULL,
    priority            smallint    NOT NULL,
    lease_losses        smallint    NOT NULL DEFAULT 0,   -- in a row
    status              text COLLATE "C" NOT NULL DEFAULT 'pending',
    queue               text COLLATE "C" NOT NULL,
    type                text COLLATE "C" NOT NULL,
    payload             windlass.job_payload NOT NULL,
    worker_id           uuid,                             -- the session that runs it, or that ran it last
    finished_at         timestamptz,
    failure_kind        text COLLATE "C",
    started_at          timestamptz,
    deadline_at         timestamptz,
    cancel_requested_at timestamptz,
    progress_at         timestamptz,
    progress_percent    double precision,
    error_message       text,
    progress_message    text,
    result              jsonb,

    -- What holds of every job at every moment.
    CONSTRAINT jobs_sound CHECK (attempts BETWEEN 0 AND max_attempts AND priority BETWEEN -10 AND 10 AND CASE status
        WHEN 'pending' THEN
            finished_at IS NULL AND failure_kind IS NULL AND deadline_at IS NULL AND result IS NULL
        WHEN 'processing' THEN
            finished_at IS NULL AND failure_kind IS NULL AND deadline_at IS NOT NULL AND result IS NULL
            AND worker_id IS NOT NULL AND started_at IS NOT NULL
        WHEN 'completed' THEN
            finished_at IS NOT NULL AND failure_kind IS NULL AND deadline_at IS NULL AND error_message IS NULL
        WHEN 'failed' THEN
            finished_at IS NOT NULL
            AND coalesce(failure_kind, '') IN ('error', 'timeout', 'worker_lost', 'permanent', 'cancelled')
            AND deadline_at IS NULL AND result IS NULL
        ELSE false END)
) WITH (
    -- A job is updated at least twice, and never in place (HOT). Free space keeps its versions on one page: less to
    -- read, to log and to vacuum. Once the jobs are finished the table is smaller for it, not larger. With its default
    -- scale factor autovacuum would wait for millions of dead rows.
    fillfactor = 50,
    autovacuum_vacuum_scale_factor = 0.01,
    autovacuum_vacuum_insert_scale_factor = 0.05,
    autovacuum_analyze_scale_factor = 0.02,
    autovacuum_vacuum_cost_delay = 1
);

-- The order in which a queue is served. attempts and lease_losses are included, so that counting and feeding read the
-- index alone.
CREATE INDEX jobs_due ON windlass.jobs (queue, priority DESC, run_at, id) INCLUDE (attempts, lease_losses)
    WHERE status = 'pending';
-- The jobs that each worker holds.
CREATE INDEX jobs_owner ON windlass.jobs (worker_id) WHERE status = 'processing';
-- Failed jobs, by the time they failed and by the time they were created.
CREATE INDEX jobs_dead ON windlass.jobs (finished_at DESC, id DESC) WHERE status = 'failed';
CREATE INDEX jobs_failed ON windlass.jobs (id) INCLUDE (failure_kind) WHERE status = 'failed';

-- Unsuccessful attempts. They are deleted by the statement that deletes their job: a foreign key would cost a lock and
-- a look-up for each row.
CREATE TABLE windlass.job_attempts (
    job_id      uuid        NOT NULL,
    fence       bigint      NOT NULL,
    worker_id   uuid        NOT NULL,
    started_at  timestamptz NOT NULL,
    finished_at timestamptz NOT NULL,
    attempt     smallint    NOT NULL,
    outcome     text COLLATE "C" NOT NULL,
    error       text        NOT NULL,
    PRIMARY KEY (job_id, fence),
    CONSTRAINT job_attempts_outcome CHECK (outcome IN ('failed', 'timeout', 'cancelled', 'lease_lost', 'released'))
);

-- The types that can be submitted, as workers announce them.
CREATE TABLE windlass.job_types (
    name            text COLLATE "C" NOT NULL PRIMARY KEY,
    description     text        NOT NULL,
    queue           text COLLATE "C" NOT NULL,
    max_attempts    integer     NOT NULL,
    timeout_seconds integer     NOT NULL,
    schema          json,
    example         json,
    seen_at         timestamptz NOT NULL
);

-- One row for each run of a worker process: the lease on all of its jobs.
CREATE TABLE windlass.worker_sessions (
    id                 uuid        NOT NULL PRIMARY KEY,
    started_at         timestamptz NOT NULL,
    beat_at            timestamptz NOT NULL,
    expires_at         timestamptz NOT NULL,
    ended_at           timestamptz, -- when it was marked dead
    last_completion_at timestamptz,
    pid                integer     NOT NULL,
    slots              integer     NOT NULL,
    running            integer     NOT NULL DEFAULT 0,
    state              text COLLATE "C" NOT NULL DEFAULT 'alive',
    hostname           text        NOT NULL,
    version            text        NOT NULL,
    types              text[] COLLATE "C" NOT NULL,
    queues             text[] COLLATE "C" NOT NULL,
    CONSTRAINT worker_sessions_state CHECK (state IN ('alive', 'draining', 'dead')),
    CONSTRAINT worker_sessions_ended CHECK ((state = 'dead') = (ended_at IS NOT NULL))
) WITH (fillfactor = 50);

CREATE TABLE windlass.idempotency_keys (
    scope       text COLLATE "C" NOT NULL,
    key         text COLLATE "C" NOT NULL,
    fingerprint bytea       NOT NULL,
    job_ids     uuid[]      NOT NULL, -- in the order of the submission
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    PRIMARY KEY (scope, key)
);
CREATE INDEX idempotency_keys_expiry ON windlass.idempotency_keys (expires_at);

-- Roles that one process at a time can have.
CREATE TABLE windlass.leases (
    role       text COLLATE "C" NOT NULL PRIMARY KEY,
    holder     text        NOT NULL,
    expires_at timestamptz NOT NULL
) WITH (fillfactor = 50);

-- The number of completed jobs, as a sum: counting them takes seconds once there are millions. A statement that
-- completes or deletes jobs adds to the row of the present five seconds and of its own backend, so no two statements
-- wait for each other. Old rows are merged into the one at -infinity. Whoever changes completed jobs by hand has to
-- change this table too.
CREATE TABLE windlass.completed_counts (
    at        timestamptz NOT NULL,
    backend   integer     NOT NULL,
    completed bigint      NOT NULL, -- jobs that became completed
    deleted   bigint      NOT NULL, -- completed jobs that were deleted
    PRIMARY KEY (at, backend)
) WITH (fillfactor = 50);
