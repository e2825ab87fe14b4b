#!/usr/bin/env bash
# Process 1 of the node (cluster.py), in namespaces of its own: gives it what a machine of its own would have, says "ready",
# and then collects what ends here and has no parent, as process 1 must.
#
#   node.sh DISK       DISK: the folder with what outlives a reboot

set -euo pipefail
disk=$1

hostname node1
ip link set lo up

# What a reboot loses: sockets, network namespaces, the state of containers.
mount -t tmpfs tmpfs /run
mkdir /run/lock
mount -t tmpfs tmpfs /dev/shm

# What it does not lose. The runtime's other folders are told to it.
for folder in /etc/cni /opt/cni /var/lib/cni /var/log; do
	mkdir -p "$disk$folder" "$folder"
	mount --bind "$disk$folder" "$folder"
done

# A reboot has another one.
cat /proc/sys/kernel/random/uuid >"$disk/boot_id"
mount --bind "$disk/boot_id" /proc/sys/kernel/random/boot_id

# The kubelet sets these for the whole machine: it gets files instead.
while read -r name value; do
	mkdir -p "$disk/sysctl/${name%/*}"
	echo "$value" >"$disk/sysctl/$name"
	mount --bind "$disk/sysctl/$name" "/proc/sys/$name"
done <<'END'
vm/overcommit_memory 1
vm/panic_on_oom 0
kernel/panic 10
kernel/panic_on_oops 1
kernel/keys/root_maxkeys 1000000
kernel/keys/root_maxbytes 25000000
END

echo ready
while :; do
	sleep 1000 &
	wait "$!" || true
done
