/* Waits for a GPU that may be interrupted. Its driver waits without asking anybody, so the driver
 * is asked again and again instead, and its own wait is called when nothing is left to wait for.
 * The CPU device asks by itself. What an interrupted wait leaves behind runs on: whatever it may
 * still use is freed later. */
#include "core.h"

#include <sched.h>
#include <time.h>

#include "base/alloc.h"

enum {
    MICROSECOND = 1000,
    MILLISECOND = 1000 * MICROSECOND,
    ASK_EVERY = 20 * MILLISECOND,
    BUSY_FOR = 50 * MICROSECOND, /* most kernels end while nothing else is done */
    YIELD_FOR = 2 * MILLISECOND, /* as long as a sleep would be felt */
    LONGEST_SLEEP = 100 * MICROSECOND,
};

/* What is waited for: an event; or a stream, and with `context` every other one of ours. */
struct target {
    const struct core_driver *driver;
    runcu_context *context;
    CUstream stream;
    CUevent event;
};

/* What ends when the work of a context has ended. */
struct core_deferred {
    struct core_deferred *next;
    core_finish_fn *finish;
    void *object;
};

static CUresult ask(const struct target *t)
{
    const struct drv_table *cu = &t->driver->cu;
    if (t->event)
        return cu->cuEventQuery(t->event);
    CUresult code = core_stream_query(cu, t->stream);
    if (code || !t->context || !atomic_load(&t->context->has_streams))
        return code;
    core_lock();
    for (runcu_stream *s = t->context->streams; s && !code; s = s->next)
        code = core_stream_query(cu, s->handle);
    core_unlock();
    return code;
}

static int64_t nanoseconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t) t.tv_sec * 1000 * MILLISECOND + t.tv_nsec;
}

static void pause_after(int64_t elapsed)
{
    if (elapsed < BUSY_FOR)
        return;
    if (elapsed < YIELD_FOR)
        sched_yield();
    else
        nanosleep(&(struct timespec){.tv_nsec = MIN(elapsed / 32, LONGEST_SLEEP)}, NULL);
}

/* True: interrupted. A failure ends the wait, and the driver's own call tells of it. */
static bool wait_for(const struct target *t)
{
    if (ask(t) != CUDA_ERROR_NOT_READY)
        return false;
    int64_t begin = nanoseconds(), elapsed = 0, next = ASK_EVERY;
    while (ask(t) == CUDA_ERROR_NOT_READY) {
        elapsed = nanoseconds() - begin;
        if (elapsed >= next) {
            if (core_ask_interrupt())
                return true;
            next = elapsed + ASK_EVERY;
        }
        pause_after(elapsed);
    }
    return false;
}

static int fail_interrupted(const char *routine)
{
    int status = runcu_fail(RUNCU_ERROR_INTERRUPTED, "%s was interrupted", routine);
    runcu_fail_detail("A kernel on a GPU cannot be stopped: it runs on, and the memory it may use "
                      "is freed when it has ended.");
    return status;
}

/* The context in which a wait was interrupted is left to itself. */
static int leave_current(const struct core_driver *driver, const char *routine)
{
    struct core_driver *now;
    CUcontext handle;
    runcu_context *context;
    if (core_current_peek(&now, &handle) == 0 && now == driver &&
        core_context_find(&context, now, handle) == 0) {
        atomic_store(&context->is_left, true);
        atomic_store(&context->has_work, true);
        runcu_context_release(&context);
    }
    return fail_interrupted(routine);
}

int core_wait_stream_asking(const struct core_driver *driver, CUstream stream, const char *routine)
{
    const struct target t = {.driver = driver, .stream = stream};
    return wait_for(&t) ? leave_current(driver, routine) : 0;
}

int core_wait_event_asking(const struct core_driver *driver, CUevent event, const char *routine)
{
    const struct target t = {.driver = driver, .event = event};
    return wait_for(&t) ? leave_current(driver, routine) : 0;
}

int core_wait_context_asking(runcu_context *context, const char *routine)
{
    const struct target t = {.driver = context->driver, .context = context};
    if (!wait_for(&t))
        return 0;
    atomic_store(&context->is_left, true);
    atomic_store(&context->has_work, true);
    return fail_interrupted(routine);
}

int core_wait_copy_asking(struct core_driver *driver, CUcontext handle, const char *routine)
{
    runcu_context *context;
    int status = core_context_find(&context, driver, handle);
    if (status)
        return status;
    atomic_store(&driver->is_busy, false);
    status = core_wait_context_asking(context, routine);
    if (status)
        atomic_store(&driver->is_busy, true);
    runcu_context_release(&context);
    return status;
}

bool core_defer(int *status, runcu_context *context, core_finish_fn *finish, void *object)
{
    const struct target t = {.driver = context->driver, .context = context};
    *status = 0;
    bool is_left = atomic_load(&context->is_left);
    if (!atomic_load(&context->has_work) || !(is_left || core_is_watched(context->driver)))
        return false;
    if (!is_left)
        *status = core_wait_context_asking(context, "cuMemFree");
    if (!*status && ask(&t) != CUDA_ERROR_NOT_READY)
        return false;
    struct core_deferred *d = alloc_zero(1, sizeof *d);
    if (!d)
        return true; /* lost rather than waited for */
    d->finish = finish;
    d->object = object;
    core_lock();
    d->next = context->deferred;
    context->deferred = d;
    core_unlock();
    return true;
}

void core_finish_deferred(runcu_context *context)
{
    core_lock();
    struct core_deferred *next, *d = context->deferred;
    context->deferred = NULL;
    core_unlock();
    for (; d; d = next) {
        next = d->next;
        d->finish(context, d->object);
        alloc_free(d);
    }
}
