#!/usr/bin/env bash
# Builds everything and runs all tests, from a bare clone, as root. Needs a Debian-like system; what else is
# needed is set up first.
#
#   tests/run.sh [PATTERN]      PATTERN: only what has it in its name (an extended regular expression)
#
# Test programs speak TAP: the cmocka programs of tests/unit, and tests/{db,e2e,libcni}/*_test.{py,sh}, which
# find the executables in BINDIR and what they share in PYTHONPATH. What runs executables runs twice, the second time as sanitizer builds. Whatever
# else is a test (a build without warnings, the linters, the fuzzers) counts as one each. What they said is
# in build/test-logs. The last line counts, the exit status is 0 if nothing failed.

set -uo pipefail
cd "$(dirname "$(readlink -f "$0")")/.." || exit 1

readonly LOGS=build/test-logs
readonly LIMIT=900          # seconds for one program
readonly STEP_LIMIT=900     # seconds for one build or linter
readonly JOBS=3             # programs at once: they wait more than they work

pattern=${1:-.}
passed=0 failed=0 skipped=0
template=

clean_up() {
	local pids
	pids=$(jobs -p)
	# shellcheck disable=SC2086 # pids are words
	[[ -z $pids ]] || kill $pids 2>/dev/null
	wait
	[[ -z $template ]] || rm -rf "$template"
}

count() {
	passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
}

log_of() {
	printf '%s/%s.log\n' "$LOGS" "${1//[^A-Za-z0-9_.-]/_}"
}

# bounded SECONDS COMMAND...: in the background, so that a signal to this script ends it at once.
bounded() {
	local child
	timeout -k 10 "$@" </dev/null &
	child=$!
	# In a subshell, which has no EXIT trap of its own.
	((BASHPID == $$)) || trap 'kill "$child"' TERM
	wait "$child"
}

# step NAME COMMAND...: something that is one test, passed if it exits with 0.
step() {
	local name=$1 log began=$SECONDS status=0
	shift
	[[ $name =~ $pattern ]] || return 0
	log=$(log_of "$name")
	bounded "$STEP_LIMIT" "$@" >"$log" 2>&1 || status=$?
	if ((status == 0)); then
		count 1 0 0
		printf 'ok    %-56s %4d s\n' "$name" $((SECONDS - began))
	else
		count 0 1 0
		printf 'FAIL  %-56s %4d s  exit %d, all of it: %s\n' "$name" $((SECONDS - began)) "$status" "$log"
		grep -v 'warnings generated' "$log" | tail -n 40 | sed 's/^/      /'
	fi
	return "$status"
}

# Runs one test program and leaves NAME STATUS SECONDS beside its log. What it said on stderr comes last
# there, so that it cannot break a result's line.
run_program() {
	local name=$1 log=$2 began=$SECONDS status=0
	shift 2
	bounded "$LIMIT" "$@" >"$log" 2>"$log.stderr" || status=$?
	sed 's/^/# stderr: /' "$log.stderr" >>"$log"
	rm -f "$log.stderr"
	printf '%s %d %d\n' "$name" "$status" $((SECONDS - began)) >"$log.end.new"
	mv "$log.end.new" "$log.end"
}

report_program() {
	local log=$1 name status took ok bad skip wrong word=ok
	read -r name status took <"$log.end"
	rm -f "$log.end"
	read -r ok bad skip wrong < <(awk -v status="$status" -f tests/lib/tally.awk "$log")
	count "$ok" "$bad" "$skip"
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

report_ended() {
	local end
	for end in "$LOGS"/*.log.end; do
		[[ ! -e $end ]] || report_program "${end%.end}"
	done
}

# Waits until at most so many programs run, and reports those that ended.
wait_for_jobs() {
	while (($(jobs -pr | wc -l) > $1)); do
		wait -n
	done
	report_ended
}

# programs PASS FOLDER: all test programs of one pass, several at once; its unit tests lie below FOLDER.
programs() {
	local file run
	for file in "$2"/tests/unit/*/*_test tests/{db,e2e,libcni}/*_test.{py,sh}; do
		[[ -e $file && "$1:$file" =~ $pattern ]] || continue
		# Tests of the SQL alone would see nothing new the second time.
		[[ $1 == normal || $file != tests/db/* ]] || grep -q plugin "$file" || continue
		run=("$file")
		[[ $file != *.py ]] || run=(python3 "$file")
		wait_for_jobs $((JOBS - 1))
		run_program "$1:$file" "$(log_of "$1-$file")" "${run[@]}" &
	done
	wait_for_jobs 0
}

lint() {
	local linter
	printf '\n== lint\n'
	for linter in format headers tidy cppcheck shell; do
		step "lint-$linter" make "lint-$linter"
	done
}

# build NAME ARGUMENT...: without warnings, whatever the pattern is.
build() {
	printf '\n== %s\n' "$1"
	pattern=. step "$1" make WERROR=1 -j"$(nproc)" "${@:2}"
}

(($# <= 1)) || { echo "usage: ${0##*/} [PATTERN]" >&2; exit 2; }
((EUID == 0)) || { echo "${0##*/} needs root, for network namespaces and users: sudo $0" >&2; exit 1; }
./setup_dependencies.sh tests || exit 1
rm -rf "$LOGS"
mkdir -p "$LOGS"
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
template=$(mktemp -d /var/tmp/ipam-template.XXXXXX)
export IPAM_TEST_TEMPLATE=$template CMOCKA_MESSAGE_OUTPUT=tap PYTHONPATH=$PWD/tests/lib

normal=build/shared
[[ ! -e .deps/stamp ]] || normal=build/static

build build all unit-tests && BINDIR=$PWD/plugins/bin programs normal "$normal"
build sanitizer-build SANITIZE=address,undefined all unit-tests &&
	BINDIR=$PWD/build/sanitize/bin programs sanitized build/sanitize
lint
step fuzzers make fuzz FUZZ_SECONDS=5

printf '\n%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
((failed == 0))
