-- What others have put into a database is judged from the catalogs before it is read, written or handed on: reading a
-- view, or writing a table with a trigger, runs its maker's code with the rights of whoever reads or writes. Even
-- planning a query evaluates what stands in the indexes of its tables.
\set SHOW_CONTEXT never
\ir ../optional/history-trigger.sql

-- What could run something when a table is read, written or analyzed, and the statement that removes it.
CREATE OR REPLACE FUNCTION pg_temp.planted(rel oid) RETURNS TABLE (what text, remedy text)
	LANGUAGE sql STABLE SET search_path = pg_catalog
AS $$
	SELECT format('%s is a %s', rel::regclass, o.type),
	       format('DROP %s %s', upper(replace(o.type, 'composite ', '')), o.identity)
	  FROM pg_class AS c, pg_identify_object('pg_class'::regclass, rel, 0) AS o
	 WHERE c.oid = rel AND relkind NOT IN ('r', 'p')
	UNION ALL
	SELECT format('%s has the trigger %I', rel::regclass, tgname),
	       CASE WHEN tgisinternal THEN format('ALTER TABLE %s DROP CONSTRAINT %I', k.conrelid::regclass, k.conname)
	            ELSE format('DROP TRIGGER %I ON %s', tgname, rel::regclass) END
	  FROM pg_trigger AS t LEFT JOIN pg_constraint AS k ON k.oid = tgconstraint
	 WHERE tgrelid = rel AND NOT pg_temp.is_history(t.oid)
	UNION ALL
	SELECT format('%s has the rule %I', rel::regclass, rulename), format('DROP RULE %I ON %s', rulename, rel::regclass)
	  FROM pg_rewrite JOIN pg_class AS c ON c.oid = ev_class AND relkind IN ('r', 'p')
	 WHERE ev_class = rel
	UNION ALL
	SELECT format('%s has the policy %I', rel::regclass, polname), format('DROP POLICY %I ON %s', polname, rel::regclass)
	  FROM pg_policy
	 WHERE polrelid = rel
	UNION ALL
	SELECT format('%s has row level security', rel::regclass), format('ALTER TABLE %s DISABLE ROW LEVEL SECURITY', rel::regclass)
	  FROM pg_class
	 WHERE oid = rel AND relrowsecurity
	UNION ALL
	SELECT format('the type of column %I of %s is not one of the server''s own', attname, rel::regclass),
	       format('ALTER TABLE %s RENAME TO %I', rel::regclass, left(relname, 50) || '_refused')
	  FROM pg_attribute JOIN pg_type AS y ON y.oid = atttypid JOIN pg_class AS c ON c.oid = attrelid AND relkind IN ('r', 'p')
	 WHERE attrelid = rel AND attnum > 0 AND NOT attisdropped AND typnamespace <> 'pg_catalog'::regnamespace
	UNION ALL
	-- Constants, the time and a sequence's next value are no code.
	SELECT format('column %I of %s has an expression', attname, rel::regclass),
	       format('ALTER TABLE %s ALTER COLUMN %I DROP %s', rel::regclass, attname,
	              CASE attgenerated WHEN '' THEN 'DEFAULT' ELSE 'EXPRESSION' END)
	  FROM pg_attrdef JOIN pg_attribute ON attrelid = adrelid AND attnum = adnum
	 WHERE adrelid = rel
	   AND pg_get_expr(adbin, adrelid) !~ ('^(now\(\)|CURRENT_TIMESTAMP|nextval\(''[^'']*''::regclass\)|'
	       '(NULL|true|false|\(?-?[0-9.]+\)?|''([^'']|'''')*'')(::[a-z ]+(\([0-9]+\))?)*)$')
	UNION ALL
	SELECT format('%s has the constraint %I', rel::regclass, conname),
	       format('ALTER TABLE %s DROP CONSTRAINT %I', rel::regclass, conname)
	  FROM pg_constraint
	 WHERE conrelid = rel AND contype NOT IN ('p', 'u', 'n', 't')
	UNION ALL
	SELECT format('%s has the index %s with an expression or a condition', rel::regclass, indexrelid::regclass),
	       format('DROP INDEX %s', indexrelid::regclass)
	  FROM pg_index
	 WHERE indrelid = rel
	   AND (indpred IS NOT NULL OR indexprs IS NOT NULL AND pg_get_expr(indexprs, indrelid) <> '(host(ip))::inet')
	UNION ALL
	SELECT format('%s has the statistics %I.%I with an expression', rel::regclass, nspname, stxname),
	       format('DROP STATISTICS %I.%I', nspname, stxname)
	  FROM pg_statistic_ext JOIN pg_namespace AS n ON n.oid = stxnamespace
	 WHERE stxrelid = rel AND 'e' = ANY (stxkind)
$$;

-- The same for a table of ours, where more is wrong: it stands alone, and it belongs to whom it may belong to.
CREATE OR REPLACE FUNCTION pg_temp.planted_in_ours(rel oid) RETURNS TABLE (what text, remedy text)
	LANGUAGE sql STABLE SET search_path = pg_catalog
AS $$
	SELECT * FROM pg_temp.planted(rel)
	UNION ALL
	SELECT format('%s inherits from %s', inhrelid::regclass, inhparent::regclass),
	       CASE WHEN relispartition THEN format('ALTER TABLE %s DETACH PARTITION %s', inhparent::regclass, inhrelid::regclass)
	            ELSE format('ALTER TABLE %s NO INHERIT %s', inhrelid::regclass, inhparent::regclass) END
	  FROM pg_inherits JOIN pg_class ON oid = inhrelid
	 WHERE inhparent = rel OR inhrelid = rel
	UNION ALL
	SELECT format('%s is a partitioned table', rel::regclass),
	       format('ALTER TABLE %s RENAME TO %I', rel::regclass, left(relname, 50) || '_refused')
	  FROM pg_class
	 WHERE oid = rel AND relkind = 'p'
	UNION ALL
	SELECT format('%s belongs to %s', rel::regclass, relowner::regrole),
	       format('ALTER TABLE %s OWNER TO %I', rel::regclass, pg_get_userbyid(datdba))
	  FROM pg_class AS c
	  JOIN pg_roles AS r ON r.oid = relowner
	  JOIN pg_database ON datname = current_database()
	 WHERE c.oid = rel AND NOT rolsuper AND rolname NOT IN (current_user, 'cni', 'ipam_owner') AND relowner <> datdba
$$;

-- Ends the transaction if something is found.
CREATE OR REPLACE FUNCTION pg_temp.refuse(why text, what text[], remedy text[]) RETURNS void
	LANGUAGE plpgsql SET search_path = pg_catalog
AS $$
BEGIN
	IF cardinality(what) > 0 THEN
		RAISE EXCEPTION 'refused: %', why
			USING DETAIL = array_to_string(what, E'\n'),
			      HINT = E'Look at it. To remove it:\n' ||
			             (SELECT string_agg(run || ';', E'\n' ORDER BY first)
			                FROM (SELECT r AS run, min(n) AS first FROM unnest(remedy) WITH ORDINALITY AS u(r, n) GROUP BY r) AS each);
	END IF;
END
$$;

-- Ends the transaction if something is planted in a table of ours. NULL is a table that is not there.
CREATE OR REPLACE FUNCTION pg_temp.refuse_planted(rel oid) RETURNS void
	LANGUAGE sql SET search_path = pg_catalog
AS $$
	SELECT pg_temp.refuse(format('somebody''s code would run with the rights of "%s"', current_user),
	                      array_agg(what), array_agg(remedy))
	  FROM pg_temp.planted_in_ours(rel)
$$;

-- Ends the transaction if a routine stands beside those that people are told to ask, which a call of theirs could mean, or
-- in the place of one and belongs to whom no table of ours may belong to.
CREATE OR REPLACE FUNCTION pg_temp.refuse_beside() RETURNS void
	LANGUAGE sql SET search_path = pg_catalog
AS $$
	SELECT pg_temp.refuse('who asks for the holder of an address would run somebody''s code',
	                      array_agg(format('%s belongs to %I', p.oid::regprocedure, rolname)),
	                      array_agg(format('DROP ROUTINE %s', p.oid::regprocedure)))
	  FROM pg_proc AS p
	  JOIN pg_roles AS r ON r.oid = proowner
	  JOIN pg_database ON datname = current_database()
	 WHERE pronamespace = to_regnamespace('public') AND proname IN ('who_has', 'who_had')
	   AND (p.oid NOT IN (coalesce(to_regprocedure('public.who_has(inet,text)'), 0),
	                      coalesce(to_regprocedure('public.who_had(inet,timestamptz,text)'), 0))
	        OR NOT rolsuper AND rolname NOT IN (current_user, 'cni', 'ipam_owner') AND proowner <> datdba)
$$;

-- Locks tables against everybody. It tries for up to ten minutes, since a wait in a lock's queue makes all others wait
-- behind it: each time long enough for the server to cancel its own vacuum (deadlock_timeout, a second).
CREATE OR REPLACE FUNCTION pg_temp.lock_tables(VARIADIC tables regclass[]) RETURNS void
	LANGUAGE plpgsql SET search_path = pg_catalog SET lock_timeout = '1500ms'
AS $$
DECLARE
	names    text := (SELECT string_agg(t::text, ', ') FROM unnest(tables) AS t);
	last_try timestamptz := clock_timestamp() + interval '10 min';
BEGIN
	LOOP
		BEGIN
			EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', names);
			RETURN;
		EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
			IF clock_timestamp() > last_try THEN
				RAISE EXCEPTION 'in use, and ten minutes were not enough to lock it: %', names
					USING ERRCODE = 'lock_not_available', HINT = 'Run this again when no long transaction reads or writes it.';
			END IF;
		END;
		PERFORM pg_sleep(0.5 + random());
	END LOOP;
END
$$;
