/* Initialisers of variables, and the data of .section blocks (DWARF). */
#include <string.h>

#include "ptx/parse.h"

enum { MAX_INIT_TOTAL = 1 << 28 }; /* bytes of initialised variables a module may have */

/* ---- initialisers ---- */

struct init {
    struct ptx_var *var;
    const struct var_layout *layout;
    uint8_t *bytes;
    size_t element; /* bytes */
};

static void store(uint8_t *at, uint64_t value, size_t width)
{
    for (size_t i = 0; i < width; i++)
        at[i] = i < 8 ? (uint8_t) (value >> 8 * i) : 0;
}

static float narrow(uint64_t bits)
{
    double d;
    memcpy(&d, &bits, sizeof d);
    return (float) d;
}

/* The constant as bits of an element of `type`; *exact: the spelling can be had again from those
 * bits. */
static uint64_t element_bits(struct parser *p, const struct constant *c, uint8_t type,
                             const struct token *t, bool *exact)
{
    unsigned bits = ptx_types[type].bits;
    bool is_float = ptx_types[type].kind == PTX_FLOAT;
    *exact = true;
    if (c->kind == PTX_INT && !is_float) {
        uint64_t mask = bits >= 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
        bool minus = c->spelling & SPELL_MINUS;
        uint64_t high = c->value & ~mask;
        *exact = minus ? high == ~mask && (bits >= 64 || c->value >> (bits - 1) & 1) : high == 0;
        return c->value & mask;
    }
    if ((c->kind == PTX_F32IMM && bits == 32) || (c->kind == PTX_F64IMM && bits == 64))
        return c->value;
    *exact = false;
    uint64_t out = 0;
    if (bits == 32 && is_float) {
        float f = c->kind == PTX_F64IMM ? narrow(c->value) : (float) (int64_t) c->value;
        memcpy(&out, &f, sizeof f);
    } else if (bits == 64 && is_float && c->kind == PTX_INT) {
        double d = (double) (int64_t) c->value;
        memcpy(&out, &d, sizeof d);
    } else {
        parse_fail(p, t, "this constant does not fit the type .%s", ptx_types[type].text);
    }
    return out;
}

static struct init_item *add_item(struct parser *p, uint8_t kind)
{
    struct init_item item = {.kind = kind};
    parse_push(p, &p->inits, item);
    return &p->inits.at[p->inits.len - 1];
}

/* symbol, generic(symbol), 0xff00(symbol), each with an offset. */
static void init_address(struct parser *p, const struct init *in, size_t at, uint64_t mask)
{
    struct ptx_reloc r = {.offset = at, .size = (uint8_t) in->element};
    bool wrapped = mask != 0;
    if (at_word(p, "generic")) {
        lex_next(p);
        r.generic = wrapped = true;
    }
    if (wrapped)
        want_punct(p, '(', "before the name of a variable");
    struct token t = p->tok;
    const struct binding *b = scope_find(p, want_name(p, "the name of a variable or function"));
    if (!b || (b->kind != BIND_VAR && b->kind != BIND_FUNC))
        parse_fail(p, &t, "'%.*s' is no variable or function declared above", (int) MIN(t.len, 100),
                   t.at);
    if (b->kind == BIND_VAR)
        r.var = b->var;
    else
        r.func = b->func;
    struct init_item *item = add_item(p, INIT_RELOC);
    if (wrapped && mask == 0)
        want_punct(p, ')', "after the name of a variable");
    if (at_punct(p, '+') || at_punct(p, '-')) {
        uint8_t plus = take_punct(p, '+') ? SPELL_PLUS : 0;
        struct constant c;
        parse_constant(p, &c);
        r.addend = (int64_t) c.value;
        item->spelling = c.spelling | plus | SPELL_OFFSET;
        item->text = c.text;
    }
    if (mask)
        want_punct(p, ')', "after the name of a variable");
    while (mask && !(mask & 1)) {
        mask >>= 1;
        r.shift++;
    }
    item->at = p->relocs.len;
    item->masked = wrapped && !r.generic;
    if (ptx_types[in->var->type].kind == PTX_FLOAT || (!item->masked && in->element < 4))
        parse_fail(p, &t, "an address does not fit the type .%s", ptx_types[in->var->type].text);
    parse_push(p, &p->relocs, r);
}

static void init_constant(struct parser *p, const struct init *in, size_t at)
{
    struct token t = p->tok;
    struct constant c;
    parse_constant(p, &c);
    if (c.kind == PTX_INT && at_punct(p, '(')) { /* mask(symbol) */
        uint64_t byte = c.value;
        while (byte && !(byte & 0xff))
            byte >>= 8;
        if (byte != 0xff)
            parse_fail(p, &t, "a mask before a name must be one byte of ones: 0xff, 0xff00, ...");
        init_address(p, in, at, c.value);
        p->inits.at[p->inits.len - 1].mask_spelling = c.spelling;
        p->inits.at[p->inits.len - 1].mask_text = c.text;
        return;
    }
    bool exact;
    uint64_t bits = element_bits(p, &c, in->var->type, &t, &exact);
    if (!exact && !c.text) {
        c.text = arena_string(&p->m->arena, t.at, (size_t) (p->last_end - t.at));
        if (!c.text)
            parse_out_of_memory(p);
    }
    struct init_item *item = add_item(p, c.kind == PTX_INT      ? INIT_INT
                                         : c.kind == PTX_F32IMM ? INIT_F32
                                                                : INIT_F64);
    item->spelling = c.spelling;
    item->text = c.text;
    item->at = at;
    item->width = (uint8_t) in->element;
    store(in->bytes + at, bits, in->element);
}

static void init_scalar(struct parser *p, const struct init *in, size_t at)
{
    if (at_name(p) && !at_word(p, "WARP_SZ"))
        init_address(p, in, at, 0);
    else
        init_constant(p, in, at);
}

/* `{…}` for the `size` bytes at `at`; inner braces stand for one entry of dimension `dim`. */
static void init_braces(struct parser *p, const struct init *in, size_t at, size_t size)
{
    if (++p->nesting > PTX_MAX_DEPTH)
        parse_fail(p, NULL, "braces are nested more than %d deep", PTX_MAX_DEPTH);
    uint32_t dim = p->init_dim++;
    const struct var_layout *layout = in->layout;
    size_t entry = in->element;
    for (uint32_t d = dim + 1; d < layout->dim_count; d++)
        entry *= layout->dims[d];
    if (dim < layout->dim_count)
        entry *= in->var->vector;
    lex_next(p);
    add_item(p, INIT_OPEN);
    for (size_t end = at + size; !at_punct(p, '}');) {
        bool inner = at_punct(p, '{');
        size_t width = inner ? entry : in->element;
        if (end - at < width || (inner && entry == in->element))
            parse_fail(p, NULL, "'%s' has more initialisers than elements", in->var->name);
        if (inner)
            init_braces(p, in, at, entry);
        else
            init_scalar(p, in, at);
        at += width;
        if (!at_punct(p, '}'))
            want_punct(p, ',', "between initialisers");
    }
    lex_next(p);
    add_item(p, INIT_CLOSE);
    p->init_dim--;
    p->nesting--;
}

void parse_initialiser(struct parser *p, struct ptx_var *var, struct var_layout *layout)
{
    struct init in = {.var = var, .layout = layout, .element = ptx_types[var->type].bits / 8};
    if ((var->space != PTX_GLOBAL && var->space != PTX_CONST) || in.element == 0)
        parse_fail(p, NULL, "only .global and .const variables can be initialised");
    if (ptx_types[var->type].kind == PTX_OPAQUE)
        parse_fail(p, NULL, "a .%s cannot be initialised", ptx_types[var->type].text);
    if (var->size > MAX_INIT_TOTAL || (p->init_total += var->size) > MAX_INIT_TOTAL)
        parse_fail(p, NULL, "the initialised variables exceed %d bytes", MAX_INIT_TOTAL);
    in.bytes = parse_alloc(p, var->size);
    p->inits.len = p->relocs.len = 0;
    p->init_dim = 0;
    if (at_punct(p, '{'))
        init_braces(p, &in, 0, var->size);
    else if (var->size == in.element)
        init_scalar(p, &in, 0);
    else
        parse_fail(p, NULL, "the initialiser of the array '%s' must stand in braces", var->name);
    var->init = in.bytes;
    var->reloc_count = p->relocs.len;
    var->relocs = parse_copy(p, p->relocs.at, p->relocs.len * sizeof *p->relocs.at);
    layout->init_count = (uint32_t) p->inits.len;
    layout->init = parse_copy(p, p->inits.at, p->inits.len * sizeof *p->inits.at);
}

/* How many entries stand directly in the braces that follow; the parser stays where it is. */
static size_t count_entries(struct parser *p, bool *rows)
{
    struct place start = lex_save(p);
    size_t depth = 0, entries = 0;
    bool fresh = false; /* the last token was the brace or a comma */
    *rows = false;
    do {
        if (p->tok.kind == TOKEN_END || at_punct(p, ';'))
            parse_fail(p, &start.tok, "these braces have no end");
        if (depth == 1 && fresh && !at_punct(p, '}')) {
            entries++;
            *rows |= at_punct(p, '{');
        }
        fresh = at_punct(p, '{') || at_punct(p, ',');
        depth += at_punct(p, '{') || at_punct(p, '(');
        depth -= at_punct(p, '}') || at_punct(p, ')');
        lex_next(p);
    } while (depth);
    lex_restore(p, &start);
    return entries;
}

void parse_open_array(struct parser *p, struct ptx_var *var, const struct var_layout *layout)
{
    if (!var->unsized || !at_punct(p, '{'))
        return;
    bool rows;
    size_t entries = count_entries(p, &rows), row = var->count * var->vector;
    if (layout->dim_count == 1 && var->vector == 1)
        rows = false;
    entries = rows ? entries : (entries + row - 1) / row;
    if (entries > PTX_MAX_VAR_SIZE / 64 / row)
        parse_fail(p, NULL, "the variable '%s' is too large", var->name);
    var->count *= entries;
    var->unsized = false;
    parse_size_var(p, var, layout);
}

/* ---- sections ---- */

/* A number, a label, a label + number, a difference of labels; .name is another section's. */
static void section_value(struct parser *p)
{
    struct data_item item = {.kind = DATA_INT};
    struct constant c = {0};
    if (p->tok.kind == TOKEN_DOT || at_name(p)) {
        item.kind = DATA_SYMBOL;
        item.is_section = p->tok.kind == TOKEN_DOT;
        item.name = lex_intern(p, p->tok.at, p->tok.len)->name;
        lex_next(p);
        bool plus = at_punct(p, '+'), minus = at_punct(p, '-');
        if (plus || minus) {
            struct token sign = p->tok;
            lex_next(p);
            if (minus && (at_name(p) || p->tok.kind == TOKEN_DOT)) {
                item.kind = DATA_DIFFERENCE;
                item.minus = want_name(p, "a label")->name;
            } else {
                parse_constant(p, &c);
                if (minus && (c.spelling & SPELL_MINUS || c.text))
                    parse_fail(p, &sign, "expected a number after '-'");
                c.spelling |= SPELL_OFFSET | (plus ? SPELL_PLUS : SPELL_MINUS);
                c.value = minus ? 0 - c.value : c.value;
            }
        }
    } else {
        parse_constant(p, &c);
    }
    item.value = c.value;
    item.spelling = c.spelling;
    item.text = c.text;
    parse_push(p, &p->data, item);
}

static void section_statement(struct parser *p)
{
    struct token t = p->tok;
    struct data_item item = {.kind = DATA_LABEL};
    if (at_name(p)) {
        item.name = want_name(p, "a label")->name;
        want_punct(p, ':', "after a label");
        parse_push(p, &p->data, item);
        struct string_label label = {.sym = t.sym, .first = (uint32_t) p->data.len};
        parse_push(p, &p->strings, label);
        return;
    }
    item.type = t.kind == TOKEN_DOT ? find_type(t.at, t.len) : PTX_NOTYPE;
    if (item.type != PTX_B8 && item.type != PTX_B16 && item.type != PTX_B32 &&
        item.type != PTX_B64) {
        char found[64];
        parse_quote(found, sizeof found, &t);
        parse_fail(p, NULL, "expected a label or .b8, .b16, .b32, .b64 in a section, found %s",
                   found);
    }
    lex_next(p);
    item.kind = DATA_DIRECTIVE;
    parse_push(p, &p->data, item);
    do
        section_value(p);
    while (take_punct(p, ','));
}

void parse_section(struct parser *p)
{
    struct section_layout *section = parse_alloc(p, sizeof *section);
    lex_next(p);
    if (p->tok.kind != TOKEN_DOT && !at_name(p))
        parse_fail(p, NULL, "expected the name of a section");
    section->is_plain = at_name(p);
    section->name = lex_intern(p, p->tok.at, p->tok.len)->name;
    lex_next(p);
    want_punct(p, '{', "to open a section");
    p->data.len = 0;
    size_t first = p->strings.len;
    while (!at_punct(p, '}')) {
        if (p->tok.kind == TOKEN_END)
            parse_fail(p, NULL, "the section has no end");
        section_statement(p);
    }
    section->count = p->data.len;
    section->items = parse_copy(p, p->data.at, p->data.len * sizeof *p->data.at);
    for (; first < p->strings.len; first++)
        p->strings.at[first].section = section;
    lex_next(p);
    struct item item = {ITEM_SECTION, 1, section};
    parse_push(p, &p->top, item);
}
