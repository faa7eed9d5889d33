/* nvcc's and NVRTC's options to what NVRTC takes: one table of what is known (option.def), and the
 * few cases that are more than a word. Knows nothing of devices; which architecture is compiled for
 * is decided elsewhere. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "core/program.h"

enum form { FLAG, VALUE, JOINED, ANY, BEGINS };
enum action {
    PASS,
    DROP,
    REFUSE,
    SIDE_EFFECT,
    ARCH,
    CODE,
    GENCODE,
    INCLUDE,
    LTO,
    MACRO,
    PRE_INCLUDE,
    DEBUG,
    MINIMAL,
    PCH,
    WERROR
};

struct row {
    const char *spelling; /* with one dash */
    enum form form;
    enum action action;
    const char *to, *why;
};

static const struct row rows[] = {
#define OPTION(spelling, form, action, to, why) {spelling, form, action, to, why},
#define KEYWORD(name, spelling)
#include "core/option.def"
#undef OPTION
#undef KEYWORD
};

static const struct {
    const char *name, *spelling;
} keywords[] = {
#define OPTION(spelling, form, action, to, why)
#define KEYWORD(name, spelling) {name, spelling},
#include "core/option.def"
#undef OPTION
#undef KEYWORD
};

/* One option, taken apart. */
struct given {
    const struct row *row;
    const char *text;  /* as given */
    const char *value; /* NULL if there is none */
};

struct parser {
    struct options *out;
    const runcu_program_params *params;
    size_t next; /* option to read */
    bool for_cpu;
};

static const char *keep_n(struct options *o, const char *text, size_t len)
{
    return arena_string(&o->arena, text, len);
}

static bool push(struct text_list *list, const char *text)
{
    return text && vec_push(list, text);
}

static const char *skip_blanks(const char *s)
{
    return s + strspn(s, " \t");
}

/* How much of `text`, which begins with one dash, is the row's spelling; 0 if it is another. */
static size_t match(const struct row *row, const char *text)
{
    size_t len = strlen(row->spelling);
    if (strncmp(text, row->spelling, len) != 0)
        return 0;
    char after = text[len];
    if (!after || row->form == BEGINS || row->form == JOINED)
        return len;
    if (row->form == FLAG)
        return text[len + strspn(text + len, " \t")] ? 0 : len;
    return after == '=' || after == ' ' || after == '\t' ? len : 0;
}

/* The longest spelling wins: -include is not -I. A spelling of one letter with two dashes is
 * another option. */
static const struct row *find(const char *text, size_t *used)
{
    const struct row *best = NULL;
    size_t dashes = strncmp(text, "--", 2) == 0 ? 1 : 0;
    *used = 0;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t len = match(&rows[i], text + dashes);
        if (len > *used && !(dashes && rows[i].form == JOINED)) {
            *used = len;
            best = &rows[i];
        }
    }
    *used += dashes;
    return best;
}

static int fail_value(const char *text)
{
    return runcu_fail(RUNCU_ERROR_OPTION, "option %s needs a value after it", text);
}

static int read_option(struct parser *p, struct given *g)
{
    const runcu_program_params *params = p->params;
    const char *text = params->options[p->next++];
    if (!text)
        return runcu_fail(RUNCU_ERROR_ARGUMENT, "option %zu is NULL", p->next - 1);
    size_t used;
    *g = (struct given){.text = text = skip_blanks(text)};
    g->row = find(text, &used);
    if (!g->row || g->row->form == FLAG || g->row->form == BEGINS)
        return 0;
    const char *rest = skip_blanks(text + used);
    if (*rest == '=' && g->row->form != JOINED)
        rest = skip_blanks(rest + 1);
    if (*rest)
        g->value = rest;
    else if (g->row->form == ANY)
        g->value = NULL;
    else if (text[used] == '=' || p->next >= params->option_count || !params->options[p->next])
        return fail_value(text);
    else
        g->value = params->options[p->next++];
    return 0;
}

static int add_pass(struct options *o, const struct given *g)
{
    size_t len = strlen(g->row->to);
    const char *equals = g->row->form == ANY && g->value ? "=" : "";
    struct str text = {0};
    str_addn(&text, g->row->to, len);
    str_add(&text, equals);
    str_add(&text, g->value ? g->value : "");
    bool ok = !text.failed && push(&o->pass, keep_n(o, str_text(&text), text.len));
    str_fini(&text);
    return ok ? 0 : runcu_fail_memory();
}

static int add_include(struct options *o, const char *value)
{
    struct fs_info info;
    if (fs_stat(&info, value) == 0) /* a comma may be part of a name */
        return push(&o->include_dirs, keep_n(o, value, strlen(value))) ? 0 : runcu_fail_memory();
    while (*value) { /* a list with commas, as nvcc allows */
        size_t len = strcspn(value, ",");
        if (len && !push(&o->include_dirs, keep_n(o, value, len)))
            return runcu_fail_memory();
        value += len + (value[len] == ',');
    }
    return 0;
}

static int add_macro(struct options *o, const char *value)
{
    struct str text = {0};
    str_addf(&text, "-D%s", value);
    bool ok = !text.failed && push(&o->pass, keep_n(o, str_text(&text), text.len)) &&
              push(&o->macros, keep_n(o, value, strcspn(value, "=( \t")));
    str_fini(&text);
    return ok ? 0 : runcu_fail_memory();
}

bool options_is_arch(const char *text, size_t len)
{
    size_t start = len > 3 && strncmp(text, "sm_", 3) == 0 ? 3 : 0;
    if (len > 8 && strncmp(text, "compute_", 8) == 0)
        start = 8;
    size_t digits = start;
    while (digits < len && isdigit((unsigned char) text[digits]))
        digits++;
    bool has_letter = digits + 1 == len && (text[digits] == 'a' || text[digits] == 'f');
    return start && digits > start && digits - start < 5 && (digits == len || has_letter);
}

static int add_arch(struct options *o, const struct given *g, const char *text, size_t len)
{
    if (!options_is_arch(text, len))
        return runcu_fail(RUNCU_ERROR_OPTION,
                          "option %s: \"%.*s\" is no architecture, as sm_90 and compute_75 are",
                          g->text, (int) MIN(len, 64), text);
    return push(&o->archs, keep_n(o, text, len)) ? 0 : runcu_fail_memory();
}

/* Words that leave the choice to the device: no architecture is noted. */
static bool means_device(const char *value)
{
    return strcmp(value, "native") == 0 || strcmp(value, "all") == 0 ||
           strcmp(value, "all-major") == 0;
}

/* arch=compute_80,code=sm_80, or code=[sm_80,compute_80]: what counts is the code. */
static int add_gencode(struct options *o, const struct given *g, const char *value)
{
    const char *code = strstr(value, "code=");
    const char *at = code ? code + 5 : strncmp(value, "arch=", 5) == 0 ? value + 5 : value;
    int status = *at ? 0 : fail_value(g->text);
    while (*at && !status) {
        at += strspn(at, "[],\"\\' ");
        size_t len = strcspn(at, "[],\"\\' ");
        if (len)
            status = add_arch(o, g, at, len);
        at += len;
    }
    return status;
}

static void tell_dropped(const struct given *g)
{
    core_log(RUNCU_LOG_INFO, "compile", "compiler option %s%s%s means nothing here: %s", g->text,
             g->value && !strstr(g->text, g->value) ? " " : "",
             g->value && !strstr(g->text, g->value) ? g->value : "", g->row->why);
}

static int apply(struct parser *p, const struct given *g)
{
    struct options *o = p->out;
    static const struct row debug = {"-G", FLAG, PASS, "--device-debug", ""};
    static const struct row lines = {"-G", FLAG, PASS, "--generate-line-info", ""};
    switch (g->row->action) {
    case PASS:
        return add_pass(o, g);
    case DROP:
        tell_dropped(g);
        return 0;
    case REFUSE:
        return runcu_fail(RUNCU_ERROR_OPTION, "compiler option %s cannot be used: %s", g->text,
                          g->row->why);
    case SIDE_EFFECT:
        o->has_side_effects = true;
        return add_pass(o, g);
    case ARCH:
        return means_device(g->value) ? 0 : add_arch(o, g, g->value, strlen(g->value));
    case CODE:
    case GENCODE:
        return means_device(g->value) ? 0 : add_gencode(o, g, g->value);
    case INCLUDE:
        return add_include(o, g->value);
    case LTO:
        if (o->is_lto)
            return 0;
        o->is_lto = true;
        return push(&o->pass, "--dlink-time-opt") ? 0 : runcu_fail_memory();
    case MACRO:
        return add_macro(o, g->value);
    case PRE_INCLUDE:
        return push(&o->pre_includes, keep_n(o, g->value, strlen(g->value))) ? 0
                                                                             : runcu_fail_memory();
    case DEBUG:
        return add_pass(o, &(struct given){p->for_cpu ? &lines : &debug, g->text, NULL});
    case MINIMAL:
        o->is_minimal = true;
        return 0;
    case PCH:
        o->has_pch = true;
        return 0;
    case WERROR: /* NVRTC before 13.3 knows no such option */
        if (strcmp(g->value, "all-warnings") != 0)
            return add_pass(o, g);
        o->warnings_are_errors = true;
        return 0;
    }
    return 0;
}

/* nvcc's debuggers pass -g -G: NVRTC refuses line information beside debug information. Twice the
 * same is no use either. */
static void tidy(struct options *o)
{
    bool has_debug = false;
    size_t kept = 0;
    for (size_t i = 0; i < o->pass.len; i++)
        has_debug |= strcmp(o->pass.at[i], "--device-debug") == 0;
    for (size_t i = 0; i < o->pass.len; i++) {
        bool is_line = strcmp(o->pass.at[i], "--generate-line-info") == 0, is_repeated = false;
        for (size_t j = 0; is_line && j < i; j++)
            is_repeated |= strcmp(o->pass.at[j], o->pass.at[i]) == 0;
        if (!(is_line && (has_debug || is_repeated)))
            o->pass.at[kept++] = o->pass.at[i];
    }
    o->pass.len = kept;
}

int options_parse(struct options *out, const runcu_program_params *params, bool for_cpu)
{
    *out = (struct options){0};
    struct parser p = {out, params, 0, for_cpu};
    int status = 0;
    while (!status && p.next < params->option_count) {
        struct given g;
        status = read_option(&p, &g);
        if (status || !*g.text)
            continue;
        if (g.row)
            status = apply(&p, &g);
        else if (!push(&out->pass, keep_n(out, g.text, strlen(g.text))))
            status = runcu_fail_memory();
    }
    tidy(out);
    return status;
}

void options_fini(struct options *o)
{
    vec_fini(&o->pass);
    vec_fini(&o->include_dirs);
    vec_fini(&o->macros);
    vec_fini(&o->pre_includes);
    vec_fini(&o->archs);
    arena_fini(&o->arena);
}

/* Levenshtein's distance, up to 63 characters. */
static size_t distance(const char *a, size_t a_len, const char *b)
{
    size_t row[64], b_len = strlen(b);
    if (a_len >= 64 || b_len >= 64)
        return 64;
    for (size_t j = 0; j <= b_len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t changed = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = MIN(changed, MIN(row[j], row[j - 1]) + 1);
        }
    }
    return row[b_len];
}

const char *options_nearest(const char *text)
{
    text += strncmp(text, "--", 2) == 0;
    size_t len = strcspn(text, "= \t"), best = 1 + len / 3;
    const char *found = NULL;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t d = distance(text, len, rows[i].spelling);
        if (d && d < best) {
            best = d;
            found = rows[i].spelling;
        }
    }
    return found;
}

/* --- options by keyword ---------------------------------------------------- */

/* The row that a keyword means: "use_fast_math" is -use_fast_math, "pre_include" -pre-include. */
static const struct row *find_keyword(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(keywords); i++)
        if (strcmp(keywords[i].name, name) == 0)
            name = keywords[i].spelling + 1;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *a = name, *b = rows[i].spelling + 1;
        while (*a && (*a == *b || (*a == '_' && *b == '-')))
            a++, b++;
        if (!*a && !*b && rows[i].form != BEGINS)
            return &rows[i];
    }
    return NULL;
}

static void spell_keyword(char out[64], const char *name)
{
    size_t len = MIN(strlen(name), 63);
    memcpy(out, name, len);
    out[len] = 0;
    for (char *p = out; (p = strchr(p, '-'));)
        *p = '_';
}

/* The name of the i-th row, or of the keyword after all rows; "" if it has none. */
static const char *keyword_at(size_t i)
{
    if (i >= ARRAY_LEN(rows))
        return keywords[i - ARRAY_LEN(rows)].name;
    return rows[i].form == BEGINS ? "" : rows[i].spelling + 1;
}

static void nearest_keyword(char out[64], const char *name)
{
    size_t len = strlen(name), best = 1 + len / 3;
    out[0] = 0;
    for (size_t i = 0; i < ARRAY_LEN(rows) + ARRAY_LEN(keywords); i++) {
        char text[64];
        spell_keyword(text, keyword_at(i));
        size_t d = distance(name, len, text);
        if (*text && d < best) {
            best = d;
            memcpy(out, text, sizeof text);
        }
    }
}

int runcu_option_find(runcu_option *out, const char *name)
{
    CORE_NEED(out);
    CORE_NEED(name);
    *out = (runcu_option){0};
    const struct row *row = find_keyword(name);
    if (!row) {
        char nearest[64];
        nearest_keyword(nearest, name);
        return runcu_fail(RUNCU_ERROR_OPTION, "no compiler option is called \"%.64s\"%s%s%s", name,
                          *nearest ? ": did you mean \"" : "", nearest, *nearest ? "\"?" : "");
    }
    out->spelling = row->spelling;
    out->joint = row->form == FLAG ? NULL : row->form == JOINED ? "" : "=";
    out->is_flag = row->form == FLAG || row->form == ANY;
    out->note = row->why;
    return 0;
}
