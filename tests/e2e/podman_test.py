#!/usr/bin/env python3
"""podman with its CNI backend and Debian's bridge: how it asks for addresses, what its users see, what it loses. Needs root,
podman, runc, conmon, busybox-static, containernetworking-plugins and a PostgreSQL server's programs.
Not run with sanitizers."""
import glob
import os
import shutil
import signal
import subprocess
import tempfile
import unittest

import pg
import plugin
import runtimes
import sandbox
import tap

NEEDED = ('podman', 'runc', 'conmon')
NET = 'pods'
EARLIER = '11111111-2222-3333-4444-555555555555'    # a boot id


def setUpModule():
    gone = runtimes.missing(*NEEDED)
    if gone or not os.path.exists(f'{runtimes.DEBIAN_PLUGINS}/bridge') or not os.path.exists(runtimes.BUSYBOX):
        raise unittest.SkipTest(f'podman, runc, conmon, busybox-static or containernetworking-plugins is not installed {gone}')
    globals()['server'] = pg.Server()


def tearDownModule():
    server.close()


def rows(columns='host(ip)'):
    return [tuple(row) for row in server.psql(f'SELECT {columns} FROM public.ips ORDER BY ip')]


class Case(unittest.TestCase):
    limit = 200

    def setUp(self):
        server.psql('TRUNCATE public.ips')
        self.dir = tempfile.mkdtemp(dir='/var/tmp')
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.podman = runtimes.Podman(self.dir)
        self.addCleanup(self.end)
        self.network(NET, 'ipam-podman0', '10.91.0.0/16', 'fd00:91::/64')

    def end(self):
        """All containers, what conmon starts after each, and what podman has mounted: the folder can go."""
        self.podman.run('rm', '-f', '-t', '0', '-a')
        runtimes.wait_until(lambda: not runtimes.processes(self.dir), 30, 'podman has cleaned up')
        self.unmount(f'{self.dir}/')

    @staticmethod
    def unmount(*below):
        with open('/proc/mounts', encoding='utf-8') as f:
            mounts = [line.split()[1] for line in f]
        for mount in reversed([m for m in mounts if m.startswith(below)]):
            subprocess.run(['umount', mount], check=True, timeout=10)

    def network(self, name, bridge, *subnets, version='1.0.0'):
        # A DEL is to be lost, which takes as long as a DEL may take.
        ipam = plugin.ipam_conf(server, ranges=[[{'subnet': subnet}] for subnet in subnets], node='podman-host', timeout=4)
        self.podman.network({'cniVersion': version, 'name': name, 'plugins': [
            {'type': 'bridge', 'bridge': bridge, 'isGateway': True, 'capabilities': {'ips': True}, 'ipam': ipam},
            {'type': plugin.NET, 'chained': True, 'ipam': ipam}]})


class Asked(Case):
    def test_ip_without_a_prefix_length(self):
        self.podman.start('one', NET, '--ip', '10.91.0.9', '--ip6', 'fd00:91::9')
        self.assertEqual(self.podman.addresses('one', NET), ['10.91.0.9', 'fd00:91::9'])
        self.assertEqual(rows('host(ip), pod_name, node'), [('10.91.0.9', 'one', 'podman-host'), ('fd00:91::9', 'one', 'podman-host')])
        self.assertIn('10.91.0.9/16', self.podman.run('exec', 'one', '/bin/ip', 'addr'))
        self.podman.run('rm', '-f', '-t', '0', 'one')
        self.assertEqual(rows(), [])

    def test_who_holds_an_address_is_in_podmans_own_words(self):
        self.podman.start('one', NET, '--ip', '10.91.0.9', '--ip6', 'fd00:91::9')
        said = self.podman.start('two', NET, '--ip', '10.91.0.9', '--ip6', 'fd00:91::10', status=126)
        self.assertRegex(said, r'address 10\.91\.0\.9 is held by .*"?one"? ')
        self.assertEqual(rows(), [('10.91.0.9',), ('fd00:91::9',)])

    def test_one_family_by_name_and_the_other_picked(self):
        self.podman.start('one', NET, '--ip', '10.91.0.9')
        four, six = self.podman.addresses('one', NET)
        self.assertEqual(four, '10.91.0.9')
        self.assertTrue(six.startswith('fd00:91::'), six)
        self.assertEqual(rows(), [(four,), (six,)])

    def test_no_address_at_all_and_the_same_one_under_the_same_name(self):
        self.podman.start('one', NET)
        picked = self.podman.addresses('one', NET)
        self.assertEqual(rows(), [(a,) for a in picked])
        self.podman.run('rm', '-f', '-t', '0', 'one')
        self.podman.start('two', NET)
        self.podman.start('one', NET)
        self.assertEqual(self.podman.addresses('one', NET), picked)
        self.assertEqual(len(set(rows())), 4)

    def test_what_keeps_a_picked_address(self):
        self.podman.start('one', NET)
        picked = self.podman.addresses('one', NET)
        self.podman.run('restart', '-t', '0', 'one')
        self.assertEqual(self.podman.addresses('one', NET), picked)
        self.podman.run('stop', '-t', '0', 'one')
        self.assertEqual(rows(), [])
        self.podman.run('start', 'one')
        self.assertEqual(self.podman.addresses('one', NET), picked)
        self.reboot()
        self.assertEqual(rows('host(ip), boot_id'), [(a, EARLIER) for a in picked])
        self.podman.run('start', 'one')
        self.assertEqual(self.podman.addresses('one', NET), picked)
        self.assertEqual(rows(f"host(ip), boot_id = '{EARLIER}'"), [(a, 'f') for a in picked])

    def reboot(self):
        """What podman and the database know of a machine that has lost its power."""
        for name in ('/conmon', '/bin/sleep'):  # who watches goes first: he would send DEL
            for pid in runtimes.processes(name):
                os.kill(pid, signal.SIGKILL)
            runtimes.wait_until(lambda name=name: not runtimes.processes(name), 10, f'{name} has ended')
        self.unmount(f'{self.dir}/', '/run/netns/')
        for pattern in (f'{self.dir}/run/*', f'{self.dir}/tmp/*', '/run/netns/*', '/run/runc/*', '/dev/shm/libpod*'):
            subprocess.run(['rm', '-rf', *glob.glob(pattern)], check=True, timeout=10)
        subprocess.run(['ip', 'link', 'delete', 'ipam-podman0'], check=True, timeout=10)
        server.psql(f"UPDATE public.ips SET boot_id = '{EARLIER}', created_on = created_on - interval '10 years'")

    def test_rename_changes_a_picked_address_at_the_next_start(self):
        self.podman.start('one', NET)
        picked = self.podman.addresses('one', NET)
        self.podman.run('rename', 'one', 'other')
        self.assertEqual(self.podman.addresses('other', NET), picked)
        self.podman.run('restart', '-t', '0', 'other')
        given = self.podman.addresses('other', NET)
        self.assertEqual([a for a in given if a in picked], [])
        self.assertEqual(rows('host(ip), pod_name'), [(a, 'other') for a in given])

    def test_two_networks_and_the_names_of_their_interfaces(self):
        """Unless it is told, podman spreads the names as it comes, and the name is part of who asks for an address."""
        self.network('more', 'ipam-podman1', '10.93.0.0/16', 'fd00:93::/64')
        given = []
        for first, second in (((NET, 'eth0'), ('more', 'eth1')), (('more', 'eth1'), (NET, 'eth0')), ((NET, 'eth1'), ('more', 'eth0'))):
            names = (f'{network}:interface_name={interface}' for network, interface in (first, second))
            self.podman.start('one', next(names), '--network', next(names))
            given.append({network: self.podman.addresses('one', network) for network, _ in (first, second)})
            self.assertEqual(set(rows('network, interface')), {first, second})
            self.podman.run('rm', '-f', '-t', '0', 'one')
        self.assertEqual(given[0], given[1])
        for network in (NET, 'more'):
            self.assertEqual([a for a in given[2][network] if a in given[0][network]], [])

    def test_a_del_that_was_lost_and_then_start(self):
        """podman never sends it again: the same container is added once more."""
        self.podman.start('one', NET, '--ip', '10.91.0.9', '--ip6', 'fd00:91::9')
        server.stop()
        try:
            self.podman.run('stop', '-t', '0', 'one')
            # The DEL may be that of a process which conmon starts, and which goes on after the command.
            runtimes.wait_until(lambda: not runtimes.processes('cleanup', plugin.IPAM), 30, 'podman has given up')
        finally:
            server.start()
        self.assertEqual(len(rows()), 2)
        self.podman.run('start', 'one')
        self.assertEqual(self.podman.addresses('one', NET), ['10.91.0.9', 'fd00:91::9'])
        self.assertEqual(len(rows()), 2)

    def test_a_version_that_podmans_libcni_does_not_know(self):
        """It is refused only when the address is recorded; then podman sends DEL."""
        ipam = plugin.ipam_conf(server, ranges=[[{'subnet': '10.91.0.0/16'}]], logFile=f'{self.dir}/plugin.log')
        self.podman.network({'cniVersion': '1.1.0', 'name': 'newer', 'plugins': [{'type': plugin.NET, 'ipam': ipam}]})
        said = self.podman.start('one', 'newer', status=126)
        self.assertIn('unsupported CNI result version "1.1.0"', said)
        with open(f'{self.dir}/plugin.log', encoding='utf-8') as f:
            self.assertRegex(f.read(), r'recorded 10\.91\..*\n.*INVOKED DEL')
        self.assertEqual(rows(), [])

    def test_a_version_that_the_first_plugin_does_not_know(self):
        """podman asks for that before anything is done."""
        self.network('newer', 'ipam-podman1', '10.93.0.0/16', version='1.1.0')
        said = self.podman.start('one', 'newer', status=125)
        self.assertIn('plugin bridge does not support config version \\"1.1.0\\"', said)
        self.assertIn('network not found', said)
        self.assertEqual(rows(), [])


if __name__ == '__main__':
    sandbox.enter('/dev/shm', '/run/runc')   # what a boot loses of podman and runc
    tap.main()
