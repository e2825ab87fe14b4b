#!/usr/bin/env bash
# The private PostgreSQL: provisioned, listening where the example conflist says.
#
# Its data lies in .db/ of the project, or, where the server's user cannot reach that, under /var/tmp;
# IPAM_DB_DIR names another folder. psql connects as the superuser, by the socket in that folder.
# shellcheck source=demo-scenarios/lib.sh
source "$(dirname "$0")/lib.sh"

# A socket's path has 107 characters, its name takes some; libpq and the server see lists in others.
readonly PLAIN_PATH='^[A-Za-z0-9/_.+-]{1,80}$'

# A PostgreSQL server refuses to run as root.
SERVER_USER=$(id -un)
((EUID != 0)) || SERVER_USER=postgres

as_server() {
	if ((EUID == 0)); then
		setpriv --reuid="$SERVER_USER" --regid="$SERVER_USER" --init-groups -- "$@"
	else
		"$@"
	fi
}

# Prints the newest server's folder of programs.
server_programs() {
	local found
	found=$(find /usr/lib/postgresql -maxdepth 3 -path '*/bin/initdb' 2>/dev/null | sort -V | tail -n 1)
	[[ $found ]] || found=$(command -v initdb) ||
		die "PostgreSQL is missing: run $TOP/setup_dependencies.sh"
	dirname "$found"
}

data_folder() {
	local named
	if [[ ${IPAM_DB_DIR:-} ]]; then
		named=$(realpath -m -- "$IPAM_DB_DIR")
		[[ $named =~ $PLAIN_PATH ]] || die "IPAM_DB_DIR is too long or has odd characters: $named"
		printf '%s\n' "$named"
	elif as_server test -x "$TOP" && [[ $TOP =~ $PLAIN_PATH ]]; then
		printf '%s/.db\n' "$TOP"
	else
		printf '/var/tmp/ipam-status-db-%s\n' "$(sha256sum <<<"$EUID $TOP" | cut -c1-16)"
	fi
}

make_folder() {
	[[ ! -e $folder ]] || return 0
	mkdir -p "$folder"
	((EUID != 0)) || chown "$SERVER_USER:" "$folder"
	chmod 0700 "$folder"
	as_server touch "$folder/log"
}

# The folder belongs to the server's user alone, so that nobody else puts anything there.
check_folder() {
	[[ -e $folder ]] || return 0
	[[ -d $folder && ! -L $folder && $(stat -c %U "$folder") == "$SERVER_USER" ]] ||
		die "$folder does not belong to $SERVER_USER: was it made by another user? Remove it, or set IPAM_DB_DIR"
}

running() {
	[[ -e $folder/data/postmaster.pid ]] && as_server "$bin/pg_ctl" status -D "$folder/data" >/dev/null
}

# A folder without the mark was never ready: whatever interrupted it, it is made anew.
make_data() {
	[[ ! -e $folder/ready ]] || return 0
	as_server rm -rf "$folder/data"
	as_server "$bin/initdb" -D "$folder/data" -U postgres -E UTF8 --locale=C \
		--auth-local=peer --auth-host=scram-sha-256 >"$folder/log" 2>&1 ||
		failed 'cannot make the database'
	echo "local all postgres peer map=owner" | as_server tee "$folder/data/pg_hba.conf" >/dev/null
	echo "host all all all scram-sha-256" | as_server tee -a "$folder/data/pg_hba.conf" >/dev/null
	printf 'owner %s postgres\n' "$SERVER_USER" "$(id -un)" |
		as_server tee "$folder/data/pg_ident.conf" >/dev/null
}

failed() {
	tail -n 5 "$folder/log" >&2
	die "$1 (all of it: $folder/log)"
}

provision() {
	IPAM_PASSWORD=$(jq -r '.password // ""' <<<"$ipam") "$TOP/sql/provision.sh" \
		"host=$folder port=$port user=postgres dbname=postgres" >>"$folder/log" 2>&1 ||
		failed 'cannot provision the database'
	as_server touch "$folder/ready"
}

start() {
	if running; then
		echo "The database is already running on $host:$port (data: $folder)."
		return
	fi
	if port_taken "$host" "$port"; then
		die "port $port of $host is taken by somebody else: end that, or change the port in $file"
	fi
	make_folder
	make_data
	as_server "$bin/pg_ctl" start -s -w -t 60 -D "$folder/data" -l "$folder/log" -o "-c port=$port \
		-c listen_addresses=$host -c unix_socket_directories=$folder" ||
		failed 'cannot start the database'
	if [[ ! -e $folder/ready ]] && ! (provision); then
		stop
		exit 1
	fi
	echo "The database is running on $host:$port (data: $folder)."
}

stop() {
	if ! running; then
		echo "The database is not running."
		return
	fi
	as_server "$bin/pg_ctl" stop -s -w -t 60 -m fast -D "$folder/data" || failed 'cannot stop the database'
	echo "The database is stopped (data: $folder)."
}

status() {
	if running; then
		echo "running on $host:$port (data: $folder)"
	else
		echo "stopped (data: $folder)"
		exit 3
	fi
}

(($# >= 1)) || wrong_usage 'start|stop|status|psql [ARGUMENT...]'
verb=$1
shift
[[ $verb == psql ]] || (($# == 0)) || wrong_usage 'start|stop|status|psql [ARGUMENT...]'

needs jq
file=$(conflist ipam-status)
ipam=$(ipam_object ipam-status)
host=$(jq -r '.host // "127.0.0.1"' <<<"$ipam")
port=$(jq -r '.port // 5432' <<<"$ipam")
bin=$(server_programs)
folder=$(data_folder)
check_folder
cd /	# where the server's user can be

case $verb in
start | stop | status) "$verb" ;;
psql)
	running || die "the database is not running: $TOP/demo-scenarios/db.sh start"
	exec "$bin/psql" -X -h "$folder" -p "$port" -U postgres ipam "$@"
	;;
*) wrong_usage 'start|stop|status|psql [ARGUMENT...]' ;;
esac
