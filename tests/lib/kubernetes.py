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


def containerfile():
    """The instructions of the image: (name, the rest of the line)."""
    with open(f'{FOLDER}/Containerfile', encoding='utf-8') as f:
        return [tuple(line.split(None, 1)) for line in f.read().splitlines() if line and not line.startswith('#')]


def entrypoint():
    """What the image runs, as a list."""
    last, = [json.loads(rest) for name, rest in containerfile() if name == 'ENTRYPOINT']
    return last


def installer(folder):
    """The root file system that the Containerfile describes, with the executables that are tested. Its base is a busybox, too."""
    runtimes.rootfs(folder)
    for applet in ('chmod', 'cmp', 'cp', 'mkdir', 'mv', 'rm'):
        os.symlink('busybox', f'{folder}/bin/{applet}')
    for name, rest in containerfile():
        if name == 'COPY':
            *sources, to = rest.split()
            copy(sources, f'{folder}{to}')
        elif name not in ('FROM', 'ENTRYPOINT'):
            raise AssertionError(f'Containerfile: {name} is not known here')
    return folder


def copy(sources, to):
    """COPY: into a folder where the name ends with a slash. Paths are those of the project."""
    os.makedirs(os.path.dirname(to), exist_ok=True)
    for source in sources:
        path, name = os.path.split(source)
        shutil.copy(os.path.join(plugin.BINDIR if path == 'plugins/bin' else os.path.join(pg.ROOT, path), name), to)


def manifest():
    with open(f'{FOLDER}/ipam-status-cni.yaml', encoding='utf-8') as f:
        return f.read()


def conflist():
    """The network, as the node reads it."""
    text = re.search(rf'\n  {CONFLIST}: \|\n((?:    .*\n)+)', manifest())
    return json.loads(text[1])
