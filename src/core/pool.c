/* Pools of device and page-locked memory. A block is a runcu_mem that is never taken apart: free,
 * it hangs in the list of its bin. Streams are looked at only in contexts that have had any. */
#include "core.h"

#include <pthread.h>
#include <string.h>

#include "base/alloc.h"

enum { MANTISSA = 4, BINS = 64 << MANTISSA, MOST_WAITING = 4 };

/* Work that may still touch a block: what `stream` had to do when the block was freed. */
struct core_use {
    struct core_use *next;
    CUstream stream;
    CUevent event;
};

struct bin {
    runcu_mem *ready;                  /* last in, first out */
    runcu_mem *waiting, *last_waiting; /* first in, first out */
    unsigned waiting_count;
};

struct runcu_pool {
    pthread_mutex_t lock; /* held for a moment only: no waiting, no allocating */
    atomic_int refs;      /* the owner, and each block given out */
    bool is_host;
    atomic_bool is_holding;
    unsigned flags;
    runcu_context *context; /* of all its blocks; NULL: not yet known */
    size_t held_blocks, active_blocks, managed_bytes, active_bytes;
    runcu_pool *next_pool, **link; /* in the list of pools */
    struct bin bins[BINS];
};

static runcu_pool *pools; /* guarded by core_lock */

/* --- bins --- */

static unsigned log2_of(size_t n)
{
    unsigned out = 0;
    for (unsigned step = 32; step; step >>= 1)
        if (n >> step) {
            n >>= step;
            out += step;
        }
    return out;
}

uint32_t runcu_pool_bin(size_t bytes)
{
    unsigned exponent = log2_of(bytes);
    size_t top =
        exponent >= MANTISSA ? bytes >> (exponent - MANTISSA) : bytes << (MANTISSA - exponent);
    return exponent << MANTISSA | (uint32_t) (top & ((1 << MANTISSA) - 1));
}

size_t runcu_pool_bin_bytes(uint32_t bin)
{
    unsigned exponent = bin >> MANTISSA;
    size_t top = 1 << MANTISSA | (bin & ((1 << MANTISSA) - 1));
    if (exponent > 63)
        return 0;
    if (exponent < MANTISSA)
        return top >> (MANTISSA - exponent);
    return ((top + 1) << (exponent - MANTISSA)) - 1;
}

/* --- streams --- */

static void forget_uses(runcu_mem *block)
{
    while (block->uses) {
        struct core_use *use = block->uses;
        block->uses = use->next;
        block->context->driver->cu.cuEventDestroy(use->event);
        alloc_free(use);
    }
}

/* Notes what a busy stream has to do. False if that cannot be noted. */
static bool note_use(runcu_mem *block, CUstream stream)
{
    const struct drv_table *cu = &block->context->driver->cu;
    if (core_stream_query(cu, stream) != CUDA_ERROR_NOT_READY)
        return true;
    struct core_use *use = alloc_zero(1, sizeof *use);
    if (use && cu->cuEventCreate(&use->event, CU_EVENT_DISABLE_TIMING) == CUDA_SUCCESS) {
        if (cu->cuEventRecord(use->event, stream) == CUDA_SUCCESS) {
            use->stream = stream;
            use->next = block->uses;
            block->uses = use;
            return true;
        }
        cu->cuEventDestroy(use->event);
    }
    alloc_free(use);
    return false;
}

/* Any stream may have been given the block, whatever it was allocated for. False: the block cannot
 * be kept, and freeing it waits for all of them. */
static bool note_uses(runcu_mem *block)
{
    struct core_scope scope;
    if (!atomic_load_explicit(&block->context->has_streams, memory_order_relaxed))
        return true;
    if (!core_enter_cleanup(&scope, block->context))
        return false;
    bool is_noted = note_use(block, NULL);
    if (is_noted && atomic_load_explicit(&block->context->has_thread_streams, memory_order_relaxed))
        is_noted = note_use(block, CU_STREAM_PER_THREAD);
    core_lock();
    for (runcu_stream *s = block->context->streams; s && is_noted; s = s->next)
        is_noted = note_use(block, s->handle);
    core_unlock();
    core_leave(&scope);
    return is_noted;
}

/* Is the block free for work in `stream`? Own default streams of all threads have one handle. */
static bool is_ready(const runcu_mem *block, const runcu_stream *stream)
{
    struct core_driver *driver = block->context->driver;
    struct core_scope scope = {NULL, NULL, 0};
    const struct core_use *use = block->uses;
    core_relax(&scope, driver);
    while (use &&
           ((stream && use->stream == stream->handle && use->stream != CU_STREAM_PER_THREAD) ||
            driver->cu.cuEventQuery(use->event) == CUDA_SUCCESS))
        use = use->next;
    core_leave(&scope);
    return !use;
}

/* --- blocks --- */

void core_pools_lock(void)
{
    for (runcu_pool *p = pools; p; p = p->next_pool)
        pthread_mutex_lock(&p->lock);
}

void core_pools_unlock(void)
{
    for (runcu_pool *p = pools; p; p = p->next_pool)
        pthread_mutex_unlock(&p->lock);
}

static void link_pool(runcu_pool *pool)
{
    core_lock();
    pool->next_pool = pools;
    pool->link = &pools;
    if (pools)
        pools->link = &pool->next_pool;
    pools = pool;
    core_unlock();
}

static void unlink_pool(runcu_pool *pool)
{
    core_lock();
    *pool->link = pool->next_pool;
    if (pool->next_pool)
        pool->next_pool->link = pool->link;
    core_unlock();
}

static void free_pool(runcu_pool *pool)
{
    unlink_pool(pool);
    runcu_context_release(&pool->context);
    pthread_mutex_destroy(&pool->lock);
    core_delete(pool);
}

static void drop_pool(runcu_pool *pool)
{
    if (atomic_fetch_sub(&pool->refs, 1) == 1)
        free_pool(pool);
}

/* Gives a block that no list holds back to the driver. */
static int end_block(runcu_mem *block)
{
    struct core_scope scope;
    if (block->uses && core_enter_cleanup(&scope, block->context)) {
        forget_uses(block);
        core_leave(&scope);
    }
    while (block->uses) { /* the events went with the context */
        struct core_use *use = block->uses;
        block->uses = use->next;
        alloc_free(use);
    }
    block->pool = NULL;
    return runcu_mem_free(&block);
}

/* With the lock held: takes the first waiting block of a bin. */
static runcu_mem *pop_waiting(struct bin *bin)
{
    runcu_mem *block = bin->waiting;
    if (block) {
        bin->waiting = block->next;
        bin->waiting_count--;
    }
    return block;
}

static runcu_mem *pop_ready(struct bin *bin)
{
    runcu_mem *block = bin->ready;
    if (block)
        bin->ready = block->next;
    return block;
}

/* With the lock held. */
static void push(struct bin *bin, runcu_mem *block)
{
    if (!block->uses) {
        block->next = bin->ready;
        bin->ready = block;
        return;
    }
    block->next = NULL;
    if (bin->waiting)
        bin->last_waiting->next = block;
    else
        bin->waiting = block;
    bin->last_waiting = block;
    bin->waiting_count++;
}

/* With the lock held: a block that is no longer held is given out or goes. */
static void unhold(runcu_pool *pool, bool is_given_out, size_t bytes, size_t granted)
{
    pool->held_blocks--;
    if (!is_given_out) {
        pool->managed_bytes -= granted;
        return;
    }
    pool->active_blocks++;
    pool->active_bytes += bytes;
    atomic_fetch_add(&pool->refs, 1);
}

/* Takes one held block out of the pool, of the largest size there is; NULL if none is held. */
static runcu_mem *take_largest(runcu_pool *pool)
{
    runcu_mem *block = NULL;
    pthread_mutex_lock(&pool->lock);
    for (unsigned i = BINS; i-- > 0 && !block && pool->held_blocks;) {
        block = pop_ready(&pool->bins[i]);
        if (!block)
            block = pop_waiting(&pool->bins[i]);
    }
    if (block)
        unhold(pool, false, 0, block->granted);
    pthread_mutex_unlock(&pool->lock);
    return block;
}

void runcu_pool_free_held(runcu_pool *pool)
{
    for (runcu_mem *block = pool ? take_largest(pool) : NULL; block; block = take_largest(pool))
        end_block(block);
}

void runcu_pool_stop_holding(runcu_pool *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->is_holding = false;
    pthread_mutex_unlock(&pool->lock);
    runcu_pool_free_held(pool);
}

/* --- giving out and taking back --- */

/* With the lock held: the held block to use, or NULL. */
static runcu_mem *find_held(struct bin *bin, const runcu_stream *stream)
{
    runcu_mem *block = pop_ready(bin);
    if (!block && bin->waiting && is_ready(bin->waiting, stream))
        block = pop_waiting(bin);
    return block;
}

static void take_held(runcu_mem **out, runcu_pool *pool, size_t bytes, const runcu_stream *stream)
{
    struct bin *bin = &pool->bins[runcu_pool_bin(bytes)];
    pthread_mutex_lock(&pool->lock);
    *out = NULL;
    if (pool->context && !atomic_load_explicit(&pool->context->is_dead, memory_order_relaxed))
        *out = find_held(bin, stream);
    if (*out) {
        unhold(pool, true, bytes, 0);
        (*out)->bytes = bytes;
    }
    pthread_mutex_unlock(&pool->lock);
    if (*out && (*out)->uses)
        forget_uses(*out);
}

void runcu_pool_take(runcu_mem **out, runcu_pool *pool, size_t bytes, runcu_stream *stream)
{
    if (!out)
        return;
    *out = NULL;
    if (pool)
        take_held(out, pool, bytes, stream);
}

/* Where several blocks of a bin wait for their streams, the oldest is waited for: memory does not
 * grow with the depth of the queue. */
static int take_oldest(runcu_mem **out, runcu_pool *pool, size_t bytes, unsigned least)
{
    struct core_scope scope;
    struct bin *bin = &pool->bins[runcu_pool_bin(bytes)];
    pthread_mutex_lock(&pool->lock);
    *out = bin->waiting_count >= least ? pop_waiting(bin) : NULL;
    if (*out) {
        unhold(pool, true, bytes, 0);
        (*out)->bytes = bytes;
    }
    pthread_mutex_unlock(&pool->lock);
    if (!*out)
        return 0;
    struct core_driver *driver = (*out)->context->driver;
    int status = core_enter(&scope, (*out)->context);
    if (!status) {
        for (const struct core_use *use = (*out)->uses; use && !status; use = use->next)
            if (!(status = core_wait_event(driver, use->event, "cuEventSynchronize")))
                status = CU_CALL(driver, cuEventSynchronize, use->event);
        forget_uses(*out);
        core_leave(&scope);
    }
    if (status)
        runcu_mem_free(out);
    return status;
}

/* The context of the pool's blocks: what it has, or if there are none or the context is gone, the
 * current one. Counted. */
static int find_context(runcu_context **out, runcu_pool *pool)
{
    runcu_context *old = NULL;
    pthread_mutex_lock(&pool->lock);
    runcu_context *now = pool->context;
    bool is_dead = now && atomic_load(&now->is_dead);
    bool is_kept = now && !is_dead && pool->held_blocks + pool->active_blocks > 0;
    if (is_kept)
        runcu_context_retain(now);
    pthread_mutex_unlock(&pool->lock);
    *out = now;
    if (is_kept)
        return 0;
    if (is_dead)
        runcu_pool_free_held(pool);
    int status = core_context_get(out);
    if (status)
        return status;
    pthread_mutex_lock(&pool->lock);
    old = pool->context;
    pool->context = runcu_context_retain(*out);
    pthread_mutex_unlock(&pool->lock);
    runcu_context_release(&old);
    return 0;
}

static bool is_out_of_memory(int status)
{
    runcu_error e;
    if (status != RUNCU_ERROR_DRIVER)
        return false;
    runcu_error_get(&e);
    return e.code == CUDA_ERROR_OUT_OF_MEMORY;
}

/* A new block of the pool's context, not yet counted. */
static int make_block(runcu_mem **out, runcu_pool *pool, size_t granted)
{
    struct core_scope scope;
    runcu_context *context;
    *out = NULL;
    int status = find_context(&context, pool);
    if (status)
        return status;
    status = core_enter(&scope, context);
    if (!status) {
        status = pool->is_host ? runcu_mem_alloc_host(out, granted, pool->flags)
                               : runcu_mem_alloc(out, granted);
        core_leave(&scope);
    }
    runcu_context_release(&context);
    return status;
}

/* Frees held blocks, largest first, until the allocation succeeds. */
static int make_room(runcu_mem **out, runcu_pool *pool, size_t granted)
{
    int status = make_block(out, pool, granted);
    while (is_out_of_memory(status)) {
        runcu_mem *block = take_largest(pool);
        if (!block) {
            runcu_fail(RUNCU_ERROR_DRIVER,
                       "memory_pool::allocate failed: out of memory - failed to free memory for "
                       "allocation");
            runcu_fail_code(CUDA_ERROR_OUT_OF_MEMORY, drv_result_name(CUDA_ERROR_OUT_OF_MEMORY),
                            "memory_pool::allocate");
            runcu_fail_detail("%zu bytes were asked for.", granted);
            return RUNCU_ERROR_DRIVER;
        }
        end_block(block);
        status = make_block(out, pool, granted);
    }
    return status;
}

int runcu_pool_alloc(runcu_mem **out, runcu_pool *pool, size_t bytes, runcu_stream *stream)
{
    CORE_OUT(out);
    CORE_NEED(pool);
    if (stream && (atomic_load_explicit(&stream->guard.is_closed, memory_order_relaxed) ||
                   atomic_load_explicit(&stream->context->is_dead, memory_order_relaxed)))
        return runcu_fail(RUNCU_ERROR_FREED,
                          "runcu_pool_alloc: the stream has been closed, or its context "
                          "detached");
    size_t granted = runcu_pool_bin_bytes(runcu_pool_bin(bytes));
    take_held(out, pool, bytes, stream);
    int status = *out ? 0 : take_oldest(out, pool, bytes, MOST_WAITING);
    if (status || *out)
        return status;
    status = make_room(out, pool, granted);
    if (status)
        return status;
    (*out)->pool = pool;
    (*out)->bytes = bytes;
    (*out)->granted = granted;
    (*out)->bin = runcu_pool_bin(granted);
    atomic_store_explicit(&(*out)->context->has_pools, true, memory_order_relaxed);
    pthread_mutex_lock(&pool->lock);
    pool->managed_bytes += granted;
    pool->active_blocks++;
    pool->active_bytes += bytes;
    atomic_fetch_add(&pool->refs, 1);
    pthread_mutex_unlock(&pool->lock);
    return 0;
}

int core_pool_take_back(runcu_mem *block)
{
    runcu_pool *pool = block->pool;
    struct bin *bin = &pool->bins[block->bin];
    bool is_kept = atomic_load(&pool->is_holding) && !atomic_load(&block->context->is_dead) &&
                   note_uses(block);
    pthread_mutex_lock(&pool->lock);
    bool is_held = is_kept && atomic_load(&pool->is_holding) && block->context == pool->context;
    pool->active_blocks--;
    pool->active_bytes -= block->bytes;
    if (is_held) {
        pool->held_blocks++;
        push(bin, block);
    } else {
        pool->managed_bytes -= block->granted;
    }
    pthread_mutex_unlock(&pool->lock);
    int status = is_held ? 0 : end_block(block);
    drop_pool(pool);
    return status;
}

/* --- pools --- */

static int new_pool(runcu_pool **out, bool is_host, unsigned flags)
{
    runcu_pool *pool = *out = core_new(sizeof *pool);
    if (!pool)
        return RUNCU_ERROR_MEMORY;
    pthread_mutex_init(&pool->lock, NULL);
    pool->refs = 1;
    pool->is_host = is_host;
    pool->is_holding = true;
    pool->flags = flags;
    link_pool(pool);
    return 0;
}

int runcu_pool_create(runcu_pool **out)
{
    CORE_OUT(out);
    return new_pool(out, false, 0);
}

int runcu_pool_create_host(runcu_pool **out, unsigned flags)
{
    CORE_OUT(out);
    return new_pool(out, true, flags);
}

void runcu_pool_destroy(runcu_pool **pool)
{
    if (!pool)
        return;
    runcu_pool *p = *pool;
    *pool = NULL;
    if (!p)
        return;
    runcu_pool_stop_holding(p);
    drop_pool(p);
}

void runcu_pool_get_use(runcu_pool_use *out, runcu_pool *pool)
{
    if (!out)
        return;
    runcu_pool_use use = {.size = out->size ? MIN(out->size, sizeof use) : sizeof use};
    if (pool) {
        pthread_mutex_lock(&pool->lock);
        use.held_blocks = pool->held_blocks;
        use.active_blocks = pool->active_blocks;
        use.managed_bytes = pool->managed_bytes;
        use.active_bytes = pool->active_bytes;
        pthread_mutex_unlock(&pool->lock);
    }
    memcpy(out, &use, use.size);
}
