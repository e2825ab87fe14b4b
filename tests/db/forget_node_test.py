"""sql/admin/forget-node.sh: what it shows, what it releases, and when it releases nothing. Needs PostgreSQL's server
programs and psql."""
import os
import subprocess
import unittest

import pg
import tap

FORGET = os.path.join(pg.ROOT, 'sql', 'admin', 'forget-node.sh')
ROWS = 'SELECT network, pod_id FROM public.ips ORDER BY 1, 2'
ALL = [['a', 'p1'], ['a', 'p2'], ['a', 'p3'], ['a', 'q1'], ['b', 'p1'], ['b', 'p4']]


class Forget(unittest.TestCase):
    """gone: one host; twice: a host, and its successor with another machine id and other hardware."""

    limit = 120

    @classmethod
    def setUpClass(cls):
        cls.server = pg.Server()
        cls.addClassCleanup(cls.server.close)

    def setUp(self):
        self.server.psql("""DELETE FROM ips;
            INSERT INTO ips (network, node, host_id, machine, pod_id, interface, ip) VALUES
            ('a', 'gone', 'h1', 'm1', 'p1', 'eth0', '10.0.0.1/24'), ('a', 'gone', 'h1', 'm1', 'p2', 'eth0', '10.0.0.2/24'),
            ('b', 'gone', 'h1', 'm1', 'p1', 'eth0', '10.0.0.1/24'), ('a', 'twice', 'h2', 'm2', 'p3', 'eth0', '10.0.0.3/24'),
            ('b', 'twice', 'h2', '', 'p4', 'eth0', '10.0.0.4/24'), ('a', 'it''s', '', '', 'q1', 'eth0', '10.0.0.9/24')""")

    def forget(self, *args, said='', user='postgres', rc=0, **env):
        done = subprocess.run([FORGET, *args[:-1], self.server.conninfo('ipam', user), args[-1]], input=said, text=True,
                              env=pg.clean_env(**env), capture_output=True, timeout=60, check=False)
        self.assertEqual(done.returncode, rc, done.stdout + done.stderr)
        return done

    def left(self, *names):
        self.assertEqual([row for row in self.server.psql(ROWS) if row[1] not in names], self.server.psql(ROWS))
        return [row for row in ALL if row not in self.server.psql(ROWS)]

    def test_all_that_it_holds_is_shown_and_released(self):
        done = self.forget('--yes', 'gone')
        for word in ('h1', 'm1', '3', 'a b'):
            self.assertIn(word, done.stdout)
        self.assertIn('Released: 3', done.stdout)
        self.assertEqual(self.left(), [['a', 'p1'], ['a', 'p2'], ['b', 'p1']])

    def test_one_network(self):
        self.forget('--yes', '--network', 'b', 'gone')
        self.assertEqual(self.left(), [['b', 'p1']])

    def test_it_asks_and_only_yes_is_yes(self):
        for said in ('', 'no\n', '\n', 'y\n'):
            self.assertIn('nothing was released', self.forget('gone', said=said, rc=1).stderr)
        self.assertEqual(self.left(), [])
        self.forget('gone', said='yes\n')
        self.assertEqual(len(self.left()), 3)

    def test_dry_run_releases_nothing(self):
        self.assertIn('m1', self.forget('--dry-run', 'gone').stdout)
        self.assertEqual(self.left(), [])

    def test_more_than_one_group_is_refused_until_it_is_said_which(self):
        done = self.forget('--yes', 'twice', rc=1)
        self.assertIn('--machine', done.stderr)
        self.assertIn('m2', done.stdout)
        self.forget('--yes', '--host-id', 'h2', 'twice', rc=1)
        self.assertEqual(self.left(), [])
        self.forget('--yes', '--machine', '', 'twice')
        self.assertEqual(self.left(), [['b', 'p4']])
        self.forget('--yes', 'twice')
        self.assertEqual(self.left(), [['a', 'p3'], ['b', 'p4']])

    def test_what_was_confirmed_or_recorded_meanwhile_stays(self):
        process = subprocess.Popen([FORGET, self.server.conninfo('ipam'), 'gone'], env=pg.clean_env(), stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        said = ''
        while 'holds' not in said:
            self.assertIsNone(process.poll())
            said = process.stdout.readline()
        self.server.psql("""UPDATE ips SET created_on = now() WHERE node = 'gone' AND pod_id = 'p2';
            INSERT INTO ips (network, node, host_id, machine, pod_id, interface, ip)
            VALUES ('a', 'gone', 'h1', 'm1', 'late', 'eth0', '10.0.0.7/24')""")
        stderr = process.communicate('yes\n', timeout=60)[1]
        self.assertEqual(process.returncode, 1)
        self.assertIn('really gone', stderr)
        self.assertEqual(self.left(), [['a', 'p1'], ['b', 'p1']])
        self.assertEqual(self.server.value("SELECT count(*) FROM ips WHERE pod_id = 'late'"), '1')

    def test_any_name(self):
        self.forget('--yes', "it's")
        self.assertEqual(self.left(), [['a', 'q1']])

    def test_role_cni_may_do_it(self):
        done = subprocess.run([FORGET, '--yes', self.server.conninfo('ipam', 'cni', self.server.host), 'gone'], check=False,
                              env=pg.clean_env(PGPASSWORD=self.server.password), capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(len(self.left()), 3)

    def test_many_rows(self):
        self.server.psql("""INSERT INTO ips (network, node, pod_id, interface, ip)
            SELECT 'c', 'big', i, 'eth0', '10.0.0.0'::inet + i FROM generate_series(1, 30000) AS i""")
        self.assertIn('Released: 30000', self.forget('--yes', 'big').stdout)

    GRAB = """CREATE ROLE mallory; CREATE FUNCTION public.grab() RETURNS {} LANGUAGE plpgsql
        AS 'BEGIN RESET ROLE; ALTER ROLE mallory SUPERUSER; RETURN {}; END';"""

    def grabs_nothing(self):
        """The owner's role alone would not do: what is planted can leave it."""
        done = self.forget('--yes', 'gone', rc=1)
        self.assertIn("somebody's code would run", done.stderr)
        self.assertEqual(self.server.value("SELECT rolsuper FROM pg_roles WHERE rolname = 'mallory'"), 'f')

    def test_what_was_put_into_the_table_s_place_is_not_read(self):
        self.server.psql(f"""ALTER TABLE ips RENAME TO real; {self.GRAB.format('text', "''gone''")}
            CREATE VIEW ips AS SELECT public.grab() AS node, ''::text AS host_id, ''::text AS machine, now() AS created_on,
                   ''::text AS network, 1 AS id; ALTER VIEW ips OWNER TO mallory""")
        try:
            self.grabs_nothing()
        finally:
            self.server.psql('DROP VIEW ips; DROP FUNCTION grab(); ALTER TABLE real RENAME TO ips; DROP ROLE mallory')

    def test_a_trigger_of_the_table_s_owner_is_not_run(self):
        self.server.psql(f"""{self.GRAB.format('trigger', 'OLD')}
            CREATE TRIGGER grab BEFORE DELETE ON ips FOR EACH ROW EXECUTE FUNCTION public.grab()""")
        try:
            self.grabs_nothing()
        finally:
            self.server.psql('DROP TRIGGER grab ON ips; DROP FUNCTION grab(); DROP ROLE mallory')
        self.assertEqual(self.left(), [])

    def test_nobody_and_wrong_usage(self):
        self.assertIn('holds no address', self.forget('--yes', 'nobody', rc=1).stderr)
        for args in ([], [''], ['a', 'b', 'c'], ['--network'], ['--what', 'x'], ['--yes', '--dry-run', 'x']):
            done = subprocess.run([FORGET, *args], env=pg.clean_env(), capture_output=True, text=True, check=False, timeout=20)
            self.assertEqual(done.returncode, 2, args)
            self.assertIn('usage', done.stderr)


if __name__ == '__main__':
    tap.main()
