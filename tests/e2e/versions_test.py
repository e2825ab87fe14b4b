#!/usr/bin/env python3
"""Every protocol version in every verb: what is answered, and what is refused. Needs a PostgreSQL server's programs."""
import json
import os
import subprocess
import unittest

import plugin
import plugin_case
import tap
from plugin_case import BOTH, VERSIONS, since

OLD, LISTS = VERSIONS[:2], VERSIONS[2:5]  # one address a family; addresses with "version"
FOUR, SIX = '10.10.0.5/24', 'fd00::5/64'
DNS = {'nameservers': ['10.10.0.2'], 'domain': 'example.com', 'search': ['example.com'], 'options': ['ndots:5']}
ROUTES = [{'dst': '0.0.0.0/0', 'gw': '10.10.0.1'}, {'dst': '10.20.0.0/16'}, {'dst': '::/0', 'gw': 'fd00::1'}]
ASKED = {'addresses': [{'address': FOUR, 'gateway': '10.10.0.1'}, {'address': SIX, 'gateway': 'fd00::1'}],
         'routes': ROUTES, 'dns': DNS}


def result(version):
    """What ADD answers to ASKED."""
    if version in OLD:
        return {'cniVersion': version, 'dns': DNS,
                'ip4': {'ip': FOUR, 'gateway': '10.10.0.1', 'routes': ROUTES[:2]},
                'ip6': {'ip': SIX, 'gateway': 'fd00::1', 'routes': ROUTES[2:]}}
    ips = [{'address': FOUR, 'gateway': '10.10.0.1'}, {'address': SIX, 'gateway': 'fd00::1'}]
    if version in LISTS:
        ips = [{'version': v, **ip} for v, ip in zip('46', ips)]
    return {'cniVersion': version, 'ips': ips, 'routes': ROUTES, 'dns': DNS}


class Results(plugin_case.PluginCase):
    def test_ADD_answers_in_the_form_of_each_version(self):
        for version in VERSIONS:
            for which in BOTH:
                with self.subTest(version=version, which=which):
                    answer = self.add(which=which, version=version, ipam=ASKED)
                    self.assertEqual(answer.json, result(version))
                    self.allowed(self.ask('DEL', which=which, version=version, ipam=ASKED))
                    self.assertEqual(self.rows(), [])

    def test_no_version_and_an_empty_one_are_0_1_0(self):
        for version in (None, ''):
            for which in BOTH:
                with self.subTest(version=version, which=which):
                    answer = self.add(which=which, version=version, ipam=ASKED)
                    self.assertEqual(answer.json, result('0.1.0'))

    def test_an_address_alone_has_no_gateway_routes_or_dns(self):
        for version in VERSIONS:
            ips = [{'address': FOUR}]
            if version in LISTS:
                ips = [{'version': '4', 'address': FOUR}]
            short = {'ip4': {'ip': FOUR}} if version in OLD else {'ips': ips}
            with self.subTest(version=version):
                self.assertEqual(self.add(FOUR, version=version).json, {'cniVersion': version, **short})

    def test_up_to_0_2_0_there_is_one_address_of_a_family_and_more_record_nothing(self):
        for version in OLD:
            for which in BOTH:
                for two in ('10.10.0.5/24,10.10.0.6/24', 'fd00::5/64,fd00::6/64'):
                    with self.subTest(version=version, which=which, two=two):
                        answer = self.ask('ADD', two, which=which, version=version)
                        self.refused(answer, 7, f'CNI version {version} does not support more than 1 address per')
                        self.assertEqual(answer.json['cniVersion'], version)
        self.assertEqual(self.rows(), [])

    def test_from_0_3_0_on_there_are_as_many_as_wanted(self):
        many = [f'10.10.{i}.5/24' for i in range(40)] + [f'fd00:{i:x}::5/64' for i in range(1, 40)]
        for version in since('0.3.0'):
            with self.subTest(version=version):
                self.assertEqual(self.add(','.join(many), version=version).addresses, many)

    def test_an_error_is_said_in_the_version_of_the_configuration(self):
        for version in VERSIONS:
            for which in BOTH:
                with self.subTest(version=version, which=which):
                    answer = self.refused(self.ask('ADD', which=which, version=version), 7, 'address')
                    self.assertEqual(answer.json['cniVersion'], version)


class Verbs(plugin_case.PluginCase):
    def test_DEL_takes_every_version(self):
        for version in (None, '', *VERSIONS):
            for which in BOTH:
                with self.subTest(version=version, which=which):
                    self.add(FOUR)
                    answer = self.allowed(self.ask('DEL', which=which, version=version))
                    self.assertEqual((answer.stdout, self.rows()), (b'', []))

    def test_CHECK_reads_prevResult_in_every_version_that_has_it(self):
        self.add(ipam=ASKED)
        for version in since('0.4.0'):
            for prev in VERSIONS:
                for which in BOTH:
                    with self.subTest(version=version, prev=prev, which=which):
                        answer = self.ask('CHECK', which=which, version=version, ipam=ASKED,
                                          conf={'prevResult': result(prev)})
                        self.assertEqual(self.allowed(answer).stdout, b'')

    def test_CHECK_takes_prevResult_without_a_version_as_one_of_the_configurations(self):
        self.add(ipam=ASKED)
        for version in since('0.4.0'):
            prev = {k: v for k, v in result(version).items() if k != 'cniVersion'}
            with self.subTest(version=version):
                self.allowed(self.ask('CHECK', version=version, conf={'prevResult': prev}))

    def test_STATUS_and_GC_are_there_in_1_1_0(self):
        for which in BOTH:
            for verb in ('STATUS', 'GC'):
                with self.subTest(which=which, verb=verb):
                    self.assertEqual(self.allowed(self.ask(verb, which=which)).stdout, b'')

    def test_a_verb_that_a_version_does_not_have_is_error_1(self):
        self.add(FOUR)
        for verb, first in (('CHECK', '0.4.0'), ('STATUS', '1.1.0'), ('GC', '1.1.0')):
            for version in (None, '', *VERSIONS[:VERSIONS.index(first)]):
                for which in BOTH:
                    with self.subTest(verb=verb, version=version, which=which):
                        answer = self.ask(verb, which=which, version=version,
                                          conf={'prevResult': result(version or '0.1.0')})
                        self.refused(answer, 1, f'config version does not allow {verb}')
                        self.assertEqual(answer.json['cniVersion'], version or '0.1.0')
        self.assertEqual(self.held(), [FOUR])

    def test_a_version_that_does_not_exist_is_error_1_in_every_verb(self):
        for version in ('0.0.1', '0.5.0', '1.0', '1.1.1', '2.0.0', '1.1.0 ', 'v1.1.0', 'x'):
            for verb in ('ADD', 'DEL', 'CHECK', 'STATUS', 'GC'):
                for which in BOTH:
                    with self.subTest(version=version, verb=verb, which=which):
                        answer = self.ask(verb, FOUR, which=which, version=version)
                        self.refused(answer, 1, 'incompatible CNI versions', f'config is "{version}"', *VERSIONS)
                        self.assertEqual(answer.json['cniVersion'], '1.1.0')
        self.assertEqual(self.rows(), [])

    def test_a_version_that_is_not_a_string_is_error_7(self):
        for version in (1, 1.1, True, [], {}):
            for verb in ('ADD', 'DEL', 'STATUS'):
                with self.subTest(version=version, verb=verb):
                    answer = self.refused(self.ask(verb, FOUR, version=version), 7, 'cniVersion')
                    self.assertEqual(answer.json['cniVersion'], '1.1.0')


class About(unittest.TestCase):
    """VERSION and no verb at all: nothing is read, and no database is asked."""

    def alone(self, which, command, *args):
        """Without any variable but the verb, and with a stdin that never ends."""
        env = {k: v for k, v in plugin.environment('').items() if not k.startswith(('CNI_', 'PATH'))}
        if command is not None:
            env['CNI_COMMAND'] = command
        reader, writer = os.pipe()
        try:
            return subprocess.run([os.path.join(plugin.BINDIR, which), *args], env=env, stdin=reader, text=True,
                                  capture_output=True, timeout=5, check=False)
        finally:
            os.close(reader)
            os.close(writer)

    def test_VERSION_answers_without_stdin_and_variables(self):
        for which in BOTH:
            done = self.alone(which, 'VERSION')
            self.assertEqual((done.returncode, done.stderr), (0, ''))
            self.assertEqual(json.loads(done.stdout),
                             {'cniVersion': '1.1.0', 'supportedVersions': list(VERSIONS)})

    def test_VERSION_does_not_mind_what_a_runtime_sends_with_it(self):
        dummy = {'container': 'dummy', 'ifname': 'dummy', 'netns': 'dummy', 'env': {'CNI_PATH': 'dummy'}}
        for which in BOTH:
            for stdin in (b'{"cniVersion":"1.1.0"}', b'{"cniVersion":"9.9.9"}', b'', b'rubbish'):
                with self.subTest(which=which, stdin=stdin):
                    answer = plugin.run(which, 'VERSION', stdin, **dummy)
                    self.assertEqual((answer.rc, answer.json['supportedVersions']), (0, list(VERSIONS)))

    def test_without_a_verb_there_is_one_line_on_stderr(self):
        for which in BOTH:
            for command in (None, ''):
                with self.subTest(which=which, command=command):
                    done = self.alone(which, command)
                    self.assertEqual((done.returncode, done.stdout), (0, ''))
                    self.assertRegex(done.stderr, rf'^{which} \d+\.\d+\.\d+: [^\n]*{", ".join(VERSIONS)}\n$')

    def test_version_and_help_do_what_people_expect(self):
        for which in BOTH:
            done = self.alone(which, None, '--version')
            self.assertEqual((done.returncode, done.stderr), (0, ''))
            self.assertRegex(done.stdout, rf'^{which} \d+\.\d+\.\d+')
            done = self.alone(which, None, '--help')
            self.assertEqual((done.returncode, done.stderr), (0, ''))
            for word in (which, 'CNI_COMMAND', 'ADD, DEL, CHECK, STATUS, GC or VERSION', '--version'):
                self.assertIn(word, done.stdout)

    def test_an_unknown_argument_is_wrong_usage(self):
        for which in BOTH:
            done = self.alone(which, None, '--versoin')
            self.assertEqual((done.returncode, done.stdout), (2, ''))
            self.assertIn('--versoin', done.stderr)


if __name__ == '__main__':
    tap.main()
