"""The files of sql/ in the init directory of the official postgres image, whose way of running them is done again here.
Needs PostgreSQL's server programs and psql."""
import os
import shutil
import subprocess
import tempfile

import empty_database
import pg
import tap

# Every file in the order of its name: SQL by psql into POSTGRES_DB; scripts are run, or sourced where they are not
# executable.
ENTRYPOINT = r'''
set -Eeo pipefail
first() {
	local file
	for file; do
		case $file in
		*.sh) if [ -x "$file" ]; then "$file"; else . "$file"; fi ;;
		*.sql) psql -v ON_ERROR_STOP=1 --no-password --no-psqlrc -U "$POSTGRES_USER" --dbname "$POSTGRES_DB" -f "$file" ;;
		*) echo "ignored: $file" ;;
		esac
	done
}
first "$INIT"/*
[[ -o errexit && ! -o nounset && -z $(trap) ]] || { echo "options or traps have changed"; exit 9; }
echo "went on: $unset_variable"
'''


class Image(empty_database.Database):
    def setUp(self):
        self.wipe()
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        shutil.copytree(os.path.dirname(pg.PROVISION), self.folder, dirs_exist_ok=True)

    def init(self, dbname, user='postgres', password='secret word', **more):
        """What the image does: a superuser and a database, the server on its socket only, then the files."""
        if user != 'postgres':
            self.server.psql(f'CREATE ROLE {user} SUPERUSER LOGIN', dbname='postgres')
        if dbname != 'postgres':
            self.server.psql(f'CREATE DATABASE "{dbname}" OWNER {user}', dbname='postgres')
        with open(f'{self.server.data}/pg_hba.conf', 'w', encoding='ascii') as hba:
            hba.write('local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n')
        self.server.psql('SELECT pg_reload_conf()', dbname='postgres')
        return self.run_files(user, dbname, IPAM_PASSWORD=password, **more)

    def run_files(self, user, dbname, **more):
        env = pg.clean_env(POSTGRES_USER=user, POSTGRES_DB=dbname, POSTGRES_PASSWORD='x', INIT=self.folder,
                           PGHOST=self.server.dir, PGPORT=str(self.server.port), **more)
        done = subprocess.run(['bash', '-c', ENTRYPOINT], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=120, check=False)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn('went on', done.stdout)
        return done.stdout

    def ready(self, dbname, password='secret word'):
        """The plugin's role can work in it, and may not do more."""
        cni = {'user': 'cni', 'password': password, 'dbname': dbname}
        self.assertEqual(self.server.psql(empty_database.VERSION, **cni), empty_database.LAST)
        self.refused('DROP TABLE public.ips', '42501', **cni)

    def sourced(self):
        for name in os.listdir(self.folder):
            os.chmod(os.path.join(self.folder, name), 0o644)

    def test_the_database_that_it_names_is_ready(self):
        self.init('ipam')
        self.ready('ipam')

    def test_the_history_where_the_image_is_told(self):
        self.init('ipam', IPAM_HISTORY='30')
        self.assertEqual(self.server.psql("SELECT tgname FROM pg_trigger WHERE tgrelid = 'public.ips'::regclass"), [['ips_history']])

    def test_scripts_that_are_not_executable_are_sourced_and_the_rest_goes_on(self):
        self.sourced()
        self.init('ipam')
        self.ready('ipam')

    def test_a_script_that_fails_is_not_passed_over(self):
        for sourced in (False, True):
            with self.subTest(sourced=sourced):
                self.setUp()
                if sourced:
                    self.sourced()
                with self.assertRaises(AssertionError) as caught:
                    self.init('ipam', password='two\nlines')
                self.assertIn('line break', str(caught.exception))
                self.assertNotIn('went on', str(caught.exception))

    def test_another_name_is_used(self):
        self.init('the fleet')
        self.ready('the fleet')
        self.assertEqual(self.server.psql("SELECT 1 FROM pg_database WHERE datname = 'ipam'", dbname='postgres'), [])

    def test_another_superuser_is_used(self):
        self.init('ipam', user='boss')
        self.ready('ipam')

    def test_without_a_name_ipam_is_made(self):
        self.init('postgres')
        self.ready('ipam')

    def test_a_second_run_changes_nothing(self):
        self.init('ipam')
        self.run_files('postgres', 'ipam')
        self.ready('ipam')

    def test_cni_as_the_superuser_works_with_a_warning(self):
        said = self.init('ipam', user='cni')
        self.assertIn('its rights cannot be limited', said)
        self.server.psql(empty_database.VERSION, user='cni', password='secret word')

    def test_the_plugin_s_password_may_come_later(self):
        self.assertIn('has no password', self.init('ipam', password=''))


if __name__ == '__main__':
    tap.main()
