-- Every migration begins with this. It opens the migration's transaction: a run that is interrupted leaves nothing
-- behind, and of several at once the others wait for the first.
--
-- What calls of the plugins may wait for is locked with pg_temp.lock_table(): a call waits for at most 1.5 seconds
-- behind it, however long a transaction of somebody else is in the way.

\set ON_ERROR_STOP on
BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
SET LOCAL search_path = pg_catalog;
SET LOCAL client_min_messages = warning;
SET LOCAL statement_timeout = 0;
SET LOCAL lock_timeout = '10min';

-- All migrations share this key (the letters "ips").
SELECT pg_advisory_xact_lock(6910067) AS locked \gset

-- Locks a table against everybody. It tries for up to ten minutes, since a wait in the lock's queue makes all others
-- wait behind it: each time long enough for the server to cancel its own vacuum (deadlock_timeout, a second).
CREATE OR REPLACE FUNCTION pg_temp.lock_table(what regclass) RETURNS void
	LANGUAGE plpgsql SET search_path = pg_catalog SET lock_timeout = '1500ms'
AS $$
DECLARE
	last_try timestamptz := clock_timestamp() + interval '10 min';
BEGIN
	LOOP
		BEGIN
			EXECUTE format('LOCK TABLE ONLY %s IN ACCESS EXCLUSIVE MODE', what);
			RETURN;
		EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
			IF clock_timestamp() > last_try THEN
				RAISE EXCEPTION 'the table % is in use: ten minutes were not enough to lock it', what
					USING ERRCODE = 'lock_not_available', HINT = 'Run this again when no long transaction reads or writes it.';
			END IF;
		END;
		PERFORM pg_sleep(0.5 + random());
	END LOOP;
END
$$;
