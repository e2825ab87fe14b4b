#!/usr/bin/env python3
"""The conflists of examples/plugins, each as it is but for the database's place, run by cnitool under the upstream net plugins:
static, picked and dual stack, in the versions that runtimes speak. Needs root, cnitool, a PostgreSQL server's programs and Go
(or what it has built: plugins/upstream, build/libcni). Not run with sanitizers."""
import contextlib
import glob
import ipaddress
import json
import os
import socket
import subprocess
import sys
import tempfile
import unittest

import libcni
import pg
import plugin
import runtimes
import sandbox
import tap
import upstream

EXAMPLES = os.path.join(pg.ROOT, 'examples', 'plugins')
CNITOOL = os.path.join(pg.ROOT, 'plugins', 'cnitool')
DRIVER = libcni.path(libcni.NEWEST)
NEEDED = ('bridge', 'ipvlan', 'macvlan', 'portmap', 'ptp')
VERSIONS = ('1.0.0', '1.1.0')
ANSWERS = """import socket
with socket.create_server(('::', 80), family=socket.AF_INET6, dualstack_ipv6=True) as port:
    print('ready', flush=True)
    while True:
        port.accept()[0].sendall(b'the pod')
"""


def setUpModule():
    if not upstream.has(*NEEDED):
        raise unittest.SkipTest(upstream.MISSING)
    if not os.path.exists(DRIVER):
        raise unittest.SkipTest(f'no Go that builds tests/libcni with libcni {libcni.NEWEST}')
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
        self.dir, self.pods, self.path = folder.name, [], [plugin.BINDIR, upstream.FOLDER]
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

    def cnitool(self, verb, network, pod='none', status=0, **env):
        done = subprocess.run([CNITOOL, verb, network, f'/var/run/netns/{pod}'], capture_output=True, text=True, timeout=60, cwd='/', check=False,
                              env={**os.environ, 'NETCONFPATH': self.dir, 'CNI_PATH': ':'.join(self.path), **env})
        self.assertEqual(done.returncode, status, f'{verb} {network} {pod}: {done.stdout}{done.stderr}')
        return done.stdout + done.stderr if status else done.stdout

    def libcni(self, verb, **keys):
        """A call that cnitool does not have, or not like this, on the files that it keeps."""
        asked = {'verb': verb, 'list': self.list, 'path': self.path, 'cache': '/var/lib/cni', 'container': 'none', 'ifname': 'eth0', **keys}
        done = subprocess.run([DRIVER], input=json.dumps(asked), capture_output=True, text=True, timeout=60, cwd='/', check=True)
        said = json.loads(done.stdout)
        self.assertEqual(said.pop('error', ''), '', done.stderr)
        return said

    def add(self, network, pod, *ips, **capabilities):
        ip('netns', 'add', pod)
        self.pods.append(pod)
        without_waits('ip', 'netns', 'exec', pod)
        if ips:
            capabilities['ips'] = ips
        said = json.loads(self.cnitool('add', network, pod, CAP_ARGS=json.dumps(capabilities)))
        got = [one['address'].split('/')[0] for one in said['ips']]
        for address in ips:
            self.assertIn(address, got)
        self.assertEqual(['.' in a for a in got], [True, False], 'one of each family, in the order of the range sets')
        return got

    @contextlib.contextmanager
    def in_pod(self, pod, *command):
        """A program that runs there meanwhile."""
        with subprocess.Popen(['ip', 'netns', 'exec', pod, *command], stdout=subprocess.PIPE) as process:
            try:
                yield process
            finally:
                process.kill()

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
        # It dies, and libcni knows nothing of it any more.
        ip('netns', 'delete', 'half')
        os.remove(f'/var/lib/cni/results/{network}-{self.container("half")}-eth0')
        self.gc(version, 'static', 'picked')
        self.assertEqual(server.value('SELECT count(*) FROM public.ips'), '4')
        for pod in ('static', 'picked'):
            self.cnitool('del', network, pod)
        self.assertEqual(server.value('SELECT count(*) FROM public.ips'), '0')

    def gc(self, version, *alive):
        """libcni's, which has asked the plugins since 1.1.0; before, what examples/gc sends the last one of the list."""
        valid = [{'containerID': self.container(pod), 'ifname': 'eth0'} for pod in alive]
        if version == '1.1.0':
            self.libcni('GC', valid=valid)
            return
        conf = {**self.list['plugins'][-1], 'name': self.list['name'], 'cniVersion': '1.1.0', 'cni.dev/valid-attachments': valid}
        done = plugin.run(plugin.NET, 'GC', conf)
        self.assertEqual(done.code, 0, done.said)

    @staticmethod
    def container(pod):
        """cnitool's id of a container: from its namespace's path."""
        said = subprocess.run(['sha512sum'], input=f'/var/run/netns/{pod}'.encode(), capture_output=True, check=True, timeout=10).stdout
        return 'cnitool-' + said.decode()[:20]


class Lists(Case):
    """What needs no interface of the kind, which not every kernel has."""

    def test_all_are_here(self):
        self.assertEqual(names(), ['bridge.conflist', 'ipvlan.conflist', 'macvlan.conflist', 'ptp.conflist'])

    def test_libcni_takes_them(self):
        for name in names():
            for version in VERSIONS:
                with self.subTest(name, version=version):
                    self.write(name, version)
                    more = ['portMappings'] if name == 'bridge.conflist' else []
                    self.assertEqual(sorted(self.libcni('VALIDATE')['capabilities']), ['io.kubernetes.cri.pod-annotations', 'ips', *more])

    def test_the_first_plugin_has_the_kind_and_the_last_one_the_same_database_and_ranges(self):
        for name in names():
            with self.subTest(name):
                network, _ = self.write(name, '1.0.0')
                first, last = self.list['plugins'][0], self.list['plugins'][-1]
                kind = name.removesuffix('.conflist')
                self.assertEqual((network, first['type']), (f'ipam-pods-{kind}', kind))
                self.assertEqual((last['type'], last['chained']), (plugin.NET, True))
                self.assertEqual({k: v for k, v in first['ipam'].items() if k != 'routes'}, last['ipam'])

    def test_every_verb_of_the_ipam_plugin(self):
        for name in names():
            for version in VERSIONS:
                with self.subTest(name, version=version):
                    self.write(name, version)
                    self.ask('STATUS')
                    added = self.ask('ADD', version)
                    for one, range_set in zip(added.json['ips'], self.list['plugins'][0]['ipam']['ranges'], strict=True):
                        self.assertIn(ipaddress.ip_interface(one['address']), ipaddress.ip_network(range_set[0]['subnet']))
                    self.assertEqual([r['dst'] for r in added.json['routes']], ['0.0.0.0/0', '::/0'])
                    self.ask('CHECK', version, prevResult=added.json)
                    self.ask('GC', **{'cni.dev/valid-attachments': [{'containerID': 'pod1', 'ifname': 'eth0'}]})
                    self.assertEqual(server.value('SELECT count(*) FROM public.ips'), '2')
                    self.ask('DEL', version)
                    self.assertEqual(server.value('SELECT count(*) FROM public.ips'), '0')

    def ask(self, verb, version='1.1.0', **keys):
        """What the list's first plugin sends."""
        done = plugin.run(plugin.IPAM, verb, {**self.list['plugins'][0], 'name': self.list['name'], 'cniVersion': version, **keys})
        self.assertEqual(done.code, 0, f'{verb}: {done.said}')
        return done


class Examples(Case):
    def test_bridge(self):
        for version in VERSIONS:
            with self.subTest(version):
                self.works('bridge.conflist', version)
                self.tearDown()

    def test_a_port_of_the_host_leads_to_a_pod_behind_bridge(self):
        for version in VERSIONS:
            with self.subTest(version):
                network, subnet = self.write('bridge.conflist', version)
                port = pg.free_port()
                mapping = [{'hostPort': port, 'containerPort': 80, 'protocol': 'tcp'}]
                self.add(network, 'web', portMappings=mapping)
                with self.in_pod('web', sys.executable, '-c', ANSWERS) as web:
                    self.assertEqual(web.stdout.readline(), b'ready\n')
                    gateways = (f'{subnet}.1', f'fd00:{subnet.split(".")[1]}::1')
                    for host in gateways:
                        with socket.create_connection((host, port), 10) as client:
                            self.assertEqual(client.recv(100), b'the pod')
                    self.cnitool('del', network, 'web', CAP_ARGS=json.dumps({'portMappings': mapping}))     # as runtimes do
                    for host in gateways:
                        with self.assertRaises(ConnectionRefusedError):
                            socket.create_connection((host, port), 10)
                self.tearDown()

    def test_status_with_and_without_the_database(self):
        network, _ = self.write('bridge.conflist', '1.1.0')
        self.cnitool('status', network)
        server.stop()
        try:
            said = self.cnitool('status', network, status=1)
        finally:
            server.start()
        self.assertIn(f'port {server.port} failed: Connection refused', said)
        self.cnitool('status', network)

    def test_debians_bridge_is_older_and_takes_only_1_0_0(self):
        if not os.path.exists(f'{runtimes.DEBIAN_PLUGINS}/bridge'):
            self.skipTest('containernetworking-plugins is not installed')
        self.path[1] = runtimes.DEBIAN_PLUGINS
        network, _ = self.write('bridge.conflist', '1.1.0')
        ip('netns', 'add', 'newer')
        self.pods.append('newer')
        said = self.cnitool('add', network, 'newer', status=1)
        self.assertRegex(said, r'incompatible CNI versions; config is "1\.1\.0", plugin supports \[.*"1\.0\.0"\]')
        self.assertEqual(server.value("SELECT count(*) FROM public.ips"), '0')
        self.works('bridge.conflist', '1.0.0')

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
        with contextlib.suppress(unittest.SkipTest):
            libcni.driver(libcni.NEWEST)
    sandbox.enter()
    tap.main()
