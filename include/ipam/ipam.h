/* The verbs of the IPAM plugin, and what they share. */
#ifndef IPAM_IPAM_H
#define IPAM_IPAM_H

#include <stdint.h>

#include "base/json.h"
#include "cni/cni.h"
#include "cni/result.h"
#include "ipam/range.h"
#include "store/store.h"

/* The `ipam` object of the configuration. */
struct ipam_conf {
	const cJSON *ipam;      /* the object itself: libpq's keywords are the store's part */
	const cJSON *addresses; /* NULL where absent */
	struct result answer;   /* routes and dns */
	struct ranges ranges;
	bool status_ignores_ranges;
	const char *node; /* NULL where absent */
	double gc_grace;  /* seconds */
	double timeout;   /* seconds; 0: the verb's default */
	enum log_level log_level;
	const char *log_file; /* NULL where absent */
};

/* All keys of the `ipam` object but libpq's. README's table has the same. */
extern const struct json_key ipam_keys[];

/* What every verb needs first. */
struct ipam {
	struct ipam_conf conf;
	struct node node;
	struct attachment by; /* the call's */
	struct store store;
};

/* What main() hands to the verbs (struct cni_plugin): how the store is opened. */
struct ipam_setup {
	store_open_fn *open_store;
};

/*
 * Reads the configuration for the call's verb. DEL and GC do not read `ranges`, `routes` and `dns`.
 * An unknown key is CNI_UNSUPPORTED_FIELD, on DEL only a warning; a wrong value is
 * CNI_INVALID_NETWORK_CONFIG.
 */
int ipam_conf_read(const struct cni_call *call, struct ipam_conf *c, struct err *e);

/*
 * Reads the configuration, sets the call's log and deadline by it, logs that the verb was invoked,
 * finds out who this host is, and opens the store. It is closed at the end of the scope of
 * `cleanup_ipam struct ipam i = { 0 };`.
 */
int ipam_open(const struct cni_call *call, struct ipam *out, struct err *e);
void ipam_close(struct ipam *i);
#define cleanup_ipam __attribute__((cleanup(ipam_close)))

/* Texts for log lines and messages: "pod default/web", or "" where the pod is not known; a text in
 * brackets behind a blank, or "" for ""; who holds a row, on which node and since when. */
const char *pod_text(const char *pod_namespace, const char *pod_name);
const char *in_brackets(const char *text);
const char *holder_text(const struct allocation *row);

/*
 * Who this host is. Its name is `configured` if that is not NULL, otherwise the host name together
 * with the machine id. Without a machine id, or with one that is made anew at each boot, the error
 * is CNI_INVALID_NETWORK_CONFIG, which asks for a "node" in the configuration. Without a boot id,
 * if `need_boot`, it is CNI_IO_FAILURE: a guess would free addresses that are in use.
 */
int node_read(const struct sys *sys, const char *configured, bool need_boot, struct node *out,
	      struct err *e);

/* SHA-256 of some texts, the last one followed by NULL. Each counts with its NUL at the end, so
 * that "ab", "c" is not "a", "bc". */
#define SHA256_BYTES 32
void sha256_texts(const char *const *texts, uint8_t out[SHA256_BYTES]);

/* Reads a file in the form of resolv.conf(5) into a `dns` object of a result. What cannot be read,
 * is not a plain file or is longer than a megabyte is CNI_INVALID_NETWORK_CONFIG. */
int resolv_conf_read(const char *path, cJSON **dns, struct err *e);

/*
 * Which addresses an attachment asks for (src/ipam/request.c: which source decides). Each has a
 * prefix length, and none is there twice; without any, *out is empty. CNI_INVALID_NETWORK_CONFIG
 * for an address that cannot be given out, and for more than one of a family up to 0.2.0;
 * CNI_INVALID_ENVIRONMENT where CNI_ARGS are malformed.
 */
int request_read(const struct cni_call *call, const struct ipam_conf *conf, struct addresses *out,
		 struct err *e);

/* All gateways that the call names, for an address or a route, used or not. */
struct addresses request_gateways(const struct cni_call *call, const struct ipam_conf *conf);

/*
 * GC's list of valid attachments as JSON: `cni.dev/valid-attachments`, or `cni.dev/attachments`
 * where that key is absent. null and no key at all are an empty list. CNI_INVALID_NETWORK_CONFIG
 * for a list of another type, an entry without the two strings, a repeated key, and a character
 * that could not be read: GC must not guess.
 */
int valid_attachments_read(const cJSON *conf, const char **out, struct err *e);

cni_verb_run ipam_add, ipam_del, ipam_check, ipam_gc, ipam_status;

#endif
