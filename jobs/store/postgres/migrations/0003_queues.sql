-- The names of queues that are or were in use: a job names its queue, and any name makes one. So their number can be
-- bounded, and a queue that is empty is not forgotten at once. Maintenance adds the names that only jobs have.
CREATE TABLE windlass.queues (
    name          text COLLATE "C" NOT NULL PRIMARY KEY,
    first_seen_at timestamptz NOT NULL DEFAULT now(),
    last_used_at  timestamptz NOT NULL DEFAULT now() -- by a submission, or a job that waited; exact to an hour or two
) WITH (fillfactor = 70);
