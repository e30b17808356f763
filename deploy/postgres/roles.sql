-- Makes two roles for Windlass that are not superusers, and gives them what they need. It may run again at any time.
-- psql reads it as a superuser, with the name of the schema in the variable schema. The passwords are in files.
\set owner_password `cat /run/windlass/owner-password`
\set app_password `cat /run/windlass/app-password`

SELECT format('CREATE ROLE %I', name) FROM unnest(ARRAY['windlass_owner', 'windlass_app']) AS name
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec
ALTER ROLE windlass_owner LOGIN PASSWORD :'owner_password';
ALTER ROLE windlass_app LOGIN PASSWORD :'app_password';

CREATE SCHEMA IF NOT EXISTS :"schema" AUTHORIZATION windlass_owner;
-- Where there were no roles yet, the tables belong to the superuser: those of the schema, and the ones in public that
-- the first migration moves.
ALTER SCHEMA :"schema" OWNER TO windlass_owner;
SELECT format('ALTER TABLE %I.%I OWNER TO windlass_owner', n.nspname, c.relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname IN (:'schema', 'public') AND c.relkind = 'r' AND c.relowner = current_user::regrole \gexec
SELECT format('ALTER DOMAIN %I.%I OWNER TO windlass_owner', n.nspname, t.typname)
FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
WHERE n.nspname IN (:'schema', 'public') AND t.typtype = 'd' AND t.typowner = current_user::regrole \gexec

GRANT USAGE ON SCHEMA :"schema" TO windlass_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA :"schema" TO windlass_app;
ALTER DEFAULT PRIVILEGES FOR ROLE windlass_owner IN SCHEMA :"schema"
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO windlass_app;
SELECT format('REVOKE INSERT, UPDATE, DELETE ON %I.%I FROM windlass_app', schemaname, tablename)
FROM pg_tables WHERE schemaname = :'schema' AND tablename = 'schema_version' \gexec
