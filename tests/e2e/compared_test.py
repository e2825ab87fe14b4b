#!/usr/bin/env python3
"""What the front page says of other plugins, a test for each row: the upstream host-local and static beside ours. Needs root, a
PostgreSQL server's programs and Go (or plugins/upstream). Not run with sanitizers."""
import os
import tempfile
import unittest

import pg
import plugin
import plugin_case
import tap
import upstream
from plugin_case import elsewhere

RANGE = [[{'subnet': '10.5.0.0/30'}]]   # with room for one address beside the gateway
ONLY = '10.5.0.2/30'
NEXT_BOOT = '11111111-2222-3333-4444-555555555555'


class Compared(plugin_case.PluginCase):
    """host-local, static and ours as three functions: each is asked the same, `host` says on which host."""

    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.dir, self.ranges = folder.name, RANGE

    def upstream(self, name, ipam, command, **how):
        conf = {'cniVersion': '1.1.0', 'name': self.network, 'type': 'bridge', 'ipam': {'type': name, **ipam}, **how.pop('more', {})}
        return plugin.run(upstream.path(name), command, conf, **how)

    def host_local(self, command, host='one', **how):
        return self.upstream('host-local', {'ranges': self.ranges, 'dataDir': os.path.join(self.dir, host)}, command, **how)

    def static(self, command, host='one', **how):
        del host
        return self.upstream('static', {'addresses': [{'address': ONLY}]}, command, **how)

    def ours(self, command, host='one', **how):
        return self.ask(command, ipam={'ranges': self.ranges, 'node': host}, conf=how.pop('more', None), **how)

    def row(self, name, *said):
        """The row of the table, and what the three columns say."""
        with open(os.path.join(pg.ROOT, 'README.md'), encoding='utf-8') as f:
            self.assertIn(f'| {name} | {" | ".join(said)} |\n', f.read())
        return zip(said, (self.host_local, self.static, self.ours))

    def add(self, ask, container, **how):
        done = ask('ADD', container=container, **how)
        return done.addresses if done.rc == 0 else []

    def test_two_hosts(self):
        for said, ask in self.row('two hosts, one range or address', 'the same for both', 'the same for both', 'each address once'):
            given = self.add(ask, 'a') + self.add(ask, 'b', host='two')
            self.assertEqual(given, [ONLY, ONLY] if said == 'the same for both' else [ONLY])

    def test_the_same_container_after_a_reboot(self):
        """What is on disk and in the database stays; the kernel's boot id and clock are new, and no DEL has come."""
        for said, ask in self.row('the same container after a reboot', 'refused', 'its address', 'its address'):
            self.assertEqual(self.add(ask, 'a'), [ONLY])
            self.change("created_on = now() - interval '1 day'")
            self.assertEqual(self.add(ask, 'a', through=elsewhere(boot_id=NEXT_BOOT, up=60)), [ONLY] if said == 'its address' else [])
        self.assertEqual(self.rows('boot_id, pod_id'), [(NEXT_BOOT, 'a')])

    def test_status_of_a_full_range(self):
        for said, ask in self.row('`STATUS` where no address is left', 'success', 'success', 'error 50'):
            self.add(ask, 'a')
            done = ask('STATUS')
            self.assertEqual(done.rc == 0 or done.code, True if said == 'success' else 50)

    def test_gc_of_a_dead_container(self):
        for said, ask in self.row('`GC`', 'success, frees nothing', 'success, frees nothing', 'frees what is dead on this host and network'):
            self.add(ask, 'a')
            self.assertEqual(ask('GC', more={'cni.dev/valid-attachments': []}).rc, 0)
            if ask != self.static:      # which gives it to everybody
                self.assertEqual(self.add(ask, 'b'), [] if 'nothing' in said else [ONLY])

    def test_check_of_an_address_that_another_one_holds(self):
        self.ranges = [[{'subnet': '10.5.0.0/29'}]]
        for said, ask in self.row('`CHECK` of an address that another one holds', 'success', 'success', 'error 102'):
            self.add(ask, 'a')
            prev = {'cniVersion': '1.1.0', 'ips': [{'address': self.add(ask, 'b')[0]}]}
            done = ask('CHECK', container='a', more={'prevResult': prev})
            self.assertEqual(done.rc == 0 or done.code, True if said == 'success' else 102)


def setUpModule():
    upstream.get('host-local', 'static')
    if not upstream.has('host-local', 'static'):
        raise unittest.SkipTest(upstream.MISSING)


if __name__ == '__main__':
    tap.main()
