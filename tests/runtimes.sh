#!/usr/bin/env bash
# Runtimes as their projects publish them, built here from Go modules, each on a host of its own beside podman and containerd as
# Debian packages them, all on one network in one database: containerd 2, CRI-O, nerdctl. Then the integration tests of
# go-cni and of upstream's plugins, with our IPAM plugin in the place of host-local. Needs root, Go from 1.21 on (which fetches
# a newer one) and 5 GB below Go's caches. It says how long it took: about five minutes, the first time ten more for building.
#
#   tests/runtimes.sh [WORD...]      only the tests that have one of the words in their names
#
# What is built stays in plugins/runtimes. go-cni's test is not in its module: it comes from the git repository, or the clone of it,
# that the variable GO_CNI names.

set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
. tests/lib/work_folder.sh

readonly CONTAINERD=v2.4.2 NERDCTL=v2.3.5 CRI_O=v1.36.3 GO_CNI_VERSION=v1.1.14
readonly PLUGINS=v1.9.1     # as in tests/lib/upstream.py
readonly BUILT=$PWD/plugins/runtimes
GO_CNI=${GO_CNI:-https://github.com/containerd/go-cni}

# once NAME VERSION: calls build_NAME, unless it has been done for that version, and says how long it took.
once() {
	local began=$SECONDS stamp=$BUILT/.$1-$2 status
	[[ ! -e $stamp ]] || return 0
	set +e      # a subshell in a condition would go on after errors
	(set -e; "build_$1" "$2") >"$work/log" 2>&1
	status=$?
	set -e
	((status == 0)) || { tail -n 30 "$work/log" >&2; echo "${0##*/}: $1 $2 cannot be built" >&2; exit 1; }
	touch "$stamp"
	printf 'built %s %s, %d s\n' "$1" "$2" $((SECONDS - began))
}

# source_of MODULE@VERSION: a copy of a module, which may be changed. Prints its folder.
source_of() {
	local folder
	folder=$(mktemp -d "$work/source.XXXXXX")
	cp -r "$(go mod download -json "$1" | jq -r .Dir)/." "$folder"
	chmod -R u+w "$folder"
	printf '%s\n' "$folder"
}

build_containerd() {
	CGO_ENABLED=0 GOBIN=$BUILT go install "github.com/containerd/containerd/v2/cmd/"{containerd,ctr,containerd-shim-runc-v2}"@$1"
}

# Its module replaces one that is only a part of its repository.
build_nerdctl() {
	cd "$(source_of "github.com/containerd/nerdctl/v2@$1")"
	go mod edit -dropreplace github.com/containerd/nerdctl/mod/tigron@v0.0.0
	rm -f cmd/nerdctl/helpers/testing_linux.go
	CGO_ENABLED=0 go build -mod=mod -o "$BUILT/nerdctl" ./cmd/nerdctl
}

build_cri_o() {
	cd "$(source_of "github.com/cri-o/cri-o@$1")"
	go build -trimpath -tags 'containers_image_ostree_stub containers_image_openpgp exclude_graphdriver_btrfs' -o "$BUILT/crio" ./cmd/crio
	make -C pinns
	install bin/pinns "$BUILT"
}

# ours FILE...: in their configurations our plugin has the place of host-local.
ours() {
	grep -q '"type": *"host-local"' "$@"
	sed -i -E 's/"type": *"host-local"/"type": "ipam-status-cni", "service": "ipam-suites"/' "$@"
}

# The sources stay: the test builds two helpers of its own.
build_plugins_suite() {
	local folder
	rm -rf "$BUILT/suites/plugins"
	folder=$(source_of "github.com/containernetworking/plugins@$1")
	find "$folder/integration/testdata" -type f -print0 | while IFS= read -r -d '' file; do ours "$file"; done
	mkdir -p "$BUILT/suites"
	mv "$folder" "$BUILT/suites/plugins"
	cd "$BUILT/suites/plugins"
	go test -c -o ../plugins.test ./integration
	go build -o "$work/" ./pkg/testutils/echo/server ./pkg/testutils/echo/client
}

build_go_cni_suite() {
	local folder
	folder=$(source_of "github.com/containerd/go-cni@$1")
	cp -r "$work/go-cni/integration" "$folder"
	cd "$folder/integration"
	ours ./*_linux_test.go
	mkdir -p "$BUILT/suites"
	go test -mod=mod -c -o "$BUILT/suites/go-cni.test" .
}

build_all() {
	mkdir -p "$BUILT"
	once containerd "$CONTAINERD"
	once nerdctl "$NERDCTL"
	once cri_o "$CRI_O"
	once plugins_suite "$PLUGINS"
	if [[ ! -e $BUILT/.go_cni_suite-$GO_CNI_VERSION ]]; then
		if git clone -q --depth 1 "$GO_CNI" "$work/go-cni" 2>"$work/log"; then
			once go_cni_suite "$GO_CNI_VERSION"
		else
			echo "*** $GO_CNI cannot be cloned: go-cni's own test is skipped. $(tail -n 1 "$work/log")" >&2
		fi
	fi
	(cd tests/cri && go build -o ../../plugins/cri .)
	python3 -c 'import upstream; upstream.get(*upstream.PARTS, seconds=3600)'
}

# run_tests WORD...: both programs; the status is 1 if a test failed.
run_tests() {
	local program status=0
	for program in tests/runtimes/*_test.py; do
		printf '\n== %s\n' "$program"
		in_background python3 "$program" "$@" || status=1
	done
	return "$status"
}

((EUID == 0)) || { echo "${0##*/} needs root, for hosts of its own: sudo $0" >&2; exit 1; }
./setup_dependencies.sh tests
make
export PYTHONPATH=$PWD/tests/lib BINDIR=$PWD/plugins/bin
go=$(python3 -c 'import golang; print(golang.find(21) or "")')
[[ $go ]] || { echo "${0##*/} needs Go 1.21 or newer" >&2; exit 1; }
PATH=$(dirname "$go"):$PATH
begin_work
build_all
status=0
run_tests "$@" || status=$?
printf '\nIt took %d minutes.\n' $(((SECONDS + 30) / 60))
((status == 0))
