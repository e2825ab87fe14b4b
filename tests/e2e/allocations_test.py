#!/usr/bin/env python3
"""The cases of tests/fixtures/allocations.txt on a real server, where the unit tests have allocations in memory. Needs
a PostgreSQL server's programs and root. Not run with sanitizers."""
import hashlib
import pathlib

import plugin_case
import tap

TABLE = pathlib.Path(__file__).parents[1] / 'fixtures/allocations.txt'
UUID = '4c4c4544-0042-3510-8052-b4c04f4e4d32'
MACHINE, OTHER_MACHINE = hashlib.sha256(UUID.encode() + bytes(1)).hexdigest()[:32], 'another-machine'
ID = '0123456789abcdef0123456789abcdef'
# network (NET is the case's own), node, machine id, container, interface, machine (None: as the life says), pod's uid
WHO = {
    'own': ('NET', 'node-1', '', 'pod-a', 'eth0', None, None),
    'eth1': ('NET', 'node-1', '', 'pod-a', 'eth1', None, None),
    'neighbour': ('NET', 'node-1', '', 'pod-b', 'eth0', None, None),
    'far': ('NET', 'node-2', '', 'pod-b', 'eth0', None, None),
    'elsewhere': ('NET-other', 'node-2', '', 'pod-b', 'eth0', None, None),
    'sandbox': ('NET', 'node-1', '', 'pod-c', 'eth0', None, 'uid-1'),
    'godemo': ('NET', '', '', 'pod-a', 'eth0', None, None),
    'renamed': ('NET', 'old-name', ID, 'pod-a', 'eth0', MACHINE, None),
    'alias': ('NET', 'old-name', ID, 'pod-b', 'eth0', MACHINE, None),
    'image': ('NET', 'old-name', ID, 'pod-a', 'eth0', OTHER_MACHINE, None),
    'before': ('NET', 'node-1', 'another-id', 'pod-b', 'eth0', None, None),
}
THIS_BOOT = pathlib.Path(plugin_case.BOOT_ID).read_text(encoding='ascii').strip()
OTHER_BOOT = '11111111-2222-3333-4444-555555555555'
LIFE = {
    'now': (THIS_BOOT, '', '0 s'),
    'long': (THIS_BOOT, '', '10 years'),
    'moved': (THIS_BOOT, OTHER_MACHINE, '0 s'),
    'young': (OTHER_BOOT, '', '0 s'),
    'old': (OTHER_BOOT, '', '10 years'),
    'same': (OTHER_BOOT, MACHINE, '10 years'),
    'other': (OTHER_BOOT, OTHER_MACHINE, '10 years'),
}


def parts(text):
    return [] if text == '-' else text.split(',')


class Allocations(plugin_case.PluginCase):
    def hold(self, who, life, address):
        network, node, host_id, pod, interface, machine, uid = WHO[who]
        boot, life_machine, age = LIFE[life]
        network = network.replace('NET', self.network)
        self.server.psql(
            'INSERT INTO ips (network, node, host_id, pod_id, interface, ip, boot_id, machine, created_on, pod_uid,'
            f" position) SELECT '{network}', '{node}', '{host_id}', '{pod}', '{interface}', '{address}', '{boot}',"
            f" '{life_machine if machine is None else machine}', now() - interval '{age}',"
            f" {'NULL' if uid is None else repr(uid)}, 1 + count(*) FROM ips WHERE network = '{network}'"
            f" AND node = '{node}' AND host_id = '{host_id}' AND pod_id = '{pod}' AND interface = '{interface}'")

    def name_of(self, network, node, host_id, pod, interface, machine):
        for name, whose in WHO.items():
            its = (whose[0].replace('NET', self.network), *whose[1:5])
            if its == (network, node, host_id, pod, interface) and whose[5] in (None, machine):
                return name
        raise AssertionError(f'nobody is {network} {node} {pod} {interface}')

    def after(self):
        rows = self.server.psql('SELECT network, node, host_id, pod_id, interface, machine,'
                                " host(ip) || '/' || masklen(ip) FROM ips"
                                f" WHERE network IN ('{self.network}', '{self.network}-other')")
        return sorted(f'{self.name_of(*row[:6])}={row[6]}' for row in rows)

    def play(self, verb, recorded, asked, code, _calls, after):
        self.network = f'net-{next(self.networks)}'
        for row in parts(recorded):
            self.hold(*row.split(':', 2))
        how = {'container': 'pod-a', 'ifname': 'eth0', 'ipam': {'node': 'node-1'},
               'through': plugin_case.elsewhere(machine_id=ID, product_uuid=UUID)}
        if verb == 'ADD':
            how['args'] = f'IP={asked};K8S_POD_UID=uid-1'
        if verb == 'GC':
            own = {'containerID': 'pod-a', 'ifname': 'eth0'}
            how['conf'] = {'cni.dev/valid-attachments': [own] if asked == 'own' else []}
        answer = self.ask(verb, **how)
        self.assertEqual(0 if answer.rc == 0 else answer.code, int(code), answer.stdout)
        self.assertEqual(self.after(), sorted(parts(after)))

    def test_each_line(self):
        lines = [line.split() for line in TABLE.read_text(encoding='utf-8').splitlines() if line and line[0] != '#']
        self.assertGreater(len(lines), 50)
        for line in lines:
            with self.subTest(' '.join(line)):
                self.play(*line)


if __name__ == '__main__':
    tap.main()
