/* The costly part of a password login, done cheaply. */
#ifndef LIBPQ_SCRAM_H
#define LIBPQ_SCRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	SCRAM_KEY_BYTES = 32,
	SCRAM_ROUNDS_MAX = 5000000, /* about a second; servers ask for 4096 unless told otherwise */
};

/*
 * PBKDF2 with HMAC-SHA-256 and one block of output (RFC 8018; Hi() of RFC 5802). False if the
 * rounds are not between 1 and SCRAM_ROUNDS_MAX: they are the server's word, and no wait is without
 * an end.
 */
bool scram_hi(const char *password, const void *salt, size_t salt_len, int rounds,
	      uint8_t key[SCRAM_KEY_BYTES]);

#endif
