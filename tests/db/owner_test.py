"""sql/provision.sh on servers that have something already. Needs PostgreSQL's server programs and psql."""

import pg
import privileges
import tap

DEMO = '''CREATE TABLE ips (id serial PRIMARY KEY, pod_id varchar(64) UNIQUE NOT NULL, interface varchar(16) NOT NULL,
    ip varchar(128) UNIQUE NOT NULL, created_on timestamp DEFAULT now());
    INSERT INTO ips (pod_id, interface, ip) VALUES ('a', 'eth0', '10.0.0.1/24')'''


class Given(privileges.Provision):
    """What was there before."""

    def owned_by_cni(self):
        self.server.psql("CREATE USER cni WITH PASSWORD 'cni'; CREATE DATABASE ipam OWNER cni TEMPLATE template0;"
                         'GRANT ALL PRIVILEGES ON DATABASE ipam TO cni', dbname='postgres')
        self.server.psql('GRANT ALL PRIVILEGES ON ALL TABLES IN SCHEMA public TO cni')

    def test_a_database_that_cni_owns(self):
        self.owned_by_cni()
        self.server.psql(DEMO, user='cni', password='cni')
        self.provision('')
        self.assertEqual(self.server.psql('SELECT pod_id, ip FROM ips'), [['a', '10.0.0.1/24']])
        self.may()
        self.may_not('DROP TABLE public.ips_go_demo', "SELECT nextval('public.ips_go_demo_id_seq')")

    def test_a_database_that_cni_owns_and_has_migrated(self):
        self.owned_by_cni()
        self.server.psql(DEMO, user='cni', password='cni')
        self.server.script(pg.MIGRATE, self.server.conninfo('ipam', 'cni', self.server.host), PGPASSWORD='cni')
        self.provision('')
        self.may()

    def test_everything_that_cni_owns_in_it_goes_to_the_owner(self):
        self.owned_by_cni()
        self.server.psql('''CREATE SCHEMA extra; CREATE TABLE extra.t (id serial); CREATE SEQUENCE public.s;
            CREATE TABLE public.p (i int) PARTITION BY RANGE (i);
            CREATE TABLE public.p1 PARTITION OF public.p FOR VALUES FROM (1) TO (2)''', user='cni', password='cni')
        self.provision('')
        self.may_not('DROP TABLE extra.t', 'CREATE TABLE extra.x ()', 'DROP SEQUENCE public.s',
                     'DROP TABLE public.p1')

    def test_another_database_of_cni_is_left_alone(self):
        self.server.psql("CREATE USER cni PASSWORD 'cni'; CREATE DATABASE cni OWNER cni", dbname='postgres')
        self.provision('')
        self.server.psql('CREATE TABLE public.mine ()', user='cni', password='cni', dbname='cni')

    def test_rights_that_cni_was_given_are_taken(self):
        self.provision()
        self.server.psql('''GRANT ALL ON ALL TABLES IN SCHEMA public TO cni; GRANT ALL ON SCHEMA public TO cni, PUBLIC;
            GRANT ALL ON ips, ips_schema TO PUBLIC; GRANT ALL ON DATABASE ipam TO cni, PUBLIC; 
            GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO cni; GRANT UPDATE (ip) ON ips TO cni;
            GRANT EXECUTE ON FUNCTION lo_create(oid) TO cni;
            ALTER ROLE cni SUPERUSER CREATEDB CREATEROLE REPLICATION BYPASSRLS NOLOGIN''')
        self.provision()
        self.may()

    def test_rights_that_everybody_had_and_has_no_more_are_given_to_cni(self):
        self.provision()
        self.server.psql('REVOKE ALL ON DATABASE ipam FROM PUBLIC, cni; REVOKE ALL ON SCHEMA public FROM PUBLIC, cni')
        self.provision()
        self.may()

    def test_the_owner_can_make_what_later_migrations_need(self):
        self.server.psql('CREATE DATABASE ipam', dbname='postgres')
        self.server.psql('ALTER SCHEMA public OWNER TO postgres')  # as before version 15
        self.provision()
        self.server.psql('SET ROLE ipam_owner; ALTER TABLE public.ips ADD COLUMN more int; CREATE TABLE public.more ()')
        self.may()

    def test_a_third_owner_stays_the_owner(self):
        self.server.psql('CREATE ROLE landlord; CREATE DATABASE ipam OWNER landlord', dbname='postgres')
        self.provision()
        owner = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'ipam'"
        self.assertEqual(self.server.value(owner), 'landlord')
        self.may()

    def test_a_superuser_s_tables_go_to_the_owner(self):
        self.server.psql('CREATE DATABASE ipam', dbname='postgres')
        self.migrate()
        self.provision()
        self.assertEqual(self.server.psql(privileges.OWNERS), [['ipam_owner']])
        self.may()

    def test_a_hostile_schema_does_no_harm(self):
        self.server.psql("CREATE ROLE cni LOGIN PASSWORD 'cni'; CREATE ROLE mallory LOGIN PASSWORD 'm';"
                         'CREATE DATABASE ipam OWNER cni TEMPLATE template0; GRANT CREATE ON DATABASE ipam TO mallory',
                         dbname='postgres')
        self.server.psql('''CREATE SCHEMA evil; GRANT USAGE ON SCHEMA evil TO PUBLIC; CREATE TABLE evil.pg_roles (rolname name);
            DO $do$
            DECLARE l text; r text;
            BEGIN
                FOREACH l IN ARRAY '{name,text,oid,bool,int4}'::text[] LOOP FOREACH r IN ARRAY '{name,text,oid,bool,int4}'::text[] LOOP
                    EXECUTE format($f$CREATE FUNCTION evil.eq(%I, %I) RETURNS bool LANGUAGE plpgsql AS
                        'BEGIN ALTER ROLE cni SUPERUSER; RETURN false; END'$f$, l, r);
                    EXECUTE format('CREATE OPERATOR evil.= (FUNCTION = evil.eq, LEFTARG = %I, RIGHTARG = %I)', l, r);
                END LOOP; END LOOP;
            END $do$;
            CREATE FUNCTION evil.current_database() RETURNS name LANGUAGE plpgsql AS
                'BEGIN ALTER ROLE cni SUPERUSER; RETURN $$ipam$$; END';''', user='mallory', password='m')
        self.server.psql('ALTER DATABASE ipam SET search_path = evil, pg_catalog', user='cni', password='cni')
        self.provision('', dbname='ipam')
        self.provision('')
        self.provision('cni', dbname='ipam')
        self.assertEqual(self.server.value("SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname OPERATOR(pg_catalog.=) 'cni'"), 'f')
        self.server.psql('ALTER DATABASE ipam RESET search_path')
        self.may()

    def test_an_allocation_in_use_is_kept(self):
        self.provision()
        self.server.psql(privileges.ROW)
        self.provision()
        self.assertEqual(self.server.value('SELECT count(*) FROM ips'), '1')


if __name__ == '__main__':
    tap.main()
