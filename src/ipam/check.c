#include "ipam/check.h"

#include <stdlib.h>

#include "base/sys.h"
#include "base/text.h"
#include "cni/result.h"
#include "ipam/ipam.h"

static bool in_result(const struct result *r, const struct ip *ip)
{
	return addresses_find(&r->ips, ip);
}

static bool is_mine(const struct allocations *held, const struct ip *ip)
{
	for (size_t i = 0; i < held->n; i++)
		if (held->rows[i].own && ip_same_host(&held->rows[i].ip, ip))
			return true;
	return false;
}

static int compare_row(const struct allocation *h, const struct result *prev,
		       const struct attachment *by, struct err *e)
{
	bool expected = in_result(prev, &h->ip);
	char text[IP_TEXT];

	ip_text(&h->ip, false, text);
	if (h->own && !expected)
		return err_set(e, CNI_CHECK_FAILED,
			       "\"%s\" (%s) holds %s, which is not in prevResult", by->pod,
			       by->interface, text);
	if (!h->own && expected)
		return err_set(
			e, CNI_CHECK_FAILED,
			"address %s of prevResult is held by \"%s\" (%s) on node \"%s\" since %s",
			text, h->pod, h->interface, h->node, h->since);
	return 0;
}

static int holds_none(const struct result *prev, const struct attachment *by, struct err *e)
{
	cleanup_strbuf struct strbuf all = { 0 };
	char text[IP_TEXT];

	for (size_t i = 0; i < prev->ips.n; i++)
		strbuf_join(&all, ", ", ip_text(&prev->ips.list[i].ip, false, text));
	return err_set(e, CNI_CHECK_FAILED,
		       "\"%s\" (%s) holds no address of prevResult in network \"%s\": %s", by->pod,
		       by->interface, by->network, all.len ? strbuf_str(&all) : "there is none");
}

int check_compare(const struct allocations *held, const struct result *prev,
		  const struct request *asked, const struct attachment *by, struct err *e)
{
	bool any = false;
	char text[IP_TEXT];

	for (size_t i = 0; i < held->n; i++) {
		if (compare_row(&held->rows[i], prev, by, e) < 0)
			return -1;
		any |= held->rows[i].own;
	}
	for (size_t i = 0; i < asked->n; i++)
		if (!is_mine(held, &asked->ips[i].ip))
			return err_set(e, CNI_CHECK_FAILED,
				       "\"%s\" (%s) asks for %s, but does not hold it", by->pod,
				       by->interface, ip_text(&asked->ips[i].ip, false, text));
	return any ? 0 : holds_none(prev, by, e);
}

/* All addresses that LOOK has to tell about, owned by the caller. */
static struct ip *all_ips(const struct result *prev, const struct request *asked, size_t *n)
{
	struct ip *ips = calloc(prev->ips.n + asked->n + 1, sizeof(*ips));

	*n = 0;
	if (!ips)
		return NULL;
	for (size_t i = 0; i < prev->ips.n; i++)
		ips[(*n)++] = prev->ips.list[i].ip;
	for (size_t i = 0; i < asked->n; i++)
		ips[(*n)++] = asked->ips[i].ip;
	return ips;
}

static int look_and_compare(const struct cni_call *call, const struct ipam *i,
			    const struct result *prev, const struct request *asked, struct err *e)
{
	struct reservation c = { .by = ipam_attachment(call, i) };
	struct allocations held = { 0 };
	int rc;

	cleanup_free struct ip *ips = all_ips(prev, asked, &c.n_ips);
	if (!ips)
		return err_set(e, CNI_IO_FAILURE, "out of memory");
	c.ips = ips;
	rc = i->store.find(i->store.context, &c, call->deadline, &held, e);
	if (rc == STORE_DONE)
		rc = check_compare(&held, prev, asked, &c.by, e);
	return rc;
}

static int check_request(const struct cni_call *call, const struct ipam *i,
			 const struct result *prev, struct err *e)
{
	struct request asked = { 0 };
	int rc;

	if (request_read(call, &i->conf, &asked, e) < 0)
		return -1;
	rc = look_and_compare(call, i, prev, &asked, e);
	request_free(&asked);
	return rc;
}

int ipam_check(const struct cni_call *call, struct cni_reply *out, struct err *e)
{
	struct ipam i;
	struct result prev = { 0 };
	int rc;

	(void)out;
	if (ipam_open(call, IPAM_NEEDS_NODE | IPAM_NEEDS_BOOT, &i, e) < 0)
		return -1;
	rc = prev_result(call, &prev, e);
	if (rc == 0)
		rc = err_set(e, CNI_INVALID_NETWORK_CONFIG,
			     "CHECK needs prevResult, the result of ADD");
	else if (rc > 0)
		rc = check_request(call, &i, &prev, e);
	result_free(&prev);
	ipam_close(&i);
	return rc;
}
