#!/usr/bin/env python3
"""Every configuration of examples/ does what it shows, once it names a database that there is. Needs root, openssl and a
PostgreSQL server's programs. Not run with sanitizers."""
import glob
import json
import os
import shutil
import subprocess
import tempfile
import unittest

import pg
import plugin
import tap

EXAMPLES = os.path.join(pg.ROOT, 'examples')


def example(name):
    with open(os.path.join(EXAMPLES, name), encoding='utf-8') as f:
        return json.load(f)


def request(conflist, number=0, ipam=None, **keys):
    """What a runtime derives for one plugin. ipam: what replaces keys of its ipam object."""
    asked = {**conflist['plugins'][number], 'name': conflist['name'], 'cniVersion': conflist['cniVersion'], **keys}
    return {**asked, 'ipam': {**asked['ipam'], **(ipam or {})}}


class Case(unittest.TestCase):
    def answer(self, command, conf, **how):
        done = plugin.run(plugin.NET, command, conf, **how)
        self.assertEqual(done.code, 0, done.said)
        return done


class Plain(Case):
    @classmethod
    def setUpClass(cls):
        cls.server = pg.Server()
        cls.addClassCleanup(cls.server.close)
        cls.here = {'host': cls.server.host, 'port': cls.server.port, 'password': cls.server.password}

    def test_all_are_lists_of_1_1_0_with_names_of_their_own(self):
        names = [os.path.basename(path) for path in sorted(glob.glob(os.path.join(EXAMPLES, '*.conflist')))]
        self.assertEqual(names, ['12-status-ipam.conflist', '15-dual-stack.conflist', '16-pool.conflist', '20-bridge.conflist', '30-secure.conflist'])
        self.assertEqual({example(name)['cniVersion'] for name in names}, {'1.1.0'})
        self.assertEqual(len({example(name)['name'] for name in names}), len(names))

    def test_the_first_one(self):
        conf = request(example('12-status-ipam.conflist'), ipam=self.here)
        self.answer('STATUS', conf)
        self.assertEqual(self.answer('ADD', conf, args='IP=192.168.200.1/24').json, {'cniVersion': '1.1.0', 'ips': [{'address': '192.168.200.1/24'}]})

    def test_dual_stack_fills_in_what_the_ranges_know(self):
        conf = request(example('15-dual-stack.conflist'), ipam=self.here, runtimeConfig={'ips': ['10.88.1.5', 'fd00:88::5']})
        said = self.answer('ADD', conf).json
        self.assertEqual(said['ips'], [{'address': '10.88.1.5/16', 'gateway': '10.88.0.1'},
                                       {'address': 'fd00:88::5/64', 'gateway': 'fd00:88::ffff'}])
        self.assertEqual(said['routes'], [{'dst': '0.0.0.0/0'}, {'dst': '::/0'}])
        self.assertEqual(said['dns'], {'nameservers': ['10.88.0.53'], 'search': ['pods.example']})
        for outside in ('10.88.0.5', '10.88.100.0', '10.89.0.1', 'fd00:89::1'):
            conf['runtimeConfig'] = {'ips': [outside]}
            self.assertEqual(plugin.run(plugin.NET, 'ADD', conf, container='pod2').code, 7, outside)

    def test_a_dual_stack_pod_that_asks_for_nothing_gets_one_of_each_family(self):
        conf = request(example('15-dual-stack.conflist'), ipam=self.here)
        four, six = self.answer('ADD', conf, container='pod3').json['ips']
        self.assertRegex(four['address'], r'^10\.88\.[1-9][0-9]?\.[0-9]+/16$')
        self.assertRegex(six['address'], r'^fd00:88::.*/64$')
        self.answer('STATUS', conf)

    def test_the_pool_needs_no_request(self):
        conf = request(example('16-pool.conflist'), ipam=self.here)
        first = self.answer('ADD', conf, args='K8S_POD_NAMESPACE=a;K8S_POD_NAME=b').json['ips']
        self.assertEqual(first[0]['gateway'], '10.66.0.1')
        self.assertRegex(first[0]['address'], r'^10\.66\.[1-9].*/16$')
        self.answer('DEL', conf)
        self.assertEqual(self.answer('ADD', conf, container='pod2', args='K8S_POD_NAMESPACE=a;K8S_POD_NAME=b').json['ips'], first)

    def test_both_halves_of_a_chain_know_the_same_database_and_ranges(self):
        first, behind = example('20-bridge.conflist')['plugins']
        self.assertEqual(first['ipam'], behind['ipam'])

    def test_under_bridge_a_pod_may_ask_by_annotation_and_by_ips(self):
        conflist = example('20-bridge.conflist')
        annotations = {'io.kubernetes.cri.pod-annotations': {'ipam-status-cni/ips': '10.77.0.7'}}
        for asked, address in ((annotations, '10.77.0.7/24'), ({'ips': ['10.77.0.8']}, '10.77.0.8/24')):
            declared = conflist['plugins'][0]['capabilities']
            self.assertTrue(all(declared[key] for key in asked))
            given = plugin.run(plugin.IPAM, 'ADD', request(conflist, ipam=self.here, runtimeConfig=asked), container='pod-' + address[:9])
            self.assertEqual([ip['address'] for ip in given.json['ips']], [address])
            self.assertEqual(plugin.run(plugin.IPAM, 'DEL', request(conflist, ipam=self.here), container='pod-' + address[:9]).code, 0)

    def test_behind_bridge_the_second_plugin_leaves_addresses_alone_and_takes_status_and_gc(self):
        conflist = example('20-bridge.conflist')
        first, behind = request(conflist, 0, ipam=self.here), request(conflist, 1, ipam=self.here)
        given = plugin.run(plugin.IPAM, 'ADD', first, args='IP=10.77.0.5')
        self.assertEqual(given.json['ips'], [{'address': '10.77.0.5/24', 'gateway': '10.77.0.1'}])
        self.assertEqual(self.answer('ADD', {**behind, 'prevResult': given.json}).json, given.json)
        self.answer('STATUS', behind)
        self.answer('DEL', {**behind, 'prevResult': given.json})
        count = "SELECT count(*) FROM public.ips WHERE network = 'ipam-bridge'"
        self.assertEqual(self.server.value(count), '1')
        self.answer('GC', behind)
        self.assertEqual(self.server.value(count), '0')


def openssl(folder, *args):
    subprocess.run(['openssl', *args], cwd=folder, check=True, capture_output=True, timeout=60)


def authority(folder):
    """A throw-away authority, ca.crt, and a server's key and certificate for localhost."""
    openssl(folder, 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=authority', '-keyout', 'ca.key',
            '-out', 'ca.crt')
    openssl(folder, 'req', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=localhost', '-keyout', 'server.key', '-out', 'server.csr')
    with open(os.path.join(folder, 'names'), 'w', encoding='ascii') as f:
        f.write('subjectAltName=DNS:localhost\n')
    openssl(folder, 'x509', '-req', '-in', 'server.csr', '-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2',
            '-extfile', 'names', '-out', 'server.crt')


class Secure(Case):
    """The hosts of the example become localhost twice, the first with a port where nobody is."""

    @classmethod
    def setUpClass(cls):
        cls.dir = pg.owned_tempdir('ipam-tls.')
        cls.addClassCleanup(shutil.rmtree, cls.dir)
        authority(cls.dir)
        owner = os.stat(cls.dir)
        os.chown(os.path.join(cls.dir, 'server.key'), owner.st_uid, owner.st_gid)
        cls.server = pg.Server(ssl='on', ssl_cert_file=f'{cls.dir}/server.crt', ssl_key_file=f'{cls.dir}/server.key')
        cls.addClassCleanup(cls.server.close)
        with open(os.path.join(cls.server.data, 'pg_hba.conf'), 'w', encoding='ascii') as hba:
            hba.write('local all postgres trust\nhostssl all all all scram-sha-256\n')
        cls.server.psql('SELECT pg_reload_conf()')

    def setUp(self):
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        self.passfile = os.path.join(folder, 'pgpass')
        with open(self.passfile, 'w', encoding='ascii') as f:
            f.write(f'*:*:ipam:cni:{self.server.password}\n')
        os.chmod(self.passfile, 0o600)
        self.conf = request(example('30-secure.conflist'), ipam={
            'host': 'localhost,localhost', 'port': f'{pg.free_port()},{self.server.port}', 'passfile': self.passfile,
            'sslrootcert': f'{self.dir}/ca.crt'})

    def test_it_works_with_the_second_of_two_hosts_by_tls(self):
        self.answer('STATUS', self.conf)
        self.answer('ADD', self.conf, args='IP=10.0.0.5/24')
        self.answer('DEL', self.conf)

    def test_an_unknown_authority_is_refused(self):
        with tempfile.TemporaryDirectory() as other:
            authority(other)
            self.conf['ipam']['sslrootcert'] = os.path.join(other, 'ca.crt')
            self.assertEqual(plugin.run(plugin.NET, 'STATUS', self.conf).code, 50)

    def test_a_server_of_another_name_is_refused(self):
        self.conf['ipam']['host'] = '127.0.0.1,127.0.0.1'
        self.assertEqual(plugin.run(plugin.NET, 'STATUS', self.conf).code, 50)

    def test_a_passfile_that_others_can_read_is_refused_by_name(self):
        os.chmod(self.passfile, 0o644)
        done = plugin.run(plugin.NET, 'STATUS', self.conf)
        self.assertEqual(done.code, 7)
        self.assertIn(self.passfile, done.said + done.stderr)


if __name__ == '__main__':
    tap.main()
