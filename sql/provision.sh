#!/usr/bin/env bash
# Makes what the plugin needs on a PostgreSQL server and is missing there: the database "ipam", its owner role
# "ipam_owner" (no login), the plugin's login role "cni", the role "ipam_reader" (no login, for those who may look), the
# tables, and the rights: "cni" may do what the plugin does, and nothing else.
#
#   IPAM_PASSWORD=… sql/provision.sh [CONNINFO]
#
# What somebody else planted there is never run with more rights than his: it is judged from the catalogs first, and
# refused with the statement that removes it. What is not ours to change is left, and said.
#
# CONNINFO is libpq's, for a superuser, or for a role that may create roles and databases where a server has no superuser
# for its users: 'host=db user=postgres' or 'postgresql://postgres@db'. It may name another database than "postgres",
# "template1" or "ipam": then that one is used instead of "ipam". Without it, POSTGRES_USER and POSTGRES_DB count where
# the official container image sets them. Passwords for CONNINFO belong into PGPASSWORD or a passfile.
#
# IPAM_HISTORY=DAYS installs optional/history.sql, or changes its days, IPAM_HISTORY=off removes it; without it nothing
# changes there.
#
# The password of "cni" is set whenever IPAM_PASSWORD is there and not empty. psql (14 or later) hashes it: it is in no
# command line, and the server never sees it. Safe to run again, and at once from several places.

# The image's entrypoint sources what is not executable; neither options nor an exit may reach it.
if [[ ${BASH_SOURCE[0]} != "$0" ]]; then
	bash "${BASH_SOURCE[0]}"
	return
fi

set -euo pipefail

here=$(dirname "${BASH_SOURCE[0]}")
parts=$here/parts

usage() {
	echo "usage: [IPAM_PASSWORD=…] [IPAM_HISTORY=DAYS|off] ${0##*/} [CONNINFO]    for example: ${0##*/} 'host=db user=postgres'"
}

fail() {
	echo "${0##*/}: $1" >&2
	exit 1
}

# run CONNINFO [PSQL'S ARGUMENTS]: nothing but the server's own schema is searched, whatever the database says.
run() {
	psql -X -q -w -A -t -v ON_ERROR_STOP=1 -d "$1" -c 'SET search_path = pg_catalog' "${@:2}"
}

# The same server and role, another database: the last word of a connection string counts.
other_database() {
	case $conninfo in
	*://*\?*) echo "$conninfo&dbname=$1" ;;
	*://*) echo "$conninfo?dbname=$1" ;;
	*) echo "$conninfo dbname=$1" ;;
	esac
}

# Says where to start from and which database is meant: sets start and target, both connection strings, whether there is
# a database "ipam", and whether a superuser asks.
look() {
	local named_ipam="(dbname[[:space:]]*=[[:space:]]*'?|://[^?]*/)ipam'?([[:space:]?&]|\$)" said
	local question="SELECT EXISTS (SELECT FROM pg_database WHERE datname = 'ipam'),
		(SELECT rolsuper FROM pg_roles WHERE rolname = current_user)"
	start=$conninfo
	if ! said=$(run "$start" -c "$question, current_database()" 2>&1); then
		[[ $conninfo =~ $named_ipam ]] || fail "$said"
		start=$(other_database postgres)
		said=$(run "$start" -c "$question, 'postgres'" 2>&1) || fail "$said"
	fi
	IFS='|' read -r ipam_exists super said <<<"${said##*$'\n'}"
	case $said in
	postgres | template1) target=$(other_database ipam) ;;
	*) target=$start ;;
	esac
}

# What others have planted in a database that is there is refused before anything in it is changed.
judge() {
	[[ $target != "$start" && $ipam_exists == f ]] || run "$target" -f "$parts/refuse-objects.sql" || fail 'nothing was changed'
}

# Whoever makes it second is content. Template0 is never in use, and C never changes with the operating system.
make_database() {
	local problem
	problem=$(run "$start" -c "CREATE DATABASE ipam OWNER ipam_owner TEMPLATE template0
		ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'" 2>&1) ||
		[[ $(run "$start" -c "SELECT EXISTS (SELECT FROM pg_database WHERE datname = 'ipam')") == t ]] || fail "$problem"
}

# The migrations. Who is no superuser applies them as ipam_owner, unless the tables are his own.
migrate() {
	local options=${PGOPTIONS:-}
	if [[ $super == f ]]; then
		[[ $(run "$target" -f "$parts/may-create.sql") == f ]] || options+=' -c role=ipam_owner'
	fi
	PGOPTIONS=$options "$BASH" "$here/migrate.sh" "$target"
}

# The rights, the settings of the role, and whether the schema is closed to others. What stays as it is is said.
set_rights() {
	local said status=0
	said=$(run "$target" -f "$parts/rights.sql" -f "$parts/settings.sql" -f "$parts/closed.sql") || status=$?
	[[ -z $said ]] || printf '%s\n' "${0##*/}: ${said//$'\n'/$'\n'"${0##*/}: "}" >&2
	return "$status"
}

# Who had which address when: installed or removed where that is asked for.
set_history() {
	local said
	[[ -n $history ]] || return 0
	said=$(run "$target" -v days="$history" -f "$here/optional/history.sql") || fail 'the history is as it was'
	echo "${0##*/}: $said"
}

# A membership in ipam_owner that this script gave is taken back, however it ends.
give_back() {
	run "$start" -f "$parts/give-back.sql" || true
}

# psql's \password asks for the password twice, on the terminal, or on stdin where there is none (setsid).
set_password() {
	local said
	if [[ -z $password ]]; then
		if [[ $super == f ]]; then
			echo "${0##*/}: if role \"cni\" has no password yet, run this again with IPAM_PASSWORD set to give it one" >&2
		elif [[ $(run "$start" -c "SELECT rolpassword IS NULL FROM pg_authid WHERE rolname = 'cni'") != f ]]; then
			echo "${0##*/}: role \"cni\" has no password: to give it one, run this again with IPAM_PASSWORD set" >&2
		fi
		return
	fi
	said=$(printf '%s\n%s\n' "$password" "$password" | setsid psql -X -q -w -v ON_ERROR_STOP=1 -d "$start" \
		-c 'SET search_path = pg_catalog' -c BEGIN -f "$parts/turn.sql" -c "SET LOCAL password_encryption = 'scram-sha-256'" \
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

history=${IPAM_HISTORY:-}
[[ $history =~ ^(off|[1-9][0-9]{0,4})?$ ]] ||
	fail 'IPAM_HISTORY is neither a number of days, from 1 to 99999, nor "off"'

# Without a word about the database, start from one that every server has.
conninfo=${1:-fallback_application_name=provision}
[[ $conninfo == *=* || $conninfo == *://* ]] || conninfo="dbname='$conninfo'"
if (($# == 0)); then
	[[ -z ${POSTGRES_DB:-} ]] || export PGDATABASE=$POSTGRES_DB
	[[ -z ${POSTGRES_USER:-} ]] || export PGUSER=$POSTGRES_USER
fi
[[ ${PGDATABASE:-ipam} != ipam ]] || export PGDATABASE=postgres
export PGCONNECT_TIMEOUT=${PGCONNECT_TIMEOUT:-10}

look
run "$start" -f "$parts/refuse-memberships.sql" || fail 'nothing was changed'
[[ $super == f ]] || judge
run "$start" -f "$parts/roles.sql" || fail 'the roles were not made'
if [[ $super == f ]]; then
	trap give_back EXIT
	judge # as a member of the owner, who may make the temporary functions that it takes
fi
[[ $target == "$start" || $ipam_exists == t ]] || make_database
migrate || exit 1
set_password
set_rights || fail 'not ready for the plugin'
set_history
echo "${0##*/}: ready for the plugin"
