#!/usr/bin/env python3
"""The cases of tests/fixtures/allocations.txt on a real server, where the unit tests have allocations in memory. Needs
a PostgreSQL server's programs and root."""
import pathlib

import plugin_case
import tap

TABLE = pathlib.Path(__file__).parents[1] / 'fixtures/allocations.txt'
# network (NET is the case's own), node, container, interface
WHO = {
    'own': ('NET', 'node-1', 'pod-a', 'eth0'),
    'eth1': ('NET', 'node-1', 'pod-a', 'eth1'),
    'neighbour': ('NET', 'node-1', 'pod-b', 'eth0'),
    'far': ('NET', 'node-2', 'pod-b', 'eth0'),
    'elsewhere': ('NET-other', 'node-2', 'pod-b', 'eth0'),
}
THIS_BOOT = pathlib.Path(plugin_case.BOOT_ID).read_text(encoding='ascii').strip()
OTHER_BOOT = '11111111-2222-3333-4444-555555555555'
LIFE = {
    'now': (THIS_BOOT, '0 s'),
    'long': (THIS_BOOT, '10 years'),
    'young': (OTHER_BOOT, '0 s'),
    'old': (OTHER_BOOT, '10 years'),
}


def parts(text):
    return [] if text == '-' else text.split(',')


class Allocations(plugin_case.PluginCase):
    def hold(self, who, life, address):
        network, node, pod, interface = WHO[who]
        boot, age = LIFE[life]
        self.server.psql(
            'INSERT INTO ips (network, node, pod_id, interface, ip, boot_id, created_on, position)'
            f" SELECT '{network.replace('NET', self.network)}', '{node}', '{pod}', '{interface}', '{address}', '{boot}',"
            f" now() - interval '{age}', 1 + count(*) FROM ips WHERE network = '{network.replace('NET', self.network)}'"
            f" AND node = '{node}' AND pod_id = '{pod}' AND interface = '{interface}'")

    def after(self):
        names = {tuple(x.replace('NET', self.network) for x in whose): name for name, whose in WHO.items()}
        rows = self.server.psql("SELECT network, node, pod_id, interface, host(ip) || '/' || masklen(ip) FROM ips"
                                f" WHERE network IN ('{self.network}', '{self.network}-other')")
        return sorted(f'{names[tuple(row[:4])]}={row[4]}' for row in rows)

    def play(self, verb, recorded, asked, code, _calls, after):
        self.network = f'net-{next(self.networks)}'
        for row in parts(recorded):
            self.hold(*row.split(':', 2))
        how = {'container': 'pod-a', 'ifname': 'eth0', 'ipam': {'node': 'node-1'}}
        if verb == 'ADD':
            how['ip'] = asked
        if verb == 'GC':
            own = {'containerID': 'pod-a', 'ifname': 'eth0'}
            how['conf'] = {'cni.dev/valid-attachments': [own] if asked == 'own' else []}
        answer = self.ask(verb, **how)
        self.assertEqual(0 if answer.rc == 0 else answer.code, int(code), answer.stdout)
        self.assertEqual(self.after(), sorted(parts(after)))

    def test_each_line(self):
        lines = [line.split() for line in TABLE.read_text(encoding='utf-8').splitlines() if line and line[0] != '#']
        self.assertGreater(len(lines), 30)
        for line in lines:
            with self.subTest(' '.join(line)):
                self.play(*line)


if __name__ == '__main__':
    tap.main()
