-- The roles of provision.sh. Everything that changes roles waits for its turn: a superuser at the list of roles, which
-- is one for all databases, others at a lock of this database.
\set ON_ERROR_STOP on
SET search_path = pg_catalog;
SELECT rolsuper AS super, NOT rolsuper AND NOT rolcreaterole AS refused FROM pg_roles WHERE rolname = current_user \gset
\if :refused
	DO $$ BEGIN RAISE EXCEPTION 'role "%" is not a superuser, and may not create roles', current_user; END $$;
\endif
BEGIN;
\ir turn.sql
SELECT format('CREATE ROLE %I NOLOGIN', name)
  FROM unnest('{ipam_owner,ipam_reader}'::text[]) AS name
 WHERE to_regrole(name) IS NULL \gexec
SELECT 'CREATE ROLE cni LOGIN' WHERE to_regrole('cni') IS NULL \gexec
SELECT oid = 10 OR rolname = session_user AS mighty,
       rolsuper OR rolreplication OR rolbypassrls AS strong,
       NOT rolcanlogin OR rolcreatedb OR rolcreaterole AS wrong
  FROM pg_roles WHERE rolname = 'cni' \gset
\if :mighty
	\warn 'WARNING: role "cni" is the server''s superuser here: its rights cannot be limited'
\elif :super
	ALTER ROLE cni LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;
\elif :strong
	DO $$ BEGIN RAISE EXCEPTION 'role cni may do too much'
		USING HINT = 'A superuser has to run: ALTER ROLE cni NOSUPERUSER NOREPLICATION NOBYPASSRLS;'; END $$;
\elif :wrong
	ALTER ROLE cni LOGIN NOCREATEDB NOCREATEROLE;
\endif
-- Who is no superuser makes what belongs to ipam_owner as a member of it. That is given back at the end.
\if :super
\else
	SELECT CASE WHEN current_setting('server_version_num')::int < 160000 THEN 'MEMBER' ELSE 'SET' END AS member \gset
	SELECT 'GRANT ipam_owner TO CURRENT_USER' || CASE WHEN :'member' = 'SET' THEN ' WITH INHERIT TRUE, SET TRUE' ELSE '' END
	 WHERE NOT pg_has_role('ipam_owner', :'member') \gexec
\endif
COMMIT;
