#!/usr/bin/env bash
# Another Debian as a build machine: a root of it in a folder, in which the project is set up, built without a warning,
# its unit tests are run and the whole story of demo-scenarios/demo.sh. Takes about ten minutes for each; needs root,
# and debootstrap, which is installed where it is missing.
#
#   tests/debian.sh [SUITE...]       trixie unless told
#
# The mirror, apt's settings, name servers and authorities are those of this machine. The build has to be static; only
# where setup_dependencies.sh says that the mirror lacks a source it is skipped to ask for that, which is said and counted.

set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
. tests/lib/work_folder.sh

passed=0 skipped=0

# The first mirror among this machine's entries.
mirror() {
	cat /etc/apt/sources.list /etc/apt/sources.list.d/*.{list,sources} 2>/dev/null |
		sed -nE 's/^(URIs: *|deb +(\[[^]]*\] +)?)([^ ]+).*/\3/p' | head -n 1
}

make_root() {
	local root=$work/$1
	[[ -e /usr/share/debootstrap/scripts/$1 ]] || ln -s sid "/usr/share/debootstrap/scripts/$1"
	debootstrap --variant=minbase --include=ca-certificates "$1" "$root" "$(mirror)" >"$work/log" 2>&1 ||
		{ tail -n 15 "$work/log" >&2; return 1; }
	cp -r /etc/apt/apt.conf.d /etc/apt/auth.conf.d "$root/etc/apt" 2>/dev/null || true
	cp -L /etc/resolv.conf /etc/hosts "$root/etc"
	rm -rf "$root/etc/ssl/certs"
	cp -rL /etc/ssl/certs "$root/etc/ssl"
	mkdir "$root/project"
	git ls-files -z | xargs -0 cp --parents -t "$root/project"
}

# in_root ROOT COMMAND: with its own mounts, which end with the command. The root is a mount point, as some tests need.
# shellcheck disable=SC2016 # what is quoted is expanded in there
in_root() {
	unshare --mount --propagation private bash -euc '
		mount --bind "$1" "$1"
		cd "$1"
		for folder in proc sys dev dev/pts; do mount --bind /$folder $folder; done
		mount -t tmpfs tmpfs run
		mkdir -p .old run/lock
		pivot_root . .old
		cd /
		umount -l /.old
		exec env -i HOME=/root LC_ALL=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin ${GOPROXY:+GOPROXY="$GOPROXY"} bash -euc "$2"
	' - "$1" "$2" </dev/null
}

# Whether the build in root $1 is static.
linking() {
	local said=$1/project/build.said reason
	if grep -q '(static build)$' "$said"; then
		passed=$((passed + 1))
	elif reason=$(grep -o 'no source of .* is to be had' "$said"); then
		skipped=$((skipped + 1))
		printf '*** SKIP: static libraries in %s: %s; built on the shared ones\n' "${1##*/}" "${reason//$'\n'/, }"
	else
		echo "${0##*/}: the build in ${1##*/} is not static, and no source was missing" >&2
		return 1
	fi
}

# shellcheck disable=SC2016
one_suite() {
	printf '\n== %s\n' "$1"
	make_root "$1"
	in_root "$work/$1" 'cd /project
		set -o pipefail
		apt-get -q update >/dev/null
		./setup_dependencies.sh 2>&1 | tee build.said
		apt-get -q -y install --no-install-recommends libcmocka-dev >/dev/null 2>&1
		make WERROR=1 -j"$(nproc)" all unit-tests >build.log 2>&1 || { tail -n 30 build.log; exit 1; }
		plugins/bin/ipam-status-cni --version 2>&1 | tee -a build.said'
	linking "$work/$1"
	in_root "$work/$1" 'cd /project
		# Many tests measure times: what fails beside something else has a second chance.
		make check >check.log || make check >check.log || { awk "/^not ok/ { show = 1 } /^ok/ { show = 0 } show" check.log; exit 1; }
		demo-scenarios/demo.sh >demo.log || { tail -n 30 demo.log; exit 1; }
		echo "built, $(grep -c "^ok" check.log) unit tests passed, the story runs"'
	passed=$((passed + 1))
	rm -rf --one-file-system "${work:?}/$1"
}

(($# > 0)) || set -- trixie
for suite; do
	[[ $suite =~ ^[a-z]+$ ]] || { echo "usage: ${0##*/} [SUITE...]" >&2; exit 2; }
done
((EUID == 0)) || { echo "${0##*/} needs root, to make roots: sudo $0" >&2; exit 1; }
command -v debootstrap >/dev/null || apt-get -q -y install --no-install-recommends debootstrap >/dev/null
begin_work
for suite; do
	one_suite "$suite"
done
printf '\n%d passed, 0 failed, %d skipped\n' "$passed" "$skipped"
