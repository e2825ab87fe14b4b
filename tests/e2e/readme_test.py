#!/usr/bin/env python3
"""The READMEs: the front page is short, links lead somewhere, and what is there to be pasted works as it stands. Needs root,
plugins/cnitool and a PostgreSQL server's programs; podman's lines need podman, runc, busybox-static and
containernetworking-plugins. Not run with sanitizers."""
import glob
import os
import re
import shutil
import subprocess
import tempfile
import unittest

import pg
import plugin
import runtimes
import sandbox
import tap

FRONT = 'README.md'


def read(name):
    with open(os.path.join(pg.ROOT, name), encoding='utf-8') as f:
        return f.read()


def pages():
    found = glob.glob('**/README.md', root_dir=pg.ROOT, recursive=True)
    return sorted(name for name in found if name.split('/')[0] not in ('build', 'plugins'))


def without_code(text):
    """Text whose fenced blocks are empty: what looks like a link or a head in them is none."""
    return re.sub(r'^```.*?^```$', '```', text, flags=re.MULTILINE | re.DOTALL)


def anchors(text):
    """What can stand behind '#' in a link to that text, as GitHub names its heads."""
    heads = re.findall(r'^#+ +(.*)$', without_code(text), re.MULTILINE)
    return {re.sub(r'[^\w\- ]', '', head.lower()).replace(' ', '-') for head in heads}


def blocks(text, kind):
    return re.findall(rf'^```{kind}\n(.*?)^```$', text, re.MULTILINE | re.DOTALL)


def cells(text, first):
    """Of the table's row that begins with this word."""
    line, = re.findall(rf'^\| {first}\b.*$', text, re.MULTILINE)
    return [cell.strip().strip('`') for cell in line.split('|')[1:-1]]


class Pages(unittest.TestCase):
    def test_the_front_page_is_short(self):
        lines = read(FRONT).splitlines()
        self.assertLess(len(lines), 250)
        self.assertEqual([line for line in lines if len(line) > 120], [])

    def test_links_lead_somewhere(self):
        for page in pages():
            for target in re.findall(r'\]\(([^)\s]+)\)', without_code(read(page))):
                if target.startswith('https://'):
                    continue
                path, _, anchor = target.partition('#')
                path = os.path.normpath(os.path.join(os.path.dirname(page), path)) if path else page
                self.assertTrue(os.path.exists(os.path.join(pg.ROOT, path)), f'{page}: {target}')
                if anchor:
                    path = os.path.join(path, FRONT) if os.path.isdir(os.path.join(pg.ROOT, path)) else path
                    self.assertIn(anchor, anchors(read(path)), f'{page}: {target}')

    def test_the_front_page_leads_to_all_others(self):
        front = read(FRONT)
        for page in pages():
            folder = os.path.dirname(page)
            self.assertTrue(not folder or f']({page}' in front or f']({os.path.dirname(folder)}/' in front, page)

    def test_a_folders_page_names_what_there_is_to_run_and_to_copy(self):
        """What the page leaves out on purpose: parts that others read, and what lint runs."""
        parts = {'demo-scenarios/lib.sh', 'demo-scenarios/story.sh', 'tests/lint-layers.sh'}
        for pattern in ('demo-scenarios/*.sh', 'tests/*.sh', 'examples/*.conflist', 'examples/*/', 'sql/*.sh', 'sql/admin/*'):
            for name in set(glob.glob(pattern, root_dir=pg.ROOT)) - parts:
                folder, _, rest = name.partition('/')
                self.assertTrue(re.search(rf'`({folder}/)?{re.escape(rest)}[` ]', read(f'{folder}/README.md')), f'{folder}/README.md: {rest}')



class Commands(unittest.TestCase):
    """Each `sh` block of the front page runs as it stands, in its order, in the top folder of the project."""

    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.mkdtemp(prefix='ipam-readme.', dir='/var/tmp')
        cls.addClassCleanup(shutil.rmtree, cls.dir)
        os.chmod(cls.dir, 0o711)
        for folder in ('/etc/cni', '/opt/cni', '/usr/local/share'):
            os.makedirs(folder, exist_ok=True)
            subprocess.run(['mount', '-t', 'tmpfs', 'tmpfs', folder], check=True, timeout=10)
        cls.env = {**pg.clean_env(), 'HOME': cls.dir, 'IPAM_DB_DIR': f'{cls.dir}/db'}
        cls.by_hand, cls.install = blocks(read(FRONT), 'sh')

    def sh(self, text):
        done = subprocess.run(['bash', '-eu'], input=text, cwd=pg.ROOT, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, timeout=200, check=False)
        self.assertEqual(done.returncode, 0, done.stdout)
        return done.stdout

    def file(self, name, text):
        path = os.path.join(self.dir, name)
        with open(path, 'w', encoding='utf-8') as f:
            f.write(text)
        return path

    def db_example(self):
        """The server that Install names: at its port, open to its superuser."""
        server = pg.Server(provision=False)
        self.addCleanup(server.close)
        with open(os.path.join(server.data, 'pg_hba.conf'), 'w', encoding='ascii') as hba:
            hba.write('host all postgres 127.0.0.1/32 trust\n' + pg.HBA)
        server.stop()
        server.port = 5432
        server.start()
        subprocess.run(['mount', '--bind', self.file('hosts', '127.0.0.1 localhost db.example\n'), '/etc/hosts'], check=True, timeout=10)
        self.addCleanup(subprocess.run, ['umount', '/etc/hosts'], check=True, timeout=10)
        return server

    def podman(self):
        """podman's own folders, and an image with the name in the table; what else it needs are its defaults."""
        done = runtimes.missing('podman', 'runc')
        if done or not os.path.exists(f'{runtimes.DEBIAN_PLUGINS}/bridge') or not os.path.exists(runtimes.BUSYBOX):
            self.skipTest(f'podman, runc, busybox-static or containernetworking-plugins is not installed {done}')
        self.env['CONTAINERS_CONF'] = self.file('containers.conf', f'''[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
tmp_dir = "{self.dir}/tmp"
[network]
network_backend = "cni"
''')
        self.env['CONTAINERS_STORAGE_CONF'] = self.file('storage.conf', f'''[storage]
driver = "vfs"
graphroot = "{self.dir}/root"
runroot = "{self.dir}/run"
''')
        rootfs = runtimes.rootfs(os.path.join(self.dir, 'rootfs'))
        self.sh('podman load -i ' + runtimes.image(os.path.join(self.dir, 'image.tar'), 'localhost/alpine:latest', rootfs))

    def test_by_hand(self):
        said = self.sh(self.by_hand)
        self.assertEqual(re.findall(r'\((\d) rows?\)', said), ['2'])
        self.assertRegex(said, r'\| 10\.66\.\d+\.\d+/16 +\| ipam-pool ')
        self.assertIn('192.168.200.22/24', said)
        self.assertEqual(os.listdir('/var/run/netns'), [])

    def test_install_then_podman(self):
        server = self.db_example()
        self.sh(self.install)
        for question in re.findall(r'`(SELECT [^`]+)`', read(FRONT)):
            self.assertEqual(server.psql(question), [])
        installed = [os.path.join('/opt/cni/bin', name) for name in (plugin.NET, plugin.IPAM)]
        self.assertTrue(all(os.access(path, os.X_OK) for path in installed))
        self.podman()
        _, version, command = cells(read(FRONT), 'podman')
        self.assertIn(f'"cniVersion": "{version}"', read('examples/plugins/bridge.conflist'))
        self.assertIn(' 10.101.0.11/16 ', self.sh(command))
        self.assertRegex(self.sh(command.replace(' --ip 10.101.0.11', '')), r' 10\.101\.\d+\.\d+/16 ')
        self.assertEqual(server.value('SELECT count(*) FROM public.ips'), '0')


if __name__ == '__main__':
    sandbox.enter()
    tap.main()
