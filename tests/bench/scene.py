"""Where the bench happens: one private server with small and large tables, a pooler, and the candidates."""
import ipaddress
import json
import os
import pwd
import subprocess
import tempfile

import pg
import plugin
import pooler

SMALL, LARGE, OWN, POOLS, PEER = 'ipam', 'ipam_large', 'ipam_own', 'ipam_pools', 'peer'
OURS = (SMALL, LARGE, OWN, POOLS)
NETWORK, NODE = 'bench', 'bench-gc'
GC_ROWS, GC_STALE = 10000, 5000
FILL_ROWS = 100000    # in one statement

# By TCP a password counts, by a Unix socket who the operating system says it is.
HBA = '''local all postgres trust
local all cni peer map=bench
host all all 127.0.0.1/32 scram-sha-256
'''
# A part of the rows is of our own network, the rest of others; all of other nodes, and of addresses that nobody asks for.
FILL = '''
INSERT INTO ips (pod_id, interface, ip, network, node, host_id, boot_id)
SELECT md5(n::text), 'eth0', set_masklen('128.0.0.0'::inet + n, 16),
       CASE n % {share} WHEN 0 THEN '{network}' ELSE 'network-' || n % 5 END,
       'node-' || n / 5 % 200, md5('host' || n / 5 % 200), '00000000-0000-0000-0000-000000000000'
  FROM generate_series({first}, {last}) AS n;
'''
GC_FILL = '''
INSERT INTO ips (pod_id, interface, ip, network, node, boot_id)
SELECT 'gc-' || n, 'eth0', set_masklen('64.0.0.0'::inet + n, 16), '{network}', '{node}', '{boot}'
  FROM generate_series({first}, {last}) AS n ON CONFLICT DO NOTHING;
'''
# What this node's earlier life has left, for the addresses that a candidate will ask for.
LEAVE = '''
INSERT INTO ips (pod_id, interface, ip, network, node, boot_id, created_on)
SELECT 'bench-left-' || n, 'eth0', set_masklen('10.0.0.0'::inet + n, 8), '{network}', '{node}',
       '00000000-0000-0000-0000-000000000000', now() - interval '10 years'
  FROM generate_series({first}, {last}) AS n;
'''
# A set that is so many per cent full, at random places.
POOL = [[{'subnet': '10.0.0.0/16', 'gateway': '169.254.1.1'}]]
POOL_FILL = '''
INSERT INTO ips (pod_id, interface, ip, network, node, host_id, boot_id)
SELECT 'pool-' || n, 'eth0', set_masklen('10.0.0.0'::inet + n, 16), 'pool-{full}', 'node-' || n % 200, md5('host' || n % 200),
       '00000000-0000-0000-0000-000000000000'
  FROM generate_series(1, 65534) AS n WHERE abs(hashint4(n)) % 100 < {full};
'''


def set_of(n):
    """A set of so many addresses."""
    first = ipaddress.ip_address(POOL[0][0]['subnet'].split('/')[0]) + 1
    return [[{**POOL[0][0], 'rangeStart': str(first), 'rangeEnd': str(first + n - 1)}]]


PEER_TABLE = '''
CREATE TABLE ips (id serial PRIMARY KEY, pod_id varchar(64) UNIQUE NOT NULL, interface varchar(16) NOT NULL,
                  ip varchar(128) UNIQUE NOT NULL, created_on timestamp DEFAULT now());
GRANT ALL ON ips, ips_id_seq TO cni;
ALTER ROLE cni IN DATABASE peer SET search_path = public;   -- provisioning has taken it from the role
'''
PEER_FILL = '''
INSERT INTO ips (pod_id, interface, ip) SELECT 'gc-' || n, 'eth0', host('64.0.0.0'::inet + n) || '/16'
  FROM generate_series({first}, {last}) AS n ON CONFLICT DO NOTHING;
'''


def boot_id():
    with open('/proc/sys/kernel/random/boot_id', encoding='ascii') as f:
        return f.read().strip()


def database(where):
    """The database that a way leads to."""
    return {'large': LARGE, 'own': OWN, 'pools': POOLS, 'peer': PEER}.get(where, SMALL)


def attachments(last, first=1):
    return [{'containerID': f'gc-{n}', 'ifname': 'eth0'} for n in range(first, last + 1)]


class Scene:
    """Use as a with block. `tools` holds the programs drive and floor, `folders` the pairs of plugins by the word that
    their candidates' names begin with; those of BINDIR have none."""

    def __init__(self, tools, rows, folders):
        self.tools, self.rows, self.folders = tools, rows, folders
        self.folder = tempfile.TemporaryDirectory(prefix='ipam-bench.')
        self.server = pg.Server(fsync='on', shared_buffers='128MB', autovacuum='off')
        self.pooler = None

    def __enter__(self):
        self.trust_users()
        self.server.psql(f'CREATE DATABASE {PEER}', dbname='postgres')
        self.server.psql(PEER_TABLE, dbname=PEER)
        for dbname, rows, share in ((SMALL, 1000, 5), (LARGE, self.rows, 5), (OWN, self.rows, 1), (POOLS, 0, 1)):
            if dbname != SMALL:
                self.server.psql(f'CREATE DATABASE {dbname} OWNER ipam_owner', dbname='postgres')
                self.server.script(pg.PROVISION, self.server.conninfo(dbname), IPAM_PASSWORD=self.server.password)
            for first in range(1, rows + 1, FILL_ROWS):
                last = min(rows, first + FILL_ROWS - 1)
                self.server.psql(FILL.format(network=NETWORK, first=first, last=last, share=share), dbname=dbname)
        self.pooler = pooler.Pooler(self.server, auth_type='trust')
        return self

    def __exit__(self, *_):
        if self.pooler:
            self.pooler.close()
        self.server.close()
        self.folder.cleanup()

    def trust_users(self):
        """Lets us and the pooler in as cni by the socket."""
        names = {pwd.getpwuid(os.getuid()).pw_name, pwd.getpwuid(os.stat(self.server.data).st_uid).pw_name}
        for name, text in (('pg_hba.conf', HBA), ('pg_ident.conf', ''.join(f'bench {user} cni\n' for user in names))):
            with open(os.path.join(self.server.data, name), 'w', encoding='ascii') as f:
                f.write(text)
        self.server.psql('SELECT pg_reload_conf()', dbname='postgres')

    # --- the tables ---

    def tidy(self):
        """Removes what the candidates have recorded and not released, and does what autovacuum would do during the
        measurements."""
        for dbname in (*OURS, PEER):
            self.server.psql("DELETE FROM ips WHERE pod_id LIKE 'bench-%'", dbname=dbname)
            self.server.psql('VACUUM ANALYZE ips', dbname=dbname)

    def fill_for_gc(self, dbname, last=GC_ROWS):
        fill = PEER_FILL if dbname == PEER else GC_FILL
        self.server.psql(fill.format(network=NETWORK, node=NODE, boot=boot_id(), first=1, last=last), dbname=dbname)

    def leave(self, dbname, first, last):
        self.server.psql(LEAVE.format(network=NETWORK, node=NODE, first=first, last=last), dbname=dbname)

    def count_gc(self, dbname):
        return int(self.server.value("SELECT count(*) FROM ips WHERE pod_id LIKE 'gc-%'", dbname=dbname))

    # --- candidates ---

    def ipam(self, where):
        """The ipam object for one way to the server: tcp, socket, pooler, or by TCP to a table: large, own, pools or peer."""
        if where in ('pooler', 'socket'):
            server = self.pooler if where == 'pooler' else self.server
            return plugin.ipam_conf(server, host=server.dir, password=None)
        return plugin.ipam_conf(self.server, dbname=database(where))

    def fill_pool(self, dbname, full):
        self.server.psql(POOL_FILL.format(full=full), dbname=dbname)

    def pool_conf(self, where, full):
        """The same for a network whose set is so full."""
        return self.conf(where, name=f'pool-{full}', ipam={**self.ipam(where), 'ranges': POOL})

    def pods(self, picked, pods, nodes):
        """Candidates that ask for so many addresses altogether, from so many nodes: by name, or of a set that has no more."""
        name, ipam, ip = ('picked', {**self.ipam('pools'), 'ranges': set_of(pods)}, None) if picked else ('named', self.ipam('pools'), '%a')
        return [self.candidate(name, plugin.NET, 'ADD', self.conf('pools', f'node-{i}', name='pods', ipam=dict(ipam)), i * pods // nodes, ip=ip)
                for i in range(nodes)]

    def conf(self, where, node=None, **keys):
        """A file with the network configuration."""
        conf = {'cniVersion': '1.1.0', 'name': NETWORK, 'type': plugin.NET, 'ipam': self.ipam(where), **keys}
        if node:
            conf['ipam']['node'] = node
        return self.file(json.dumps(conf))

    def file(self, text):
        handle, path = tempfile.mkstemp(dir=self.folder.name)
        with os.fdopen(handle, 'w', encoding='ascii') as f:
            f.write(text)
        return path

    def candidate(self, name, executable, verb, conf, base=0, pod='bench-%n', ip='%a', exits=0):
        """A plugin: its name in the results, and how it is called."""
        folder = self.folders.get(name.split('-')[0], plugin.BINDIR)
        env = {'CNI_COMMAND': verb, 'CNI_PATH': folder, 'PATH': '/usr/bin:/bin'}
        if verb in ('ADD', 'DEL', 'CHECK'):
            env |= {'CNI_CONTAINERID': pod, 'CNI_IFNAME': 'eth0', 'CNI_NETNS': plugin.NETNS,
                    'CNI_ARGS': f'IgnoreUnknown=1;IP={ip}/8' if ip else f'K8S_POD_NAMESPACE=bench;K8S_POD_NAME={pod}'}
        return self.lines(name, os.path.join(folder, executable), base, env, conf, exits)

    def floor(self, name, where, base):
        conninfo = ' '.join(f"{k}='{v}'" for k, v in self.ipam(where).items() if k != 'type')
        env = {'CONNINFO': conninfo, 'POD': 'bench-%n', 'IP': '%a/8', 'HOME': '/nonexistent'}
        return self.lines(name, os.path.join(self.tools, 'floor'), base, env, None)

    @staticmethod
    def lines(name, path, base, env, conf, exits=0):
        said = [f'name {name}', f'path {path}', f'base {base}', f'exits {exits}', *(f'env {k}={v}' for k, v in env.items())]
        return '\n'.join(said + ([f'stdin {conf}'] if conf else [])) + '\n'

    def drive(self, candidates, runs, first=1, at_once=1):
        """Runs them in turn: {name: [(milliseconds, kilobytes)]}, with what it took altogether as `total`."""
        done = subprocess.run([os.path.join(self.tools, 'drive'), str(runs), str(first), str(at_once)],
                              input=''.join(candidates), capture_output=True, text=True, timeout=300, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr)
        found = {}
        for line in done.stdout.splitlines():
            name, took, memory = line.split()
            found.setdefault(name, []).append((int(took) / 1e6, int(memory)))
        return found
