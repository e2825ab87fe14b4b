"""What it takes to disturb: sessions that hold locks, processes found by a mark, calls made many at once."""
import os
import secrets
import signal
import subprocess
import sys
import threading
import time

import pg
import plugin

# A sanitizer build is slower, and so are times that are measured with it.
SANITIZED = 'sanitize' in plugin.BINDIR
SLACK = 1.5 if SANITIZED else 0.4
MARK = 'IPAM_TEST_MARK'
TOKEN = secrets.token_hex(8)
ENV = {MARK: TOKEN}


def number(name, default):
    """How much of it: the first argument that is a number, then the variable, then the default. The argument is taken
    away, so that tap.main() does not see it."""
    for i, arg in enumerate(sys.argv[1:], 1):
        if arg.isdigit():
            del sys.argv[i]
            return int(arg)
    return int(os.environ.get(name, default))


def call(plug, verb, conf, **how):
    """plugin.run with our mark, and the seconds that it took."""
    began = time.monotonic()
    answer = plugin.run(plug, verb, conf, env={**how.pop('env', {}), **ENV}, **how)
    answer.seconds = time.monotonic() - began
    return answer


def begin(plug, verb, conf, **how):
    """Starts a marked call and feeds its stdin; the pipes of its answer are still unread."""
    process = plugin.start(plug, verb, env={**how.pop('env', {}), **ENV}, **how)
    process.stdin.write(plugin.json.dumps(conf).encode())
    process.stdin.close()
    process.stdin = None
    return process


def at_once(calls):
    """Runs functions in threads that all begin at the same moment; returns what they returned, in order."""
    gate = threading.Barrier(len(calls))
    out = [None] * len(calls)

    def one(i):
        gate.wait(60)
        try:
            out[i] = calls[i]()
        except BaseException as e:  # pylint: disable=broad-except
            out[i] = e
    threads = [threading.Thread(target=one, args=(i,), daemon=True) for i in range(len(calls))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for result in out:
        if isinstance(result, BaseException):
            raise result
    return out


def marked():
    """Pids of processes that carry our mark, zombies left out, with the name of what they run."""
    found = {}
    for pid in filter(str.isdigit, os.listdir('/proc')):
        try:
            with open(f'/proc/{pid}/environ', 'rb') as f:
                mine = f'{MARK}={TOKEN}'.encode() in f.read().split(b'\0')
            if mine:
                found[int(pid)] = os.path.basename(os.readlink(f'/proc/{pid}/exe'))
        except OSError:
            continue
    return found


def children(pid):
    """Pids of its direct children."""
    try:
        with open(f'/proc/{pid}/task/{pid}/children', encoding='ascii') as f:
            return [int(word) for word in f.read().split()]
    except OSError:
        return []


def child_of(process, seconds=5):
    """The IPAM plugin that a net plugin has started: waits until it runs, or until the net plugin has ended."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        for pid in children(process.pid):
            try:
                if os.path.basename(os.readlink(f'/proc/{pid}/exe')) == plugin.IPAM:
                    return pid
            except OSError:
                continue
    return None


def kill(pid, signo=signal.SIGKILL):
    try:
        os.kill(pid, signo)
    except ProcessLookupError:
        pass


def wait_until(true, seconds, what):
    """Polls until true() is; says what took how long otherwise."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise AssertionError(f'after {seconds} s still not: {what}; running: {marked()}')
        time.sleep(0.02)


def backends(server, where='true'):
    """How many connections of the plugin's role the server has."""
    return int(server.value(f"SELECT count(*) FROM pg_stat_activity WHERE usename = 'cni' AND {where}",
                            dbname='postgres'))


def nothing_left(server, seconds=4):
    """No process of ours and no connection of theirs is left, within what a server needs to notice."""
    wait_until(lambda: not marked(), seconds, 'no process is left')
    wait_until(lambda: backends(server) == 0, seconds, 'no connection is left')


class Session:
    """psql that stays: say() runs SQL and returns when it has ended. It ends with its with block."""

    def __init__(self, server, dbname='ipam'):
        self.process = subprocess.Popen(
            ['psql', '-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-d', server.conninfo(dbname)],
            env=pg.clean_env(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def say(self, sql):
        self.tell(sql)
        return self.hear()

    def tell(self, sql):
        """Does not wait for the end; hear() does."""
        self.process.stdin.write(f'{sql};\n\\echo --done\n')
        self.process.stdin.flush()

    def hear(self):
        lines = []
        for line in self.process.stdout:
            if line == '--done\n':
                return ''.join(lines).strip()
            lines.append(line)
        raise pg.PsqlError(''.join(lines))

    def close(self):
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def runs(pid):
    """Is there such a process, and has it not ended yet?"""
    try:
        with open(f'/proc/{pid}/stat', encoding='ascii', errors='replace') as f:
            return f.read().rpartition(')')[2].split()[0] != 'Z'
    except OSError:
        return False


def serves(pid, role):
    """Is this a server process of a connection of that role?"""
    try:
        with open(f'/proc/{pid}/cmdline', encoding='ascii', errors='replace') as f:
            return f.read().startswith(f'postgres: {role} ')
    except OSError:
        return False


def tree(pid):
    """pid and everything below it."""
    found = [pid]
    for parent in found:
        found += children(parent)
    return found


def kill_server(server):
    """kill -9 of all its processes at once, as when its machine loses power. server.start() brings it back."""
    pids = tree(server.process.pid)
    for pid in pids:
        kill(pid)
    server.process.wait()
    wait_until(lambda: not any(map(runs, pids)), 10, 'the server is gone')
