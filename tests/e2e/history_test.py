#!/usr/bin/env python3
"""What the verbs leave in the history where it is installed: DEL, GC, a takeover, an undo. Needs a PostgreSQL server's
programs and root. Not run with sanitizers."""
import pg
import plugin_case
import tap
from plugin_case import elsewhere

A, B = '10.0.0.5/24', '10.0.0.6/24'
OTHER_BOOT = '11111111-2222-3333-4444-555555555555'


class History(plugin_case.PluginCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server.script(pg.PROVISION, cls.server.conninfo(), IPAM_HISTORY='30')

    def spans(self, columns='container, host(address)'):
        return [tuple(row) for row in self.server.psql(
            f"SELECT {columns} FROM ips_history WHERE network = '{self.network}' ORDER BY held_until, address")]

    def earlier(self):
        self.change(f"boot_id = '{OTHER_BOOT}', created_on = now() - interval '10 years', held_since = now() - interval '10 years'")

    def test_DEL_leaves_a_row_for_each_address_and_the_second_DEL_none(self):
        self.add(f'{A},fd00::1/64')
        for _ in range(2):
            self.allowed(self.ask('DEL'))
        self.assertEqual(self.spans(), [('pod1', '10.0.0.5'), ('pod1', 'fd00::1')])

    def test_GC(self):
        self.add(A, container='live')
        self.add(B, container='dead')
        self.allowed(self.ask('GC', conf={'cni.dev/valid-attachments': [{'containerID': 'live', 'ifname': 'eth0'}]}))
        self.assertEqual(self.spans(), [('dead', '10.0.0.6')])

    def test_a_takeover_and_who_had_it_then(self):
        self.add(A, container='old')
        self.earlier()
        self.add(A, container='new')
        self.assertEqual(self.spans(), [('old', '10.0.0.5')])
        had = "SELECT container FROM who_had('10.0.0.5', now() - interval '{}', '%s')" % self.network
        self.assertEqual(self.server.psql(had.format('1 year')), [['old']])
        self.assertEqual(self.server.psql(had.format('0')), [['new']])
        # one ends at the very moment at which the other begins
        self.assertEqual(self.spans('held_until = (SELECT held_since FROM ips WHERE network = ips_history.network)'), [('t',)])

    def test_an_undo(self):
        answer = self.ask('ADD', A, through=['sh', '-c', 'exec "$0" >/dev/full'])
        self.assertEqual((answer.rc, self.rows()), (1, []))
        self.assertEqual(self.spans(), [('pod1', '10.0.0.5')])

    def test_one_span_for_an_attachment_that_was_confirmed_after_a_reboot(self):
        self.add(A, container='pod1')
        self.change("created_on = now() - interval '1 hour', held_since = now() - interval '1 hour'")
        self.add(A, through=elsewhere(boot_id=OTHER_BOOT, up=60))
        self.assertEqual(self.rows("boot_id, created_on > now() - interval '10 min'"), [(OTHER_BOOT, 't')])
        self.allowed(self.ask('DEL', through=elsewhere(boot_id=OTHER_BOOT, up=60)))
        self.assertEqual(self.spans("boot_id, held_until - held_since BETWEEN '59 min' AND '70 min'"), [(OTHER_BOOT, 't')])

    def test_its_error_is_11_and_nothing_is_released(self):
        self.add(A)
        self.server.psql('ALTER TABLE public.ips_history RENAME TO elsewhere')
        try:
            for verb in ('DEL', 'GC'):
                self.refused(self.ask(verb, ipam={'timeout': 3}), 11, 'ips_history')
            self.allowed(self.ask('STATUS'))
            self.add(B, container='other')
        finally:
            self.server.psql('ALTER TABLE public.elsewhere RENAME TO ips_history')
        self.assertEqual(self.held(), [A, B])
        self.allowed(self.ask('DEL'))
        self.assertEqual(self.spans(), [('pod1', '10.0.0.5')])


if __name__ == '__main__':
    tap.main()
