"""The views and the function for people and exporters, and who may read them. Needs PostgreSQL's server programs and
psql."""
import pg
import privileges
import tap

ROWS = """INSERT INTO public.ips (network, node, host_id, boot_id, machine, pod_id, interface, ip, pod_namespace, pod_name, created_on,
                                  held_since) VALUES
    ('a', 'n1', 'h1', 'b1', 'm', 'c1', 'eth0', '10.0.0.1/24', 'ns', 'p1', '2026-01-01 10:00+00', '2026-01-01 09:00+00'),
    ('a', 'n1', 'h1', 'b2', 'm', 'c2', 'eth0', '10.0.0.2/24', NULL, NULL, '2026-01-02 10:00+00', '2026-01-02 10:00+00'),
    ('b', 'n1', 'h1', 'b2', 'm', 'c3', 'eth0', '10.0.0.1/24', NULL, NULL, '2026-01-02 11:00+00', '2026-01-02 12:00+00'),
    ('a', 'n2', 'h2', 'b9', 'm', 'c4', 'eth0', 'fd00::1/64', NULL, NULL, '2026-01-03 10:00+00', '2026-01-03 10:00+00'),
    ('a', 'n1', 'h9', 'b9', 'm', 'c5', 'eth0', '10.0.0.5/24', NULL, NULL, '2026-01-03 10:00+00', '2026-01-03 10:00+00')"""
READ = ['SELECT * FROM public.ips_allocations', 'SELECT * FROM public.ips_counts', "SELECT * FROM public.who_has('10.0.0.1')"]


class Views(privileges.Provision):
    limit = 120

    def setUp(self):
        super().setUp()
        self.provision()
        self.server.psql(ROWS)

    def test_rows_of_earlier_boots_are_marked(self):
        self.assertEqual(self.server.psql('SELECT container FROM ips_allocations WHERE earlier_boot'), [['c1']])

    def test_a_row_of_another_boot_counts_where_it_is_younger(self):
        def rows(*boots):
            return ', '.join(f"('c', 'n', '{boot}', 'c{i}', 'eth0', '10.1.0.{i}', '2026-01-0{day}')"
                             for i, (boot, day) in enumerate(boots, 1))
        for boots, earlier in (([('b1', 1), ('b2', 2), ('b1', 3)], ['c1', 'c2']), ([('b1', 1), ('b1', 2)], []),
                               ([('b1', 1), ('b2', 2), ('b3', 3)], ['c1', 'c2']), ([('b1', 1), ('b2', 1)], [])):
            with self.subTest(boots):
                self.server.psql("DELETE FROM ips WHERE network = 'c'; INSERT INTO ips (network, node, boot_id, pod_id, interface, ip, created_on) "
                                 'VALUES ' + rows(*boots))
                self.assertEqual(self.server.psql("""SELECT container FROM ips_allocations WHERE network = 'c' AND earlier_boot
                                                      ORDER BY 1"""), [[c] for c in earlier])

    def test_many_rows_are_no_work_for_minutes(self):
        self.server.psql("""INSERT INTO ips (network, node, host_id, boot_id, pod_id, interface, ip)
            SELECT 'c', 'n' || i % 300, 'h', 'b' || i / 10000, i, 'eth0', inet '10.0.0.0' + i FROM generate_series(1, 30000) AS i""")
        self.server.psql("""SET statement_timeout = '20s'; SELECT count(*) FROM ips_allocations WHERE earlier_boot;
                            SELECT * FROM ips_counts; SELECT * FROM who_has('10.0.0.1')""")

    def test_what_was_never_held_later_than_it_was_recorded(self):
        self.assertEqual(self.server.psql("""SELECT held_since = timestamptz '2026-01-02 11:00+00' FROM ips_allocations
                                              WHERE container = 'c3'"""), [['t']])

    def test_counts_by_network_and_node(self):
        self.assertEqual(self.server.psql('SELECT network, node, allocations, of_earlier_boots FROM ips_counts ORDER BY 1, 2'), [
            ['a', 'n1', '3', '1'], ['a', 'n2', '1', '0'], ['b', 'n1', '1', '0']])

    def test_who_has_an_address_whatever_its_spelling(self):
        ask = 'SELECT network, container, pod_name FROM public.who_has({}) ORDER BY 1'
        self.assertEqual(self.server.psql(ask.format("'10.0.0.1'")), [['a', 'c1', 'p1'], ['b', 'c3', None]])
        self.assertEqual(self.server.psql(ask.format("'10.0.0.1/8', 'b'")), [['b', 'c3', None]])
        self.assertEqual(self.server.psql(ask.format("'FD00:0::1'")), [['a', 'c4', None]])
        self.assertEqual(self.server.psql(ask.format("'10.9.9.9'")), [])

    def test_a_member_of_ipam_reader_may_read_them_and_nothing_else(self):
        self.server.psql("CREATE ROLE grafana LOGIN PASSWORD 'g'; GRANT ipam_reader TO grafana; CREATE ROLE other LOGIN PASSWORD 'o'")
        for sql in READ:
            self.server.psql(sql, user='grafana', password='g')
            for user, password in (('other', 'o'), ('cni', 'cni')):
                self.refused(sql, '42501', user=user, password=password)
        for sql in ('SELECT * FROM public.ips', 'DELETE FROM public.ips', 'TRUNCATE public.ips'):
            self.refused(sql, '42501', user='grafana', password='g')
        self.refused('DELETE FROM public.ips_allocations', '55000')  # nobody writes through it

    def test_they_are_made_anew_where_role_cni_made_them(self):
        self.wipe()
        self.server.psql("CREATE ROLE cni LOGIN PASSWORD 'cni'; CREATE DATABASE ipam OWNER cni TEMPLATE template0", dbname='postgres')
        self.server.script(pg.MIGRATE, self.server.conninfo('ipam', 'cni', self.server.host), PGPASSWORD='cni')
        self.server.psql("CREATE OR REPLACE FUNCTION public.who_has(address inet, network text) RETURNS SETOF ips_allocations "
                         "LANGUAGE sql SECURITY DEFINER AS 'SELECT * FROM public.ips_allocations'".replace('text)', 'text DEFAULT NULL)'),
                         user='cni', password='cni')
        self.provision()
        self.assertEqual(self.server.psql("SELECT proowner::regrole, prosecdef FROM pg_proc WHERE proname = 'who_has'"),
                         [['ipam_owner', 'f']])
        self.assertEqual(self.server.psql("SELECT DISTINCT viewowner FROM pg_views WHERE schemaname = 'public'"), [['ipam_owner']])
        self.may()


if __name__ == '__main__':
    tap.main()
