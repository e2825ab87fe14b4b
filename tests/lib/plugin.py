"""Runs the built executables as a runtime does: variables, a configuration on stdin, one JSON value on stdout."""
import json
import os
import subprocess
from dataclasses import dataclass

import pg

BINDIR = os.environ.get('BINDIR') or os.path.join(pg.ROOT, 'plugins', 'bin')
NET, IPAM = 'status-cni', 'ipam-status-cni'
NETNS = '/proc/1/no-such-netns'


def is_static(plugin=IPAM):
    """Whether BINDIR has the static build."""
    said = subprocess.run([os.path.join(BINDIR, plugin), '--version'], capture_output=True, text=True, check=True,
                          timeout=60)
    return '(static build)' in said.stdout + said.stderr


@dataclass
class Answer:
    """What one invocation left: rc, the JSON value (None where stdout is empty), stdout as bytes, stderr as text."""
    rc: int
    json: object
    stdout: bytes
    stderr: str

    @property
    def code(self):
        """The error's code, 0 for success."""
        return self.json['code'] if self.rc else 0

    @property
    def said(self):
        """The error's message and details in one string, as people see them."""
        return f"{self.json.get('msg', '')}; {self.json.get('details', '')}" if self.rc else ''

    @property
    def addresses(self):
        return [ip['address'] for ip in self.json['ips']]


def ipam_conf(server, **keys):
    """The ipam object for a private server or pooler, by TCP. keys replace, None removes one."""
    conf = {'type': IPAM, 'host': server.host, 'port': server.port, 'user': 'cni',
            'password': server.password, 'dbname': 'ipam', **keys}
    return {k: v for k, v in conf.items() if v is not None}


def net_conf(server, ipam=None, **keys):
    """The network configuration of one plugin, as libcni sends it. ipam: keys for its ipam object."""
    return {'cniVersion': '1.1.0', 'name': 'ipam-status', 'type': NET,
            'ipam': ipam_conf(server, **(ipam or {})), **keys}


def environment(command, container='pod1', ifname='eth0', netns=NETNS, args='', path=None, env=None):
    """A runtime's variables. STATUS, GC and VERSION come with empty ones."""
    bare = command in ('STATUS', 'GC', 'VERSION')
    mine = {'PATH': os.environ.get('PATH', '/usr/bin:/bin'), 'CNI_COMMAND': command, 'CNI_PATH': path or BINDIR,
            'CNI_CONTAINERID': '' if bare else container, 'CNI_IFNAME': '' if bare else ifname,
            'CNI_NETNS': '' if bare else netns, 'CNI_ARGS': '' if bare else args}
    for name in ('ASAN_OPTIONS', 'UBSAN_OPTIONS', 'LSAN_OPTIONS'):
        if name in os.environ:
            mine[name] = os.environ[name]
    mine.update(env or {})
    return {k: v for k, v in mine.items() if v is not None}


def start(plugin, command, through=(), **how):
    """Starts plugin (a name of BINDIR, or a path) with its stdin a pipe; finish() has the answer. through: a program
    and its arguments that run it, nsenter for one."""
    return subprocess.Popen([*through, os.path.join(BINDIR, plugin)], env=environment(command, **how), stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd='/')


def finish(process, conf, timeout=60):
    """Feeds stdin and collects the Answer. stdout that is not one JSON value raises."""
    data = conf if isinstance(conf, bytes) else json.dumps(conf).encode()
    try:
        out, err = process.communicate(data, timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    return Answer(process.returncode, json.loads(out) if out.strip() else None, out, err.decode(errors='replace'))


def run(plugin, command, conf, timeout=60, **how):
    """One whole invocation. how: container, ifname, netns, args, path, env (None removes a variable)."""
    return finish(start(plugin, command, **how), conf, timeout)
