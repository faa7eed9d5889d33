/* Modules that follow their file or the current context. Nobody waits but the thread that finds a
 * file changed: it compiles, and the others go on with what there is. What was current once is kept
 * until the module ends, so that what was found needs no counting. */
#include "core/follow.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "core/program.h"
#include "runcu/reload.h"

enum { SOURCE_LIMIT = 1 << 30, DEFAULT_INTERVAL = 100 };

/* How long a file may be missing, in ns: some editors remove it before they write the new one. */
static const uint64_t patience = 1000000000u;

/* --- the parts --- */

static void end_generation(struct core_generation *g)
{
    while (g->places) {
        struct core_place *place = g->places;
        g->places = place->next;
        runcu_module_release(&place->module);
        alloc_free(place);
    }
}

void core_follow_end(runcu_module *module)
{
    struct core_follow *f = atomic_load(&module->follow);
    if (!f)
        return;
    struct core_generation *g = atomic_load(&f->newest);
    while (g != &f->first) {
        struct core_generation *older = g->older;
        end_generation(g);
        runcu_module_release(&g->module);
        alloc_free(g);
        g = older;
    }
    end_generation(g);
    vec_fini(&f->seen);
    arena_fini(&f->arena);
    str_fini(&f->error);
    alloc_free(f);
}

/* Makes the module one that follows; NULL when memory is short. */
static struct core_follow *get_follow(runcu_module *module)
{
    core_lock();
    struct core_follow *f = atomic_load(&module->follow);
    if (!f && (f = alloc_zero(1, sizeof *f))) {
        f->first.module = module;
        atomic_init(&f->newest, &f->first);
        atomic_store(&module->follow, f);
    }
    core_unlock();
    if (!f)
        runcu_fail_memory();
    return f;
}

/* --- the files --- */

/* The file that it comes from, or NULL: a source whose name has a slash is one. */
static const char *path_of(const runcu_module *m)
{
    const char *name = m->recipe ? m->recipe->params.name : NULL;
    return name && strchr(name, '/') ? name : NULL;
}

static bool add_seen(struct core_follow *f, const char *path, const struct fs_info *info)
{
    struct core_seen seen = {.path = arena_string(&f->arena, path, strlen(path)),
                             .is_there = info != NULL};
    if (info)
        seen.info = *info;
    return seen.path && vec_push(&f->seen, seen);
}

static bool add_scanned(struct core_follow *f, const struct scan *scan)
{
    bool ok = true;
    for (size_t i = 0; ok && i < scan->files.len; i++) {
        const struct scan_file *file = &scan->files.at[i];
        ok = add_seen(f, file->path, &(struct fs_info){.size = file->size, .mtime = file->mtime});
    }
    for (size_t i = 0; ok && i < scan->absent.len; i++)
        ok = add_seen(f, scan->absent.at[i], NULL);
    return ok;
}

/* Notes the source's state, `info`, and that of what it includes (`source` is NULL: it cannot be
 * read). */
static int note_files(runcu_module *m, struct core_follow *f, const char *source,
                      const struct fs_info *info)
{
    struct request r;
    f->seen.len = 0;
    arena_fini(&f->arena);
    bool ok = add_seen(f, path_of(m), info);
    if (!source)
        return ok ? 0 : runcu_fail_memory();
    int status = request_init(&r, source, &m->recipe->params, NULL);
    if (!status)
        status = request_scan(&r);
    if (!status)
        ok = ok && add_scanned(f, &r.scan);
    request_fini(&r);
    return ok ? status : runcu_fail_memory();
}

/* Whether something is other than it was; a file that is gone may come back. */
static bool has_changed(struct core_follow *f)
{
    bool changed = false, missing = false;
    for (size_t i = 0; i < f->seen.len; i++) {
        const struct core_seen *seen = &f->seen.at[i];
        struct fs_info now;
        bool is_there = fs_stat(&now, seen->path) == 0 && !now.is_folder;
        missing |= seen->is_there && (!is_there || (!now.size && seen->info.size));
        changed |= is_there != seen->is_there ||
                   (is_there && (now.size != seen->info.size || now.mtime != seen->info.mtime ||
                                 (seen->info.inode && now.inode != seen->info.inode)));
    }
    if (missing && !f->missing_since)
        f->missing_since = compile_now();
    if (missing && compile_now() - f->missing_since < patience)
        return false;
    if (!missing)
        f->missing_since = 0;
    return changed;
}

/* --- new code --- */

static int read_source(struct str *out, struct fs_info *info, const char *path)
{
    int status = fs_stat(info, path);
    if (!status)
        status = fs_read(out, path, SOURCE_LIMIT);
    if (status == ENOMEM)
        return runcu_fail_memory();
    return status ? runcu_fail(RUNCU_ERROR_SYSTEM, "%s cannot be read: %s", path, strerror(status))
                  : 0;
}

static int compile(runcu_module **out, const runcu_module *m, const char *source)
{
    struct arena arena = {0};
    runcu_program_params params = m->recipe->params;
    int status = core_image_expressions(&params, &m->image, &arena);
    params.device = m->context->device;
    if (!status)
        status = runcu_module_compile(out, source, &params);
    arena_fini(&arena);
    return status;
}

/* With the context entered, and alone. */
static int make_generation(runcu_module *m, struct core_follow *f)
{
    struct str source = {0};
    struct fs_info info;
    struct core_generation *g = alloc_zero(1, sizeof *g);
    if (!g)
        return runcu_fail_memory();
    int status = read_source(&source, &info, path_of(m));
    int noted = note_files(m, f, status ? NULL : str_text(&source), status ? NULL : &info);
    if (!status && !(status = noted))
        status = compile(&g->module, m, str_text(&source));
    str_fini(&source);
    if (status) {
        alloc_free(g);
        return status;
    }
    g->older = atomic_load(&f->newest);
    atomic_store(&f->newest, g);
    return 0;
}

static void set_error(struct core_follow *f, const char *text)
{
    core_lock();
    str_clear(&f->error);
    str_add(&f->error, text);
    core_unlock();
}

/* Alone. */
static int reload(runcu_module *m, struct core_follow *f)
{
    struct core_scope scope;
    int status = core_enter(&scope, m->context);
    if (status)
        return status;
    status = make_generation(m, f);
    core_leave(&scope);
    set_error(f, status ? runcu_error_text() : "");
    return status;
}

static void look(runcu_module *m, struct core_follow *f)
{
    if (atomic_flag_test_and_set(&f->is_busy))
        return;
    if (has_changed(f) && reload(m, f) != 0)
        core_log(RUNCU_LOG_WARNING, "reload", "%s: the code before it stays. %s", path_of(m),
                 runcu_error_text());
    uint64_t ms = atomic_load(&f->interval);
    atomic_store(&f->next_look, compile_now() + ms * 1000000u);
    atomic_flag_clear(&f->is_busy);
}

/* --- the current context --- */

static int make_place(struct core_place **out, runcu_module *from)
{
    struct core_place *place = alloc_zero(1, sizeof *place);
    int status = place ? core_module_again(&place->module, from) : runcu_fail_memory();
    if (status) {
        alloc_free(place);
        place = NULL;
    }
    *out = place;
    return status;
}

/* The module of a context; without one, `made`, if any, becomes that. */
static runcu_module *find_place(struct core_generation *g, const runcu_context *context,
                                struct core_place *made)
{
    core_lock();
    struct core_place *place = g->places;
    while (place && place->module->context != context)
        place = place->next;
    if (!place && made) {
        made->next = g->places;
        g->places = place = made;
    }
    core_unlock();
    return place ? place->module : NULL;
}

static int go_to_place(runcu_module **out, struct core_generation *g)
{
    runcu_context *context;
    struct core_place *place;
    int status = core_context_get(&context);
    if (status)
        return status;
    *out = context == g->module->context ? g->module : find_place(g, context, NULL);
    if (!*out && !(status = make_place(&place, g->module))) {
        *out = find_place(g, context, place);
        if (*out != place->module) { /* another thread was faster */
            runcu_module_release(&place->module);
            alloc_free(place);
        }
    }
    runcu_context_release(&context);
    return status;
}

int core_module_now(runcu_module **out, runcu_module *module)
{
    struct core_follow *f = atomic_load_explicit(&module->follow, memory_order_acquire);
    *out = module;
    if (!f)
        return 0;
    if (atomic_load(&f->is_watched) && compile_now() >= atomic_load(&f->next_look))
        look(module, f);
    struct core_generation *g = atomic_load(&f->newest);
    *out = g->module;
    return atomic_load(&f->in_contexts) ? go_to_place(out, g) : 0;
}

/* --- kernels --- */

/* The kernel in that module; without one, `made`, if any, becomes that. */
static struct core_peer *find_peer(runcu_function *function, const runcu_module *module,
                                   struct core_peer *made)
{
    core_lock();
    struct core_peer *peer = function->peers;
    while (peer && peer->function->asked != module)
        peer = peer->next;
    if (!peer && made) {
        made->next = function->peers;
        function->peers = peer = made;
    }
    core_unlock();
    return peer;
}

static int make_peer(struct core_peer **out, runcu_function *function, runcu_module *module)
{
    struct core_peer *made = alloc_zero(1, sizeof *made);
    int status = made ? core_function_create(&made->function, module, function->asked_name)
                      : runcu_fail_memory();
    if (status) {
        alloc_free(made);
        return status;
    }
    made->function->asked = module;
    *out = find_peer(function, module, made);
    if (*out != made) { /* another thread was faster */
        runcu_function_release(&made->function);
        alloc_free(made);
    }
    return 0;
}

int core_function_now(runcu_function **out, runcu_function *function)
{
    runcu_module *module;
    int status = core_module_now(&module, function->leader);
    *out = NULL;
    if (status)
        return status;
    if (module == function->asked) {
        *out = function;
        return 0;
    }
    struct core_peer *peer = find_peer(function, module, NULL);
    if (!peer)
        status = make_peer(&peer, function, module);
    if (!status)
        *out = peer->function;
    return status;
}

/* --- the public side --- */

int runcu_module_compile_file(runcu_module **out, const char *path,
                              const runcu_program_params *params)
{
    CORE_OUT(out);
    CORE_NEED(path);
    struct str source = {0}, absolute = {0};
    struct fs_info info;
    runcu_program_params own;
    core_params(&own, sizeof own, params);
    int status = read_source(&source, &info, path);
    int failed = status ? 0 : fs_absolute(&absolute, path);
    if (failed)
        status = failed == ENOMEM
                     ? runcu_fail_memory()
                     : runcu_fail(RUNCU_ERROR_SYSTEM, "the current folder cannot be read: %s",
                                  strerror(failed));
    own.size = sizeof own;
    own.name = absolute.at;
    if (!status)
        status = runcu_module_compile(out, str_text(&source), &own);
    str_fini(&source);
    str_fini(&absolute);
    return status;
}

static int need_file(const runcu_module *module)
{
    return path_of(module)
               ? 0
               : runcu_fail(RUNCU_ERROR_ARGUMENT, "the module does not come from a file: "
                                                  "runcu_module_compile_file makes such ones");
}

/* The files as they are now are taken for those that were compiled. */
static int start_watching(runcu_module *module, struct core_follow *f)
{
    struct core_scope scope;
    struct str source = {0};
    struct fs_info info;
    int status = core_enter(&scope, module->context);
    if (status)
        return status;
    status = read_source(&source, &info, path_of(module));
    if (!status)
        status = note_files(module, f, str_text(&source), &info);
    bool is_same = !status && strcmp(str_text(&source), module->recipe->source) == 0;
    if (!status && !is_same) /* it has been changed since it was compiled */
        f->seen.at[0].info.mtime = 0;
    str_fini(&source);
    core_leave(&scope);
    return status;
}

static void enter_alone(struct core_follow *f)
{
    while (atomic_flag_test_and_set(&f->is_busy))
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

int runcu_module_watch(runcu_module *module, unsigned interval)
{
    CORE_NEED(module);
    int status = need_file(module);
    struct core_follow *f = status ? NULL : get_follow(module);
    if (!f)
        return core_last_status();
    enter_alone(f);
    if (!f->seen.len)
        status = start_watching(module, f);
    atomic_store(&f->interval, interval ? interval : DEFAULT_INTERVAL);
    atomic_store(&f->is_watched, !status);
    atomic_flag_clear(&f->is_busy);
    return status;
}

int runcu_module_reload(runcu_module *module, int *changed)
{
    CORE_NEED(module);
    if (changed)
        *changed = 0;
    int status = need_file(module);
    struct core_follow *f = status ? NULL : get_follow(module);
    if (!f)
        return core_last_status();
    enter_alone(f);
    if (!f->seen.len)
        status = start_watching(module, f);
    f->missing_since = 1; /* long ago: what is missing now is missing */
    bool is_new = !status && has_changed(f);
    if (is_new)
        status = reload(module, f);
    if (changed)
        *changed = is_new && !status;
    atomic_flag_clear(&f->is_busy);
    return status;
}

int runcu_module_reload_error(const runcu_module *module, runcu_print_fn *write, void *user)
{
    CORE_NEED(module);
    CORE_NEED(write);
    struct core_follow *f = atomic_load(&module->follow);
    struct str text = {0};
    if (f) {
        core_lock();
        str_add(&text, str_text(&f->error));
        core_unlock();
    }
    if (text.len)
        write(user, text.at, text.len);
    int status = text.failed ? runcu_fail_memory() : 0;
    str_fini(&text);
    return status;
}

int runcu_module_follow_context(runcu_module *module)
{
    CORE_NEED(module);
    if (!module->recipe && !module->origin)
        return runcu_fail(
            RUNCU_ERROR_UNSUPPORTED,
            "a module of another library's cannot be loaded again: what it was loaded "
            "from is not known");
    struct core_follow *f = get_follow(module);
    if (!f)
        return core_last_status();
    atomic_store(&f->in_contexts, true);
    return 0;
}

int runcu_function_newest(runcu_function **out, runcu_function *function)
{
    CORE_OUT(out);
    CORE_NEED(function);
    *out = function;
    return function->leader ? core_function_now(out, function) : 0;
}

int runcu_function_follows(const runcu_function *function)
{
    return function && function->leader;
}
