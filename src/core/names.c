/* Finds the kernel or variable that a user's name means, from the loosest way of naming it that
 * fits exactly one; says what there is otherwise. */
#include "core.h"

#include <stdlib.h>
#include <string.h>

#include "image.h"

/* How a name may fit, the strictest first: the first way by which anything fits decides. */
enum way { SYMBOL, WHOLE, NO_ARGUMENTS, TAIL, TAIL_NO_ARGUMENTS, WAYS };

struct query {
    const char *given;
    struct str name;   /* squeezed, without parameters */
    struct str params; /* as core_type_text writes them, squeezed */
    bool has_params;
};

static void squeeze_params(struct str *out, struct core_span list)
{
    struct core_span type;
    struct str text = {0};
    while (core_next_param(&type, &list)) {
        str_clear(&text);
        core_type_text(&text, type);
        core_squeeze(out, (struct core_span){str_text(&text), text.len});
        str_addc(out, ',');
        out->failed |= text.failed;
    }
    str_fini(&text);
}

static bool ends_with(struct core_span text, const struct str *end)
{
    size_t at = text.len - end->len;
    if (text.len < end->len || memcmp(text.at + at, str_text(end), end->len) != 0)
        return false;
    return at == 0 || (at >= 2 && text.at[at - 1] == ':' && text.at[at - 2] == ':');
}

static bool is_equal(struct core_span text, const struct str *other)
{
    return text.len == other->len && memcmp(text.at, str_text(other), text.len) == 0;
}

/* Does the query name this symbol in this way? `scratch` is memory to work in. */
static bool fits(const struct core_symbol *s, const struct query *q, enum way way,
                 struct str *scratch)
{
    struct core_span name, params, whole;
    if (way == SYMBOL)
        return strcmp(s->symbol, q->given) == 0;
    if (q->has_params) {
        core_split_name(&name, &params, s->text);
        str_clear(scratch);
        squeeze_params(scratch, params);
        if (!is_equal((struct core_span){str_text(scratch), scratch->len}, &q->params))
            return false;
    }
    str_clear(scratch);
    core_squeeze(scratch, (struct core_span){s->name, strlen(s->name)});
    whole = (struct core_span){str_text(scratch), scratch->len};
    if (way == NO_ARGUMENTS || way == TAIL_NO_ARGUMENTS)
        whole = core_without_arguments(whole);
    return way == WHOLE || way == NO_ARGUMENTS ? is_equal(whole, &q->name)
                                               : ends_with(whole, &q->name);
}

static void make_query(struct query *q, const char *given)
{
    struct core_span name, params;
    core_split_name(&name, &params, given);
    *q = (struct query){.given = given, .has_params = params.at != NULL};
    core_squeeze(&q->name, name);
    squeeze_params(&q->params, params);
}

/* Levenshtein distance, over at most the first 63 characters. */
static unsigned distance(const char *a, const char *b)
{
    enum { MOST = 64 };
    unsigned row[MOST];
    size_t n = strnlen(b, MOST - 1), m = strnlen(a, MOST - 1);
    for (size_t j = 0; j <= n; j++)
        row[j] = (unsigned) j;
    for (size_t i = 1; i <= m; i++) {
        unsigned corner = row[0];
        row[0] = (unsigned) i;
        for (size_t j = 1; j <= n; j++) {
            unsigned above = row[j], best = MIN(above, row[j - 1]) + 1;
            row[j] = MIN(best, corner + (a[i - 1] != b[j - 1]));
            corner = above;
        }
    }
    return row[n];
}

struct ranked {
    const struct core_symbol *symbol;
    unsigned distance;
};

static int by_distance(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->distance != y->distance)
        return x->distance < y->distance ? -1 : 1;
    return strcmp(x->symbol->text, y->symbol->text);
}

bool core_symbol_is_users(const struct core_symbol *symbol)
{
    return symbol->symbol[0] != '$' && strncmp(symbol->symbol, "__unnamed_", 10) != 0 &&
           strncmp(symbol->symbol, "_$", 2) != 0;
}

enum { MOST_LISTED = 12 };

static void list(const struct ranked *ranked, size_t count)
{
    for (size_t i = 0; i < count && i < MOST_LISTED; i++)
        runcu_fail_detail("  %s", ranked[i].symbol->text);
    if (count > MOST_LISTED)
        runcu_fail_detail("  and %zu more", count - MOST_LISTED);
}

static const struct core_symbol *at(const void *symbols, size_t stride, size_t i)
{
    return (const struct core_symbol *) ((const char *) symbols + i * stride);
}

static void fail_unknown(const void *symbols, size_t count, size_t stride, const char *name,
                         const char *what)
{
    struct ranked *ranked = alloc_new(count * sizeof *ranked);
    size_t n = 0;
    for (size_t i = 0; ranked && i < count; i++)
        if (core_symbol_is_users(at(symbols, stride, i))) {
            const struct core_symbol *s = at(symbols, stride, i);
            ranked[n++] = (struct ranked){s, distance(name, s->name)};
        }
    runcu_fail(RUNCU_ERROR_NAME, "cuModuleGet%s failed: named symbol not found",
               *what == 'k' ? "Function" : "Global");
    runcu_fail_code(CUDA_ERROR_NOT_FOUND, "CUDA_ERROR_NOT_FOUND",
                    *what == 'k' ? "cuModuleGetFunction" : "cuModuleGetGlobal");
    if (!n) {
        runcu_fail_detail("There is no %s \"%s\": the module has no %s at all.", what, name, what);
    } else {
        qsort(ranked, n, sizeof *ranked, by_distance);
        runcu_fail_detail("There is no %s \"%s\". There %s:", what, name, n == 1 ? "is" : "are");
        list(ranked, n);
    }
    if (strchr(name, '<'))
        runcu_fail_detail("Of a template an image has what its source instantiates.");
    alloc_free(ranked);
}

static void fail_ambiguous(const struct ranked *found, size_t count, const char *name,
                           const char *what)
{
    runcu_fail(RUNCU_ERROR_NAME, "the name \"%s\" fits %zu %ss", name, count, what);
    runcu_fail_detail("Say which, with its parameter types or template arguments:");
    list(found, count);
}

const struct core_symbol *core_names_find(const void *symbols, size_t count, size_t stride,
                                          const char *name, const char *what)
{
    struct query query;
    struct str scratch = {0};
    struct ranked found[MOST_LISTED] = {0};
    size_t n = 0;
    make_query(&query, name);
    for (enum way way = SYMBOL; way < WAYS && !n; way++)
        for (size_t i = 0; i < count; i++) {
            const struct core_symbol *s = at(symbols, stride, i);
            if (!fits(s, &query, way, &scratch))
                continue;
            if (n < MOST_LISTED)
                found[n].symbol = s;
            n++;
        }
    bool failed = query.name.failed || query.params.failed || scratch.failed;
    str_fini(&query.name);
    str_fini(&query.params);
    str_fini(&scratch);
    if (failed)
        runcu_fail_memory();
    else if (!n)
        fail_unknown(symbols, count, stride, name, what);
    else if (n > 1)
        fail_ambiguous(found, n, name, what);
    return n == 1 && !failed ? found[0].symbol : NULL;
}
