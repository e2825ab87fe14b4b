#!/usr/bin/env bash
# GC for runtimes that send none (containerd, podman, nerdctl): tells status-cni which attachments of a
# network are still there, so that it frees the addresses of those that are not.
#
#   cni-gc.sh NET
#
# libcni, through which those runtimes call plugins, keeps a file for each attachment in CACHE. An attachment
# is gone when its network namespace is; whatever is not known for sure counts as alive. Addresses given
# out in the last GRACE seconds stay too: an ADD that is at work has no file yet. If anything about the
# network cannot be read, nothing is freed and the exit status is 1.
#
# Run it as root, in the host's own namespaces, for a network whose attachments all have their files in
# CACHE; not for one of a runtime that sends GC itself (CRI-O). Needs jq.
#
#   variable       default                  meaning
#   NETCONFPATH    /etc/cni/net.d           where networks are configured
#   CNI_PATH       /opt/cni/bin             where plugins are
#   CACHE          /var/lib/cni/results     where libcni keeps what it knows
#   GRACE          600                      seconds; longer than any ADD takes

set -euo pipefail
shopt -s inherit_errexit
export LC_ALL=C.UTF-8

NETCONFPATH=${NETCONFPATH:-/etc/cni/net.d}
CNI_PATH=${CNI_PATH:-/opt/cni/bin}
CACHE=${CACHE:-/var/lib/cni/results}
GRACE=${GRACE:-600}

# Where /proc shows every process there is; the kernel fixes the number.
readonly ALL_PROCESSES='pid:[4026531836]'

die() {
	printf '%s: network "%s": %s\n' "${0##*/}" "$network" "$*" >&2
	exit 1
}

configuration() {
	local file name
	for file in "$NETCONFPATH"/*.conflist; do
		[[ -e $file ]] || continue
		name=$(jq -r .name "$file") || die "$file cannot be read: nothing is freed"
		if [[ $name == "$network" ]]; then
			cat "$file"
			return
		fi
	done
	die "it is not configured in $NETCONFPATH"
}

# Prints of a file of the cache: network, container, interface, then the paths of its network namespace
# (libcni before 1.2 did not write it: those that the result has), separated by tabs.
attachment() {
	jq -ers 'if length == 1 and .[0].kind == "cniCacheV1" then .[0] else empty end
		| [.networkName, .containerId, .ifName] +
		  (if has("netns") then [.netns] else [.result.interfaces[]?.sandbox // empty] | unique end)
		| select(.[:3] | all(type == "string" and . != ""))
		| select(all(type == "string" and (test("[[:cntrl:]\\\\]") | not)))
		| join("\t")' "$1"
}

# Whether nothing is at a path, for certain: its folder is there (a missing one may be where this process
# does not see it), and says so.
is_gone() {
	local folder=${1%/*} said
	[[ $1 == /*/* ]] || return 1
	if [[ $1 =~ ^/proc/[0-9]+/ ]]; then
		[[ $(readlink /proc/self/ns/pid) == "$ALL_PROCESSES" ]] || return 1
		folder=/proc/1/ns
	fi
	[[ -d $folder ]] || return 1
	said=$(stat -- "$1" 2>&1) && return 1
	[[ $said == *': No such file or directory' ]]
}

# Whether all of these network namespaces are gone. Not knowing of any is not knowing.
are_gone() {
	local netns
	(($# > 0)) || return 1
	for netns; do
		is_gone "$netns" || return 1
	done
}

# Prints the attachments of the network that are not certainly gone, as a JSON list. Every step must
# succeed: a live attachment that is missing here loses its address.
valid_attachments() {
	local files=() file line fields=() list='[]'
	[[ -d $CACHE ]] || die "there is no $CACHE: nothing is freed"
	mapfile -t files < <(find "$CACHE" -mindepth 1 -maxdepth 1 -name "$network-*" && echo complete)
	[[ ${files[*]: -1} == complete ]] || die "$CACHE cannot be read: nothing is freed"
	unset 'files[-1]'
	for file in "${files[@]}"; do
		line=$(attachment "$file") || die "$file is not what libcni writes: nothing is freed"
		IFS=$'\t' read -ra fields <<<"$line"
		if [[ ${fields[0]} != "$network" ]] || are_gone "${fields[@]:3}"; then
			continue
		fi
		list=$(jq -c --arg id "${fields[1]}" --arg ifname "${fields[2]}" \
			'. + [{containerID: $id, ifname: $ifname}]' <<<"$list") || die 'jq failed: nothing is freed'
	done
	printf '%s\n' "$list"
}

# requests CONFIGURATION VALID: prints what each status-cni of the network is asked, one a line. GC is of
# protocol 1.1.0, whatever version the runtime speaks.
requests() {
	jq -c --argjson grace "$GRACE" --slurpfile valid <(printf '%s\n' "$2") '
		.name as $name | .plugins[] | select(.type == "status-cni")
		| . + {name: $name, cniVersion: "1.1.0",
		       "cni.dev/valid-attachments": $valid[0], "cni.dev/attachments": $valid[0]}
		| .ipam.gcGracePeriod = ([.ipam.gcGracePeriod // 0, $grace] | max)' <<<"$1"
}

find_plugin() {
	local folder folders
	IFS=: read -ra folders <<<"$CNI_PATH"
	for folder in "${folders[@]}"; do
		if [[ -x $folder/status-cni ]]; then
			printf '%s/status-cni\n' "$folder"
			return
		fi
	done
	die "there is no status-cni in $CNI_PATH"
}

network=${1:-}
if (($# != 1)) || [[ ! $network =~ ^[A-Za-z0-9][A-Za-z0-9_.-]*$ ]]; then
	echo "usage: ${0##*/} NET" >&2
	exit 2
fi
[[ $GRACE =~ ^[0-9]{1,9}$ ]] || die "GRACE is a number of seconds, not \"$GRACE\""
((EUID == 0)) || die 'run this as root'
command -v jq >/dev/null || die 'jq is missing'

conf=$(configuration) || exit 1
if jq -e '.disableGC | tostring | ascii_downcase == "true"' <<<"$conf" >/dev/null; then
	echo "${0##*/}: network \"$network\": it has disableGC, so nothing is done"
	exit 0
fi
valid=$(valid_attachments) || exit 1
list=$(requests "$conf" "$valid") || die 'its configuration cannot be read: nothing is freed'
[[ $list ]] || die 'it has no plugin of type status-cni'
program=$(find_plugin) || exit 1
while IFS= read -r request; do
	answer=$(CNI_COMMAND=GC CNI_PATH=$CNI_PATH timeout -k 5 60 "$program" <<<"$request") ||
		die "GC failed: $(jq -r '"\(.msg); \(.details)"' <<<"$answer" || echo "$answer")"
done <<<"$list"
echo "${0##*/}: network \"$network\": GC done; attachments still there: $(jq length <<<"$valid")"
