-- After a restore of the data alone, or logical replication, the sequence of the ids is behind the rows, and no row can
-- be inserted until it has passed them. It is put behind the last row. The table's owner does that: whatever somebody
-- put into the table's place runs with its maker's rights.
\set ON_ERROR_STOP on
SET search_path = pg_catalog;
SELECT count(*) = 1 AS there, max(pg_get_userbyid(c.relowner)::text) AS owner, max(quote_ident(s.relname)) AS sequence
  FROM pg_class AS c
  JOIN pg_depend AS d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid AND d.classid = 'pg_class'::regclass
                     AND d.deptype IN ('a', 'i')
  JOIN pg_class AS s ON s.oid = d.objid AND s.relkind = 'S' AND s.relnamespace = c.relnamespace
 WHERE c.oid = to_regclass('public.ips') AND c.relkind = 'r' \gset
\if :there
BEGIN READ WRITE;
SET LOCAL ROLE :"owner";
SELECT format('the ids go on behind %s: their sequence was behind the rows', setval('public.' || :'sequence', last))
  FROM (SELECT max(id) AS last FROM public.ips) AS rows
 CROSS JOIN public.:sequence
 WHERE last > last_value OR last = last_value AND NOT is_called;
COMMIT;
\endif
