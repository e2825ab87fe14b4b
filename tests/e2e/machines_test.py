#!/usr/bin/env python3
"""Which machine this is and since when it lives: system containers that start anew, clones of a disk, machine ids that do not
last, hosts that are renamed. Needs root for namespaces and a PostgreSQL server's programs."""
import time
import uuid

import plugin_case
import tap
from plugin_case import BOTH, elsewhere

A, B = '10.0.0.5/24', '10.0.0.6/24'


def life():
    """For through: a process namespace with a boot id of its own, whose process 1 starts now."""
    script = 'f=$(mktemp); echo "$1" >$f; mount --bind $f /proc/sys/kernel/random/boot_id; rm $f; shift; "$@"; exit $?'
    return ['unshare', '--mount', '--propagation', 'private', '--pid', '--fork', '--kill-child', '--mount-proc',
            'sh', '-c', script, 'sh', str(uuid.uuid4())]


class Restart(plugin_case.PluginCase):
    """A system container: its boot id is another at each start, its kernel's uptime is the physical host's, and its process 1 is young."""

    def setUp(self):
        super().setUp()
        self.add(A, container='before', through=life())
        time.sleep(0.2)

    def test_what_it_left_is_of_an_earlier_life(self):
        last = 'before'
        for which in BOTH:
            self.allowed(self.ask('ADD', A, container=f'after-{which}', which=which, through=life()), f'"{last}-eth0"')
            last = f'after-{which}'
            self.assertEqual(self.rows('pod_id'), [(last,)])
            time.sleep(0.2)

    def test_gc_frees_what_it_left_and_nothing_else(self):
        self.server.psql("INSERT INTO public.ips (pod_id, interface, ip, network, node, host_id, boot_id) SELECT"
                         f" 'far', interface, '{B}', network, 'far', host_id, boot_id FROM public.ips WHERE network = '{self.network}'")
        self.allowed(self.ask('GC', through=life()), '"before-eth0"')
        self.assertEqual(self.held(), [B])

    def test_the_same_container_keeps_its_address(self):
        self.assertEqual(self.add(A, container='before', through=life()).addresses, [A])
        self.allowed(self.ask('CHECK', A, container='before', conf={'prevResult': {'ips': [{'address': A}]}}, through=life()))

    def test_what_is_younger_than_its_process_1_is_of_another_host(self):
        """A clone that runs at the same time."""
        self.change("created_on = now() + interval '1 hour', held_since = now() + interval '1 hour'")
        self.refused(self.ask('ADD', A, container='after', through=life()), 100, 'before')
        self.allowed(self.ask('GC', through=life()), '[warning]')
        self.assertEqual(self.held(), [A])

    def test_an_old_process_1_leaves_the_kernel_s_word(self):
        """Without a process namespace of its own: process 1 is older than the row."""
        through = elsewhere(boot_id=str(uuid.uuid4()))
        self.refused(self.ask('ADD', A, container='after', through=through), 100, 'before')
        self.allowed(self.ask('GC', through=through), '[warning]')
        self.assertEqual(self.held(), [A])


class Clone(plugin_case.PluginCase):
    """A copy of the disk, with its host name and machine id, that was started after the original's pods."""

    def setUp(self):
        super().setUp()
        self.original = {'product_uuid': uuid.uuid4(), 'boot_id': str(uuid.uuid4())}
        self.add(A, container='live', through=elsewhere(**self.original))
        self.change("created_on = now() - interval '1 hour', held_since = now() - interval '1 hour'")
        self.clone = elsewhere(product_uuid=uuid.uuid4(), boot_id=str(uuid.uuid4()), up=60)

    def test_its_gc_leaves_the_original_s_and_says_what_to_do(self):
        self.allowed(self.ask('GC', through=self.clone), '[warning]', 'forget-node')
        self.assertEqual(self.held(), [A])

    def test_its_adds_get_none_of_the_original_s(self):
        for container in ('other', 'live'):
            for which in BOTH:
                self.refused(self.ask('ADD', A, container=container, which=which, through=self.clone), 100, 'live')
                self.assertEqual(self.rows('pod_id, boot_id'), [('live', self.original['boot_id'])])

    def test_its_del_of_the_same_container_leaves_the_original_s(self):
        self.allowed(self.ask('DEL', container='live', through=self.clone), '[warning]')
        self.assertEqual(self.held(), [A])

    def test_the_machine_itself_takes_over_what_its_earlier_boot_left(self):
        """Also one whose firmware says nothing, for then it may be the same."""
        for container, machine in (('same', self.original['product_uuid']), ('unknown', '00000000-0000-0000-0000-000000000000')):
            self.add(A, container=container, through=elsewhere(product_uuid=machine, boot_id=str(uuid.uuid4()), up=60))
            self.change("created_on = now() - interval '1 hour', held_since = now() - interval '1 hour'")
        self.allowed(self.ask('GC', through=elsewhere(product_uuid=self.original['product_uuid'], boot_id=str(uuid.uuid4()), up=60)))
        self.assertEqual(self.held(), [])


class Names(plugin_case.PluginCase):
    def test_a_machine_id_that_is_new_at_each_boot_is_refused(self):
        """It is the very file that systemd keeps in memory."""
        through = ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', 'mount -t tmpfs tmpfs /run; tr -d - '
                   '</proc/sys/kernel/random/uuid >/run/machine-id; mount --bind /run/machine-id /etc/machine-id; exec "$0"']
        for which in BOTH:
            self.refused(self.ask('ADD', A, which=which, through=through), 7, '"node"')
            self.assertEqual(self.add(A, which=which, ipam={'node': 'here'}, through=through).addresses, [A])
            self.allowed(self.ask('DEL', which=which, ipam={'node': 'here'}, through=through))

    def test_del_after_the_host_got_its_name_frees_what_it_recorded_before(self):
        machine = uuid.uuid4()
        self.add(A, through=elsewhere(name='localhost', product_uuid=machine))
        self.add(B, through=elsewhere(name='localhost', product_uuid=uuid.uuid4()), container='far')
        self.allowed(self.ask('DEL', through=elsewhere(name='node-7', product_uuid=machine)), '"pod1-eth0"')
        self.allowed(self.ask('DEL', container='far', through=elsewhere(name='node-7', product_uuid=machine)))
        self.assertEqual(self.held(), [B])


if __name__ == '__main__':
    tap.main()
