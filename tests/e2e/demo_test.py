#!/usr/bin/env python3
"""The whole stories of demo-scenarios/, in a copy of the tree. Needs root, the built tree, a PostgreSQL server's programs.
Not run with sanitizers."""
import atexit
import glob
import hashlib
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

import pg
import plugin
import sandbox
import scripts
import tap
import upstream

NOT_OURS = ('.git', 'build', '.db', '__pycache__')
IGNORED = ('build', 'plugins', '.deps', '.db')
TABLE = re.compile(r'\((\d) rows?\)')


def setUpModule():
    globals()['tree'] = tempfile.mkdtemp(prefix='ipam-tree.', dir='/var/tmp')
    atexit.register(shutil.rmtree, tree)
    os.chmod(tree, 0o755)
    for name in os.listdir(pg.ROOT):
        if name in NOT_OURS:
            continue
        subprocess.run(['cp', '-a', os.path.join(pg.ROOT, name), tree], check=True, timeout=60)
    # Built there already, so that make has nothing to do.
    os.mkdir(os.path.join(tree, 'build'))
    for name in ('static', 'shared'):
        if os.path.isdir(os.path.join(pg.ROOT, 'build', name)):
            subprocess.run(['cp', '-a', os.path.join(pg.ROOT, 'build', name), os.path.join(tree, 'build')], check=True, timeout=60)


def run(name, *args):
    # The executables under test are those of the tree, unless the test run says others.
    path = {} if plugin.BINDIR == os.path.join(pg.ROOT, 'plugins', 'bin') else {'CNI_PATH': plugin.BINDIR}
    return scripts.run(name, *args, root=tree, **{'CNI_PATH': None, **path}, timeout=280)


def contents():
    """The files that git would see, with what is in them."""
    found = {}
    for folder, folders, files in os.walk(tree):
        if folder == tree:
            folders[:] = [f for f in folders if f not in IGNORED]
        for name in files:
            path = os.path.join(folder, name)
            with open(path, 'rb') as f:
                found[path] = hashlib.sha256(f.read()).hexdigest()
    return found


def listening():
    with socket.socket() as s:
        return s.connect_ex(('127.0.0.1', 25943)) == 0


def left_behind():
    return {'pods': scripts.pods(), 'cached': scripts.cached(), 'listening': listening(),
            'folders': glob.glob('/var/tmp/ipam-story.*'), 'links': [name for _, name in socket.if_nameindex()]}


NOTHING = {'pods': [], 'cached': [], 'listening': False, 'folders': [], 'links': ['lo']}


class Case(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.before = contents()
        self.assertEqual(left_behind(), NOTHING)

    def tearDown(self):
        for pod in scripts.pods():
            scripts.kill_pod(pod)
        run('db.sh', 'stop')
        shutil.rmtree(os.path.join(tree, '.db'), ignore_errors=True)

    def leaves_nothing(self):
        self.assertEqual(left_behind(), NOTHING)
        self.assertEqual(contents(), self.before)

    def refuses(self, script, word):
        done = run(script)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn(word, done.stderr)


class Demo(Case):
    def test_the_whole_story(self):
        done = run('demo.sh')
        said = done.stdout
        self.assertEqual(done.returncode, 0, said + done.stderr)
        self.assertEqual(TABLE.findall(said), ['3', '3', '3', '2', '0'])
        for words in ('192.168.200.1/24', '192.168.200.22/24', '192.168.200.123/24', 'Network ipam-status is ready'):
            self.assertIn(words, said)
        self.assertIn('127.0.0.1', done.stderr)  # why STATUS was not ready
        self.leaves_nothing()

    def test_twice_in_a_row(self):
        for _ in range(2):
            self.assertEqual(run('demo.sh').returncode, 0)
        self.leaves_nothing()

    def test_a_namespace_of_somebody_else_is_refused_and_left_alone(self):
        subprocess.run(['ip', 'netns', 'add', 'pod2'], check=True, timeout=10)
        self.refuses('demo.sh', 'pod2')
        self.assertEqual(scripts.pods(), ['pod2'])
        scripts.kill_pod('pod2')
        self.leaves_nothing()

    def test_a_running_database_is_refused_and_left_alone(self):
        self.assertEqual(run('db.sh', 'start').returncode, 0)
        self.assertEqual(run('add-ns.sh', 'ipam-status', 'mine', '10.1.0.1').returncode, 0)
        self.refuses('demo.sh', 'db.sh stop')
        self.assertIn('(1 row)', run('show.sh').stdout)
        self.assertEqual(run('del-ns.sh', 'ipam-status', 'mine').returncode, 0)

    def test_a_stopped_database_keeps_its_rows(self):
        self.assertEqual(run('db.sh', 'start').returncode, 0)
        self.assertEqual(run('add-ns.sh', 'ipam-status', 'mine', '10.1.0.1').returncode, 0)
        self.assertEqual(run('db.sh', 'stop').returncode, 0)
        self.assertEqual(run('demo.sh').returncode, 0)
        self.assertEqual(run('db.sh', 'start').returncode, 0)
        self.assertIn('(1 row)', run('show.sh').stdout)
        self.assertEqual(run('del-ns.sh', 'ipam-status', 'mine').returncode, 0)

    def test_a_taken_port_is_refused(self):
        with socket.create_server(('127.0.0.1', 25943)):
            self.refuses('demo.sh', '25943')
        self.leaves_nothing()


class Interrupted(Case):
    """At any step, by a signal to the script alone or, as a terminal does, to all that it started."""

    def story(self, step, signo, everybody):
        env = scripts.environment(CNI_PATH=None)
        with tempfile.TemporaryFile('w+') as said:
            process = subprocess.Popen([os.path.join(tree, 'demo-scenarios', 'demo.sh')], stdin=subprocess.DEVNULL, stdout=said,
                                       stderr=subprocess.STDOUT, env=env, start_new_session=True)
            try:
                end = time.monotonic() + 120
                while f'== {step}.' not in self.text(said) and process.poll() is None and time.monotonic() < end:
                    time.sleep(0.02)
                time.sleep(0.1)
                (os.killpg if everybody else os.kill)(process.pid, signo)
                rc = process.wait(60)
            finally:
                process.kill()
                process.wait()
            return rc, self.text(said)

    @staticmethod
    def text(file):
        return os.pread(file.fileno(), 1 << 20, 0).decode()

    def ends_clean(self, step, signo, everybody=False):
        rc, said = self.story(step, signo, everybody)
        self.assertEqual(rc, 128 + signo, said)
        self.leaves_nothing()

    def test_while_the_database_is_made(self):
        self.ends_clean(2, signal.SIGTERM)

    def test_while_the_database_is_made_from_a_terminal(self):
        self.ends_clean(2, signal.SIGINT, everybody=True)

    def test_while_pods_are_added(self):
        self.ends_clean(4, signal.SIGINT, everybody=True)

    def test_while_pods_are_added_by_a_hangup(self):
        self.ends_clean(4, signal.SIGHUP)

    def test_after_a_pod_died(self):
        self.ends_clean(8, signal.SIGTERM)


class Ping(Case):
    def setUp(self):
        super().setUp()
        if not upstream.has('bridge'):
            self.skipTest(upstream.MISSING)

    def test_two_pods_behind_bridge_reach_each_other_and_gc_frees_what_a_dead_one_left(self):
        done = run('ping.sh')
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(TABLE.findall(done.stdout), ['2', '1'])
        self.assertEqual(done.stdout.count(' 0% packet loss'), 3)
        self.leaves_nothing()

    def test_a_bridge_of_somebody_else_is_refused_and_left_alone(self):
        subprocess.run(['ip', 'link', 'add', 'ipam-br0', 'type', 'bridge'], check=True, timeout=10)
        self.refuses('ping.sh', 'ipam-br0')
        subprocess.run(['ip', 'link', 'delete', 'ipam-br0'], check=True, timeout=10)
        self.leaves_nothing()


class Pool(Case):
    def test_a_pool_runs_full_and_a_node_that_reboots_finds_room(self):
        done = run('pool.sh')
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(TABLE.findall(done.stdout), ['3', '5', '5', '5'])
        self.assertEqual(done.stderr.count('no address is left in the range set 10.66.0.0/29: all 5 of its addresses are held'), 3)
        self.leaves_nothing()


class Failover(Case):
    def test_a_cluster_loses_its_standby_then_its_primary_and_keeps_its_promises(self):
        done = run('failover.sh')
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(TABLE.findall(done.stdout), ['1', '2'])
        self.assertIn('the outcome is unknown', done.stderr)
        self.assertIn('address 10.88.0.11 is held by', done.stderr)
        self.leaves_nothing()


if __name__ == '__main__':
    if sandbox.MARK not in os.environ:
        upstream.get('bridge')
    sandbox.enter()
    tap.main()
