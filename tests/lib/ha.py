"""The faults of tests/ha.sh, which says what this needs. A test each: loops of ADD and DEL go on while the cluster loses
its primary, and the table of whoever leads afterwards must be what the callers were told. How long nobody could write is
told by loops of psql; where that was a second less than a call's time, no call may have failed."""
import atexit
import contextlib
import glob
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import threading
import time
import unittest
import urllib.request

import faults
import pg
import plugin
import pooler
import tap
from ledger import Ledger

ROOT = os.environ.get('IPAM_HA_ROOT', '/')
MEMBERS, LOOPS, TTL, TIMEOUT = 3, 8, 5, 10


def example(name, places):
    """A file of examples/ha, with its places replaced by ours: each of them must be there."""
    with open(os.path.join(pg.ROOT, 'examples', 'ha', name), encoding='utf-8') as f:
        text = f.read()
    for place, ours in places.items():
        assert place in text, f'examples/ha/{name} has no {place}'
        text = text.replace(place, str(ours))
    return text


def network(name, **ipam):
    """The configuration that libcni makes of a conflist of examples/ha, with other keys in its ipam object."""
    conflist = json.loads(example(name, {}))
    conf = {'cniVersion': conflist['cniVersion'], 'name': conflist['name'], **conflist['plugins'][0]}
    assert set(ipam) - {'node', 'port'} <= set(conf['ipam']), f'examples/ha/{name} has no {ipam}'
    return {**conf, 'ipam': {**conf['ipam'], **ipam}}


class Member:
    """One Patroni and its PostgreSQL. Looks enough like a pg.Server for psql()."""

    psql, value, conninfo, script = pg.Server.psql, pg.Server.value, pg.Server.conninfo, pg.Server.script

    def __init__(self, cluster, number):
        self.dir, self.name, self.host, self.password = cluster.dir, f'n{number}', '127.0.0.1', cluster.secret
        self.port, self.rest, self.patroni = pg.free_port(), pg.free_port(), None
        self.cluster, self.file = cluster, os.path.join(cluster.dir, f'n{number}.yml')
        with open(self.file, 'w', encoding='utf-8') as f:
            f.write(example('patroni.yml', {
                'name: db1': f'name: {self.name}', 'db1.example:8008': f'127.0.0.1:{self.rest}',
                'db1.example:5432': f'127.0.0.1:{self.port}', 'etcd1.example:2379': f'127.0.0.1:{cluster.etcd_port}',
                '/var/lib/postgresql/ipam': f'{self.dir}/{self.name}', '/usr/lib/postgresql/15/bin': pg.bindir(),
                '/var/lib/postgresql/patroni.pgpass': f'{self.dir}/pgpass-{self.name}',
                '/var/run/postgresql': self.dir, 'change-me': cluster.secret}))

    def start(self):
        self.patroni = self.cluster.run('/usr/bin/python3', f'{ROOT}/usr/bin/patroni', self.file, log=self.name)

    def postgres(self):
        """Pids of its server's processes."""
        try:
            with open(f'{self.dir}/{self.name}/postmaster.pid', encoding='ascii') as f:
                pid = int(f.readline())
        except (OSError, ValueError):
            return []
        return faults.tree(pid) if faults.runs(pid) else []

    def leads(self):
        try:
            with urllib.request.urlopen(f'http://127.0.0.1:{self.rest}/primary', timeout=2) as answer:
                return answer.status == 200
        except OSError:
            return False

    def signal(self, signo, patroni=True, postgres=True):
        """To Patroni first: it would notice what happens to its server."""
        if patroni and self.patroni.poll() is None:
            self.patroni.send_signal(signo)
        for pid in self.postgres() if postgres else []:
            faults.kill(pid, signo)
        if patroni and signo == signal.SIGKILL:
            self.patroni.wait(10)


class Cluster:
    """etcd and the members; provisioned and with a synchronous standby once start() returns."""

    def __init__(self):
        self.dir, self.secret, self.etcd_port = pg.owned_tempdir('ipam-ha.'), secrets.token_hex(8), pg.free_port()
        self.members = [Member(self, i + 1) for i in range(MEMBERS)]
        self.passfile = os.path.join(self.dir, 'pgpass')
        with open(os.open(self.passfile, os.O_WRONLY | os.O_CREAT, 0o600), 'w', encoding='utf-8') as f:
            f.write(f'*:*:ipam:cni:{self.secret}\n')
        self.processes = []
        atexit.register(self.close)

    def run(self, *argv, log):
        """A program of the cluster's, as the servers' user, with nothing of our environment."""
        with open(os.path.join(self.dir, f'{log}.log'), 'ab') as out:
            process = subprocess.Popen(
                argv, cwd='/', stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                env={'HOME': '/tmp', 'PATH': '/usr/bin:/bin', 'LC_ALL': 'C.UTF-8',
                     'PYTHONPATH': f'{ROOT}/usr/lib/python3/dist-packages',
                     'LD_LIBRARY_PATH': ':'.join(glob.glob(f'{ROOT}/usr/lib/*-linux-gnu'))}, **pg.as_postgres())
        self.processes.append(process)
        return process

    def start(self):
        at, peer = (f'http://127.0.0.1:{port}' for port in (self.etcd_port, pg.free_port()))
        # The second version of its interface: with the third one this Patroni can lose acknowledged rows.
        self.run(f'{ROOT}/usr/bin/etcd', '--enable-v2', '--name', 'e1', '--data-dir', f'{self.dir}/etcd',
                 '--listen-client-urls', at, '--advertise-client-urls', at, '--listen-peer-urls', peer,
                 '--initial-advertise-peer-urls', peer, '--initial-cluster', f'e1={peer}', log='etcd')
        faults.wait_until(lambda: self._healthy(at), 30, 'etcd answers')
        for member in self.members:
            member.start()
        faults.wait_until(self.whole, 120, f'the cluster is whole (see {self.dir})')
        leader = self.leader()
        leader.script(pg.PROVISION, leader.conninfo(), IPAM_PASSWORD=self.secret)

    @staticmethod
    def _healthy(at):
        try:
            with urllib.request.urlopen(at + '/health', timeout=2) as answer:
                return b'true' in answer.read()
        except OSError:
            return False

    def leader(self):
        return next((m for m in self.members if m.leads()), None)

    def whole(self):
        """A leader, a synchronous standby, and everybody follows."""
        leader = self.leader()
        if not leader:
            return False
        with urllib.request.urlopen(f'http://127.0.0.1:{leader.rest}/cluster', timeout=5) as answer:
            roles = [(m['role'], m['state']) for m in json.load(answer)['members']]
        return len(roles) == MEMBERS and any(role == 'sync_standby' for role, _ in roles) and all(
            state in ('running', 'streaming') for _, state in roles)

    def close(self):
        for member in self.members:
            if member.patroni:
                member.signal(signal.SIGCONT)
                member.signal(signal.SIGKILL)
        for process in self.processes:
            process.kill()
            process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)
        atexit.unregister(self.close)


class Sidecar:
    """What stands on a container host: a pooler, and HAProxy behind it, which knows who leads. It is one of the places where
    the database may be."""

    def __init__(self, cluster):
        self.port = pg.free_port()
        members = {f'db{i + 1}.example:5432 check port 8008': f'127.0.0.1:{m.port} check port {m.rest}'
                   for i, m in enumerate(cluster.members)}
        file = os.path.join(cluster.dir, 'haproxy.cfg')
        with open(file, 'w', encoding='utf-8') as f:
            f.write(example('haproxy.cfg', {'127.0.0.1:15432': f'127.0.0.1:{self.port}', **members}))
        cluster.run(f'{ROOT}/usr/sbin/haproxy', '-db', '-f', file, log='haproxy')
        self.pooler = pooler.Pooler(cluster.leader(), host='127.0.0.1', port=self.port)
        self.places = [(self.pooler.dir, self.pooler.port)]
        self.conf = network('pooler.conflist', host=self.pooler.dir, port=self.pooler.port, passfile=cluster.passfile, node='n')


class Writers:
    """What a plain client sees: a loop of psql for each place where the database may be. It writes what needs no table and no
    right, and waits for the standby as any commit does."""

    WRITE = "SELECT pg_catalog.pg_logical_emit_message(true, 'outage', '')"

    def __init__(self, places, password):
        self.places, self.password = places, password
        self.stop, self.lock, self.gap, self.last = threading.Event(), threading.Lock(), 0, time.monotonic()
        self.threads = [threading.Thread(target=self.loop, args=place, daemon=True) for place in places]

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for t in self.threads:
            t.join()

    def loop(self, host, port):
        where = f'host={host} port={port} user=cni dbname=ipam'
        while not self.stop.wait(0.05):
            done = subprocess.run(['timeout', '-s', 'KILL', '5', f'{pg.bindir()}/psql', '-XqAtd', where, '-c', self.WRITE],
                                  env=pg.clean_env(PGPASSWORD=self.password), stdin=subprocess.DEVNULL, capture_output=True, check=False)
            if done.returncode == 0 and not done.stderr:
                self.outage()
                with self.lock:
                    self.last = time.monotonic()

    def begin(self):
        """From now on the longest time without a write is measured."""
        with self.lock:
            self.gap, self.last = 0, time.monotonic()

    def outage(self):
        """The longest so far."""
        with self.lock:
            self.gap = max(self.gap, time.monotonic() - self.last)
            return self.gap


@contextlib.contextmanager
def all_cores_are_used():
    """By another program, one process a core and two at least."""
    others = [subprocess.Popen(['sh', '-c', 'while :; do :; done'], cwd='/', **pg.as_postgres(signal.SIGKILL))
              for _ in range(max(2, os.cpu_count()))]
    try:
        yield
    finally:
        for process in others:
            process.kill()
            process.wait()


class Loops:
    """ADD and DEL by the whole list of hosts, or by a Sidecar; every tenth attachment stays."""

    def __init__(self, cluster, test_name, sidecar=None):
        self.places = sidecar.places if sidecar else [(m.host, m.port) for m in cluster.members]
        hosts, ports = (','.join(str(of[i]) for of in self.places) for i in (0, 1))
        self.conf = sidecar.conf if sidecar else network('hosts.conflist', host=hosts, port=ports, passfile=cluster.passfile, node='n')
        self.ledger, self.failed, self.times = Ledger(), [], []
        self.stop, self.lock, self.name = threading.Event(), threading.Lock(), re.sub('[^a-z]', '', test_name)
        self.threads = [threading.Thread(target=self.loop, args=(i,), daemon=True) for i in range(LOOPS)]

    def __enter__(self):
        for t in self.threads:
            t.start()
        time.sleep(2)
        return self

    def __exit__(self, *_):
        self.stop.set()
        for t in self.threads:
            t.join()

    def call(self, verb, pod, address):
        answer = faults.call(plugin.NET, verb, self.conf, args=f'IP={address}/16', container=pod)
        with self.lock:
            self.times.append(answer.seconds)
            if answer.code:
                self.failed.append(f'{answer.code}: {verb} after {answer.seconds:.1f} s: {answer.said}')
        return answer.code

    def loop(self, i):
        for n in range(10**6):
            who = (self.conf['name'], 'n', f'{self.name}-{i}-{n}', 'eth0')
            address = f'10.{i + 10}.{n // 2500}.{n // 10 % 250 + 1}'
            self.ledger.doubts(who)
            if self.call('ADD', who[2], address) == 0:
                self.ledger.added(who, [address])
                self.ledger.sure(who)
            if self.stop.is_set():
                return
            if n % 10 == 9:
                continue
            self.ledger.leaves(who)
            self.ledger.doubts(who)
            if self.call('DEL', who[2], address) == 0:
                self.ledger.sure(who)


class Quiet(unittest.TestCase):
    """A cluster each, which is whole at the beginning and after the fault."""

    limit = 600
    busy = False

    def setUp(self):
        self.cluster = Cluster()
        self.addCleanup(self.cluster.close)
        began = time.monotonic()
        self.cluster.start()
        print(f'# the cluster is whole after {time.monotonic() - began:.0f} s', flush=True)

    def through(self, fault, heal, seconds=TTL + 12, sidecar=None):
        """Loops while the fault happens and for so long; heals; compares with the leader's table, before and after GC."""
        loops = Loops(self.cluster, self._testMethodName, sidecar)
        writers = Writers(loops.places, self.cluster.secret)
        with all_cores_are_used() if self.busy else contextlib.nullcontext(), writers, loops:
            old = self.cluster.leader()
            writers.begin()
            fault(old)
            time.sleep(seconds)
            heal(old)
            faults.wait_until(self.cluster.whole, 240, f'the cluster is whole again (see {self.cluster.dir})')
            time.sleep(1)
            outage = writers.outage()
        print(f'# nobody could write for {outage:.1f} s; {len(loops.times)} calls, the slowest took {max(loops.times):.1f} s, '
              f'{len(loops.failed)} failed, {loops.ledger.acknowledged} ADDs were acknowledged', flush=True)
        leader = self.cluster.leader()
        faults.wait_until(lambda: not faults.marked(), 5, 'no process is left')
        self.assertEqual([], loops.ledger.judge(leader))
        valid = [{'containerID': pod, 'ifname': ifname} for pod, ifname in loops.ledger.held(loops.conf['name'], 'n')]
        done = faults.call(plugin.NET, 'GC', {**loops.conf, 'cni.dev/valid-attachments': valid})
        self.assertEqual(0, done.code, done.said)
        self.assertEqual([], loops.ledger.judge(leader, exact=True))
        self.judge_failures(loops.failed, outage)
        self.assertLess(max(loops.times), TIMEOUT + 1 + faults.SLACK + self.busy)
        return old, leader

    def judge_failures(self, failed, outage):
        if outage < TIMEOUT - 1:
            self.assertEqual([], failed)
        else:
            print(f'# calls may fail, since an outage of {outage:.1f} s is longer than they try', flush=True)
            self.assertEqual([], [words for words in failed if not words.startswith('11: ')])

    def moved(self, old_and_new):
        self.assertNotEqual(*(m.name for m in old_and_new), 'another member leads now')

    @staticmethod
    def start(member):
        member.start()

    def test_postgres_and_Patroni_are_killed(self):
        self.moved(self.through(lambda m: m.signal(signal.SIGKILL), self.start))

    def test_postgres_and_Patroni_are_killed_behind_a_pooler(self):
        sidecar = Sidecar(self.cluster)
        self.addCleanup(sidecar.pooler.close)
        self.moved(self.through(lambda m: m.signal(signal.SIGKILL), self.start, sidecar=sidecar))

    def test_postgres_alone_is_killed(self):
        self.through(lambda m: m.signal(signal.SIGKILL, patroni=False), lambda m: None)

    def test_both_stand_still_and_come_back(self):
        self.moved(self.through(lambda m: m.signal(signal.SIGSTOP), lambda m: m.signal(signal.SIGCONT)))

    def test_Patroni_is_killed_and_its_postgres_believes_that_it_leads(self):
        """A Patroni that comes back takes the name of the standby out of the old server's settings before it ends that
        server: what waits there for the standby is then acknowledged, and lost. So the old server is ended first."""
        def fence(member):
            member.signal(signal.SIGKILL, patroni=False)
            member.start()
        self.moved(self.through(lambda m: m.signal(signal.SIGKILL, postgres=False), fence))

    def test_switchover(self):
        def switch(member):
            request = urllib.request.Request(f'http://127.0.0.1:{member.rest}/switchover', method='POST',
                                             data=json.dumps({'leader': member.name}).encode())
            with urllib.request.urlopen(request, timeout=60) as answer:
                self.assertEqual(200, answer.status)
        self.moved(self.through(switch, lambda m: None, 5))


class Busy(Quiet):
    """The same while another program uses all cores."""

    busy = True


if __name__ == '__main__':
    tap.main()
