-- Migration 2: which machine recorded a row, since when an attachment holds its address, and an index by which DEL and
-- GC find what this machine recorded under another name. Executables of schema 1 go on working.
--     psql -d ipam -f 002-machine.sql
--
-- The table is locked for a moment, and no row is written anew. What takes long on a big table comes after the
-- transaction, without a lock that any call waits for, and is completed by the next run if this one is interrupted: the
-- index, and held_since of the rows that were there before. It begins as the time of this migration and becomes their
-- created_on, five thousand rows at a time; until then the smaller of the two is right.

\ir parts/begin.sql
SELECT NOT EXISTS (SELECT FROM public.ips_schema WHERE version >= 2) AS missing \gset
\if :missing

SELECT pg_temp.lock_tables('public.ips') \g /dev/null
SELECT pg_temp.refuse_planted('public.ips'::regclass) \g /dev/null

ALTER TABLE public.ips
	ADD COLUMN machine    text COLLATE "C" NOT NULL DEFAULT '',  -- what a copy of the disk does not share, empty: not known
	ADD COLUMN held_since timestamptz NOT NULL DEFAULT now();    -- stays when the attachment is confirmed after a reboot
-- 16 MB are about 50,000 rows, and half a second.
SELECT pg_relation_size('public.ips') < 16 * 1024 * 1024 AS small \gset
\if :small
CREATE INDEX ips_host ON public.ips (network, host_id, pod_id, interface);
\endif

-- Roles have the rights on the new columns that they have on the columns beside them, so that hosts at work need no
-- provision.sh: who writes boot_id writes machine too, and the position, which stays one for those who took it over.
-- Who holds an address since when is never changed.
SELECT format('GRANT %s (%I) ON public.ips TO %s%s', acl.privilege_type, given.new,
              CASE acl.grantee WHEN 0 THEN 'PUBLIC' ELSE acl.grantee::regrole::text END,
              CASE WHEN acl.is_grantable THEN ' WITH GRANT OPTION' END)
  FROM (VALUES ('boot_id', 'machine', '{SELECT,INSERT,UPDATE,REFERENCES}'::text[]),
               ('boot_id', 'position', '{UPDATE}'),
               ('created_on', 'held_since', '{SELECT,INSERT,REFERENCES}')) AS given(old, new, rights)
  JOIN pg_attribute AS a ON a.attrelid = 'public.ips'::regclass AND a.attname = given.old
 CROSS JOIN aclexplode(a.attacl) AS acl
 WHERE acl.privilege_type = ANY (given.rights)
\gexec

INSERT INTO public.ips_schema (version, works_with) VALUES (2, 1);
\endif
COMMIT;

-- What is left to be done, by this run or by one that was interrupted, as the table's owner.
SET search_path = pg_catalog;
SET statement_timeout = 0;
SET lock_timeout = '10min';
SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE;
SELECT count(*) = 1 AS there
  FROM pg_class AS c
  JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'held_since'
 WHERE c.oid = to_regclass('public.ips') AND c.relkind = 'r' \gset
\if :there

-- One of several runs does it. The others do not wait: to make the index is to wait for them. An index that is not valid
-- was interrupted.
SELECT pg_try_advisory_lock(6910067, 2) AS mine \gset
\if :mine
SELECT indexrelid IS NULL AS missing, NOT coalesce(indisvalid, true) AS broken
  FROM (SELECT to_regclass('public.ips_host') AS oid) AS i
  LEFT JOIN pg_index ON indexrelid = i.oid \gset
\if :broken
DROP INDEX CONCURRENTLY public.ips_host;
\set missing true
\endif
\if :missing
CREATE INDEX CONCURRENTLY ips_host ON public.ips (network, host_id, pod_id, interface);
\endif

-- Rows that are locked are left alone: whoever holds them confirms or releases them. Each five thousand are a transaction
-- of their own, in which nobody plants anything; the plugins write all the same. (To write as the owner would not do: a
-- trigger can leave that role again.)
DO $$
DECLARE
	done    bigint := 0;
	upto    bigint;
	applied timestamptz;
BEGIN
	LOOP
		LOCK TABLE ONLY public.ips_schema, ONLY public.ips IN SHARE UPDATE EXCLUSIVE MODE;
		PERFORM pg_temp.refuse_planted('public.ips'::regclass);
		IF done = 0 THEN
			PERFORM pg_temp.refuse_planted('public.ips_schema'::regclass);
			SELECT applied_on INTO applied FROM public.ips_schema WHERE version = 2;
			EXIT WHEN NOT EXISTS (SELECT FROM public.ips WHERE held_since = applied AND created_on < applied);
		END IF;
		SELECT max(id) INTO upto FROM (SELECT id FROM public.ips WHERE id > done ORDER BY id LIMIT 5000) AS next;
		EXIT WHEN upto IS NULL;
		UPDATE public.ips SET held_since = created_on
		 WHERE id IN (SELECT id FROM public.ips
		               WHERE id > done AND id <= upto AND held_since = applied AND created_on < applied
		               ORDER BY id FOR UPDATE SKIP LOCKED);
		done := upto;
		COMMIT;
	END LOOP;
END
$$;
SELECT pg_advisory_unlock_all() \g /dev/null
\endif
\endif
RESET ALL;
