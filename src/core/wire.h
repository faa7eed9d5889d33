/* Numbers and texts as bytes, for files and between processes of one machine: an item is a length
 * of 8 bytes and its bytes, filled up to 8. Numbers are written as the machine has them. */
#ifndef CORE_WIRE_H
#define CORE_WIRE_H

#include "base/str.h"

void wire_put_number(struct str *out, uint64_t value);
void wire_put_item(struct str *out, const void *p, size_t len);
/* With its NUL; NULL is kept apart from "". */
void wire_put_text(struct str *out, const char *text);
void wire_put_texts(struct str *out, const char *const *texts, size_t count);

/* Reads what was put. Past the end, and of what is malformed, nothing comes but zeros, and `bad` is
 * set. Texts and items lie in the bytes that are read. */
struct wire {
    const char *at, *end;
    bool bad;
    bool is_short; /* bad because memory was short, which who reads notes here */
};

uint64_t wire_number(struct wire *w);
const char *wire_item(struct wire *w, size_t *len);
/* NULL for a text that was NULL. `bytes` may be NULL. */
const char *wire_text(struct wire *w, size_t *bytes);
/* How many things of at least eight bytes follow; 0 and `bad` if there cannot be so many. */
size_t wire_count(struct wire *w);

#endif
