"""Upstream plugins, built once into plugins/upstream, which git ignores."""
import fcntl
import os
import subprocess
import tempfile

import golang
import pg

FOLDER = os.path.join(pg.ROOT, 'plugins', 'upstream')
SOURCE = 'github.com/containernetworking/plugins/plugins/{}@v1.9.1'
PARTS = {'bridge': 'main/bridge', 'ipvlan': 'main/ipvlan', 'loopback': 'main/loopback', 'macvlan': 'main/macvlan', 'ptp': 'main/ptp',
         'host-local': 'ipam/host-local', 'static': 'ipam/static', 'bandwidth': 'meta/bandwidth', 'firewall': 'meta/firewall',
         'portmap': 'meta/portmap', 'tuning': 'meta/tuning'}
MISSING = 'no Go that builds ' + SOURCE.format('…')


def path(name):
    return os.path.join(FOLDER, name)


def get(*names, seconds=280):
    """Builds those that are not there yet, where Go is. It needs the network, so call it outside of a sandbox."""
    os.makedirs(FOLDER, exist_ok=True)
    with open(path('.lock'), 'w', encoding='ascii') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        go = golang.find(21)    # which fetches a newer one where this is not enough
        missing = [name for name in names if not os.path.exists(path(name))]
        if not missing or not go:
            return
        with tempfile.TemporaryDirectory(dir=FOLDER) as new:
            subprocess.run([go, 'install', *(SOURCE.format(PARTS[name]) for name in missing)],
                           env={**os.environ, 'GOBIN': new}, stdout=subprocess.DEVNULL, timeout=seconds, check=False)
            for name in missing:
                if os.path.exists(os.path.join(new, name)):
                    os.rename(os.path.join(new, name), path(name))


def has(*names):
    return all(os.path.exists(path(name)) for name in names)
