# shellcheck shell=bash
# What all scripts share: where things are, who does what, which network, which attachment.
# NETCONFPATH, CNI_PATH and CNITOOL from the environment go before the project's own.

set -euo pipefail
export LC_ALL=C.UTF-8

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
NETCONFPATH=${NETCONFPATH:-$TOP/examples}
CNI_PATH=${CNI_PATH:-$TOP/plugins/bin}
CNITOOL=${CNITOOL:-$TOP/plugins/cnitool}
CNI_CACHE=/var/lib/cni/results

# Which database is used is the conflist's business, never the caller's environment's.
for variable in $(compgen -e PG); do
	unset "$variable"
done

wrong_usage() {
	printf 'usage: %s %s\n' "${0##*/}" "$1" >&2
	exit 2
}

die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

needs() {
	local program
	for program; do
		command -v "$program" >/dev/null ||
			die "$program is missing: run $TOP/setup_dependencies.sh"
	done
}

# Namespaces and plugins need root.
as_root() {
	if ((EUID == 0)); then
		"$@"
	else
		sudo "$@"
	fi
}

# Prints the conflist of a network, found as cnitool finds it: the first one of that name.
conflist() {
	local file name
	needs jq
	for file in "$NETCONFPATH"/*.conflist; do
		[[ -e $file ]] || continue
		name=$(jq -r '.name' "$file") || die "$file is not a network configuration"
		if [[ $name == "$1" ]]; then
			printf '%s\n' "$file"
			return
		fi
	done
	die "no network \"$1\" in $NETCONFPATH"
}

# Prints the first ipam object of ipam-status-cni in a network: where its database is.
ipam_object() {
	local file
	file=$(conflist "$1")
	jq -ce '[.plugins[].ipam | objects | select(.type == "ipam-status-cni")][0] | objects' "$file" ||
		die "network \"$1\" has no ipam of type ipam-status-cni ($file)"
}

# port_taken HOST PORT: whether anybody listens there.
port_taken() {
	# shellcheck disable=SC2016
	timeout 3 bash -c '>"/dev/tcp/$0/$1"' "$1" "$2" 2>/dev/null
}

is_pod_name() {
	[[ $1 =~ ^[A-Za-z0-9][A-Za-z0-9_.-]*$ ]]
}

netns_of() {
	printf '/var/run/netns/%s\n' "$1"
}

# Prints the container id that cnitool gives a pod: from the path of its network namespace.
container_id() {
	local sum
	sum=$(netns_of "$1" | tr -d '\n' | sha512sum)
	printf 'cnitool-%s\n' "${sum:0:20}"
}

# Prints what the runtime's cache knows of a container: a line "NETWORK IFNAME" for each attachment.
cached_attachments() {
	local id=$1 file
	needs jq
	as_root test -d "$CNI_CACHE" || return 0
	as_root find -H "$CNI_CACHE" -maxdepth 1 -type f -name "*-$id-*" | while IFS= read -r file; do
		as_root cat "$file" </dev/null |	# sudo would read the list of files
			jq -r --arg id "$id" 'select(.containerId == $id) | "\(.networkName) \(.ifName)"'
	done
}

# run_verb VERB NET [POD [IFNAME [CNI_ARGS]]]: one CNI verb, through cnitool. It says an error twice and explains
# itself after each: once is enough.
run_verb() {
	local verb=$1 network=$2 netns=none said status=0
	[[ -z ${3:-} ]] || netns=$(netns_of "$3")
	needs "$CNITOOL"
	conflist "$network" >/dev/null
	{
		said=$(as_root timeout -k 5 60 env NETCONFPATH="$NETCONFPATH" CNI_PATH="$CNI_PATH" \
			CNI_IFNAME="${4:-eth0}" CNI_ARGS="${5:-}" CAP_ARGS="${CAP_ARGS:-}" \
			"$CNITOOL" "$verb" "$network" "$netns" 2>&1 >&3) || status=$?
	} 3>&1
	[[ $verb != add || $status != 0 ]] || echo	# its result ends without a newline
	[[ -z $said ]] || sed '/^Usage:/,$d' <<<"$said" >&2
	return "$status"
}
