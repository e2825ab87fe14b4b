#!/usr/bin/env python3
"""A thousand hosts on one database: ADD, DEL, CHECK, GC and crashes with reboots, at random and several at once. An
argument (or HOSTS_SECONDS) says how long. Needs root for namespaces, PostgreSQL's server programs and psql.
Not run with sanitizers.

A boot is a mount namespace with a boot id (and a machine id) of its own and a time namespace in which the uptime began
at zero. A host that has crashed comes up again in a boot that began after the crash, as a real one does. Most hosts
have a node name in their configuration and share boots; some are known by their machine id and have boots of their own.
In one of the networks most pods ask for nothing: their addresses are picked.
"""
import os
import random
import subprocess
import tempfile
import threading
import time
import unittest
import uuid

import faults
import pg
import plugin
import tap
from ledger import Ledger

SECONDS = faults.number('HOSTS_SECONDS', 30)
NAMED, MACHINES, WORKERS = 990, 10, 6
BUSY = 100  # so many hosts in a row have something to do at a time; the row moves over all of them
PICKED = 'grey'
NETWORKS = ('blue', 'green', PICKED)
# Less addresses than would be wanted, so that hosts meet.
POOL = [f'10.3.{i // 250}.{i % 250 + 1}' for i in range(500)]
RANGES = [[{'subnet': '10.4.0.0/24'}, {'subnet': '10.4.1.0/24'}]]
SET = [f'10.4.{i // 253}.{i % 253 + 2}' for i in range(506)]
RELEASES = 4 * WORKERS  # so many others may have released while one was told that the set is full
SEED = int(os.environ.get('HOSTS_SEED', time.time_ns() % 10**6))
ENTER = '''echo "$1" >"$0/boot_id" && mount --bind "$0/boot_id" /proc/sys/kernel/random/boot_id &&
    { [ -z "$2" ] || { echo "$2" >"$0/machine-id" && mount --bind "$0/machine-id" /etc/machine-id; }; } &&
    rm -r "$0" && echo up && exec cat'''


class Boot:
    """Namespaces that a waiting process keeps, until we close its stdin or have gone."""

    def __init__(self, machine_id=''):
        back = int(time.clock_gettime(time.CLOCK_BOOTTIME))
        self.process = subprocess.Popen(
            ['unshare', '--mount', '--propagation', 'private', '--time', '--boottime', str(-back), 'sh', '-c', ENTER,
             tempfile.mkdtemp(prefix='ipam-boot.'), str(uuid.uuid4()), machine_id], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != 'up\n':
            raise RuntimeError('cannot make the namespaces of a boot')
        # The uptime is a fraction of a second by now: that is when this boot began.
        self.began = time.monotonic() - (time.clock_gettime(time.CLOCK_BOOTTIME) - back)

    def enter(self):
        """What stands in front of a program to run it there."""
        ns = f'/proc/{self.process.pid}/ns'
        return ['nsenter', f'--mount={ns}/mnt', f'--time={ns}/time', '--']

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


class Host:
    """One host; whoever works on it has its lock."""

    def __init__(self, i, boot):
        self.named, self.machine_id = i < NAMED, '' if i < NAMED else uuid.uuid4().hex
        self.node = f'host{i}' if self.named else os.uname().nodename
        self.key = self.node if self.named else self.machine_id
        self.boot = boot or Boot(self.machine_id)
        self.lock, self.down, self.pods, self.serial = threading.Lock(), None, {}, 0
        self.left = []  # addresses that the last crash has left behind

    def conf(self, server, network, **keys):
        ranges = RANGES if network == PICKED else None
        return plugin.net_conf(server, {'node': self.node if self.named else None, 'ranges': ranges}, name=network, **keys)

    def crash(self):
        """All network namespaces are gone; nobody tells the database."""
        self.down = time.monotonic()

    def come_up(self, boot):
        self.boot, self.down = boot, None


class World:
    """All hosts, the boot that named hosts come up in, and what they were told."""

    def __init__(self, server):
        self.server, self.ledger, self.lock = server, Ledger(), threading.Lock()
        self.boots = [Boot()]
        self.hosts = [Host(i, self.boots[0] if i < NAMED else None) for i in range(NAMED + MACHINES)]
        self.bad, self.counts = [], {}

    def close(self):
        for boot in self.boots + [h.boot for h in self.hosts if not h.named]:
            boot.close()

    def new_boot(self):
        """The next ones come up in this. Old boots end when nobody lives in them."""
        with self.lock:
            self.boots.append(Boot())
            used = {id(h.boot) for h in self.hosts} | {id(self.boots[-1])}
            for boot in [b for b in self.boots if id(b) not in used]:
                self.boots.remove(boot)
                boot.close()

    def expect(self, true, text):
        if not true:
            with self.lock:
                self.bad.append(text)

    def count(self, what):
        with self.lock:
            self.counts[what] = self.counts.get(what, 0) + 1

    def call(self, host, verb, network, pod='', args='', keys=None):
        answer = faults.call(plugin.NET, verb, host.conf(self.server, network, **(keys or {})), container=pod, args=args,
                           through=host.boot.enter())
        self.count(f'{verb} {answer.code}')
        return answer


class Worker(threading.Thread):
    """Picks a host, does something there, picks the next one."""

    def __init__(self, world, i, end):
        super().__init__(daemon=True)
        self.world, self.random, self.end, self.error = world, random.Random(SEED + i), end, None
        self.began = time.monotonic()

    def pick(self):
        """One of those that are busy at the moment, or of those that are known by their machine id."""
        if self.random.random() < 0.15:
            return self.random.choice(self.world.hosts[NAMED:])
        passed = (time.monotonic() - self.began) / max(self.end - self.began, 1)
        return self.world.hosts[(int(passed * NAMED) + self.random.randrange(BUSY)) % NAMED]

    def run(self):
        try:
            while time.monotonic() < self.end:
                host = self.pick()
                if host.lock.acquire(blocking=False):
                    try:
                        self.work(host)
                    finally:
                        host.lock.release()
        except BaseException as e:  # pylint: disable=broad-except
            self.error = e

    def who(self, host, pod):
        return (host.pods[pod], host.node, pod, 'eth0')

    def work(self, host):
        if host.down:
            self.come_up(host)
            return
        for _ in range(self.random.randint(1, 3)):
            dice = self.random.random()
            if dice < 0.6 or not host.pods:
                self.add(host)
            elif dice < 0.9:
                self.delete(host, self.random.choice(list(host.pods)))
            else:
                self.collect(host)
        if self.random.random() < 0.25:
            for pod in host.pods:
                who = self.who(host, pod)
                host.left += self.world.ledger.holds(who)
                self.world.ledger.leaves(who)
                self.world.ledger.doubts(who)
            host.crash()

    def come_up(self, host, resume=True):
        """Where a boot has begun since the crash; then what was there before comes again, or GC, or neither."""
        if not host.named:
            old, fresh = host.boot, Boot(host.machine_id)
            if fresh.began < host.down:  # the uptime began with a whole second, before the crash
                fresh.close()
                return
            host.come_up(fresh)
            old.close()
        else:
            with self.world.lock:
                boot = self.world.boots[-1]
                if boot.began <= host.down:
                    return
                host.come_up(boot)
        self.world.count('reboots')
        before, dice = dict(host.pods), self.random.random() if resume else 1
        if dice < 0.3:  # as podman: the same attachments again, in the order in which they come
            for pod in before:
                self.add(host, pod)
        host.pods = {pod: network for pod, network in host.pods.items() if self.world.ledger.holds(self.who(host, pod))}
        if 0.3 <= dice < 0.6:  # as CRI-O: GC at its start
            self.collect(host)

    def wants(self, host, network, pod):
        """CNI_ARGS: one or two addresses, at times left ones; where they are picked mostly none, by a name that comes back."""
        if network == PICKED and self.random.random() < 0.8:
            return self.random.choice(('', f'K8S_POD_NAMESPACE=ns;K8S_POD_NAME={host.key}-web-{pod[-1]}'))
        pool = [ip for ip in host.left if (ip in SET) == (network == PICKED)]
        if not pool or self.random.random() < 0.3:
            pool = SET if network == PICKED else POOL
        wanted = self.random.sample(pool, min(len(pool), self.random.randint(1, 2)))
        return 'IP=' + ','.join(f'{ip}/{24 if network == PICKED else 16}' for ip in dict.fromkeys(wanted))

    def refused_for_want_of_room(self, pod):
        """103, and it was true."""
        self.world.count('full')
        held = self.world.server.value(f"SELECT count(*) FROM ips WHERE network = '{PICKED}'")
        self.world.expect(int(held) >= len(SET) - RELEASES, f'ADD {pod} was refused, and {held} of {len(SET)} are held')

    def add(self, host, pod=None):
        """A pod, new or the one of before the reboot."""
        ledger, again = self.world.ledger, pod is not None
        if not again:
            host.serial += 1
            pod = f'{host.key}-{host.serial}'
            host.pods[pod] = self.random.choice(NETWORKS)
        args = self.wants(host, host.pods[pod], pod)
        answer = self.world.call(host, 'ADD', host.pods[pod], pod, args)
        if answer.code == 103 and 'IP=' not in args:
            self.refused_for_want_of_room(pod)
        else:
            self.world.expect(answer.code in (0, 100), f'ADD {pod}: {answer.said}')
        if answer.code == 0 and 'IP=' not in args and host.pods[pod] == PICKED:
            self.world.count('picked')
        self.world.expect('share' not in answer.said, f'ADD {pod}: {answer.said}')
        if answer.code == 0:
            ledger.added(self.who(host, pod), [ip.split('/')[0] for ip in answer.addresses])
        elif not again:
            ledger.sure(self.who(host, pod))
            del host.pods[pod]

    def delete(self, host, pod):
        who = self.who(host, pod)
        self.world.ledger.leaves(who)
        answer = self.world.call(host, 'DEL', who[0], pod)
        self.world.expect(answer.code == 0, f'DEL {pod}: {answer.said}')
        self.world.ledger.sure(who)
        del host.pods[pod]

    def collect(self, host):
        """GC of all networks; now and then a pod that nobody remembers is not in its list."""
        if host.pods and self.random.random() < 0.5:
            forgotten = self.random.choice(list(host.pods))
            self.world.ledger.leaves(self.who(host, forgotten))
            self.world.ledger.doubts(self.who(host, forgotten))
            del host.pods[forgotten]
        for network in NETWORKS:
            gc(self.world, host, network)
        host.left = []


def gc(world, host, network):
    valid = [{'containerID': pod, 'ifname': 'eth0'} for pod, at in host.pods.items() if at == network]
    answer = world.call(host, 'GC', network, keys={'cni.dev/valid-attachments': valid})
    world.expect(answer.code == 0, f'GC {host.key}: {answer.said}')
    world.expect('share the name' not in answer.stderr, f'GC {host.key}: {answer.stderr}')
    with world.ledger.lock:
        world.ledger.doubt = {at for at in world.ledger.doubt
                              if at[:2] != (network, host.node) or not at[2].startswith(host.key + '-')}


class Hosts(unittest.TestCase):
    """One long story."""

    limit = SECONDS + 400

    @classmethod
    def setUpClass(cls):
        cls.server = pg.Server()
        cls.addClassCleanup(cls.server.close)
        print(f'# seed {SEED}, {SECONDS} s')

    def test_a_thousand_hosts_share_a_database_and_no_address(self):
        world = World(self.server)
        self.addCleanup(world.close)
        end = time.monotonic() + SECONDS * 0.75
        workers = [Worker(world, i, end) for i in range(WORKERS)]
        for w in workers:
            w.start()
        while any(w.is_alive() for w in workers):
            time.sleep(1.2)
            world.new_boot()
        for w in workers:
            w.join()
            if w.error:
                raise w.error
        self.assertEqual([], world.bad[:10])
        self.assertEqual([], world.ledger.judge(self.server))
        self.finish(world)
        print(f'# {dict(sorted(world.counts.items()))}')
        for what in ('ADD 0', 'ADD 100', 'picked', 'DEL 0', 'GC 0', 'reboots'):
            self.assertGreater(world.counts.get(what, 0), 5, what)
        faults.nothing_left(self.server)

    def finish(self, world):
        """GC of everything that the table knows: then it is what they were told, exactly."""
        time.sleep(1.1)
        world.new_boot()
        known = {tuple(row) for row in self.server.psql('SELECT DISTINCT node, host_id, network FROM ips')}
        todo = [(host, network) for host in world.hosts for network in NETWORKS
                if (host.node, host.machine_id, network) in known]
        faults.at_once([lambda some=todo[i::WORKERS]: self.finish_some(world, some) for i in range(WORKERS)])
        self.assertEqual([], world.bad[:10])
        self.assertEqual([], world.ledger.judge(self.server, exact=True))

    @staticmethod
    def finish_some(world, todo):
        worker = Worker(world, 0, 0)
        for host, network in todo:
            with host.lock:
                while host.down:
                    worker.come_up(host, resume=False)
                host.pods = {pod: at for pod, at in host.pods.items() if world.ledger.holds((at, host.node, pod, 'eth0'))}
                gc(world, host, network)


if __name__ == '__main__':
    tap.main()
