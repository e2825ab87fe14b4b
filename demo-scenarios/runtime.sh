# shellcheck shell=bash
# The runtime's part, as section 3 of the CNI specification describes it: derive each plugin's request
# from the network's configuration, run the plugins in order. Sourced by lib.sh. What an attachment
# got is kept where libcni keeps it and in its form, so that cnitool and these scripts know of each other.

readonly RUNTIME_VERSIONS='["0.1.0","0.2.0","0.3.0","0.3.1","0.4.0","1.0.0","1.1.0"]'

# Prints the protocol version in which a network is run: the highest that is known here.
runtime_version() {
	# shellcheck disable=SC2016
	jq -r --argjson known "$RUNTIME_VERSIONS" '
		if has("cniVersions") then
			[.cniVersion, .cniVersions[]] | map(select(IN($known[]))) |
				max_by(split(".") | map(tonumber))
		else .cniVersion end | if . == null or . == "" then "0.1.0" else . end' "$1"
}

# Prints the plugin objects of a network, one a line: the conflist's, then those of its folder.
runtime_plugins() {
	local file=$1 extra
	jq -c '.plugins[]?' "$file"
	[[ $(jq '.loadOnlyInlinedPlugins | tostring | ascii_downcase == "true"' "$file") == false ]] || return 0
	for extra in "${file%/*}/$(jq -r .name "$file")"/*.conf; do
		[[ ! -e $extra ]] || jq -c . "$extra"
	done
}

# runtime_request FILE PLUGIN EXTRA: the plugin's object with what the specification inserts.
runtime_request() {
	# shellcheck disable=SC2016
	jq -cn --argjson plugin "$2" --argjson extra "$3" --arg version "$(runtime_version "$1")" \
		--arg name "$(jq -r .name "$1")" '$plugin + {cniVersion: $version, name: $name} + $extra'
}

# What the caller's CAP_ARGS offer and the plugin declares.
runtime_config() {
	# shellcheck disable=SC2016
	jq -cn --argjson plugin "$1" --argjson offered "${CAP_ARGS:-null}" '
		($plugin.capabilities // {}) as $declared |
		($offered // {} | with_entries(select($declared[.key] == true))) |
		if . == {} then {} else {runtimeConfig: .} end'
}

runtime_find() {
	local folder folders
	IFS=: read -ra folders <<<"$CNI_PATH"
	for folder in "${folders[@]}"; do
		if [[ -f $folder/$1 && -x $folder/$1 ]]; then
			printf '%s\n' "$folder/$1"
			return
		fi
	done
	die "failed to find plugin \"$1\" in $CNI_PATH"
}

# runtime_exec VERB TYPE [ID NETNS IFNAME ARGS]: runs one plugin on the request on stdin. Prints its
# answer; where it fails, its error's words on stderr.
runtime_exec() {
	local verb=$1 type=$2 program answer status=0
	program=$(runtime_find "$type") || return 1
	answer=$(as_root timeout -k 5 60 env CNI_COMMAND="$verb" CNI_CONTAINERID="${3:-}" \
		CNI_NETNS="${4:-}" CNI_IFNAME="${5:-}" CNI_ARGS="${6:-}" CNI_PATH="$CNI_PATH" \
		"$program") || status=$?
	if ((status == 0)); then
		printf '%s\n' "$answer"
		return
	fi
	jq -r --arg type "$type" '"Error: plugin \($type) (code \(.code)): \(.msg)" +
		if (.details // "") == "" then "" else "; \(.details)" end' <<<"$answer" >&2 2>/dev/null ||
		echo "Error: plugin $type failed (exit $status) without saying why" >&2
	return 1
}

runtime_cache() {
	printf '%s/%s-%s-%s\n' "$CNI_CACHE" "$1" "$2" "$3"
}

# What ADD answered, or nothing: as the extra keys of a request.
runtime_prev_result() {
	local file
	file=$(runtime_cache "$1" "$2" "$3")
	if as_root test -e "$file"; then
		as_root cat "$file" | jq -c '{prevResult: .result}'
	else
		echo '{}'
	fi
}

runtime_remember() {
	local network=$1 id=$2 netns=$3 ifname=$4 args=$5 result=$6
	as_root install -d -m 0700 "$CNI_CACHE"
	jq -n --arg network "$network" --arg id "$id" --arg netns "$netns" --arg ifname "$ifname" \
		--arg args "$args" --argjson result "$result" --rawfile config "$(conflist "$network")" '
		{kind: "cniCacheV1", containerId: $id, config: ($config | @base64), ifName: $ifname,
		 networkName: $network, netns: $netns, cniArgs: [$args | splits(";") | split("=") |
		 select(length == 2)], result: $result}' |
		as_root tee "$(runtime_cache "$network" "$id" "$ifname")" >/dev/null
}

runtime_add() {
	local file plugin result='' extra
	file=$(conflist "$1")
	while IFS= read -r plugin; do
		extra=$(runtime_config "$plugin")
		[[ -z $result ]] || extra=$(jq -c --argjson prev "$result" '. + {prevResult: $prev}' <<<"$extra")
		result=$(runtime_request "$file" "$plugin" "$extra" |
			runtime_exec ADD "$(jq -r .type <<<"$plugin")" "$2" "$3" "$4" "$5") || return 1
	done < <(runtime_plugins "$file")
	runtime_remember "$@" "$result"
	jq . <<<"$result"
}

# Runs one verb of an attachment on the plugins on stdin, each with what ADD answered.
runtime_each() {
	local verb=$1 network=$2 id=$3 netns=$4 ifname=$5 args=$6 file plugin prev extra
	file=$(conflist "$network")
	prev=$(runtime_prev_result "$network" "$id" "$ifname")
	while IFS= read -r plugin; do
		extra=$(jq -c --argjson prev "$prev" '. + $prev' <<<"$(runtime_config "$plugin")")
		runtime_request "$file" "$plugin" "$extra" |
			runtime_exec "$verb" "$(jq -r .type <<<"$plugin")" "$id" "$netns" "$ifname" "$args" \
			>/dev/null || return 1
	done
}

runtime_check() {
	local file
	file=$(conflist "$1")
	if [[ $(jq '.disableCheck | tostring | ascii_downcase == "true"' "$file") == true ]]; then
		return 0
	fi
	runtime_plugins "$file" | runtime_each CHECK "$@"
}

# DEL goes through the plugins backwards.
runtime_del() {
	local file
	file=$(conflist "$1")
	runtime_plugins "$file" | tac | runtime_each DEL "$@" || return 1
	as_root rm -f "$(runtime_cache "$1" "$2" "$4")"
}

runtime_status() {
	local file plugin
	file=$(conflist "$1")
	while IFS= read -r plugin; do
		runtime_request "$file" "$plugin" '{}' |
			runtime_exec STATUS "$(jq -r .type <<<"$plugin")" >/dev/null || return 1
	done < <(runtime_plugins "$file")
}

# runtime_gc NET VALID: tells every plugin which attachments (a JSON list) are still there. One that
# fails does not keep the others from being told.
runtime_gc() {
	local file plugin extra status=0
	file=$(conflist "$1")
	[[ $(jq '.disableGC | tostring | ascii_downcase == "true"' "$file") == false ]] ||
		die "network \"$1\" has disableGC: no runtime may send it GC ($file)"
	[[ $(runtime_version "$file") == 1.1.0 ]] ||
		die "GC needs cniVersion 1.1.0, network \"$1\" has $(runtime_version "$file") ($file)"
	extra=$(jq -cn --argjson valid "$2" '{"cni.dev/valid-attachments": $valid,
		"cni.dev/attachments": $valid}')
	while IFS= read -r plugin; do
		runtime_request "$file" "$plugin" "$extra" |
			runtime_exec GC "$(jq -r .type <<<"$plugin")" >/dev/null || status=1
	done < <(runtime_plugins "$file")
	return "$status"
}
