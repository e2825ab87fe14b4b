#!/usr/bin/env python3
"""TLS to a real server with a throw-away authority: whom the plugin trusts, and how it shows who it is. Needs root, openssl
and a PostgreSQL server's programs."""
import os
import shutil
import tempfile

import faults
import pg
import plugin_case
import tap
import tls
from plugin_case import BOTH

A = '10.0.0.5/24'
HBA = '''local all postgres trust
hostssl all cni 127.0.0.0/8 scram-sha-256
hostssl all host_1,host_2 127.0.0.0/8 cert
'''


class Tls(plugin_case.PluginCase):
    """The server is db.test and 127.0.0.1 by its certificate; it listens at 127.0.0.2 too, and takes nobody without TLS."""

    @classmethod
    def setUpClass(cls):
        cls.authority, cls.other = tls.Authority(), tls.Authority()
        cls.addClassCleanup(cls.authority.close)
        cls.addClassCleanup(cls.other.close)
        cls.authority.sign('db.test', 'DNS:db.test,IP:127.0.0.1')
        cls.authority.sign('host_1')
        cls.other.sign('host_1')
        path = cls.authority.path
        cls.server = pg.Server(listen_addresses='127.0.0.1,127.0.0.2', ssl='on', ssl_cert_file=path('db.test.crt'),
                               ssl_key_file=path('db.test.key'), ssl_ca_file=path('ca.crt'))
        cls.addClassCleanup(cls.server.close)
        with open(os.path.join(cls.server.data, 'pg_hba.conf'), 'w', encoding='ascii') as hba:
            hba.write(HBA)
        cls.server.psql('SELECT pg_reload_conf(); CREATE ROLE host_1 LOGIN IN ROLE cni; CREATE ROLE host_2 LOGIN IN ROLE cni')

    def trusting(self, mode='verify-full', **ipam):
        return {'sslmode': mode, 'sslrootcert': self.authority.path('ca.crt'), 'timeout': 5, **ipam}

    def works(self, **ipam):
        with self.subTest(**ipam):
            self.allowed(self.ask('STATUS', ipam=ipam))

    def fails(self, *cases):
        """Each is a word and the keys with which STATUS says it. All at once: they try until their time is over."""
        def ask(ipam):
            return self.ask('STATUS', ipam={**ipam, 'timeout': 1})
        for (word, ipam), answer in zip(cases, faults.at_once([lambda ipam=ipam: ask(ipam) for _, ipam in cases])):
            with self.subTest(**ipam):
                self.refused(answer, 50, word)


class Server(Tls):
    """Whom the plugin takes for its server"""

    def test_every_verb_works_with_verify_full(self):
        for which in BOTH:
            with self.subTest(which):
                how = {'which': which, 'ipam': self.trusting()}
                added = self.add(A, **how)
                self.allowed(self.ask('CHECK', A, conf={'prevResult': added.json}, **how))
                self.allowed(self.ask('STATUS', **how))
                self.allowed(self.ask('DEL', **how))
                self.add(A, **how)
                self.allowed(self.ask('GC', **how))
                self.assertEqual(self.held(), [])

    def test_verify_full_goes_by_the_name_and_by_the_address(self):
        for ipam in ({'host': '127.0.0.1'}, {'host': 'db.test', 'hostaddr': '127.0.0.1'},
                     {'host': 'db.test', 'hostaddr': '127.0.0.2'}, {'host': '127.0.0.1', 'hostaddr': '127.0.0.2'}):
            self.works(**self.trusting(**ipam))

    def test_verify_full_goes_by_a_name_that_is_looked_up(self):
        hosts = os.path.join(self.authority.dir, 'hosts')
        with open(hosts, 'w', encoding='ascii') as f:
            f.write('127.0.0.2 db.test db.other\n')
        through = ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', f'mount --bind {hosts} /etc/hosts; exec "$0"']
        self.allowed(self.ask('STATUS', ipam=self.trusting(host='db.test'), through=through))
        self.refused(self.ask('STATUS', ipam=self.trusting(host='db.other', timeout=1), through=through), 50, 'db.other')

    def test_another_name_or_address_is_refused(self):
        self.fails(*((f'does not match host name "{ipam["host"]}"', self.trusting(**ipam)) for ipam in (
            {'host': '127.0.0.2'}, {'host': 'db.other', 'hostaddr': '127.0.0.1'},
            {'host': '127.0.0.2', 'hostaddr': '127.0.0.1'}, {'host': 'db', 'hostaddr': '127.0.0.1'})))

    def test_an_unknown_authority_is_refused(self):
        self.fails(*(('certificate verify failed', {'sslmode': mode, 'sslrootcert': self.other.path('ca.crt')})
                     for mode in ('verify-full', 'verify-ca', 'require', 'prefer')))

    def test_an_authority_that_is_not_given_or_not_there_is_refused(self):
        self.fails(*(('root certificate', {'sslmode': mode}) for mode in ('verify-full', 'verify-ca')),
                   *((file, self.trusting(sslrootcert=file)) for file in ('/none/ca.crt', self.server.logfile)))

    def test_weaker_modes_ask_for_less(self):
        self.works(**self.trusting('verify-ca', host='127.0.0.2'))
        for mode in ('require', 'prefer', 'allow', None, ''):
            self.works(host='127.0.0.2', sslmode=mode)

    def test_a_server_without_TLS_is_not_enough_where_it_is_asked_for(self):
        plain = plugin_case.server()
        there = {'port': plain.port, 'password': plain.password}
        self.works(sslmode='prefer', **there)
        self.fails(*(('SSL', {**self.trusting(mode), **there}) for mode in ('require', 'verify-ca', 'verify-full')))

    def test_a_server_that_wants_TLS_refuses_without_it(self):
        for command, code in (('STATUS', 50), ('ADD', 11), ('DEL', 11)):
            self.refused(self.ask(command, A, ipam={'sslmode': 'disable', 'timeout': 1}), code, 'pg_hba.conf')

    def test_channel_binding(self):
        self.works(**self.trusting(channel_binding='require'))
        plain = plugin_case.server()
        self.fails(('hannel binding', {'channel_binding': 'require', 'port': plain.port, 'password': plain.password}))

    def test_a_wrong_password_stays_wrong(self):
        self.fails(('password', self.trusting(password='wrong')))

    def bad_cnf(self):
        """A provider that is none, and no version of TLS that the server speaks."""
        bad = os.path.join(self.authority.dir, 'bad.cnf')
        with open(bad, 'w', encoding='ascii') as f:
            f.write('openssl_conf = x\n[x]\nproviders = y\nssl_conf = s\n[y]\nnone = z\n[z]\nactivate = 1\n'
                    '[s]\nsystem_default = t\n[t]\nMaxProtocol = TLSv1\n')
        return bad

    def test_what_the_caller_says_of_openssl_does_not_matter(self):
        env = {'OPENSSL_CONF': self.bad_cnf(), 'SSL_CERT_FILE': '/none', 'SSL_CERT_DIR': '/none', 'OPENSSL_MODULES': '/none',
               'OPENSSL_ENGINES': '/none', 'SSLKEYLOGFILE': self.authority.path('keys'), 'PGSSLMODE': 'disable',
               'PGSSLROOTCERT': '/none', 'PGSSLCERT': '/none', 'PGSSLKEY': '/none', 'PGSSLCRL': '/none',
               'HOME': self.authority.dir}
        for which in BOTH:
            self.allowed(self.ask('STATUS', which=which, ipam=self.trusting(), env=env))
        self.assertFalse(os.path.exists(self.authority.path('keys')))

    def test_what_the_host_says_of_openssl_does_not_matter(self):
        """Its file may name modules, which the self-contained executable must not load."""
        folder = tls.openssl(self.authority.dir, 'version', '-d').split('"')[1]
        through = ['unshare', '--mount', '--propagation', 'private', 'sh', '-c',
                   f'mount --bind {self.bad_cnf()} {os.path.realpath(folder + "/openssl.cnf")}; exec "$0"']
        for which in BOTH:
            self.allowed(self.ask('STATUS', which=which, ipam=self.trusting(), through=through))


class Certificate(Tls):
    """How the plugin shows who it is"""

    def setUp(self):
        super().setUp()
        self.dir = tempfile.mkdtemp(prefix='ipam-test.', dir='/var/tmp')
        self.addCleanup(shutil.rmtree, self.dir)

    def showing(self, authority=None, mode=0o600, **ipam):
        """A certificate that says host_1, and no password."""
        for file in ('host_1.crt', 'host_1.key'):
            shutil.copy((authority or self.authority).path(file), self.dir)
        os.chmod(self.dir + '/host_1.key', mode)
        return {**self.trusting(password=None, user='host_1'), 'sslcert': self.dir + '/host_1.crt',
                'sslkey': self.dir + '/host_1.key', **ipam}

    def test_it_is_enough(self):
        for which in BOTH:
            how = {'which': which, 'ipam': self.showing()}
            self.add(A, **how)
            self.allowed(self.ask('STATUS', **how))
            self.allowed(self.ask('DEL', **how))

    def test_without_it_or_as_somebody_else_nobody_gets_in(self):
        self.fails(('certificate', self.trusting(user='host_1', password=None)), ('host_2', self.showing(user='host_2')))
        self.fails(('unknown ca', self.showing(self.other)))

    def test_a_key_that_others_can_read_is_refused_by_name(self):
        for mode in (0o644, 0o660):
            self.fails(('host_1.key', self.showing(mode=mode)))

    def test_a_key_that_is_not_there_or_not_its_own_is_refused_by_name(self):
        shutil.copy(self.other.path('host_1.key'), self.dir + '/other.key')
        os.chmod(self.dir + '/other.key', 0o600)
        self.fails(*((name, self.showing(sslkey=f'{self.dir}/{name}')) for name in ('none.key', 'other.key')))

    def test_what_may_be_the_key_or_a_password_itself_is_not_repeated(self):
        for key in ('sslkey', 'sslcert', 'passfile'):
            for value in ('s3cr3t', f'{self.server.host}:*:ipam:cni:s3cr3t', 'engine:s3cr3t', '-----BEGIN\ns3cr3t'):
                answer = self.refused(self.ask('STATUS', ipam=self.showing(**{key: value}, timeout=1)), 7, key, 'path')
                self.assertNotIn('s3cr3t', answer.said + answer.stderr)

    def test_a_key_with_a_password(self):
        self.showing()
        tls.openssl(self.dir, 'ec', '-in', 'host_1.key', '-aes256', '-passout', 'pass:s3cr3t words', '-out', 'closed.key')
        closed = {'sslkey': self.dir + '/closed.key'}
        self.works(**self.showing(**closed, sslpassword='s3cr3t words'))
        for password in ('wrong', None):
            ipam = {**self.showing(**closed, sslpassword=password), 'timeout': 1}
            answer = self.refused(self.ask('STATUS', ipam=ipam), 50, 'closed.key')
            self.assertNotIn('wrong', answer.said + answer.stderr)


del Tls  # no tests by itself

if __name__ == '__main__':
    tap.main()
