#include <stdlib.h>
#include <string.h>

#include "base/sys.h"
#include "cni/result.h"
#include "ipam/claim.h"
#include "ipam/ipam.h"
#include "ipam/request.h"

/* What has to live until the answer is out: undoing it needs the store and the rows. */
struct added {
	struct ipam ipam;
	struct request request;
	struct reservation claim;
	struct grant grant;
	struct result result; /* routes and dns, then the addresses */
	struct ip *ips;       /* owned: what the claim asks for */
};

static void drop(void *context)
{
	struct added *a = context;

	grant_free(&a->grant);
	request_free(&a->request);
	result_free(&a->result);
	free(a->ips);
	ipam_close(&a->ipam);
	free(a);
}

/* Releases what this call has inserted, whether or not there is time left. */
static void undo(void *context, struct log *log)
{
	struct added *a = context;
	struct deadline l = deadline_in(IPAM_RELEASE_SECONDS);
	struct err e = { 0 };

	if (!a->grant.inserted.n)
		return;
	if (a->ipam.store.release(a->ipam.store.context, &a->claim.by, &a->grant.inserted, &l,
				  &e) == STORE_DONE)
		log_line(
			log, LOG_INFO,
			"successfully deleted the existing allocation for \"%s-%s\": ADD could not "
			"be answered",
			a->claim.by.pod, a->claim.by.interface);
	else
		log_line(log, LOG_WARNING, "what this ADD has recorded stays until DEL or GC: %s",
			 e.msg);
}

/* What CNI_ARGS says of the pod; NULL where it says nothing. */
static const char *pod_arg(const struct cni_call *call, const char *key)
{
	const char *value = cni_arg(call, key);

	return value && value[0] ? value : NULL;
}

static int nothing_requested(struct err *e)
{
	err_set(e, CNI_INVALID_NETWORK_CONFIG, "no address was asked for");
	return err_details(
		e, "ask with CNI_ARGS IP=10.0.0.5/24, with runtimeConfig.ips (capability \"ips\"), "
		   "the pod annotation ipam-status-cni/ips, args.cni.ips, or ipam.addresses");
}

/* Routes and dns change hands: from the configuration into the result. */
static void take_answers(struct added *a)
{
	a->result = a->ipam.conf.answers;
	a->ipam.conf.answers = (struct result){ 0 };
}

static int fill_claim(const struct cni_call *call, struct added *a, struct err *e)
{
	take_answers(a);
	if (request_read(call, &a->ipam.conf, &a->request, e) < 0)
		return -1;
	if (a->request.n == 0)
		return nothing_requested(e);
	a->ips = calloc(a->request.n, sizeof(*a->ips));
	if (!a->ips)
		return err_set(e, CNI_IO_FAILURE, "out of memory");
	for (size_t i = 0; i < a->request.n; i++)
		a->ips[i] = a->request.ips[i].ip;
	a->claim = (struct reservation){ .by = ipam_attachment(call, &a->ipam),
					 .ips = a->ips,
					 .n_ips = a->request.n,
					 .pod_namespace = pod_arg(call, "K8S_POD_NAMESPACE"),
					 .pod_name = pod_arg(call, "K8S_POD_NAME"),
					 .pod_uid = pod_arg(call, "K8S_POD_UID") };
	return 0;
}

/* The addresses as recorded, with the gateways that this call says. */
static char *answer(const struct cni_call *call, struct added *a)
{
	for (size_t i = 0; i < a->grant.n; i++) {
		const struct request_ip *asked = request_find(&a->request, &a->grant.ips[i]);
		struct address ip = { .ip = a->grant.ips[i], .interface = -1 };

		if (asked)
			ip.gateway = asked->gateway;
		result_add_ip(&a->result, &ip);
	}
	return result_print(&a->result, call->version);
}

static void log_recorded(const struct cni_call *call, const struct added *a)
{
	char text[IP_TEXT];

	for (size_t i = 0; a->grant.inserted.n && i < a->grant.n; i++)
		log_line(call->log, LOG_INFO, "recorded %s for \"%s-%s\"",
			 ip_text(&a->grant.ips[i], true, text), call->container, call->ifname);
}

int ipam_add(const struct cni_call *call, struct cni_reply *out, struct err *e)
{
	struct added *a = calloc(1, sizeof(*a));
	if (!a)
		return err_set(e, CNI_IO_FAILURE, "out of memory");
	if (ipam_open(call, IPAM_NEEDS_NODE | IPAM_NEEDS_BOOT, &a->ipam, e) < 0) {
		free(a);
		return -1;
	}
	if (fill_claim(call, a, e) < 0 ||
	    reserve(&a->ipam.store, &a->claim, call->log, call->deadline, &a->grant, e) < 0) {
		undo(a, call->log);
		drop(a);
		return -1;
	}
	log_recorded(call, a);
	*out = (struct cni_reply){ .json = answer(call, a), .rollback = undo, .context = a };
	return 0;
}
