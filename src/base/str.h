/* Text that grows. Running out of memory is remembered: append freely, check `failed` once. */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdarg.h>

#include "base.h"

struct str {
    char *at; /* NUL-terminated once anything was added; NULL before */
    size_t len, cap;
    bool failed;
};

/* A zeroed struct is an empty text. Thread-safety: one thread at a time per text. */
void str_fini(struct str *s);
void str_clear(struct str *s); /* empties, keeps the memory, forgets a failure */
void str_add(struct str *s, const char *text);
void str_addn(struct str *s, const char *text, size_t len);
void str_addc(struct str *s, char c);
void str_addf(struct str *s, const char *format, ...) PRINTF_LIKE(2, 3);
void str_vaddf(struct str *s, const char *format, va_list args) PRINTF_LIKE(2, 0);

/* The text, never NULL: "" when nothing was added or memory ran out before the first byte. */
const char *str_text(const struct str *s);
/* Gives the text away (alloc_free it) and leaves `s` empty; NULL if memory was short. */
char *str_take(struct str *s);

#endif
