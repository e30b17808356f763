-- The names of queues that are or were in use: a job names its queue, and any name makes one. So their number can be
-- bounded, and a queue that is empty is not forgotten at once. Maintenance adds the names that only jobs have.
CREATE TABLE queues (
    name          TEXT    NOT NULL PRIMARY KEY,
    first_seen_at INTEGER NOT NULL,
    last_used_at  INTEGER NOT NULL -- by a submission, or a job that waited; exact to an hour or two
) STRICT, WITHOUT ROWID;
