/* How parsing ends early: one message with its place, and a jump back to ptx_parse. */
#include <stdio.h>
#include <string.h>

#include "ptx/parse.h"

void parse_quote(char *out, size_t size, const struct token *t)
{
    if (t->kind == TOKEN_END) {
        snprintf(out, size, "the end of the text");
        return;
    }
    size_t len = MIN(t->len, 40), n = 0;
    const char *dot = t->kind == TOKEN_DOT ? "." : t->kind == TOKEN_STRING ? "\"" : "";
    n = (size_t) snprintf(out, size, "'%s", dot);
    for (size_t i = 0; i < len && n + 8 < size; i++) {
        unsigned char c = (unsigned char) t->at[i];
        if (c >= ' ' && c < 0x7f)
            out[n++] = (char) c;
        else
            n += (size_t) snprintf(out + n, size - n, "\\x%02x", c);
    }
    snprintf(out + n, size - n, "%s'", len < t->len ? "..." : "");
}

void parse_fail(struct parser *p, const struct token *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(p->diag->message, sizeof p->diag->message, format, args);
    va_end(args);
    t = t ? t : &p->tok;
    p->diag->line = t->line;
    p->diag->column = t->column;
    longjmp(p->bail, 1);
}

void parse_out_of_memory(struct parser *p)
{
    *p->diag = (struct ptx_diag){.message = "out of memory while reading PTX"};
    longjmp(p->bail, 1);
}

static void *checked(struct parser *p, void *memory)
{
    if (!memory)
        parse_out_of_memory(p);
    return memory;
}

void *parse_alloc(struct parser *p, size_t size)
{
    return checked(p, arena_alloc(&p->m->arena, size));
}

void *parse_alloc_array(struct parser *p, size_t count, size_t size)
{
    return checked(p, count > SIZE_MAX / 4 / size ? NULL : arena_alloc(&p->m->arena, count * size));
}

void *parse_copy(struct parser *p, const void *from, size_t size)
{
    return checked(p, arena_copy(&p->m->arena, from, size));
}

void *parse_scratch(struct parser *p, size_t size)
{
    return checked(p, arena_alloc(&p->scratch, size));
}
