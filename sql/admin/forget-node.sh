#!/usr/bin/env bash
# Releases what a node that is gone for good holds.
#
#   sql/admin/forget-node.sh [--network NET] [--host-id ID] [--machine M] [--dry-run | --yes] [CONNINFO] NODE
#
# It shows what stands under the node's name, grouped by host id and machine, and asks. Where there is more than one
# group, two hosts had this name, or its hardware or system was replaced: nothing is released, and --host-id or
# --machine says which is meant (an empty one is ''). Exactly the rows that were shown are released: one that was
# recorded or confirmed meanwhile stays.
#
# Make sure that the node is gone: what it still uses will be given to others. CONNINFO is libpq's; the database is
# otherwise "ipam". Any role will do that may delete from the table, cni too.

set -euo pipefail

usage() {
	echo "usage: ${0##*/} [--network NET] [--host-id ID] [--machine M] [--dry-run | --yes] [CONNINFO] NODE"
}

wrong_usage() {
	usage >&2
	exit 2
}

fail() {
	echo "${0##*/}: $1" >&2
	exit 1
}

# sql ISOLATION: runs stdin as a transaction. Who has more rights than the table's owner looks first whether something is
# planted, and then goes on as the owner. (Only as the owner would not do: a trigger can leave that role again.)
sql() {
	{
		cat <<-SQL
			SET search_path = pg_catalog;
			SELECT count(*) > 0 AS more_rights, max(relkind) = 'r' AS is_table, max(pg_get_userbyid(relowner)::text) AS owner
			  FROM pg_class
			 WHERE oid = to_regclass('public.ips') AND pg_get_userbyid(relowner) <> current_user AND pg_has_role(relowner, 'USAGE') \\gset
			BEGIN ISOLATION LEVEL $1;
			\\if :more_rights
			\\if :is_table
			LOCK TABLE ONLY public.ips IN SHARE UPDATE EXCLUSIVE MODE;
			\\endif
			\\i :judge
			SELECT pg_temp.refuse_planted(to_regclass('public.ips')) \\g /dev/null
			SET LOCAL ROLE :"owner";
			\\endif
		SQL
		cat
		echo 'COMMIT;'
	} | psql -X -q -w -v ON_ERROR_STOP=1 -d "$conninfo" "${chosen[@]}" -f -
}

# What matches: its groups for people, a line "rows", and each row as it was seen.
look() {
	sql 'REPEATABLE READ' <<-'SQL'
		\pset footer off
		\pset null ''
		SELECT host_id, machine, count(*) AS addresses, max(created_on)::timestamptz(0) AS youngest,
		       string_agg(DISTINCT network, ' ') AS networks
		  FROM public.ips
		 WHERE node = :'node' AND (:'any_network' OR network = :'network')
		   AND (:'any_host_id' OR host_id = :'host_id') AND (:'any_machine' OR machine = :'machine')
		 GROUP BY host_id, machine
		 ORDER BY youngest;
		\echo rows
		\pset format unaligned
		\pset tuples_only on
		SELECT id || '@' || xmin::text
		  FROM public.ips
		 WHERE node = :'node' AND (:'any_network' OR network = :'network')
		   AND (:'any_host_id' OR host_id = :'host_id') AND (:'any_machine' OR machine = :'machine')
		 ORDER BY id;
	SQL
}

# release ROW…: deletes those that are still as they were seen, and prints how many.
release() {
	{
		printf "\\\\pset tuples_only on\n\\\\set rows '{%s}'\n" "$(IFS=,; echo "$*")"
		cat <<-'SQL'
			WITH gone AS (
				DELETE FROM public.ips
				 USING (SELECT split_part(r, '@', 1)::bigint AS id, split_part(r, '@', 2) AS stamp
				          FROM unnest(:'rows'::text[]) AS r) AS seen
				 WHERE ips.id = seen.id AND ips.xmin::text = seen.stamp AND ips.node = :'node'
				RETURNING 1
			)
			SELECT count(*) FROM gone;
		SQL
	} | sql 'READ COMMITTED'
}

dry_run='' yes='' words=()
chosen=(-v "judge=$(dirname "$(readlink -f "$0")")/../parts/judge.sql")
for name in network host_id machine; do
	chosen+=(-v "any_$name=true" -v "$name=")
done
while (($# > 0)); do
	case $1 in
	-h | --help) usage; exit 0 ;;
	--network | --host-id | --machine)
		(($# > 1)) || wrong_usage
		name=${1#--} name=${name//-/_}
		chosen+=(-v "any_$name=false" -v "$name=$2")
		shift
		;;
	--dry-run) dry_run=yes ;;
	--yes) yes=yes ;;
	-*) wrong_usage ;;
	*) words+=("$1") ;;
	esac
	shift
done
((${#words[@]} == 1 || ${#words[@]} == 2)) || wrong_usage
[[ -n ${words[-1]} && -n ${words[0]} ]] || wrong_usage
[[ -z $dry_run || -z $yes ]] || wrong_usage
command -v psql >/dev/null || fail 'psql is missing: install the PostgreSQL client'
node=${words[-1]} conninfo=
((${#words[@]} == 1)) || conninfo=${words[0]}
chosen+=(-v "node=$node")
export PGDATABASE=${PGDATABASE:-ipam} PGCONNECT_TIMEOUT=${PGCONNECT_TIMEOUT:-10}

seen=$(look) || exit 1
groups=${seen%%$'\nrows'*} groups=${groups%$'\n'}
mapfile -t rows < <(sed '1,/^rows$/d' <<<"$seen")
((${#rows[@]} > 0)) || fail "nothing matches: node \"$node\" holds no address"
printf 'Node "%s" holds:\n\n%s\n\n' "$node" "$groups"
# Two lines of head, then a line each.
(($(wc -l <<<"$groups") == 3)) ||
	fail 'more than one host has had this name: say which is meant with --host-id or --machine; nothing was released'
[[ -z $dry_run ]] || { echo 'Nothing was released.'; exit 0; }
if [[ -z $yes ]]; then
	read -r -p "Release these addresses, ${#rows[@]} in all? Only if the node is gone for good. [yes/no] " answer || answer=no
	[[ $answer == yes ]] || fail 'nothing was released'
fi
gone=$(release "${rows[@]}") || exit 1
echo "Released: ${gone//[[:space:]]/}"
((gone == ${#rows[@]})) || fail "$((${#rows[@]} - gone)) have been confirmed or released meanwhile: is the node really gone?"
