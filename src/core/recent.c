/* Programs that this process made or loaded lately, so that the same source again costs neither the
 * compiler nor the disk. Each is kept once, counted; what callers get are shells that share it. */
#include <string.h>

#include "base/alloc.h"
#include "core/entry.h"

enum { COUNT_LIMIT = 64, BYTES_LIMIT = 64 << 20, ONE_LIMIT = BYTES_LIMIT / 8 };

struct recent {
    uint64_t hash;
    char *text; /* of the request */
    size_t len;
    struct core_shared *shared;
    size_t bytes; /* that it takes */
};

/* Guarded by core_lock. The one used last stands last. */
static struct recent recents[COUNT_LIMIT];
static size_t count, sum;

/* --- sharing ------------------------------------------------------------- */

static struct core_shared *retain(struct core_shared *shared)
{
    atomic_fetch_add(&shared->refs, 1);
    return shared;
}

void recent_release(struct core_shared **shared)
{
    struct core_shared *s = *shared;
    *shared = NULL;
    if (!s || atomic_fetch_sub(&s->refs, 1) != 1)
        return;
    core_recipe_release(&s->program.recipe);
    alloc_free(s->program.image);
    arena_fini(&s->program.arena);
    alloc_free(s);
}

/* Makes `program` a shell of what it was. Counts one reference. */
static struct core_shared *share(runcu_program *program)
{
    struct core_shared *shared = alloc_zero(1, sizeof *shared);
    if (!shared)
        return NULL;
    atomic_init(&shared->refs, 1);
    shared->program = *program;
    program->shared = shared;
    program->arena = (struct arena){0};
    program->image = NULL;
    program->recipe = core_recipe_retain(program->recipe);
    return shared;
}

/* --- the list ------------------------------------------------------------ */

/* With the lock held, as below. */
static void take_out(struct recent *out, size_t i)
{
    *out = recents[i];
    count--;
    sum -= out->bytes;
    memmove(&recents[i], &recents[i + 1], (count - i) * sizeof *recents);
}

static void drop(size_t i)
{
    struct recent gone;
    take_out(&gone, i);
    recent_release(&gone.shared);
    alloc_free(gone.text);
}

static void put_in(const struct recent *recent)
{
    while (count && (count == COUNT_LIMIT || sum + recent->bytes > BYTES_LIMIT))
        drop(0);
    recents[count++] = *recent;
    sum += recent->bytes;
}

static size_t find(const struct str *text, uint64_t hash)
{
    size_t i = count;
    while (i > 0 && !(recents[i - 1].hash == hash && recents[i - 1].len == text->len &&
                      memcmp(recents[i - 1].text, text->at, text->len) == 0))
        i--;
    return i ? i - 1 : SIZE_MAX;
}

/* --- what others call ---------------------------------------------------- */

static struct core_shared *find_shared(const struct request *r)
{
    struct recent recent;
    struct core_shared *shared = NULL;
    uint64_t hash = hash_bytes(r->text.at, r->text.len);
    core_lock();
    size_t i = find(&r->text, hash);
    if (i != SIZE_MAX) {
        take_out(&recent, i);
        put_in(&recent);
        shared = retain(recent.shared);
    }
    core_unlock();
    return shared;
}

static void forget_shared(const struct core_shared *shared)
{
    core_lock();
    for (size_t i = 0; i < count; i++)
        if (recents[i].shared == shared) {
            drop(i);
            break;
        }
    core_unlock();
}

/* Warnings that are errors alter the program's diagnostics, which others would see. */
static bool is_wanted(const struct request *r)
{
    return !r->no_cache && !r->options.warnings_are_errors;
}

bool recent_find(runcu_program *program, const struct request *r)
{
    struct core_shared *shared = is_wanted(r) ? find_shared(r) : NULL;
    if (!shared)
        return false;
    if (!depends_hold(shared->program.depends, shared->program.depends_len)) {
        forget_shared(shared);
        recent_release(&shared);
        return false;
    }
    *program = shared->program;
    program->arena = (struct arena){0};
    program->image = NULL;
    program->recipe = core_recipe_retain(program->recipe);
    program->shared = shared;
    program->was_cached = true;
    return true;
}

void recent_keep(runcu_program *program, const struct request *r)
{
    size_t bytes = program->cubin_size + program->ptx_size + 2 * r->text.len;
    if (!is_wanted(r) || program->shared || !program->depends || bytes > ONE_LIMIT)
        return;
    struct recent recent = {hash_bytes(r->text.at, r->text.len), NULL, r->text.len, NULL, bytes};
    recent.text = alloc_copy(r->text.at, r->text.len);
    recent.shared = recent.text ? share(program) : NULL;
    if (!recent.shared) {
        alloc_free(recent.text);
        return;
    }
    core_lock();
    size_t i = find(&r->text, recent.hash);
    if (i != SIZE_MAX)
        drop(i);
    retain(recent.shared);
    put_in(&recent);
    core_unlock();
}

AT_UNLOAD void recent_forget(void)
{
    core_lock();
    while (count)
        drop(0);
    core_unlock();
}
