#!/usr/bin/env python3
"""Log lines: their form, their levels, the log file. Needs a PostgreSQL server's programs and root."""
import datetime
import os
import re
import shutil
import stat
import tempfile
import time

import faults
import pg
import plugin
import plugin_case
import tap
from plugin_case import BOTH

A = '10.0.0.5/24'
LINE = re.compile(r'(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}[+-]\d\d:\d\d) \[(error|warning|info|debug)\] (.+)')


class Log(plugin_case.PluginCase):
    def setUp(self):
        super().setUp()
        self.dir = tempfile.mkdtemp(prefix='ipam-test.', dir='/var/tmp')
        self.addCleanup(shutil.rmtree, self.dir)
        self.file = os.path.join(self.dir, 'log')

    def lines(self, text):
        """(time, level, message) of each line; each must be one."""
        self.assertTrue(text == '' or text.endswith('\n'))
        found = [LINE.fullmatch(line) for line in text.splitlines()]
        self.assertTrue(all(found), text)
        return [match.groups() for match in found]

    def said(self, answer):
        """(level, message) of each line."""
        return [line[1:] for line in self.lines(answer.stderr)]

    def filed(self):
        with open(self.file, encoding='utf-8') as f:
            return f.read()


class Lines(Log):
    def test_each_is_local_time_with_offset_level_and_message(self):
        for zone, offset in (('UTC', '+00:00'), ('Asia/Kathmandu', '+05:45'), ('<-03>3', '-03:00')):
            before = time.time() - 0.001
            answer = self.ask('STATUS', env={'TZ': zone})
            when = self.lines(answer.stderr)[0][0]
            self.assertEqual(when[-6:], offset)
            self.assertTrue(before <= datetime.datetime.fromisoformat(when[:26] + offset).timestamp() <= time.time())

    def test_the_verb_is_logged_with_network_container_and_interface(self):
        for which in BOTH:
            for command in ('STATUS', 'GC'):
                self.assertEqual(self.said(self.ask(command, which=which)),
                                 [('info', f'INVOKED {command} network={self.network}')])
            for command in ('ADD', 'DEL', 'CHECK'):
                answer = self.ask(command, A, which=which, container='pod-a', ifname='net1')
                self.assertIn(('info', f'INVOKED {command} network={self.network} container=pod-a interface=net1'),
                              self.said(answer))

    def test_each_allocation_recorded_or_released_is_logged_with_its_reason(self):
        self.assertEqual(self.said(self.add(f'{A},fd00::5/64'))[1:],
                         [('info', 'recorded 10.0.0.5/24 for "pod1-eth0"'),
                          ('info', 'recorded fd00::5/64 for "pod1-eth0"')])
        self.assertIn(('info', '"pod1-eth0" holds what it asks for already'), self.said(self.add(f'{A},fd00::5/64')))
        released = [('info', f'successfully deleted the existing allocation for "pod1-eth0": {ip}')
                    for ip in ('10.0.0.5', 'fd00::5')]
        self.assertEqual(self.said(self.ask('DEL'))[1:], released)
        self.assertEqual(self.said(self.ask('DEL'))[1:], [])
        self.add(f'{A},fd00::5/64')
        self.assertCountEqual(self.said(self.ask('GC'))[1:], released)

    def test_an_error_is_logged_as_it_is_answered(self):
        answer = self.ask('ADD')
        self.assertEqual(self.said(answer)[-1], ('error', 'ADD: ' + answer.said))

    def test_each_names_the_pod_and_the_trace(self):
        args = f'IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=a1;K8S_POD_UID=u-1;IP={A}'
        trace = '4bf92f3577b34da6a3ce929d0e0e4736'
        for which in BOTH:
            for env, suffix in (({}, ' pod=default/a1'),
                                ({'TRACEPARENT': f'00-{trace}-00f067aa0ba902b7-01'}, f' pod=default/a1 trace={trace}'),
                                ({'TRACEPARENT': f'00-{trace}'}, ' pod=default/a1')):
                for command in ('ADD', 'CHECK', 'DEL'):
                    said = self.said(self.ask(command, which=which, args=args, env=env))
                    self.assertGreaterEqual(len(said), 2 if command != 'CHECK' else 1)
                    self.assertTrue(all(line.endswith(suffix) for _, line in said), said)
        self.assertIn(('debug', 'TRACEPARENT is malformed and ignored: "x" pod=default/a1'),
                      self.said(self.ask('DEL', args=args, ipam={'logLevel': 'debug'}, env={'TRACEPARENT': 'x'})))

    def test_what_comes_from_outside_cannot_make_a_line_of_its_own(self):
        evil = '10.0.0.5/24\n2026-01-01T00:00:00.000000000+00:00 [info] forged\x1b[2J\x7f\u0085'
        for how in (dict(args=f'IP={evil}'), dict(args=f'K8S_POD_NAME={evil}'), dict(env={'TRACEPARENT': evil}), dict(conf={'runtimeConfig': {'ips': [evil]}}), dict(ifname='a\x1bb'),
                    dict(ipam={'hots': evil}), dict(ipam={evil: 'x'}), dict(conf={'name': evil}),
                    dict(ipam={'logLevel': evil}), dict(ipam={'dbname': evil}), dict(container=evil),
                    dict(ipam={'logFile': self.dir + '/no/' + evil}), dict(ipam={'node': 'x\ny'})):
            for command in ('ADD', 'DEL'):
                with self.subTest(command=command, **how):
                    answer = self.ask(command, **how)
                    for _, level, message in self.lines(answer.stderr):
                        self.assertIn(level, ('error', 'warning', 'info'))
                        self.assertNotRegex(message, '[\x00-\x1f\x7f\x80-\x9f]')
                    self.assertNotIn('\n', answer.said)

    def test_a_row_from_the_database_cannot_either(self):
        self.add(A)
        self.change("pod_id = E'x\\n2026-01-01T00:00:00.000000000+00:00 [info] forged', pod_name = E'a\\u001b[2J'")
        for command in ('ADD', 'GC'):
            answer = self.ask(command, A)
            self.lines(answer.stderr)
            self.assertNotRegex(answer.said + answer.stderr.replace('\n', ''), '[\x00-\x1f]')


class Levels(Log):
    def test_each_shows_itself_and_what_is_worse(self):
        for level, shown in (('error', {'error'}), ('warning', {'error', 'warning'}),
                             ('info', {'error', 'warning', 'info'}), ('debug', {'error', 'warning', 'info', 'debug'})):
            ipam = {'logLevel': level, 'password': 'wrong', 'logFile': self.dir}
            with self.subTest(level=level):
                self.assertEqual({line[0] for line in self.said(self.ask('DEL', ipam=ipam))}, shown)

    def test_info_is_the_default(self):
        self.assertEqual([level for level, _ in self.said(self.ask('STATUS'))], ['info'])

    def test_a_success_at_warning_is_silent(self):
        for which in BOTH:
            for command in ('ADD', 'STATUS', 'DEL', 'GC'):
                self.assertEqual(self.ask(command, A, which=which, ipam={'logLevel': 'warning'}).stderr, '')

    def test_a_day_of_STATUS_is_what_the_README_of_the_examples_says(self):
        """Every five seconds, as some runtimes ask."""
        with open(os.path.join(pg.ROOT, 'examples', 'README.md'), encoding='utf-8') as f:
            table = re.findall(r'^\| (`error`.*|`info`|`debug`) \| ([0-9,]+) \| (?:about )?([0-9,]+) \|$', f.read(), re.M)
        said = {level: [int(number.replace(',', '')) for number in (well, down)] for levels, well, down in table
                for level in re.findall(r'\w+', levels)}
        levels = ('error', 'warning', 'info', 'debug')
        answers = faults.at_once([lambda level=level, ipam=ipam: self.ask('STATUS', ipam={'logLevel': level, **ipam})
                                  for ipam in ({'timeout': 10}, {'port': pg.free_port()}) for level in levels])
        lines = [len(self.said(answer)) * 86400 // 5 for answer in answers]
        for level, well, down in zip(levels, lines[:4], lines[4:]):
            self.assertEqual(well, said[level][0], level)
            # At debug each try has a line, and a busy machine makes fewer of them in two seconds.
            self.assertTrue(down == said[level][1] or level == 'debug' and down < 1.3 * said[level][1], (level, down))


class File(Log):
    def test_it_has_what_stderr_has(self):
        for which in BOTH:
            said = ''.join(self.ask(command, A, which=which, ipam={'logFile': self.file}).stderr
                           for command in ('ADD', 'STATUS', 'DEL'))
            self.assertEqual(self.filed(), said)
            os.unlink(self.file)

    def test_it_is_its_owners_alone_and_appended_to(self):
        self.ask('STATUS', ipam={'logFile': self.file}, through=['sh', '-c', 'umask 0; exec "$0"'])
        self.assertEqual(stat.S_IMODE(os.stat(self.file).st_mode), 0o600)
        first = self.filed()
        self.ask('STATUS', ipam={'logFile': self.file})
        self.assertTrue(self.filed().startswith(first) and len(self.filed()) > len(first))

    def test_only_the_IPAM_plugin_opens_it(self):
        answer = self.ask('ADD', which=plugin.NET, ipam={'logFile': self.file, 'type': 'none'})
        self.refused(answer, 7)
        self.assertFalse(os.path.exists(self.file))

    def test_one_that_cannot_be_opened_is_a_warning_and_the_verb_goes_on(self):
        for path in (self.dir + '/no/log', self.dir, '/proc/none', self.file + 'x' * 300):
            for which in BOTH:
                for command in ('ADD', 'STATUS', 'DEL'):
                    with self.subTest(path=path, which=which, command=command):
                        answer = self.allowed(self.ask(command, A, which=which, ipam={'logFile': path}))
                        self.assertIn('warning', [level for level, _ in self.said(answer)])
                        self.assertIn(path[:100], answer.stderr)

    def test_one_that_cannot_be_written_is_a_warning(self):
        answer = self.allowed(self.ask('STATUS', ipam={'logFile': '/dev/full'}))
        self.assertRegex(answer.stderr, r'\[warning\] cannot write the log file: No space left')

    def test_stdout_is_none(self):
        for path in ('/dev/stdout', '/proc/self/fd/1'):
            answer = self.add(A, ipam={'logFile': path})
            self.assertEqual(answer.addresses, [A])
            self.assertIn(('warning', f'the log file "{path}" is stdout, where the answer goes: not used'),
                          self.said(answer))

    def test_a_pipe_that_nobody_reads_holds_nobody_up(self):
        os.mkfifo(self.file)
        began = time.monotonic()
        self.allowed(self.ask('ADD', A, ipam={'logFile': self.file}))
        self.assertLess(time.monotonic() - began, 2)

    def test_many_at_once_keep_their_lines_whole(self):
        calls = [lambda i=i: self.ask('ADD', f'10.0.{i}.1/24', container=f'pod{i}', ipam={'logFile': self.file})
                 for i in range(12)]
        for answer in faults.at_once(calls):
            self.allowed(answer)
        self.assertEqual(len(self.lines(self.filed())), 24)


if __name__ == '__main__':
    tap.main()
