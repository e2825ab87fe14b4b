#!/usr/bin/env python3
"""The executables for arm64, in an emulator: every unit test, and every verb against a real server. Needs what
"./setup_dependencies.sh arm64" prepares, and a PostgreSQL server's programs; where that is missing, it is skipped.
Not run with sanitizers."""
import glob
import os
import subprocess
import unittest

import pg
import plugin
import plugin_case
import tap

A = '10.0.0.5/24'
EMULATOR = 'qemu-aarch64-static'
FOLDER = os.path.join(pg.ROOT, 'plugins', 'arm64')


def make(*targets):
    return subprocess.run(['make', '-C', pg.ROOT, f'-j{os.cpu_count()}', *targets], capture_output=True, text=True, timeout=800,
                          check=False)


@unittest.skipUnless(os.path.exists(os.path.join(pg.ROOT, '.deps', 'arm64', 'stamp')),
                     'NO CROSS COMPILER, so nothing is known of arm64: ./setup_dependencies.sh arm64')
class Arm64(plugin_case.PluginCase):
    limit = 900

    def test_1_every_unit_test(self):
        done = make('check-arm64')
        self.assertEqual(done.returncode, 0, '\n'.join(line for line in done.stdout.splitlines() if 'not ok' in line)
                         + done.stderr[-2000:])

    def test_2_every_verb(self):
        """Of the IPAM plugin alone: the kernel here would not start it for the net plugin."""
        done = make('arm64')
        self.assertEqual(done.returncode, 0, done.stderr)
        how = {'which': os.path.join(FOLDER, plugin.IPAM), 'through': [EMULATOR], 'ipam': {'host': 'localhost', 'timeout': 20}}
        self.assertIn('1.1.0', self.ask('VERSION', **how).json['supportedVersions'])
        self.allowed(self.ask('STATUS', **how))
        added = self.add(A, **how)
        self.assertEqual((added.addresses, self.held()), ([A], [A]))
        self.allowed(self.ask('CHECK', A, conf={'prevResult': added.json}, **how))
        self.refused(self.ask('ADD', A, container='pod2', **how), 100, 'held by')
        self.allowed(self.ask('DEL', **how))
        self.assertEqual(self.held(), [])
        net = self.ask('VERSION', **(how | {'which': os.path.join(FOLDER, plugin.NET)}))
        self.assertIn('1.1.0', net.json['supportedVersions'])

    def test_3_a_package(self):
        done = make('deb-arm64')
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        package, = glob.glob(os.path.join(pg.ROOT, 'build', '*_arm64.deb'))
        said = subprocess.run(['dpkg-deb', '--field', package, 'Architecture'], capture_output=True, text=True, check=True).stdout
        self.assertEqual(said, 'arm64\n')


if __name__ == '__main__':
    tap.main()
