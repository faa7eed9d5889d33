/* Functions: header, directives, and the statements of a body. Instructions are in parse_insn.c. */
#include <string.h>

#include "ptx/parse.h"

enum { MAX_KERNEL_PARAMS = 32764 }; /* bytes; PTX ISA, "Kernel Function Parameters" */

static void add_item(struct parser *p, uint8_t kind, const void *what)
{
    struct item item = {kind, 1, what};
    parse_push(p, &p->body, item);
}

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

/* Up to '{' or ';'. */
static const struct directive *parse_directives(struct parser *p, struct ptx_func *f,
                                                uint32_t *count)
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

/* ---- directives of a body ---- */

/* .loc file line column[, function_name label[+n]][, inlined_at file line column] */
static void parse_loc(struct parser *p)
{
    struct loc_layout *l = parse_alloc(p, sizeof *l);
    lex_next(p);
    l->loc.file = (uint32_t) parse_count(p, "the file of .loc", UINT32_MAX);
    l->loc.line = (uint32_t) parse_count(p, "the line of .loc", UINT32_MAX);
    l->loc.column = (uint32_t) parse_count(p, "the column of .loc", UINT32_MAX);
    while (take_punct(p, ',')) {
        if (at_word(p, "function_name")) {
            lex_next(p);
            struct named_loc named = {.loc = &l->loc,
                                      .label = want_name(p, "a label of .debug_str")};
            l->label = named.label->name;
            if (take_punct(p, '+')) {
                named.offset = (int64_t) parse_count(p, "an offset", INT32_MAX);
                l->has_label_offset = true;
            }
            l->label_offset = named.offset;
            parse_push(p, &p->named_locs, named);
        } else if (at_word(p, "inlined_at")) {
            lex_next(p);
            l->has_inlined_at = true;
            for (unsigned i = 0; i < 3; i++)
                l->inlined_at[i] = (uint32_t) parse_count(p, "a number of inlined_at", UINT32_MAX);
        } else {
            parse_fail(p, NULL, "expected function_name or inlined_at");
        }
    }
    if (l->has_inlined_at) {
        /* The call's own place, with what it is inlined at, was named by an earlier .loc (PTX ISA,
         * ".loc"). */
        struct ptx_loc *outer = map_get(&p->loc_places, (const char *) l->inlined_at, 12);
        if (!outer) {
            outer = parse_alloc(p, sizeof *outer);
            *outer = (struct ptx_loc){
                .file = l->inlined_at[0], .line = l->inlined_at[1], .column = l->inlined_at[2]};
        }
        l->loc.inlined_at = outer;
    }
    if (!map_put(&p->loc_places, (const char *) &l->loc.file, 12, &l->loc))
        parse_out_of_memory(p);
    p->loc = &l->loc;
    add_item(p, ITEM_LOC, l);
}

static struct ptx_var *prototype_vars(struct parser *p, const struct param_list *list)
{
    struct ptx_var *vars = parse_alloc_array(p, list->count, sizeof *vars);
    for (uint32_t i = 0; i < list->count; i++)
        vars[i] = *list->at[i].var;
    return vars;
}

/* .callprototype (results) _ (params) .noreturn; */
static void parse_prototype(struct parser *p, struct sym *sym, const struct token *t)
{
    struct prototype_layout *l = parse_alloc(p, sizeof *l);
    struct ptx_prototype *proto = parse_alloc(p, sizeof *proto);
    lex_next(p);
    if (at_punct(p, '('))
        parse_params(p, &l->results, true);
    l->placeholder = want_name(p, "'_'")->name;
    if (at_punct(p, '('))
        parse_params(p, &l->params, true);
    struct ptx_func marks = {0};
    l->directives = parse_directives(p, &marks, &l->directive_count);
    want_punct(p, ';', "after .callprototype");
    *proto = (struct ptx_prototype){
        .name = sym->name,
        .results = prototype_vars(p, &l->results),
        .params = prototype_vars(p, &l->params),
        .result_count = l->results.count,
        .param_count = l->params.count,
        .is_noreturn = marks.is_noreturn,
    };
    l->prototype = proto;
    scope_bind(p, sym, BIND_PROTOTYPE, t)->prototype = proto;
    add_item(p, ITEM_PROTOTYPE, l);
}

static void parse_branch_targets(struct parser *p, struct sym *sym, const struct token *t)
{
    struct ptx_operand *list = parse_alloc(p, sizeof *list);
    list->kind = PTX_LIST;
    list->component = -1;
    list->label = parse_alloc(p, sizeof *list->label);
    list->label->name = sym->name;
    lex_next(p);
    p->marks.len = 0;
    do {
        parse_push(p, &p->marks, p->tok);
        want_name(p, "a label");
    } while (take_punct(p, ','));
    want_punct(p, ';', "after .branchtargets");
    if (p->marks.len > UINT16_MAX)
        parse_fail(p, t, "a list of branch targets has at most %d labels", UINT16_MAX);
    list->count = (uint16_t) p->marks.len;
    list->items = parse_alloc_array(p, list->count, sizeof *list->items);
    for (uint16_t i = 0; i < list->count; i++) {
        list->items[i].kind = PTX_LABEL;
        list->items[i].component = -1;
        scope_want_label(p, &list->items[i].label, &p->marks.at[i]);
    }
    scope_bind(p, sym, BIND_TARGETS, t)->targets = list;
    add_item(p, ITEM_BRANCH_TARGETS, list);
}

static void parse_call_targets(struct parser *p, struct sym *sym, const struct token *t)
{
    struct ptx_prototype *proto = parse_alloc(p, sizeof *proto);
    proto->name = sym->name;
    lex_next(p);
    p->callees.len = 0;
    do {
        struct token name = p->tok;
        const struct binding *b = scope_find(p, want_name(p, "the name of a function"));
        if (!b || b->kind != BIND_FUNC)
            parse_fail(p, &name, "'%.*s' is no function", (int) MIN(name.len, 100), name.at);
        parse_push(p, &p->callees, b->func);
    } while (take_punct(p, ','));
    want_punct(p, ';', "after .calltargets");
    const struct ptx_func *first = p->callees.at[0];
    proto->target_count = (uint32_t) p->callees.len;
    proto->targets = parse_copy(p, p->callees.at, p->callees.len * sizeof *p->callees.at);
    proto->param_count = first->param_count;
    proto->result_count = first->result_count;
    proto->params = parse_alloc_array(p, first->param_count, sizeof *proto->params);
    proto->results = parse_alloc_array(p, first->result_count, sizeof *proto->results);
    for (uint32_t i = 0; i < first->param_count; i++)
        proto->params[i] = *first->params[i];
    for (uint32_t i = 0; i < first->result_count; i++)
        proto->results[i] = *first->results[i];
    scope_bind(p, sym, BIND_PROTOTYPE, t)->prototype = proto;
    add_item(p, ITEM_CALL_TARGETS, proto);
}

/* ---- statements ---- */

static void parse_label(struct parser *p)
{
    struct token t = p->tok;
    struct sym *sym = t.sym;
    lex_next(p);
    lex_next(p); /* the colon */
    if (at_dot(p, "callprototype")) {
        parse_prototype(p, sym, &t);
    } else if (at_dot(p, "branchtargets")) {
        parse_branch_targets(p, sym, &t);
    } else if (at_dot(p, "calltargets")) {
        parse_call_targets(p, sym, &t);
    } else {
        struct ptx_label *label = parse_alloc(p, sizeof *label);
        *label = (struct ptx_label){sym->name, (uint32_t) p->insns.len};
        scope_bind(p, sym, BIND_LABEL, &t)->label = label;
        parse_push(p, &p->labels, label);
        add_item(p, ITEM_LABEL, label);
    }
}

static void parse_guarded(struct parser *p)
{
    lex_next(p);
    bool negated = take_punct(p, '!');
    struct token t = p->tok;
    const struct binding *b = scope_find(p, want_name(p, "a predicate register after '@'"));
    if (!b || b->kind != BIND_REG || b->reg->type != PTX_PRED)
        parse_fail(p, &t, "'%.*s' is no predicate register", (int) MIN(t.len, 100), t.at);
    if (!at_name(p)) {
        char found[64];
        parse_quote(found, sizeof found, &p->tok);
        parse_fail(p, NULL, "expected an instruction after its predicate, found %s", found);
    }
    parse_insn(p, b->reg, negated);
}

static void parse_body_directive(struct parser *p)
{
    if (take_dot(p, "reg")) {
        parse_reg_decl(p);
        return;
    }
    if (at_dot(p, "loc")) {
        parse_loc(p);
        return;
    }
    if (at_dot(p, "pragma")) {
        struct item item;
        parse_pragma(p, &item);
        parse_push(p, &p->body, item);
        return;
    }
    struct linkage linkage;
    parse_linkage(p, &linkage);
    enum ptx_space space = parse_space(p);
    if (space == PTX_GENERIC || space == PTX_REG || space == PTX_TEX) {
        char found[64];
        parse_quote(found, sizeof found, &p->tok);
        parse_fail(p, NULL, "%s cannot stand in a function", found);
    }
    parse_var_decl(p, &linkage, space);
}

static void parse_statement(struct parser *p)
{
    switch (p->tok.kind) {
    case TOKEN_NAME:
        if (lex_before_colon(p))
            parse_label(p);
        else
            parse_insn(p, NULL, false);
        return;
    case TOKEN_DOT:
        parse_body_directive(p);
        return;
    case TOKEN_PUNCT:
        if (p->tok.punct == '@') {
            parse_guarded(p);
            return;
        }
        if (p->tok.punct == ';') {
            add_item(p, ITEM_EMPTY, NULL);
            lex_next(p);
            return;
        }
        break;
    default:
        break;
    }
    char found[64];
    parse_quote(found, sizeof found, &p->tok);
    parse_fail(p, NULL, "expected a statement, found %s", found);
}

static void refuse_unknown_labels(struct parser *p)
{
    if (p->pending.len == 0)
        return;
    const struct pending *use = &p->pending.at[0];
    struct token t = {.line = use->line, .column = use->column};
    parse_fail(p, &t, "there is no label '%s' in '%s'", use->sym->name, p->func->name);
}

/* From '{' past the '}' that closes it. */
static void parse_statements(struct parser *p)
{
    scope_open(p);
    lex_next(p);
    for (uint32_t outer = p->depth;;) {
        if (at_punct(p, '{')) {
            scope_open(p);
            add_item(p, ITEM_OPEN, NULL);
            lex_next(p);
        } else if (at_punct(p, '}')) {
            scope_close(p);
            if (p->depth < outer)
                break;
            add_item(p, ITEM_CLOSE, NULL);
            lex_next(p);
        } else {
            parse_statement(p);
        }
    }
    refuse_unknown_labels(p);
    lex_next(p);
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
        parse_statements(p);
        keep_body(p, f);
    } else {
        lex_next(p); /* the semicolon */
        f->param_size = f->defined ? f->param_size : size;
    }
    p->func = NULL;
    scope_close(p);
}
