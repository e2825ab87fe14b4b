#!/usr/bin/env python3
"""The net plugin as a runtime calls it, with scripts as IPAM plugins. Needs the built executables,
/bin/sh, /proc, root and /dev/fuse."""
import json
import os
import resource
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

import hung
import plugin
import tap

RESULTS = {
    '0.1.0': {'cniVersion': '0.1.0', 'ip4': {'ip': '10.0.0.5/24', 'gateway': '10.0.0.1'}},
    '0.2.0': {'cniVersion': '0.2.0', 'ip4': {'ip': '10.0.0.5/24', 'gateway': '10.0.0.1'}},
    '0.3.0': {'cniVersion': '0.3.0', 'ips': [{'version': '4', 'address': '10.0.0.5/24', 'gateway': '10.0.0.1'}]},
    '0.3.1': {'cniVersion': '0.3.1', 'ips': [{'version': '4', 'address': '10.0.0.5/24', 'gateway': '10.0.0.1'}]},
    '0.4.0': {'cniVersion': '0.4.0', 'ips': [{'version': '4', 'address': '10.0.0.5/24', 'gateway': '10.0.0.1'}]},
    '1.0.0': {'cniVersion': '1.0.0', 'ips': [{'address': '10.0.0.5/24', 'gateway': '10.0.0.1'}]},
    '1.1.0': {'cniVersion': '1.1.0', 'ips': [{'address': '10.0.0.5/24', 'gateway': '10.0.0.1'}]},
}
FIVE = RESULTS['1.1.0']
HELD = {'cniVersion': '1.1.0', 'code': 100, 'msg': 'address 10.0.0.5 is held', 'details': 'by pod-a'}
VERBS = {'ADD': '0.1.0', 'DEL': '0.1.0', 'CHECK': '0.4.0', 'STATUS': '1.1.0', 'GC': '1.1.0'}


def says(value):
    """The shell words that print a JSON value."""
    return f"cat <<'EOF'\n{json.dumps(value)}\nEOF"


def on_add(body):
    """Does it on ADD, and succeeds on everything else."""
    return f'[ "$CNI_COMMAND" = ADD ] || exit 0\n{body}'


class Scripted(unittest.TestCase):
    """A test whose IPAM plugin, named ipam, is a script. It notes its verbs in the file `verbs`."""

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix='ipam-test.', dir='/var/tmp')
        self.addCleanup(shutil.rmtree, self.dir)

    def path(self, name):
        return os.path.join(self.dir, name)

    def read(self, name):
        try:
            with open(self.path(name), 'rb') as f:
                return f.read()
        except FileNotFoundError:
            return b''

    def verbs(self):
        return self.read('verbs').decode().split()

    def forget(self):
        if os.path.exists(self.path('verbs')):
            os.unlink(self.path('verbs'))

    def ipam(self, body, name='ipam', note=True):
        """Makes the IPAM plugin. It finds its folder in $BOX."""
        self.forget()
        with open(self.path(name + '.new'), 'w', encoding='utf-8') as f:
            f.write(f"#!/bin/sh\nBOX='{self.dir}'\n")
            f.write('echo "$CNI_COMMAND" >>"$BOX/verbs"\n' if note else '')
            f.write(body + '\n')
        os.chmod(self.path(name + '.new'), 0o755)
        os.rename(self.path(name + '.new'), self.path(name))

    def conf(self, version='1.1.0', ipam=None, **keys):
        return {'cniVersion': version, 'name': 'net', 'type': 'status-cni', 'ipam': {'type': 'ipam', **(ipam or {})},
                **keys}

    def run_net(self, command, conf=None, **how):
        return plugin.run(plugin.NET, command, self.conf() if conf is None else conf, path=how.pop('path', self.dir),
                          **how)

    def await_file(self, name, seconds=5):
        end = time.monotonic() + seconds
        while not self.read(name) and time.monotonic() < end:
            time.sleep(0.02)
        return self.read(name)

    def assert_took(self, start, least, most):
        took = time.monotonic() - start
        self.assertGreaterEqual(took, least)
        self.assertLess(took, most)


class Delegation(Scripted):
    def test_the_ipam_plugin_gets_the_same_bytes(self):
        self.ipam('cat >"$BOX/stdin"')
        data = b' {"cniVersion":"1.1.0" ,\n\t"name":"net","ipam":{"type":"ipam"},"cni.dev/x":"\\u00e9\xc3\xa9 1e2"}\n \n'
        for command in ('DEL', 'CHECK', 'STATUS', 'GC'):
            with self.subTest(command):
                self.assertEqual(self.run_net(command, data).rc, 0)
                self.assertEqual(self.read('stdin'), data)

    def test_a_long_configuration_arrives_whole(self):
        self.ipam('cat >"$BOX/stdin"')
        entries = [{'containerID': f'pod{i}', 'ifname': 'eth0'} for i in range(60000)]
        data = json.dumps(self.conf(**{'cni.dev/valid-attachments': entries})).encode()
        self.assertGreater(len(data), 2 << 20)
        self.assertEqual(self.run_net('GC', data).rc, 0)
        self.assertEqual(self.read('stdin'), data)

    def test_the_ipam_plugin_gets_the_same_environment(self):
        self.ipam('cat /proc/$$/environ >"$BOX/env.$CNI_COMMAND"; exit 1')
        how = {'path': self.dir, 'args': 'IP=10.0.0.5/24;X=;Y',
               'env': {'PGHOST': 'db', 'TRACEPARENT': '00-1', 'EMPTY': '', 'ODD': 'a=b;c\nd \udce9', 'PATH': '/bin'}}
        ours = b''.join(os.fsencode(f'{k}={v}') + b'\0' for k, v in plugin.environment('ADD', **how).items())
        plugin.run(plugin.NET, 'ADD', self.conf(), **how)
        self.assertEqual(self.read('env.ADD'), ours)
        self.assertEqual(self.read('env.DEL'), ours.replace(b'CNI_COMMAND=ADD', b'CNI_COMMAND=DEL'))

    def test_its_stderr_is_ours(self):
        self.ipam('echo "a line of the IPAM plugin" >&2')
        self.assertIn('a line of the IPAM plugin\n', self.run_net('STATUS').stderr)

    def test_the_answer_to_add(self):
        for version, result in RESULTS.items():
            with self.subTest(version):
                self.ipam(says(result))
                answer = self.run_net('ADD', self.conf(version))
                self.assertEqual((answer.rc, answer.json), (0, result))
                self.assertEqual(self.verbs(), ['ADD'])

    def test_routes_and_dns_are_answered(self):
        result = {'cniVersion': '1.1.0', 'ips': [{'address': '10.0.0.5/24'}, {'address': 'fd00::5/64'}],
                  'routes': [{'dst': '0.0.0.0/0', 'gw': '10.0.0.1', 'mtu': 1400, 'table': 254}],
                  'dns': {'nameservers': ['10.0.0.2'], 'search': ['a']}}
        self.ipam(says(result))
        self.assertEqual(self.run_net('ADD').json, result)
        own = self.run_net('ADD', self.conf(dns={'domain': 'own'})).json
        self.assertEqual(own, {**result, 'dns': {'domain': 'own'}})
        for empty in ({}, {'nameservers': []}, {'nameservers': [], 'search': [], 'domain': ''}):
            with self.subTest(empty):
                self.assertEqual(self.run_net('ADD', self.conf(dns=empty)).json, result)

    def test_no_interface_and_no_index(self):
        self.ipam(says({**FIVE, 'ips': [{**FIVE['ips'][0], 'interface': 0}]}))
        self.assertEqual(self.run_net('ADD').json, FIVE)

    def test_an_error_object_comes_through_byte_for_byte(self):
        error = b' {"code" : 100, "msg":"held\\u0021",\n"details": "", "more": [1.50]}\n\n'
        with open(self.path('error'), 'wb') as f:
            f.write(error)
        self.ipam('cat "$BOX/error"; exit 7')
        for command in VERBS:
            with self.subTest(command):
                answer = self.run_net(command)
                self.assertEqual((answer.rc, answer.stdout), (1, error))

    def test_an_ipam_plugin_that_does_not_know_a_verb(self):
        error = {'code': 4, 'msg': 'unknown CNI_COMMAND: STATUS'}
        self.ipam(says(error) + '\nexit 1')
        self.assertEqual(self.run_net('STATUS').json, error)

    def test_success_of_the_others_prints_nothing(self):
        self.ipam('echo whatever')
        for command in ('DEL', 'CHECK', 'STATUS', 'GC'):
            with self.subTest(command):
                answer = self.run_net(command)
                self.assertEqual((answer.rc, answer.stdout), (0, b''))

    def test_version_asks_nobody(self):
        self.ipam('')
        self.assertEqual(self.run_net('VERSION').rc, 0)
        self.assertEqual(self.verbs(), [])


class Failures(Scripted):
    """What an IPAM plugin does wrong on ADD; each time it is run again with DEL."""

    def assert_undone(self, body, code, words, conf=None):
        self.ipam(on_add(body))
        answer = self.run_net('ADD', conf)
        self.assertEqual((answer.rc, answer.code), (1, code), answer)
        self.assertIn(words, answer.said)
        self.assertEqual(self.verbs(), ['ADD', 'DEL'])
        return answer

    def test_an_error(self):
        self.assert_undone(says(HELD) + '\nexit 1', 100, 'address 10.0.0.5 is held')

    def test_rubbish_and_nothing(self):
        self.assert_undone('echo rubbish', 5, 'result')
        self.assert_undone('', 5, 'result')
        self.assert_undone('echo 7', 5, 'result')
        self.assert_undone('exit 1', 5, 'exit status 1, without an error object')
        self.assert_undone('echo rubbish; exit 2', 5, 'exit status 2, without an error object')

    def test_an_invalid_result(self):
        self.assert_undone(says({**FIVE, 'cniVersion': '1.0.0'}), 5, 'the answer of')
        self.assert_undone(says({**FIVE, 'cniVersion': '8.1.5'}), 5, '8.1.5')
        self.assert_undone(says({**FIVE, 'ips': []}), 5, 'address')
        self.assert_undone(says({'cniVersion': '1.1.0'}), 5, 'address')
        self.assert_undone(says({**FIVE, 'ips': [{'address': '10.0.0.5'}]}), 5, '10.0.0.5')
        self.assert_undone(says({**FIVE, 'ips': 'none'}), 5, 'ips')
        self.assert_undone(says(FIVE) + '\n' + says(FIVE), 5, 'result')

    def test_an_exit_status_that_does_not_fit(self):
        self.assert_undone(says(FIVE) + '\nexit 1', 5, 'exit status 1, without an error object')
        self.assert_undone(says(HELD), 5, 'exit status')

    def test_a_signal(self):
        self.assert_undone('kill -KILL $$', 5, 'signal 9')
        self.assert_undone(says(FIVE) + '\nkill -SEGV $$', 5, 'signal 11')

    def test_a_closed_stdin(self):
        self.ipam('exec <&-; ' + says(FIVE))
        self.assertEqual(self.run_net('ADD', self.conf(args={'x': 'y' * (1 << 20)})).json, FIVE)

    def test_a_flood(self):
        start = time.monotonic()
        self.assert_undone('exec yes', 5, 'too long')
        self.assert_took(start, 0, 3)

    def test_an_answer_of_one_mebibyte_is_not_too_long(self):
        for more, code in ((0, 0), (1, 5)):
            text = json.dumps(FIVE)
            with open(self.path('answer'), 'w', encoding='utf-8') as f:
                f.write(text + ' ' * ((1 << 20) - len(text) + more))
            self.ipam(on_add('cat "$BOX/answer"'))
            self.assertEqual(self.run_net('ADD').code, code)

    def test_a_hang_costs_its_time_and_two_seconds(self):
        self.ipam('sleep 30 & sleep 30')
        start = time.monotonic()
        answer = self.run_net('ADD', self.conf(ipam={'timeout': 0.3}))
        self.assert_took(start, 2.3, 3.3)
        self.assertEqual(answer.code, 11)
        self.assertIn('time', answer.said)
        self.assertEqual(self.verbs(), ['ADD', 'DEL'])
        self.assertIn('DEL after', answer.stderr)

    def test_after_101_of_ours_there_is_no_del(self):
        self.ipam('echo \' {"details":"", "code" : 1.01e2, "msg":"holds 10.0.0.9"}\'; exit 1')
        os.symlink('ipam', self.path('ipam-status-cni'))
        for name, verbs in (('ipam-status-cni', ['ADD']), ('ipam', ['ADD', 'ADD', 'DEL'])):
            answer = self.run_net('ADD', self.conf(ipam={'type': name}))
            self.assertEqual((answer.rc, answer.code), (1, 101))
            self.assertEqual(self.verbs(), verbs)

    def test_what_could_not_be_started_is_not_undone(self):
        with open(self.path('ipam'), 'wb') as f:
            f.write(b'\1 no program')
        os.chmod(self.path('ipam'), 0o755)
        answer = self.run_net('ADD')
        self.assertEqual(answer.code, 5)
        self.assertIn('Exec format error', answer.said)
        self.assertNotIn('DEL', answer.stderr)

    def test_what_it_was_told_and_said_is_not_repeated(self):
        self.ipam('cat; exit 1')
        conf = self.conf(ipam={'password': 'hidden-secret'})
        for command in VERBS:
            with self.subTest(command):
                answer = self.run_net(command, conf)
                self.assertEqual(answer.code, 50 if command == 'STATUS' else 5)
                self.assertNotIn(b'hidden-secret', answer.stdout)
                self.assertNotIn('hidden-secret', answer.stderr)

    def test_an_answer_that_cannot_be_written_is_undone(self):
        self.ipam(on_add(says(FIVE)))
        with open('/dev/full', 'wb') as full:
            process = subprocess.Popen([os.path.join(plugin.BINDIR, plugin.NET)], stdin=subprocess.PIPE, stdout=full,
                                       stderr=subprocess.PIPE, env=plugin.environment('ADD', path=self.dir))
            process.communicate(json.dumps(self.conf()).encode(), 20)
        self.assertEqual(process.returncode, 1)
        self.assertEqual(self.verbs(), ['ADD', 'DEL'])

    def test_a_configuration_that_is_refused_starts_nobody(self):
        self.ipam(says(FIVE))
        for conf, code in ((self.conf(chained=1), 7), (self.conf(bridge='br0'), 2), (self.conf(prevResult=[]), 7),
                           (self.conf(dns={'nameservers': 'x'}), 7), (self.conf(dns={'server': 'x'}), 2),
                           ({'cniVersion': '1.1.0', 'name': 'net'}, 7), (self.conf(ipam={'type': 5}), 7)):
            with self.subTest(conf):
                self.assertEqual(self.run_net('ADD', conf).code, code)
        self.assertEqual(self.verbs(), [])


class Times(Scripted):
    def test_a_status_that_hangs_is_killed_after_three_seconds(self):
        self.ipam('sleep 30 & sleep 30')
        start = time.monotonic()
        answer = self.run_net('STATUS')
        self.assert_took(start, 3, 4)
        self.assertEqual(answer.code, 50)

    def test_the_timeout_of_the_configuration_counts(self):
        self.ipam('trap "" TERM; sleep 30 & sleep 30')
        for command in ('DEL', 'CHECK', 'GC', 'STATUS'):
            with self.subTest(command):
                start = time.monotonic()
                answer = self.run_net(command, self.conf(ipam={'timeout': 0.2}))
                self.assert_took(start, 1.2, 2.2)
                self.assertEqual(answer.code, 50 if command == 'STATUS' else 11)

    def test_a_timeout_that_is_not_valid_does_not(self):
        self.ipam('sleep 1.5')
        for timeout in (0, -1, 'x', 3601, None):
            with self.subTest(timeout):
                self.assertEqual(self.run_net('STATUS', self.conf(ipam={'timeout': timeout})).rc, 0)

    def test_the_time_runs_from_the_start_of_the_ipam_plugin(self):
        """A slow stdin takes nothing of it."""
        self.ipam('sleep 1.6')
        process = plugin.start(plugin.NET, 'STATUS', path=self.dir)
        time.sleep(1.5)
        self.assertEqual(plugin.finish(process, self.conf()).rc, 0)

    def test_nobody_holds_stderr_when_it_has_ended(self):
        """A runtime waits until all have closed it."""
        self.ipam(says(FIVE) + '\nsleep 30 &')
        start = time.monotonic()
        self.assertEqual(self.run_net('ADD').rc, 0)
        self.assert_took(start, 0, 2)

    def test_a_busy_executable_is_tried_again(self):
        self.ipam('')
        holder = subprocess.Popen(['sh', '-c', f'exec 3>>"{self.path("ipam")}"; echo; exec sleep 0.5'],
                                  stdout=subprocess.PIPE)
        holder.stdout.readline()
        self.assertEqual(self.run_net('STATUS').rc, 0)
        holder.wait(5)
        holder.stdout.close()

    def test_an_executable_that_stays_busy_is_an_error(self):
        self.ipam('')
        with open(self.path('ipam'), 'a', encoding='utf-8'):
            start = time.monotonic()
            answer = self.run_net('DEL')
            self.assert_took(start, 0.9, 2)
        self.assertEqual(answer.code, 5)
        self.assertIn('Text file busy', answer.said)


class Abandoned(Scripted):
    """Somebody ends the net plugin, or nobody waits for it."""
    LISTENS = on_add('trap \'echo told >"$BOX/told"; exit 1\' TERM; echo up >"$BOX/up"; sleep 30 & wait')

    def start_add(self):
        self.ipam(self.LISTENS)
        process = plugin.start(plugin.NET, 'ADD', path=self.dir)
        process.stdin.write(json.dumps(self.conf()).encode())
        process.stdin.close()
        process.stdin = None
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.stdout.close)
        self.assertEqual(self.await_file('up'), b'up\n')
        return process

    def test_a_signal_is_passed_on_and_add_undone(self):
        for sign in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            with self.subTest(sign):
                process = self.start_add()
                start = time.monotonic()
                process.send_signal(sign)
                self.assertEqual(process.wait(10), 1)
                self.assert_took(start, 0, 1)
                self.assertEqual(self.read('told'), b'told\n')
                self.assertEqual(self.verbs(), ['ADD', 'DEL'])
                self.assertEqual(json.loads(process.stdout.read())['code'], 11)
                for name in ('told', 'up'):
                    os.unlink(self.path(name))

    def test_without_a_reader_it_ends_and_add_is_undone(self):
        process = self.start_add()
        start = time.monotonic()
        process.stdout.close()
        self.assertEqual(process.wait(10), 1)
        self.assert_took(start, 0, 1)
        self.assertEqual(self.read('told'), b'told\n')
        self.assertEqual(self.verbs(), ['ADD', 'DEL'])

    def test_killed_it_takes_the_ipam_plugin_along(self):
        process = self.start_add()
        process.kill()
        process.wait(10)
        self.assertEqual(self.await_file('told', 1), b'told\n')


class Finding(Scripted):
    def test_cni_path_with_empty_and_missing_entries(self):
        self.ipam('')
        for path in (f':{self.dir}', f'{self.dir}:', f'::/no/such:{self.dir}', f'/dev/null:{self.dir}:/proc'):
            with self.subTest(path):
                self.assertEqual(self.run_net('STATUS', path=path).rc, 0)

    def test_an_empty_entry_is_not_the_working_directory(self):
        self.ipam('')
        process = subprocess.Popen([os.path.join(plugin.BINDIR, plugin.NET)], stdin=subprocess.PIPE, cwd=self.dir,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   env=plugin.environment('DEL', path=':', env={'PATH': self.dir}))
        self.assertEqual(plugin.finish(process, self.conf()).code, 7)
        self.assertEqual(self.verbs(), [])

    def test_what_is_not_there_is_named_with_where_it_was_looked_for(self):
        for command in VERBS:
            with self.subTest(command):
                answer = self.run_net(command, path='/no/such:/dev')
                self.assertEqual(answer.code, 7)
                self.assertIn('failed to find plugin "ipam" in path [/no/such, /dev]', answer.said)
                self.assertNotIn('not found', answer.said)

    def test_no_executable_file(self):
        os.mkdir(self.path('ipam'))
        self.assertEqual(self.run_net('DEL').code, 7)
        os.rmdir(self.path('ipam'))
        self.ipam('')
        os.chmod(self.path('ipam'), 0o644)
        self.assertEqual(self.run_net('DEL').code, 7)

    def test_the_net_plugin_itself(self):
        shutil.copy(os.path.join(plugin.BINDIR, plugin.NET), self.path('other'))
        os.link(self.path('other'), self.path('same'))
        for name, code in (('status-cni', 7), ('../other', 7), ('/bin/true', 7), ('same', 7)):
            with self.subTest(name):
                process = subprocess.Popen([self.path('other')], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                           stderr=subprocess.PIPE,
                                           env=plugin.environment('DEL', path=f'{self.dir}:{plugin.BINDIR}'))
                self.assertEqual(plugin.finish(process, self.conf(ipam={'type': name})).code, code)

    def test_a_configuration_without_ipam(self):
        for conf in ({'cniVersion': '1.1.0', 'name': 'net'}, self.conf(ipam={'type': ''}),
                     {'cniVersion': '1.1.0', 'name': 'net', 'ipam': []}):
            for command in VERBS:
                with self.subTest(f'{command} {conf}'):
                    self.assertEqual(self.run_net(command, conf).code, 7)

    def test_eight_descriptors_are_enough(self):
        os.symlink(shutil.which('true'), self.path('ipam'))
        process = subprocess.Popen([os.path.join(plugin.BINDIR, plugin.NET)], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   env=plugin.environment('STATUS', path=self.dir),
                                   preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (8, 8)))
        answer = plugin.finish(process, self.conf())
        self.assertEqual((answer.rc, answer.stdout), (0, b''), answer.stderr)

    def test_descriptors_that_the_runtime_left_open_go_no_further(self):
        self.ipam('ls /proc/self/fd | tr "\\n" " " >"$BOX/fds"')
        with open('/dev/null', 'rb') as stray:
            process = subprocess.Popen([os.path.join(plugin.BINDIR, plugin.NET)], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, pass_fds=[stray.fileno()],
                                       env=plugin.environment('STATUS', path=self.dir))
            self.assertEqual(plugin.finish(process, self.conf()).rc, 0)
        self.assertEqual(self.read('fds').split(), [b'0', b'1', b'2', b'3'])


class Keys(Scripted):
    def test_unknown_keys_are_named_for_every_verb_but_del(self):
        self.ipam(on_add(says(FIVE)))
        for conf, words in ((self.conf(mtu=1400), 'unsupported field "mtu" (a number)'),
                            (self.conf(dns={'servers': ['x']}), 'unsupported field "servers" in dns (a list)')):
            for command in VERBS:
                with self.subTest(f'{command} {words}'):
                    answer = self.run_net(command, conf)
                    if command == 'DEL':
                        self.assertEqual(answer.rc, 0)
                        self.assertIn('[warning] ' + words, answer.stderr)
                    else:
                        self.assertEqual(answer.code, 2)
                        self.assertIn(words, answer.said)

    def test_the_value_of_an_unknown_key_is_never_shown(self):
        self.ipam('')
        for key in ('password', 'dbPwd', 'APIKEY', 'Credentials', 'dsn', 'url', 'conninfo'):
            for command in ('STATUS', 'DEL'):
                with self.subTest(f'{command} {key}'):
                    answer = self.run_net(command, self.conf(**{key: 'postgres://cni:hidden-secret@db/ipam'}))
                    self.assertIn(key, answer.said or answer.stderr)
                    self.assertNotIn('hidden-secret', answer.said + answer.stderr)

    def test_well_known_and_reserved_keys_pass(self):
        self.ipam(on_add(says(FIVE)))
        known = {'cniVersions': ['1.1.0'], 'type': 'status-cni', 'capabilities': {'ips': True},
                 'runtimeConfig': {'ips': ['10.0.0.5/24'], 'any': {}}, 'args': {'cni': {'ips': []}, 'any': 1},
                 'ipMasq': True, 'dns': {'nameservers': [], 'domain': '', 'search': [], 'options': []},
                 'deviceID': '0000:03:02.0', 'pciBusID': '0000:03:02.0',
                 'disableCheck': True, 'disableGC': True, 'loadOnlyInlinedPlugins': False, 'chained': False,
                 'cni.dev/valid-attachments': [], 'cni.dev/attachments': [], 'cni.dev/anything': 1}
        for command in VERBS:
            with self.subTest(command):
                answer = self.run_net(command, self.conf(**known, prevResult=FIVE))
                self.assertEqual(answer.rc, 0, answer.said)


@unittest.skipUnless(os.geteuid() == 0 and os.access('/dev/fuse', os.W_OK), 'needs root and /dev/fuse')
class HungFiles(Scripted):
    """A file system that does not answer outlives no deadline."""

    def ends(self, command, least, most, which=plugin.NET, ipam=None, **how):
        start = time.monotonic()
        answer = plugin.finish(plugin.start(which, command, path=how.pop('path', self.dir), **how),
                               self.conf(ipam={'timeout': 1, **(ipam or {})}), 20)
        self.assert_took(start, least, most)
        self.assertNotEqual(answer.rc, 0)

    def test_the_folders_of_cni_path(self):
        with hung.hung_file_system() as folder:
            for command in VERBS:
                with self.subTest(command):
                    self.ends(command, 1, 3, path=folder)

    def test_the_network_namespace(self):
        self.ipam(says(FIVE))
        with hung.hung_file_system() as folder:
            self.ends('ADD', 1, 3, netns=folder + '/ns')
        self.assertEqual(self.verbs(), [])

    def test_files_that_the_configuration_names(self):
        with hung.hung_file_system() as folder:
            for key in ('passfile', 'logFile', 'resolvConf'):
                with self.subTest(key):
                    self.ends('STATUS', 1, 4, plugin.IPAM,
                              {'type': plugin.IPAM, 'host': 'localhost', key: folder + '/file'})


class Netns(Scripted):
    def test_the_plugins_own_is_refused_on_add_before_anything_is_done(self):
        self.ipam(says(FIVE))
        for own in ('/proc/self/ns/net', f'/proc/{os.getpid()}/ns/net'):
            with self.subTest(own):
                self.assertEqual(self.run_net('ADD', netns=own).code, 8)
        self.assertEqual(self.verbs(), [])
        self.assertEqual(self.run_net('DEL', netns='/proc/self/ns/net').rc, 0)
        self.assertEqual(self.verbs(), ['DEL'])

    def test_an_override(self):
        self.ipam(on_add(says(FIVE)))
        for value, code in (('1', 0), ('true', 0), ('TRUE', 0), ('tRuE', 0), ('', 8), ('0', 8), ('yes', 8)):
            with self.subTest(value):
                answer = self.run_net('ADD', netns='/proc/self/ns/net', env={'CNI_NETNS_OVERRIDE': value})
                self.assertEqual(answer.code, code)

    def test_a_reference_that_is_no_path(self):
        self.ipam(says(FIVE))
        self.assertEqual(self.run_net('ADD', netns='vm-17').rc, 0)


class PrevResult(Scripted):
    PREV = {'cniVersion': '1.1.0',
            'interfaces': [{'name': 'br0', 'mac': '00:00:5e:00:53:01'},
                           {'name': 'eth0', 'mac': '00:00:5e:00:53:02', 'sandbox': plugin.NETNS, 'mtu': 1400}],
            'ips': [{'address': '10.9.0.5/24', 'gateway': '10.9.0.1', 'interface': 1}],
            'routes': [{'dst': '0.0.0.0/0', 'gw': '10.9.0.1'}],
            'dns': {'nameservers': ['10.9.0.2'], 'domain': 'first'}}

    def test_it_is_kept_and_ours_is_added(self):
        self.ipam(says({**FIVE, 'routes': [{'dst': '10.8.0.0/16'}],
                        'dns': {'nameservers': ['10.0.0.2'], 'domain': 'second'}}))
        answer = self.run_net('ADD', self.conf(prevResult=self.PREV)).json
        self.assertEqual(answer['interfaces'], self.PREV['interfaces'])
        self.assertEqual(answer['ips'], self.PREV['ips'] + [{**FIVE['ips'][0], 'interface': 1}])
        self.assertEqual(answer['routes'], self.PREV['routes'] + [{'dst': '10.8.0.0/16'}])
        self.assertEqual(answer['dns'], {'nameservers': ['10.9.0.2', '10.0.0.2'], 'domain': 'first'})

    def test_in_every_version(self):
        for version, result in RESULTS.items():
            with self.subTest(version):
                if version < '0.3.0':
                    prev = {'cniVersion': version, 'ip6': {'ip': 'fd00::9/64'}}
                    wanted = {**result, **prev}
                else:
                    prev = {**result, 'ips': [{**result['ips'][0], 'address': '10.9.0.5/24'}]}
                    wanted = {**result, 'ips': prev['ips'] + result['ips']}
                self.ipam(says(result))
                answer = self.run_net('ADD', self.conf(version, prevResult=prev))
                self.assertEqual((answer.rc, answer.json), (0, wanted), answer.said)

    def test_it_may_be_of_another_version(self):
        self.ipam(says({**FIVE, 'ips': [{'address': 'fd00::5/64'}]}))
        for version, prev in RESULTS.items():
            with self.subTest(version):
                answer = self.run_net('ADD', self.conf(prevResult=prev))
                self.assertEqual(answer.json, {**FIVE, 'ips': FIVE['ips'] + [{'address': 'fd00::5/64'}]})

    def test_an_old_version_has_room_for_one_address_a_family(self):
        both = {'ip4': {'ip': '10.9.0.5/24'}, 'ip6': {'ip': 'fd00::9/64'}}
        for version in ('0.1.0', '0.2.0'):
            with self.subTest(version):
                self.ipam(says(RESULTS[version]))
                self.assertEqual(self.run_net('ADD', self.conf(version, prevResult=both)).code, 7)
                self.assertEqual(self.verbs(), [])
                four = {'ip4': both['ip4']}
                self.assertEqual(self.run_net('ADD', self.conf(version, prevResult=four)).code, 7)
                self.assertEqual(self.verbs(), ['ADD', 'DEL'])

    def test_an_invalid_one_is_refused_before_anything_is_done(self):
        self.ipam(says(FIVE))
        for prev in (1, [], 'x', {'ips': {}}, {'cniVersion': '9.9.9'}, {'ips': [{'address': '10.0.0.5'}]},
                     {'ips': [{'address': '10.0.0.5/24', 'interface': 3}]}):
            with self.subTest(prev):
                self.assertEqual(self.run_net('ADD', self.conf(prevResult=prev)).code, 7)
        self.assertEqual(self.verbs(), [])


class Chained(Scripted):
    def test_add_answers_prev_result_unchanged(self):
        self.ipam(says(FIVE))
        for version, result in RESULTS.items():
            with self.subTest(version):
                prev = {**result, 'own': {'a': [1, 2.5, None, True, 'é']}, 'dns': {'domain': 'd'}}
                conf = self.conf(version, chained=True, prevResult=prev, dns={'domain': 'other'})
                answer = self.run_net('ADD', conf)
                self.assertEqual((answer.rc, answer.json), (0, prev))
        self.assertEqual(self.verbs(), [])

    def test_add_without_prev_result_is_an_error(self):
        for version in RESULTS:
            with self.subTest(version):
                answer = self.run_net('ADD', self.conf(version, chained=True))
                self.assertEqual(answer.code, 7)
                self.assertIn('prevResult', answer.said)

    def test_del_and_check_leave_the_allocation_alone(self):
        self.ipam('exit 1')
        for command, since in (('DEL', '0.1.0'), ('CHECK', '0.4.0')):
            for version in RESULTS:
                with self.subTest(f'{command} {version}'):
                    answer = self.run_net(command, self.conf(version, chained=True, prevResult=RESULTS[version]))
                    self.assertEqual((answer.code, self.verbs()), (0 if version >= since else 1, []))

    def test_status_and_gc_go_to_the_ipam_plugin(self):
        self.ipam(says(HELD) + '\nexit 1')
        for command in ('STATUS', 'GC'):
            with self.subTest(command):
                self.forget()
                answer = self.run_net(command, self.conf(chained=True))
                self.assertEqual((answer.json, self.verbs()), (HELD, [command]))

    def test_it_must_be_true_or_false(self):
        self.ipam(says(FIVE))
        for value in (1, 0, 'true', [], {}):
            for command in VERBS:
                with self.subTest(f'{command} {value}'):
                    answer = self.run_net(command, self.conf(chained=value, prevResult=FIVE))
                    self.assertEqual(answer.code, 7)
        self.assertEqual(self.verbs(), [])


class Versions(Scripted):
    def test_a_verb_that_a_version_does_not_have_starts_nobody(self):
        self.ipam(on_add(says(FIVE)))
        for command, since in VERBS.items():
            for version in RESULTS:
                if version < since:
                    with self.subTest(f'{command} {version}'):
                        answer = self.run_net(command, self.conf(version))
                        self.assertEqual(answer.code, 1)
                        self.assertIn(f'config version does not allow {command}', answer.said)
        self.assertEqual(self.verbs(), [])

    def test_an_absent_version_is_the_first_one(self):
        self.ipam(says(RESULTS['0.1.0']))
        conf = self.conf()
        for version in (None, ''):
            with self.subTest(version):
                conf['cniVersion'] = version
                self.assertEqual(self.run_net('ADD', conf).json, RESULTS['0.1.0'])
        del conf['cniVersion']
        self.assertEqual(self.run_net('ADD', conf).json, RESULTS['0.1.0'])


if __name__ == '__main__':
    tap.main()
