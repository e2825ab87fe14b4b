#!/usr/bin/env python3
"""Warnings of the database that say nothing about the commit: every verb works. Needs root and a PostgreSQL server's programs.
Not run with sanitizers."""
import glob
import subprocess

import pg
import plugin_case
import tap
from plugin_case import BOTH

A, B = '10.0.0.5/24', '10.0.0.6/24'
XIDS = 4 * 8192 * 32    # of one file of pg_xact: four a byte, 32 pages
NEARLY = (2 ** 31 - 39_000_000) // XIDS


class Warned(plugin_case.PluginCase):
    def life(self, which):
        """Every verb, and what a taken address and a wrong one are told."""
        self.add(A, which=which)
        self.refused(self.ask('ADD', A, which=which, container='other'), 100, '10.0.0.5')
        self.refused(self.ask('ADD', B, which=which), 101, '10.0.0.5')
        self.allowed(self.ask('CHECK', A, which=which, conf={'prevResult': {'ips': [{'address': A}]}}))
        self.allowed(self.ask('STATUS', which=which))
        self.allowed(self.ask('DEL', which=which))
        self.add(B, which=which)
        self.allowed(self.ask('GC', which=which))
        self.assertEqual(self.held(), [])


class NearWraparound(Warned):
    """A database whose transaction ids end in 39 million: each statement that takes one is told so, and works."""

    @classmethod
    def setUpClass(cls):
        cls.server = pg.Server(max_prepared_transactions='1')
        cls.addClassCleanup(cls.server.close)
        cls.server.psql('CREATE TABLE public.held ()')
        cls.server.stop()
        cls.as_postgres(f'install -m 0600 /dev/null {cls.server.data}/pg_xact/{NEARLY:04X}')
        cls.as_postgres(f'truncate -s {XIDS // 4} {cls.server.data}/pg_xact/{NEARLY:04X}')
        cls.as_postgres(f'{pg.bindir()}/pg_resetwal -x {NEARLY * XIDS + 1000} -D {cls.server.data}')
        # Nobody can vacuum this table, so that the database stays as old as it is.
        cls.as_postgres(f'{pg.bindir()}/postgres --single -c max_prepared_transactions=1 -D {cls.server.data} ipam',
                        "BEGIN\nLOCK TABLE public.held IN SHARE UPDATE EXCLUSIVE MODE\nPREPARE TRANSACTION 'old'\n")
        cls.server.start()

    @staticmethod
    def as_postgres(command, said=''):
        subprocess.run(command.split(), input=said, check=True, capture_output=True, text=True, cwd='/', timeout=120, **pg.as_postgres())

    def test_every_verb_works(self):
        for which in BOTH:
            self.life(which)
        self.assertIn('must be vacuumed within', self.server.log())


class Talkative(Warned):
    """A server that explains every statement to its client, as a warning."""

    def test_every_verb_works(self):
        if not glob.glob(self.server.value("SELECT setting FROM pg_config WHERE name = 'PKGLIBDIR'") + '/auto_explain.*'):
            self.skipTest('no auto_explain')
        for setting in ("session_preload_libraries = 'auto_explain'", 'auto_explain.log_min_duration = 0', "auto_explain.log_level = 'warning'"):
            self.server.psql(f'ALTER ROLE cni SET {setting}')
        self.addCleanup(self.server.psql, 'ALTER ROLE cni RESET ALL')
        for which in BOTH:
            self.life(which)


if __name__ == '__main__':
    tap.main()
