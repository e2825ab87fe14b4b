#!/usr/bin/env python3
"""The READMEs: the front page is short, links lead somewhere, and what is there to be pasted works as it stands. Needs root,
openssl, plugins/cnitool and a PostgreSQL server's programs; podman's lines need podman, runc, busybox-static and
containernetworking-plugins. Not run with sanitizers."""
import glob
import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest

import pg
import plugin
import plugin_case
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


def table(page, first):
    """The rows of the table whose head begins with this cell, each a list of cells."""
    text, = re.findall(rf'^\| {re.escape(first)} \|.*\n\| --- .*\n((?:\|.*\n)+)', read(page), re.MULTILINE)
    return [[cell.strip() for cell in row.split('|')[1:-1]] for row in text.splitlines()]


def code(cell):
    """What stands between backticks in it."""
    return re.findall(r'`([^`]+)`', cell)


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
        for folder, patterns in {'demo-scenarios': ['*.sh'], 'tests': ['*.sh'], 'examples': ['*.conflist', '*/'], 'examples/kubernetes': ['*.yaml'],
                                 'sql': ['*.sh', 'admin/*']}.items():
            for name in [name for pattern in patterns for name in glob.glob(pattern, root_dir=os.path.join(pg.ROOT, folder))]:
                if f'{folder}/{name}' not in parts:
                    self.assertTrue(re.search(rf'`({folder}/)?{re.escape(name)}[` ]', read(f'{folder}/README.md')), f'{folder}/README.md: {name}')

    def test_files_that_kubectl_and_podman_are_given_are_there(self):
        """Commands of all pages are run in the top folder."""
        named = [name for page in pages() for name in re.findall(r' -f ([^\s`]+)', read(page))]
        self.assertGreater(len(named), 4)
        for name in named:
            self.assertTrue(os.path.exists(os.path.join(pg.ROOT, name)), name)

    def test_both_tables_of_runtimes_say_the_same(self):
        known = {row[0].split(' (')[0]: row for row in table('examples/README.md', 'runtime')}
        for runtime, version, _, gc in table(FRONT, 'runtime'):
            self.assertEqual(known[runtime][1].split(';')[0], version, runtime)
            self.assertEqual(known[runtime][4].replace('`gc/`', 'timer'), gc, runtime)


class Shell(unittest.TestCase):
    """Runs what is there to be pasted, in the top folder of the project, with folders of its own for what it installs."""

    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.mkdtemp(prefix='ipam-readme.', dir='/var/tmp')
        cls.addClassCleanup(shutil.rmtree, cls.dir)
        os.chmod(cls.dir, 0o711)
        cls.env = {**pg.clean_env(), 'HOME': cls.dir, 'IPAM_DB_DIR': f'{cls.dir}/db', 'PREFIX': f'{cls.dir}/local'}

    def sh(self, text, fails=False, cwd=pg.ROOT):
        done = subprocess.run(['bash', '-eu'], input=text, cwd=cwd, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, timeout=200, check=False)
        self.assertEqual(done.returncode != 0, fails, done.stdout)
        return done.stdout

    def file(self, name, text):
        path = os.path.join(self.dir, name)
        with open(path, 'w', encoding='utf-8') as f:
            f.write(text)
        return path

    def mount(self, *how):
        subprocess.run(['mount', *how], check=True, timeout=10)
        self.addCleanup(subprocess.run, ['umount', how[-1]], check=True, timeout=10)

    def server(self, hba):
        """One as Debian's: a certificate, a socket where psql looks for it, and this pg_hba.conf, which lets nobody else in."""
        made = pg.Server(provision=False)
        made.stop()
        with open(os.path.join(made.data, 'pg_hba.conf'), 'w', encoding='ascii') as f:
            f.write(hba)
        subprocess.run(['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=db.example',
                        '-keyout', 'server.key', '-out', 'server.crt'], cwd=made.data, check=True, capture_output=True, timeout=60)
        owner = os.stat(made.data)
        os.chown(os.path.join(made.data, 'server.key'), owner.st_uid, owner.st_gid)
        sockets = '/var/run/postgresql'
        os.makedirs(sockets, exist_ok=True)
        self.mount('-t', 'tmpfs', '-o', f'uid={owner.st_uid},mode=0755', 'tmpfs', sockets)
        self.addCleanup(made.close)
        del made.settings['listen_addresses']
        made.settings.update(ssl='on', unix_socket_directories=f'{made.dir},{sockets}')
        made.port = 5432
        made.start()
        return made


class Database(Shell):
    def test_a_server_of_debian(self):
        """As root on the server; then a host comes in. The front page has the same line of pg_hba.conf."""
        text, = re.findall(r'^## A server of Debian\n.*?^```sh\n(.*?)^```$', read('sql/README.md'), re.MULTILINE | re.DOTALL)
        provision, hba, listen, restart = text.splitlines()
        self.assertEqual(restart, 'systemctl restart postgresql')
        line, = re.findall("'(.*?)'", hba.partition('>>')[0])
        self.assertEqual(re.findall('`(hostssl .*?)`', read(FRONT)), [line])
        server = self.server('local all postgres peer\n')
        shutil.copytree(os.path.join(pg.ROOT, 'sql'), f'{self.dir}/sql')
        conf = plugin.net_conf(server, {'host': '127.0.0.1', 'password': 'secret'})
        for command in (provision, hba, listen):
            self.assertIn('no pg_hba.conf entry for host ', plugin.run(plugin.NET, 'STATUS', conf).said)
            self.sh(command, cwd=self.dir)
        server.restart()
        self.assertEqual(plugin.run(plugin.NET, 'STATUS', conf).said, '')
        self.assertEqual(self.sh("runuser -u postgres -- psql -Atc 'SHOW listen_addresses'"), '*\n')


class Commands(Shell):
    """Each `sh` block of the front page runs as it stands, in its order."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for folder in ('/etc/cni', '/opt/cni'):
            os.makedirs(folder, exist_ok=True)
            subprocess.run(['mount', '-t', 'tmpfs', 'tmpfs', folder], check=True, timeout=10)
        cls.by_hand, cls.install = blocks(read(FRONT), 'sh')

    def db_example(self):
        """The server that Install names: at its port, open to its superuser."""
        line, = re.findall('`(hostssl .*?)`', read(FRONT))
        server = self.server(f'local all postgres trust\nhost all postgres 127.0.0.1/32 trust\n{line}\n')
        self.mount('--bind', self.file('hosts', '127.0.0.1 localhost db.example\n'), '/etc/hosts')
        return server

    def podman(self):
        """podman's own folders, the lines that examples/README.md has for it, and an image with the name in the table; what else
        it needs are its defaults."""
        done = runtimes.missing('podman', 'runc')
        if done or not os.path.exists(f'{runtimes.DEBIAN_PLUGINS}/bridge') or not os.path.exists(runtimes.BUSYBOX):
            self.skipTest(f'podman, runc, busybox-static or containernetworking-plugins is not installed {done}')
        backend, = blocks(read('examples/README.md'), 'toml')
        self.env['CONTAINERS_CONF'] = self.file('containers.conf', f'''[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
tmp_dir = "{self.dir}/tmp"
{backend}''')
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

    def installed(self, server):
        for question in re.findall(r'`(SELECT [^`]+)`', read(FRONT)):
            self.assertEqual(server.psql(question), [])
        self.assertTrue(all(os.access(os.path.join('/opt/cni/bin', name), os.X_OK) for name in (plugin.NET, plugin.IPAM)))
        unit, = re.findall(r'`systemctl enable --now (cni-gc@)ipam-pods-bridge(\.timer)`', read(FRONT))
        self.assertTrue(os.path.exists(f'{self.dir}/local/lib/systemd/system/{"".join(unit)}'))

    def newer(self):
        """The line that turns the network into one of 1.1.0, and nothing else."""
        line, = re.findall(r'`(sed -i [^`]+)`', read(FRONT))
        path = line.split()[-1]
        with open(path, encoding='utf-8') as f:
            before = f.read()
        self.sh(line)
        with open(path, encoding='utf-8') as f:
            after = f.read()
        self.assertEqual(after, before.replace('"cniVersion": "1.0.0"', '"cniVersion": "1.1.0"'))
        network = json.loads(after)
        self.assertEqual(network['cniVersion'], '1.1.0')
        conf = {**network['plugins'][-1], 'name': network['name'], 'cniVersion': '1.1.0'}
        self.assertEqual(plugin.run(plugin.NET, 'STATUS', conf, path='/opt/cni/bin').said, '')

    def test_install_then_podman(self):
        server = self.db_example()
        self.sh(self.install)
        self.installed(server)
        self.newer()
        self.sh(self.install.splitlines()[-1])
        self.podman()
        command, = [code(asks)[0] for runtime, _, asks, _ in table(FRONT, 'runtime') if runtime.startswith('podman')]
        self.assertIn(' 10.101.0.11/16 ', self.sh(command))
        self.assertRegex(self.sh(command.replace(' --ip 10.101.0.11', '')), r' 10\.101\.\d+\.\d+/16 ')
        backend, named, picked = re.search('^## podman\n.*?^```sh\n(.*?)^```$', read('examples/README.md'), re.MULTILINE | re.DOTALL)[1].splitlines()
        self.assertEqual(self.sh(backend), 'cni\n')
        self.assertRegex(self.sh(named), r'(?s) 10\.101\.0\.9/16 .* fd00:101::9/64 ')
        self.assertEqual(*[re.findall(r' 10\.101\.\d+\.\d+/16 ', self.sh(picked)) for _ in range(2)])
        self.assertIn('network not found', self.sh('podman run --rm --network ipam-pods alpine true', fails=True))
        self.assertEqual(server.value('SELECT count(*) FROM public.ips'), '0')


class Asking(Shell):
    """The lines of "Asking for addresses", each by cnitool in a network that has what the row needs."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.database = plugin_case.server()
        cls.rows = {code(row[0])[-1] if '`' in row[0] else row[0]: row[1:] for row in table(FRONT, 'source')}

    def network(self, name='pods', needs='', **ipam):
        """One with the ranges of examples/plugins/bridge.conflist, and this piece of JSON."""
        ranges = json.loads(read('examples/plugins/bridge.conflist'))['plugins'][0]['ipam']['ranges'][:1]
        conf = plugin.net_conf(self.database, {'ranges': ranges, **ipam}, name=name)
        conf.update(json.loads('{' + ''.join(code(needs)[:1] if ':' in needs else '') + '}'))
        self.file('net.conf', json.dumps(conf))

    def given(self, before='', line='cnitool add …', network='pods'):
        """The addresses and gateways that such a line gets."""
        where = f'NETCONFPATH={self.dir} CNI_PATH={plugin.BINDIR} {before}'
        said = self.sh(line.replace('cnitool add …', f'{where} plugins/cnitool add {network} /var/run/netns/readme'))
        self.sh(f'{where} plugins/cnitool del {network} /var/run/netns/readme')
        return [(ip['address'], ip.get('gateway')) for ip in json.loads(said[said.index('{\n'):])['ips']]

    def setUp(self):
        self.sh('ip netns add readme')
        self.addCleanup(self.sh, 'ip netns delete readme')

    def test_each_way(self):
        for name, (paste, needs) in self.rows.items():
            text, line, ipam, more, before = code(paste)[0], 'cnitool add …', {}, '', ''
            if 'cnitool' in text:
                line = text
            elif name == 'annotation':
                key, _, value = text.partition(': ')
                before = "CAP_ARGS='" + json.dumps({'io.kubernetes.cri.pod-annotations': {key: json.loads(value)}}) + "'"
            elif name == 'ipam.addresses':
                ipam = json.loads('{' + text + '}')
            else:
                more = f'`{text}`'
            with self.subTest(name):
                self.network(needs=more or needs, **ipam)
                self.assertEqual(self.given(before, line), [('10.101.0.11/16', '10.101.0.1')])
                self.assertEqual(needs.startswith('`'), name in ('runtimeConfig.ips', 'annotation'))
        self.assertEqual(len(self.rows), 5)

    def test_an_address_without_a_prefix_where_there_are_no_ranges(self):
        self.network(ranges=None)
        self.assertIn('10.101.0.11 has no prefix length', self.sh(
            f'NETCONFPATH={self.dir} CNI_PATH={plugin.BINDIR} CNI_ARGS=IP=10.101.0.11 plugins/cnitool add pods /var/run/netns/readme', fails=True))

    def test_the_ranges_that_macvlan_needs(self):
        piece, = blocks(read('examples/README.md'), 'json')
        self.network(**json.loads(piece))
        (address, gateway), = self.given()
        self.assertRegex(address, r'^192\.168\.1\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])/24$')
        self.assertEqual(gateway, '192.168.1.1')


class Troubleshooting(plugin_case.PluginCase):
    """The words of "What you see" are really said, ours by a call here."""

    # Of libcni, of older net plugins and of runtimes; and what Database looks for.
    OTHERS = ('unsupported CNI result version …', 'incompatible CNI versions …', 'failed to find plugin …', 'network not found',
              'cni plugin not initialized', 'no pg_hba.conf entry for host …')

    def said(self, command, **how):
        return self.ask(command, **how).said

    def test_each(self):
        full = {'ranges': [[{'subnet': '10.5.0.0/30'}]]}
        self.assertEqual(self.ask('ADD', container='a', ipam=full).code, 0)
        calls = {
            'database unreachable: …': lambda: self.said('STATUS', ipam={'port': pg.free_port(), 'timeout': 1}),
            'password authentication failed …': lambda: self.said('STATUS', ipam={'password': 'wrong'}),
            '… run sql/migrate.sh': self.older,
            'address … is held by …': lambda: self.said('ADD', ip='10.5.0.2', ipam=full),
            'no address is left in the range set …': lambda: self.said('ADD', ipam=full),
            '… has no prefix length …': lambda: self.said('ADD', ip='10.5.0.2'),
            '… is outside of all ipam.ranges': lambda: self.said('ADD', ip='10.6.0.2', ipam=full),
        }
        seen = [words for row in table(FRONT, 'what you see') for words in code(row[0]) if 'DEL' not in words]
        self.assertEqual(sorted(seen), sorted([*calls, *self.OTHERS]))
        for words, call in calls.items():
            with self.subTest(words):
                self.assertRegex(call(), '.*'.join(re.escape(part.strip()) for part in words.split('…')))

    def older(self):
        """On a database that an older build made."""
        self.server.psql('CREATE TABLE public.kept AS TABLE public.ips_schema; DELETE FROM public.ips_schema WHERE version > 1')
        said = self.said('STATUS')
        self.server.psql('INSERT INTO public.ips_schema TABLE public.kept ON CONFLICT DO NOTHING; DROP TABLE public.kept')
        return said


if __name__ == '__main__':
    sandbox.enter()
    tap.main()
