"""A private PostgreSQL server: a folder of its own, a random port on 127.0.0.1 and a Unix socket in that folder.

    with pg.Server() as server:
        server.psql("SELECT count(*) FROM ips")

The superuser postgres comes in by the socket without a password, everybody else needs one. The server ends with its
with block, with the process, and when the process is killed. IPAM_TEST_TEMPLATE names a folder in which the first
one of a test run leaves a fresh cluster for the others to copy.
"""
import atexit
import ctypes
import fcntl
import glob
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROVISION = os.path.join(ROOT, 'sql', 'provision.sh')
MIGRATE = os.path.join(ROOT, 'sql', 'migrate.sh')
HBA = '''local all,replication postgres trust
local all all scram-sha-256
host all all 127.0.0.1/32 scram-sha-256
host all all ::1/128 scram-sha-256
'''


class PsqlError(Exception):
    """psql failed; the text is what it said."""


# The folders of server programs, the newest one last.
INSTALLED = sorted(glob.glob('/usr/lib/postgresql/*/bin'), key=lambda d: int(d.split('/')[4]))

# Debian's psql is a Perl script that looks for the real one, which takes longer than most of our statements.
if INSTALLED:
    os.environ['PATH'] = f"{INSTALLED[-1]}:{os.environ['PATH']}"


def bindir():
    """The folder of the newest server programs."""
    if 'PG_BINDIR' in os.environ:
        return os.environ['PG_BINDIR']
    return INSTALLED[-1] if INSTALLED else os.path.dirname(shutil.which('postgres') or '')


def clean_env(**more):
    """The environment without what would change libpq's, or the image's, idea of the server."""
    mine = {k: v for k, v in os.environ.items() if not k.startswith(('PG', 'POSTGRES_', 'IPAM_'))}
    mine.update(more)
    return mine


def as_postgres(at_our_end=signal.SIGQUIT):
    """Keyword arguments that let subprocess start what must not run as root; it gets a signal when we end."""
    libc = ctypes.CDLL(None)
    how = {'preexec_fn': lambda: libc.prctl(1, at_our_end)}  # PR_SET_PDEATHSIG
    if os.getuid() == 0:
        user = pwd.getpwnam('postgres')
        how.update(user=user.pw_uid, group=user.pw_gid, extra_groups=[user.pw_gid])
    return how


def owned_tempdir(prefix):
    """A new folder, owned by whom as_postgres() means, open to others for the sockets in it."""
    path = tempfile.mkdtemp(prefix=prefix)
    os.chmod(path, 0o755)
    if os.getuid() == 0:
        user = pwd.getpwnam('postgres')
        os.chown(path, user.pw_uid, user.pw_gid)
    return path


def free_port():
    """A port of 127.0.0.1 that nobody has at the moment."""
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def _initdb(data):
    subprocess.run([f'{bindir()}/initdb', '-N', '-U', 'postgres', '-E', 'UTF8', '--locale=C', '-A', 'trust',
                    '-D', data], check=True, capture_output=True, cwd='/', timeout=120, **as_postgres())


def _new_cluster(data):
    template = os.environ.get('IPAM_TEST_TEMPLATE')
    if not template:
        _initdb(data)
        return
    with open(os.path.join(template, 'lock'), 'w', encoding='ascii') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ready = os.path.join(template, 'ready')
        if not os.path.exists(ready):
            half = owned_tempdir('ipam-template.')
            _initdb(os.path.join(half, 'data'))
            subprocess.run(['cp', '-a', os.path.join(half, 'data'), ready], check=True, timeout=60)
            shutil.rmtree(half)
    subprocess.run(['cp', '-a', ready, data], check=True, timeout=60)


class Server:
    """provision=False leaves it empty; other keyword arguments are the server's settings."""

    def __init__(self, provision=True, **settings):
        self.dir = owned_tempdir('ipam-pg.')
        atexit.register(self.close)
        self.data = os.path.join(self.dir, 'data')
        self.host, self.port, self.password = '127.0.0.1', 0, secrets.token_hex(8)
        self.settings = {'fsync': 'off', 'shared_buffers': '32MB', 'listen_addresses': self.host,
                         'unix_socket_directories': self.dir, 'password_encryption': 'scram-sha-256', **settings}
        self.process = None
        self._make_data()
        self.start()
        if provision:
            self.script(PROVISION, self.conninfo(), IPAM_PASSWORD=self.password)

    def _make_data(self):
        _new_cluster(self.data)
        with open(os.path.join(self.data, 'pg_hba.conf'), 'w', encoding='ascii') as hba:
            hba.write(HBA)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @property
    def logfile(self):
        return os.path.join(self.dir, 'log')

    def log(self):
        """Everything that the server has logged."""
        with open(self.logfile, encoding='utf-8', errors='replace') as f:
            return f.read()

    def conninfo(self, dbname='postgres', user='postgres', host=None):
        """A connection string, by the socket unless host says otherwise."""
        return f"host={host or self.dir} port={self.port} user={user} dbname='{dbname}'"

    def start(self, ready=True):
        """Starts it and waits until it answers (ready=False: does not). The first time a port is chosen; it stays the same from then on."""
        for _ in range(1 if self.port else 5):
            port = self.port or free_port()
            options = [f'--{name}={value}' for name, value in {**self.settings, 'port': port}.items()]
            with open(self.logfile, 'ab') as log:
                self.process = subprocess.Popen([f'{bindir()}/postgres', '-D', self.data, *options], cwd='/',
                                                stdin=subprocess.DEVNULL, stdout=log, stderr=log, **as_postgres())
            if not ready or self._answers(port):
                self.port = port
                return
        raise RuntimeError('the server does not start:\n' + self.log())

    def _answers(self, port):
        end = time.monotonic() + 60
        while time.monotonic() < end and self.process.poll() is None:
            asked = subprocess.run([f'{bindir()}/pg_isready', '-q', '-h', self.dir, '-p', str(port)], env=clean_env(),
                                   check=False, timeout=30)
            if asked.returncode == 0:
                return True
            time.sleep(0.03)
        return False

    def stop(self, signo=signal.SIGINT):
        """Ends it: SIGTERM waits for clients, SIGINT (fast) does not, SIGQUIT and SIGKILL are crashes."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(signo)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def restart(self, signo=signal.SIGINT):
        self.stop(signo)
        self.start()

    def close(self):
        """Ends it and removes its folder."""
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.dir, ignore_errors=True)
        atexit.unregister(self.close)

    def script(self, path, *args, check=True, **env):
        """Runs a script of sql/ and returns its CompletedProcess. With check, a failure raises what it said."""
        done = subprocess.run([path, *args], env=clean_env(**env), stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=120, check=False)
        if check and done.returncode:
            raise PsqlError(f'{path}: {done.returncode}: {done.stdout}{done.stderr}')
        return done

    def psql(self, sql, *, user='postgres', dbname='ipam', password=None):
        """Runs SQL, by the socket for postgres, by TCP for others. Returns rows as lists of strings (NULL is None), or
        raises PsqlError."""
        where = self.conninfo(dbname, user, self.dir if user == 'postgres' else self.host)
        done = subprocess.run(['psql', '-X', '-q', '-A', '-t', '-w', '-F', '\x1f', '-R', '\x1e', '-P', 'null=\x1d',
                               '-v', 'ON_ERROR_STOP=1', '-v', 'VERBOSITY=verbose', '-d', where, '-f', '-'],
                              env=clean_env(PGPASSWORD=password or self.password), input=sql, capture_output=True,
                              text=True, timeout=120, check=False)
        if done.returncode:
            raise PsqlError(done.stderr)
        out = done.stdout[:-1]
        rows = out.split('\x1e') if out else []
        return [[None if c == '\x1d' else c for c in row.split('\x1f')] for row in rows]

    def session(self, sql, dbname='ipam'):
        """A psql of the superuser's that is given SQL and stays connected, until communicate() gives it the rest."""
        process = subprocess.Popen(['psql', '-X', '-q', '-d', self.conninfo(dbname), '-f', '-'], env=clean_env(),
                                   stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        process.stdin.write(sql + ';\n')
        process.stdin.flush()
        return process

    def value(self, sql, **how):
        """The first column of the first row."""
        return self.psql(sql, **how)[0][0]


class Standby(Server):
    """A standby that streams from another server, under the application_name name."""

    def __init__(self, primary, name='standby'):
        self.primary, self.name = primary, name
        super().__init__(provision=False, wal_retrieve_retry_interval='100ms')
        self.password = primary.password

    def _make_data(self):
        where = f"{self.primary.conninfo()} application_name='{self.name}'"
        subprocess.run([f'{bindir()}/pg_basebackup', '-D', self.data, '-R', '-c', 'fast', '-d', where], check=True,
                       capture_output=True, cwd='/', timeout=120, **as_postgres())
