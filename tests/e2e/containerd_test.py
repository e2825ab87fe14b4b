#!/usr/bin/env python3
"""containerd as Debian packages it, asked by CRI as a kubelet does and by ctr: what stands in the rows, an address by annotation,
a sandbox that died without DEL and its successor. Needs root, Go, containerd, runc, busybox-static, containernetworking-plugins
and a PostgreSQL server's programs. Not run with sanitizers."""
import os
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
        # A DEL is to be lost, which takes as long as a DEL may take.
        ipam = plugin.ipam_conf(server, ranges=[[{'subnet': '10.92.0.0/16'}]], node='containerd-host', timeout=4)
        cls.runtime = runtimes.Containerd(cls.dir, CLIENT, {'cniVersion': '1.0.0', 'name': 'pods', 'plugins': [
            {'type': 'bridge', 'bridge': 'ipam-ctrd0', 'isGateway': True, 'capabilities': {'io.kubernetes.cri.pod-annotations': True}, 'ipam': ipam},
            {'type': plugin.NET, 'chained': True, 'ipam': ipam}]})
        cls.addClassCleanup(cls.runtime.stop)

    def setUp(self):
        server.psql('TRUNCATE public.ips')

    def pod(self, name, address=None, uid=''):
        made = self.runtime.run(name, uid, **({ANNOTATION: address} if address else {}))
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
        said = self.runtime.cri('run', 'b', 'uid-b', f'{ANNOTATION}=10.92.1.1', check=False)
        self.assertNotEqual(said.returncode, 0)
        self.assertIn('failed to setup network for sandbox', said.stderr)
        self.assertRegex(said.stderr, r'address 10\.92\.1\.1 is held by .*tests/a')
        self.assertEqual(rows('pod_name'), [('a',)])

    def test_a_sandbox_that_died_without_del_and_its_successor(self):
        """Same pod, same uid, another sandbox, and the old one's DEL has not come."""
        old = self.pod('a', '10.92.1.1')
        pause = self.runtime.ctr('-n', 'k8s.io', 'tasks', 'ls').stdout
        pid = next(int(line.split()[1]) for line in pause.splitlines() if line.startswith(old))
        os.kill(pid, signal.SIGKILL)
        runtimes.wait_until(lambda: not os.path.exists(f'/proc/{pid}/ns'), 10, 'the pause process has ended')
        server.stop()
        try:
            self.runtime.cri('stop', old, check=False)
        finally:
            server.start()
        self.assertEqual(rows('pod_id'), [(old,)])
        new = self.runtime.cri('run', 'a', 'uid-a', f'{ANNOTATION}=10.92.1.1', check=False)
        if new.returncode and 'is reserved for' in new.stderr:    # containerd keeps the name until the old one is removed
            self.runtime.cri('stop', old, check=False)
            self.runtime.cri('remove', old, check=False)
            self.pod('a', '10.92.1.1')
        else:
            self.assertEqual(new.returncode, 0, new.stderr)
            self.addCleanup(self.runtime.cri, 'stop', new.stdout.strip(), check=False)
        self.assertEqual(rows('host(ip), pod_name'), [('10.92.1.1', 'a')])
        self.assertNotEqual(rows('pod_id'), [(old,)])

    def test_ctr_has_an_id_of_its_own_kind(self):
        """ctr reads /etc/cni/net.d and /opt/cni/bin itself."""
        for folder, ours in (('/etc/cni/net.d', 'net.d'), ('/opt/cni/bin', 'bin')):
            os.makedirs(folder, exist_ok=True)
            subprocess.run(['mount', '--bind', f'{self.dir}/{ours}', folder], check=True, timeout=10)
            self.addCleanup(subprocess.run, ['umount', folder], check=True, timeout=10)
        name = f't{os.urandom(4).hex()}'     # after a failure ctr leaves the id behind, for the whole machine
        said = subprocess.run(['ctr', '-a', self.runtime.socket, 'run', '--rm', '--cni', '--rootfs', f'{self.dir}/rootfs', name, '/bin/ip', 'a'],
                              env={**os.environ, 'CNI_ARGS': ''}, capture_output=True, text=True, timeout=60, cwd='/', check=False)
        self.assertEqual(said.returncode, 0, said.stderr)
        self.assertIn('10.92.', said.stdout)
        self.assertEqual(rows(), [])


if __name__ == '__main__':
    if sandbox.MARK not in os.environ:
        build_client()
    sandbox.enter('/run/containerd')
    tap.main()
