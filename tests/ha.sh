#!/usr/bin/env bash
# The long test: a real database cluster (Patroni, etcd, three PostgreSQL servers with synchronous replication) that
# loses its primary in every way, under loops of the built executables: on a quiet machine, and while another program uses
# all cores. Takes a quarter of an hour; needs root and apt.
#
#   tests/ha.sh [WORD...]      only the faults that have one of the words in their names: Quiet, Busy, stand_still
#
# Patroni, etcd and HAProxy are downloaded and unpacked into a folder of this run, not installed: the machine stays as it is.

set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
. tests/lib/work_folder.sh

readonly PACKAGES=(patroni etcd-server python3-etcd haproxy)
apt_get() {
	apt-get -q -y -o DPkg::Lock::Timeout=400 -o Acquire::Retries=3 "$@" >>"$work/log" 2>&1 ||
		{ tail -n 15 "$work/log" >&2; exit 1; }
}

# Prints what would have to be installed: the packages and what they depend on.
wanted() {
	apt-get -s -q install --no-install-recommends --reinstall "${PACKAGES[@]}" | awk '/^Inst/ { print $2 }'
}

unpack() {
	local file
	local -a names
	apt-cache show "${PACKAGES[@]}" >/dev/null 2>&1 || apt_get update
	mapfile -t names < <(wanted)
	((${#names[@]} > 0)) || { echo "${0##*/}: apt does not know ${PACKAGES[*]}" >&2; exit 1; }
	(cd "$work/debs" && apt_get download "${names[@]}")
	for file in "$work"/debs/*.deb; do
		dpkg-deb -x "$file" "$work/root"
	done
}

((EUID == 0)) || { echo "${0##*/} needs root, to run servers as another user: sudo $0" >&2; exit 1; }
./setup_dependencies.sh
make
begin_work
mkdir "$work/debs" "$work/root"
chmod 755 "$work/root"
unpack
export IPAM_HA_ROOT=$work/root
in_background python3 tests/lib/ha.py "$@"
