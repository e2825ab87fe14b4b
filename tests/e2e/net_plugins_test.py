#!/usr/bin/env python3
"""The conflists of examples/plugins, each as it is but for the database's place, run by cnitool under the upstream net plugins:
static, picked and dual stack, in the versions that runtimes speak. Needs root, cnitool, a PostgreSQL server's programs and Go
(or the plugins in plugins/upstream). Not run with sanitizers."""
import glob
import json
import os
import subprocess
import tempfile
import unittest

import pg
import plugin
import sandbox
import tap
import upstream

EXAMPLES = os.path.join(pg.ROOT, 'examples', 'plugins')
CNITOOL = os.path.join(pg.ROOT, 'plugins', 'cnitool')
NEEDED = ('bridge', 'ipvlan', 'macvlan', 'portmap', 'ptp')
VERSIONS = ('1.0.0', '1.1.0')


def setUpModule():
    if not upstream.has(*NEEDED):
        raise unittest.SkipTest(upstream.MISSING)
    globals()['server'] = pg.Server()
    without_waits()
    # What macvlan and ipvlan have as the host's card.
    ip('link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'cable')
    ip('link', 'set', 'eth0', 'up')
    ip('link', 'set', 'cable', 'up')


def tearDownModule():
    server.close()


def ip(*args):
    subprocess.run(['ip', *args], check=True, capture_output=True, timeout=10)


def without_waits(*through):
    """No look for duplicates of an IPv6 address: the plugins wait for its end, more than a second each time."""
    subprocess.run([*through, 'sh', '-c', 'echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad'], check=True, timeout=10)


def kernel_has(kind):
    """Whether links of that kind can be made here."""
    made = subprocess.run(['ip', 'link', 'add', 'probe', 'link', 'eth0', 'type', kind], capture_output=True, timeout=10, check=False)
    subprocess.run(['ip', 'link', 'delete', 'probe'], capture_output=True, timeout=10, check=False)
    return made.returncode == 0


def names():
    return sorted(os.path.basename(path) for path in glob.glob(f'{EXAMPLES}/*.conflist'))


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.dir, self.pods = folder.name, []
        self.passfile = os.path.join(self.dir, 'pgpass')
        with open(self.passfile, 'w', encoding='ascii') as f:
            f.write(f'*:*:ipam:cni:{server.password}\n')
        os.chmod(self.passfile, 0o600)
        server.psql('TRUNCATE public.ips')

    def tearDown(self):
        for pod in self.pods:
            subprocess.run(['ip', 'netns', 'delete', pod], check=False, capture_output=True, timeout=10)

    def write(self, name, version):
        """The example with the server's place. Returns the network's name and its first subnet without the last part."""
        with open(os.path.join(EXAMPLES, name), encoding='utf-8') as f:
            text = f.read()
        for old, new in {'"db1.example,db2.example"': f'"{server.host},{server.host}", "port": "{pg.free_port()},{server.port}"',
                         '/etc/cni/ipam-status-cni/pgpass': self.passfile, '"cniVersion": "1.0.0"': f'"cniVersion": "{version}"'}.items():
            self.assertIn(old, text)
            text = text.replace(old, new)
        self.list = json.loads(text)
        with open(os.path.join(self.dir, 'net.conflist'), 'w', encoding='utf-8') as f:
            f.write(text)
        return self.list['name'], self.list['plugins'][0]['ipam']['ranges'][0][0]['subnet'].rsplit('.', 1)[0]

    def cnitool(self, verb, network, pod, **env):
        done = subprocess.run([CNITOOL, verb, network, f'/var/run/netns/{pod}'], capture_output=True, text=True, timeout=60, cwd='/', check=False,
                              env={**os.environ, 'NETCONFPATH': self.dir, 'CNI_PATH': f'{plugin.BINDIR}:{upstream.FOLDER}', **env})
        self.assertEqual(done.returncode, 0, f'{verb} {network} {pod}: {done.stdout}{done.stderr}')
        return done.stdout

    def add(self, network, pod, *ips):
        ip('netns', 'add', pod)
        self.pods.append(pod)
        without_waits('ip', 'netns', 'exec', pod)
        said = json.loads(self.cnitool('add', network, pod, **({'CAP_ARGS': json.dumps({'ips': ips})} if ips else {})))
        got = [one['address'].split('/')[0] for one in said['ips']]
        for address in ips:
            self.assertIn(address, got)
        self.assertEqual(['.' in a for a in got], [True, False], 'one of each family, in the order of the range sets')
        return got

    def ping(self, pod, address):
        subprocess.run(['ip', 'netns', 'exec', pod, 'ping', '-c', '1', '-w', '10', address], check=True, capture_output=True, timeout=20)

    def works(self, name, version):
        network, subnet = self.write(name, version)
        self.add(network, 'static', f'{subnet}.11', f'fd00:{subnet.split(".")[1]}::11')
        picked = self.add(network, 'picked')
        half = self.add(network, 'half', f'{subnet}.12')
        for address in (*picked, *half):
            self.ping('static', address)
        self.cnitool('check', network, 'picked')
        self.assertEqual(server.value('SELECT count(*) FROM public.ips'), '6')
        ip('netns', 'delete', 'half')
        self.gc('static', 'picked')
        self.assertEqual(server.value('SELECT count(*) FROM public.ips'), '4')
        for pod in ('static', 'picked'):
            self.cnitool('del', network, pod)
        self.assertEqual(server.value('SELECT count(*) FROM public.ips'), '0')

    def gc(self, *alive):
        """What a runtime sends the last plugin of the list, which speaks GC whatever the list's version is."""
        valid = [{'containerID': row, 'ifname': 'eth0'} for pod in alive for row in [self.container(pod)]]
        conf = {**self.list['plugins'][-1], 'name': self.list['name'], 'cniVersion': '1.1.0', 'cni.dev/valid-attachments': valid}
        done = plugin.run(plugin.NET, 'GC', conf)
        self.assertEqual(done.code, 0, done.said)

    @staticmethod
    def container(pod):
        """cnitool's id of a container: from its namespace's path."""
        said = subprocess.run(['sha512sum'], input=f'/var/run/netns/{pod}'.encode(), capture_output=True, check=True, timeout=10).stdout
        return 'cnitool-' + said.decode()[:20]


class Examples(Case):
    def test_all_are_here(self):
        self.assertEqual(names(), ['bridge.conflist', 'ipvlan.conflist', 'macvlan.conflist', 'ptp.conflist'])

    def test_bridge(self):
        for version in VERSIONS:
            with self.subTest(version):
                self.works('bridge.conflist', version)
                self.tearDown()

    def test_ipvlan(self):
        if not kernel_has('ipvlan'):
            self.skipTest('this kernel has no ipvlan')
        for version in VERSIONS:
            with self.subTest(version):
                self.works('ipvlan.conflist', version)
                self.tearDown()

    def test_macvlan(self):
        for version in VERSIONS:
            with self.subTest(version):
                self.works('macvlan.conflist', version)
                self.tearDown()

    def test_ptp(self):
        for version in VERSIONS:
            with self.subTest(version):
                self.works('ptp.conflist', version)
                self.tearDown()


if __name__ == '__main__':
    if sandbox.MARK not in os.environ:
        upstream.get(*NEEDED)
    sandbox.enter()
    tap.main()
