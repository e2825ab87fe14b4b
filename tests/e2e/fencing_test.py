#!/usr/bin/env python3
"""Two servers of which the second is promoted: the first one, which nobody fences, is still in the list of hosts and comes back.
Nothing that it says may be an answer. Needs root and a PostgreSQL server's programs."""
import signal

import faults
import pg
import plugin_case
import tap
from plugin_case import BOTH

A, B = '10.0.0.5/24', '10.0.0.6/24'


class Pair(plugin_case.PluginCase):
    """Each test has a primary that waits for its standby."""

    def setUp(self):
        super().setUp()
        self.server = pg.Server()
        self.addCleanup(self.server.close)
        self.standby = pg.Standby(self.server)
        self.addCleanup(self.standby.close)
        self.server.psql("ALTER SYSTEM SET synchronous_standby_names = 'standby'")
        self.server.psql('SELECT pg_reload_conf()')
        streams = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"
        faults.wait_until(lambda: self.server.value(streams) == '1', 20, 'the standby streams')
        self.new = {'host': '127.0.0.1', 'port': self.standby.port}
        self.both = {'host': '127.0.0.1,127.0.0.1', 'port': f'{self.server.port},{self.standby.port}', 'timeout': 4}

    def promote(self):
        self.standby.psql('SELECT pg_promote(true, 30)')

    def signal(self, signo):
        """To all processes of the old primary."""
        for pid in faults.tree(self.server.process.pid):
            faults.kill(pid, signo)

    def there(self):
        """What the new primary has."""
        return [row[0] for row in self.standby.psql(f"SELECT pod_id FROM public.ips WHERE network = '{self.network}' ORDER BY ip")]


class Unfenced(Pair):
    """The old primary stood still while the standby was promoted and pods were added there."""

    def setUp(self):
        super().setUp()
        self.signal(signal.SIGSTOP)
        self.promote()
        self.add(A, ipam=self.both, container='one')
        self.add(B, ipam=self.new, container='two')
        self.signal(signal.SIGCONT)
        self.assertEqual(self.there(), ['one', 'two'])
        self.assertEqual(self.held(), [])

    def test_a_DEL_that_finds_nothing_there_is_not_done(self):
        for which, pod in zip(BOTH, ('one', 'two')):
            self.allowed(self.ask('DEL', which=which, ipam=self.both, container=pod))
            self.assertNotIn(pod, self.there())

    def test_a_GC_that_finds_nothing_there_is_not_done(self):
        valid = {'cni.dev/valid-attachments': [{'containerID': 'one', 'ifname': 'eth0'}]}
        self.allowed(self.ask('GC', ipam=self.both, conf=valid))
        self.assertEqual(self.there(), ['one'])

    def test_its_word_is_not_final(self):
        """It would say that the pod holds nothing, that nobody holds the address, and that the pod holds nothing else."""
        self.allowed(self.ask('CHECK', A, ipam=self.both, container='one', conf={'prevResult': {'ips': [{'address': A}]}}))
        self.refused(self.ask('ADD', A, ipam=self.both, container='two'), 101, '10.0.0.6')
        self.refused(self.ask('ADD', A, ipam=self.both, container='three'), 100, 'one')
        self.assertEqual(self.there(), ['one', 'two'])

    def test_nor_is_what_it_had_before(self):
        """An address of which only the old one says that it is held."""
        self.server.psql("SET synchronous_commit = local; INSERT INTO public.ips (network, node, host_id, boot_id, pod_id, interface, ip)"
                         " VALUES ('{0}', 'other', '', '', 'gone', 'eth0', '10.0.0.8/24')".format(self.network))
        self.assertEqual(self.add('10.0.0.8/24', ipam=self.both, container='four').addresses, ['10.0.0.8/24'])
        self.assertEqual(self.there(), ['one', 'two', 'four'])


class Promoted(Pair):
    def test_a_DEL_that_the_standby_never_got_was_not_done(self):
        """The first attempt's commit is given up, the second finds nothing to delete."""
        self.add(A, ipam=self.both, container='one')
        self.standby.stop()
        for which in BOTH:
            self.refused(self.ask('DEL', which=which, ipam=self.both, container='one'), 11)
        self.refused(self.ask('GC', ipam=self.both), 11)
        faults.kill_server(self.server)
        self.standby.start()
        self.promote()
        self.assertEqual(self.there(), ['one'])
        self.allowed(self.ask('DEL', ipam=self.both, container='one'))
        self.assertEqual(self.there(), [])


if __name__ == '__main__':
    tap.main()
