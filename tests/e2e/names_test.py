#!/usr/bin/env python3
"""Names of hosts: what a host's name service could do to us, and name servers that are dead. Needs root, a C compiler and a
PostgreSQL server's programs. Not run with sanitizers."""
import os
import shutil
import socket
import subprocess
import tempfile
import time
import unittest

import dns
import faults
import pg
import plugin
import plugin_case
import tap
from plugin_case import BOTH

A = '10.0.0.5/24'
MODULE = '''#include <stdlib.h>
__attribute__((constructor)) static void loaded(void) { abort(); }
'''


class Names(plugin_case.PluginCase):
    def setUp(self):
        super().setUp()
        self.dir = tempfile.mkdtemp(prefix='ipam-test.', dir='/var/tmp')
        self.addCleanup(shutil.rmtree, self.dir)

    def write(self, path, text):
        path = os.path.join(self.dir, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'w', encoding='ascii') as file:
            file.write(text)
        return path


@unittest.skipUnless(plugin.is_static(), 'a shared build uses the modules of its own C library')
class ForeignModules(Names):
    """A root whose name service has a module that ends whoever loads it, as one of another C library may."""

    def setUp(self):
        super().setUp()
        for name in BOTH:
            shutil.copy(os.path.join(plugin.BINDIR, name), self.dir)
        self.write('etc/machine-id', 'd' * 32 + '\n')
        self.write('etc/hosts', '127.0.0.1 db.file\n')
        self.write('etc/passwd', 'root:x:0:0::/:/bin/sh\n')
        self.write('etc/resolv.conf', dns.CONF)
        self.write('etc/nsswitch.conf', 'hosts: files crash dns\npasswd: crash files\nservices: crash files\n')
        self.write('proc/sys/kernel/random/boot_id', '00000000-0000-4000-8000-000000000000\n')
        self.modules()

    def modules(self):
        """The module, and the C library that it was linked with, where a static program looks for them."""
        folder = subprocess.run(['cc', '-print-multiarch'], capture_output=True, text=True, check=True, timeout=60).stdout.strip()
        module = os.path.join(self.dir, 'lib', folder, 'libnss_crash.so.2')
        os.makedirs(os.path.dirname(module))
        subprocess.run(['cc', '-shared', '-fPIC', '-o', module, self.write('module.c', MODULE)], check=True, timeout=60)
        for library in ('libc.so.6', f'ld-linux-{folder.split("-", maxsplit=1)[0].replace("_", "-")}.so.2'):
            found = os.path.join('/lib', folder, library)
            if os.path.exists(found):
                shutil.copy(found, os.path.dirname(module))

    def test_it_is_not_loaded(self):
        with dns.Names(db_test='127.0.0.1'):
            for which in BOTH:
                for host in ('db.file', 'db.test'):
                    for command in ('ADD', 'CHECK', 'STATUS', 'DEL') if which == plugin.NET else ('STATUS',):
                        answer = self.ask(command, A, which='/' + which, ipam={'timeout': 3, 'host': host}, path='/',
                                          conf={'prevResult': {'ips': [{'address': A}]}}, through=['chroot', self.dir])
                        self.allowed(answer)

    def test_nor_for_who_runs_it(self):
        self.write('dev/null', '')
        self.write('etc/postgresql-common/pg_service.conf', f'[mine]\nhost=127.0.0.1\nport={self.server.port}\n')
        for which in BOTH:
            self.allowed(self.ask('STATUS', which='/' + which, path='/', through=['chroot', self.dir], env={'HOME': None},
                                  ipam={'host': None, 'port': None, 'service': 'mine', 'user': 'cni', 'dbname': 'ipam'}))


class DeadServers(Names):
    """The first name server of two takes questions and does not answer; a resolver turns to the second after five seconds."""

    def setUp(self):
        super().setUp()
        dead = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(dead.close)
        address = '127.54.' + dns.ADDRESS.split('.', 2)[2]
        dead.bind((address, 53))
        conf = self.write('resolv.conf', f'nameserver {address}\n{dns.CONF}')
        self.through = ['unshare', '--mount', '--propagation', 'private', 'sh', '-c',
                        f'mount --bind {conf} $(readlink -f /etc/resolv.conf); exec "$0"']

    def adds(self, most, **ipam):
        began = time.monotonic()
        self.assertEqual(self.add(A, which=plugin.NET, ipam=ipam, through=self.through).addresses, [A])
        self.assertLess(time.monotonic() - began, most + 2 * faults.SLACK)
        self.assertEqual(self.held(), [A])

    def test_one_costs_what_the_resolver_waits_for_it(self):
        with dns.Names(db_test='127.0.0.1'):
            self.adds(6, host='db.test')

    def test_and_no_more_for_several_names(self):
        with dns.Names(one_test='127.0.0.1', two_test='127.0.0.1'):
            self.adds(6, host='one.test,two.test', port=f'{pg.free_port()},{self.server.port}')

    def test_each_name_is_asked_for_once(self):
        with dns.Names(db_test='127.0.0.1') as names:
            answer = self.ask('ADD', A, ipam={'host': 'db.test', 'port': pg.free_port(), 'timeout': 8}, through=self.through)
            self.refused(answer, 11, 'refused')
            self.assertLessEqual(names.asked.count('db.test'), 2)  # for each family


if __name__ == '__main__':
    tap.main()
