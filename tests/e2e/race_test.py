#!/usr/bin/env python3
"""Callers that fight over the same addresses at the same moment: one winner each, and the table says what the winners
were told. Needs PostgreSQL's server programs and psql. Not run with sanitizers."""
import random
import time
import unittest

import faults
import pg
import plugin
import tap
from ledger import Ledger

CALLERS, NODES, ADDRESSES = 32, 8, 16
POOL = [f'10.1.0.{i + 1}' for i in range(ADDRESSES)]
STALE = ("INSERT INTO ips (network, node, boot_id, created_on, pod_id, interface, ip, position)"
         " SELECT 'ipam-status', 'node0', 'long ago', now() - interval '10 years', {pod}, 'eth0', ip::inet, {position}"
         " FROM unnest(string_to_array('{ips}', ',')) WITH ORDINALITY AS w(ip, n)")


def node_of(i):
    return f'node{i % NODES}'


def who(i, pod):
    return ('ipam-status', node_of(i), pod, 'eth0')


class Races(unittest.TestCase):
    """Each test begins with an empty table."""

    @classmethod
    def setUpClass(cls):
        cls.server = pg.Server(deadlock_timeout='50ms')
        cls.addClassCleanup(cls.server.close)

    def setUp(self):
        self.server.psql('TRUNCATE ips')
        self.random = random.Random(6)

    def tearDown(self):
        faults.nothing_left(self.server)

    def call(self, verb, i, pod, addresses=(), net=True):
        """A call of caller i; node0 is always itself, whoever calls for it."""
        conf = plugin.net_conf(self.server, {'node': node_of(i)})
        return faults.call(plugin.NET if net else plugin.IPAM, verb, conf, container=pod,
                         args='IP=' + ','.join(a + '/24' for a in addresses) if addresses else '')

    def fight(self, wanted, pod='pod{}'):
        """Caller i adds wanted[i], all at once, every other one without the net plugin. Returns the answers."""
        return faults.at_once([lambda i=i, w=w: self.call('ADD', i, pod.format(i), w, i % 2)
                             for i, w in enumerate(wanted)])

    def judge_fight(self, wanted, answers):
        """The table has the winners' sets and nothing else, and every loser lost to one of them."""
        ledger = Ledger()
        for i, answer in enumerate(answers):
            self.assertIn(answer.code, (0, 100), answer.said)
            if answer.code == 0:
                self.assertEqual([a + '/24' for a in wanted[i]], answer.addresses)
                ledger.added(who(i, f'pod{i}'), wanted[i])
        self.assertEqual([], ledger.judge(self.server, exact=True))
        won = {address for _, address in ledger.holder}
        for i, answer in enumerate(answers):
            if answer.code:
                self.assertTrue(won & set(wanted[i]), f'{wanted[i]} was refused, and nobody has it: {answer.said}')
                self.assertTrue(any(f'address {a} is held by' in answer.said for a in wanted[i]), answer.said)
        return won

    def release(self, answers):
        for answer in faults.at_once([lambda i=i: self.call('DEL', i, f'pod{i}', net=i % 2)
                                    for i in range(len(answers))]):
            self.assertEqual(0, answer.code, answer.said)
        self.assertEqual([], self.server.psql('SELECT * FROM ips'))

    def test_32_callers_on_8_nodes_fight_over_16_addresses_and_each_address_has_one_winner(self):
        for _ in range(2):
            wanted = [[POOL[i % ADDRESSES]] for i in range(CALLERS)]
            answers = self.fight(wanted)
            self.assertEqual(set(POOL), self.judge_fight(wanted, answers))
            self.assertEqual(ADDRESSES, sum(a.code == 0 for a in answers))
            self.release(answers)

    def test_several_addresses_at_once_in_different_orders_never_deadlock(self):
        for _ in range(4):
            wanted = [self.random.sample(POOL, self.random.randint(1, 5)) for _ in range(CALLERS)]
            answers = self.fight(wanted)
            self.assertTrue(self.judge_fight(wanted, answers))
            self.release(answers)

    def test_several_addresses_are_recorded_in_one_order_whatever_the_request_s_is(self):
        """While it waits for the last one of that order, it has the first one already."""
        insert = ("INSERT INTO ips (network, node, pod_id, interface, ip)"
                  " VALUES ('ipam-status', 'other', 'other', '{0}', '{0}')")
        with faults.Session(self.server) as other:
            other.say('BEGIN; ' + insert.format(POOL[1]))
            process = faults.begin(plugin.IPAM, 'ADD', plugin.net_conf(self.server, {'node': 'node0'}), container='ours',
                                 args=f'IP={POOL[1]}/24,{POOL[0]}/24')
            faults.wait_until(lambda: faults.backends(self.server, "wait_event_type = 'Lock'"), 5, 'it waits')
            with self.assertRaisesRegex(pg.PsqlError, 'lock timeout'):
                self.server.psql("SET lock_timeout = '300ms'; " + insert.format(POOL[0]))
            other.say('ROLLBACK')
        self.assertEqual([f'{POOL[1]}/24', f'{POOL[0]}/24'], plugin.finish(process, b'').addresses)

    def test_of_twelve_takeovers_of_one_stale_row_one_wins(self):
        for _ in range(3):
            self.server.psql('TRUNCATE ips;' + STALE.format(pod="'old'", position='n', ips=POOL[0]))
            answers = self.takeovers([POOL[0]] * 12)
            self.assertEqual(1, sum(a.code == 0 for a in answers), [a.said for a in answers])

    def test_takeovers_of_sets_that_overlap_leave_whole_sets(self):
        for _ in range(3):
            self.server.psql('TRUNCATE ips;' + STALE.format(pod="'old' || n", position='1', ips=','.join(POOL)))
            answers = self.takeovers([self.random.sample(POOL, 4) for _ in range(12)])
            self.assertTrue(any(a.code == 0 for a in answers))

    def takeovers(self, wanted):
        """Twelve pods of one node ask for what a pod of an earlier boot has left."""
        wanted = [[w] if isinstance(w, str) else w for w in wanted]
        answers = faults.at_once([lambda i=i, w=w: self.call('ADD', 0, f'new{i}', w, i % 2)
                                for i, w in enumerate(wanted)])
        ledger = Ledger()
        for i, answer in enumerate(answers):
            self.assertIn(answer.code, (0, 100), answer.said)
            if answer.code == 0:
                ledger.added(who(0, f'new{i}'), wanted[i])
        self.assertEqual([], ledger.wrong)
        now = {tuple(r) for r in self.server.psql("SELECT pod_id, host(ip) FROM ips WHERE boot_id <> 'long ago'")}
        self.assertEqual({(at[2], address) for (_, address), at in ledger.holder.items()}, now)
        return answers

    def test_two_takeovers_from_one_old_set_leave_its_attachment_no_room_for_a_second_set(self):
        """The other one takes the second address, and commits while ours, of the first, waits for it."""
        self.server.psql(STALE.format(pod="'old'", position='n', ips=','.join(POOL[:3])))
        with faults.Session(self.server) as other:
            other.say('BEGIN')
            other.say(f"DELETE FROM ips WHERE ip = '{POOL[1]}'")
            other.say(f"INSERT INTO ips (network, node, pod_id, interface, ip)"
                      f" VALUES ('ipam-status', 'node0', 'other', 'eth0', '{POOL[1]}')")
            process = faults.begin(plugin.NET, 'ADD', plugin.net_conf(self.server, {'node': 'node0'}), container='ours',
                                 args=f'IP={POOL[0]}/24')
            faults.wait_until(lambda: faults.backends(self.server, "wait_event_type = 'Lock'"), 5, 'it waits')
            other.say('COMMIT')
        self.assertEqual(0, plugin.finish(process, b'').code)
        self.assertEqual([['old', POOL[2], '1']],
                         self.server.psql("SELECT pod_id, host(ip), position FROM ips WHERE pod_id = 'old'"))
        self.assertEqual(0, self.call('ADD', 0, 'old', [POOL[5]]).code)
        self.assertEqual([[POOL[5]]], self.server.psql("SELECT host(ip) FROM ips WHERE pod_id = 'old'"))

    def test_of_twelve_adds_of_one_attachment_with_different_addresses_one_wins(self):
        for _ in range(3):
            self.server.psql('TRUNCATE ips')
            answers = faults.at_once([lambda i=i: self.call('ADD', 0, 'one', [POOL[i]], i % 2) for i in range(12)])
            self.assertEqual([0] + [101] * 11, sorted(a.code for a in answers), [a.said for a in answers])
            won = [a.addresses for a in answers if a.code == 0]
            self.assertEqual(won, [[ip] for ip, in self.server.psql('SELECT ip FROM ips')])

    def test_twelve_adds_of_one_attachment_with_one_address_all_get_it(self):
        answers = faults.at_once([lambda i=i: self.call('ADD', 0, 'one', POOL[:2], i % 2) for i in range(12)])
        self.assertEqual([[ip + '/24' for ip in POOL[:2]]] * 12, [a.addresses for a in answers])
        self.assertEqual([['2']], self.server.psql('SELECT count(*) FROM ips'))

    def test_callers_that_come_and_go_for_seconds_never_share_an_address(self):
        ledger, end = Ledger(), time.monotonic() + 6
        faults.at_once([lambda i=i: self.come_and_go(i, ledger, end) for i in range(CALLERS // 2)])
        self.assertGreater(ledger.acknowledged, 5)
        self.assertEqual([], ledger.judge(self.server, exact=True))

    def come_and_go(self, i, ledger, end):
        """ADD, now and then once more or with CHECK, then DEL; the last one stays."""
        rng = random.Random(i)
        while True:
            me = who(i, f'pod{i}')
            wanted = rng.sample(POOL, rng.randint(1, 3))
            added = self.call('ADD', i, me[2], wanted, rng.random() < 0.5)
            if added.code != 11 or 'change hands' not in added.said:
                self.assertIn(added.code, (0, 100), added.said)
            if added.code == 0:
                ledger.added(me, wanted)
                if rng.random() < 0.3:
                    again = self.call('ADD', i, me[2], wanted[::-1])
                    self.assertEqual(sorted(added.addresses), sorted(again.addresses))
            if time.monotonic() > end:
                return
            ledger.leaves(me)
            self.assertEqual(0, self.call('DEL', i, me[2], net=rng.random() < 0.5).code)


if __name__ == '__main__':
    tap.main()
