#!/usr/bin/env python3
"""The single steps of demo-scenarios/. Needs root, plugins/cnitool and a PostgreSQL server's programs.
Not run with sanitizers."""
import json
import os
import shutil
import subprocess
import tempfile
import unittest

import pg
import sandbox
import scripts
import tap

NET = 'ipam-status'


def setUpModule():
    globals()['db'] = scripts.Database()


def tearDownModule():
    db.close()


class Case(unittest.TestCase):
    """Every test begins and ends with no pod and an empty table."""

    def tearDown(self):
        db.start()
        for pod in scripts.pods():
            scripts.kill_pod(pod)
        shutil.rmtree(scripts.CACHE, ignore_errors=True)
        db.sql('DELETE FROM public.ips')

    def does(self, script, *args, **how):
        done = scripts.run(script, *args, **how)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done

    def refuses(self, script, *args, rc=1, **how):
        done = scripts.run(script, *args, **how)
        self.assertEqual(done.returncode, rc, done.stdout + done.stderr)
        self.assertNotIn('Usage:', done.stderr)
        return done.stderr


class Steps(Case):
    def test_status_is_ready_with_the_database_and_says_why_not_without_it(self):
        self.assertIn('Network ipam-status is ready', self.does('status.sh', NET).stdout)
        db.stop()
        self.assertIn('127.0.0.1', self.refuses('status.sh', NET))

    def test_add_makes_the_pod_and_records_its_address_with_24(self):
        said = self.does('add-ns.sh', NET, 'one', '10.1.0.5').stdout
        self.assertEqual(json.loads(said)['ips'], [{'address': '10.1.0.5/24'}])
        self.assertEqual(db.rows(), [('one', 'eth0', '10.1.0.5/24')])
        self.assertEqual(scripts.pods(), ['one'])

    def test_add_takes_other_prefixes_families_and_several_addresses(self):
        self.does('add-ns.sh', NET, 'one', '10.1.0.5/16,fd00::5/64,10.9.0.1')
        self.assertEqual([row[2] for row in db.rows()], ['10.1.0.5/16', '10.9.0.1/24', 'fd00::5/64'])

    def test_add_to_a_pod_that_is_there_uses_it(self):
        self.does('add-ns.sh', NET, 'one', '10.1.0.5')
        self.does('add-ns.sh', NET, 'one', '10.1.0.6', 'net1')
        self.assertEqual(db.rows(), [('one', 'eth0', '10.1.0.5/24'), ('one', 'net1', '10.1.0.6/24')])

    def test_add_again_gets_the_same_again(self):
        self.does('add-ns.sh', NET, 'one', '10.1.0.5')
        self.does('add-ns.sh', NET, 'one', '10.1.0.5')
        self.assertEqual(len(db.rows()), 1)

    def test_a_taken_address_names_its_holder_and_leaves_nothing(self):
        self.does('add-ns.sh', NET, 'one', '10.1.0.5')
        said = self.refuses('add-ns.sh', NET, 'two', '10.1.0.5')
        self.assertIn('10.1.0.5', said)
        self.assertIn('one', said)
        self.assertEqual((scripts.pods(), len(db.rows()), len(scripts.cached())), (['one'], 1, 1))

    def test_another_address_for_a_live_pod_is_refused_and_its_own_stays(self):
        self.does('add-ns.sh', NET, 'one', '10.1.0.5')
        self.assertIn('10.1.0.5', self.refuses('add-ns.sh', NET, 'one', '10.1.0.6'))
        self.assertEqual((scripts.pods(), db.rows()), (['one'], [('one', 'eth0', '10.1.0.5/24')]))

    def test_no_address_and_no_prefix_are_refused_with_what_to_do(self):
        self.assertIn('IP=', self.refuses('add-ns.sh', NET, 'one', ''))
        self.assertIn('prefix', self.refuses('add-ns.sh', NET, 'one', 'fd00::5'))
        self.assertEqual((scripts.pods(), db.rows()), ([], []))

    def test_check_tells_what_is_held(self):
        self.does('add-ns.sh', NET, 'one', '10.1.0.5')
        self.does('check-ns.sh', NET, 'one')
        self.refuses('check-ns.sh', NET, 'one', 'net1')
        db.sql('DELETE FROM public.ips')
        self.assertIn('10.1.0.5', self.refuses('check-ns.sh', NET, 'one'))

    def test_del_frees_the_address_and_removes_the_pod_twice(self):
        self.does('add-ns.sh', NET, 'one', '10.1.0.5')
        self.does('del-ns.sh', NET, 'one')
        self.assertEqual((scripts.pods(), db.rows(), scripts.cached()), ([], [], []))
        self.does('del-ns.sh', NET, 'one')

    def test_del_keeps_the_pod_while_it_is_attached_elsewhere(self):
        self.does('add-ns.sh', NET, 'one', '10.1.0.5')
        self.does('add-ns.sh', NET, 'one', '10.1.0.6', 'net1')
        self.assertIn('ipam-status eth0', self.does('del-ns.sh', NET, 'one', 'net1').stdout)
        self.assertEqual((scripts.pods(), len(db.rows())), (['one'], 1))
        self.does('del-ns.sh', NET, 'one')
        self.assertEqual(scripts.pods(), [])

    def test_gc_keeps_the_named_pods_with_all_their_interfaces(self):
        self.does('add-ns.sh', NET, 'one', '10.1.0.1')
        self.does('add-ns.sh', NET, 'one', '10.1.0.2', 'net1')
        self.does('add-ns.sh', NET, 'two', '10.1.0.3')
        self.does('gc.sh', NET, 'one', 'two')
        self.assertEqual(len(db.rows()), 3)
        self.does('gc.sh', NET, 'one')
        self.assertEqual([row[:2] for row in db.rows()], [('one', 'eth0'), ('one', 'net1')])

    def test_gc_without_a_pod_frees_everything(self):
        self.does('add-ns.sh', NET, 'one', '10.1.0.1')
        self.does('gc.sh', NET)
        self.assertEqual(db.rows(), [])

    def test_gc_keeps_a_pod_that_the_cache_does_not_know_by_its_usual_interface(self):
        self.does('add-ns.sh', NET, 'one', '10.1.0.1')
        shutil.rmtree(scripts.CACHE)
        self.does('gc.sh', NET, 'one')
        self.assertEqual(len(db.rows()), 1)

    def test_show_prints_what_psql_prints(self):
        self.assertIn('(0 rows)', self.does('show.sh').stdout)
        self.does('add-ns.sh', NET, 'one', '10.1.0.1')
        db.sql("CREATE ROLE alice LOGIN PASSWORD 'a'; GRANT ipam_reader TO alice")
        for args in ((), ('postgresql://alice:a@127.0.0.1:25943/ipam',), ('host=127.0.0.1 port=25943 user=alice password=a dbname=ipam',)):
            said = self.does('show.sh', *args).stdout
            self.assertIn('(1 row)', said)
            self.assertRegex(said, r'one +\| cnitool-[0-9a-f]{20} +\| eth0 +\| 10\.1\.0\.1/24 ')

    def test_show_without_the_database_fails(self):
        db.stop()
        self.assertIn('not running', self.refuses('show.sh'))
        self.assertIn('127.0.0.1', self.refuses('show.sh', 'host=127.0.0.1 port=25943 user=cni password=cni dbname=ipam'))

    def test_a_callers_pg_variables_do_not_matter(self):
        self.does('show.sh', PGHOST='nowhere.invalid', PGPORT='1', PGUSER='nobody', PGDATABASE='none')

    def test_wrong_usage_is_2(self):
        for call in (('status.sh',), ('status.sh', NET, 'x'), ('add-ns.sh', NET, 'one'), ('add-ns.sh', NET, '../one', '10.1.0.1'),
                     ('add-ns.sh', NET, 'one', '10.1.0.1', 'eth0', 'x'), ('check-ns.sh', NET), ('check-ns.sh', NET, '-x'),
                     ('del-ns.sh', NET), ('del-ns.sh', NET, 'a/b'), ('gc.sh',), ('gc.sh', NET, 'a b'),
                     ('show.sh', NET), ('show.sh', 'a=b', 'x'), ('demo.sh', 'x'), ('ping.sh', 'x'), ('db.sh',), ('db.sh', 'begin'), ('db.sh', 'start', 'x')):
            with self.subTest(call=call):
                self.assertIn('usage: ', self.refuses(*call, rc=2))
        self.assertEqual(scripts.pods(), [])

    def test_a_missing_cnitool_is_said_before_anything_is_made(self):
        for call in (('status.sh', NET), ('add-ns.sh', NET, 'one', '10.1.0.1'), ('check-ns.sh', NET, 'one'), ('del-ns.sh', NET, 'one')):
            with self.subTest(call=call):
                self.assertIn('/nowhere/cnitool is missing: run ', self.refuses(*call, CNITOOL='/nowhere/cnitool'))
        self.assertEqual(scripts.pods(), [])

    def test_an_unknown_network_is_named(self):
        for call in (('status.sh', 'nonet'), ('add-ns.sh', 'nonet', 'one', '10.1.0.1'), ('check-ns.sh', 'nonet', 'one'),
                     ('del-ns.sh', 'nonet', 'one'), ('gc.sh', 'nonet')):
            with self.subTest(call=call):
                self.assertIn('no network "nonet"', self.refuses(*call))
        self.assertEqual(scripts.pods(), [])


class Networks(Case):
    """Other networks than the example, in a folder of their own, from any directory."""

    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        with open(os.path.join(scripts.EXAMPLES, '12-status-ipam.conflist'), encoding='utf-8') as f:
            self.example = json.load(f)

    def network(self, name, **keys):
        with open(os.path.join(self.folder, name + '.conflist'), 'w', encoding='utf-8') as f:
            json.dump({**self.example, 'name': name, **keys}, f)

    def test_any_network_from_any_directory(self):
        self.network('other.net')
        self.does('status.sh', 'other.net', NETCONFPATH=self.folder, cwd=self.folder)
        self.does('add-ns.sh', 'other.net', 'one', '10.1.0.1', NETCONFPATH='.', cwd=self.folder)
        self.does('gc.sh', 'other.net', 'one', NETCONFPATH='.', cwd=self.folder)
        self.assertEqual(db.sql('SELECT network FROM public.ips'), [['other.net']])
        self.does('del-ns.sh', 'other.net', 'one', NETCONFPATH='.', cwd=self.folder)
        self.assertEqual(db.rows(), [])

    def impatient(self):
        """A network whose plugins give up after a second."""
        self.example['plugins'][0]['ipam']['timeout'] = 1
        self.network('impatient')

    def test_del_without_the_database_can_be_tried_again(self):
        self.impatient()
        self.does('add-ns.sh', 'impatient', 'one', '10.1.0.5', NETCONFPATH=self.folder)
        db.stop()
        self.refuses('del-ns.sh', 'impatient', 'one', NETCONFPATH=self.folder)
        self.assertEqual(scripts.pods(), ['one'])
        db.start()
        self.does('del-ns.sh', 'impatient', 'one', NETCONFPATH=self.folder)
        self.assertEqual((scripts.pods(), db.rows()), ([], []))

    def test_gc_without_the_database_or_the_plugin_fails_and_says_so(self):
        self.impatient()
        db.stop()
        self.assertIn('127.0.0.1', self.refuses('gc.sh', 'impatient', 'one', NETCONFPATH=self.folder))
        self.assertIn('failed to find plugin "status-cni" in /nowhere', self.refuses('gc.sh', NET, CNI_PATH='/nowhere'))

    def test_gc_of_one_network_leaves_the_others(self):
        self.network('other')
        self.does('add-ns.sh', NET, 'one', '10.1.0.1')
        self.does('add-ns.sh', 'other', 'one', '10.1.0.1', NETCONFPATH=self.folder)
        self.does('gc.sh', 'other', NETCONFPATH=self.folder)
        self.assertEqual(db.sql('SELECT network FROM public.ips'), [[NET]])

    def test_gc_is_not_sent_where_it_is_disabled_or_unknown(self):
        self.network('careful', disableGC=True)
        self.network('old', cniVersion='1.0.0')
        self.does('add-ns.sh', 'careful', 'one', '10.1.0.1', NETCONFPATH=self.folder)
        self.assertIn('disableGC', self.refuses('gc.sh', 'careful', NETCONFPATH=self.folder))
        self.assertIn('1.1.0', self.refuses('gc.sh', 'old', NETCONFPATH=self.folder))
        self.assertEqual(len(db.rows()), 1)

    def test_the_highest_of_several_versions_is_used(self):
        self.network('many', cniVersion='0.4.0', cniVersions=['0.4.0', '1.0.0', '1.1.0', '9.0.0'])
        said = self.does('add-ns.sh', 'many', 'one', '10.1.0.1', NETCONFPATH=self.folder)
        self.assertEqual(json.loads(said.stdout)['cniVersion'], '1.1.0')
        self.does('gc.sh', 'many', 'one', NETCONFPATH=self.folder)

    def test_a_broken_file_is_named(self):
        with open(os.path.join(self.folder, '00.conflist'), 'w', encoding='utf-8') as f:
            f.write('{')
        self.assertIn('00.conflist', self.refuses('status.sh', NET, NETCONFPATH=self.folder))

    def test_a_typo_in_a_key_is_named_with_its_value(self):
        self.example['plugins'][0]['ipam']['dbnam'] = 'ipam'
        self.network('typo')
        self.assertIn('dbnam', self.refuses('add-ns.sh', 'typo', 'one', '10.1.0.1', NETCONFPATH=self.folder))
        self.assertEqual((scripts.pods(), db.rows()), ([], []))

    def test_capability_arguments_are_passed_where_they_are_declared(self):
        self.example['plugins'][0]['capabilities'] = {'ips': True}
        self.network('caps')
        self.does('add-ns.sh', 'caps', 'one', '10.1.0.1', NETCONFPATH=self.folder, CAP_ARGS='{"ips": ["10.2.0.2/16"]}')
        self.assertEqual(db.rows(), [('one', 'eth0', '10.2.0.2/16')])


class DatabaseScript(Case):
    def test_start_stop_and_status(self):
        self.assertIn('already running', self.does('db.sh', 'start').stdout)
        self.assertIn('running', self.does('db.sh', 'status').stdout)
        self.does('db.sh', 'stop')
        self.assertIn('not running', self.does('db.sh', 'stop').stdout)
        done = scripts.run('db.sh', 'status')
        self.assertEqual((done.returncode, done.stdout.split()[0]), (3, 'stopped'))
        self.assertIn('not running', self.refuses('db.sh', 'psql'))

    def test_data_stays_over_a_restart(self):
        self.does('add-ns.sh', NET, 'one', '10.1.0.1')
        self.does('db.sh', 'stop')
        self.does('db.sh', 'start')
        self.assertEqual(len(db.rows()), 1)

    def test_a_port_of_somebody_else_is_refused_and_left_alone(self):
        said = self.refuses('db.sh', 'start', IPAM_DB_DIR=os.path.join(db.work, 'second'))
        self.assertIn('taken by somebody else', said)
        self.assertIn('12-status-ipam.conflist', said)
        scripts.run('db.sh', 'stop', IPAM_DB_DIR=os.path.join(db.work, 'second'))
        self.does('db.sh', 'status')

    def test_a_half_made_cluster_is_made_anew(self):
        self.does('db.sh', 'stop')
        env = {'IPAM_DB_DIR': os.path.join(db.work, 'half')}
        self.does('db.sh', 'start', **env)
        self.does('db.sh', 'stop', **env)
        os.remove(os.path.join(db.work, 'half', 'ready'))
        os.remove(os.path.join(db.work, 'half', 'data', 'PG_VERSION'))
        self.does('db.sh', 'start', **env)
        self.does('status.sh', NET)
        self.does('db.sh', 'stop', **env)

    def test_a_folder_of_another_user_is_refused(self):
        folder = os.path.join(db.work, 'foreign')
        os.mkdir(folder)
        self.assertIn('does not belong to postgres', self.refuses('db.sh', 'start', IPAM_DB_DIR=folder))

    def test_a_tree_that_the_server_cannot_reach_has_its_data_under_var_tmp(self):
        with tempfile.TemporaryDirectory() as closed:
            for name in ('demo-scenarios', 'examples', 'sql'):
                shutil.copytree(os.path.join(pg.ROOT, name), os.path.join(closed, name))
            self.does('db.sh', 'stop')
            how = {'root': closed, 'IPAM_DB_DIR': None}
            said = self.does('db.sh', 'start', **how).stdout
            self.assertIn('data: /var/tmp/', said)
            self.addCleanup(shutil.rmtree, said.split('data: ')[1].split(')')[0])
            self.does('status.sh', NET)
            self.does('db.sh', 'stop', **how)
            self.assertEqual(sorted(os.listdir(closed)), ['demo-scenarios', 'examples', 'sql'])

    def test_a_plain_user_has_a_database_too(self):
        self.does('db.sh', 'stop')
        home = os.path.join(db.work, 'home')
        os.mkdir(home)
        os.chown(home, 65534, 65534)
        for call, rc in (('start', 0), ('status', 0), ('stop', 0), ('status', 3)):
            done = subprocess.run([os.path.join(scripts.SCRIPTS, 'db.sh'), call], user=65534, group=65534, extra_groups=[], cwd='/',
                                  env=scripts.environment(IPAM_DB_DIR=os.path.join(home, 'db')), capture_output=True, text=True,
                                  timeout=120, check=False)
            self.assertEqual(done.returncode, rc, done.stdout + done.stderr)


if __name__ == '__main__':
    sandbox.enter()
    tap.main()
