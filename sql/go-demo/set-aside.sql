-- Part of migration 1: the Go demo's table keeps its rows under a new name, with its indexes and sequences, so that the
-- new table gets the names that it should have. Another table called "ips" is nobody's to touch.
--
-- The setting ipam.go_demo is the old table's oid for the rest of the transaction; where there is none, it is not set.
DO $$
DECLARE
	old  regclass := to_regclass('public.ips');
	r    record;
	name text;
BEGIN
	IF old IS NULL THEN
		RETURN;
	END IF;
	IF (SELECT relkind <> 'r' FROM pg_class WHERE oid = old)
	   OR (SELECT array_agg(attname::text ORDER BY attname) FROM pg_attribute
	        WHERE attrelid = old AND attnum > 0 AND NOT attisdropped
	          AND attname IN ('id', 'pod_id', 'interface', 'ip', 'created_on', 'network'))
	      IS DISTINCT FROM '{created_on,id,interface,ip,pod_id}'::text[] THEN
		RAISE EXCEPTION 'public.ips is neither made by these migrations nor for the Go demo'
			USING HINT = 'Rename it, or use another database, and run this again.';
	END IF;
	PERFORM pg_temp.lock_tables(old);
	PERFORM pg_temp.refuse_planted(old);
	FOR r IN
		SELECT c.oid, c.relname FROM pg_class AS c
		 WHERE c.oid = old
		    OR c.oid IN (SELECT indexrelid FROM pg_index WHERE indrelid = old)
		    OR c.relkind = 'S' AND c.oid IN (SELECT objid FROM pg_depend
		        WHERE classid = 'pg_class'::regclass AND refclassid = 'pg_class'::regclass
		          AND refobjid = old AND deptype IN ('a', 'i'))
	LOOP
		name := 'ips_go_demo' || regexp_replace(left(r.relname, 40), '^ips', '');
		IF to_regclass(format('public.%I', name)) IS NOT NULL THEN
			name := name || '_' || r.oid;
		END IF;
		EXECUTE format('ALTER TABLE %s RENAME TO %I', r.oid::regclass, name);
	END LOOP;
	PERFORM set_config('ipam.go_demo', old::oid::text, true);
END
$$;
