#!/usr/bin/env bash
# All long tests, one after the other: every other script of this folder that is a test and not part of tests/run.sh, then
# what tests/run.sh does at random for half a minute, for ten minutes each, and as many pods as addresses with a thousand of
# them. Takes an hour or more; each script says what it needs. As root.
#
#   tests/long.sh

set -uo pipefail
cd "$(dirname "$(readlink -f "$0")")/.." || exit 1

failed=()

run() {
	local began=$SECONDS word=ok
	printf '\n== %s\n' "$*"
	"$@" || { word=FAIL; failed+=("$*"); }
	printf '%-5s %s %d s\n' "$word" "$*" $((SECONDS - began))
}

(($# == 0)) || { echo "usage: ${0##*/}" >&2; exit 2; }
((EUID == 0)) || { echo "${0##*/} needs root, to run servers as another user: sudo $0" >&2; exit 1; }
trap 'exit 130' INT
trap 'exit 143' TERM HUP

for script in tests/*.sh; do
	case ${script#tests/} in
	run.sh | long.sh | lint-*) ;;
	*) run "$script" ;;
	esac
done
export HOSTS_SECONDS=600 KILL_ROUNDS=3000 POOL_ADDRESSES=1000
run tests/run.sh --fast 'e2e/(hosts|kill|pool)_test'

printf '\n'
((${#failed[@]} == 0)) || printf 'FAILED: %s\n' "${failed[@]}"
((${#failed[@]} == 0))
