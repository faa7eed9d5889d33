/* SHA-256 against the published vectors, and what the checksum must notice. */
#include "base/hash.h"

#include "test.h"

static const char *digest_of(const void *p, size_t len, size_t step)
{
    static char hex[2 * SHA256_SIZE + 1];
    struct sha256 s;
    uint8_t digest[SHA256_SIZE];
    sha256_init(&s);
    for (size_t i = 0; i < len; i += step)
        sha256_add(&s, (const char *) p + i, MIN(step, len - i));
    sha256_end(&s, digest);
    sha256_hex(hex, digest);
    return hex;
}

static void published_vectors(void)
{
    static char million[1000000];
    const char *two = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    memset(million, 'a', sizeof million);
    REQUIRE_STR(digest_of("", 0, 1),
                "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    REQUIRE_STR(digest_of("abc", 3, 3),
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    REQUIRE_STR(digest_of(two, strlen(two), 64),
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    REQUIRE_STR(digest_of(million, sizeof million, sizeof million),
                "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void pieces_do_not_matter(void)
{
    char text[300], whole[2 * SHA256_SIZE + 1];
    for (size_t len = 0; len < sizeof text; len++) {
        text[len] = (char) (len * 7);
        memcpy(whole, digest_of(text, len, sizeof text), sizeof whole);
        for (size_t step = 1; step < 140; step += 13)
            REQUIRE_STR(digest_of(text, len, step), whole);
    }
}

static void items_keep_their_borders(void)
{
    const char *lists[][2] = {{"ab", "c"}, {"a", "bc"}, {"abc", ""}, {"", "abc"}, {NULL, "abc"}};
    uint8_t digests[ARRAY_LEN(lists)][SHA256_SIZE];
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        struct sha256 s;
        sha256_init(&s);
        sha256_add_text(&s, lists[i][0]);
        sha256_add_text(&s, lists[i][1]);
        sha256_end(&s, digests[i]);
        for (size_t j = 0; j < i; j++)
            REQUIRE(memcmp(digests[i], digests[j], SHA256_SIZE) != 0);
    }
}

static void any_bit_changes_the_checksum(void)
{
    uint8_t bytes[67];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t) (i * 31);
    uint64_t sum = hash_bytes(bytes, sizeof bytes);
    for (size_t bit = 0; bit < 8 * sizeof bytes; bit++) {
        bytes[bit / 8] ^= (uint8_t) (1 << bit % 8);
        REQUIRE(hash_bytes(bytes, sizeof bytes) != sum);
        bytes[bit / 8] ^= (uint8_t) (1 << bit % 8);
    }
    for (size_t len = 0; len < sizeof bytes; len++)
        REQUIRE(hash_bytes(bytes, len) != sum);
    memset(bytes, 0, sizeof bytes);
    for (size_t len = 1; len < sizeof bytes; len++) /* zeros count */
        REQUIRE(hash_bytes(bytes, len) != hash_bytes(bytes, len - 1));
}

int main(void)
{
    RUN(published_vectors);
    RUN(pieces_do_not_matter);
    RUN(items_keep_their_borders);
    RUN(any_bit_changes_the_checksum);
    return 0;
}
