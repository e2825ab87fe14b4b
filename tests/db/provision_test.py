"""sql/provision.sh against a real server: what it makes, and how it is called. Needs PostgreSQL's server programs and
psql."""
import os
import shutil
import subprocess
import tempfile

import empty_database
import pg
import privileges
import tap


class Made(privileges.Provision):
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
        self.assertEqual(self.server.psql(privileges.OWNERS), [['ipam_owner']])
        self.assertEqual(self.server.psql(empty_database.VERSION), empty_database.LAST)

    def test_cni_may_do_what_the_plugin_does_and_nothing_else(self):
        self.provision()
        self.may()

    def test_again_and_again_is_the_same(self):
        def rights_of(name, owner, acl):
            acl = f'(SELECT array_agg(a::text ORDER BY a::text) FROM unnest({acl}) AS a)'
            return f'SELECT {name}, {owner}::regrole::text, {acl}'
        everything = ' UNION ALL '.join([
            rights_of('relname', 'relowner', 'relacl') + " FROM pg_class WHERE relnamespace = 'public'::regnamespace",
            rights_of('datname', 'datdba', 'datacl') + ' FROM pg_database',
            rights_of('nspname', 'nspowner', 'nspacl') + " FROM pg_namespace WHERE nspname !~ '^pg_(toast_)?temp_'",
            rights_of('proname', 'proowner', 'proacl') + " FROM pg_proc WHERE proname ~ '^lo_'"]) + ' ORDER BY 1, 3'
        self.provision()
        before = self.server.psql(everything) + self.server.psql(privileges.CONFIG)
        for _ in range(2):
            self.assertEqual(self.provision().stderr, '')
            self.assertEqual(self.server.psql(everything) + self.server.psql(privileges.CONFIG), before)

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
            self.assertEqual(self.server.psql(empty_database.VERSION, dbname=db), empty_database.LAST)

    def test_a_template_in_use_is_not_in_the_way(self):
        user = self.server.session('SELECT 1', dbname='template1')
        self.addCleanup(user.communicate)
        self.wait_for("SELECT count(*) = 1 FROM pg_stat_activity WHERE datname = 'template1'", dbname='postgres')
        self.provision()
        self.assertEqual(self.server.psql(empty_database.VERSION), empty_database.LAST)

    def test_interrupted_it_is_completed_by_the_next(self):
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        stop = os.path.join(folder, 'psql')
        for calls in range(1, 10):
            self.wipe()
            with open(stop, 'w', encoding='ascii') as f:
                f.write(f'#!/bin/sh\necho >>{folder}/{calls}\n'
                        f'[ $(wc -l <{folder}/{calls}) -lt {calls} ] || kill -9 $PPID\n'
                        f'exec {shutil.which("psql")} "$@"\n')
            os.chmod(stop, 0o755)
            self.provision(check=False, PATH=folder + ':' + os.environ['PATH'])
            self.provision()
            self.assertEqual(self.server.psql(privileges.ALLOWED[-1], user='cni', password='cni'), [[empty_database.LAST[0][0], '1']])
        self.may()


class Called(privileges.Provision):
    def uri(self, path):
        return f'postgresql://postgres@{path}host={self.server.dir}&port={self.server.port}'

    def ready(self, dbname='ipam'):
        return self.server.psql(empty_database.VERSION, user='cni', password='cni', dbname=dbname) == empty_database.LAST

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
        self.assertEqual(self.server.psql("SELECT 1 FROM pg_database WHERE datname = 'ipam'", dbname='postgres'), [])

    def test_a_database_that_is_not_there_is_refused_and_nothing_is_made(self):
        done = self.provision(dbname='nowhere', check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn('"nowhere" does not exist', done.stderr)
        self.assertEqual(self.server.psql("SELECT 1 FROM pg_roles WHERE rolname = 'cni'", dbname='postgres'), [])

    def test_who_may_not_make_roles_is_told(self):
        self.server.psql("CREATE ROLE clerk LOGIN PASSWORD 'c' CREATEDB", dbname='postgres')
        done = self.server.script(pg.PROVISION, self.server.conninfo('postgres', 'clerk', self.server.host),
                                  PGPASSWORD='c', check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn('"clerk" is not a superuser', done.stderr)

    def test_the_network_of_a_go_demo_s_rows_is_handed_on(self):
        self.server.psql('CREATE DATABASE ipam', dbname='postgres')
        self.server.psql("""CREATE TABLE ips (id serial PRIMARY KEY, pod_id text, interface text, ip text, created_on timestamp);
                            INSERT INTO ips (pod_id, interface, ip) VALUES ('p', 'eth0', '10.0.0.1/24')""")
        self.assertIn('network "blue"', self.provision(IPAM_NETWORK='blue').stderr)
        self.assertEqual(self.server.value('SELECT network FROM ips'), 'blue')

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
