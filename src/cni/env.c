#include "cni/env.h"

#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

#define IFNAME_MOST 15 /* the kernel's IFNAMSIZ less the NUL */

/* What is wrong with a value, in the words of the reference library; NULL: nothing. */
typedef const char *check_value(const char *value);

struct variable {
	const char *name;
	const char **value;
	bool needed;
	check_value *check;
	const char *rule; /* what check demands */
};

static const char *check_container(const char *value)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
	static const char all[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";

	if (!strchr(letters, value[0]) || value[strspn(value, all)])
		return "invalid characters in containerID";
	return NULL;
}

/* Unicode's white space (property White_Space). */
static bool is_space(const char *c, size_t len)
{
	static const char *const spaces[] = { "\xc2\x85", "\u00a0", "\u1680", "\u2000", "\u2001",
					      "\u2002",   "\u2003", "\u2004", "\u2005", "\u2006",
					      "\u2007",   "\u2008", "\u2009", "\u200a", "\u2028",
					      "\u2029",   "\u202f", "\u205f", "\u3000" };

	if (len == 1)
		return strchr(" \t\n\v\f\r", *c);
	for (size_t i = 0; i < sizeof(spaces) / sizeof(spaces[0]); i++) {
		if (strlen(spaces[i]) == len && memcmp(spaces[i], c, len) == 0)
			return true;
	}
	return false;
}

static const char *check_ifname(const char *value)
{
	size_t left = strlen(value);

	if (left > IFNAME_MOST)
		return "interface name is too long";
	if (strcmp(value, ".") == 0 || strcmp(value, "..") == 0)
		return "interface name is . or ..";
	while (left > 0) {
		size_t n = utf8_char(value, left);

		if (n == 0)
			return "interface name is not valid UTF-8";
		if (*value == '/' || *value == ':' || is_space(value, n))
			return "interface name contains / or : or whitespace characters";
		value += n;
		left -= n;
	}
	return NULL;
}

static void add_invalid(struct err *e, const char *wrong, const struct variable *v)
{
	struct err before = *e;

	err_set(e, CNI_INVALID_ENVIRONMENT, "%s%s%s", before.msg, *before.msg ? "; " : "", wrong);
	err_details(e, "%s%s%s is \"%.100s\" (%s)", before.details, *before.details ? "; " : "",
		    v->name, *v->value, v->rule);
}

/* Puts the values in place and collects what is missing, and what is invalid. */
static void look(const struct sys *w, const struct variable *vars, char *missing, size_t size,
		 struct err *invalid)
{
	for (const struct variable *v = vars; v->name; v++) {
		const char *value = sys_env(w, v->name);
		const char *wrong;
		size_t len = strlen(missing);

		*v->value = value ? value : "";
		if (!v->needed)
			continue;
		if (!**v->value) {
			snprintf(missing + len, size - len, "%s%s", len ? "," : "", v->name);
			continue;
		}
		wrong = v->check ? v->check(*v->value) : NULL;
		if (wrong)
			add_invalid(invalid, wrong, v);
	}
}

int env_read(const struct sys *w, unsigned needs, struct cni_call *call, struct err *e)
{
	bool attachment = needs & CNI_REQUIRES_ATTACHMENT;
	const struct variable vars[] = {
		{ "CNI_CONTAINERID", &call->container, attachment, check_container,
		  "a letter or digit, then letters, digits, _ . or -" },
		{ "CNI_NETNS", &call->netns, needs & CNI_REQUIRES_NETNS, NULL, NULL },
		{ "CNI_IFNAME", &call->ifname, attachment, check_ifname,
		  "less than 16 characters, no / or : or whitespace" },
		{ "CNI_ARGS", &call->args, false, NULL, NULL },
		{ "CNI_PATH", &call->path, true, NULL, NULL },
		{ 0 },
	};
	char missing[128] = "";
	struct err invalid = { 0 };

	look(w, vars, missing, sizeof(missing), &invalid);
	if (*missing) {
		err_set(e, CNI_INVALID_ENVIRONMENT, "required env variables [%s] missing", missing);
		return invalid.code ? err_details(e, "%s: %s", invalid.msg, invalid.details) : -1;
	}
	if (!invalid.code)
		return 0;
	*e = invalid;
	return -1;
}
