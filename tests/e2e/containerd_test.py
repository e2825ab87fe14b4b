#!/usr/bin/env python3
"""containerd as Debian packages it, asked by CRI as a kubelet does and by ctr: what stands in the rows, an address by annotation,
a sandbox that died without DEL and its successor. Needs root, Go, containerd, runc, busybox-static, containernetworking-plugins
and a PostgreSQL server's programs. Not run with sanitizers."""
import os
import re
import shutil
import signal
import subprocess
import tempfile
import unittest

import golang
import pg
import plugin
import runtimes
import sandbox
import tap

CLIENT = os.path.join(pg.ROOT, 'plugins', 'cri')
ANNOTATION = 'ipam-status-cni/ips'


def build_client():
    """Outside of the sandbox: Go needs the network."""
    go = golang.find(21)
    if go:
        subprocess.run([go, 'build', '-o', CLIENT, '.'], cwd=os.path.join(pg.ROOT, 'tests', 'cri'), check=False, timeout=280)


def setUpModule():
    gone = runtimes.missing('containerd', 'runc', 'ctr')
    if gone or not os.path.exists(f'{runtimes.DEBIAN_PLUGINS}/bridge') or not os.path.exists(runtimes.BUSYBOX):
        raise unittest.SkipTest(f'containerd, runc, busybox-static or containernetworking-plugins is not installed {gone}')
    if not os.path.exists(CLIENT):
        raise unittest.SkipTest('no Go that builds tests/cri')
    globals()['server'] = pg.Server()


def tearDownModule():
    server.close()


def rows(columns='host(ip)'):
    return [tuple(row) for row in server.psql(f'SELECT {columns} FROM public.ips ORDER BY ip')]


class Pods(unittest.TestCase):
    limit = 200

    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.mkdtemp(dir='/var/tmp')
        cls.addClassCleanup(shutil.rmtree, cls.dir, ignore_errors=True)
        ipam = plugin.ipam_conf(server, ranges=[[{'subnet': '10.92.0.0/16'}]], node='containerd-host', logFile=f'{cls.dir}/plugin.log')
        cls.runtime = runtimes.Containerd(cls.dir, CLIENT, {'cniVersion': '1.0.0', 'name': 'pods', 'plugins': [
            {'type': 'bridge', 'bridge': 'ipam-ctrd0', 'isGateway': True, 'capabilities': {'io.kubernetes.cri.pod-annotations': True}, 'ipam': ipam},
            {'type': plugin.NET, 'chained': True, 'ipam': ipam}]})
        cls.addClassCleanup(cls.runtime.stop)

    def setUp(self):
        server.psql('TRUNCATE public.ips')

    def pod(self, name, address=None, uid='', attempt=0):
        made = self.runtime.run(name, uid, attempt, **({ANNOTATION: address} if address else {}))
        self.addCleanup(self.runtime.cri, 'remove', made, check=False)
        self.addCleanup(self.runtime.cri, 'stop', made, check=False)
        return made

    def test_an_address_by_annotation_and_who_has_it(self):
        made = self.pod('a', '10.92.1.1')
        self.assertEqual(self.runtime.addresses(made), ['10.92.1.1'])
        self.assertEqual(rows('host(ip), pod_id, interface, pod_namespace, pod_name, pod_uid, node'),
                         [('10.92.1.1', made, 'eth0', 'tests', 'a', 'uid-a', 'containerd-host')])
        self.runtime.cri('stop', made)
        self.assertEqual(rows(), [])
        self.runtime.cri('remove', made)

    def test_a_pod_that_asks_for_nothing_gets_its_address_again(self):
        made = self.pod('web-0')
        picked = self.runtime.addresses(made)
        self.assertEqual(rows('host(ip), pod_name'), [(picked[0], 'web-0')])
        self.runtime.cri('stop', made)
        self.runtime.cri('remove', made)
        self.assertNotEqual(self.runtime.addresses(self.pod('web-1')), picked)
        self.assertEqual(self.runtime.addresses(self.pod('web-0', uid='uid-new')), picked)

    def test_who_holds_an_address_is_in_the_kubelets_words(self):
        self.pod('a', '10.92.1.1')
        said = self.runtime.cri('run', 'b', 'uid-b', '0', f'{ANNOTATION}=10.92.1.1', check=False)
        self.assertNotEqual(said.returncode, 0)
        self.assertIn('failed to setup network for sandbox', said.stderr)
        self.assertRegex(said.stderr, r'address 10\.92\.1\.1 is held by .*tests/a')
        self.assertEqual(rows('pod_name'), [('a',)])

    def test_a_sandbox_that_died_without_del_and_its_successor(self):
        """Same pod, same uid, the next attempt. The old one's DEL comes when the new one has the address."""
        old = self.pod('a')
        picked = self.runtime.addresses(old)
        pause = self.runtime.ctr('-n', 'k8s.io', 'tasks', 'ls').stdout
        pid = next(int(line.split()[1]) for line in pause.splitlines() if line.startswith(old))
        os.kill(pid, signal.SIGKILL)
        runtimes.wait_until(lambda: old not in self.runtime.cri('ready').stdout, 10, 'containerd knows that it has ended')
        self.assertEqual(rows('host(ip), pod_id'), [(picked[0], old)])
        new = self.pod('a', attempt=1)
        self.assertEqual(self.runtime.addresses(new), picked)
        self.assertEqual(rows('host(ip), pod_id, pod_uid'), [(picked[0], new, 'uid-a')])
        self.runtime.cri('stop', old)
        with open(f'{self.dir}/plugin.log', encoding='utf-8') as f:
            self.assertRegex(f.read(), f'INVOKED DEL.*{old}')
        self.assertEqual(rows('host(ip), pod_id'), [(picked[0], new)])
        self.runtime.cri('remove', old)
        self.runtime.cri('stop', new)
        self.assertEqual(rows(), [])

    def test_ctr_has_an_id_of_its_own_kind(self):
        """ctr reads /etc/cni/net.d and /opt/cni/bin itself. It sends DEL where it waits for the container's end, else never."""
        for folder, ours in (('/etc/cni/net.d', 'net.d'), ('/opt/cni/bin', 'bin')):
            os.makedirs(folder, exist_ok=True)
            subprocess.run(['mount', '--bind', f'{self.dir}/{ours}', folder], check=True, timeout=10)
            self.addCleanup(subprocess.run, ['umount', folder], check=True, timeout=10)
        name = f't{os.urandom(4).hex()}'     # after a failure ctr leaves the id behind, for the whole machine
        said = self.runtime.ctr('run', '--rm', '--cni', '--rootfs', f'{self.dir}/rootfs', name, '/bin/ip', 'a', CNI_ARGS='').stdout
        self.assertIn('10.92.', said)
        self.assertEqual(rows(), [])
        self.runtime.ctr('run', '-d', '--cni', '--rootfs', f'{self.dir}/rootfs', name, '/bin/sleep', '1000', CNI_ARGS='')
        self.addCleanup(self.runtime.ctr, 'containers', 'rm', name)
        self.addCleanup(self.runtime.ctr, 'tasks', 'rm', '-f', name)
        address = re.search(r'inet (10\.92\.[0-9.]+)', self.runtime.ctr('tasks', 'exec', '--exec-id', 'look', name, '/bin/ip', 'a').stdout)
        self.assertIn(address[1], said)
        self.assertEqual(rows('host(ip), pod_id, interface, pod_name, node'), [(address[1], f'default-{name}', 'eth0', None, 'containerd-host')])
        self.doCleanups()
        self.assertEqual(rows('pod_id'), [(f'default-{name}',)])


if __name__ == '__main__':
    if sandbox.MARK not in os.environ:
        build_client()
    sandbox.enter('/run/containerd')
    tap.main()
