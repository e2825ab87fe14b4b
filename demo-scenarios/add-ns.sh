#!/usr/bin/env bash
# Attaches a pod (the network namespace of that name, made where there is none) to a network.
# shellcheck source=demo-scenarios/lib.sh
source "$(dirname "$0")/lib.sh"

# An IPv4 address without prefix gets /24.
with_prefix() {
	local address list=()
	IFS=, read -ra list <<<"$1"
	for address in "${list[@]}"; do
		[[ $address == */* || $address == *:* ]] || address+=/24
		printf '%s\n' "$address"
	done | paste -sd,
}

if (($# < 3 || $# > 4)) || ! is_pod_name "$2"; then
	wrong_usage 'NET POD IP[,IP...] [IFNAME]'
fi
network=$1 pod=$2 ifname=${4:-eth0}
args="IgnoreUnknown=1;K8S_POD_NAME=$pod"
[[ -z $3 ]] || args+=";IP=$(with_prefix "$3")"

conflist "$network" >/dev/null
needs ip "$CNITOOL"
made=
if [[ ! -e $(netns_of "$pod") ]]; then
	as_root ip netns add "$pod"
	made=yes
fi
run_verb add "$network" "$pod" "$ifname" "$args" && exit 0

# A pod that was not there before has nothing to lose: clean up after the failed ADD as a runtime
# does. A pod that was there may hold what this call was refused for.
if [[ $made ]]; then
	run_verb del "$network" "$pod" "$ifname" >/dev/null 2>&1 ||
		echo "${0##*/}: the DEL after it failed too: gc.sh frees what may be left" >&2
	as_root ip netns delete "$pod"
fi
exit 1
