#!/usr/bin/env python3
"""A trace that the runtime follows (TRACEPARENT) is found in the database's log. Needs root, pgbouncer and a PostgreSQL
server's programs. Not run with sanitizers."""
import functools
import re
import unittest

import pg
import plugin
import plugin_case
import pooler
import tap
from plugin_case import BOTH

A = '10.0.0.5/24'
TRACE, OTHER = '4bf92f3577b34da6a3ce929d0e0e4736', '00000000000000000000000000000001'
POD = 'a' * 20 + '-._' + 'B' * 41


@functools.cache
def server():
    """One that logs who says what."""
    return pg.Server(log_line_prefix='%a| ', log_statement='all', log_connections='on')


class Trace(plugin_case.PluginCase):
    @classmethod
    def setUpClass(cls):
        cls.server = server()

    def named(self, work):
        """The names under which statements came meanwhile, each once, in their order."""
        before = len(self.server.log())
        work()
        return list(dict.fromkeys(re.findall(r'^(.*)\| LOG:  (?:statement: (?!SET)|execute)', self.server.log()[before:], re.M)))

    def traced(self, *args, trace=TRACE, **how):
        env = {'TRACEPARENT': f'00-{trace}-00f067aa0ba902b7-01', **how.pop('env', {})}
        return self.allowed(self.ask(*args, env=env, **how))


class Direct(Trace):
    def test_each_verb_with_trace_and_container(self):
        prev = {'prevResult': {'ips': [{'address': A}]}}
        for which in BOTH:
            for verb, conf, name in (('ADD', None, f'ADD {TRACE} {POD}'), ('CHECK', prev, f'CHECK {TRACE} {POD}'),
                                     ('DEL', None, f'DEL {TRACE} {POD}'), ('STATUS', None, f'STATUS {TRACE}'), ('GC', None, f'GC {TRACE}')):
                with self.subTest(verb, which=which):
                    said = self.named(lambda v=verb, c=conf, w=which: self.traced(v, A, conf=c, which=w, container=POD))
                    self.assertEqual(said, [name[:63]])

    def test_the_connection_is_logged_under_it(self):
        before = len(self.server.log())
        self.traced('STATUS')
        self.assertIn(f'connection authorized: user=cni database=ipam application_name=STATUS {TRACE}', self.server.log()[before:])

    def test_a_delegate_that_is_asked_to_undo_has_the_same_trace(self):
        """The net plugin's own DEL after an ADD that failed."""
        self.add(A, container='other')
        env = {'TRACEPARENT': f'00-{TRACE}-00f067aa0ba902b7-01'}
        said = self.named(lambda: self.refused(self.ask('ADD', A, which=plugin.NET, env=env), 100))
        self.assertEqual(said, [f'ADD {TRACE} pod1', f'DEL {TRACE} pod1'])

    def test_without_one_that_is_well_formed_it_is_the_plugins_name(self):
        for env in ({}, {'TRACEPARENT': ''}, {'TRACEPARENT': f'00-{TRACE}'}, {'TRACEPARENT': f"00-{TRACE[:-1]}'-00f067aa0ba902b7-01"}):
            self.assertEqual(self.named(lambda e=env: self.allowed(self.ask('STATUS', env=e))), ['ipam-status-cni'])

    def test_a_name_in_the_configuration_wins_and_one_in_the_environment_is_nothing(self):
        for ipam, name in (({'application_name': 'mine'}, 'mine'), ({'application_name': ''}, f'STATUS {TRACE}'), ({}, f'STATUS {TRACE}')):
            said = self.named(lambda i=ipam: self.traced('STATUS', ipam=i, env={'PGAPPNAME': 'theirs'}))
            self.assertEqual(said, [name])


@unittest.skipUnless(pooler.available(), 'no pgbouncer')
class Pooled(Trace):
    """One server connection for all callers: each has it under its own name."""

    def setUp(self):
        super().setUp()
        self.pooler = pooler.Pooler(self.server, size=1)
        self.addCleanup(self.pooler.close)

    def conf(self, version='1.1.0', ipam=None, more=None):
        return super().conf(version, {'host': self.pooler.dir, 'port': self.pooler.port, **(ipam or {})}, more)

    def test_each_call_under_its_own_name(self):
        def calls():
            self.traced('ADD', A, container=POD)
            self.traced('STATUS', trace=OTHER)
            self.allowed(self.ask('STATUS'))
            self.traced('DEL', container=POD, trace=OTHER)
        self.assertEqual(self.named(calls), [f'ADD {TRACE} {POD}'[:63], f'STATUS {OTHER}', 'ipam-status-cni', f'DEL {OTHER} {POD}'[:63]])


del Trace  # no tests by itself

if __name__ == '__main__':
    tap.main()
