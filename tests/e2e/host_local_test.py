#!/usr/bin/env python3
"""The upstream host-local plugin beside ours, with the same configurations: a conflist for it works here with its type
changed and the database's keys added. Needs a PostgreSQL server's programs and Go (or plugins/upstream/host-local).
Not run with sanitizers."""
import ipaddress
import itertools
import os
import tempfile
import unittest

import plugin
import plugin_case
import tap
import upstream
from plugin_case import VERSIONS

V4, V6 = {'dst': '0.0.0.0/0'}, {'dst': '::/0'}
WILD = {
    'podman': {'routes': [V4], 'ranges': [[{'subnet': '10.88.0.0/16', 'gateway': '10.88.0.1'}]]},
    'nerdctl': {'ranges': [[{'gateway': '10.4.0.1', 'subnet': '10.4.0.0/24'}]], 'routes': [V4]},
    'podman --ip-range': {'ranges': [[{'subnet': '10.91.7.0/24', 'rangeStart': '10.91.7.64', 'rangeEnd': '10.91.7.127',
                                       'gateway': '10.91.7.1'}]]},
    'containerd': {'ranges': [[{'subnet': '10.88.0.0/16'}], [{'subnet': '2001:db8:4860::/64'}]], 'routes': [V4, V6]},
    'flannel': {'subnet': '10.244.1.0/24', 'routes': [{'dst': '10.244.0.0/16'}]},
    'flannel, newer': {'ranges': [[{'subnet': '10.244.1.0/24'}], [{'subnet': 'fd00:244:0:1::/64'}]],
                       'routes': [{'dst': '10.244.0.0/16'}, {'dst': 'fd00:244::/48'}]},
    'kubenet': {'subnet': '10.22.0.0/16', 'rangeStart': '10.22.0.10', 'rangeEnd': '10.22.1.200', 'gateway': '10.22.0.9',
                'routes': [V4]},
    'older and newer': {'subnet': '10.22.0.0/24', 'ranges': [[{'subnet': 'fd00:22::/64'}]]},
    'two of a family': {'ranges': [[{'subnet': '10.1.0.0/24'}], [{'subnet': '10.2.0.0/24'}]]},
    'several ranges': {'ranges': [[{'subnet': '10.10.0.0/16', 'rangeStart': '10.10.1.20', 'rangeEnd': '10.10.3.50',
                                    'gateway': '10.10.0.254'}, {'subnet': '172.16.5.0/24'}],
                                  [{'subnet': '3ffe:ffff:0:01ff::/64', 'rangeStart': '3ffe:ffff:0:01ff::0010',
                                    'rangeEnd': '3ffe:ffff:0:01ff::0020'}]]},
    'v6 alone': {'ranges': [[{'subnet': 'fd00:5::/126'}]], 'routes': [V6]},
    'v6 first': {'ranges': [[{'subnet': 'fd00:5::/112'}], [{'subnet': '10.5.0.0/16'}]]},
    'gateway elsewhere': {'ranges': [[{'subnet': '10.5.0.0/24', 'gateway': '169.254.1.1'}]], 'routes': [{**V4, 'gw': '169.254.1.1'}]},
    'gateways of the other family': {'subnet': '10.5.0.0/24', 'gateway': 'fd00::1',
                                     'ranges': [[{'subnet': 'fd00:5::/64', 'gateway': '10.0.0.1'}]]},
    'empty strings': {'ranges': [[{'subnet': '10.5.0.0/24', 'rangeStart': '', 'rangeEnd': '', 'gateway': ''}]], 'resolvConf': ''},
    'resolvConf': {'ranges': [[{'subnet': '10.5.0.0/24'}]], 'resolvConf': 'RESOLV_CONF'},
}
# They differ in how many addresses there are and what stands beside them: routes, dns. The others in the configuration.
IN_EVERY_VERSION = ('containerd', 'flannel', 'several ranges', 'resolvConf', 'two of a family')
REFUSED = {
    'nothing': {}, 'no ranges': {'ranges': []}, 'an empty set': {'ranges': [[]]},
    '/31': {'ranges': [[{'subnet': '10.5.0.0/31'}]]}, '/32': {'ranges': [[{'subnet': '10.5.0.0/32'}]]},
    '/127': {'ranges': [[{'subnet': 'fd00::/127'}]]}, 'host bits': {'ranges': [[{'subnet': '10.5.0.1/24'}]]},
    'no subnet': {'ranges': [[{'rangeStart': '10.5.0.1'}]]}, 'no prefix': {'ranges': [[{'subnet': '10.5.0.0'}]]},
    'rangeStart': {'ranges': [[{'subnet': '10.5.0.0/24', 'rangeStart': '10.6.0.1'}]]},
    'rangeEnd': {'ranges': [[{'subnet': '10.5.0.0/24', 'rangeEnd': '10.6.0.1'}]]},
    'upside down': {'ranges': [[{'subnet': '10.5.0.0/24', 'rangeStart': '10.5.0.9', 'rangeEnd': '10.5.0.8'}]]},
    'mixed families': {'ranges': [[{'subnet': '10.5.0.0/24'}, {'subnet': 'fd00::/64'}]]},
    'overlap in a set': {'ranges': [[{'subnet': '10.5.0.0/24'}, {'subnet': '10.5.0.128/25'}]]},
    'overlap of sets': {'subnet': '10.5.0.0/24', 'ranges': [[{'subnet': '10.5.0.0/16'}]]},
    'resolvConf': {'ranges': [[{'subnet': '10.5.0.0/24'}]], 'resolvConf': '/none/there'},
    'older subnet': {'subnet': '10.5.0.1/24'}, 'not an address': {'subnet': '10.5.0.0/24', 'gateway': 'x'},
}


class HostLocal(plugin_case.PluginCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.resolv_conf = os.path.join(self.folder, 'resolv.conf')
        with open(self.resolv_conf, 'w', encoding='ascii') as f:
            f.write('# comment\nnameserver 10.0.0.53\nnameserver fd00::53\ndomain a.example\nsearch a b\noptions ndots:5 edns0\n')
        self.count = itertools.count()

    def both(self, command, ipam, version='1.1.0', conf=None, container=None, **how):
        """The answers of host-local and of ours to the same call."""
        ipam = {k: self.resolv_conf if v == 'RESOLV_CONF' else v for k, v in ipam.items()}
        how['container'] = container or f'pod{next(self.count)}'
        theirs = {'cniVersion': version, 'name': self.network, 'type': 'bridge',
                  'ipam': {'type': 'host-local', 'dataDir': self.folder, **ipam}, **(conf or {})}
        return (plugin.run(upstream.path('host-local'), command, theirs, **how),
                self.ask(command, ipam={**ipam, 'dataDir': self.folder}, version=version, conf=conf, **how))

    def shape(self, result, exact):
        """A result without what may differ: which address of its subnet it is."""
        def address(text):
            return text if exact else str(ipaddress.ip_interface(text).network)
        result = {k: v for k, v in result.items() if v not in ({}, [])}
        for key in ('ip4', 'ip6'):
            if key in result:
                result[key] = {**result[key], 'ip': address(result[key]['ip'])}
        if 'ips' in result:
            result['ips'] = [{**ip, 'address': address(ip['address'])} for ip in result['ips']]
        return result

    def same(self, command, ipam, exact=False, **how):
        theirs, ours = self.both(command, ipam, **how)
        self.assertEqual(theirs.rc == 0, ours.rc == 0, f'{theirs.said}\n{ours.said}\n{ours.stderr}')
        if command == 'ADD' and theirs.rc == 0:
            self.assertEqual(self.shape(theirs.json, exact), self.shape(ours.json, exact))
        return theirs, ours

    def test_what_stands_in_conflists(self):
        for name, ipam in WILD.items():
            for version in VERSIONS if name in IN_EVERY_VERSION else (VERSIONS[0], VERSIONS[-1]):
                with self.subTest(name, version=version):
                    self.network = f'{name.replace(" ", "-").replace(",", "")}-{version}'
                    theirs, ours = self.same('ADD', ipam, version=version, container='c0')
                    if theirs.rc:   # then host-local refuses DEL too, which ours must not
                        continue
                    conf = {'prevResult': ours.json} if version >= '0.4.0' else None
                    for command in ('CHECK', 'DEL') if version >= '0.4.0' else ('DEL',):
                        self.same(command, ipam, version=version, container='c0', conf=conf)

    def test_what_is_refused(self):
        for name, ipam in REFUSED.items():
            with self.subTest(name):
                theirs, _ = self.same('ADD', ipam)
                self.assertNotEqual(theirs.rc, 0)

    def test_requests_by_args_and_by_capability(self):
        ipam = WILD['containerd']
        for how, named in (({'args': 'IP=10.88.1.7'}, ['10.88.1.7/16']),
                           ({'args': 'IgnoreUnknown=1;IP=2001:db8:4860::2:7'}, ['2001:db8:4860::2:7/64']),
                           ({'conf': {'args': {'cni': {'ips': ['10.88.3.7']}}}}, ['10.88.3.7/16']),
                           ({'conf': {'args': {'cni': {'ips': ['10.88.4.7/16', '2001:db8:4860::4:7']}}}},
                            ['10.88.4.7/16', '2001:db8:4860::4:7/64']),
                           ({'conf': {'runtimeConfig': {'ips': ['10.88.5.7/16']}}}, ['10.88.5.7/16']),
                           ({'conf': {'runtimeConfig': {'ips': ['10.88.6.7', '2001:db8:4860::6:7/64']}}},
                            ['10.88.6.7/16', '2001:db8:4860::6:7/64'])):
            with self.subTest(how):
                for answer in self.same('ADD', ipam, **how):
                    self.assertEqual(named, [a for a in answer.addresses if a in named])
        for how in ({'args': 'IP=10.89.0.1'}, {'args': 'IP=10.88.0.1'}, {'conf': {'runtimeConfig': {'ips': ['10.88.0.1']}}}):
            with self.subTest(how):
                self.assertNotEqual(self.same('ADD', ipam, **how)[0].rc, 0)

    def test_ip_ranges_of_the_runtime(self):
        conf = {'runtimeConfig': {'ipRanges': [[{'subnet': '10.7.0.0/24', 'gateway': '10.7.0.9'}]]}}
        for ipam in (WILD['flannel'], WILD['containerd'], {}):
            self.same('ADD', ipam, conf=conf)

    def test_filled_to_the_end_the_very_same_addresses(self):
        for i, ranges in enumerate(([[{'subnet': '10.5.0.0/28'}]], [[{'subnet': 'fd00:5::/125'}]],
                                    [[{'subnet': '10.5.0.0/29', 'gateway': '10.5.0.4'}, {'subnet': '10.6.0.0/29'}]],
                                    [[{'subnet': '10.5.0.0/24', 'rangeStart': '10.5.0.20', 'rangeEnd': '10.5.0.30'}]])):
            with self.subTest(ranges):
                self.network = f'filled-{i}'
                given = ([], [])
                while True:
                    answers = self.same('ADD', {'ranges': ranges}, container=f'f{len(given[0])}')
                    if answers[0].rc:
                        break
                    for all_given, answer in zip(given, answers):
                        all_given += answer.addresses
                self.assertEqual(sorted(given[0]), sorted(given[1]))
                self.assertEqual(answers[1].code, 103)


if __name__ == '__main__':
    upstream.get('host-local')
    if not upstream.has('host-local'):
        unittest.skip(upstream.MISSING)(HostLocal)
    tap.main()
