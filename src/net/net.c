#include "net/net.h"

#include "base/json.h"
#include "cni/prev.h"
#include "cni/result.h"
#include "net/conf.h"
#include "net/delegate.h"
#include "net/merge.h"
#include "net/netns.h"

static void drop_delegate(struct delegate **d)
{
	delegate_free(*d);
}

#define cleanup_delegate __attribute__((cleanup(drop_delegate)))
#define cleanup_result __attribute__((cleanup(result_free)))

static struct delegate *make_delegate(const struct cni_call *call, const struct net_conf *conf,
				      double seconds, struct err *e)
{
	return delegate_make(call, conf->type, conf->timeout > 0 ? conf->timeout : seconds, e);
}

static void pass_on_error(struct delegate_reply *v, struct cni_reply *answer)
{
	answer->json = v->error;
	answer->is_error = true;
	v->error = NULL;
}

/* DEL, CHECK, STATUS, GC: the IPAM plugin's answer is the answer. */
static int delegate_verb(const struct cni_call *call, const struct net_conf *conf, double seconds,
			 struct cni_reply *answer, struct err *e)
{
	cleanup_delegate struct delegate *d = make_delegate(call, conf, seconds, e);
	cleanup_delegate_reply struct delegate_reply v = { 0 };

	if (!d || delegate_run(d, &v, e) < 0)
		return -1;
	if (v.error)
		pass_on_error(&v, answer);
	return 0;
}

/* prevResult is the answer: the net plugin before us in the list has the addresses from the IPAM
 * plugin. */
static int chained_add(const struct cni_call *call, struct cni_reply *answer, struct err *e)
{
	cleanup_result struct result prev = { 0 };
	int there = prev_result(call, &prev, e);

	if (there < 0)
		return -1;
	if (there == 0)
		return err_set(
			e, CNI_INVALID_NETWORK_CONFIG,
			"no prevResult: with \"chained\" this plugin comes behind a net plugin in "
			"the list that has the same ipam");
	answer->json = cJSON_PrintUnformatted(json_get(call->conf, "prevResult"));
	return answer->json ? 0 : err_set(e, CNI_IO_FAILURE, "out of memory");
}

/* What is there already, and has it room for one address more? Asked before any is recorded. */
static int read_prev(const struct cni_call *call, struct result *prev, struct err *e)
{
	if (prev_result(call, prev, e) < 0 || result_check_capacity(prev, call->version, e) < 0)
		return -1;
	if (call->version <= CNI_0_2_0 && prev->n_ips > 1)
		return err_set(
			e, CNI_INVALID_NETWORK_CONFIG,
			"prevResult has an address of each family: version %s has no room for more",
			cni_version_text(call->version));
	return 0;
}

static int print_result(const struct delegate *d, const struct delegate_reply *v,
			const struct net_conf *conf, struct result *prev, char **json,
			struct err *e)
{
	const struct cni_call *call = d->call;
	cleanup_result struct result ours = { 0 };

	if (delegate_result(d->path, v, call->version, &ours, e) < 0 ||
	    merge_results(prev, &ours, call, conf->dns, e) < 0 ||
	    result_check_capacity(prev, call->version, e) < 0)
		return -1;
	*json = result_print(prev, call->version);
	return *json ? 0 : err_set(e, CNI_IO_FAILURE, "out of memory");
}

/* The delegate that is started for ADD is run again with DEL on every failure but one: who holds
 * other addresses has got none by this ADD, and DEL would take those. (CNI specification, section
 * 4) */
static int add(struct delegate *d, const struct net_conf *conf, struct result *prev,
	       struct cni_reply *answer, struct err *e)
{
	cleanup_delegate_reply struct delegate_reply v = { 0 };
	int done = delegate_run(d, &v, e);

	if (done == 0 && !v.error)
		done = print_result(d, &v, conf, prev, &answer->json, e);
	if (d->end && (done < 0 || v.error) && v.code != CNI_ALLOCATION_MISMATCH)
		delegate_rollback(d, d->call->log);
	if (v.error)
		pass_on_error(&v, answer);
	return done;
}

static void undo(void *context, struct log *log)
{
	delegate_rollback(context, log);
}

int net_add(const struct cni_call *call, struct cni_reply *answer, struct err *e)
{
	struct net_conf conf;
	cleanup_result struct result prev = { 0 };

	if (netns_check(call, e) < 0 || net_conf_read(call, &conf, e) < 0)
		return -1;
	if (conf.chained)
		return chained_add(call, answer, e);
	if (read_prev(call, &prev, e) < 0)
		return -1;
	cleanup_delegate struct delegate *d = make_delegate(call, &conf, NET_SECONDS, e);

	if (!d || add(d, &conf, &prev, answer, e) < 0)
		return -1;
	if (!answer->is_error) {
		answer->rollback = undo;
		answer->destroy = delegate_free;
		answer->context = d;
		d = NULL;
	}
	return 0;
}

/* With "chained" the attachment is that of the net plugin before us. */
static int run_delegate_unless_chained(const struct cni_call *call, struct cni_reply *answer,
				       struct err *e)
{
	struct net_conf conf;

	if (net_conf_read(call, &conf, e) < 0)
		return -1;
	return conf.chained ? 0 : delegate_verb(call, &conf, NET_SECONDS, answer, e);
}

int net_del(const struct cni_call *call, struct cni_reply *answer, struct err *e)
{
	return run_delegate_unless_chained(call, answer, e);
}

int net_check(const struct cni_call *call, struct cni_reply *answer, struct err *e)
{
	return run_delegate_unless_chained(call, answer, e);
}

static int run_delegate(const struct cni_call *call, double seconds, struct cni_reply *answer,
			struct err *e)
{
	struct net_conf conf;

	if (net_conf_read(call, &conf, e) < 0)
		return -1;
	return delegate_verb(call, &conf, seconds, answer, e);
}

int net_status(const struct cni_call *call, struct cni_reply *answer, struct err *e)
{
	return run_delegate(call, NET_STATUS_SECONDS, answer, e);
}

int net_gc(const struct cni_call *call, struct cni_reply *answer, struct err *e)
{
	return run_delegate(call, NET_GC_SECONDS, answer, e);
}
