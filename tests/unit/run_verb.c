/* How run_verb.h runs a verb. */
#include "run_verb.h"

#include <stdio.h>

#include "base/memory.h"
#include "cni/call.h"

/* The store that the verb will open. */
static struct fake *the_fake;

static int open_fake(const cJSON *ipam __attribute__((unused)), const char *application_name,
		     struct log *log __attribute__((unused)), struct store *out, struct err *e)
{
	the_fake->application_name = application_name;
	if (fake_called(the_fake, "open", e) < 0)
		return -1;
	*out = fake_store(the_fake);
	return 0;
}

static const struct ipam_setup setup = { .open_store = open_fake };

void verb_run_again(struct verb *v, cni_verb_run *run)
{
	the_fake = &v->fake;
	v->rc = run(&v->m.call, &v->reply, &v->e);
	snprintf(v->log, sizeof(v->log), "%s", tmpdir_read(v->dir, "log"));
}

void verb_run(struct verb *v, cni_verb_run *run, const char *command, const char *conf,
	      const char *ipam, const char *args)
{
	struct tmpdir *dir;
	const char *all;

	assert_int_equal(tmpdir_open(&v->dir), 0);
	dir = v->dir;
	tmpdir_put(dir, "proc/sys/kernel/random/boot_id", VERB_BOOT "\n");
	if (v->has_machine) {
		tmpdir_put(dir, "etc/machine-id", VERB_ID "\n");
		tmpdir_put(dir, "sys/class/dmi/id/product_uuid",
			   "4c4c4544-0042-3510-8052-b4c04f4e4d32\n");
	}
	all = J(mem_printf("{%s%s'ipam':{'node':'node-1','logFile':'%s/log'%s%s}}", conf,
			   conf[0] ? "," : "", dir->dir, ipam[0] ? "," : "", ipam));
	make_call(&v->m, command, all, "/bin");
	v->m.sys.sysroot = dir->dir;
	v->m.call.container = "pod-a";
	v->m.call.setup = &setup;
	args_split(args, &v->m.call.args);
	verb_run_again(v, run);
}

bool verb_logged(const struct verb *v, const char *words)
{
	return strstr(v->log, words);
}

void verb_rollback(struct verb *v)
{
	v->reply.rollback(v->reply.context, &v->m.log);
	snprintf(v->log, sizeof(v->log), "%s", tmpdir_read(v->dir, "log"));
}

void verb_end(struct verb *v)
{
	log_close(&v->m.log);
	drop_call(&v->m);
	assert_int_equal(tmpdir_close(&v->dir), 0);
	*v = (struct verb){ 0 };
}
