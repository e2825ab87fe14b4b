#!/usr/bin/env bash
# After a restore from a backup: finds the attachments of this host that the database has forgotten, and records
# them again.
#
#   find-forgotten.sh [--record]
#
# libcni keeps a file for each attachment in CACHE: with its configuration, its arguments and its result. This asks
# the IPAM plugin of each (CHECK) whether the database still knows it, and prints those that it does not; whose
# network namespace is gone is passed over. With --record it asks for the same addresses again (ADD): whoever has been
# given one of them meanwhile keeps it, and that is said. Exit status: 0 nothing is missing any more, 1 something is, or
# could not be asked.
#
# Run it as root, on each container host, before GC runs again. Needs jq.
#
#   variable       default                  meaning
#   CNI_PATH       /opt/cni/bin             where plugins are
#   CACHE          the three that follow    folders, separated by colons: where libcni keeps its files, each itself or below "results"
#                  /var/lib/cni             containerd, podman, nerdctl, cnitool
#                  /var/lib/cni/cache       cri-dockerd
#                  /var/lib/cni/multus      multus, for its delegates

set -euo pipefail
export LC_ALL=C.UTF-8

CNI_PATH=${CNI_PATH:-/opt/cni/bin}
IFS=: read -ra folders <<<"${CACHE:-/var/lib/cni:/var/lib/cni/cache:/var/lib/cni/multus}"

die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# Prints what the plugin is asked about a file's attachment: a configuration that names the addresses of its result, one
# line for each ipam object of type ipam-status-cni (in a chain the plugins have the same one).
questions() {
	jq -cn 'input | .config as $config | .result as $result | .networkName as $name
		| ($config | @base64d | fromjson) as $list
		| [$list.plugins[]? // $list | select(.ipam.type? == "ipam-status-cni") | .ipam] | unique[]
		| {cniVersion: $result.cniVersion, name: $name, type: "status-cni", ipam: ., prevResult: $result,
		   args: {cni: {ips: [$result.ips[]?.address]}}}' "$1"
}

# ask VERB FILE QUESTION: the plugin's answer; its log is left out.
ask() {
	local args
	args=$(jq -r '[.cniArgs[]? | join("=")] | join(";")' "$2")
	jq 'if $verb == "ADD" then del(.prevResult) else . end' --arg verb "$1" <<<"$3" |
		env -i PATH="$PATH" CNI_COMMAND="$1" CNI_PATH="$CNI_PATH" CNI_ARGS="$args" \
			CNI_CONTAINERID="$(jq -r .containerId "$2")" CNI_IFNAME="$(jq -r .ifName "$2")" \
			CNI_NETNS="$(jq -r '.netns // "none"' "$2")" timeout -k 5 60 "$plugin" 2>/dev/null
}

# look_at FILE QUESTION: says what is missing, and mends it if that is wanted.
look_at() {
	local who answer netns
	netns=$(jq -r '.netns // empty' "$1")
	[[ -z $netns || -e $netns ]] || return 0 # a dead container needs no address
	who=$(jq -r '"network \(.networkName): \(.containerId) (\(.ifName)): " + ([.result.ips[]?.address] | join(", "))' "$1")
	if answer=$(ask CHECK "$1" "$2"); then
		return 0
	fi
	if [[ $(jq -r .code <<<"$answer") != 102 ]]; then
		echo "$who: cannot be asked: $(jq -r .msg <<<"$answer")"
	elif [[ -z $record ]]; then
		echo "$who: forgotten"
	elif answer=$(ask ADD "$1" "$2"); then
		echo "$who: recorded again"
		return 0
	else
		echo "$who: not recorded: $(jq -r '"\(.msg); \(.details)"' <<<"$answer")"
	fi
	missing=1
}

record='' missing=0
case ${1-} in
'') ;;
--record) record=1 ;;
*) echo "usage: ${0##*/} [--record]" >&2; exit 2 ;;
esac
(($# <= 1)) || { echo "usage: ${0##*/} [--record]" >&2; exit 2; }
((EUID == 0)) || die 'run this as root'
command -v jq >/dev/null || die 'jq is missing'
shopt -s nullglob
files=() known=''
for folder in "${folders[@]}"; do
	[[ -d $folder || ! ${CACHE:-} ]] || die "there is no $folder"
	[[ ! -d $folder ]] || known=1
	for path in "$folder" "$folder/results"; do
		[[ -d $path || ! (-e $path || -L $path) ]] || die "$path is no folder, or leads to none"
	done
	files+=("$folder"/*-*-* "$folder"/results/*-*-*)
done
[[ -n $known ]] || die "there is no folder of libcni's files (CACHE)"
plugin=$(PATH=$CNI_PATH command -v ipam-status-cni) || die "there is no ipam-status-cni in $CNI_PATH"

for file in "${files[@]}"; do
	lines=$(questions "$file" 2>/dev/null) || { echo "$file: is not what libcni writes"; missing=1; continue; }
	while IFS= read -r line; do
		[[ -z $line ]] || look_at "$file" "$line"
	done <<<"$lines"
done
exit "$missing"
