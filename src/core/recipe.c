/* What a program was made from, kept to compile it again for instances of its templates, and as
 * bytes for other processes. */
#include <string.h>

#include "base/alloc.h"
#include "core/program.h"
#include "core/wire.h"

static const char *copy_text(struct arena *a, const char *text, bool *failed)
{
    const char *copy = text ? arena_string(a, text, strlen(text)) : NULL;
    *failed |= text && !copy;
    return copy;
}

static const char *const *copy_texts(struct arena *a, const char *const *texts, size_t count,
                                     bool *failed)
{
    const char **copy = arena_alloc(a, count * sizeof *copy + 1);
    *failed |= !copy;
    for (size_t i = 0; copy && i < count; i++)
        copy[i] = copy_text(a, texts[i], failed);
    return copy;
}

static const runcu_header *copy_headers(struct arena *a, const runcu_program_params *p,
                                        bool *failed)
{
    runcu_header *copy = arena_alloc(a, p->header_count * sizeof *copy + 1);
    *failed |= !copy;
    for (size_t i = 0; copy && i < p->header_count; i++) {
        copy[i].name = copy_text(a, p->headers[i].name, failed);
        copy[i].text = copy_text(a, p->headers[i].text, failed);
    }
    return copy;
}

int core_recipe_create(struct core_recipe **out, const struct request *r)
{
    struct core_recipe *recipe = alloc_zero(1, sizeof *recipe);
    bool failed = false;
    *out = recipe;
    if (!recipe)
        return runcu_fail_memory();
    struct arena *a = &recipe->arena;
    runcu_program_params *p = &recipe->params;
    atomic_init(&recipe->refs, 1);
    recipe->source = copy_text(a, r->source, &failed);
    *p = r->params;
    p->options = copy_texts(a, p->options, p->option_count, &failed);
    p->include_dirs = copy_texts(a, p->include_dirs, p->include_dir_count, &failed);
    p->headers = copy_headers(a, p, &failed);
    p->name = copy_text(a, p->name, &failed);
    p->arch_text = r->arch_is_explicit ? copy_text(a, r->arch, &failed) : NULL;
    p->cache_dir = copy_text(a, p->cache_dir, &failed);
    p->shared_cache_dir = copy_text(a, p->shared_cache_dir, &failed);
    p->keep_dir = NULL;
    p->device = NULL;
    p->no_device = 0;
    p->cancel = NULL;
    p->name_expressions = NULL;
    p->name_expression_count = 0;
    if (failed)
        core_recipe_release(out);
    return failed ? runcu_fail_memory() : 0;
}

struct core_recipe *core_recipe_retain(struct core_recipe *recipe)
{
    if (recipe)
        atomic_fetch_add(&recipe->refs, 1);
    return recipe;
}

void core_recipe_release(struct core_recipe **recipe)
{
    struct core_recipe *r = *recipe;
    *recipe = NULL;
    if (!r || atomic_fetch_sub(&r->refs, 1) != 1)
        return;
    arena_fini(&r->arena);
    alloc_free(r);
}

/* --- as bytes ------------------------------------------------------------- */

void core_params_put(struct str *out, const runcu_program_params *p)
{
    wire_put_number(out, p->extern_c != 0);
    wire_put_number(out, p->no_cache != 0);
    wire_put_text(out, p->name);
    wire_put_text(out, p->cache_dir);
    wire_put_text(out, p->shared_cache_dir);
    wire_put_number(out, p->time_limit);
    wire_put_texts(out, p->options, p->option_count);
    wire_put_texts(out, p->include_dirs, p->include_dir_count);
    wire_put_texts(out, p->name_expressions, p->name_expression_count);
    wire_put_number(out, p->header_count);
    for (size_t i = 0; i < p->header_count; i++) {
        wire_put_text(out, p->headers[i].name);
        wire_put_text(out, p->headers[i].text);
    }
}

const char *const *core_texts_get(size_t *count, struct wire *w, struct arena *arena)
{
    *count = wire_count(w);
    const char **texts = arena_alloc(arena, *count * sizeof *texts + 1);
    w->bad |= w->is_short |= !texts;
    for (size_t i = 0; !w->bad && i < *count; i++)
        texts[i] = wire_text(w, NULL);
    return texts;
}

static const runcu_header *get_headers(size_t *count, struct wire *w, struct arena *arena)
{
    *count = wire_count(w);
    runcu_header *headers = arena_alloc(arena, *count * sizeof *headers + 1);
    w->bad |= w->is_short |= !headers;
    for (size_t i = 0; !w->bad && i < *count; i++) {
        headers[i].name = wire_text(w, NULL);
        headers[i].text = wire_text(w, NULL);
    }
    return headers;
}

bool core_params_get(runcu_program_params *p, struct wire *w, struct arena *arena)
{
    p->extern_c = wire_number(w) != 0;
    p->no_cache = wire_number(w) != 0;
    p->name = wire_text(w, NULL);
    p->cache_dir = wire_text(w, NULL);
    p->shared_cache_dir = wire_text(w, NULL);
    p->time_limit = (unsigned) wire_number(w);
    p->options = core_texts_get(&p->option_count, w, arena);
    p->include_dirs = core_texts_get(&p->include_dir_count, w, arena);
    p->name_expressions = core_texts_get(&p->name_expression_count, w, arena);
    p->headers = get_headers(&p->header_count, w, arena);
    return !w->bad;
}
