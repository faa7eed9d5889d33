/* Modules as bytes, for other processes: what a module was made from, which is its source with all
 * that belongs to it, or the image that it was loaded from. */
#include <string.h>

#include "core/image.h"
#include "core/program.h"
#include "core/wire.h"

static const uint64_t magic = 0x31444f4d55434e52; /* "RNCUMOD1", little end first */

enum kind { FROM_SOURCE = 1, FROM_IMAGE = 2 };

int core_image_expressions(runcu_program_params *params, const struct core_image *image,
                           struct arena *arena)
{
    const char **names = arena_alloc(arena, image->named.len * sizeof *names + 1);
    for (size_t i = 0; names && i < image->named.len; i++)
        names[i] = image->named.at[i].name;
    params->name_expressions = names;
    params->name_expression_count = names ? image->named.len : 0;
    return names ? 0 : runcu_fail_memory();
}

/* Its recipe with the names that were asked for. */
static int put_recipe(struct str *out, const runcu_module *m)
{
    struct arena arena = {0};
    runcu_program_params params = m->recipe->params;
    int status = core_image_expressions(&params, &m->image, &arena);
    wire_put_number(out, FROM_SOURCE);
    wire_put_text(out, m->recipe->source);
    wire_put_text(out, params.arch_text);
    if (!status)
        core_params_put(out, &params);
    arena_fini(&arena);
    return !status && out->failed ? runcu_fail_memory() : status;
}

int core_module_again(runcu_module **out, const runcu_module *m)
{
    struct arena arena = {0};
    *out = NULL;
    if (!m->recipe)
        return runcu_module_load(out, m->origin, m->origin_bytes);
    runcu_program_params params = m->recipe->params;
    int status = core_image_expressions(&params, &m->image, &arena);
    if (!status)
        status = runcu_module_compile(out, m->recipe->source, &params);
    arena_fini(&arena);
    return status;
}

int runcu_module_save(const runcu_module *module, runcu_print_fn *write, void *user)
{
    CORE_NEED(module);
    CORE_NEED(write);
    struct str out = {0};
    runcu_module *now;
    int status = core_module_now(&now, (runcu_module *) (uintptr_t) module);
    if (status)
        return status;
    module = now;
    wire_put_number(&out, magic);
    if (module->recipe) {
        status = put_recipe(&out, module);
    } else if (module->origin) {
        wire_put_number(&out, FROM_IMAGE);
        wire_put_item(&out, module->origin, module->origin_bytes);
        status = out.failed ? runcu_fail_memory() : 0;
    } else {
        status = runcu_fail(RUNCU_ERROR_UNSUPPORTED,
                            "a module of another library's cannot be saved: what it was loaded "
                            "from is not known");
    }
    if (!status)
        write(user, out.at, out.len);
    str_fini(&out);
    return status;
}

static int restore_source(runcu_module **out, struct wire *w)
{
    struct arena arena = {0};
    runcu_program_params params = {.size = sizeof params};
    const char *source = wire_text(w, NULL);
    params.arch_text = wire_text(w, NULL);
    int status;
    if (core_params_get(&params, w, &arena) && source)
        status = runcu_module_compile(out, source, &params);
    else if (w->is_short)
        status = runcu_fail_memory();
    else
        status = runcu_fail(RUNCU_ERROR_ARGUMENT, "the saved module is damaged");
    arena_fini(&arena);
    return status;
}

static int restore_image(runcu_module **out, struct wire *w)
{
    size_t bytes;
    const char *image = wire_item(w, &bytes);
    return w->bad ? runcu_fail(RUNCU_ERROR_ARGUMENT, "the saved module is damaged")
                  : runcu_module_load(out, image, bytes);
}

int runcu_module_restore(runcu_module **out, const void *saved, size_t bytes)
{
    CORE_NEED(out);
    CORE_NEED(saved);
    struct wire w = {.at = saved, .end = (const char *) saved + bytes};
    *out = NULL;
    if (wire_number(&w) != magic || w.bad)
        return runcu_fail(RUNCU_ERROR_ARGUMENT,
                          "these %zu bytes are no saved module (runcu_module_save) of this version "
                          "and machine",
                          bytes);
    switch (wire_number(&w)) {
    case FROM_SOURCE:
        return restore_source(out, &w);
    case FROM_IMAGE:
        return restore_image(out, &w);
    default:
        return runcu_fail(RUNCU_ERROR_ARGUMENT, "the saved module is damaged");
    }
}
