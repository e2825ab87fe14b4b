"""A private pgbouncer in transaction mode before a pg.Server: two server connections, by TCP and by Unix socket."""
import atexit
import os
import shutil
import signal
import socket
import subprocess
import time

import pg

EXAMPLE = os.path.join(pg.ROOT, 'examples', 'ha', 'pgbouncer.ini')


def configuration(behind, directory, port, **settings):
    """The example's pooler before another server and in another place; later settings of a key win."""
    with open(EXAMPLE, encoding='utf-8') as f:
        text = f.read()
    for example, ours in {'host=127.0.0.1 port=15432': f'host={behind[0]} port={behind[1]}', 'listen_addr =': 'listen_addr = 127.0.0.1',
                          '= 6432': f'= {port}', '/run/ipam-pooler': directory, '/etc/pgbouncer/ipam-users': f'{directory}/users',
                          '/var/log/pgbouncer/ipam.log': f'{directory}/log'}.items():
        assert example in text, f'{EXAMPLE} has no {example}'
        text = text.replace(example, ours)
    return text + ''.join(f'{key} = {value}\n' for key, value in settings.items())


def available():
    """Where pgbouncer is, or None."""
    return shutil.which('pgbouncer') or shutil.which('pgbouncer', path='/usr/sbin:/usr/local/sbin')


class Pooler:
    """host and port for TCP, dir and the same port for the socket. Leads to the server, or to `host` and `port`; settings
    are pgbouncer's. Ends with the with block or the process."""

    def __init__(self, server, size=2, host=None, port=None, **settings):
        self.dir, self.host, self.port = pg.owned_tempdir('ipam-pooler.'), '127.0.0.1', pg.free_port()
        atexit.register(self.close)
        # With the password instead of its secret, every login would cost the pooler SCRAM's rounds.
        secret = server.value("SELECT rolpassword FROM pg_authid WHERE rolname = 'cni'")
        self._write('users', f'"cni" "{secret}"\n')
        self._write('pgbouncer.ini', configuration((host or server.dir, port or server.port), self.dir, self.port, default_pool_size=size, **settings))
        self.password = server.password
        self.process = subprocess.Popen([available(), '-q', f'{self.dir}/pgbouncer.ini'], cwd='/',
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, **pg.as_postgres(signal.SIGTERM))
        self._wait()

    def _write(self, name, text):
        with open(os.path.join(self.dir, name), 'w', encoding='utf-8') as f:
            f.write(text)

    def _wait(self):
        end = time.monotonic() + 10
        while time.monotonic() < end and self.process.poll() is None:
            with socket.socket() as s:
                if s.connect_ex((self.host, self.port)) == 0:
                    return
            time.sleep(0.02)
        raise RuntimeError('pgbouncer does not start')

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Ends it and removes its folder."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(10)
        shutil.rmtree(self.dir, ignore_errors=True)
        atexit.unregister(self.close)
