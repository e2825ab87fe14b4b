#!/usr/bin/env python3
"""A primary that waits for its synchronous standby: success is said only when both have it. Needs a PostgreSQL server's
programs."""
import functools
import signal
import time

import faults
import pg
import plugin
import plugin_case
import tap
from plugin_case import BOTH

A, B = '10.0.0.5/24', '10.0.0.6/24'
WAITS = "wait_event = 'SyncRep'"


@functools.cache
def pair():
    """The file's server as a primary that waits for its standby, which is returned."""
    primary, standby = plugin_case.server(), pg.Standby(plugin_case.server())
    primary.psql("ALTER SYSTEM SET synchronous_standby_names = 'standby'")
    primary.psql('SELECT pg_reload_conf()')
    return standby


class Sync(plugin_case.PluginCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.standby = pair()

    def setUp(self):
        super().setUp()
        self.together()

    def streams(self):
        return self.server.value("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'") == '1'

    def together(self):
        """The standby runs and is the synchronous one."""
        if self.standby.process.poll() is not None:
            self.standby.start()
        faults.wait_until(self.streams, 20, 'the standby streams')

    def alone(self):
        """The primary has nobody who could confirm."""
        self.standby.stop()
        faults.wait_until(lambda: not self.streams(), 20, 'the standby is gone')

    def local(self, sql):
        """Something that only the primary has."""
        self.server.psql('SET synchronous_commit = local; ' + sql)

    def begin(self, command, ip=A, which=plugin.IPAM, ipam=None, **how):
        """A call that waits for the standby."""
        process = faults.begin(which, command, self.conf(ipam=ipam), args=f'IP={ip}', **how)
        faults.wait_until(lambda: faults.backends(self.server, WAITS), 5, 'it waits for the standby')
        return process

    def waiting(self):
        return faults.backends(self.server, WAITS)


class Together(Sync):
    def test_every_verb_works(self):
        for which in BOTH:
            answer = self.add(A, which=which)
            for command in ('CHECK', 'STATUS', 'DEL', 'GC'):
                self.allowed(self.ask(command, A, which=which, conf={'prevResult': answer.json}))
        self.assertEqual(self.rows(), [])

    def test_of_several_hosts_the_one_that_accepts_writes_is_meant(self):
        for ports in ((self.standby.port, self.server.port), (self.server.port, self.standby.port)):
            ipam = {'host': '127.0.0.1,127.0.0.1', 'port': '{},{}'.format(*ports)}
            for command in ('ADD', 'DEL', 'STATUS', 'GC'):
                self.allowed(self.ask(command, A, ipam=ipam))
            for anyone in ('any', 'prefer-standby'):
                self.ask('ADD', A, ipam={**ipam, 'target_session_attrs': anyone})
                self.assertEqual(self.ask('ADD', A, ipam={**ipam, 'target_session_attrs': anyone}).addresses, [A])

    def test_a_standby_alone_is_not_ready(self):
        for which in BOTH:
            answer = self.ask('STATUS', which=which, ipam={'port': self.standby.port, 'timeout': 0.7})
            self.refused(answer, 50, 'read-only')
        self.refused(self.ask('ADD', A, ipam={'port': self.standby.port, 'timeout': 0.7}), 11)


class Alone(Sync):
    def test_nothing_that_is_not_confirmed_is_success(self):
        for i, _ in enumerate(BOTH, 1):
            self.add(f'10.0.0.{i}/24', container=f'pod{i}', ifname=f'net{i}')
        self.alone()
        for i, which in enumerate(BOTH, 1):
            self.refused(self.ask('ADD', A, which=which, ipam={'timeout': 1}), 11)
            self.refused(self.ask('DEL', which=which, container=f'pod{i}', ifname=f'net{i}', ipam={'timeout': 1}), 11)
        faults.wait_until(lambda: not self.waiting(), 3, 'nobody is left waiting')

    def test_GC_is_no_exception(self):
        self.add(A)
        self.alone()
        self.refused(self.ask('GC', ipam={'timeout': 1}), 11)

    def test_what_a_given_up_ADD_recorded_is_released(self):
        self.alone()
        self.refused(self.ask('ADD', A, ipam={'timeout': 1.5}), 11)
        self.together()
        self.allowed(self.ask('ADD', A, container='pod2'))

    def test_a_DEL_that_was_not_confirmed_comes_again(self):
        self.add(A)
        self.alone()
        self.refused(self.ask('DEL', ipam={'timeout': 1}), 11)
        self.together()
        self.allowed(self.ask('DEL'))
        self.assertEqual(self.rows(), [])

    def test_who_asks_again_is_answered_after_a_write_of_its_own(self):
        self.add(A)
        self.alone()
        self.refused(self.ask('ADD', A, ipam={'timeout': 1}), 11)
        self.together()
        self.assertEqual(self.add(A).addresses, [A])

    def test_a_row_that_the_standby_never_got_is_no_answer(self):
        self.add(A)
        self.alone()
        self.local(f"UPDATE ips SET pod_id = 'lost' WHERE network = '{self.network}'")
        self.refused(self.ask('ADD', A, container='lost', ipam={'timeout': 1}), 11)

    def test_only_STATUS_reads(self):
        """What is said to a caller is said by a server that may commit, also where nothing is found."""
        self.add(A)
        self.alone()
        self.allowed(self.ask('STATUS'))
        short = {'timeout': 1}
        for verb, more in (('CHECK', {'conf': {'prevResult': {'ips': [{'address': A}]}}, 'ipam': short}),
                           ('DEL', {'container': 'nobody', 'ipam': short}),
                           ('GC', {'conf': {'cni.dev/valid-attachments': [{'containerID': 'pod1', 'ifname': 'eth0'}]},
                                   'ipam': short}),
                           ('ADD', {'container': 'pod2', 'ipam': short})):
            with self.subTest(verb):
                self.refused(self.ask(verb, A, **more), 11)
        self.together()
        self.allowed(self.ask('CHECK', A, conf={'prevResult': {'ips': [{'address': A}]}}))
        self.refused(self.ask('ADD', A, container='pod2'), 100)


    def test_a_set_is_full_only_where_the_server_may_commit(self):
        one = {'ranges': [[{'subnet': '10.0.0.0/30'}]]}
        self.allowed(self.ask('ADD', ipam=one))
        self.alone()
        self.refused(self.ask('ADD', container='pod2', ipam={**one, 'timeout': 1}), 11)
        self.together()
        self.refused(self.ask('ADD', container='pod2', ipam=one), 103)


class Cancelled(Sync):
    """Somebody ends the wait: the server says success, with a warning."""

    def cancel(self):
        self.server.psql(f"SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE usename = 'cni' AND {WAITS}")

    def test_it_is_not_success(self):
        self.alone()
        process = self.begin('ADD', ipam={'timeout': 2})
        while process.poll() is None:
            self.cancel()
            time.sleep(0.05)
        self.refused(plugin.finish(process, b''), 11)

    def test_the_next_try_is_if_the_standby_has_it_by_then(self):
        self.alone()
        process = self.begin('ADD', ipam={'timeout': 20})
        self.cancel()
        time.sleep(0.3)
        self.assertIsNone(process.poll())
        self.standby.start()
        self.assertEqual(self.allowed(plugin.finish(process, b'')).addresses, [A])
        self.assertEqual(self.held(), [A])
        there = f"SELECT 1 FROM ips WHERE network = '{self.network}'"
        faults.wait_until(lambda: self.standby.psql(there), 10, 'replicated')


class Behind(Sync):
    """A row that waits for the standby is invisible to everybody else."""

    def test_another_attachment_never_gets_the_address(self):
        self.alone()
        first = self.begin('ADD', ipam={'timeout': 6})
        self.refused(self.ask('ADD', A, container='pod2', ipam={'timeout': 1}), 11)
        self.standby.start()
        self.assertEqual(self.allowed(plugin.finish(first, b'')).addresses, [A])
        self.refused(self.ask('ADD', A, container='pod2'), 100, 'pod1')

    def test_a_DEL_that_overtakes_it_leaves_the_row_to_GC(self):
        self.alone()
        first = self.begin('ADD', ipam={'timeout': 20})
        self.assertIn(self.ask('DEL', ipam={'timeout': 1}).code, (0, 11))
        self.standby.start()
        self.allowed(plugin.finish(first, b''))
        self.allowed(self.ask('GC'))
        self.assertEqual(self.rows(), [])

    def test_after_a_crash_the_row_counts_only_when_it_was_written_anew(self):
        self.alone()
        first = self.begin('ADD', ipam={'timeout': 20})
        first.kill()
        first.communicate()
        self.server.restart(signal.SIGQUIT)
        self.assertEqual(self.held(), [A], 'readable, though the standby never got it')
        self.refused(self.ask('ADD', A, ipam={'timeout': 1}), 11)
        self.refused(self.ask('ADD', A, container='pod2', ipam={'timeout': 1}), 11)
        self.together()
        self.refused(self.ask('ADD', A, container='pod2'), 100)
        self.assertEqual(self.add(A).addresses, [A])


if __name__ == '__main__':
    tap.main()
