"""A table made for the Go demo, with good and bad rows, is taken over. Needs PostgreSQL's server programs and psql."""
import os
import signal
import subprocess
import time

import empty_database
import pg
import tap

TABLE = '''CREATE TABLE ips (
    id serial PRIMARY KEY, pod_id varchar(64) UNIQUE NOT NULL, interface varchar(16) NOT NULL,
    ip varchar(128) UNIQUE NOT NULL, created_on timestamp DEFAULT now());'''
LOOSE = '''ALTER TABLE ips ALTER pod_id DROP NOT NULL, ALTER interface DROP NOT NULL, ALTER ip DROP NOT NULL,
    DROP CONSTRAINT ips_pod_id_key, DROP CONSTRAINT ips_ip_key;'''
KEPT = 'SELECT pod_id, interface, ip, position FROM ips ORDER BY id'
REJECTED = 'SELECT id, reason FROM ips_rejected ORDER BY id'


def rows(*values):
    """INSERTs of (pod_id, interface, ip), one each, so that ids count from 1; the older has the smaller id."""
    def literal(v):
        return 'NULL' if v is None else "'" + v.replace("'", "''") + "'"
    return ''.join(f"INSERT INTO ips (pod_id, interface, ip, created_on) VALUES ({', '.join(map(literal, v))}, "
                   f"timestamp '2024-05-30 08:00' + interval '{n} min');\n" for n, v in enumerate(values))


class GoDemo(empty_database.Database):
    def given(self, *values, table=TABLE):
        self.server.psql(table + rows(*values))

    def test_addresses_are_kept_in_their_order_as_nobody_s(self):
        self.given(('cnitool-1', 'eth0', '192.168.200.1/24'), ('cnitool-2', 'net1', '192.168.200.22/24'),
                   ('cnitool-3', 'eth0', 'fd00::5/64'), ('cnitool-4', 'eth0', ' 10.1.2.3\n'))
        self.migrate()
        self.assertEqual(self.server.psql(KEPT), [
            ['cnitool-1', 'eth0', '192.168.200.1/24', '1'], ['cnitool-2', 'net1', '192.168.200.22/24', '1'],
            ['cnitool-3', 'eth0', 'fd00::5/64', '1'], ['cnitool-4', 'eth0', '10.1.2.3', '1']])
        self.assertEqual(self.server.psql('SELECT DISTINCT network, node, host_id, boot_id FROM ips'),
                         [['ipam-status', '', '', '']])
        self.assertEqual(self.server.value('SELECT count(*) FROM ips_rejected'), '0')

    def test_their_network_may_be_named_and_is_said(self):
        for named, network in (({}, 'ipam-status'), ({'IPAM_NETWORK': ''}, 'ipam-status'), ({'IPAM_NETWORK': 'blue.1'}, 'blue.1')):
            with self.subTest(network):
                self.setUp()
                self.given(('a', 'eth0', '10.0.0.1/24'))
                self.assertIn(f'they are rows of network "{network}"', self.migrate(**named).stderr)
                self.assertEqual(self.server.psql('SELECT DISTINCT network FROM ips'), [[network]])

    def test_a_network_that_cannot_be_is_refused(self):
        self.given(('a', 'eth0', '10.0.0.1/24'))
        for name in ('a b', '-x', "'; DROP TABLE ips; --", '$(touch x)'):
            self.assertIn('IPAM_NETWORK', self.migrate(IPAM_NETWORK=name, check=False).stderr)
        self.assertEqual(self.server.value('SELECT count(*) FROM ips'), '1')

    def test_the_time_is_kept_in_the_server_s_zone(self):
        self.server.psql("ALTER DATABASE ipam SET TimeZone = 'Europe/Lisbon'")
        self.given(('p', 'eth0', '10.0.0.1/24'))
        self.migrate(PGTZ='Asia/Tokyo')
        self.assertEqual(self.server.value("SELECT created_on = timestamptz '2024-05-30 07:00Z' FROM ips"), 't')

    def test_a_row_without_a_time_counts_as_the_youngest(self):
        self.given(('old', 'eth0', '10.0.0.1/24'))
        self.server.psql("INSERT INTO ips VALUES (0, 'timeless', 'eth0', '10.0.0.1/16', NULL), "
                         "(77, 'alone', 'eth0', '10.0.0.2/24', NULL)")
        self.migrate()
        self.assertEqual(self.server.psql('SELECT pod_id FROM ips ORDER BY id'), [['old'], ['alone']])
        self.assertEqual(self.server.value("SELECT created_on = now() FROM ips WHERE pod_id = 'alone'"), 'f')

    def test_what_is_no_address_is_moved_aside_with_a_reason_and_a_warning(self):
        bad = ['garbage/99999', '', '10.0.0.1/33', '10.0.0.256/24', '10.0.0/24', '010.0.0.0.1', '10.0.0.1/',
               'fd00::1/129', 'fe80::1%eth0', '10.0.0.1/24,10.0.0.2/24', "it's; DROP TABLE ips"]
        self.given(*[(f'pod{n}', 'eth0', ip) for n, ip in enumerate(bad)], ('good', 'eth0', '10.0.0.9/24'))
        said = self.migrate().stderr
        self.assertEqual([r[0] for r in self.server.psql(KEPT)], ['good'])
        self.assertEqual([r[0] for r in self.server.psql('SELECT ip FROM ips_rejected ORDER BY id')], bad)
        for number, reason in self.server.psql(REJECTED):
            self.assertRegex(reason, 'not an address|inet')
            self.assertIn(f'WARNING:  ips: row {number} ', said)
        self.assertIn(f'1 rows taken over, {len(bad)} moved to ips_rejected', said)

    def test_of_equal_addresses_the_older_stays(self):
        self.given(('a', 'eth0', '10.0.0.1/24'), ('b', 'eth0', '10.0.0.1/16'), ('c', 'eth0', '10.0.0.1'),
                   ('d', 'eth0', 'fd00::1/64'), ('e', 'eth0', 'FD00:0:0::1/64'))
        self.server.psql("UPDATE ips SET created_on = '2020-01-01' WHERE pod_id = 'c'")
        self.migrate()
        self.assertEqual(sorted(r[0] for r in self.server.psql(KEPT)), ['c', 'd'])
        self.assertEqual(self.server.psql(REJECTED), [[n, 'an older row has this address'] for n in ('1', '2', '5')])

    def test_rows_without_a_pod_or_an_interface_are_moved_aside(self):
        self.given((None, 'eth0', '10.0.0.1/24'), ('b', None, '10.0.0.2/24'), ('c', 'eth0', None),
                   ('d', 'eth0', '10.0.0.1/24'), table=TABLE + LOOSE)
        self.migrate()
        self.assertEqual(self.server.psql(REJECTED), [['1', 'no pod_id'], ['2', 'no interface'], ['3', 'no address']])
        self.assertEqual([r[0] for r in self.server.psql(KEPT)], ['d'])

    def test_several_addresses_of_one_attachment_are_one_set_that_has_a_first(self):
        self.given(('p', 'eth0', '10.0.0.9/24'), ('q', 'eth0', '10.0.0.9/24'), ('q', 'eth0', '10.0.0.8/24'),
                   ('q', 'eth0', '10.0.0.7/24'), ('q', 'eth1', '10.0.0.6/24'), table=TABLE + LOOSE)
        self.migrate()
        self.assertEqual(self.server.psql(KEPT), [['p', 'eth0', '10.0.0.9/24', '1'], ['q', 'eth0', '10.0.0.8/24', '1'],
                                                  ['q', 'eth0', '10.0.0.7/24', '2'], ['q', 'eth1', '10.0.0.6/24', '1']])

    def test_nothing_is_lost_not_even_columns_and_views_of_somebody_else(self):
        table = TABLE.replace('created_on', "comment text DEFAULT 'mine', created_on")
        self.given(('a', 'eth0', '10.0.0.1/24'), ('b', 'eth0', 'nonsense'),
                   table=table + 'CREATE VIEW mine AS SELECT pod_id, comment FROM ips;')
        self.migrate()
        self.assertEqual(self.server.psql('SELECT * FROM mine ORDER BY 1'), [['a', 'mine'], ['b', 'mine']])
        self.assertEqual(self.server.psql('SELECT pod_id, ip FROM ips_go_demo ORDER BY id'),
                         [['a', '10.0.0.1/24'], ['b', 'nonsense']])

    def test_a_row_whose_text_is_too_long_for_an_index_is_moved_aside(self):
        self.given(('a', 'eth0', '10.0.0.1/24'), table=TABLE + LOOSE + 'ALTER TABLE ips ALTER pod_id TYPE text;')
        self.server.psql('''INSERT INTO ips (pod_id, interface, ip)
            SELECT string_agg(md5(i::text), ''), 'eth0', '10.0.0.2/24' FROM generate_series(1, 500) AS i''')
        self.migrate()
        self.assertEqual([r[0] for r in self.server.psql(REJECTED)], ['2'])

    def test_the_new_table_has_the_names_that_it_should_have(self):
        self.given(('a', 'eth0', '10.0.0.1/24'))
        self.migrate()
        names = "SELECT conname FROM pg_constraint WHERE conrelid = 'ips'::regclass AND contype = 'p'"
        self.assertEqual(self.server.value(names), 'ips_pkey')
        sequences = "SELECT pg_get_serial_sequence('ips', 'id'), pg_get_serial_sequence('ips_go_demo', 'id')"
        self.assertEqual(self.server.psql(sequences), [['public.ips_id_seq', 'public.ips_go_demo_id_seq']])

    def test_names_that_are_taken_are_not_in_the_way(self):
        self.given(('a', 'eth0', '10.0.0.1/24'))
        self.server.psql('''CREATE TABLE ips_go_demo (i int); CREATE SEQUENCE ips_go_demo_id_seq;
                            CREATE TABLE other (i int CONSTRAINT ips_go_demo_pkey PRIMARY KEY);''')
        self.migrate()
        self.assertEqual(self.server.value('SELECT count(*) FROM ips'), '1')
        self.assertEqual(self.server.value('SELECT count(*) FROM ips_go_demo'), '0')

    def test_a_column_of_another_type_is_understood(self):
        self.server.psql('''CREATE TABLE ips (id bigint GENERATED ALWAYS AS IDENTITY, pod_id text, interface text,
                            ip inet, created_on timestamptz DEFAULT now());''' + rows(('a', 'eth0', '10.0.0.1/24')))
        self.migrate()
        self.assertEqual(self.server.psql(KEPT), [['a', 'eth0', '10.0.0.1/24', '1']])

    def test_an_empty_table_is_taken_over_too(self):
        self.given()
        self.assertIn('0 rows taken over', self.migrate().stderr)
        self.assertEqual(self.server.value('SELECT count(*) FROM ips'), '0')

    def test_somebody_else_s_table_is_left_alone(self):
        for table in ('CREATE TABLE ips (whatever int)', 'CREATE VIEW ips AS SELECT 1 AS id',
                      TABLE.replace('interface', 'network text, interface')):
            with self.subTest(table):
                self.setUp()
                self.server.psql(table)
                done = self.migrate(check=False)
                self.assertEqual(done.returncode, 1)
                self.assertIn('public.ips is neither', done.stderr)
                self.assertIn('Rename it', done.stderr)
                self.assertIsNone(self.server.value("SELECT to_regclass('public.ips_schema')"))

    def test_a_limit_on_statements_does_not_stop_it(self):
        self.given()
        self.server.psql('''INSERT INTO ips (pod_id, interface, ip)
                            SELECT i, 'eth0', '10.0.0.0'::inet + i FROM generate_series(1, 20000) AS i;
                            ALTER DATABASE ipam SET statement_timeout = 100''')
        self.assertIn('20000 rows taken over', self.migrate().stderr)

    def test_a_database_that_hides_warnings_does_not_hide_these(self):
        self.given(('a', 'eth0', 'garbage'))
        self.server.psql('ALTER DATABASE ipam SET client_min_messages = error')
        self.assertIn('WARNING:  ips: row 1 ', self.migrate().stderr)


class Repeated(empty_database.Database):
    """Whatever happens on the way, the end is the same."""

    ROWS = [('a', 'eth0', '10.0.0.1/24'), ('b', 'eth0', 'garbage'),
            ('c', 'eth0', '10.0.0.1/16'), ('d', 'eth0', '10.0.0.2/24')]

    def setUp(self):
        super().setUp()
        self.server.psql(TABLE + rows(*self.ROWS))

    def check(self):
        self.assertEqual([r[0] for r in self.server.psql(KEPT)], ['a', 'd'])
        self.assertEqual([r[0] for r in self.server.psql(REJECTED)], ['2', '3'])
        self.assertEqual(self.server.psql(empty_database.VERSION), empty_database.LAST)

    def start(self):
        return subprocess.Popen([pg.MIGRATE, self.server.conninfo('ipam')], env=pg.clean_env(), start_new_session=True,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def alone(self):
        self.wait_for('SELECT count(*) = 1 FROM pg_stat_activity WHERE datname = current_database()')

    def test_twice(self):
        self.migrate()
        self.assertEqual(self.migrate().stderr, '')
        self.check()

    def test_from_four_places_at_once(self):
        runs = [self.start() for _ in range(4)]
        for run in runs:
            said = run.communicate(timeout=60)[0]
            self.assertEqual(run.returncode, 0, said)
        self.check()

    def test_killed_half_way(self):
        reader = self.server.session('BEGIN; SELECT count(*) FROM ips')
        self.wait_for("SELECT count(*) > 0 FROM pg_locks WHERE relation = 'ips'::regclass AND pid <> pg_backend_pid()")
        run = self.start()
        self.wait_for('SELECT count(*) > 0 FROM pg_locks WHERE NOT granted')
        os.killpg(run.pid, signal.SIGKILL)
        run.communicate()
        reader.communicate('COMMIT;\n', timeout=20)
        self.alone()
        self.assertEqual(self.server.value('SELECT count(*) FROM ips'), str(len(self.ROWS)))
        self.assertIsNone(self.server.value("SELECT to_regclass('public.ips_schema')"))
        self.migrate()
        self.check()

    def test_killed_at_any_moment(self):
        for step in range(12):
            self.setUp()
            run = self.start()
            time.sleep(0.02 + step * 0.006)
            os.killpg(run.pid, signal.SIGKILL)
            run.communicate()
            self.alone()
            self.migrate()
            self.check()

    def test_rows_that_come_while_it_waits_are_not_lost(self):
        writer = self.server.session('BEGIN; ' + rows(('late', 'eth0', '10.0.0.7/24')).replace('2024', '2025'))
        self.wait_for("SELECT count(*) > 0 FROM pg_locks WHERE relation = 'ips'::regclass AND pid <> pg_backend_pid()")
        run = self.start()
        self.wait_for('SELECT count(*) > 0 FROM pg_locks WHERE NOT granted')
        writer.communicate('COMMIT;\n', timeout=20)
        self.assertEqual(run.wait(60), 0, run.communicate()[0])
        self.assertEqual([r[0] for r in self.server.psql(KEPT)], ['a', 'd', 'late'])


class Owned(empty_database.Database):
    """The Go demo's image: role cni owns the database and the table."""

    def setUp(self):
        self.wipe()
        self.server.psql("CREATE USER cni WITH PASSWORD 'cni'; CREATE DATABASE ipam OWNER cni TEMPLATE template0;"
                         'GRANT ALL PRIVILEGES ON DATABASE ipam TO cni', dbname='postgres')
        self.server.psql(TABLE + rows(('a', 'eth0', '10.0.0.1/24')), user='cni', password='cni')

    def works_for_cni(self):
        self.server.psql('''INSERT INTO ips (network, node, pod_id, interface, ip)
                            VALUES ('n', '', 'b', 'eth0', '10.0.0.2/24');
                            DELETE FROM ips WHERE pod_id = 'a';
                            SELECT max(version) FROM ips_schema''', user='cni', password='cni')

    def test_cni_can_migrate_it(self):
        self.server.script(pg.MIGRATE, self.server.conninfo('ipam', 'cni', self.server.host), PGPASSWORD='cni')
        self.works_for_cni()

    def test_a_superuser_can_migrate_it(self):
        self.migrate()
        self.works_for_cni()

    def test_a_table_of_cni_in_somebody_else_s_database_stays_usable(self):
        self.server.psql('ALTER DATABASE ipam OWNER TO postgres', dbname='postgres')
        self.migrate()
        self.works_for_cni()


if __name__ == '__main__':
    tap.main()
