/* Functions: their headers. Bodies are in parse_body.c. */
#include <string.h>

#include "ptx/parse.h"

enum { MAX_KERNEL_PARAMS = 32764 }; /* bytes; PTX ISA, "Kernel Function Parameters" */

/* ---- header ---- */

/* Directives that take up to `values` numbers, at least one; where they are kept, if they are. */
static const struct {
    const char *name;
    uint8_t values;
} func_directives[] = {
    {"maxntid", 3},  {"reqntid", 3},           {"minnctapersm", 1},   {"maxnctapersm", 1},
    {"maxnreg", 1},  {"reqnctapercluster", 3}, {"maxclusterrank", 1}, {"explicitcluster", 0},
    {"noreturn", 0}, {"blocksareclusters", 0}, {"abi_preserve", 1},   {"abi_preserve_control", 1},
};

static void keep_directive(struct ptx_func *f, const struct directive *d)
{
    uint32_t *three = strcmp(d->name, "maxntid") == 0             ? f->maxntid
                      : strcmp(d->name, "reqntid") == 0           ? f->reqntid
                      : strcmp(d->name, "reqnctapercluster") == 0 ? f->reqnctapercluster
                                                                  : NULL;
    uint32_t *one = strcmp(d->name, "minnctapersm") == 0     ? &f->minnctapersm
                    : strcmp(d->name, "maxnreg") == 0        ? &f->maxnreg
                    : strcmp(d->name, "maxclusterrank") == 0 ? &f->maxclusterrank
                                                             : NULL;
    for (unsigned i = 0; three && i < 3; i++)
        three[i] = i < d->value_count ? (uint32_t) d->values[i] : 1;
    if (one)
        *one = (uint32_t) d->values[0];
    f->is_noreturn |= strcmp(d->name, "noreturn") == 0;
    f->explicit_cluster |= strcmp(d->name, "explicitcluster") == 0;
}

static void parse_directive(struct parser *p, struct directive *out)
{
    for (unsigned i = 0; i < ARRAY_LEN(func_directives); i++) {
        if (!take_dot(p, func_directives[i].name))
            continue;
        out->name = func_directives[i].name;
        for (unsigned left = func_directives[i].values; left; left--) {
            out->values[out->value_count++] = parse_count(p, "this limit", UINT32_MAX);
            if (left > 1 && !take_punct(p, ','))
                break;
        }
        return;
    }
    char found[64];
    parse_quote(found, sizeof found, &p->tok);
    parse_fail(p, NULL, "expected '{', ';' or a directive of the function, found %s", found);
}

const struct directive *parse_directives(struct parser *p, struct ptx_func *f, uint32_t *count)
{
    p->directives.len = 0;
    while (!at_punct(p, '{') && !at_punct(p, ';')) {
        struct directive d = {0};
        if (at_dot(p, "pragma")) {
            struct item pragma;
            parse_pragma(p, &pragma);
            d.name = "pragma";
            d.texts = pragma.p;
            d.value_count = pragma.count;
        } else {
            parse_directive(p, &d);
            if (f)
                keep_directive(f, &d);
        }
        parse_push(p, &p->directives, d);
    }
    *count = (uint32_t) p->directives.len;
    return parse_copy(p, p->directives.at, p->directives.len * sizeof *p->directives.at);
}

void parse_pragma(struct parser *p, struct item *out)
{
    lex_next(p);
    p->names.len = 0;
    do {
        if (p->tok.kind != TOKEN_STRING)
            parse_fail(p, NULL, "expected a string after .pragma");
        const char *text = arena_string(&p->m->arena, p->tok.at, p->tok.len);
        if (!text)
            parse_out_of_memory(p);
        parse_push(p, &p->names, text);
        lex_next(p);
    } while (take_punct(p, ','));
    want_punct(p, ';', "after .pragma");
    *out = (struct item){ITEM_PRAGMA, (uint32_t) p->names.len, NULL};
    out->p = parse_copy(p, p->names.at, p->names.len * sizeof *p->names.at);
}

static struct ptx_func *name_func(struct parser *p, uint8_t kind)
{
    struct token t = p->tok;
    struct sym *sym = want_name(p, "the name of a function");
    if (sym->bind && (sym->bind->depth > 0 || sym->bind->kind != BIND_FUNC))
        parse_fail(p, &t, "'%s' is declared twice", sym->name);
    if (sym->bind) {
        if (sym->bind->func->kind != kind)
            parse_fail(p, &t, "'%s' is both .entry and .func", sym->name);
        return sym->bind->func;
    }
    struct ptx_func *f = parse_alloc(p, sizeof *f);
    f->name = sym->name;
    f->kind = kind;
    f->line = t.line;
    uint32_t depth = p->depth; /* the name outlives the scope of the parameters */
    p->depth = 0;
    scope_bind(p, sym, BIND_FUNC, &t)->func = f;
    p->depth = depth;
    parse_name_func(p, f);
    parse_push(p, &p->funcs, f);
    return f;
}

static struct ptx_var **param_vars(struct parser *p, const struct param_list *list)
{
    struct ptx_var **vars = parse_alloc_array(p, list->count, sizeof *vars);
    for (uint32_t i = 0; i < list->count; i++)
        vars[i] = (struct ptx_var *) list->at[i].var;
    return vars;
}

static bool lists_agree(struct ptx_var *const *a, const struct param_list *b, uint32_t count)
{
    bool agree = count == b->count;
    for (uint32_t i = 0; agree && i < count; i++)
        agree = a[i]->size == b->at[i].var->size && a[i]->space == b->at[i].var->space;
    return agree;
}

/* Enters the lists of a header; a later declaration of a function that has a body changes nothing.
 */
static void set_signature(struct parser *p, struct ptx_func *f, const struct func_layout *layout,
                          const struct token *t)
{
    bool again = f->params != NULL;
    if (again && (!lists_agree(f->params, &layout->params, f->param_count) ||
                  !lists_agree(f->results, &layout->results, f->result_count)))
        parse_fail(p, t, "'%s' was declared with other parameters on line %u", f->name, f->line);
    f->is_extern |= layout->linkage.is_extern;
    f->is_visible |= layout->linkage.is_visible;
    f->is_weak |= layout->linkage.is_weak;
    if (f->defined)
        return;
    f->params = param_vars(p, &layout->params);
    f->results = param_vars(p, &layout->results);
    f->param_count = layout->params.count;
    f->result_count = layout->results.count;
    for (uint32_t i = 0; i < f->param_count; i++)
        f->params[i]->func = f;
    for (uint32_t i = 0; i < f->result_count; i++)
        f->results[i]->func = f;
}

static void keep_body(struct parser *p, struct ptx_func *f)
{
    struct item_list *layout = parse_alloc(p, sizeof *layout);
    layout->count = p->body.len;
    layout->at = parse_copy(p, p->body.at, p->body.len * sizeof *p->body.at);
    f->layout = layout;
    f->insn_count = (uint32_t) p->insns.len;
    f->insns = parse_copy(p, p->insns.at, p->insns.len * sizeof *p->insns.at);
    f->reg_count = (uint32_t) p->regs.len;
    f->regs = parse_copy(p, p->regs.at, p->regs.len * sizeof *p->regs.at);
    f->var_count = (uint32_t) p->vars.len;
    f->vars = parse_copy(p, p->vars.at, p->vars.len * sizeof *p->vars.at);
    f->label_count = (uint32_t) p->labels.len;
    f->labels = parse_copy(p, p->labels.at, p->labels.len * sizeof *p->labels.at);
    f->defined = true;
}

static void start_func(struct parser *p)
{
    p->insns.len = p->regs.len = p->vars.len = p->labels.len = p->body.len = p->pending.len = 0;
    map_fini(&p->loc_places);
    p->loc_places = (struct map){0};
    p->loc = NULL;
}

void parse_func(struct parser *p, const struct linkage *linkage)
{
    struct func_layout *layout = parse_alloc(p, sizeof *layout);
    layout->linkage = *linkage;
    uint8_t kind = at_dot(p, "entry") ? PTX_ENTRY : PTX_FUNC;
    lex_next(p);
    start_func(p);
    scope_open(p);
    if (take_dot(p, "attribute")) {
        bool managed = false;
        parse_attribute(p, &managed, &layout->is_unified, layout->unified);
        if (managed)
            parse_fail(p, NULL, "a function cannot be .managed");
    }
    if (kind == PTX_FUNC && at_punct(p, '('))
        parse_params(p, &layout->results, false);
    struct token t = p->tok;
    struct ptx_func *f = name_func(p, kind);
    layout->func = p->func = f;
    size_t size = at_punct(p, '(') ? parse_params(p, &layout->params, false) : 0;
    if (kind == PTX_ENTRY && size > MAX_KERNEL_PARAMS)
        parse_fail(p, &t, "'%s' has %zu bytes of parameters, at most %d can be passed", f->name,
                   size, MAX_KERNEL_PARAMS);
    layout->directives = parse_directives(p, f, &layout->directive_count);
    layout->has_body = at_punct(p, '{');
    if (f->defined && layout->has_body)
        parse_fail(p, &t, "'%s' is defined twice", f->name);
    set_signature(p, f, layout, &t);
    struct item item = {ITEM_FUNC, 1, layout};
    parse_push(p, &p->top, item);
    if (layout->has_body) {
        f->param_size = size;
        f->line = t.line;
        parse_body(p);
        keep_body(p, f);
    } else {
        lex_next(p); /* the semicolon */
        f->param_size = f->defined ? f->param_size : size;
    }
    p->func = NULL;
    scope_close(p);
}
