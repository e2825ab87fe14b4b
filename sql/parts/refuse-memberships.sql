-- What role cni gets from other roles is looked at before provision.sh changes anything. A role that gives no more than
-- login and CONNECT is left, any other is refused.
\set ON_ERROR_STOP on
\set SHOW_CONTEXT never
BEGIN READ ONLY;
SET LOCAL search_path = pg_catalog;
DO $$
DECLARE
	m        record;
	revoke   text;
	what     text;
	remedies text;
BEGIN
	FOR m IN
		WITH RECURSIVE reached AS (
			SELECT roleid AS role, roleid AS first, grantor, admin_option AS admin
			  FROM pg_auth_members
			 WHERE member = to_regrole('cni')
			UNION
			SELECT n.roleid, r.first, r.grantor, n.admin_option
			  FROM reached AS r JOIN pg_auth_members AS n ON n.member = r.role
		)
		SELECT r.first::regrole AS role, r.grantor::regrole AS grantor,
		       bool_or(r.admin OR r.role < 16384 OR rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls
		               OR EXISTS (SELECT FROM pg_shdepend AS s
		                           WHERE s.refclassid = 'pg_authid'::regclass AND s.refobjid = r.role
		                             AND s.classid <> 'pg_auth_members'::regclass
		                             AND (s.classid <> 'pg_database'::regclass OR s.deptype <> 'a'))
		               OR EXISTS (SELECT FROM pg_database CROSS JOIN aclexplode(datacl) AS acl
		                           WHERE acl.grantee = r.role
		                             AND (acl.privilege_type <> 'CONNECT' OR acl.is_grantable))) AS more
		  FROM reached AS r JOIN pg_roles ON pg_roles.oid = r.role
		 WHERE to_regrole('cni')::oid <> 10 AND session_user <> 'cni'
		 GROUP BY r.first, r.grantor
	LOOP
		IF m.more THEN
			revoke := format('REVOKE %s FROM cni', m.role);
			IF current_setting('server_version_num')::int >= 160000 THEN
				revoke := revoke || format(' GRANTED BY %s', m.grantor);
			END IF;
			what := concat_ws(E'\n', what, format('role cni is a member of %s', m.role));
			remedies := concat_ws(E'\n', remedies, revoke || ';');
		ELSE
			RAISE WARNING 'role cni is a member of %, which gives it no more than login and CONNECT: left as it is', m.role;
		END IF;
	END LOOP;
	IF what IS NOT NULL THEN
		RAISE EXCEPTION 'refused: role cni has rights by other roles'
			USING DETAIL = what, HINT = E'To take them back:\n' || remedies;
	END IF;
END
$$;
COMMIT;
