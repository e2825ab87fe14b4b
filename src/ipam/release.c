#include <stdlib.h>

#include "base/sys.h"
#include "ipam/ipam.h"
#include "ipam/valid.h"

static void log_release(struct log *log, const char *pod, const char *interface, const char *ip)
{
	log_line(log, LOG_INFO, "successfully deleted the existing allocation for \"%s-%s\": %s",
		 pod, interface, ip);
}

static void warn_hidden(struct log *log, const struct released_rows *gone)
{
	if (gone->hides_warnings)
		log_line(log, LOG_WARNING,
			 "the server hides warnings (client_min_messages): nobody could tell a "
			 "release that was not replicated");
}

int ipam_del(const struct cni_call *call, struct cni_reply *out, struct err *e)
{
	struct ipam i;
	struct attachment a;
	struct released_rows gone = { 0 };
	int rc;

	(void)out;
	if (ipam_open(call, IPAM_NEEDS_NODE, &i, e) < 0)
		return -1;
	a = ipam_attachment(call, &i);
	rc = i.store.del(i.store.context, &a, call->deadline, &gone, e);
	for (size_t n = 0; n < gone.n; n++)
		log_release(call->log, a.pod, a.interface, gone.rows[n].ip);
	warn_hidden(call->log, &gone);
	ipam_close(&i);
	return rc;
}

static void log_gc(const struct cni_call *call, const struct ipam *i,
		   const struct released_rows *gone)
{
	for (size_t n = 0; n < gone->n; n++)
		log_release(call->log, gone->rows[n].pod, gone->rows[n].interface,
			    gone->rows[n].ip);
	if (gone->duplicate_node_count)
		log_line(call->log, LOG_WARNING,
			 "%s rows of this node, such as \"%s-%s\", are of another boot id but "
			 "younger than this boot, and stay: two hosts share the name \"%s\"; give "
			 "each a \"node\" of its own",
			 gone->duplicate_node_count, gone->duplicate_node_pod,
			 gone->duplicate_node_interface, i->node.name);
	warn_hidden(call->log, gone);
}

static int collect(const struct cni_call *call, const struct ipam *i, struct err *e)
{
	cleanup_free char *valid = NULL;
	struct released_rows gone = { 0 };
	struct gc_request g = { .network = call->network,
				.node = &i->node,
				.grace = i->conf.grace };
	int rc;

	if (valid_attachments_read(call->conf, &valid, e) < 0)
		return -1;
	g.valid = valid;
	rc = i->store.gc(i->store.context, &g, call->deadline, &gone, e);
	if (rc == STORE_DONE)
		log_gc(call, i, &gone);
	return rc;
}

int ipam_gc(const struct cni_call *call, struct cni_reply *out, struct err *e)
{
	struct ipam i;
	int rc;

	(void)out;
	if (ipam_open(call, IPAM_NEEDS_NODE | IPAM_NEEDS_BOOT, &i, e) < 0)
		return -1;
	rc = collect(call, &i, e);
	ipam_close(&i);
	return rc;
}
