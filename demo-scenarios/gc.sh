#!/usr/bin/env bash
# Tells a network's plugins which pods are still there; they free what belongs to nobody any more.
# This is the one step that does the runtime's part itself: the released cnitool cannot pass a list to GC.
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

# Prints what each plugin of the network gets on stdin, one a line.
requests() {
	jq -c --argjson valid "$valid" '.name as $name | .plugins[] | . + {name: $name, cniVersion: "1.1.0",
		"cni.dev/valid-attachments": $valid, "cni.dev/attachments": $valid}' "$file"
}

# Runs the plugin of one request; where it fails, its error's words go to stderr.
ask() {
	local type program answer
	type=$(jq -r .type <<<"$1")
	program=$(PATH=$CNI_PATH type -P "$type") || die "failed to find plugin \"$type\" in $CNI_PATH"
	answer=$(as_root timeout -k 5 60 env CNI_COMMAND=GC CNI_PATH="$CNI_PATH" "$program" <<<"$1") && return
	jq -r '"Error: \(.msg)" + if (.details // "") == "" then "" else "; \(.details)" end' <<<"$answer" >&2 ||
		echo "Error: plugin $type failed without saying why" >&2
	return 1
}

(($# >= 1)) || wrong_usage 'NET [POD...]'
network=$1
shift
for pod; do
	is_pod_name "$pod" || wrong_usage 'NET [POD...]'
done

file=$(conflist "$network")
jq -e '.disableGC | tostring | ascii_downcase != "true"' "$file" >/dev/null ||
	die "network \"$network\" has disableGC: no runtime may send it GC ($file)"
jq -e '[.cniVersion, .cniVersions[]?] | index("1.1.0")' "$file" >/dev/null ||
	die "network \"$network\" does not speak protocol 1.1.0, which has GC ($file)"
valid=$(for pod; do attachments_of "$pod"; done | jq -cs .)
status=0
while IFS= read -r request; do
	ask "$request" || status=1	# the other plugins are asked all the same
done < <(requests)
((status == 0)) || exit 1
echo "Network $network: GC done; attachments still there: $(jq length <<<"$valid")."
