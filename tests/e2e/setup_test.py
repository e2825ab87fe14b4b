#!/usr/bin/env python3
"""setup_dependencies.sh where something cannot be had: a copy of it, with an apt-get that hands out sources of the test's
own. Needs the packages of setup_dependencies.sh. Not run with sanitizers."""
import os
import shutil
import subprocess
import tempfile
import unittest

import pg
import tap

# Stands before the real one. "source" unpacks SOURCES/NAME, unless that is as old as REFUSED says; nothing is installed.
APT_GET = '''#!/bin/sh
case "$*" in
*' source '*)
	name=${*##* source }
	[ "${name#*=}" != "$REFUSED" ] || exit 100
	cp -r "$SOURCES/${name%%=*}" . ;;
esac
'''
APT_CACHE = '''#!/bin/sh
printf 'Version: %s\\n' $LISTED
'''
# As much of PostgreSQL's source as build_libpq calls. The library that it makes has nothing in it.
CONFIGURE = '''#!/bin/sh
mkdir -p src/include src/backend src/common src/port src/interfaces/libpq
for folder in src/backend src/common src/port src/interfaces/libpq; do
	printf '.DEFAULT:\\n\\ttrue\\n' >$folder/Makefile
done
echo 'int nothing;' >nothing.c
for object in src/common/cryptohash_openssl_shlib.o src/common/hmac_openssl_shlib.o src/port/x_shlib.o src/interfaces/libpq/x.o; do
	cc -c nothing.c -o $object
	echo 'static int nothing;' >nothing.c
done
cp "$INCLUDES"/pg_config.h src/include
'''


def write(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'w', encoding='ascii') as file:
        file.write(text)
    os.chmod(path, mode)


def said_by(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


class Setup(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix='ipam-setup.', dir='/var/tmp')
        self.addCleanup(shutil.rmtree, self.dir)
        self.tree = os.path.join(self.dir, 'tree')
        os.mkdir(self.tree)
        for name in ('Makefile', 'setup_dependencies.sh', 'src', 'include', 'tests'):
            subprocess.run(['cp', '-r', os.path.join(pg.ROOT, name), self.tree], check=True)
        write(f'{self.tree}/plugins/cnitool', 'containernetworking/cni\tv1.3.1')  # there is one
        write(f'{self.dir}/bin/apt-get', APT_GET, 0o755)
        write(f'{self.dir}/bin/apt-cache', APT_CACHE, 0o755)
        self.make_sources()

    def make_sources(self):
        """Of libpq, which links with nothing, and of cJSON."""
        self.source = said_by('dpkg-query', '-W', '-f', '${source:Package}', 'libpq-dev')
        self.version = said_by('dpkg-query', '-W', '-f', '${source:Version}', 'libpq-dev')
        postgres = f'{self.dir}/sources/{self.source}'
        write(f'{postgres}/configure', CONFIGURE, 0o755)
        for name in ('cryptohash', 'hmac', 'md5', 'sha1', 'sha2'):
            write(f'{postgres}/src/common/{name}.c', f'int {name};')
        write(f'{postgres}/src/interfaces/libpq/libpq-fe.h', '')
        write(f'{postgres}/src/include/postgres_ext.h', '')
        write(f'{self.dir}/sources/cjson/cJSON.c', '')
        write(f'{self.dir}/sources/cjson/cJSON.h', '')

    def setup(self, refused='', listed=''):
        env = dict(os.environ, PATH=f'{self.dir}/bin:{os.environ["PATH"]}', SOURCES=f'{self.dir}/sources',
                   INCLUDES=said_by('pg_config', '--includedir'), REFUSED=refused, LISTED=listed)
        done = subprocess.run([f'{self.tree}/setup_dependencies.sh'], env=env, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    def test_libraries_that_no_program_links_with_are_not_called_ready(self):
        """What they were made for stays unsaid, so make builds on the shared libraries, and the next setup tries again."""
        rc, said = self.setup()
        self.assertEqual(rc, 0, said)
        self.assertIn('linking a program with them', said)
        self.assertIn('NO STATIC LIBRARIES', said)
        self.assertNotIn('no source of', said)
        self.assertFalse(os.path.exists(f'{self.tree}/.deps/stamp'))
        self.assertIn('BUILD_LINK=\'"shared"\'', said_by('make', '-C', self.tree, '-n', 'all'))

    def test_libraries_that_are_there_stay(self):
        write(f'{self.tree}/.deps/stamp', 'of some other day')
        rc, said = self.setup()
        self.assertEqual(rc, 0, said)
        self.assertIn('the old ones stay', said)
        self.assertTrue(os.path.exists(f'{self.tree}/.deps/stamp'))

    def test_a_version_that_is_listed_and_not_served(self):
        """The next one is taken."""
        _, said = self.setup(refused=self.version, listed='1.0-1')
        self.assertIn(f'source of libpq-dev: {self.version} is not to be had', said)
        self.assertIn(f'source of libpq-dev: {self.source} 1.0-1', said)

    def test_a_source_that_the_mirror_lacks(self):
        rc, said = self.setup(refused=self.version)
        self.assertEqual(rc, 0, said)
        self.assertIn('no source of libpq-dev is to be had\n', said)
        self.assertIn('NO STATIC LIBRARIES', said)


class Libpq(unittest.TestCase):
    def test_one_that_is_too_old_is_refused(self):
        """It looks for files where the list of users says that home is, whatever HOME says."""
        with tempfile.TemporaryDirectory() as folder:
            write(f'{folder}/pg_config.h', '#define PG_VERSION_NUM 140011\n')
            done = subprocess.run(['make', '-C', pg.ROOT, 'LINK=shared', f'O={folder}/build', f'BINDIR={folder}/bin',
                                   f'CPPFLAGS=-I{folder}'], capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 2)
            self.assertIn('libpq 15 or newer is needed', done.stderr)


if __name__ == '__main__':
    tap.main()
