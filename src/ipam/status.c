/* STATUS: could an ADD succeed now? It looks, and writes nothing. */
#include "ipam/ipam.h"

/* Could an ADD succeed now, as far as can be seen without writing? */
static int why_not_ready(const struct store_status *s, struct err *e)
{
	if (s->read_only)
		return err_set(e, CNI_PLUGIN_NOT_AVAILABLE,
			       "the database is read-only: a standby?");
	if (s->version < 0)
		return err_set(e, CNI_PLUGIN_NOT_AVAILABLE,
			       "the database's schema has no version: run sql/migrate.sh");
	if (s->version < STORE_SCHEMA)
		return err_set(e, CNI_PLUGIN_NOT_AVAILABLE,
			       "the database's schema has version %d, this build needs %d: run "
			       "sql/migrate.sh",
			       s->version, STORE_SCHEMA);
	if (s->works_with > STORE_SCHEMA)
		return err_set(
			e, CNI_PLUGIN_NOT_AVAILABLE,
			"the database's schema works with builds for schema %d and later, this one "
			"is for %d: install newer plugins",
			s->works_with, STORE_SCHEMA);
	if (!s->may_write)
		return err_set(e, CNI_PLUGIN_NOT_AVAILABLE,
			       "the role may not write to the table ips: run sql/provision.sh");
	if (s->hides_warnings)
		return err_set(
			e, CNI_PLUGIN_NOT_AVAILABLE,
			"the server hides warnings: set client_min_messages to warning or lower");
	return 0;
}

int ipam_status(const struct cni_call *call, struct cni_reply *out, struct err *e)
{
	struct ipam i;
	struct store_status s;
	int rc;

	(void)out;
	if (ipam_open(call, &i, e) < 0)
		return -1;
	rc = i.store.status(i.store.context, call->deadline, &s, e);
	if (rc == STORE_DONE)
		rc = why_not_ready(&s, e);
	ipam_close(&i);
	return rc;
}
