#!/usr/bin/env bash
# Prints the allocations in the database that a network's configuration names.
# shellcheck source=demo-scenarios/lib.sh
source "$(dirname "$0")/lib.sh"

# Prints what ipam-status-cni passes on to libpq, as a connection string; the password goes another way.
conninfo() {
	jq -r 'del(.type, .addresses, .routes, .dns, .ranges, .node, .gcGracePeriod, .timeout, .logLevel,
			.logFile, .password)
		| if has("service") then . else {user: "cni", dbname: "ipam"} + . end
		| to_entries | map("\(.key)=\u0027\(.value | tostring | gsub("(?<c>[\\\\\u0027])"; "\\\(.c)"))\u0027")
		| join(" ")' <<<"$1"
}

(($# <= 1)) || wrong_usage '[NET]'
needs jq psql
ipam=$(ipam_object "${1:-ipam-status}")

PGPASSWORD=$(jq -r '.password // ""' <<<"$ipam") PGCONNECT_TIMEOUT=10 \
	psql -XwqP pager=off -v ON_ERROR_STOP=1 "$(conninfo "$ipam")" <<'SQL' || exit 1
SELECT id, pod_name AS pod, pod_id, interface, ip, network, node,
       pg_catalog.date_trunc('second', created_on) AS created_on
  FROM public.ips ORDER BY id;
SQL
