-- What role cni has in a database, from the catalogs. Needs judge.sql.

-- What it owns there, and the database itself. Temporary objects end with its session, default privileges are none but its
-- own.
CREATE OR REPLACE FUNCTION pg_temp.owned_by_cni() RETURNS TABLE (classid oid, objid oid, type text, identity text)
	LANGUAGE sql STABLE SET search_path = pg_catalog
AS $$
	SELECT s.classid, s.objid, o.type, o.identity
	  FROM pg_shdepend AS s
	 CROSS JOIN pg_identify_object(s.classid, s.objid, 0) AS o
	  JOIN pg_database AS d ON d.datname = current_database()
	 WHERE (s.dbid = d.oid OR s.dbid = 0 AND s.classid = 'pg_database'::regclass AND s.objid = d.oid)
	   AND s.refclassid = 'pg_authid'::regclass AND s.refobjid = to_regrole('cni') AND s.deptype = 'o'
	   AND s.classid <> 'pg_default_acl'::regclass AND coalesce(o.schema, '') !~ '^pg_(toast_)?temp'
	 ORDER BY s.objid DESC  -- what depends on something else is younger
$$;

-- What of that is never handed on to another owner, since it could run as that one: everything but the database,
-- schemas, sequences, and tables in which nothing is planted. The views of the migrations are made anew.
CREATE OR REPLACE FUNCTION pg_temp.not_handed_on() RETURNS TABLE (what text, remedy text)
	LANGUAGE sql STABLE SET search_path = pg_catalog
AS $$
	SELECT format('role cni owns the %s %s', o.type, o.identity),
	       CASE o.type WHEN 'large object' THEN format('SELECT lo_unlink(%s)', o.objid)
	                   ELSE format('DROP %s %s', upper(replace(o.type, '-', ' ')), o.identity) END
	  FROM pg_temp.owned_by_cni() AS o
	 WHERE o.type NOT IN ('database', 'schema', 'table', 'sequence')
	   AND o.identity NOT IN ('public.ips_allocations', 'public.ips_counts', 'public.who_has(inet,text)',
	                          'public.who_has(pg_catalog.inet,pg_catalog.text)')
	UNION ALL
	SELECT p.* FROM pg_temp.owned_by_cni() AS o CROSS JOIN pg_temp.planted(o.objid) AS p WHERE o.type = 'table'
$$;

-- What it can run with the rights of the owner or of a superuser.
CREATE OR REPLACE FUNCTION pg_temp.run_as_more() RETURNS TABLE (what text, remedy text)
	LANGUAGE sql STABLE SET search_path = pg_catalog
AS $$
	SELECT format('role cni can run %s as %I', p.oid::regprocedure, rolname),
	       format('REVOKE EXECUTE ON ROUTINE %s FROM PUBLIC, cni', p.oid::regprocedure)
	  FROM pg_proc AS p
	  JOIN pg_roles AS r ON r.oid = proowner AND (rolsuper OR rolname = 'ipam_owner')
	 WHERE prosecdef AND p.oid >= 16384
	   AND has_function_privilege('cni', p.oid, 'EXECUTE') AND has_schema_privilege('cni', pronamespace, 'USAGE')
$$;

-- Whether role cni is beyond any limit here: the server's first superuser, or who runs this.
CREATE OR REPLACE FUNCTION pg_temp.cni_is_mighty() RETURNS bool
	LANGUAGE sql STABLE SET search_path = pg_catalog
AS $$
	SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = 'cni' AND (oid = 10 OR rolname = session_user))
$$;
