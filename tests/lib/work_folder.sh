# Sourced by the long tests: the folder of a run, and the one program that it has in the background. Both end with the script.
# shellcheck shell=bash

work=       # the folder
child=      # the program

# What the caller wants of the folder before it goes.
keep() { :; }

end_work() {
	trap - EXIT
	if [[ -n $child ]]; then
		kill -TERM "$child" 2>/dev/null || true
		wait || true
	fi
	if [[ -n $work ]]; then
		keep || true
		rm -rf --one-file-system "$work"
	fi
}

begin_work() {
	trap end_work EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	work=$(mktemp -d "/var/tmp/ipam-${0##*/}.XXXXXX")
	chmod 755 "$work"
}

# in_background COMMAND [ARGUMENT...]: its exit status. A signal for the script is heard meanwhile.
in_background() {
	local status=0
	"$@" </dev/null &
	child=$!
	wait "$child" || status=$?
	child=
	return "$status"
}
