"""The migrations of sql/ on new and on migrated databases. Needs PostgreSQL's server programs and psql."""
import glob
import os
import shutil
import signal
import subprocess
import tempfile
import time

import empty_database
import pg
import tap

COLUMNS = '''id bigint, pod_id text, interface text, ip inet, created_on timestamp with time zone, network text,
node text, host_id text, boot_id text, pod_namespace text, pod_name text, pod_uid text, position smallint,
machine text, held_since timestamp with time zone'''.replace('\n', ' ').split(', ')
SHAPE = '''SELECT table_name, column_name, data_type, collation_name, is_nullable, column_default
             FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, ordinal_position'''
MIGRATIONS = sorted(glob.glob(os.path.join(os.path.dirname(pg.MIGRATE), '*.sql')))
EACH = 'SELECT version, works_with FROM ips_schema ORDER BY version'
APPLIED = [[str(n), '1'] for n in range(1, int(empty_database.LAST[0][0]) + 1)]
INSERT = "INSERT INTO ips (network, node, pod_id, interface, ip, position) VALUES ('{}', 'n', '{}', 'eth0', '{}', {})"


class Migrate(empty_database.Database):
    def test_a_new_database_gets_the_table_and_its_version(self):
        done = self.migrate()
        self.assertEqual(done.stderr, '')
        rows = self.server.psql(SHAPE)
        self.assertEqual([f'{r[1]} {r[2]}' for r in rows if r[0] == 'ips'][:len(COLUMNS)], COLUMNS)
        may_be_null = {r[1] for r in rows if r[0] == 'ips' and r[4] == 'YES'}
        self.assertEqual(may_be_null, {'pod_namespace', 'pod_name', 'pod_uid'})
        self.assertEqual(self.server.psql(EACH), APPLIED)
        self.assertEqual(self.server.value('SELECT count(*) FROM ips_rejected'), '0')

    def test_text_that_counts_does_not_depend_on_a_collation(self):
        self.migrate()
        texts = {r[1]: r[3] for r in self.server.psql(SHAPE) if r[0] == 'ips'}
        self.assertEqual({texts[c] for c in ('network', 'node', 'host_id', 'boot_id', 'machine', 'pod_id', 'interface')},
                         {'C'})

    def test_one_network_has_an_address_once_whatever_its_prefix_or_spelling(self):
        self.migrate()
        self.server.psql(INSERT.format('a', 'p', '10.0.0.1/24', 1) + ';' + INSERT.format('a', 'q', 'fd00::1/64', 1))
        for again in ('10.0.0.1/24', '10.0.0.1/16', '10.0.0.1', 'fd00:0:0::0001/64', 'FD00::1/48'):
            with self.subTest(again):
                self.refused(INSERT.format('a', 'other', again, 1), '23505')

    def test_two_networks_may_have_one_address(self):
        self.migrate()
        self.server.psql(INSERT.format('a', 'p', '10.0.0.1/24', 1) + ';' + INSERT.format('b', 'p', '10.0.0.1/24', 1))

    def test_an_attachment_has_one_set(self):
        self.migrate()
        self.server.psql(INSERT.format('a', 'p', '10.0.0.1/24', 1) + ';' + INSERT.format('a', 'p', '10.0.0.2/24', 2))
        self.refused(INSERT.format('a', 'p', '10.0.0.3/24', 1), '23505')

    def test_a_set_without_a_position_is_a_first_one(self):
        self.migrate()
        insert = INSERT.replace(', position', '').replace(', {})', ')')
        self.server.psql(insert.format('a', 'p', '10.0.0.1/24'))
        self.refused(insert.format('a', 'p', '10.0.0.2/24'), '23505')

    def test_a_host_s_rows_are_found_by_an_index(self):
        self.migrate()
        self.server.psql('''INSERT INTO ips (network, node, pod_id, interface, ip)
            SELECT 'a', 'n' || i % 100, i, 'eth0', '10.0.0.0'::inet + i FROM generate_series(1, 20000) AS i''')
        plan = self.server.psql("EXPLAIN DELETE FROM ips WHERE network = 'a' AND node = 'n7' AND host_id = ''")
        self.assertIn('Index Scan using ips_', str(plan))

    def test_a_machine_s_rows_under_any_name_are_found_by_an_index(self):
        self.migrate()
        plan = self.server.psql("""SET enable_seqscan = off;
            EXPLAIN SELECT FROM ips WHERE network = 'a' AND host_id = 'h' AND pod_id = 'p' AND interface = 'eth0'""")
        self.assertIn('using ips_host', str(plan))

    def test_again_changes_nothing(self):
        self.migrate()
        before = self.server.psql(SHAPE) + self.server.psql('SELECT * FROM ips_schema')
        self.assertEqual(self.migrate().stderr, '')
        self.assertEqual(self.server.psql(SHAPE) + self.server.psql('SELECT * FROM ips_schema'), before)

    def test_four_at_once_are_like_one(self):
        command = [pg.MIGRATE, self.server.conninfo('ipam')]
        runs = [subprocess.Popen(command, env=pg.clean_env(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                 text=True) for _ in range(4)]
        for run in runs:
            said = run.communicate(timeout=60)[0]
            self.assertEqual(run.returncode, 0, said)
        self.assertEqual(self.server.psql(EACH), APPLIED)

    def test_a_sequence_behind_the_rows_is_put_behind_them(self):
        self.migrate()
        ids = "INSERT INTO ips (id, network, node, pod_id, interface, ip) VALUES ({0}, 'a', 'n', 'p{0}', 'eth0', '10.0.0.{0}/24')"
        self.server.psql(';'.join(ids.format(n) for n in (1, 2, 9)))
        self.refused(INSERT.format('a', 'x', '10.0.0.100', 1), '23505')
        self.assertIn('the ids go on behind 9', self.migrate().stdout)
        self.server.psql(INSERT.format('a', 'x', '10.0.0.100', 1))
        self.assertEqual(self.server.value("SELECT id FROM ips WHERE pod_id = 'x'"), '10')
        self.assertNotIn('the ids', self.migrate().stdout)

    def test_a_newer_schema_does_not_stop_it(self):
        self.migrate()
        for newer in ("INSERT INTO ips_schema VALUES (7, 1)", "DELETE FROM ips_schema WHERE version < 7",
                      "ALTER TABLE ips RENAME TO ips_of_tomorrow"):
            self.server.psql(newer)
            self.migrate()
        self.assertEqual(self.server.psql('SELECT version, works_with FROM ips_schema'), [['7', '1']])
        self.assertIsNone(self.server.value("SELECT to_regclass('public.ips')"))

    def test_a_hostile_search_path_and_session_defaults_do_no_harm(self):
        self.server.psql('''CREATE SCHEMA evil;
                            CREATE TABLE evil.ips (i int);
                            CREATE TABLE evil.ips_schema (version int);
                            CREATE FUNCTION evil.to_regclass(text) RETURNS regclass LANGUAGE sql AS 'SELECT NULL::regclass';
                            CREATE DOMAIN evil.inet AS box;
                            ALTER DATABASE ipam SET search_path = evil, pg_catalog;
                            ALTER DATABASE ipam SET default_transaction_isolation = serializable;
                            ALTER DATABASE ipam SET default_transaction_read_only = on''')
        self.migrate()
        self.migrate()
        self.assertEqual(self.server.psql(empty_database.VERSION), empty_database.LAST)

    def test_what_a_superuser_makes_belongs_to_the_database_s_owner(self):
        self.server.psql('CREATE ROLE landlord; ALTER DATABASE ipam OWNER TO landlord')
        self.migrate()
        owners = self.server.psql("SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'")
        self.assertEqual(owners, [['landlord']])


class Interrupted(empty_database.Database):
    def start(self):
        return subprocess.Popen([pg.MIGRATE, self.server.conninfo('ipam')], env=pg.clean_env(), start_new_session=True,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def kill(self, run):
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
        self.wait_for('SELECT count(*) = 1 FROM pg_stat_activity WHERE datname = current_database()')

    def test_killed_while_it_waits_it_leaves_nothing(self):
        holder = self.server.session('BEGIN; SELECT pg_advisory_xact_lock(6910067)')
        self.wait_for("SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND granted")
        run = self.start()
        self.wait_for("SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
        holder.communicate('ROLLBACK;\n', timeout=20)
        self.wait_for('SELECT count(*) = 1 FROM pg_stat_activity WHERE datname = current_database()')
        self.assertEqual(self.server.psql(SHAPE), [])
        self.migrate()
        self.assertEqual(self.server.psql(empty_database.VERSION), empty_database.LAST)

    def test_killed_at_any_moment_it_ends_the_same(self):
        shapes = [[]]
        for name in MIGRATIONS:
            self.server.script('/usr/bin/env', 'psql', '-X', '-q', '-d', self.server.conninfo('ipam'), '-f', name)
            shapes.append(self.server.psql(SHAPE))
        want = shapes[-1]
        for step in range(16):
            self.setUp()
            run = self.start()
            time.sleep(0.02 + step * 0.012)
            self.kill(run)
            self.assertIn(self.server.psql(SHAPE), shapes)
            self.migrate()
            self.assertEqual(self.server.psql(SHAPE), want)


class Usage(empty_database.Database):
    def test_plain_psql_with_its_defaults_is_enough(self):
        for name in MIGRATIONS:
            subprocess.run(['psql', '-q', '-d', self.server.conninfo('ipam'), '-f', name], env=pg.clean_env(), check=True, timeout=60)
        self.assertEqual(self.server.psql(empty_database.VERSION), empty_database.LAST)

    def test_numbers_go_up_and_the_last_one_is_recorded(self):
        numbers = [int(os.path.basename(name).split('-')[0]) for name in MIGRATIONS]
        self.assertEqual(numbers, list(range(1, len(numbers) + 1)))
        self.migrate()
        self.assertEqual(self.server.value(empty_database.VERSION), str(len(numbers)))

    def test_migrations_go_in_order_and_a_failing_one_stops_them(self):
        with tempfile.TemporaryDirectory() as folder:
            shutil.copytree(os.path.dirname(pg.MIGRATE), folder, dirs_exist_ok=True)
            for name, sql in (('900-a.sql', 'SELECT nonsense'), ('901-b.sql', 'CREATE TABLE public.too_far ()')):
                with open(os.path.join(folder, name), 'w', encoding='ascii') as f:
                    f.write(sql + ';\n')
            done = self.server.script(os.path.join(folder, 'migrate.sh'), self.server.conninfo('ipam'), check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn('900-a.sql was not applied', done.stderr)
        self.assertIsNone(self.server.value("SELECT to_regclass('public.too_far')"))
        self.assertEqual(self.server.psql(empty_database.VERSION), empty_database.LAST)

    def test_a_uri_is_understood(self):
        self.server.script(pg.MIGRATE, f'postgresql://postgres@/ipam?host={self.server.dir}&port={self.server.port}')
        self.assertEqual(self.server.psql(empty_database.VERSION), empty_database.LAST)

    def test_without_a_database_named_ipam_is_meant(self):
        self.server.script(pg.MIGRATE, f'host={self.server.dir} port={self.server.port} user=postgres')
        self.assertEqual(self.server.psql(empty_database.VERSION), empty_database.LAST)

    def test_without_an_argument_the_variables_count(self):
        env = {'PGHOST': self.server.dir, 'PGPORT': str(self.server.port), 'PGUSER': 'postgres', 'PGDATABASE': 'ipam'}
        self.server.script(pg.MIGRATE, **env)
        self.assertEqual(self.server.psql(empty_database.VERSION), empty_database.LAST)

    def test_wrong_usage_is_2_and_a_failure_1_with_words(self):
        for args in (['a', 'b'], ['--no-such'], ['']):
            done = self.server.script(pg.MIGRATE, *args, check=False)
            self.assertEqual(done.returncode, 2, args)
            self.assertIn('usage', done.stderr)
        done = self.server.script(pg.MIGRATE, self.server.conninfo('nowhere'), check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn('nowhere', done.stderr)
        self.assertEqual(self.server.script(pg.MIGRATE, '--help').returncode, 0)


if __name__ == '__main__':
    tap.main()
