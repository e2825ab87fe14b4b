/* What cJSON leaves to its callers: strict parsing, exact keys, keys that nobody knows. */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct log;

/*
 * Parses exactly one JSON value of valid UTF-8; anything else is CNI_DECODING_FAILURE and says
 * where. In it \u0000 reads as U+FFFD: cJSON would cut the string there, and a cut name is another
 * name. `text` needs no NUL at its end. *out is the caller's (cJSON_Delete).
 */
int json_parse(const char *text, size_t len, cJSON **out, struct err *e);

/* The value of a key, exactly spelled; of a repeated key the last, as in the reference library.
 * NULL where there is none. */
const cJSON *json_get_raw(const cJSON *object, const char *key);

/* The same, but null counts as absent. */
const cJSON *json_get(const cJSON *object, const char *key);

/* The string of a key, borrowed; NULL where there is none or it is not a string. */
const char *json_string(const cJSON *object, const char *key);

/* A short form of a value for messages, cut to `size`; withheld where the key may name a secret
 * or the value is an object or a list. */
void json_redacted(const char *key, const cJSON *value, char *buf, size_t size);

/* How unknown keys are judged. */
struct json_keys {
	const char *const *known;      /* ends with NULL */
	bool (*also)(const char *key); /* further known keys, or NULL */
};

/*
 * CNI_UNSUPPORTED_FIELD at the first key of `object` that is not known, naming it as `where`.key
 * with its value; with `lenient` (DEL) each is a warning there instead and the answer 0. An object
 * only; anything else has no keys.
 */
int json_check_keys(const cJSON *object, const struct json_keys *keys, const char *where,
		    struct log *lenient, struct err *e);

#endif
