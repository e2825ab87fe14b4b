#!/usr/bin/env python3
"""examples/gc: what it frees, and that in doubt it frees nothing. Needs root and a PostgreSQL server's programs.
Not run with sanitizers."""
import base64
import json
import os
import re
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
        for name in ('cache', 'netns'):
            os.mkdir(os.path.join(self.dir, name))
        self.conf = plugin.net_conf(server, name=NET)
        self.files = 0
        server.psql('DELETE FROM public.ips')

    def conflist(self, plugins=None, **keys):
        """The network's conflist; without plugins, one with our net plugin alone."""
        own = {k: v for k, v in self.conf.items() if k not in ('name', 'cniVersion')}
        return {'cniVersion': '1.1.0', 'name': NET, 'plugins': plugins or [own], **keys}

    def write(self, name, what, folder='cache'):
        """Each file is a second younger than the one before."""
        path = os.path.join(self.dir, folder, name)
        with open(path, 'w', encoding='utf-8') as f:
            f.write(what if isinstance(what, str) else json.dumps(what))
        self.files += 1
        os.utime(path, (1700000000 + self.files,) * 2)

    def netns(self, pod, alive=True):
        path = os.path.join(self.dir, 'netns', pod)
        if alive:
            with open(path, 'w', encoding='utf-8'):
                pass
        return path

    def attach(self, pod, address, config=None, **entry):
        """ADD as a runtime does it, and the file that libcni leaves; entry's None leaves a key out."""
        done = plugin.run('status-cni', 'ADD', self.conf, container=pod, ifname=entry.get('ifName', 'eth0'), args=f'IP={address}/24')
        self.assertEqual(done.code, 0, done.said)
        config = base64.b64encode(json.dumps(config or self.conflist()).encode()).decode()
        known = {'kind': 'cniCacheV1', 'containerId': pod, 'ifName': 'eth0', 'networkName': NET, 'config': config,
                 'result': done.json, **entry}
        self.write(f'{NET}-{pod}-{known["ifName"]}', {k: v for k, v in known.items() if v is not None})

    def gc(self, rc=0, args=(NET,), wrapper=(), script=(SCRIPT,), **env):
        env = {'PATH': os.environ['PATH'], 'CNI_PATH': plugin.BINDIR, 'GRACE': '0', 'CACHE': os.path.join(self.dir, 'cache'), **env}
        done = subprocess.run([*wrapper, *script, *args], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
                              check=False, env={k: v for k, v in env.items() if v is not None})
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

    def frees_the_dead(self, config, words='still there: 0', **how):
        """The dead pod's, by a file with this configuration."""
        self.attach('dead', '10.0.0.2', config, netns=self.netns('dead', alive=False))
        self.assertIn(words, self.gc(**how))
        self.assertEqual(self.held(), [])

    def test_in_a_network_that_the_runtime_runs_in_an_older_version(self):
        self.frees_the_dead(self.conflist(cniVersion='1.0.0'))

    def test_behind_another_net_plugin(self):
        ipam = self.conf['ipam']
        self.frees_the_dead(self.conflist([{'type': 'bridge', 'ipam': ipam}, {'type': plugin.NET, 'chained': True, 'ipam': ipam}]))

    def test_under_a_net_plugin_with_nothing_behind_it(self):
        self.frees_the_dead(self.conflist([{'type': 'bridge', 'ipam': self.conf['ipam']}, {'type': 'portmap'}]))

    def test_of_a_network_that_is_no_list(self):
        self.frees_the_dead(self.conf)

    def test_where_several_folders_are_known(self):
        os.makedirs(os.path.join(self.dir, 'multus', 'results'))
        self.attach('live', '10.0.0.1', netns=self.netns('live'))
        os.rename(os.path.join(self.dir, 'cache', f'{NET}-live-eth0'), os.path.join(self.dir, 'multus', 'results', f'{NET}-live-eth0'))
        self.attach('dead', '10.0.0.2', netns=self.netns('dead', alive=False))
        self.assertIn('still there: 1', self.gc(CACHE=f'{self.dir}/cache:{self.dir}/multus'))
        self.assertEqual(self.held(), ['live'])

    def test_where_the_runtimes_keep_their_files(self):
        for folder in ('results', 'cache/results', 'multus/results'):
            with self.subTest(folder=folder):
                there = f'mount -t tmpfs tmpfs /var/lib/cni && mkdir -p /var/lib/cni/{folder} && cp {self.dir}/cache/* /var/lib/cni/{folder}'
                os.makedirs('/var/lib/cni', exist_ok=True)
                self.frees_the_dead(None, CACHE=None, wrapper=('unshare', '--mount', 'sh', '-c', there + ' && exec "$@"', 'sh'))

    def test_with_the_configuration_of_the_newest_file(self):
        old = json.loads(json.dumps(self.conflist()))
        old['plugins'][0]['ipam'].update(port=pg.free_port(), timeout=1)
        self.attach('live', '10.0.0.1', old, netns=self.netns('live'))
        self.attach('dead', '10.0.0.2', netns=self.netns('dead', alive=False))
        self.attach('torn', '10.0.0.3', config='e3', netns=self.netns('live'))
        self.gc()
        self.assertEqual(self.held(), ['live', 'torn'])

    def test_in_all_networks_when_none_is_named(self):
        self.write('other-x-eth0', {'kind': 'cniCacheV1', 'containerId': 'x', 'ifName': 'eth0', 'networkName': 'other', 'netns': '/nowhere',
                                    'config': base64.b64encode(b'{"plugins": [{"type": "bridge"}]}').decode()})
        self.write('broken-x-eth0', '')
        self.frees_the_dead(None, args=())
        self.assertNotIn('other', self.gc(args=()))
        self.assertIn('does not keep its addresses', self.gc(1, args=('other',)))

    def test_what_cnitool_left(self):
        if not os.path.exists(CNITOOL):
            self.skipTest('no cnitool')
        cache = '/var/lib/cni/results'
        os.mkdir(os.path.join(self.dir, 'conf'))
        self.write('10.conflist', self.conflist(), 'conf')
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
        self.attach('live', '10.0.0.1', netns=self.netns('live'))
        self.gc()
        self.assertEqual(self.held(), ['live', 'dead'])

    def test_without_a_cache(self):
        for cache in ('nowhere', 'cache:nowhere'):
            self.assertIn('nothing is freed', self.nothing_is_freed(CACHE=f'{self.dir}/{cache}'))

    def behind_a_link(self, link):
        """Another folder has a file of the network, so the network is known."""
        cache, multus = os.path.join(self.dir, 'cache'), os.path.join(self.dir, 'multus')
        os.mkdir(multus)
        os.rename(f'{cache}/{NET}-dead-eth0', f'{multus}/{NET}-dead-eth0')
        os.rename(cache, os.path.join(self.dir, 'files'))
        os.makedirs(os.path.join(self.dir, os.path.dirname(link)), exist_ok=True)
        os.symlink(os.path.join(self.dir, 'disk'), os.path.join(self.dir, link))
        self.assertIn('nothing is freed', self.nothing_is_freed(CACHE=f'{cache}:{multus}'))
        os.rename(os.path.join(self.dir, 'files'), os.path.join(self.dir, 'disk'))
        self.assertIn('still there: 1', self.gc(CACHE=f'{cache}:{multus}'))
        self.assertEqual(self.held(), ['live'])

    def test_behind_a_link_to_another_disk_which_is_not_mounted_at_first(self):
        self.behind_a_link('cache')

    def test_behind_such_a_link_in_the_place_of_the_results(self):
        self.behind_a_link('cache/results')

    def test_of_a_network_of_which_no_file_is_known(self):
        os.mkdir(os.path.join(self.dir, 'elsewhere'))
        for cache in ('netns', 'elsewhere'):
            said = self.nothing_is_freed(CACHE=f'{self.dir}/{cache}')
            self.assertIn('has no file of it', said)
        self.assertNotIn(NET, self.gc(args=(), CACHE=f'{self.dir}/elsewhere'))
        self.assertEqual(self.held(), ['live', 'dead'])

    def test_with_a_file_that_is_not_what_libcni_writes(self):
        """It counts as alive by its name."""
        good = {'kind': 'cniCacheV1', 'containerId': 'odd', 'ifName': 'eth0', 'networkName': NET, 'netns': '/nowhere'}
        bad = ['', '{', 'null', '[]', '{"ips": []}', json.dumps(good) * 2, json.dumps(good)[:-2]]
        bad += [{**good, key: value} for key in ('containerId', 'ifName', 'networkName') for value in ('', None, 7, 'a\tb')]
        bad += [{**good, 'kind': 'cniCacheV2'}, {**good, 'netns': ['x']}, {**good, 'netns': 'a\nb'}]
        for n, what in enumerate(bad):
            self.write(f'{NET}-odd{n}-eth0', what if isinstance(what, str) else what)
        server.psql(f"""INSERT INTO public.ips (pod_id, interface, ip, network, node, host_id, boot_id)
                        SELECT 'odd' || n, interface, '10.0.1.0'::inet + n, network, node, host_id, boot_id
                          FROM public.ips, generate_series(0, {len(bad) - 1}) n WHERE pod_id = 'live'""")
        said = self.gc()
        self.assertEqual(self.held(), ['live', *(f'odd{n}' for n in range(len(bad)))])
        for n in range(len(bad)):
            self.assertIn(f'{NET}-odd{n}-eth0 is not what libcni writes', said)

    def test_with_hyphens_in_the_names_of_a_file_of_0_bytes(self):
        """All that its name can stand for."""
        done = plugin.run('status-cni', 'ADD', self.conf, container='a', ifname='b-c', args='IP=10.0.0.3/24')
        self.assertEqual(done.code, 0, done.said)
        self.attach('a-b', '10.0.0.4', ifName='c')
        for name in (f'{NET}-a-b-c', f'{NET}-a', f'{NET}-', f'{NET}--x', f'{NET}-.-x', f'{NET}-a-sixteen-letters'):
            self.write(name, '')
        self.gc()
        self.assertEqual(self.held(), ['live', 'a', 'a-b'])

    def test_with_what_is_no_file(self):
        self.attach('folder', '10.0.0.3')
        self.attach('link', '10.0.0.4')
        for pod in ('folder', 'link'):
            os.remove(os.path.join(self.dir, 'cache', f'{NET}-{pod}-eth0'))
        os.mkdir(os.path.join(self.dir, 'cache', f'{NET}-folder-eth0'))
        os.symlink('nowhere', os.path.join(self.dir, 'cache', f'{NET}-link-eth0'))
        self.gc()
        self.assertEqual(self.held(), ['live', 'folder', 'link'])

    def test_other_networks_files_do_not_matter(self):
        self.write('other-x-eth0', '{')
        self.write(f'{NET}-b-x-eth0', {'kind': 'cniCacheV1', 'containerId': 'x', 'ifName': 'eth0', 'networkName': f'{NET}-b', 'netns': '/nowhere'})
        said = self.gc()
        self.assertIn('still there: 1', said)
        self.assertNotIn('other', said)
        self.assertEqual(self.held(), ['live'])

    def test_when_it_is_only_asked_what_would_go(self):
        said = self.gc(args=('--dry-run', NET))
        self.assertIn('would free 10.0.0.2/24 of dead eth0', said)
        self.assertNotIn('10.0.0.1', said)
        self.assertIn('still there: 1', said)
        self.assertIn('without a file', said)
        self.assertEqual(self.held(), ['live', 'dead'])

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
            self.attach('live', '10.0.0.1', self.conflist(disableGC=value), netns=self.netns('live'))
            self.assertIn('disableGC', self.gc())
            self.assertEqual(self.held(), ['live', 'dead'])

    def test_with_a_configuration_that_does_not_do(self):
        self.attach('live', '10.0.0.1', self.conflist([{'type': 'bridge'}, 'x', {'type': 'bridge', 'ipam': 'x'}]), netns=self.netns('live'))
        self.assertIn('does not keep its addresses', self.nothing_is_freed())
        for pod in ('live', 'dead'):
            self.write(f'{NET}-{pod}-eth0', {'kind': 'cniCacheV1', 'containerId': pod, 'ifName': 'eth0', 'networkName': NET, 'config': 'e3'})
        self.assertIn('none of its files', self.nothing_is_freed())

    def test_without_the_plugin_or_with_a_database_out_of_reach(self):
        self.assertIn('no status-cni', self.nothing_is_freed(CNI_PATH='/nowhere'))
        self.conf['ipam'].update(port=pg.free_port(), timeout=2)
        self.write(f'{NET}-far-eth0', {'kind': 'cniCacheV1', 'containerId': 'far', 'ifName': 'eth0', 'networkName': NET,
                                       'config': base64.b64encode(json.dumps(self.conf).encode()).decode()})
        self.assertIn('GC failed', self.nothing_is_freed())

    def test_wrong_usage_is_2(self):
        for network in ('', '-x', 'a/b', '*'):
            self.assertIn('usage', self.gc(2, args=(network,)))
        self.assertIn('GRACE', self.nothing_is_freed(GRACE='soon'))


class Unit(Case):
    @staticmethod
    def text(kind):
        with open(os.path.join(pg.ROOT, 'examples', 'gc', f'cni-gc@.{kind}'), encoding='utf-8') as f:
            return f.read()

    def test_its_own_line_works(self):
        """As systemd expands it: %i is the instance's name as it is written, %I turns its hyphens into slashes."""
        self.attach('live', '10.0.0.1', netns=self.netns('live'))
        self.attach('dead', '10.0.0.2', netns=self.netns('dead', alive=False))
        line = re.search('^ExecStart=(.*)$', self.text('service'), re.M)[1]
        program, *args = line.replace('%i', NET).replace('%I', NET.replace('-', '/')).split()
        self.assertEqual(program, '/usr/local/sbin/cni-gc.sh')
        self.gc(args=args)
        self.assertEqual(self.held(), ['live'])

    def test_the_systemd_units_are_sound(self):
        if not shutil.which('systemd-analyze'):
            self.skipTest('no systemd-analyze')
        with tempfile.TemporaryDirectory() as folder:
            for kind in ('service', 'timer'):
                with open(os.path.join(folder, f'cni-gc@.{kind}'), 'w', encoding='utf-8') as f:
                    f.write(self.text(kind).replace('/usr/local/sbin/cni-gc.sh', SCRIPT))
            done = subprocess.run(['systemd-analyze', 'verify', *(os.path.join(folder, f'cni-gc@net.{kind}') for kind in ('service', 'timer'))],
                                  capture_output=True, text=True, timeout=60, check=False)
            self.assertNotIn('cni-gc', done.stderr)


if __name__ == '__main__':
    tap.main()
