/* Numbers and texts as bytes, and back. What they mean is their reader's business. */
#include "core/wire.h"

#include <string.h>

void wire_put_number(struct str *out, uint64_t value)
{
    str_addn(out, (const char *) &value, sizeof value);
}

void wire_put_item(struct str *out, const void *p, size_t len)
{
    wire_put_number(out, len);
    str_addn(out, p ? p : "", len);
    str_addn(out, "\0\0\0\0\0\0\0", (8 - len % 8) % 8);
}

void wire_put_text(struct str *out, const char *text)
{
    wire_put_item(out, text ? text : "", text ? strlen(text) + 1 : 0);
}

void wire_put_texts(struct str *out, const char *const *texts, size_t count)
{
    wire_put_number(out, count);
    for (size_t i = 0; i < count; i++)
        wire_put_text(out, texts[i]);
}

uint64_t wire_number(struct wire *w)
{
    uint64_t value = 0;
    if (w->end - w->at < (ptrdiff_t) sizeof value)
        w->bad = true;
    if (w->bad)
        return 0;
    memcpy(&value, w->at, sizeof value);
    w->at += sizeof value;
    return value;
}

const char *wire_item(struct wire *w, size_t *len)
{
    uint64_t size = wire_number(w);
    uint64_t left = (uint64_t) (w->end - w->at);
    *len = 0;
    if (w->bad || size > left || ALIGN_UP(size, 8) > left) {
        w->bad = true;
        return NULL;
    }
    const char *item = w->at;
    w->at += ALIGN_UP(size, 8);
    *len = (size_t) size;
    return item;
}

const char *wire_text(struct wire *w, size_t *bytes)
{
    size_t len;
    const char *text = wire_item(w, &len);
    if (bytes)
        *bytes = len ? len - 1 : 0;
    if (len && memchr(text, 0, len) != text + len - 1)
        w->bad = true;
    return len && !w->bad ? text : NULL;
}

size_t wire_count(struct wire *w)
{
    uint64_t count = wire_number(w);
    if (count > (uint64_t) (w->end - w->at) / 8)
        w->bad = true;
    return w->bad ? 0 : (size_t) count;
}
