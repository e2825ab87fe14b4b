#!/usr/bin/env python3
"""examples/monitoring with the real exporter and promtool, which setup_dependencies.sh puts into .deps/tools. Needs root and
a PostgreSQL server's programs. Not run with sanitizers."""
import functools
import json
import os
import re
import shlex
import shutil
import subprocess
import tempfile
import time
import unittest
import urllib.error
import urllib.request

import faults
import pg
import plugin
import tap

EXAMPLES = os.path.join(pg.ROOT, 'examples', 'monitoring')
A_DAY = 86400


def tool(name):
    """Where it is, or None."""
    return shutil.which(name) or shutil.which(name, path=os.path.join(pg.ROOT, '.deps', 'tools', 'usr', 'bin'))


@functools.cache
def readme():
    with open(os.path.join(EXAMPLES, 'README.md'), encoding='utf-8') as f:
        return f.read()


def scraped(text):
    """What an exporter says: {series: {labels: value}}, labels being (name, value) pairs in order, without its own."""
    found = {}
    for name, labels, value in re.findall(r'^([a-z_]+)(?:\{(.*)\})? (\S+)$', text, re.M):
        pairs = tuple((k, json.loads(f'"{v}"')) for k, v in re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', labels) if k != 'server')
        found.setdefault(name, {})[pairs] = float(value)
    return found


@unittest.skipUnless(tool('prometheus-postgres-exporter'), 'no prometheus-postgres-exporter')
class Exporter(unittest.TestCase):
    """Started as the README says."""

    @classmethod
    def setUpClass(cls):
        cls.server = pg.Server()
        cls.addClassCleanup(cls.server.close)
        role, = re.findall(r'^ *(CREATE ROLE .*)$', readme(), re.M)
        limit, = re.findall(r'^ *(ALTER ROLE .*)$', readme(), re.M)
        cls.server.psql(f'{role} {limit}')

    def setUp(self):
        self.server.psql('DELETE FROM public.ips')
        self.dir = tempfile.mkdtemp(prefix='ipam-monitoring.', dir='/var/tmp')
        self.addCleanup(shutil.rmtree, self.dir)
        self.number = 0

    def start(self):
        source, = re.findall(r"^ *DATA_SOURCE_NAME='(.*)'$", readme(), re.M)
        arguments, = re.findall(r"^ *ARGS='(.*)'$", readme(), re.M)
        for place, ours in (('db.example', f'{self.server.host} port={self.server.port}'), ('sslmode=verify-full', 'sslmode=disable'),
                            (' sslrootcert=/etc/cni/ca.crt', '')):
            self.assertIn(place, source)
            source = source.replace(place, ours)
        # The copy without a cache: otherwise each look would take half a minute.
        with open(f'{EXAMPLES}/queries.yaml', encoding='utf-8') as f, open(f'{self.dir}/queries.yaml', 'w', encoding='utf-8') as copy:
            copy.write(f.read().replace('cache_seconds: 30', 'cache_seconds: 0'))
        port = pg.free_port()
        arguments = arguments.replace('/etc/prometheus/', f'{self.dir}/')
        process = subprocess.Popen([tool('prometheus-postgres-exporter'), *shlex.split(arguments), f'--web.listen-address=127.0.0.1:{port}'],
                                   env={'DATA_SOURCE_NAME': source}, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait, 10)
        self.addCleanup(process.kill)
        self.url = f'http://127.0.0.1:{port}/metrics'
        faults.wait_until(self.scrape, 10, 'the exporter answers')

    def scrape(self):
        try:
            with urllib.request.urlopen(self.url, timeout=20) as answer:
                return scraped(answer.read().decode())
        except urllib.error.URLError:
            return None

    def add(self, network, node, n):
        for _ in range(n):
            self.number += 1
            done = plugin.run(plugin.IPAM, 'ADD', plugin.net_conf(self.server, {'node': node}, name=network), container=f'pod{self.number}',
                              args=f'IP=10.0.0.{self.number}/24')
            self.assertEqual(done.code, 0, done.said)

    def table(self, what, where='true'):
        """From the table itself, not from the views."""
        return {(('network', network), ('node', node)): float(value) for network, node, value in self.server.psql(
            f'SELECT network, node, {what} FROM public.ips WHERE {where} GROUP BY 1, 2')}

    def test_the_numbers_are_the_tables(self):
        nodes = ('node-1', 'a "b" \\ c=d,é')
        self.start()
        self.assertEqual(self.scrape()['pg_up'], {(): 1.0})
        self.assertNotIn('ipam_allocations', self.scrape())
        for network, node, n in (('net-a', nodes[0], 3), ('net-a', nodes[1], 2), ('net-b', nodes[0], 1)):
            self.add(network, node, n)
        self.server.psql("UPDATE public.ips SET boot_id = 'of long ago', created_on = now() - interval '2 days' "
                         "WHERE network = 'net-a' AND pod_id IN ('pod1', 'pod2', 'pod4')")
        self.server.psql("UPDATE public.ips SET created_on = created_on - interval '1 day' WHERE pod_id = 'pod2'")
        said = self.scrape()
        earlier = "boot_id = 'of long ago'"
        self.assertEqual(said['ipam_allocations'], self.table('count(*)'))
        self.assertEqual(sorted(said['ipam_allocations'].values()), [1, 2, 3])
        self.assertEqual(said['ipam_earlier_boot_allocations'], self.table(f'count(*) FILTER (WHERE {earlier})'))
        oldest = self.table(f'coalesce(max(extract(epoch FROM now() - created_on)) FILTER (WHERE {earlier}), 0)')
        self.assertEqual(sorted(round(age / A_DAY) for age in oldest.values()), [0, 2, 3])
        self.assertEqual(said['ipam_earlier_boot_oldest_seconds'].keys(), oldest.keys())
        for labels, age in said['ipam_earlier_boot_oldest_seconds'].items():
            self.assertAlmostEqual(age, oldest[labels], delta=30)
        self.fails(said, 0)

    def fails(self, said, value):
        self.assertEqual(said['pg_exporter_last_scrape_error'], {(): value})
        self.assertEqual(list(said['pg_exporter_user_queries_load_error'].values()), [0])

    def test_what_is_released_where_the_history_is_installed(self):
        self.start()
        self.assertNotIn('ipam_history_released_per_second', self.scrape())
        self.server.script(pg.PROVISION, self.server.conninfo(), IPAM_HISTORY='1')
        self.addCleanup(self.server.psql, 'DROP TABLE public.ips_history')
        self.addCleanup(self.server.script, pg.PROVISION, self.server.conninfo(), IPAM_HISTORY='off')
        self.fails(self.scrape(), 0)
        self.add('net-a', 'node-1', 6)
        self.add('net-b', 'node-1', 1)
        self.server.psql("DELETE FROM public.ips WHERE network = 'net-a'")
        self.server.psql("UPDATE public.ips_history SET held_until = held_until - interval '2 minutes' WHERE container IN ('pod1', 'pod2')")
        said = self.scrape()
        self.assertEqual(said['ipam_history_released_per_second'], {(('network', 'net-a'),): 4 / 60})
        self.assertEqual(list(said['ipam_allocations'].values()), [1])

    def test_a_view_that_is_missing_is_an_error_that_is_counted(self):
        self.start()
        self.server.psql('ALTER VIEW public.ips_counts RENAME TO missing')
        self.addCleanup(self.server.psql, 'ALTER VIEW public.missing RENAME TO ips_counts')
        self.fails(self.scrape(), 1)

    def test_a_database_that_is_gone(self):
        self.start()
        self.addCleanup(self.server.start)
        self.server.stop()
        self.assertEqual(self.scrape()['pg_up'], {(): 0.0})

    def test_the_role_sees_nothing_but_the_views(self):
        for table in ('ips', 'ips_schema'):
            with self.assertRaisesRegex(pg.PsqlError, '42501'):
                self.server.psql(f'SELECT * FROM public.{table}', user='ipam_exporter', password='secret')
        self.assertEqual(self.server.value('SELECT count(*) FROM public.ips_counts', user='ipam_exporter', password='secret'), '0')


def series(name, values, **labels):
    said = ', '.join(f'{k}="{v}"' for k, v in labels.items())
    return {'series': f'{name}{{{said}}}', 'values': values}


@unittest.skipUnless(tool('promtool'), 'no promtool')
class Alerts(unittest.TestCase):
    """JSON is YAML too, so rules and their tests are written as JSON."""

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix='ipam-monitoring.', dir='/var/tmp')
        self.addCleanup(shutil.rmtree, self.dir)

    def promtool(self, *arguments):
        done = subprocess.run([tool('promtool'), *arguments], capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def write(self, value):
        path = f'{self.dir}/{time.monotonic_ns()}.yml'
        with open(path, 'w', encoding='utf-8') as f:
            json.dump(value, f)
        return path

    def fires(self, alert, given, silent, firing, *who):
        """After so long it does not fire yet; after so long it does, for these labels."""
        expression = f'count by (network, node) (ALERTS{{alertname="{alert}", alertstate="firing"}})'
        self.promtool('test', 'rules', self.write({
            'rule_files': [f'{EXAMPLES}/alerts.yml'], 'evaluation_interval': '1m',
            'tests': [{'interval': '1m', 'input_series': given, 'promql_expr_test': [
                {'expr': expression, 'eval_time': silent},
                {'expr': expression, 'eval_time': firing, 'exp_samples': [{'labels': labels, 'value': 1} for labels in who]}]}]}))

    def test_a_database_that_is_down(self):
        for up, pg_up in (('1x9 0x20', '1x30'), ('1x30', '1x9 0x20'), ('0x30', '1x30')):
            self.fires('IpamDatabaseDown', [series('up', up, job='ipam'), series('pg_up', pg_up, job='ipam')], '0m', '12m', '{}')

    def test_queries_that_fail(self):
        self.fires('IpamQueriesFail', [series('pg_exporter_last_scrape_error', '1x9 0x1 1x60', job='ipam')], '19m', '25m', '{}')

    def test_a_pool_that_fills(self):
        """Over two nodes; another network has no such size."""
        given = [series('ipam_allocations', f'{n}x60', network=network, node=node)
                 for network, node, n in (('ipam-pool', 'a', 40000), ('ipam-pool', 'b', 18980), ('other', 'a', 99999))]
        self.fires('IpamPoolNearlyFull', given, '4m', '6m', '{network="ipam-pool"}')
        self.fires('IpamPoolNearlyFull', [series('ipam_allocations', '58000x60', network='ipam-pool', node='a')], '4m', '6m')

    def test_a_pool_that_is_full_soon(self):
        given = [series('ipam_allocations', f'{start}+{step}x600', network='ipam-pool', node='a') for start, step in ((10000, 40), (10000, 30))]
        self.fires('IpamPoolFullSoon', given[:1], '30m', '9h', '{network="ipam-pool"}')
        self.fires('IpamPoolFullSoon', given[1:], '30m', '6h')

    def test_rows_of_earlier_boots(self):
        given = [series('ipam_earlier_boot_oldest_seconds', f'{age}x120', network='net-a', node=node) for node, age in (('old', 86401), ('new', 86399))]
        self.fires('IpamRowsOfEarlierBoots', given, '59m', '61m', '{network="net-a", node="old"}')

    def test_each_alert_is_explained(self):
        with open(f'{EXAMPLES}/alerts.yml', encoding='utf-8') as f:
            rules = re.findall(r'- alert: (\w+)', f.read())
        self.assertEqual(rules, re.findall(r'^\| `(Ipam\w+)` \|', readme(), re.M))

    def test_their_expressions_and_those_of_the_dashboard_are_valid(self):
        panels = re.findall(r'^\| [A-Z][\w ]+ \| `(.*)` \| .* \|$', readme().partition('## A dashboard')[2], re.M)
        self.assertEqual(len(panels), 6)
        self.promtool('check', 'rules', f'{EXAMPLES}/alerts.yml',
                      self.write({'groups': [{'name': 'panels', 'rules': [{'record': f'panel{i}', 'expr': e} for i, e in enumerate(panels)]}]}))


if __name__ == '__main__':
    tap.main()
