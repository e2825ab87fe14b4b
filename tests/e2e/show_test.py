#!/usr/bin/env python3
"""demo-scenarios/show.sh: what it prints of tables that are known, in a terminal and elsewhere. Needs PostgreSQL's server
programs, psql and ncurses-bin. Not run with sanitizers."""
import os
import pty
import re
import select
import subprocess
import time
import unittest

import pg
import tap

SHOW = os.path.join(pg.ROOT, 'demo-scenarios', 'show.sh')
PAGE = os.path.join(pg.ROOT, 'sql', 'README.md')
GREEN, YELLOW, RED, PLAIN = '\x1b[32m', '\x1b[33m', '\x1b[31m', '\x1b[0m'
OLD, NEW = '2026-01-01 10:00+00', '2026-01-02 10:00+00'


def content(path):
    with open(path, encoding='utf-8') as f:
        return f.read()


class Show(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = pg.Server(timezone='UTC')
        cls.addClassCleanup(cls.server.close)
        cls.server.psql("CREATE ROLE alice LOGIN PASSWORD 'a'; GRANT ipam_reader TO alice")
        cls.conninfo = cls.server.conninfo('ipam', 'alice', cls.server.host) + ' password=a'

    def setUp(self):
        self.server.psql('TRUNCATE public.ips')

    def hold(self, *rows, network='a', boot='b', at=NEW, host_id=''):
        """rows: (node, address) or (node, address, pod)."""
        self.server.psql('INSERT INTO public.ips (network, node, host_id, boot_id, ip, pod_namespace, pod_name, pod_id, interface, created_on, '
                         'held_since) VALUES ' + ', '.join(
                             f"('{network}', '{node}', '{host_id}', '{boot}', '{ip}', {pod[0]!r}, 'p', 'c-{ip}', 'eth0', '{at}', '{at}')"
                             for node, ip, *pod in [(*row, 'ns')[:3] for row in rows]))

    def run_it(self, *args, conninfo=None, **env):
        env = {**{k: v for k, v in os.environ.items() if k != 'NO_COLOR'}, 'LC_ALL': 'C.UTF-8', **env}
        return subprocess.run([SHOW, *args, conninfo or self.conninfo], env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=60, check=False)

    def shows(self, *args, **how):
        done = self.run_it(*args, **how)
        self.assertEqual((done.returncode, done.stderr), (0, ''), done.stdout)
        return done.stdout

    def refuses(self, code, words, *args, **how):
        done = self.run_it(*args, **how)
        self.assertEqual((done.returncode, done.stdout), (code, ''), done.stderr)
        self.assertIn(words, done.stderr)
        self.assertNotIn('ERROR', done.stderr)


class Lists(Show):
    def setUp(self):
        super().setUp()
        self.hold(('n2', '10.0.0.3/24'), ('n1', '10.0.0.20/24', 'x'), ('n1', 'fd00::1/64'))
        self.hold(('n1', '10.0.0.4/24'), boot='a', at=OLD)
        self.hold(('n1', '10.0.0.3/24'), network='b')

    def test_a_line_for_each_address_by_network_and_node(self):
        rows = [[cell.strip() for cell in line.split('|')] for line in self.shows().splitlines()]
        self.assertEqual(rows[0], ['pod', 'container', 'interface', 'address', 'network', 'node', 'held_since', 'earlier boot'])
        old, new = '2026-01-01 10:00:00+00', '2026-01-02 10:00:00+00'
        self.assertEqual(rows[2:], [
            ['ns/p', 'c-10.0.0.4/24', 'eth0', '10.0.0.4/24', 'a', 'n1', old, 'yes'],
            ['x/p', 'c-10.0.0.20/24', 'eth0', '10.0.0.20/24', 'a', 'n1', new, ''],
            ['ns/p', 'c-fd00::1/64', 'eth0', 'fd00::1/64', 'a', 'n1', new, ''],
            ['ns/p', 'c-10.0.0.3/24', 'eth0', '10.0.0.3/24', 'a', 'n2', new, ''],
            ['ns/p', 'c-10.0.0.3/24', 'eth0', '10.0.0.3/24', 'b', 'n1', new, ''],
            ['(5 rows)'], ['']])

    def test_one_network_one_node(self):
        for args, n in ((['--network', 'a'], 4), (['--node', 'n1'], 4), (['--network', 'a', '--node', 'n1'], 3), (['--network', "it's"], 0)):
            self.assertIn(f'({n} rows)', self.shows(*args))

    def test_counts(self):
        rows = [[cell.strip() for cell in line.split('|')] for line in self.shows('--counts').splitlines()[2:]]
        old, new = '2026-01-01 10:00:00+00', '2026-01-02 10:00:00+00'
        self.assertEqual(rows[:3], [['a', 'n1', '3', '1', old, new], ['a', 'n2', '1', '0', new, new], ['b', 'n1', '1', '0', new, new]])
        self.assertIn('(1 row)', self.shows('--counts', '--network', 'b'))

    def test_who_may_not_read_is_told_who_may(self):
        cni = self.server.conninfo('ipam', 'cni', self.server.host) + f' password={self.server.password}'
        for args in ([], ['--counts'], ['--map', '10.0.0.0/24'], ['--watch']):
            self.refuses(1, 'ipam_reader', *args, conninfo=cni)

    def test_a_database_without_the_views(self):
        self.refuses(1, 'sql/migrate.sh', conninfo=self.server.conninfo('postgres'))

    def test_bad_input(self):
        for args in (['--map'], ['--network'], ['--nodes', 'x'], ['x'], ['--counts', '--map', '10.0.0.0/8'], ['a=b'], ['--map', '']):
            self.refuses(2, 'usage: ', *args)
        for subnet in ('10.0.0.0', '10/8', '10.0.0/24', 'fd00::', 'x/8', '10.0.0.0/x', '10.0.0.0/8/9', "10.0.0.0/8'"):
            self.refuses(2, 'is not a subnet such as', '--map', subnet)
        for subnet in ('10.0.0.0/33', '256.0.0.0/8', 'fd00::/129', 'fd00:::/64', ':/8'):
            self.refuses(1, f'{subnet} is not a subnet', '--map', subnet)
        for subnet in ('10.0.0.1/24', 'fd00::1/64'):
            self.refuses(1, f'{subnet} has bits behind its prefix length', '--map', subnet)


class Maps(Show):
    def test_the_one_of_the_README(self):
        text = re.search(r'^\$ .*show.sh (--map .*) .host=.*\n(network pods.*?)^```$', content(PAGE), re.MULTILINE | re.DOTALL)
        cells = ''.join(re.findall(r'^  10\S+ +(.*)$', text.group(2), re.MULTILINE)).replace(' ', '')
        self.assertEqual(len(cells), 64)
        for sign, node, how in (('#', 'node-2', {}), ('o', 'node-1', {}), ('x', 'node-2', {'boot': 'a', 'at': OLD})):
            self.hold(*[(node, f'10.1.2.{i}/16') for i, cell in enumerate(cells) if cell == sign], network='pods', **how)
        self.assertEqual(self.shows(*text.group(1).split(), '--node', 'node-2'), text.group(2))

    def test_here_is_this_host(self):
        here = os.uname().nodename
        self.hold((here, '10.0.0.1'), ('other', '10.0.0.2'))
        self.hold((here, '10.0.0.3'), host_id='0' * 31 + '1')
        self.hold((here, '10.0.0.4'), host_id=content('/etc/machine-id').strip())
        self.assertEqual(self.shows('--map', '10.0.0.0/29'), f'''\
network a, 10.0.0.0/29: 4 of 8 addresses are held: 2 here, 2 elsewhere, 0 left by an earlier boot

  10.0.0.0  .#oo#...

  . free  # held here ({here})  o held elsewhere  x left by an earlier boot
''')

    def test_a_map_for_each_network_that_holds_something_there(self):
        self.hold(('n', '10.0.0.1'), ('n', '10.0.1.1'))
        self.hold(('m', '10.0.0.2'), network='b')
        self.hold(('m', '10.2.0.2'), network='c')
        cells = re.compile(r'^  10\S+ +(.*)$', re.MULTILINE)
        for args, expected in ((['--node', 'n'], ['.#..', '..o.']), (['--network', 'b'], ['..o.']), (['--network', 'c'], ['....'])):
            self.assertEqual(cells.findall(self.shows('--map', '10.0.0.0/30', *args)), expected)
        self.assertTrue(self.shows('--map', '10.7.0.0/30').startswith('10.7.0.0/30: 0 of 4 addresses are held'))
        self.assertEqual(cells.findall(self.shows('--map', '10.0.0.1/32')), ['o'])

    def test_blocks_by_how_full_they_are(self):
        # 1024 blocks of 4 addresses: none, 1, 2, 3 and 4 of them; what is held last lies in the last block
        held = [(block, i) for block in range(5) for i in range(block)] + [(1023, 3)]
        self.hold(*[('n', f'10.16.{(4 * b + i) // 256}.{(4 * b + i) % 256}') for b, i in held])
        for locale, shades in (('C.UTF-8', '·░▒▓█'), ('C', '.:+%#')):
            said = self.shows('--map', '10.16.0.0/20', '--node', 'n', LC_ALL=locale).splitlines()
            self.assertIn('11 of 4096 addresses are held: 11 here', said[0])
            self.assertEqual(said[2], '  10.16.0.0     ' + shades + shades[0] * 3 + (' ' + shades[0] * 8) * 3)
            self.assertEqual(said[33], '  10.16.15.128  ' + ' '.join([shades[0] * 8] * 3 + [shades[0] * 7 + shades[1]]))
            self.assertEqual(len(said), 36)
            self.assertIn('block of 4 addresses', said[35])

    def test_IPv6(self):
        self.hold(('n', 'fd00::1/64'), ('m', 'fd00::8000:0:0:1/64'), ('m', 'fd00::ffff:ffff:ffff:ffff/64'))
        said = self.shows('--map', 'fd00::/64').splitlines()
        self.assertIn('3 of 2^64 addresses are held: 0 here, 3 elsewhere', said[0])
        none, one = '········', '░·······'
        self.assertEqual(said[2], f'  fd00::            {one} {none} {none} {none}')
        self.assertEqual(said[18], f'  fd00::8000:0:0:0  {one} {none} {none} {none}')
        self.assertEqual(said[33], f'  fd00::f800:0:0:0  {none} {none} {none} ·······░')
        self.assertIn('block of 2^54 addresses', said[35])
        self.assertIn('  fd00::  .o...... ........\n', self.shows('--map', 'fd00::/124'))
        for whole in ('::/0', '0.0.0.0/0', 'ffff::/16', '255.0.0.0/8'):
            self.assertEqual(len(self.shows('--map', whole).splitlines()), 36)


class Terminal(Show):
    def setUp(self):
        super().setUp()
        self.hold(('n', '10.0.0.1'), ('m', '10.0.0.2'))
        self.hold(('n', '10.0.0.0'), boot='a', at=OLD)

    def start(self, *args, **env):
        """Its output as a terminal shows it: a function that reads until a pattern is there."""
        process, fd = pty.fork()
        if process == 0:
            mine = {k: v for k, v in os.environ.items() if k != 'NO_COLOR'}
            os.execve(SHOW, [SHOW, *args, self.conninfo], {**mine, 'TERM': 'xterm', 'LC_ALL': 'C.UTF-8', **env})
        self.addCleanup(os.close, fd)
        self.addCleanup(os.waitpid, process, 0)
        self.addCleanup(os.kill, process, 9)
        text = ''

        def until(pattern):
            nonlocal text
            end = time.monotonic() + 40
            while not re.search(pattern, text, re.DOTALL):
                self.assertGreater(end, time.monotonic(), text)
                if select.select([fd], [], [], 1)[0]:
                    text += os.read(fd, 65536).decode()
            seen, text = text, ''
            return seen
        return until

    def test_colours_where_the_terminal_has_them(self):
        seen = self.start('--map', '10.0.0.0/30', '--node', 'n')('free.*earlier boot\r\n')
        self.assertIn(f'{RED}x{PLAIN}{GREEN}#{PLAIN}{YELLOW}o{PLAIN}.\r\n', seen)
        for env in ({'NO_COLOR': '1'}, {'TERM': 'dumb'}, {'TERM': 'vt100'}, {'TERM': ''}):
            with self.subTest(env):
                seen = self.start('--map', '10.0.0.0/30', '--node', 'n', **env)('x left by an earlier boot\r\n$')
                self.assertIn('x#o.\r\n', seen)
                self.assertNotIn('\x1b', seen)
        self.assertNotIn('\x1b', self.shows('--map', '10.0.0.0/30', TERM='xterm'))

    def test_a_block_has_the_colour_of_those_who_hold_most_of_it(self):
        self.hold(*[('m', f'10.0.8.{i}') for i in range(2)], ('n', '10.0.8.2'))
        seen = self.start('--map', '10.0.0.0/20', '--node', 'n')('Most of them: .*\r\n$')
        self.assertIn(f'  10.0.8.0     {YELLOW}▓{PLAIN}·', seen)

    def test_watch_shows_what_changes_and_outlives_the_database(self):
        until = self.start('--watch', '--map', '10.0.0.0/30', '--node', 'n', NO_COLOR='1')
        self.assertIn('\x1b[H', until(r'x#o\..*earlier boot'))
        self.hold(('n', '10.0.0.3'))
        until(r'x#o#.*earlier boot')
        self.server.stop()
        try:
            until('refused')
        finally:
            self.server.start()
        until(r'x#o#.*earlier boot')

    def test_watch_ends_at_once_where_there_is_nothing_to_watch(self):
        self.refuses(1, 'not a subnet', '--watch', '--map', '10.0.0.0/33')


if __name__ == '__main__':
    tap.main()
