/* A launch: its blocks in index order over the threads that are lent to it, blocks that wait for
 * others put aside and resumed, the first fault, and the kernels' output. Not here: a block's
 * inside (block.c), who lends threads (the cpu layer). */
#include <fenv.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "simt/children.h"
#include "simt/module.h"
#include "simt/run.h"

enum {
    STACK = 64 << 10, /* bytes of local memory and of registers a lane where calls may recurse */
    MOST_STACK = 1 << 28,
    MALLOC_HEAP = 8 << 20,
    RESIDENT = 64, /* blocks begun and not ended at a time, and two a thread, of a grid with more
                      than MANY */
    MANY = 1024,   /* fewer may all wait for each other: kernels that stay, with as many blocks as
                      occupancy says */
    COOPERATIVE = 4096,   /* of a cooperative one */
    REGISTERS = 48 << 10, /* bytes of registers a gang should stay under: the first-level cache */
    GANG_MIN = 64,
    PRINT_PIECE = 64 << 10, /* a block's output is kept by the grid from here on */
    PRINT_ALL = 1 << 20,    /* and handed on from here on */
    LOOKS = 16,             /* blocks between looks at the clock */
    WORKSPACE = 64,
};

struct simt_printed {
    uint64_t index, order;
    char *text;
    size_t len;
};

/* ---- output ---- */

static int by_block(const void *a, const void *b)
{
    const struct simt_printed *x = a, *y = b;
    if (x->index != y->index)
        return x->index < y->index ? -1 : 1;
    return (x->order > y->order) - (x->order < y->order);
}

/* Hands on what there is, in order of blocks. The lock is held: one call at a time. */
static void hand_on(struct simt_grid *g)
{
    if (g->printed_count > 1)
        qsort(g->printed, g->printed_count, sizeof *g->printed, by_block);
    for (size_t i = 0; i < g->printed_count; i++) {
        if (g->hooks.print)
            g->hooks.print(g->hooks.user, g->printed[i].text, g->printed[i].len);
        alloc_free(g->printed[i].text);
    }
    g->printed_count = g->printed_bytes = 0;
}

void simt_grid_printed(struct simt_block *b, bool ended)
{
    struct simt_grid *g = b->grid;
    if (!b->print.len || (!ended && b->print.len < PRINT_PIECE))
        return;
    size_t len = b->print.len;
    pthread_mutex_lock(&g->lock);
    bool room =
        g->printed_count < g->printed_cap ||
        vec_grow_((void **) &g->printed, &g->printed_cap, g->printed_count, sizeof *g->printed);
    char *text = room ? str_take(&b->print) : NULL;
    if (text) {
        g->printed[g->printed_count] = (struct simt_printed){b->index, g->printed_count, text, len};
        g->printed_count++;
        g->printed_bytes += len;
    }
    if (!text || g->printed_bytes >= PRINT_ALL)
        hand_on(g);
    if (!text && g->hooks.print)
        g->hooks.print(g->hooks.user, str_text(&b->print), b->print.len);
    pthread_mutex_unlock(&g->lock);
    str_clear(&b->print);
}

/* ---- faults ---- */

void simt_grid_trap(struct simt_grid *g, const struct simt_trap *t)
{
    pthread_mutex_lock(&g->lock);
    if (!g->has_fault)
        simt_trap_describe(&g->fault, t, g->space);
    g->has_fault = true;
    pthread_mutex_unlock(&g->lock);
    atomic_store(&g->stop, true);
}

static void fail(struct simt_grid *g, int code, const char *text)
{
    pthread_mutex_lock(&g->lock);
    if (!g->has_fault) {
        g->fault = (struct simt_fault){.code = code};
        strncpy(g->fault.text, text, sizeof g->fault.text - 1);
    }
    g->has_fault = true;
    pthread_mutex_unlock(&g->lock);
    atomic_store(&g->stop, true);
}

void simt_grid_cancel(struct simt_grid *g, const char *why)
{
    fail(g, 702, why ? why : "the launch was cancelled");
}

const struct simt_fault *simt_grid_fault(const struct simt_grid *g)
{
    return g->has_fault ? &g->fault : NULL;
}

/* ---- creation ---- */

/* Gangs of equal size, in which the registers stay close. */
static void slice_block(struct simt_grid *g, const struct simt_frame *entry)
{
    size_t bytes = 4 * (size_t) MIN(entry->columns, 1u << 16);
    size_t most = MAX(REGISTERS / MAX(bytes, 1) & ~(size_t) (SIMT_WARP - 1), GANG_MIN);
    uint32_t whole = (uint32_t) ALIGN_UP(g->threads, SIMT_WARP);
    g->gang_count = (uint32_t) ((whole + most - 1) / most);
    g->gang_lanes = (uint32_t) ALIGN_UP((whole + g->gang_count - 1) / g->gang_count, SIMT_WARP);
    g->gang_count = (whole + g->gang_lanes - 1) / g->gang_lanes;
}

static void set_sizes(struct simt_grid *g, const struct simt_launch *launch)
{
    const struct simt_kernel *k = launch->kernel;
    const struct simt_frame *entry = &g->code->frames[0];
    size_t stack = launch->stack_size ? MIN(launch->stack_size, MOST_STACK) : STACK;
    stack = ALIGN_UP(stack, 16);
    memcpy(g->dim, launch->grid, sizeof g->dim);
    memcpy(g->block_dim, launch->block, sizeof g->block_dim);
    g->blocks = (uint64_t) g->dim[0] * g->dim[1] * g->dim[2];
    g->threads = g->block_dim[0] * g->block_dim[1] * g->block_dim[2];
    g->dynamic_shared = launch->dynamic_shared;
    g->shared =
        ALIGN_UP(k->info.static_shared, launch->dynamic_shared ? 16 : 1) + launch->dynamic_shared;
    bool recursive = entry->deep_local == UINT32_MAX;
    g->columns = recursive ? MAX(stack / 4, 2 * (size_t) entry->all_columns) : entry->all_columns;
    g->local_size = recursive ? stack : entry->deep_local;
    g->malloc_heap = launch->malloc_heap ? launch->malloc_heap : MALLOC_HEAP;
    slice_block(g, entry);
}

/* What the barrier of a cooperative grid needs, and every block at once. */
static int make_resident(struct simt_grid *g)
{
    if (g->blocks > COOPERATIVE)
        return 720;
    uint64_t place;
    if (simt_space_alloc(g->space, WORKSPACE, &place))
        return 2;
    memset((void *) (uintptr_t) place, 0, WORKSPACE);
    g->workspace = place;
    while (g->states < g->blocks) {
        struct simt_block *b = simt_block_create(g);
        if (!b)
            return 720;
        b->next = g->idle;
        g->idle = b;
        g->states++;
    }
    return 0;
}

/* Are there between 1 and `most` in all? */
static bool is_shape(const uint32_t n[3], uint64_t most)
{
    uint64_t plane = (uint64_t) n[0] * n[1];
    return plane && n[2] && plane <= most / n[2];
}

int simt_grid_create(struct simt_grid **out, const struct simt_launch *launch, int *code)
{
    const struct simt_kernel *k = launch->kernel;
    size_t param_size = k->func->param_size;
    *code = 1;
    if (!is_shape(launch->grid, UINT64_MAX) || !is_shape(launch->block, SIMT_MAX_LANES))
        return -1;
    struct simt_grid *g = alloc_zero(1, sizeof *g + param_size + 2 * sizeof(uint64_t));
    *code = 2;
    if (!g)
        return -1;
    g->code = &k->code;
    g->space = simt_module_space(k->module);
    g->kernel = k->func;
    g->module = k->module;
    g->ptx = simt_module_ptx(k->module);
    g->stack_size = launch->stack_size;
    g->nested = launch->nested;
    uint8_t *params = (uint8_t *) ALIGN_UP((uintptr_t) (g + 1), 2 * sizeof(uint64_t));
    if (launch->param_size)
        memcpy(params, launch->params, MIN(launch->param_size, param_size));
    g->params = params;
    g->param_size = param_size;
    g->id = launch->grid_id;
    g->hooks = launch->hooks;
    g->cooperative = launch->cooperative;
    g->suspended_end = &g->suspended;
    pthread_mutex_init(&g->lock, NULL);
    set_sizes(g, launch);
    g->epoch = simt_space_enter(g->space);
    if (g->cooperative) {
        *code = make_resident(g);
    } else if ((g->idle = simt_block_create(g))) {
        g->states = 1;
        *code = 0;
    }
    if (*code) {
        simt_grid_destroy(&g);
        return -1;
    }
    *out = g;
    return 0;
}

static void destroy_states(struct simt_block *b)
{
    while (b) {
        struct simt_block *next = b->next;
        simt_block_destroy(b);
        b = next;
    }
}

void simt_grid_destroy(struct simt_grid **grid)
{
    struct simt_grid *g = *grid;
    if (!g)
        return;
    *grid = NULL;
    hand_on(g);
    simt_children_fini(g);
    alloc_free(g->printed);
    destroy_states(g->idle);
    destroy_states(g->suspended);
    simt_space_leave(g->space, g->epoch);
    if (g->workspace)
        simt_space_free(g->space, g->workspace);
    pthread_mutex_destroy(&g->lock);
    alloc_free(g);
}

/* ---- work ---- */

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t) t.tv_sec * 1000000000u + (uint64_t) t.tv_nsec;
}

/* Begins the next block, if there is one. */
static bool begin(struct simt_grid *g, struct simt_block *b)
{
    if (atomic_load_explicit(&g->next, memory_order_relaxed) >= g->blocks)
        return false;
    uint64_t index = atomic_fetch_add(&g->next, 1);
    if (index >= g->blocks)
        return false;
    simt_block_start(b, index);
    return true;
}

static bool exhausted(const struct simt_grid *g)
{
    return atomic_load_explicit(&g->next, memory_order_relaxed) >= g->blocks;
}

/* The lock is held in these four. */
static void suspend(struct simt_grid *g, struct simt_block *b)
{
    b->next = NULL;
    *g->suspended_end = b;
    g->suspended_end = &b->next;
    atomic_fetch_add(&g->waiting, 1);
}

static struct simt_block *resume(struct simt_grid *g)
{
    struct simt_block *b = g->suspended;
    if (!b)
        return NULL;
    g->suspended = b->next;
    if (!g->suspended)
        g->suspended_end = &g->suspended;
    atomic_fetch_sub(&g->waiting, 1);
    return b;
}

static void put_idle(struct simt_grid *g, struct simt_block *b)
{
    b->next = g->idle;
    g->idle = b;
}

static bool room_for_more(const struct simt_grid *g)
{
    return g->blocks <= MANY || g->states < RESIDENT + 2 * g->inside;
}

/* A new block in a state of its own; NULL: there is none, or there may be no more states. */
static struct simt_block *begin_more(struct simt_grid *g)
{
    struct simt_block *b = exhausted(g) ? NULL : g->idle;
    if (b)
        g->idle = b->next;
    else if (!exhausted(g) && room_for_more(g) && (b = simt_block_create(g)))
        g->states++;
    if (b && !begin(g, b)) {
        put_idle(g, b);
        b = NULL;
    }
    return b;
}

/* Blocks that wait come before new ones: what they wait for may have happened. */
static struct simt_block *first_block(struct simt_grid *g)
{
    pthread_mutex_lock(&g->lock);
    struct simt_block *b = resume(g);
    if (!b)
        b = begin_more(g);
    pthread_mutex_unlock(&g->lock);
    return b;
}

static struct simt_block *after_end(struct simt_grid *g, struct simt_block *ended)
{
    if (!atomic_load_explicit(&g->waiting, memory_order_relaxed) && begin(g, ended))
        return ended;
    pthread_mutex_lock(&g->lock);
    struct simt_block *b = resume(g);
    if (!b && begin(g, ended))
        b = ended;
    else
        put_idle(g, ended);
    pthread_mutex_unlock(&g->lock);
    return b;
}

/* New ones before those that wait: what this one waits for may come from a block not begun. */
static struct simt_block *after_yield(struct simt_grid *g, struct simt_block *yielded)
{
    pthread_mutex_lock(&g->lock);
    struct simt_block *b = begin_more(g);
    suspend(g, yielded);
    if (!b)
        b = resume(g);
    pthread_mutex_unlock(&g->lock);
    if (b == yielded)
        sched_yield();
    return b;
}

static void put_aside(struct simt_grid *g, struct simt_block *b, bool begun)
{
    pthread_mutex_lock(&g->lock);
    if (begun)
        suspend(g, b);
    else
        put_idle(g, b);
    pthread_mutex_unlock(&g->lock);
}

/* Runs blocks until none is left or the deadline has passed; true for the latter. */
static bool run_blocks(struct simt_grid *g, uint64_t deadline)
{
    uint32_t looks = 0;
    struct simt_block *b = first_block(g);
    while (b) {
        b->deadline = deadline;
        enum simt_block_state state = simt_block_run(b);
        bool ended = state == SIMT_BLOCK_DONE || state == SIMT_BLOCK_STOPPED;
        bool look = deadline && (!ended || !(++looks % LOOKS));
        if (ended)
            simt_grid_printed(b, true);
        if (atomic_load_explicit(&g->stop, memory_order_relaxed)) {
            put_aside(g, b, false);
            return false;
        }
        if (state == SIMT_BLOCK_SLICE || (look && now_ns() >= deadline)) {
            put_aside(g, b, !ended);
            return true;
        }
        b = ended ? after_end(g, b) : after_yield(g, b);
    }
    return false;
}

/* Nobody is inside and nothing is left to do. The lock is held. */
static bool is_done(const struct simt_grid *g)
{
    return !g->inside && (atomic_load(&g->stop) || (exhausted(g) && !g->suspended));
}

enum simt_progress simt_grid_work(struct simt_grid *g, uint32_t budget_us)
{
    pthread_mutex_lock(&g->lock);
    g->inside++;
    pthread_mutex_unlock(&g->lock);
    /* The lender's rounding mode and flushing of subnormals are not the kernel's business, nor are
     * the exceptions a kernel raises the lender's. */
    fenv_t environment;
    fegetenv(&environment);
    fesetenv(FE_DFL_ENV);
    bool slice = !atomic_load(&g->stop) &&
                 run_blocks(g, budget_us ? now_ns() + budget_us * UINT64_C(1000) : 0);
    fesetenv(&environment);
    pthread_mutex_lock(&g->lock);
    g->inside--;
    bool done = is_done(g);
    if (done)
        hand_on(g);
    pthread_mutex_unlock(&g->lock);
    return done ? SIMT_DONE : slice ? SIMT_SLICE : SIMT_BUSY;
}

uint64_t simt_grid_pending(const struct simt_grid *g)
{
    uint64_t next = atomic_load_explicit(&g->next, memory_order_relaxed);
    return next < g->blocks ? g->blocks - next : 0;
}

bool simt_grid_done(const struct simt_grid *g)
{
    pthread_mutex_t *lock = (pthread_mutex_t *) &g->lock;
    pthread_mutex_lock(lock);
    bool done = is_done(g);
    pthread_mutex_unlock(lock);
    return done;
}
