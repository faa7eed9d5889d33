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

/* Does what this input calls `name` need another name? Of private symbols of one name the first
 * keeps it; a weak one that a later input defines for good stays as a private copy. */
static bool clashes(const struct joining *j, const char *name, enum binding own)
{
    for (size_t i = 0; i < j->count; i++) {
        enum binding other = i == j->now ? ABSENT : binding_of(j->in[i].module, name);
        if (own == PRIVATE && other != ABSENT && !(other == PRIVATE && i > j->now))
            return true;
        if (own == WEAK && other == STRONG && i > j->now)
            return true;
    }
    return false;
}

/* Has an earlier input defined what this one defines as a weak symbol? */
static bool is_second(const struct joining *j, const char *name)
{
    for (size_t i = 0; i < j->now; i++)
        if (binding_of(j->in[i].module, name) >= WEAK)
            return true;
    return false;
}

static void name_text(char *out, size_t size, const struct joining *j)
{
    snprintf(out, size, "%.*s", (int) j->len, j->token);
}

static void copy_word(struct joining *j)
{
    enum { LONGEST = 4096 }; /* mangled names of templates are long */
    char name[LONGEST];
    copy(j);
    if (j->len >= sizeof name || *j->token == '%' ||
        *j->at == '.') /* an opcode: its types follow */
        return;
    name_text(name, sizeof name, j);
    enum binding own = binding_of(j->in[j->now].module, name);
    bool is_label = j->now && strncmp(name, "$L__", 4) == 0;
    if (is_label || (own >= PRIVATE && clashes(j, name, own)))
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

/* Skips a definition: a function's up to its last brace, a variable's up to its semicolon. */
static void skip_definition(struct joining *j, bool is_func)
{
    int depth = 0;
    for (enum token_kind kind = next(j); kind != END; kind = next(j)) {
        if (kind != PUNCT)
            continue;
        depth += (*j->token == '{') - (*j->token == '}');
        if (depth == 0 && ((is_func && *j->token == '}') || *j->token == ';'))
            return;
    }
}

static void copy_weak(struct joining *j)
{
    char name[4096];
    bool is_func;
    if (find_name(*j, name, sizeof name, &is_func) && is_second(j, name) && !clashes(j, name, WEAK))
        skip_definition(j, is_func);
    else
        copy(j);
}

static void copy_dot(struct joining *j, int depth)
{
    if (depth == 0 && (is(j, ".version") || is(j, ".target") || is(j, ".address_size"))) {
        j->at += strcspn(j->at, "\n");
    } else if (depth == 0 && is(j, ".weak")) {
        copy_weak(j);
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

static int check_definitions(const struct ptx_link_input *in, size_t count, const char *name,
                             struct ptx_diag *diag)
{
    const struct ptx_link_input *first = NULL;
    for (size_t i = 0; i < count; i++) {
        if (binding_of(in[i].module, name) != STRONG)
            continue;
        if (first)
            return fail_twice(diag, name, in[i].name, first->name);
        first = &in[i];
    }
    return 0;
}

static int check(const struct ptx_link_input *in, size_t count, struct ptx_diag *diag)
{
    for (size_t i = 0; i < count; i++) {
        const struct ptx_module *m = in[i].module;
        for (uint32_t f = 0; f < m->func_count; f++)
            if (check_definitions(in, count, m->funcs[f]->name, diag) != 0)
                return -1;
        for (uint32_t v = 0; v < m->var_count; v++)
            if (check_definitions(in, count, m->vars[v]->name, diag) != 0)
                return -1;
    }
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

int ptx_link(struct str *out, const struct ptx_link_input *in, size_t count, struct ptx_diag *diag)
{
    struct joining j = {.out = out, .in = in, .count = count};
    *diag = (struct ptx_diag){0};
    if (check(in, count, diag) != 0)
        return -1;
    add_head(out, in, count);
    for (j.now = 0; j.now < count; j.now++)
        copy_text(&j);
    return 0;
}
