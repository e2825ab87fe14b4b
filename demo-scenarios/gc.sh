#!/usr/bin/env bash
# Tells a network's plugins which pods are still there; they free what belongs to nobody any more.
# The runtime's part is done here: the released cnitool cannot pass a list to GC.
# shellcheck source=demo-scenarios/lib.sh
source "$(dirname "$0")/lib.sh"

# Prints the interfaces by which a container is attached to the network: what the cache knows, or the
# usual one.
interfaces_of() {
	local name ifname found=
	while read -r name ifname; do
		[[ $name == "$network" ]] || continue
		printf '%s\n' "$ifname"
		found=yes
	done < <(cached_attachments "$1")
	[[ $found ]] || echo eth0
}

attachments_of() {
	local id
	id=$(container_id "$1")
	interfaces_of "$id" | jq -R --arg id "$id" '{containerID: $id, ifname: .}'
}

(($# >= 1)) || wrong_usage 'NET [POD...]'
network=$1
shift
for pod; do
	is_pod_name "$pod" || wrong_usage 'NET [POD...]'
done

conflist "$network" >/dev/null
valid=$(for pod; do attachments_of "$pod"; done | jq -cs .)
runtime_gc "$network" "$valid" || exit 1
echo "Network $network: GC done; attachments still there: $(jq length <<<"$valid")."
