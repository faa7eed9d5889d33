/* Joins PTX texts to one: by symbol names, as a linker does. The texts are copied word for word but
 * for names that would clash, second copies of weak symbols, and numbers of files. What is not
 * defined anywhere stays declared: who loads the text knows what it provides. */
#include "ptx/link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

/* What a symbol is to the other texts. */
enum binding { ABSENT, DECLARED, PRIVATE, WEAK, STRONG };

static enum binding func_binding(const struct ptx_func *f)
{
    if (!f->defined)
        return DECLARED;
    return f->is_weak ? WEAK : f->is_visible || f->is_extern ? STRONG : PRIVATE;
}

static enum binding var_binding(const struct ptx_var *v)
{
    if (v->is_extern)
        return DECLARED;
    return v->is_weak || v->is_common ? WEAK : v->is_visible ? STRONG : PRIVATE;
}

static enum binding binding_of(const struct ptx_module *m, const char *name)
{
    const struct ptx_func *f = ptx_find_func(m, name);
    const struct ptx_var *v = f ? NULL : ptx_find_var(m, name);
    return f ? func_binding(f) : v ? var_binding(v) : ABSENT;
}

/* ---- one text ---- */

enum { LONGEST = 4096 }; /* mangled names of templates are long */

enum token_kind { END, BLANK, WORD, DOT, STRING, PUNCT };

struct joining {
    struct str *out;
    const struct ptx_link_input *in;
    size_t count, now; /* inputs, and which of them is copied */
    uint32_t files;    /* of the inputs before */
    const char *at;    /* the text that is left */
    const char *token;
    size_t len;
};

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '$' || c == '%';
}

static size_t blank_length(const char *p)
{
    size_t n = strspn(p, " \t\r\n\v\f");
    if (!n && p[0] == '/' && p[1] == '/')
        return strcspn(p, "\n");
    if (!n && p[0] == '/' && p[1] == '*') {
        const char *end = strstr(p + 2, "*/");
        return end ? (size_t) (end - p) + 2 : strlen(p);
    }
    return n;
}

static size_t string_length(const char *p)
{
    size_t n = 1;
    while (p[n] && p[n] != '"')
        n += p[n] == '\\' && p[n + 1] ? 2 : 1;
    return p[n] ? n + 1 : n;
}

static enum token_kind next(struct joining *j)
{
    const char *p = j->token = j->at;
    enum token_kind kind = PUNCT;
    j->len = 1;
    if (!*p)
        return END;
    if (blank_length(p)) {
        j->len = blank_length(p);
        kind = BLANK;
    } else if (*p == '"') {
        j->len = string_length(p);
        kind = STRING;
    } else if (is_word(*p) || (*p == '.' && is_word(p[1]))) {
        while (is_word(p[j->len]))
            j->len++;
        kind = *p == '.' ? DOT : WORD;
    }
    j->at += j->len;
    return kind;
}

static bool is(const struct joining *j, const char *text)
{
    return j->len == strlen(text) && memcmp(j->token, text, j->len) == 0;
}

static void copy(struct joining *j)
{
    str_addn(j->out, j->token, j->len);
}

/* ---- names ---- */

/* Of two .common variables the larger one counts. */
static bool is_larger(const struct joining *j, const char *name, size_t input, ptrdiff_t than)
{
    const struct ptx_var *a = ptx_find_var(j->in[input].module, name),
                         *b = ptx_find_var(j->in[than].module, name);
    return a && b && a->is_common && a->size > b->size;
}

/* The input whose definition counts: the one for good, else the first weak one. -1: none. */
static ptrdiff_t definer(const struct joining *j, const char *name)
{
    ptrdiff_t weak = -1;
    for (size_t i = 0; i < j->count; i++) {
        enum binding b = binding_of(j->in[i].module, name);
        if (b == STRONG)
            return (ptrdiff_t) i;
        if (b == WEAK && (weak < 0 || is_larger(j, name, i, weak)))
            weak = (ptrdiff_t) i;
    }
    return weak;
}

/* Dynamic shared memory, which has as many names and types as one likes. */
static const struct ptx_var *dynamic_of(const struct joining *j, size_t input, const char *name)
{
    const struct ptx_var *v = ptx_find_var(j->in[input].module, name);
    return v && v->is_extern && v->space == PTX_SHARED ? v : NULL;
}

static bool are_alike(const struct ptx_var *a, const struct ptx_var *b)
{
    return a->type == b->type && a->vector == b->vector && a->align == b->align &&
           a->unsized == b->unsized && a->size == b->size;
}

/* Does what this input calls `name` need another name? Of private symbols of one name the first
 * keeps it. */
static bool clashes(const struct joining *j, const char *name, enum binding own)
{
    const struct ptx_var *shared = dynamic_of(j, j->now, name);
    for (size_t i = 0; i < j->count; i++) {
        enum binding other = i == j->now ? ABSENT : binding_of(j->in[i].module, name);
        if (own == PRIVATE && other != ABSENT && !(other == PRIVATE && i > j->now))
            return true;
        if (shared && other == DECLARED && i < j->now && dynamic_of(j, i, name) &&
            !are_alike(shared, dynamic_of(j, i, name)))
            return true;
    }
    return false;
}

/* Has an earlier input, whose text stands above, declared what this one declares? */
static bool is_declared_above(const struct joining *j, const char *name)
{
    for (size_t i = 0; i < j->now; i++)
        if (binding_of(j->in[i].module, name) == DECLARED ||
            binding_of(j->in[i].module, name) >= WEAK)
            return true;
    return false;
}

static void name_text(char *out, size_t size, const struct joining *j)
{
    snprintf(out, size, "%.*s", (int) j->len, j->token);
}

static void copy_word(struct joining *j)
{
    char name[LONGEST];
    copy(j);
    if (j->len >= sizeof name || *j->token == '%' ||
        *j->at == '.') /* an opcode: its types follow */
        return;
    name_text(name, sizeof name, j);
    enum binding own = binding_of(j->in[j->now].module, name);
    bool is_label = j->now && strncmp(name, "$L__", 4) == 0;
    if (is_label || (own != ABSENT && clashes(j, name, own)))
        str_addf(j->out, "$%zu", j->now);
}

/* ---- statements ---- */

/* Copies blanks and then a number of a .file directive, raised by the files of earlier inputs. */
static void copy_file_number(struct joining *j)
{
    enum token_kind kind = next(j);
    for (; kind == BLANK; kind = next(j))
        copy(j);
    if (kind == WORD)
        str_addf(j->out, "%lu", strtoul(j->token, NULL, 10) + j->files);
    else
        copy(j);
}

/* The name that a declaration declares: its first word outside of parentheses, which is no number.
 * `j` is a copy of the caller's. */
static bool find_name(struct joining j, char *out, size_t size, bool *is_func)
{
    int depth = 0;
    *is_func = false;
    for (enum token_kind kind = next(&j); kind != END; kind = next(&j)) {
        if (kind == PUNCT)
            depth += (*j.token == '(') - (*j.token == ')');
        *is_func |= kind == DOT && (is(&j, ".func") || is(&j, ".entry"));
        if (kind == WORD && depth == 0 && (*j.token < '0' || *j.token > '9')) {
            name_text(out, size, &j);
            return j.len < size;
        }
    }
    return false;
}

/* Skips a statement: a function with a body up to its last brace, all else up to its semicolon. */
static void skip_statement(struct joining *j)
{
    int depth = 0;
    bool is_func = false;
    for (enum token_kind kind = next(j); kind != END; kind = next(j)) {
        is_func |= kind == DOT && (is(j, ".func") || is(j, ".entry"));
        if (kind != PUNCT)
            continue;
        depth += (*j->token == '{') - (*j->token == '}');
        if (depth == 0 && ((is_func && *j->token == '}') || *j->token == ';'))
            return;
    }
}

/* Of a function's definition, whose linkage has been read, a declaration. */
static void declare_func(struct joining *j)
{
    str_add(j->out, ".extern");
    struct joining body = *j;
    for (enum token_kind kind = next(&body); kind != END && *body.token != '{';
         kind = next(&body)) {
        str_addn(j->out, body.token, body.len);
    }
    str_add(j->out, ";");
    skip_statement(j);
}

static void declare_var(struct str *out, const struct ptx_var *v)
{
    str_addf(out, ".extern %s .align %u", v->space == PTX_CONST ? ".const" : ".global", v->align);
    if (v->vector > 1)
        str_addf(out, " .v%u", v->vector);
    str_addf(out, " .%s %s", ptx_types[v->type].text, v->name);
    size_t element = MAX((size_t) ptx_types[v->type].bits / 8, 1) * MAX(v->vector, 1);
    if (v->size != element)
        str_addf(out, "[%zu]", v->count);
    str_addc(out, ';');
}

/* What begins with .extern, .weak, .visible or .common: copied, if this input is the one that
 * defines the symbol. A variable that another one defines is declared as it is there, because the
 * same bytes may be called .b8 x[16] here and .u64 x[2] there. */
static void copy_linkage(struct joining *j)
{
    char name[LONGEST];
    bool is_func;
    if (!find_name(*j, name, sizeof name, &is_func)) {
        copy(j);
        return;
    }
    ptrdiff_t by = definer(j, name);
    enum binding own = binding_of(j->in[j->now].module, name);
    const struct ptx_var *v = by < 0 ? NULL : ptx_find_var(j->in[by].module, name);
    bool is_here = by == (ptrdiff_t) j->now, is_above = is_declared_above(j, name);
    if (is_here && own != DECLARED && !is(j, ".extern")) {
        copy(j);
    } else if (v) {
        skip_statement(j);
        if (!is_above)
            declare_var(j->out, v);
    } else if (is_func) {
        if (own == DECLARED || !is(j, ".weak"))
            copy(j);
        else if (by < (ptrdiff_t) j->now)
            skip_statement(j);
        else
            declare_func(j);
    } else if (is_above && !clashes(j, name, own)) {
        skip_statement(j);
    } else {
        copy(j);
    }
}

static bool is_linkage(const struct joining *j)
{
    return is(j, ".extern") || is(j, ".weak") || is(j, ".visible") || is(j, ".common");
}

static void copy_dot(struct joining *j, int depth)
{
    if (depth == 0 && (is(j, ".version") || is(j, ".target") || is(j, ".address_size"))) {
        j->at += strcspn(j->at, "\n");
    } else if (depth == 0 && is_linkage(j)) {
        copy_linkage(j);
    } else {
        copy(j);
        if (is(j, ".file") || is(j, ".loc"))
            copy_file_number(j);
    }
}

static void copy_text(struct joining *j)
{
    int depth = 0;
    j->at = j->in[j->now].text;
    for (enum token_kind kind = next(j); kind != END; kind = next(j)) {
        if (kind == PUNCT)
            depth += (*j->token == '{') - (*j->token == '}');
        if (kind == DOT) {
            copy_dot(j, depth);
        } else if (kind == WORD) {
            bool is_place = is(j, "inlined_at");
            copy_word(j);
            if (is_place)
                copy_file_number(j);
        } else {
            copy(j);
        }
    }
    str_addc(j->out, '\n');
    j->files += j->in[j->now].module->file_count;
}

/* ---- all of them ---- */

static int fail_twice(struct ptx_diag *diag, const char *name, const char *here, const char *first)
{
    snprintf(diag->message, sizeof diag->message,
             "Multiple definition of '%.80s' in '%.60s', first defined in '%.60s'", name, here,
             first);
    return -1;
}

/* Is what the last input defines for good defined so before? */
static int check_definition(const struct ptx_link_input *in, size_t now, const char *name,
                            struct ptx_diag *diag)
{
    if (binding_of(in[now].module, name) != STRONG)
        return 0;
    for (size_t i = 0; i < now; i++)
        if (binding_of(in[i].module, name) == STRONG)
            return fail_twice(diag, name, in[now].name, in[i].name);
    return 0;
}

static const char *space_text(const struct ptx_var *v)
{
    return v->space == PTX_CONST ? ".const" : v->space == PTX_SHARED ? ".shared" : ".global";
}

static bool lists_agree(struct ptx_var *const *a, uint32_t a_count, struct ptx_var *const *b,
                        uint32_t b_count)
{
    bool agree = a_count == b_count;
    for (uint32_t i = 0; agree && i < a_count; i++)
        agree = a[i]->size == b[i]->size && a[i]->space == b[i]->space;
    return agree;
}

static int fail_unlike(struct ptx_diag *diag, const char *what, const char *name,
                       const struct ptx_link_input *here, const struct ptx_link_input *first)
{
    snprintf(diag->message, sizeof diag->message,
             "%.60s doesn't match for '%.70s' in '%.36s', first specified in '%.36s'", what, name,
             here->name, first->name);
    return -1;
}

static int compare_vars(const struct ptx_var *a, const struct ptx_var *b,
                        const struct ptx_link_input *here, const struct ptx_link_input *first,
                        struct ptx_diag *diag)
{
    char what[128];
    bool has_sizes = !a->unsized && !b->unsized && !(a->is_common && b->is_common);
    if (a->space != b->space) {
        snprintf(what, sizeof what, "Memory space (%s against %s)", space_text(b), space_text(a));
        return fail_unlike(diag, what, a->name, here, first);
    }
    if (has_sizes && a->size != b->size && a->space != PTX_SHARED) {
        snprintf(what, sizeof what, "Size (%zu bytes against %zu)", b->size, a->size);
        return fail_unlike(diag, what, a->name, here, first);
    }
    return 0;
}

/* What two inputs say of one symbol that is not private to either. */
static int compare(const char *name, const struct ptx_link_input *here,
                   const struct ptx_link_input *first, struct ptx_diag *diag)
{
    const struct ptx_func *f = ptx_find_func(first->module, name),
                          *g = ptx_find_func(here->module, name);
    if (!f != !g)
        return fail_unlike(diag, "Kind of symbol (a function against a variable)", name, here,
                           first);
    if (!f)
        return compare_vars(ptx_find_var(first->module, name), ptx_find_var(here->module, name),
                            here, first, diag);
    if (f->kind != g->kind || !lists_agree(f->params, f->param_count, g->params, g->param_count) ||
        !lists_agree(f->results, f->result_count, g->results, g->result_count))
        return fail_unlike(diag, "Prototype", name, here, first);
    return 0;
}

static bool is_shared_name(enum binding b)
{
    return b != ABSENT && b != PRIVATE;
}

static int check_symbol(const struct ptx_link_input *in, size_t now, const char *name,
                        struct ptx_diag *diag)
{
    size_t first = 0;
    if (check_definition(in, now, name, diag) != 0)
        return -1;
    if (!is_shared_name(binding_of(in[now].module, name)))
        return 0;
    while (!is_shared_name(binding_of(in[first].module, name)))
        first++;
    return first < now ? compare(name, &in[now], &in[first], diag) : 0;
}

int ptx_link_check(const struct ptx_link_input *in, size_t count, struct ptx_diag *diag)
{
    const struct ptx_module *m = in[count - 1].module;
    *diag = (struct ptx_diag){0};
    for (uint32_t f = 0; f < m->func_count; f++)
        if (check_symbol(in, count - 1, m->funcs[f]->name, diag) != 0)
            return -1;
    for (uint32_t v = 0; v < m->var_count; v++)
        if (check_symbol(in, count - 1, m->vars[v]->name, diag) != 0)
            return -1;
    return 0;
}

/* The newest version and the highest target of all. */
static void add_head(struct str *out, const struct ptx_link_input *in, size_t count)
{
    const struct ptx_module *version = in[0].module, *target = in[0].module;
    for (size_t i = 1; i < count; i++) {
        const struct ptx_module *m = in[i].module;
        if (m->version_major * 100 + m->version_minor >
            version->version_major * 100 + version->version_minor)
            version = m;
        if (m->sm > target->sm)
            target = m;
    }
    str_addf(out, ".version %u.%u\n.target %s\n.address_size 64\n", version->version_major,
             version->version_minor, target->target);
}

void ptx_link(struct str *out, const struct ptx_link_input *in, size_t count)
{
    struct joining j = {.out = out, .in = in, .count = count};
    add_head(out, in, count);
    for (j.now = 0; j.now < count; j.now++)
        copy_text(&j);
}
