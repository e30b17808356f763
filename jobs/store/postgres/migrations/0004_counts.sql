-- What else has ended, as sums: a sister of completed_counts, with the same kinds of rows. It is a table of its own
-- because processes of the version before merge the old rows of completed_counts, and would lose columns that they do
-- not know. What those processes end without success is not counted here.
CREATE TABLE windlass.ended_counts (
    at         timestamptz NOT NULL,
    backend    integer     NOT NULL,
    failed     bigint      NOT NULL, -- attempts
    timed_out  bigint      NOT NULL, -- attempts
    lease_lost bigint      NOT NULL, -- attempts
    dead       bigint      NOT NULL, -- jobs that failed
    cancelled  bigint      NOT NULL, -- jobs
    PRIMARY KEY (at, backend)
) WITH (fillfactor = 50);

-- Who may write to completed_counts has to write here as well. Without this, a role that does not own the tables could
-- settle no failure until somebody grants it.
DO $$
DECLARE
    g record;
BEGIN
    FOR g IN SELECT a.grantee, a.privilege_type FROM pg_catalog.pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) a
        WHERE c.oid = 'windlass.completed_counts'::regclass AND a.grantee <> c.relowner
            AND a.privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
    LOOP
        EXECUTE format('GRANT %s ON windlass.ended_counts TO %s', g.privilege_type,
            CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE g.grantee::regrole::text END);
    END LOOP;
END $$;
