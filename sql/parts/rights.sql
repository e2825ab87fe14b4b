-- The owner and the rights, in one transaction, so that hosts at work notice nothing. At its end it is asserted that
-- role cni owns nothing, may create no schema, and can run nothing with more rights than its own.
\set ON_ERROR_STOP on
BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
SET LOCAL search_path = pg_catalog;
SET LOCAL client_min_messages = error;
SET LOCAL statement_timeout = 0;
\ir judge.sql
\ir judge-cni.sql
\ir turn.sql
SET LOCAL lock_timeout = '1min';

-- A database is others' too where somebody else's tables or routines are in it, unless it has our name or our owner.
-- Then its owner, and what everybody may do in it, are not ours to change.
SELECT pg_temp.cni_is_mighty() AS mighty,
       datname AS database,
       pg_has_role(datdba, 'USAGE') AS lord,
       (SELECT pg_has_role(nspowner, 'USAGE') FROM pg_namespace WHERE nspname = 'public') AS lord_of_public,
       EXISTS (SELECT FROM pg_namespace CROSS JOIN aclexplode(coalesce(nspacl, acldefault('n', nspowner))) AS acl
                WHERE nspname = 'public' AND acl.grantee = 0 AND acl.privilege_type = 'CREATE') AS open,
       datname <> 'ipam' AND pg_get_userbyid(datdba) NOT IN ('cni', 'ipam_owner')
       AND EXISTS (SELECT FROM (SELECT 'pg_class'::regclass::oid AS classid, oid, relnamespace AS nsp, relowner AS owner FROM pg_class
                                 WHERE relkind IN ('r', 'p', 'v', 'm', 'f')
                                   AND (relname !~ '^ips($|_)' OR relnamespace <> to_regnamespace('public'))
                                UNION ALL
                                SELECT 'pg_proc'::regclass, oid, pronamespace, proowner FROM pg_proc) AS o
                    JOIN pg_namespace AS n ON n.oid = o.nsp AND nspname !~ '^pg_'
                   WHERE o.oid >= 16384 AND pg_get_userbyid(o.owner) NOT IN ('cni', 'ipam_owner')
                     AND NOT EXISTS (SELECT FROM pg_depend AS d
                                      WHERE d.classid = o.classid AND d.objid = o.oid AND d.deptype = 'e')) AS shared
  FROM pg_database WHERE datname = current_database() \gset

SELECT format('ALTER DATABASE %I OWNER TO ipam_owner', datname)
  FROM pg_database JOIN pg_roles AS r ON r.oid = datdba
 WHERE datname = current_database() AND :'lord' AND (rolname = 'cni' OR rolsuper AND NOT :'shared') \gexec

-- What role cni owns goes to ipam_owner, and so do tables that migrations made as somebody else. Nobody plants anything in
-- them between the judgement and the hand-over. The list of migrations is locked before the table, as migrations do it.
CREATE TEMPORARY VIEW handed_over AS
SELECT c.oid, c.relname
  FROM pg_class AS c
  JOIN pg_roles AS r ON r.oid = relowner AND rolname <> 'ipam_owner'
 WHERE relkind IN ('r', 'p')
   AND (c.oid IN (SELECT o.objid FROM pg_temp.owned_by_cni() AS o)
        OR (rolsuper OR relowner = (SELECT oid FROM pg_roles WHERE rolname = session_user))
           AND c.oid IN (to_regclass('public.ips'), to_regclass('public.ips_schema'),
                         to_regclass('public.ips_rejected'), to_regclass('public.ips_history'),
                         to_regclass('public.ips_go_demo')));
SELECT pg_temp.lock_tables(VARIADIC array_agg(oid::regclass ORDER BY relname DESC)) FROM handed_over HAVING count(*) > 0 \g /dev/null
SELECT pg_temp.refuse('role cni owns what is never handed on', array_agg(what), array_agg(remedy))
  FROM pg_temp.not_handed_on() WHERE NOT :'mighty' \g /dev/null
SELECT pg_temp.refuse_planted(to_regclass('public.' || name))
  FROM unnest('{ips,ips_schema,ips_rejected,ips_history}'::text[]) AS name \g /dev/null
SELECT format('ALTER TABLE %s OWNER TO ipam_owner', oid::regclass) FROM handed_over \gexec
SELECT format('ALTER %s %s OWNER TO ipam_owner', upper(type), identity)
  FROM pg_temp.owned_by_cni()
 WHERE type = 'schema' OR type = 'sequence' AND NOT EXISTS (
       SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = owned_by_cni.objid AND deptype IN ('a', 'i'))
\gexec
DROP VIEW handed_over;
SELECT count(*) < 3 OR bool_or(owner <> 'ipam_owner'::regrole) AS anew
  FROM (SELECT relowner AS owner FROM pg_class
         WHERE oid IN (to_regclass('public.ips_allocations'), to_regclass('public.ips_counts')) AND relkind = 'v'
        UNION ALL
        SELECT proowner FROM pg_proc WHERE oid = to_regprocedure('public.who_has(inet,text)')) AS v \gset
\if :anew
\ir views.sql
\endif

SELECT format('REVOKE ALL ON %s FROM cni', oid::regclass)
  FROM pg_class
 WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND pg_has_role(relowner, 'USAGE')
\gexec
REVOKE ALL ON public.ips, public.ips_schema, public.ips_rejected FROM PUBLIC;
SELECT 'REVOKE ALL ON public.ips_history FROM PUBLIC' WHERE to_regclass('public.ips_history') IS NOT NULL \gexec
GRANT SELECT, INSERT, DELETE, UPDATE (boot_id, machine, created_on, position) ON public.ips TO cni;
GRANT SELECT ON public.ips_schema TO cni;
GRANT SELECT ON public.ips_allocations, public.ips_counts TO ipam_reader;
GRANT EXECUTE ON FUNCTION public.who_has(inet, text) TO ipam_reader;

\if :lord
REVOKE ALL ON DATABASE :"database" FROM cni;
GRANT CONNECT ON DATABASE :"database" TO cni;
SELECT format('REVOKE CREATE%s ON DATABASE %I FROM PUBLIC', CASE WHEN NOT :'shared' THEN ', TEMPORARY' END, :'database') \gexec
\endif
\if :lord_of_public
REVOKE ALL ON SCHEMA public FROM cni;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO cni, ipam_reader;
GRANT USAGE, CREATE ON SCHEMA public TO ipam_owner;
\endif
SELECT format('REVOKE EXECUTE ON FUNCTION lo_creat(integer), lo_create(oid), lo_from_bytea(oid, bytea) FROM cni%s',
              CASE WHEN NOT :'shared' THEN ', PUBLIC' END)
 WHERE :'super' \gexec

SELECT pg_temp.refuse('role cni still owns something', array_agg(format('%s %s', type, identity)),
                      array_agg(CASE type WHEN 'database' THEN format('ALTER DATABASE %s OWNER TO ipam_owner', identity)
                                     ELSE 'REASSIGN OWNED BY cni TO ipam_owner' END))
  FROM pg_temp.owned_by_cni() WHERE NOT :'mighty' \g /dev/null
SELECT pg_temp.refuse('role cni may create schemas', array[format('database %s', datname)],
                      array[format('REVOKE CREATE ON DATABASE %I FROM PUBLIC, cni', datname)])
  FROM pg_database
 WHERE datname = current_database() AND has_database_privilege('cni', oid, 'CREATE') AND NOT :'mighty' \g /dev/null
SELECT pg_temp.refuse('role cni has another one''s rights', array_agg(what), array_agg(remedy))
  FROM pg_temp.run_as_more() WHERE NOT :'mighty' \g /dev/null
SELECT pg_temp.refuse_beside() \g /dev/null

-- What is left as it is, or could not be done: a line each.
SELECT format('database "%s" belongs to "%s": left as it is', datname, rolname)
  FROM pg_database JOIN pg_roles AS r ON r.oid = datdba
 WHERE datname = current_database() AND rolname <> 'ipam_owner'
UNION ALL
SELECT format('everybody may make temporary tables in database "%s", role cni too: left as it is', current_database())
 WHERE has_database_privilege('cni', current_database(), 'TEMPORARY') AND NOT :'mighty'
UNION ALL
SELECT format('others use database "%s" too: nobody but the owners may create in its schema public any more', current_database())
 WHERE :'shared' AND :'open' AND :'lord_of_public'
UNION ALL
SELECT 'everybody may make large objects, role cni too: left as it is'
 WHERE has_function_privilege('cni', 'lo_create(oid)', 'EXECUTE') AND NOT :'mighty'
UNION ALL
SELECT format('role cni may not connect to database "%s": its owner has to run: GRANT CONNECT ON DATABASE %I TO cni;',
              current_database(), current_database())
 WHERE NOT has_database_privilege('cni', current_database(), 'CONNECT');
COMMIT;
