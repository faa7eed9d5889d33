/* Reads fat binaries: a header of 16 bytes, then entries, each a header of its own and a payload
 * that is plain or packed by LZ4 or zstd. The latter is unpacked by the library libzstd, which is
 * loaded when first needed. Nothing outside the image is read. */
#include "driver/fatbin.h"

#include <dlfcn.h>
#include <string.h>

#include "base/alloc.h"
#include "base/base.h"
#include "base/lz4.h"

enum {
    HEADER = 16,
    ENTRY_HEADER = 64, /* of an entry, at least */
    IS_LZ4 = 0x2000,
    IS_ZSTD = 0x8000,
};

/* Beyond it is damage. */
static const uint64_t most_bytes = (uint64_t) 1 << 31;

static uint64_t number(const char *at, size_t bytes)
{
    uint64_t value = 0;
    memcpy(&value, at, bytes); /* little end first, as the machines that have such drivers */
    return value;
}

bool drv_is_fatbin(const void *image, size_t bytes)
{
    static const unsigned char magic[] = {0x50, 0xed, 0x55, 0xba};
    return bytes >= HEADER && memcmp(image, magic, sizeof magic) == 0;
}

static bool read_entry(struct drv_fatbin_entry *out, const char *at, uint64_t header, uint64_t size)
{
    uint64_t flags = number(at + 40, 8), packed = number(at + 16, 4), plain = number(at + 56, 8);
    *out = (struct drv_fatbin_entry){.kind = (int) number(at, 2),
                                     .arch = (unsigned) number(at + 28, 4),
                                     .data = at + header,
                                     .bytes = (size_t) size,
                                     .plain_bytes = (size_t) size};
    if (!(flags & (IS_LZ4 | IS_ZSTD)))
        return true;
    out->packing = flags & IS_LZ4 ? DRV_FATBIN_LZ4 : DRV_FATBIN_ZSTD;
    out->bytes = (size_t) packed; /* the rest fills it up */
    out->plain_bytes = (size_t) plain;
    return packed <= size && plain <= most_bytes;
}

bool drv_fatbin_entry(struct drv_fatbin_entry *out, const void *image, size_t bytes, size_t i)
{
    const char *start = image;
    if (!drv_is_fatbin(image, bytes))
        return false;
    uint64_t at = number(start + 6, 2), left = number(start + 8, 8);
    if (at < HEADER || at > bytes)
        return false;
    left = MIN(left, bytes - at);
    for (;; i--) {
        if (left < ENTRY_HEADER)
            return false;
        uint64_t header = number(start + at + 4, 4), size = number(start + at + 8, 8);
        if (header < ENTRY_HEADER || header > left || size > left - header)
            return false;
        if (!i)
            return read_entry(out, start + at, header, size);
        at += header + size;
        left -= header + size;
    }
}

/* --- what is packed --- */

static bool unpack_zstd(char *to, const struct drv_fatbin_entry *e, const char **why)
{
    size_t (*decompress)(void *, size_t, const void *, size_t) = NULL;
    void *library = dlopen("libzstd.so.1", RTLD_NOW | RTLD_LOCAL), *symbol = NULL;
    if (library)
        symbol = dlsym(library, "ZSTD_decompress");
    memcpy(&decompress, &symbol, sizeof decompress);
    bool done = decompress && decompress(to, e->plain_bytes, e->data, e->bytes) == e->plain_bytes;
    *why = decompress ? "what is packed there is damaged"
                      : "it is packed by zstd, and the library libzstd.so.1 is not installed: "
                        "install it (libzstd1), or make the fat binary with -compress-mode=speed "
                        "or without compression";
    if (library)
        dlclose(library);
    return done;
}

char *drv_fatbin_unpack(const struct drv_fatbin_entry *e, const char **why)
{
    bool done = true;
    *why = NULL;
    char *out = alloc_new(e->plain_bytes + 1);
    if (!out)
        return NULL;
    switch (e->packing) {
    case DRV_FATBIN_PLAIN:
        memcpy(out, e->data, e->bytes);
        break;
    case DRV_FATBIN_LZ4:
        done = lz4_unpack(out, e->plain_bytes, e->data, e->bytes);
        *why = "what is packed there is damaged";
        break;
    case DRV_FATBIN_ZSTD:
        done = unpack_zstd(out, e, why);
        break;
    }
    out[e->plain_bytes] = 0;
    if (!done)
        alloc_free(out);
    return done ? out : NULL;
}
