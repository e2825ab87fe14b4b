#!/usr/bin/env bash
# Makes what the plugin needs on a PostgreSQL server and is missing there: the database "ipam", its owner role
# "ipam_owner" (no login), the plugin's login role "cni", the tables, and the rights: "cni" may do what the plugin
# does, and nothing else.
#
#   IPAM_PASSWORD=… sql/provision.sh [CONNINFO]
#
# CONNINFO is libpq's, for a superuser: 'host=db user=postgres' or 'postgresql://postgres@db'. It may name another
# database than "postgres", "template1" or "ipam": then that one is used instead of "ipam". Without it, POSTGRES_USER
# and POSTGRES_DB count where the official container image sets them. Passwords for CONNINFO belong into PGPASSWORD or
# a passfile.
#
# The password of "cni" is set whenever IPAM_PASSWORD is there and not empty. psql (14 or later) hashes it: it is in no
# command line, and the server never sees it. Safe to run again, and at once from several places.

# The image's entrypoint sources what is not executable; neither options nor an exit may reach it.
if [[ ${BASH_SOURCE[0]} != "$0" ]]; then
	bash "${BASH_SOURCE[0]}"
	return
fi

set -euo pipefail

usage() {
	echo "usage: [IPAM_PASSWORD=…] ${0##*/} [CONNINFO]    for example: ${0##*/} 'host=db user=postgres'"
}

fail() {
	echo "${0##*/}: $1" >&2
	exit 1
}

# run CONNINFO [PSQL'S ARGUMENTS]
run() {
	psql -X -q -w -A -t -v ON_ERROR_STOP=1 -d "$@"
}

# The same server and role, another database: the last word of a connection string counts.
other_database() {
	case $conninfo in
	*://*\?*) echo "$conninfo&dbname=$1" ;;
	*://*) echo "$conninfo?dbname=$1" ;;
	*) echo "$conninfo dbname=$1" ;;
	esac
}

# Says where to start from and which database is meant: sets start and target, both connection strings.
find_database() {
	local named_ipam="(dbname[[:space:]]*=[[:space:]]*'?|://[^?]*/)ipam'?([[:space:]?&]|\$)" said
	start=$conninfo
	if ! said=$(run "$start" -c 'SELECT pg_catalog.current_database()' 2>&1); then
		[[ $conninfo =~ $named_ipam ]] || fail "$said"
		start=$(other_database postgres)
		said=$(run "$start" -c "SELECT 'postgres'" 2>&1) || fail "$said"
	fi
	case ${said##*$'\n'} in
	postgres | template1) target=$(other_database ipam) ;;
	*) target=$start ;;
	esac
}

# Everything that changes roles waits for its turn at the list of roles, which is one for all databases.
make_roles() {
	run "$start" -f - <<-'SQL'
		SET search_path = pg_catalog;
		SELECT NOT rolsuper AS refused FROM pg_roles WHERE rolname = current_user \gset
		\if :refused
			DO $$ BEGIN RAISE EXCEPTION 'role "%" is not a superuser', current_user; END $$;
		\endif
		BEGIN;
		SET LOCAL lock_timeout = '1min';
		LOCK TABLE pg_authid IN SHARE ROW EXCLUSIVE MODE;
		SELECT 'CREATE ROLE ipam_owner NOLOGIN'
		 WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'ipam_owner') \gexec
		SELECT 'CREATE ROLE cni'
		 WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'cni') \gexec
		SELECT oid = 10 OR rolname = session_user AS mighty FROM pg_roles WHERE rolname = 'cni' \gset
		\if :mighty
			\warn 'WARNING: role "cni" is the server''s superuser here: its rights cannot be limited'
		\else
			ALTER ROLE cni LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;
			SELECT 'REVOKE ipam_owner FROM cni' WHERE pg_has_role('cni', 'ipam_owner', 'member') \gexec
		\endif
		COMMIT;
	SQL
}

# Whoever makes it second is content. Template0 is never in use, and C never changes with the operating system.
make_database() {
	local exists="SELECT FROM pg_catalog.pg_database WHERE datname = 'ipam'" problem
	if [[ $(run "$start" -c "SELECT EXISTS ($exists)") == f ]]; then
		problem=$(run "$start" -c "CREATE DATABASE ipam OWNER ipam_owner TEMPLATE template0
			ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'" 2>&1) ||
			[[ $(run "$start" -c "SELECT EXISTS ($exists)") == t ]] || fail "$problem"
	fi
}

# What "cni" owns in the database goes to ipam_owner, and so do tables that migrations made as a superuser. The rights
# are taken and given in one transaction, so that hosts at work notice nothing.
set_rights() {
	run "$target" -f - <<-'SQL'
		BEGIN;
		SET LOCAL search_path = pg_catalog;
		SET LOCAL lock_timeout = '1min';
		SET LOCAL client_min_messages = warning;
		LOCK TABLE pg_authid IN SHARE ROW EXCLUSIVE MODE;
		SELECT current_database() AS database \gset

		CREATE TEMPORARY VIEW given AS
		SELECT oid, NOT rolsuper AS mine FROM pg_roles WHERE rolname = 'cni' OR rolsuper;
		SELECT format('ALTER DATABASE %I OWNER TO ipam_owner', datname)
		  FROM pg_database JOIN given ON given.oid = datdba WHERE datname = current_database() \gexec
		SELECT format('ALTER SCHEMA %I OWNER TO ipam_owner', nspname)
		  FROM pg_namespace JOIN given ON given.oid = nspowner AND mine WHERE nspname !~ '^pg_' \gexec
		SELECT format('ALTER TABLE %s OWNER TO ipam_owner', c.oid::regclass)
		  FROM pg_class AS c JOIN given ON given.oid = relowner
		 WHERE (mine OR c.oid IN (to_regclass('public.ips'), to_regclass('public.ips_schema'),
		                          to_regclass('public.ips_rejected'), to_regclass('public.ips_go_demo')))
		   AND (relkind IN ('r', 'p', 'v', 'm', 'f') OR relkind = 'S' AND NOT EXISTS (
		        SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid
		           AND deptype IN ('a', 'i'))) \gexec
		SELECT format('ALTER ROUTINE %s OWNER TO ipam_owner', p.oid::regprocedure)
		  FROM pg_proc AS p JOIN given ON given.oid = proowner AND mine \gexec
		DROP VIEW given;

		REVOKE ALL ON DATABASE :"database" FROM cni;
		REVOKE CREATE, TEMPORARY ON DATABASE :"database" FROM PUBLIC;
		GRANT CONNECT ON DATABASE :"database" TO cni;
		REVOKE ALL ON SCHEMA public FROM cni;
		REVOKE CREATE ON SCHEMA public FROM PUBLIC;
		GRANT USAGE ON SCHEMA public TO cni;
		GRANT USAGE, CREATE ON SCHEMA public TO ipam_owner;
		REVOKE EXECUTE ON FUNCTION lo_creat(integer), lo_create(oid), lo_from_bytea(oid, bytea) FROM cni, PUBLIC;
		REVOKE ALL ON ALL TABLES IN SCHEMA public FROM cni;
		REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM cni;
		REVOKE ALL ON public.ips, public.ips_schema, public.ips_rejected FROM PUBLIC;
		GRANT SELECT, INSERT, DELETE, UPDATE (boot_id, machine, created_on, position) ON public.ips TO cni;
		GRANT SELECT ON public.ips_schema TO cni;
		COMMIT;
	SQL
}

# A statement whose client is gone ends by itself, and no schema but the server's own is searched for names. Where an
# administrator has set one of these, for the role, the database or the server, that stays; a server that does not know
# one goes without.
set_settings() {
	run "$target" -f - <<-'SQL'
		BEGIN;
		SET LOCAL search_path = pg_catalog;
		SET LOCAL lock_timeout = '1min';
		LOCK TABLE pg_authid IN SHARE ROW EXCLUSIVE MODE;
		SELECT format('ALTER ROLE cni SET %I = %L', w.name, w.value)
		  FROM (VALUES ('client_connection_check_interval', '1s'), ('statement_timeout', '60s'),
		               ('idle_in_transaction_session_timeout', '60s'), ('search_path', 'pg_catalog')) AS w(name, value)
		  JOIN pg_settings AS known ON known.name = w.name AND known.source <> 'command line'
		 WHERE NOT EXISTS (SELECT FROM pg_file_settings AS f WHERE f.name = w.name AND f.applied)
		   AND NOT EXISTS (SELECT FROM pg_db_role_setting, unnest(setconfig) AS s
		                    WHERE setrole IN (0, 'cni'::regrole) AND split_part(s, '=', 1) = w.name
		                      AND setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database())))
		\gexec
		COMMIT;
	SQL
}

# psql's \password asks for the password twice, on the terminal, or on stdin where there is none (setsid).
set_password() {
	local said
	if [[ -z $password ]]; then
		[[ $(run "$start" -c "SELECT rolpassword IS NULL FROM pg_catalog.pg_authid WHERE rolname = 'cni'") == f ]] ||
			echo "${0##*/}: role \"cni\" has no password: to give it one, run this again with IPAM_PASSWORD set" >&2
		return
	fi
	said=$(printf '%s\n%s\n' "$password" "$password" | setsid psql -X -q -w -v ON_ERROR_STOP=1 -d "$start" \
		-c BEGIN -c "SET LOCAL lock_timeout = '1min'" -c 'LOCK TABLE pg_catalog.pg_authid IN SHARE ROW EXCLUSIVE MODE' \
		-c '\password cni' -c COMMIT 2>&1) || fail "the password was not set: $said"
}

case ${1-none} in
-h | --help) usage; exit 0 ;;
'' | -*) usage >&2; exit 2 ;;
esac
(($# <= 1)) || { usage >&2; exit 2; }
command -v psql >/dev/null || fail 'psql is missing: install the PostgreSQL client'

password=${IPAM_PASSWORD:-}
unset IPAM_PASSWORD
[[ $password != *[$'\r\n']* ]] || fail 'IPAM_PASSWORD has a line break in it: use a password of one line'

# Without a word about the database, start from one that every server has.
conninfo=${1:-fallback_application_name=provision}
[[ $conninfo == *=* || $conninfo == *://* ]] || conninfo="dbname='$conninfo'"
if (($# == 0)); then
	[[ -z ${POSTGRES_DB:-} ]] || export PGDATABASE=$POSTGRES_DB
	[[ -z ${POSTGRES_USER:-} ]] || export PGUSER=$POSTGRES_USER
fi
[[ ${PGDATABASE:-ipam} != ipam ]] || export PGDATABASE=postgres
export PGCONNECT_TIMEOUT=${PGCONNECT_TIMEOUT:-10}

find_database
make_roles || fail 'the roles were not made'
[[ $target == "$start" ]] || make_database
"$BASH" "$(dirname "${BASH_SOURCE[0]}")/migrate.sh" "$target" || exit 1
set_rights || fail 'the rights were not set'
set_settings || fail 'the settings of role "cni" were not made'
set_password
echo "${0##*/}: ready for the plugin"
