#!/usr/bin/env bash
# A Kubernetes node with these plugins: API server, controllers, scheduler, kubelet, containerd 2, pods. Takes about ten minutes,
# and the first time half an hour more, in which they are built from Go modules into plugins/kubernetes. Needs root, apt, and Go
# from 1.21 on, which fetches the Go that they want.
#
#   tests/kubernetes.sh [WORD...]      only the tests that have one of the words in their names
#
# Everything runs in network, mount and process namespaces of this run and ends with them: a container runtime of this machine,
# its sysctl values and its firewall are not touched. tests/kubernetes/scenarios.py has the tests, cluster.py beside it the
# cluster. It speaks TAP and says how long it took; the daemons' logs are in build/kubernetes/logs.

set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
. tests/lib/work_folder.sh

readonly KUBERNETES=v1.34.1 CONTAINERD=v2.4.2 PLUGINS=v1.9.1
readonly PROGRAMS=$PWD/plugins/kubernetes/$KUBERNETES-$CONTAINERD-$PLUGINS

# Of the containers that containerd had; those that were killed while they were made have left theirs.
remove_cgroups() {
	find /sys/fs/cgroup -depth -type d -path '*/k8s.io/*' |
		grep -F -f <(grep -ohE '[0-9a-f]{64}' "$work/logs/containerd" | sort -u) | xargs -r rmdir
} 2>/dev/null

keep() {
	remove_cgroups || true
	mkdir -p build/kubernetes
	rm -rf build/kubernetes/logs
	cp -r "$work/logs" build/kubernetes 2>/dev/null
}

# Prints those of the programs that are not there yet.
missing() {
	local name
	for name; do
		[[ -x $PROGRAMS/$name ]] || printf '%s\n' "$name"
	done
}

# built_by_go MODULE@VERSION PACKAGE...: each package becomes a program.
built_by_go() {
	local module=${1%@*} version=${1#*@} package
	shift
	for package; do
		if [[ $(missing "${package##*/}") ]]; then
			echo "building ${package##*/} $version"
			GOBIN=$PROGRAMS CGO_ENABLED=0 "$go" install "$module/$package@$version"
		fi
	done
}

# Kubernetes replaces its own parts by folders of its repository, so it cannot be installed by name and version: a module of
# ours replaces them by what is published of the same release.
kubernetes() {
	local folder=$work/module name names own
	mapfile -t names < <(missing kubelet kube-apiserver kube-controller-manager kube-scheduler kubectl)
	((${#names[@]} > 0)) || return 0
	echo "building ${names[*]} $KUBERNETES: this takes half an hour"
	mkdir "$folder"
	own=$("$go" mod download -json "k8s.io/kubernetes@$KUBERNETES" | jq -r .GoMod)
	{
		printf 'module programs\n\ngo 1.24.0\n\nrequire k8s.io/kubernetes %s\n\n' "$KUBERNETES"
		sed -nE "s|^\s*(k8s.io/[a-z-]+) => .*|replace \1 => \1 v0${KUBERNETES#v1}|p" "$own"
	} >"$folder/go.mod"
	{
		printf '//go:build tools\n\npackage tools\n\n'
		printf 'import _ "k8s.io/kubernetes/cmd/%s"\n' kubelet kube-apiserver kube-controller-manager kube-scheduler kubectl
	} >"$folder/tools.go"
	(cd "$folder" && GOFLAGS=-mod=mod "$go" mod tidy)
	for name in "${names[@]}"; do
		(cd "$folder" && CGO_ENABLED=0 "$go" build -ldflags "-s -w -X k8s.io/component-base/version.gitVersion=$KUBERNETES" \
			-o "$PROGRAMS/$name" "k8s.io/kubernetes/cmd/$name")
	done
}

# Unpacked, not installed: this machine needs no etcd.
etcd() {
	[[ $(missing etcd) ]] || return 0
	apt-cache show etcd-server >/dev/null 2>&1 || apt-get -q update >/dev/null
	(cd "$work" && apt-get -q -o APT::Sandbox::User=root download etcd-server && dpkg-deb -x etcd-server_*.deb etcd-server)
	install "$work/etcd-server/usr/bin/etcd" "$PROGRAMS/etcd"
}

((EUID == 0)) || { echo "${0##*/} needs root, for namespaces: sudo $0" >&2; exit 1; }
./setup_dependencies.sh tests
make all
begin_work
mkdir -p "$PROGRAMS"
go=$(PYTHONPATH=tests/lib python3 -c 'import golang; print(golang.find(21) or "")')
[[ $go ]] || { echo "${0##*/}: there is no Go from 1.21 on" >&2; exit 1; }
etcd
kubernetes
built_by_go "github.com/containerd/containerd/v2@$CONTAINERD" cmd/containerd cmd/ctr cmd/containerd-shim-runc-v2
built_by_go "github.com/containernetworking/plugins@$PLUGINS" plugins/main/bridge plugins/main/loopback

status=0
# Process 1 has to reap what ends without a parent: bash does.
export KUBERNETES_PROGRAMS=$PROGRAMS KUBERNETES_DIR=$work
# shellcheck disable=SC2016
BINDIR=$PWD/plugins/bin PYTHONPATH=$PWD/tests/lib in_background unshare --net --mount --pid --fork --kill-child --mount-proc --propagation private \
	bash -c 'ip link set lo up; python3 tests/kubernetes/scenarios.py "$@"; exit "$?"' - "$@" || status=$?
echo "It took $((SECONDS / 60)) minutes."
((status == 0))
