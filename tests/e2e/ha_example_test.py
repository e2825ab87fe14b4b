#!/usr/bin/env python3
"""examples/ha: its networks work once they name a cluster that there is, and find-forgotten.sh finds what a restored backup
does not know. Needs root, cnitool, jq, pgbouncer and a PostgreSQL server's programs. (tests/ha.sh runs the cluster itself.)
Not run with sanitizers."""
import glob
import json
import os
import shutil
import subprocess
import tempfile
import unittest

import pg
import plugin
import pooler
import tap

EXAMPLES = os.path.join(pg.ROOT, 'examples', 'ha')
CNITOOL = os.path.join(pg.ROOT, 'plugins', 'cnitool')
CACHE = '/var/lib/cni/results'


def example(name):
    with open(os.path.join(EXAMPLES, name), encoding='utf-8') as f:
        conflist = json.load(f)
    return {**conflist['plugins'][0], 'name': conflist['name'], 'cniVersion': conflist['cniVersion']}


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = pg.Server()
        cls.addClassCleanup(cls.server.close)

    def setUp(self):
        self.dir = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.dir)
        self.passfile = self.file('pgpass', f'*:*:ipam:cni:{self.server.password}\n')

    def file(self, name, text):
        path = os.path.join(self.dir, name)
        with open(path, 'w', encoding='utf-8') as f:
            f.write(text)
        os.chmod(path, 0o600)
        return path


class Networks(Case):
    def works(self, conf, **ipam):
        conf = {**conf, 'ipam': {**conf['ipam'], 'passfile': self.passfile, **ipam}}
        for verb in ('STATUS', 'ADD', 'DEL'):
            done = plugin.run(plugin.NET, verb, conf, args='IP=10.0.0.5/24')
            self.assertEqual(done.code, 0, done.said)

    def test_a_list_of_hosts_of_which_one_is_there(self):
        conf = example('hosts.conflist')
        self.assertEqual(conf['ipam']['host'].count(','), 2)
        self.works(conf, host='127.0.0.1,127.0.0.1,127.0.0.1', port=f'{pg.free_port()},{self.server.port},{pg.free_port()}')

    @unittest.skipUnless(pooler.available(), 'no pgbouncer')
    def test_a_poolers_socket(self):
        with pooler.Pooler(self.server) as p:
            self.works(example('pooler.conflist'), host=p.dir, port=p.port)

    def test_tls_is_that_of_the_secure_example(self):
        """Which examples_test runs."""
        with open(os.path.join(EXAMPLES, '..', '30-secure.conflist'), encoding='utf-8') as f:
            secure = json.load(f)['plugins'][0]['ipam']
        ours = example('tls.conflist')['ipam']
        self.assertEqual({k: ours[k] for k in ours if k != 'host'}, {k: secure[k] for k in ours if k != 'host'})


class Forgotten(Case):
    NET = 'ipam-forgotten'

    def setUp(self):
        super().setUp()
        conf = plugin.net_conf(self.server, {'passfile': self.passfile, 'password': None})
        os.mkdir(os.path.join(self.dir, 'conf'))
        os.mkdir(os.path.join(self.dir, 'cache'))
        self.file('conf/net.conflist', json.dumps({'cniVersion': '1.1.0', 'name': self.NET, 'plugins': [
            {k: v for k, v in conf.items() if k not in ('name', 'cniVersion')}]}))
        self.env = {**os.environ, 'NETCONFPATH': os.path.join(self.dir, 'conf'), 'CNI_PATH': plugin.BINDIR,
                    'CACHE': os.path.join(self.dir, 'cache')}
        self.pods = [self.file(f'netns{n}', '') for n in (1, 2, 3)]
        for n, path in enumerate(self.pods):
            self.addCleanup(self.cnitool, 'del', path)
            self.cnitool('add', path, CNI_ARGS=f'IP=10.0.0.{n + 1}/24')
        self.env['CACHE'] += ':' + os.path.join(self.dir, 'another')
        os.makedirs(os.path.join(self.dir, 'another', 'results'))
        for n, path in enumerate(sorted(glob.glob(f'{CACHE}/{self.NET}-*'))):
            shutil.copy(path, os.path.join(self.dir, 'another/results' if n else 'cache'))

    def cnitool(self, verb, path, **env):
        subprocess.run([CNITOOL, verb, self.NET, path], env={**self.env, **env}, check=True, capture_output=True, timeout=60)

    def find(self, status, *arguments):
        done = subprocess.run([f'{EXAMPLES}/find-forgotten.sh', *arguments], env=self.env, capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        self.assertNotIn(self.server.password, done.stdout + done.stderr)
        return sorted(done.stdout.splitlines())

    def forget(self, address):
        self.server.psql(f"DELETE FROM public.ips WHERE network = '{self.NET}' AND host(ip) = '{address}'")

    def held(self):
        return self.server.value(f"SELECT string_agg(host(ip), ' ' ORDER BY ip) FROM public.ips WHERE network = '{self.NET}'")

    def test_nothing_is_missing(self):
        self.assertEqual(self.find(0), [])

    def test_what_is_missing_is_said_and_recorded_only_when_asked_to(self):
        self.forget('10.0.0.2')
        said = self.find(1)
        self.assertEqual(len(said), 1)
        self.assertRegex(said[0], r'^network ipam-forgotten: cnitool-\w+ \(eth0\): 10\.0\.0\.2/24: forgotten$')
        self.assertEqual(self.held(), '10.0.0.1 10.0.0.3')
        self.assertRegex(self.find(0, '--record')[0], ': recorded again$')
        self.assertEqual(self.held(), '10.0.0.1 10.0.0.2 10.0.0.3')
        self.assertEqual(self.find(0), [])

    def test_what_somebody_else_has_been_given_stays_theirs(self):
        self.forget('10.0.0.2')
        other = plugin.net_conf(self.server, {'node': 'another'}, name=self.NET)
        self.assertEqual(plugin.run(plugin.IPAM, 'ADD', other, args='IP=10.0.0.2/24', container='other').code, 0)
        self.addCleanup(plugin.run, plugin.IPAM, 'DEL', other, container='other')
        said = self.find(1, '--record')
        self.assertIn('not recorded', said[0])
        self.assertIn('other', said[0])

    def test_a_dead_container_is_passed_over(self):
        self.forget('10.0.0.2')
        os.rename(self.pods[1], self.pods[1] + '.gone')
        self.assertEqual(self.find(0, '--record'), [])
        os.rename(self.pods[1] + '.gone', self.pods[1])

    def test_a_file_that_says_nothing_is_named(self):
        self.file('cache/net-broken-eth0', '')
        self.file('another/net-worse-eth0', '{')
        self.file('another/no-file', '{')
        self.assertEqual([line.rsplit(': ', 1)[1] for line in self.find(1)], ['is not what libcni writes'] * 2)

    def test_a_link_to_a_disk_that_is_not_mounted(self):
        """Nothing that is missing would be found there."""
        results = os.path.join(self.dir, 'another', 'results')
        os.rename(results, results + '.away')
        os.symlink('disk', results)
        self.assertEqual(self.find(1), [])
        os.rename(results + '.away', os.path.join(self.dir, 'another', 'disk'))
        self.forget('10.0.0.2')
        self.forget('10.0.0.3')
        self.assertGreaterEqual(len(self.find(1)), 1)

    def test_wrong_usage(self):
        self.find(2, '--all')
        self.find(2, '--record', 'more')


if __name__ == '__main__':
    tap.main()
