/* SCRAM's key, against the vectors of the RFCs. Needs nothing. */
#include "unit.h"

#include "libpq/scram.h"

#include <limits.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>

static void assert_hi(const char *password, const char *salt, int rounds, const char *hex)
{
	uint8_t key[SCRAM_KEY_BYTES];
	char got[2 * SCRAM_KEY_BYTES + 1];

	assert_true(scram_hi(password, salt, strlen(salt), rounds, key));
	for (size_t i = 0; i < sizeof(key); i++)
		snprintf(got + 2 * i, 3, "%02x", key[i]);
	assert_string_equal(got, hex);
}

TEST(rfc_7914_one_round)
{
	assert_hi("passwd", "salt", 1,
		  "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc");
}

TEST(rfc_7914_many_rounds)
{
	assert_hi("Password", "NaCl", 80000,
		  "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56");
}

/* RFC 7677, section 3: from the password to the proof that the client sends. */
TEST(rfc_7677_proof)
{
	static const char auth[] =
		"n=user,r=rOprNGfwEbeRWgbNEkqO,"
		"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,"
		"i=4096,c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
	static const uint8_t salt[] = { 0x5b, 0x6d, 0x99, 0x68, 0x9d, 0x12, 0x35, 0x8e,
					0xec, 0xa0, 0x4b, 0x14, 0x12, 0x36, 0xfa, 0x81 };
	uint8_t salted[SCRAM_KEY_BYTES], client[SCRAM_KEY_BYTES], stored[SCRAM_KEY_BYTES];
	uint8_t signature[SCRAM_KEY_BYTES];
	uint8_t proof[64];

	assert_true(scram_hi("pencil", salt, sizeof(salt), 4096, salted));
	HMAC(EVP_sha256(), salted, sizeof(salted), (const uint8_t *)"Client Key", 10, client, NULL);
	EVP_Digest(client, sizeof(client), stored, NULL, EVP_sha256(), NULL);
	HMAC(EVP_sha256(), stored, sizeof(stored), (const uint8_t *)auth, strlen(auth), signature,
	     NULL);
	for (size_t i = 0; i < sizeof(client); i++)
		client[i] ^= signature[i];
	EVP_EncodeBlock(proof, client, sizeof(client));
	assert_string_equal((char *)proof, "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
}

/* A key as long as a hash block, and longer ones, which are hashed first; salts over a block's end.
 */
TEST(any_length_agrees_with_openssl)
{
	char password[200], salt[200];
	uint8_t ours[SCRAM_KEY_BYTES], theirs[SCRAM_KEY_BYTES];

	memset(password, 'p', sizeof(password));
	memset(salt, 's', sizeof(salt));
	for (size_t len = 0; len < sizeof(password); len++) {
		password[len] = '\0';
		assert_true(scram_hi(password, salt, len, 3, ours));
		PKCS5_PBKDF2_HMAC(password, (int)len, (uint8_t *)salt, (int)len, 3, EVP_sha256(),
				  sizeof(theirs), theirs);
		assert_memory_equal(ours, theirs, sizeof(ours));
		password[len] = 'p';
	}
}

TEST(a_server_cannot_ask_for_work_without_end)
{
	uint8_t key[SCRAM_KEY_BYTES];

	assert_false(scram_hi("p", "s", 1, SCRAM_ROUNDS_MAX + 1, key));
	assert_false(scram_hi("p", "s", 1, INT_MAX, key));
	assert_false(scram_hi("p", "s", 1, 0, key));
	assert_false(scram_hi("p", "s", 1, -1, key));
}
