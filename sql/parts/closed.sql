-- Fails where others may create in the schema of the tables, and says what closes it.
\set ON_ERROR_STOP on
\set SHOW_CONTEXT never
BEGIN READ ONLY;
SET LOCAL search_path = pg_catalog;
DO $$
BEGIN
	IF EXISTS (SELECT FROM pg_namespace CROSS JOIN aclexplode(coalesce(nspacl, acldefault('n', nspowner))) AS acl
	            WHERE nspname = 'public' AND acl.grantee IN (0, to_regrole('cni')::oid) AND acl.privilege_type = 'CREATE') THEN
		RAISE EXCEPTION 'everybody may create in the schema public of database "%"', current_database()
			USING HINT = 'The server''s administrator has to run there: REVOKE CREATE ON SCHEMA public FROM PUBLIC; '
			             'GRANT USAGE, CREATE ON SCHEMA public TO ipam_owner;';
	END IF;
END
$$;
COMMIT;
