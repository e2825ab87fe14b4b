#!/usr/bin/env python3
"""GC: frees what this node holds in this network and nobody has listed, and nothing else. Needs a PostgreSQL server's
programs and root."""
import json

import plugin
import plugin_case
import tap
from plugin_case import BOTH, elsewhere

VALID, OLDER = 'cni.dev/valid-attachments', 'cni.dev/attachments'
OTHER_BOOT = '11111111-2222-3333-4444-555555555555'
AGE = "created_on = now() - interval '{}'"


def entries(*pods, ifname='eth0'):
    return [{'containerID': pod, 'ifname': ifname} for pod in pods]


class Gc(plugin_case.PluginCase):
    def hold(self, *pods, at=1, **how):
        for i, pod in enumerate(pods, at):
            self.add(f'10.0.0.{i}/24', container=pod, **how)

    def pods(self):
        return [pod for pod, in self.rows('pod_id')]

    def collect(self, valid=None, which=plugin.IPAM, **how):
        conf = {VALID: valid} if valid is not None else {}
        return self.allowed(self.ask('GC', which=which, conf=conf, **how))


class Collect(Gc):
    def test_it_frees_what_is_not_listed_and_logs_each(self):
        for which in BOTH:
            self.hold('a', 'b', 'c')
            answer = self.collect(entries('b'), which=which)
            self.assertEqual((answer.stdout, self.pods()), (b'', ['b']))
            for pod, ip in (('a', '10.0.0.1'), ('c', '10.0.0.3')):
                self.assertIn(f'successfully deleted the existing allocation for "{pod}-eth0": {ip}', answer.stderr)
            self.assertNotIn('"b-eth0"', answer.stderr)
            self.collect([])

    def test_an_attachment_is_container_and_interface(self):
        self.hold('a')
        self.hold('a', at=2, ifname='net1')
        self.collect(entries('a', ifname='net1'))
        self.assertEqual(self.rows('pod_id, interface'), [('a', 'net1')])

    def test_all_addresses_of_an_attachment_go_together(self):
        self.add('10.0.0.1/24,fd00::1/64', container='a')
        self.add('10.0.0.2/24,fd00::2/64', container='b')
        self.collect(entries('b'))
        self.assertEqual(self.pods(), ['b', 'b'])

    def test_the_older_name_of_the_list_counts_where_the_newer_is_absent(self):
        for conf, left in (({OLDER: entries('a')}, ['a']), ({VALID: entries('b'), OLDER: entries('a')}, ['b']),
                           ({VALID: entries('b'), OLDER: 'rubbish'}, ['b']), ({VALID: None, OLDER: entries('a')}, [])):
            with self.subTest(conf=conf):
                self.collect([])
                self.hold('a', 'b')
                self.allowed(self.ask('GC', conf=json.dumps({**self.conf(), **conf}).encode()))
                self.assertEqual(self.pods(), left)

    def test_null_an_empty_list_and_none_at_all_mean_that_nothing_is_valid(self):
        for conf in ({VALID: None}, {VALID: []}, {}, {OLDER: None}, {OLDER: []}):
            for which in BOTH:
                with self.subTest(conf=conf, which=which):
                    self.hold('a')
                    self.allowed(self.ask('GC', which=which, conf=json.dumps({**self.conf(), **conf}).encode()))
                    self.assertEqual(self.pods(), [])

    def test_other_entries_and_other_keys_in_them_do_no_harm(self):
        self.hold('a', 'b')
        self.collect([{'containerID': 'a', 'ifname': 'eth0', 'network': 'x', 'more': [1]},
                      *entries('of-another-network', '', "quote'\"\\", 'ünï')])
        self.assertEqual(self.pods(), ['a'])

    def test_it_takes_one_statement_and_reads_no_address(self):
        self.hold('a', 'b', 'c')
        sent = self.statements(lambda: self.collect([], ipam={'addresses': 'x', 'ranges': 'x'}, env={'CNI_ARGS': 'x'}))
        self.assertEqual((len(sent), self.pods()), (1, []))

    def test_again_is_success(self):
        for _ in range(2):
            self.collect([])

    def test_a_hundred_thousand_entries(self):
        self.hold('a', 'b')
        self.server.psql(f'''INSERT INTO ips (pod_id, interface, ip, network, node, host_id, boot_id)
            SELECT 'pod-' || i, 'eth0', '10.1.0.0'::inet + i, network, node, host_id, boot_id
              FROM ips, generate_series(1, 20000) i WHERE network = '{self.network}' AND pod_id = 'a' ''')
        self.collect(entries('b', *(f'pod-{i}' for i in range(10001, 110000))), which=plugin.NET)
        self.assertEqual(self.server.psql(f'''SELECT count(*), min(substr(pod_id, 5)::int), max(substr(pod_id, 5)::int)
            FROM ips WHERE network = '{self.network}' AND pod_id LIKE 'pod-%' '''), [['10000', '10001', '20000']])
        self.assertEqual(self.server.value(f"SELECT string_agg(pod_id, ' ') FROM ips WHERE network = '{self.network}'"
                                           " AND pod_id NOT LIKE 'pod-%'"), 'b')


class OnlyMine(Gc):
    def test_never_another_network(self):
        self.hold('a')
        first, self.network = self.network, self.network + '-b'
        self.hold('a')
        self.collect([])
        self.assertEqual(self.pods(), [])
        self.network = first
        self.assertEqual(self.pods(), ['a'])

    def test_never_another_node(self):
        self.hold('same', at=1)
        for at, how in enumerate((dict(ipam={'node': 'other'}), dict(through=elsewhere(name='other')),
                                  dict(through=elsewhere(machine_id='0' * 31 + '1'))), 2):
            self.hold('same', at=at, **how)
        self.collect([])
        self.assertEqual(self.held(), ['10.0.0.2/24', '10.0.0.3/24', '10.0.0.4/24'])
        self.collect([], ipam={'node': 'other'})
        self.assertEqual(self.held(), ['10.0.0.3/24', '10.0.0.4/24'])

    def test_never_a_row_of_the_Go_demo(self):
        self.hold('a')
        self.change("node = '', host_id = '', boot_id = '', " + AGE.format('10 years'))
        self.collect([])
        self.assertEqual(self.pods(), ['a'])

    def test_never_one_younger_than_gcGracePeriod(self):
        self.hold('old', 'young')
        self.change(AGE.format('70 seconds'), "pod_id = 'old'")
        self.change(AGE.format('50 seconds'), "pod_id = 'young'")
        self.collect([], ipam={'gcGracePeriod': 60})
        self.assertEqual(self.pods(), ['young'])
        self.collect([], ipam={'gcGracePeriod': 49.5})
        self.assertEqual(self.pods(), [])

    def test_without_a_grace_period_the_youngest_goes(self):
        for ipam in ({}, {'gcGracePeriod': 0}):
            self.hold('a')
            self.collect([], ipam=ipam)
            self.assertEqual(self.pods(), [])

    def test_a_grace_period_holds_for_rows_from_the_future_too(self):
        self.hold('a')
        self.change(AGE.format('-1 hour'))
        self.collect([], ipam={'gcGracePeriod': 1})
        self.assertEqual(self.pods(), ['a'])
        self.collect([])
        self.assertEqual(self.pods(), [])

    def test_what_an_earlier_boot_left_goes_unless_it_is_listed(self):
        self.hold('a', 'b')
        self.change(f"boot_id = '{OTHER_BOOT}', {AGE.format('10 years')}")
        answer = self.collect(entries('b'))
        self.assertEqual(self.pods(), ['b'])
        self.assertNotIn('two hosts', answer.stderr)

    def test_a_row_of_another_boot_that_is_younger_than_this_one_stays_with_a_warning(self):
        for which in BOTH:
            self.hold('mine', 'twin')
            self.change(f"boot_id = '{OTHER_BOOT}'", "pod_id = 'twin'")
            answer = self.collect([], which=which)
            self.assertEqual(self.pods(), ['twin'])
            self.assertRegex(answer.stderr, r'\[warning\] .*"twin-eth0".*two hosts share the name')

    def test_the_kernels_uptime_decides(self):
        self.hold('a')
        self.change(f"boot_id = '{OTHER_BOOT}', {AGE.format('1 hour')}")
        self.collect([], through=elsewhere(up=7200))
        self.assertEqual(self.pods(), ['a'])
        self.collect([], through=elsewhere(up=60))
        self.assertEqual(self.pods(), [])


class Wrong(Gc):
    """A list that cannot be read exactly releases nothing."""

    def setUp(self):
        super().setUp()
        self.hold('a', 'b')

    def tearDown(self):
        self.assertEqual(self.pods(), ['a', 'b'])

    def raw(self, text):
        """The configuration with this text for more of its keys."""
        conf = json.dumps(self.conf()).encode()
        return conf[:-1] + b', ' + (text if isinstance(text, bytes) else text.encode()) + b'}'

    def refuses(self, text, codes=(7,)):
        for which in BOTH:
            with self.subTest(text=text, which=which):
                answer = self.ask('GC', which=which, conf=self.raw(text))
                self.assertIn(answer.code, codes, answer.said)

    def test_a_list_of_another_type(self):
        for wrong in ('{}', '"a"', '5', 'true', 'false', '{"containerID":"a","ifname":"eth0"}'):
            self.refuses(f'"{VALID}": {wrong}')
            self.refuses(f'"{OLDER}": {wrong}')
            self.refuses(f'"{VALID}": {wrong}, "{OLDER}": []')

    def test_an_entry_without_two_strings(self):
        for wrong in ('{}', 'null', '5', '"a"', '[]', '["a","eth0"]', '{"containerID":"a"}', '{"ifname":"eth0"}',
                      '{"containerID":"a","ifname":null}', '{"containerID":5,"ifname":"eth0"}',
                      '{"containerID":["a"],"ifname":"eth0"}', '{"containerid":"a","ifname":"eth0"}',
                      '{"containerID":"a","ifName":"eth0"}'):
            for place in ('[{}]', '[{{"containerID":"b","ifname":"eth0"}}, {}]',
                          '[{}, {{"containerID":"b","ifname":"x"}}]'):
                self.refuses(f'"{VALID}": {place.format(wrong)}')

    def test_a_repeated_key(self):
        for wrong in ('{"containerID":"b","ifname":"eth0","containerID":"a"}',
                      '{"containerID":"a","ifname":"eth0","ifname":"eth0"}',
                      '{"containerID":"a","x":1,"ifname":"eth0","x":1}',
                      '{"containerID":"a","container\\u0049D":"b","ifname":"eth0"}'):
            self.refuses(f'"{VALID}": [{wrong}]')
        self.refuses(f'"{VALID}": [], "{VALID}": [{{"containerID":"a","ifname":"eth0"}}]')
        self.refuses(f'"{OLDER}": [], "{OLDER}": []')
        self.refuses(f'"{VALID}": [], "cni.dev\\/valid-attachments": []')

    def test_a_character_that_cannot_be_sent(self):
        for wrong in (rb'"a\u0000"', rb'"\u0000"', rb'"a\ud800"', rb'"a\udc00"', rb'"\ud800\ud800"', rb'"\ud800x"',
                      b'"a\xff"', b'"\xc0\x80"', b'"\xed\xa0\x80"', b'"a\x00"', b'"a\n"'):
            for entry in (b'{"containerID":%s,"ifname":"eth0"}', b'{"containerID":"a","ifname":%s}',
                          b'{"containerID":"a","ifname":"eth0",%s:1}',
                          b'{"containerID":"a","ifname":"eth0","x":[{"y":%s}]}'):
                self.refuses(b'"%s": [%s]' % (VALID.encode(), entry % wrong), (6, 7))

    def test_a_list_that_is_cut_off(self):
        whole = self.raw(f'"{VALID}": {json.dumps(entries("a"))}')
        for end in (len(whole) - 1, len(whole) - 2, len(whole) - 10, len(whole) // 2):
            self.refused(self.ask('GC', conf=whole[:end]), 6)

    def test_no_database(self):
        self.refused(self.ask('GC', ipam={'password': 'wrong'}), 11)


if __name__ == '__main__':
    tap.main()
