/* Text to tokens, and spellings to names. Knows no grammar but that of a single token; the one
 * exception is an instruction's name, which is taken whole with its modifiers so that each spelling
 * is analysed once. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ptx/parse.h"

enum { C_SPACE = 1, C_DIGIT = 2, C_NAME = 4, C_START = 8, C_HEX = 16 };

static ALWAYS_INLINE unsigned char_class(char ch)
{
    unsigned char c = (unsigned char) ch;
    if (c >= '0' && c <= '9')
        return C_DIGIT | C_NAME | C_HEX;
    unsigned lower = c | 0x20u;
    if (lower >= 'a' && lower <= 'z')
        return C_NAME | C_START | (lower <= 'f' ? C_HEX : 0);
    if (c == '_' || c == '$' || c >= 0x80)
        return C_NAME | C_START;
    return c == '%' ? C_START : c == ' ' || (c >= '\t' && c <= '\r') ? C_SPACE : 0;
}

static bool is_name(const struct parser *p, const char *at)
{
    return at < p->end && char_class(*at) & C_NAME;
}

static void token_start(struct parser *p)
{
    p->tok = (struct token){.at = p->at, .line = p->line};
    p->tok.column = (uint32_t) (p->at - p->line_start) + 1;
}

static void skip_block_comment(struct parser *p)
{
    token_start(p);
    p->tok.len = 2;
    for (p->at += 2;; p->at++) {
        if (p->end - p->at < 2)
            parse_fail(p, NULL, "this comment has no end");
        if (p->at[0] == '*' && p->at[1] == '/')
            break;
        if (*p->at == '\n') {
            p->line++;
            p->line_start = p->at + 1;
        }
    }
    p->at += 2;
}

static void skip_blanks(struct parser *p)
{
    for (; p->at < p->end; p->at++) {
        while (*p->at == '/' && p->end - p->at >= 2 && (p->at[1] == '/' || p->at[1] == '*')) {
            if (p->at[1] == '*') {
                skip_block_comment(p);
            } else {
                const char *eol = memchr(p->at, '\n', (size_t) (p->end - p->at));
                p->at = eol ? eol : p->end;
            }
            if (p->at >= p->end)
                return;
        }
        if (*p->at == '\n') {
            p->line++;
            p->line_start = p->at + 1;
        } else if (!(char_class(*p->at) & C_SPACE)) {
            return;
        }
    }
}

/* ---- names ---- */

static uint32_t hash_name(const char *s, size_t len)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < len; i++)
        h = (h ^ (unsigned char) s[i]) * 16777619u;
    return h ^ h >> 15;
}

static void grow_syms(struct parser *p)
{
    size_t cap = p->sym_cap ? p->sym_cap * 2 : 1024;
    struct sym **slots = alloc_zero(cap, sizeof *slots);
    if (!slots)
        parse_out_of_memory(p);
    for (size_t i = 0; i < p->sym_cap; i++) {
        if (!p->syms[i])
            continue;
        size_t at = p->syms[i]->hash & (cap - 1);
        while (slots[at])
            at = (at + 1) & (cap - 1);
        slots[at] = p->syms[i];
    }
    alloc_free(p->syms);
    p->syms = slots;
    p->sym_cap = cap;
}

/* %r12 is register 12 of the family %r; %r012 and %r99999999999 are plain names. */
static void split_number(struct parser *p, struct sym *s)
{
    uint32_t first = s->len;
    while (first > 0 && s->name[first - 1] >= '0' && s->name[first - 1] <= '9')
        first--;
    uint32_t digits = s->len - first;
    if (first == 0 || digits == 0 || digits > 9 || (s->name[first] == '0' && digits > 1))
        return;
    for (uint32_t i = first; i < s->len; i++)
        s->number = s->number * 10 + (uint32_t) (s->name[i] - '0');
    s->prefix = lex_intern(p, s->name, first);
}

struct sym *lex_intern(struct parser *p, const char *name, size_t len)
{
    if (p->sym_count * 2 >= p->sym_cap)
        grow_syms(p);
    uint32_t hash = hash_name(name, len);
    size_t at = hash & (p->sym_cap - 1);
    for (struct sym *s; (s = p->syms[at]); at = (at + 1) & (p->sym_cap - 1))
        if (s->hash == hash && s->len == len && memcmp(s->name, name, len) == 0)
            return s;
    struct sym *s = parse_scratch(p, sizeof *s);
    char *copy = arena_string(&p->m->arena, name, len);
    if (!copy)
        parse_out_of_memory(p);
    *s = (struct sym){.name = copy, .len = (uint32_t) len, .hash = hash};
    p->syms[at] = s;
    p->sym_count++;
    if (char_class(name[len - 1]) & C_DIGIT)
        split_number(p, s);
    return s;
}

static void lex_name(struct parser *p)
{
    const char *start = p->at++;
    while (is_name(p, p->at))
        p->at++;
    p->tok.kind = TOKEN_NAME;
    p->tok.len = (uint32_t) (p->at - start);
    p->tok.sym = lex_intern(p, start, p->tok.len);
}

/* One word after a dot: letters and digits, joined by "::". */
static const char *dotted_end(const struct parser *p, const char *at)
{
    for (;; at += 2) {
        while (is_name(p, at))
            at++;
        if (p->end - at < 3 || at[0] != ':' || at[1] != ':' || !is_name(p, at + 2))
            return at;
    }
}

struct sym *lex_mnemonic(struct parser *p)
{
    const char *start = p->tok.at, *at = p->at;
    while (at < p->end && *at == '.')
        at = dotted_end(p, at + 1);
    p->at = at;
    struct sym *sym = lex_intern(p, start, (size_t) (at - start));
    lex_next(p);
    while (p->tok.kind == TOKEN_DOT) { /* "ld .global": rare */
        size_t len = sym->len + 1 + p->tok.len;
        char *joined = parse_scratch(p, len);
        memcpy(joined, sym->name, sym->len);
        joined[sym->len] = '.';
        memcpy(joined + sym->len + 1, p->tok.at, p->tok.len);
        sym = lex_intern(p, joined, len);
        lex_next(p);
    }
    return sym;
}

/* ---- numbers ---- */

static uint64_t digits_value(struct parser *p, const char *at, const char *end, unsigned base)
{
    uint64_t value = 0;
    for (; at < end; at++) {
        unsigned c = (unsigned char) *at, digit = c <= '9' ? c - '0' : (c | 0x20u) - 'a' + 10;
        if (digit >= base)
            parse_fail(p, NULL, "'%c' is no digit of a number of base %u", (char) c, base);
        if (value > (UINT64_MAX - digit) / base)
            parse_fail(p, NULL, "this number does not fit in 64 bits");
        value = value * base + digit;
    }
    return value;
}

/* 0f and 8 digits, 0d and 16: the bits of a float. */
static void lex_bits(struct parser *p, unsigned digits)
{
    const char *start = p->at + 2, *at = start;
    while (at < p->end && char_class(*at) & C_HEX)
        at++;
    p->tok.len = (uint32_t) (at - p->at);
    if (at - start != (int) digits || is_name(p, at))
        parse_fail(p, NULL, "a number that begins '0%c' has %u hexadecimal digits", p->at[1],
                   digits);
    p->tok.kind = digits == 8 ? TOKEN_F32 : TOKEN_F64;
    p->tok.value = digits_value(p, start, at, 16);
    p->at = at;
}

/* The exponent [at, end) of a decimal float, cut to what can matter. */
static long exponent_value(const char *at, const char *end)
{
    bool minus = *at == '-';
    long value = 0;
    for (at += minus || *at == '+'; at < end; at++)
        value = MIN(value * 10 + (*at - '0'), 99999);
    return minus ? -value : value;
}

/* Ends with the value of 12.5e-3. Without its point strtod needs no locale: 125e-4. */
static void lex_decimal_float(struct parser *p, const char *end)
{
    char text[512];
    size_t len = 0;
    long exponent = 0;
    const char *at = p->at;
    for (bool fraction = false; at < end && (*at | 0x20) != 'e'; at++) {
        if (*at == '.') {
            fraction = true;
            continue;
        }
        if (len == 480)
            parse_fail(p, NULL, "this number has too many digits");
        text[len++] = *at;
        exponent -= fraction;
    }
    if (at < end)
        exponent += exponent_value(at + 1, end);
    snprintf(text + len, sizeof text - len, "e%ld", exponent);
    double value = strtod(text, NULL);
    memcpy(&p->tok.value, &value, sizeof value);
    p->tok.kind = TOKEN_F64;
    p->tok.len = (uint32_t) (end - p->at);
    p->at = end;
}

/* Where a decimal float that begins here ends; NULL if none does. */
static const char *float_end(const struct parser *p)
{
    const char *at = p->at;
    while (at < p->end && char_class(*at) & C_DIGIT)
        at++;
    bool is_float = at < p->end && *at == '.';
    if (is_float)
        for (at++; at < p->end && char_class(*at) & C_DIGIT;)
            at++;
    if (at < p->end && (*at | 0x20) == 'e') {
        const char *digits = at + 1;
        if (digits < p->end && (*digits == '+' || *digits == '-'))
            digits++;
        if (digits < p->end && char_class(*digits) & C_DIGIT) {
            for (at = digits, is_float = true; at < p->end && char_class(*at) & C_DIGIT;)
                at++;
        }
    }
    return is_float ? at : NULL;
}

static void lex_number(struct parser *p)
{
    const char *start = p->at, *at = start;
    char second = p->end - start >= 2 && start[0] == '0' ? (char) (start[1] | 0x20) : 0;
    if (second == 'f' || second == 'd') {
        lex_bits(p, second == 'f' ? 8 : 16);
        return;
    }
    const char *end = second == 'x' || second == 'b' ? NULL : float_end(p);
    if (end) {
        lex_decimal_float(p, end);
        return;
    }
    while (is_name(p, at))
        at++;
    p->tok.kind = TOKEN_INT;
    p->tok.len = (uint32_t) (at - start);
    end = at;
    if (end[-1] == 'U' || end[-1] == 'u') {
        p->tok.is_unsigned = true;
        end--;
    }
    unsigned base = second == 'x' ? 16 : second == 'b' ? 2 : *start == '0' ? 8 : 10;
    const char *digits = start + (second == 'x' || second == 'b' ? 2 : 0);
    if (digits >= end)
        parse_fail(p, NULL, "a number without digits");
    p->tok.value = digits_value(p, digits, end, base);
    p->tok.is_unsigned |= p->tok.value > INT64_MAX;
    p->at = at;
}

/* ---- the rest ---- */

static void lex_string(struct parser *p)
{
    const char *start = ++p->at;
    for (; p->at < p->end && *p->at != '"'; p->at++)
        if (*p->at == '\n' || (*p->at == '\\' && ++p->at >= p->end))
            break;
    if (p->at >= p->end || *p->at != '"')
        parse_fail(p, NULL, "this string has no end");
    p->tok.kind = TOKEN_STRING;
    p->tok.at = start;
    p->tok.len = (uint32_t) (p->at++ - start);
}

static void lex_punct(struct parser *p)
{
    unsigned char c = (unsigned char) *p->at;
    p->tok.len = 1;
    if (!strchr("{}[]()<>;,:@!+-*/%&|^~=?", c) || c == 0)
        parse_fail(p, NULL,
                   c >= ' ' && c < 0x7f ? "'%c' cannot stand here" : "byte %u cannot stand here",
                   c);
    p->tok.kind = TOKEN_PUNCT;
    p->tok.punct = c;
    unsigned char d = p->end - p->at >= 2 ? (unsigned char) p->at[1] : 0;
    bool twin = d == c && strchr("<>&|=", c);
    if (twin || (d == '=' && strchr("<>!", c))) {
        p->tok.punct = (uint16_t) PUNCT2(c, d);
        p->tok.len = 2;
    }
    p->at += p->tok.len;
}

void lex_next(struct parser *p)
{
    p->last_end = p->at;
    skip_blanks(p);
    token_start(p);
    if (p->at >= p->end)
        return;
    unsigned class = char_class(*p->at);
    if (class & C_DIGIT) {
        lex_number(p);
    } else if (class & C_START && (*p->at != '%' || is_name(p, p->at + 1))) {
        lex_name(p);
    } else if (*p->at == '.') {
        p->tok.kind = TOKEN_DOT;
        p->tok.at = ++p->at;
        p->at = dotted_end(p, p->at);
        p->tok.len = (uint32_t) (p->at - p->tok.at);
        if (p->tok.len == 0)
            parse_fail(p, NULL, "a dot without a name");
    } else if (*p->at == '"') {
        lex_string(p);
    } else {
        lex_punct(p);
    }
}

/* ---- what the grammar asks ---- */

struct place lex_save(const struct parser *p)
{
    return (struct place){p->at, p->line_start, p->last_end, p->line, p->tok};
}

void lex_restore(struct parser *p, const struct place *place)
{
    p->at = place->at;
    p->line_start = place->line_start;
    p->last_end = place->last_end;
    p->line = place->line;
    p->tok = place->tok;
}

bool lex_before_colon(struct parser *p)
{
    if (LIKELY(p->at < p->end && *p->at == '.'))
        return false;
    struct place here = lex_save(p);
    skip_blanks(p);
    bool colon = p->at < p->end && *p->at == ':';
    lex_restore(p, &here);
    return colon;
}

static bool token_is(const struct token *t, const char *text)
{
    return strlen(text) == t->len && memcmp(text, t->at, t->len) == 0;
}

bool at_dot(const struct parser *p, const char *text)
{
    return p->tok.kind == TOKEN_DOT && token_is(&p->tok, text);
}

bool at_word(const struct parser *p, const char *text)
{
    return p->tok.kind == TOKEN_NAME && token_is(&p->tok, text);
}

bool take_punct(struct parser *p, unsigned punct)
{
    if (!at_punct(p, punct))
        return false;
    lex_next(p);
    return true;
}

bool take_dot(struct parser *p, const char *text)
{
    if (!at_dot(p, text))
        return false;
    lex_next(p);
    return true;
}

void want_punct(struct parser *p, unsigned punct, const char *where)
{
    if (take_punct(p, punct))
        return;
    char found[64];
    parse_quote(found, sizeof found, &p->tok);
    parse_fail(p, NULL, "expected '%c' %s, found %s", (char) punct, where, found);
}

struct sym *want_name(struct parser *p, const char *what)
{
    if (!at_name(p)) {
        char found[64];
        parse_quote(found, sizeof found, &p->tok);
        parse_fail(p, NULL, "expected %s, found %s", what, found);
    }
    struct sym *sym = p->tok.sym;
    lex_next(p);
    return sym;
}
