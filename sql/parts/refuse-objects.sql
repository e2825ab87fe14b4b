-- What stands in the database is judged before provision.sh changes anything.
\set ON_ERROR_STOP on
BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
SET LOCAL search_path = pg_catalog;
SET LOCAL client_min_messages = warning;
\ir judge.sql
\ir judge-cni.sql
SELECT to_regrole('cni') IS NOT NULL AND NOT pg_temp.cni_is_mighty() AS cni \gset
\if :cni
SELECT pg_temp.refuse('role cni owns what is never handed on', array_agg(what), array_agg(remedy))
  FROM pg_temp.not_handed_on() \g /dev/null
SELECT pg_temp.refuse('role cni has another one''s rights', array_agg(what), array_agg(remedy))
  FROM pg_temp.run_as_more() \g /dev/null
\endif
SELECT pg_temp.refuse_planted(to_regclass('public.' || name))
  FROM unnest('{ips,ips_schema,ips_rejected,ips_history}'::text[]) AS name \g /dev/null
SELECT pg_temp.refuse_beside() \g /dev/null
ROLLBACK;
