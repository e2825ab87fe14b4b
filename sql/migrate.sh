#!/usr/bin/env bash
# Applies the migrations of this folder that a database has not got yet.
#
#   sql/migrate.sh [CONNINFO]
#
# CONNINFO is libpq's: 'host=db user=postgres dbname=ipam' or 'postgresql://postgres@db/ipam'. What it leaves out
# comes from the PG* variables, the database otherwise is "ipam". Without it, POSTGRES_USER and POSTGRES_DB count
# where the official container image sets them.
# IPAM_NETWORK names the network of rows that the Go demo left, which is otherwise "ipam-status".
#
# Each migration is a transaction that looks for itself whether it is wanted: running this again, at once from
# several places, or after it was interrupted does no harm.

# The image's entrypoint sources what is not executable; neither options nor an exit may reach it.
if [[ ${BASH_SOURCE[0]} != "$0" ]]; then
	bash "${BASH_SOURCE[0]}"
	return
fi

set -euo pipefail

here=$(dirname "${BASH_SOURCE[0]}")

usage() {
	echo "usage: ${0##*/} [CONNINFO]    for example: ${0##*/} 'host=db user=postgres dbname=ipam'"
}

case ${1-none} in
-h | --help) usage; exit 0 ;;
'' | -*) usage >&2; exit 2 ;;
esac
(($# <= 1)) || { usage >&2; exit 2; }
command -v psql >/dev/null || { echo "${0##*/}: psql is missing: install the PostgreSQL client" >&2; exit 1; }

if (($# == 0)); then
	[[ -z ${POSTGRES_DB:-} ]] || export PGDATABASE=$POSTGRES_DB
	[[ -z ${POSTGRES_USER:-} ]] || export PGUSER=$POSTGRES_USER
fi
export PGDATABASE=${PGDATABASE:-ipam} PGCONNECT_TIMEOUT=${PGCONNECT_TIMEOUT:-10}
unset PGTZ # times without a zone, which the Go demo left, are in the server's

# One psql for all of them: its output is the name of each file, and what the last one has to say.
files=()
for file in "$here"/[0-9]*.sql; do
	files+=(-c "\\echo ${file##*/}" -f "$file")
done
if ! said=$(psql -X -q -w -A -t -v ON_ERROR_STOP=1 -d "${1:-}" "${files[@]}" -c '\echo' -f "$here/parts/sequence.sql"); then
	echo "${0##*/}: ${said##*$'\n'} was not applied" >&2
	exit 1
fi
[[ ${said##*$'\n'} == *.sql || -z ${said##*$'\n'} ]] || echo "${0##*/}: ${said##*$'\n'}"
echo "${0##*/}: the schema is up to date"
