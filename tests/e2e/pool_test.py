#!/usr/bin/env python3
"""As many pods as addresses, many at once from many nodes, with kills and with reboots: the model of acknowledged calls
says whether anybody was told something wrong or was refused while there was room. Needs PostgreSQL's server programs
and psql. Not run with sanitizers.

    pool_test.py [ADDRESSES] [WORD]     also POOL_ADDRESSES; without it a small set
"""
import ipaddress
import random
import signal
import threading
import time
import unittest
from concurrent.futures import ThreadPoolExecutor

import faults
import pg
import plugin
import tap
from ledger import Ledger

ADDRESSES = faults.number('POOL_ADDRESSES', 60)
CALLERS, NODES = 32, min(50, ADDRESSES // 4)
NETWORK = 'ipam-status'
FIRST = ipaddress.ip_address('10.64.0.2')
RANGES = [[{'subnet': '10.64.0.0/16', 'rangeStart': str(FIRST), 'rangeEnd': str(FIRST + ADDRESSES - 1)}]]


def node_of(i):
    return f'node{i % NODES}'


def who(i):
    return (NETWORK, node_of(i), f'pod{i}', 'eth0')


class Pool(unittest.TestCase):
    """Each test begins with an empty table."""

    limit = 300 + ADDRESSES

    @classmethod
    def setUpClass(cls):
        cls.server = pg.Server(deadlock_timeout='50ms', max_connections='100')
        cls.addClassCleanup(cls.server.close)

    def setUp(self):
        self.server.psql('TRUNCATE ips')
        self.ledger = Ledger()
        self.random = random.Random(13)

    def tearDown(self):
        faults.nothing_left(self.server)

    def conf(self, i, **more):
        return plugin.net_conf(self.server, {'node': node_of(i), 'ranges': RANGES, 'timeout': 60, **more})

    def how(self, i):
        """A named pod, every third one without a name."""
        return {'container': f'pod{i}', 'args': '' if i % 3 == 0 else f'K8S_POD_NAMESPACE=ns{i % 7};K8S_POD_NAME=pod{i}'}

    def add(self, i):
        answer = faults.call(plugin.NET if i % 2 else plugin.IPAM, 'ADD', self.conf(i), **self.how(i))
        if answer.code == 0:
            self.ledger.added(who(i), [a.split('/')[0] for a in answer.addresses])
        return answer

    def delete(self, i):
        self.ledger.leaves(who(i))
        return faults.call(plugin.NET if i % 2 else plugin.IPAM, 'DEL', self.conf(i), **self.how(i))

    def gc(self, node):
        """GC of a node with what the model says that it holds."""
        valid = [{'containerID': pod, 'ifname': interface} for pod, interface in self.ledger.held(NETWORK, node_of(node))]
        answer = faults.call(plugin.IPAM, 'GC', {**self.conf(node), 'cni.dev/valid-attachments': valid})
        self.assertEqual(0, answer.code, answer.said)

    @staticmethod
    def many(work, items):
        """Runs work(i) for all of them, so many at once."""
        with ThreadPoolExecutor(CALLERS) as pool:
            return list(pool.map(work, items))

    def all_get_one(self, pods):
        answers = self.many(self.add, pods)
        self.assertEqual([], [a.said for a in answers if a.code])
        return answers

    def test_as_many_pods_as_addresses_twice(self):
        for _ in range(2):
            began = time.monotonic()
            self.all_get_one(range(ADDRESSES))
            print(f'# {ADDRESSES} pods on {ADDRESSES} addresses: {time.monotonic() - began:.1f} s')
            self.assertEqual([], self.ledger.judge(self.server, exact=True))
            self.assertEqual(ADDRESSES, len(self.ledger.holder))
            self.assertEqual([103] * 5, [self.add(ADDRESSES + i).code for i in range(5)])
            self.assertEqual([0] * ADDRESSES, [a.code for a in self.many(self.delete, range(ADDRESSES))])
            self.assertEqual([], self.server.psql('SELECT * FROM ips'))

    def test_pods_come_back_to_their_address_in_any_order(self):
        few = range(ADDRESSES // 10)
        before = {i: self.add(i).addresses for i in few}
        self.many(self.delete, few)
        again = {i: self.add(i).addresses for i in self.random.sample(few, len(few))}
        self.assertGreater(sum(before[i] == again[i] for i in few), len(few) * 3 // 4)

    def test_with_kills_at_any_moment(self):
        """Whoever is killed is in doubt until its node's GC; then as many fit as there are addresses."""
        end = threading.Event()
        self.kills_due = threading.Semaphore(0)
        killer = threading.Thread(target=self.kill_when_due, args=(end,))
        killer.start()
        try:
            self.many(self.come_until_told, range(ADDRESSES * 9 // 10))
        finally:
            end.set()
            killer.join()
        faults.nothing_left(self.server)
        for node in range(NODES):
            self.gc(node)
        self.ledger.doubt.clear()
        self.assertEqual([], self.ledger.judge(self.server, exact=True))
        self.all_get_one(range(ADDRESSES * 9 // 10, ADDRESSES))
        self.assertEqual(ADDRESSES, len(self.ledger.holder))

    def kill_when_due(self, end):
        """A kill for every third call, at any moment and of any process: how fast the machine is does not matter."""
        while not end.is_set():
            if self.kills_due.acquire(timeout=0.1):
                end.wait(self.random.uniform(0, 0.02))
                pids = list(faults.marked())
                if pids:
                    faults.kill(self.random.choice(pids), self.random.choice((signal.SIGKILL, signal.SIGTERM)))

    def come_until_told(self, i):
        """ADD until somebody says how it ended; now and then DEL, and again."""
        rng = random.Random(i)
        end = time.monotonic() + 120
        while time.monotonic() < end:
            self.ledger.doubts(who(i))
            answer = self.call_that_may_die('ADD', i)
            if answer and answer.code == 0:
                self.ledger.added(who(i), [a.split('/')[0] for a in answer.addresses])
                if rng.random() < 0.7:
                    return
                self.ledger.leaves(who(i))
                self.call_that_may_die('DEL', i)
            elif answer:
                self.assertIn(answer.code, (5, 11, 103), answer.said)
        self.fail(f'{who(i)} got nothing for two minutes')

    def call_that_may_die(self, verb, i):
        if self.random.random() < 1 / 3:
            self.kills_due.release()
        try:
            answer = faults.call(plugin.NET if i % 2 else plugin.IPAM, verb, self.conf(i), **self.how(i))
        except ValueError:
            return None     # killed in the middle of its answer
        return answer if answer.rc in (0, 1) and (answer.json or verb == 'DEL') else None

    def test_nodes_that_reboot_find_room_in_a_set_that_their_own_rows_fill(self):
        self.all_get_one(range(ADDRESSES))
        rebooted = self.random.sample(range(NODES), NODES // 2)
        for node in rebooted:
            for pod, interface in self.ledger.held(NETWORK, node_of(node)):
                self.ledger.leaves((NETWORK, node_of(node), pod, interface))
            self.server.psql(f"UPDATE ips SET boot_id = 'long ago', created_on = now() - interval '10 years'"
                             f" WHERE node = '{node_of(node)}'")
        gone = [i for i in range(ADDRESSES) if i % NODES in rebooted]
        come_back = self.random.sample(gone, len(gone) // 2)
        before = {row[0]: row[1] for row in self.server.psql('SELECT pod_id, host(ip) FROM ips')}
        again = dict(zip(come_back, self.all_get_one(come_back)))
        self.assertEqual([], [i for i in come_back if again[i].addresses != [f"{before[f'pod{i}']}/16"]])
        others = [i + NODES * ADDRESSES for i in gone if i not in come_back]    # of the same nodes
        self.all_get_one(others)
        self.assertEqual(ADDRESSES, len(self.ledger.holder))
        self.assertEqual([], self.ledger.judge(self.server, exact=True))


if __name__ == '__main__':
    tap.main()
