/* What cJSON leaves to its callers: strict parsing, exact keys, which keys an object may have. */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct log;

/*
 * Parses exactly one JSON value of valid UTF-8; anything else is CNI_DECODING_FAILURE and says
 * where. \u0000 reads as U+FFFD: cJSON would end the string there, and a shortened name is another
 * name. `text` needs no NUL at its end.
 */
int json_parse(const char *text, size_t len, cJSON **out, struct err *e);

/* The value of a key, exactly spelled; of a repeated key the last, as in the reference library.
 * NULL where there is none. */
const cJSON *json_get_raw(const cJSON *object, const char *key);

/* The same, but null counts as absent. */
const cJSON *json_get(const cJSON *object, const char *key);

/* The string of a key; NULL where there is none or it is not a string. */
const char *json_string(const cJSON *object, const char *key);

/* Is it a number without a fraction that a long long holds exactly? */
bool json_is_whole(const cJSON *value);

/* ---- which keys an object may have ---- */

enum json_type {
	JSON_ANY,
	JSON_STRING,
	JSON_BOOL,
	JSON_NUMBER,
	JSON_WHOLE, /* see json_is_whole */
	JSON_OBJECT,
	JSON_LIST,
	JSON_STRINGS, /* a list of strings */
	JSON_OBJECTS  /* a list of objects */
};

/* One key. A table of them ends with a row that has no name. */
struct json_key {
	const char *name;
	enum json_type type; /* null is of every type: it says nothing */
	/* The keys of the object, or of each object in the list and the lists in it; NULL: any. */
	const struct json_key *inside;
	bool answer; /* only ADD's answer needs it: see json_rules.releasing */
	/* In the row that ends the table: which further keys are known; NULL: no others. */
	bool (*also)(const char *key);
};

/* How strict json_check is. All zero: an unknown key is an error. */
struct json_rules {
	enum cni_code code;   /* of a wrong type; 0: CNI_INVALID_NETWORK_CONFIG */
	struct log *warn;     /* an unknown key is only a warning there (DEL) */
	bool unknown_allowed; /* unknown keys say nothing (an answer of somebody else) */
	bool releasing;       /* types do not matter in rows with `answer` set, nor inside them */
	bool any_type;        /* no type matters */
};

/*
 * Holds an object, or each object in a list, against a table. An unknown key is
 * CNI_UNSUPPORTED_FIELD and is named with the type of its value; a value of the wrong type is an
 * error with its whole path, such as ipam.routes[2].mtu. `path` is the object's own ("" for the
 * outermost). What is no object has no keys.
 */
int json_check(const cJSON *value, const struct json_key *keys, const char *path,
	       const struct json_rules *rules, struct err *e);

#endif
