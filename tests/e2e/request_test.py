#!/usr/bin/env python3
"""Which addresses an attachment gets: all sources of a request, their order, and what is refused. Needs a PostgreSQL
server's programs."""

import plugin
import plugin_case
import tap
from plugin_case import BOTH

ANNOTATIONS = 'io.kubernetes.cri.pod-annotations'
RANGES = [[{'subnet': '10.1.0.0/16'}], [{'subnet': 'fd00::/64'}]]


def runtime(*ips):
    return {'capabilities': {'ips': True}, 'runtimeConfig': {'ips': list(ips)}}


def annotated(value, declared=True):
    return {'capabilities': {ANNOTATIONS: declared}, 'runtimeConfig': {ANNOTATIONS: {'ipam-status-cni/ips': value}}}


def cni_args(*ips):
    return {'args': {'cni': {'ips': list(ips)}}}


def conf_ips(*ips):
    return {'addresses': [{'address': ip} for ip in ips]}


class Requests(plugin_case.PluginCase):
    def tearDown(self):
        self.assertEqual(self.rows(), [], 'no test leaves anything')

    def granted(self, answer):
        """The answer's addresses, each with its gateway behind it where it has one. DEL makes room for the next."""
        self.assertEqual(set(self.held()), set(self.allowed(answer).addresses))
        self.allowed(self.ask('DEL'))
        return [ip['address'] + (' via ' + ip['gateway'] if 'gateway' in ip else '') for ip in answer.json['ips']]

    def gets(self, wanted, which=plugin.IPAM, **how):
        with self.subTest(which=which, **how):
            self.assertEqual(self.granted(self.ask('ADD', which=which, **how)), wanted)

    def is_refused(self, *words, code=7, **how):
        """By ADD, and by CHECK the same way."""
        with self.subTest(**how):
            self.refused(self.ask('ADD', **how), code, *words)
            how['conf'] = {'prevResult': {'cniVersion': '1.1.0', 'ips': [{'address': '10.9.9.9/24'}]},
                           **how.get('conf', {})}
            self.refused(self.ask('CHECK', **how), code, *words)


class Sources(Requests):
    def test_each_way_to_ask_works(self):
        for how in ({'ip': '10.0.0.5/24'}, {'conf': runtime('10.0.0.5/24')}, {'conf': annotated('10.0.0.5/24')},
                    {'conf': cni_args('10.0.0.5/24')}, {'ipam': conf_ips('10.0.0.5/24')}):
            for which in BOTH:
                self.gets(['10.0.0.5/24'], which, **how)

    def test_runtimeConfig_ips_replaces_everything_below(self):
        self.gets(['10.0.0.1/24'], ip='10.0.0.4/24', ipam=conf_ips('10.0.0.5/24'),
                  conf={**cni_args('10.0.0.3/24'), 'runtimeConfig': {
                      'ips': ['10.0.0.1/24'], ANNOTATIONS: {'ipam-status-cni/ips': '10.0.0.2/24'}},
                      'capabilities': {'ips': True, ANNOTATIONS: True}})

    def test_the_pod_annotation_replaces_everything_below(self):
        self.gets(['10.0.0.2/24'], ip='10.0.0.4/24', ipam=conf_ips('10.0.0.5/24'),
                  conf={**annotated('10.0.0.2/24'), **cni_args('10.0.0.3/24')})

    def test_args_replaces_everything_below(self):
        self.gets(['10.0.0.3/24'], ip='10.0.0.4/24', ipam=conf_ips('10.0.0.5/24'), conf=cni_args('10.0.0.3/24'))

    def test_each_family_has_the_first_source_that_names_it(self):
        runtime_six = {'runtimeConfig': {'ips': ['fd00::1/64']}}
        self.gets(['fd00::1/64', '10.0.0.4/24'], ip='10.0.0.4/24', conf=runtime_six)  # nerdctl's --ip and --ip6
        self.gets(['10.0.0.4/24'], ip='10.0.0.4/24', conf=runtime('10.0.0.4/24'))  # multus says the same twice
        self.gets(['fd00::1/64', '10.0.0.5/24'], ipam=conf_ips('10.0.0.5/24'), conf=runtime_six)
        self.gets(['fd00::3/64'], ip='10.0.0.4/24', conf=cni_args('fd00::3/64'))

    def test_CNI_ARGS_adds_to_the_addresses_of_the_configuration(self):
        self.gets(['10.0.0.5/24', '10.0.0.4/24'], ip='10.0.0.4/24', ipam=conf_ips('10.0.0.5/24'))

    def test_empty_lists_replace_nothing(self):
        for conf in (runtime(), cni_args(), annotated(''), annotated(' , '), {'runtimeConfig': {}}, {'args': {}},
                     {'runtimeConfig': {'ips': None}}, {'args': {'cni': None}}, {'args': None},
                     {'capabilities': {ANNOTATIONS: True}, 'runtimeConfig': {ANNOTATIONS: None}}):
            self.gets(['10.0.0.5/24'], ipam=conf_ips('10.0.0.5/24'), conf=conf)

    def test_the_annotation_is_one_string_with_commas_and_blanks(self):
        self.gets(['10.0.0.5/24', 'fd00::5/64', '10.0.0.6/24'],
                  conf=annotated(' 10.0.0.5/24,fd00::5/64 ,\t10.0.0.6/24,'))

    def test_the_annotation_counts_only_where_the_configuration_declares_it(self):
        for declared in (False, None, 'true', 1):
            self.gets(['10.0.0.9/24'], ip='10.0.0.9/24', conf=annotated('10.0.0.5/24', declared))
        self.gets(['10.0.0.9/24'], ip='10.0.0.9/24', conf={**annotated('10.0.0.5/24'), 'capabilities': None})

    def test_an_annotation_that_is_not_a_string_is_refused(self):
        for value in (['10.0.0.5/24'], {}, 5, True):
            self.is_refused('annotation', conf=annotated(value))

    def test_a_list_or_an_item_of_another_type_is_refused(self):
        for wrong in ('10.0.0.5/24', {}, 5, [5], [None], [['10.0.0.5/24']]):
            self.is_refused('runtimeConfig.ips', conf={'runtimeConfig': {'ips': wrong}})
            self.is_refused('args.cni.ips', conf={'args': {'cni': {'ips': wrong}}})
        for wrong in ({}, '10.0.0.5/24', ['10.0.0.5/24'], [{}], [{'address': None}], [{'address': 5}], [None]):
            self.is_refused('ipam.addresses', ipam={'addresses': wrong})

    def test_no_address_at_all_is_refused_and_names_the_ways(self):
        self.refused(self.ask('ADD'), 7, 'no address', 'CNI_ARGS', 'runtimeConfig.ips', 'ipam-status-cni/ips',
                     'capability "io.kubernetes.cri.pod-annotations"', 'args.cni.ips', 'ipam.addresses')


class Arguments(Requests):
    """CNI_ARGS"""

    def test_any_order_repeated_keys_unknown_keys_and_empty_values(self):
        for args in ('IP=10.0.0.5/24', 'K8S_POD_NAME=a;IP=10.0.0.5/24;IgnoreUnknown=0', 'IP=10.0.0.9/24;IP=10.0.0.5/24',
                     'IgnoreUnknown=false;what=ever;IP=10.0.0.5/24', 'a=b=c;IP=10.0.0.5/24;x=',
                     ';IP=10.0.0.5/24;;', 'IP=;IP=10.0.0.5/24', 'IP= 10.0.0.5/24 ,', 'ip=10.0.0.9/24;IP=10.0.0.5/24',
                     'K8S_POD_UID=;GATEWAY=;IP=10.0.0.5/24'):
            self.gets(['10.0.0.5/24'], args=args)

    def test_several_addresses_with_commas_and_blanks(self):
        for ip in ('10.0.0.5/24,fd00::5/64', ' 10.0.0.5/24 , fd00::5/64 '):
            self.gets(['10.0.0.5/24', 'fd00::5/64'], ip=ip)

    def test_an_empty_IP_asks_for_nothing(self):
        self.gets(['10.0.0.5/24'], args='IP=10.0.0.9/24;IP=', ipam=conf_ips('10.0.0.5/24'))

    def test_a_pair_without_equals_is_error_4(self):
        for args in ('IP', 'IP=10.0.0.5/24;nonsense', 'nonsense;IP=10.0.0.5/24', ' '):
            self.refused(self.ask('ADD', args=args), 4, 'invalid pair')
        self.assertEqual(self.rows(), [])

    def test_other_verbs_do_not_mind_what_is_in_it(self):
        for verb in ('DEL', 'STATUS', 'GC'):
            for args in ('nonsense', 'IP=rubbish', 'IP=10.0.0.5'):
                with self.subTest(verb=verb, args=args):
                    self.allowed(self.ask(verb, env={'CNI_ARGS': args}))

    def test_the_pod_is_recorded(self):
        args = 'IP=10.0.0.5/24;K8S_POD_NAMESPACE=ns=1;K8S_POD_NAME=b;K8S_POD_NAME=a;K8S_POD_UID=u-1'
        self.add(args=args)
        self.assertEqual(self.rows('pod_namespace, pod_name, pod_uid'), [('ns=1', 'a', 'u-1')])
        self.allowed(self.ask('DEL'))
        self.add('10.0.0.5/24')
        self.assertEqual(self.rows('pod_namespace, pod_name, pod_uid'), [(None, None, None)])
        self.allowed(self.ask('DEL'))


class Gateways(Requests):
    def test_a_gateway_goes_to_every_address_whose_prefix_holds_it(self):
        for args, wanted in (
                ('IP=10.0.0.5/24;GATEWAY=10.0.0.1', ['10.0.0.5/24 via 10.0.0.1']),
                ('IP=10.0.0.5/24,10.0.0.6/24,10.0.1.5/24;GATEWAY=10.0.0.1',
                 ['10.0.0.5/24 via 10.0.0.1', '10.0.0.6/24 via 10.0.0.1', '10.0.1.5/24']),
                ('IP=10.0.0.5/24,fd00::5/64;GATEWAY= fd00::1 , 10.0.0.1',
                 ['10.0.0.5/24 via 10.0.0.1', 'fd00::5/64 via fd00::1']),
                ('IP=10.0.0.5/24;GATEWAY=10.0.1.1', ['10.0.0.5/24'])):
            self.gets(wanted, args=args)

    def test_it_goes_to_the_addresses_of_the_configuration_too(self):
        self.gets(['10.0.0.5/24 via 10.0.0.1', '10.0.0.6/24 via 10.0.0.1'], args='IP=10.0.0.6/24;GATEWAY=10.0.0.1',
                  ipam=conf_ips('10.0.0.5/24'))
        self.gets(['10.0.0.5/24 via 10.0.0.1'], args='GATEWAY=10.0.0.1',
                  ipam={'addresses': [{'address': '10.0.0.5/24', 'gateway': '10.0.0.9'}]})

    def test_it_does_not_go_to_what_replaces_them(self):
        for conf in (runtime('10.0.0.5/24'), annotated('10.0.0.5/24'), cni_args('10.0.0.5/24')):
            self.gets(['10.0.0.5/24'], args='GATEWAY=10.0.0.1', conf=conf)

    def test_the_configurations_own_may_be_of_another_network_or_family(self):
        for gateway in ('10.9.9.9', 'fd00::1'):
            self.gets([f'10.0.0.5/24 via {gateway}'], ipam={'addresses': [{'address': '10.0.0.5/24', 'gateway': gateway}]})

    def test_what_is_no_gateway_is_refused(self):
        for gateway in ('x', '10.0.0.1/24', '10.0.0.256', '10.0.0.1 10.0.0.2'):
            self.is_refused('GATEWAY', args=f'IP=10.0.0.5/24;GATEWAY={gateway}')
        for gateway in ('x', '10.0.0.1/24', 5, [], 'ff02::1'):
            self.is_refused('gateway', ipam={'addresses': [{'address': '10.0.0.5/24', 'gateway': gateway}]})


class Addresses(Requests):
    def test_equal_addresses_are_asked_for_once(self):
        self.gets(['10.0.0.5/24'], ip='10.0.0.5/24,10.0.0.5/24', ipam=conf_ips('10.0.0.5/24'))
        self.gets(['fd00::5/64'], ip='fd00:0:0:0:0:0:0:5/64,FD00::0005/64')

    def test_one_address_with_two_prefix_lengths_is_refused(self):
        for ips in ('10.0.0.5/24,10.0.0.5/16', 'fd00::5/64,fd00:0::5/80'):
            self.is_refused('prefix', ip=ips)

    def test_IPv6_is_answered_in_its_one_spelling(self):
        for ip in ('fd00::5/64', 'FD00::5/64', 'fd00:0:0:0:0:0:0:5/64', 'fd00:0000::0005/64', 'fd00::0.0.0.5/64'):
            self.gets(['fd00::5/64'], ip=ip)

    def test_small_prefixes(self):
        for ip in ('10.0.0.4/31', '10.0.0.5/31', '10.0.0.5/32', '10.0.0.5/30', '0.0.0.5/0', '10.0.0.255/16',
                   'fd00::/127', 'fd00::1/127', 'fd00::5/128', 'fd00::5/0', 'fd00::/64'):
            self.gets([ip], ip=ip)

    def test_host_bits_belong_to_an_address(self):
        self.gets(['10.0.3.5/8', 'fd00:1:2::5/16'], ip='10.0.3.5/8,fd00:1:2::5/16')

    def test_nobodys_addresses_are_refused(self):
        for ip, why in (('10.0.0.0/24', 'network address'), ('10.0.0.255/24', 'broadcast address'),
                        ('10.0.0.4/30', 'network address'), ('10.0.0.7/30', 'broadcast address'),
                        ('0.0.0.0/0', 'unspecified'), ('0.0.0.0/32', 'unspecified'), ('::/64', 'unspecified'),
                        ('224.0.0.1/24', 'multicast'), ('239.1.2.3/32', 'multicast'), ('ff02::1/64', 'multicast'),
                        ('127.0.0.1/8', 'loopback'), ('127.1.2.3/32', 'loopback'), ('::1/128', 'loopback'),
                        ('::ffff:10.0.0.5/120', 'IPv4-mapped'), ('::ffff:a00:5/128', 'IPv4-mapped')):
            self.is_refused(why, ip=ip)

    def test_what_is_no_address_is_refused(self):
        for ip in ('garbage/99999', '10.0.0.5/33', '10.0.0.5/-1', '10.0.0.5/', '10.0.0.5/24/24', '10.0.0/24',
                   '10.0.0.256/24', '010.0.0.5/24', '10.0.0.05/24', '10.0.0.5/024', '0xa.0.0.5/24', '10.0.0.5/24x',
                   'fd00::5/129', 'fd00:::5/64', 'fd00::5::1/64', 'fd00::5%eth0/64', 'fe80::1%2/64', 'fd00::00005/64',
                   '[fd00::5]/64', 'host.example', '10.0.0.5/255.255.255.0', '10.0.0.5/ 24', '٣.0.0.5/24'):
            self.is_refused(ip, ip=ip)
        for how in ({'conf': runtime('x/8')}, {'conf': annotated('x/8')}, {'conf': cni_args('x/8')},
                    {'ipam': conf_ips('x/8')}):
            self.is_refused('x/8', **how)

    def test_one_bad_address_among_good_ones_records_nothing(self):
        self.is_refused('10.0.0.0/24', ip='10.0.0.5/24,10.0.0.0/24,fd00::5/64')

    def test_no_prefix_length_and_no_range_says_what_to_add(self):
        for how in ({'ip': '10.0.0.5'}, {'conf': runtime('10.0.0.5')}, {'conf': cni_args('10.0.0.5')},
                    {'ipam': conf_ips('10.0.0.5')}):
            self.is_refused('10.0.0.5/24', 'ipam.ranges', **how)


class Ranges(Requests):
    def test_they_give_prefix_length_and_gateway_to_a_request_without(self):
        for ip, wanted in (('10.1.2.3', '10.1.2.3/16 via 10.1.0.1'), ('fd00::7', 'fd00::7/64 via fd00::1'),
                           ('10.1.2.3/16', '10.1.2.3/16 via 10.1.0.1')):
            ranges = RANGES[:1] if '.' in ip else RANGES[1:]    # from the other one an address would be picked
            for how in ({'args': f'IP={ip}'}, {'conf': runtime(ip)}, {'conf': annotated(ip)}, {'conf': cni_args(ip)}):
                self.gets([wanted], ipam={'ranges': ranges}, **how)
            self.gets([wanted], ipam={'ranges': ranges, **conf_ips(ip)})

    def test_they_bound_the_prefix_length(self):
        for ip in ('10.1.2.3/8', '10.1.2.3/24', 'fd00::7/48'):
            for how in ({'args': f'IP={ip}'}, {'conf': runtime(ip)}, {'conf': annotated(ip)}, {'conf': cni_args(ip)}):
                self.is_refused(ip, '10.1.0.0/16' if '.' in ip else 'fd00::/64', ipam={'ranges': RANGES}, **how)

    def test_a_request_keeps_its_own_gateway(self):
        self.gets(['10.1.2.3/16 via 10.1.2.1'], args='IP=10.1.2.3;GATEWAY=10.1.2.1', ipam={'ranges': RANGES[:1]})
        self.gets(['10.1.2.3/16 via 10.1.2.1'],
                  ipam={'ranges': RANGES[:1], 'addresses': [{'address': '10.1.2.3', 'gateway': '10.1.2.1'}]})

    def test_the_gateway_of_a_range_is_its_own_word_or_the_first_address(self):
        own = [[{'subnet': '10.1.0.0/16', 'gateway': '10.1.9.9'}]]
        self.gets(['10.1.0.1/16 via 10.1.9.9'], ip='10.1.0.1', ipam={'ranges': own})
        self.is_refused('gateway', ip='10.1.9.9', ipam={'ranges': own})
        self.is_refused('gateway', ip='10.1.0.1', ipam={'ranges': RANGES})
        self.is_refused('gateway', ip='fd00::1/64', ipam={'ranges': RANGES})

    def test_an_address_outside_of_all_of_them_is_refused(self):
        bounds = [[{'subnet': '10.1.2.0/24', 'rangeStart': '10.1.2.9', 'rangeEnd': '10.1.2.20', 'gateway': '10.1.2.30'},
                   {'subnet': '10.1.4.0/24'}]]
        for ip in ('10.1.2.9', '10.1.2.20', '10.1.4.2', '10.1.4.254'):
            self.gets([f'{ip}/24 via ' + ('10.1.2.30' if '.2.' in ip[4:7] else '10.1.4.1')], ip=ip,
                      ipam={'ranges': bounds})
        for ip in ('10.1.2.8', '10.1.2.21', '10.1.3.1/24', '10.1.4.255', '10.1.4.0', 'fd00::5/64', '10.1.2.8/24'):
            self.is_refused('outside', ip=ip, ipam={'ranges': bounds})

    def test_their_ends_are_those_of_host_local(self):
        for subnet, last in (('10.1.2.0/24', '10.1.2.254'), ('10.1.2.128/26', '10.1.2.190'), ('fd00::/120', 'fd00::ff'),
                             ('10.1.2.0/30', '10.1.2.2')):
            answer = self.ask('ADD', last, ipam={'ranges': [[{'subnet': subnet}]]})
            self.assertEqual(self.granted(answer)[0].split('/')[0], last)

    def test_what_host_local_refuses_is_refused(self):
        for ranges, why in (
                ([[{'subnet': '10.1.2.1/24'}]], 'host bits'), ([[{'subnet': 'fd00::1/64'}]], 'host bits'),
                ([[{'subnet': '10.1.2.0/31'}]], 'too small'), ([[{'subnet': '10.1.2.1/32'}]], 'too small'),
                ([[{'subnet': 'fd00::/127'}]], 'too small'),
                ([[{'subnet': '10.1.2.0/24', 'rangeStart': '10.1.3.1'}]], 'rangeStart'),
                ([[{'subnet': '10.1.2.0/24', 'rangeEnd': '10.1.3.1'}]], 'rangeEnd'),
                ([[{'subnet': '10.1.2.0/24', 'rangeStart': '10.1.2.9', 'rangeEnd': '10.1.2.8'}]], 'rangeEnd'),
                ([[{'subnet': '10.1.2.0/24', 'rangeStart': 'x'}]], 'rangeStart'),
                ([[{'subnet': '10.1.2.0/24', 'gateway': 'x'}]], 'gateway'),
                ([[{'subnet': '10.1.2.0/24'}, {'subnet': 'fd00::/64'}]], 'families'),
                ([[{'subnet': '10.1.0.0/22'}, {'subnet': '10.1.2.0/24'}]], 'overlap'),
                ([[{'subnet': '10.1.2.0/24'}, {'subnet': '10.2.2.0/24'}],
                  [{'subnet': '10.1.4.0/24'}, {'subnet': '10.1.2.0/24'}]], 'overlap'),
                ([[]], 'ranges'), ([{}], 'ranges'), ({}, 'ranges'), ('x', 'ranges'), ([['x']], 'ranges'),
                ([[{}]], 'subnet'), ([[{'subnet': '10.1.2.0'}]], 'subnet'), ([[{'subnet': 5}]], 'subnet')):
            self.is_refused(why, ip='10.1.2.3', ipam={'ranges': ranges})

    def test_no_ranges_bound_nothing(self):
        for ranges in ([], None):
            self.gets(['10.5.5.5/24'], ip='10.5.5.5/24', ipam={'ranges': ranges})


class Answers(Requests):
    """routes and dns are copied into the result"""

    def test_routes_have_every_field_of_1_1_0(self):
        routes = [{'dst': '0.0.0.0/0', 'gw': '10.0.0.1', 'mtu': 1400, 'advmss': 1360, 'priority': 10, 'table': 100,
                   'scope': 253}, {'dst': 'fd01::/64'}, {'dst': '10.0.0.0/8', 'scope': 0}]
        for which in BOTH:
            answer = self.ask('ADD', '10.0.0.5/24', which=which, ipam={'routes': routes})
            self.granted(answer)
            self.assertEqual(answer.json['routes'], routes)

    def test_wrong_routes_are_refused(self):
        for route in ({}, {'dst': '10.0.0.0'}, {'dst': 5}, {'dst': 'x/8'}, {'dst': '10.0.0.0/8', 'gw': 'x'},
                      {'dst': '10.0.0.0/8', 'gw': '10.0.0.1/8'}, {'dst': '10.0.0.0/8', 'mtu': 'x'},
                      {'dst': '10.0.0.0/8', 'mtu': 1.5}, {'dst': '10.0.0.0/8', 'table': []}, 'x', None):
            self.is_refused(ip='10.0.0.5/24', ipam={'routes': [route]})
        for routes in ({}, 'x', 5):
            self.is_refused('routes', ip='10.0.0.5/24', ipam={'routes': routes})

    def test_dns_has_every_field(self):
        dns = {'nameservers': ['10.0.0.1', 'fd00::1'], 'domain': 'x', 'search': ['a', 'b'], 'options': ['ndots:1']}
        for which in BOTH:
            answer = self.ask('ADD', '10.0.0.5/24', which=which, ipam={'dns': dns})
            self.granted(answer)
            self.assertEqual(answer.json['dns'], dns)

    def test_wrong_dns_is_refused(self):
        for dns in ([], 'x', {'nameservers': '10.0.0.1'}, {'nameservers': [5]}, {'domain': 5}, {'search': {}},
                    {'options': [None]}):
            self.is_refused('dns', ip='10.0.0.5/24', ipam={'dns': dns})


class Upstream(Requests):
    """Configurations written for the upstream static and host-local plugins, with another type."""

    def upstream(self, conf, wanted, args=''):
        """conf as another net plugin would pass it on; the database's keys are all that is added."""
        whole = {'cniVersion': '1.1.0', 'name': self.network, 'type': 'ipvlan', 'master': 'foo0', **conf}
        whole['ipam'] = {**whole['ipam'], **plugin.ipam_conf(self.server)}
        answer = plugin.run(plugin.IPAM, 'ADD', whole, args=args)
        self.assertEqual(self.granted(answer), wanted)
        return answer.json

    def test_static_with_everything_in_the_configuration(self):
        routes = [{'dst': '0.0.0.0/0'}, {'dst': '192.168.0.0/16', 'gw': '10.10.5.1'}, {'dst': '3ffe:ffff:0:01ff::1/64'}]
        dns = {'nameservers': ['8.8.8.8'], 'domain': 'example.com', 'search': ['example.com']}
        ipam = {'addresses': [{'address': '10.10.0.1/24', 'gateway': '10.10.0.254'},
                              {'address': '3ffe:ffff:0:01ff::1/64', 'gateway': '3ffe:ffff:0::1'}],
                'routes': routes, 'dns': dns}
        said = self.upstream({'ipam': ipam}, ['10.10.0.1/24 via 10.10.0.254', '3ffe:ffff:0:1ff::1/64 via 3ffe:ffff::1'])
        self.assertEqual((said['routes'][:2], said['dns']), (routes[:2], dns))

    def test_static_with_the_addresses_in_CNI_ARGS(self):
        self.upstream({'ipam': {}}, ['10.10.0.1/24 via 10.10.0.254', '11.11.0.1/24'],
                      'IP=10.10.0.1/24,11.11.0.1/24;GATEWAY=10.10.0.254')

    def test_static_with_runtimeConfig_args_and_CNI_ARGS(self):
        self.upstream({'ipam': {'routes': [{'dst': '0.0.0.0/0', 'gw': '10.10.0.254'}]},
                       **runtime('10.10.0.1/24', '3ffe:ffff:0:01ff::1/64'),
                       **cni_args('10.10.0.2/24', '3ffe:ffff:0:01ff::2/64')},
                      ['10.10.0.1/24', '3ffe:ffff:0:1ff::1/64'], 'IP=10.10.0.3/24,11.11.0.3/24;GATEWAY=10.10.0.254')

    def test_static_without_an_ipam_object_is_refused(self):
        whole = {'cniVersion': '1.1.0', 'name': self.network, 'type': 'ipvlan', **runtime('10.10.0.1/24')}
        self.refused(plugin.run(plugin.IPAM, 'ADD', whole), 7, 'ipam')

    def test_host_local_with_addresses_from_args(self):
        for ips, ranges, wanted in (
                (['10.1.2.88'], [['10.1.2.0/24']], ['10.1.2.88/24 via 10.1.2.1']),
                (['10.1.2.88', '10.1.3.77'], [['10.1.2.0/24'], ['10.1.3.0/24']],
                 ['10.1.2.88/24 via 10.1.2.1', '10.1.3.77/24 via 10.1.3.1']),
                (['10.1.2.88', '2001:db8:1::999'], [['172.16.1.0/24', '10.1.2.0/24'], ['2001:db8:1::/48']],
                 ['10.1.2.88/24 via 10.1.2.1', '2001:db8:1::999/48 via 2001:db8:1::1'])):
            ipam = {'ranges': [[{'subnet': subnet} for subnet in some] for some in ranges]}
            for conf in (cni_args(*ips), runtime(*ips)):
                with self.subTest(ips=ips, conf=conf):
                    self.upstream({'ipam': ipam, **conf}, wanted)

    def test_host_local_in_0_2_0_has_one_range_of_a_family_asked_from(self):
        ipam = plugin.ipam_conf(self.server, ranges=[[{'subnet': '10.1.2.0/24'}], [{'subnet': '10.1.3.0/24'}]])
        whole = {'cniVersion': '0.2.0', 'name': self.network, 'type': 'ipvlan', 'ipam': ipam}
        answer = plugin.run(plugin.IPAM, 'ADD', {**whole, **cni_args('10.1.2.88', '10.1.3.77')})
        self.refused(answer, 7, 'CNI version 0.2.0 does not support more than 1 address per family')


if __name__ == '__main__':
    tap.main()
