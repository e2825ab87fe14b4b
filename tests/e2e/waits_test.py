#!/usr/bin/env python3
"""Every wait ends, with the code and a reason: whatever hangs, on the way to the database, in it, before and behind us.
Needs root for namespaces, PostgreSQL's server programs and psql."""
import json
import os
import signal
import socket
import subprocess
import tempfile
import time
import unittest
from concurrent.futures import ThreadPoolExecutor

import faults
import pg
import plugin
import sandbox
import tap
from proxy import Proxy

TIMEOUT = 1.5
DROPS = ('10.98.0.2', 'fd98::2')  # behind a link at whose far end nobody has these addresses
IP = 'IP=10.4.0.1/24'
RESULT = {'cniVersion': '1.1.0', 'ips': [{'address': '10.4.0.1/24'}]}
FOREIGN = "INSERT INTO ips (network, node, pod_id, interface, ip)" \
          " VALUES ('ipam-status', 'other', 'other', 'eth0', '10.4.0.1/24')"


def prepare_network():
    """A link on which packets are lost, and a name server that never answers."""
    for words in ('link add lost type veth peer name far', 'addr add 10.98.0.1/24 dev lost', 'link set far up',
                  '-6 addr add fd98::1/64 dev lost nodad', 'link set lost up',
                  *(f'neigh add {ip} lladdr 02:00:00:00:00:01 dev lost nud permanent' for ip in DROPS)):
        subprocess.run(['ip', *words.split()], check=True, timeout=10)
    conf = tempfile.NamedTemporaryFile('w', prefix='ipam-resolv.')
    conf.write('nameserver 127.0.0.1\noptions timeout:20\n')
    conf.flush()
    subprocess.run(['mount', '--bind', conf.name, os.path.realpath('/etc/resolv.conf')], check=True, timeout=10)
    conf.close()
    names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    names.bind(('127.0.0.1', 53))
    return names


def listening(backlog):
    """A socket that takes connections and never says anything."""
    return socket.create_server(('127.0.0.1', 0), backlog=backlog)


def crowded():
    """A listening socket whose queue is full: what comes now is dropped. Keep what is returned."""
    server, crowd = listening(0), []
    for _ in range(4):
        s = socket.socket()
        s.setblocking(False)
        s.connect_ex(server.getsockname())
        crowd.append(s)
    return server, crowd


class Waits(unittest.TestCase):
    """One server for all; nothing may be left on it after each test."""

    settings = {'deadlock_timeout': '5s'}

    @classmethod
    def setUpClass(cls):
        cls.server = pg.Server(**cls.settings)
        cls.addClassCleanup(cls.server.close)

    def setUp(self):
        self.server.psql('TRUNCATE ips')
        self.addCleanup(faults.nothing_left, self.server)

    def session(self, sql):
        """Somebody else's transaction, open until the test ends or closes it."""
        session = faults.Session(self.server)
        session.say('BEGIN')
        session.say(sql)
        self.addCleanup(session.close)
        return session

    def conf(self, timeout=TIMEOUT, network='ipam-status', **ipam):
        return plugin.net_conf(self.server, {'timeout': timeout, 'node': 'n', **ipam}, name=network, prevResult=RESULT)

    def in_time(self, answer, plug, verb, timeout=TIMEOUT):
        """The net plugin's ADD has a DEL behind it, which gets a second."""
        most = (2 if verb == 'STATUS' else timeout) + (1 if (plug, verb) == (plugin.NET, 'ADD') else 0)
        self.assertLess(answer.seconds, most + faults.SLACK, f'{plug} {verb}: {answer.said}')

    def all_fail_in_time(self, words='.....', but=(), **ipam):
        """Every verb by the net plugin, ADD and STATUS without it too, at once; STATUS has its own time. Nobody waits
        longer than it may, and everybody says why; `but`: verbs that need not fail."""
        def one(plug, verb):
            conf = self.conf(**{**ipam, **({'timeout': None} if verb == 'STATUS' else {})})
            how = {} if verb in ('GC', 'STATUS') else {'args': IP, 'container': f'{plug}-{verb}'}
            answer = faults.call(plug, verb, conf, **how)
            self.in_time(answer, plug, verb)
            if verb not in but:
                self.assertEqual(50 if verb == 'STATUS' else 11, answer.code, f'{plug} {verb}: {answer.stderr}')
                self.assertRegex(answer.said, words)
        wanted = [(plugin.NET, v) for v in ('ADD', 'DEL', 'CHECK', 'GC', 'STATUS')]
        wanted += [(plugin.IPAM, v) for v in ('ADD', 'STATUS')]
        faults.at_once([lambda p=p, v=v: one(p, v) for p, v in wanted])

    def all_succeed_in_time(self, **ipam):
        """One after the other, as a pod's life goes."""
        for verb in ('ADD', 'CHECK', 'STATUS', 'GC', 'DEL'):
            conf = self.conf(timeout=None if verb == 'STATUS' else 4, **ipam)
            if verb == 'GC':
                conf['cni.dev/valid-attachments'] = [{'containerID': 'pod1', 'ifname': 'eth0'}]
            answer = faults.call(plugin.NET, verb, conf, args='' if verb in ('STATUS', 'GC') else IP)
            self.assertEqual(0, answer.code, f'{verb}: {answer.said} {answer.stderr}')
            self.in_time(answer, plugin.NET, verb, 4)

    def each(self, what, cases):
        """what(network, case) for each named case, a few at once, each in a network of its own."""
        with ThreadPoolExecutor(2 if faults.SANITIZED else 4) as pool:
            runs = {name: pool.submit(what, ''.join(filter(str.isalnum, name)), case) for name, case in cases.items()}
        for name, run in runs.items():
            with self.subTest(name):
                run.result()


def after_login(said, mark, further=0):
    """For Proxy's cut: where this kind of message begins behind the login, and further on."""
    ready = said.find(b'Z\0\0\0\5I')
    found = said.find(mark, ready + 6) if ready >= 0 else -1
    return found + further if found >= 0 else None


CUTS = {
    'at once': lambda said: 0,
    'in the login': lambda said: 20,
    'before the login is complete': lambda said: said.index(b'Z\0\0\0\5I') if b'Z\0\0\0\5I' in said else None,
    'before the answer': lambda said: said.index(b'Z\0\0\0\5I') + 6 if b'Z\0\0\0\5I' in said else None,
    'in the columns': lambda said: after_login(said, b'T\0\0', 5),
    'before it is complete': lambda said: after_login(said, b'C\0\0\0'),
    'before the commit is': lambda said: after_login(said, b'Z\0\0\0\5I'),
}


class OnTheWay(Waits):
    """The server is never reached, or falls silent."""

    def test_a_host_that_drops_packets(self):
        self.all_fail_in_time('deadline', host=DROPS[0])

    def test_two_hosts_that_drop_packets(self):
        self.all_fail_in_time('deadline', host=','.join(DROPS))

    def test_a_host_that_accepts_and_says_nothing(self):
        with listening(64) as silent:
            self.all_fail_in_time('deadline', port=silent.getsockname()[1])

    def test_a_host_whose_queue_is_full(self):
        server, crowd = crowded()
        self.all_fail_in_time('deadline', port=server.getsockname()[1])
        for s in [server, *crowd]:
            s.close()

    def test_a_host_that_is_not_there(self):
        self.all_fail_in_time('refused', port=pg.free_port())

    def test_a_name_server_that_does_not_answer(self):
        self.all_fail_in_time('translate host name', host='db.example')

    def test_a_list_of_hosts_of_which_the_first_hangs(self):
        def one(network, first):
            host, port = first
            self.all_succeed_in_time(network=network, host=f'{host},127.0.0.1', port=f'{port},{self.server.port}')
        with listening(64) as silent:
            self.each(one, {'it drops packets': (DROPS[0], 5432), 'the same by IPv6': (DROPS[1], 5432),
                            'nobody knows its name': ('db.example', 5432),
                            'it says nothing': ('127.0.0.1', silent.getsockname()[1])})

    def test_a_server_that_stops_in_the_middle_of_an_answer(self):
        def one(network, cut):
            for cancel in (True, False):
                with Proxy(self.server, cut, cancel=cancel) as proxy:
                    self.all_fail_in_time(network=network, port=proxy.port)
        self.each(one, CUTS)

    def test_the_first_host_stops_in_the_middle_of_an_answer(self):
        def one(network, cut):
            with Proxy(self.server, cut, cancel=False) as proxy:
                self.all_succeed_in_time(network=network, host='127.0.0.1,127.0.0.1',
                                         port=f'{proxy.port},{self.server.port}')
        self.each(one, CUTS)

    def test_what_was_recorded_before_the_silence_is_what_the_next_try_answers(self):
        def one(network, cut):
            with Proxy(self.server, cut, hung=1) as proxy:
                added = faults.call(plugin.NET, 'ADD', self.conf(6, network, port=proxy.port), args=IP)
                self.assertEqual(0, added.code, f'{added.said} {added.stderr}')
                self.assertEqual([['10.4.0.1/24', 'pod1']],
                                 self.server.psql(f"SELECT ip, pod_id FROM ips WHERE network = '{network}'"))
        self.each(one, CUTS)


class InTheServer(Waits):
    """It is reached, and cannot answer."""

    def test_somebody_else_holds_the_address_and_does_not_commit(self):
        session = self.session(FOREIGN)
        for plug in (plugin.NET, plugin.IPAM):
            added = faults.call(plug, 'ADD', self.conf(), args=IP)
            self.assertEqual(11, added.code, added.said)
            self.in_time(added, plug, 'ADD')
        session.say('ROLLBACK')
        faults.nothing_left(self.server)
        self.assertEqual([], self.server.psql('SELECT * FROM ips'))

    def test_the_table_is_locked(self):
        self.session('LOCK TABLE ips')
        self.all_fail_in_time(but=('STATUS',))

    def test_the_version_is_locked(self):
        self.session('LOCK TABLE ips_schema')
        self.all_fail_in_time()

    def test_a_lock_that_goes_away_in_time_costs_only_the_wait(self):
        session = self.session(FOREIGN)
        process = faults.begin(plugin.NET, 'ADD', self.conf(timeout=5), args=IP)
        time.sleep(1)
        session.say('ROLLBACK')
        out, err = process.communicate(timeout=30)
        self.assertEqual(0, process.returncode, (out, err))

    def test_the_role_may_not_connect_any_more(self):
        self.server.psql('ALTER ROLE cni CONNECTION LIMIT 0')
        self.addCleanup(self.server.psql, 'ALTER ROLE cni CONNECTION LIMIT -1')
        self.all_fail_in_time('too many')

    def test_the_database_takes_no_more_connections_until_one_is_free(self):
        self.server.psql('ALTER DATABASE ipam CONNECTION LIMIT 0')
        self.addCleanup(self.server.psql, 'ALTER DATABASE ipam CONNECTION LIMIT -1')
        self.all_fail_in_time('too many')
        process = faults.begin(plugin.NET, 'ADD', self.conf(timeout=5), args=IP)
        time.sleep(0.5)
        self.server.psql('ALTER DATABASE ipam CONNECTION LIMIT -1')
        out, err = process.communicate(timeout=30)
        self.assertEqual(0, process.returncode, (out, err))

    def test_a_synchronous_standby_that_is_not_there(self):
        """Nothing is promised, and what the server has kept locally is released."""
        self.server.psql("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
        self.server.psql('SELECT pg_reload_conf()')
        try:
            faults.wait_until(lambda: self.server.value('SHOW synchronous_standby_names') == 'nobody', 5, 'reloaded')
            for plug in (plugin.IPAM, plugin.NET):
                added = faults.call(plug, 'ADD', self.conf(), args=IP)
                self.assertEqual(11, added.code, added.said)
                self.in_time(added, plug, 'ADD')
                faults.nothing_left(self.server)
                self.assertEqual([], self.server.psql('SELECT * FROM ips'))
            status = faults.call(plugin.NET, 'STATUS', self.conf())
            self.assertEqual(0, status.code, status.said)
        finally:
            self.server.psql('ALTER SYSTEM RESET ALL')
            self.server.psql('SELECT pg_reload_conf()')

    def test_a_server_that_is_stopped_altogether(self):
        with Stopped(self.server):
            self.all_fail_in_time('deadline')

    def test_a_server_that_stops_while_it_works_and_cannot_be_cancelled(self):
        session = self.session(FOREIGN)
        calls = [faults.begin(plug, 'ADD', self.conf(), args=IP) for plug in (plugin.NET, plugin.IPAM)]
        faults.wait_until(lambda: faults.backends(self.server, "wait_event_type = 'Lock'") == 2, 5, 'both wait')
        began = time.monotonic()
        with Stopped(self.server):
            for process, most in zip(calls[::-1], (TIMEOUT, TIMEOUT + 1)):
                out, err = process.communicate(timeout=30)
                self.assertLess(time.monotonic() - began, most + faults.SLACK)
                self.assertEqual(11, json.loads(out)['code'], err)
        time.sleep(1.3)  # the server looks for its clients once a second
        session.say('ROLLBACK')
        faults.nothing_left(self.server)
        self.assertEqual([], self.server.psql('SELECT * FROM ips'))


class Stopped:
    """The server's processes stand still meanwhile."""

    def __init__(self, server):
        self.server = server

    def _signal(self, signo):
        for pid in faults.tree(self.server.process.pid):
            faults.kill(pid, signo)

    def __enter__(self):
        self._signal(signal.SIGSTOP)

    def __exit__(self, *_):
        self._signal(signal.SIGCONT)


class ComingAndGoing(Waits):
    """A server that shuts down, and one that starts up. Both tests leave it running."""

    def test_a_server_that_shuts_down(self):
        session = self.session('SELECT 1')
        self.server.process.terminate()  # and waits for the session
        time.sleep(0.3)
        self.all_fail_in_time('shutting down')
        session.close()
        self.server.process.wait(30)
        self.server.start()

    def test_a_server_that_starts_up_and_is_ready_in_the_end(self):
        self.server.stop()
        signal_file = os.path.join(self.server.data, 'standby.signal')
        with open(signal_file, 'w', encoding='ascii'):
            pass
        pg_user = os.stat(self.server.data)
        os.chown(signal_file, pg_user.st_uid, pg_user.st_gid)
        self.server.settings['hot_standby'] = 'off'
        self.server.start(ready=False)
        self.all_fail_in_time('starting up|not accepting')
        process = faults.begin(plugin.NET, 'ADD', self.conf(timeout=8), args=IP)
        time.sleep(0.5)
        subprocess.run([f'{pg.bindir()}/pg_ctl', 'promote', '-s', '-W', '-D', self.server.data], check=True,
                       cwd='/', timeout=30, **pg.as_postgres())
        out, err = process.communicate(timeout=30)
        self.assertEqual(0, process.returncode, (out, err))


class BesideUs(Waits):
    """stdin, stdout, and whoever has started us."""

    def timed(self, plug, verb, stdin=None, stdout=None):
        """A call with a stdin that stays open (or its configuration) and a stdout of one's own."""
        began = time.monotonic()
        process = subprocess.Popen([os.path.join(plugin.BINDIR, plug)], stdin=subprocess.PIPE,
                                   stdout=stdout or subprocess.PIPE, stderr=subprocess.PIPE, cwd='/',
                                   env=plugin.environment(verb, args=IP, container=plug, env=faults.ENV))
        process.stdin.write(b'{"cniVersion":' if stdin is None else json.dumps(stdin).encode())
        process.stdin.flush()
        if stdin is not None:
            process.stdin.close()
        process.wait(40)
        took = time.monotonic() - began
        out = process.stdout.read() if process.stdout else b''
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream:
                stream.close()
        return took, process.returncode, out

    def test_stdin_never_ends_or_nobody_reads_stdout(self):
        """At once, for they take ADD's ten seconds. Nothing that could not be answered stays recorded."""
        full = [self.full_pipe() for _ in range(3)]
        calls = [lambda v=v, p=p: self.timed(p, v) for p in (plugin.NET, plugin.IPAM) for v in ('STATUS', 'ADD')]
        calls += [lambda: self.timed(plugin.IPAM, 'ADD', self.conf(), full[0][1]),
                  lambda: self.timed(plugin.NET, 'ADD', self.conf(timeout=3), full[1][1]),
                  lambda: self.timed(plugin.IPAM, 'ADD', self.conf(host=DROPS[0]), full[2][1])]
        answers = faults.at_once(calls)
        for (took, rc, out), most, code in zip(answers, (2, 10, 2, 10), (50, 11, 50, 11)):
            self.assertEqual(1, rc)
            self.assertEqual(code, json.loads(out)['code'])
            self.assertIn('stdin', json.loads(out)['msg'])
            self.assertLess(took, most + faults.SLACK)
        for (took, rc, _), most in zip(answers[4:], (TIMEOUT + 1, 11, TIMEOUT + 1)):
            self.assertEqual(1, rc)
            self.assertLess(took, most + faults.SLACK)
        self.assertEqual([], self.server.psql('SELECT * FROM ips'))
        for ends in full:
            for fd in ends:
                os.close(fd)

    @staticmethod
    def full_pipe():
        """Both ends of a pipe that holds as much as it can."""
        ends = os.pipe()
        os.set_blocking(ends[1], False)
        try:
            while True:
                os.write(ends[1], b' ' * 4096)
        except BlockingIOError:
            os.set_blocking(ends[1], True)
        return ends

    def waiting_calls(self, plug, timeout=30):
        """(what for, process) of calls that wait: for a host, a silent server, a name, a lock."""
        silent = listening(64)
        self.addCleanup(silent.close)
        self.session(FOREIGN)
        for what, ipam in (('host', {'host': DROPS[0]}), ('silence', {'port': silent.getsockname()[1]}),
                           ('name', {'host': 'db.example'}), ('lock', {})):
            process = faults.begin(plug, 'ADD', self.conf(timeout, **ipam), args=IP, container=what)
            yield what, process
        faults.wait_until(lambda: faults.backends(self.server, "wait_event_type = 'Lock'") == 1, 5, 'one waits for a lock')

    def gone_within_a_second(self, began):
        faults.wait_until(lambda: not faults.marked(), 5, 'all have ended')
        self.assertLess(time.monotonic() - began, 1 + faults.SLACK)

    def test_the_net_plugin_is_killed(self):
        calls = list(self.waiting_calls(plugin.NET))
        for what, process in calls:
            self.assertIsNotNone(faults.child_of(process), what)
        began = time.monotonic()
        for _, process in calls:
            process.kill()
        self.gone_within_a_second(began)
        for _, process in calls:
            process.communicate(timeout=10)

    def test_a_foreign_net_plugin_reads_the_answer_no_more(self):
        calls = list(self.waiting_calls(plugin.IPAM))
        began = time.monotonic()
        for _, process in calls:
            process.stdout.close()
        self.gone_within_a_second(began)
        for _, process in calls:
            process.stderr.close()
            process.wait(10)

    def test_the_caller_of_the_net_plugin_reads_the_answer_no_more(self):
        """There is a DEL after the failed ADD, which has what is left of the time and a second more."""
        calls = list(self.waiting_calls(plugin.NET, timeout=2))
        began = time.monotonic()
        for _, process in calls:
            process.stdout.close()
        faults.wait_until(lambda: not faults.marked(), 10, 'all have ended')
        self.assertLess(time.monotonic() - began, 3 + faults.SLACK)
        for _, process in calls:
            process.stderr.close()
            process.wait(10)


if __name__ == '__main__':
    sandbox.enter()
    NAMES = prepare_network()
    tap.main()
