#!/usr/bin/env python3
"""ADD: all addresses or none, again and again, held by others, held by an earlier boot. Needs a PostgreSQL server's
programs and root."""
import socket

import plugin_case
import tap
from plugin_case import BOTH, elsewhere

A, B, C = '10.0.0.5/24', '10.0.0.6/24', 'fd00::5/64'
OTHER_BOOT = '11111111-2222-3333-4444-555555555555'


def content(path):
    with open(path, encoding='ascii') as f:
        return f.read().strip()


class Add(plugin_case.PluginCase):
    def earlier(self, where='true', boot=OTHER_BOOT, age='10 years'):
        """Lets this network's rows be of another boot, and that old."""
        self.change(f"boot_id = '{boot}', created_on = now() - interval '{age}'", where)


class First(Add):
    def test_one_row_an_address_with_everything_that_is_known(self):
        self.add(f'{A},{C}', container='pod-a', ifname='net1')
        self.assertEqual(self.rows(), [('pod-a', 'net1', A), ('pod-a', 'net1', C)])
        self.assertEqual(set(self.rows('node, host_id, boot_id')),
                         {(socket.gethostname(), content(plugin_case.MACHINE_ID), content(plugin_case.BOOT_ID))})
        self.assertEqual(set(self.rows("created_on BETWEEN now() - interval '1 minute' AND now()")), {('t',)})

    def test_a_configured_node_stands_for_host_name_and_machine_id(self):
        self.add(A, ipam={'node': 'rack-7'})
        self.assertEqual(self.rows('node, host_id'), [('rack-7', '')])

    def test_the_answer_is_the_abbreviated_result(self):
        for which in BOTH:
            self.assertEqual(set(self.add(A, which=which).json), {'cniVersion', 'ips'})

    def test_the_answer_is_in_the_order_of_the_request(self):
        self.assertEqual(self.add(f'{C},{B},{A}').addresses, [C, B, A])
        self.assertEqual(self.add(f'{A},{B},{C}').addresses, [C, B, A], 'as recorded')

    def test_all_or_none(self):
        self.add(B, container='pod-a')
        self.refused(self.ask('ADD', f'{A},{B},{C}', container='pod-b'), 100, '10.0.0.6')
        self.assertEqual(self.held(), [B])

    def test_a_sequence_that_is_behind_its_rows_is_said(self):
        """As after a restore of the data alone. It is no address that somebody else takes again and again."""
        self.add(A)
        sequence = "SELECT setval(pg_get_serial_sequence('public.ips', 'id'), {}, false) FROM public.ips"
        self.server.psql(sequence.format('min(id)'))
        try:
            self.refused(self.ask('ADD', B, container='pod-b'), 11, 'sequence', 'migrate.sh')
        finally:
            self.server.psql(sequence.format('max(id) + 1'))
        self.add(B, container='pod-b')

    def test_it_takes_one_statement(self):
        self.assertEqual(len(self.statements(lambda: self.add(f'{A},{C}'))), 1)

    def test_a_long_container_id_and_a_second_interface_are_fine(self):
        self.add(A, container='k8s.io-' + 'f' * 134)
        self.add(B, container='k8s.io-' + 'f' * 134, ifname='eth1')
        self.assertEqual(self.held(), [A, B])

    def test_every_network_has_its_own_addresses(self):
        self.add(A)
        self.network += '-b'
        self.add(A, container='pod2')
        self.assertEqual(self.held(), [A])


class Again(Add):
    def test_the_same_attachment_gets_what_is_recorded(self):
        first = self.add(f'{A},{C}')
        for which in BOTH:
            for ip in (f'{A},{C}', f'{C},{A}'):
                self.assertEqual(self.add(ip, which=which).json, first.json)
        self.assertEqual(self.held(), [A, C])

    def test_prefix_lengths_are_the_recorded_ones(self):
        self.add(A)
        self.assertEqual(self.add('10.0.0.5/16').addresses, [A])
        self.assertEqual(self.held(), [A])

    def test_gateways_routes_and_dns_are_as_this_call_says(self):
        self.add(args=f'IP={A};GATEWAY=10.0.0.1', ipam={'routes': [{'dst': '0.0.0.0/0'}], 'dns': {'domain': 'a'}})
        answer = self.add(args=f'IP={A};GATEWAY=10.0.0.2',
                          ipam={'routes': [{'dst': '10.0.0.0/8'}], 'dns': {'domain': 'b'}})
        self.assertEqual(answer.json, {'cniVersion': '1.1.0', 'ips': [{'address': A, 'gateway': '10.0.0.2'}],
                                       'routes': [{'dst': '10.0.0.0/8'}], 'dns': {'domain': 'b'}})

    def test_the_rows_take_the_current_boot_and_a_new_time(self):
        self.add(f'{A},{C}')
        ids = self.rows('id')
        self.earlier()
        self.assertEqual(self.add(f'{A},{C}').addresses, [A, C])
        self.assertEqual(self.rows('id'), ids)
        self.assertEqual(set(self.rows("boot_id, created_on > now() - interval '1 minute'")),
                         {(content(plugin_case.BOOT_ID), 't')})

    def test_another_boot_that_is_younger_is_taken_for_this_attachments_own_too(self):
        self.add(A)
        self.change(f"boot_id = '{OTHER_BOOT}'")
        self.assertEqual(self.add(A).addresses, [A])
        self.assertEqual(self.rows('boot_id'), [(content(plugin_case.BOOT_ID),)])

    def test_an_attachment_that_holds_something_else_is_error_101(self):
        self.add(f'{A},{C}')
        for ip in (A, B, f'{A},{B}', f'{A},{B},{C}'):
            for which in BOTH:
                with self.subTest(ip=ip, which=which):
                    self.refused(self.ask('ADD', ip, which=which), 101, A, C)
        self.assertEqual(self.held(), [A, C])

    def test_101_is_decided_before_100(self):
        self.add(A)
        self.add(B, container='pod2')
        self.refused(self.ask('ADD', B), 101, A)

    def test_an_attachment_is_more_than_its_container(self):
        self.add(A)
        self.refused(self.ask('ADD', A, ifname='eth1'), 100, 'pod1', 'eth0')
        self.refused(self.ask('ADD', A, ipam={'node': 'other'}), 100)
        self.add(B, ifname='eth1')
        self.add('10.0.0.7/24', ipam={'node': 'other'})


class Held(Add):
    def test_error_100_names_the_holder_and_since_when(self):
        self.add(args=f'IP={A};K8S_POD_NAMESPACE=prod;K8S_POD_NAME=web-0', container='pod-a', ifname='net1',
                 ipam={'node': 'rack-7'})
        since = self.rows('extract(year FROM created_on)')[0][0]
        for which in BOTH:
            for ip in (A, '10.0.0.5/16', f'{A},{B}'):
                with self.subTest(which=which, ip=ip):
                    self.refused(self.ask('ADD', ip, container='pod-b', which=which), 100, '10.0.0.5', '(container pod-a, net1)',
                                 'rack-7', f'since {since}-', 'prod/web-0')
        self.assertEqual(self.held(), [A])

    def test_another_host_of_that_name_is_another_node(self):
        self.add(A)
        clone = elsewhere(machine_id='0' * 31 + '1')
        self.refused(self.ask('ADD', A, through=clone), 100, 'pod1')
        self.earlier()
        self.refused(self.ask('ADD', A, container='pod2', through=clone), 100, 'pod1')
        self.add(B, through=clone)
        self.assertEqual(self.held(), [A, B])

    def test_a_row_of_the_Go_demo_blocks_its_address(self):
        self.add(A)
        self.change("node = '', host_id = ''")
        self.earlier()
        self.refused(self.ask('ADD', A), 100, 'pod1')


class EarlierBoot(Add):
    def test_the_address_moves_to_the_new_attachment(self):
        for which in BOTH:
            self.add(A, container='old')
            self.earlier()
            answer = self.add(A, container='new', which=which)
            self.assertIn('successfully deleted the existing allocation for "old-eth0"', answer.stderr)
            self.assertIn(OTHER_BOOT, answer.stderr)
            self.assertEqual((answer.addresses, self.rows()), ([A], [('new', 'eth0', A)]))
            self.allowed(self.ask('DEL', container='new'))

    def test_the_old_attachments_other_addresses_stay(self):
        self.add(f'{A},{C}', container='old')
        self.earlier()
        self.add(A, container='new')
        self.assertEqual(self.rows(), [('new', 'eth0', A), ('old', 'eth0', C)])

    def test_of_what_stays_each_old_set_has_one_first(self):
        sets = {('old1', 'eth0'): '1', ('old1', 'eth1'): '2', ('old2', 'eth0'): '3', ('old3', 'eth0'): '4'}
        for (container, ifname), n in sets.items():
            self.add(','.join(f'10.0.0.{n}{i}/24' for i in '123'), container=container, ifname=ifname)
        self.earlier()
        self.add('10.0.0.11/24,10.0.0.22/24,10.0.0.31/24,10.0.0.32/24,10.0.0.42/24', container='new')
        self.assertEqual([(host, place) for pod, host, place in self.rows('pod_id, host(ip), position') if pod != 'new'],
                         [('10.0.0.12', '1'), ('10.0.0.13', '3'), ('10.0.0.21', '1'), ('10.0.0.23', '3'),
                          ('10.0.0.33', '1'), ('10.0.0.41', '1'), ('10.0.0.43', '3')])

    def test_what_stayed_is_no_second_set(self):
        """The old attachment comes back for other addresses: what is left of its first set goes."""
        self.add(f'{A},{C}', container='old')
        self.earlier()
        self.add(A, container='new')
        self.add('10.0.0.77/24', container='old')
        self.assertEqual(self.rows(), [('new', 'eth0', A), ('old', 'eth0', '10.0.0.77/24')])

    def test_another_node_takes_none_however_old_it_is(self):
        self.add(A, container='old', ipam={'node': 'n1'})
        self.earlier()
        self.refused(self.ask('ADD', A, container='new', ipam={'node': 'n2'}), 100, 'old', 'n1')
        self.assertEqual(self.rows('node, pod_id'), [('n1', 'old')])

    def test_several_holders_at_once(self):
        self.add(A, container='old1')
        self.add(B, container='old2')
        self.earlier()
        self.add(f'{B},{A},{C}', container='new')
        self.assertEqual(self.held(), [A, B, C])
        self.assertEqual(set(self.rows('pod_id')), {('new',)})

    def test_one_living_holder_among_them_keeps_all(self):
        self.add(A, container='old')
        self.earlier()
        self.add(B, container='alive')
        self.refused(self.ask('ADD', f'{A},{B}', container='new'), 100, '10.0.0.6', 'alive')
        self.assertEqual(self.rows('pod_id'), [('old',), ('alive',)])

    def test_what_this_attachment_held_then_is_released_in_the_same_statement(self):
        self.add(f'{A},{C}')
        self.earlier()
        answer = self.add(B)
        self.assertEqual((answer.addresses, self.held()), ([B], [B]))
        for address in ('10.0.0.5', 'fd00::5'):
            self.assertRegex(answer.stderr, rf'deleted the existing allocation for "pod1-eth0": {address}\b')

    def test_but_not_if_somebody_alive_has_the_address(self):
        self.add(A)
        self.earlier()
        self.add(B, container='alive')
        self.refused(self.ask('ADD', B), 100, 'alive')
        self.assertEqual(self.held(), [A, B])

    def test_one_row_of_this_boot_is_enough_for_101(self):
        self.add(f'{A},{C}')
        self.earlier("ip = '10.0.0.5/24'")
        self.refused(self.ask('ADD', B), 101)

    def test_another_boot_whose_row_is_younger_is_another_host_of_that_name(self):
        self.add(A)
        self.change(f"boot_id = '{OTHER_BOOT}'")
        self.refused(self.ask('ADD', A, container='pod2'), 100, 'share', socket.gethostname(),
                     'node')
        self.refused(self.ask('ADD', B), 101)
        self.assertEqual(self.held(), [A])

    def test_this_boot_is_never_earlier_however_old_its_rows_are(self):
        self.add(A)
        self.earlier(boot=content(plugin_case.BOOT_ID))
        self.refused(self.ask('ADD', A, container='pod2'), 100)

    def test_the_boot_id_and_the_uptime_of_the_kernel_decide(self):
        self.add(A)
        self.change("created_on = now() - interval '1 hour'")
        for boot_id, up, code in ((content(plugin_case.BOOT_ID), 60, 100), (OTHER_BOOT, 7200, 100), (OTHER_BOOT, 60, 0)):
            with self.subTest(boot_id=boot_id, up=up):
                through = elsewhere(boot_id=boot_id, up=up)
                self.assertEqual(self.ask('ADD', A, container='pod2', through=through).code, code)
        self.assertEqual(self.rows('pod_id, boot_id'), [('pod2', OTHER_BOOT)])


class HiddenWarnings(Add):
    """A server that hides warnings would hide that a commit was not replicated."""

    WAYS = ('ROLE cni', 'DATABASE ipam', 'ROLE cni IN DATABASE ipam')

    def hides(self, command, code, *words, before=lambda: None):
        """However it is set, this call ends so."""
        for way in self.WAYS:
            with self.subTest(way=way, command=command):
                before()
                self.server.psql(f'ALTER {way} SET client_min_messages = error')
                try:
                    answer = self.ask(command, A)
                finally:
                    self.server.psql(f'ALTER {way} RESET client_min_messages')
                self.assertEqual(answer.code, code, answer.said)
                for word in words:
                    self.assertIn(word, answer.said + answer.stderr)

    def test_ADD_is_error_11_that_says_so_and_leaves_nothing(self):
        self.hides('ADD', 11, 'client_min_messages')
        self.refused(self.ask('ADD', A, ipam={'options': '-c client_min_messages=error'}), 11, 'client_min_messages')
        self.assertEqual(self.rows(), [])

    def test_who_asks_again_gets_no_answer_either_but_keeps_its_rows(self):
        self.add(A)
        self.hides('ADD', 11, 'client_min_messages')
        self.assertEqual(self.held(), [A])

    def test_a_takeover_is_no_exception(self):
        self.add(A, container='old')
        self.earlier()
        self.refused(self.ask('ADD', A, ipam={'options': '-c client_min_messages=error'}), 11, 'client_min_messages')
        self.assertNotIn(('pod1',), self.rows('pod_id'))

    def test_DEL_and_GC_warn(self):
        for command in ('DEL', 'GC'):
            self.hides(command, 0, '[warning] the server hides warnings', before=lambda: self.add(A))
            self.assertEqual(self.rows(), [])

    def test_a_level_that_shows_warnings_is_fine(self):
        for level in ('warning', 'notice', 'log', 'debug5'):
            self.add(A, ipam={'options': f'-c client_min_messages={level}'})
            self.allowed(self.ask('DEL', ipam={'options': f'-c client_min_messages={level}'}))


class Identity(Add):
    def test_without_a_machine_id_a_node_is_asked_for(self):
        for wrong in (None, '', 'uninitialized', '0' * 31, '0' * 33, 'g' * 32):
            for verb in ('ADD', 'DEL', 'CHECK', 'STATUS', 'GC'):
                with self.subTest(wrong=wrong, verb=verb):
                    answer = self.ask(verb, A, through=elsewhere(machine_id=wrong))
                    self.refused(answer, 7, '/etc/machine-id', '"node"')
        self.add(A, through=elsewhere(machine_id=None), ipam={'node': 'x'})

    def test_without_a_boot_id_nothing_is_guessed(self):
        for wrong in (None, '', 'x'):
            for verb, code in (('ADD', 5), ('CHECK', 5), ('GC', 5), ('STATUS', 50)):
                with self.subTest(wrong=wrong, verb=verb):
                    prev = {'prevResult': {'ips': [{'address': A}]}}
                    self.refused(self.ask(verb, A, conf=prev, through=elsewhere(boot_id=wrong)), code, 'boot id')
        self.assertEqual(self.rows(), [])
        self.allowed(self.ask('DEL', through=elsewhere(boot_id=None)))

    def test_a_host_name_is_its_own(self):
        self.add(A, through=elsewhere(name='other'))
        self.assertEqual(self.rows('node'), [('other',)])
        self.allowed(self.ask('DEL'))
        self.assertEqual(self.held(), [A])


class Holder(Add):
    def test_its_pod_is_named_first_and_what_to_do_if_its_node_is_gone(self):
        self.add(args=f'IP={A};K8S_POD_NAMESPACE=default;K8S_POD_NAME=web-0;K8S_POD_UID=u', container='f' * 64,
                 ipam={'node': 'rack-7'})
        for which in BOTH:
            answer = self.refused(self.ask('ADD', A, which=which, container='pod-b'), 100, 'sql/admin/forget-node.sh "rack-7"')
            self.assertRegex(answer.json['msg'], r'^address 10\.0\.0\.5 is held by pod default/web-0 on node "rack-7" since '
                             + r'\S+ \S+ \(container f{64}, eth0\)$')

    def test_a_host_that_was_installed_anew_is_told_how_to_free_what_it_held(self):
        self.add(A, container='pod-a')
        self.change("host_id = 'another-id'")
        self.refused(self.ask('ADD', A, container='pod-b'), 100, 'another machine id', 'forget-node.sh --host-id "another-id"')


if __name__ == '__main__':
    tap.main()
