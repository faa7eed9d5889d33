/* Instructions against insn.def: which forms a spelling of modifiers may be, found once for each
 * spelling, and whether operands fit one of them. What no row knows is left alone. */
#include <stdio.h>
#include <string.h>

#include "ptx/parse.h"

enum spec_kind { SPEC_VALUE, SPEC_ADDRESS, SPEC_CONSTANT, SPEC_LABEL, SPEC_ANY };
enum pair_kind { PAIR_NONE, PAIR_ALLOWED, PAIR_NEEDED };
enum { ANY_WIDTH = 255 };

/* What an operand must be: one item of a row's operand column, for the types at hand. */
struct spec {
    uint8_t kind, pair;
    uint8_t type;  /* PTX_NOTYPE: any */
    uint8_t width; /* of a vector; 0: a scalar */
    bool is_result, is_optional, is_relaxed;
    bool has_coordinates; /* of an address */
};

struct candidate {
    const struct ptx_form *form;
    const char *lacks; /* the .version or .target that the form needs; NULL: it is there */
    uint8_t least, most;
    struct spec specs[8];
};

/* ---- rows ---- */

struct word {
    const char *at;
    size_t len;
};

/* The next word of a column up to `end`; false: there is none. */
static bool next_word(const char **at, const char *end, char separator, struct word *out)
{
    while (*at < end && **at == separator)
        ++*at;
    out->at = *at;
    while (*at < end && **at != separator)
        ++*at;
    out->len = (size_t) (*at - out->at);
    return out->len > 0;
}

static bool word_is(const struct word *w, const char *text)
{
    return strlen(text) == w->len && memcmp(text, w->at, w->len) == 0;
}

static bool mod_matches(uint16_t mod, const struct word *w)
{
    if (w->at[0] != '@')
        return word_is(w, ptx_mod_names[mod]);
    struct word group = {w->at + 1, w->len - 1};
    return word_is(&group, ptx_mod_groups[mod]);
}

/* Does one of the alternatives of an item stand among the modifiers that are left? Takes it. */
static bool take_mod(uint16_t *left, unsigned count, struct word item)
{
    for (unsigned i = 0; i < count; i++) {
        struct word one;
        const char *at = item.at;
        while (left[i] && next_word(&at, item.at + item.len, '|', &one))
            if (mod_matches(left[i], &one)) {
                left[i] = PTX_NOMOD;
                return true;
            }
    }
    return false;
}

static bool mods_match(const struct mnemonic *mn, const char *column)
{
    uint16_t left[PTX_MAX_MODS];
    unsigned count = 0;
    for (unsigned i = 0; i < mn->mod_count; i++) {
        if (mn->mods[i] == PTX_NOMOD)
            return false;
        if (mn->mods[i] < 256)
            left[count++] = mn->mods[i];
    }
    const char *end = column + strlen(column);
    for (struct word item; next_word(&column, end, ' ', &item);) {
        bool optional = item.at[item.len - 1] == '?';
        item.len -= optional;
        if (!take_mod(left, count, item) && !optional)
            return false;
    }
    for (unsigned i = 0; i < count; i++)
        if (left[i])
            return false;
    return true;
}

static bool types_match(const struct mnemonic *mn, const char *column)
{
    unsigned n = 0;
    const char *end = column + strlen(column);
    for (struct word item; next_word(&column, end, ' ', &item); n++) {
        bool found = false;
        const char *at = item.at;
        for (struct word one; n < mn->type_count && next_word(&at, item.at + item.len, '|', &one);)
            found |= word_is(&one, ptx_types[mn->types[n]].text);
        if (!found)
            return false;
    }
    return n == mn->type_count;
}

static uint8_t twice_as_wide(uint8_t type)
{
    for (unsigned i = 1; i < PTX_TYPES; i++)
        if (ptx_types[i].kind == ptx_types[type].kind &&
            ptx_types[i].bits == 2 * ptx_types[type].bits)
            return (uint8_t) i;
    return PTX_NOTYPE;
}

static uint8_t spec_type(const struct mnemonic *mn, const struct word *w)
{
    if (w->len == 1 && w->at[0] >= '1' && w->at[0] <= '4')
        return mn->types[w->at[0] - '1'];
    if (word_is(w, "w"))
        return twice_as_wide(mn->types[0]);
    return find_type(w->at, w->len); /* "*": none */
}

static void read_value_spec(const struct mnemonic *mn, struct word w, struct spec *out)
{
    for (; w.len && strchr("=~V{", w.at[0]); w.at++, w.len--) {
        if (w.at[0] == '=')
            out->is_result = true;
        else if (w.at[0] == '~')
            out->is_relaxed = true;
        else if (w.at[0] == 'V')
            out->width = mn->vector;
        else if (w.at[1] == '}')
            out->width = ANY_WIDTH, w.at++, w.len--;
        else
            out->width = (uint8_t) (w.at[1] - '0'), w.at += 2, w.len -= 2;
    }
    const char *bar = memchr(w.at, '|', w.len);
    if (bar) {
        out->pair = out->is_optional ? PAIR_ALLOWED : PAIR_NEEDED;
        out->is_optional = false;
        w.len = (size_t) (bar - w.at);
    }
    out->type = spec_type(mn, &w);
}

static void read_spec(const struct mnemonic *mn, struct word w, struct spec *out)
{
    *out = (struct spec){0};
    out->is_optional = w.at[w.len - 1] == '?';
    w.len -= out->is_optional;
    if (w.at[0] == '[') {
        out->kind = SPEC_ADDRESS;
        out->has_coordinates = w.len > 2;
    } else if (word_is(&w, "#")) {
        out->kind = SPEC_CONSTANT;
    } else if (word_is(&w, "L")) {
        out->kind = SPEC_LABEL;
    } else if (word_is(&w, "*")) {
        out->kind = SPEC_ANY;
    } else {
        read_value_spec(mn, w, out);
    }
}

static const char *what_lacks(struct parser *p, const struct ptx_form *form)
{
    char text[48] = "";
    const struct ptx_module *m = p->m;
    if (m->version_major * 10 + MIN(m->version_minor, 9) < form->ptx)
        snprintf(text, sizeof text, ".version %u.%u", form->ptx / 10u, form->ptx % 10u);
    else if (m->sm < form->sm)
        snprintf(text, sizeof text, ".target sm_%u", form->sm);
    else
        return NULL;
    return parse_copy(p, text, sizeof text);
}

static void add_candidate(struct parser *p, struct mnemonic *mn, const struct ptx_form *form)
{
    struct candidate *grown = parse_scratch(p, (mn->candidate_count + 1) * sizeof *grown);
    if (mn->candidate_count)
        memcpy(grown, mn->candidates, mn->candidate_count * sizeof *grown);
    mn->candidates = grown;
    struct candidate *c = &grown[mn->candidate_count++];
    c->form = form;
    c->lacks = what_lacks(p, form);
    const char *at = form->operands, *end = at + strlen(at);
    for (struct word w; c->most < ARRAY_LEN(c->specs) && next_word(&at, end, ' ', &w); c->most++) {
        read_spec(mn, w, &c->specs[c->most]);
        c->least += !c->specs[c->most].is_optional;
    }
}

void check_mnemonic(struct parser *p, struct mnemonic *mn)
{
    size_t low = 0, high = ptx_form_count; /* rows stand in the order of opcodes */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ptx_forms[middle].op < mn->op)
            low = middle + 1;
        else
            high = middle;
    }
    for (; mn->op && low < ptx_form_count && ptx_forms[low].op == mn->op; low++)
        if (types_match(mn, ptx_forms[low].types) && mods_match(mn, ptx_forms[low].mods))
            add_candidate(p, mn, &ptx_forms[low]);
}

/* ---- operands ---- */

/* May a register of type `reg` stand where an instruction has `type`? (PTX ISA, "Type Checking
 * Rules".) */
static bool types_agree(uint8_t type, uint8_t reg, bool relaxed)
{
    const struct ptx_type_info *t = &ptx_types[type], *r = &ptx_types[reg];
    if (t->kind == PTX_PREDICATE || r->kind == PTX_PREDICATE)
        return t->kind == r->kind;
    if (t->bits != r->bits && !(relaxed && r->bits > t->bits))
        return false;
    if (t->kind == PTX_UNTYPED || r->kind == PTX_UNTYPED)
        return true;
    if (t->kind == PTX_FLOAT || r->kind == PTX_FLOAT)
        return type == reg;
    return true;
}

static bool register_fits(const struct spec *s, const struct ptx_operand *o)
{
    if (o->component >= PTX_BYTE0)
        return !s->is_result || ptx_types[o->reg->type].bits == 32;
    if (o->negated && (s->is_result || s->type != PTX_PRED))
        return false;
    if ((o->component < 0 && o->reg->vector > 1) || (o->component >= (int) o->reg->vector))
        return false;
    return types_agree(s->type, o->reg->type, s->is_relaxed);
}

static bool scalar_fits(const struct spec *s, const struct ptx_operand *o)
{
    const struct ptx_type_info *t = &ptx_types[s->type];
    if (o->kind == PTX_SINK)
        return s->is_result;
    if (s->type == PTX_NOTYPE)
        return true;
    if (o->kind == PTX_REGISTER)
        return register_fits(s, o);
    if (s->is_result)
        return false;
    switch (o->kind) {
    case PTX_INT:
        return t->kind != PTX_FLOAT || t->bits == 16 || s->type == PTX_F16X2 ||
               s->type == PTX_BF16X2;
    case PTX_F32IMM:
    case PTX_F64IMM:
        return t->bits >= 32 && (t->kind == PTX_FLOAT || t->kind == PTX_UNTYPED);
    case PTX_SPECIAL:
        return ptx_sregs[o->sreg].type == PTX_PRED
                   ? s->type == PTX_PRED
                   : t->kind != PTX_PREDICATE && t->kind != PTX_FLOAT &&
                         t->bits <= ptx_types[ptx_sregs[o->sreg].type].bits;
    case PTX_SYMBOL:
    case PTX_FUNCTION:
        return t->bits >= 32 && t->kind != PTX_FLOAT;
    default:
        return false;
    }
}

static bool vector_fits(const struct spec *s, const struct ptx_operand *o)
{
    if (o->kind == PTX_REGISTER && o->component < 0 && o->reg->vector > 1)
        return (s->width == ANY_WIDTH || s->width == o->reg->vector) &&
               types_agree(s->type, o->reg->type, s->is_relaxed);
    if (o->kind == PTX_SPECIAL && o->component < 0 && ptx_sregs[o->sreg].vector)
        return s->width == 4 && !s->is_result;
    if (o->kind != PTX_VECTOR || (s->width != ANY_WIDTH && s->width != o->count))
        return false;
    for (unsigned i = 0; i < o->count; i++)
        if (!scalar_fits(s, &o->items[i]))
            return false;
    return true;
}

static bool value_fits(const struct spec *s, const struct ptx_operand *o)
{
    if (o->kind == PTX_PAIR) {
        struct spec second = {.type = PTX_PRED, .is_result = true};
        return s->pair && scalar_fits(&second, &o->items[1]) &&
               (s->width ? vector_fits(s, &o->items[0]) : scalar_fits(s, &o->items[0]));
    }
    if (s->pair == PAIR_NEEDED)
        return false;
    return s->width ? vector_fits(s, o) : scalar_fits(s, o);
}

static bool is_base(const struct ptx_reg *reg)
{
    unsigned bits = ptx_types[reg->type].bits, kind = ptx_types[reg->type].kind;
    return (bits == 32 || bits == 64) && kind != PTX_FLOAT && kind != PTX_OPAQUE;
}

static bool address_fits(const struct spec *s, const struct ptx_operand *o)
{
    if (o->kind == PTX_TEXADDR)
        return s->has_coordinates;
    return o->kind == PTX_ADDRESS && (!o->reg || is_base(o->reg));
}

static bool fits(const struct spec *s, const struct ptx_operand *o)
{
    switch (s->kind) {
    case SPEC_VALUE:
        return value_fits(s, o);
    case SPEC_ADDRESS:
        return address_fits(s, o);
    case SPEC_CONSTANT:
        return o->kind == PTX_INT;
    case SPEC_LABEL:
        return o->kind == PTX_LABEL;
    default:
        return true;
    }
}

/* How many operands fit before one does not; all of them and more: the whole instruction does. */
static unsigned count_fitting(const struct candidate *c, const struct ptx_insn *in)
{
    unsigned at = 0;
    for (unsigned i = 0; i < c->most && at < in->operand_count; i++) {
        if (fits(&c->specs[i], &in->operands[at]))
            at++;
        else if (!c->specs[i].is_optional)
            return at;
    }
    return at;
}

/* ---- messages ---- */

static void describe_spec(char *out, size_t size, const struct spec *s)
{
    static const char *const kinds[] = {"", "an address in brackets", "an integer constant",
                                        "a label", "present"};
    if (s->kind != SPEC_VALUE) {
        snprintf(out, size, "%s", kinds[s->kind]);
        return;
    }
    const char *what = s->is_result ? "register" : "value";
    const char *dot = s->type ? " of type ." : "", *type = ptx_types[s->type].text;
    const char *pair = s->pair == PAIR_NEEDED ? " and a predicate, d|p" : "";
    if (s->width == ANY_WIDTH)
        snprintf(out, size, "a vector in braces%s%s%s", dot, type, pair);
    else if (s->width)
        snprintf(out, size, "a vector of %u%s%s%s", s->width, dot, type, pair);
    else
        snprintf(out, size, "a %s%s%s%s", what, dot, type, pair);
}

static void describe_operand(char *out, size_t size, const struct ptx_operand *o)
{
    if (o->kind == PTX_REGISTER)
        snprintf(out, size, " ('%.60s', a register of type .%s)", o->reg->name,
                 ptx_types[o->reg->type].text);
    else
        out[0] = 0;
}

NORETURN static void refuse(struct parser *p, const struct ptx_insn *in, const struct mnemonic *mn)
{
    const struct candidate *best = NULL;
    unsigned furthest = 0;
    for (uint32_t i = 0; i < mn->candidate_count; i++) {
        const struct candidate *c = &mn->candidates[i];
        unsigned n = count_fitting(c, in);
        bool counted = in->operand_count >= c->least && in->operand_count <= c->most;
        if (counted && (!best || n >= furthest)) {
            best = c;
            furthest = n;
        }
    }
    if (!best) {
        const struct candidate *c = &mn->candidates[0];
        parse_fail(p, &p->marks.at[0], "'%.80s' takes %u operands%s, not %u", in->name, c->least,
                   c->most > c->least ? " or more" : "", in->operand_count);
    }
    char needed[96] = "left out", given[96] = "";
    if (furthest < best->most)
        describe_spec(needed, sizeof needed, &best->specs[furthest]);
    if (furthest < in->operand_count)
        describe_operand(given, sizeof given, &in->operands[furthest]);
    const struct token *t = &p->marks.at[MIN(furthest + 1, p->marks.len - 1)];
    parse_fail(p, t, "operand %u of '%.80s'%s must be %s", furthest + 1, in->name, given, needed);
}

static const char *space_name(uint8_t space)
{
    static const char *const names[] = {"generic", "reg",   "global", "shared",
                                        "local",   "const", "param",  "tex"};
    return names[space];
}

/* A variable named in brackets must lie in the state space that the instruction names. */
static void check_space(struct parser *p, const struct ptx_insn *in)
{
    bool has_one =
        in->op == PTX_OP_LD || in->op == PTX_OP_ST || in->op == PTX_OP_ATOM || in->op == PTX_OP_RED;
    if (!has_one || in->space == PTX_GENERIC)
        return;
    for (unsigned i = 0; i < in->operand_count; i++) {
        const struct ptx_operand *o = &in->operands[i];
        if (o->kind == PTX_ADDRESS && o->var && o->var->space != in->space)
            parse_fail(p, &p->marks.at[i + 1], "'%.80s' is a .%s variable, '%.80s' needs a .%s one",
                       o->var->name, space_name(o->var->space), in->name, space_name(in->space));
    }
}

void check_insn(struct parser *p, struct ptx_insn *in, const struct mnemonic *mn)
{
    if (mn->candidate_count == 0)
        return;
    for (uint32_t i = 0; i < mn->candidate_count && !in->form; i++) {
        const struct candidate *c = &mn->candidates[i];
        if (in->operand_count < c->least || in->operand_count > c->most ||
            count_fitting(c, in) != in->operand_count)
            continue;
        in->lacks = c->lacks;
        in->form = c->lacks ? NULL : c->form;
    }
    if (in->form)
        in->lacks = NULL;
    else if (!in->lacks && in->op != PTX_OP_CALL)
        refuse(p, in, mn);
    check_space(p, in);
}
