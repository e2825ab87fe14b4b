/*
 * The plain functions of OpenSSL, which it calls deprecated: the newer ones, and the one that does
 * all in one call, start the whole library first, and that takes longer than an ADD's own work.
 */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "ipam/ipam.h"

#include <openssl/sha.h>
#include <string.h>

void sha256_texts(const char *const *texts, uint8_t out[SHA256_BYTES])
{
	SHA256_CTX state;

	SHA256_Init(&state);
	for (; *texts; texts++)
		SHA256_Update(&state, *texts, strlen(*texts) + 1);
	SHA256_Final(out, &state);
}
