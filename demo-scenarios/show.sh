#!/usr/bin/env bash
# Prints the allocations of the private PostgreSQL, or of the database that a connection string of psql's names.
# shellcheck source=demo-scenarios/lib.sh
source "$(dirname "$0")/lib.sh"

if (($# > 1)) || [[ $# == 1 && $1 != *=* && $1 != *://* ]]; then
	wrong_usage '[CONNINFO]'
fi
database=("$TOP/demo-scenarios/db.sh" psql)
(($# == 0)) || database=(env PGCONNECT_TIMEOUT=10 psql -Xw "$1")

"${database[@]}" -qP pager=off -v ON_ERROR_STOP=1 <<'SQL' || exit 1
SELECT id, pod_name AS pod, pod_id, interface, ip, network, node,
       pg_catalog.date_trunc('second', created_on) AS created_on
  FROM public.ips ORDER BY id;
SQL
