#include <stdlib.h>
#include <string.h>

#include "base/scope.h"
#include "base/utf8.h"
#include "cni/cni.h"

static bool valid_utf8(const char *text)
{
	size_t left = strlen(text);

	while (left > 0) {
		size_t n = utf8_char(text, left);

		if (n == 0)
			return false;
		text += n;
		left -= n;
	}
	return true;
}

int cni_args(const char *args, void (*pair)(void *context, const char *key, const char *value),
	     void *context, struct err *e)
{
	cleanup_free char *copy = strdup(args);
	char *rest = copy;
	char *one;

	if (!copy)
		return err_set(e, CNI_IO_FAILURE, "out of memory");
	if (!valid_utf8(args))
		return err_set(e, CNI_INVALID_ENVIRONMENT, "ARGS: CNI_ARGS is not valid UTF-8");
	while ((one = strsep(&rest, ";"))) {
		char *equals = strchr(one, '=');

		if (!*one)
			continue;
		if (!equals) {
			err_set(e, CNI_INVALID_ENVIRONMENT, "ARGS: invalid pair \"%.200s\"", one);
			return err_details(e,
					   "CNI_ARGS is KEY=VALUE pairs separated by semicolons");
		}
		*equals = '\0';
		pair(context, one, equals + 1);
	}
	return 0;
}
