# shellcheck shell=bash
# What a whole story needs around it: everything built, a database of its own, pods of its own, and all
# of that gone at the end, whatever the end is. Sourced after lib.sh.

SCRIPTS=$TOP/demo-scenarios
STORY_NET='' STORY_WORK='' STORY_LINK='' STORY_PODS=() STORY_DBS=() STORY_STEP=0

has_link() {
	ip link show "$1" >/dev/null 2>&1
}

say() {
	STORY_STEP=$((STORY_STEP + 1))
	printf '\n== %d. %s\n' "$STORY_STEP" "$*"
}

refuse_pods() {
	local pod
	for pod; do
		[[ ! -e $(netns_of "$pod") ]] ||
			die "the network namespace $pod exists and this story needs the name: end it first (ip netns delete $pod)"
	done
}

# A database that this story did not start is not touched, not even with a question.
refuse_database() {
	local ipam host port
	if "$SCRIPTS/db.sh" status >/dev/null; then
		die "the private database is running already: $SCRIPTS/db.sh stop"
	fi
	ipam=$(ipam_object ipam-status)
	host=$(jq -r .host <<<"$ipam")
	port=$(jq -r .port <<<"$ipam")
	if port_taken "$host" "$port"; then
		die "port $port of $host is taken by somebody else, this story needs it"
	fi
}

# story_begin NET POD...: prepares everything for a story on a network, which uses these pods.
story_begin() {
	STORY_NET=$1
	shift
	refuse_pods "$@"
	"$TOP/setup_dependencies.sh" || die 'the dependencies could not be set up, see above'
	make -C "$TOP" || die 'the build failed, see above'
	needs "$CNITOOL"
	refuse_pods "$@"
	refuse_database
	trap 'story_end $?' EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
	STORY_WORK=$(mktemp -d /var/tmp/ipam-story.XXXXXX)
	chmod 0711 "$STORY_WORK"
	export IPAM_DB_DIR=$STORY_WORK/db
	STORY_DBS=("$IPAM_DB_DIR")
}

# Ends everything that the story started; the late DEL of a pod whose namespace is gone also clears
# what the runtime's cache remembers of it.
story_end() {
	local pod folder
	trap '' HUP INT TERM
	trap - EXIT
	for pod in "${STORY_PODS[@]}"; do
		"$SCRIPTS/del-ns.sh" "$STORY_NET" "$pod" >/dev/null 2>&1 || true
		[[ ! -e $(netns_of "$pod") ]] || as_root ip netns delete "$pod"
	done
	if [[ $STORY_LINK ]] && has_link "$STORY_LINK"; then
		as_root ip link delete "$STORY_LINK"
	fi
	for folder in "${STORY_DBS[@]}"; do
		IPAM_DB_DIR=$folder "$SCRIPTS/db.sh" stop >/dev/null || true
	done
	[[ ! $STORY_WORK ]] || rm -rf "$STORY_WORK"
	exit "$1"
}

# story_add POD IP: from now on the pod is this story's.
story_add() {
	refuse_pods "$1"
	STORY_PODS+=("$1")
	"$SCRIPTS/add-ns.sh" "$STORY_NET" "$1" "$2" || die "pod $1 got no address, see above"
}

# story_table N: the table, which must have so many rows.
story_table() {
	local table
	table=$("$SCRIPTS/show.sh") || die 'the table cannot be read, see above'
	printf '%s\n' "$table"
	[[ $table =~ \(($1)\ rows?\) ]] || die "the table should have $1 rows"
}
