#!/usr/bin/env bash
# The whole story on real parts: STATUS and GC of two plugins with a database, from nothing to an
# empty table. Leaves nothing behind.
# shellcheck source=demo-scenarios/lib.sh
source "$(dirname "$0")/lib.sh"
# shellcheck source=demo-scenarios/story.sh
source "$TOP/demo-scenarios/story.sh"

(($# == 0)) || wrong_usage ''
story_begin ipam-status pod1 pod2 pod3

say 'STATUS: is the network ready? It is not, its database does not run yet.'
if "$SCRIPTS/status.sh" ipam-status; then
	die 'STATUS says ready, but there is no database'
fi

say 'A private PostgreSQL is made, started and provisioned where the configuration says.'
"$SCRIPTS/db.sh" start || die 'no database, see above'

say 'STATUS: now the network is ready, and a runtime would start pods.'
"$SCRIPTS/status.sh" ipam-status || die 'STATUS should say ready'

say 'ADD: three pods ask for their addresses and get them.'
story_add pod1 192.168.200.1
story_add pod2 192.168.200.22
story_add pod3 192.168.200.123

say 'The table has a row for each of them.'
story_table 3

say 'GC: all three pods are still there, so nothing may change.'
"$SCRIPTS/gc.sh" ipam-status pod1 pod2 pod3 || die 'GC failed, see above'
story_table 3

say 'pod3 dies, and its DEL never comes: its address is taken, for nobody.'
as_root ip netns delete pod3
story_table 3

say 'GC: the runtime says that pod1 and pod2 are what is left, so the address of pod3 is freed.'
"$SCRIPTS/gc.sh" ipam-status pod1 pod2 || die 'GC failed, see above'
story_table 2

say 'CHECK: pod1 still has what it was given.'
"$SCRIPTS/check-ns.sh" ipam-status pod1 || die 'CHECK failed, see above'

say 'DEL: pod1 and pod2 end as pods should.'
"$SCRIPTS/del-ns.sh" ipam-status pod1 || die 'DEL failed, see above'
"$SCRIPTS/del-ns.sh" ipam-status pod2 || die 'DEL failed, see above'

say 'The table is empty again.'
story_table 0

say 'The database and everything else that was started is ended now.'
