-- Part of migration 1: the rows of the Go demo's table that are addresses go into the new table, in the order of their
-- age; the others go into ips_rejected, with a reason and a warning. They become rows of the network that the variable
-- IPAM_NETWORK names.
\set network `printf %s "${IPAM_NETWORK:-ipam-status}"`
SELECT set_config('ipam.network', :'network', true) \g /dev/null
DO $$
DECLARE
	net    text := current_setting('ipam.network');
	old    regclass := nullif(current_setting('ipam.go_demo', true), '')::oid::regclass;
	r      record;
	addr   text;
	why    text;
	kept   bigint := 0;
	others bigint := 0;
BEGIN
	IF old IS NULL THEN
		RETURN;
	END IF;
	IF net !~ '^[A-Za-z0-9][A-Za-z0-9_.-]*$' THEN
		RAISE EXCEPTION '"%" is no name of a network', net USING HINT = 'It comes from the variable IPAM_NETWORK.';
	END IF;
	FOR r IN EXECUTE format('SELECT id, pod_id::text, interface::text, ip::text, created_on::text FROM %s
	                          ORDER BY created_on, id', old)
	LOOP
		BEGIN
			addr := btrim(r.ip, E' \t\r\n');
			why := CASE WHEN r.pod_id IS NULL THEN 'no pod_id' WHEN r.interface IS NULL THEN 'no interface'
			            WHEN r.ip IS NULL THEN 'no address'
			            -- inet would complete a part of an IPv4 address
			            WHEN addr !~ ':' AND addr !~ '^\d+\.\d+\.\d+\.\d+(/\d+)?$' THEN 'not an address' END;
			IF why IS NULL THEN
				INSERT INTO public.ips (pod_id, interface, ip, created_on, network, node, position)
				SELECT r.pod_id, r.interface, addr::inet,
				       coalesce(r.created_on::timestamptz, now()), net, '', coalesce(max(position), 0) + 1
				  FROM public.ips
				 WHERE network = net AND node = '' AND host_id = ''
				   AND pod_id = r.pod_id AND interface = r.interface;
			END IF;
		EXCEPTION
			WHEN unique_violation THEN
				why := 'an older row has this address';
			WHEN data_exception OR program_limit_exceeded THEN
				why := SQLERRM;
		END;
		IF why IS NULL THEN
			kept := kept + 1;
		ELSE
			others := others + 1;
			INSERT INTO public.ips_rejected (id, pod_id, interface, ip, created_on, reason)
			VALUES (r.id, r.pod_id, r.interface, r.ip, r.created_on, why);
			RAISE WARNING 'ips: row % (% of %, interface %) is not taken over, see ips_rejected: %',
				r.id, r.ip, r.pod_id, r.interface, why;
		END IF;
	END LOOP;
	RAISE INFO 'ips: a table of the Go demo: % rows taken over, % moved to ips_rejected; it stays as %',
		kept, others, old;
	RAISE INFO 'ips: they are rows of network "%"; if that is not their network, name it with IPAM_NETWORK next time, or '
		'change it now: UPDATE public.ips SET network = … WHERE node = ''''', net;
END
$$;
