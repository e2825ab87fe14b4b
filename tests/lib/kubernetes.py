"""examples/kubernetes: the image of its DaemonSet, and the network of its ConfigMap."""
import json
import os
import re
import shutil

import pg
import plugin
import runtimes

FOLDER = os.path.join(pg.ROOT, 'examples', 'kubernetes')
CONFLIST = '10-pods.conflist'


def installer(folder):
    """The root file system that the Containerfile describes."""
    runtimes.rootfs(folder)
    for applet in ('chmod', 'cmp', 'cp', 'mkdir', 'mv', 'rm'):
        os.symlink('busybox', f'{folder}/bin/{applet}')
    os.mkdir(f'{folder}/plugins')
    for name in (plugin.NET, plugin.IPAM):
        shutil.copy(f'{plugin.BINDIR}/{name}', f'{folder}/plugins')
    shutil.copy(f'{FOLDER}/install.sh', folder)
    return folder


def manifest():
    with open(f'{FOLDER}/ipam-status-cni.yaml', encoding='utf-8') as f:
        return f.read()


def conflist():
    """The network, as the node reads it."""
    text = re.search(rf'\n  {CONFLIST}: \|\n((?:    .*\n)+)', manifest())
    return json.loads(text[1])
