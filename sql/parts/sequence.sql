-- After a restore of the data alone, or logical replication, the sequence of the ids is behind the rows, and no row can
-- be inserted until it has passed them. It is put behind the last row. Run after a migration, whose functions it uses. Of
-- several runs one does it, as in migration 2.
\set ON_ERROR_STOP on
BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
SET LOCAL search_path = pg_catalog;
SELECT count(*) = 1 AND pg_try_advisory_xact_lock(6910067, 2) AS there, max(s.oid::int8) AS sequence
  FROM pg_class AS c
  JOIN pg_depend AS d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid AND d.classid = 'pg_class'::regclass
                     AND d.deptype IN ('a', 'i')
  JOIN pg_class AS s ON s.oid = d.objid AND s.relkind = 'S' AND s.relnamespace = c.relnamespace
 WHERE c.oid = to_regclass('public.ips') AND c.relkind = 'r' \gset
\if :there
LOCK TABLE ONLY public.ips IN SHARE UPDATE EXCLUSIVE MODE;
SELECT pg_temp.refuse_planted('public.ips'::regclass) \g /dev/null
SELECT format('the ids go on behind %s: their sequence was behind the rows', setval(:sequence::oid, last))
  FROM (SELECT max(id) AS last FROM public.ips) AS rows
 WHERE last > coalesce(pg_sequence_last_value(:sequence::oid), 0);
\endif
COMMIT;
