#!/usr/bin/env python3
"""Everything behind a real pgbouncer in transaction mode, with two connections for all callers. Needs root, pgbouncer and
a PostgreSQL server's programs. Not run with sanitizers."""
import contextlib
import socket
import subprocess
import time
import unittest

import faults
import pg
import plugin
import plugin_case
import tap
from plugin_case import BOTH
from pooler import Pooler, available

A, B = '10.0.0.5/24', 'fd00::5/64'
LOCK = 'BEGIN; LOCK TABLE public.ips IN ACCESS EXCLUSIVE MODE'
SSL_REQUEST = b'\0\0\0\x08\x04\xd2\x16\x2f'
STATE = '''SELECT pg_backend_pid();
SELECT name, setting FROM pg_settings WHERE source = 'session' AND name <> 'application_name' ORDER BY 1;
SELECT name, statement FROM pg_prepared_statements;
SELECT name FROM pg_cursors;
SELECT relname FROM pg_class WHERE relpersistence = 't';
SELECT locktype FROM pg_locks WHERE locktype = 'advisory';
SELECT pg_listening_channels();
'''


def setUpModule():
    if not available():
        raise unittest.SkipTest('no pgbouncer')


class Pooled(plugin_case.PluginCase):
    """ask() goes through self.pooler, by TCP unless self.socket says otherwise."""
    settings = {}
    size = 2
    socket = False

    def setUp(self):
        super().setUp()
        self.pooler = Pooler(self.server, self.size, **self.settings)
        self.addCleanup(self.pooler.close)

    def conf(self, version='1.1.0', ipam=None, more=None):
        where = {'host': self.pooler.dir if self.socket else self.pooler.host, 'port': self.pooler.port}
        return super().conf(version, {**where, **(ipam or {})}, more)

    def stale(self, ip, pod='dead'):
        """What an earlier boot of this host left."""
        self.add(ip, container=pod)
        self.change("boot_id = 'long ago', created_on = now() - interval '10 years'", f"pod_id = '{pod}'")

    def locked(self):
        """Somebody has the table; say('ROLLBACK') gives it back."""
        session = faults.Session(self.server)
        self.addCleanup(session.close)
        session.say(LOCK)
        return session

    def waiting(self):
        return faults.backends(self.server, "wait_event_type = 'Lock'")

    def timed(self, *args, **how):
        began = time.monotonic()
        answer = self.ask(*args, **how)
        return answer, time.monotonic() - began


class ByTcp(Pooled):
    def test_every_verb(self):
        for which in BOTH:
            with self.subTest(which):
                added = self.add(f'{A},{B}', which=which)
                self.assertEqual(self.held(), [A, B])
                self.assertEqual(self.add(f'{A},{B}', which=which).json, added.json)
                self.allowed(self.ask('CHECK', f'{A},{B}', which=which, conf={'prevResult': added.json}))
                self.allowed(self.ask('STATUS', which=which))
                self.refused(self.ask('ADD', A, which=which, container='pod2'), 100, 'pod1')
                self.refused(self.ask('ADD', '10.0.0.6/24', which=which), 101, '10.0.0.5')
                self.refused(self.ask('CHECK', which=which, container='pod2', conf={'prevResult': added.json}), 102)
                self.allowed(self.ask('DEL', which=which))
                self.allowed(self.ask('DEL', which=which))
                self.add(A, which=which)
                self.allowed(self.ask('GC', which=which, conf={'cni.dev/valid-attachments': []}))
                self.assertEqual(self.held(), [])

    def test_what_an_earlier_boot_left_is_taken(self):
        self.stale(A)
        self.add(f'{A},{B}')
        self.assertEqual(self.rows(), [('pod1', 'eth0', A), ('pod1', 'eth0', B)])

    def test_two_hosts_and_the_one_that_writes(self):
        both = {'host': f'{self.pooler.host},{self.pooler.host}', 'port': f'{pg.free_port()},{self.pooler.port}'}
        self.add(A, ipam=both)
        self.allowed(self.ask('STATUS', ipam=both))

    def test_what_is_wrong_is_said_at_once(self):
        for ipam, words in (({'password': 'wrong'}, 'password'), ({'dbname': 'none'}, 'none'), ({'user': 'none'}, 'none')):
            answer, seconds = self.timed('STATUS', ipam=ipam)
            self.refused(answer, 50)
            self.assertLess(seconds, 2 + faults.SLACK, words)

    def test_sixteen_callers_share_two_connections(self):
        pods = [f'pod{i}' for i in range(16)]
        answers = faults.at_once([lambda i=i, pod=pod: self.ask('ADD', f'10.0.0.{i + 1}/24', which=BOTH[i % 2], container=pod)
                                for i, pod in enumerate(pods)])
        for answer in answers:
            self.allowed(answer)
        self.assertEqual(len(self.held()), 16)
        self.assertLessEqual(faults.backends(self.server), 2)
        for answer in faults.at_once([lambda pod=pod: self.ask('DEL', container=pod) for pod in pods]):
            self.allowed(answer)
        self.assertEqual(self.held(), [])

    def test_of_twelve_callers_for_one_address_one_wins(self):
        answers = faults.at_once([lambda i=i: self.ask('ADD', A, container=f'pod{i}') for i in range(12)])
        self.assertEqual(sorted(answer.code for answer in answers), [0] + 11 * [100])
        self.assertEqual(self.held(), [A])

    def test_of_eight_takeovers_of_one_stale_address_one_wins(self):
        self.stale(A)
        answers = faults.at_once([lambda i=i: self.ask('ADD', A, container=f'pod{i}') for i in range(8)])
        self.assertEqual(sorted(answer.code for answer in answers), [0] + 7 * [100])
        winner = [i for i, answer in enumerate(answers) if answer.code == 0][0]
        self.assertEqual(self.rows(), [(f'pod{winner}', 'eth0', A)])

    def test_one_attachment_asked_for_by_eight_at_once_is_one(self):
        answers = faults.at_once([lambda: self.ask('ADD', f'{A},{B}')] * 8)
        for answer in answers:
            self.assertEqual(self.allowed(answer).addresses, [A, B])
        self.assertEqual(self.held(), [A, B])

    def test_a_server_that_was_restarted_behind_it(self):
        self.allowed(self.ask('STATUS'))
        self.server.restart()
        self.add(A)
        self.allowed(self.ask('DEL'))

    def test_what_is_given_up_is_cancelled_through_it(self):
        """Again and again: a pooler must outlive it."""
        session = self.locked()
        for _ in range(6):
            answer, seconds = self.timed('ADD', A, ipam={'timeout': 0.6})
            self.refused(answer, 11)
            self.assertLess(seconds, 1.6 + faults.SLACK)
            faults.wait_until(lambda: self.waiting() == 0, 2, 'nothing of it waits')
            self.assertIsNone(self.pooler.process.poll())
        session.say('ROLLBACK')
        time.sleep(0.3)
        self.assertEqual(self.held(), [])
        self.allowed(self.ask('STATUS'))

    def test_a_caller_that_is_killed_leaves_nothing(self):
        session = self.locked()
        process = plugin.start(plugin.NET, 'ADD', args=f'IP={A}')
        process.stdin.write(plugin.json.dumps(self.conf()).encode())
        process.stdin.close()
        process.stdin = None
        faults.wait_until(lambda: self.waiting() == 1, 5, 'it waits for the lock')
        process.kill()
        process.communicate(timeout=10)
        faults.wait_until(lambda: self.waiting() == 0, 4, 'nothing of it waits')
        session.say('ROLLBACK')
        self.assertEqual(self.held(), [])


class BySocket(ByTcp):
    """What does not depend on the way there is tried once."""
    socket = True
    test_two_hosts_and_the_one_that_writes = test_what_is_wrong_is_said_at_once = None
    test_of_eight_takeovers_of_one_stale_address_one_wins = test_one_attachment_asked_for_by_eight_at_once_is_one = None


class OneConnection(Pooled):
    """So everybody has the same one."""
    size = 1

    def state(self):
        """What the next one finds in it."""
        where = f'host={self.pooler.host} port={self.pooler.port} user=cni dbname=ipam'
        return subprocess.run(['psql', '-XqAt', '-d', where, '-f', '-'], input=STATE, env=pg.clean_env(PGPASSWORD=self.server.password),
                              capture_output=True, text=True, timeout=30, check=True).stdout

    def test_nothing_of_a_session_is_left_in_it(self):
        before = self.state()
        prev = {'prevResult': {'ips': [{'address': A}]}}
        self.stale(A)
        self.stale('10.0.0.9/24', 'pod1')
        for answer in (self.ask('ADD', A), self.ask('ADD', A), self.ask('CHECK', A, conf=prev), self.ask('STATUS'),
                       self.ask('GC'), self.ask('DEL')):
            self.allowed(answer)
        self.add(A)
        self.refused(self.ask('ADD', A, container='pod2'), 100)
        self.assertEqual(self.state(), before)

    def test_a_transaction_that_fails_is_over(self):
        session = self.locked()
        self.refused(self.ask('ADD', A, ipam={'timeout': 0.5}), 11)
        session.say('ROLLBACK')
        self.add(A)


class Crowded(Pooled):
    """The pooler has no connection to give for longer than it lets a client wait."""
    settings = {'query_wait_timeout': 1, 'max_client_conn': 12}

    def test_who_is_thrown_out_tries_again_while_there_is_time(self):
        session = self.locked()
        blockers = [faults.begin(plugin.IPAM, 'ADD', self.conf(ipam={'timeout': 5}), container=f'block{i}',
                               args=f'IP=10.0.9.{i + 1}/24') for i in range(2)]
        faults.wait_until(lambda: self.waiting() == 2, 5, 'both connections wait')
        answer, seconds = self.timed('ADD', A, ipam={'timeout': 2, 'logLevel': 'debug'})
        self.refused(answer, 11)
        self.assertIn('query_wait_timeout', answer.stderr)
        self.assertLess(seconds, 3 + faults.SLACK)
        late = faults.begin(plugin.IPAM, 'ADD', self.conf(ipam={'timeout': 8}), args=f'IP={A}')
        time.sleep(1.3)
        self.assertIsNone(late.poll())
        session.say('ROLLBACK')
        self.assertEqual(plugin.finish(late, b'').code, 0)
        for process in blockers:
            process.communicate(timeout=20)
        self.assertIn(A, self.held())

    def test_a_pooler_that_is_full(self):
        with contextlib.ExitStack() as fill:
            for _ in range(12):
                client = fill.enter_context(socket.create_connection((self.pooler.host, self.pooler.port), 10))
                client.sendall(SSL_REQUEST)
                self.assertEqual(client.recv(1), b'N')
            self.refused(self.ask('STATUS'), 50, 'max_client_conn')
            self.refused(self.ask('DEL', ipam={'timeout': 1}), 11, 'max_client_conn')
        self.allowed(self.ask('STATUS'))


del Pooled  # no tests by itself

if __name__ == '__main__':
    tap.main()
