"""Role cni: its password and its limits. Needs PostgreSQL's server programs and psql."""
import os
import pty
import shutil
import subprocess
import tempfile

import pg
import privileges
import tap


class Password(privileges.Provision):
    limit = 120

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
        self.assertEqual(self.server.psql("SELECT 1 FROM pg_roles WHERE rolname = 'cni'", dbname='postgres'), [])

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

    def test_it_is_hashed_as_scram_whatever_the_server_s_default_is(self):
        self.server.psql("ALTER ROLE postgres SET password_encryption = 'md5'", dbname='postgres')
        self.addCleanup(self.server.psql, 'ALTER ROLE postgres RESET password_encryption', dbname='postgres')
        self.provision('secret')
        stored = self.server.value("SELECT rolpassword FROM pg_authid WHERE rolname = 'cni'")
        self.assertEqual(stored[:14], 'SCRAM-SHA-256$')
        self.assertTrue(self.logs_in('secret'))

    def test_no_command_line_and_no_environment_has_it(self):
        with tempfile.TemporaryDirectory() as folder:
            for name in ('psql', 'setsid', 'bash'):
                path = os.path.join(folder, name)
                with open(path, 'w', encoding='ascii') as f:
                    f.write(f'#!/bin/sh\n{{ echo "$0 $*"; env | grep ^IPAM_; }} >>{folder}/seen\nexec {shutil.which(name)} "$@"\n')
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


class Limits(privileges.Provision):
    def test_the_role_gets_limits(self):
        self.provision()
        self.has_settings()
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
                self.has_settings('statement_timeout', rows)
                self.server.psql(f'{where} RESET statement_timeout', dbname='postgres')

    def test_names_are_searched_in_the_server_s_schema_alone_unless_an_administrator_has_set_another_path(self):
        self.provision()
        self.assertEqual(self.server.psql('SHOW search_path', user='cni', password='cni'), [['pg_catalog']])
        self.server.psql('ALTER ROLE cni SET search_path = public', dbname='postgres')
        self.provision()
        self.assertEqual(self.server.psql('SHOW search_path', user='cni', password='cni'), [['public']])

    def test_another_database_s_setting_does_not_count(self):
        self.server.psql("CREATE DATABASE other; ALTER DATABASE other SET statement_timeout = '7s'", dbname='postgres')
        self.provision()
        self.has_settings()

    def test_a_server_that_does_not_know_one_goes_without(self):
        with tempfile.TemporaryDirectory() as folder:
            shutil.copytree(os.path.dirname(pg.PROVISION), folder, dirs_exist_ok=True)
            path = os.path.join(folder, 'parts', 'settings.sql')
            with open(path, encoding='utf-8') as f:
                text = f.read()
            self.assertIn("'client_connection_check_interval'", text)
            with open(path, 'w', encoding='utf-8') as f:
                f.write(text.replace("'client_connection_check_interval'", "'client_connection_check_in_2050'"))
            self.server.script(os.path.join(folder, 'provision.sh'), self.server.conninfo(), IPAM_PASSWORD='cni')
        self.has_settings('client_connection_check_interval')


class ServerWide(privileges.Provision):
    settings = {'statement_timeout': '90s'}

    def test_a_limit_of_the_server_s_command_line_stays(self):
        self.provision()
        self.has_settings('statement_timeout')


if __name__ == '__main__':
    tap.main()
