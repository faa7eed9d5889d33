/* Text that grows. Running out of memory is remembered, so that callers check once. */
#include "str.h"

#include <stdio.h>
#include <string.h>

#include "alloc.h"

void str_fini(struct str *s)
{
    alloc_free(s->at);
    *s = (struct str){0};
}

void str_clear(struct str *s)
{
    s->len = 0;
    s->failed = false;
    if (s->at)
        s->at[0] = 0;
}

static bool reserve(struct str *s, size_t more)
{
    if (s->failed || more > SIZE_MAX / 4 || s->len > SIZE_MAX / 4)
        return !(s->failed = true);
    size_t need = s->len + more + 1;
    if (need <= s->cap)
        return true;
    size_t cap = MAX(MAX(need, s->cap * 2), 32);
    char *at = alloc_resize(s->at, cap);
    if (!at)
        return !(s->failed = true);
    s->at = at;
    s->cap = cap;
    return true;
}

void str_addn(struct str *s, const char *text, size_t len)
{
    if (!reserve(s, len))
        return;
    if (len)
        memcpy(s->at + s->len, text, len);
    s->len += len;
    s->at[s->len] = 0;
}

void str_add(struct str *s, const char *text)
{
    str_addn(s, text, strlen(text));
}

void str_addc(struct str *s, char c)
{
    str_addn(s, &c, 1);
}

void str_vaddf(struct str *s, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    if (len >= 0 && reserve(s, (size_t) len)) {
        vsnprintf(s->at + s->len, (size_t) len + 1, format, again);
        s->len += (size_t) len;
    }
    va_end(again);
}

void str_addf(struct str *s, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    str_vaddf(s, format, args);
    va_end(args);
}

const char *str_text(const struct str *s)
{
    return s->at ? s->at : "";
}

char *str_take(struct str *s)
{
    if (!s->at)
        str_add(s, "");
    char *out = s->failed ? NULL : s->at;
    if (out)
        *s = (struct str){0};
    else
        str_fini(s);
    return out;
}
