"""What role cni may do, and the TestCase of tests that call sql/provision.sh."""
import empty_database

ROW = "INSERT INTO public.ips (network, node, pod_id, interface, ip) VALUES ('n', 'h', 'p', 'eth0', '10.9.9.9/24')"
ALLOWED = [
    ROW + ' RETURNING id',
    "SELECT * FROM public.ips",
    "UPDATE public.ips SET boot_id = 'b', machine = 'm', created_on = now(), position = 1 WHERE pod_id = 'p'",
    "DELETE FROM public.ips WHERE pod_id = 'p' RETURNING host(ip)",
    'SELECT max(version), max(works_with) FROM public.ips_schema',
]
REFUSED = '''DROP TABLE public.ips
DROP INDEX public.ips_one_holder
DROP TABLE public.ips_schema
DROP DATABASE ipam
DROP SCHEMA public
DROP ROLE ipam_owner
TRUNCATE public.ips
ALTER TABLE public.ips ADD COLUMN x int
ALTER TABLE public.ips DROP COLUMN node
ALTER TABLE public.ips DISABLE TRIGGER ALL
ALTER TABLE public.ips OWNER TO cni
ALTER TABLE public.ips_rejected RENAME TO x
ALTER INDEX public.ips_attachment RENAME TO x
ALTER DATABASE ipam SET search_path = x
ALTER DATABASE ipam OWNER TO cni
ALTER ROLE ipam_owner LOGIN
ALTER ROLE cni CREATEDB
ALTER SYSTEM SET work_mem = '1GB'
REINDEX TABLE public.ips
UPDATE public.ips SET ip = '10.0.0.1'
UPDATE public.ips SET pod_id = 'x'
UPDATE public.ips SET node = 'x'
UPDATE public.ips SET network = 'x'
UPDATE public.ips SET host_id = 'x'
UPDATE public.ips SET held_since = now()
SELECT * FROM public.ips_rejected
INSERT INTO public.ips_rejected (reason) VALUES ('x')
INSERT INTO public.ips_schema VALUES (9, 9)
UPDATE public.ips_schema SET works_with = 9
DELETE FROM public.ips_schema
SELECT nextval('public.ips_id_seq')
SELECT setval('public.ips_id_seq', 1)
CREATE TABLE public.x (i int)
CREATE TABLE public.x AS SELECT 1
CREATE TEMPORARY TABLE x (i int)
CREATE TEMPORARY VIEW x AS SELECT 1
CREATE TEMPORARY SEQUENCE x
CREATE UNLOGGED TABLE public.x (i int)
CREATE VIEW public.x AS SELECT 1
CREATE SEQUENCE public.x
CREATE INDEX ON public.ips (pod_id)
CREATE FUNCTION public.x() RETURNS int LANGUAGE sql AS 'SELECT 1'
CREATE TYPE public.x AS ENUM ('a')
CREATE DOMAIN public.x AS int
CREATE SCHEMA x
CREATE DATABASE x
CREATE ROLE x
CREATE EVENT TRIGGER x ON ddl_command_end EXECUTE FUNCTION suppress_redundant_updates_trigger()
CREATE TRIGGER x BEFORE UPDATE ON public.ips FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()
CREATE RULE x AS ON DELETE TO public.ips DO INSTEAD NOTHING
CREATE PUBLICATION x
CREATE TABLESPACE x LOCATION '/tmp'
SELECT lo_creat(-1)
SELECT lo_create(0)
SELECT lo_from_bytea(0, 'x')
SELECT lo_import('/etc/passwd')
SELECT pg_read_file('/etc/passwd')
COPY public.ips TO PROGRAM 'true'
COPY public.ips TO '/tmp/x'
SET ROLE ipam_owner
SET ROLE postgres'''.splitlines()
OWNERS = "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'"
MIGHT = """SELECT rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls FROM pg_roles
    WHERE rolname = 'cni'"""
SETTINGS = {'client_connection_check_interval': '1s', 'idle_in_transaction_session_timeout': '60s', 'search_path': 'pg_catalog',
            'statement_timeout': '60s'}
CONFIG = "SELECT unnest(setconfig) FROM pg_db_role_setting WHERE setrole = 'cni'::regrole ORDER BY 1"


class Provision(empty_database.Database):
    """The server begins without database ipam and without roles."""

    def setUp(self):
        self.wipe()

    def may(self):
        """Everything that the plugin does works, everything else is refused."""
        for sql in ALLOWED:
            self.server.psql(sql, user='cni', password='cni')
        self.may_not(*REFUSED)
        self.assertEqual(self.server.value(MIGHT), 'f')

    def may_not(self, *statements):
        script = ['\\set ON_ERROR_STOP off'] + [f'{sql};\n\\qecho\n\\qecho state :SQLSTATE' for sql in statements]
        states = [r[0] for r in self.server.psql('\n'.join(script), user='cni', password='cni')]
        states = [line[6:] for line in '\n'.join(states).splitlines() if line.startswith('state ')]
        self.assertEqual(len(states), len(statements))
        self.assertEqual([sql for sql, state in zip(statements, states) if state != '42501'], [])

    def has_settings(self, without=None, more=()):
        """Role cni has what provisioning sets, as far as the server knows it (PostgreSQL 13 lacks one), without one and with more."""
        known = {row[0] for row in self.server.psql('SELECT name FROM pg_settings', dbname='postgres')}
        self.assertEqual([row[0] for row in self.server.psql(CONFIG)],
                         [f'{name}={value}' for name, value in SETTINGS.items() if name in known and name != without] + list(more))

    def logs_in(self, password):
        return self.server.value('SELECT current_user', user='cni', password=password) == 'cni'
