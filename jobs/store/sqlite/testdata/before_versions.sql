-- A data directory of commit 5888255, which counted its migrations with goose: jobs in every state, with attempts, keys, sessions
-- and types. Made with that commit's Store and its clock at 2026-11-27 12:00 UTC; PRAGMA journal_mode = WAL is lost in a dump.
BEGIN TRANSACTION;
CREATE TABLE completions (
    since INTEGER NOT NULL PRIMARY KEY,
    n     INTEGER NOT NULL
) STRICT;
INSERT INTO "completions" VALUES(1795780800000000,3);
CREATE TABLE goose_db_version (
		id INTEGER PRIMARY KEY AUTOINCREMENT,
		version_id INTEGER NOT NULL,
		is_applied INTEGER NOT NULL,
		tstamp TIMESTAMP DEFAULT (datetime('now'))
	);
INSERT INTO "goose_db_version" VALUES(1,0,1,'2026-11-27 23:14:16');
INSERT INTO "goose_db_version" VALUES(2,1,1,'2026-11-27 23:14:16');
CREATE TABLE idempotency_keys (
    scope       TEXT    NOT NULL,
    key         TEXT    NOT NULL,
    fingerprint BLOB    NOT NULL,
    job_ids     TEXT    NOT NULL, -- JSON array in the order of submission
    expires_at  INTEGER NOT NULL,
    PRIMARY KEY (scope, key)
) STRICT;
INSERT INTO "idempotency_keys" VALUES('token','order-4',X'0102030000000000000000000000000000000000000000000000000000000000','["019ac3f0-0000-7000-8000-000000000004"]',1795867200009000);
INSERT INTO "idempotency_keys" VALUES('','bulk',X'0900000000000000000000000000000000000000000000000000000000000000','["019ac3f0-0000-7000-8000-000000000015","019ac3f0-0000-7000-8000-000000000014"]',1795867200042000);
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
INSERT INTO "job_attempts" VALUES('019ac3f0-0000-7000-8000-000000000003',1,1,'019ac3f0-1111-7000-8000-000000000001',1795780800007000,1795780800008000,'failed','it broke');
INSERT INTO "job_attempts" VALUES('019ac3f0-0000-7000-8000-000000000005',1,1,'019ac3f0-1111-7000-8000-000000000001',1795780800014000,1795780800015000,'timeout','too slow');
INSERT INTO "job_attempts" VALUES('019ac3f0-0000-7000-8000-000000000006',1,1,'019ac3f0-1111-7000-8000-000000000001',1795780800019000,1795780800020000,'failed','it broke');
INSERT INTO "job_attempts" VALUES('019ac3f0-0000-7000-8000-000000000007',1,1,'019ac3f0-1111-7000-8000-000000000001',1795780800022000,1795780800023000,'timeout','too slow');
INSERT INTO "job_attempts" VALUES('019ac3f0-0000-7000-8000-000000000008',1,1,'019ac3f0-1111-7000-8000-000000000001',1795780800025000,1795780800026000,'failed','no such address');
INSERT INTO "job_attempts" VALUES('019ac3f0-0000-7000-8000-000000000010',1,1,'019ac3f0-1111-7000-8000-000000000002',1795780800030000,1795780800034000,'lease_lost','the worker was lost: it stopped renewing its session');
INSERT INTO "job_attempts" VALUES('019ac3f0-0000-7000-8000-000000000011',1,1,'019ac3f0-1111-7000-8000-000000000002',1795780800032000,1795780800034000,'lease_lost','the worker was lost: it stopped renewing its session');
INSERT INTO "job_attempts" VALUES('019ac3f0-0000-7000-8000-000000000012',1,1,'019ac3f0-1111-7000-8000-000000000001',1795780800036000,1795780800037000,'released','shutting down');
INSERT INTO "job_attempts" VALUES('019ac3f0-0000-7000-8000-000000000013',1,1,'019ac3f0-1111-7000-8000-000000000001',1795780800039000,1795780800040000,'failed','it broke');
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
INSERT INTO "job_types" VALUES('email','Sends mail','default',5,60,'{"type":"object"}','{"to":"ada"}',1795780800003000);
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
INSERT INTO "jobs" VALUES('019ac3f0-0000-7000-8000-000000000001','email','default','pending',1,0,5,60,1795780800004000,0,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL,1795780800004000,1795780800004000,NULL,NULL,NULL,NULL,'{"to":"ada","n":1.00}',NULL);
INSERT INTO "jobs" VALUES('019ac3f0-0000-7000-8000-000000000002','email','later','pending',2,0,5,60,1795784400005000,0,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL,1795780800005000,1795780800005000,NULL,NULL,NULL,NULL,'{"to":"ada","n":1.00}',NULL);
INSERT INTO "jobs" VALUES('019ac3f0-0000-7000-8000-000000000003','email','default','pending',0,1,5,60,1795784400008000,1,0,0,0,NULL,'019ac3f0-1111-7000-8000-000000000001',NULL,1795780800007000,NULL,NULL,1795780800006000,1795780800008000,NULL,NULL,NULL,'it broke','{"to":"ada","n":1.00}',NULL);
INSERT INTO "jobs" VALUES('019ac3f0-0000-7000-8000-000000000004','email','default','completed',1,1,5,60,1795780800009000,1,0,0,0,NULL,'019ac3f0-1111-7000-8000-000000000001',NULL,1795780800010000,NULL,1795780800012000,1795780800009000,1795780800012000,50.0,'half',1795780800011000,NULL,'{"to":"ada","n":1.00}','{"sent":true}');
INSERT INTO "jobs" VALUES('019ac3f0-0000-7000-8000-000000000005','email','default','completed',2,2,5,60,1795780800015000,2,0,0,0,NULL,'019ac3f0-1111-7000-8000-000000000001',NULL,1795780800016000,NULL,1795780800017000,1795780800013000,1795780800017000,NULL,NULL,NULL,NULL,'{"to":"ada","n":1.00}',NULL);
INSERT INTO "jobs" VALUES('019ac3f0-0000-7000-8000-000000000006','email','default','failed',0,1,1,60,1795780800018000,1,0,0,0,'error','019ac3f0-1111-7000-8000-000000000001',NULL,1795780800019000,NULL,1795780800020000,1795780800018000,1795780800020000,NULL,NULL,NULL,'it broke','{"to":"ada","n":1.00}',NULL);
INSERT INTO "jobs" VALUES('019ac3f0-0000-7000-8000-000000000007','email','default','failed',1,1,1,60,1795780800021000,1,0,0,0,'timeout','019ac3f0-1111-7000-8000-000000000001',NULL,1795780800022000,NULL,1795780800023000,1795780800021000,1795780800023000,NULL,NULL,NULL,'too slow','{"to":"ada","n":1.00}',NULL);
INSERT INTO "jobs" VALUES('019ac3f0-0000-7000-8000-000000000008','email','default','failed',2,1,5,60,1795780800024000,1,0,0,0,'permanent','019ac3f0-1111-7000-8000-000000000001',NULL,1795780800025000,NULL,1795780800026000,1795780800024000,1795780800026000,NULL,NULL,NULL,'no such address','{"to":"ada","n":1.00}',NULL);
INSERT INTO "jobs" VALUES('019ac3f0-0000-7000-8000-000000000009','email','default','failed',0,0,5,60,1795780800027000,1,0,0,0,'cancelled',NULL,1795780800028000,NULL,NULL,1795780800028000,1795780800027000,1795780800028000,NULL,NULL,NULL,NULL,'{"to":"ada","n":1.00}',NULL);
INSERT INTO "jobs" VALUES('019ac3f0-0000-7000-8000-000000000010','email','default','failed',1,1,1,60,1795780800029000,2,1,0,0,'worker_lost','019ac3f0-1111-7000-8000-000000000002',NULL,1795780800030000,NULL,1795780800034000,1795780800029000,1795780800034000,NULL,NULL,NULL,'the worker was lost: it stopped renewing its session','{"to":"ada","n":1.00}',NULL);
INSERT INTO "jobs" VALUES('019ac3f0-0000-7000-8000-000000000011','email','default','pending',2,1,5,60,1795780802152191,2,1,0,0,NULL,'019ac3f0-1111-7000-8000-000000000002',NULL,1795780800032000,NULL,NULL,1795780800031000,1795780800034000,NULL,NULL,NULL,'the worker was lost: it stopped renewing its session','{"to":"ada","n":1.00}',NULL);
INSERT INTO "jobs" VALUES('019ac3f0-0000-7000-8000-000000000012','email','default','pending',0,0,5,60,1795780800035000,2,0,1,0,NULL,'019ac3f0-1111-7000-8000-000000000001',NULL,1795780800036000,NULL,NULL,1795780800035000,1795780800037000,NULL,NULL,NULL,NULL,'{"to":"ada","n":1.00}',NULL);
INSERT INTO "jobs" VALUES('019ac3f0-0000-7000-8000-000000000013','email','default','pending',1,0,1,60,1795780800041000,2,0,0,1,NULL,'019ac3f0-1111-7000-8000-000000000001',NULL,1795780800039000,NULL,NULL,1795780800038000,1795780800041000,NULL,NULL,NULL,'it broke','{"to":"ada","n":1.00}',NULL);
INSERT INTO "jobs" VALUES('019ac3f0-0000-7000-8000-000000000015','email','bulk','pending',0,0,5,60,1795780800042000,0,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL,1795780800042000,1795780800042000,NULL,NULL,NULL,NULL,'{"to":"ada","n":1.00}',NULL);
INSERT INTO "jobs" VALUES('019ac3f0-0000-7000-8000-000000000014','email','bulk','pending',2,0,5,60,1795780800042000,0,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL,1795780800042000,1795780800042000,NULL,NULL,NULL,NULL,'{"to":"ada","n":1.00}',NULL);
INSERT INTO "jobs" VALUES('019ac3f0-0000-7000-8000-000000000016','email','default','processing',1,1,5,60,1795780800043000,1,0,0,0,NULL,'019ac3f0-1111-7000-8000-000000000001',NULL,1795780800044000,1795780890044000,NULL,1795780800043000,1795780800044000,NULL,NULL,NULL,NULL,'{"to":"ada","n":1.00}',NULL);
INSERT INTO "jobs" VALUES('019ac3f0-0000-7000-8000-000000000017','email','default','processing',2,1,5,60,1795780800045000,1,0,0,0,NULL,'019ac3f0-1111-7000-8000-000000000001',1795780800047000,1795780800046000,1795780890046000,NULL,1795780800045000,1795780800047000,NULL,NULL,NULL,NULL,'{"to":"ada","n":1.00}',NULL);
CREATE TABLE leases (
    role       TEXT    NOT NULL PRIMARY KEY,
    holder     TEXT    NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
INSERT INTO "leases" VALUES('maintenance','host/7',1795784400052000);
CREATE TABLE totals (
    completed INTEGER NOT NULL CHECK (completed >= 0),
    dead      INTEGER NOT NULL CHECK (dead >= 0),
    cancelled INTEGER NOT NULL CHECK (cancelled >= 0)
) STRICT;
INSERT INTO "totals" VALUES(2,4,1);
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
INSERT INTO "worker_sessions" VALUES('019ac3f0-1111-7000-8000-000000000001','host',7,'0.1',10,'["email"]','["default"]','alive',0,1795780800002000,1795780800002000,1795784400002000,NULL,NULL);
INSERT INTO "worker_sessions" VALUES('019ac3f0-1111-7000-8000-000000000002','host',7,'0.1',10,'["email"]','["default"]','dead',0,1795780800003000,1795780800003000,1795784400003000,NULL,1795780800033000);
CREATE INDEX jobs_due ON jobs (queue, priority DESC, run_at, id, attempts, lease_losses) WHERE status = 'pending';
CREATE INDEX jobs_owner ON jobs (worker_id) WHERE status = 'processing';
CREATE INDEX jobs_dead ON jobs (finished_at DESC, id DESC) WHERE status = 'failed';
CREATE INDEX jobs_failed ON jobs (id) WHERE status = 'failed';
CREATE INDEX idempotency_keys_expiry ON idempotency_keys (expires_at);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('goose_db_version',2);
COMMIT;
