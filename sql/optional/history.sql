-- Who had which address when: whatever ends an allocation (DEL, GC, a takeover, an undo, an administrator's DELETE) leaves
-- a row in ips_history, for so many days. provision.sh runs this where it is told to:
--
--     IPAM_HISTORY=30 sql/provision.sh       installs it, or changes the days
--     IPAM_HISTORY=off sql/provision.sh      removes it; what it has recorded stays, and is said
--
-- The variable `days` has that number, or "off". The function runs with the rights of its owner, ipam_owner, so that
-- role cni needs none on the history. The table of allocations is locked for a moment, only where its trigger changes.

\ir ../parts/begin.sql
SELECT :'days' = 'off' AS off \gset

-- Nobody changes the trigger between the judgement and the change.
SELECT NOT EXISTS (SELECT FROM pg_trigger
                    WHERE tgrelid = 'public.ips'::regclass AND pg_temp.is_history(oid)
                      AND tgargs = convert_to(:'days', 'UTF8') || '\x00'::bytea) AS other,
       EXISTS (SELECT FROM pg_trigger WHERE tgrelid = 'public.ips'::regclass AND tgname = 'ips_history') AS there \gset
SELECT pg_temp.lock_tables('public.ips') WHERE :'other' AND (:'there' OR NOT :'off') \g /dev/null
SELECT 'LOCK TABLE ONLY public.ips_history IN SHARE UPDATE EXCLUSIVE MODE'
  FROM pg_class
 WHERE oid = to_regclass('public.ips_history') AND relkind = 'r' \gexec
SELECT pg_temp.refuse_planted(to_regclass('public.' || name)) FROM unnest('{ips,ips_history}'::text[]) AS name \g /dev/null

DROP FUNCTION IF EXISTS public.who_had(inet, timestamptz, text);
\if :other
SELECT 'DROP TRIGGER ips_history ON public.ips' WHERE :'there' \gexec
DROP FUNCTION IF EXISTS public.ips_history_record();
\endif
SET LOCAL ROLE ipam_owner;

\if :off

\set kept 0
SELECT to_regclass('public.ips_history') IS NOT NULL AS table_is_there \gset
\if :table_is_there
SELECT count(*) AS kept FROM public.ips_history \gset
SELECT 'DROP TABLE public.ips_history' WHERE :kept = 0 \gexec
\endif

\else

SELECT pg_temp.refuse('another table has the name of the history', '{public.ips_history has other columns}',
                      '{ALTER TABLE public.ips_history RENAME TO ips_history_refused}')
  FROM (SELECT array_agg(attname ORDER BY attnum) AS columns FROM pg_attribute
         WHERE attrelid = to_regclass('public.ips_history') AND attnum > 0 AND NOT attisdropped) AS t
 WHERE columns <> '{network,address,prefix_length,pod_namespace,pod_name,pod_uid,container,interface,node,host_id,machine,'
                  'boot_id,held_since,held_until,id}' \g /dev/null
CREATE TABLE IF NOT EXISTS public.ips_history (
	network       text COLLATE "C" NOT NULL,
	address       inet NOT NULL,              -- without a prefix length, as in the view ips_allocations
	prefix_length int NOT NULL,
	pod_namespace text,
	pod_name      text,
	pod_uid       text,
	container     text COLLATE "C" NOT NULL,
	interface     text COLLATE "C" NOT NULL,
	node          text COLLATE "C" NOT NULL,
	host_id       text COLLATE "C" NOT NULL,
	machine       text COLLATE "C" NOT NULL,
	boot_id       text COLLATE "C" NOT NULL,  -- of the boot in which the address was asked for last
	held_since    timestamptz NOT NULL,
	held_until    timestamptz NOT NULL,       -- the first moment at which it was not held any more
	id            bigint NOT NULL,            -- of the row in ips; given out again after a failover that lost rows
	PRIMARY KEY (held_until, id)
);
CREATE INDEX IF NOT EXISTS ips_history_address ON public.ips_history (address, held_until);
COMMENT ON TABLE public.ips_history IS 'Who had which address when: allocations that have ended';

-- The present holders are those whose held_until is NULL.
CREATE FUNCTION public.who_had(address inet, moment timestamptz DEFAULT now(), network text DEFAULT NULL)
	RETURNS SETOF public.ips_history
	LANGUAGE sql STABLE SET search_path = pg_catalog
AS $$
	SELECT *
	  FROM public.ips_history AS h
	 WHERE h.address = host($1)::inet AND h.held_since <= $2 AND h.held_until > $2 AND ($3 IS NULL OR h.network = $3)
	UNION ALL
	SELECT a.network, a.address, a.prefix_length, a.pod_namespace, a.pod_name, a.pod_uid, a.container, a.interface,
	       a.node, a.host_id, a.machine, a.boot_id, a.held_since, NULL, NULL
	  FROM public.ips_allocations AS a
	 WHERE a.address = host($1)::inet AND a.held_since <= $2 AND ($3 IS NULL OR a.network = $3)
$$;
COMMENT ON FUNCTION public.who_had(inet, timestamptz, text) IS
	'Who had an address at a moment, in one network or in all; held_until is NULL where it is held still';

\if :other
SELECT format('CREATE FUNCTION public.ips_history_record() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER '
              'SET search_path = pg_catalog, pg_temp AS %L', pg_temp.history_text()) \gexec
CREATE TRIGGER ips_history AFTER DELETE ON public.ips REFERENCING OLD TABLE AS gone
	FOR EACH STATEMENT EXECUTE FUNCTION public.ips_history_record(:'days');
\endif

-- Only its owner may use the function; the history is for ipam_reader alone.
SELECT format('REVOKE ALL ON %s FROM %s', o.name, CASE acl.grantee WHEN 0 THEN 'PUBLIC' ELSE acl.grantee::regrole::text END)
  FROM (SELECT 'FUNCTION ' || oid::regprocedure AS name, proowner AS owner, coalesce(proacl, acldefault('f', proowner)) AS acl
          FROM pg_proc
         WHERE oid IN ('public.ips_history_record()'::regprocedure, 'public.who_had(inet, timestamptz, text)'::regprocedure)
        UNION ALL
        SELECT 'TABLE public.ips_history', relowner, coalesce(relacl, acldefault('r', relowner))
          FROM pg_class WHERE oid = 'public.ips_history'::regclass) AS o
 CROSS JOIN aclexplode(o.acl) AS acl
 WHERE acl.grantee <> o.owner
 GROUP BY 1 \gexec
GRANT SELECT ON public.ips_history TO ipam_reader;
GRANT EXECUTE ON FUNCTION public.who_had(inet, timestamptz, text) TO ipam_reader;
SELECT pg_temp.refuse_planted(to_regclass('public.' || name)) FROM unnest('{ips,ips_history}'::text[]) AS name \g /dev/null

\endif
COMMIT;

\if :off
SELECT 'no history is kept'
       || CASE WHEN :kept > 0 THEN format('; what was recorded stays (rows: %s) until somebody runs: '
                                          'DROP TABLE public.ips_history;', :kept) ELSE '' END;
\else
SELECT format('who had which address is kept for %s days', :'days');
\endif
