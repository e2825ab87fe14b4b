"""A machine of its own in the eyes of plugins and runtimes, inside of a sandbox (sandbox.py)."""
import hashlib
import os
import subprocess

SETUP = """
hostname "$1"
ip link set lo up
for folder in /run /dev/shm /var/lib/cni; do mount -t tmpfs tmpfs "$folder"; done
mkdir /run/netns /run/lock
mount --bind "$2" /etc/machine-id
echo ready
exec sleep infinity"""


class Host:
    """Its name, machine id, network, /run and libcni's files are its own. Commands that begin with `through` run on it."""

    def __init__(self, name, folder):
        self.name = name
        self.machine_id = os.path.join(folder, f'{name}.machine-id')
        with open(self.machine_id, 'w', encoding='ascii') as f:
            f.write(hashlib.md5(name.encode(), usedforsecurity=False).hexdigest() + '\n')
        command = ['unshare', '--uts', '--net', '--mount', '--propagation', 'private', 'sh', '-euc', SETUP, '-', name, self.machine_id]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != 'ready\n':
            raise AssertionError(f'the host {name} cannot be made')
        self.through = ('nsenter', '--target', str(self.process.pid), '--net', '--mount', '--uts')

    def close(self):
        """What runs on it must have ended."""
        self.process.kill()
        self.process.wait(10)
        self.process.stdout.close()
