-- What else has ended in each span of 5 s, and all of it since this migration; completions begin with those that are
-- kept. An attempt that was handed back, or that ended because its job was cancelled, is none of these.
ALTER TABLE completed_counts ADD COLUMN failed INTEGER NOT NULL DEFAULT 0;     -- attempts
ALTER TABLE completed_counts ADD COLUMN timed_out INTEGER NOT NULL DEFAULT 0;  -- attempts
ALTER TABLE completed_counts ADD COLUMN lease_lost INTEGER NOT NULL DEFAULT 0; -- attempts
ALTER TABLE completed_counts ADD COLUMN dead INTEGER NOT NULL DEFAULT 0;       -- jobs that failed
ALTER TABLE completed_counts ADD COLUMN cancelled INTEGER NOT NULL DEFAULT 0;  -- jobs

ALTER TABLE totals ADD COLUMN ever_completed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE totals ADD COLUMN ever_failed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE totals ADD COLUMN ever_timed_out INTEGER NOT NULL DEFAULT 0;
ALTER TABLE totals ADD COLUMN ever_lease_lost INTEGER NOT NULL DEFAULT 0;
ALTER TABLE totals ADD COLUMN ever_dead INTEGER NOT NULL DEFAULT 0;
ALTER TABLE totals ADD COLUMN ever_cancelled INTEGER NOT NULL DEFAULT 0;
ALTER TABLE totals ADD COLUMN recounted INTEGER NOT NULL DEFAULT 0; -- by how many jobs totals were wrong, in sum
UPDATE totals SET ever_completed = completed;
