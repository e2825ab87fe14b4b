#!/usr/bin/env python3
"""Addresses that nobody asked for by name: picked from the range sets. Needs a PostgreSQL server's programs and root."""
import ipaddress
import os
import tempfile

import plugin
import plugin_case
import tap
from plugin_case import BOTH, VERSIONS, since

OTHER_BOOT = '11111111-2222-3333-4444-555555555555'
SMALL = [[{'subnet': '10.5.0.0/29'}]]       # .1 is the gateway, .2 to .6 are left
LARGE = [[{'subnet': '10.5.0.0/16'}]]
DUAL = [[{'subnet': '10.5.0.0/16'}], [{'subnet': 'fd05::/64'}]]


def pod(name, namespace='default', uid=None):
    """CNI_ARGS as containerd sends them."""
    pairs = {'IgnoreUnknown': '1', 'K8S_POD_NAMESPACE': namespace, 'K8S_POD_NAME': name, 'K8S_POD_UID': uid}
    return ';'.join(f'{k}={v}' for k, v in pairs.items() if v is not None)


def host(address):
    return address.split('/')[0]


class Pick(plugin_case.PluginCase):
    def pick(self, ranges=None, name=None, container=None, **how):
        """ADD of a pod, which must succeed; its addresses."""
        how.setdefault('args', pod(name) if name else '')
        ipam = {'ranges': ranges or SMALL, **how.pop('ipam', {})}
        return self.add(container=container or f'c-{name}', ipam=ipam, **how).addresses

    def fill(self, n, ranges=None, name='fill{}', **how):
        return [self.pick(ranges, name.format(i), **how)[0] for i in range(n)]

    def delete(self, name):
        self.allowed(self.ask('DEL', container=f'c-{name}'))

    def earlier(self, where='true', age='10 years'):
        """Lets this network's rows be of an earlier boot."""
        self.change(f"boot_id = '{OTHER_BOOT}', created_on = now() - interval '{age}'", where)

    def none_left(self, ranges=None, name='more', **how):
        return self.refused(self.ask('ADD', container=f'c-{name}', args=pod(name),
                                     ipam={'ranges': ranges or SMALL, **how}), 103)


class Answer(Pick):
    def test_every_version_and_both_executables(self):
        for version in VERSIONS:
            for which in BOTH:
                with self.subTest(version=version, which=which):
                    answer = self.add(which=which, version=version, container=f'{version}-{which}',
                                      ipam={'ranges': DUAL}).json
                    ips = answer['ips'] if version in since('0.3.0') else [
                        {'address': answer[key]['ip'], 'gateway': answer[key]['gateway']} for key in ('ip4', 'ip6')]
                    self.assertEqual([ipaddress.ip_interface(ip['address']).network for ip in ips],
                                     [ipaddress.ip_network('10.5.0.0/16'), ipaddress.ip_network('fd05::/64')])
                    self.assertEqual([ip['gateway'] for ip in ips], ['10.5.0.1', 'fd05::1'])

    def test_what_is_answered_is_what_is_recorded(self):
        addresses = self.pick(DUAL, 'a')
        self.assertEqual(self.rows("host(ip) || '/' || masklen(ip), position"),
                         [(addresses[0], '1'), (addresses[1], '2')])

    def test_in_the_order_of_the_sets(self):
        addresses = self.pick(DUAL[::-1], 'a')
        self.assertEqual([ipaddress.ip_interface(a).version for a in addresses], [6, 4])
        self.assertEqual(sorted(self.pick(DUAL, 'a', container='other')) != sorted(addresses), True)

    def test_routes_and_dns_come_along(self):
        answer = self.add(ipam={'ranges': SMALL, 'routes': [{'dst': '0.0.0.0/0'}], 'dns': {'domain': 'a'}}).json
        self.assertEqual((answer['routes'], answer['dns']), ([{'dst': '0.0.0.0/0'}], {'domain': 'a'}))

    def test_it_takes_one_statement_where_there_is_room(self):
        for ranges in (LARGE, DUAL):
            self.assertEqual(len(self.statements(lambda r=ranges: self.pick(r, f'a{len(r)}'))), 1)

    def test_two_where_the_first_place_is_taken(self):
        first, = self.pick(LARGE, 'a')
        self.change("pod_id = 'somebody', pod_name = 'other'")
        self.assertEqual(len(self.statements(lambda: self.pick(LARGE, 'a'))), 2)
        self.assertEqual(self.held()[0] in self.held() and len(self.held()), 2)
        self.assertIn(first, self.held())


class ByName(Pick):
    def test_one_by_name_and_one_picked(self):
        answer = self.add('fd05::5', ipam={'ranges': DUAL}).addresses
        self.assertEqual(answer[1], 'fd05::5/64')
        self.assertTrue(answer[0].startswith('10.5.'))
        answer = self.add('10.5.0.5', ipam={'ranges': DUAL}, container='b').addresses
        self.assertEqual(answer[0], '10.5.0.5/16')
        self.assertTrue(answer[1].startswith('fd05::'))

    def test_two_of_one_set(self):
        answer = self.add('10.5.0.9,10.5.0.5', ipam={'ranges': DUAL}).addresses
        self.assertEqual(answer[:2], ['10.5.0.9/16', '10.5.0.5/16'])
        self.assertEqual(len(answer), 3)

    def test_in_the_order_of_the_sets_not_of_the_request(self):
        self.assertEqual(self.add('fd05::5,10.5.0.5', ipam={'ranges': DUAL}).addresses, ['10.5.0.5/16', 'fd05::5/64'])

    def test_a_name_that_is_held_is_100_and_nothing_is_picked(self):
        self.add('fd05::5', ipam={'ranges': DUAL[1:]}, container='holder')
        self.refused(self.ask('ADD', 'fd05::5', ipam={'ranges': DUAL}), 100, 'fd05::5', 'holder')
        self.assertEqual(self.held(), ['fd05::5/64'])

    def test_gateways_of_the_call_are_not_picked_and_say_nothing_about_picks(self):
        ranges = [[{'subnet': '10.5.0.0/29'}]]
        for i in range(3):
            answer = self.add(container=f'c{i}', args='GATEWAY=10.5.0.6', ipam={'ranges': ranges}).json
            self.assertEqual(answer['ips'][0]['gateway'], '10.5.0.1')
        conf = {'ranges': ranges + [[{'subnet': 'fd05::/64', 'gateway': 'fd05::9'}]],
                'addresses': [{'address': 'fd05::77/64', 'gateway': 'fd05::8'}]}
        self.add(container='c4', args='GATEWAY=10.5.0.6', ipam=conf)
        self.refused(self.ask('ADD', container='c5', args='GATEWAY=10.5.0.6', ipam={'ranges': ranges}), 103)
        self.assertNotIn('10.5.0.6/29', self.held())

    def test_a_request_outside_of_all_ranges_is_error_7(self):
        self.refused(self.ask('ADD', '10.6.0.1', ipam={'ranges': DUAL}), 7, '10.6.0.1')


class WhatIsPicked(Pick):
    def test_neither_network_nor_broadcast_nor_gateway(self):
        self.assertEqual(sorted(self.fill(5)), [f'10.5.0.{i}/29' for i in range(2, 7)])
        self.none_left()

    def test_the_subnets_own_whatever_rangestart_and_rangeend_say(self):
        ranges = [[{'subnet': '10.5.0.0/29', 'rangeStart': '10.5.0.0', 'rangeEnd': '10.5.0.7', 'gateway': '169.254.1.1'}]]
        self.assertEqual(sorted(self.fill(6, ranges)), [f'10.5.0.{i}/29' for i in range(1, 7)])
        self.none_left(ranges)

    def test_v6_without_the_address_of_the_routers(self):
        ranges = [[{'subnet': 'fd05::/126', 'rangeStart': 'fd05::'}]]
        self.assertEqual(sorted(self.fill(2, ranges)), ['fd05::2/126', 'fd05::3/126'])
        self.none_left(ranges)

    def test_neither_another_ranges_gateway(self):
        ranges = [[{'subnet': '10.5.0.0/29'}], [{'subnet': '10.6.0.0/29', 'gateway': '10.5.0.4'}]]
        self.fill(4, ranges)
        self.none_left(ranges)
        self.assertNotIn('10.5.0.4/29', self.held())

    def test_large_v6_sets(self):
        for i, subnet in enumerate(('fd05::/48', 'fd05::/64', 'fd00::/8', '8000::/1')):
            with self.subTest(subnet):
                a, = self.pick([[{'subnet': subnet}]], f'a{i}')
                self.assertIn(ipaddress.ip_address(host(a)), ipaddress.ip_network(subnet))

    def test_more_than_2_to_127_is_error_7(self):
        self.refused(self.ask('ADD', ipam={'ranges': [[{'subnet': '::/0', 'gateway': 'fd00::1'}]]}), 7, '2^127')

    def test_forbidden_ones(self):
        ranges = [[{'subnet': '126.0.0.0/7', 'rangeStart': '126.255.255.254', 'rangeEnd': '127.0.0.9'}]]
        self.assertEqual(sorted(self.fill(2, ranges)), ['126.255.255.254/7', '126.255.255.255/7'])
        self.none_left(ranges)


class Exclude(Pick):
    def excluded(self, *entries, **more):
        return [[{'subnet': '10.5.0.0/29', 'exclude': list(entries), **more}]]

    def test_addresses_prefixes_and_runs_are_never_picked(self):
        for i, (entries, left) in enumerate((
                (['10.5.0.4'], [2, 3, 5, 6]), (['10.5.0.4/30'], [2, 3]), (['10.5.0.3-10.5.0.5'], [2, 6]),
                (['10.5.0.2', '10.5.0.2-10.5.0.3', '10.5.0.6/32'], [4, 5]), (['10.5.0.0/30'], [4, 5, 6]))):
            with self.subTest(entries):
                self.network += f'-{i}'
                ranges = self.excluded(*entries)
                self.assertEqual(sorted(self.fill(len(left), ranges)), [f'10.5.0.{n}/29' for n in left])
                self.none_left(ranges)

    def test_but_may_be_asked_for(self):
        self.assertEqual(self.add('10.5.0.4', ipam={'ranges': self.excluded('10.5.0.4')}).addresses, ['10.5.0.4/29'])

    def test_what_is_wrong_is_error_7(self):
        for entry in ('10.5.0.9', '10.6.0.1', '10.5.0.5/30', '10.5.0.0/28', '10.5.0.5-10.5.0.3', '10.5.0.3-10.5.0.9',
                      '10.5.0.3-', '-10.5.0.3', '10.5.0.3-fd05::1', 'fd05::1', '', 'x', 7, None, ['10.5.0.4'],
                      '10.5.0.3/32-10.5.0.4', '10.5.0.3 - 10.5.0.4'):
            with self.subTest(entry=entry):
                self.refused(self.ask('ADD', ipam={'ranges': self.excluded(entry)}), 7, 'exclude')
        self.refused(self.ask('ADD', ipam={'ranges': [[{'subnet': '10.5.0.0/29', 'exclude': '10.5.0.3'}]]}), 7, 'exclude')

    def test_within_the_subnet_is_enough(self):
        ranges = self.excluded('10.5.0.0/29', rangeStart='10.5.0.4')
        self.refused(self.ask('ADD', ipam={'ranges': ranges}), 7)

    def test_a_set_of_which_nothing_may_be_picked_only_bounds(self):
        ranges = [[{'subnet': '10.5.0.0/29', 'exclude': ['10.5.0.0/29']}], [{'subnet': 'fd05::/64'}]]
        self.assertEqual(len(self.pick(ranges, 'a')), 1)
        self.assertEqual(len(self.add('10.5.0.3', ipam={'ranges': ranges}, container='b').addresses), 2)
        self.refused(self.ask('ADD', ipam={'ranges': ranges[:1]}, container='c'), 7)
        self.allowed(self.ask('STATUS', ipam={'ranges': ranges}))

    def test_more_of_it_moves_nobody_else(self):
        before = self.fill(12, LARGE)
        for i in range(12):
            self.delete(f'fill{i}')
        half = [[{'subnet': '10.5.0.0/16', 'exclude': ['10.5.128.0/17']}]]
        after = self.fill(12, half)
        for a, b in zip(before, after):
            if int(a.split('.')[2]) < 128:
                self.assertEqual(a, b)
            else:
                self.assertLess(int(b.split('.')[2]), 128)


class WhoAsks(Pick):
    """The callers come one after the other: two at the same time would never get one address anyway."""

    def asks(self, ranges=LARGE, container='c', **how):
        """The address that it gets; given back at once."""
        ipam = {'ranges': ranges, **how.pop('ipam', {})}
        address, = self.add(container=container, ipam=ipam, **how).addresses
        self.allowed(self.ask('DEL', container=container, ipam=ipam, ifname=how.get('ifname', 'eth0')))
        return address

    def test_namespace_and_name_decide(self):
        mine = self.asks(args=pod('a'))
        self.assertEqual(self.asks(args=pod('a'), container='other'), mine)
        self.assertEqual(self.asks(args=pod('a'), container='other', ipam={'node': 'elsewhere'}), mine)
        self.assertNotEqual(self.asks(args=pod('b')), mine)
        self.assertNotEqual(self.asks(args=pod('a', 'kube-system')), mine)
        self.assertNotEqual(self.asks(args=pod('a'), ifname='eth1'), mine)

    def test_without_a_namespace_the_node_stands_in_its_place(self):
        mine = self.asks(args='K8S_POD_NAME=a', ipam={'node': 'n1'})
        self.assertEqual(self.asks(args='K8S_POD_NAME=a', ipam={'node': 'n1'}, container='other'), mine)
        self.assertNotEqual(self.asks(args='K8S_POD_NAME=a', ipam={'node': 'n2'}), mine)
        self.assertEqual(self.asks(args='K8S_POD_NAME=a;K8S_POD_NAMESPACE=', ipam={'node': 'n1'}), mine)

    def test_without_a_name_the_container(self):
        mine = self.asks()
        self.assertEqual(self.asks(), mine)
        self.assertEqual(self.asks(ipam={'node': 'n2'}), mine)
        self.assertNotEqual(self.asks(container='other'), mine)

    def test_a_released_address_is_not_the_next_one(self):
        given = [self.asks(args=pod(f'p{i}')) for i in range(10)]
        self.assertEqual(len(set(given)), 10)

    def test_a_range_at_the_end_moves_nobody(self):
        two = [LARGE[0] + [{'subnet': '10.6.0.0/16'}]]
        for i in range(5):
            self.assertEqual(self.asks(args=pod(f'p{i}')), self.asks(two, args=pod(f'p{i}')))


class Order(Pick):
    def test_ranges_are_filled_in_their_order(self):
        ranges = [[{'subnet': '10.5.0.0/30'}, {'subnet': '10.5.1.0/30'}, {'subnet': '10.5.2.0/29'}]]
        self.assertEqual(self.fill(3, ranges), ['10.5.0.2/30', '10.5.1.2/30', self.held()[-1]])
        self.assertTrue(self.held()[-1].startswith('10.5.2.'))

    def test_the_first_place_if_it_is_free_comes_before_what_the_pod_left(self):
        mine, = self.pick(LARGE, 'a')
        self.change("ip = '10.5.77.77/16'")
        self.earlier()
        self.assertEqual(self.pick(LARGE, 'a', container='new'), [mine])

    def test_then_what_this_pod_left_wherever_it_lies(self):
        mine, = self.pick(LARGE, 'a')
        self.change("pod_id = 'other', pod_name = 'other'")
        second, = self.pick(LARGE, 'a')
        self.assertNotEqual(mine, second)
        self.change("ip = '10.5.77.77/16', pod_id = 'old'", "pod_name = 'a'")
        self.earlier("pod_name = 'a'")
        self.assertEqual(self.pick(LARGE, 'a', container='new'), ['10.5.77.77/16'])
        self.assertEqual(len(self.held()), 2)

    def test_only_of_the_same_interface_namespace_name_and_node(self):
        mine, = self.pick(LARGE, 'a')
        self.change("pod_id = 'other', pod_name = 'other'")
        self.pick(LARGE, 'a')
        for change in ("interface = 'eth1'", "pod_namespace = 'x'", "pod_name = 'b'", "node = 'x'", "network = 'x'"):
            with self.subTest(change):
                self.server.psql(f"DELETE FROM ips WHERE pod_name = 'a' AND network = '{self.network}'")
                second, = self.pick(LARGE, 'a')
                self.change(f"ip = '10.5.77.77/16', pod_id = 'old', {change}", "pod_name = 'a'")
                self.server.psql(f"UPDATE ips SET boot_id = 'x', created_on = now() - interval '10 years' WHERE pod_id = 'old'")
                self.assertEqual(self.pick(LARGE, 'a', container='new'), [second])
                self.server.psql("DELETE FROM ips WHERE pod_id IN ('old', 'new')")

    def test_and_what_its_older_sandbox_holds(self):
        self.pick(LARGE, args=pod('a'), container='other')
        self.change("pod_name = 'other'")
        old, = self.pick(LARGE, args=pod('a', uid='u1'), container='sandbox1')
        new, = self.pick(LARGE, args=pod('a', uid='u1'), container='sandbox2')
        self.assertEqual(old, new)
        self.assertEqual(len(self.rows()), 2)

    def test_a_pod_is_not_refused_by_its_own_dead_sandboxes(self):
        for i in range(8):
            self.pick(args=pod('a', uid='u1'), container=f'sandbox{i}')
        self.assertEqual(len(self.held()), 1)

    def test_then_any_free_address_before_what_others_left(self):
        self.fill(4)
        self.earlier()
        free = {f'10.5.0.{i}/29' for i in range(2, 7)} - set(self.held())
        self.assertEqual(set(self.pick(name='new')), free)
        self.assertEqual(len(self.held()), 5)

    def test_then_what_others_left_in_an_earlier_boot_the_oldest_first(self):
        left = self.fill(5)
        self.earlier(age='10 years')
        self.earlier("pod_name = 'fill3'", age='11 years')
        self.assertEqual(self.pick(name='new'), [left[3]])
        self.earlier("pod_name = 'fill1'", age='10 years 1 day')
        self.assertEqual(self.pick(name='newer'), [left[1]])

    def test_what_this_pod_left_elsewhere_lets_it_take_nothing_of_others_while_there_is_room(self):
        self.pick(name='a')
        self.change("pod_id = 'other', pod_name = 'other', node = 'elsewhere'")
        left = self.fill(2)
        self.pick(name='a')
        self.change("ip = '10.9.0.9/24', pod_id = 'old'", "pod_name = 'a'")
        self.earlier("node <> 'elsewhere'")
        self.assertNotIn(self.pick(name='a', container='new')[0], left)
        self.assertEqual(len(self.held()), 5)

    def test_never_what_another_node_left(self):
        self.fill(5, ipam={'node': 'elsewhere'})
        self.earlier()
        self.none_left()
        self.none_left(node='third', name='other')
        self.change(f"node = '{os.uname().nodename}', host_id = repeat('a', 32)")
        self.none_left()

    def test_never_what_is_of_this_boot_or_younger_than_it(self):
        self.fill(5)
        self.none_left()
        self.change(f"boot_id = '{OTHER_BOOT}'")
        self.none_left()

    def test_what_is_left_outside_of_the_set_or_excluded_is_no_offer(self):
        self.fill(5)
        self.earlier("ip = '10.5.0.4/29'")
        self.none_left([[{'subnet': '10.5.0.0/29', 'exclude': ['10.5.0.4']}]])
        self.assertEqual(self.pick(name='new'), ['10.5.0.4/29'])

    def test_both_sets_at_once(self):
        ranges = [[{'subnet': '10.5.0.0/30'}], [{'subnet': 'fd05::/126'}]]
        a = self.pick(ranges, 'a')
        self.pick([ranges[1]], 'b')
        self.none_left(ranges)
        self.earlier("pod_name = 'a'")
        c = self.pick(ranges, 'c')
        self.assertEqual(c, a)


    def test_one_set_full_of_what_others_left_the_other_with_room(self):
        self.pick(LARGE, 'a')
        self.change("pod_id = 'other', pod_name = 'other', node = 'elsewhere'")
        left, = self.pick([[{'subnet': 'fd05::/126', 'rangeStart': 'fd05::2', 'rangeEnd': 'fd05::2'}]], 'b')
        self.earlier("pod_name = 'b'")
        answer = self.pick([LARGE[0], [{'subnet': 'fd05::/126', 'rangeStart': 'fd05::2', 'rangeEnd': 'fd05::2'}]], 'a')
        self.assertEqual(answer[1], left)
        self.assertEqual(len(self.held()), 3)

    def test_the_set_with_room_loses_nothing_of_others_either(self):
        ranges = [LARGE[0], [{'subnet': 'fd05::/126', 'rangeStart': 'fd05::2', 'rangeEnd': 'fd05::2'}], [{'subnet': 'fd06::/64'}]]
        self.pick([ranges[0], ranges[2]], 'a')
        self.change("pod_id = 'other', pod_name = 'other', node = 'elsewhere'")
        left = self.pick(ranges[:2], 'b')
        self.add(container='old', args=pod('a'), ipam={'ranges': ranges[2:]})
        self.earlier("node <> 'elsewhere'")
        answer = self.pick(ranges, 'a')
        self.assertEqual(answer[1], left[1])
        self.assertNotEqual(answer[0], left[0])
        self.assertIn(left[0], self.held())

    def test_the_last_gap_is_found_in_one_search_wherever_it_is(self):
        for free in (2, 100, 254):
            with self.subTest(free):
                self.network += f'-{free}'
                self.server.psql("INSERT INTO ips (pod_id, interface, ip, network, node) SELECT 'p' || n, 'eth0',"
                                 f" set_masklen('10.5.0.0'::inet + n, 24), '{self.network}', 'x' FROM generate_series(2, 254) AS n WHERE n <> {free}")
                said = self.statements(lambda n=free: self.assertEqual(self.pick([[{'subnet': '10.5.0.0/24'}]], 'a'), [f'10.5.0.{n}/24']))
                self.assertEqual(len(said), 2)


class Again(Pick):
    def test_the_same_attachment_gets_what_it_holds(self):
        first = self.pick(DUAL, 'a')
        self.assertEqual(self.pick(DUAL, 'a'), first)
        self.assertEqual(self.add(container='c-a', ipam={'ranges': DUAL}).addresses, first)
        self.assertEqual(self.add(first[1], container='c-a', ipam={'ranges': DUAL}).addresses, first)
        self.assertEqual(len(self.held()), 2)

    def test_also_where_the_ranges_have_changed_since(self):
        first = self.pick(LARGE, 'a')
        self.assertEqual(self.pick([[{'subnet': '10.9.0.0/16'}]], 'a'), first)
        self.assertEqual(self.pick(DUAL, 'a'), first)

    def test_also_in_a_full_set(self):
        held = self.fill(5)
        self.assertEqual(self.fill(5), held)

    def test_something_by_name_that_it_does_not_hold_is_101(self):
        first, = self.pick(LARGE, 'a')
        self.refused(self.ask('ADD', '10.5.0.77', container='c-a', ipam={'ranges': LARGE}), 101, host(first))

    def test_of_an_earlier_boot_it_is_confirmed(self):
        first = self.pick(DUAL, 'a')
        ids = self.rows('id')
        self.earlier()
        self.assertEqual(self.pick(DUAL, 'a'), first)
        self.assertEqual(self.rows('id'), ids)
        self.assertEqual(self.rows("boot_id"), [(self._boot(),)] * 2)

    @staticmethod
    def _boot():
        with open(plugin_case.BOOT_ID, encoding='ascii') as f:
            return f.read().strip()

    def test_of_an_earlier_boot_and_a_set_that_holds_none_of_it_it_is_picked_anew(self):
        self.pick(LARGE, 'a')
        self.earlier()
        answer = self.pick([[{'subnet': '10.9.0.0/16'}], LARGE[0]], 'a')
        self.assertTrue(answer[0].startswith('10.9.'))
        self.assertEqual(sorted(self.held()), sorted(answer))

    def test_check_after_add(self):
        prev = self.add(ipam={'ranges': DUAL}).json
        self.allowed(self.ask('CHECK', ipam={'ranges': DUAL}, conf={'prevResult': prev}))
        self.change("pod_id = 'gone'", "family(ip) = 6")
        self.refused(self.ask('CHECK', ipam={'ranges': DUAL}, conf={'prevResult': prev}), 102)

    def test_del_frees_both(self):
        self.pick(DUAL, 'a')
        self.delete('a')
        self.assertEqual(self.held(), [])


class Full(Pick):
    def test_103_names_the_set_and_nothing_is_recorded(self):
        self.fill(5, ipam={'node': 'busy'})
        ranges = [[{'subnet': 'fd05::/64'}], SMALL[0]]
        answer = self.refused(self.ask('ADD', ipam={'ranges': ranges}), 103, '10.5.0.0/29', ' 5 ', 'busy', 'forget-node')
        self.assertNotIn('fd05', answer.json['msg'])
        self.assertEqual(len(self.held()), 5)

    def test_its_details_name_who_holds_most_and_since_when(self):
        self.fill(3, ipam={'node': 'busy'})
        self.fill(2, name='other{}', ipam={'node': 'other'})
        self.change("created_on = '2024-05-06 07:08:09Z'", "node = 'other'")
        self.change("created_on = '2023-02-03 04:05:06Z'", "node = 'busy'")
        self.change("created_on = '2023-02-04 04:05:06Z'", "pod_name = 'fill1'")
        said = self.none_left(node='busy').json['details']
        self.assertIn('node "busy" holds 3 of them, the youngest since 2023-02-04', said)
        self.change("host_id = 'a' || repeat('b', 31)", "node = 'busy'")
        self.assertIn('node "busy" (machine id abbb', self.none_left(node='busy').json['details'])
        self.assertNotIn('machine id', self.none_left(node='other').json['details'])

    def test_all_subnets_of_the_set(self):
        ranges = [[{'subnet': '10.5.0.0/30'}, {'subnet': '10.5.1.0/30'}]]
        self.fill(2, ranges)
        self.none_left(ranges)
        self.refused(self.ask('ADD', ipam={'ranges': ranges}, container='x'), 103, '10.5.0.0/30', '10.5.1.0/30', ' 2 ')

    def test_up_to_the_last_address(self):
        self.assertEqual(len(set(self.fill(29, [[{'subnet': '10.5.0.0/27'}]]))), 29)
        self.none_left([[{'subnet': '10.5.0.0/27'}]])

    def test_the_net_plugin_passes_it_on_and_leaves_nothing(self):
        self.fill(5)
        self.refused(self.ask('ADD', which=plugin.NET, container='x', ipam={'ranges': SMALL}), 103)
        self.assertEqual(len(self.held()), 5)


class Status(Pick):
    def status(self, ranges=None, **ipam):
        return self.ask('STATUS', ipam={'ranges': ranges or SMALL, **ipam})

    def test_ready_as_long_as_there_is_room(self):
        self.allowed(self.status())
        self.fill(4)
        for _ in range(4):
            self.allowed(self.status())

    def test_50_names_the_set_that_is_full(self):
        self.fill(5)
        for which in BOTH:
            self.refused(self.ask('STATUS', which=which, ipam={'ranges': [[{'subnet': 'fd05::/64'}], SMALL[0]]}), 50,
                         '10.5.0.0/29', ' 5 ')

    def test_not_where_statusignoresranges_is_set(self):
        self.fill(5)
        self.allowed(self.status(statusIgnoresRanges=True))
        self.refused(self.status(statusIgnoresRanges=False), 50)
        self.refused(self.status(statusIgnoresRanges='yes'), 7, 'statusIgnoresRanges')

    def test_full_of_what_earlier_boots_of_this_node_left_is_not_full(self):
        self.fill(5)
        self.earlier("pod_name = 'fill2'")
        self.allowed(self.status())
        self.refused(self.status(node='other'), 50)

    def test_it_writes_nothing(self):
        self.fill(2)
        rows = self.rows('id, created_on, xmin')
        for sql in self.statements(lambda: self.allowed(self.status())):
            self.assertNotRegex(sql, 'INSERT INTO|UPDATE public|DELETE FROM|emit_message')
        self.assertEqual(self.rows('id, created_on, xmin'), rows)


class Configuration(Pick):
    def test_host_locals_older_form_is_a_set_of_its_own_before_the_others(self):
        ipam = {'subnet': '10.5.0.0/29', 'rangeStart': '10.5.0.3', 'rangeEnd': '10.5.0.4', 'gateway': '10.5.0.6',
                'exclude': ['10.5.0.3'], 'ranges': [[{'subnet': 'fd05::/126'}]]}
        answer = self.add(ipam=ipam).json['ips']
        self.assertEqual([(ip['address'], ip['gateway']) for ip in answer][0], ('10.5.0.4/29', '10.5.0.6'))
        self.assertTrue(answer[1]['address'].startswith('fd05::'))

    def test_which_needs_its_subnet(self):
        for key, value in (('rangeStart', '10.5.0.3'), ('rangeEnd', '10.5.0.3'), ('gateway', '10.5.0.1'),
                           ('exclude', ['10.5.0.3'])):
            self.refused(self.ask('ADD', ipam={key: value, 'ranges': LARGE}), 7, 'subnet')

    def test_ip_ranges_of_the_runtime_come_first(self):
        conf = {'capabilities': {'ipRanges': True}, 'runtimeConfig': {'ipRanges': [[{'subnet': '10.7.0.0/16'}]]}}
        answer = self.add(ipam={'subnet': '10.6.0.0/16', 'ranges': LARGE}, conf=conf).addresses
        self.assertEqual([a.split('.')[1] for a in answer], ['7', '6', '5'])
        answer = self.add(conf=conf, container='b').addresses
        self.assertEqual(len(answer), 1)
        for wrong in ('x', [{'subnet': '10.7.0.0/16'}], [[{'subnet': 'x'}]], [[]]):
            self.refused(self.ask('ADD', ipam={'ranges': LARGE}, conf={'runtimeConfig': {'ipRanges': wrong}}), 7, 'ipRanges')

    def test_two_sets_of_a_family_up_to_0_2_0(self):
        ranges = [[{'subnet': '10.5.0.0/24'}], [{'subnet': '10.6.0.0/24'}]]
        for version in ('0.1.0', '0.2.0'):
            self.refused(self.ask('ADD', version=version, ipam={'ranges': ranges}), 7)
        self.assertEqual(len(self.add(version='0.3.0', ipam={'ranges': ranges}).addresses), 2)

    def test_del_minds_none_of_it(self):
        self.pick(name='a')
        self.allowed(self.ask('DEL', container='c-a', ipam={'ranges': [[{'subnet': 'x'}]], 'rangeStart': 'x', 'resolvConf': '/none'},
                              conf={'runtimeConfig': {'ipRanges': 'x'}}))
        self.assertEqual(self.held(), [])

    def test_resolv_conf(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, 'resolv.conf')
            with open(path, 'w', encoding='ascii') as f:
                f.write('# ours\nnameserver 10.0.0.53\nsearch a b\noptions ndots:5\n')
            dns = self.add(ipam={'ranges': LARGE, 'resolvConf': path}).json['dns']
            self.assertEqual(dns, {'nameservers': ['10.0.0.53'], 'search': ['a', 'b'], 'options': ['ndots:5']})
            dns = self.add(ipam={'ranges': LARGE, 'resolvConf': path, 'dns': {'search': ['c'], 'domain': 'd'}}).json['dns']
            self.assertEqual(dns, {'nameservers': ['10.0.0.53'], 'domain': 'd', 'search': ['c'], 'options': ['ndots:5']})
            os.remove(path)
            os.mkfifo(path)
            for wrong in (path, folder, path + 'x'):
                for verb in ('ADD', 'CHECK', 'STATUS'):
                    self.refused(self.ask(verb, ipam={'ranges': LARGE, 'resolvConf': wrong}), 7, 'resolvConf')

    def test_data_dir_has_no_meaning(self):
        answer = self.add(ipam={'ranges': LARGE, 'dataDir': '/somewhere', 'logLevel': 'debug'})
        self.assertIn('dataDir', answer.stderr)
        self.refused(self.ask('ADD', ipam={'ranges': LARGE, 'dataDir': 7}), 7, 'dataDir')


if __name__ == '__main__':
    tap.main()
