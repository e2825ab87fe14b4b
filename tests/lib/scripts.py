"""Runs demo-scenarios/, inside sandbox.enter()'s namespaces."""
import atexit
import json
import os
import shutil
import subprocess
import tempfile

import pg
import plugin

SCRIPTS = os.path.join(pg.ROOT, 'demo-scenarios')
EXAMPLES = os.path.join(pg.ROOT, 'examples')
CACHE = '/var/lib/cni/results'
NETNS = '/var/run/netns'


def environment(**more):
    """The caller's, with the executables under test; None removes a variable."""
    mine = {**os.environ, 'CNI_PATH': plugin.BINDIR, **more}
    return {k: v for k, v in mine.items() if v is not None}


def run(name, *args, cwd='/', timeout=120, root=pg.ROOT, **env):
    """One script of root's demo-scenarios: a CompletedProcess whose stdout and stderr are text."""
    return subprocess.run([os.path.join(root, 'demo-scenarios', name), *args], cwd=cwd, env=environment(**env),
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, check=False)


def pods():
    """The network namespaces that there are."""
    return sorted(os.listdir(NETNS))


def cached():
    """The attachments that the runtime's cache knows, as (network, interface)."""
    found = []
    for name in os.listdir(CACHE) if os.path.isdir(CACHE) else []:
        with open(os.path.join(CACHE, name), encoding='utf-8') as f:
            entry = json.load(f)
        found.append((entry['networkName'], entry['ifName']))
    return sorted(found)


def kill_pod(pod):
    """What a crash leaves: the namespace is gone, nobody was told."""
    subprocess.run(['ip', 'netns', 'delete', pod], check=True, timeout=10)


class Database:
    """demo-scenarios/db.sh with a folder of its own; rows() reads its table."""

    def __init__(self):
        self.work = tempfile.mkdtemp(prefix='ipam-test.', dir='/var/tmp')
        os.chmod(self.work, 0o711)
        self.env = {'IPAM_DB_DIR': os.path.join(self.work, 'db')}
        os.environ.update(self.env)
        atexit.register(self.close)
        self.start()

    def start(self):
        """Nothing where it runs."""
        if os.path.exists(os.path.join(self.work, 'db', 'data', 'postmaster.pid')):
            return
        done = run('db.sh', 'start')
        if done.returncode:
            raise RuntimeError(done.stdout + done.stderr)

    def stop(self):
        run('db.sh', 'stop')

    def close(self):
        self.stop()
        os.environ.pop('IPAM_DB_DIR', None)
        shutil.rmtree(self.work)
        atexit.unregister(self.close)

    @staticmethod
    def sql(text):
        """Rows as lists of strings."""
        done = run('db.sh', 'psql', '-At', '-F', '|', '-v', 'ON_ERROR_STOP=1', '-c', text)
        if done.returncode:
            raise pg.PsqlError(done.stderr)
        return [line.split('|') for line in done.stdout.splitlines()]

    def rows(self):
        """(pod, interface, address) of all allocations, in the order of the addresses."""
        return [tuple(row) for row in self.sql('SELECT pod_name, interface, ip FROM public.ips ORDER BY ip')]
