-- For who is no superuser: ipam_owner may create in the schema, where that can be given, and whether the tables are, or
-- will be, its own.
\set ON_ERROR_STOP on
SET search_path = pg_catalog;
SELECT 'GRANT USAGE, CREATE ON SCHEMA public TO ipam_owner'
  FROM pg_namespace
 WHERE nspname = 'public' AND pg_has_role(nspowner, 'USAGE') \gexec
SELECT coalesce((SELECT pg_get_userbyid(relowner) = 'ipam_owner' FROM pg_class WHERE oid = to_regclass('public.ips_schema')), true);
