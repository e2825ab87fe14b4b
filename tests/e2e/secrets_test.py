#!/usr/bin/env python3
"""Where passwords could come out, and what a caller's surroundings could change. Needs root and a PostgreSQL server's
programs."""
import json
import os
import pwd
import shutil
import signal
import subprocess
import tempfile

import dns
import faults
import pg
import plugin
import plugin_case
import tap
from plugin_case import BOTH

A = '10.0.0.5/24'
SECRET = 'h4rd-to-guess'
LOCK = 'BEGIN; LOCK TABLE public.ips IN ACCESS EXCLUSIVE MODE'
PREV = {'prevResult': {'ips': [{'address': A}]}}


def mounted(*pairs):
    """For through: in a private mount namespace each source is seen at its place."""
    binds = ''.join(f'mount --bind {source} {place} && ' for source, place in pairs)
    return ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', binds + 'exec "$0"']


class Secrets(plugin_case.PluginCase):
    def setUp(self):
        super().setUp()
        self.dir = tempfile.mkdtemp(prefix='ipam-test.', dir='/var/tmp')
        self.addCleanup(shutil.rmtree, self.dir)

    def file(self, name, text, mode=0o600):
        path = os.path.join(self.dir, name)
        with open(path, 'w', encoding='utf-8') as f:
            f.write(text)
        os.chmod(path, mode)
        return path


class Output(Secrets):
    """Nothing that was said has a secret in it."""

    def quiet(self, answer):
        for secret in (self.server.password, SECRET):
            self.assertNotIn(secret, answer.stdout.decode(errors='replace') + answer.stderr)
        return answer

    def test_the_most_talkative_log_of_every_verb(self):
        log = os.path.join(self.dir, 'log')
        talk = {'logLevel': 'debug', 'logFile': log, 'sslpassword': SECRET}
        for which in BOTH:
            for command in ('ADD', 'ADD', 'CHECK', 'STATUS', 'DEL', 'GC'):
                self.assertEqual(self.quiet(self.ask(command, A, which=which, ipam=talk, conf=PREV)).code, 0)
        with open(log, encoding='utf-8') as f:
            text = f.read()
        self.assertIn('[debug]', text)
        for secret in (self.server.password, SECRET):
            self.assertNotIn(secret, text)

    def test_errors_of_every_kind(self):
        wrong = {'password': SECRET, 'logLevel': 'debug', 'timeout': 0.5}
        whole = json.dumps(self.conf(ipam=wrong))
        plain = (
            {'ipam': wrong}, {'ipam': {**wrong, 'port': pg.free_port()}}, {'ipam': {**wrong, 'host': '/nowhere'}},
            {'ipam': {**wrong, 'host': 'no-such-host.invalid'}}, {'ipam': {**wrong, 'dbname': 'none'}},
            {'ipam': {**wrong, 'port': 'x'}}, {'ipam': {**wrong, 'sslmode': 'x'}}, {'ipam': {**wrong, 'sslmode': 'require'}},
            {'ipam': {**wrong, 'hots': 'x'}}, {'ipam': {**wrong, 'passwrod': SECRET}}, {'ipam': {**wrong, 'timeout': SECRET}},
            {'ipam': {**wrong, 'password': [SECRET]}}, {'ipam': {**wrong, 'password': {'x': SECRET}}},
            {'ipam': {**wrong, 'sslpassword': SECRET, 'sslcert': '/none', 'sslkey': '/none', 'sslmode': 'require'}},
            {'ipam': {**wrong, 'dbname': f'postgresql://cni:{SECRET}@127.0.0.1/ipam'}},
            {'ipam': {**wrong, 'host': f'postgresql://cni:{SECRET}@127.0.0.1/ipam'}},
            {'conf': whole[:-2].encode()}, {'conf': (whole + 'x').encode()}, {'conf': whole.replace('{', '[', 1).encode()},
            {'conf': whole.replace('"name"', '"nme"').encode()})
        for how in plain:
            with self.subTest(**how):
                for answer in faults.at_once([lambda command=command, which=which: self.ask(command, A, which=which, **how)
                                            for command in ('STATUS', 'ADD', 'DEL') for which in BOTH]):
                    self.quiet(answer)

    def test_a_passfile_and_a_service_file_that_do_not_fit(self):
        passfile = self.file('pass', f'{SECRET}\n127.0.0.1:*:ipam:cni:{SECRET}\n')
        self.quiet(self.refused(self.ask('STATUS', ipam={'password': None, 'passfile': passfile}), 50, 'password'))
        for text in (f'[mine]\npassword={SECRET}\nhost=127.0.0.1\n', f'[mine]\npasswrod={SECRET}\n', f'[mine]\n{SECRET}\n'):
            self.file('pg_service.conf', text, 0o644)
            for command in ('STATUS', 'DEL'):
                self.quiet(self.ask(command, ipam={'password': None, 'service': 'mine', 'timeout': 1},
                                    through=mounted((self.dir, '/etc/postgresql-common'))))

    def test_the_server_s_own_log(self):
        self.server.psql("ALTER SYSTEM SET log_statement = 'all'")
        self.server.psql('SELECT pg_reload_conf()')
        self.addCleanup(self.server.psql, 'ALTER SYSTEM RESET log_statement')
        self.add(A)
        self.refused(self.ask('STATUS', ipam={'password': SECRET}), 50)
        for secret in (self.server.password, SECRET):
            self.assertNotIn(secret, self.server.log())


class Process(Secrets):
    """What others see of one that runs: it waits for a lock meanwhile."""

    def setUp(self):
        super().setUp()
        session = faults.Session(self.server)
        self.addCleanup(session.close)
        session.say(LOCK)

    def running(self, which=plugin.NET, through=(), **env):
        """A started ADD, and all processes of it."""
        process = plugin.start(which, 'ADD', args=f'IP={A}', through=through, env=env)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        process.stdin.write(json.dumps(self.conf(ipam={'timeout': 3})).encode())
        process.stdin.close()
        process.stdin = None
        faults.wait_until(lambda: faults.backends(self.server, "wait_event_type = 'Lock'") == 1, 10, 'it waits for the lock')
        return process, faults.tree(process.pid)

    def of(self, pid, name):
        with open(f'/proc/{pid}/{name}', 'rb') as f:
            return f.read().decode(errors='replace')

    def end(self, process):
        process.kill()
        process.wait(10)
        faults.wait_until(lambda: faults.backends(self.server, "wait_event_type = 'Lock'") == 0, 5, 'the server noticed')

    def test_no_title_no_environment_and_no_file_name_has_the_password(self):
        process, pids = self.running()
        self.assertEqual(len(pids), 2)
        for pid in pids:
            for name in ('cmdline', 'comm', 'environ', 'maps'):
                self.assertNotIn(self.server.password, self.of(pid, name))
            self.assertRegex(self.of(pid, 'cmdline'), r'^[^\0]*/(ipam-)?status-cni\0$')
        self.end(process)

    def test_the_environment_is_the_callers_and_no_more(self):
        process, (_, child) = self.running(WHO='caller')
        own = {k: v for k, _, v in (pair.partition('=') for pair in self.of(child, 'environ').split('\0') if pair)}
        self.assertEqual(own, plugin.environment('ADD', args=f'IP={A}', env={'WHO': 'caller'}))
        self.end(process)

    def test_nobody_else_can_look_in_and_nothing_is_dumped(self):
        process, pids = self.running(through=['prlimit', '--core=unlimited:unlimited'])
        self.assertEqual(len(pids), 2)
        for pid in pids:
            self.assertRegex(self.of(pid, 'limits'), r'Max core file size +0 +0 ')
            self.assertRegex(self.of(pid, 'status'), r'CoreDumping:\t0')
        # A user's own process, but not one that may be dumped, is closed to that user.
        self.end(process)
        where = plugin.BINDIR
        os.chmod(self.dir, 0o755)
        for name in BOTH:
            shutil.copy(os.path.join(where, name), self.dir)
        process, pids = self.running(os.path.join(self.dir, plugin.NET), CNI_PATH=self.dir,
                                     through=['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'])
        for pid in pids:
            peek = subprocess.run(['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', 'cat', f'/proc/{pid}/environ'],
                                  capture_output=True, timeout=10, check=False)
            self.assertEqual((peek.returncode, peek.stdout), (1, b''))
        self.end(process)

    def test_a_crash_leaves_no_core(self):
        process, (_, child) = self.running(through=['env', '-C', self.dir, 'prlimit', '--core=unlimited:unlimited'])
        faults.kill(child, signal.SIGSEGV)
        out, _ = process.communicate(timeout=20)
        self.assertEqual(json.loads(out)['code'], 5)
        self.end(process)
        process, (parent, _) = self.running(through=['env', '-C', self.dir, 'prlimit', '--core=unlimited:unlimited'])
        faults.kill(parent, signal.SIGABRT)
        self.assertEqual(process.wait(20), -signal.SIGABRT)
        self.assertEqual(os.listdir(self.dir), [])
        self.end(process)


class Surroundings(Secrets):
    """What the caller brings along that is not PG…"""

    def test_a_resolver_that_is_told_otherwise(self):
        env = {'HOSTALIASES': self.file('aliases', 'elsewhere db.test\n'), 'LOCALDOMAIN': 'test', 'RES_OPTIONS': 'use-vc',
               'RESOLV_HOST_CONF': '/none', 'RESOLV_MULTI': 'off', 'GCONV_PATH': self.dir, 'KRB5_CONFIG': '/none',
               'KRB5CCNAME': '/none', 'GSS_USE_PROXY': '1'}
        through = mounted((self.file('resolv.conf', dns.CONF, 0o644), '/etc/resolv.conf'))
        with dns.Names(db_test='127.0.0.1') as names:
            for which in BOTH:
                self.allowed(self.ask('STATUS', which=which, ipam={'host': 'db.test'}, env=env, through=through))
                for host in ('elsewhere', 'db'):
                    answer = self.ask('STATUS', which=which, ipam={'host': host, 'timeout': 1}, env=env, through=through)
                    self.refused(answer, 50, host)
            self.assertIn('db.test', names.asked)

    def test_the_home_folder_that_the_system_knows(self):
        """Of whoever runs the plugin, with and without a variable that says so. The executables may lie in it."""
        home = pwd.getpwuid(os.getuid()).pw_dir
        for name in BOTH:
            shutil.copy(os.path.join(plugin.BINDIR, name), self.dir)
        self.file('.pgpass', f'*:*:*:*:{self.server.password}\n')
        self.file('.pg_service.conf', f'[mine]\npassword={self.server.password}\n')
        for env in ({'HOME': home}, {'HOME': None}, {'HOME': ''}):
            how = {'env': env, 'path': self.dir, 'through': mounted((self.dir, home))}
            for which in (os.path.join(self.dir, name) for name in BOTH):
                self.refused(self.ask('STATUS', which=which, ipam={'password': None}, **how), 50, 'password')
                self.refused(self.ask('STATUS', which=which, ipam={'password': None, 'service': 'mine'}, **how), 7, 'mine')

    def test_a_service_with_several_hosts(self):
        """The first is nowhere, the second hangs, the third has it."""
        ask = {'host': None, 'port': None, 'user': None, 'password': None, 'dbname': None, 'service': 'mine'}
        with plugin_case.silent_server() as silent:
            self.file('pg_service.conf', '[other]\nhost=nowhere.invalid\n\n[mine]\nhost=127.0.0.1,127.0.0.1,localhost\n'
                      f'port={pg.free_port()},{silent},{self.server.port}\nuser=cni\ndbname=ipam\n'
                      f'password={self.server.password}\n', 0o644)
            there = {'through': mounted((self.dir, '/etc/postgresql-common'))}
            for which in BOTH:
                added = self.add(A, which=which, ipam={**ask, 'timeout': 3}, **there)
                self.assertEqual((added.addresses, self.held()), ([A], [A]))
                self.allowed(self.ask('DEL', which=which, ipam={**ask, 'timeout': 3}, **there))

    def test_a_role_whose_search_path_leads_astray(self):
        """Tables and functions are named with their schema. Operators are not: who may set such a path may do anything."""
        self.server.psql('''CREATE SCHEMA evil; GRANT USAGE ON SCHEMA evil TO cni;
            CREATE TABLE evil.ips (LIKE public.ips); CREATE TABLE evil.ips_schema (version int, works_with int);
            GRANT ALL ON ALL TABLES IN SCHEMA evil TO cni;
            CREATE FUNCTION evil.host(inet) RETURNS text LANGUAGE sql AS $$ SELECT '10.9.9.9' $$;
            CREATE FUNCTION evil.now() RETURNS timestamptz LANGUAGE sql AS $$ SELECT '-infinity'::timestamptz $$;
            ALTER ROLE cni SET search_path = evil, pg_catalog''')
        self.addCleanup(self.server.psql, 'ALTER ROLE cni RESET search_path; DROP SCHEMA evil CASCADE')
        self.server.psql("INSERT INTO public.ips (network, node, pod_id, interface, ip)"
                         f" VALUES ('{self.network}', 'other', 'pod1', 'eth0', '10.0.0.1/24')")
        self.add(A)
        self.allowed(self.ask('CHECK', A, conf=PREV))
        self.refused(self.ask('ADD', '10.0.0.1/24', container='pod2'), 100, 'other')
        self.allowed(self.ask('STATUS'))
        self.allowed(self.ask('DEL'))
        self.add('10.0.0.6/24')
        self.server.psql('INSERT INTO public.ips (network, node, host_id, boot_id, pod_id, interface, ip)'
                         " SELECT 'bystander', node, host_id, boot_id, pod_id, interface, ip FROM public.ips"
                         f" WHERE network = '{self.network}' AND node <> 'other'")
        self.allowed(self.ask('GC'))
        self.assertEqual(self.held(), ['10.0.0.1/24'])
        self.assertEqual(self.server.value("SELECT count(*) FROM public.ips WHERE network = 'bystander'"), '1')
        self.assertEqual(self.server.value('SELECT count(*) FROM evil.ips'), '0')


if __name__ == '__main__':
    tap.main()
