/* Declarations: registers, variables, parameters. Functions are in parse_func.c. */
#include <string.h>

#include "ptx/parse.h"

enum { MAX_DIMS = 16 };

uint8_t find_type(const char *text, size_t len)
{
    for (unsigned i = 1; i < PTX_TYPES; i++)
        if (strlen(ptx_types[i].text) == len && memcmp(ptx_types[i].text, text, len) == 0)
            return (uint8_t) i;
    return PTX_NOTYPE;
}

static const struct {
    const char *text;
    uint8_t space;
} spaces[] = {
    {"param", PTX_PARAM},
    {"reg", PTX_REG},
    {"global", PTX_GLOBAL},
    {"shared", PTX_SHARED},
    {"local", PTX_LOCAL},
    {"const", PTX_CONST},
    {"tex", PTX_TEX},
    {"shared::cta", PTX_SHARED},
    {"shared::cluster", PTX_SHARED},
    {"param::entry", PTX_PARAM},
    {"param::func", PTX_PARAM},
};

uint8_t find_space(const char *text, size_t len)
{
    for (size_t i = 0; i < ARRAY_LEN(spaces); i++)
        if (strlen(spaces[i].text) == len && memcmp(spaces[i].text, text, len) == 0)
            return spaces[i].space;
    return PTX_GENERIC;
}

enum ptx_space parse_space(struct parser *p)
{
    uint8_t space = PTX_GENERIC;
    if (p->tok.kind == TOKEN_DOT && !memchr(p->tok.at, ':', p->tok.len))
        space = find_space(p->tok.at, p->tok.len);
    if (space)
        lex_next(p);
    return space;
}

bool parse_linkage(struct parser *p, struct linkage *out)
{
    *out = (struct linkage){0};
    static const char *const names[] = {"extern", "visible", "weak", "common"};
    bool *const flags[] = {&out->is_extern, &out->is_visible, &out->is_weak, &out->is_common};
    for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
        if (!take_dot(p, names[i]))
            continue;
        *flags[i] = true;
        return true;
    }
    return false;
}

/* ---- types ---- */

struct declared_type {
    uint8_t type, vector;
};

static bool take_vector(struct parser *p, uint8_t *vector)
{
    static const char *const names[] = {"v2", "v4", "v8"};
    for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
        if (!take_dot(p, names[i]))
            continue;
        *vector = (uint8_t) (2u << i);
        return true;
    }
    return false;
}

static bool take_type(struct parser *p, uint8_t *type)
{
    uint8_t found = p->tok.kind == TOKEN_DOT ? find_type(p->tok.at, p->tok.len) : PTX_NOTYPE;
    if (!found)
        return false;
    unsigned bits = ptx_types[found].bits;
    if (found != PTX_PRED && (bits < 8 || (bits & (bits - 1)) || found == PTX_TF32))
        parse_fail(p, NULL, "nothing can be declared with the type .%s", ptx_types[found].text);
    *type = found;
    lex_next(p);
    return true;
}

static void refuse_type(struct parser *p)
{
    char found[64];
    parse_quote(found, sizeof found, &p->tok);
    parse_fail(p, NULL, "expected a type such as .b32, found %s", found);
}

/* ---- registers ---- */

static size_t declare_reg(struct parser *p, uint8_t type, uint8_t vector, const char **name)
{
    struct token t = p->tok;
    struct sym *sym = want_name(p, "the name of a register");
    *name = sym->name;
    if (!take_punct(p, '<')) {
        struct binding *b = scope_bind(p, sym, BIND_REG, &t);
        b->reg = scope_new_reg(p, sym->name, type, vector);
        return SIZE_MAX;
    }
    struct binding *family = scope_family(p, sym, &t);
    if (p->tok.kind != TOKEN_INT || p->tok.value > INT32_MAX) /* no expression: '>' ends it */
        parse_fail(p, NULL, "expected a number of registers");
    family->count = (uint32_t) p->tok.value;
    lex_next(p);
    family->type = type;
    family->vector = vector;
    want_punct(p, '>', "after the number of registers");
    return family->count;
}

void parse_reg_decl(struct parser *p)
{
    struct reg_layout *layout = parse_alloc(p, sizeof *layout);
    layout->vector = 1;
    bool typed = false, sized = false;
    while ((!sized && (sized = take_vector(p, &layout->vector))) ||
           (!typed && (typed = take_type(p, &layout->type))))
        ;
    if (!typed)
        refuse_type(p);
    if (ptx_types[layout->type].kind == PTX_OPAQUE)
        parse_fail(p, NULL, "a register cannot have the type .%s", ptx_types[layout->type].text);
    p->names.len = p->numbers.len = 0;
    do {
        const char *name;
        size_t count = declare_reg(p, layout->type, layout->vector, &name);
        parse_push(p, &p->names, name);
        parse_push(p, &p->numbers, count);
    } while (take_punct(p, ','));
    want_punct(p, ';', "after the declaration of a register");
    layout->count = (uint32_t) p->names.len;
    layout->names = parse_copy(p, p->names.at, p->names.len * sizeof *p->names.at);
    layout->counts = parse_alloc_array(p, layout->count, sizeof *layout->counts);
    layout->has_count = parse_alloc_array(p, layout->count, sizeof *layout->has_count);
    for (uint32_t i = 0; i < layout->count; i++) {
        layout->counts[i] = (uint32_t) p->numbers.at[i];
        layout->has_count[i] = p->numbers.at[i] != SIZE_MAX;
    }
    struct item item = {ITEM_REGS, 1, layout};
    parse_push(p, &p->body, item);
}

/* ---- variables ---- */

static uint32_t parse_align(struct parser *p)
{
    struct token t = p->tok;
    uint64_t align = parse_count(p, "an alignment", 1 << 20);
    if (align == 0 || align & (align - 1))
        parse_fail(p, &t, "an alignment must be a power of two");
    return (uint32_t) align;
}

static void parse_unified(struct parser *p, uint64_t values[2])
{
    want_punct(p, '(', "after .unified");
    values[0] = parse_count(p, "half of a unified address", UINT64_MAX);
    want_punct(p, ',', "between the halves of a unified address");
    values[1] = parse_count(p, "half of a unified address", UINT64_MAX);
    want_punct(p, ')', "after a unified address");
}

void parse_attribute(struct parser *p, bool *is_managed, bool *is_unified, uint64_t unified[2])
{
    want_punct(p, '(', "after .attribute");
    do {
        if (take_dot(p, "managed")) {
            *is_managed = true;
        } else if (take_dot(p, "unified")) {
            *is_unified = true;
            parse_unified(p, unified);
        } else {
            parse_fail(p, NULL, "expected .managed or .unified");
        }
    } while (take_punct(p, ','));
    want_punct(p, ')', "after attributes");
}

/* What stands between the state space and the names. */
static void parse_var_head(struct parser *p, struct ptx_var *var, struct var_layout *layout)
{
    bool typed = false, sized = false;
    var->vector = 1;
    for (;;) {
        if (!layout->has_align && take_dot(p, "align")) {
            layout->has_align = true;
            layout->align = var->align = parse_align(p);
        } else if (take_dot(p, "attribute")) {
            parse_attribute(p, &layout->is_managed, &layout->is_unified, layout->unified);
        } else if ((!sized && (sized = take_vector(p, &var->vector))) ||
                   (!typed && (typed = take_type(p, &var->type)))) {
            continue;
        } else {
            break;
        }
    }
    layout->space = var->space;
    if (!typed)
        refuse_type(p);
    if (var->type == PTX_PRED && var->space != PTX_REG)
        parse_fail(p, NULL, "only registers can be predicates");
}

/* .ptr .global .align 4 */
static void parse_ptr(struct parser *p, struct ptx_var *var, struct var_layout *layout)
{
    if (!take_dot(p, "ptr"))
        return;
    var->is_ptr = true;
    var->ptr_space = parse_space(p);
    var->ptr_align = 4;
    if (take_dot(p, "align")) {
        layout->has_ptr_align = true;
        var->ptr_align = parse_align(p);
    }
}

static void parse_dims(struct parser *p, struct ptx_var *var, struct var_layout *layout)
{
    size_t dims[MAX_DIMS];
    uint32_t n = 0;
    size_t limit = PTX_MAX_VAR_SIZE;
    var->count = 1;
    while (take_punct(p, '[')) {
        if (n == MAX_DIMS)
            parse_fail(p, NULL, "an array has at most %d dimensions", MAX_DIMS);
        dims[n] = 0;
        if (at_punct(p, ']') && n > 0)
            parse_fail(p, NULL, "only the first dimension of an array may be left open");
        if (!at_punct(p, ']')) {
            struct token t = p->tok;
            dims[n] = parse_count(p, "the size of an array", PTX_MAX_VAR_SIZE);
            if (dims[n] == 0 || dims[n] > limit)
                parse_fail(p, &t, "an array cannot have %zu elements here", dims[n]);
            limit /= dims[n];
            var->count *= dims[n];
        } else {
            var->unsized = true;
        }
        n++;
        want_punct(p, ']', "after the size of an array");
    }
    layout->dim_count = n;
    layout->dims = parse_copy(p, dims, n * sizeof *dims);
}

void parse_size_var(struct parser *p, struct ptx_var *var, const struct var_layout *layout)
{
    size_t element = MAX(ptx_types[var->type].bits / 8u, 1) * var->vector;
    if (!layout->has_align)
        var->align = (uint32_t) element;
    if (var->count > PTX_MAX_VAR_SIZE / element)
        parse_fail(p, NULL, "the variable '%s' is too large", var->name);
    var->size = var->unsized ? 0 : element * var->count;
}

static struct ptx_symbol *module_symbol(struct parser *p, const char *name)
{
    struct ptx_symbol *s = map_get(&p->m->symbols, name, strlen(name));
    if (s)
        return s;
    s = parse_alloc(p, sizeof *s);
    if (!map_put(&p->m->symbols, name, strlen(name), s))
        parse_out_of_memory(p);
    return s;
}

void parse_name_func(struct parser *p, struct ptx_func *func)
{
    module_symbol(p, func->name)->func = func;
}

/* A second declaration of a module-scope variable must agree with the first, and one of them be
 * .extern. */
static struct ptx_var *redeclare(struct parser *p, struct ptx_var *old, const struct ptx_var *var,
                                 const struct token *t)
{
    bool fits = old->space == var->space && old->type == var->type && old->vector == var->vector &&
                (old->is_extern || var->is_extern || var->is_weak || var->is_common);
    if (!fits || (!old->unsized && !var->unsized && old->size != var->size))
        parse_fail(p, t, "'%s' was declared differently on line %u", old->name, old->line);
    uint32_t line = old->line;
    if (!var->is_extern) {
        *old = *var;
        old->line = line;
    }
    return old;
}

static struct ptx_var *declare_var(struct parser *p, struct sym *sym, const struct ptx_var *made,
                                   const struct token *t)
{
    const struct binding *old = sym->bind;
    if (p->depth == 0 && old && old->kind == BIND_VAR)
        return redeclare(p, old->var, made, t);
    struct ptx_var *var = parse_copy(p, made, sizeof *made);
    scope_bind(p, sym, BIND_VAR, t)->var = var;
    if (p->depth == 0)
        module_symbol(p, var->name)->var = var;
    if (p->depth == 0 || var->space == PTX_GLOBAL || var->space == PTX_CONST)
        parse_push(p, &p->globals, var);
    else
        parse_push(p, &p->vars, var);
    return var;
}

static void check_var(struct parser *p, const struct ptx_var *var, const struct token *t)
{
    if (p->depth == 0 && (var->space == PTX_LOCAL || var->space == PTX_PARAM))
        parse_fail(p, t, "'%s' must be declared in a function", var->name);
    if (ptx_types[var->type].kind == PTX_OPAQUE && var->space != PTX_GLOBAL &&
        var->space != PTX_TEX)
        parse_fail(p, t, "a .%s must be a .global variable", ptx_types[var->type].text);
    if (var->unsized && !var->is_extern)
        parse_fail(p, t, "the size of '%s' is missing", var->name);
}

void parse_var_decl(struct parser *p, const struct linkage *linkage, enum ptx_space space)
{
    struct ptx_var head = {.space = (uint8_t) space, .func = p->func};
    struct var_layout common = {.linkage = *linkage};
    head.is_extern = linkage->is_extern;
    head.is_visible = linkage->is_visible;
    head.is_weak = linkage->is_weak;
    head.is_common = linkage->is_common;
    parse_var_head(p, &head, &common);
    p->layouts.len = 0;
    do {
        struct ptx_var made = head;
        struct var_layout layout = common;
        struct token t = p->tok;
        struct sym *sym = want_name(p, "the name of a variable");
        made.name = sym->name;
        made.line = t.line;
        parse_dims(p, &made, &layout);
        parse_size_var(p, &made, &layout);
        bool initialised = take_punct(p, '=');
        if (initialised)
            parse_open_array(p, &made, &layout);
        check_var(p, &made, &t);
        struct ptx_var *var = declare_var(p, sym, &made, &t);
        layout.var = var;
        if (initialised)
            parse_initialiser(p, var, &layout);
        parse_push(p, &p->layouts, layout);
    } while (take_punct(p, ','));
    want_punct(p, ';', "after the declaration of a variable");
    struct item item = {ITEM_VARS, (uint32_t) p->layouts.len, NULL};
    item.p = parse_copy(p, p->layouts.at, p->layouts.len * sizeof *p->layouts.at);
    if (p->depth == 0)
        parse_push(p, &p->top, item);
    else
        parse_push(p, &p->body, item);
}

/* ---- parameters ---- */

/* .param .u64 .ptr .global .align 8 name, .param .align 4 .b8 name[12], .reg .b32 name */
static struct ptx_var *parse_param(struct parser *p, struct var_layout *layout, bool anonymous)
{
    struct ptx_var *var = parse_alloc(p, sizeof *var);
    var->space = parse_space(p);
    var->func = p->func;
    if (var->space != PTX_PARAM && var->space != PTX_REG)
        parse_fail(p, NULL, "a parameter begins with .param or .reg");
    parse_var_head(p, var, layout);
    parse_ptr(p, var, layout);
    struct token t = p->tok;
    struct sym *sym = want_name(p, "the name of a parameter");
    var->name = sym->name;
    var->line = t.line;
    parse_dims(p, var, layout);
    parse_size_var(p, var, layout);
    layout->var = var;
    if (anonymous)
        return var;
    if (var->space == PTX_REG) {
        var->reg = scope_new_reg(p, sym->name, var->type, var->vector);
        scope_bind(p, sym, BIND_REG, &t)->reg = var->reg;
    } else {
        scope_bind(p, sym, BIND_VAR, &t)->var = var;
    }
    return var;
}

size_t parse_params(struct parser *p, struct param_list *out, bool anonymous)
{
    p->layouts.len = 0;
    size_t offset = 0;
    out->given = true;
    lex_next(p);
    while (!at_punct(p, ')')) {
        if (p->layouts.len)
            want_punct(p, ',', "between parameters");
        struct var_layout layout = {0};
        struct ptx_var *var = parse_param(p, &layout, anonymous);
        if (var->unsized && !at_punct(p, ')'))
            parse_fail(p, NULL, "only the last parameter may have no size");
        var->offset = ALIGN_UP(offset, var->align);
        offset = var->offset + var->size;
        if (offset > PTX_MAX_VAR_SIZE)
            parse_fail(p, NULL, "these parameters are too large");
        parse_push(p, &p->layouts, layout);
    }
    lex_next(p);
    out->count = (uint32_t) p->layouts.len;
    out->at = parse_copy(p, p->layouts.at, p->layouts.len * sizeof *p->layouts.at);
    return offset;
}
