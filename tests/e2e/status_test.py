#!/usr/bin/env python3
"""STATUS: could an ADD succeed now? Needs a PostgreSQL server's programs."""
import contextlib
import time

import faults
import pg
import plugin_case
import tap
from plugin_case import BOTH

A = '10.0.0.5/24'


class Status(plugin_case.PluginCase):
    def ready(self, **how):
        for which in BOTH:
            answer = self.allowed(self.ask('STATUS', which=which, **how))
            self.assertEqual(answer.stdout, b'')

    def not_ready(self, *words, ipam=None):
        for which in BOTH:
            self.refused(self.ask('STATUS', which=which, ipam={'timeout': 0.7, **(ipam or {})}), 50, *words)

    @contextlib.contextmanager
    def changed(self, do, undo):
        """Inside, the database is as the first SQL leaves it. ADD and STATUS say the same of it."""
        self.ready()
        self.server.psql(do)
        try:
            yield
        finally:
            self.server.psql(undo)
        self.ready()


class Ready(Status):
    def test_it_is_quiet(self):
        self.ready()
        self.ready(conf={'prevResult': None}, env={'CNI_CONTAINERID': None, 'CNI_NETNS': None, 'CNI_IFNAME': None})

    def test_it_reads_once_and_leaves_nothing_behind(self):
        sent = self.statements(lambda: self.allowed(self.ask('STATUS')))
        self.assertEqual(len(sent), 1, sent)
        self.assertRegex(sent[0], r'^SELECT ')
        self.assertNotRegex(sent[0], r'\b(INSERT INTO|UPDATE \w|DELETE FROM|FOR UPDATE|nextval|lock)\b')
        self.assertEqual(self.rows(), [])
        self.assertEqual(self.server.value("SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
                                           " WHERE usename = 'cni'"), '0')

    def test_it_asks_for_no_address(self):
        self.ready(ipam={'addresses': [{'address': 'x'}]}, env={'CNI_ARGS': 'nonsense'})

    def test_a_newer_schema_that_works_with_this_build_is_fine(self):
        with self.changed('INSERT INTO ips_schema VALUES (99, 1)', 'DELETE FROM ips_schema WHERE version = 99'):
            self.ready()
            self.add(A)
            self.allowed(self.ask('DEL'))


class NotReady(Status):
    def test_nobody_listens(self):
        self.not_ready('database', ipam={'port': pg.free_port()})

    def test_wrong_password_role_or_database(self):
        for ipam in ({'password': 'wrong'}, {'user': 'nobody'}, {'dbname': 'none'}):
            self.not_ready('database', ipam=ipam)

    def test_a_server_that_stops_and_starts(self):
        self.ready()
        self.server.stop()
        try:
            self.not_ready('database')
        finally:
            self.server.start()
        self.ready()

    def test_no_schema(self):
        for table in ('ips', 'ips_schema'):
            with self.changed(f'ALTER TABLE {table} RENAME TO gone', f'ALTER TABLE gone RENAME TO {table}'):
                self.not_ready('migrate.sh')
                self.refused(self.ask('ADD', A), 11, 'migrate.sh')

    def test_a_schema_of_another_version(self):
        for version, works_with, words in ((0, 0, 'migrate.sh'), (99, 99, 'plugins')):
            with self.changed('CREATE TABLE was AS TABLE ips_schema; DELETE FROM ips_schema;'
                              f'INSERT INTO ips_schema VALUES ({version}, {works_with})',
                              'DELETE FROM ips_schema; INSERT INTO ips_schema TABLE was; DROP TABLE was'):
                self.not_ready('schema', words)
                for verb in ('ADD', 'DEL', 'GC'):
                    self.refused(self.ask(verb, A), 11, 'schema', 'migrate.sh')

    def test_a_schema_without_a_version(self):
        with self.changed('CREATE TABLE was AS TABLE ips_schema; DELETE FROM ips_schema',
                          'INSERT INTO ips_schema TABLE was; DROP TABLE was'):
            self.not_ready('schema')
            self.refused(self.ask('ADD', A), 11, 'schema')

    def test_a_right_that_is_missing(self):
        for right in ('SELECT', 'INSERT', 'DELETE', 'UPDATE (boot_id)', 'UPDATE (created_on)'):
            with self.changed(f'REVOKE {right} ON ips FROM cni', f'GRANT {right} ON ips TO cni'):
                self.not_ready('provision.sh')
        with self.changed('REVOKE SELECT ON ips_schema FROM cni', 'GRANT SELECT ON ips_schema TO cni'):
            self.not_ready('provision.sh')

    def test_a_missing_right_is_named_by_ADD_too(self):
        with self.changed('REVOKE INSERT ON ips FROM cni', 'GRANT INSERT ON ips TO cni'):
            self.refused(self.ask('ADD', A), 11, '42501', 'provision.sh')

    def test_read_only(self):
        with self.changed('ALTER ROLE cni SET default_transaction_read_only = on',
                          'ALTER ROLE cni RESET default_transaction_read_only'):
            self.not_ready('read-only')
            self.refused(self.ask('ADD', A, ipam={'timeout': 1}), 11)

    def test_hidden_warnings(self):
        for role in ('ROLE cni', 'DATABASE ipam', 'ROLE cni IN DATABASE ipam'):
            with self.changed(f'ALTER {role} SET client_min_messages = error',
                              f'ALTER {role} RESET client_min_messages'):
                self.not_ready('client_min_messages')
        self.not_ready('client_min_messages', ipam={'options': '-c client_min_messages=error'})
        self.ready(ipam={'options': '-c client_min_messages=warning'})

    def test_it_does_not_wait_longer_than_its_time(self):
        with plugin_case.silent_server() as port:
            for ipam, seconds in (({}, 2), ({'timeout': 0.4}, 0.4)):
                began = time.monotonic()
                self.refused(self.ask('STATUS', ipam={'port': port, **ipam}), 50)
                self.assertLess(time.monotonic() - began, seconds + 2 * faults.SLACK)

    def test_a_locked_table_does_not_hold_it_up(self):
        with faults.Session(self.server) as session:
            session.say('BEGIN; LOCK ips IN EXCLUSIVE MODE')
            self.ready()


class Codes(Status):
    """What is wrong with the call itself keeps its code."""

    def test_they_are_kept(self):
        for code, how in ((1, dict(version='1.0.0')), (1, dict(version='3.0.0')), (2, dict(ipam={'hots': 'x'})),
                          (4, dict(env={'CNI_PATH': None})), (6, dict(conf=b'{')), (6, dict(conf=b'')),
                          (7, dict(conf={'name': None})), (7, dict(conf={'ipam': None})),
                          (7, dict(ipam={'port': 0})), (7, dict(ipam={'routes': [{'dst': 'x'}]})),
                          (7, dict(ipam={'ranges': [[{'subnet': '10.0.0.1/24'}]]})), (7, dict(ipam={'dns': 5}))):
            with self.subTest(code=code, **how):
                self.refused(self.ask('STATUS', **how), code)


if __name__ == '__main__':
    tap.main()
