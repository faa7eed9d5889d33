/* A module: the statements outside functions, and the door of the parser. */
#include "ptx/parse.h"

#include <string.h>

enum { MAX_FILES = 1 << 20 };

static void add_item(struct parser *p, uint8_t kind, const void *what)
{
    struct item item = {kind, 1, what};
    parse_push(p, &p->top, item);
}

/* The lexer sees "9.5" as a number: its digits are read again. */
static void parse_version(struct parser *p)
{
    lex_next(p);
    struct token t = p->tok;
    uint32_t parts[2] = {0, 0};
    unsigned part = 0;
    for (uint32_t i = 0; i < t.len && (t.kind == TOKEN_F64 || t.kind == TOKEN_INT); i++) {
        if (t.at[i] == '.' && part == 0)
            part = 1;
        else if (t.at[i] >= '0' && t.at[i] <= '9' && parts[part] < 1000)
            parts[part] = parts[part] * 10 + (uint32_t) (t.at[i] - '0');
        else
            parts[0] = part = 0, i = t.len;
    }
    if (parts[0] == 0 || part == 0)
        parse_fail(p, NULL, "expected a PTX version such as 8.4");
    if (p->m->version_major)
        parse_fail(p, NULL, ".version was given above");
    p->m->version_major = parts[0];
    p->m->version_minor = parts[1];
    lex_next(p);
    add_item(p, ITEM_VERSION, NULL);
}

static uint32_t sm_number(const char *name)
{
    uint32_t sm = 0;
    if (strncmp(name, "sm_", 3) != 0)
        return 0;
    for (name += 3; *name >= '0' && *name <= '9' && sm < 1000; name++)
        sm = sm * 10 + (uint32_t) (*name - '0');
    return sm < 1000 ? sm : 0;
}

static void parse_target(struct parser *p)
{
    struct target_layout *layout = parse_alloc(p, sizeof *layout);
    lex_next(p);
    p->names.len = 0;
    do {
        struct token t = p->tok;
        const char *name = want_name(p, "a target such as sm_75")->name;
        parse_push(p, &p->names, name);
        if (!p->m->target) {
            p->m->target = name;
            p->m->sm = sm_number(name);
            if (p->m->sm == 0)
                parse_fail(p, &t, "'%.*s' is no target such as sm_75", (int) MIN(t.len, 100), t.at);
        }
    } while (take_punct(p, ','));
    layout->count = (uint32_t) p->names.len;
    layout->names = parse_copy(p, p->names.at, p->names.len * sizeof *p->names.at);
    add_item(p, ITEM_TARGET, layout);
}

static void parse_address_size(struct parser *p)
{
    lex_next(p);
    struct token t = p->tok;
    uint64_t size = parse_count(p, "the size of an address", 64);
    if (size != 64)
        parse_fail(p, &t, "only .address_size 64 is supported");
    add_item(p, ITEM_ADDRESS_SIZE, NULL);
}

static void parse_file(struct parser *p)
{
    struct file_layout *layout = parse_alloc(p, sizeof *layout);
    lex_next(p);
    layout->number = (uint32_t) parse_count(p, "the number of a file", MAX_FILES);
    if (p->tok.kind != TOKEN_STRING)
        parse_fail(p, NULL, "expected the name of a file");
    layout->name = arena_string(&p->m->arena, p->tok.at, p->tok.len);
    if (!layout->name)
        parse_out_of_memory(p);
    lex_next(p);
    if (take_punct(p, ',')) {
        layout->has_time = true;
        layout->time = parse_count(p, "the time of a file", UINT64_MAX);
        want_punct(p, ',', "between the time and the size of a file");
        layout->size = parse_count(p, "the size of a file", UINT64_MAX);
    }
    while (p->files.len <= layout->number)
        parse_push(p, &p->files, NULL);
    p->files.at[layout->number] = layout->name;
    add_item(p, ITEM_FILE, layout);
}

static void parse_alias(struct parser *p)
{
    struct alias_layout *layout = parse_alloc(p, sizeof *layout);
    lex_next(p);
    struct token t[2];
    const struct binding *b[2];
    for (unsigned i = 0; i < 2; i++) {
        t[i] = p->tok;
        b[i] = scope_find(p, want_name(p, "the name of a function"));
        if (!b[i] || b[i]->kind != BIND_FUNC || b[i]->func->kind != PTX_FUNC)
            parse_fail(p, &t[i], "'%.*s' is no .func declared above", (int) MIN(t[i].len, 100),
                       t[i].at);
        want_punct(p, i == 0 ? ',' : ';', "in .alias");
    }
    struct ptx_func *name = b[0]->func, *target = b[1]->func;
    if (name->defined || !target->defined)
        parse_fail(p, &t[0], "an alias is a function without a body for one that has a body");
    name->alias = target;
    layout->name = name->name;
    layout->target = target->name;
    add_item(p, ITEM_ALIAS, layout);
}

static void parse_declaration(struct parser *p)
{
    struct linkage linkage;
    parse_linkage(p, &linkage);
    if (at_dot(p, "func") || at_dot(p, "entry")) {
        parse_func(p, &linkage);
        return;
    }
    enum ptx_space space = parse_space(p);
    if (space == PTX_GENERIC || space == PTX_REG) {
        char found[64];
        parse_quote(found, sizeof found, &p->tok);
        parse_fail(p, NULL, "expected a variable, a function or a directive, found %s", found);
    }
    parse_var_decl(p, &linkage, space);
}

static void parse_top(struct parser *p)
{
    if (at_dot(p, "version")) {
        parse_version(p);
        return;
    }
    if (!p->m->version_major)
        parse_fail(p, NULL, "PTX text must begin with .version");
    if (at_dot(p, "target")) {
        parse_target(p);
        return;
    }
    if (!p->m->target)
        parse_fail(p, NULL, ".target must follow .version");
    if (at_dot(p, "address_size")) {
        parse_address_size(p);
    } else if (at_dot(p, "file")) {
        parse_file(p);
    } else if (at_dot(p, "section")) {
        parse_section(p);
    } else if (at_dot(p, "alias")) {
        parse_alias(p);
    } else if (at_dot(p, "pragma")) {
        struct item item;
        parse_pragma(p, &item);
        parse_push(p, &p->top, item);
    } else if (at_punct(p, ';')) {
        add_item(p, ITEM_EMPTY, NULL);
        lex_next(p);
    } else {
        parse_declaration(p);
    }
}

/* ---- names of inlined functions ---- */

/* The text at item `i` of a section: bytes up to a zero. */
static const char *section_string(struct parser *p, const struct section_layout *s, size_t i,
                                  int64_t offset)
{
    p->text.len = 0;
    for (; i < s->count && s->items[i].kind != DATA_LABEL; i++) {
        const struct data_item *item = &s->items[i];
        if (item->kind == DATA_DIRECTIVE && item->type != PTX_B8)
            return NULL;
        if (item->kind != DATA_INT || offset-- > 0)
            continue;
        char c = (char) item->value;
        parse_push(p, &p->text, c);
        if (c == 0)
            return parse_copy(p, p->text.at, p->text.len);
    }
    return NULL;
}

/* .debug_str usually follows the functions, so this waits until the end. */
static void name_locs(struct parser *p)
{
    for (size_t i = 0; i < p->strings.len; i++)
        p->strings.at[i].sym->string = &p->strings.at[i];
    for (size_t i = 0; i < p->named_locs.len; i++) {
        const struct named_loc *named = &p->named_locs.at[i];
        struct string_label *s = named->label->string;
        if (!s)
            continue;
        if (named->offset) {
            named->loc->function = section_string(p, s->section, s->first, named->offset);
            continue;
        }
        if (!s->text)
            s->text = section_string(p, s->section, s->first, 0);
        named->loc->function = s->text;
    }
}

/* ---- the door ---- */

static void intern_specials(struct parser *p)
{
    for (unsigned i = 1; i < PTX_SREGS; i++)
        lex_intern(p, ptx_sreg_names[i], strlen(ptx_sreg_names[i]))->sreg = (uint16_t) i;
}

static void parse_module(struct parser *p)
{
    intern_specials(p);
    lex_next(p);
    while (p->tok.kind != TOKEN_END)
        parse_top(p);
    if (!p->m->target)
        parse_fail(p, NULL, "there is no PTX in this text");
    name_locs(p);
    struct ptx_module *m = p->m;
    m->func_count = (uint32_t) p->funcs.len;
    m->funcs = parse_copy(p, p->funcs.at, p->funcs.len * sizeof *p->funcs.at);
    m->var_count = (uint32_t) p->globals.len;
    m->vars = parse_copy(p, p->globals.at, p->globals.len * sizeof *p->globals.at);
    m->file_count = (uint32_t) p->files.len;
    m->files = parse_copy(p, p->files.at, p->files.len * sizeof *p->files.at);
    struct item_list *layout = parse_alloc(p, sizeof *layout);
    layout->count = p->top.len;
    layout->at = parse_copy(p, p->top.at, p->top.len * sizeof *p->top.at);
    m->layout = layout;
}

static void parser_destroy(struct parser *p)
{
    arena_fini(&p->scratch);
    alloc_free(p->syms);
    map_fini(&p->loc_places);
    vec_fini(&p->insns);
    vec_fini(&p->regs);
    vec_fini(&p->vars);
    vec_fini(&p->labels);
    vec_fini(&p->body);
    vec_fini(&p->top);
    vec_fini(&p->pending);
    vec_fini(&p->operands);
    vec_fini(&p->marks);
    vec_fini(&p->funcs);
    vec_fini(&p->globals);
    vec_fini(&p->files);
    vec_fini(&p->named_locs);
    vec_fini(&p->strings);
    vec_fini(&p->data);
    vec_fini(&p->relocs);
    vec_fini(&p->inits);
    vec_fini(&p->numbers);
    vec_fini(&p->names);
    vec_fini(&p->layouts);
    vec_fini(&p->directives);
    vec_fini(&p->callees);
    vec_fini(&p->text);
    alloc_free(p);
}

static struct ptx_module *module_create(struct parser *p)
{
    struct arena arena = {0};
    struct ptx_module *m = arena_alloc(&arena, sizeof *m);
    if (!m)
        parse_out_of_memory(p);
    m->arena = arena;
    m->address_size = 64;
    return m;
}

int ptx_parse(struct ptx_module **out, const char *text, size_t len, struct ptx_diag *diag)
{
    *out = NULL;
    *diag = (struct ptx_diag){.message = "out of memory while reading PTX"};
    if (len > UINT32_MAX / 2) {
        *diag = (struct ptx_diag){.message = "this PTX text is longer than 2 GiB"};
        return -1;
    }
    struct parser *p = alloc_zero(1, sizeof *p);
    if (!p)
        return -1;
    p->diag = diag;
    p->at = p->line_start = p->last_end = text;
    p->end = text + len;
    p->line = 1;
    if (setjmp(p->bail) == 0) { /* nothing local changes between here and a jump back */
        p->m = module_create(p);
        parse_module(p);
        *out = p->m;
        *diag = (struct ptx_diag){0};
    } else {
        ptx_destroy(&p->m);
    }
    parser_destroy(p);
    return *out ? 0 : -1;
}
