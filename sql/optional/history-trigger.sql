-- What the trigger of the history does, and how it is known. Part of parts/judge.sql, which refuses every other trigger,
-- and of history.sql, which makes this one.

-- The text of its function. It runs once for each statement that deletes from the table of allocations, `gone` are the
-- deleted rows. What an attachment held has one span, however often it was confirmed after a reboot.
--
-- Rows that are old enough go with the statements themselves: at most as many as this one released, and ten, the oldest
-- first. Those that another statement is about to remove are left to it, so that no call waits for another one's
-- clean-up. An error in here is the statement's error: nothing is released that the history does not know.
CREATE OR REPLACE FUNCTION pg_temp.history_text() RETURNS text
	LANGUAGE sql IMMUTABLE SET search_path = pg_catalog
AS $$ SELECT $text$
DECLARE
	released bigint;
BEGIN
	INSERT INTO public.ips_history (network, address, prefix_length, pod_namespace, pod_name, pod_uid, container, interface,
	                                node, host_id, machine, boot_id, held_since, held_until, id)
	SELECT network, host(ip)::inet, masklen(ip), pod_namespace, pod_name, pod_uid, pod_id, interface,
	       node, host_id, machine, boot_id, least(held_since, created_on), greatest(now(), least(held_since, created_on)), id
	  FROM gone;
	GET DIAGNOSTICS released = ROW_COUNT;
	IF released > 0 THEN
		DELETE FROM public.ips_history
		 WHERE ctid = ANY (ARRAY(SELECT ctid
		                           FROM public.ips_history
		                          WHERE held_until < now() - make_interval(days => TG_ARGV[0]::int)
		                          ORDER BY held_until
		                          LIMIT released + 10
		                            FOR UPDATE SKIP LOCKED));
	END IF;
	RETURN NULL;
END
$text$ $$;

-- Whether a trigger is the history's, and in what way it is not does not matter: another text, another owner of its
-- function, other settings, or somebody who may use the function for a trigger of his own.
CREATE OR REPLACE FUNCTION pg_temp.is_history(id oid) RETURNS bool
	LANGUAGE sql STABLE SET search_path = pg_catalog
AS $$
	SELECT EXISTS (
		SELECT
		  FROM pg_trigger AS t
		  JOIN pg_proc AS p ON p.oid = t.tgfoid
		  JOIN pg_language AS l ON l.oid = p.prolang
		 WHERE t.oid = id AND t.tgenabled = 'O'
		   AND pg_get_triggerdef(t.oid) ~ ('^CREATE TRIGGER ips_history AFTER DELETE ON public\.ips '
		       'REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION '
		       'public\.ips_history_record\(''[1-9][0-9]{0,4}''\)$')
		   AND l.lanname = 'plpgsql' AND p.prosrc = pg_temp.history_text()
		   AND p.prosecdef AND p.proconfig = '{"search_path=pg_catalog, pg_temp"}'
		   AND p.proowner = to_regrole('ipam_owner')
		   AND NOT EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS acl
		                    WHERE acl.grantee <> p.proowner))
$$;
