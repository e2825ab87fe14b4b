"""The history of who had which address: what it records, how it is cleaned up, how it is installed and removed, and that
nothing else passes for its trigger. Needs PostgreSQL's server programs and psql."""
import os
import subprocess
import threading
import time

import empty_database
import pg
import privileges
import tap

NOBODY = 'COPY public.ips_history TO STDOUT'
SPANS = '''SELECT network, address, prefix_length, pod_namespace, pod_name, container, interface, node,
                  held_since AT TIME ZONE 'UTC', held_until = (SELECT max(held_until) FROM ips_history)
             FROM ips_history ORDER BY held_until, id'''
DO_NOTHING = "CREATE OR REPLACE FUNCTION public.ips_history_record() RETURNS trigger LANGUAGE plpgsql {} AS 'BEGIN RETURN NULL; END'"
TEXT = '(SELECT prosrc FROM pg_proc WHERE proname = $$ips_history_record$$)'
MAKE = ("CREATE TRIGGER ips_history AFTER DELETE ON public.ips REFERENCING OLD TABLE AS gone FOR EACH STATEMENT "
        "EXECUTE FUNCTION public.ips_history_record('30')")
AGAIN = "DROP TRIGGER ips_history ON public.ips; "
FUNCTION = 'ALTER FUNCTION public.ips_history_record() '
DROP = 'DROP TRIGGER ips_history ON public.ips'
REVOKE = 'REVOKE EXECUTE ON ROUTINE public.ips_history_record() FROM PUBLIC, cni'
# What is not quite the history: what is done to it, and the statement that is said to remove it.
LOOK_ALIKES = {
    'another text': (DO_NOTHING.format('SECURITY DEFINER SET search_path = pg_catalog, pg_temp'), DROP),
    'a text that begins as its own': (
        f"DO $do$ BEGIN EXECUTE format('CREATE OR REPLACE FUNCTION public.ips_history_record() RETURNS trigger LANGUAGE plpgsql SECURITY "
        f"DEFINER SET search_path = pg_catalog, pg_temp AS %L', {TEXT} || ' '); END $do$", DROP),
    'another owner': (FUNCTION + 'OWNER TO mallory', DROP),
    'a superuser for its owner': (FUNCTION + 'OWNER TO postgres', DROP),
    'the rights of who deletes': (FUNCTION + 'SECURITY INVOKER', DROP),
    'another search_path': (FUNCTION + 'SET search_path = public, pg_catalog', DROP),
    'no search_path': (FUNCTION + 'RESET ALL', DROP),
    'one more setting': (FUNCTION + 'SET row_security = off', DROP),
    'somebody else may use it': ('GRANT EXECUTE ON FUNCTION public.ips_history_record() TO mallory', DROP),
    'everybody may use it': ('GRANT EXECUTE ON FUNCTION public.ips_history_record() TO PUBLIC', REVOKE),
    'one more trigger of its function': (MAKE.replace('ips_history ', 'other ', 1), 'DROP TRIGGER other ON public.ips'),
    'one more trigger': ('CREATE TRIGGER other BEFORE UPDATE ON public.ips FOR EACH ROW EXECUTE FUNCTION '
                         'suppress_redundant_updates_trigger()', 'DROP TRIGGER other ON public.ips'),
    'it is disabled': ('ALTER TABLE public.ips DISABLE TRIGGER ips_history', DROP),
    'only for replicas': ('ALTER TABLE public.ips ENABLE REPLICA TRIGGER ips_history', DROP),
    'for each row': (AGAIN + MAKE.replace('REFERENCING OLD TABLE AS gone FOR EACH STATEMENT', 'FOR EACH ROW'), DROP),
    'under a condition': (AGAIN + MAKE.replace('EXECUTE', 'WHEN (now() IS NULL) EXECUTE'), DROP),
    'another event': (AGAIN + MAKE.replace('OLD', 'NEW').replace('DELETE', 'INSERT'), DROP),
    'something else than days': (AGAIN + MAKE.replace("'30'", "'-1'"), DROP),
    'two arguments': (AGAIN + MAKE.replace("'30'", "'30', '1'"), DROP),
    'its name, another function': (
        AGAIN + 'CREATE FUNCTION public.other() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NULL; END$$;'
        + MAKE.replace('ips_history_record', 'other'), DROP),
    'its name, a function of another schema': (
        AGAIN + 'CREATE SCHEMA s; ALTER FUNCTION public.ips_history_record() SET SCHEMA s;' + MAKE.replace('public.ips_h', 's.ips_h'), DROP),
    'a rule': ('CREATE RULE r AS ON DELETE TO public.ips DO INSTEAD NOTHING', 'DROP RULE r ON public.ips'),
    'something in its table': ('CREATE TRIGGER t BEFORE UPDATE ON public.ips_history FOR EACH ROW EXECUTE FUNCTION '
                               'suppress_redundant_updates_trigger()', 'DROP TRIGGER t ON public.ips_history'),
}


class History(privileges.Provision):
    days = 30

    def setUp(self):
        self.wipe()
        self.provision(IPAM_HISTORY=str(self.days))

    def hold(self, n, first=1, **columns):
        """n rows, whose pods are named by their numbers."""
        columns = {'network': "'a'", 'node': "'n'", 'pod_id': "'c' || i", 'interface': "'eth0'", 'ip': "inet '10.0.0.0/8' + i",
                   'pod_namespace': "'ns'", 'pod_name': "'p' || i", **columns}
        self.server.psql(f"""INSERT INTO public.ips ({', '.join(columns)}) SELECT {', '.join(columns.values())}
                               FROM generate_series({first}, {first + n - 1}) AS i""")

    def recorded(self):
        return int(self.server.value('SELECT count(*) FROM public.ips_history'))

    def grow_old(self, n, days=31):
        """So many rows that have been there for so many days."""
        self.server.psql(f"""INSERT INTO public.ips_history SELECT 'old', '10.9.9.9', 24, NULL, NULL, NULL, 'c', 'eth0', 'n', '', '', '',
                             now() - interval '1 year', now() - interval '{days} days' + i * interval '1 ms', -i
                             FROM generate_series(1, {n}) AS i""")

    def old(self):
        return int(self.server.value("SELECT count(*) FROM public.ips_history WHERE network = 'old'"))

    def release(self, where, **how):
        how = how or {'user': 'cni', 'password': 'cni'}
        return self.server.psql(f'DELETE FROM public.ips WHERE {where}', **how)


class Recorded(History):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server.psql("CREATE ROLE cni LOGIN", dbname='postgres')
        cls.server.script(pg.PROVISION, cls.server.conninfo(), IPAM_PASSWORD='cni', IPAM_HISTORY=str(cls.days))
        cls.server.psql("CREATE ROLE grafana LOGIN PASSWORD 'g'; GRANT ipam_reader TO grafana")

    def setUp(self):
        self.server.psql('TRUNCATE public.ips, public.ips_history')

    def test_all_that_is_known_of_the_attachment_and_its_span(self):
        self.hold(1, held_since="timestamptz '2026-01-01 10:00+00'", created_on="timestamptz '2026-01-05 10:00+00'")
        self.release("pod_id = 'c1'")
        self.assertEqual(self.server.psql(SPANS), [
            ['a', '10.0.0.1', '8', 'ns', 'p1', 'c1', 'eth0', 'n', '2026-01-01 10:00:00', 't']])
        self.assertEqual(self.server.value("SELECT now() - held_until < interval '1 minute' FROM ips_history"), 't')

    def test_a_row_of_before_migration_2_is_held_since_it_was_recorded(self):
        self.hold(1, held_since='now()', created_on="timestamptz '2026-01-05 10:00+00'")
        self.release('true')
        self.assertEqual(self.server.value("SELECT held_since = '2026-01-05 10:00+00' FROM ips_history"), 't')

    def test_no_span_ends_before_it_begins(self):
        self.hold(1, held_since="now() + interval '1 hour'", created_on="now() + interval '1 hour'")
        self.release('true')
        self.assertEqual(self.server.value('SELECT held_since = held_until FROM ips_history'), 't')

    def test_an_administrator_s_own_DELETE_and_what_a_member_of_the_owner_deletes(self):
        self.hold(3)
        self.release("pod_id = 'c1'", user='postgres')
        self.server.psql("SET ROLE ipam_owner; DELETE FROM public.ips WHERE pod_id = 'c2'")
        self.assertEqual(self.recorded(), 2)

    def test_forget_node(self):
        self.hold(3)
        self.server.script(os.path.join(os.path.dirname(pg.PROVISION), 'admin', 'forget-node.sh'), '--yes',
                           self.server.conninfo('ipam'), 'n')
        self.assertEqual(self.recorded(), 3)

    def test_what_is_taken_back_leaves_nothing(self):
        self.hold(3)
        self.server.psql('BEGIN; DELETE FROM public.ips; ROLLBACK')
        self.assertEqual(self.recorded(), 0)

    def test_an_update_that_confirms_leaves_nothing(self):
        self.hold(1)
        self.server.psql("UPDATE public.ips SET boot_id = 'b', created_on = now()", user='cni', password='cni')
        self.assertEqual(self.recorded(), 0)

    def test_many_at_once(self):
        self.hold(5000)
        self.release('true')
        self.assertEqual(self.server.psql('SELECT count(*), count(DISTINCT address), count(DISTINCT held_until) FROM ips_history'),
                         [['5000', '5000', '1']])

    def test_TRUNCATE_is_not_recorded(self):
        self.hold(3)
        self.server.psql('TRUNCATE public.ips')
        self.assertEqual(self.recorded(), 0)

    def test_who_had_it_at_a_moment(self):
        self.hold(1, held_since="timestamptz '2026-01-01 10:00+00'", created_on="timestamptz '2026-01-01 10:00+00'")
        self.release('true')
        self.server.psql("UPDATE public.ips_history SET held_until = '2026-01-02 10:00+00'")
        for network, at in (('a', '2026-01-02 10:00+00'), ('b', '2026-01-01 09:00+00')):
            self.hold(1, network=f"'{network}'", pod_id=f"'{network}2'", held_since=f"timestamptz '{at}'")
        had = "SELECT network, container, held_until IS NULL FROM public.who_had({}) ORDER BY 1, 2"
        b = ['b', 'b2', 't']
        for moment, expected in (('2026-01-01 08:00+00', []), ('2026-01-01 09:59:59+00', [b]), ('2026-01-01 10:00+00', [['a', 'c1', 'f'], b]),
                                 ('2026-01-02 09:59:59+00', [['a', 'c1', 'f'], b]), ('2026-01-02 10:00+00', [['a', 'a2', 't'], b]),
                                 ('2126-01-01', [['a', 'a2', 't'], b])):
            with self.subTest(moment):
                how = {'user': 'grafana', 'password': 'g'}
                self.assertEqual(self.server.psql(had.format(f"'10.0.0.1/24', '{moment}'"), **how), expected)
                self.assertEqual(self.server.psql(had.format(f"'10.0.0.1', '{moment}', 'b'"), **how), [r for r in expected if r == b])
        self.assertEqual(self.server.psql(had.format("'10.0.0.1'")), [['a', 'a2', 't'], b])
        self.assertEqual(self.server.psql(had.format("'10.0.0.2'")), [])

    def test_role_cni_can_neither_read_nor_rewrite_it(self):
        self.hold(1)
        self.release('true')
        for sql in (NOBODY, 'SELECT FROM public.ips_history', 'DELETE FROM public.ips_history', 'TRUNCATE public.ips_history',
                    "UPDATE public.ips_history SET node = 'x'", 'INSERT INTO public.ips_history SELECT * FROM public.ips_history',
                    "SELECT * FROM public.who_had('10.0.0.1')", 'SELECT public.ips_history_record()',
                    'DROP TRIGGER ips_history ON public.ips', 'ALTER TABLE public.ips DISABLE TRIGGER ALL',
                    "SET session_replication_role = 'replica'"):
            self.refused(sql, '42501', user='cni', password='cni')
        self.may()

    def test_who_has_ipam_reader_may_read_and_no_more(self):
        for sql in (NOBODY, "SELECT * FROM public.who_had('10.0.0.1')"):
            self.server.psql(sql, user='grafana', password='g')
        for sql in ('DELETE FROM public.ips_history', 'TRUNCATE public.ips_history', "UPDATE public.ips_history SET node = 'x'"):
            self.refused(sql, '42501', user='grafana', password='g')
        self.server.psql("CREATE ROLE other LOGIN PASSWORD 'o'")
        for sql in (NOBODY, "SELECT * FROM public.who_had('10.0.0.1')"):
            self.refused(sql, '42501', user='other', password='o')

    def test_its_error_is_the_statement_s(self):
        self.hold(1)
        self.server.psql('ALTER TABLE public.ips_history RENAME TO elsewhere')
        self.addCleanup(self.server.psql, 'ALTER TABLE public.elsewhere RENAME TO ips_history')
        self.refused('DELETE FROM public.ips', '42P01', user='cni', password='cni')
        self.assertEqual(self.server.value('SELECT count(*) FROM public.ips'), '1')

    # ---- what is too old

    def test_a_statement_removes_ten_old_rows_more_than_it_releases(self):
        self.hold(5)
        self.grow_old(40)
        self.release("pod_id = 'c1'")
        self.assertEqual(self.old(), 29)
        self.assertEqual(self.server.value("SELECT max(id) FROM ips_history WHERE network = 'old'"), '-12')  # the oldest first
        self.release('true')
        self.assertEqual(self.old(), 15)

    def test_where_nothing_is_released_they_stay(self):
        self.grow_old(5)
        self.release('true')
        self.assertEqual(self.old(), 5)

    def test_what_is_not_old_enough_stays(self):
        self.hold(1)
        self.grow_old(5, days=29)
        self.release('true')
        self.assertEqual(self.old(), 5)

    def test_those_that_another_statement_removes_are_left_to_it(self):
        self.hold(2)
        self.grow_old(30)
        other = self.server.session("SET statement_timeout = '20s'; BEGIN; DELETE FROM public.ips WHERE pod_id = 'c1'")
        self.addCleanup(other.communicate)
        self.wait_for("SELECT count(*) = 1 FROM pg_stat_activity WHERE state = 'idle in transaction'")
        self.server.psql("SET lock_timeout = '1s'; DELETE FROM public.ips WHERE pod_id = 'c2'")
        self.assertEqual(self.old(), 19)
        other.communicate('COMMIT;')
        self.assertEqual(self.old(), 8)

    def test_many_callers_whose_clean_ups_meet(self):
        self.hold(400)
        self.grow_old(1000)
        failed = []

        def caller(first):
            sql = ';'.join(f"DELETE FROM public.ips WHERE pod_id = 'c{i}'" for i in range(first, 401, 8))
            try:
                self.server.psql("SET lock_timeout = '5s';" + sql)
            except pg.PsqlError as e:
                failed.append(str(e))
        callers = [threading.Thread(target=caller, args=(i,)) for i in range(1, 9)]
        for thread in callers:
            thread.start()
        for thread in callers:
            thread.join()
        self.assertEqual(failed, [])
        self.assertEqual((self.old(), self.recorded()), (0, 400))

    def test_it_looks_at_what_is_old_and_not_at_the_rest(self):
        self.server.psql("""INSERT INTO public.ips_history SELECT 'a', '10.0.0.1', 24, NULL, NULL, NULL, 'c', 'eth0', 'n', '', '', '', now(),
                            now() - interval '1 day', -i FROM generate_series(1, 50000) AS i""")
        self.hold(1)
        read = self.server.value("""BEGIN; DELETE FROM public.ips;
            SELECT sum(pg_stat_get_xact_tuples_returned(oid)) FROM pg_class WHERE relname ~ '^ips_history'; COMMIT""")
        self.assertLess(int(read), 1000)


class Installed(History):
    def state(self):
        acl = '(SELECT array_agg(a::text ORDER BY a::text) FROM unnest({}) AS a)'.format
        return self.server.psql(
            f"SELECT relname, relowner::regrole, {acl('relacl')} FROM pg_class WHERE relnamespace = 'public'::regnamespace UNION ALL "
            f"SELECT proname, proowner::regrole, {acl('proacl')} FROM pg_proc WHERE pronamespace = 'public'::regnamespace UNION ALL "
            "SELECT pg_get_triggerdef(oid), NULL, NULL FROM pg_trigger UNION ALL SELECT prosrc, NULL, NULL FROM pg_proc "
            "WHERE pronamespace = 'public'::regnamespace ORDER BY 1")

    def trigger(self):
        return self.server.psql("SELECT encode(tgargs, 'escape') FROM pg_trigger")

    def test_again_is_the_same(self):
        before = self.state()
        for how in ({}, {}, {'IPAM_HISTORY': '30'}):
            done = self.provision(**how)
            self.assertEqual(done.stderr, '')
            self.assertEqual(self.state(), before)
        self.migrate()
        self.server.psql('DELETE FROM public.ips_schema WHERE version = 3')
        self.migrate()
        self.assertEqual(self.server.psql(empty_database.VERSION), empty_database.LAST)
        self.may()

    def test_it_belongs_to_the_owner_and_nobody_may_use_its_function(self):
        self.assertEqual(self.server.psql("""
            SELECT proowner::regrole, prosecdef, proconfig, proacl FROM pg_proc WHERE proname = 'ips_history_record'"""),
                         [['ipam_owner', 't', '{"search_path=pg_catalog, pg_temp"}', '{ipam_owner=X/ipam_owner}']])
        self.assertEqual(self.server.psql(privileges.OWNERS), [['ipam_owner']])

    def test_default_privileges_give_nobody_more(self):
        self.server.psql('ALTER DEFAULT PRIVILEGES FOR ROLE ipam_owner GRANT ALL ON TABLES TO cni;'
                         'ALTER DEFAULT PRIVILEGES FOR ROLE ipam_owner GRANT EXECUTE ON FUNCTIONS TO cni')
        for history in ('off', '30', '20'):
            self.provision(IPAM_HISTORY=history)
        for sql in (NOBODY, "SELECT * FROM public.who_had('10.0.0.1')"):
            self.refused(sql, '42501', user='cni', password='cni')
        self.provision()

    def test_other_days(self):
        self.hold(2)
        self.grow_old(3, days=8)
        self.release("pod_id = 'c1'")
        self.assertEqual(self.old(), 3)
        self.assertIn('for 7 days', self.provision(IPAM_HISTORY='7').stdout)
        self.release("pod_id = 'c2'")
        self.assertEqual((self.old(), self.recorded()), (0, 2))
        self.assertEqual(len(self.trigger()), 1)

    def test_off_and_on_again_keeps_what_was_recorded(self):
        self.hold(3)
        self.release("pod_id = 'c1'")
        for _ in range(2):
            said = self.provision(IPAM_HISTORY='off').stdout
            self.assertIn('rows: 1', said)
            self.assertIn('DROP TABLE public.ips_history;', said)
        self.assertEqual(self.trigger(), [])
        self.assertEqual(self.server.psql("SELECT 1 FROM pg_proc WHERE proname ~ 'who_had|ips_history'"), [])
        self.release("pod_id = 'c2'")
        self.provision(IPAM_HISTORY='30')
        self.release("pod_id = 'c3'")
        self.assertEqual([row[5] for row in self.server.psql(SPANS)], ['c1', 'c3'])
        self.may()

    def test_off_where_nothing_was_recorded_leaves_nothing(self):
        self.assertNotIn('rows', self.provision(IPAM_HISTORY='off').stdout)
        self.assertEqual(self.server.psql("SELECT 1 FROM pg_class WHERE relname ~ 'history'"), [])
        self.server.psql(privileges.ROW)
        self.release('true')
        self.may()

    def test_a_database_that_was_there_before(self):
        self.wipe()
        self.server.psql('CREATE DATABASE ipam', dbname='postgres')
        folder = os.path.dirname(pg.MIGRATE)
        self.server.script('/usr/bin/env', 'psql', '-X', '-q', '-d', self.server.conninfo('ipam'), '-f', f'{folder}/001-ips.sql')
        self.server.psql(privileges.ROW)
        self.provision()
        self.provision(IPAM_HISTORY='30')
        self.release('true')
        self.assertEqual(self.recorded(), 1)

    def test_what_is_no_number_of_days_is_refused_before_anything(self):
        for days in ('0', '-1', '1.5', '07', 'on', '1 day', '100000', "1'"):
            with self.subTest(days):
                done = self.provision(check=False, IPAM_HISTORY=days)
                self.assertEqual((done.returncode, done.stdout), (1, ''))
                self.assertIn('IPAM_HISTORY', done.stderr)

    def test_hosts_at_work_wait_for_nothing(self):
        self.server.psql(privileges.ROW)
        reader = self.server.session('BEGIN; SELECT * FROM public.ips')
        self.addCleanup(reader.communicate)
        self.wait_for("SELECT count(*) = 1 FROM pg_stat_activity WHERE state = 'idle in transaction'")
        self.provision(IPAM_HISTORY='30')  # the same days: nothing is locked
        with subprocess.Popen([pg.PROVISION, self.server.conninfo()], env=pg.clean_env(IPAM_HISTORY='7'), stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True) as run:
            self.wait_for("SELECT count(*) > 0 FROM pg_locks WHERE relation = 'public.ips'::regclass AND NOT granted")
            began = time.monotonic()
            self.server.psql("INSERT INTO public.ips (network, node, pod_id, interface, ip) VALUES ('w', 'h', 'p', 'e', '10.1.1.1')")
            self.assertLess(time.monotonic() - began, 3)
            reader.communicate('COMMIT;')
            self.assertIn('7 days', run.communicate(timeout=60)[0])

    def test_a_table_of_somebody_else_s_has_its_name(self):
        self.provision(IPAM_HISTORY='off')
        self.server.psql('SET ROLE ipam_owner; CREATE TABLE public.ips_history (x int)')
        done = self.provision(check=False, IPAM_HISTORY='30')
        self.assertEqual(done.returncode, 1)
        self.assertIn('ALTER TABLE public.ips_history RENAME TO', done.stderr)
        self.assertEqual(self.trigger(), [])

    def test_from_a_dump_whose_owners_were_left_out(self):
        self.hold(2)
        self.release("pod_id = 'c1'")
        if not os.path.exists(f'{pg.bindir()}/pg_dump'):
            self.skipTest('no pg_dump that is as new as the server')
        dump = subprocess.run([f'{pg.bindir()}/pg_dump', '--no-owner', '--no-privileges', '-d', self.server.conninfo('ipam')],
                              env=pg.clean_env(), capture_output=True, text=True, check=True, timeout=60).stdout
        self.wipe()
        self.server.psql('CREATE DATABASE ipam TEMPLATE template0', dbname='postgres')
        self.server.psql(dump)
        for remedy in (DROP, REVOKE):  # it would run as who restored it
            self.assertIn(remedy, self.provision(check=False, IPAM_HISTORY='30').stderr)
            self.server.psql(remedy)
        self.provision(IPAM_HISTORY='30')
        self.server.psql('DELETE FROM public.ips', user='cni', password='cni')
        self.assertEqual(self.recorded(), 2)
        self.may()


class NoSuperuser(History):
    """A server that has no superuser for its users."""

    def setUp(self):
        self.wipe()
        self.server.psql("CREATE ROLE master LOGIN CREATEDB CREATEROLE PASSWORD 'm'", dbname='postgres')

    def install(self, history, **how):
        return self.server.script(pg.PROVISION, self.server.conninfo('postgres', 'master', self.server.host), PGPASSWORD='m',
                                  IPAM_PASSWORD='cni', IPAM_HISTORY=history, **how)

    def test_on_and_off(self):
        self.install('30', check=False)
        # what it says before version 15, where everybody may create in that schema
        self.server.psql('REVOKE CREATE ON SCHEMA public FROM PUBLIC; GRANT USAGE, CREATE ON SCHEMA public TO ipam_owner')
        for history, said in (('30', 'for 30 days'), ('7', 'for 7 days'), ('', ''), ('off', 'no history is kept')):
            self.assertIn(said, self.install(history).stdout)
            self.server.psql(privileges.ROW)
            self.release('true')
        self.assertEqual(self.recorded(), 3)
        self.assertEqual(self.server.psql("SELECT DISTINCT relowner::regrole FROM pg_class WHERE relname ~ '^ips_history'"), [['ipam_owner']])


class LookAlikes(History):
    """By name alone nothing passes."""

    JUDGE = os.path.join(os.path.dirname(pg.PROVISION), 'parts', 'refuse-objects.sql')

    def judge(self, *sql):
        """What provision.sh does first, after this has been done in the same transaction, which is given up."""
        return self.server.script('/usr/bin/env', 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', self.server.conninfo('ipam'),
                                  '-c', 'BEGIN', *[word for each in sql for word in ('-c', each)], '-f', self.JUDGE, check=False)

    def test_each_is_refused_and_accepted_without_it(self):
        self.server.psql('CREATE ROLE mallory', dbname='postgres')
        self.assertEqual(self.judge().returncode, 0)
        for name, (sql, remedy) in LOOK_ALIKES.items():
            with self.subTest(name):
                done = self.judge(sql)
                self.assertIn('refused: ', done.stderr)
                self.assertIn(f'\n{remedy};\n', done.stderr)
                self.assertEqual(self.judge(sql, remedy).returncode, 0)

    def test_every_way_refuses_one(self):
        self.server.psql(DO_NOTHING.format('SECURITY DEFINER SET search_path = pg_catalog, pg_temp')
                         + '; DELETE FROM public.ips_schema WHERE version = 3')
        for call in (self.provision, self.migrate, lambda **how: self.provision(IPAM_HISTORY='off', **how),
                     lambda **how: self.provision(IPAM_HISTORY='30', **how)):
            done = call(check=False)
            self.assertEqual(done.returncode, 1, done.stdout)
            self.assertIn(DROP, done.stderr)
        self.server.psql(DROP)
        self.provision(IPAM_HISTORY='30')
        self.hold(1)
        self.release('true')
        self.assertEqual(self.recorded(), 1)


if __name__ == '__main__':
    tap.main()
