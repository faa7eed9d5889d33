/* Unpacks LZ4's block format (LZ4 Block Format Description, 2022): literals, then a copy from what
 * was written before, again and again. Input may be anything at all. */
#include "base/lz4.h"

#include <string.h>

struct reader {
    const unsigned char *at, *end;
    bool bad;
};

static size_t byte(struct reader *r)
{
    r->bad |= r->at == r->end;
    return r->bad ? 0 : *r->at++;
}

/* A length of 15 goes on in bytes, up to one below 255. */
static size_t length(struct reader *r, size_t nibble)
{
    size_t len = nibble, more = 255;
    while (nibble == 15 && more == 255 && !r->bad)
        len += more = byte(r);
    return len;
}

bool lz4_unpack(void *to, size_t to_bytes, const void *from, size_t from_bytes)
{
    struct reader r = {from, (const unsigned char *) from + from_bytes, false};
    unsigned char *start = to, *out = start, *end = start + to_bytes;
    for (;;) {
        size_t token = byte(&r), literals = length(&r, token >> 4);
        if (r.bad || literals > (size_t) (r.end - r.at) || literals > (size_t) (end - out))
            return false;
        memcpy(out, r.at, literals);
        out += literals;
        r.at += literals;
        if (r.at == r.end) /* the last sequence has no copy */
            return out == end;
        size_t offset = byte(&r);
        offset |= byte(&r) << 8;
        size_t copied = length(&r, token & 15) + 4;
        if (r.bad || !offset || offset > (size_t) (out - start) || copied > (size_t) (end - out))
            return false;
        for (; copied; copied--, out++)
            *out = out[-(ptrdiff_t) offset]; /* it may overlap: a repetition */
    }
}
