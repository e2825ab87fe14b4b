#!/usr/bin/env python3
"""kill -9 of the net plugin, the IPAM plugin, a server process or the whole server, at random moments of ADD and DEL.
An argument (or KILL_ROUNDS) says how many calls. Needs PostgreSQL's server programs and psql."""
import json
import os
import random
import signal
import threading
import time
import unittest

import faults
import pg
import plugin
import tap
from ledger import Ledger

ROUNDS = faults.number('KILL_ROUNDS', 100 if faults.SANITIZED else 200)
PHASE = 100  # calls between two judgements
LOOPS, NODES = 8, 4
POOL = [f'10.2.0.{i + 1}' for i in range(48)]
SEED = int(os.environ.get('KILL_SEED', time.time_ns() % 10**6))


class Caller(threading.Thread):
    """One loop of ADD and DEL, as a runtime does them, that kills what it has started now and then."""

    def __init__(self, test, i):
        super().__init__(daemon=True)
        self.test, self.random, self.node = test, random.Random(SEED + i), f'node{i % NODES}'
        self.name, self.kept, self.error = f'loop{i}', [], None
        self.conf = plugin.net_conf(test.server, {'node': self.node, 'timeout': 8})

    def run(self):
        try:
            while self.test.next_round():
                self.round()
        except BaseException as e:  # pylint: disable=broad-except
            self.error = e
            self.test.todo = 0

    def round(self):
        """One attachment is added, an earlier one of ours removed or forgotten."""
        pod = f'{self.name}-{self.random.getrandbits(40):x}'
        wanted = self.random.sample(POOL, self.random.randint(1, 2))
        if self.add(pod, wanted) not in (0, 100) and self.random.random() < 0.3:
            self.add(pod, wanted)  # the runtime tries again
        self.kept.append(pod)
        while len(self.kept) > 1:
            self.remove(self.kept.pop(self.random.randrange(len(self.kept))))

    def who(self, pod):
        return ('ipam-status', self.node, pod, 'eth0')

    def add(self, pod, wanted):
        ledger, who = self.test.ledger, self.who(pod)
        ledger.doubts(who)
        code, addresses, killed = self.call('ADD', pod, 'IP=' + ','.join(ip + '/24' for ip in wanted))
        if code == 0:
            self.test.expect(sorted(addresses) == sorted(ip + '/24' for ip in wanted), f'{who}: {addresses}')
            ledger.added(who, wanted)
        elif code == 100 and not killed:
            ledger.sure(who)
        return code

    def remove(self, pod):
        """One in five is forgotten: only GC can free what it holds."""
        self.test.ledger.leaves(self.who(pod))
        self.test.ledger.doubts(self.who(pod))
        if self.random.random() < 0.8:
            self.call('DEL', pod)

    def call(self, verb, pod, args=''):
        """Returns code (None: no answer that counts), addresses, and whether we have killed one of them."""
        net = self.random.random() < 0.75
        process = faults.begin(plugin.NET if net else plugin.IPAM, verb, self.conf, container=pod, args=args)
        killed = self.maybe_kill(process, net)
        began = time.monotonic()
        out, err = process.communicate(timeout=30)
        took = time.monotonic() - began
        if killed:
            self.test.killed[killed] += 1
        if killed in ('net', 'alone'):
            self.test.expect(took < 1.5 + faults.SLACK, f'{killed} was killed, the pipes were closed {took:.2f} s later')
        if process.returncode < 0:
            self.test.expect(killed in ('net', 'alone'), f'{verb} ended by signal {-process.returncode}: {err}')
            return None, [], True
        answer = json.loads(out) if out.strip() else {}
        code = answer['code'] if process.returncode else 0
        self.test.expect(code in ((0, 5, 11, 100) if killed else (0, 11, 100)), f'{verb}: {answer} {err}')
        self.test.codes[code] = self.test.codes.get(code, 0) + 1
        return code, [ip['address'] for ip in answer.get('ips', [])] if not code else [], bool(killed)

    def maybe_kill(self, process, net):
        """Which one was killed, if any: net, ipam (under the net plugin), or alone (the IPAM plugin without one)."""
        dice = self.random.random()
        if dice < 0.5:
            return None
        child = faults.child_of(process) if net and dice < 0.75 else None
        time.sleep(self.random.random() * self.test.usual)
        if child:
            faults.kill(child)
            return 'ipam'
        process.kill()
        return 'net' if net else 'alone'


class Kill(unittest.TestCase):
    """The main thread disturbs the server, for the server's end follows the thread that has started it."""

    limit = 200 + ROUNDS

    @classmethod
    def setUpClass(cls):
        cls.server = pg.Server(restart_after_crash='on')
        cls.addClassCleanup(cls.server.close)
        print(f'# seed {SEED}, {ROUNDS} calls')

    def setUp(self):
        self.server.psql('TRUNCATE ips')
        self.lock, self.todo, self.ledger, self.bad, self.codes = threading.Lock(), 0, Ledger(), [], {}
        self.killed = {'net': 0, 'ipam': 0, 'alone': 0, 'backend': 0, 'server': 0}
        self.usual = self.measure()

    def measure(self):
        """What an undisturbed call takes under this load: the time in which kills fall."""
        conf = plugin.net_conf(self.server, {'node': 'measured'})
        took = [faults.call(plugin.NET, verb, conf, args='IP=10.9.9.9/24').seconds for verb in ('ADD', 'DEL') * 4]
        return sorted(took)[len(took) // 2] * 2

    def next_round(self):
        with self.lock:
            self.todo -= 1
            return self.todo >= 0

    def expect(self, true, text):
        if not true:
            with self.lock:
                self.bad.append(text)

    def test_whoever_is_killed_no_address_is_given_twice_and_none_is_lost(self):
        callers = None
        for begun in range(0, ROUNDS, PHASE):
            self.todo = min(PHASE, ROUNDS - begun)
            kept = {c.name: c.kept for c in callers} if callers else {}
            callers = [Caller(self, i) for i in range(LOOPS)]
            for c in callers:
                c.kept = kept.get(c.name, [])
                c.start()
            self.disturb(callers)
            for c in callers:
                c.join()
                if c.error:
                    raise c.error
            self.judge()
        print(f'# {self.ledger.acknowledged} acknowledged, killed {self.killed}, answers {self.codes}')
        for what, times in self.killed.items():
            self.assertGreater(times, 0, f'no {what} was killed')
        self.assertGreater(self.ledger.acknowledged, ROUNDS // 10)

    def disturb(self, callers):
        """Kills a server process or the whole server while they work."""
        rng, turn = random.Random(SEED), 0
        while any(c.is_alive() for c in callers):
            time.sleep(0.2 + rng.random() / 2)
            if turn % 3 == 2:
                self.kill_server()
            else:
                self.kill_backend(rng)
            turn += 1

    def kill_backend(self, rng):
        """The next backend of a caller that shows up."""
        end = time.monotonic() + 2
        while time.monotonic() < end:
            found = [pid for pid in faults.children(self.server.process.pid) if faults.serves(pid, 'cni')]
            if found:
                faults.kill(rng.choice(found), rng.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM]))
                self.killed['backend'] += 1
                return
            time.sleep(0.001)

    def kill_server(self):
        faults.kill_server(self.server)
        self.server.start()
        self.killed['server'] += 1

    def judge(self):
        self.assertEqual([], self.bad)
        faults.nothing_left(self.server)
        self.assertEqual([], self.ledger.judge(self.server))
        for node in (f'node{i}' for i in range(NODES)):
            valid = [{'containerID': pod, 'ifname': ifname} for pod, ifname in self.ledger.held('ipam-status', node)]
            done = faults.call(plugin.NET, 'GC', plugin.net_conf(self.server, {'node': node},
                                                               **{'cni.dev/valid-attachments': valid}))
            self.assertEqual(0, done.code, done.said)
        self.assertEqual([], self.ledger.judge(self.server, exact=True))


class KilledWhileItWaits(unittest.TestCase):
    """Somebody else's uncommitted row holds up an INSERT; then one of the plugins is killed."""

    @classmethod
    def setUpClass(cls):
        cls.server = pg.Server()
        cls.addClassCleanup(cls.server.close)

    def waiting(self, plug, verb='ADD'):
        """A call that waits for the lock of self.session."""
        self.server.psql('TRUNCATE ips')
        self.session = faults.Session(self.server)
        self.addCleanup(self.session.close)
        self.session.say("BEGIN; INSERT INTO ips (network, node, pod_id, interface, ip)"
                         " VALUES ('ipam-status', 'other', 'other', 'eth0', '10.2.0.1/24')")
        process = faults.begin(plug, verb, plugin.net_conf(self.server), args='IP=10.2.0.1/24')
        faults.wait_until(lambda: faults.backends(self.server, "wait_event_type = 'Lock'"), 5, 'it waits for the lock')
        return process

    def ends(self, process, within):
        """Its pipes are closed in time, nothing of it runs, and no row comes once the lock is gone."""
        began = time.monotonic()
        out, _ = process.communicate(timeout=30)
        self.assertLess(time.monotonic() - began, within + faults.SLACK)
        faults.nothing_left(self.server, 3)
        self.session.say('ROLLBACK')
        self.assertEqual([], self.server.psql('SELECT * FROM ips'))
        return out

    def server_that_notices(self):
        """Nothing of ours is left to cancel the statement. PostgreSQL 13 does not notice that a client is gone."""
        if int(self.server.value('SHOW server_version_num')) < 140000:
            self.skipTest('this server does not notice that a client is gone while it waits for a lock')

    def test_the_ipam_plugin_alone(self):
        self.server_that_notices()
        process = self.waiting(plugin.IPAM)
        process.kill()
        self.ends(process, 0.2)

    def test_the_ipam_plugin_under_the_net_plugin(self):
        self.server_that_notices()
        process = self.waiting(plugin.NET)
        faults.kill(faults.child_of(process))
        answer = json.loads(self.ends(process, 0.3))
        self.assertEqual(5, answer['code'], answer)

    def test_the_net_plugin(self):
        process = self.waiting(plugin.NET)
        self.assertIsNotNone(faults.child_of(process))
        process.kill()
        self.ends(process, 1)

    def test_the_net_plugin_is_asked_to_end(self):
        process = self.waiting(plugin.NET)
        process.terminate()
        answer = json.loads(self.ends(process, 1.3))
        self.assertEqual(11, answer['code'], answer)


if __name__ == '__main__':
    tap.main()
