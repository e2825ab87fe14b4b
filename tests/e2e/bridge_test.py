#!/usr/bin/env python3
"""Our IPAM plugin under the upstream bridge plugin, our net plugin chained behind it, in real network namespaces.
Needs root, the built executables, a PostgreSQL server's programs and Go (or plugins/upstream/bridge).
Not run with sanitizers."""
import json
import os
import subprocess
import tempfile
import time
import unittest

import pg
import plugin
import sandbox
import tap
import upstream

PATH = f'{plugin.BINDIR}:{upstream.FOLDER}'
NEEDED = ('bridge', 'host-local', 'macvlan', 'ptp')
VERSIONS = ('0.1.0', '0.2.0', '0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0')


def setUpModule():
    if not upstream.has(*NEEDED):
        raise unittest.SkipTest(upstream.MISSING)
    globals()['server'] = pg.Server()


def tearDownModule():
    server.close()


def ip(*args):
    subprocess.run(['ip', *args], check=True, capture_output=True, timeout=10)


def rows():
    """(pod, address) of all allocations."""
    return [tuple(row) for row in server.psql('SELECT pod_id, host(ip) FROM public.ips ORDER BY ip')]


class Chain(unittest.TestCase):
    """A list of bridge and, behind it, status-cni: runs a verb of both as libcni does."""

    def setUp(self):
        server.psql('TRUNCATE public.ips')
        self.pods = []

    def tearDown(self):
        for pod in self.pods:
            subprocess.run(['ip', 'netns', 'delete', pod], check=False, capture_output=True, timeout=10)
        subprocess.run(['ip', 'link', 'delete', 'br-test'], check=False, capture_output=True, timeout=10)

    def pod(self, name):
        ip('netns', 'add', name)
        self.pods.append(name)
        return name

    def conf(self, name, version, prev, more):
        own = {'bridge': {'type': 'bridge', 'bridge': 'br-test'}, plugin.NET: {'type': plugin.NET, 'chained': True}}
        conf = {'cniVersion': version, 'name': 'chain', 'ipam': plugin.ipam_conf(server), **own[name], **more}
        return {**conf, 'prevResult': prev} if prev else conf

    def one(self, name, command, pod='pod1', version='1.1.0', address=None, prev=None, **more):
        """One verb of one of the two."""
        folder = upstream.FOLDER if name == 'bridge' else plugin.BINDIR
        return plugin.run(os.path.join(folder, name), command, self.conf(name, version, prev, more), container=pod,
                          netns=f'/var/run/netns/{pod}', args=f'IgnoreUnknown=1;IP={address}/24' if address else '', path=PATH)

    def add(self, pod, address, version='1.1.0'):
        """ADD of both, with the assertion that the second one changes nothing. Returns the result."""
        self.pod(pod)
        first = self.one('bridge', 'ADD', pod, version, address)
        self.assertEqual(first.rc, 0, first.said)
        second = self.one(plugin.NET, 'ADD', pod, version, address, prev=first.json)
        self.assertEqual((second.rc, second.json), (0, first.json), second.said)
        return second.json

    def both(self, command, *args, **how):
        """A verb of both, DEL in reverse order; the first error ends it."""
        names = ['bridge', plugin.NET] if command != 'DEL' else [plugin.NET, 'bridge']
        for name in names:
            answer = self.one(name, command, *args, **how)
            self.assertEqual(answer.rc, 0, f'{name}: {answer.said}')

    def ping(self, pod, address):
        subprocess.run(['ip', 'netns', 'exec', pod, 'ping', '-c', '1', '-w', '10', address], check=True,
                       capture_output=True, timeout=20)


class Chained(Chain):
    def test_two_pods_reach_each_other(self):
        self.add('pod1', '10.77.0.11')
        self.add('pod2', '10.77.0.12')
        self.ping('pod1', '10.77.0.12')
        self.ping('pod2', '10.77.0.11')
        self.assertEqual(rows(), [('pod1', '10.77.0.11'), ('pod2', '10.77.0.12')])

    def test_add_check_and_del_in_every_version(self):
        for version in VERSIONS:
            with self.subTest(version):
                pod = 'pod' + version.replace('.', '')
                result = self.add(pod, '10.77.0.11', version)
                self.assertEqual(result['cniVersion'], version)
                self.assertEqual(rows(), [(pod, '10.77.0.11')])
                if version >= '0.4.0':
                    self.both('CHECK', pod, version, '10.77.0.11', prev=result)
                chained = self.one(plugin.NET, 'DEL', pod, version, prev=result)
                self.assertEqual((chained.rc, rows()), (0, [(pod, '10.77.0.11')]))
                self.both('DEL', pod, version, prev=result)
                self.assertEqual(rows(), [])

    def test_gc_frees_what_a_dead_pod_left(self):
        self.add('pod1', '10.77.0.11')
        self.add('pod2', '10.77.0.12')
        ip('netns', 'delete', 'pod2')
        valid = {'cni.dev/valid-attachments': [{'containerID': 'pod1', 'ifname': 'eth0'}]}
        self.assertEqual(self.one('bridge', 'GC', **valid).rc, 0)
        self.assertEqual(len(rows()), 2)  # bridge passes no GC on
        self.both('GC', **valid)
        self.assertEqual(rows(), [('pod1', '10.77.0.11')])
        self.add('pod3', '10.77.0.12')
        self.ping('pod3', '10.77.0.11')

    def test_status_says_what_the_ipam_plugin_says(self):
        self.both('STATUS')
        server.psql('ALTER TABLE public.ips_schema RENAME TO away')
        try:
            self.assertEqual(self.one('bridge', 'STATUS').code, 50)
            self.assertEqual(self.one(plugin.NET, 'STATUS').code, 50)
        finally:
            server.psql('ALTER TABLE public.away RENAME TO ips_schema')

    def test_a_taken_address_fails_before_the_second_plugin(self):
        self.add('pod1', '10.77.0.11')
        self.pod('pod2')
        answer = self.one('bridge', 'ADD', 'pod2', address='10.77.0.11')
        self.assertEqual(answer.code, 100)
        self.assertEqual(rows(), [('pod1', '10.77.0.11')])


class FailsTwice(Chain):
    """Upstream's bridge, whatever the IPAM plugin is: a new bridge whose first pod goes again has no hardware address."""

    def bridge(self, command, pod, ipam, args=''):
        conf = {'cniVersion': '1.1.0', 'name': 'chain', 'type': 'bridge', 'bridge': 'br-test', 'isGateway': True, 'ipam': ipam}
        return plugin.run(upstream.path('bridge'), command, conf, container=pod, netns=f'/var/run/netns/{pod}', args=args, path=PATH)

    @staticmethod
    def direct(command, ipam, args=''):
        """The IPAM plugin itself, called for somebody else."""
        folder = plugin.BINDIR if ipam['type'] == plugin.IPAM else upstream.FOLDER
        return plugin.run(os.path.join(folder, ipam['type']), command, {'cniVersion': '1.1.0', 'name': 'chain', 'type': 'other', 'ipam': ipam},
                          container='holder', args=args)

    def fails_twice(self, ipam, args, refused):
        """One that is refused, with the DEL that runtimes send then, and two that need not be."""
        for pod, code, words in (('pod1', *refused), ('pod2', 999, "could not set bridge's mac: invalid argument"), ('pod3', 0, '')):
            said = self.bridge('ADD', self.pod(pod), ipam, args.format(pod[-1]))
            self.assertEqual(said.code, code, said.said)
            self.assertIn(words, said.said)
            if code:
                self.assertEqual([row for row in rows() if row[0] == pod], [])
                self.assertEqual(self.bridge('DEL', pod, ipam).code, 0)
                self.assertEqual(self.direct('DEL', ipam).code, 0)

    def test_ours(self):
        ipam = plugin.ipam_conf(server, ranges=[[{'subnet': '10.77.0.0/24'}]])
        self.assertEqual(self.direct('ADD', ipam, 'IP=10.77.0.11').code, 0)
        self.fails_twice(ipam, 'IgnoreUnknown=1;IP=10.77.0.1{}', (100, 'address 10.77.0.11 is held by "holder"'))
        self.assertEqual(rows(), [('pod3', '10.77.0.13')])

    def test_host_local(self):
        with tempfile.TemporaryDirectory() as folder:
            ipam = {'type': 'host-local', 'ranges': [[{'subnet': '10.77.0.0/30'}]], 'dataDir': folder}
            self.assertEqual(self.direct('ADD', ipam).code, 0)
            self.fails_twice(ipam, '', (999, 'no IP addresses available'))


def running(name):
    """Process ids of an executable of that name; a sandbox has no others than ours."""
    found = []
    for pid in filter(str.isdigit, os.listdir('/proc')):
        try:
            if os.path.basename(os.readlink(f'/proc/{pid}/exe')) == name:
                found.append(int(pid))
        except OSError:
            pass
    return found


class Picked(Chain):
    """Pods that ask for nothing, under three net plugins, dual stack, with status-cni behind them."""
    RANGES = [[{'subnet': '10.77.0.0/29'}], [{'subnet': 'fd77::/64'}]]
    MAINS = {'bridge': {'bridge': 'br-test', 'isGateway': True}, 'ptp': {}, 'macvlan': {'master': 'dummy-test'}}

    def run_main(self, main, command, pod, **more):
        conf = {'cniVersion': '1.1.0', 'name': 'chain', 'type': main, **self.MAINS[main],
                'ipam': plugin.ipam_conf(server, ranges=self.RANGES), **more}
        folder = plugin.BINDIR if main == plugin.NET else upstream.FOLDER
        return plugin.run(os.path.join(folder, main), command, conf, container=pod, netns=f'/var/run/netns/{pod}',
                          args=f'IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME={pod}', path=PATH)

    def test_a_pod_gets_one_address_of_each_family_and_the_same_ones_again(self):
        ip('link', 'add', 'dummy-test', 'type', 'veth', 'peer', 'name', 'dummy-peer')
        self.addCleanup(ip, 'link', 'delete', 'dummy-test')
        ip('link', 'set', 'dummy-test', 'up')
        given = {}
        for main in self.MAINS:
            with self.subTest(main):
                pod = self.pod(f'pod-{main}')
                for turn in range(2):
                    answer = self.run_main(main, 'ADD', pod)
                    self.assertEqual(answer.rc, 0, answer.said)
                    self.assertEqual(sorted(a.split('/')[0] for a in answer.addresses), sorted(a for _, a in rows()))
                    self.assertEqual(len(answer.addresses), 2)
                    self.assertEqual(given.setdefault(main, answer.addresses), answer.addresses, turn)
                    behind = {'cniVersion': '1.1.0', 'name': 'chain', 'type': plugin.NET, 'chained': True,
                              'ipam': plugin.ipam_conf(server, ranges=self.RANGES), 'prevResult': answer.json}
                    chained = plugin.run(plugin.NET, 'ADD', behind, container=pod, netns=f'/var/run/netns/{pod}')
                    self.assertEqual((chained.rc, chained.json), (0, answer.json), chained.said)
                    self.assertEqual(self.run_main(main, 'CHECK', pod, prevResult=answer.json).rc, 0)
                    self.assertEqual(self.run_main(main, 'DEL', pod, prevResult=answer.json).rc, 0)
                    self.assertEqual(rows(), [])

    def test_a_full_pool_fails_the_add_and_status_and_leaves_nothing(self):
        for i in range(5):
            self.assertEqual(self.run_main('bridge', 'ADD', self.pod(f'pod{i}')).rc, 0)
        refused = self.run_main('bridge', 'ADD', self.pod('pod5'))
        self.assertEqual(refused.code, 103, refused.said)
        self.assertEqual(len(rows()), 10)
        status = self.run_main('bridge', 'STATUS', 'pod5')
        self.assertEqual(status.code, 50, status.said)


class CallerGone(Chain):
    """The IPAM plugin waits for a lock when its caller is killed."""

    def until(self, condition, seconds):
        end = time.monotonic() + seconds
        while not condition():
            self.assertLess(time.monotonic(), end, 'waited too long')
            time.sleep(0.02)

    @staticmethod
    def waiting():
        return server.value("SELECT count(*) FROM pg_locks WHERE relation = 'public.ips'::regclass AND NOT granted")

    def lock(self):
        """Locks the table until the returned process is ended."""
        psql = subprocess.Popen(['psql', '-X', '-q', '-d', server.conninfo('ipam')], stdin=subprocess.PIPE,
                                stdout=subprocess.DEVNULL, env=pg.clean_env())
        psql.stdin.write(b'BEGIN; LOCK TABLE public.ips IN EXCLUSIVE MODE;\n')
        psql.stdin.flush()
        self.until(lambda: server.value("SELECT count(*) FROM pg_locks WHERE relation = 'public.ips'::regclass "
                                        "AND mode = 'ExclusiveLock'") != '0', 10)
        return psql

    def kill_while_waiting(self, name):
        self.pod('pod1')
        locker = self.lock()
        folder = upstream.FOLDER if name == 'bridge' else plugin.BINDIR
        conf = self.conf(name, '1.1.0', None, {})
        conf.pop('chained', None)
        caller = plugin.start(os.path.join(folder, name), 'ADD', container='pod1', netns='/var/run/netns/pod1',
                              args='IgnoreUnknown=1;IP=10.77.0.11/24', path=PATH)
        try:
            caller.stdin.write(json.dumps(conf).encode())
            caller.stdin.close()
            caller.stdin = None
            self.until(lambda: self.waiting() == '1', 10)
            self.assertEqual(len(running(plugin.IPAM)), 1)
            caller.kill()
            self.until(lambda: not running(plugin.IPAM), 1.2)
            self.until(lambda: self.waiting() == '0', 5)
        finally:
            caller.kill()
            caller.communicate(timeout=10)
            locker.stdin.close()
            locker.wait(10)
        time.sleep(0.3)
        self.assertEqual(rows(), [])

    def test_bridge_is_killed(self):
        self.kill_while_waiting('bridge')

    def test_our_net_plugin_is_killed(self):
        self.kill_while_waiting(plugin.NET)


if __name__ == '__main__':
    if sandbox.MARK not in os.environ:
        upstream.get(*NEEDED)
    sandbox.enter()
    tap.main()
