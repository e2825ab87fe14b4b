-- Every migration begins with this. It opens the migration's transaction: a run that is interrupted leaves nothing
-- behind, and of several at once the others wait for the first.
--
-- What calls of the plugins may wait for is locked with pg_temp.lock_tables(): a call waits for at most 1.5 seconds
-- behind it, however long a transaction of somebody else is in the way.

\set ON_ERROR_STOP on
BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
SET LOCAL search_path = pg_catalog;
SET LOCAL client_min_messages = warning;
SET LOCAL statement_timeout = 0;
SET LOCAL lock_timeout = '10min';

-- All migrations share this key (the letters "ips").
SELECT pg_advisory_xact_lock(6910067) AS locked \gset

-- Nobody plants anything in the list of migrations while it is read and written, statistics with an expression neither; the
-- plugins read it all the same.
\ir judge.sql
SELECT format('LOCK TABLE ONLY %s IN SHARE UPDATE EXCLUSIVE MODE', oid::regclass)
  FROM pg_class
 WHERE oid = to_regclass('public.ips_schema') AND relkind = 'r' \gexec
SELECT pg_temp.refuse_planted(to_regclass('public.ips_schema')) \g /dev/null
SELECT pg_temp.refuse_beside() \g /dev/null
