#!/usr/bin/env python3
"""Runtimes of today and those of Debian, each on a host of its own, on one network in one database. tests/runtimes.sh builds
what this needs, and calls it."""
import glob
import os
import re
import shutil
import subprocess
import tempfile
import threading
import time
import unittest

import faults
import host
import pg
import plugin
import runtimes
import sandbox
import tap
import upstream

CLIENT = os.path.join(pg.ROOT, 'plugins', 'cri')
GC = os.path.join(pg.ROOT, 'examples', 'gc', 'cni-gc.sh')
ANNOTATION = 'ipam-status-cni/ips'
NET = 'pods'
RANGES = [[{'subnet': '10.95.0.0/16'}], [{'subnet': 'fd00:95::/64'}]]
CAPABILITIES = {'ips': True, 'io.kubernetes.cri.pod-annotations': True}


def conflist(version, logfile):
    ipam = plugin.ipam_conf(server, host=server.dir, ranges=RANGES, logFile=logfile)
    return {'cniVersion': version, 'name': NET, 'plugins': [
        {'type': 'bridge', 'bridge': 'ipam0', 'isGateway': True, 'capabilities': CAPABILITIES, 'ipam': ipam},
        {'type': plugin.NET, 'chained': True, 'ipam': ipam}]}


def setUpModule():
    globals()['server'] = pg.Server(listen_addresses='')


def tearDownModule():
    server.close()
    for folder in glob.glob('/sys/fs/cgroup/*/ipam-crio'):
        try:
            os.rmdir(folder)
        except OSError:
            pass


def rows(columns='host(ip)', where='true'):
    return [tuple(row) for row in server.psql(f'SELECT {columns} FROM public.ips WHERE {where} ORDER BY ip')]


class Pods:
    """Pods of a daemon that is asked by CRI."""

    def __init__(self, runtime):
        self.runtime, self.ids = runtime, {}

    def start(self, name, *addresses):
        self.ids[name] = self.runtime.run(name, **({ANNOTATION: ','.join(addresses)} if addresses else {}))

    def end(self, name):
        self.runtime.cri('stop', self.ids[name])
        self.runtime.cri('remove', self.ids.pop(name))

    def addresses(self, name):
        return self.runtime.addresses(self.ids[name])

    def all(self):
        """The addresses of all pods that run, as the runtime knows them."""
        return [a for pod in self.runtime.cri('ready').stdout.split() for a in self.runtime.addresses(pod)]

    def end_all(self, but=()):
        for pod in set(self.runtime.cri('all').stdout.split()) - set(but):
            self.runtime.cri('stop', pod)
            self.runtime.cri('remove', pod)


class Containers:
    """Containers of a command line; `command` runs it and returns what it printed."""

    def __init__(self, runtime):
        self.runtime, self.command = runtime, runtime.run

    def start(self, name, *addresses):
        self.command('run', '-d', '--name', name, '--network', NET, *(f'--ip{"6" if ":" in a else ""}={a}' for a in addresses),
                     '--rootfs', self.runtime.rootfs, '/bin/sleep', '1000')

    def end(self, name):
        self.command('rm', '-f', '-t', '0', name)

    def addresses(self, name):
        return self.runtime.addresses(name, NET)

    def names(self, *more):
        return self.command('ps', *more, '--format', '{{.Names}}').split()

    def all(self):
        return [a for name in self.names() for a in self.addresses(name)]

    def end_all(self):
        for name in self.names('-a'):
            self.end(name)


class Nerdctl(Containers):
    """nerdctl hands the environment of whoever calls it to the plugins."""

    def __init__(self, runtime):
        super().__init__(runtime)
        self.command = lambda *arguments: runtime.nerdctl(*arguments, PGHOST='192.0.2.1', PGPASSWORD='not it').stdout

    def end(self, name):
        self.command('rm', '-f', name)

    def addresses(self, name):
        return re.findall(r'inet6? (\S+)/', self.command('exec', name, '/bin/ip', '-o', 'addr', 'show', 'dev', 'eth0', 'scope', 'global'))


# Of each host: its runtime, how that has pods, the version to write.
KINDS = {
    'podman': (runtimes.Podman, Containers, '1.0.0'),
    'containerd1': (runtimes.Containerd, Pods, '1.0.0'),
    'containerd2': (runtimes.Containerd2, Pods, '1.1.0'),
    'crio': (runtimes.Crio, Pods, '1.1.0'),
    'nerdctl': (runtimes.Containerd2, Nerdctl, '1.1.0'),
}


class Hosts(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.mkdtemp(dir='/var/tmp')
        cls.addClassCleanup(shutil.rmtree, cls.dir, ignore_errors=True)
        cls.runtimes, cls.pods = {}, {}
        for name, (kind, pods, version) in KINDS.items():
            folder = os.path.join(cls.dir, name)
            os.makedirs(folder)
            machine = host.Host(name, cls.dir)
            cls.addClassCleanup(machine.close)
            client = () if kind is runtimes.Podman else (CLIENT,)
            cls.runtimes[name] = kind(folder, *client, conflist(version, f'{folder}/plugin.log'), plugins=upstream.FOLDER,
                                      through=machine.through)
            cls.pods[name] = pods(cls.runtimes[name])
            if client:
                cls.addClassCleanup(cls.runtimes[name].stop)
            # Upstream's bridge fails once more after a first ADD that has failed: its bridge has no hardware address then.
            cls.pods[name].start('first')
            cls.pods[name].end('first')

    def tearDown(self):
        for name, pods in self.pods.items():
            pods.end_all()
        server.psql('TRUNCATE public.ips')
        for name in KINDS:
            with open(self.log(name), 'w', encoding='ascii'):
                pass

    def log(self, name):
        return os.path.join(self.dir, name, 'plugin.log')

    def logged(self, name):
        with open(self.log(name), encoding='utf-8') as f:
            return f.read()

    def held(self):
        """What the runtimes say that their pods have: address and host of each."""
        return sorted((a, name) for name, pods in self.pods.items() for a in pods.all())

    def agree(self):
        """The table has exactly what the runtimes say, and nothing twice. A DEL may still be on its way: podman's comes from a
        process of its own."""
        end = time.monotonic() + 10
        while (table := sorted(rows('host(ip), node'))) != (held := self.held()) and time.monotonic() < end:
            time.sleep(0.2)
        self.assertEqual(table, held)
        self.assertEqual(len({a for a, _ in held}), len(held))
        return held

    def one_each(self):
        for pods in self.pods.values():
            pods.start('one')
        self.assertEqual(len(self.agree()), 2 * len(KINDS))

    def collect(self, name):
        """The script that is GC for runtimes which send none, as the timer on its host runs it."""
        self.runtimes[name].command(GC, NET, CNI_PATH=plugin.BINDIR, GRACE='0')

    def killed_while_it_adds(self, name):
        """kill -9 of a daemon whose plugin waits for the database; the plugin goes on and records two addresses."""
        runtime = self.runtimes[name]
        with faults.Session(server) as lock:
            lock.say('BEGIN; LOCK TABLE public.ips IN EXCLUSIVE MODE')
            client = subprocess.Popen([*runtime.through, CLIENT, runtime.socket, 'run', 'killed', 'uid-killed', '0'], cwd='/',
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                      env={**os.environ, 'CGROUP_PARENT': '/ipam-crio' if name == 'crio' else ''})
            faults.wait_until(lambda: faults.backends(server, "wait_event_type = 'Lock'"), 20, 'ADD waits')
            runtime.stop()
            lock.say('COMMIT')
        client.wait(30)
        faults.wait_until(lambda: rows(where="pod_name = 'killed'"), 20, 'ADD has ended')

    def test_asked_for_in_each_ones_way_and_picked(self):
        for name, pods in self.pods.items():
            with self.subTest(name):
                pods.start('both', '10.95.1.1', 'fd00:95::11')
                self.assertEqual(pods.addresses('both'), ['10.95.1.1', 'fd00:95::11'])
                pods.start('half', '10.95.1.2')
                self.assertEqual(pods.addresses('half')[0], '10.95.1.2')
                pods.start('none')
                picked = pods.addresses('none')
                self.assertEqual(['.' in a for a in picked], [True, False])
                self.assertEqual(len(self.agree()), 6)
                kube = isinstance(pods, Pods)
                self.assertEqual(rows('pod_namespace, pod_name, pod_uid', "host(ip) = '10.95.1.1'"), [
                    ('tests', 'both', 'uid-both') if kube else (None, 'both' if name == 'podman' else None, None)])
                for pod in ('both', 'half', 'none'):
                    pods.end(pod)
                self.assertEqual(self.agree(), [])
                if name != 'nerdctl':   # which tells no name: then the container decides
                    pods.start('none')
                    self.assertEqual(pods.addresses('none'), picked)
                    pods.end('none')

    def test_what_is_held_on_another_host_is_refused(self):
        for name, pods in self.pods.items():
            other = 'podman' if name != 'podman' else 'crio'
            with self.subTest(name):
                self.pods[other].start('holder', '10.95.1.1')
                with self.assertRaisesRegex(AssertionError, rf'address 10\.95\.1\.1 is held by .*{other}'):
                    pods.start('late', '10.95.1.1')
                self.agree()
                self.assertEqual(set(rows('node')), {(other,)})
                self.pods[other].end('holder')
                pods.end_all()

    def test_cri_o_frees_at_its_start_what_a_kill_left_and_nothing_else(self):
        self.one_each()
        before = self.held()
        self.killed_while_it_adds('crio')
        self.assertEqual(len(rows()), len(before) + 2)
        self.assertNotIn('INVOKED GC', self.logged('crio'))
        self.runtimes['crio'].start()
        faults.wait_until(lambda: not rows(where="pod_name = 'killed'"), 20, 'what was left is free')
        self.assertIn('INVOKED GC', self.logged('crio'))
        self.assertEqual(self.agree(), before)

    def test_containerd_2_sends_no_gc_and_frees_what_a_kill_left_when_the_kubelet_stops_the_pod(self):
        self.one_each()
        before = self.held()
        self.killed_while_it_adds('containerd2')
        runtime = self.runtimes['containerd2']
        runtime.start()
        left = set(runtime.cri('all').stdout.split()) - set(runtime.cri('ready').stdout.split())
        self.assertEqual(len(left), 1)
        self.assertEqual(len(rows()), len(before) + 2)
        runtime.cri('stop', *left)
        self.assertEqual(self.agree(), before)
        self.assertNotIn('INVOKED GC', self.logged('containerd2'))

    def test_the_gc_script_frees_what_a_lost_del_left_and_nothing_else(self):
        """podman never says that a DEL has failed; containerd 2 does not of a pod that it was killed over."""
        self.one_each()
        before = [(a, name) for a, name in self.held() if name != 'podman']
        self.killed_while_it_adds('containerd2')
        self.runtimes['containerd2'].start()
        server.psql('ALTER ROLE cni NOLOGIN')
        self.pods['podman'].end('one')
        self.pods['containerd2'].end_all(but=self.pods['containerd2'].ids.values())
        server.psql('ALTER ROLE cni LOGIN')
        self.assertEqual(len(rows()), len(before) + 4)
        self.collect('podman')
        self.assertEqual(len(rows()), len(before) + 2)
        self.collect('containerd2')
        self.assertEqual(self.agree(), before)

    def test_a_version_that_a_libcni_does_not_know(self):
        """It says so only when the plugin has recorded an address; libcni sends no DEL then, but these runtimes do."""
        for name in ('podman', 'containerd1'):
            with self.subTest(name):
                pods, runtime = self.pods[name], self.runtimes[name]
                runtime.network(conflist('1.1.0', self.log(name)))

                def refused(pods=pods):
                    try:
                        pods.start('new')
                    except AssertionError as e:
                        return 'unsupported CNI result version "1.1.0"' in str(e)
                    pods.end_all()      # containerd has not read it yet
                    return False
                faults.wait_until(refused, 20, 'the new version is read')
                self.assertIn('recorded', self.logged(name))
                self.assertEqual(rows(), [])
                runtime.network(conflist('1.0.0', self.log(name)))
                pods.end_all()
                faults.wait_until(lambda pods=pods, name=name: self.starts(pods), 20, 'the old version is read')

    @staticmethod
    def starts(pods):
        try:
            pods.start('old')
            pods.end('old')
        except AssertionError:
            pods.end_all()
            return False
        return True

    def why(self, name):
        """What a kubelet reads of the network."""
        return next(line for line in self.runtimes[name].cri('status').stdout.splitlines() if line.startswith('NetworkReady'))

    def test_why_the_network_is_not_ready(self):
        """containerd 2 asks STATUS whenever it is asked, CRI-O only at its start, until it is fine; 1.0.0 has no STATUS."""
        server.stop()
        try:
            self.assertRegex(self.why('containerd2'), 'NetworkReady=false NetworkPluginNotReady .*database unreachable')
            for name in ('containerd1', 'crio'):
                self.assertIn('NetworkReady=true', self.why(name))
            self.runtimes['crio'].stop()
            self.runtimes['crio'].start()
            self.assertRegex(self.why('crio'), 'NetworkReady=false NetworkPluginNotReady .*database unreachable')
        finally:
            server.start()
        for name in ('containerd2', 'crio'):
            faults.wait_until(lambda n=name: 'NetworkReady=true' in self.why(n), 10, f'{name} is ready')

    def test_a_full_set_is_why(self):
        server.psql("INSERT INTO public.ips (pod_id, interface, ip, network, node, host_id, boot_id) "
                    "SELECT 'x' || i, 'eth0', '10.95.0.0/16'::inet + i, 'pods', 'elsewhere', '', '' FROM generate_series(2, 65534) i")
        self.assertRegex(self.why('containerd2'), r'NetworkReady=false NetworkPluginNotReady .*no address is left in the range set 10\.95\.0\.0/16')
        for name, pods in self.pods.items():
            with self.subTest(name):
                with self.assertRaisesRegex(AssertionError, r'no address is left in the range set 10\.95\.0\.0/16.*"?elsewhere"?'):
                    pods.start('late')
        self.assertEqual(rows(where="node <> 'elsewhere'"), [])

    def worker(self, name, which, back, undone):
        """One of two that start eight pods each on a host, and end every second one. A third of them asks for one of two addresses
        that all others want too. What fails because somebody else has it is no failure, and neither is anything of a daemon that is
        killed meanwhile: back[name] is set when it is back."""
        pods = self.pods[name]
        for i in range(8):
            pod = f'pod{which}{i}'
            try:
                pods.start(pod, *([f'10.95.2.{i % 2 + 1}'] if i % 3 == 0 else []))
                if i % 2:
                    undone.add((name, pod))
                    pods.end(pod)
                    undone.remove((name, pod))
            except AssertionError as e:
                if 'is held by' in str(e):
                    continue
                if name not in back:
                    raise
                back[name].wait(60)

    def all_at_once(self, *killed):
        """Returns the pods that were to end when their daemon was killed."""
        undone, back = set(), {name: threading.Event() for name in killed}

        def kill(name):
            runtime = self.runtimes[name]
            time.sleep(2)
            runtime.stop()
            # A plugin that it has started goes on. Only when it has ended its address is nobody's.
            faults.wait_until(lambda: not runtimes.processes(f'{runtime.dir}/bin/'), 30, 'its plugins have ended')
            runtime.start()
            back[name].set()

        self.one_each()
        faults.at_once([*(lambda n=name, w=which: self.worker(n, w, back, undone) for name in KINDS for which in (1, 2)),
                        *(lambda n=name: kill(n) for name in killed)])
        return undone

    def test_all_at_once(self):
        self.all_at_once()
        held = [a for a, _ in self.agree()]
        self.assertEqual(held.count('10.95.2.1'), 1)
        # The first pod of each host, two of each worker that ask for nothing and stay, and who got that address.
        self.assertEqual(len(held), 2 * (len(KINDS) + 2 * 2 * len(KINDS) + 1))

    def test_all_at_once_and_daemons_are_killed(self):
        undone = self.all_at_once('crio', 'containerd2')
        for name, pod in undone:
            self.pods[name].end(pod)
        runtime = self.runtimes['containerd2']
        self.pods['containerd2'].end_all(but=runtime.cri('ready').stdout.split())
        self.collect('containerd2')
        held = [name for _, name in self.agree()]
        for name in KINDS:
            self.assertGreater(held.count(name), 6, name)


if __name__ == '__main__':
    sandbox.enter()
    tap.main()
