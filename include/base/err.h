/* What went wrong: one error, on the caller's stack, that becomes the CNI error object. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

/* The codes of the CNI specification (section "Error") and, from 100 on, our own. */
enum cni_code {
	CNI_INCOMPATIBLE = 1,      /* protocol version, or a verb that it does not have */
	CNI_UNSUPPORTED_FIELD = 2, /* names key and value */
	CNI_ENV = 4,               /* missing or invalid environment variable */
	CNI_IO = 5,            /* input/output, or a delegate that fails without an error object */
	CNI_DECODE = 6,        /* stdin is not JSON, or not an object */
	CNI_CONFIG = 7,        /* invalid network configuration or request */
	CNI_NETNS = 8,         /* CNI_NETNS is the plugin's own */
	CNI_AGAIN = 11,        /* try again later */
	CNI_NOT_READY = 50,    /* STATUS: cannot serve ADD */
	CNI_HELD = 100,        /* address held by another attachment */
	CNI_HOLDS_OTHER = 101, /* the attachment holds other addresses */
	CNI_DIFFERS = 102      /* CHECK: the reservation differs */
};

struct err {
	enum cni_code code; /* 0: nothing was set */
	char msg[1024];
	char details[1024];
};

/*
 * Sets the error. What does not fit is cut at a character's boundary; control characters become
 * blanks and invalid UTF-8 becomes '?', so that both texts are one line of valid JSON string.
 * Always returns -1, so that a function can end with `return err_set(...)`.
 */
int err_set(struct err *e, enum cni_code code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Adds details to an error that is set. Always returns -1. */
int err_details(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Puts words and ": " in front of the message. Always returns -1. */
int err_wrap(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The error object (CNI specification, section "Error"), owned by the caller. `version` may be
 * NULL: then the newest. NULL only without memory. */
char *err_json(const struct err *e, const char *version);

/* Makes text a single line of valid UTF-8, in place: see err_set. */
void err_one_line(char *text);

#endif
