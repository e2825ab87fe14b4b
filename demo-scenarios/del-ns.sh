#!/usr/bin/env bash
# Detaches a pod from a network and removes its namespace, once nothing else is attached there.
# shellcheck source=demo-scenarios/lib.sh
source "$(dirname "$0")/lib.sh"

if (($# < 2 || $# > 3)) || ! is_pod_name "$2"; then
	wrong_usage 'NET POD [IFNAME]'
fi
network=$1 pod=$2 ifname=${3:-eth0}

# The namespace stays where DEL fails, so that it can be tried again.
run_verb del "$network" "$pod" "$ifname" || exit 1
echo "Pod $pod is detached from network $network ($ifname)."

[[ -e $(netns_of "$pod") ]] || exit 0
others=$(cached_attachments "$(container_id "$pod")" | sort | paste -sd, | sed 's/,/, /g')
if [[ $others ]]; then
	echo "Namespace $pod stays: it is attached elsewhere too ($others)."
	exit 0
fi
as_root ip netns delete "$pod"
