#!/usr/bin/env bash
# Asks whether a pod still has in a network what its ADD gave it.
# shellcheck source=demo-scenarios/lib.sh
source "$(dirname "$0")/lib.sh"

if (($# < 2 || $# > 3)) || ! is_pod_name "$2"; then
	wrong_usage 'NET POD [IFNAME]'
fi

run_verb check "$1" "$2" "${3:-eth0}" || exit 1
echo "Pod $2 has what network $1 gave it."
