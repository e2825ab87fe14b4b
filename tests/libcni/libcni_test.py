#!/usr/bin/env python3
"""The executables as runtimes call them, through libcni itself: today's, and those that older runtimes were built with.
Needs Go 1.21, a PostgreSQL server's programs and root."""
import json
import os
import shutil
import subprocess
import tempfile
import unittest

import libcni
import pg
import plugin
import plugin_case
import tap
from plugin_case import VERSIONS

A, B = '10.0.0.5/24', 'fd00::5/64'
CHAINED = [{'type': plugin.NET}, {'type': plugin.NET, 'chained': True}]


class Outcome:
    """What one call left: result, capabilities, versions, the error's text and a plugin's code; stderr."""

    def __init__(self, said, stderr):
        self.result, self.error, self.code = said.get('result'), said.get('error', ''), said.get('code', 0)
        self.capabilities, self.versions = said.get('capabilities'), said.get('versions')
        self.stderr = stderr

    @property
    def addresses(self):
        """Of a result of any version."""
        if 'ips' in self.result:
            return [ip['address'] for ip in self.result['ips']]
        return [self.result[key]['ip'] for key in ('ip4', 'ip6') if key in self.result]


class Through(plugin_case.PluginCase):
    """One libcni. Every test has a network and a cache of its own."""
    version = None      # of libcni
    options = ()        # to build with it
    reads = ()          # protocol versions whose results it understands

    @classmethod
    def setUpClass(cls):
        cls.driver = libcni.driver(cls.version, *cls.options)
        super().setUpClass()

    def setUp(self):
        super().setUp()
        self.cache = tempfile.mkdtemp(prefix='ipam-libcni.')
        self.addCleanup(shutil.rmtree, self.cache)

    def list(self, version='1.1.0', plugins=None, ipam=None, **keys):
        """A conflist; every plugin of it gets the ipam object."""
        of_ours = plugin.ipam_conf(self.server, **(ipam or {}))
        return {'cniVersion': version, 'name': self.network, **keys,
                'plugins': [{**one, 'ipam': of_ours} for one in plugins or [{'type': plugin.NET}]]}

    def nowhere(self, *args, **how):
        """The same with a database that is away."""
        return self.list(*args, ipam={'port': pg.free_port(), 'timeout': 0.5}, **how)

    def through(self, verb, conf=None, ip=None, container='pod1', ifname='eth0', **keys):
        """One call, whatever comes of it. keys: capabilities, valid."""
        args = [['IgnoreUnknown', '1'], ['K8S_POD_NAME', 'web-0']] + ([['IP', ip]] if ip else [])
        asked = {'verb': verb, 'list': conf or self.list(), 'path': [plugin.BINDIR], 'cache': self.cache,
                 'container': container, 'ifname': ifname, 'netns': plugin.NETNS, 'args': args, **keys}
        done = subprocess.run([self.driver], input=json.dumps(asked), capture_output=True, text=True, timeout=60,
                              env=plugin.environment('none'), check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn(self.server.password, done.stderr)
        return Outcome(json.loads(done.stdout), done.stderr)

    def works(self, *args, **how):
        out = self.through(*args, **how)
        self.assertEqual(out.error, '', out.stderr)
        return out

    def fails(self, code, words, *args, **how):
        out = self.through(*args, **how)
        self.assertEqual(out.code, code, out.error)
        self.assertIn(words, out.error)
        return out

    def cached(self):
        folder = os.path.join(self.cache, 'results')
        return sorted(os.listdir(folder)) if os.path.isdir(folder) else []


class Common(Through):
    """What every libcni does."""

    def test_every_version_is_valid(self):
        for version in VERSIONS:
            with self.subTest(version):
                conf = self.list(version, [{'type': plugin.NET, 'capabilities': {'ips': True}}])
                self.assertEqual(self.works('VALIDATE', conf).capabilities, ['ips'])

    def test_what_the_plugins_support(self):
        for name in (plugin.NET, plugin.IPAM):
            self.assertEqual(self.works('VERSION', self.list(plugins=[{'type': name}])).versions, list(VERSIONS))

    def test_an_attachment_from_ADD_to_DEL_in_every_version_that_it_reads(self):
        for version in self.reads:
            with self.subTest(version):
                conf = self.list(version)
                added = self.works('ADD', conf, A)
                self.assertEqual((added.addresses, self.held()), ([A], [A]))
                self.assertEqual(self.works('CACHED', conf).addresses, [A])
                self.assertEqual(self.cached(), [f'{self.network}-pod1-eth0'])
                if version >= '0.4.0':
                    self.works('CHECK', conf, A)
                self.works('DEL', conf, A)
                self.assertEqual((self.held(), self.cached()), ([], []))
                self.works('DEL', conf, A)

    def test_two_families_by_capability(self):
        for version in self.reads:
            with self.subTest(version):
                conf = self.list(version, [{'type': plugin.NET, 'capabilities': {'ips': True}}])
                added = self.works('ADD', conf, '10.0.0.9/24', capabilities={'ips': [A, B]})
                self.assertEqual((added.addresses, self.held()), ([A, B], [A, B]))
                self.works('DEL', conf)

    def test_a_list_with_a_chained_one_in_it(self):
        conf = self.list(self.reads[-1], CHAINED)
        self.assertEqual(self.works('ADD', conf, A).addresses, [A])
        self.works('CHECK', conf, A)
        self.works('DEL', conf, A)
        self.assertEqual(self.held(), [])

    def test_an_error_comes_through(self):
        conf = self.list(self.reads[-1])
        self.works('ADD', conf, A)
        out = self.fails(100, '10.0.0.5', 'ADD', conf, A, container='pod2')
        self.assertIn('pod1', out.error)
        self.fails(101, '10.0.0.5', 'ADD', conf, '10.0.0.6/24')
        self.fails(7, 'prefix', 'ADD', conf, '10.0.0.6', container='pod2')
        self.assertEqual((self.held(), self.cached()), ([A], [f'{self.network}-pod1-eth0']))

    def test_CHECK_says_what_differs(self):
        conf = self.list(self.reads[-1])
        self.works('ADD', conf, A)
        self.server.psql(f"DELETE FROM ips WHERE network = '{self.network}'")
        self.fails(102, 'pod1', 'CHECK', conf, A)

    def test_a_database_that_is_away_is_an_error_for_ADD_and_DEL(self):
        for verb in ('ADD', 'DEL'):
            self.fails(11, 'port', verb, self.nowhere(self.reads[-1]), A)

    def test_the_cache_of_a_failed_DEL_stays_and_the_next_one_frees(self):
        conf = self.list(self.reads[-1])
        self.works('ADD', conf, A)
        self.fails(11, '', 'DEL', self.nowhere(self.reads[-1]), A)
        self.assertEqual((self.held(), len(self.cached())), ([A], 1))
        self.works('DEL', conf, A)
        self.assertEqual((self.held(), self.cached()), ([], []))


class Older(Common):
    options = ('-tags=older',)

    def test_a_newer_version_is_added_before_libcni_fails_and_DEL_frees_it(self):
        for version in (v for v in VERSIONS if v not in self.reads):
            with self.subTest(version):
                conf = self.list(version)
                for _ in range(2):
                    self.fails(0, 'unsupported CNI result version', 'ADD', conf, A)
                    self.assertEqual((self.held(), self.cached()), ([A], []))
                self.works('DEL', conf, A)
                self.assertEqual(self.held(), [])


class Libcni_0_8_1(Older):
    version, options = '0.8.1', (*Older.options, '-modfile=libcni-0.8.1.mod')
    reads = VERSIONS[:5]


class Libcni_1_1_2(Older):
    version, options = '1.1.2', (*Older.options, '-modfile=libcni-1.1.2.mod')
    reads = VERSIONS[:6]


class Libcni_1_3_1(Common):
    version, reads = '1.3.1', VERSIONS

    def test_STATUS(self):
        for plugins in (None, CHAINED):
            self.works('STATUS', self.list(plugins=plugins))
            self.fails(50, 'port', 'STATUS', self.nowhere(plugins=plugins))

    def fill(self, conf):
        """Three attachments, of one of which libcni does not know any more."""
        for i in (1, 2, 3):
            self.works('ADD', conf, f'10.0.0.{i}/24', container=f'pod{i}')
        os.remove(os.path.join(self.cache, 'results', f'{self.network}-pod3-eth0'))

    def test_GC_keeps_what_the_list_has(self):
        for plugins in (None, CHAINED):
            with self.subTest(plugins=plugins):
                conf = self.list(plugins=plugins)
                self.fill(conf)
                pods = [{'containerID': 'pod1', 'ifname': 'eth0'}, {'containerID': 'pod3', 'ifname': 'eth0'}]
                self.works('GC', conf, valid=pods)
                self.assertEqual(self.held(), ['10.0.0.1/24', '10.0.0.3/24'])
                self.works('GC', conf, valid=pods[:1])
                self.assertEqual((self.held(), self.cached()), (['10.0.0.1/24'], [f'{self.network}-pod1-eth0']))
                self.works('GC', conf, valid=[])

    def test_GC_without_a_valid_one_frees_all(self):
        for valid in ({'valid': []}, {'valid': None}, {}):
            with self.subTest(valid=valid):
                self.fill(self.list())
                self.works('GC', **valid)
                self.assertEqual((self.held(), self.cached()), ([], []))

    def test_GC_that_is_disabled_does_nothing(self):
        conf = self.list(disableGC=True)
        self.fill(conf)
        self.works('GC', conf, valid=[])
        self.assertEqual(len(self.held()), 3)

    def test_GC_before_1_1_0_is_a_DEL_of_what_libcni_knows(self):
        conf = self.list('1.0.0')
        self.fill(conf)
        self.works('GC', conf, valid=[])
        self.assertEqual(self.held(), ['10.0.0.3/24'])

    def test_GC_leaves_other_networks_alone(self):
        self.fill(self.list())
        first, self.network = self.network, self.network + 'b'
        self.works('GC', valid=[])
        self.network = first
        self.assertEqual(len(self.held()), 3)

    def test_GC_s_error_comes_through(self):
        self.assertIn('port', self.through('GC', self.nowhere(), valid=[]).error)


class Source(unittest.TestCase):
    @unittest.skipUnless(libcni.GO, 'no Go 1.21')
    def test_it_is_formatted_and_nothing_looks_wrong(self):
        gofmt = os.path.join(os.path.dirname(os.path.realpath(libcni.GO)), 'gofmt')
        done = subprocess.run([gofmt, '-l', '.'], cwd=libcni.FOLDER, capture_output=True, text=True, timeout=60, check=True)
        self.assertEqual(done.stdout, '')
        for options in (Libcni_1_3_1.options, Libcni_1_1_2.options):
            done = libcni.go('vet', '-mod=readonly', *options, '.')
            self.assertEqual(done.returncode, 0, done.stderr)


del Common, Older  # no tests by themselves

if __name__ == '__main__':
    tap.main()
