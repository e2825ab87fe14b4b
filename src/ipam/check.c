/* CHECK: does the attachment hold what prevResult says? (CNI specification, section 2 "CHECK") */
#include "base/memory.h"
#include "cni/result.h"
#include "ipam/ipam.h"

static int compare_row(const struct allocation *row, const struct result *prev,
		       const struct attachment *by, struct err *e)
{
	bool expected = addresses_find(&prev->ips, &row->ip);
	char text[IP_TEXT];

	ip_text(&row->ip, false, text);
	if (row->own && !expected)
		return err_set(e, CNI_CHECK_FAILED,
			       "\"%s\" (%s) holds %s, which is not in prevResult", by->pod,
			       by->interface, text);
	if (!row->own && expected)
		return err_set(e, CNI_CHECK_FAILED, "address %s of prevResult is held by %s", text,
			       holder_text(row));
	return 0;
}

static int holds_none(const struct result *prev, const struct attachment *by, struct err *e)
{
	struct strbuf all = { 0 };
	char text[IP_TEXT];

	for (size_t i = 0; i < prev->ips.n; i++)
		strbuf_join(&all, ", ", ip_text(&prev->ips.list[i].ip, false, text));
	return err_set(e, CNI_CHECK_FAILED,
		       "\"%s\" (%s) holds no address of prevResult in network \"%s\": %s", by->pod,
		       by->interface, by->network, all.len ? strbuf_str(&all) : "there is none");
}

/*
 * Every address that the attachment holds is in prevResult, and it holds every address that it asks
 * for. It holds at least one of prevResult's addresses, and no other attachment holds one of them.
 * Those that nobody holds may be another plugin's.
 */
static int compare(const struct allocations *held, const struct result *prev,
		   const struct addresses *asked, const struct attachment *by, struct err *e)
{
	struct addresses own = { 0 };
	char text[IP_TEXT];

	for (size_t i = 0; i < held->n; i++) {
		if (compare_row(&held->rows[i], prev, by, e) < 0)
			return -1;
		if (held->rows[i].own)
			addresses_add(&own, &(struct address){ .ip = held->rows[i].ip });
	}
	for (size_t i = 0; i < asked->n; i++)
		if (!addresses_find(&own, &asked->list[i].ip))
			return err_set(e, CNI_CHECK_FAILED,
				       "\"%s\" (%s) asks for %s, but does not hold it", by->pod,
				       by->interface, ip_text(&asked->list[i].ip, false, text));
	return own.n > 0 ? 0 : holds_none(prev, by, e);
}

int ipam_check(const struct cni_call *call, struct cni_reply *out, struct err *e)
{
	cleanup_ipam struct ipam i = { 0 };
	struct result prev = { 0 };
	struct addresses asked, all = { 0 };
	struct allocations held = { 0 };
	int there;

	(void)out;
	if (ipam_open(call, &i, e) < 0)
		return -1;
	there = prev_result(call, &prev, e);
	if (there == 0)
		err_set(e, CNI_INVALID_NETWORK_CONFIG, "CHECK needs prevResult, the result of ADD");
	if (there <= 0 || request_read(call, &i.conf, &asked, e) < 0)
		return -1;
	for (size_t n = 0; n < prev.ips.n; n++)
		addresses_add(&all, &prev.ips.list[n]);
	for (size_t n = 0; n < asked.n; n++)
		addresses_add(&all, &asked.list[n]);
	const struct reservation r = { .by = i.by, .addresses = &all };

	if (i.store.find(i.store.context, &r, call->deadline, &held, e) != STORE_DONE)
		return -1;
	return compare(&held, &prev, &asked, &i.by, e);
}
