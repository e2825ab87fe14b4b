/*
 * Two functions of libpq at a fraction of their cost, for the static build. Most of the time that a
 * client needs for logging in goes into SCRAM's 4096 rounds and into starting OpenSSL. libpq does
 * each round with a new HMAC through OpenSSL's top layer; here the key goes into the hash state
 * once, and a round is the two compressions that are left. Random numbers come from the kernel, so
 * that OpenSSL is not started at all unless TLS is used.
 *
 * The linker's --wrap puts the two in place of libpq's (Makefile, PQ_WRAP).
 */

/* OpenSSL 3 calls the plain hash functions deprecated, in favour of those that have to be started
 * first. */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "libpq/scram.h"

#include <endian.h>
#include <errno.h>
#include <openssl/sha.h>
#include <pg_config.h>
#include <string.h>
#include <sys/random.h>

enum {
	WORDS = SCRAM_KEY_BYTES / 4,
	BLOCK_BYTES = SHA256_CBLOCK,
};

/* The states after the key's block: where every HMAC with this key goes on. */
struct hmac {
	SHA256_CTX inner, outer;
};

/* A hash's second and last block: its message, then SHA-256's padding for 64 + 32 bytes. */
union block {
	uint32_t word[BLOCK_BYTES / 4];
	uint8_t byte[BLOCK_BYTES];
};

static void hmac_key(struct hmac *hmac, const void *password, size_t len)
{
	uint8_t key[BLOCK_BYTES] = { 0 };

	if (len > sizeof(key))
		SHA256(password, len, key);
	else
		memcpy(key, password, len);
	for (size_t i = 0; i < sizeof(key); i++)
		key[i] ^= 0x36;
	SHA256_Init(&hmac->inner);
	SHA256_Update(&hmac->inner, key, sizeof(key));
	for (size_t i = 0; i < sizeof(key); i++)
		key[i] ^= 0x36 ^ 0x5c;
	SHA256_Init(&hmac->outer);
	SHA256_Update(&hmac->outer, key, sizeof(key));
	explicit_bzero(key, sizeof(key));
}

static void pad(union block *block)
{
	memset(block, 0, sizeof(*block));
	block->byte[SCRAM_KEY_BYTES] = 0x80;
	block->word[BLOCK_BYTES / 4 - 1] = htobe32((BLOCK_BYTES + SCRAM_KEY_BYTES) * 8);
}

/* One compression: the block is replaced by the hash of what led to the state, and of itself. */
static void compress(const SHA256_CTX *from, union block *block)
{
	SHA256_CTX state;

	memcpy(state.h, from->h, sizeof(state.h));
	SHA256_Transform(&state, block->byte);
	for (size_t i = 0; i < WORDS; i++)
		block->word[i] = htobe32(state.h[i]);
}

/* The first round's message is the salt and the block's number, 1: of any length. */
static void first_round(const struct hmac *hmac, const void *salt, size_t salt_len,
			union block *block)
{
	static const uint8_t number[] = { 0, 0, 0, 1 };
	SHA256_CTX state = hmac->inner;

	SHA256_Update(&state, salt, salt_len);
	SHA256_Update(&state, number, sizeof(number));
	SHA256_Final(block->byte, &state);
	compress(&hmac->outer, block);
}

bool scram_hi(const char *password, const void *salt, size_t salt_len, int rounds,
	      uint8_t key[SCRAM_KEY_BYTES])
{
	struct hmac hmac;
	union block block;
	uint32_t sum[WORDS];

	if (rounds < 1 || rounds > SCRAM_ROUNDS_MAX)
		return false;
	hmac_key(&hmac, password, strlen(password));
	pad(&block);
	first_round(&hmac, salt, salt_len, &block);
	memcpy(sum, block.word, sizeof(sum));
	for (int round = 1; round < rounds; round++) {
		compress(&hmac.inner, &block);
		compress(&hmac.outer, &block);
		for (size_t i = 0; i < WORDS; i++)
			sum[i] ^= block.word[i];
	}
	memcpy(key, sum, sizeof(sum));
	explicit_bzero(&hmac, sizeof(hmac));
	explicit_bzero(&block, sizeof(block));
	explicit_bzero(sum, sizeof(sum));
	return true;
}

/*
 * libpq's side. Its declarations are in headers that are not installed; PostgreSQL 16 put the kind
 * of hash and its length in, of which there is one.
 */
#if PG_MAJORVERSION_NUM >= 16
#define HASH_KIND __attribute__((unused)) int kind, __attribute__((unused)) int key_len,
#else
#define HASH_KIND
#endif

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp): ld wants these names */
int __wrap_scram_SaltedPassword(const char *password, HASH_KIND const char *salt, int salt_len,
				int rounds, uint8_t *key, const char **errstr);
bool __wrap_pg_strong_random(void *buf, size_t len);
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

int __wrap_scram_SaltedPassword(const char *password, HASH_KIND const char *salt, int salt_len,
				int rounds, uint8_t *key, const char **errstr)
{
	if (scram_hi(password, salt, (size_t)salt_len, rounds, key))
		return 0;
	*errstr = "the server asks for more SCRAM iterations than this client does";
	return -1;
}

bool __wrap_pg_strong_random(void *buf, size_t len)
{
	uint8_t *at = buf;

	while (len > 0) {
		ssize_t got = getrandom(at, len, 0);

		if (got < 0 && errno != EINTR)
			return false;
		if (got > 0) {
			at += got;
			len -= (size_t)got;
		}
	}
	return true;
}
