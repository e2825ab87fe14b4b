"""A TestCase whose tests each begin with an empty database "ipam" on the class's own server."""
import os
import time
import unittest

import pg

# The number of the last migration, as psql() says it.
LAST = [[str(max(int(name.split('-')[0]) for name in os.listdir(os.path.dirname(pg.MIGRATE)) if name.endswith('.sql')))]]
VERSION = 'SELECT max(version) FROM public.ips_schema'


class Database(unittest.TestCase):
    """No role of ours exists; every other database is gone."""

    settings = {}

    @classmethod
    def setUpClass(cls):
        cls.server = pg.Server(provision=False, **cls.settings)
        cls.addClassCleanup(cls.server.close)

    def setUp(self):
        self.wipe()
        self.server.psql('CREATE DATABASE ipam TEMPLATE template0', dbname='postgres')

    def wipe(self):
        """Removes all databases but the server's own, and all roles but the superuser."""
        self.server.psql('''
            SELECT format('DROP DATABASE %I WITH (FORCE)', datname) FROM pg_database
             WHERE datname NOT IN ('postgres', 'template0', 'template1') \\gexec
            SELECT format('DROP OWNED BY %I', rolname) FROM pg_roles WHERE oid >= 16384 \\gexec
            SELECT format('DROP ROLE %I', rolname) FROM pg_roles WHERE oid >= 16384 \\gexec
            ALTER ROLE ALL RESET ALL''', dbname='postgres')

    def major(self):
        """The server's major version."""
        return int(self.server.value('SHOW server_version_num', dbname='postgres')) // 10000

    def migrate(self, **how):
        return self.server.script(pg.MIGRATE, self.server.conninfo('ipam'), **how)

    def provision(self, password='cni', dbname='postgres', **how):
        return self.server.script(pg.PROVISION, self.server.conninfo(dbname), IPAM_PASSWORD=password, **how)

    def refused(self, sql, sqlstate, **how):
        """Running this SQL must end in this SQLSTATE."""
        with self.assertRaises(pg.PsqlError) as caught:
            self.server.psql(sql, **how)
        self.assertIn(f' {sqlstate}: ', str(caught.exception))

    def wait_for(self, sql, **how):
        """Until this SQL says true, for 20 seconds."""
        end = time.monotonic() + 20
        while self.server.value(sql, **how) != 't':
            self.assertLess(time.monotonic(), end, sql)
            time.sleep(0.05)
