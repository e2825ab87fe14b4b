#!/usr/bin/env bash
# A database cluster that loses its primary: two PostgreSQL servers, the second a synchronous standby, and this
# script in the part of whoever watches over such a cluster. Leaves nothing behind.
# shellcheck source=demo-scenarios/lib.sh
source "$(dirname "$0")/lib.sh"
# shellcheck source=demo-scenarios/story.sh
source "$TOP/demo-scenarios/story.sh"

# primary or standby, and what db.sh shall do with it.
db() {
	local which=$1
	shift
	IPAM_DB_DIR=${folders[$which]} NETCONFPATH=$STORY_WORK/$which.net "$SCRIPTS/db.sh" "$@"
}

as_owner() {
	local owner
	owner=$(stat -c %U "${folders[primary]}")
	if [[ $owner == "$(id -un)" ]]; then
		"$@"
	else
		setpriv --reuid="$owner" --regid="$owner" --init-groups -- "$@"
	fi
}

# Networks for the two servers' own scripts, and the one of this story, which names both of them: the one of examples/ha that
# has a list of hosts.
write_networks() {
	local example port
	example=$(conflist ipam-status)
	port=$(jq -r '.plugins[0].ipam.port' "$example")
	ports=("$port" $((port + 1)))
	! port_taken 127.0.0.1 "${ports[1]}" || die "port ${ports[1]} is taken by somebody else, this story needs it"
	mkdir "$STORY_WORK/primary.net" "$STORY_WORK/standby.net"
	cp "$example" "$STORY_WORK/primary.net"
	jq --argjson port "${ports[1]}" '.plugins[0].ipam.port = $port' "$example" >"$STORY_WORK/standby.net/db.conflist"
	jq --arg ports "${ports[0]},${ports[1]}" --arg password "$(jq -r '.plugins[0].ipam.password' "$example")" '
		.name = "ipam-failover" | .plugins[0].ipam |= del(.passfile) + { host: "127.0.0.1,127.0.0.1", port: $ports,
			password: $password, timeout: 8 }' "$TOP/examples/ha/hosts.conflist" >"$STORY_WORK/primary.net/failover.conflist"
	chmod -R a+rX "$STORY_WORK"/*.net
	export NETCONFPATH=$STORY_WORK/primary.net
}

# The standby is a copy of the primary that follows it; from then on a commit waits for both.
start_standby() {
	local programs
	programs=$(db primary psql -Atc "SELECT setting FROM pg_config() WHERE name = 'BINDIR'")
	as_owner sed -i '1i local replication postgres peer map=owner' "${folders[primary]}/data/pg_hba.conf"
	db primary psql -qAtc 'SELECT pg_reload_conf()' >/dev/null
	mkdir "${folders[standby]}"
	as_root chown --reference="${folders[primary]}" "${folders[standby]}"
	chmod 0700 "${folders[standby]}"
	(cd / && as_owner "$programs/pg_basebackup" -D "${folders[standby]}/data" -R -c fast -d \
		"host=${folders[primary]} port=${ports[0]} user=postgres application_name=standby") ||
		die 'the standby could not be made, see above'
	as_owner touch "${folders[standby]}/ready" "${folders[standby]}/log"
	db standby start || die 'the standby does not start, see above'
	db primary psql -qc "ALTER SYSTEM SET synchronous_standby_names = 'standby'"
	db primary psql -qAtc 'SELECT pg_reload_conf()' >/dev/null
	wait_for_standby
}

wait_for_standby() {
	local i follows="SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"
	for ((i = 0; i < 100; i++)); do
		[[ $(db primary psql -Atc "$follows") != 1 ]] || return 0
		sleep 0.2
	done
	die 'the standby does not follow the primary'
}

kill_primary() {
	local pid
	pid=$(as_root head -n 1 "${folders[primary]}/data/postmaster.pid")
	as_root kill -9 "$pid"
}

(($# == 0)) || wrong_usage ''
needs ip jq
declare -A folders=()
ports=()
story_begin ipam-failover failover1 failover2 failover3
folders=([primary]=$STORY_WORK/db [standby]=$STORY_WORK/standby)
STORY_DBS+=("${folders[standby]}")
write_networks

say 'Two PostgreSQL servers: a commit on the primary waits until the standby has it too.'
db primary start || die 'no database, see above'
start_standby

say 'The network names both. STATUS, and a pod.'
"$SCRIPTS/status.sh" ipam-failover || die 'STATUS should say ready'
story_add failover1 10.88.0.11
story_table 1

say 'The standby is stopped: nobody gets an address that only one server would know of.'
db standby stop
! "$SCRIPTS/add-ns.sh" ipam-failover failover2 10.88.0.12 || die 'ADD should have failed'
db standby start || die 'the standby does not start, see above'
wait_for_standby

say 'kill -9 of the primary. A pod is added meanwhile: the plugin tries, until the standby has been promoted.'
kill_primary
STORY_PODS+=(failover2)
"$SCRIPTS/add-ns.sh" ipam-failover failover2 10.88.0.12 &
added=$!
sleep 2
db standby psql -qAtc 'SELECT pg_promote()' >/dev/null
wait "$added" || die 'pod failover2 got no address, see above'

say 'What was promised is there, and nobody else gets it.'
IPAM_DB_DIR=${folders[standby]} NETCONFPATH=$STORY_WORK/standby.net story_table 2
! "$SCRIPTS/add-ns.sh" ipam-failover failover3 10.88.0.11 || die 'the address should have been refused'
"$SCRIPTS/status.sh" ipam-failover || die 'STATUS should say ready'

say 'The pods and the servers are ended now.'
