#include "ipam/ipam.h"

#include <string.h>

#include "cni/output.h"

/* What is kept of the time for cancelling and releasing, so that the answer comes within it. */
static double reserve(double timeout)
{
	return timeout > 4 ? 0.5 : timeout / 8;
}

/* What is said if the last resort has to say it. */
static void arm_last_resort(const struct cni_call *call, double seconds)
{
	bool status = strcmp(call->command, "STATUS") == 0;
	double gone = (double)(monotonic_now() - call->started) / 1e9;
	struct err e;

	err_set(&e, status ? CNI_PLUGIN_NOT_AVAILABLE : CNI_TRY_AGAIN_LATER,
		"%s, and the database's library does not come back", wait_reason(WAIT_TIMEOUT));
	char *json = error_json(&e, cni_version_text(call->version));
	arm_watchdog(seconds - gone + WATCHDOG_SECONDS, call->sys->out, json);
}

static void set_deadline(const struct cni_call *call, double timeout)
{
	double standard = (double)(call->deadline->end - call->started) / 1e9;
	double seconds = timeout > 0 ? timeout : standard;

	call->deadline->end = call->started + (int64_t)((seconds - reserve(seconds)) * 1e9);
	arm_last_resort(call, seconds);
}

static int read_host(const struct cni_call *call, unsigned needs, struct ipam *i, struct err *e)
{
	if ((needs & IPAM_NEEDS_NODE) && node_identity(call->sys, i->conf.node, &i->node, e) < 0)
		return -1;
	return needs & IPAM_NEEDS_BOOT ? node_boot(call->sys, &i->node, e) : 0;
}

int ipam_open(const struct cni_call *call, unsigned needs, struct ipam *out, struct err *e)
{
	struct ipam i = { 0 };

	if (ipam_conf_read(call, &i.conf, e) < 0)
		return -1;
	set_deadline(call, i.conf.timeout);
	call->log->level = i.conf.log_level;
	if (i.conf.log_file)
		log_open(call->log, i.conf.log_file);
	cni_log_invoked(call);
	if (read_host(call, needs, &i, e) < 0 ||
	    store_open(i.conf.ipam, call->log, &i.store, e) < 0) {
		ipam_conf_free(&i.conf);
		return -1;
	}
	*out = i;
	return 0;
}

void ipam_close(struct ipam *i)
{
	i->store.close(i->store.context);
	ipam_conf_free(&i->conf);
}

struct attachment ipam_attachment(const struct cni_call *call, const struct ipam *i)
{
	return (struct attachment){ .network = call->network,
				    .node = &i->node,
				    .pod = call->container,
				    .interface = call->ifname };
}
