/* A verb of the IPAM plugin, run on allocations in memory (needs --wrap=store_open). */
#ifndef TESTS_UNIT_RUN_VERB_H
#define TESTS_UNIT_RUN_VERB_H

#include "fake_store.h"

#include <unistd.h>

#include "ipam/ipam.h"
#include "make_call.h"
#include "tmpdir.h"

/* The store that the verb will open. */
static struct fake *the_fake;

int __wrap_store_open(const cJSON *ipam, struct log *log, struct store *out, struct err *e);

int __wrap_store_open(const cJSON *ipam, struct log *log, struct store *out, struct err *e)
{
	(void)ipam;
	(void)log;
	if (fake_called(the_fake, "open", e) < 0)
		return -1;
	*out = fake_store(the_fake);
	return 0;
}

struct verb {
	struct fake fake;
	struct made_call m;
	void *box; /* a struct tmpdir */
	struct cni_reply answer;
	struct err e;
	int rc;
	char log[8192]; /* what it has logged */
};

#define VERB_BOOT "01234567-89ab-cdef-0123-456789abcdef"

/* Runs it as node "node-1" with this boot id; `conf` is the configuration without its braces and
 * without "ipam", `ipam` that object's keys. verb_end when done. */
static inline void verb_run(struct verb *v, cni_verb_run *run, const char *command,
			    const char *conf, const char *ipam, const char *args)
{
	struct strbuf all = { 0 };
	struct tmpdir *box;
	char path[96];

	assert_int_equal(tmpdir_open(&v->box), 0);
	box = v->box;
	mkdir(tmpdir_path(box, "proc"), 0700);
	mkdir(tmpdir_path(box, "proc/sys"), 0700);
	mkdir(tmpdir_path(box, "proc/sys/kernel"), 0700);
	mkdir(tmpdir_path(box, "proc/sys/kernel/random"), 0700);
	tmpdir_write(box, "proc/sys/kernel/random/boot_id", VERB_BOOT "\n", 0600);
	snprintf(path, sizeof(path), "%s/log", box->dir);
	strbuf_addf(&all, "{%s%s\"ipam\":{\"node\":\"node-1\",\"logFile\":\"%s\"%s%s}}", conf,
		    conf[0] ? "," : "", path, ipam[0] ? "," : "", ipam);
	make_call(&v->m, command, strbuf_str(&all), "/bin");
	v->m.sys.sysroot = box->dir;
	v->m.call.container = "pod-a";
	args_split(args, &v->m.call.args);
	the_fake = &v->fake;
	v->rc = run(&v->m.call, &v->answer, &v->e);
	snprintf(v->log, sizeof(v->log), "%s", tmpdir_read(box, "log"));
	strbuf_free(&all);
}

/* Does the log have these words? */
static inline bool verb_logged(const struct verb *v, const char *words)
{
	return strstr(v->log, words);
}

static inline void verb_end(struct verb *v)
{
	log_close(&v->m.log);
	drop_call(&v->m);
	fake_free(&v->fake);
	assert_int_equal(tmpdir_close(&v->box), 0);
	*v = (struct verb){ 0 };
}

#endif
