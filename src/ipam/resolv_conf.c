/*
 * The small parser of resolv.conf(5) that host-local has: a line is a keyword and its words.
 * Unknown keywords, and keywords without a word, are skipped. Nameservers, search and options
 * collect over all lines, of several domains the last counts.
 */
#include "ipam/ipam.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/sys.h"

#define MOST_BYTES (1024L * 1024)

/* The whole text; NULL with an error. */
static char *read_file(const char *path, struct err *e)
{
	/* Without O_NONBLOCK a FIFO would wait for somebody who writes to it. */
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	size_t room = 4096, len = 0;
	char *text = mem_new(room);
	ssize_t n = -1;
	struct stat st;

	if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))) {
		err_set(e, CNI_INVALID_NETWORK_CONFIG, "ipam.resolvConf %s is not a plain file",
			path);
		return NULL;
	}
	while (fd >= 0 && len <= MOST_BYTES && (n = read(fd, text + len, room - 1 - len)) > 0) {
		len += (size_t)n;
		text = mem_grow(text, room, len + 4096);
		room = len + 4096;
	}
	if (n == 0)
		return text;
	err_set(e, CNI_INVALID_NETWORK_CONFIG, "ipam.resolvConf %s: %s", path,
		n < 0 ? strerror(errno) : "longer than a megabyte");
	return NULL;
}

/* Adds the words of a line to a list of the object, at most `most` of them. */
static void add_words(cJSON *dns, const char *key, char *words, size_t most)
{
	cJSON *list = cJSON_GetObjectItemCaseSensitive(dns, key);
	char *rest, *word = strtok_r(words, " ", &rest);

	if (word && !list)
		list = cJSON_AddArrayToObject(dns, key);
	for (; word && most > 0; word = strtok_r(NULL, " ", &rest), most--)
		cJSON_AddItemToArray(list, cJSON_CreateString(word));
}

static void set_word(cJSON *dns, const char *key, char *words)
{
	char *rest, *word = strtok_r(words, " ", &rest);

	if (!word)
		return;
	cJSON_DeleteItemFromObjectCaseSensitive(dns, key);
	cJSON_AddStringToObject(dns, key, word);
}

static void read_line(cJSON *dns, char *line)
{
	char *rest = line, *keyword;

	sanitize_line(line); /* tabs too become blanks */
	keyword = strtok_r(line, " ", &rest);
	if (!keyword || keyword[0] == '#' || keyword[0] == ';')
		return;
	if (strcmp(keyword, "nameserver") == 0)
		add_words(dns, "nameservers", rest, 1);
	else if (strcmp(keyword, "domain") == 0)
		set_word(dns, "domain", rest);
	else if (strcmp(keyword, "search") == 0)
		add_words(dns, "search", rest, SIZE_MAX);
	else if (strcmp(keyword, "options") == 0)
		add_words(dns, "options", rest, SIZE_MAX);
}

int resolv_conf_read(const char *path, cJSON **dns, struct err *e)
{
	char *rest = read_file(path, e), *line;

	if (!rest)
		return -1;
	*dns = cJSON_CreateObject();
	while ((line = strsep(&rest, "\n")))
		read_line(*dns, line);
	return 0;
}
