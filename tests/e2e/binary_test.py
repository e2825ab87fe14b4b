#!/usr/bin/env python3
"""The executables in poor surroundings: few or closed descriptors, nobody who reads, no file system to speak of. Needs root,
openssl and a PostgreSQL server's programs."""
import itertools
import json
import os
import shutil
import stat
import subprocess
import tempfile
import time

import dns
import faults
import pg
import plugin
import plugin_case
import tap
import tls
from plugin_case import BOTH

A = '10.0.0.5/24'


class Poor(plugin_case.PluginCase):
    def setUp(self):
        super().setUp()
        self.dir = tempfile.mkdtemp(prefix='ipam-test.', dir='/var/tmp')
        self.addCleanup(shutil.rmtree, self.dir)
        self.log = os.path.join(self.dir, 'log')

    def life(self, which=plugin.NET, **how):
        """Every verb once."""
        added = self.add(A, which=which, **how)
        self.assertEqual((added.addresses, self.held()), ([A], [A]))
        self.assertEqual(self.add(A, which=which, **how).json, added.json)
        self.allowed(self.ask('CHECK', A, which=which, conf={'prevResult': added.json}, **how))
        self.allowed(self.ask('STATUS', which=which, **how))
        self.allowed(self.ask('VERSION', which=which, **how))
        self.allowed(self.ask('DEL', which=which, **how))
        self.add(A, which=which, **how)
        self.allowed(self.ask('GC', which=which, **how))
        self.assertEqual(self.held(), [])


class Descriptors(Poor):
    TEN = ['prlimit', '--nofile=10:10']

    def test_ten_are_enough_for_all_of_it(self):
        """A name to resolve, a host that refuses before the one that does not, a log file."""
        hosts = {'host': 'localhost,localhost', 'port': f'{pg.free_port()},{self.server.port}', 'logFile': self.log,
                 'timeout': 8}
        for which in BOTH:
            self.life(which, ipam=hosts, through=self.TEN)
        with open(self.log, encoding='utf-8') as f:
            self.assertIn('INVOKED GC', f.read())

    def test_ten_are_enough_to_give_up_a_statement(self):
        session = faults.Session(self.server)
        self.addCleanup(session.close)
        session.say('BEGIN; LOCK TABLE public.ips IN ACCESS EXCLUSIVE MODE')
        ipam = {'host': 'localhost', 'logFile': self.log, 'timeout': 1}
        self.refused(self.ask('ADD', A, which=plugin.NET, ipam=ipam, through=self.TEN), 11, 'cancel')
        session.say('ROLLBACK')
        time.sleep(0.2)
        self.assertEqual(self.held(), [])

    if plugin.is_static():  # a loader of shared libraries needs some itself
        def test_too_few_to_ask_whether_the_answer_arrived_do_not_take_it_back(self):
            self.allowed(self.ask('ADD', A, through=['prlimit', '--nofile=5:5']))
            self.assertEqual(self.held(), [A])

        def test_strays_that_leave_too_few_make_no_half_of_an_action(self):
            for strays in range(1, 8):
                script = ' '.join(f'{3 + i}</dev/null' for i in range(strays))
                answer = self.ask('ADD', A, which=plugin.NET, ipam={'timeout': 1},
                                  through=[*self.TEN, 'sh', '-c', f'exec "$0" {script}'])
                self.assertIn(answer.code, (0, 5, 11), answer.said)
                self.assertEqual(self.held(), [] if answer.code else [A])
                self.allowed(self.ask('DEL'))

    def closed(self, which, command, fds, conf=None):
        """rc and what it said with these of the usual three closed."""
        redirect = ' '.join(f'{fd}>&-' for fd in fds)
        process = subprocess.Popen(['sh', '-c', f'exec "$0" {redirect}', os.path.join(plugin.BINDIR, which)],
                                   env=plugin.environment(command, args=f'IP={A}'), stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd='/')
        out, err = process.communicate(json.dumps(conf or self.conf()).encode(), 60)
        return process.returncode, out, err

    def test_any_of_the_usual_three_may_be_closed(self):
        for which in BOTH:
            for n in range(4):
                for fds in itertools.combinations((0, 1, 2), n):
                    with self.subTest(which=which, fds=fds):
                        rc, out, err = self.closed(which, 'ADD', fds)
                        done = 0 not in fds and 1 not in fds
                        self.assertEqual((rc, self.held()), (0, [A]) if done else (1, []), err)
                        if 0 in fds and 1 not in fds:
                            self.assertIn(json.loads(out)['code'], (5, 6))
                        if 2 in fds:
                            self.assertEqual(err, b'')
                        rc, _, _ = self.closed(which, 'STATUS', fds)
                        self.assertEqual(rc, int(0 in fds))
                        self.add(A)
                        rc, _, _ = self.closed(which, 'DEL', fds)
                        self.assertEqual((rc, self.held()), (0, []) if 0 not in fds else (1, [A]))
                        self.allowed(self.ask('DEL'))

    def test_nobody_who_reads_the_log(self):
        for which in BOTH:
            reader, writer = os.pipe()
            os.close(reader)
            process = subprocess.Popen([os.path.join(plugin.BINDIR, which)], env=plugin.environment('ADD', args=f'IP={A}'),
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=writer)
            os.close(writer)
            out, _ = process.communicate(json.dumps(self.conf()).encode(), 60)
            self.assertEqual((process.returncode, json.loads(out)['ips']), (0, [{'address': A}]))
            self.assertEqual(self.held(), [A])
            self.allowed(self.ask('DEL'))

    def test_nobody_who_reads_the_answer(self):
        for which in BOTH:
            reader, writer = os.pipe()
            os.close(reader)
            process = subprocess.Popen([os.path.join(plugin.BINDIR, which)], env=plugin.environment('ADD', args=f'IP={A}'),
                                       stdin=subprocess.PIPE, stdout=writer, stderr=subprocess.DEVNULL)
            os.close(writer)
            try:
                process.communicate(json.dumps(self.conf()).encode(), 60)
            except BrokenPipeError:
                process.wait(60)
            self.assertEqual((process.returncode, self.held()), (1, []))


class Files(Poor):
    def mode(self):
        return stat.S_IMODE(os.stat(self.log).st_mode)

    def test_the_log_file_is_its_owners_alone_whatever_umask_says(self):
        for umask, mode in (('0', 0o600), ('022', 0o600), ('077', 0o600)):
            self.allowed(self.ask('STATUS', ipam={'logFile': self.log}, through=['sh', '-c', f'umask {umask}; exec "$0"']))
            self.assertEqual(self.mode(), mode)
            os.remove(self.log)

    def test_the_log_file_is_appended_to_and_keeps_its_mode(self):
        with open(self.log, 'w', encoding='ascii') as f:
            f.write('before\n')
        os.chmod(self.log, 0o640)
        for which in BOTH:
            self.life(which, ipam={'logFile': self.log})
        with open(self.log, encoding='utf-8') as f:
            lines = f.read().splitlines()
        self.assertEqual((lines[0], self.mode()), ('before', 0o640))
        self.assertEqual(len([line for line in lines if 'INVOKED STATUS' in line]), 2)

    def test_a_file_system_that_cannot_be_written(self):
        through = ['unshare', '--mount', '--propagation', 'private', 'sh', '-c',
                   f'mount -t tmpfs -o ro none {self.dir} && mount -o remount,ro,bind / && ! touch /var/tmp/x 2>&- && exec "$0"']
        for which in BOTH:
            self.life(which, through=through)
            answer = self.allowed(self.ask('ADD', A, which=which, ipam={'logFile': self.log}, through=through))
            self.assertRegex(answer.stderr, rf'\[warning\] cannot open the log file "{self.log}": Read-only file system')
            self.allowed(self.ask('DEL'))

    def test_a_log_file_that_is_no_file(self):
        os.mkfifo(self.log)
        for path, words in ((self.log, 'No such device'), (self.dir, 'Is a directory'), ('/none/log', 'No such file')):
            answer = self.allowed(self.ask('STATUS', ipam={'logFile': path}))
            self.assertIn(f'"{path}": {words}', answer.stderr)

    def test_a_disk_that_is_full(self):
        answer = self.allowed(self.ask('ADD', A, ipam={'logFile': '/dev/full'}))
        self.assertIn('No space left', answer.stderr)

    def test_a_working_directory_that_is_gone(self):
        through = ['sh', '-c', f'mkdir {self.dir}/x; cd {self.dir}/x; rmdir ../x; exec "$0"']
        for which in BOTH:
            self.life(which, through=through)


class Signals(Poor):
    def test_those_that_the_caller_blocks_or_ignores(self):
        for which in BOTH:
            for how in ('--ignore-signal', '--block-signal', '--default-signal'):
                with self.subTest(which=which, how=how):
                    self.life(which, through=['env', how])


class EmptyRoot(Poor):
    """The static build with a folder for its root directory: two executables, what the kernel says of the boot, a machine
    id, names and an authority."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.authority = tls.Authority()
        cls.addClassCleanup(cls.authority.close)
        cls.authority.sign('db.test', 'DNS:db.test')
        path = cls.authority.path
        cls.server = pg.Server(ssl='on', ssl_cert_file=path('db.test.crt'), ssl_key_file=path('db.test.key'))
        cls.addClassCleanup(cls.server.close)

    def setUp(self):
        super().setUp()
        for name in BOTH:
            shutil.copy(os.path.join(plugin.BINDIR, name), self.dir)
        shutil.copy(self.authority.path('ca.crt'), self.dir)
        self.write('etc/hosts', '127.0.0.1 db.test\n')
        self.write('etc/machine-id', 'd' * 32 + '\n')
        self.write('proc/sys/kernel/random/boot_id', '00000000-0000-4000-8000-000000000000\n')

    def write(self, path, text):
        path = os.path.join(self.dir, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'w', encoding='ascii') as file:
            file.write(text)

    def there(self, **more):
        """How to ask from inside."""
        ipam = {'host': 'db.test', 'sslmode': 'verify-full', 'sslrootcert': '/ca.crt', 'logFile': '/log', 'timeout': 5, **more}
        return {'ipam': ipam, 'path': '/'}

    def ask(self, command, ip=None, *, which=plugin.IPAM, **how):
        if 'path' in how:
            how['through'] = ['chroot', self.dir]
            which = '/' + which
        return super().ask(command, ip, which=which, **how)

    def test_every_verb_with_a_name_and_TLS(self):
        for which in BOTH:
            self.life(which, **self.there())
        self.assertEqual(stat.S_IMODE(os.stat(self.log).st_mode), 0o600)
        self.assertEqual(sorted(os.listdir(self.dir)), sorted([*BOTH, 'ca.crt', 'etc', 'proc', 'log']))

    def test_a_name_by_DNS(self):
        self.write('etc/hosts', '')
        self.write('etc/resolv.conf', dns.CONF)
        with dns.Names(db_test='127.0.0.1') as names:
            self.life(plugin.NET, **self.there())
            self.assertIn('db.test', names.asked)

    def test_what_is_recorded_is_of_that_host(self):
        self.add(A, **self.there())
        self.assertEqual(self.rows('host_id, boot_id'), [('d' * 32, '00000000-0000-4000-8000-000000000000')])

    def test_what_is_missing_is_said(self):
        os.remove(self.dir + '/ca.crt')
        self.refused(self.ask('STATUS', **self.there(timeout=1)), 50, '/ca.crt')
        self.refused(self.ask('STATUS', **self.there(sslmode='disable', host='db.other', timeout=1)), 50, 'db.other')
        os.remove(self.dir + '/etc/machine-id')
        self.refused(self.ask('ADD', A, **self.there(sslmode='disable')), 7, 'node')
        self.add(A, **self.there(sslmode='disable', node='here'))
        os.remove(self.dir + '/proc/sys/kernel/random/boot_id')
        self.refused(self.ask('ADD', A, **self.there(sslmode='disable', node='here')), 5, 'boot')


if not plugin.is_static():
    del EmptyRoot

if __name__ == '__main__':
    tap.main()
