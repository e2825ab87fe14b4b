#!/usr/bin/env python3
"""examples/kubernetes as far as it can be tried without Kubernetes: what the DaemonSet's script does to a node's folders, and
the network of the ConfigMap. tests/kubernetes.sh has the rest. Needs root, busybox-static and a PostgreSQL server's programs.
Not run with sanitizers."""
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

import kubernetes
import pg
import plugin
import runtimes
import tap

PLUGINS = (f'node/bin/{plugin.NET}', f'node/bin/{plugin.IPAM}')
PASSWORD, NETWORK = 'node/etc/ipam-status-cni/pgpass', f'node/etc/net.d/{kubernetes.CONFLIST}'


class Installer(unittest.TestCase):
    limit = 60

    def setUp(self):
        if not os.path.exists(runtimes.BUSYBOX):
            self.skipTest('busybox-static is not installed')
        self.dir = tempfile.mkdtemp(dir='/var/tmp')
        self.addCleanup(shutil.rmtree, self.dir)
        self.root = kubernetes.installer(os.path.join(self.dir, 'root'))
        for name in ('dev', 'secret', 'network', 'node/bin', 'node/etc', 'node/results'):
            os.makedirs(self.path(name))
        self.write('dev/null', '')      # in the background the shell reads it
        self.write('secret/pgpass', 'one')
        self.write(f'network/{kubernetes.CONFLIST}', '{}')
        os.remove(f'{self.root}/bin/sleep')     # ten seconds pass quickly
        self.write('bin/sleep', '#!/bin/sh\nexec busybox sleep 0.1\n', 0o755)

    def path(self, name):
        return os.path.join(self.root, name)

    def write(self, name, text, mode=0o644):
        with open(self.path(name), 'w', encoding='utf-8') as f:
            f.write(text)
        os.chmod(self.path(name), mode)

    def read(self, name):
        with open(self.path(name), 'rb') as f:
            return f.read()

    def run_script(self, *arguments):
        """Starts it in its image. It ends as its pod does, by SIGTERM, and at once."""
        process = subprocess.Popen(['chroot', self.root, *kubernetes.entrypoint(), *arguments], stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True, cwd='/', env={'PATH': '/usr/sbin:/usr/bin:/sbin:/bin', 'NETWORK': 'pods'})
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait, 10)
        self.addCleanup(process.terminate)
        return process

    def test_it_copies_everything_and_the_network_last(self):
        process = self.run_script('install')
        self.assertEqual([process.stdout.readline() for _ in range(4)],
                         [f'/{name} is new\n' for name in (PLUGINS[1], PLUGINS[0], PASSWORD, NETWORK)])
        self.assertEqual([oct(os.stat(self.path(name)).st_mode & 0o777) for name in (*PLUGINS, PASSWORD, NETWORK)],
                         ['0o755', '0o755', '0o600', '0o600'])
        self.assertEqual(self.read(PLUGINS[0]), self.read(f'plugins/{plugin.NET}'))
        self.assertEqual((self.read(PASSWORD), self.read(NETWORK)), (b'one', b'{}'))

    def test_what_changes_is_renamed_into_place(self):
        process = self.run_script('install')
        runtimes.wait_until(lambda: os.path.exists(self.path(NETWORK)), 20, 'all is there')
        running = os.open(self.path(PLUGINS[0]), os.O_RDONLY)
        self.addCleanup(os.close, running)
        size = os.fstat(running).st_size
        self.write(f'plugins/{plugin.NET}', '#!/bin/sh\n', 0o755)
        self.write('secret/pgpass', 'two')
        runtimes.wait_until(lambda: self.read(PASSWORD) == b'two' and self.read(PLUGINS[0]) == b'#!/bin/sh\n', 20, 'the new ones are there')
        self.assertEqual(os.fstat(running).st_size, size)
        self.assertEqual(os.stat(self.path(PASSWORD)).st_mode & 0o777, 0o600)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(10), 0)
        self.assertEqual(sorted(os.listdir(self.path('node/bin'))), sorted((plugin.NET, plugin.IPAM)))

    def test_a_node_that_cannot_be_written_to_is_said(self):
        shutil.rmtree(self.path('node/bin'))
        process = self.run_script('install')
        self.assertNotEqual(process.wait(10), 0)
        self.assertIn('/node/bin', process.stdout.read())
        self.assertFalse(os.path.exists(self.path(NETWORK)))

    def test_removal_waits_for_the_last_attachment(self):
        process = self.run_script('install')
        runtimes.wait_until(lambda: os.path.exists(self.path(NETWORK)), 20, 'all is there')
        process.terminate()
        self.write('node/results/pods-0123-eth0', '')
        self.write('node/results/others-0123-eth0', '')
        process = self.run_script('remove')
        self.assertEqual(process.stdout.readline(), 'waiting for the last pod of the network\n')
        time.sleep(0.5)
        for name in (*PLUGINS, PASSWORD, NETWORK):
            self.assertTrue(os.path.exists(self.path(name)), name)
        os.remove(self.path('node/results/pods-0123-eth0'))
        self.assertEqual(process.stdout.readline(), 'everything is gone\n')
        self.assertEqual(sum((files for _, _, files in os.walk(self.path('node'))), []), ['others-0123-eth0'])

    def test_wrong_use(self):
        self.assertEqual(self.run_script().wait(10), 2)


class Multus(unittest.TestCase):
    """Another test runs the same network, under macvlan."""

    @staticmethod
    def read(name):
        with open(os.path.join(kubernetes.FOLDER, name), encoding='utf-8') as f:
            return f.read()

    def test_its_network_is_that_of_macvlan_but_for_the_routes(self):
        head, config = self.read('multus.yaml').split('\n  config: |\n')
        self.assertTrue(head.endswith('\napiVersion: k8s.cni.cncf.io/v1\nkind: NetworkAttachmentDefinition\nmetadata:\n  name: lan\nspec:'))
        self.assertTrue(all(line.startswith('    ') for line in config.splitlines()))
        same = json.loads(self.read('../plugins/macvlan.conflist'))
        del same['plugins'][0]['ipam']['routes']
        self.assertEqual(json.loads(config), same)

    def test_a_pod_that_asks_for_it_names_it(self):
        asks, = re.findall(r"^    (k8s.v1.cni.cncf.io/networks: '(.*)')$", self.read('README.md'), re.MULTILINE)
        self.assertEqual([network['name'] for network in json.loads(asks[1])], ['lan'])
        self.assertIn(f'`{asks[0]}`', self.read('../../README.md'))


class Network(unittest.TestCase):
    def test_the_plugins_take_it(self):
        server = pg.Server()
        self.addCleanup(server.close)
        with tempfile.NamedTemporaryFile('w', encoding='utf-8') as passfile:
            passfile.write(f'*:*:ipam:cni:{server.password}\n')
            passfile.flush()
            network = kubernetes.conflist()
            first, last = network['plugins']
            self.assertEqual({k: v for k, v in first['ipam'].items() if k != 'routes'}, last['ipam'])
            for kind, ipam in ((plugin.IPAM, first['ipam']), (plugin.NET, last['ipam'])):
                conf = {**last, 'type': kind, 'cniVersion': network['cniVersion'], 'name': network['name'],
                        'ipam': {**ipam, 'host': server.host, 'port': server.port, 'passfile': passfile.name}}
                said = plugin.run(kind, 'STATUS', conf)
                self.assertEqual(said.code, 0, said.said)

    def test_the_daemonset_knows_its_name(self):
        self.assertIn(f'env: [{{ name: NETWORK, value: {kubernetes.conflist()["name"]} }}]', kubernetes.manifest())


if __name__ == '__main__':
    tap.main()
