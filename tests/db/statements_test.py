"""Each statement of the plugin against the schema, as its role. Needs PostgreSQL's server programs, psql and a C
compiler."""
import os
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
	return 0;
}
'''
LIST = """'[{"containerID": "pod1", "ifname": "eth0"}, {"containerID": "pod2", "ifname": "eth0"}]'"""
# Parameters for which each one runs.
NAMES = {
    'INSERT': "'pod9', 'eth0', '{10.9.0.1/24,10.9.0.2/24}', 'net', 'n7', 'h7', 'boot', NULL, NULL, NULL",
    'INSERT_ONE': "'pod9', 'eth0', '10.9.0.1/24', 'net', 'n7', 'h7', 'boot', NULL, NULL, NULL",
    'FIND': "'net', '{10.9.0.1/24}', 'n7', 'h7', 'pod9', 'eth0', 'boot', '60'",
    'CONFIRM': "'{1,2}', 'boot', 'pod9', 'eth0'",
    'TAKE_OVER': "'pod9', 'eth0', '{10.9.0.3/24}', 'net', 'n8', 'h8', 'boot', NULL, NULL, NULL, '{1}', '60'",
    'RELEASE': "'{1,2}', 'pod9', 'eth0'",
    'DEL': "'net', 'n7', 'h7', 'pod9', 'eth0'",
    'GC': f"'net', 'n7', 'h7', {LIST}, 'boot', '60', '0'",
    'STATUS': '',
}
FUNCTIONS = ['now()', 'host(inet)', 'masklen(inet)', 'unnest(inet[])', 'json_to_recordset(json)',
             'current_setting(text)', 'pg_is_in_recovery()', 'make_interval(secs double precision)',
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
        files = [f'{pg.ROOT}/src/store/store_{name}.c' for name in ('add', 'free')]
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

    def leaves(self, row, name, arguments):
        """Whether the statement leaves the first row, and that as it was when row were its columns. In the arguments
        :'stamp' is the row's, :'other' one of another transaction."""
        was = f"id = 1 AND (boot_id, created_on) = {row}"
        return self.run_as_cni(f"""UPDATE public.ips SET (boot_id, created_on) = {row} WHERE id = 1;
            SELECT '{{1@' || xmin || '}}' AS stamp, '{{1@' || xmin::text::bigint + 1 || '}}' AS other FROM public.ips WHERE id = 1 \\gset
            PREPARE s AS {self.texts[name]}; EXECUTE s({arguments}) \\g /dev/null
            SELECT count(*) FROM public.ips WHERE {was}""") == [['1']]

    def test_a_takeover_takes_what_is_of_another_boot_and_older_than_this_one(self):
        for boot, age, stays in (('boot', '1 day', True), ('other', '1 second', True), ('other', '1 day', False)):
            with self.subTest(boot=boot, age=age):
                row = f"('{boot}', now() - interval '{age}')"
                self.assertEqual(self.leaves(row, 'TAKE_OVER', NAMES['TAKE_OVER']), stays)

    def test_a_release_takes_a_row_as_it_was_written_and_no_other_s(self):
        row = "('boot', timestamptz '2020-01-01 00:00:00+00')"
        for arguments, stays in ((":'stamp', 'pod1', 'eth0'", False), (":'other', 'pod1', 'eth0'", True),
                                 (":'stamp', 'pod2', 'eth0'", True), (":'stamp', 'pod1', 'eth1'", True)):
            with self.subTest(arguments):
                self.assertEqual(self.leaves(row, 'RELEASE', arguments), stays)

    def test_a_confirmation_writes_the_attachment_s_own_rows(self):
        row = "('other', timestamptz '2020-01-01 00:00:00+00')"
        for arguments, stays in (("'{1}', 'boot', 'pod1', 'eth0'", False), ("'{1}', 'boot', 'pod2', 'eth0'", True),
                                 ("'{1}', 'boot', 'pod1', 'eth1'", True), ("'{2}', 'boot', 'pod1', 'eth0'", True)):
            with self.subTest(arguments):
                self.assertEqual(self.leaves(row, 'CONFIRM', arguments), stays)

    def test_no_search_path_changes_what_they_mean(self):
        self.server.psql(EVIL)
        self.addCleanup(self.server.psql, 'DROP SCHEMA evil CASCADE')
        want = {name: self.run_as_cni(self.execute(name)) for name in ('FIND', 'DEL', 'GC')}
        for path in ('evil', 'evil, pg_catalog', ''):
            for name in NAMES:
                with self.subTest(path=path, name=name):
                    got = self.run_as_cni(f"SET LOCAL search_path = {path or 'pg_temp'}; " + self.execute(name))
                    self.assertEqual(got, want.get(name, got))

    def plan(self, name):
        text = self.execute(name).replace('EXECUTE s', 'EXPLAIN EXECUTE s')
        return '\n'.join(row[0] for row in self.run_as_cni(text))

    def test_without_statistics_none_reads_the_whole_table(self):
        for name in ('FIND', 'CONFIRM', 'TAKE_OVER', 'RELEASE', 'DEL', 'GC'):
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
