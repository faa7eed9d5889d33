/* Fat binaries and LZ4: what is right is read, and nothing of what is damaged reads or writes
 * outside its bytes. */
#include "base/alloc.h"
#include "base/lz4.h"
#include "driver/fatbin.h"
#include "test.h"

static void unpacks(const char *expected, const char *packed, size_t bytes)
{
    char out[64];
    size_t len = strlen(expected);
    REQUIRE(lz4_unpack(out, len, packed, bytes));
    REQUIRE_BYTES(out, expected, len);
    REQUIRE(!lz4_unpack(out, len + 1, packed, bytes));
    REQUIRE(!len || !lz4_unpack(out, len - 1, packed, bytes));
    for (size_t i = 0; i < bytes; i++) {
        char *part = malloc(i + 1); /* of its own, so that a read behind it is seen */
        memcpy(part, packed, i);
        lz4_unpack(out, len, part, i);
        free(part);
    }
}

static void lz4_is_unpacked(void)
{
    unpacks("", "\0", 1);
    unpacks("abc",
            "\x30"
            "abc",
            4);
    unpacks("abcabcabcabc!",
            "\x35"
            "abc"
            "\x03\x00"
            "\x10"
            "!",
            8);
    unpacks("aaaaaaaaaaaaaaaaaaaaaaaa.",
            "\x1f"
            "a"
            "\x01\x00\x04"
            "\x10"
            ".",
            7);
    unpacks("0123456789abcdefX",
            "\xf0\x02"
            "0123456789abcdefX",
            19);
}

static void damaged_lz4_is_refused(void)
{
    char out[16];
    REQUIRE(!lz4_unpack(out, 8, "", 0));
    REQUIRE(!lz4_unpack(out, 8,
                        "\x10"
                        "a"
                        "\x02\x00\x00",
                        5)); /* from before the beginning */
    REQUIRE(!lz4_unpack(out, 8,
                        "\x10"
                        "a"
                        "\x00\x00\x00",
                        5));                                 /* from itself */
    REQUIRE(!lz4_unpack(out, 8, "\xf0\xff\xff\xff\xff", 5)); /* a length without an end */
    REQUIRE(!lz4_unpack(out, 8,
                        "\x1f"
                        "a"
                        "\x01\x00\xff",
                        5));
}

enum { ENTRY = 64 };

static void put(unsigned char *at, uint64_t value, size_t bytes)
{
    memcpy(at, &value, bytes);
}

/* Two entries: PTX as it is, and a cubin packed by LZ4. */
static size_t make(unsigned char *out)
{
    static const char ptx[] = ".version", lz4[] = "\x34"
                                                  "ELF"
                                                  "\x03\x00"
                                                  "\x10"
                                                  "!";
    memset(out, 0, 512);
    put(out, 0xba55ed50, 4);
    put(out + 4, 1, 2);
    put(out + 6, 16, 2);
    put(out + 8, 2 * ENTRY + 16, 8);
    unsigned char *e = out + 16;
    put(e, DRV_FATBIN_PTX, 2);
    put(e + 4, ENTRY, 4);
    put(e + 8, 8, 8);
    put(e + 28, 75, 4);
    memcpy(e + ENTRY, ptx, 8);
    e += ENTRY + 8;
    put(e, DRV_FATBIN_ELF, 2);
    put(e + 4, ENTRY, 4);
    put(e + 8, 8, 8);
    put(e + 16, 8, 4);
    put(e + 28, 90, 4);
    put(e + 40, 0x2000, 8);
    put(e + 56, 12, 8);
    memcpy(e + ENTRY, lz4, 8);
    return 16 + 2 * ENTRY + 16;
}

static void entries_are_found(void)
{
    unsigned char bytes[512];
    struct drv_fatbin_entry e;
    const char *why;
    size_t size = make(bytes);
    REQUIRE(drv_is_fatbin(bytes, size));
    REQUIRE(drv_fatbin_entry(&e, bytes, size, 0));
    REQUIRE_INT(e.kind, ==, DRV_FATBIN_PTX);
    REQUIRE_INT(e.arch, ==, 75);
    char *text = drv_fatbin_unpack(&e, &why);
    REQUIRE_STR(text, ".version");
    alloc_free(text);
    REQUIRE(drv_fatbin_entry(&e, bytes, SIZE_MAX, 1));
    REQUIRE_INT(e.kind, ==, DRV_FATBIN_ELF);
    REQUIRE_INT(e.arch, ==, 90);
    text = drv_fatbin_unpack(&e, &why);
    REQUIRE_STR(text, "ELFELFELFEL!");
    alloc_free(text);
    REQUIRE(!drv_fatbin_entry(&e, bytes, SIZE_MAX, 2));
}

static void read_all(const unsigned char *bytes, size_t size)
{
    struct drv_fatbin_entry e;
    const char *why;
    for (size_t i = 0; drv_fatbin_entry(&e, bytes, size, i); i++)
        if (e.plain_bytes < 4096)
            alloc_free(drv_fatbin_unpack(&e, &why));
}

static void damage_stays_inside(void)
{
    unsigned char good[512];
    size_t size = make(good);
    for (size_t len = 0; len <= size; len++) {
        unsigned char *part = malloc(len + 1);
        memcpy(part, good, len);
        read_all(part, len);
        free(part);
    }
    unsigned char *bytes = malloc(size);
    for (size_t i = 4; i < size; i++)
        for (unsigned value = 0; value < 256; value += 15) {
            memcpy(bytes, good, size);
            bytes[i] = (unsigned char) value;
            read_all(bytes, size);
        }
    free(bytes);
}

int main(void)
{
    RUN(lz4_is_unpacked);
    RUN(damaged_lz4_is_refused);
    RUN(entries_are_found);
    RUN(damage_stays_inside);
    return 0;
}
