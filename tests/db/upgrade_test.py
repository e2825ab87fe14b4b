"""A database of an older schema is upgraded while it is in use. Needs PostgreSQL's server programs and psql."""
import glob
import os
import signal
import subprocess
import threading
import time

import empty_database
import pg
import tap

MIGRATIONS = sorted(glob.glob(os.path.join(os.path.dirname(pg.MIGRATE), '*.sql')))
RIGHTS = """SELECT attname, grantee::regrole, string_agg(privilege_type || CASE WHEN is_grantable THEN '*' ELSE '' END, ' '
                   ORDER BY privilege_type)
              FROM pg_attribute CROSS JOIN aclexplode(attacl) WHERE attrelid = 'ips'::regclass GROUP BY 1, 2 ORDER BY 1, 2"""
INDEX = "SELECT count(*) FILTER (WHERE indisvalid), count(*) FROM pg_index WHERE indexrelid = to_regclass('public.ips_host')"
# What the executables of schema 1 send, with their time.
ADD_AND_DEL = """SET statement_timeout = '10s';
    INSERT INTO public.ips (pod_id, interface, ip, network, node, host_id, boot_id, pod_namespace, pod_name, pod_uid, position)
    SELECT 'c', 'eth0', '10.{0}.0.1/24', 'net', 'n{0}', 'h', 'b', NULL, NULL, NULL, 1
     WHERE 1 / (EXISTS (SELECT FROM public.ips_schema WHERE version >= 1)
                AND NOT EXISTS (SELECT FROM public.ips_schema WHERE works_with > 1))::int = 1;
    UPDATE public.ips SET boot_id = 'b2', created_on = now() WHERE network = 'net' AND node = 'n{0}';
    DELETE FROM public.ips WHERE network = 'net' AND node = 'n{0}' AND host_id = 'h' AND pod_id = 'c' AND interface = 'eth0'"""


class Upgrade(empty_database.Database):
    """The database is of schema 1, and role cni has the rights that it had with that."""

    limit = 120

    def setUp(self):
        super().setUp()
        self.run_file(MIGRATIONS[0])
        self.server.psql("""CREATE ROLE cni LOGIN PASSWORD 'cni'; CREATE ROLE viewer; CREATE ROLE clerk;
            GRANT SELECT, INSERT, DELETE, UPDATE (boot_id, created_on) ON ips TO cni; GRANT SELECT ON ips_schema TO cni""")

    def run_file(self, path):
        self.server.script('/usr/bin/env', 'psql', '-X', '-q', '-d', self.server.conninfo('ipam'), '-f', path)

    def rows(self, number, network='old', columns='', values=''):
        self.server.psql(f"""INSERT INTO ips (network, node, host_id, boot_id, pod_id, interface, ip, created_on{columns})
            SELECT '{network}', 'n' || i % 7, 'h' || i % 7, 'b', repeat('p', 50) || i, 'eth0', '10.0.0.0'::inet + i,
                   now() - interval '1 day' * (1 + i % 5){values} FROM generate_series(1, {number}) AS i""")

    def start(self):
        return subprocess.Popen([pg.MIGRATE, self.server.conninfo('ipam')], env=pg.clean_env(), start_new_session=True,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def ended(self, *runs):
        for run in runs:
            said = run.communicate(timeout=100)[0]
            self.assertEqual(run.returncode, 0, said)

    def killed(self, run):
        os.killpg(run.pid, signal.SIGKILL)
        run.communicate()
        self.wait_for("SELECT count(*) = 1 FROM pg_stat_activity WHERE datname = 'ipam' AND usename = 'postgres'")

    def complete(self, number):
        """All rows are there with what schema 1 did not know, and the index is."""
        self.assertEqual(self.server.psql(empty_database.VERSION), empty_database.LAST)
        self.assertEqual(self.server.psql("""SELECT count(*), count(*) FILTER (WHERE held_since = created_on AND machine = '')
                                               FROM ips WHERE network = 'old'"""), [[str(number)] * 2])
        self.assertEqual(self.server.psql(INDEX), [['1', '1']])

    def test_rows_of_before_are_held_since_they_were_recorded_on_a_machine_that_is_not_known(self):
        self.rows(2500)
        self.ended(self.start())
        self.complete(2500)

    def test_no_row_is_written_twice(self):
        self.rows(1000)
        self.migrate()
        before = self.server.psql('SELECT xmin, id FROM ips ORDER BY id')
        self.migrate()
        self.assertEqual(self.server.psql('SELECT xmin, id FROM ips ORDER BY id'), before)

    def test_what_is_recorded_later_is_held_since_then_and_a_confirmation_leaves_that_alone(self):
        self.migrate()
        self.rows(3, network='new')
        self.server.psql("UPDATE ips SET held_since = created_on; UPDATE ips SET created_on = now()")
        self.migrate()
        self.assertEqual(self.server.value('SELECT count(*) FROM ips WHERE held_since < created_on'), '3')

    def test_the_rights_of_the_columns_beside_them(self):
        self.server.psql("""GRANT SELECT (ip, boot_id, created_on) ON ips TO viewer;
            GRANT INSERT (boot_id, created_on), UPDATE (boot_id, created_on, node) ON ips TO clerk WITH GRANT OPTION""")
        self.migrate()
        rights = self.server.psql(RIGHTS)
        self.assertEqual([r for r in rights if r[0] in ('machine', 'held_since', 'position')], [
            ['held_since', 'viewer', 'SELECT'], ['held_since', 'clerk', 'INSERT*'],
            ['machine', 'cni', 'UPDATE'], ['machine', 'viewer', 'SELECT'], ['machine', 'clerk', 'INSERT* UPDATE*'],
            ['position', 'cni', 'UPDATE'], ['position', 'clerk', 'UPDATE*']])
        self.server.psql("UPDATE public.ips SET boot_id = 'b', machine = 'm', created_on = now(), position = 1",
                         user='cni', password='cni')
        self.refused('UPDATE public.ips SET held_since = now()', '42501', user='cni', password='cni')

    def test_adds_go_on_while_a_long_select_is_open(self):
        self.rows(20000)
        reader = self.server.session('BEGIN; SELECT count(*) FROM ips')
        self.wait_for("SELECT count(*) > 0 FROM pg_locks WHERE relation = 'ips'::regclass AND pid <> pg_backend_pid()")
        over, slowest, failed, done = threading.Event(), [0.0], [], [0]

        def adds(host):
            while not over.is_set():
                began = time.monotonic()
                try:
                    self.server.psql(ADD_AND_DEL.format(host), user='cni', password='cni')
                except pg.PsqlError as e:
                    failed.append(str(e))
                slowest[0] = max(slowest[0], time.monotonic() - began)
                done[0] += 1

        callers = [threading.Thread(target=adds, args=(host,)) for host in (201, 202)]
        for caller in callers:
            caller.start()
        runs = [self.start() for _ in range(4)]
        time.sleep(5)
        self.assertEqual([run.poll() for run in runs], [None] * 4)
        self.assertEqual(self.server.psql(empty_database.VERSION), [['1']])
        before = done[0]
        reader.communicate('COMMIT;\n', timeout=20)
        self.ended(*runs)
        over.set()
        for caller in callers:
            caller.join()
        self.assertEqual(failed, [])
        self.assertGreater(before, 3)
        self.assertLess(slowest[0], 5)
        self.complete(20000)

    def test_killed_at_any_moment_it_leaves_schema_1_or_2_and_the_next_run_completes_it(self):
        seen = set()
        for step in range(10):
            self.setUp()
            self.rows(3000)
            run = self.start()
            time.sleep(0.03 + step * 0.03)
            self.killed(run)
            columns = self.server.value("SELECT count(*) FROM pg_attribute WHERE attrelid = 'ips'::regclass "
                                        "AND attname IN ('machine', 'held_since')")
            seen.add(columns)
            self.assertEqual(columns, '2' if self.server.psql(empty_database.VERSION) != [['1']] else '0')
            self.migrate()
            self.complete(3000)
        self.assertIn('0', seen)

    def test_a_big_table_gets_its_index_without_a_lock_and_one_that_was_interrupted_is_made_again(self):
        self.rows(150000)
        writer = self.server.session("BEGIN; INSERT INTO ips (network, node, pod_id, interface, ip) "
                                     "VALUES ('w', 'n', 'p', 'eth0', '10.0.0.1')")
        held = "SELECT count(*) > 0 FROM pg_locks WHERE relation = 'ips'::regclass AND pid <> pg_backend_pid()"
        self.wait_for(held)
        run = self.start()
        time.sleep(1)
        writer.communicate('ROLLBACK;\n', timeout=20)
        self.wait_for("SELECT count(*) > 0 FROM pg_class WHERE relname = 'ips_host'")
        self.killed(run)
        self.server.psql("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ips_host'::regclass")
        self.migrate()
        self.complete(150000)

    def test_others_do_not_wait_for_the_run_that_makes_the_index(self):
        """It waits for them: one of the two would be ended as a deadlock."""
        self.rows(100)
        self.migrate()
        self.server.psql("DELETE FROM ips_schema WHERE version > 2;"
                         "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ips_host'::regclass")
        writer = self.server.session("BEGIN; INSERT INTO ips (network, node, pod_id, interface, ip) "
                                     "VALUES ('w', 'n', 'p', 'eth0', '10.0.0.1')")
        self.wait_for("SELECT count(*) > 0 FROM pg_locks WHERE relation = 'ips'::regclass AND pid <> pg_backend_pid()")
        first = self.start()
        self.wait_for("SELECT count(*) > 0 FROM pg_stat_activity "
                      "WHERE query ~ '^(DROP|CREATE) INDEX CONCURRENTLY' AND wait_event_type = 'Lock'")
        self.ended(*(self.start() for _ in range(3)))
        self.assertIsNone(first.poll())
        writer.communicate('ROLLBACK;\n', timeout=20)
        self.ended(first)
        self.complete(100)


if __name__ == '__main__':
    tap.main()
