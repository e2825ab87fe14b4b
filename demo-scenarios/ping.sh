#!/usr/bin/env bash
# ipam-status-cni under the upstream bridge plugin, status-cni chained behind it: two pods reach each
# other, and GC, which bridge does not pass on, frees what a dead one left. Leaves nothing behind.
# shellcheck source=demo-scenarios/lib.sh
source "$(dirname "$0")/lib.sh"
# shellcheck source=demo-scenarios/story.sh
source "$TOP/demo-scenarios/story.sh"

readonly UPSTREAM=$TOP/plugins/upstream BRIDGE=ipam-br0
readonly BRIDGE_SOURCE=github.com/containernetworking/plugins/plugins/main/bridge@v1.9.1

get_bridge() {
	[[ ! -x $UPSTREAM/bridge ]] || return 0
	command -v go >/dev/null || die "Go is missing: it builds the upstream bridge plugin ($BRIDGE_SOURCE)"
	GOBIN=$UPSTREAM go install "$BRIDGE_SOURCE" || die 'the upstream bridge plugin could not be built, see above'
}

ping_from() {
	as_root ip netns exec "$1" ping -c 1 -w 10 "$2" || die "$1 does not reach $2"
}

(($# == 0)) || wrong_usage ''
needs ip ping
! has_link "$BRIDGE" ||
	die "the interface $BRIDGE exists and this story needs the name: end it first (ip link delete $BRIDGE)"
story_begin ipam-bridge ping1 ping2 ping3
get_bridge
export CNI_PATH=$CNI_PATH:$UPSTREAM
STORY_LINK=$BRIDGE

say 'A private PostgreSQL is made, started and provisioned where the configuration says.'
"$SCRIPTS/db.sh" start || die 'no database, see above'

say 'STATUS: bridge asks its IPAM plugin, status-cni behind it does the same.'
"$SCRIPTS/status.sh" ipam-bridge || die 'STATUS should say ready'

say 'ADD: bridge makes an interface for each pod, with the address that ipam-status-cni recorded.'
story_add ping1 10.77.0.11
story_add ping2 10.77.0.12
story_table 2

say 'The two pods reach each other.'
ping_from ping1 10.77.0.12
ping_from ping2 10.77.0.11

say 'ping2 dies without DEL, and bridge passes no GC on: status-cni behind it does.'
as_root ip netns delete ping2
"$SCRIPTS/gc.sh" ipam-bridge ping1 || die 'GC failed, see above'
story_table 1

say 'The address is free: another pod gets it, and speaks to the first one from there.'
story_add ping3 10.77.0.12
ping_from ping3 10.77.0.11

say 'The pods, the bridge and the database are ended now.'
