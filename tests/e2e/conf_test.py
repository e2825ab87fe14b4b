#!/usr/bin/env python3
"""The ipam object of the configuration, key by key. Needs a PostgreSQL server's programs and root."""
import ctypes
import json
import os
import shutil
import socket
import tempfile
import time

import faults
import pg
import plugin
import plugin_case
import tap
from plugin_case import BOTH, elsewhere

A = '10.0.0.5/24'
ALL = ('ADD', 'DEL', 'CHECK', 'STATUS', 'GC')
PREV = {'prevResult': {'ips': [{'address': A}]}}


def seen(source, place):
    """For through: the plugin sees source at place, a folder that may be missing where it is below /run."""
    run = f"[ -e '{place}' ] || {{ mount -t tmpfs tmpfs /run && mkdir -p '{place}'; }}"
    return ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', f"{run} && mount --bind '{source}' '{place}' && exec \"$0\""]


class Conf(plugin_case.PluginCase):
    def setUp(self):
        super().setUp()
        self.dir = tempfile.mkdtemp(prefix='ipam-test.', dir='/var/tmp')
        self.addCleanup(shutil.rmtree, self.dir)

    def file(self, name, text, mode=0o600):
        path = os.path.join(self.dir, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'w', encoding='utf-8') as f:
            f.write(text)
        os.chmod(path, mode)
        return path

    def works(self, **how):
        with self.subTest(**how):
            self.allowed(self.ask('STATUS', **how))

    def fails(self, code, *words, command='STATUS', which=plugin.IPAM, **how):
        with self.subTest(code=code, command=command, which=which, **how):
            self.refused(self.ask(command, A, which=which, **how), code, *words)

    def pgpass(self, password=None):
        return f'*:*:*:*:{password or self.server.password}\n'


class Example(Conf):
    def test_the_example_is_a_configuration_that_works(self):
        with open(os.path.join(pg.ROOT, 'examples', '12-status-ipam.conflist'), encoding='utf-8') as f:
            example = json.load(f)
        self.assertEqual((example['name'], example['cniVersion']), ('ipam-status', '1.1.0'))
        conf = {**example['plugins'][0], 'name': example['name'], 'cniVersion': example['cniVersion']}
        self.assertEqual((conf['type'], conf['ipam']['type']), (plugin.NET, plugin.IPAM))
        conf['ipam'] = {**conf['ipam'], **plugin.ipam_conf(self.server)}
        for command in ('ADD', 'DEL', 'STATUS', 'GC'):
            self.allowed(plugin.run(plugin.NET, command, conf, args=f'IP={A}'))


class Database(Conf):
    def test_a_port_is_a_number_or_a_string(self):
        for port in (self.server.port, str(self.server.port), float(self.server.port)):
            self.works(ipam={'port': port})

    def test_a_port_that_is_none_is_refused_by_every_verb(self):
        for port in (0, 65536, -1, 1.5, '0', '65536', '-1', 'x', '5432x', ' 5432', '5432,', ',5432', '5432,x', '+5432'):
            self.fails(7, 'port', ipam={'port': port})
        for command in ALL:
            self.fails(7, 'port', command=command, conf=PREV, ipam={'port': 0})

    def test_one_port_for_all_hosts_or_one_for_each(self):
        both, port = '127.0.0.1,127.0.0.1', self.server.port
        for value in (port, str(port), f'{port},{port}', f'{pg.free_port()},{port}', f'{port},{pg.free_port()}'):
            self.works(ipam={'host': both, 'port': value})
        for host, ports in (('127.0.0.1', f'{port},{port}'), (both, f'{port},{port},{port}'), (None, f'{port},{port}')):
            self.fails(7, 'port', ipam={'host': host, 'port': ports})

    def test_user_and_dbname_have_defaults(self):
        self.works(ipam={'user': None, 'dbname': None})

    def test_host_and_port_have_defaults(self):
        os.symlink(f'{self.server.dir}/.s.PGSQL.{self.server.port}', f'{self.dir}/.s.PGSQL.5432')
        os.chmod(self.dir, 0o755)
        self.works(ipam={'host': None, 'port': None}, through=seen(self.dir, '/var/run/postgresql'))
        self.fails(50, 'port 5432', ipam={'port': None, 'timeout': 0.3}, through=['unshare', '--net'])

    def test_there_is_no_default_password(self):
        began = time.monotonic()
        for command, code in (('STATUS', 50), ('ADD', 11), ('DEL', 11)):
            self.fails(code, 'no password supplied', command=command, ipam={'password': None})
        self.assertLess(time.monotonic() - began, 2 + faults.SLACK, 'it is not tried again')

    def test_empty_values_and_null_are_the_defaults(self):
        for value in ('', None):
            conf = self.conf()
            conf['ipam'].update(user=value, dbname=value, hostaddr=value, sslmode=value)
            self.works(conf=json.dumps(conf).encode())

    def test_the_socket_of_a_folder_works(self):
        self.works(ipam={'host': self.server.dir})

    def test_a_name_is_resolved(self):
        self.works(ipam={'host': 'localhost'})
        self.fails(50, 'no-such-host.invalid', ipam={'host': 'no-such-host.invalid', 'timeout': 1})
        self.works(ipam={'host': 'no-such-host.invalid', 'hostaddr': '127.0.0.1'})

    def test_a_host_that_hangs_costs_only_its_share_of_the_time(self):
        with plugin_case.silent_server() as port:
            both = {'host': '127.0.0.1,127.0.0.1', 'port': f'{port},{self.server.port}'}
            for command, ipam, most in (('STATUS', {}, 1), ('ADD', {'timeout': 3}, 1.5), ('DEL', {'timeout': 3}, 1.5)):
                began = time.monotonic()
                self.allowed(self.ask(command, A, ipam={**both, **ipam}))
                self.assertLess(time.monotonic() - began, most + 2 * faults.SLACK)


class Keywords(Conf):
    def known(self):
        """What libpq lists."""
        class Option(ctypes.Structure):
            _fields_ = [(k, ctypes.c_char_p) for k in ('keyword', 'envvar', 'compiled', 'val', 'label', 'dispchar')
                        ] + [('dispsize', ctypes.c_int)]
        libpq = ctypes.CDLL('libpq.so.5')
        libpq.PQconndefaults.restype = ctypes.POINTER(Option)
        found = []
        for option in libpq.PQconndefaults():
            if not option.keyword:
                return found
            found.append(option.keyword.decode())

    def test_all_that_libpq_lists_are_known(self):
        known = self.known()
        self.assertGreater(len(known), 30)
        for key in known:
            with self.subTest(key=key):
                self.assertNotEqual(self.ask('STATUS', ipam={key: '1', 'timeout': 0.2}).code, 2)

    def test_they_are_passed_on_unchanged(self):
        for key, value, words in (
                ('sslmode', 'require', 'SSL'), ('sslmode', 'x', 'sslmode'),
                ('channel_binding', 'require', 'hannel binding'),
                ('target_session_attrs', 'standby', 'standby'), ('options', '-c role=nobody', 'nobody'),
                ('hostaddr', '127.0.0.256', '127.0.0.256'), ('dbname', 'ab\'"c', 'ab\'"c'),
                ('user', "xy'\\", "xy'\\"),
                ('keepalives', 'x', 'keepalives'), ('client_encoding', 'x', 'client_encoding')):
            with self.subTest(key=key, value=value):
                answer = self.ask('STATUS', ipam={key: value, 'timeout': 0.5})
                self.assertIn(answer.code, (7, 50))
                self.assertIn(words, answer.said)

    def test_a_connection_string_in_one_of_them_is_refused_and_not_repeated(self):
        for key in ('host', 'hostaddr', 'dbname', 'service', 'user'):
            for value in ('host=db password = s3cret', 'postgresql://cni:s3cret@db/ipam', 's3cret db', 's3cret=db'):
                for which in BOTH:
                    for command in ALL:
                        answer = self.ask(command, conf=PREV, which=which, ipam={key: value})
                        self.refused(answer, 7, f'ipam.{key}')
                        self.assertNotIn('s3cret', answer.stdout.decode() + answer.stderr)

    def test_those_that_fit_do_no_harm(self):
        self.works(ipam={'application_name': 'x', 'connect_timeout': 2, 'keepalives': 1, 'keepalives_idle': '5',
                         'tcp_user_timeout': 1000, 'sslmode': 'prefer', 'gssencmode': 'disable',
                         'client_encoding': 'UTF8', 'target_session_attrs': 'read-write',
                         'options': '-c statement_timeout=5s'})

    def test_a_value_is_a_string_or_a_whole_number(self):
        for value in (True, [], {}, 1.5, ['127.0.0.1'], 1e300):
            for key in ('host', 'user', 'password', 'connect_timeout'):
                self.fails(7, f'ipam.{key}', ipam={key: value})

    def test_an_invalid_value_is_the_configurations_fault(self):
        for command in ALL:
            self.fails(7, 'sslmode', command=command, conf=PREV, ipam={'sslmode': 'x'})


class Files(Conf):
    def test_a_passfile_gives_the_password(self):
        path = self.file('pass', self.pgpass())
        self.works(ipam={'password': None, 'passfile': path})

    def test_a_passfile_that_others_can_read_is_refused(self):
        for mode in (0o644, 0o640, 0o604, 0o660, 0o601):
            path = self.file('pass', self.pgpass(), mode)
            for command in ALL:
                self.fails(7, path, 'chmod 600', command=command, conf=PREV, ipam={'password': None, 'passfile': path})

    def test_a_passfile_that_is_not_there_is_refused(self):
        self.fails(7, self.dir + '/none', ipam={'password': None, 'passfile': self.dir + '/none'})
        self.fails(7, 'plain file', ipam={'password': None, 'passfile': self.dir})

    def service(self, text):
        """For through: the system-wide service file says this."""
        self.file('pg_service.conf', text, 0o644)
        return seen(self.dir, '/etc/postgresql-common')

    def test_a_service_of_the_systems_file_gives_all_of_it(self):
        ask = {'host': None, 'port': None, 'user': None, 'password': None, 'dbname': None, 'service': 'mine'}
        right = f'[mine]\nhost=127.0.0.1\nport={self.server.port}\nuser=cni\ndbname=ipam\n' \
                f'password={self.server.password}\n'
        self.works(ipam=ask, through=self.service(right))
        for wrong, word in (('user=nobody', 'nobody'), ('dbname=none', 'none'), ('port=1', 'port 1 ')):
            key = wrong.split('=', maxsplit=1)[0]
            text = '\n'.join(wrong if line.startswith(key) else line for line in right.split('\n'))
            self.fails(50, word, ipam={**ask, 'timeout': 0.5}, through=self.service(text))

    def test_with_a_service_there_is_no_default(self):
        text = f'[mine]\nhost=127.0.0.1\nport={self.server.port}\npassword=x\n'
        ask = {'host': None, 'port': None, 'user': None, 'password': None, 'dbname': None, 'service': 'mine'}
        self.fails(50, 'root', ipam=ask, through=self.service(text))

    def test_the_configuration_comes_before_the_service(self):
        self.works(ipam={'service': 'mine'}, through=self.service('[mine]\nhost=127.0.0.9\nport=1\nuser=x\ndbname=x\n'))

    def test_a_service_that_is_not_there_is_an_error(self):
        for command, code in (('STATUS', 7), ('ADD', 7), ('DEL', 7)):
            self.fails(code, 'none', command=command, ipam={'service': 'none'}, through=self.service('[mine]\n'))


class Caller(Conf):
    """Whoever calls brings a whole environment."""

    def nasty(self):
        self.file('.pgpass', self.pgpass('wrong'))
        self.file('.pg_service.conf', '[mine]\nhost=127.0.0.1\n')
        self.file('.postgresql/root.crt', 'rubbish')
        keys = 'HOST HOSTADDR PORT USER DATABASE PASSWORD PASSFILE SERVICE SERVICEFILE OPTIONS SSLMODE SSLROOTCERT ' \
               'SSLCERT SSLKEY REQUIREPEER CONNECT_TIMEOUT TARGETSESSIONATTRS CLIENTENCODING CHANNELBINDING ' \
               'SYSCONFDIR GSSENCMODE REQUIRESSL SSLMINPROTOCOLVERSION DATESTYLE TZ GEQO APPNAME REQUIREAUTH LOCALEDIR'
        return {'HOME': self.dir, **{'PG' + key: 'nonsense' for key in keys.split()}}

    def test_nothing_of_it_changes_which_database_is_used(self):
        for which in BOTH:
            self.allowed(self.ask('ADD', A, which=which, env=self.nasty()))
            self.assertEqual(self.held(), [A])
            self.allowed(self.ask('STATUS', which=which, env=self.nasty()))
            self.allowed(self.ask('DEL', which=which, env=self.nasty()))

    def test_nothing_of_it_helps_in(self):
        self.file('.pgpass', self.pgpass())
        self.file('.pg_service.conf', f'[mine]\npassword={self.server.password}\n')
        env = {'HOME': self.dir, 'PGPASSWORD': self.server.password, 'PGPASSFILE': self.dir + '/.pgpass',
               'PGSERVICEFILE': self.dir + '/.pg_service.conf', 'PGSERVICE': 'mine', 'PGSYSCONFDIR': self.dir}
        self.fails(50, 'password', env=env, ipam={'password': None})
        self.fails(7, 'mine', env=env, ipam={'password': None, 'service': 'mine'})
        env = {'PGHOST': '127.0.0.1', 'PGPORT': str(self.server.port)}
        self.fails(50, env=env, ipam={'host': None, 'port': None, 'timeout': 0.3}, through=['unshare', '--net'])

    def test_an_empty_environment_is_enough(self):
        self.allowed(self.ask('ADD', A, env={'PATH': None}))


class Own(Conf):
    """The keys that are not libpq's"""

    def test_wrong_values_are_refused_by_every_verb(self):
        for key, values in (('timeout', (0, -1, 3600.5, '5', True, [], 1e99)), ('gcGracePeriod', (-1, '5', [], True)),
                            ('node', (5, '', [], {}, 'x' * 256)), ('logLevel', (5, '', 'loud', 'INFO', [])),
                            ('logFile', (5, '', []))):
            for value in values:
                self.fails(7, f'ipam.{key}', ipam={key: value})
            for command in ALL:
                if command != 'DEL' or key == 'node':
                    self.fails(7, f'ipam.{key}', command=command, conf=PREV, ipam={key: values[0]})

    def test_DEL_goes_on_without_values_that_it_does_not_need(self):
        for ipam in ({'timeout': 0}, {'gcGracePeriod': 'x'}, {'logLevel': 'loud'}, {'logFile': 5}):
            self.allowed(self.ask('DEL', ipam=ipam), f'ipam.{next(iter(ipam))}', 'DEL goes on without it')

    def test_fractions_and_the_largest_time_are_fine(self):
        for ipam in ({'timeout': 3600}, {'timeout': 1.5}, {'gcGracePeriod': 0.5}, {'node': 'x' * 255},
                     {'timeout': None}):
            self.works(ipam=ipam)

    def test_a_repeated_key_counts_as_it_stands_last(self):
        text = json.dumps(self.conf())
        for first, last, code in (('1', f'{self.server.port}', 0), (f'{self.server.port}', '0', 7)):
            ports = f'"port": {first}, "port": {last}'
            conf = text.replace(f'"port": {self.server.port}', ports)
            self.assertEqual(self.ask('STATUS', conf=conf.encode()).code, code)

    def test_no_ipam_object_is_refused(self):
        for command in ALL:
            for wrong in (None, 'x', [], 5):
                for which in BOTH:
                    self.fails(7, 'ipam', command=command, which=which, conf={'ipam': wrong})


class Unknown(Conf):
    PLACES = (('ipam', lambda extra: extra), ('ipam.addresses', lambda extra: {'addresses': [{'address': A, **extra}]}),
              ('ipam.ranges', lambda extra: {'ranges': [[{'subnet': '10.0.0.0/24', **extra}]]}),
              ('ipam.routes', lambda extra: {'routes': [{'dst': '10.0.0.0/8', **extra}]}),
              ('ipam.dns', lambda extra: {'dns': {'domain': 'x', **extra}}))

    def test_it_is_error_2_with_key_and_type_whatever_the_verb(self):
        for place, put in self.PLACES:
            for command in ('ADD', 'CHECK', 'STATUS', 'GC'):
                self.fails(2, '"hots"', '(a string)', place, command=command, conf=PREV, ipam=put({'hots': 'db-7'}))
            self.fails(2, '"hots"', which=plugin.NET, ipam=put({'hots': 'db-7'}))
        self.assertEqual(self.rows(), [])

    def test_names_are_exact(self):
        for key in ('Type', 'HOST', 'Timeout', 'logfile', 'gc_grace_period', 'ips', 'Subnet', ''):
            self.fails(2, f'"{key}"', ipam={key: 'v'})

    def test_on_DEL_it_is_a_warning(self):
        for which in BOTH:
            for place, put in self.PLACES:
                with self.subTest(which=which, place=place):
                    self.add(A)
                    answer = self.allowed(self.ask('DEL', which=which, ipam=put({'hots': 'db-7'})))
                    self.assertRegex(answer.stderr, rf'\[warning\] .*"hots" in {place}.* \(a string\)')
                    self.assertEqual(self.rows(), [])

    def test_on_DEL_it_is_a_warning_in_the_net_plugins_own_too(self):
        self.add(A)
        answer = self.allowed(self.ask('DEL', which=plugin.NET, conf={'hots': 'db-7', 'dns': {'x': 1}}))
        self.assertRegex(answer.stderr, r'\[warning\] .*"hots" \(a string\)')
        self.assertEqual(self.rows(), [])

    def test_its_type_is_named_and_never_its_value(self):
        for value, shown in ((5731, 'a number'), (1.5731, 'a number'), (True, 'true or false'), (None, 'null'),
                             ('5731', 'a string'), ('postgres://cni:5731@db/ipam', 'a string'), (['5731'], 'a list'),
                             ({'a': '5731'}, 'an object')):
            conf = self.conf()
            conf['ipam']['hots'] = value
            answer = self.refused(self.ask('STATUS', conf=json.dumps(conf).encode()), 2, '"hots"', f'({shown})')
            self.assertNotIn('5731', answer.said + answer.stderr)

    def test_a_value_that_may_be_a_secret_is_withheld(self):
        keys = ('pas', 'PASSWD', 'dbpwd', 'clientSecret', 'TOKEN', 'Apikey', 'monKEY', 'credentials', 'Authorization',
                'xAuThx')
        for key, put in [(key, self.PLACES[0][1]) for key in keys] + [('token', put) for _, put in self.PLACES[1:]]:
            for command, code in (('STATUS', 2), ('DEL', 0)):
                for which in BOTH:
                    answer = self.ask(command, A, which=which, ipam=put({key: 's3cr3t'}))
                    self.assertEqual(answer.code, code)
                    self.assertIn(key, answer.said + answer.stderr)
                    self.assertNotIn('s3cr3t', answer.said + answer.stderr)

    def test_what_the_net_plugin_above_has_is_its_own_business(self):
        for conf in ({'master': 'eth0', 'isGateway': True}, {'hots': 'x', 'password': 5}, {'cni.dev/x': []},
                     {'ipMasq': True, 'capabilities': {'x': True}, 'runtimeConfig': {'x': 1}, 'args': {'x': 1}}):
            for command in ('ADD', 'CHECK', 'STATUS', 'DEL', 'GC'):
                with self.subTest(conf=conf, command=command):
                    answer = self.ask(command, A, conf={**conf, **PREV})
                    self.assertEqual(answer.rc, 0, answer.said)


class Hosts(Conf):
    def test_equal_names_are_told_apart_by_the_machine_id_unless_a_node_is_configured(self):
        through = elsewhere(machine_id='0' * 31 + '1')
        self.add(A)
        self.refused(self.ask('ADD', A, through=through), 100)
        self.allowed(self.ask('DEL'))
        self.add(A, ipam={'node': socket.gethostname()})
        self.assertEqual(self.add(A, ipam={'node': socket.gethostname()}, through=through).addresses, [A])


if __name__ == '__main__':
    tap.main()
