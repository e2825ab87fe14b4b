"""The questions of sql/README.md, "Looking": each is asked as it stands there, of a table whose answers are known, by a
member of ipam_reader; and what frees an address by hand. Needs PostgreSQL's server programs and psql."""
import itertools
import os
import re

import pg
import privileges
import tap

PAGE = os.path.join(os.path.dirname(pg.PROVISION), 'README.md')
ROWS = """
    ('pods',  '10.1.2.3/16',  'default', 'web-0', 'c9', 'eth0', 'node-1', 'b2', '2026-11-24 14:30+00', '2026-11-24 14:30+00'),
    ('other', '10.1.2.3/24',  NULL,      NULL,    'c7', 'eth0', 'node-2', 'b7', '2026-11-20 10:00+00', '2026-11-20 10:00+00'),
    ('other', '10.9.0.7/24',  'default', 'web-0', 'c9', 'net1', 'node-1', 'b2', '2026-11-24 14:31+00', '2026-11-24 14:31+00'),
    ('pods',  '10.1.0.8/16',  'default', 'web-1', 'c3', 'eth0', 'node-1', 'b1', '2026-11-01 08:00+00', '2026-11-02 08:00+00'),
    ('pods',  '10.1.0.9/16',  'kube',    'web-0', 'c4', 'eth0', 'node-3', 'b4', '2026-11-03 08:00+00', '2026-11-03 08:00+00'),
    ('pods',  'fd00::9/64',   'kube',    'web-2', 'c5', 'eth0', 'node-3', 'b4', '2026-11-03 08:00+00', '2026-11-03 08:00+00')"""
# What is released at once: it held the first address when the second question is about.
GONE = "('pods', '10.1.2.3/16', 'default', 'db-0', 'c1', 'eth0', 'node-3', 'b4', '2026-11-10 08:00+00', '2026-11-10 08:00+00')"
ANSWERS = [
    [['other', None, None, 'c7', 'eth0', 'node-2', '2026-11-20 10:00:00+00'],
     ['pods', 'default', 'web-0', 'c9', 'eth0', 'node-1', '2026-11-24 14:30:00+00']],
    [['other', None, None, 'c7', 'eth0', 'node-2', '2026-11-20 10:00:00+00', None],
     ['pods', 'default', 'db-0', 'c1', 'eth0', 'node-3', '2026-11-10 08:00:00+00', '2026-11-24 14:20:00+00']],
    [['other', '10.9.0.7', 'net1', 'node-1', '2026-11-24 14:31:00+00'],
     ['pods', '10.1.2.3', 'eth0', 'node-1', '2026-11-24 14:30:00+00']],
    [['pods', '10.1.0.8', 'default', 'web-1', 'c3', '2026-11-01 08:00:00+00', 't'],
     ['pods', '10.1.2.3', 'default', 'web-0', 'c9', '2026-11-24 14:30:00+00', 'f'],
     ['other', '10.9.0.7', 'default', 'web-0', 'c9', '2026-11-24 14:31:00+00', 'f']],
    [['all nodes', '3', '0.005'], ['node-1', '2', '0.003'], ['node-3', '1', '0.002']],
]


class Looking(privileges.Provision):
    settings = {'timezone': 'UTC'}
    THEN = "'2026-11-24 14:30+00'"
    INSERT = 'INSERT INTO public.ips (network, ip, pod_namespace, pod_name, pod_id, interface, node, boot_id, held_since, created_on) VALUES'

    def setUp(self):
        self.wipe()
        self.provision(IPAM_HISTORY='3650')
        self.server.psql(f"""{self.INSERT} {GONE}; DELETE FROM public.ips;
                             UPDATE public.ips_history SET held_until = '2026-11-24 14:20+00'; {self.INSERT} {ROWS};
                             CREATE ROLE alice LOGIN PASSWORD 'a'; GRANT ipam_reader TO alice""")
        self.questions = self.blocks('Looking')

    @staticmethod
    def blocks(head):
        """The SQL that stands under a head of the page."""
        with open(PAGE, encoding='utf-8') as f:
            section = re.search(rf'^## {head}$(.*?)^## ', f.read(), re.MULTILINE | re.DOTALL).group(1)
        return re.findall(r'^```sql\n(.*?)^```$', section, re.MULTILINE | re.DOTALL)

    def ask(self, sql):
        return self.server.psql(sql, user='alice', password='a')

    def test_each_question_has_its_answer(self):
        self.assertEqual(len(self.questions), len(ANSWERS))
        for question, answer in zip(self.questions, ANSWERS):
            with self.subTest(question):
                found = self.ask(question)
                self.assertEqual(found if 'ORDER BY' in question else sorted(found, key=str), answer)

    def test_no_planted_operator_is_meant(self):
        """One that matches exactly is preferred to the server's own that needs a cast."""
        types = 'int', 'bigint', 'float8', 'numeric'
        for left, right in itertools.product(types, types):
            self.server.psql(f"CREATE FUNCTION grab({left}, {right}) RETURNS float8 LANGUAGE plpgsql AS 'BEGIN RAISE ''planted''; END';" + ';'.join(
                f'CREATE OPERATOR public.{name} (FUNCTION = grab, LEFTARG = {left}, RIGHTARG = {right})' for name in '^*/-'))
        for question, answer in zip(self.questions, ANSWERS):
            self.assertEqual(len(self.ask(question)), len(answer))

    def test_how_full_a_small_subnet_is(self):
        full = self.questions[-1]
        self.assertIn("'10.1.0.0/16'", full)
        self.assertEqual(self.ask(full.replace('10.1.0.0/16', '10.1.0.8/29')),
                         [['all nodes', '2', '25.000'], ['node-1', '1', '12.500'], ['node-3', '1', '12.500']])
        self.assertEqual(self.ask(full.replace('10.1.0.0/16', 'fd00::/124')), [['all nodes', '1', '6.250'], ['node-3', '1', '6.250']])

    def test_an_attachment_is_freed_by_hand(self):
        """All that it holds, and nothing of one that differs from it in one thing."""
        statement, = self.blocks('Free an address by hand')
        self.server.psql("UPDATE public.ips SET position = 2 WHERE network = 'pods' AND pod_id = 'c9'; "
                         f'{self.INSERT} ' + ', '.join(
                             f"('{network}', '{ip}/24', 'default', 'web-0', '{pod}', '{interface}', '{node}', 'b2', {self.THEN}, {self.THEN})"
                             for network, ip, pod, interface, node in (
                                 ('pods', 'fd00::3', 'c9', 'eth0', 'node-1'), ('other', '10.1.5.1', 'c9', 'eth0', 'node-1'),
                                 ('pods', '10.1.5.2', 'c8', 'eth0', 'node-1'), ('pods', '10.1.5.3', 'c9', 'net1', 'node-1'),
                                 ('pods', '10.1.5.4', 'c9', 'eth0', 'node-3'))))
        others = "SELECT ip FROM public.ips WHERE NOT (network = 'pods' AND host(ip) IN ('10.1.2.3', 'fd00::3')) ORDER BY ip"
        before = self.server.psql(others)
        self.assertEqual(sorted(self.server.psql(statement, user='cni', password='cni')),
                         [['pods', address, 'default', 'web-0', '2026-11-24 14:30:00+00'] for address in ('10.1.2.3', 'fd00::3')])
        self.assertEqual(self.server.psql('SELECT ip FROM public.ips ORDER BY ip'), before)
        self.assertEqual(self.server.psql(statement, user='cni', password='cni'), [])


if __name__ == '__main__':
    tap.main()
