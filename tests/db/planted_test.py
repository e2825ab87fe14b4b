"""Whatever somebody planted in the database is refused, and never run, by sql/migrate.sh and sql/provision.sh. Needs
PostgreSQL's server programs and psql."""
import glob
import os
import re
import shutil
import subprocess
import tempfile

import empty_database
import pg
import privileges
import tap

FIRST = sorted(glob.glob(os.path.join(os.path.dirname(pg.MIGRATE), '*.sql')))[0]
# Who runs one of these as a superuser makes cni one, also as a superuser who has taken another role (SET ROLE).
GRAB = ("plpgsql AS 'BEGIN IF (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = session_user) THEN "
        "BEGIN RESET ROLE; {} EXCEPTION WHEN OTHERS THEN NULL; END; END IF; RETURN {}; END'")
GRAB_SQL = 'ALTER ROLE cni SUPERUSER;'
FUNCTION = 'CREATE FUNCTION public.grab() RETURNS int LANGUAGE ' + GRAB.format(GRAB_SQL, 1)
IMMUTABLE = FUNCTION.replace('LANGUAGE', 'IMMUTABLE LANGUAGE')
TRIGGER = 'CREATE FUNCTION public.grab() RETURNS trigger LANGUAGE ' + GRAB.format(GRAB_SQL, 'NEW')
SCHEMA = 'CREATE TABLE public.ips_schema (version int PRIMARY KEY, works_with int NOT NULL, applied_on timestamptz NOT NULL DEFAULT now())'
DEMO = '''CREATE TABLE public.ips (id serial PRIMARY KEY, pod_id varchar(64), interface varchar(16), ip {}, created_on timestamp
          DEFAULT now())'''
XML = "query_to_xml('SELECT public.grab()', true, true, '')::text"
# Planted by cni in its own database: SQL, and the statements that are said to remove it.
IN_THE_LIST = {
    'DROP TRIGGER t ON public.ips_schema': 'CREATE TRIGGER t BEFORE INSERT ON public.ips_schema FOR EACH ROW EXECUTE FUNCTION '
                                           'public.grab_trigger()',
    'DROP RULE r ON public.ips_schema': 'CREATE RULE r AS ON INSERT TO public.ips_schema DO ALSO SELECT public.grab()',
    'DROP POLICY p ON public.ips_schema': 'CREATE POLICY p ON public.ips_schema USING (public.grab() = 1)',
    'ALTER TABLE public.ips_schema DISABLE ROW LEVEL SECURITY': 'ALTER TABLE public.ips_schema ENABLE ROW LEVEL SECURITY',
    'ALTER TABLE public.ips_schema ALTER COLUMN x DROP DEFAULT': 'ALTER TABLE public.ips_schema ADD COLUMN x int DEFAULT public.grab()',
    # The server's own functions run other people's code too.
    'ALTER TABLE public.ips_schema ALTER COLUMN y DROP DEFAULT': 'ALTER TABLE public.ips_schema ADD COLUMN y text DEFAULT '
        "query_to_xml('SELECT public.grab()', true, true, '')::text",
    'ALTER TABLE public.ips_schema DROP CONSTRAINT c': 'ALTER TABLE public.ips_schema ADD CONSTRAINT c CHECK (public.grab() = 1)',
    'DROP INDEX public.i': 'CREATE INDEX i ON public.ips_schema (version) WHERE public.grab() = 1',
    'DROP STATISTICS public.s': 'CREATE STATISTICS public.s ON (version + public.grab()), works_with FROM public.ips_schema',
    'ALTER TABLE public.other DROP CONSTRAINT f': 'CREATE TABLE public.other (v int CONSTRAINT f REFERENCES public.ips_schema)',
    'ALTER TABLE public.child NO INHERIT public.ips_schema': 'CREATE TABLE public.child () INHERITS (public.ips_schema)',
}
ELSEWHERE = [
    # a view over a function
    (f'{FUNCTION}; CREATE VIEW public.ips_schema AS SELECT public.grab() AS version, 1 AS works_with', 'DROP VIEW public.ips_schema'),
    # a cast from the type of the Go demo's column
    ("CREATE TYPE public.addr AS (a text); CREATE FUNCTION public.grab(public.addr) RETURNS text LANGUAGE "
     + GRAB.format(GRAB_SQL, "''10.0.0.1''") + '; CREATE CAST (public.addr AS text) WITH FUNCTION public.grab(public.addr);'
     + DEMO.format('public.addr') + "; INSERT INTO public.ips (pod_id, interface, ip) VALUES ('p', 'eth0', ROW('10.0.0.1'))",
     'ALTER TABLE public.ips RENAME TO ips_refused'),
    # an index, which is looked at before a row is read
    (f'{IMMUTABLE}; {DEMO.format("text")}; CREATE INDEX i ON public.ips (id) WHERE public.grab() = 1', 'DROP INDEX public.i'),
]
# Owned by cni, beside tables that are as they should be.
OWNED = {
    'DROP FUNCTION public.grab()': FUNCTION + ' SECURITY DEFINER',
    'DROP PROCEDURE public.p()': "CREATE PROCEDURE public.p() LANGUAGE sql AS 'SELECT 1'",
    'DROP AGGREGATE public.a(integer)': 'CREATE AGGREGATE public.a(int) (SFUNC = int4pl, STYPE = int)',
    'DROP VIEW public.v': 'CREATE VIEW public.v AS SELECT 1',
    'DROP MATERIALIZED VIEW public.m': 'CREATE MATERIALIZED VIEW public.m AS SELECT 1',
    'DROP TYPE public.e': 'CREATE TYPE public.e AS ENUM ()',
    'DROP TYPE public.d': 'CREATE DOMAIN public.d AS int',
    'DROP OPERATOR public.===(integer,integer)': 'CREATE OPERATOR public.=== (FUNCTION = int4eq, LEFTARG = int, RIGHTARG = int)',
    'SELECT lo_unlink(4711)': 'SELECT lo_create(4711)',
    'DROP TRIGGER t ON public.x': 'CREATE TABLE public.x (i text); CREATE TRIGGER t BEFORE UPDATE ON public.x FOR EACH ROW '
                                  'EXECUTE FUNCTION suppress_redundant_updates_trigger()',
    'DROP INDEX public.i': 'CREATE INDEX i ON public.x ((upper(i)))',
}


class Planted(privileges.Provision):
    limit = 200

    def setUp(self):
        self.wipe()
        self.server.psql("CREATE ROLE cni LOGIN PASSWORD 'cni'; CREATE ROLE mallory LOGIN PASSWORD 'm';"
                         'CREATE DATABASE ipam OWNER cni TEMPLATE template0', dbname='postgres')

    def in_the_list(self):
        """Statistics of expressions exist from PostgreSQL 14 on."""
        return {remedy: sql for remedy, sql in IN_THE_LIST.items() if 'STATISTICS' not in remedy or self.major() >= 14}

    def plant(self, sql):
        self.server.psql(sql, user='cni', password='cni')

    def no_power(self):
        self.assertEqual(self.server.value(privileges.MIGHT), 'f')

    def state(self):
        return self.server.psql("SELECT relname, relowner::regrole, relacl FROM pg_class WHERE relnamespace = 'public'::regnamespace "
                                'ORDER BY 1') + self.server.psql('SELECT datdba::regrole, datacl FROM pg_database ORDER BY oid')

    def is_refused(self, call, *remedies):
        """It is refused with these statements and nothing has changed; once all that it says has been run, it works."""
        before = self.state()
        for _ in range(3):
            done = call(check=False)
            self.no_power()
            if done.returncode == 0:
                self.assertEqual(remedies, ())
                return
            self.assertEqual(done.returncode, 1)
            self.assertIn('refused: ', done.stderr)
            if remedies:
                self.assertEqual(self.state(), before)
            said = re.findall(r'^((?:DROP|ALTER|REVOKE|SELECT) .*);$', done.stderr, re.M)
            self.assertEqual(sorted(set(remedies) - set(said)), [])
            remedies = ()
            self.server.psql('SET client_min_messages = error; ' + '; '.join(said).replace('addr)', 'addr) CASCADE'))
        self.fail(done.stderr)

    def test_the_migrations_refuse_whatever_could_run_in_their_list(self):
        self.plant(f'{IMMUTABLE}; {TRIGGER.replace("grab()", "grab_trigger()")}; {SCHEMA}; ' + '; '.join(self.in_the_list().values()))
        self.is_refused(self.migrate, *self.in_the_list())
        self.assertEqual(self.server.psql(empty_database.VERSION), empty_database.LAST)

    def test_each_of_it_alone_is_enough(self):
        for remedy, sql in self.in_the_list().items():
            with self.subTest(remedy):
                self.setUp()
                self.plant(f'{IMMUTABLE}; {TRIGGER.replace("grab()", "grab_trigger()")}; {SCHEMA}; {sql}')
                self.assertIn(remedy, self.migrate(check=False).stderr)
                self.no_power()

    def test_the_migrations_refuse_views_casts_and_indexes_elsewhere(self):
        for sql, remedy in ELSEWHERE:
            with self.subTest(remedy):
                self.setUp()
                self.plant(sql)
                self.is_refused(self.migrate, remedy)
                self.assertEqual(self.server.psql(empty_database.VERSION), empty_database.LAST)

    def test_a_later_migration_refuses_it_too(self):
        self.server.script('/usr/bin/env', 'psql', '-X', '-q', '-d', self.server.conninfo('ipam'), '-f', FIRST)
        self.server.psql(privileges.ROW)
        self.plant(f'{TRIGGER}; CREATE TRIGGER t BEFORE UPDATE ON public.ips FOR EACH ROW EXECUTE FUNCTION public.grab()')
        self.is_refused(self.migrate, 'DROP TRIGGER t ON public.ips')
        self.assertEqual(self.server.value('SELECT held_since = created_on FROM ips'), 't')

    def test_so_does_migrating_once_more(self):
        """What the migrations leave to be done is done by the next run."""
        for sql, remedy in ((f'{TRIGGER}; CREATE TRIGGER t BEFORE UPDATE ON public.ips FOR EACH ROW EXECUTE FUNCTION public.grab();'
                             'UPDATE public.ips SET held_since = (SELECT applied_on FROM public.ips_schema WHERE version = 2),'
                             " created_on = now() - interval '1 day'", 'DROP TRIGGER t ON public.ips'),
                            (f'{FUNCTION}; CREATE POLICY p ON public.ips USING (public.grab() = 1);'
                             'ALTER TABLE public.ips ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', 'DROP POLICY p ON public.ips')):
            with self.subTest(remedy):
                self.setUp()
                self.migrate()
                self.plant(f'{privileges.ROW}; {sql}')
                self.is_refused(self.migrate, remedy)

    def test_provision_refuses_all_that_and_changes_nothing(self):
        for sql in (f'{IMMUTABLE}; {TRIGGER.replace("grab()", "grab_trigger()")}; {SCHEMA}; ' + '; '.join(self.in_the_list().values()),
                    *(sql for sql, _ in ELSEWHERE)):
            with self.subTest(sql):
                self.setUp()
                self.plant(sql)
                before = self.state()
                done = self.provision(check=False)
                self.assertEqual(done.returncode, 1)
                self.assertIn('nothing was changed', done.stderr)
                self.no_power()
                self.assertEqual(self.state(), before)

    def test_what_cni_owns_is_never_handed_on(self):
        self.plant('; '.join(OWNED.values()))
        self.is_refused(self.provision, *OWNED)
        self.assertEqual(self.server.psql(privileges.OWNERS), [['ipam_owner']])

    def test_a_view_in_the_place_of_the_table(self):
        self.plant(f'{SCHEMA}; {FUNCTION}; CREATE VIEW public.ips AS SELECT public.grab() AS id')
        self.assertIn('public.ips is neither', self.migrate(check=False).stderr)
        self.no_power()
        self.server.psql('DROP FUNCTION public.grab() CASCADE; CREATE VIEW public.ips AS SELECT 1')
        self.assertIn('DROP VIEW public.ips;', self.provision(check=False).stderr)

    def test_a_stranger_s_tables_are_refused(self):
        self.server.psql(f'GRANT CREATE ON SCHEMA public TO mallory; SET ROLE mallory; {SCHEMA}')
        for call in (self.migrate, self.provision):
            done = call(check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn('public.ips_schema belongs to mallory', done.stderr)

    def test_what_stands_beside_the_functions_that_people_ask(self):
        """Where everybody may create in public: an unknown constant is rather a text than an address."""
        self.provision()
        beside = ['who_has(text)', 'who_has(inet)', 'who_had(text,timestamp with time zone)',
                  'who_had(inet,timestamp with time zone,text)']
        for call in (self.migrate, self.provision):
            with self.subTest(call):
                self.server.psql('GRANT CREATE ON SCHEMA public TO PUBLIC')
                self.server.psql('SET ROLE mallory; CREATE PROCEDURE public.who_had() LANGUAGE sql AS $$SELECT 1$$;' + ';'.join(
                    f'CREATE FUNCTION public.{name} RETURNS int LANGUAGE sql AS $$SELECT 1$$' for name in beside))
                self.is_refused(call, 'DROP ROUTINE public.who_had()', *(f'DROP ROUTINE public.{name}' for name in beside))
        self.assertEqual(self.server.psql("SELECT proowner::regrole FROM pg_proc WHERE proname ~ '^who_ha'"), [['ipam_owner']])

    def test_a_function_that_runs_as_the_owner_or_a_superuser_is_refused(self):
        self.provision()
        for owner in ('ipam_owner', 'postgres'):
            with self.subTest(owner):
                self.server.psql(f"""CREATE OR REPLACE FUNCTION public.more() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1';
                                     GRANT EXECUTE ON FUNCTION public.more() TO PUBLIC; ALTER FUNCTION public.more() OWNER TO {owner}""")
                self.is_refused(self.provision, 'REVOKE EXECUTE ON ROUTINE public.more() FROM PUBLIC, cni')
                self.may()


class Locked(privileges.Provision):
    """Between the judgement and what follows nobody plants even what a weak lock is enough for. The plugin writes all the same."""

    WEAK = ['CREATE INDEX CONCURRENTLY i ON public.{} ((id + public.grab()))', 'CREATE TABLE public.child () INHERITS (public.{})',
            'CREATE STATISTICS public.s ON (id + public.grab()), id FROM public.{}']
    JUDGED = 'FROM pg_temp.planted_in_ours(rel)\n'
    WAIT = f"{JUDGED[:-1]}; SELECT pg_advisory_xact_lock_shared(1) WHERE rel = to_regclass('public.{{}}')\n"

    def pausing(self, table):
        """A copy of the scripts in which the judgement of a table waits at its end, for an advisory lock."""
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        shutil.copytree(os.path.dirname(pg.MIGRATE), folder, dirs_exist_ok=True)
        path = os.path.join(folder, 'parts', 'judge.sql')
        with open(path, encoding='utf-8') as f:
            text = f.read()
        self.assertEqual(text.count(self.JUDGED), 1)
        with open(path, 'w', encoding='utf-8') as f:
            f.write(text.replace(self.JUDGED, self.WAIT.format(table)))
        return folder

    def test_whatever_is_judged_and_then_read(self):
        self.provision(IPAM_HISTORY='30')
        self.server.psql(f"""ALTER TABLE ips OWNER TO cni; ALTER TABLE ips_history OWNER TO cni; GRANT ALL ON ips_history TO ipam_owner;
            GRANT CREATE ON SCHEMA public TO cni; {IMMUTABLE}; ALTER FUNCTION grab() OWNER TO cni""")
        psql = ['psql', '-X', '-q', '-d', self.server.conninfo('ipam')]
        for table, script in (('ips', [*psql, '-f', '{}/002-machine.sql']),
                              ('ips', [*psql, '-f', '{}/003-views.sql', '-f', '{}/parts/sequence.sql']),
                              ('ips', ['{}/admin/forget-node.sh', '--dry-run', self.server.conninfo('ipam'), 'h']),
                              ('ips_history', [*psql, '-v', 'days=30', '-f', '{}/optional/history.sql'])):
            with self.subTest(script[-1]):
                folder = self.pausing(table)
                holder = self.server.session('SELECT pg_advisory_lock(1)')
                self.wait_for("SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND granted")
                with subprocess.Popen([word.replace('{}', folder) for word in script], env=pg.clean_env(),
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
                    try:
                        self.wait_for("SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = 1 AND NOT granted")
                        for sql in self.WEAK:
                            if 'STATISTICS' not in sql or self.major() >= 14:
                                self.refused("SET lock_timeout = '200ms'; " + sql.format(table), '55P03', user='cni', password='cni')
                        for sql in privileges.ALLOWED:
                            self.server.psql("SET lock_timeout = '200ms'; " + sql, user='cni', password='cni')
                    finally:
                        holder.communicate()


class Members(privileges.Provision):
    def grant(self, sql):
        self.server.psql('CREATE ROLE staff LOGIN; CREATE ROLE above; CREATE ROLE admin CREATEROLE; CREATE ROLE cni LOGIN;'
                         + sql, dbname='postgres')

    def revoke(self, role, grantor='postgres'):
        return f'REVOKE {role} FROM cni' + (f' GRANTED BY {grantor}' if self.major() >= 16 else '') + ';'

    def test_one_that_gives_login_and_connect_is_said_and_left(self):
        self.grant('GRANT staff TO cni; GRANT above TO staff; GRANT CONNECT ON DATABASE postgres TO staff, above')
        done = self.provision()
        self.assertIn('member of staff', done.stderr)
        self.assertIn('left as it is', done.stderr)
        self.assertEqual(self.server.value("SELECT pg_has_role('cni', 'staff', 'member')"), 't')
        self.may()

    def test_another_is_refused_before_anything_is_changed(self):
        for more in ('GRANT pg_read_server_files TO staff', 'ALTER ROLE staff CREATEDB', 'ALTER ROLE above SUPERUSER',
                     'GRANT CREATE ON DATABASE postgres TO above', 'CREATE TABLE public.t (); ALTER TABLE public.t OWNER TO staff',
                     'CREATE TABLE public.t (); GRANT SELECT ON public.t TO above', 'GRANT staff TO cni WITH ADMIN OPTION'):
            with self.subTest(more):
                self.wipe()
                self.server.psql('DROP TABLE IF EXISTS public.t', dbname='postgres')
                self.grant(f'GRANT staff TO cni; GRANT above TO staff; {more}')
                done = self.provision(check=False)
                self.assertEqual(done.returncode, 1)
                self.assertIn(self.revoke('staff'), done.stderr)
                self.assertEqual(self.server.psql("SELECT 1 FROM pg_roles WHERE rolname = 'ipam_owner'", dbname='postgres'), [])
                self.server.psql(self.revoke('staff'), dbname='postgres')
                self.provision()
                self.may()
        self.server.psql('DROP TABLE IF EXISTS public.t', dbname='postgres')

    def test_one_that_another_role_granted(self):
        self.grant('GRANT staff TO admin WITH ADMIN OPTION; GRANT pg_monitor TO staff; SET ROLE admin; GRANT staff TO cni')
        done = self.provision(check=False)
        self.assertIn(self.revoke('staff', 'admin'), done.stderr)
        self.server.psql(self.revoke('staff', 'admin'), dbname='postgres')
        self.provision()
        self.may()

    def test_the_owner_s_own_rights(self):
        self.provision()
        self.server.psql('GRANT ipam_owner TO cni')
        self.assertIn(self.revoke('ipam_owner'), self.provision(check=False).stderr)
        self.server.psql(self.revoke('ipam_owner'))
        self.provision()
        self.may()


class Shared(privileges.Provision):
    """A database that others use too."""

    def setUp(self):
        self.wipe()
        self.server.psql("CREATE ROLE app LOGIN PASSWORD 'a'; CREATE DATABASE fleet TEMPLATE template0", dbname='postgres')
        self.server.psql('CREATE SCHEMA app AUTHORIZATION app; SET ROLE app; CREATE TABLE app.t ()', dbname='fleet')

    def test_its_owner_and_what_everybody_may_do_stay_and_are_said(self):
        for _ in range(2):
            said = self.provision(dbname='fleet').stderr
            self.assertIn('belongs to "postgres": left as it is', said)
            self.assertIn('everybody may make temporary tables in database "fleet"', said)
            self.assertIn('everybody may make large objects', said)
        self.server.psql('CREATE TEMPORARY TABLE x (); SELECT lo_create(0)', user='app', password='a', dbname='fleet')
        owner = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'fleet'"
        self.assertEqual(self.server.value(owner, dbname='fleet'), 'postgres')
        self.server.psql(privileges.ALLOWED[1], user='cni', password='cni', dbname='fleet')
        self.refused('CREATE TABLE public.x ()', '42501', user='cni', password='cni', dbname='fleet')

    def test_an_owner_of_ours_is_taken(self):
        self.provision()
        self.server.psql('ALTER DATABASE fleet OWNER TO cni', dbname='postgres')
        self.assertNotIn('left as it is', self.provision(dbname='fleet').stderr)
        self.refused('CREATE TEMPORARY TABLE x ()', '42501', user='cni', password='cni', dbname='fleet')


class NoSuperuser(privileges.Provision):
    """A server that has no superuser for its users."""

    def setUp(self):
        self.wipe()
        self.server.psql("CREATE ROLE master LOGIN CREATEDB CREATEROLE PASSWORD 'm'", dbname='postgres')

    def provision(self, password='cni', dbname='postgres', **how):
        return self.server.script(pg.PROVISION, self.server.conninfo(dbname, 'master', self.server.host),
                                  IPAM_PASSWORD=password, PGPASSWORD='m', **how)

    def test_it_works_and_says_what_it_could_not_do(self):
        version = int(self.server.value('SHOW server_version_num', dbname='postgres'))
        for _ in range(2):
            done = self.provision(check=False)
            self.assertIn('everybody may make large objects', done.stderr)
            if version >= 150000:
                self.assertEqual(done.returncode, 0, done.stderr)
            else:
                self.assertEqual(done.returncode, 1, done.stderr)
                self.assertIn('REVOKE CREATE ON SCHEMA public FROM PUBLIC', done.stderr)
            members = "SELECT FROM pg_auth_members WHERE roleid = 'ipam_owner'::regrole AND grantor = member"
            self.assertEqual(self.server.psql(members), [])
        if version < 150000:
            self.server.psql('REVOKE CREATE ON SCHEMA public FROM PUBLIC; GRANT USAGE, CREATE ON SCHEMA public TO ipam_owner')
            self.assertIn('ready for the plugin', self.provision().stdout)
        self.assertEqual(self.server.psql(privileges.OWNERS), [['ipam_owner']])
        self.assertTrue(self.logs_in('cni'))
        self.assertEqual(self.server.psql('SHOW search_path', user='cni', password='cni'), [['pg_catalog']])
        self.server.psql('REVOKE EXECUTE ON FUNCTION lo_creat(integer), lo_create(oid), lo_from_bytea(oid, bytea) FROM PUBLIC')
        self.may()

    def test_a_database_of_its_own(self):
        self.server.psql('CREATE DATABASE fleet OWNER master', dbname='postgres')
        done = self.provision(dbname='fleet', check=False)
        self.assertIn('database "fleet" belongs to "master"', done.stderr)
        self.server.psql(privileges.ALLOWED[1], user='cni', password='cni', dbname='fleet')
        self.server.psql('DROP DATABASE fleet WITH (FORCE)', dbname='postgres')

    def test_a_database_that_role_cni_owns_needs_its_owner_or_a_superuser(self):
        self.provision(check=False)
        self.server.psql('REVOKE CREATE ON SCHEMA public FROM PUBLIC; GRANT USAGE, CREATE ON SCHEMA public TO ipam_owner;'
                         'ALTER DATABASE ipam OWNER TO cni; GRANT TEMPORARY ON DATABASE ipam TO PUBLIC')
        done = self.provision(check=False)
        self.assertEqual(done.returncode, 1)
        mending = 'ALTER DATABASE ipam OWNER TO ipam_owner;'
        self.assertIn(mending, done.stderr)
        self.server.psql(mending)
        self.assertIn('ready for the plugin', self.provision().stdout)
        self.server.psql('REVOKE EXECUTE ON FUNCTION lo_creat(integer), lo_create(oid), lo_from_bytea(oid, bytea) FROM PUBLIC')
        self.may()

    def test_one_in_which_it_may_create_needs_them_too(self):
        self.provision(check=False)
        self.server.psql('REVOKE CREATE ON SCHEMA public FROM PUBLIC; GRANT USAGE, CREATE ON SCHEMA public TO ipam_owner;'
                         'ALTER DATABASE ipam OWNER TO postgres; GRANT TEMPORARY ON DATABASE ipam TO PUBLIC')
        for role in 'cni', 'PUBLIC':
            self.server.psql(f'GRANT CREATE ON DATABASE ipam TO {role}')
            done = self.provision(check=False)
            self.assertEqual(done.returncode, 1)
            mending = 'REVOKE CREATE ON DATABASE ipam FROM PUBLIC, cni;'
            self.assertIn(mending, done.stderr)
            self.server.psql(mending)
            self.assertIn('ready for the plugin', self.provision().stdout)

    def test_a_role_that_may_do_too_much_needs_a_superuser(self):
        self.server.psql('CREATE ROLE cni REPLICATION', dbname='postgres')
        done = self.provision(check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn('ALTER ROLE cni NOSUPERUSER NOREPLICATION NOBYPASSRLS', done.stderr)


if __name__ == '__main__':
    tap.main()
