#!/usr/bin/env bash
# Builds everything and runs all tests, from a bare clone, as root. Needs a Debian-like system; what else is
# needed is set up first.
#
#   tests/run.sh [PATTERN]          PATTERN: only what has it in its name (an extended regular expression)
#   tests/run.sh --fast [PATTERN]   no set-up, one build, each program once: seconds for a program that is being written
#
# Test programs speak TAP: the cmocka programs of tests/unit, and tests/{db,e2e,libcni}/*_test.{py,sh}, which
# find the executables in BINDIR and what they share in PYTHONPATH. What runs executables runs twice, the second time
# as sanitizer builds. Whatever else is a test (a build without warnings, the linters, the fuzzers) counts as one
# each, and runs beside the programs, at low priority. A program that fails beside others is run once more at the end, alone.
# What they said is in build/test-logs. The last line counts, the exit status is 0 if nothing failed.

set -uo pipefail
cd "$(dirname "$(readlink -f "$0")")/.." || exit 1

readonly LOGS=build/test-logs
readonly LIMIT=900          # seconds for one program, build or linter
readonly JOBS=3             # programs at once: they wait more than they work

fast='' pattern=.
passed=0 failed=0 skipped=0
again=() alone=''
template='' beside=''

clean_up() {
	local pids
	pids=$(jobs -p)
	# shellcheck disable=SC2086 # pids are words
	[[ -z $pids ]] || kill $pids 2>/dev/null
	wait
	[[ -z $template ]] || rm -rf "$template"
}

log_of() {
	printf '%s/%s.log\n' "$LOGS" "${1//[^A-Za-z0-9_.-]/_}"
}

# bounded COMMAND...: in the background, so that a signal to this script ends it at once.
bounded() {
	local child
	timeout -k 10 "$LIMIT" "$@" </dev/null &
	child=$!
	# In a subshell, which has no EXIT trap of its own.
	((BASHPID == $$)) || trap 'kill "$child"; wait "$child"; exit 143' TERM
	wait "$child"
}

# run_program NAME COMMAND...: runs one test program and leaves NAME STATUS SECONDS beside its log. What it said on
# stderr comes last there, so that it cannot break a result's line.
run_program() {
	local name=$1 log began=$SECONDS status=0
	shift
	log=$(log_of "$name")
	printf '%q ' env "BINDIR=${BINDIR:-}" "$@" >"$log.command"
	bounded "$@" >"$log" 2>"$log.stderr" || status=$?
	sed 's/^/# stderr: /' "$log.stderr" >>"$log"
	rm -f "$log.stderr"
	printf '%s %d %d\n' "$name" "$status" $((SECONDS - began)) >"$log.end.new"
	mv "$log.end.new" "$log.end"
}

# run_step NAME COMMAND...: something that does not speak TAP: one test, passed if it exits with 0.
run_step() {
	local name=$1 log began=$SECONDS status=0
	shift
	log=$(log_of "$name")
	bounded "$@" >"$log.said" 2>&1 || status=$?
	if ((status == 0)); then
		printf '1..1\nok 1 - %s%s\n' "$name" "$(sed -n 's/^SKIP: / # SKIP /p' "$log.said")" >"$log"
	else
		printf '1..1\nnot ok 1 - %s ended with %d\n' "$name" "$status" >"$log"
		grep -v 'warnings generated' "$log.said" | tail -n 40 | sed 's/^/# /' >>"$log"
	fi
	printf '%s %d %d\n' "$name" $((status != 0)) $((SECONDS - began)) >"$log.end.new"
	mv "$log.end.new" "$log.end"
	return "$status"
}

report_program() {
	local log=$1 name status took ok bad skip wrong word=ok
	read -r name status took <"$log.end"
	rm -f "$log.end"
	read -r ok bad skip wrong < <(awk -v status="$status" -f tests/lib/tally.awk "$log")
	if ((bad > 0)) && [[ -e $log.command && ! $alone ]]; then
		printf 'AGAIN %-56s %4d s  %d failed; it is run once more at the end, alone\n' "$name" "$took" "$bad"
		show_failure "$log" "$wrong"
		cp "$log" "$log.first"
		again+=("$name")
		return
	fi
	passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + skip))
	((bad == 0)) || word=FAIL
	printf '%-5s %-56s %4d s  %d passed, %d failed, %d skipped\n' "$word" "$name" "$took" "$ok" "$bad" "$skip"
	grep -iE '^(not )?ok .*# *skip' "$log" | sed 's/^/      SKIPPED: /'
	((bad == 0)) || show_failure "$log" "$wrong"
}

show_failure() {
	[[ -z $2 ]] || printf '      %s\n' "$2"
	awk '/^not ok/ && !/# *[Ss][Kk][Ii][Pp]/ { show = 1 } /^ok/ { show = 0 } show' "$1" | head -n 60 | sed 's/^/      /'
	[[ -z $2 ]] || tail -n 15 "$1" | sed 's/^/      /'
	printf '      all of it: %s\n' "$1"
}

# What failed while other programs ran has its second chance without them: many tests measure times. What fails then has
# failed.
run_again() {
	local name run
	alone=yes
	for name in "${again[@]}"; do
		eval "run=($(<"$(log_of "$name").command"))"
		run_program "$name" "${run[@]}"
		report_ended
	done
	((${#again[@]} == 0)) || printf '\nrun twice, because they failed beside others: %s\n' "${again[*]}"
}

report_ended() {
	local end
	for end in "$LOGS"/*.log.end; do
		[[ ! -e $end ]] || report_program "${end%.end}"
	done
}

# Waits until at most so many programs run, beside what runs beside them, and reports what has ended.
wait_for_jobs() {
	while (($(jobs -pr | grep -cvx "${beside:-none}") > $1)); do
		wait -n
	done
	report_ended
}

# Whether a test program has something to say in the second pass. Tests of the SQL and of libcni, and those that say so,
# would see nothing new.
is_for_sanitizers() {
	case $1 in
	tests/e2e/*) ! grep -q 'Not run with sanitizers' "$1" ;;
	tests/*) false ;;
	esac
}

# programs PASS FOLDER: all test programs of one pass, several at once; its unit tests lie below FOLDER. Those that take
# minutes come first and the short ones last, so that nothing long runs alone at the end.
programs() {
	local file run files=(tests/e2e/{demo,waits,fencing}_test.py tests/{e2e,db,libcni}/*_test.{py,sh} "$2"/tests/unit/*/*_test)
	local -A seen=()
	for file in "${files[@]}"; do
		[[ ! ${seen[$file]:-} && -e $file && "$1:$file" =~ $pattern ]] || continue
		seen[$file]=yes
		[[ $1 == normal ]] || is_for_sanitizers "$file" || continue
		run=("$file")
		[[ $file != *.py ]] || run=(python3 "$file")
		wait_for_jobs $((JOBS - 1))
		run_program "$1:$file" "${run[@]}" &
	done
}

# build NAME ARGUMENT...: without warnings, whatever the pattern is.
build() {
	run_step "$1" make WERROR=1 -j"$(nproc)" "${@:2}" all unit-tests
}

# What needs no server and measures no time, while programs wait. Leaves a mark when the sanitizer build is there.
everything_else() {
	local linter linters
	renice -n 19 "$BASHPID" >/dev/null
	build sanitizer-build SANITIZE=address,undefined && touch "$LOGS/sanitizer-build"
	read -ra linters < <(sed -n 's/^lint: //p' Makefile)
	for linter in "${linters[@]}"; do
		[[ ! $linter =~ $pattern ]] || run_step "$linter" make "$linter"
	done
	[[ ! fuzzers =~ $pattern ]] || run_step fuzzers make fuzz FUZZ_SECONDS=5
}

wait_for_sanitizer_build() {
	while [[ ! -e $LOGS/sanitizer-build ]]; do
		jobs -pr | grep -qx "$beside" || return 1
		sleep 1
		report_ended
	done
}

usage() {
	echo "usage: ${0##*/} [--fast] [PATTERN]" >&2
	exit 2
}

if [[ ${1:-} == --fast ]]; then
	fast=yes alone=yes
	shift
fi
(($# <= 1)) || usage
pattern=${1:-.}
if [[ ! $fast ]]; then
	((EUID == 0)) || { echo "${0##*/} needs root, for network namespaces and users: sudo $0" >&2; exit 1; }
	unshare --mount true ||
		{ echo "${0##*/} needs mount namespaces: as a container, privileged; in a chroot, one that is a mount point" >&2; exit 1; }
	./setup_dependencies.sh tests || exit 1
fi
rm -rf "$LOGS"
mkdir -p "$LOGS"
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
template=$(mktemp -d /var/tmp/ipam-template.XXXXXX)
export IPAM_TEST_TEMPLATE=$template CMOCKA_MESSAGE_OUTPUT=tap PYTHONPATH=$PWD/tests/lib

normal=build/shared
[[ ! -e .deps/stamp ]] || normal=build/static

if build build; then
	report_ended
	if [[ ! $fast ]]; then
		everything_else &
		beside=$!
	fi
	BINDIR=$PWD/plugins/bin programs normal "$normal"
	if [[ ! $fast ]] && wait_for_sanitizer_build; then
		BINDIR=$PWD/build/sanitize/bin programs sanitized build/sanitize
	fi
	beside=
	wait_for_jobs 0
fi
report_ended
run_again

printf '\n%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
((failed == 0))
