/* SHA-256 as FIPS 180-4 gives it, without tricks, and a checksum that multiplies and shifts. No
 * other hash is needed. */
#include "hash.h"

#include <string.h>

static const uint32_t first_state[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                        0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

static const uint32_t round_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotate(uint32_t x, int n)
{
    return x >> n | x << (32 - n);
}

static uint32_t read_big(const uint8_t *p)
{
    return (uint32_t) p[0] << 24 | (uint32_t) p[1] << 16 | (uint32_t) p[2] << 8 | p[3];
}

static void expand(uint32_t w[64], const uint8_t *p)
{
    for (int i = 0; i < 16; i++)
        w[i] = read_big(p + 4 * i);
    for (int i = 16; i < 64; i++) {
        uint32_t a = w[i - 15], b = w[i - 2];
        uint32_t low = rotate(a, 7) ^ rotate(a, 18) ^ a >> 3;
        uint32_t high = rotate(b, 17) ^ rotate(b, 19) ^ b >> 10;
        w[i] = w[i - 16] + low + w[i - 7] + high;
    }
}

static void compress(uint32_t state[8], const uint8_t *p)
{
    uint32_t w[64], s[8];
    expand(w, p);
    memcpy(s, state, sizeof s);
    for (int i = 0; i < 64; i++) {
        uint32_t a = s[0], e = s[4];
        uint32_t choice = (e & s[5]) ^ (~e & s[6]);
        uint32_t majority = (a & s[1]) ^ (a & s[2]) ^ (s[1] & s[2]);
        uint32_t t = s[7] + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + choice +
                     round_constants[i] + w[i];
        memmove(s + 1, s, 7 * sizeof *s);
        s[4] += t;
        s[0] = t + (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + majority;
    }
    for (int i = 0; i < 8; i++)
        state[i] += s[i];
}

void sha256_init(struct sha256 *s)
{
    memcpy(s->state, first_state, sizeof s->state);
    s->bytes = 0;
}

void sha256_add(struct sha256 *s, const void *p, size_t len)
{
    const uint8_t *at = p;
    size_t held = s->bytes % 64;
    s->bytes += len;
    if (held) {
        size_t part = MIN(64 - held, len);
        memcpy(s->block + held, at, part);
        at += part;
        len -= part;
        if (held + part < 64)
            return;
        compress(s->state, s->block);
    }
    for (; len >= 64; at += 64, len -= 64)
        compress(s->state, at);
    if (len)
        memcpy(s->block, at, len);
}

void sha256_end(struct sha256 *s, uint8_t out[SHA256_SIZE])
{
    static const uint8_t padding[64] = {0x80};
    uint64_t bits = s->bytes * 8;
    uint8_t length[8];
    for (int i = 0; i < 8; i++)
        length[i] = (uint8_t) (bits >> (56 - 8 * i));
    sha256_add(s, padding, 1 + (119 - s->bytes % 64) % 64);
    sha256_add(s, length, sizeof length);
    for (int i = 0; i < SHA256_SIZE; i++)
        out[i] = (uint8_t) (s->state[i / 4] >> (24 - 8 * (i % 4)));
}

void sha256_add_number(struct sha256 *s, uint64_t value)
{
    sha256_add(s, &value, sizeof value);
}

void sha256_add_item(struct sha256 *s, const void *p, size_t len)
{
    sha256_add_number(s, len);
    sha256_add(s, p, len);
}

void sha256_add_text(struct sha256 *s, const char *text)
{
    if (text)
        sha256_add_item(s, text, strlen(text));
    else
        sha256_add_number(s, UINT64_MAX);
}

void sha256_hex(char out[2 * SHA256_SIZE + 1], const uint8_t digest[SHA256_SIZE])
{
    for (int i = 0; i < SHA256_SIZE; i++) {
        out[2 * i] = "0123456789abcdef"[digest[i] >> 4];
        out[2 * i + 1] = "0123456789abcdef"[digest[i] & 15];
    }
    out[2 * SHA256_SIZE] = 0;
}

/* Each step is a bijection of the state for a given word, and of the word for a given state. */
static uint64_t mix(uint64_t state, uint64_t word)
{
    state = (state ^ word) * 0x9e3779b97f4a7c15u;
    return state ^ state >> 32;
}

uint64_t hash_bytes(const void *p, size_t len)
{
    const uint8_t *at = p;
    uint64_t state = mix(0, len), word;
    for (; len >= sizeof word; at += sizeof word, len -= sizeof word) {
        memcpy(&word, at, sizeof word);
        state = mix(state, word);
    }
    word = 0;
    if (len)
        memcpy(&word, at, len);
    return mix(state, word);
}
