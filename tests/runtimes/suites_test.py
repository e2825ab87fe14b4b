#!/usr/bin/env python3
"""The integration tests of go-cni and of upstream's plugins as they are, but that ipam-status-cni has the place of host-local.
tests/runtimes.sh builds what this needs, and calls it."""
import os
import shutil
import subprocess
import tempfile
import unittest

import golang
import pg
import plugin
import runtimes
import sandbox
import tap
import upstream

SUITES = os.path.join(runtimes.BUILT, 'suites')
SERVICES = '/etc/postgresql-common'     # where the service file is that ipam-status-cni reads
BIN = '/opt/cni/bin'                    # go-cni's test looks there


def mount(*how):
    subprocess.run(['mount', *how], check=True, timeout=10)


def setUpModule():
    globals()['server'] = pg.Server(listen_addresses='')
    for folder in (SERVICES, BIN):
        os.makedirs(folder, exist_ok=True)
        mount('-t', 'tmpfs', 'tmpfs', folder)
    runtimes.write(SERVICES, 'pg_service.conf', f'[ipam-suites]\nhost={server.dir}\nport={server.port}\nuser=cni\npassword={server.password}\n'
                                                'dbname=ipam\n')
    for source in (upstream.FOLDER, plugin.BINDIR):
        for name in os.listdir(source):
            if name != 'host-local' and not name.startswith('.'):
                shutil.copy(os.path.join(source, name), BIN)


def tearDownModule():
    server.close()


class Suites(unittest.TestCase):
    def passes(self, program, *arguments, folder):
        """Runs a compiled test. It must have recorded something, and released all of it."""
        path = os.pathsep.join([os.path.join(pg.ROOT, 'plugins'), os.path.dirname(golang.find(21)), os.environ['PATH']])
        server.psql('SELECT pg_stat_reset()')
        done = subprocess.run([os.path.join(SUITES, program), *arguments], cwd=folder, env={**os.environ, 'PATH': path, 'GOPROXY': 'off'},
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=280, check=False)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertEqual(server.value('SELECT count(*) FROM public.ips'), '0')
        return int(server.value("SELECT n_tup_ins FROM pg_stat_user_tables WHERE relname = 'ips'"))

    def test_go_cni(self):
        program = os.path.join(SUITES, 'go-cni.test')
        if not os.path.exists(program):
            self.skipTest('go-cni has its integration test only in its git repository, which was not to be had')
        with tempfile.TemporaryDirectory() as folder:
            # Two tests, with two ways to find plugins, in parallel and one after the other; an address of each family.
            self.assertEqual(self.passes(program, '-test.root', folder=folder), 2 * 2 * 2 * 2)

    def test_upstreams_plugins(self):
        source = os.path.join(SUITES, 'plugins')
        os.makedirs(os.path.join(source, 'bin'), exist_ok=True)
        mount('--bind', BIN, os.path.join(source, 'bin'))
        self.assertEqual(self.passes('plugins.test', folder=os.path.join(source, 'integration')), 4)


if __name__ == '__main__':
    sandbox.enter()
    tap.main()
