/*
 * What went wrong: one error, on the caller's stack, that becomes the CNI error object.
 *
 * The function that finds the error fills it in once and returns -1; its callers return that -1 and
 * at most put words in front (err_wrap). What a caller has to decide on is not an error but data.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdbool.h>
#include <stddef.h>

/* The codes of the CNI specification (section "Error") and, from 100 on, our own. */
enum cni_code {
	CNI_INCOMPATIBLE_VERSION = 1,   /* protocol version, or a verb that it does not have */
	CNI_UNSUPPORTED_FIELD = 2,      /* an unknown key of the configuration */
	CNI_INVALID_ENVIRONMENT = 4,    /* missing or invalid environment variable */
	CNI_IO_FAILURE = 5,             /* input/output, or a delegate without an error object */
	CNI_DECODING_FAILURE = 6,       /* stdin is not JSON, or not an object */
	CNI_INVALID_NETWORK_CONFIG = 7, /* invalid network configuration or request */
	CNI_INVALID_NETNS = 8,          /* CNI_NETNS is the plugin's own */
	CNI_TRY_AGAIN_LATER = 11,       /* try again later */
	CNI_PLUGIN_NOT_AVAILABLE = 50,  /* STATUS: cannot serve ADD */
	CNI_ADDRESS_IN_USE = 100,       /* another attachment holds the address */
	CNI_ALLOCATION_MISMATCH = 101,  /* the attachment holds other addresses */
	CNI_CHECK_FAILED = 102,         /* CHECK: what is recorded differs */
	CNI_SET_FULL = 103              /* no address is left in a range set */
};

#define ERR_TEXT 1024

struct err {
	enum cni_code code; /* 0: nothing was set */
	char msg[ERR_TEXT], details[ERR_TEXT];
};

/*
 * Sets the error. Text that is too long is cut between two characters; control characters become
 * blanks and invalid UTF-8 becomes '?', so that both texts are one line and valid in JSON.
 * Always returns -1, so that a function can end with `return err_set(...)`.
 */
int err_set(struct err *e, enum cni_code code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Adds details to an error that is set. Always returns -1. */
int err_details(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Puts words and ": " in front of the message. Always returns -1. */
int err_wrap(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Makes text a single line of valid UTF-8, in place, as err_set does. */
void sanitize_line(char *text);

/* ---- UTF-8 ---- */

/* Bytes of the character at `text`, of which `left` (1 or more) may be read; 0: not valid UTF-8. */
size_t utf8_char(const char *text, size_t left);

/* Is the character of that length (see utf8_char) a control character (C0, DEL, C1)? */
bool utf8_control(const char *text, size_t len);

/* Is the whole text valid UTF-8? */
bool utf8_valid(const char *text);

/* Text was cut at `len`: shortens it so that its last character is whole. */
void utf8_whole(char *text, size_t len);

#endif
