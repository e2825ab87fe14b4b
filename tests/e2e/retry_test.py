#!/usr/bin/env python3
"""What may pass is tried again while there is time, what is final is not: by SQLSTATE, through restarts and a failover.
Needs PostgreSQL's server programs and psql."""
import contextlib
import signal
import threading
import time
import unittest

import faults
import pg
import plugin
import tap
from ledger import Ledger

IP = 'IP=10.5.0.1/24'
PASSES = ('40001', '40P01', '55P03', '57014', '57P01', '57P03', '53100', '53200', '53300', '08006')
FINAL = ('42501', '23514', '22023', '0A000', 'P0001', 'XX000')
TROUBLE = '''
    CREATE SEQUENCE tried;
    CREATE FUNCTION trouble() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
        IF nextval('public.tried') <= {times} THEN RAISE EXCEPTION 'made up' USING ERRCODE = '{state}'; END IF;
        RETURN coalesce(NEW, OLD);
    END $$;
    CREATE TRIGGER trouble BEFORE INSERT OR UPDATE OR DELETE ON ips FOR EACH ROW EXECUTE FUNCTION trouble()'''


class Retries(unittest.TestCase):
    """A server of their own, an empty table for each test."""

    @classmethod
    def setUpClass(cls):
        cls.server = pg.Server(deadlock_timeout='30s')
        cls.addClassCleanup(cls.server.close)

    def setUp(self):
        self.server.psql('TRUNCATE ips')
        self.addCleanup(faults.nothing_left, self.server)

    def conf(self, **ipam):
        return plugin.net_conf(self.server, {'node': 'n', **ipam})

    def call(self, verb, plug=plugin.IPAM, pod='pod1', **ipam):
        return faults.call(plug, verb, self.conf(**ipam), args=IP, container=pod)


class ByState(Retries):
    """The first statements fail on the server, with an SQLSTATE of our choice."""

    def trouble(self, state, times):
        self.server.psql(TROUBLE.format(state=state, times=times))

    def end_of_trouble(self):
        """Returns how often it was tried."""
        tried = int(self.server.value('SELECT last_value FROM tried'))
        self.server.psql('DROP TRIGGER trouble ON ips; DROP FUNCTION trouble; DROP SEQUENCE tried; TRUNCATE ips')
        return tried

    def test_what_may_pass_is_tried_again(self):
        for state in PASSES:
            with self.subTest(state):
                self.trouble(state, 2)
                added = self.call('ADD')
                self.assertEqual(0, added.code, added.said)
                self.assertGreater(added.seconds, 0.05, 'it pauses')
                self.assertEqual(3, self.end_of_trouble())

    def test_DEL_and_GC_and_a_repeated_ADD_are_tried_again_too(self):
        for verb in ('DEL', 'GC', 'ADD'):
            with self.subTest(verb):
                self.assertEqual(0, self.call('ADD').code)
                self.trouble('40001', 2)
                done = self.call(verb)
                self.assertEqual(0, done.code, done.said)
                self.assertLessEqual(3, self.end_of_trouble())

    def test_what_is_final_is_said_at_once(self):
        for state in FINAL:
            with self.subTest(state):
                self.trouble(state, 2)
                added = self.call('ADD')
                self.assertEqual(11, added.code, added.said)
                self.assertIn(state, added.said)
                self.assertLess(added.seconds, 1 + faults.SLACK)
                self.assertEqual(1, self.end_of_trouble())

    def test_it_gives_up_in_time_and_pauses_longer_and_longer(self):
        self.trouble('40001', 10**6)
        added = self.call('ADD', timeout=3)
        tried = self.end_of_trouble()
        self.assertEqual(11, added.code, added.said)
        self.assertIn('40001', added.said)
        self.assertLess(added.seconds, 3 + faults.SLACK)
        self.assertTrue(4 <= tried <= 20, tried)


class ByOthers(Retries):
    """Other sessions cause it."""

    def test_a_deadlock_costs_no_caller_its_answer(self):
        both = self.conf(timeout=30, addresses=[{'address': '10.5.0.1/24'}, {'address': '10.5.0.2/24'}])
        row = "INSERT INTO ips (network, node, pod_id, interface, ip) VALUES ('ipam-status', 'x', '{0}', 'e', '10.5.0.{0}')"
        # A server looks for a deadlock once, so long after a wait has begun: the plugin's shall be the one that finds it.
        self.server.psql("ALTER ROLE cni SET deadlock_timeout = '2s'")
        with faults.Session(self.server) as session:
            session.say('BEGIN')
            session.say(row.format(2))
            process = faults.begin(plugin.NET, 'ADD', both)
            faults.wait_until(lambda: faults.backends(self.server, "wait_event_type = 'Lock'"), 5, 'it waits for the second')
            session.say(row.format(1))  # which it has: the server ends its statement, and this goes on
            session.say('ROLLBACK')
        out, err = process.communicate(timeout=30)
        self.assertEqual(0, process.returncode, (out, err))
        self.assertIn('deadlock', self.server.log())
        self.assertEqual([['2']], self.server.psql('SELECT count(*) FROM ips'))

    def test_an_administrator_who_ends_connections(self):
        with faults.Session(self.server) as session:
            session.say('BEGIN')
            session.say("INSERT INTO ips (network, node, pod_id, interface, ip)"
                        " VALUES ('ipam-status', 'x', 'x', 'e', '10.5.0.1')")
            process = faults.begin(plugin.NET, 'ADD', self.conf(), args=IP)
            for _ in range(3):
                faults.wait_until(lambda: faults.backends(self.server, "wait_event_type = 'Lock'"), 5, 'it waits again')
                ended = self.server.psql("SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'cni'")
                pids = ', '.join(row[0] for row in ended)
                faults.wait_until(lambda pids=pids: not faults.backends(self.server, f'pid IN ({pids})'), 5, 'they are gone')
            session.say('ROLLBACK')
        out, err = process.communicate(timeout=30)
        self.assertEqual(0, process.returncode, (out, err))

    def test_a_wrong_password_and_a_database_that_is_not_there_are_final(self):
        for ipam in ({'password': 'wrong'}, {'dbname': 'none'}, {'user': 'nobody'}):
            answer = self.call('ADD', **ipam)
            self.assertEqual(11, answer.code, answer.said)
            self.assertLess(answer.seconds, 1 + faults.SLACK)


class Lacking(Retries):
    """The first of two hosts accepts writes, but was restored without rights or tables, or never migrated."""

    LACKS = {'42501': ('REVOKE INSERT, DELETE, UPDATE ON ips FROM cni',
                       'GRANT INSERT, DELETE, UPDATE (boot_id, created_on, machine, position) ON ips TO cni'),
             '42P01': ('ALTER TABLE ips RENAME TO gone', 'ALTER TABLE gone RENAME TO ips'),
             'schema': ('CREATE TABLE was AS TABLE ips_schema; DELETE FROM ips_schema',
                        'INSERT INTO ips_schema TABLE was; DROP TABLE was')}

    @contextlib.contextmanager
    def lacking(self, word, port, **ipam):
        """The configuration of the first host, which is in that state meanwhile, and another one."""
        do, undo = self.LACKS[word]
        self.server.psql(do)
        try:
            with self.subTest(word):
                yield self.conf(host='127.0.0.1,127.0.0.1', port=f'{self.server.port},{port}', **ipam)
        finally:
            self.server.psql(undo)

    def test_the_other_host_serves(self):
        with pg.Server() as whole:
            whole.psql(f"ALTER ROLE cni PASSWORD '{self.server.password}'")
            for word in self.LACKS:
                with self.lacking(word, whole.port) as conf:
                    added = faults.call(plugin.NET, 'ADD', conf, args=IP)
                    self.assertEqual(0, added.code, added.said)
                    self.assertEqual('1', whole.value('SELECT count(*) FROM ips'))
                    for verb in ('DEL', 'GC'):
                        answer = faults.call(plugin.NET, verb, conf)
                        self.assertEqual(0, answer.code, answer.said)
                    self.assertEqual('0', whole.value('SELECT count(*) FROM ips'))

    def test_where_the_other_host_is_gone_the_reason_and_what_to_do_are_said(self):
        for word in self.LACKS:
            with self.lacking(word, pg.free_port(), timeout=0.5) as conf:
                added = faults.call(plugin.NET, 'ADD', conf, args=IP)
                self.assertEqual(11, added.code, added.said)
                for part in ('unreachable', 'given up', word, '.sh'):
                    self.assertIn(part, added.said)


class Loops:
    """Eight loops of ADD and DEL, each on its own addresses, that must never fail. Each keeps its last attachment."""

    def __init__(self, conf):
        self.conf, self.ledger, self.failed, self.slowest, self.calls = conf, Ledger(), [], 0, 0
        self.stop, self.lock = threading.Event(), threading.Lock()
        self.threads = [threading.Thread(target=self.loop, args=(i,), daemon=True) for i in range(8)]

    def __enter__(self):
        for t in self.threads:
            t.start()
        time.sleep(0.3)
        return self

    def __exit__(self, *_):
        """Not before each has gone on for a while."""
        enough = self.calls + 16
        try:
            faults.wait_until(lambda: self.calls >= enough or self.failed, 60, 'they go on')
        finally:
            self.stop.set()
        for t in self.threads:
            t.join()

    def call(self, verb, i, pod):
        answer = faults.call(plugin.NET, verb, self.conf, args=f'IP=10.5.{i}.1/24,10.5.{i}.2/24', container=pod)
        with self.lock:
            self.calls += 1
            self.slowest = max(self.slowest, answer.seconds)
            if answer.code:
                self.failed.append(f'{verb}: {answer.said}')
        return answer

    def loop(self, i):
        for n in range(10**6):
            who = ('ipam-status', 'n', f'loop{i}-{n}', 'eth0')
            if self.call('ADD', i, who[2]).code == 0:
                self.ledger.added(who, [f'10.5.{i}.1', f'10.5.{i}.2'])
            if self.stop.is_set():
                return
            self.ledger.leaves(who)
            self.call('DEL', i, who[2])

    def judge(self, test, server):
        print(f'# {self.calls} calls, the slowest took {self.slowest:.1f} s')
        test.assertEqual([], self.failed)
        test.assertLess(self.slowest, 9)
        test.assertEqual([], self.ledger.judge(server, exact=True))


class Restarts(Retries):
    def test_a_restarted_server_costs_eight_loops_seconds_and_no_failure(self):
        with Loops(self.conf()) as loops:
            for signo in (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
                self.server.restart(signo)
                time.sleep(0.5)
            faults.kill_server(self.server)
            self.server.start()
        loops.judge(self, self.server)


class Failover(unittest.TestCase):
    """A primary and its synchronous standby, which takes over when the primary is gone."""

    def setUp(self):
        self.primary = pg.Server()
        self.addCleanup(self.primary.close)
        self.standby = pg.Standby(self.primary)
        self.addCleanup(self.standby.close)
        self.primary.psql("ALTER SYSTEM SET synchronous_standby_names = 'standby'")
        self.primary.psql('SELECT pg_reload_conf()')
        faults.wait_until(lambda: self.primary.value(
            "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'") == '1', 20, 'the standby streams')

    def conf(self, **ipam):
        ports = f'{self.primary.port},{self.standby.port}'
        return plugin.net_conf(self.primary, {'node': 'n', 'host': '127.0.0.1,127.0.0.1', 'port': ports, **ipam})

    def fail_over(self):
        """Nobody is there for a while."""
        faults.kill_server(self.primary)
        time.sleep(1.5)
        self.standby.psql('SELECT pg_promote(true, 30)')

    def test_eight_loops_notice_nothing_but_a_pause(self):
        with Loops(self.conf()) as loops:
            self.fail_over()
        loops.judge(self, self.standby)

    def test_what_the_standby_never_got_was_never_promised(self):
        kept = faults.call(plugin.NET, 'ADD', self.conf(), args='IP=10.5.0.9/24', container='kept')
        self.assertEqual(0, kept.code, kept.said)
        senders = self.primary.psql('SELECT pid FROM pg_stat_replication')
        for sender, in senders:
            faults.kill(int(sender), signal.SIGSTOP)
        for plug in (plugin.NET, plugin.IPAM):
            added = faults.call(plug, 'ADD', self.conf(timeout=2), args=IP, container='first')
            self.assertEqual(11, added.code, added.said)
        self.fail_over()
        added = faults.call(plugin.NET, 'ADD', self.conf(), args=IP, container='second')
        self.assertEqual(0, added.code, added.said)
        self.assertEqual([['kept', '10.5.0.9/24'], ['second', '10.5.0.1/24']],
                         self.standby.psql('SELECT pod_id, ip FROM ips ORDER BY pod_id'))
        faults.nothing_left(self.standby)


if __name__ == '__main__':
    tap.main()
