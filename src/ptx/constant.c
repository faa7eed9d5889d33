/* Constants and constant expressions (PTX ISA, "Constant Expressions"): 64-bit integers, C's
 * operators. A single number keeps how it was spelled; an expression keeps its text, for the
 * printer. */
#include <string.h>

#include "ptx/parse.h"

static struct constant expression(struct parser *p, int level);

/* ---- spelling ---- */

/* Which case the digits are in; false: both. */
static bool digit_case(const char *at, const char *end, uint8_t *spelling)
{
    bool lower = false, upper = false;
    for (; at < end; at++) {
        lower |= *at >= 'a' && *at <= 'f';
        upper |= *at >= 'A' && *at <= 'F';
    }
    *spelling |= (uint8_t) (lower ? SPELL_HEX : SPELL_HEX | SPELL_UPPER);
    return !(lower && upper);
}

/* False: only the text itself says how it looks. */
static bool spell_number(const struct token *t, uint8_t *spelling)
{
    const char *at = t->at, *end = at + t->len;
    if (t->kind == TOKEN_F64 && (t->len < 2 || (at[1] | 0x20) != 'd'))
        return false;
    if (t->kind == TOKEN_INT && (end[-1] | 0x20) == 'u') {
        if (*--end == 'u')
            return false;
        *spelling |= SPELL_U;
    }
    if (t->kind == TOKEN_INT && (t->len == 1 || *at != '0'))
        return true;
    if (t->kind == TOKEN_INT && ((at[1] | 0x20) != 'x' || (at[2] == '0' && end - at > 3)))
        return end - at == 1; /* "0U" */
    if (at[1] < 'a')
        *spelling |= SPELL_PREFIX_UPPER;
    return digit_case(at + 2, end, spelling);
}

static struct constant from_token(const struct token *t)
{
    struct constant c = {.value = t->value, .is_unsigned = t->is_unsigned};
    c.kind = t->kind == TOKEN_INT ? PTX_INT : t->kind == TOKEN_F32 ? PTX_F32IMM : PTX_F64IMM;
    return c;
}

static void negate(struct constant *c)
{
    if (c->kind == PTX_INT)
        c->value = 0 - c->value;
    else
        c->value ^= c->kind == PTX_F32IMM ? UINT64_C(1) << 31 : UINT64_C(1) << 63;
}

/* ---- expressions ---- */

enum { LEVEL_AND = 2, LEVEL_EQUAL = 6, LEVEL_LESS = 7 };

struct operator
{
    uint16_t punct;
    uint8_t level; /* binds the tighter the higher */
};

static const struct operator operators[] = {
    {PUNCT2('|', '|'), 1},
    {PUNCT2('&', '&'), LEVEL_AND},
    {'|', 3},
    {'^', 4},
    {'&', 5},
    {PUNCT2('=', '='), LEVEL_EQUAL},
    {PUNCT2('!', '='), LEVEL_EQUAL},
    {'<', LEVEL_LESS},
    {'>', LEVEL_LESS},
    {PUNCT2('<', '='), LEVEL_LESS},
    {PUNCT2('>', '='), LEVEL_LESS},
    {PUNCT2('<', '<'), 8},
    {PUNCT2('>', '>'), 8},
    {'+', 9},
    {'-', 9},
    {'*', 10},
    {'/', 10},
    {'%', 10},
};

static int operator_level(const struct token *t)
{
    if (t->kind == TOKEN_PUNCT)
        for (size_t i = 0; i < ARRAY_LEN(operators); i++)
            if (operators[i].punct == t->punct)
                return operators[i].level;
    return 0;
}

static void want_int(struct parser *p, const struct constant *c, const struct token *t)
{
    if (c->kind != PTX_INT)
        parse_fail(p, t, "only integers may be combined in a constant expression");
}

static uint64_t shift(uint64_t a, uint64_t by, bool left, bool is_unsigned)
{
    if (left)
        return by < 64 ? a << by : 0;
    if (is_unsigned)
        return by < 64 ? a >> by : 0;
    return (uint64_t) ((int64_t) a >> MIN(by, 63));
}

static uint64_t divide(struct parser *p, const struct constant *a, const struct constant *b,
                       bool is_unsigned, bool rest)
{
    if (b->value == 0)
        parse_fail(p, NULL, "division by zero in a constant expression");
    if (is_unsigned)
        return rest ? a->value % b->value : a->value / b->value;
    if (b->value == UINT64_MAX) /* -1: INT64_MIN / -1 wraps */
        return rest ? 0 : 0 - a->value;
    int64_t x = (int64_t) a->value, y = (int64_t) b->value;
    return (uint64_t) (rest ? x % y : x / y);
}

static bool compare(uint16_t op, uint64_t a, uint64_t b, bool is_unsigned)
{
    bool less = is_unsigned ? a < b : (int64_t) a < (int64_t) b;
    switch (op) {
    case PUNCT2('=', '='):
        return a == b;
    case PUNCT2('!', '='):
        return a != b;
    case '<':
        return less;
    case '>':
        return !less && a != b;
    case PUNCT2('<', '='):
        return less || a == b;
    default: /* >= */
        return !less;
    }
}

static uint64_t combine(struct parser *p, uint16_t op, const struct constant *l,
                        const struct constant *r)
{
    uint64_t a = l->value, b = r->value;
    switch (op) {
    case PUNCT2('|', '|'):
        return a || b;
    case PUNCT2('&', '&'):
        return a && b;
    case '|':
        return a | b;
    case '^':
        return a ^ b;
    case '&':
        return a & b;
    case PUNCT2('<', '<'):
        return shift(a, b, true, false);
    case PUNCT2('>', '>'):
        return shift(a, b, false, l->is_unsigned);
    case '+':
        return a + b;
    case '-':
        return a - b;
    case '*':
        return a * b;
    default: /* / and % */
        return divide(p, l, r, l->is_unsigned || r->is_unsigned, op == '%');
    }
}

static struct constant apply(struct parser *p, const struct token *op, const struct constant *l,
                             const struct constant *r)
{
    want_int(p, l, op);
    want_int(p, r, op);
    int level = operator_level(op);
    bool is_comparison = level == LEVEL_EQUAL || level == LEVEL_LESS;
    bool is_bool = is_comparison || level <= LEVEL_AND;
    bool is_unsigned = l->is_unsigned || r->is_unsigned;
    return (struct constant){
        .kind = PTX_INT,
        .is_unsigned = !is_bool && is_unsigned,
        .value = is_comparison ? compare(op->punct, l->value, r->value, is_unsigned)
                               : combine(p, op->punct, l, r),
    };
}

static struct constant parenthesis(struct parser *p)
{
    lex_next(p);
    if (at_dot(p, "s64") || at_dot(p, "u64")) { /* a cast */
        bool is_unsigned = p->tok.at[0] == 'u';
        lex_next(p);
        want_punct(p, ')', "after the type of a cast");
        struct constant c = expression(p, 100);
        want_int(p, &c, NULL);
        c.is_unsigned = is_unsigned;
        return c;
    }
    struct constant c = expression(p, 0);
    want_punct(p, ')', "at the end of a constant expression");
    return c;
}

static struct constant primary(struct parser *p)
{
    struct token t = p->tok;
    if (t.kind == TOKEN_INT || t.kind == TOKEN_F32 || t.kind == TOKEN_F64) {
        lex_next(p);
        return from_token(&t);
    }
    if (at_word(p, "WARP_SZ")) {
        lex_next(p);
        return (struct constant){.kind = PTX_INT, .value = 32};
    }
    if (at_punct(p, '('))
        return parenthesis(p);
    if (at_punct(p, '-') || at_punct(p, '+') || at_punct(p, '~') || at_punct(p, '!')) {
        lex_next(p);
        struct constant c = expression(p, 100);
        if (t.punct == '-')
            negate(&c);
        if (t.punct == '~' || t.punct == '!') {
            want_int(p, &c, &t);
            c.value = t.punct == '~' ? ~c.value : !c.value;
        }
        return c;
    }
    char found[64];
    parse_quote(found, sizeof found, &t);
    parse_fail(p, NULL, "expected a constant, found %s", found);
}

/* Everything that binds tighter than `level`; the ternary operator is level 0. */
static struct constant expression(struct parser *p, int level)
{
    if (++p->nesting > PTX_MAX_DEPTH)
        parse_fail(p, NULL, "constant expressions are nested more than %d deep", PTX_MAX_DEPTH);
    struct constant left = primary(p);
    for (int found; (found = operator_level(&p->tok)) > level;) {
        struct token op = p->tok;
        lex_next(p);
        struct constant right = expression(p, found);
        left = apply(p, &op, &left, &right);
    }
    if (level == 0 && at_punct(p, '?')) {
        want_int(p, &left, NULL);
        lex_next(p);
        struct constant yes = expression(p, 0);
        want_punct(p, ':', "in a conditional expression");
        struct constant no = expression(p, 0);
        left = left.value ? yes : no;
    }
    p->nesting--;
    return left;
}

/* ---- the door ---- */

static bool ends_constant(const struct parser *p)
{
    return operator_level(&p->tok) == 0 && !at_punct(p, '?');
}

/* A number with at most a minus before it. */
static bool simple_constant(struct parser *p, struct constant *out)
{
    bool minus = at_punct(p, '-');
    if (minus)
        lex_next(p);
    struct token t = p->tok;
    if (t.kind != TOKEN_INT && t.kind != TOKEN_F32 && t.kind != TOKEN_F64)
        return false;
    uint8_t spelling = minus ? SPELL_MINUS : 0;
    if (!spell_number(&t, &spelling))
        return false;
    lex_next(p);
    if (!ends_constant(p))
        return false;
    *out = from_token(&t);
    if (minus)
        negate(out);
    out->spelling = spelling;
    return true;
}

void parse_constant(struct parser *p, struct constant *out)
{
    struct place start = lex_save(p);
    if (LIKELY(simple_constant(p, out)))
        return;
    lex_restore(p, &start);
    *out = expression(p, 0);
    const char *first = start.tok.at;
    char *text = arena_string(&p->m->arena, first, (size_t) (p->last_end - first));
    if (!text)
        parse_out_of_memory(p);
    out->text = text;
}

uint64_t parse_count(struct parser *p, const char *what, uint64_t max)
{
    struct token t = p->tok;
    struct constant c;
    parse_constant(p, &c);
    if (c.kind != PTX_INT || c.value > max)
        parse_fail(p, &t, "%s must be an integer between 0 and %llu", what,
                   (unsigned long long) max);
    return c.value;
}
