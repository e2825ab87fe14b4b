-- Part of a transaction: makes the views and the function anew. They belong to whom the table belongs to, whose rights
-- they are read with. Nobody but the role ipam_reader, where it is there, may read them.

DROP FUNCTION IF EXISTS public.who_has(inet, text);
DROP VIEW IF EXISTS public.ips_counts;
DROP VIEW IF EXISTS public.ips_allocations;

CREATE VIEW public.ips_allocations AS
SELECT a.network, host(a.ip)::inet AS address, masklen(a.ip) AS prefix_length,
       a.pod_namespace, a.pod_name, a.pod_uid, a.pod_id AS container, a.interface,
       a.node, a.host_id, a.machine, a.boot_id,
       least(a.held_since, a.created_on) AS held_since,
       a.created_on AS confirmed_on,
       coalesce(CASE a.boot_id WHEN b.boot_id THEN b.before ELSE b.last END > a.created_on, false) AS earlier_boot
  FROM public.ips AS a
  -- Of each node, the boot of its youngest row, and when it and the boot before it recorded last.
  JOIN (SELECT node, host_id, (array_agg(boot_id ORDER BY last DESC))[1] AS boot_id,
               max(last) AS last, (array_agg(last ORDER BY last DESC))[2] AS before
          FROM (SELECT node, host_id, boot_id, max(created_on) AS last FROM public.ips GROUP BY node, host_id, boot_id) AS boots
         GROUP BY node, host_id) AS b ON b.node = a.node AND b.host_id = a.host_id;
COMMENT ON VIEW public.ips_allocations IS 'Who holds which address. earlier_boot: a younger row of the same node and host '
	'id has another boot id. A node that has recorded nothing since its reboot shows none.';
COMMENT ON COLUMN public.ips_allocations.held_since IS 'since when this attachment holds the address';
COMMENT ON COLUMN public.ips_allocations.confirmed_on IS 'when it asked for it last';

CREATE VIEW public.ips_counts AS
SELECT network, node, count(*) AS allocations, count(*) FILTER (WHERE earlier_boot) AS of_earlier_boots,
       min(held_since) AS oldest, max(confirmed_on) AS youngest,
       min(confirmed_on) FILTER (WHERE earlier_boot) AS oldest_of_earlier_boots
  FROM public.ips_allocations
 GROUP BY network, node;
COMMENT ON VIEW public.ips_counts IS 'How many addresses each node holds in each network';

CREATE FUNCTION public.who_has(address inet, network text DEFAULT NULL) RETURNS SETOF public.ips_allocations
	LANGUAGE sql STABLE SET search_path = pg_catalog
AS $$
	SELECT *
	  FROM public.ips_allocations AS a
	 WHERE a.address = host($1)::inet AND ($2 IS NULL OR a.network = $2)
$$;
COMMENT ON FUNCTION public.who_has(inet, text) IS 'Who holds an address, in one network or in all';

REVOKE ALL ON public.ips_allocations, public.ips_counts FROM PUBLIC;
REVOKE ALL ON FUNCTION public.who_has(inet, text) FROM PUBLIC;
SELECT format('ALTER VIEW public.%I OWNER TO %I', name, pg_get_userbyid(relowner))
  FROM pg_class CROSS JOIN unnest('{ips_allocations,ips_counts}'::text[]) AS name
 WHERE oid = 'public.ips'::regclass AND pg_get_userbyid(relowner) <> current_user
UNION ALL
SELECT format('ALTER FUNCTION public.who_has(inet, text) OWNER TO %I', pg_get_userbyid(relowner))
  FROM pg_class WHERE oid = 'public.ips'::regclass AND pg_get_userbyid(relowner) <> current_user
UNION ALL
SELECT unnest('{GRANT SELECT ON public.ips_allocations TO ipam_reader,GRANT SELECT ON public.ips_counts TO ipam_reader,'
              '"GRANT EXECUTE ON FUNCTION public.who_has(inet, text) TO ipam_reader",GRANT USAGE ON SCHEMA public TO ipam_reader}'::text[])
 WHERE to_regrole('ipam_reader') IS NOT NULL
\gexec
