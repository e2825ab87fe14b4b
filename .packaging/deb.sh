#!/bin/bash
# Makes a Debian package of what "make install" has put below a folder. "make deb" calls it.
#
#   .packaging/deb.sh FOLDER VERSION       the package lies in build/ afterwards
#
# It needs dpkg-deb and nothing else: there is no source package, the executables are self-contained, and what
# debhelper would do fits on this page.

set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."

readonly root=$1 version=$2 name=ipam-status-cni
readonly maintainer='The status-cni authors <status-cni@packages.example.org>'
readonly doc=$root/usr/share/doc/$name

# The time that files have: of the last commit, so that the same commit makes the same package.
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || stat -c %Y Makefile)}

executables() {
	local machine program strip=strip
	machine=$(LC_ALL=C readelf -h "$root/usr/lib/cni/$name" | sed -n 's/^ *Machine: *//p')
	case $machine in
	AArch64) architecture=arm64 strip=aarch64-linux-gnu-strip ;;
	*) architecture=$(dpkg --print-architecture) ;;
	esac
	for program in "$root"/usr/lib/cni/*; do
		"$strip" --strip-unneeded --remove-section=.comment --remove-section=.note "$program"
	done
}

documents() {
	install -d "$doc" "$root/usr/share/lintian/overrides"
	gzip -9n "$root"/usr/share/man/man8/*.8
	gzip -9nc README.md >"$doc/README.md.gz"
	{
		echo 'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/'
		printf '\nFiles: *\nCopyright: %s\nLicense: MIT\n' "$(sed -nE 's/^Copyright \(c\) //p' LICENSE)"
		sed '1,/^Copyright/d; /./,$!d; s/^$/./; s/^/ /' LICENSE | sed '1{/^ \.$/d}'
	} >"$doc/copyright"
	{
		printf '%s (%s) unstable; urgency=medium\n\n  * The history of the project says what has changed.\n' "$name" "$version"
		printf '\n -- %s  %s\n' "$maintainer" "$(LC_ALL=C date -R -u -d "@$SOURCE_DATE_EPOCH")"
	} | gzip -9n >"$doc/changelog.gz"
	# Static executables that can be loaded anywhere are taken for libraries.
	printf "$name: shared-library-lacks-prerequisites [usr/lib/cni/%s]\\n" status-cni "$name" \
		>"$root/usr/share/lintian/overrides/$name"
}

control() {
	local size
	size=$(du -k -s --apparent-size "$root" | cut -f1)
	install -d "$root/DEBIAN"
	cat >"$root/DEBIAN/control" <<-END
	Package: $name
	Version: $version
	Architecture: $architecture
	Maintainer: $maintainer
	Installed-Size: $size
	Section: net
	Priority: optional
	Recommends: jq, postgresql-client
	Suggests: containernetworking-plugins
	Description: CNI plugins that keep addresses in PostgreSQL
	 status-cni is a CNI net plugin that passes every verb, STATUS and GC too, to an
	 IPAM plugin. ipam-status-cni is an IPAM plugin for many hosts: which container
	 holds which address is recorded in a PostgreSQL database, so that no address is
	 given out twice.
	 .
	 The package has the scripts that make the database, examples, and a systemd
	 timer that frees what dead containers left.
	END
	(cd "$root" && find usr lib -type f -print0 | sort -z | xargs -0 md5sum) >"$root/DEBIAN/md5sums"
}

architecture=
executables
documents
control
find "$root" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
rm -f "build/${name}"_*"_$architecture.deb"
dpkg-deb --root-owner-group --build "$root" "build/${name}_${version}_$architecture.deb"
