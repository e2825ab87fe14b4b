#!/usr/bin/env python3
"""examples/gc: what it frees, and that in doubt it frees nothing. Needs root and a PostgreSQL server's programs."""
import json
import os
import shutil
import subprocess
import tempfile
import unittest

import pg
import plugin
import tap

SCRIPT = os.path.join(pg.ROOT, 'examples', 'gc', 'cni-gc.sh')
CNITOOL = os.path.join(pg.ROOT, 'plugins', 'cnitool')
NET = f'gc-test-{os.getpid()}'
DEAD_PROCESS = 4194305  # one more than the kernel gives out


def setUpModule():
    globals()['server'] = pg.Server()


def tearDownModule():
    server.close()


class Case(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.dir)
        for name in ('conf', 'cache', 'netns'):
            os.mkdir(os.path.join(self.dir, name))
        self.conf = plugin.net_conf(server, name=NET)
        self.configure()
        server.psql('DELETE FROM public.ips')

    def configure(self, plugins=None, **keys):
        """Writes the network's conflist; without plugins, one with our net plugin alone."""
        own = {k: v for k, v in self.conf.items() if k not in ('name', 'cniVersion')}
        self.write('conf', '10.conflist', {'cniVersion': '1.1.0', 'name': NET, 'plugins': plugins or [own], **keys})

    def write(self, folder, name, what):
        with open(os.path.join(self.dir, folder, name), 'w', encoding='utf-8') as f:
            f.write(what if isinstance(what, str) else json.dumps(what))

    def netns(self, pod, alive=True):
        path = os.path.join(self.dir, 'netns', pod)
        if alive:
            with open(path, 'w', encoding='utf-8'):
                pass
        return path

    def attach(self, pod, address, **entry):
        """ADD as a runtime does it, and the file that libcni leaves; entry's None leaves a key out."""
        done = plugin.run('status-cni', 'ADD', self.conf, container=pod, args=f'IP={address}/24')
        self.assertEqual(done.code, 0, done.said)
        known = {'kind': 'cniCacheV1', 'containerId': pod, 'ifName': 'eth0', 'networkName': NET, 'config': 'e30=',
                 'result': done.json, **entry}
        self.write('cache', f'{NET}-{pod}-eth0', {k: v for k, v in known.items() if v is not None})

    def gc(self, rc=0, network=NET, wrapper=(), **env):
        done = subprocess.run([*wrapper, SCRIPT, network], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
                              check=False, env={'PATH': os.environ['PATH'], 'CNI_PATH': plugin.BINDIR, 'GRACE': '0',
                                                'NETCONFPATH': os.path.join(self.dir, 'conf'),
                                                'CACHE': os.path.join(self.dir, 'cache'), **env})
        self.assertEqual(done.returncode, rc, done.stdout + done.stderr)
        self.assertNotIn(server.password, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def held(self):
        return [row[0] for row in server.psql('SELECT pod_id FROM public.ips ORDER BY ip')]


class Freed(Case):
    def test_the_address_of_a_pod_whose_namespace_is_gone(self):
        self.attach('live', '10.0.0.1', netns=self.netns('live'))
        self.attach('dead', '10.0.0.2', netns=self.netns('dead', alive=False))
        self.assertIn('still there: 1', self.gc())
        self.assertEqual(self.held(), ['live'])

    def test_the_address_of_an_add_that_left_no_file(self):
        self.attach('live', '10.0.0.1', netns=self.netns('live'))
        self.assertEqual(plugin.run('status-cni', 'ADD', self.conf, container='lost', args='IP=10.0.0.2/24').code, 0)
        self.gc()
        self.assertEqual(self.held(), ['live'])

    def test_a_namespace_that_only_the_result_tells(self):
        self.attach('live', '10.0.0.1', result={'interfaces': [{'name': 'a'}, {'name': 'b', 'sandbox': self.netns('live')}]})
        self.attach('dead', '10.0.0.2', result={'interfaces': [{'name': 'b', 'sandbox': self.netns('dead', alive=False)}]})
        self.gc()
        self.assertEqual(self.held(), ['live'])

    def test_a_namespace_of_a_process_that_is_gone(self):
        if os.readlink('/proc/self/ns/pid') != 'pid:[4026531836]':
            self.skipTest('this is not the process namespace of the host')
        self.attach('live', '10.0.0.1', netns=f'/proc/{os.getpid()}/ns/net')
        self.attach('dead', '10.0.0.2', netns=f'/proc/{DEAD_PROCESS}/ns/net')
        self.gc()
        self.assertEqual(self.held(), ['live'])

    def test_in_a_network_that_the_runtime_runs_in_an_older_version(self):
        self.configure(cniVersion='1.0.0')
        self.attach('dead', '10.0.0.2', netns=self.netns('dead', alive=False))
        self.gc()
        self.assertEqual(self.held(), [])

    def test_behind_another_net_plugin(self):
        own = {k: v for k, v in self.conf.items() if k not in ('name', 'cniVersion')}
        self.configure([{'type': 'bridge', 'ipam': own['ipam']}, {**own, 'chained': True}])
        self.attach('dead', '10.0.0.2', netns=self.netns('dead', alive=False))
        self.gc()
        self.assertEqual(self.held(), [])

    def test_what_cnitool_left(self):
        if not os.path.exists(CNITOOL):
            self.skipTest('no cnitool')
        cache = '/var/lib/cni/results'
        env = {**os.environ, 'NETCONFPATH': os.path.join(self.dir, 'conf'), 'CNI_PATH': plugin.BINDIR}
        paths = [self.netns('live'), self.netns('dead')]
        try:
            for n, path in enumerate(paths):
                subprocess.run([CNITOOL, 'add', NET, path], env={**env, 'CNI_ARGS': f'IP=10.0.0.{n + 1}/24'}, check=True,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60)
            live = self.held()[0]
            self.gc(CACHE=cache)
            self.assertEqual(len(self.held()), 2)
            os.remove(paths[1])
            self.gc(CACHE=cache)
            self.assertEqual(self.held(), [live])
        finally:
            for path in paths:
                subprocess.run([CNITOOL, 'del', NET, path], env=env, check=True, stderr=subprocess.DEVNULL, timeout=60)


class Kept(Case):
    """A live pod's address, whatever is wrong."""

    def setUp(self):
        super().setUp()
        self.attach('live', '10.0.0.1', netns=self.netns('live'))
        self.attach('dead', '10.0.0.2', netns=self.netns('dead', alive=False))

    def nothing_is_freed(self, **how):
        said = self.gc(1, **how)
        self.assertEqual(self.held(), ['live', 'dead'])
        return said

    def test_young_addresses_by_default(self):
        self.gc(GRACE='600')
        self.assertEqual(self.held(), ['live', 'dead'])

    def test_a_longer_grace_of_the_configuration(self):
        self.conf['ipam']['gcGracePeriod'] = 600
        self.configure()
        self.gc()
        self.assertEqual(self.held(), ['live', 'dead'])

    def test_without_a_cache(self):
        self.assertIn('nothing is freed', self.nothing_is_freed(CACHE=os.path.join(self.dir, 'nowhere')))

    def test_with_a_file_that_is_not_what_libcni_writes(self):
        good = {'kind': 'cniCacheV1', 'containerId': 'x', 'ifName': 'eth0', 'networkName': NET, 'netns': '/nowhere'}
        bad = ['', '{', 'null', '[]', '{"ips": []}', json.dumps(good) * 2, json.dumps(good)[:-2]]
        bad += [{**good, key: value} for key in ('containerId', 'ifName', 'networkName') for value in ('', None, 7, 'a\tb')]
        bad += [{**good, 'kind': 'cniCacheV2'}, {**good, 'netns': ['x']}, {**good, 'netns': 'a\nb'}]
        for what in bad:
            with self.subTest(what=what):
                self.write('cache', f'{NET}-x-eth0', what)
                self.assertIn(f'{NET}-x-eth0', self.nothing_is_freed())

    def test_with_what_is_no_file(self):
        os.mkdir(os.path.join(self.dir, 'cache', f'{NET}-folder'))
        self.nothing_is_freed()
        os.rmdir(os.path.join(self.dir, 'cache', f'{NET}-folder'))
        os.symlink('nowhere', os.path.join(self.dir, 'cache', f'{NET}-link'))
        self.nothing_is_freed()

    def test_other_networks_files_do_not_matter(self):
        self.write('cache', 'other-x-eth0', '{')
        self.write('cache', f'{NET}-b-x-eth0', {'kind': 'cniCacheV1', 'containerId': 'x', 'ifName': 'eth0',
                                                'networkName': f'{NET}-b', 'netns': '/nowhere'})
        self.assertIn('still there: 1', self.gc())
        self.assertEqual(self.held(), ['live'])

    def test_where_the_namespaces_folder_is_not_to_be_seen(self):
        self.attach('far', '10.0.0.3', netns='/no-such-folder/far')
        self.gc()
        self.assertEqual(self.held(), ['live', 'far'])

    def test_where_no_namespace_is_known(self):
        self.attach('silent', '10.0.0.3', netns='')
        self.attach('old', '10.0.0.4')
        self.attach('odd', '10.0.0.5', netns='relative')
        self.gc()
        self.assertEqual(self.held(), ['live', 'silent', 'old', 'odd'])

    def test_where_one_of_several_namespaces_is_there(self):
        both = [{'name': 'a', 'sandbox': self.netns('dead', alive=False)}, {'name': 'b', 'sandbox': self.netns('live')}]
        self.attach('half', '10.0.0.3', result={'interfaces': both})
        self.gc()
        self.assertEqual(self.held(), ['live', 'half'])

    def test_where_not_all_processes_are_to_be_seen(self):
        self.attach('far', '10.0.0.3', netns=f'/proc/{DEAD_PROCESS}/ns/net')
        self.gc(wrapper=('unshare', '--pid', '--fork', '--mount-proc'))
        self.assertEqual(self.held(), ['live', 'far'])

    def test_where_gc_is_disabled(self):
        for value in (True, 'true'):
            self.configure(disableGC=value)
            self.assertIn('disableGC', self.gc())
            self.assertEqual(self.held(), ['live', 'dead'])

    def test_with_a_configuration_that_does_not_do(self):
        self.assertIn('not configured', self.nothing_is_freed(NETCONFPATH=os.path.join(self.dir, 'cache')))
        self.configure([{'type': 'bridge'}])
        self.assertIn('status-cni', self.nothing_is_freed())
        self.write('conf', '10.conflist', '{')
        self.nothing_is_freed()

    def test_without_the_plugin_or_with_a_database_out_of_reach(self):
        self.assertIn('no status-cni', self.nothing_is_freed(CNI_PATH='/nowhere'))
        self.conf['ipam']['port'] = pg.free_port()
        self.configure()
        self.assertIn('GC failed', self.nothing_is_freed())

    def test_wrong_usage_is_2(self):
        for network in ('', '-x', 'a/b', '*'):
            self.assertIn('usage', self.gc(2, network=network))
        self.assertIn('GRACE', self.nothing_is_freed(GRACE='soon'))


class Unit(unittest.TestCase):
    def test_the_systemd_units_are_sound(self):
        if not shutil.which('systemd-analyze'):
            self.skipTest('no systemd-analyze')
        with tempfile.TemporaryDirectory() as folder:
            for name in ('cni-gc@.service', 'cni-gc@.timer'):
                with open(os.path.join(pg.ROOT, 'examples', 'gc', name), encoding='utf-8') as f:
                    text = f.read().replace('/usr/local/sbin/cni-gc.sh', SCRIPT)
                with open(os.path.join(folder, name), 'w', encoding='utf-8') as f:
                    f.write(text)
            done = subprocess.run(['systemd-analyze', 'verify', *(os.path.join(folder, f'cni-gc@net.{kind}') for kind in ('service', 'timer'))],
                                  capture_output=True, text=True, timeout=60, check=False)
            self.assertNotIn('cni-gc', done.stderr)


if __name__ == '__main__':
    tap.main()
