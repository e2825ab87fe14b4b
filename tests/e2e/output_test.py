#!/usr/bin/env python3
"""stdout: one JSON value and nothing else; what happens when it cannot be written or nobody reads it; secrets. Needs a
PostgreSQL server's programs and root."""
import os
import subprocess
import time

import faults
import pg
import plugin
import plugin_case
import tap
from plugin_case import BOTH

A, B = '10.0.0.5/24', '10.0.0.6/24'
OTHER_BOOT = '11111111-2222-3333-4444-555555555555'


class Output(plugin_case.PluginCase):
    def to(self, stdout, command='ADD', ip=A, which=plugin.IPAM, **how):
        """One call whose stdout is that; returns its exit status and what it said on stderr."""
        process = subprocess.Popen([os.path.join(plugin.BINDIR, which)], stdin=subprocess.PIPE, stdout=stdout,
                                   stderr=subprocess.PIPE, env=plugin.environment(command, args=f'IP={ip}', **how))
        _, err = process.communicate(plugin_case.bytes_of(self.conf()), 30)
        return process.returncode, err.decode()


class OneValue(Output):
    def test_every_verb_prints_one_line_of_JSON_or_nothing(self):
        for which in BOTH:
            for command, value in (('ADD', True), ('CHECK', False), ('STATUS', False), ('GC', False), ('DEL', False),
                                   ('VERSION', True)):
                answer = self.ask(command, A, which=which, conf={'prevResult': {'ips': [{'address': A}]},
                                                                'cni.dev/attachments': [{'containerID': 'pod1',
                                                                                         'ifname': 'eth0'}]})
                self.assertEqual(answer.rc, 0, answer.said)
                self.assertEqual(answer.stdout.count(b'\n'), int(value), answer.stdout)
                self.assertEqual(bool(answer.stdout), value)

    def test_an_error_is_one_line_of_JSON(self):
        for which in BOTH:
            answer = self.refused(self.ask('ADD', which=which), 7)
            self.assertEqual((answer.stdout.count(b'\n'), answer.stdout[-1:]), (1, b'\n'))

    def test_the_log_at_debug_stays_out_of_it(self):
        for which in BOTH:
            self.add(A, which=which, ipam={'logLevel': 'debug'})


class Full(Output):
    """An answer that cannot be written, on a full device for one."""

    def full(self, **how):
        with open('/dev/full', 'wb') as device:
            return self.to(device, **how)

    def test_what_was_inserted_is_released(self):
        for which in BOTH:
            status, said = self.full(which=which, ip=f'{A},{B}')
            self.assertEqual((status, self.rows()), (1, []), said)
            self.assertIn('No space left on device', said)

    def test_rows_that_were_only_confirmed_stay(self):
        self.add(A)
        status, said = self.full()
        self.assertEqual((status, self.held()), (1, [A]), said)

    def test_under_the_net_plugin_its_DEL_frees_them_all_the_same(self):
        self.add(A)
        status, said = self.full(which=plugin.NET)
        self.assertEqual((status, self.rows()), (1, []), said)

    def test_what_was_taken_from_an_earlier_boot_is_released(self):
        self.add(A, container='old')
        self.change(f"boot_id = '{OTHER_BOOT}', created_on = now() - interval '10 years'")
        self.assertEqual(self.full(ip=f'{A},{B}')[0], 1)
        self.assertEqual(self.rows(), [])

    def test_an_error_that_cannot_be_written_is_logged(self):
        for which in BOTH:
            status, said = self.full(which=which, ip='')
            self.assertEqual(status, 1)
            self.assertIn('address', said)

    def test_a_closed_stdout(self):
        for which in BOTH:
            answer = self.ask('ADD', A, which=which, through=['sh', '-c', 'exec "$0" >&-'])
            self.assertEqual((answer.rc, answer.stdout, self.rows()), (1, b'', []))
            self.allowed(self.ask('DEL', which=which, through=['sh', '-c', 'exec "$0" >&-']))

    def test_the_database_socket_never_becomes_stdout(self):
        for close in ('<&- >&-', '>&- 2>&-', '<&- >&- 2>&-'):
            answer = self.ask('ADD', A, through=['sh', '-c', f'exec "$0" {close}'])
            self.assertEqual((answer.rc, answer.stdout, self.rows()), (1, b'', []))


class Unread(Output):
    """Nobody reads the answer any more."""

    def to_nobody(self, **how):
        reader, writer = os.pipe()
        os.close(reader)
        try:
            return self.to(writer, **how)
        finally:
            os.close(writer)

    def test_before_it_begins_nothing_is_left(self):
        for which in BOTH:
            status, said = self.to_nobody(which=which)
            self.assertEqual((status, self.rows()), (1, []), said)

    def test_while_it_waits_for_a_lock_it_ends_and_nothing_is_left(self):
        for which in BOTH:
            with faults.Session(self.server) as session:
                session.say(f"BEGIN; INSERT INTO ips (pod_id, interface, ip, network, node) "
                            f"VALUES ('x', 'x', '{A}', '{self.network}', 'x')")
                process = faults.begin(which, 'ADD', self.conf(), args=f'IP={A}')
                faults.wait_until(lambda: faults.backends(self.server, "wait_event_type = 'Lock'"), 10, 'it waits')
                process.stdout.close()
                process.wait(3)
                process.stderr.close()
                faults.wait_until(lambda: not faults.backends(self.server), 3, 'the statement is cancelled')
                session.say('ROLLBACK')
            self.assertEqual((process.returncode, self.rows()), (1, []))

    def test_rows_that_were_only_confirmed_stay(self):
        self.add(A)
        self.to_nobody()
        self.assertEqual(self.held(), [A])


class Secrets(Output):
    SECRET = 'Zwölf-s3cr3t'

    def clean(self, answer):
        for part in ('s3cr3t', self.server.password):
            self.assertNotIn(part, answer.stdout.decode() + answer.stderr)
        return answer

    def test_no_error_and_no_log_line_has_the_password(self):
        self.add(A)
        for command in ('ADD', 'DEL', 'CHECK', 'STATUS', 'GC'):
            for ipam in ({}, {'password': self.SECRET}, {'port': pg.free_port()}, {'sslpassword': self.SECRET},
                         {'dbname': 'none', 'password': self.SECRET}, {'sslmode': 'x'}, {'hots': 1},
                         {'passwd': self.SECRET}, {'password': [self.SECRET]}, {'password': {'x': self.SECRET}},
                         {'sslkey': self.SECRET},
                         {'routes': self.SECRET}, {'addresses': [{'address': A, 'key': self.SECRET}]}):
                for which in BOTH:
                    with self.subTest(command=command, ipam=ipam, which=which):
                        self.clean(self.ask(command, A, which=which, ipam={'logLevel': 'debug', 'timeout': 0.5, **ipam},
                                            conf={'prevResult': {'ips': [{'address': A}]}}))

    def test_no_whole_configuration_is_printed(self):
        for ipam in ({'timeout': 0}, {'port': 0}, {'dbname': 'none'}):
            answer = self.clean(self.ask('ADD', A, ipam={'logLevel': 'debug', **ipam}))
            self.assertNotIn('"ipam"', answer.said + answer.stderr)

    def test_no_process_title_has_it(self):
        with plugin_case.silent_server() as port:
            conf = self.conf(ipam={'port': port, 'password': 's3cr3t', 'timeout': 4})
            process = faults.begin(plugin.NET, 'STATUS', conf)
            child = faults.child_of(process)
            titles = [b''] * 6
            end = time.monotonic() + 3
            while not all(titles) and time.monotonic() < end:  # empty while a program is being started
                titles = []
                for pid in (process.pid, child):
                    for name in ('cmdline', 'comm', 'environ'):
                        with open(f'/proc/{pid}/{name}', 'rb') as f:
                            titles.append(f.read())
            self.clean(plugin.finish(process, b''))
        self.assertTrue(child and all(titles))
        self.assertNotIn(b's3cr3t', b''.join(titles))

    def test_the_log_file_has_it_as_little(self):
        path = os.path.join(self.server.dir, 'plugin.log')
        for command in ('ADD', 'DEL', 'STATUS'):
            self.ask(command, A, ipam={'logFile': path, 'logLevel': 'debug'})
            self.ask(command, A, ipam={'logFile': path, 'logLevel': 'debug', 'password': 's3cr3t'})
        with open(path, encoding='utf-8') as f:
            text = f.read()
        self.assertIn('[debug]', text)
        self.assertNotIn(self.server.password, text)
        self.assertNotIn('s3cr3t', text)


if __name__ == '__main__':
    tap.main()
