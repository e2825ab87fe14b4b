#!/bin/bash
# Prepares a machine: packages by apt, static libraries in .deps, cnitool in plugins.
#
#   ./setup_dependencies.sh          what "make" and demo-scenarios need
#   ./setup_dependencies.sh tests    and what the test run needs
#   ./setup_dependencies.sh arm64    and what "make arm64" needs: a cross compiler, an emulator, the libraries
#
# Works as root, or as a user with sudo (which is called for packages only). Run again, it does what is
# missing; with nothing missing it ends at once. Without static libraries "make" builds on shared ones, and
# without cnitool only demo-scenarios and some tests do not run, so those two failing is said loudly and is no
# error. What apt, configure and the compiler say goes to .deps/setup.log.

set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")"

readonly CNITOOL=v1.3.1     # of github.com/containernetworking/cni
readonly GO_MINOR=21        # cnitool needs Go 1.21
readonly RECIPE=2           # a higher number makes everybody build the static libraries anew
readonly LOG=.deps/setup.log

# bison and flex for the source of libpq from 17 on; zlib and zstd, where the static libcrypto compresses.
BUILD_PACKAGES=(ca-certificates gcc libc6-dev make pkg-config dpkg-dev libssl-dev libpq-dev
	bison flex zlib1g-dev libzstd-dev libcjson-dev iproute2 iputils-ping jq python3 util-linux)
TEST_PACKAGES=(libcmocka-dev clang clang-format clang-tidy cppcheck shellcheck pgbouncer
	lintian)
# Real container runtimes, of which the tests use the programs. busybox is what their containers run.
RUNTIME_PACKAGES=(podman conmon runc containerd containernetworking-plugins busybox-static iptables)
# Programs that only tests start, unpacked into .deps/tools: installed, they would bring services and much that they show.
TOOL_PACKAGES=(prometheus prometheus-postgres-exporter)
ARM64_PACKAGES=(gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user-static)
ARM64_LIBRARIES=(libssl-dev zlib1g-dev libzstd-dev libcmocka-dev libcmocka0)    # unpacked, not installed

work=                       # everything unfinished lies here
held=()                     # files that only exist while packages are installed
updated=                    # yes: apt's lists are fresh

say() {
	printf 'setup [%3d s] %s\n' "$SECONDS" "$*"
}

loud() {
	printf '*** %s\n' "$@" >&2
}

# Runs a command with its output in the log; when it fails, the end of that is shown.
logged() {
	if ! "$@" >"$work/out" 2>&1 9>&-; then
		cat "$work/out" >>"$LOG"
		loud "failed: $*" "the end of $LOG:"
		tail -n 15 "$work/out" >&2
		return 1
	fi
	cat "$work/out" >>"$LOG"
}

as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo --preserve-env=DEBIAN_FRONTEND,http_proxy,https_proxy,no_proxy "$@"
	else
		loud "not root, and there is no sudo to run: $*"
		return 1
	fi
}

clean_up() {
	[ ${#held[@]} -eq 0 ] || as_root rm -rf "${held[@]}"
	[ -z "$work" ] || rm -rf "$work"
}

# One setup at a time. What an interrupted one left is removed.
begin() {
	mkdir -p .deps plugins
	exec 9>.deps/lock
	if ! flock -n 9; then
		say "another setup is running: waiting for it"
		flock -w 1200 9 || { loud "it has been running for 20 minutes"; exit 1; }
	fi
	rm -rf .deps/work.*
	work=$(mktemp -d "$PWD/.deps/work.XXXXXX")
	trap clean_up EXIT
	trap 'exit 130' INT TERM HUP
	: >"$LOG"
}

# --- packages ----------------------------------------------------------------------------------

apt_get() {
	logged as_root apt-get -q -y -o DPkg::Lock::Timeout=400 -o Acquire::Retries=3 "$@"
}

# Prints those of the packages that are not installed.
missing() {
	local installed package
	installed=$(dpkg-query -W -f '${Package}=${db:Status-Status}\n' "$@" 2>/dev/null || true)
	for package in "$@"; do
		grep -qx -- "$package=installed" <<<"$installed" || printf '%s\n' "$package"
	done
}

# Puts stdin into a root-owned file that clean_up removes, the folder too if it was made for it.
hold() {
	local mode=$1 file=$2 folder
	folder=$(dirname "$file")
	if [ -d "$folder" ]; then held+=("$file"); else held+=("$folder"); fi
	as_root mkdir -p "$folder"
	as_root tee "$file" >/dev/null
	as_root chmod "$mode" "$file"
}

# PostgreSQL's package would make and start a cluster, pgbouncer's and containerd's a service: none of them shall.
hold_services() {
	if [[ " $* " = *" postgresql "* ]]; then
		hold 644 /etc/postgresql-common/createcluster.d/ipam-status-cni.conf \
			<<<'create_main_cluster = false'
	fi
	if [[ " $* " =~ " "(pgbouncer|podman|containerd)" " ]] && [ ! -e /usr/sbin/policy-rc.d ]; then
		hold 755 /usr/sbin/policy-rc.d \
			<<<$'#!/bin/sh\ncase $1 in pgbouncer*|podman*|containerd*) exit 101 ;; esac\nexit 0'
	fi
}

install_packages() {
	local list
	mapfile -t list < <(missing "$@")
	[ ${#list[@]} -gt 0 ] || return 0
	say "packages: ${list[*]}"
	[ -n "$updated" ] || apt_get update
	updated=yes
	hold_services "${list[@]}"
	apt_get install --no-install-recommends "${list[@]}"
	if [[ " ${list[*]} " = *" pgbouncer "* ]]; then
		say "pgbouncer's service is disabled: only the program is used"
		logged as_root update-rc.d pgbouncer disable
	fi
}

all_packages() {
	local list=("${BUILD_PACKAGES[@]}")
	if ! command -v apt-get >/dev/null; then
		loud "there is no apt here: install the equivalent of" "${list[*]} postgresql"
		exit 1
	fi
	compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || list+=(postgresql)
	[ "$1" != tests ] || list+=("${TEST_PACKAGES[@]}")
	[ "$1" != arm64 ] || list+=("${ARM64_PACKAGES[@]}")
	install_packages "${list[@]}"
	# The sanitizers' part of clang has its version in its name.
	[ "$1" != tests ] || install_packages "libclang-rt-$(clang -dumpversion | cut -d. -f1)-dev"
	[ "$1" != tests ] || runtime_packages
	[ "$1" != tests ] || unpacked_tools
}

# Where another vendor's container runtime is installed, these would replace it: then that stays, and the tests with real
# runtimes are skipped. Without policy-rc.d's help a service that was enabled is disabled again.
runtime_packages() {
	local list name
	mapfile -t list < <(missing "${RUNTIME_PACKAGES[@]}")
	[ ${#list[@]} -gt 0 ] || return 0
	[ -n "$updated" ] || apt_get update
	updated=yes
	if ! apt-get -s --no-remove --no-install-recommends install "${list[@]}" >>"$LOG" 2>&1; then
		loud "container runtimes cannot be installed beside what is here: tests with podman and containerd are skipped"
		return 0
	fi
	install_packages "${list[@]}"
	[ ! -d /run/systemd/system ] || for name in containerd podman podman-auto-update podman-restart; do
		logged as_root systemctl disable "$name" || true
	done
}

unpacked_tools() {
	local file
	[ "${TOOL_PACKAGES[*]}" != "$(cat .deps/tools/list 2>/dev/null)" ] || return 0
	say "programs for tests, in .deps/tools: ${TOOL_PACKAGES[*]}"
	[ -n "$updated" ] || apt_get update
	updated=yes
	mkdir -p "$work/tools/debs"
	if ! (cd "$work/tools/debs" && apt-get -q download "${TOOL_PACKAGES[@]}") >>"$LOG" 2>&1; then
		loud "they cannot be had ($LOG says why): tests of examples/monitoring are skipped"
		return 0
	fi
	for file in "$work"/tools/debs/*.deb; do
		dpkg-deb -x "$file" "$work/tools"
	done
	rm -rf "$work/tools/debs" .deps/tools
	echo "${TOOL_PACKAGES[*]}" >"$work/tools/list"
	mv "$work/tools" .deps
}

# The plugins name a host by its machine id. Bare chroots and images come without one.
machine_id() {
	! grep -qsxE '[0-9a-f]{32}' /etc/machine-id || return 0
	install_packages dbus-bin
	say "this machine has no machine id: making /etc/machine-id, as the dbus package does"
	as_root rm -f /etc/machine-id
	as_root dbus-uuidgen --ensure=/etc/machine-id
}

# --- apt with other entries --------------------------------------------------------------------
#
# Source packages and backports need entries that a machine may not have. They are derived from those
# that it has (so mirrors, options and keyrings are its own) in a folder that goes away again, with
# lists of its own: the machine's configuration stays as it is.

# The one-line entry on stdin, as a source entry.
source_list() {
	sed -nE 's/^[[:space:]]*deb[[:space:]]/deb-src /p'
}

# The deb822 entries on stdin, as source entries.
source_sources() {
	sed -E 's/^types:.*/Types: deb-src/I'
}

# The entries of the distribution's main suite, as entries of its backports.
backports_list() {
	sed -nE "s/^([[:space:]]*deb[[:space:]].*[[:space:]])$CODENAME([[:space:]].*\bmain\b.*)/\1$CODENAME-backports\2/p"
}

backports_sources() {
	awk -v RS= -v suite="$CODENAME" '{
		keep = 0; out = ""
		lines = split($0, line, "\n")
		for (i = 1; i <= lines; i++) {
			if (tolower(line[i]) ~ /^suites:/ && (line[i] " ") ~ ("[ \t]" suite "[ \t]")) {
				keep = 1
				line[i] = "Suites: " suite "-backports"
			}
			out = out line[i] "\n"
		}
		if (keep && out ~ /\n[Cc]omponents:[^\n]*[ \t]main/)
			print out
	}'
}

arm64_list() {
	cat
}

arm64_sources() {
	cat
}

# Makes such a folder; $1 is source, backports or arm64. Sets the array apt to the options that use it.
private_apt() {
	local list parts file kind count=0 dir=$work/apt-$1
	eval "$(apt-config shell list Dir::Etc::sourcelist/f parts Dir::Etc::sourceparts/d)"
	mkdir -p "$dir"/{parts,lists/partial,cache/archives/partial}
	for file in "$list" "$parts"/*.list "$parts"/*.sources; do
		[ -f "$file" ] || continue
		kind=${file##*.}
		count=$((count + 1))
		"$1_$kind" <"$file" >"$dir/parts/entries-$count.$kind"
	done
	apt=(-o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$dir/parts"
		-o Dir::State::lists="$dir/lists" -o Dir::Cache="$dir/cache" -o APT::Sandbox::User=root
		-o Acquire::Languages=none)
	[ "$1" != arm64 ] || apt+=(-o APT::Architecture=arm64 -o APT::Architectures=arm64)
	# One entry of several out of reach is no reason to stop: what counts is what was found.
	apt-get -q -o Acquire::Retries=3 "${apt[@]}" update >>"$LOG" 2>&1 || true
}

# --- static libraries --------------------------------------------------------------------------
#
# In .deps for this machine, in .deps/arm64 for the other kind. HOST is empty or what cross tools' names begin with.

# Versions of the source of package $1: what is installed, then what apt lists, newest first. The newest
# security version may be listed and not served.
source_versions() {
	{
		dpkg-query -W -f '${source:Version}\n' "$1"
		apt-cache "${apt[@]}" --only-source showsrc "$(source_name "$1")" 2>/dev/null |
			sed -n 's/^Version: //p' | sort -rV
	} | awk '!seen[$0]++'
}

source_name() {
	dpkg-query -W -f '${source:Package}' "$1"
}

# Unpacks the source of the installed package $1 into $work/$1/; apt checks signatures.
get_source() {
	local version
	mkdir "$work/$1"
	for version in $(source_versions "$1"); do
		if (cd "$work/$1" && apt-get -q "${apt[@]}" source "$(source_name "$1")=$version") \
			>>"$LOG" 2>&1; then
			say "source of $1: $(source_name "$1") $version"
			return 0
		fi
		say "source of $1: $version is not to be had"
	done
	say "no source of $1 is to be had"
	return 1
}

# libpq with OpenSSL and nothing else, in one archive. It looks for the system-wide service file where the
# distribution's libpq does. PostgreSQL's own hashes take the place of those that go through OpenSSL, which
# is then not initialised unless TLS is used.
build_libpq() {
	local src=$1 name
	mkdir "$work/pg" && cd "$work/pg"
	"$src/configure" ${HOST:+--host="$HOST"} CC="$CC" CFLAGS="$CFLAGS" ${HOST:+"CPPFLAGS=-I$work/new/include"} \
		${HOST:+"LDFLAGS=-L$work/new/lib" "LIBS=$(pkg-config --static --libs libcrypto)"} --prefix=/usr --sysconfdir="$(pg_config --sysconfdir)" \
		--with-ssl=openssl --without-readline --without-zlib --without-icu \
		--without-gssapi --without-ldap
	make -j"$(nproc)" -C src/backend generated-headers
	make -j"$(nproc)" -C src/common libpgcommon_shlib.a
	make -j"$(nproc)" -C src/port libpgport_shlib.a
	make -j"$(nproc)" -C src/interfaces/libpq libpq.a
	rm src/common/{cryptohash,hmac}_openssl_shlib.o
	for name in cryptohash hmac md5 sha1 sha2; do
		# shellcheck disable=SC2086 # flags are words
		$CC $CFLAGS -DFRONTEND -Isrc/include -I"$src/src/include" -c "$src/src/common/$name.c" \
			-o "src/common/${name}_shlib.o"
	done
	"${HOST:+$HOST-}ar" rcs "$work/new/lib/libpq.a" src/interfaces/libpq/*.o src/common/*_shlib.o src/port/*_shlib.o
	cp "$src"/src/interfaces/libpq/libpq-fe.h "$src"/src/include/postgres_ext.h \
		src/include/pg_config*.h "$work/new/include"
}

build_cjson() {
	# shellcheck disable=SC2086 # flags are words
	$CC $CFLAGS -c "$1/cJSON.c" -o "$work/cJSON.o"
	"${HOST:+$HOST-}ar" rcs "$work/new/lib/libcjson.a" "$work/cJSON.o"
	mkdir -p "$work/new/include/cjson"
	cp "$1/cJSON.h" "$work/new/include/cjson"
}

# OpenSSL and cmocka as Debian builds them for arm64. Installed, they would clash with this machine's own.
arm64_libraries() {
	local apt file
	private_apt arm64
	mkdir -p "$work"/arm64/{debs,root}
	(cd "$work/arm64/debs" && apt-get -q "${apt[@]}" download "${ARM64_LIBRARIES[@]}") >>"$LOG" 2>&1 || return 1
	for file in "$work"/arm64/debs/*.deb; do
		dpkg-deb -x "$file" "$work/arm64/root" || return 1
	done
	cp -r "$work/arm64/root/usr/lib/$HOST"/*.{a,so*} "$work/new/lib" &&
		cp -r "$work"/arm64/root/usr/include/{"$HOST"/openssl,openssl,cmocka.h} "$work/new/include"
}

# build_libraries FOLDER STAMP. The stamp comes last, so that an interrupted setup starts over.
build_libraries() {
	local apt CFLAGS
	CFLAGS=$(make -s CC="$CC" library-cflags) || return 1
	rm -rf "$work"/{new,pg,trial,libpq-dev,libcjson-dev}
	mkdir -p "$work"/new/{lib,include}
	[ -z "$HOST" ] || arm64_libraries || return 1
	private_apt source
	get_source libpq-dev && get_source libcjson-dev || return 1
	say "compiling libpq and cJSON"
	export -f build_libpq build_cjson
	export work CFLAGS CC HOST
	# In a shell of their own, so that the first command that fails ends them.
	logged bash -euc 'build_cjson "$@"' - "$work"/libcjson-dev/*/ || return 1
	logged bash -euc 'build_libpq "$@"' - "$work"/libpq-dev/*/ || return 1
	say "linking a program with them"
	printf '%s\n' "$2" >"$work/new/stamp"
	logged make CC="$CC" LINK=static DEPS="$work/new" O="$work/trial" library-trial || return 1
	mkdir -p "$1"
	rm -rf "${1:?}"/{stamp,lib,include}
	mv "$work/new/lib" "$work/new/include" "$1"
	mv "$work/new/stamp" "$1"
}

# static_libraries FOLDER, with CC and HOST. The stamp holds what the libraries were built for: an update of the
# distribution's makes them anew.
static_libraries() {
	local wanted
	wanted="recipe $RECIPE, $(dpkg-query -W -f '${Package} ${Version}, ' libpq-dev libcjson-dev libssl-dev)"
	[ "$wanted" != "$(cat "$1/stamp" 2>/dev/null)" ] || return 0
	say "static libraries in $1 (once, about a minute)"
	build_libraries "$1" "$wanted" && say "they are ready"
}

own_libraries() {
	CC=cc HOST='' static_libraries .deps || if [ -e .deps/stamp ]; then
		loud "The static libraries could not be made anew ($LOG says why): the old ones stay."
	else
		loud "NO STATIC LIBRARIES ($LOG says why): make builds on the system's SHARED libraries." \
			"Such plugins work on this machine, start several times slower, and cannot be copied elsewhere."
	fi
}

# --- cnitool -----------------------------------------------------------------------------------

# Prints the first go that is new enough.
find_go() {
	local go minor
	for go in "$(command -v go || true)" /usr/local/go/bin/go /usr/lib/go-*/bin/go; do
		[ -x "$go" ] || continue
		minor=$(GOTOOLCHAIN=local "$go" env GOVERSION 2>/dev/null | sed -nE 's/^go1\.([0-9]+).*/\1/p')
		if [ "${minor:-0}" -ge "$GO_MINOR" ]; then
			printf '%s\n' "$go"
			return 0
		fi
	done
	return 1
}

# The newest Go that apt (with the given options) offers, if it is new enough: a package that stands beside
# an older "go", which stays what it is.
newest_go_package() {
	local minor
	minor=$(apt-cache "$@" search --names-only '^golang-1\.[0-9]+-go$' |
		sed -nE 's/^golang-1\.([0-9]+)-go .*/\1/p' | sort -n | tail -n 1)
	[ "${minor:-0}" -ge "$GO_MINOR" ] && printf 'golang-1.%s-go\n' "$minor"
}

install_go() {
	local package apt=() CODENAME
	[ -n "$updated" ] || apt_get update || return 1
	updated=yes
	CODENAME=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
	if ! package=$(newest_go_package) && [ -n "$CODENAME" ]; then
		say "cnitool needs Go 1.$GO_MINOR, which $CODENAME does not have: looking in $CODENAME-backports"
		private_apt backports
		package=$(newest_go_package "${apt[@]}") || return 1
	fi
	say "package: $package, to build cnitool (apt's own list of sources stays as it is)"
	apt_get "${apt[@]}" install --no-install-recommends "$package"
}

build_cnitool() {
	local go
	go=$(find_go) || { install_go && go=$(find_go); } || return 1
	say "cnitool $CNITOOL with $("$go" env GOVERSION)"
	GOTOOLCHAIN=local GOBIN=$work CGO_ENABLED=0 logged timeout 900 "$go" install \
		"github.com/containernetworking/cni/cnitool@$CNITOOL" || return 1
	mv -f "$work/cnitool" plugins/cnitool
}

# Go writes the module's version into what it builds.
cnitool() {
	! grep -qsaF "containernetworking/cni"$'\t'"$CNITOOL" plugins/cnitool || return 0
	build_cnitool || loud "NO CNITOOL ($LOG says why): demo-scenarios need it."
}

main() {
	export DEBIAN_FRONTEND=noninteractive
	case "$#${1:-}" in
	0 | 1tests | 1arm64) ;;
	*) loud "usage: $0 [tests|arm64]"; exit 2 ;;
	esac
	begin
	all_packages "${1:-}"
	machine_id
	own_libraries
	cnitool
	[ "${1:-}" != arm64 ] || CC=aarch64-linux-gnu-gcc HOST=aarch64-linux-gnu static_libraries .deps/arm64 ||
		{ loud "NO LIBRARIES FOR ARM64 ($LOG says why)"; exit 1; }
	say "done"
}

main "$@"
