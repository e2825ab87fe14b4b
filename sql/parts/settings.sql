-- A statement whose client is gone ends by itself, and no schema but the server's own is searched for names. Where an
-- administrator has set one of these, for the role, the database or the server, that stays; a server that does not know
-- one goes without.
\set ON_ERROR_STOP on
BEGIN;
SET LOCAL search_path = pg_catalog;
\ir turn.sql
-- What a connection setting hides from pg_settings stands in the server's files, which only a superuser sees.
\set in_files {}
\if :super
SELECT coalesce(array_agg(name), '{}') AS in_files FROM pg_file_settings WHERE applied \gset
\endif
SELECT format('ALTER ROLE cni SET %I = %L', w.name, w.value)
  FROM (VALUES ('client_connection_check_interval', '1s'), ('statement_timeout', '60s'),
               ('idle_in_transaction_session_timeout', '60s'), ('search_path', 'pg_catalog')) AS w(name, value)
  JOIN pg_settings AS known ON known.name = w.name AND known.source NOT IN ('command line', 'configuration file')
 WHERE w.name <> ALL (:'in_files'::text[])
   AND NOT EXISTS (SELECT FROM pg_db_role_setting, unnest(setconfig) AS s
                    WHERE setrole IN (0, to_regrole('cni')) AND split_part(s, '=', 1) = w.name
                      AND setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database())))
\gexec
COMMIT;
