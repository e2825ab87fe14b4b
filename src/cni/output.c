/*
 * What a plugin prints on stdout: a reply, an error object, its versions, --help.
 *
 * There is one other writer: the prepared error of a process that has to end at once, without
 * memory (base/memory.h) or stuck (arm_watchdog). So both are told to be silent before anything is
 * printed: stdout must never hold two answers.
 */
#include "cni/call.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"

/* ---- answers ---- */

char *error_json(const struct err *e, enum cni_version version)
{
	cJSON *object = cJSON_CreateObject();
	char code[16];

	/* cJSON prints a number with the C library's floating point, which costs pages of memory in
	 * every call. */
	snprintf(code, sizeof(code), "%d", (int)e->code);
	cJSON_AddStringToObject(object, "cniVersion", cni_version_text(version));
	cJSON_AddRawToObject(object, "code", code);
	cJSON_AddStringToObject(object, "msg", e->msg);
	cJSON_AddStringToObject(object, "details", e->details);
	return cJSON_PrintUnformatted(object);
}

/* Time left to print, at least PRINT_SECONDS. Printing is not cancelled. */
static struct deadline time_to_print(const struct deadline *d)
{
	struct deadline print = deadline_in(PRINT_SECONDS);

	if (d->end > print.end)
		print.end = d->end;
	return print;
}

/* Some file systems say only at close that a write has failed. Without a descriptor for the copy
 * nobody can ask, and what has been written stays. */
static int close_error(int fd)
{
	int copy = dup(fd);

	return copy < 0 ? 0 : close(copy);
}

/* Writes text and its end in one piece, which wakes the reader once. -1: it has not arrived. */
static int print(const struct cni_call *call, const char *text, const char *end)
{
	const char *all = mem_printf("%s%s", text, end);
	struct deadline d = time_to_print(call->deadline);
	int out = call->sys->out;

	/* Printing and rolling back have ends of their own. */
	arm_watchdog(0, -1, NULL);
	mem_set_last_words(-1, "");
	if (write_all(&d, out, all, strlen(all)) == 0 && close_error(out) == 0)
		return 0;
	log_line(call->log, LOG_ERROR, "%s: cannot write the answer to stdout: %s", call->command,
		 strerror(errno));
	return -1;
}

void watch_call(const struct cni_call *call, double seconds)
{
	bool status = strcmp(call->command, "STATUS") == 0;
	struct err e;

	err_set(&e, status ? CNI_PLUGIN_NOT_AVAILABLE : CNI_TRY_AGAIN_LATER,
		"%s, and a library or a file system does not come back", wait_reason(WAIT_TIMEOUT));
	arm_watchdog(seconds, call->sys->out, error_json(&e, call->version));
}

int send_error(const struct cni_call *call, const struct err *e)
{
	const char *text = error_json(e, call->version);

	log_line(call->log, LOG_ERROR, "%s: %s%s%s", call->command, e->msg, *e->details ? "; " : "",
		 e->details);
	print(call, text, "\n");
	return 1;
}

int send_reply(const struct cni_call *call, const struct cni_reply *reply)
{
	struct err e;

	if (!reply->json) {
		arm_watchdog(0, -1, NULL);
		return 0;
	}
	if (reply->is_error) {
		print(call, reply->json, "");
		return 1;
	}
	/* If the caller is gone, do not print: the result would be lost in a pipe that nobody reads
	 * to its end. */
	if (deadline_check(call->deadline) == WAIT_CANCELLED) {
		err_set(&e, CNI_TRY_AGAIN_LATER, "%s", wait_reason(WAIT_CANCELLED));
		send_error(call, &e);
	} else if (print(call, reply->json, "\n") == 0) {
		return 0;
	}
	if (reply->rollback)
		reply->rollback(reply->context, call->log);
	return 1;
}

/* ---- what the plugin says about itself ---- */

char *versions_json(void)
{
	return mem_printf("{\"cniVersion\":\"%s\",\"supportedVersions\":[\"%s\"]}",
			  cni_version_text(CNI_NEWEST), cni_versions("\",\""));
}

/* Returns the exit status. */
static int print_text(int fd, const char *text)
{
	struct deadline d = deadline_in(USAGE_SECONDS);

	return write_all(&d, fd, text, strlen(text)) < 0;
}

int print_about(const struct cni_plugin *plugin, int fd)
{
	print_text(fd, mem_printf("%s %s: %s; CNI protocol versions supported: %s\n", plugin->name,
				  VERSION, plugin->about, cni_versions(", ")));
	return 0;
}

static const char usage[] =
	"%s: %s\n"
	"\n"
	"A CNI plugin: container runtimes start it. It takes no arguments but these:\n"
	"  --help      this text\n"
	"  --version   its version and the CNI protocol versions\n"
	"\n"
	"Environment:\n"
	"  CNI_COMMAND      ADD, DEL, CHECK, STATUS, GC or VERSION\n"
	"  CNI_PATH         directories with plugins, separated by colons (all but VERSION)\n"
	"  CNI_CONTAINERID  the container (ADD, DEL, CHECK)\n"
	"  CNI_IFNAME       the interface in it (ADD, DEL, CHECK)\n"
	"  CNI_NETNS        path of its network namespace (ADD, CHECK)\n"
	"  CNI_ARGS         KEY=VALUE pairs, separated by semicolons\n"
	"\n"
	"stdin: the network configuration as JSON. stdout: the result, or an error object and\n"
	"exit status 1. stderr: log lines.\n"
	"\n"
	"Example:\n"
	"  CNI_COMMAND=STATUS CNI_PATH=/opt/cni/bin %s < network.conf\n";

int print_option(const struct cni_plugin *plugin, const char *option, int out, int err)
{
	if (strcmp(option, "--version") == 0 || strcmp(option, "-V") == 0)
		return print_text(out, mem_printf("%s %s (%s build)\n"
						  "CNI protocol versions supported: %s\n",
						  plugin->name, VERSION, BUILD_LINK,
						  cni_versions(", ")));
	if (strcmp(option, "--help") == 0 || strcmp(option, "-h") == 0)
		return print_text(out,
				  mem_printf(usage, plugin->name, plugin->about, plugin->name));
	print_text(err, mem_printf("%s: unknown argument \"%.200s\": see %s --help\n", plugin->name,
				   option, plugin->name));
	return 2;
}
