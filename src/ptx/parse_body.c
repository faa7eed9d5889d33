/* The body of a function: blocks, labels, directives. Instructions are in parse_insn.c. */
#include "ptx/parse.h"

static void add_item(struct parser *p, uint8_t kind, const void *what)
{
    struct item item = {kind, 1, what};
    parse_push(p, &p->body, item);
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

void parse_body(struct parser *p)
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
