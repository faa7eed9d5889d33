/* Two hashes for two purposes. SHA-256 names what must not be mistaken for something else: names of
 * cache entries, contents of headers. hash_bytes, many times faster, notices damage, not malice. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base.h"

enum { SHA256_SIZE = 32 };

struct sha256 {
    uint32_t state[8];
    uint64_t bytes; /* so far */
    uint8_t block[64];
};

/* init, add any number of times, end. Nothing fails. Thread-safety: one thread at a time per
 * struct. */
void sha256_init(struct sha256 *s);
void sha256_add(struct sha256 *s, const void *p, size_t len);
void sha256_end(struct sha256 *s, uint8_t out[SHA256_SIZE]);

/* Adds the length as well, so that ("ab", "c") and ("a", "bc") differ. */
void sha256_add_item(struct sha256 *s, const void *p, size_t len);
void sha256_add_text(struct sha256 *s, const char *text); /* NULL is unlike "" */
void sha256_add_number(struct sha256 *s, uint64_t value);

/* 64 characters and a NUL. */
void sha256_hex(char out[2 * SHA256_SIZE + 1], const uint8_t digest[SHA256_SIZE]);

/* A checksum: bytes of the same number that differ in one 8-byte word never have the same one.
 * About 4 bytes a cycle. */
uint64_t hash_bytes(const void *p, size_t len);

#endif
