#!/usr/bin/env python3
"""The executables under the released cnitool, in real network namespaces: its verbs, and a list of every protocol version.
Needs root, plugins/cnitool and a PostgreSQL server's programs. Not run with sanitizers."""
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import unittest

import pg
import plugin
import sandbox
import scripts
import tap
from plugin_case import VERSIONS

CNITOOL = os.path.join(pg.ROOT, 'plugins', 'cnitool')
A, B = '10.0.0.5/24', 'fd00::5/64'


def setUpModule():
    if not os.path.exists(CNITOOL):
        raise unittest.SkipTest('no plugins/cnitool')
    globals()['server'] = pg.Server()


def tearDownModule():
    server.close()


def netns(pod):
    """A path stays as it is."""
    return os.path.join(scripts.NETNS, pod)


def container(pod):
    """What cnitool calls it."""
    return 'cnitool-' + hashlib.sha512(netns(pod).encode()).hexdigest()[:20]


class Cnitool(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix='ipam-cnitool.')
        self.addCleanup(shutil.rmtree, self.dir)
        self.addCleanup(shutil.rmtree, scripts.CACHE, ignore_errors=True)
        server.psql('TRUNCATE public.ips')
        for pod in ('one', 'two'):
            subprocess.run(['ip', 'netns', 'add', pod], check=True, timeout=10)
            self.addCleanup(subprocess.run, ['ip', 'netns', 'delete', pod], timeout=10)
        self.write()

    def write(self, version='1.1.0', name='net', ipam=None, **keys):
        """The conflist; keys are the net plugin's."""
        conf = {'cniVersion': version, 'name': name,
                'plugins': [{'type': plugin.NET, 'ipam': plugin.ipam_conf(server, **(ipam or {})), **keys}]}
        if version is None:
            del conf['cniVersion']
        with open(os.path.join(self.dir, f'{name}.conflist'), 'w', encoding='utf-8') as f:
            json.dump(conf, f)

    def tool(self, verb, pod='one', network='net', **env):
        env = plugin.environment('', env={'CNI_COMMAND': None, 'CNI_CONTAINERID': None, 'CNI_NETNS': None, 'CNI_IFNAME': None,
                                          'CNI_ARGS': None, 'NETCONFPATH': self.dir, **env})
        done = subprocess.run([CNITOOL, verb, network, netns(pod)], env=env, capture_output=True, text=True, timeout=60,
                              check=False)
        self.assertNotIn(server.password, done.stdout + done.stderr)
        return done

    def works(self, *args, **how):
        done = self.tool(*args, **how)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout) if done.stdout else None

    def fails(self, words, *args, **how):
        done = self.tool(*args, **how)
        self.assertEqual(done.returncode, 1)
        self.assertIn(words, done.stderr)

    def rows(self):
        return [tuple(row) for row in server.psql('SELECT pod_id, interface, ip FROM public.ips ORDER BY ip')]


class Versions(Cnitool):
    RESULTS = {
        **dict.fromkeys(VERSIONS[:2], {'ip4': {'ip': A}, 'ip6': {'ip': B}}),
        **dict.fromkeys(VERSIONS[2:5], {'ips': [{'version': '4', 'address': A}, {'version': '6', 'address': B}]}),
        **dict.fromkeys(VERSIONS[5:], {'ips': [{'address': A}, {'address': B}]}),
    }

    def test_an_attachment_from_add_to_del_in_each(self):
        for version in (*VERSIONS, None):
            with self.subTest(version):
                self.write(version)
                result = self.works('add', CNI_ARGS=f'IP={A},{B}')
                said = version or '0.1.0'
                self.assertEqual(result.pop('cniVersion'), said)
                self.assertEqual({k: v for k, v in result.items() if v != {}}, self.RESULTS[said])
                self.assertEqual(self.rows(), [(container('one'), 'eth0', A), (container('one'), 'eth0', B)])
                self.assertEqual(scripts.cached(), [('net', 'eth0')])
                if said >= '0.4.0':
                    self.works('check', CNI_ARGS=f'IP={A},{B}')
                    self.works('check')
                else:
                    self.fails('does not support the CHECK command', 'check')
                for verb in ('del', 'del'):
                    self.assertIsNone(self.works(verb))
                    self.assertEqual((self.rows(), scripts.cached()), ([], []))

    def test_status_and_gc_ask_the_plugin_from_1_1_0_on(self):
        for version in VERSIONS:
            self.write(version, ipam={'port': pg.free_port(), 'timeout': 0.3})
            for verb in ('status', 'gc'):
                with self.subTest(version=version, verb=verb):
                    if version == '1.1.0':
                        self.fails('port', verb)
                    else:
                        self.works(verb)


class Verbs(Cnitool):
    def test_status(self):
        self.assertIsNone(self.works('status'))
        server.psql('ALTER TABLE public.ips RENAME TO away')
        try:
            self.fails('ips', 'status')
        finally:
            server.psql('ALTER TABLE public.away RENAME TO ips')
        self.works('status')

    def test_interfaces_by_variable_and_pods_are_attachments_of_their_own(self):
        self.works('add', CNI_ARGS='IP=10.0.0.1/24')
        self.works('add', CNI_ARGS='IP=10.0.0.2/24', CNI_IFNAME='net1')
        self.works('add', 'two', CNI_ARGS='IP=10.0.0.3/24')
        self.fails('10.0.0.3', 'add', CNI_ARGS='IP=10.0.0.3/24', CNI_IFNAME='net2')
        self.works('del', CNI_IFNAME='net1')
        self.assertEqual(self.rows(), [(container('one'), 'eth0', '10.0.0.1/24'), (container('two'), 'eth0', '10.0.0.3/24')])

    def test_capabilities(self):
        self.write(capabilities={'ips': True, 'io.kubernetes.cri.pod-annotations': True})
        self.assertEqual(self.works('add', CAP_ARGS=json.dumps({'ips': [A, B]}))['ips'], [{'address': A}, {'address': B}])
        note = {'io.kubernetes.cri.pod-annotations': {'ipam-status-cni/ips': '10.0.0.9/24'}}
        self.assertEqual(self.works('add', 'two', CAP_ARGS=json.dumps(note))['ips'], [{'address': '10.0.0.9/24'}])

    def test_check_notices_what_is_gone(self):
        self.works('add', CNI_ARGS=f'IP={A}')
        server.psql('DELETE FROM public.ips')
        self.fails('address', 'check')

    def test_gc_comes_without_a_list_and_frees_all_of_this_network(self):
        self.write(name='other')
        self.works('add', CNI_ARGS=f'IP={A}')
        self.works('add', 'two', CNI_ARGS='IP=10.0.0.6/24')
        self.works('add', 'two', 'other', CNI_ARGS=f'IP={A}')
        shutil.rmtree(scripts.CACHE)
        self.assertIsNone(self.works('gc'))
        self.assertEqual(self.rows(), [(container('two'), 'eth0', A)])

    def test_a_pod_that_is_gone_is_deleted_all_the_same(self):
        self.works('add', CNI_ARGS=f'IP={A}')
        scripts.kill_pod('one')
        self.works('del')
        self.assertEqual(self.rows(), [])
        subprocess.run(['ip', 'netns', 'add', 'one'], check=True, timeout=10)

    def test_an_error_is_what_people_read(self):
        self.works('add', CNI_ARGS=f'IP={A}')
        done = self.tool('add', 'two', CNI_ARGS=f'IP={A}')
        for words in ('10.0.0.5', container('one'), 'eth0', os.uname().nodename):
            self.assertIn(words, done.stderr)
        self.assertEqual(done.returncode, 1)

    def test_the_namespace_of_the_plugin_itself_is_refused(self):
        own = f'/proc/{os.getpid()}/ns/net'
        self.fails('CNI_NETNS_OVERRIDE', 'add', own, CNI_ARGS=f'IP={A}')
        self.assertEqual(self.rows(), [])
        self.works('add', own, CNI_ARGS=f'IP={A}', CNI_NETNS_OVERRIDE='True')
        self.works('del', own)
        self.assertEqual(self.rows(), [])


if __name__ == '__main__':
    sandbox.enter()
    tap.main()
