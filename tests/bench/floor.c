/*
 * What nobody can be faster than: connects the way the IPAM plugin does, on the same libpq with the
 * same SCRAM, and does one plain INSERT. Reads its three words from the environment: CONNINFO, POD,
 * IP.
 */
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>

int main(void)
{
	const char *values[] = { getenv("POD"), getenv("IP") };
	const char *conninfo = getenv("CONNINFO");
	PGconn *conn = PQconnectdb(conninfo ? conninfo : "");
	PGresult *r = PQexecParams(conn,
				   "INSERT INTO public.ips (pod_id, interface, ip, network, node) "
				   "VALUES ($1, 'eth0', $2, 'floor', 'floor')",
				   2, NULL, values, NULL, NULL, 0);
	int failed = PQresultStatus(r) != PGRES_COMMAND_OK;

	if (failed)
		puts(PQerrorMessage(conn));
	PQclear(r);
	PQfinish(conn);
	return failed;
}
