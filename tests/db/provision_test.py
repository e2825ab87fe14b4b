"""sql/provision.sh against a real server: what it makes, what it leaves, what role cni may do. Needs PostgreSQL's
server programs and psql."""
import os
import pty
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
import fresh
import pg
import tap

DEMO = '''CREATE TABLE ips (id serial PRIMARY KEY, pod_id varchar(64) UNIQUE NOT NULL, interface varchar(16) NOT NULL,
    ip varchar(128) UNIQUE NOT NULL, created_on timestamp DEFAULT now());
    INSERT INTO ips (pod_id, interface, ip) VALUES ('a', 'eth0', '10.0.0.1/24')'''
ROW = "INSERT INTO public.ips (network, node, pod_id, interface, ip) VALUES ('n', 'h', 'p', 'eth0', '10.9.9.9/24')"
ALLOWED = [
    ROW + ' RETURNING id',
    "SELECT * FROM public.ips",
    "UPDATE public.ips SET boot_id = 'b', created_on = now() WHERE pod_id = 'p'",
    "DELETE FROM public.ips WHERE pod_id = 'p' RETURNING host(ip)",
    'SELECT max(version), max(works_with) FROM public.ips_schema',
]
REFUSED = '''DROP TABLE public.ips
DROP INDEX public.ips_one_holder
DROP TABLE public.ips_schema
DROP DATABASE ipam
DROP SCHEMA public
DROP ROLE ipam_owner
TRUNCATE public.ips
ALTER TABLE public.ips ADD COLUMN x int
ALTER TABLE public.ips DROP COLUMN node
ALTER TABLE public.ips DISABLE TRIGGER ALL
ALTER TABLE public.ips OWNER TO cni
ALTER TABLE public.ips_rejected RENAME TO x
ALTER INDEX public.ips_attachment RENAME TO x
ALTER DATABASE ipam SET search_path = x
ALTER DATABASE ipam OWNER TO cni
ALTER ROLE ipam_owner LOGIN
ALTER ROLE cni CREATEDB
ALTER SYSTEM SET work_mem = '1GB'
REINDEX TABLE public.ips
UPDATE public.ips SET ip = '10.0.0.1'
UPDATE public.ips SET pod_id = 'x'
UPDATE public.ips SET node = 'x'
UPDATE public.ips SET network = 'x'
SELECT * FROM public.ips_rejected
INSERT INTO public.ips_rejected (reason) VALUES ('x')
INSERT INTO public.ips_schema VALUES (9, 9)
UPDATE public.ips_schema SET works_with = 9
DELETE FROM public.ips_schema
SELECT nextval('public.ips_id_seq')
SELECT setval('public.ips_id_seq', 1)
CREATE TABLE public.x (i int)
CREATE TABLE public.x AS SELECT 1
CREATE TEMPORARY TABLE x (i int)
CREATE TEMPORARY VIEW x AS SELECT 1
CREATE TEMPORARY SEQUENCE x
CREATE UNLOGGED TABLE public.x (i int)
CREATE VIEW public.x AS SELECT 1
CREATE SEQUENCE public.x
CREATE INDEX ON public.ips (pod_id)
CREATE FUNCTION public.x() RETURNS int LANGUAGE sql AS 'SELECT 1'
CREATE TYPE public.x AS ENUM ('a')
CREATE DOMAIN public.x AS int
CREATE SCHEMA x
CREATE DATABASE x
CREATE ROLE x
CREATE EVENT TRIGGER x ON ddl_command_end EXECUTE FUNCTION suppress_redundant_updates_trigger()
CREATE TRIGGER x BEFORE UPDATE ON public.ips FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()
CREATE RULE x AS ON DELETE TO public.ips DO INSTEAD NOTHING
CREATE PUBLICATION x
CREATE TABLESPACE x LOCATION '/tmp'
SELECT lo_creat(-1)
SELECT lo_create(0)
SELECT lo_from_bytea(0, 'x')
SELECT lo_import('/etc/passwd')
SELECT pg_read_file('/etc/passwd')
COPY public.ips TO PROGRAM 'true'
COPY public.ips TO '/tmp/x'
SET ROLE ipam_owner
SET ROLE postgres'''.splitlines()
SETTINGS = ['client_connection_check_interval=1s', 'idle_in_transaction_session_timeout=60s', 'statement_timeout=60s']
OWNERS = "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'"
CONFIG = "SELECT unnest(setconfig) FROM pg_db_role_setting WHERE setrole = 'cni'::regrole ORDER BY 1"


class Provision(fresh.Database):
    """The server begins without database ipam and without roles."""

    def setUp(self):
        self.wipe()

    def may(self):
        """Everything that the plugin does works, everything else is refused."""
        for sql in ALLOWED:
            self.server.psql(sql, user='cni', password='cni')
        self.may_not(*REFUSED)

    def may_not(self, *statements):
        script = ['\\set ON_ERROR_STOP off'] + [f'{sql};\n\\qecho\n\\qecho state :SQLSTATE' for sql in statements]
        states = [r[0] for r in self.server.psql('\n'.join(script), user='cni', password='cni')]
        states = [line[6:] for line in '\n'.join(states).splitlines() if line.startswith('state ')]
        self.assertEqual(len(states), len(statements))
        self.assertEqual([sql for sql, state in zip(statements, states) if state not in ('42501', '42939')], [])

    def logs_in(self, password):
        return self.server.value('SELECT current_user', user='cni', password=password) == 'cni'


class Made(Provision):
    def test_an_empty_server_gets_everything(self):
        done = self.provision()
        self.assertEqual(done.stderr, '')
        self.assertEqual(self.server.psql('''
            SELECT rolname, rolcanlogin, rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls
              FROM pg_roles WHERE rolname IN ('cni', 'ipam_owner') ORDER BY 1'''),
                         [['cni', 't', 'f', 'f', 'f', 'f', 'f'], ['ipam_owner', 'f', 'f', 'f', 'f', 'f', 'f']])
        self.assertEqual(self.server.psql('''
            SELECT pg_get_userbyid(datdba), pg_encoding_to_char(encoding), datcollate, datctype
              FROM pg_database WHERE datname = 'ipam' '''), [['ipam_owner', 'UTF8', 'C', 'C']])
        self.assertEqual(self.server.psql(OWNERS), [['ipam_owner']])
        self.assertEqual(self.server.psql('SELECT version FROM ips_schema'), [['1']])

    def test_cni_may_do_what_the_plugin_does_and_nothing_else(self):
        self.provision()
        self.may()

    def test_again_and_again_is_the_same(self):
        def rights(name, owner, acl):
            acl = f'(SELECT array_agg(a::text ORDER BY a::text) FROM unnest({acl}) AS a)'
            return f'SELECT {name}, {owner}::regrole::text, {acl}'
        everything = ' UNION ALL '.join([
            rights('relname', 'relowner', 'relacl') + " FROM pg_class WHERE relnamespace = 'public'::regnamespace",
            rights('datname', 'datdba', 'datacl') + ' FROM pg_database',
            rights('nspname', 'nspowner', 'nspacl') + ' FROM pg_namespace',
            rights('proname', 'proowner', 'proacl') + " FROM pg_proc WHERE proname ~ '^lo_'"]) + ' ORDER BY 1, 3'
        self.provision()
        before = self.server.psql(everything) + self.server.psql(CONFIG)
        for _ in range(2):
            self.assertEqual(self.provision().stderr, '')
            self.assertEqual(self.server.psql(everything) + self.server.psql(CONFIG), before)

    def test_at_once_from_several_places(self):
        self.server.psql('CREATE DATABASE fleet', dbname='postgres')
        runs = [subprocess.Popen([pg.PROVISION, self.server.conninfo(db)], env=pg.clean_env(IPAM_PASSWORD='cni'),
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
                for db in ('postgres', 'postgres', 'template1', 'fleet', 'ipam', 'fleet')]
        for run in runs:
            said = run.communicate(timeout=120)[0]
            self.assertEqual(run.returncode, 0, said)
        self.may()
        for db in ('ipam', 'fleet'):
            self.assertEqual(self.server.psql('SELECT version FROM ips_schema', dbname=db), [['1']])

    def test_interrupted_it_is_completed_by_the_next(self):
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        stop = os.path.join(folder, 'psql')
        for calls in range(1, 9):
            self.wipe()
            with open(stop, 'w', encoding='ascii') as f:
                f.write(f'#!/bin/sh\necho >>{folder}/{calls}\n'
                        f'[ $(wc -l <{folder}/{calls}) -lt {calls} ] || kill -9 $PPID\n'
                        f'exec {shutil.which("psql")} "$@"\n')
            os.chmod(stop, 0o755)
            self.provision(check=False, PATH=folder + ':' + os.environ['PATH'])
            self.provision()
            self.assertEqual(self.server.psql(ALLOWED[-1], user='cni', password='cni'), [['1', '1']])
        self.may()


class Password(Provision):
    def test_any_password_of_one_line(self):
        for password in (r'''it's "quoted" \ % $HOME `id` $(id) :x ; -- é''', 'ünï☃密码', '  blanks  ', '-h',
                         '\\password', "'", 'x' * 400, '{}\t[]'):
            with self.subTest(password):
                self.provision(password)
                self.assertTrue(self.logs_in(password))
                with self.assertRaises(pg.PsqlError):
                    self.logs_in(password + 'x')

    def test_a_line_break_is_refused_with_words(self):
        for password in ('two\nlines', 'end\n', 'cr\r'):
            done = self.provision(password, check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn('line break', done.stderr)
        self.assertEqual(self.server.psql("SELECT FROM pg_roles WHERE rolname = 'cni'", dbname='postgres'), [])

    def test_it_is_set_every_time_that_it_is_given_and_not_empty(self):
        self.provision('first')
        self.provision('second')
        self.assertTrue(self.logs_in('second'))
        self.provision('')
        self.assertTrue(self.logs_in('second'))

    def test_without_one_the_role_has_none_and_it_says_how_to_give_it(self):
        said = self.provision('').stderr
        self.assertIn('has no password', said)
        self.assertIn('IPAM_PASSWORD', said)
        self.assertIsNone(self.server.value("SELECT rolpassword FROM pg_authid WHERE rolname = 'cni'"))

    def test_the_server_neither_sees_nor_logs_it(self):
        self.server.psql('ALTER SYSTEM SET log_statement = \'all\'', dbname='postgres')
        self.server.psql('SELECT pg_reload_conf()', dbname='postgres')
        self.addCleanup(self.server.psql, 'ALTER SYSTEM RESET log_statement', dbname='postgres')
        self.provision('hush-hush-hush')
        self.assertIn('ALTER USER cni PASSWORD', self.server.log())
        self.assertNotIn('hush-hush-hush', self.server.log())
        self.assertTrue(self.logs_in('hush-hush-hush'))

    def test_no_command_line_and_no_environment_has_it(self):
        with tempfile.TemporaryDirectory() as folder:
            for name in ('psql', 'setsid', 'bash'):
                path = os.path.join(folder, name)
                with open(path, 'w', encoding='ascii') as f:
                    f.write(f'#!/bin/sh\n{{ echo "$0 $*"; env; }} >>{folder}/seen\nexec {shutil.which(name)} "$@"\n')
                os.chmod(path, 0o755)
            env = pg.clean_env(IPAM_PASSWORD='hush-hush-hush', PATH=folder + ':' + os.environ['PATH'])
            done = subprocess.run([shutil.which('bash'), pg.PROVISION, self.server.conninfo()], env=env, text=True,
                                  check=True, capture_output=True, timeout=60)
            with open(f'{folder}/seen', encoding='utf-8') as f:
                seen = f.read()
        self.assertIn('setsid', seen)
        self.assertNotIn('hush-hush-hush', seen + done.stdout + done.stderr)

    def test_on_a_terminal_nobody_is_asked(self):
        pid, fd = pty.fork()
        if pid == 0:
            env = pg.clean_env(IPAM_PASSWORD='from-a-terminal')
            os.execve(pg.PROVISION, [pg.PROVISION, self.server.conninfo()], env)
        try:
            while os.read(fd, 4096):
                pass
        except OSError:
            pass
        self.assertEqual(os.waitpid(pid, 0)[1], 0)
        self.assertTrue(self.logs_in('from-a-terminal'))


class Limits(Provision):
    def test_the_role_gets_limits(self):
        self.provision()
        self.assertEqual([r[0] for r in self.server.psql(CONFIG)], SETTINGS)
        self.assertEqual(self.server.psql('SHOW statement_timeout', user='cni', password='cni'), [['1min']])

    def test_what_an_administrator_has_set_stays(self):
        self.server.psql('CREATE DATABASE ipam', dbname='postgres')
        for where, value, rows in (
                ('ALTER ROLE cni', '5s', ['statement_timeout=5s']),
                ('ALTER ROLE cni', '0', ['statement_timeout=0']),
                ('ALTER ROLE cni IN DATABASE ipam', '6s', ['statement_timeout=6s']),
                ('ALTER DATABASE ipam', '7s', []),
                ('ALTER ROLE ALL', '8s', []),
                ('ALTER SYSTEM', '9s', [])):
            with self.subTest(where):
                self.provision()
                self.server.psql('ALTER ROLE cni RESET ALL', dbname='postgres')
                self.server.psql(f"{where} SET statement_timeout = '{value}'", dbname='postgres')
                self.server.psql('SELECT pg_reload_conf()', dbname='postgres')
                self.provision()
                self.assertEqual([r[0] for r in self.server.psql(CONFIG)], SETTINGS[:2] + rows)
                self.server.psql(f'{where} RESET statement_timeout', dbname='postgres')

    def test_another_database_s_setting_does_not_count(self):
        self.server.psql("CREATE DATABASE other; ALTER DATABASE other SET statement_timeout = '7s'", dbname='postgres')
        self.provision()
        self.assertEqual([r[0] for r in self.server.psql(CONFIG)], SETTINGS)

    def test_a_server_that_does_not_know_one_goes_without(self):
        with tempfile.TemporaryDirectory() as folder:
            shutil.copytree(os.path.dirname(pg.PROVISION), folder, dirs_exist_ok=True)
            path = os.path.join(folder, 'provision.sh')
            with open(path, encoding='utf-8') as f:
                text = f.read()
            self.assertIn("'client_connection_check_interval'", text)
            with open(path, 'w', encoding='utf-8') as f:
                f.write(text.replace("'client_connection_check_interval'", "'client_connection_check_in_2050'"))
            self.server.script(path, self.server.conninfo(), IPAM_PASSWORD='cni')
        self.assertEqual([r[0] for r in self.server.psql(CONFIG)], SETTINGS[1:])


class Given(Provision):
    """What was there before."""

    def owned_by_cni(self):
        self.server.psql("CREATE USER cni WITH PASSWORD 'cni'; CREATE DATABASE ipam OWNER cni TEMPLATE template0;"
                         'GRANT ALL PRIVILEGES ON DATABASE ipam TO cni', dbname='postgres')
        self.server.psql('GRANT ALL PRIVILEGES ON ALL TABLES IN SCHEMA public TO cni')

    def test_a_database_that_cni_owns(self):
        self.owned_by_cni()
        self.server.psql(DEMO, user='cni', password='cni')
        self.provision('')
        self.assertEqual(self.server.psql('SELECT pod_id, ip FROM ips'), [['a', '10.0.0.1/24']])
        self.may()
        self.may_not('DROP TABLE public.ips_go_demo', "SELECT nextval('public.ips_go_demo_id_seq')")

    def test_a_database_that_cni_owns_and_has_migrated(self):
        self.owned_by_cni()
        self.server.psql(DEMO, user='cni', password='cni')
        self.server.script(pg.MIGRATE, self.server.conninfo('ipam', 'cni', self.server.host), PGPASSWORD='cni')
        self.provision('')
        self.may()

    def test_everything_that_cni_owns_in_it_goes_to_the_owner(self):
        self.owned_by_cni()
        self.server.psql('''CREATE SCHEMA extra; CREATE TABLE extra.t (id serial); CREATE SEQUENCE public.s;
            CREATE VIEW public.v AS SELECT 1; CREATE FUNCTION public.f() RETURNS int LANGUAGE sql AS 'SELECT 1';
            CREATE TABLE public.p (i int) PARTITION BY RANGE (i);
            CREATE TABLE public.p1 PARTITION OF public.p FOR VALUES FROM (1) TO (2)''', user='cni', password='cni')
        self.provision('')
        self.may_not('DROP TABLE extra.t', 'CREATE TABLE extra.x ()', 'DROP SEQUENCE public.s', 'DROP VIEW public.v',
                     'DROP FUNCTION public.f()', 'DROP TABLE public.p1')

    def test_another_database_of_cni_is_left_alone(self):
        self.server.psql("CREATE USER cni PASSWORD 'cni'; CREATE DATABASE cni OWNER cni", dbname='postgres')
        self.provision('')
        self.server.psql('CREATE TABLE mine ()', user='cni', password='cni', dbname='cni')

    def test_rights_that_cni_was_given_are_taken(self):
        self.provision()
        self.server.psql('''GRANT ALL ON ALL TABLES IN SCHEMA public TO cni; GRANT ALL ON SCHEMA public TO cni, PUBLIC;
            GRANT ALL ON ips, ips_schema TO PUBLIC; GRANT ALL ON DATABASE ipam TO cni, PUBLIC; GRANT ipam_owner TO cni;
            GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO cni; GRANT UPDATE (ip) ON ips TO cni;
            GRANT EXECUTE ON FUNCTION lo_create(oid) TO cni;
            ALTER ROLE cni SUPERUSER CREATEDB CREATEROLE REPLICATION BYPASSRLS NOLOGIN''')
        self.provision()
        self.may()

    def test_a_third_owner_stays_the_owner(self):
        self.server.psql('CREATE ROLE landlord; CREATE DATABASE ipam OWNER landlord', dbname='postgres')
        self.provision()
        owner = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'ipam'"
        self.assertEqual(self.server.value(owner), 'landlord')
        self.may()

    def test_a_superuser_s_tables_go_to_the_owner(self):
        self.server.psql('CREATE DATABASE ipam', dbname='postgres')
        self.migrate()
        self.provision()
        self.assertEqual(self.server.psql(OWNERS), [['ipam_owner']])
        self.may()

    def test_a_hostile_schema_does_no_harm(self):
        self.owned_by_cni()
        self.server.psql('''CREATE SCHEMA evil; CREATE FUNCTION evil.eq(name, text) RETURNS bool LANGUAGE plpgsql AS $$
                BEGIN ALTER ROLE cni SUPERUSER; RETURN false; END $$;
            CREATE OPERATOR evil.= (FUNCTION = evil.eq, LEFTARG = name, RIGHTARG = text);
            CREATE TABLE evil.pg_roles (rolname name); ALTER DATABASE ipam SET search_path = evil, pg_catalog''',
                         user='cni', password='cni')
        self.provision('')
        self.assertEqual(self.server.value("SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = 'cni'"), 'f')
        self.server.psql('ALTER DATABASE ipam RESET search_path')
        self.may()

    def test_an_allocation_in_use_is_kept(self):
        self.provision()
        self.server.psql(ROW)
        self.provision()
        self.assertEqual(self.server.value('SELECT count(*) FROM ips'), '1')


class Called(Provision):
    def uri(self, path):
        return f'postgresql://postgres@{path}host={self.server.dir}&port={self.server.port}'

    def ready(self, dbname='ipam'):
        return self.server.psql('SELECT version FROM ips_schema', user='cni', password='cni', dbname=dbname) == [['1']]

    def test_every_way_to_name_the_server_makes_ipam(self):
        plain = f'host={self.server.dir} port={self.server.port} user=postgres'
        for conninfo in (plain, plain + ' dbname=template1', plain + ' dbname = ipam', "dbname='ipam' " + plain,
                         self.uri('/?'), self.uri('/postgres?'), self.uri('/ipam?'), self.uri('?dbname=ipam&')):
            with self.subTest(conninfo):
                self.wipe()
                self.server.script(pg.PROVISION, conninfo, IPAM_PASSWORD='cni')
                self.assertTrue(self.ready())
                self.server.script(pg.PROVISION, conninfo, IPAM_PASSWORD='cni')

    def test_without_an_argument_the_variables_count(self):
        for more in ({}, {'PGDATABASE': 'ipam'}, {'PGDATABASE': 'postgres'}):
            with self.subTest(more):
                self.wipe()
                self.server.script(pg.PROVISION, IPAM_PASSWORD='cni', PGHOST=self.server.dir,
                                   PGPORT=str(self.server.port), PGUSER='postgres', **more)
                self.assertTrue(self.ready())

    def test_a_single_word_is_a_database(self):
        for word in ('postgres', 'ipam'):
            self.server.script(pg.PROVISION, word, IPAM_PASSWORD='cni', PGHOST=self.server.dir,
                               PGPORT=str(self.server.port), PGUSER='postgres')
            self.assertTrue(self.ready())

    def test_another_database_that_is_named_is_used(self):
        self.server.psql('CREATE DATABASE "the fleet"', dbname='postgres')
        self.provision(dbname='the fleet')
        self.assertTrue(self.ready('the fleet'))
        self.assertEqual(self.server.psql("SELECT FROM pg_database WHERE datname = 'ipam'", dbname='postgres'), [])

    def test_a_database_that_is_not_there_is_refused_and_nothing_is_made(self):
        done = self.provision(dbname='nowhere', check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn('"nowhere" does not exist', done.stderr)
        self.assertEqual(self.server.psql("SELECT FROM pg_roles WHERE rolname = 'cni'", dbname='postgres'), [])

    def test_who_is_no_superuser_is_told(self):
        self.server.psql("CREATE ROLE clerk LOGIN PASSWORD 'c' CREATEDB CREATEROLE", dbname='postgres')
        done = self.server.script(pg.PROVISION, self.server.conninfo('postgres', 'clerk', self.server.host),
                                  PGPASSWORD='c', check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn('"clerk" is not a superuser', done.stderr)

    def test_a_migration_that_fails_ends_it(self):
        self.server.psql('CREATE DATABASE ipam', dbname='postgres')
        self.server.psql('CREATE TABLE ips (something int)')
        done = self.provision(check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn('public.ips is neither', done.stderr)

    def test_wrong_usage_is_2(self):
        for args in (['a', 'b'], ['--no-such'], ['']):
            done = self.server.script(pg.PROVISION, *args, check=False)
            self.assertEqual(done.returncode, 2, args)
            self.assertIn('usage', done.stderr)
        self.assertIn('usage', self.server.script(pg.PROVISION, '--help').stdout)


if __name__ == '__main__':
    tap.main()
