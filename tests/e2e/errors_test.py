#!/usr/bin/env python3
"""What is wrong with a call: environment, stdin, configuration. One error object each, and nothing half done. Needs a
PostgreSQL server's programs."""
import json
import os

import faults
import pg
import plugin
import plugin_case
import tap
from plugin_case import BOTH

A = '10.0.0.5/24'
ALL = ('ADD', 'DEL', 'CHECK', 'STATUS', 'GC')
PREV = {'prevResult': {'ips': [{'address': A}]}}
MIB = 1024 * 1024


class Errors(plugin_case.PluginCase):
    def tearDown(self):
        self.assertEqual(self.rows(), [], 'nothing is half done')

    def fails(self, code, *words, command='ADD', ip=A, **how):
        for which in BOTH:
            with self.subTest(code=code, command=command, which=which, how=str(how)[:200]):
                answer = self.refused(self.ask(command, ip, which=which, **how), code, *words)
        return answer


class Environment(Errors):
    NEEDED = {'ADD': ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME', 'CNI_PATH'],
              'DEL': ['CNI_CONTAINERID', 'CNI_IFNAME', 'CNI_PATH'],
              'CHECK': ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME', 'CNI_PATH'],
              'STATUS': ['CNI_PATH'], 'GC': ['CNI_PATH']}

    def test_everything_that_is_missing_is_named_at_once(self):
        for command, needed in self.NEEDED.items():
            for absent in (None, ''):
                env = dict.fromkeys(['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME', 'CNI_PATH', 'CNI_ARGS'], absent)
                answer = self.fails(4, command=command, env=env)
                self.assertEqual(answer.json['msg'], f'required env variables [{",".join(needed)}] missing')
                self.assertEqual(answer.json['cniVersion'], '1.1.0')

    def test_each_one_that_is_missing_is_named(self):
        for command, needed in self.NEEDED.items():
            for name in needed:
                answer = self.fails(4, command=command, env={name: None})
                self.assertEqual(answer.json['msg'], f'required env variables [{name}] missing')

    def test_what_is_missing_comes_before_what_is_in_stdin(self):
        self.fails(4, 'CNI_NETNS', env={'CNI_NETNS': None}, conf=b'rubbish')

    def test_an_unknown_verb(self):
        for command in ('add', 'UPDATE', ' ADD', 'VERSIO', 'x\ny'):
            answer = self.fails(4, command=command)
            self.assertEqual(answer.json['msg'], f'unknown CNI_COMMAND: {command}'.replace('\n', ' '))

    def test_container_ids_are_those_of_the_reference(self):
        for command in ('ADD', 'DEL', 'CHECK'):
            for wrong in ('.a', '-a', '_a', 'a b', 'a/b', 'a:b', 'ä', 'a\n', 'a;b', ' '):
                self.fails(4, 'invalid characters in containerID', command=command, container=wrong)
        for right in ('a', '0', 'A.b_c-d', 'a' * 200):
            self.add(A, container=right)
            self.allowed(self.ask('DEL', container=right))

    def test_interface_names_are_those_of_the_reference(self):
        for command in ('ADD', 'DEL', 'CHECK'):
            for wrong, words in (('a' * 16, 'interface name is too long'), ('.', 'interface name is . or ..'),
                                 ('..', 'interface name is . or ..'),
                                 *((f'a{c}b', 'interface name contains / or : or whitespace characters')
                                   for c in '/: \t\n\u00a0\u2003')):
                self.fails(4, words, command=command, ifname=wrong)
        for right in ('a', 'a' * 15, 'eth0.100', '@x', 'ñ'):
            self.add(A, ifname=right)
            self.allowed(self.ask('DEL', ifname=right))

    def test_several_invalid_ones_are_named_at_once(self):
        self.fails(4, 'invalid characters in containerID', 'interface name is too long',
                   container='.a', ifname='a' * 16)

    def test_what_STATUS_and_GC_do_not_need_may_be_anything(self):
        for command in ('STATUS', 'GC'):
            env = {'CNI_CONTAINERID': '.bad', 'CNI_IFNAME': '../..', 'CNI_NETNS': 'x', 'CNI_ARGS': 'nonsense'}
            self.allowed(self.ask(command, env=env))
            self.allowed(self.ask(command, env=dict.fromkeys(env)))


class Stdin(Errors):
    def test_what_is_no_JSON_is_error_6(self):
        whole = json.dumps(self.conf()).encode()
        for stdin in (b'', b' \n', b'x', b'{', b'{}x', whole + b'x', whole + b'{}', whole + whole, whole[:-1],
                      whole[:50], b'{"name": nul}', b"{'name': 'x'}", b'{"a":1,}', b'{"a" 1}', b'[1,]',
                      b'\xef\xbb\xbf' + whole, whole.replace(b'"type"', b'"ty\x00pe"', 1), whole + b'\0',
                      whole.replace(b'net-', b'net-\xff', 1),
                      b'{"a":01}', b'{"a":+1}', b'{"a":.5}', b'{"a":NaN}', b'{"a":"\n"}', b'/**/{}'):
            answer = self.fails(6, 'error unmarshall network config', conf=stdin)
            self.assertEqual(answer.json['cniVersion'], '1.1.0')

    def test_what_is_no_object_is_error_6(self):
        for stdin in (b'[]', b'null', b'5', b'"x"', b'true', b'[{}]'):
            self.fails(6, 'not a JSON object', conf=stdin)

    def test_every_verb_says_so(self):
        for command in ALL:
            for stdin in (b'', b'[]', b'{'):
                self.fails(6, command=command, conf=stdin)

    def test_deep_nesting(self):
        for deep in (b'[' * 100000, b'[' * 100000 + b']' * 100000, b'{"a":' * 100000,
                     b'{"a":' * 1001 + b'1' + b'}' * 1001):
            self.fails(6, conf=deep)

    def test_white_space_around_it_is_fine(self):
        self.allowed(self.ask('STATUS', conf=b' \n\t' + json.dumps(self.conf()).encode() + b'\r\n '))

    def test_nothing_of_it_is_repeated(self):
        text = json.dumps(self.conf(ipam={'password': 's3cr3t'})).encode()
        for stdin in (text[:-1], text + b'x', text.replace(b'"s3cr3t"', b'"s3cr3t\n"')):
            answer = self.fails(6, conf=stdin)
            self.assertNotIn('s3cr3t', answer.said + answer.stderr)

    def test_32_MiB_are_read_and_more_is_error_6(self):
        conf = json.dumps(self.conf(ipam={'timeout': 30}, more={'cni.dev/x': 'PADDING'}))
        padding = 'x' * (32 * MIB - len(conf) + len('PADDING'))
        for which in BOTH:
            self.allowed(self.ask('STATUS', which=which, conf=conf.replace('PADDING', padding).encode()))
        self.fails(6, '32 MiB', command='STATUS', conf=conf.replace('PADDING', padding + 'x').encode())

    def test_64_MiB_are_not_even_kept(self):
        small = ['prlimit', f'--as={256 * MIB}'] if 'sanitize' not in plugin.BINDIR else []
        for which in BOTH:
            process = plugin.start(which, 'ADD', through=small)
            try:
                process.stdin.write(b' ' * (64 * MIB))
            except BrokenPipeError:
                pass
            self.refused(plugin.finish(process, b''), 6, '32 MiB')

    def test_a_stdin_that_is_closed_or_cannot_be_read(self):
        for how in ('exec "$0" <&-', 'exec "$0" </'):
            for command in ('ADD', 'DEL'):
                self.fails(5, 'stdin', command=command, through=['sh', '-c', how])

    def test_a_stdin_that_never_ends(self):
        for which in BOTH:
            process = plugin.start(which, 'STATUS')
            process.stdin.write(b'{"cniVersion": "1.1.0"')
            process.stdin.flush()
            process.wait(5)
            self.assertEqual(json.loads(process.stdout.read())['code'], 50)
            for stream in (process.stdin, process.stdout, process.stderr):
                stream.close()


class Network(Errors):
    def test_the_name(self):
        for name, words in ((None, 'missing network name'), ('', 'missing network name'),
                            *((wrong, 'invalid characters found in network name')
                              for wrong in ('.a', '-a', '_a', 'a b', 'a/b', 'ä', 'a\n', ' a')),
                            *((wrong, 'network name') for wrong in (5, [], {}, True))):
            for command in ALL:
                self.fails(7, words, command=command, conf={'name': name, **PREV})

    def test_another_type_at_any_key_is_error_7(self):
        for key in ('runtimeConfig', 'args', 'capabilities', 'prevResult', 'ipam', 'cniVersion', 'name'):
            for wrong in ('x', 5, True, ['x']):
                if (key, wrong) in (('cniVersion', 'x'), ('name', 'x')):
                    continue
                conf = {**PREV, 'runtimeConfig': {}, key: wrong}
                with self.subTest(key=key, wrong=wrong):
                    answer = self.ask('CHECK', A, conf=conf)
                    if key == 'capabilities':
                        self.assertIn(answer.code, (7, 102))
                    else:
                        self.refused(answer, 7)

    def test_keys_are_exact(self):
        self.fails(7, 'missing network name', conf={'name': None, 'Name': 'x'})
        self.refused(self.ask('ADD', conf={'RuntimeConfig': {'ips': [A]}}), 7, 'no address')


class Database(Errors):
    def test_whatever_it_refuses_or_does_not_answer_is_error_11(self):
        for command in ('ADD', 'DEL', 'CHECK', 'GC'):
            for ipam in ({'port': pg.free_port()}, {'password': 'wrong'}, {'user': 'nobody'}, {'dbname': 'none'},
                         {'host': '/nonexistent'}, {'host': 'no-such-host.invalid'}, {'sslmode': 'require'}):
                with self.subTest(command=command, ipam=ipam):
                    self.refused(self.ask(command, A, conf=PREV, ipam={'timeout': 0.3, **ipam}), 11, 'database')

    def test_its_words_are_one_line(self):
        answer = self.ask('ADD', A, ipam={'host': '127.0.0.1,::1', 'port': pg.free_port(), 'timeout': 0.5})
        self.refused(answer, 11)

    def test_too_many_connections(self):
        self.server.psql('ALTER ROLE cni CONNECTION LIMIT 0')
        try:
            self.refused(self.ask('ADD', A, ipam={'timeout': 0.5}), 11, 'too many connections')
        finally:
            self.server.psql('ALTER ROLE cni CONNECTION LIMIT -1')


class Surroundings(Errors):
    def works(self, which, **how):
        answer = self.allowed(self.ask('ADD', A, which=which, **how))
        self.assertEqual(answer.addresses, [A])
        self.allowed(self.ask('DEL', which=which, **how))

    def test_poor_ones_do_no_harm(self):
        for which in BOTH:
            for through in (['prlimit', '--nofile=8'], ['sh', '-c', 'umask 0777; exec "$0"'],
                            ['sh', '-c', 'trap "" PIPE TERM HUP INT CHLD; exec "$0"'], ['sh', '-c', 'exec "$0" 2>&-'],
                            ['unshare', '--mount', 'sh', '-c', 'mount -o remount,ro,bind / / 2>/dev/null; exec "$0"']):
                with self.subTest(which=which, through=through):
                    self.works(which, through=through)

    def test_any_locale_and_time_zone(self):
        for env in ({'LANG': 'de_DE.UTF-8', 'LC_ALL': 'tr_TR.UTF-8'}, {'TZ': 'Asia/Kathmandu'}, {'TZ': 'x' * 500}):
            self.works(plugin.IPAM, env=env)

    def test_no_core_is_written_and_nobody_looks_in(self):
        for which in BOTH:
            process = plugin.start(which, 'STATUS', through=['prlimit', '--core=unlimited', 'setpriv', '--reuid=65534'])
            process.stdin.write(b'{')
            process.stdin.flush()
            faults.wait_until(lambda p=process: ['0', '0'] == self.core_limit(p.pid), 5, 'no core')
            self.assertEqual(os.stat(f'/proc/{process.pid}/mem').st_uid, 0, 'not dumpable: /proc is root\'s')
            self.refused(plugin.finish(process, b''), 6)

    def core_limit(self, pid):
        with open(f'/proc/{pid}/limits', encoding='ascii') as f:
            return [line.split()[4:6] for line in f if line.startswith('Max core file size')][0]


if __name__ == '__main__':
    tap.main()
