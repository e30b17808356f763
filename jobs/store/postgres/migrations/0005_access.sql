-- Access tokens, and what was done with them. Both are new, so nothing waits for this, whatever is in the other tables.
CREATE TABLE windlass.tokens (
    id           uuid        NOT NULL PRIMARY KEY,
    name         text        NOT NULL,
    hash         bytea       NOT NULL UNIQUE, -- SHA-256 of the secret
    scopes       text[]      NOT NULL,
    types        text[]      NOT NULL,        -- empty: all
    queues       text[]      NOT NULL,        -- empty: all
    created_by   text        NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz,                 -- NULL: never
    revoked_at   timestamptz,
    last_used_at timestamptz                  -- exact to a minute
) WITH (fillfactor = 70);

CREATE TABLE windlass.audit (
    id          bigint      NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    happened_at timestamptz NOT NULL DEFAULT now(),
    actor_id    text        NOT NULL,
    actor_name  text        NOT NULL,
    action      text        NOT NULL,
    target      text        NOT NULL,
    count       bigint      NOT NULL,
    reason      text        NOT NULL,
    address     text        NOT NULL,
    request_id  text        NOT NULL
);
CREATE INDEX audit_target ON windlass.audit (target, id);

-- Who may write to the other tables has to write here as well, as in the migration before. An identity column needs no
-- right to its sequence.
DO $$
DECLARE
    g record;
    t text;
BEGIN
    FOR g IN SELECT a.grantee, a.privilege_type FROM pg_catalog.pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) a
        WHERE c.oid = 'windlass.completed_counts'::regclass AND a.grantee <> c.relowner
            AND a.privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
    LOOP
        FOREACH t IN ARRAY ARRAY['tokens', 'audit'] LOOP
            EXECUTE format('GRANT %s ON windlass.%I TO %s', g.privilege_type, t,
                CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE g.grantee::regrole::text END);
        END LOOP;
    END LOOP;
END $$;
