#!/bin/sh
# Keeps on the node what this pod has: the executables of the image, the password of the Secret, the network of the
# ConfigMap. In the DaemonSet ipam-status-cni, on busybox.
#
#   install.sh install     copies whatever differs, and looks again every ten seconds
#   install.sh remove      takes everything away when the last pod of the network has gone
#
# A file is written under another name in the same folder, then renamed: nobody ever reads or runs a half of it, and a
# runtime that watches the folder notices. The plugins come first and the network last: it works as soon as it is seen.
# Ending this pod changes nothing on the node, so that an upgrade interrupts nobody.

set -eu
umask 077

# folders of the node, as the DaemonSet mounts them
BIN=/node/bin           # /opt/cni/bin
ETC=/node/etc           # /etc/cni
RESULTS=/node/results   # /var/lib/cni/results: libcni's files, one for each attachment

# put MODE FROM TO
put() {
	new=${3%/*}/.${3##*/}.new
	cmp -s "$2" "$3" && return
	cp "$2" "$new"
	chmod "$1" "$new"
	mv "$new" "$3"
	echo "$3 is new"
}

install_all() {
	mkdir -p "$ETC/net.d" "$ETC/ipam-status-cni"
	for plugin in /plugins/*; do
		put 0755 "$plugin" "$BIN/${plugin##*/}"
	done
	for file in /secret/*; do
		put 0600 "$file" "$ETC/ipam-status-cni/${file##*/}"
	done
	for file in /network/*; do
		put 0600 "$file" "$ETC/net.d/${file##*/}"
	done
}

# Whether the node has an attachment of the network. Its DEL needs all of our files: without any network in the folder
# containerd does not even begin to end a pod.
in_use() {
	set -- "$RESULTS/$NETWORK"-*
	[ -e "$1" ]
}

remove_all() {
	echo 'waiting for the last pod of the network'
	while in_use; do
		pause
	done
	for file in /network/*; do
		rm -f "$ETC/net.d/${file##*/}"
	done
	for plugin in /plugins/*; do
		rm -f "$BIN/${plugin##*/}"
	done
	rm -rf "$ETC/ipam-status-cni"
	echo 'everything is gone'
}

# In the background, so that the signal which ends this pod is not kept waiting.
pause() {
	sleep 10 &
	wait "$!"
}

trap 'exit 0' TERM INT
case ${1:-} in
install)
	while :; do
		install_all
		pause
	done
	;;
remove)
	remove_all
	while :; do
		pause
	done
	;;
*)
	echo "usage: $0 install|remove" >&2
	exit 2
	;;
esac
