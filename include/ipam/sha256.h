/* SHA-256, the one hash that is linked anyway. */
#ifndef IPAM_SHA256_H
#define IPAM_SHA256_H

#include <stdint.h>

#define SHA256_BYTES 32

/* The hash of some texts, the last one followed by NULL. Each counts with its NUL at the end, so
 * that "ab", "c" is not "a", "bc". */
void sha256_texts(const char *const *texts, uint8_t out[SHA256_BYTES]);

#endif
