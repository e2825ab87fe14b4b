"""Each statement of the plugin against the schema, as its role. Needs PostgreSQL's server programs, psql and a C
compiler."""
import os
import re
import shutil
import subprocess
import tempfile
import unittest

import pg
import tap

DUMP = r'''
#include <stdio.h>
#include "store/database.h"
int main(void)
{
	for (const struct sql *s = sql_add; s->name; s++)
		printf("%s%c%s%c", s->name, 31, s->text, 30);
	for (const struct sql *s = sql_free; s->name; s++)
		printf("%s%c%s%c", s->name, 31, s->text, 30);
	for (const struct sql *s = sql_pick; s->name; s++)
		printf("%s%c%s%c", s->name, 31, s->text, 30);
	return 0;
}
'''
LIST = """'[{"containerID": "pod1", "ifname": "eth0"}, {"containerID": "pod2", "ifname": "eth0"}]'"""
# A search of .1 to .9, all of which is taken up to .2: the positions wanted, of each span, its ends and prefix length.
SPANS = "'{{{0}}}', '{{{0}}}', '{{10.9.0.1}}', '{{10.9.0.9}}', '{{24}}'"
# Parameters for which each one runs.
NAMES = {
    'INSERT': "'pod9', 'eth0', '{10.9.0.1/24,10.9.0.2/24}', 'net', 'n7', 'h7', 'boot', NULL, NULL, NULL, 'm'",
    'INSERT_ONE': "'pod9', 'eth0', '10.9.0.1/24', 'net', 'n7', 'h7', 'boot', NULL, NULL, NULL, 'm'",
    'FIND': "'net', '{10.9.0.1/24}', 'n7', 'h7', 'pod9', 'eth0', 'boot', '60', 'm', 'uid', '1', NULL, 'pod', 'uid'",
    'CONFIRM': "'{1,2}', 'boot', 'net', 'n1', 'h1', 'pod1', 'eth0', 'm'",
    'TAKE_OVER': "'pod9', 'eth0', '{10.9.0.3/24}', 'net', 'n1', 'h1', 'boot', NULL, NULL, NULL, 'm', '{1}', '{10.0.0.1}', '60', '1'",
    'RELEASE': "'{1@5,2@5}', 'net', 'n7', 'h7', 'pod9', 'eth0'",
    'DEL': "'net', 'n7', 'h7', 'pod9', 'eth0', 'h8', 'boot', 'm'",
    'DEL_NOTHING': "'net', 'n7', 'h7', 'pod9', 'eth0', 'h8', 'boot', 'm'",
    'GC': f"'net', 'n7', 'h7', {LIST}, 'boot', '60', '0', 'h7', 'm'",
    'INSERT_IF_FREE': "'pod9', 'eth0', '{10.9.0.1/24,10.9.0.2/24}', 'net', 'n7', 'h7', 'boot', NULL, NULL, NULL, 'm', '{10.9.0.1,10.9.0.2}'",
    'INSERT_ONE_IF_FREE': "'pod9', 'eth0', '10.9.0.1/24', 'net', 'n7', 'h7', 'boot', NULL, NULL, NULL, 'm'",
    'PICK': f"'pod9', 'eth0', '{{10.77.0.1/24}}', 'net', 'n7', 'h7', 'boot', NULL, 'pod', NULL, 'm', '{{1}}', 't', {SPANS.format(2)}",
    'FIND_FREE': f"'net', 'n7', 'h7', 'boot', '60', 'm', {SPANS.format(1)}, '1'",
    'FIND_HOLDER': f"'net', {SPANS.format(1).partition(', ')[2]}",
    'FIND_FULL': f"'net', 'n7', 'h7', 'boot', '60', 'm', {SPANS.format(1)}, '{{1}}'",
    'STATUS': '',
}
FUNCTIONS = ['now()', 'host(inet)', 'masklen(inet)', 'unnest(inet[])', 'json_to_recordset(json)',
             'current_setting(text)', 'unnest(smallint[])', 'unnest(numeric[])', 'set_masklen(inet, int)', 'cardinality(smallint[])', 'pg_is_in_recovery()', 'make_interval(secs double precision)',
             'has_table_privilege(text, text)', 'has_column_privilege(text, text, text)', 'max(int)', 'min(text)', 'count(bigint)']
TYPES = ['text', 'inet', 'int4', 'int8', 'float8', 'bool', 'json']
BODY = "RETURNS int LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''evil''; END'"
# Every operator for types that pg_catalog's operators of that name do not have exactly.
EVIL_OPERATORS = '''
    DO $do$
    DECLARE types text[] := '{text,bool,int2,int4,int8,float8,numeric,inet,timestamptz,interval,json}'; l text; r text; op text;
    BEGIN
      FOREACH l IN ARRAY types LOOP FOREACH r IN ARRAY types LOOP
        EXECUTE format($$CREATE FUNCTION evil.any(pg_catalog.%I, pg_catalog.%I) RETURNS pg_catalog.bool LANGUAGE plpgsql
                         AS 'BEGIN RAISE EXCEPTION ''evil''; END'$$, l, r);
        FOREACH op IN ARRAY '{=,<>,<,<=,>,>=,+,-,*,/,||}'::text[] LOOP
          CONTINUE WHEN EXISTS (SELECT FROM pg_operator WHERE oprname = op AND oprnamespace = 'pg_catalog'::regnamespace
                                   AND oprleft = format('pg_catalog.%I', l)::regtype AND oprright = format('pg_catalog.%I', r)::regtype);
          EXECUTE format('CREATE OPERATOR evil.%s (FUNCTION = evil.any, LEFTARG = pg_catalog.%I, RIGHTARG = pg_catalog.%I)', op, l, r);
        END LOOP;
      END LOOP; END LOOP;
    END $do$;'''
EVIL = ''.join(['CREATE SCHEMA evil; GRANT USAGE ON SCHEMA evil TO cni;',
                'CREATE VIEW evil.ips AS SELECT 1; CREATE VIEW evil.ips_schema AS SELECT 1;',
                *(f'CREATE FUNCTION evil.{f} {BODY};' for f in FUNCTIONS),
                *(f'CREATE DOMAIN evil.{t} AS box;' for t in TYPES), EVIL_OPERATORS])


def statements():
    """The statements in src/store/store_add.c and store_free.c, by name."""
    with tempfile.TemporaryDirectory() as folder:
        program = os.path.join(folder, 'dump')
        files = [f'{pg.ROOT}/src/store/store_{name}.c' for name in ('add', 'free', 'pick')]
        # The functions beside the texts are thrown away: nothing else is linked.
        subprocess.run([os.environ.get('CC', 'cc'), '-ffunction-sections', '-fdata-sections', '-Wl,--gc-sections',
                        '-I', f'{pg.ROOT}/include', '-isystem', f'{pg.ROOT}/.deps/include', '-o', program, '-x', 'c', '-', *files],
                       input=DUMP, text=True, check=True, timeout=60)
        dumped = subprocess.run([program], capture_output=True, text=True, check=True, timeout=10).stdout
        texts = dict(entry.split('\x1f') for entry in dumped.split('\x1e') if entry)
    if texts.keys() != NAMES.keys():
        raise AssertionError(f'there are {sorted(texts)}, and this test knows {sorted(NAMES)}')
    return texts


@unittest.skipUnless(shutil.which(os.environ.get('CC', 'cc')), 'no C compiler')
class Statements(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.texts = statements()
        cls.server = pg.Server(autovacuum='off')
        cls.addClassCleanup(cls.server.close)
        cls.server.psql('''INSERT INTO ips (network, node, host_id, boot_id, pod_id, interface, ip)
            SELECT 'net', 'n' || i % 100, 'h' || i % 100, 'boot', 'pod' || i, 'eth0', '10.0.0.0'::inet + i
              FROM generate_series(1, 200000) AS i''')

    def run_as_cni(self, sql):
        return self.server.psql(f'BEGIN; {sql}; ROLLBACK', user='cni')

    def execute(self, name):
        arguments = f'({NAMES[name]})' if NAMES[name] else ''
        return f'PREPARE s AS {self.texts[name]}; EXECUTE s{arguments}'

    def test_each_one_can_be_prepared_and_run(self):
        for name in NAMES:
            with self.subTest(name):
                self.run_as_cni(self.execute(name))

    def leaves(self, columns, name, arguments):
        """Whether the statement leaves the first row as it was when it had these columns. In the arguments :'version'
        is the row's, :'other' one of another transaction."""
        names, values = ', '.join(columns), ', '.join(columns.values())
        return self.run_as_cni(f"""UPDATE public.ips SET ({names}, position) = ({values}, position) WHERE id = 1;
            SELECT '{{1@' || xmin || '}}' AS version, '{{1@' || xmin::text::bigint + 1 || '}}' AS other
              FROM public.ips WHERE id = 1 \\gset
            PREPARE s AS {self.texts[name]}; EXECUTE s({arguments}) \\g /dev/null
            SELECT count(*) FROM public.ips WHERE id = 1 AND ({names}) = ({values})""") == [['1']]

    def leave(self, name, cases, columns=None):
        """Tries the statement with other values of some of its parameters, and of some of the row's columns."""
        usual = NAMES[name]
        for changes, new, stays in cases:
            with self.subTest(changes=changes, columns=new):
                arguments = usual
                for old, value in changes.items():
                    arguments = arguments.replace(old, value)
                row = {'boot_id': "'other'", 'machine': "'m'", 'created_on': "now() - interval '1 day'"} | (columns or {}) | new
                self.assertEqual(self.leaves(row, name, arguments), stays)

    # Whether a row is left by a statement that takes what an earlier life of this host has left.
    LIVES = (({}, {}, False),
             ({}, {'boot_id': "'boot'"}, True),
             ({}, {'created_on': "now() - interval '1 second'"}, True),
             ({}, {'machine': "'another'"}, True),
             ({}, {'machine': "''"}, False),
             ({"'m'": "''"}, {}, False))

    def test_a_takeover_takes_what_an_earlier_life_has_left(self):
        self.leave('TAKE_OVER', self.LIVES)

    def test_and_names_it_by_all_that_it_is(self):
        self.leave('TAKE_OVER', (({"'net'": "'x'"}, {}, True), ({"'n1'": "'x'"}, {}, True), ({"'h1'": "'x'"}, {}, True),
                                 ({"'{1}'": "'{2}'"}, {}, True), ({'10.0.0.1': '10.0.0.7'}, {}, True)))

    def test_a_takeover_takes_what_this_pod_s_older_sandbox_holds(self):
        boot, new = {'boot_id': "'boot'"}, {'created_on': "now() - interval '1 second'"}
        for uid, columns, stays in (("'u'", boot, True), ("'u'", boot | {'machine': "'another'"}, False),
                                    ("'u'", boot | new, False), ("'x'", boot, False), ("''", boot, False), ('NULL', boot, False),
                                    ("'u'", boot | {'interface': "'eth1'"}, False)):
            with self.subTest(uid=uid, columns=columns):
                arguments = NAMES['TAKE_OVER'].replace("NULL, 'm'", f"{uid}, 'm'").replace("'60', '1'", "'60', '10'")
                # pod_uid can be set by the owner alone
                row = {'created_on': "now() - interval '1 day'"} | columns
                names, values = ', '.join(row), ', '.join(row.values())
                got = self.server.psql(f"""BEGIN;
                    UPDATE public.ips SET (pod_uid, machine) = ('u', 'm') WHERE id = 1;
                    UPDATE public.ips SET ({names}, position) = ({values}, position) WHERE id = 1;
                    PREPARE s AS {self.texts['TAKE_OVER']}; EXECUTE s({arguments}) \\g /dev/null
                    SELECT count(*) FROM public.ips WHERE id = 1; ROLLBACK""")
                self.assertEqual(got, [['0' if stays else '1']])

    def test_what_else_an_old_attachment_holds_gets_a_position_1_by_update(self):
        """Whoever waits for that row would miss it after DELETE and INSERT."""
        got = self.server.psql(f"""BEGIN;
            UPDATE public.ips SET boot_id = 'old', created_on = now() - interval '1 day' WHERE id = 1;
            INSERT INTO public.ips (id, network, node, host_id, boot_id, pod_id, interface, ip, created_on, position)
                 VALUES (900000, 'net', 'n1', 'h1', 'old', 'pod1', 'eth0', '10.8.0.1', now() - interval '1 day', 2);
            PREPARE s AS {self.texts['TAKE_OVER']}; EXECUTE s({NAMES['TAKE_OVER']}) \\g /dev/null
            SELECT id, position FROM public.ips WHERE ip = '10.8.0.1'; ROLLBACK""")
        self.assertEqual(got, [['900000', '1']])

    def test_a_release_takes_a_row_as_it_was_written_and_no_other_s(self):
        usual = NAMES['RELEASE']
        mine = usual.replace("'{1@5,2@5}'", ":'version'").replace('n7', 'n1').replace('h7', 'h1').replace('pod9', 'pod1')
        for arguments, stays in ((mine, False), (mine.replace('version', 'other'), True),
                                 *((mine.replace(f"'{old}'", "'x'"), True) for old in ('net', 'n1', 'h1', 'pod1', 'eth0'))):
            with self.subTest(arguments):
                self.assertEqual(self.leaves({'boot_id': "'boot'"}, 'RELEASE', arguments), stays)

    def test_a_confirmation_writes_the_attachment_s_own_rows(self):
        one = {"'{1,2}'": "'{1}'"}
        self.leave('CONFIRM', ((one, {}, False), (one, {'machine': "''"}, False), (one, {'machine': "'another'"}, True),
                               ({"'{1,2}'": "'{2}'"}, {}, True),
                               *((one | {f"'{old}'": "'x'"}, {}, True) for old in ('net', 'n1', 'h1', 'pod1', 'eth0'))))

    def test_a_confirmation_writes_all_rows_or_none(self):
        self.leave('CONFIRM', (({}, {}, True), ({"'{1,2}'": "'{1,999999999}'"}, {}, True)))

    def test_a_confirmation_leaves_since_when_the_address_is_held(self):
        got = self.run_as_cni(f"""SELECT held_since AS was FROM public.ips WHERE id = 1 \\gset
            PREPARE s AS {self.texts['CONFIRM']};
            EXECUTE s({NAMES['CONFIRM'].replace('{1,2}', '{1}')}) \\g /dev/null
            SELECT held_since = :'was', created_on = now(), machine FROM public.ips WHERE id = 1""")
        self.assertEqual(got, [['t', 't', 'm']])

    def test_del_takes_what_this_machine_recorded_and_no_copy_s_rows(self):
        mine = {"'n7'": "'n1'", "'h7'": "'h1'", "'pod9'": "'pod1'"}
        renamed = mine | {"'n1'": "'x'", "'h1'": "'y'", "'n7'": "'x'", "'h7'": "'y'", "'h8'": "'h1'"}
        for name in ('DEL', 'DEL_NOTHING'):
            self.leave(name, ((mine, {}, False), (mine, {'machine': "'another'"}, True),
                              (mine, {'machine': "'another'", 'boot_id': "'boot'"}, False),
                              (mine, {'machine': "''"}, False), (mine | {"'m'": "''"}, {'machine': "'another'"}, False),
                              (renamed, {}, False), (renamed, {'machine': "'another'"}, True), (renamed, {'machine': "''"}, True),
                              (renamed | {"'m'": "''", "'h8'": 'NULL'}, {'machine': "''"}, True),
                              (renamed | {"'h1'": "''", "'h8'": 'NULL'}, {}, True)))

    def test_gc_takes_what_an_earlier_life_has_left(self):
        mine = {"'n7'": "'n1'", "'h7'": "'h1'", 'pod1': 'pod0'}
        self.leave('GC', tuple((mine | changes, new, stays and new.get('boot_id') != "'boot'") for changes, new, stays in self.LIVES))

    def kinds(self, name, changes, columns):
        arguments = NAMES[name]
        for old, value in changes.items():
            arguments = arguments.replace(old, value)
        names, values = ', '.join(columns), ', '.join(columns.values())
        rows = self.run_as_cni(f"""UPDATE public.ips SET ({names}, position) = ({values}, position) WHERE id = 1;
            PREPARE s AS {self.texts[name]}; EXECUTE s({arguments})""")
        return {row[0] for row in rows}

    def test_what_stays_and_should_be_known_of_is_said(self):
        young, old = "now()", "now() - interval '1 day'"
        mine = {"'n7'": "'n1'", "'h7'": "'h1'", 'pod1': 'pod0', 'pod9': 'pod1'}
        for name, changes, columns, kinds in (
                ('GC', mine, {'boot_id': "'other'", 'created_on': young}, {'duplicate'}),
                ('GC', mine, {'boot_id': "'other'", 'created_on': old, 'machine': "'another'"}, {'duplicate'}),
                ('GC', {"'n7'": "'x'", "'h7'": "'h1'"}, {'machine': "'m'"}, {'renamed'}),
                ('GC', {"'n7'": "'n1'", "'h7'": "'x'"}, {'machine': "'m'"}, {'reinstalled'}),
                ('GC', {"'n7', 'h7'": "'n1', ''", "'h7'": "'h1'"}, {'machine': "'m'"}, {'reinstalled'}),
                ('GC', {"'n7', 'h7'": "'x', ''", "'h7'": "'h1'"}, {'machine': "'m'"}, {'renamed'}),
                ('GC', mine, {'boot_id': "'other'", 'created_on': old, 'machine': "'m'"}, {'gone'}),
                ('GC', {"'n7'": "'x'", "'h7'": "'h1'"}, {'machine': "'another'"}, set()),
                ('GC', {"'n7'": "'x'", "'h7', 'm'": "NULL, ''", "'h7'": "'h1'"}, {'machine': "''"}, set()),
                ('GC', mine | {"'net'": "'x'"}, {'boot_id': "'other'", 'created_on': young}, set()),
                ('DEL_NOTHING', mine, {'boot_id': "'other'", 'machine': "'another'"}, {'duplicate'}),
                ('DEL_NOTHING', mine | {"'eth0'": "'eth1'"}, {'boot_id': "'other'", 'machine': "'another'"}, set()),
                ('DEL_NOTHING', mine, {'boot_id': "'other'", 'machine': "'m'"}, {'gone'})):
            with self.subTest(name, columns=columns):
                self.assertEqual(self.kinds(name, changes, columns) - {'gone'} | (kinds & {'gone'}), kinds | {'said'})

    def test_without_a_machine_id_gc_knows_no_other_name_of_its_own(self):
        rows = self.run_as_cni(f"""INSERT INTO public.ips (network, node, machine, pod_id, interface, ip)
                                        VALUES ('net', 'other', 'm', 'pod', 'eth0', '10.7.0.1');
            PREPARE s AS {self.texts['GC']}; EXECUTE s('net', 'x', '', '[]', 'boot', '60', '0', NULL, 'm')""")
        self.assertEqual([row[0] for row in rows], ['said'])

    def test_whatever_is_said_of_is_written(self):
        """A statement that finds nothing writes all the same."""
        for name in ('FIND', 'FIND_FREE', 'FIND_HOLDER', 'DEL_NOTHING', 'GC', 'RELEASE'):
            arguments = NAMES[name].replace("'net'", "'none'")
            with self.subTest(name):
                self.assertEqual(self.run_as_cni(f"""PREPARE s AS {self.texts[name]}; EXECUTE s({arguments}) \\g /dev/null
                    SELECT pg_current_xact_id_if_assigned() IS NOT NULL"""), [['t']])

    def test_what_must_not_write_does_not_say_so(self):
        for name in ('FIND', 'FIND_FREE', 'FIND_HOLDER'):
            with self.subTest(name):
                got = self.run_as_cni(f"SET TRANSACTION READ ONLY; {self.execute(name)}")
                self.assertEqual({row[0] for row in got}, {None})

    def answer(self, name, before=''):
        """What it answers, but for the places in the WAL."""
        return [['WAL' if cell and re.fullmatch('[0-9A-F]+/[0-9A-F]+', cell) else cell for cell in row]
                for row in self.run_as_cni(before + self.execute(name))]

    def test_no_search_path_changes_what_they_mean(self):
        self.server.psql(EVIL)
        self.addCleanup(self.server.psql, 'DROP SCHEMA evil CASCADE')
        want = {name: self.answer(name) for name in ('FIND', 'FIND_FREE', 'FIND_FULL', 'DEL', 'DEL_NOTHING', 'GC')}
        for path in ('evil', 'evil, pg_catalog', ''):
            for name in NAMES:
                with self.subTest(path=path, name=name):
                    got = self.answer(name, f"SET LOCAL search_path = {path or 'pg_temp'}; ")
                    self.assertEqual(got, want.get(name, got))

    def plan(self, name):
        text = self.execute(name).replace('EXECUTE s', 'EXPLAIN EXECUTE s')
        return '\n'.join(row[0] for row in self.run_as_cni(text))

    def test_without_statistics_none_reads_the_whole_table(self):
        for name in ('FIND', 'PICK', 'FIND_FREE', 'FIND_HOLDER', 'FIND_FULL', 'CONFIRM', 'TAKE_OVER', 'RELEASE', 'DEL', 'DEL_NOTHING', 'GC'):
            with self.subTest(name):
                self.assertNotIn('Seq Scan on ips\n', self.plan(name) + '\n')

    def test_gc_s_list_is_hashed_not_read_for_every_row(self):
        self.assertIn('hashed SubPlan', self.plan('GC'))

    def test_with_statistics_neither(self):
        self.server.psql('ANALYZE ips')
        self.test_without_statistics_none_reads_the_whole_table()
        self.test_gc_s_list_is_hashed_not_read_for_every_row()


if __name__ == '__main__':
    tap.main()
