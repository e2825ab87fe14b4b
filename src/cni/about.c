#include "cni/about.h"

#include <stdio.h>
#include <string.h>

#include "base/limit.h"
#include "base/put.h"
#include "base/scope.h"

#define PATIENCE 10.0 /* seconds for somebody at a terminal, or a pipe */

static const char *protocol_versions(char *buf, size_t size)
{
	size_t len = 0;

	for (int v = 0; v < CNI_VERSIONS && len < size; v++)
		len += (size_t)snprintf(buf + len, size - len, "%s%s", v ? ", " : "",
					cni_version_text((enum cni_version)v));
	return buf;
}

char *about_versions(void)
{
	cleanup_json cJSON *object = cJSON_CreateObject();
	cJSON *list;

	if (!cJSON_AddStringToObject(object, "cniVersion", cni_version_text(CNI_NEWEST)))
		return NULL;
	list = cJSON_AddArrayToObject(object, "supportedVersions");
	for (int v = 0; v < CNI_VERSIONS; v++) {
		if (!cJSON_AddItemToArray(
			    list, cJSON_CreateString(cni_version_text((enum cni_version)v))))
			return NULL;
	}
	return cJSON_PrintUnformatted(object);
}

/* Returns the exit status. */
static int say(int fd, const char *text)
{
	struct deadline l = deadline_in(PATIENCE);

	return write_all(&l, fd, text, strlen(text)) < 0;
}

int about_plugin(const struct cni_plugin *plugin, int fd)
{
	char versions[128];
	char line[512];

	snprintf(line, sizeof(line), "%s %s: %s; CNI protocol versions supported: %s\n",
		 plugin->name, VERSION, plugin->about,
		 protocol_versions(versions, sizeof(versions)));
	say(fd, line);
	return 0;
}

static int say_version(const struct cni_plugin *plugin, int fd)
{
	char versions[128];
	char line[512];

	snprintf(line, sizeof(line), "%s %s (%s build)\nCNI protocol versions supported: %s\n",
		 plugin->name, VERSION, BUILD_LINK, protocol_versions(versions, sizeof(versions)));
	return say(fd, line);
}

static const char usage[] =
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
	"stdin: the network configuration as JSON. stdout: the result, or an error object and "
	"exit\n"
	"status 1. stderr: log lines.\n"
	"\n"
	"Example:\n"
	"  CNI_COMMAND=STATUS CNI_PATH=/opt/cni/bin %s < network.conf\n";

static int say_help(const struct cni_plugin *plugin, int fd)
{
	char text[2048];
	int n = snprintf(text, sizeof(text), "%s: %s\n\n", plugin->name, plugin->about);

	if (n > 0 && (size_t)n < sizeof(text))
		snprintf(text + n, sizeof(text) - (size_t)n, usage, plugin->name);
	return say(fd, text);
}

int about_option(const struct cni_plugin *plugin, const char *option, int out, int err)
{
	char line[512];

	if (strcmp(option, "--version") == 0 || strcmp(option, "-V") == 0)
		return say_version(plugin, out);
	if (strcmp(option, "--help") == 0 || strcmp(option, "-h") == 0)
		return say_help(plugin, out);
	snprintf(line, sizeof(line), "%s: unknown argument \"%.200s\": see %s --help\n",
		 plugin->name, option, plugin->name);
	say(err, line);
	return 2;
}
