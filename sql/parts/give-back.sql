-- A membership in ipam_owner that who runs this gave himself is taken back.
\set ON_ERROR_STOP on
SET search_path = pg_catalog;
SELECT 'REVOKE ipam_owner FROM CURRENT_USER'
  FROM pg_auth_members
 WHERE roleid = to_regrole('ipam_owner') AND member = grantor AND pg_get_userbyid(member) = current_user \gexec
