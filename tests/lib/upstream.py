"""The upstream bridge plugin, built once into plugins/upstream, which git ignores."""
import fcntl
import os
import subprocess
import tempfile

import golang
import pg

FOLDER = os.path.join(pg.ROOT, 'plugins', 'upstream')
BRIDGE = os.path.join(FOLDER, 'bridge')
SOURCE = 'github.com/containernetworking/plugins/plugins/main/bridge@v1.9.1'
MISSING = f'no Go that builds {SOURCE}'


def get_bridge():
    """Builds it where it is not there yet and Go is. It needs the network, so call it outside of a sandbox."""
    os.makedirs(FOLDER, exist_ok=True)
    with open(os.path.join(FOLDER, '.lock'), 'w', encoding='ascii') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        go = golang.find(21)    # which fetches a newer one where this is not enough
        if os.path.exists(BRIDGE) or not go:
            return
        with tempfile.TemporaryDirectory(dir=FOLDER) as new:
            subprocess.run([go, 'install', SOURCE], env={**os.environ, 'GOBIN': new}, stdout=subprocess.DEVNULL,
                           timeout=280, check=False)
            if os.path.exists(os.path.join(new, 'bridge')):
                os.rename(os.path.join(new, 'bridge'), BRIDGE)


def has_bridge():
    return os.path.exists(BRIDGE)
