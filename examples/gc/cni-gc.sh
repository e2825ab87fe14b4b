#!/usr/bin/env bash
# GC for runtimes that send none (containerd, podman, nerdctl, multus): tells status-cni which attachments of a
# network are still there, so that it frees the addresses of those that are not.
#
#   cni-gc.sh [--dry-run] [NET...]      without NET: each network whose addresses ipam-status-cni keeps
#
# All that it knows comes from libcni, through which those runtimes call plugins: libcni keeps a file for each
# attachment in CACHE, with the network's configuration and the attachment's network namespace. An attachment is gone
# when its namespace is; whatever is not known for sure counts as alive, and so does a file that cannot be read, under
# whatever attachments its name can stand for. Addresses given out in the last GRACE seconds stay too: an ADD that is at work has
# no file yet. A network without any file is not known: nothing is freed, and the exit status is 1.
#
# --dry-run changes nothing and says what would be freed. It cannot name what is recorded for attachments that have no file.
#
# Run it as root, in the host's own namespaces, with all folders in which files of the network can be, mounted; not for a
# network of a runtime that sends GC itself (CRI-O). Needs jq. The network's newest file is the one whose configuration counts.
#
#   variable   default                  meaning
#   CACHE      the three that follow    folders, separated by colons: where libcni keeps its files, each itself or below "results"
#              /var/lib/cni             containerd, podman, nerdctl, cnitool
#              /var/lib/cni/cache       cri-dockerd
#              /var/lib/cni/multus      multus, for its delegates
#   CNI_PATH   /opt/cni/bin             where plugins are
#   GRACE      600                      seconds; longer than any ADD takes

set -euo pipefail
shopt -s inherit_errexit
export LC_ALL=C.UTF-8

readonly KNOWN_CACHES=/var/lib/cni:/var/lib/cni/cache:/var/lib/cni/multus
CNI_PATH=${CNI_PATH:-/opt/cni/bin}
GRACE=${GRACE:-600}

readonly NAME='^[A-Za-z0-9][A-Za-z0-9_.-]*$'
# Where /proc shows every process there is; the kernel fixes the number.
readonly ALL_PROCESSES='pid:[4026531836]'

declare -A plugins=()       # of each network: the ipam objects to be asked, a JSON list from its newest file
declare -A disabled=()      # networks of which a file has disableGC
declare -A alive=() gone=() # of each network: attachments as JSON, one a line; lines for people
unreadable=()               # paths

say() {
	printf '%s: %s\n' "${0##*/}" "$*"
}

die() {
	say "$@" >&2
	exit 1
}

# Whether nothing has this path. A link that leads nowhere is something: its disk may not be mounted.
is_absent() {
	local said
	said=$(stat -- "$1" 2>&1) && return 1
	[[ $said == *': No such file or directory' ]]
}

# Prints the paths of all files in the folders of CACHE, the oldest first, each ended by a NUL.
cache_files() {
	local folder folders path found=()
	IFS=: read -ra folders <<<"${CACHE:-$KNOWN_CACHES}"
	for folder in "${folders[@]}"; do
		[[ -d $folder || ! ${CACHE:-} ]] || die "there is no $folder: nothing is freed"
		for path in "$folder" "$folder/results"; do
			if [[ -d $path ]]; then
				found+=("$path")
			elif ! is_absent "$path"; then
				die "$path is no folder, or leads to none: nothing is freed"
			fi
		done
	done
	((${#found[@]} > 0)) || die "there is no folder of libcni's files (CACHE): nothing is freed"
	find -H "${found[@]}" -mindepth 1 -maxdepth 1 -name '*-*-*' -printf '%T@ %p\0' | sort -zn | cut -zd' ' -f2-
}

# Prints of one file: network, attachment (JSON), words for people, ipam objects (JSON; null where the configuration
# cannot be read), disableGC, then the paths of its network namespace (libcni before 1.2 did not write it: those that
# the result has). Fails where that is not what libcni writes.
read_file() {
	# shellcheck disable=SC2016
	jq -ers --arg name "$NAME" '
		def is_name: type == "string" and test($name);
		def is_text: type == "string" and (test("[[:cntrl:]]") | not);
		if length == 1 and .[0].kind == "cniCacheV1" then .[0] else empty end
		| select((.networkName | is_name) and (.containerId | is_name))
		| select(.ifName | is_text and test("^[^/: ]{1,15}$"))
		| (if has("netns") then [.netns] else [.result.interfaces[]?.sandbox // empty] | unique end) as $netns
		| select($netns | all(is_text))
		| (try (.config | @base64d | fromjson | objects) catch null) as $conf
		| [.networkName, ({containerID: .containerId, ifname: .ifName} | tojson),
		   ([.result.ips[]?.address? | select(is_text)] | join(", ")) + " of \(.containerId) \(.ifName)",
		   (if $conf then [$conf | (.plugins // [.])[] | objects | select(.type == "status-cni" or .ipam.type? == "ipam-status-cni")
			| .ipam | objects] | unique else null end | tojson),
		   ($conf.disableGC | tostring | ascii_downcase)] + $netns | join("\u001f")' "$1" 2>/dev/null
}

# Whether nothing is at a path, for certain: its folder is there (a missing one may be where this process
# does not see it), and says so.
is_gone() {
	local folder=${1%/*}
	[[ $1 == /*/* ]] || return 1
	if [[ $1 =~ ^/proc/[0-9]+/ ]]; then
		[[ $(readlink /proc/self/ns/pid) == "$ALL_PROCESSES" ]] || return 1
		folder=/proc/1/ns
	fi
	[[ -d $folder ]] && is_absent "$1"
}

# Whether all of these network namespaces are gone. Not knowing of any is not knowing.
are_gone() {
	local netns
	(($# > 0)) || return 1
	for netns; do
		is_gone "$netns" || return 1
	done
}

# Sorts one file's attachment into the lists.
take_file() {
	local line fields=() network
	if ! line=$(read_file "$1"); then
		unreadable+=("$1")
		return
	fi
	IFS=$'\x1f' read -ra fields <<<"$line"
	network=${fields[0]}
	[[ ${fields[3]} == null && ${plugins[$network]:-} ]] || plugins[$network]=${fields[3]}
	[[ ${fields[4]} != true ]] || disabled[$network]=$1
	if are_gone "${fields[@]:5}"; then
		gone[$network]+="${fields[2]}: ${fields[*]:5} is gone"$'\n'
	else
		alive[$network]+=${fields[1]}$'\n'
	fi
}

# Prints the attachments of a network that a file's name can stand for, as JSON, one a line: NET-CONTAINER-IFNAME, with
# hyphens in any of the three.
named_attachments() {
	local id=${2#"$1-"} ifname=
	while [[ $id == *-* ]]; do
		ifname=${id##*-}${ifname:+-$ifname}
		id=${id%-*}
		[[ ! $id =~ $NAME || ! $ifname =~ ^[^/:[:space:]]{1,15}$ ]] ||
			jq -cn --arg id "$id" --arg ifname "$ifname" '{containerID: $id, ifname: $ifname}'
	done
}

# Prints the attachments of a network that are not certainly gone, as a JSON list. Every step must succeed: a live
# attachment that is missing here loses its address.
valid_attachments() {
	local file
	{
		printf '%s' "${alive[$1]:-}"
		for file in "${unreadable[@]}"; do
			[[ ${file##*/} == "$1"-*-* ]] || continue
			say "$file is not what libcni writes: it counts as alive" >&2
			named_attachments "$1" "${file##*/}"
		done
	} | jq -cs 'unique'
}

# requests NET VALID: prints what status-cni is asked, one a line. GC is of protocol 1.1.0, whatever version the
# runtime speaks. The net plugin may be another one, such as bridge: its ipam object is all that counts.
requests() {
	# shellcheck disable=SC2016
	jq -c --arg network "$1" --argjson grace "$GRACE" --slurpfile valid <(printf '%s\n' "$2") '
		.[] | {name: $network, cniVersion: "1.1.0", type: "status-cni",
		       ipam: (.gcGracePeriod = ([.gcGracePeriod // 0, $grace] | max)),
		       "cni.dev/valid-attachments": $valid[0], "cni.dev/attachments": $valid[0]}' <<<"${plugins[$1]}"
}

# Asks status-cni, or says what it would be asked.
collect() {
	local valid list request answer
	valid=$(valid_attachments "$1") || die 'jq failed: nothing is freed'
	list=$(requests "$1" "$valid") || die "the configuration of network \"$1\" cannot be used: nothing is freed"
	if [[ $dry_run ]]; then
		printf '%s' "${gone[$1]:-}" | sed "s/^/${0##*/}: network \"$1\": would free /"
		say "network \"$1\": would also free what this host recorded more than $GRACE s ago for attachments without a file"
		say "network \"$1\": attachments still there: $(jq length <<<"$valid")"
		return
	fi
	while IFS= read -r request; do
		answer=$(CNI_COMMAND=GC CNI_PATH=$CNI_PATH timeout -k 5 60 "$program" <<<"$request") ||
			die "network \"$1\": GC failed: $(jq -r '"\(.msg); \(.details)"' <<<"$answer" || echo "$answer")"
	done <<<"$list"
	say "network \"$1\": GC done; attachments still there: $(jq length <<<"$valid")"
}

# Why a network gets no GC, or nothing.
why_not() {
	case ${plugins[$1]:-unknown} in
	unknown) echo 'libcni has no file of it in the folders that were looked at (CACHE): nothing is freed' ;;
	null) echo 'none of its files has a configuration that can be read: nothing is freed' ;;
	'[]') echo 'ipam-status-cni does not keep its addresses' ;;
	esac
}

usage() {
	echo "usage: ${0##*/} [--dry-run] [NET...]" >&2
	exit 2
}

dry_run=
if [[ ${1:-} == --dry-run ]]; then
	dry_run=yes
	shift
fi
for network; do
	[[ $network =~ $NAME ]] || usage
done
[[ $GRACE =~ ^[0-9]{1,9}$ ]] || die "GRACE is a number of seconds, not \"$GRACE\""
((EUID == 0)) || die 'run this as root'
command -v jq >/dev/null || die 'jq is missing'
program=$(PATH=$CNI_PATH type -P status-cni) || die "there is no status-cni in $CNI_PATH"

list=$(mktemp)
trap 'rm -f "$list"' EXIT
cache_files >"$list" || die 'the files of libcni cannot be listed: nothing is freed'
while IFS= read -rd '' file; do
	take_file "$file"
done <"$list"

networks=("$@")
if (($# == 0)); then
	for network in "${!plugins[@]}"; do
		[[ ${plugins[$network]} != '[{'* ]] || networks+=("$network")
	done
fi
status=0
for network in "${networks[@]}"; do
	why=$(why_not "$network")
	if [[ $why ]]; then
		say "network \"$network\": $why" >&2
		status=1
	elif [[ ${disabled[$network]:-} ]]; then
		say "network \"$network\": it has disableGC (${disabled[$network]}), so nothing is done"
	else
		(collect "$network") || status=1
	fi
done
exit "$status"
