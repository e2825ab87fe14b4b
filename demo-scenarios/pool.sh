#!/usr/bin/env bash
# Pods that ask for nothing: a pool of five addresses and two nodes that know nothing of each other but the database.
# The pool runs full, STATUS says so, and a node that reboots finds room again. Leaves nothing behind.
# shellcheck source=demo-scenarios/lib.sh
source "$(dirname "$0")/lib.sh"
# shellcheck source=demo-scenarios/story.sh
source "$TOP/demo-scenarios/story.sh"

# Two nodes of the network ipam-pool: the example with a small subnet, and with a name for each.
write_nodes() {
	local node example
	example=$(conflist ipam-pool)
	for node in node-a node-b; do
		mkdir "$STORY_WORK/$node"
		jq --arg node "$node" '.plugins[0].ipam |= . + { node: $node, ranges: [[{ subnet: "10.66.0.0/29" }]] }' \
			"$example" >"$STORY_WORK/$node/pool.conflist"
		cp "$(conflist ipam-status)" "$STORY_WORK/$node"
	done
	chmod -R a+rX "$STORY_WORK"/node-?
}

# on NODE COMMAND...: a step of this story, taken on one of the two.
on() {
	local NETCONFPATH=$STORY_WORK/$1
	export NETCONFPATH
	shift
	"$@"
}

# address_of POD: what the table says.
address_of() {
	"$SCRIPTS/db.sh" psql -Atqc "SELECT host(ip) FROM public.ips WHERE pod_name = '$1'"
}

(($# == 0)) || wrong_usage ''
needs ip jq
story_begin ipam-pool pool1 pool2 pool3 pool4 pool5 pool6 pool7
write_nodes
export NETCONFPATH=$STORY_WORK/node-a

say 'A private PostgreSQL. The pool is 10.66.0.0/29: .1 is the gateway, .2 to .6 are for pods.'
"$SCRIPTS/db.sh" start || die 'no database, see above'
on node-a "$SCRIPTS/status.sh" ipam-pool || die 'STATUS should say ready'

say 'One pod asks by name for an address out of the middle; two on two nodes ask for nothing.'
on node-a story_add pool1 10.66.0.4/29
on node-a story_add pool2 ''
on node-b story_add pool3 ''
story_table 3

say 'A pod ends and comes back under its name: it gets its address again.'
before=$(address_of pool2)
on node-a "$SCRIPTS/del-ns.sh" ipam-pool pool2
on node-a "$SCRIPTS/add-ns.sh" ipam-pool pool2 '' || die 'pod pool2 got no address, see above'
[[ $(address_of pool2) == "$before" ]] || die "pool2 should have $before again"

say 'Two more, and the pool is full: the next pod is refused, and STATUS says why.'
on node-b story_add pool4 ''
on node-b story_add pool5 ''
story_table 5
! on node-a "$SCRIPTS/add-ns.sh" ipam-pool pool6 '' || die 'ADD should have failed'
! on node-a "$SCRIPTS/status.sh" ipam-pool || die 'STATUS should say that the pool is full'

say 'node-b reboots (here its rows are made older): what it left itself is room for node-b, and for nobody else.'
for pod in pool3 pool4 pool5; do
	as_root ip netns delete "$pod"
done
"$SCRIPTS/db.sh" psql -qc "UPDATE public.ips SET boot_id = 'before the reboot', created_on = created_on - interval '10 years'
	WHERE node = 'node-b'"
on node-b "$SCRIPTS/status.sh" ipam-pool || die 'STATUS should say ready'
! on node-a "$SCRIPTS/status.sh" ipam-pool || die 'STATUS should say that the pool is full'
before=$(address_of pool4)
STORY_PODS=(pool1 pool2 pool3 pool5)
on node-b story_add pool4 ''
[[ $(address_of pool4) == "$before" ]] || die "pool4 should have $before again"
on node-b story_add pool7 ''
story_table 5

say "GC on node-b: pool4 and pool7 are all that runs there, so there is room for node-a too."
on node-b "$SCRIPTS/gc.sh" ipam-pool pool4 pool7 || die 'GC failed, see above'
on node-a story_add pool6 ''
story_table 5

say 'The pods and the database are ended now.'
