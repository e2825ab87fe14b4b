-- Migration 3: views and a function for people and exporters. Executables do not need it.
--     psql -d ipam -f 003-views.sql

\ir parts/begin.sql
SELECT NOT EXISTS (SELECT FROM public.ips_schema WHERE version >= 3) AS missing \gset
\if :missing
-- The table is not locked, since nothing is read from it here. Who waits for it while another run makes the index of
-- migration 2, which waits for all that have a snapshot, is in its way.
SELECT pg_temp.refuse_planted('public.ips'::regclass) \g /dev/null
\ir parts/views.sql
INSERT INTO public.ips_schema (version, works_with) VALUES (3, 1);
\endif
COMMIT;
