#!/usr/bin/env python3
"""What the executables are made of. Needs them built, root and binutils."""
import os
import re
import shutil
import subprocess
import tempfile
import unittest

import pg
import plugin
import tap

BOTH = (plugin.NET, plugin.IPAM)
CONF = b'''{"cniVersion": "1.1.0", "name": "ipam-status", "type": "status-cni", "ipam":
    {"type": "ipam-status-cni", "host": "localhost", "port": 1, "node": "here", "timeout": 1}}'''


def read(tool, options, name):
    done = subprocess.run([tool, options, os.path.join(plugin.BINDIR, name)], capture_output=True, text=True,
                          check=True, timeout=60)
    return done.stdout


def needed(name):
    return set(re.findall(r'NEEDED.*\[(.*)\.so', read('readelf', '-dW', name)))


def symbols(name):
    return set(re.findall(r' (\S+)$', read('nm', '-a', name), re.MULTILINE))


class Build(unittest.TestCase):
    def test_position_independent_with_nothing_writable_that_need_not_be(self):
        for name in BOTH:
            with self.subTest(name):
                self.assertRegex(read('readelf', '-hW', name), r'Type: *DYN')
                self.assertRegex(read('readelf', '-lW', name), r'GNU_STACK.* RW +0x')
                self.assertIn('GNU_RELRO', read('readelf', '-lW', name))
                self.assertRegex(read('readelf', '-dW', name), r'FLAGS_1.*NOW.*PIE')

    def test_the_stack_is_guarded(self):
        for name in BOTH:
            self.assertIn('__stack_chk_fail', {s.split('@')[0] for s in symbols(name)})

    def test_the_net_plugin_has_no_database_in_it(self):
        self.assertNotIn('libpq', needed(plugin.NET))
        self.assertNotIn('PQconnectStartParams', symbols(plugin.NET))

    def test_static_wherever_the_libraries_for_it_are(self):
        if not os.environ.get('BINDIR', '').endswith('/sanitize/bin'):
            self.assertEqual(plugin.is_static(), os.path.exists(os.path.join(pg.ROOT, '.deps', 'stamp')))


class SelfContained(unittest.TestCase):
    """The static build. Its root directory is a folder with the executables and nothing else."""

    def setUp(self):
        self.root = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.root)
        for name in BOTH:
            shutil.copy(os.path.join(plugin.BINDIR, name), self.root)

    def write(self, path, text):
        path = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(path))
        with open(path, 'w', encoding='ascii') as file:
            file.write(text)

    def run_there(self, name, command):
        process = subprocess.Popen(['/' + name], env=plugin.environment(command, path='/'), cwd='/',
                                   preexec_fn=lambda: os.chroot(self.root), stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        return plugin.finish(process, CONF)

    def test_no_shared_library_and_no_loader(self):
        for name in BOTH:
            self.assertEqual(needed(name), set())
            self.assertNotIn('INTERP', read('readelf', '-lW', name))

    def test_checked_copies(self):
        for name in BOTH:
            self.assertTrue({'__snprintf_chk', '__vsnprintf_chk'} & symbols(name))

    def test_version_in_an_empty_root(self):
        for name in BOTH:
            answer = self.run_there(name, 'VERSION')
            self.assertIn('1.1.0', answer.json['supportedVersions'])

    def test_a_name_is_resolved_and_a_connection_tried_in_an_empty_root(self):
        self.write('etc/hosts', '127.0.0.1 localhost\n')
        self.write('proc/sys/kernel/random/boot_id', '00000000-0000-4000-8000-000000000000\n')
        for name in BOTH:
            answer = self.run_there(name, 'STATUS')
            self.assertEqual(answer.code, 50, answer)
            self.assertIn('Connection refused', answer.said)


if not plugin.is_static():
    del SelfContained

if __name__ == '__main__':
    tap.main()
