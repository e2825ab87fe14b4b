#!/usr/bin/env python3
"""DEL: releases what the attachment holds, whatever is missing, and nothing else. Needs a PostgreSQL server's programs
and root."""

import pg
import plugin_case
import tap
from plugin_case import BOTH, elsewhere

A, B, C = '10.0.0.5/24', '10.0.0.6/24', 'fd00::5/64'


class Del(plugin_case.PluginCase):
    def test_it_releases_all_that_the_attachment_holds_and_says_nothing(self):
        for which in BOTH:
            self.add(f'{A},{C}')
            answer = self.allowed(self.ask('DEL', which=which), 'deleted the existing allocation for "pod1-eth0"',
                                  '10.0.0.5', 'fd00::5')
            self.assertEqual((answer.stdout, self.rows()), (b'', []))

    def test_it_releases_nothing_else(self):
        self.add(A)
        others = [dict(container='pod2'), dict(ifname='eth1'), dict(ipam={'node': 'other'}),
                  dict(through=elsewhere(name='other')), dict(through=elsewhere(machine_id='0' * 31 + '1'))]
        for i, other in enumerate(others):
            self.add(f'10.0.1.{i + 1}/24', **other)
        self.allowed(self.ask('DEL'))
        self.assertEqual(self.held(), [f'10.0.1.{i + 1}/24' for i in range(len(others))])
        for i, other in enumerate(others):
            self.allowed(self.ask('DEL', **other))
            self.assertEqual(len(self.held()), len(others) - i - 1, other)

    def test_it_stays_within_its_network(self):
        self.add(A)
        first, self.network = self.network, self.network + '-b'
        self.add(A)
        self.allowed(self.ask('DEL'))
        self.network = first
        self.assertEqual(self.held(), [A])

    def test_an_unknown_attachment_and_a_second_call_are_success(self):
        for which in BOTH:
            self.allowed(self.ask('DEL', which=which))
            self.add(A)
            for _ in range(3):
                self.allowed(self.ask('DEL', which=which))
            self.assertEqual(self.rows(), [])

    def test_nothing_that_a_runtime_leaves_out_matters(self):
        for how in (dict(netns=''), dict(netns=None), dict(netns='/no/such/path'), dict(env={'CNI_ARGS': None}),
                    dict(args=''), dict(args='nonsense'), dict(conf={'prevResult': None}),
                    dict(conf={'prevResult': 'rubbish'}), dict(conf={'runtimeConfig': 5, 'args': 5})):
            if how.get('netns', 0) is None:
                how = dict(env={'CNI_NETNS': None})
            for which in BOTH:
                with self.subTest(which=which, **how):
                    self.add(A)
                    self.allowed(self.ask('DEL', which=which, **how))
                    self.assertEqual(self.rows(), [])

    def test_what_only_an_answer_needs_may_be_wrong(self):
        for ipam in ({'addresses': 'x'}, {'routes': 5}, {'dns': []}, {'ranges': [[{'subnet': 'x'}]]}):
            with self.subTest(ipam=ipam):
                self.add(A)
                self.allowed(self.ask('DEL', ipam=ipam))
                self.assertEqual(self.rows(), [])

    def test_the_boot_does_not_matter(self):
        self.add(A, through=elsewhere(boot_id='11111111-2222-3333-4444-555555555555'))
        self.allowed(self.ask('DEL'))
        self.assertEqual(self.rows(), [])

    def test_a_row_of_the_Go_demo_goes_with_its_container_and_interface(self):
        self.add(A)
        self.add(B, container='pod2')
        self.change("node = '', host_id = '', boot_id = ''")
        self.allowed(self.ask('DEL', ifname='eth1'))
        self.allowed(self.ask('DEL', ipam={'node': 'any'}))
        self.assertEqual(self.held(), [B])

    def test_the_DEL_after_a_failed_ADD_frees_the_Go_demos_row_too(self):
        self.add(A)
        self.change("node = '', host_id = '', boot_id = ''")
        self.refused(self.ask('ADD', A), 100)
        self.allowed(self.ask('DEL'))
        self.assertEqual(self.add(A).addresses, [A])


class OutOfReach(plugin_case.PluginCase):
    def test_it_is_error_11_so_that_the_runtime_comes_again(self):
        self.add(A)
        for ipam in ({'port': pg.free_port(), 'timeout': 1}, {'host': self.server.dir + '/none', 'timeout': 1},
                     {'password': 'wrong'}, {'dbname': 'none'}, {'user': 'nobody'}):
            for which in BOTH:
                with self.subTest(which=which, ipam=ipam):
                    self.refused(self.ask('DEL', which=which, ipam=ipam), 11)
        self.assertEqual(self.held(), [A])

    def test_no_error_says_not_found(self):
        """containerd would take it for success."""
        for ipam in ({'service': 'none'}, {'passfile': '/none'}, {'host': 'not found', 'timeout': 0.5},
                     {'sslmode': 'not found'}, {'dbname': 'not found'},
                     {'sslrootcert': '/not found', 'sslmode': 'verify-full', 'timeout': 0.5}):
            for which in BOTH:
                with self.subTest(which=which, ipam=ipam):
                    answer = self.ask('DEL', which=which, ipam=ipam)
                    self.assertEqual(answer.rc, 1)
                    self.assertNotIn('not found', answer.said.lower())


if __name__ == '__main__':
    tap.main()
