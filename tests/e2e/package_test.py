#!/usr/bin/env python3
"""make install and make deb: what they put where, and that it works there. Needs root, dpkg, lintian and the static build's
libraries. Not run with sanitizers."""
import filecmp
import glob
import os
import re
import shutil
import subprocess
import tempfile
import unittest

import pg
import plugin
import plugin_case
import tap

BOTH = (plugin.NET, plugin.IPAM)


def make(*words):
    done = subprocess.run(['make', '-C', pg.ROOT, *words], capture_output=True, text=True, timeout=200, check=False)
    if done.returncode:
        raise AssertionError(done.stdout + done.stderr)


def files_below(folder, *names):
    """{path below folder: whether it can be run}"""
    found = {}
    for name in names:
        for top, _, files in os.walk(os.path.join(folder, name)):
            for file in files:
                path = os.path.join(top, file)
                found[os.path.relpath(path, folder)] = os.access(path, os.X_OK)
    return found


class Place(plugin_case.PluginCase):
    def setUp(self):
        super().setUp()
        self.root = tempfile.mkdtemp(prefix='ipam-package.', dir='/var/tmp')
        self.addCleanup(shutil.rmtree, self.root)

    def at(self, *path):
        return os.path.join(self.root, *path)

    def life(self, cnibin):
        how = {'which': self.at(cnibin, plugin.NET), 'path': self.at(cnibin)}
        added = self.add('10.0.0.5/24', **how)
        self.assertEqual(self.held(), added.addresses)
        self.allowed(self.ask('DEL', **how))

    def same_as_here(self, share):
        """The whole of sql and examples, each file as here."""
        mine = files_below(pg.ROOT, 'sql', 'examples')
        self.assertEqual(files_below(self.at(share), 'sql', 'examples'), mine)
        for name in mine:
            self.assertTrue(filecmp.cmp(self.at(share, name), os.path.join(pg.ROOT, name), shallow=False), name)


    def gc_service(self, units, cnibin):
        """The unit starts a script that is there, which finds the plugins. Returns the script."""
        self.assertEqual(sorted(os.listdir(self.at(units))), ['cni-gc@.service', 'cni-gc@.timer'])
        with open(self.at(units, 'cni-gc@.service'), encoding='utf-8') as f:
            unit = f.read()
        script, = re.findall(r'^ExecStart=/(\S+) %i$', unit, re.MULTILINE)
        self.assertTrue(os.access(self.at(script), os.X_OK))
        self.assertIn(f'\n[Service]\nEnvironment=CNI_PATH=/{cnibin}\n', unit)
        return script


class Install(Place):
    def install(self, *words):
        make('install', f'DESTDIR={self.root}', *words)

    def test_where_people_expect_it(self):
        self.install()
        self.life('opt/cni/bin')
        self.same_as_here('usr/local/share/ipam-status-cni')
        self.assertEqual(sorted(os.listdir(self.at('usr/local/share/man/man8'))), ['ipam-status-cni.8', 'status-cni.8'])
        self.assertEqual(self.gc_service('usr/local/lib/systemd/system', 'opt/cni/bin'), 'usr/local/lib/ipam-status-cni/cni-gc.sh')

    def test_where_they_are_told(self):
        self.install('PREFIX=/usr', 'CNIBINDIR=/usr/libexec/cni')
        self.assertEqual(sorted(os.listdir(self.at('usr/libexec/cni'))), sorted(BOTH))
        self.same_as_here('usr/share/ipam-status-cni')
        self.gc_service('usr/lib/systemd/system', 'usr/libexec/cni')
        self.assertEqual(os.listdir(self.root), ['usr'])

    def test_a_plugin_that_runs_meanwhile_does_not_mind(self):
        self.install()
        path = self.at('opt/cni/bin', plugin.IPAM)
        before = os.stat(path).st_ino
        running = plugin.start(path, 'ADD', args='IP=10.0.0.6/24')
        self.install()
        self.assertNotEqual(os.stat(path).st_ino, before)
        self.allowed(plugin.finish(running, self.conf()))
        self.assertEqual(self.held(), ['10.0.0.6/24'])

    def test_a_database_is_made_with_what_is_installed(self):
        self.install()
        server = pg.Server(provision=False)
        self.addCleanup(server.close)
        server.script(self.at('usr/local/share/ipam-status-cni/sql/provision.sh'), server.conninfo(), IPAM_PASSWORD=server.password)
        self.allowed(self.ask('STATUS', ipam={'port': server.port, 'password': server.password}))


@unittest.skipUnless(plugin.is_static(), 'there are no static libraries')
class Package(Place):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        make('deb')
        cls.file, = glob.glob(os.path.join(pg.ROOT, 'build', '*_' + subprocess.run(
            ['dpkg', '--print-architecture'], capture_output=True, text=True, check=True).stdout.strip() + '.deb'))

    def dpkg(self, *words):
        subprocess.run(['dpkg', f'--root={self.root}', '--force-unsafe-io', *words], capture_output=True, check=True, timeout=60)

    def test_lintian_finds_no_error(self):
        done = subprocess.run(['lintian', '--allow-root', '--fail-on', 'error,warning', self.file], capture_output=True, text=True,
                              timeout=200, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_it_works_where_it_is_installed_and_leaves_nothing_behind(self):
        os.makedirs(self.at('var/lib/dpkg/info'))
        os.makedirs(self.at('var/lib/dpkg/updates'))
        open(self.at('var/lib/dpkg/status'), 'w', encoding='ascii').close()
        self.dpkg('--install', self.file)
        self.life('usr/lib/cni')
        self.same_as_here('usr/share/ipam-status-cni')
        self.gc_service('lib/systemd/system', 'usr/lib/cni')
        self.dpkg('--purge', 'ipam-status-cni')
        self.assertEqual([name for name in os.listdir(self.root) if name != 'var'], [])


class ManPages(unittest.TestCase):
    def page(self, name):
        make('man')
        page, = glob.glob(os.path.join(pg.ROOT, 'build', 'static' if plugin.is_static() else 'shared', name + '.8'))
        done = subprocess.run(['man', '--warnings', '-l', page], capture_output=True, text=True, check=True,
                              env=dict(os.environ, MANWIDTH='1000', LC_ALL='C.UTF-8', MAN_KEEP_FORMATTING=''))
        self.assertEqual(done.stderr, '')
        return re.sub(r'\s+', ' ', done.stdout)

    def test_they_say_what_help_says(self):
        for name in BOTH:
            text = self.page(name)
            said = subprocess.run([os.path.join(plugin.BINDIR, name), '--help'], capture_output=True, text=True, check=True).stdout
            lines = [line for line in said.splitlines()[4:] if line and not line.endswith(':')]
            self.assertGreater(len(lines), 9)
            for line in lines:
                self.assertIn(re.sub(r'\s+', ' ', line.strip()), text)

    def test_they_have_every_key_and_every_code_of_the_READMEs(self):
        rows = []
        for page, pattern in (('README.md', r'(?:`[a-zA-Z]+` ?)+'), ('examples/README.md', r'\d+')):
            with open(os.path.join(pg.ROOT, page), encoding='utf-8') as f:
                found = re.findall(rf'^\| ({pattern}) \| ', f.read(), re.MULTILINE)
            self.assertGreater(len(found), 10, page)
            rows += found
        text = self.page(plugin.IPAM)
        for row in rows:
            self.assertIn(f' {row.replace("`", "").strip()} ', text)


if __name__ == '__main__':
    tap.main()
