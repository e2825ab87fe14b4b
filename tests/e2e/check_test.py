#!/usr/bin/env python3
"""CHECK: what the attachment holds against prevResult and against what it asks for. Needs a PostgreSQL server's
programs and root."""

import plugin_case
import tap
from plugin_case import BOTH, elsewhere

A, B, C = '10.0.0.5/24', '10.0.0.6/24', 'fd00::5/64'


def prev(*addresses, **more):
    return {'prevResult': {'cniVersion': '1.1.0', 'ips': [{'address': a} for a in addresses], **more}}


class Check(plugin_case.PluginCase):
    def right(self, *in_prev, **how):
        for which in BOTH:
            with self.subTest(which=which, in_prev=in_prev, **how):
                answer = self.ask('CHECK', which=which, conf=prev(*in_prev), **how)
                self.assertEqual(self.allowed(answer).stdout, b'')

    def wrong(self, in_prev, *words, code=102, **how):
        for which in BOTH:
            with self.subTest(which=which, in_prev=in_prev, **how):
                self.refused(self.ask('CHECK', which=which, conf=prev(*in_prev), **how), code, *words)

    def test_it_is_right_at_once_after_ADD(self):
        for which in BOTH:
            answer = self.add(f'{A},{C}', which=which)
            for ask in (f'{A},{C}', None):
                self.allowed(self.ask('CHECK', ask, which=which, conf={'prevResult': answer.json}))

    def test_it_needs_prevResult(self):
        self.add(A)
        for conf in ({}, {'prevResult': None}):
            for which in BOTH:
                with self.subTest(conf=conf, which=which):
                    self.refused(self.ask('CHECK', A, which=which, conf=conf), 7, 'prevResult')

    def test_a_prevResult_that_is_none_is_refused(self):
        self.add(A)
        for wrong in ('x', [], 5, {'ips': 'x'}, {'ips': [{'address': 'x'}]}, {'ips': [{'address': '10.0.0.5'}]},
                      {'ips': [{}]}, {'cniVersion': '9.9.9'}, {'cniVersion': 5}):
            with self.subTest(wrong=wrong):
                self.refused(self.ask('CHECK', A, conf={'prevResult': wrong}), 7, 'prevResult')

    def test_every_address_that_is_held_must_be_in_prevResult(self):
        self.add(f'{A},{C}')
        self.right(C, A)
        self.right('10.0.0.5/16', C)
        self.wrong([A], 'fd00::5', 'prevResult')

    def test_every_address_that_is_asked_for_must_be_held(self):
        self.add(A)
        self.right(A, ip=A)
        self.right(A, ip='10.0.0.5/16')
        self.wrong([A], '10.0.0.6', ip=B)
        self.wrong([A, B], '10.0.0.6', ip=f'{A},{B}')

    def test_at_least_one_address_of_prevResult_must_be_held(self):
        self.wrong([A], 'prevResult')
        self.wrong([], 'address')

    def test_none_of_them_may_be_held_by_another(self):
        self.add(A)
        self.add(B, container='pod2')
        self.wrong([A, B], '10.0.0.6', 'pod2', 'eth0')
        self.allowed(self.ask('DEL'))
        self.wrong([B], '10.0.0.6', 'pod2')

    def test_what_nobody_holds_may_be_another_plugins(self):
        self.add(A)
        self.right('192.168.7.7/24', A, 'fd99::1/64')

    def test_interfaces_gateways_and_indexes_in_prevResult_do_not_matter(self):
        self.add(A)
        conf = prev(interfaces=[{'name': 'eth0', 'sandbox': '/x', 'mac': '00:11:22:33:44:55'}],
                    routes=[{'dst': '::/0'}], ips=[{'address': A, 'gateway': '10.0.0.1', 'interface': 0}])
        self.allowed(self.ask('CHECK', A, conf=conf))
        for index in (0, 7, -1):
            nothing = {'prevResult': {'cniVersion': '1.1.0', 'ips': [{'address': A, 'interface': index}]}}
            for which in BOTH:
                with self.subTest(index=index, which=which):
                    self.allowed(self.ask('CHECK', A, which=which, conf=nothing))

    def test_an_attachment_is_known_by_network_node_container_and_interface(self):
        self.add(A)
        for how in (dict(container='pod2'), dict(ifname='eth1'), dict(ipam={'node': 'other'}),
                    dict(through=elsewhere(name='other')), dict(through=elsewhere(machine_id='0' * 31 + '1'))):
            self.wrong([A], '10.0.0.5', **how)
        self.network += '-b'
        self.wrong([A], 'address')

    def test_a_lost_row_is_noticed(self):
        answer = self.add(f'{A},{C}')
        self.server.psql(f"DELETE FROM ips WHERE network = '{self.network}' AND family(ip) = 4")
        self.refused(self.ask('CHECK', f'{A},{C}', conf={'prevResult': answer.json}), 102, '10.0.0.5')

    def test_it_changes_nothing(self):
        self.add(A)
        before = self.rows('ips.*, xmin')
        self.right(A, ip=A)
        self.wrong([B])
        self.assertEqual(self.rows('ips.*, xmin'), before)

    def test_a_request_that_ADD_would_refuse_is_refused_the_same_way(self):
        self.add(A)
        for how in (dict(ip='10.0.0.0/24'), dict(ip='x'), dict(ip='10.0.0.7'), dict(args='nonsense'),
                    dict(ipam={'routes': [{'dst': 'x'}]}), dict(ipam={'ranges': 5}), dict(ipam={'unknown': 5}),
                    dict(ipam={'timeout': 0})):
            with self.subTest(**how):
                code = self.ask('ADD', **how).code
                self.assertIn(code, (2, 4, 7))
                self.wrong([A], code=code, **how)

    def test_without_the_database_it_is_error_11(self):
        self.add(A)
        self.wrong([A], code=11, ipam={'password': 'wrong'})


if __name__ == '__main__':
    tap.main()
