/* Who executes the work in streams: a pool of threads, and whoever waits. A small launch wakes
 * nobody, since the program most often waits for it at once and runs it itself; one worker, the
 * lookout, looks every half millisecond for what was left. Everything runs in slices, so that
 * launches share the threads and a wait can be interrupted. Not here: what may run when (queue.c).
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cpu/cpu.h"

enum {
    SLICE_US = 2000,      /* at a launch, before looking around */
    LOOK_NS = 500 * 1000, /* between looks of the lookout */
    QUIET_NS = 20000000,  /* without work, until it sleeps for good */
    ASK_NS = 50000000,    /* between questions to the interrupt hook */
    BIG = 4096,           /* threads of a launch that is worth waking workers */
};

_Thread_local unsigned cpu_own_inside;

static void wait_for(pthread_cond_t *cond, uint64_t ns)
{
    uint64_t until = cpu_now() + ns;
    struct timespec t = {(time_t) (until / 1000000000u), (long) (until % 1000000000u)};
    pthread_cond_timedwait(cond, &cpu.lock, &t);
}

/* ---- choosing ---- */

static bool is_useful(const struct cpu_op *op, const struct cpu_thread *waiter, uint64_t now)
{
    switch (op->kind) {
    case CPU_CALL:
        return !waiter && !op->users;
    case CPU_COPY:
    case CPU_FILL:
        return !op->users && (!op->owner || (waiter && op->owner == waiter->serial));
    default:
        break;
    }
    if (op->users && (cpu.running >= cpu.device.threads || op->cancelled))
        return false;
    if (!op->users)
        return cpu.running < cpu.device.threads;
    /* Not while another thread has just found nothing to do: a launch that was stopped ends when
     * everybody is out. */
    return now >= op->retry_at;
}

static bool is_fresh(const struct cpu_op *op)
{
    return op->kind != CPU_LAUNCH || !op->u.k.grid;
}

static int priority_of(const struct cpu_op *op)
{
    return op->has_priority ? op->priority : op->stream->priority;
}

/* Is `a` the better one to run? Copies before launches, then what has fewer threads. Priority (a
 * low number is a high one) says what begins first; what has begun takes turns, or it could starve
 * what it waits for. */
static bool is_better(const struct cpu_op *a, const struct cpu_op *b)
{
    bool a_launch = a->kind == CPU_LAUNCH, b_launch = b->kind == CPU_LAUNCH;
    if (a_launch != b_launch)
        return b_launch;
    if (is_fresh(a) && is_fresh(b) && priority_of(a) != priority_of(b))
        return priority_of(a) < priority_of(b);
    return a->users < b->users;
}

/* For a worker (waiter NULL) or a waiting thread, which begins what it waits for before anything
 * else. Beyond that everybody helps with everything, in turns: with one thread in all, what is
 * waited for may itself wait for another stream. */
static struct cpu_op *pick(const struct cpu_thread *waiter, const struct cpu_stream *first)
{
    struct cpu_op *best = NULL, *head = first ? first->head : NULL;
    uint64_t now = cpu.ready ? cpu_now() : 0;
    if (head && head->state == CPU_READY && is_fresh(head) && is_useful(head, waiter, now))
        return head;
    for (struct cpu_op *op = cpu.ready; op; op = op->ready_next) {
        if (is_useful(op, waiter, now) && (!best || is_better(op, best)))
            best = op;
    }
    return best;
}

/* ---- executing ---- */

static void wake(unsigned count)
{
    if (count > 1 && cpu.asleep + cpu.lookout > 1)
        pthread_cond_broadcast(&cpu.work);
    else if (count && cpu.asleep + cpu.lookout)
        pthread_cond_signal(&cpu.work);
}

void cpu_notice(const struct cpu_op *op)
{
    const uint32_t *g = op->u.k.launch.grid, *b = op->u.k.launch.block;
    cpu.active_at = cpu_now();
    if (op->owner)
        return;
    if (op->kind == CPU_CALL)
        wake(1);
    else if (op->kind == CPU_LAUNCH && (uint64_t) g[0] * g[1] * g[2] > 1 &&
             (uint64_t) g[0] * g[1] * g[2] * b[0] * b[1] * b[2] >= BIG)
        wake(cpu.device.threads);
    else if (!cpu.lookout && cpu.asleep == cpu.worker_count)
        wake(1);
}

NO_TSAN static void fill_row(const struct cpu_fill *f, uint64_t at)
{
    void *p = (void *) (uintptr_t) at;
    if (f->width == 1 || (f->value & 0xff) * 0x01010101u == f->value) {
        memset(p, (int) (f->value & 0xff), f->count * f->width);
    } else if (f->width == 2) {
        for (size_t i = 0; i < f->count; i++)
            ((uint16_t *) p)[i] = (uint16_t) f->value;
    } else {
        for (size_t i = 0; i < f->count; i++)
            ((uint32_t *) p)[i] = f->value;
    }
}

static void copy_box(const struct cpu_copy *c)
{
    for (size_t z = 0; z < MAX(c->planes, 1); z++) {
        char *to = (char *) c->to + z * c->to_plane;
        const char *from = (const char *) c->from + z * c->from_plane;
        for (size_t y = 0; y < MAX(c->rows, 1); y++)
            memmove(to + y * c->to_pitch, from + y * c->from_pitch, c->bytes);
    }
}

static void move(const struct cpu_op *op)
{
    if (op->kind == CPU_COPY) {
        if (op->u.copy.bytes)
            copy_box(&op->u.copy);
        return;
    }
    for (size_t row = 0; row < op->u.fill.rows; row++)
        fill_row(&op->u.fill, op->u.fill.to + row * op->u.fill.pitch);
}

static enum simt_progress execute(struct cpu_op *op)
{
    switch (op->kind) {
    case CPU_LAUNCH:
        return simt_grid_work(op->u.k.grid, SLICE_US);
    case CPU_CALL:
        op->u.call.function(op->u.call.user);
        return SIMT_DONE;
    default:
        move(op);
        return SIMT_DONE;
    }
}

/* Kernels launch kernels: the operation goes on with the next of them, those that this one has
 * launched before those that were waiting already. */
static CUresult go_on(bool *goes_on, struct cpu_op *op)
{
    struct simt_child *children = NULL;
    *goes_on = false;
    if (simt_grid_take_children(&children, op->u.k.grid) != 0)
        return CUDA_ERROR_OUT_OF_MEMORY;
    struct simt_child **end = &children;
    while (*end)
        end = simt_child_next(*end);
    *end = op->u.k.later;
    if (!children)
        return CUDA_SUCCESS;
    simt_grid_destroy(&op->u.k.grid);
    simt_child_destroy(op->u.k.now);
    op->u.k.now = children;
    op->u.k.later = *simt_child_next(children);
    op->u.k.launch = *simt_child_get(children);
    op->retry_at = 0;
    *goes_on = true;
    cpu_notice(op);
    if (cpu.waiters)
        pthread_cond_broadcast(&cpu.done);
    return CUDA_SUCCESS;
}

/* A launch that has ended, or never began: its fault, if any, becomes the context's. */
static void finish_launch(struct cpu_op *op, const struct simt_fault *fault)
{
    struct cpu_context *c = op->stream->context;
    struct simt_fault copy = {0};
    bool goes_on = false;
    if (!fault && !op->cancelled && !c->fault && op->u.k.grid && (copy.code = go_on(&goes_on, op)))
        snprintf(copy.text, sizeof copy.text, "memory is short for what a kernel has launched");
    if (goes_on)
        return;
    if (fault && !(op->cancelled && fault->code == CUDA_ERROR_LAUNCH_TIMEOUT))
        copy = *fault;
    cpu_complete(op);
    if (copy.code && !c->fault) {
        cpu_fault(c, copy.code, copy.text);
        cpu_cancel(c, "another launch of the context has failed");
    }
}

static bool begin_launch(struct cpu_op *op)
{
    struct simt_fault fault = {0};
    struct simt_kernel_info info;
    if (op->u.k.grid)
        return true;
    if (op->cancelled) {
        finish_launch(op, NULL);
        return false;
    }
    if (simt_grid_create(&op->u.k.grid, &op->u.k.launch, &fault.code) == 0)
        return true;
    simt_kernel_info(op->u.k.launch.kernel, &info);
    snprintf(fault.text, sizeof fault.text, "kernel '%s' could not begin: memory is short",
             info.func->name);
    finish_launch(op, &fault);
    return false;
}

/* The thread has come out of the operation. */
static void leave(struct cpu_op *op, enum simt_progress progress)
{
    op->users--;
    cpu.inside--;
    cpu_own_inside--;
    cpu.active_at = cpu_now();
    if (cpu.paused && cpu.waiters)
        pthread_cond_broadcast(&cpu.done);
    if (op->kind != CPU_LAUNCH) {
        cpu_complete(op);
        return;
    }
    cpu.running--;
    if (!op->users && (progress == SIMT_DONE || simt_grid_done(op->u.k.grid))) {
        finish_launch(op, simt_grid_fault(op->u.k.grid));
    } else if (progress == SIMT_BUSY) {
        op->retry_at = cpu.active_at + LOOK_NS;
    } else if (progress == SIMT_SLICE) {
        cpu_ready_rotate(op);
        if (simt_grid_pending(op->u.k.grid))
            wake(cpu.device.threads);
    }
}

/* Lends the calling thread to a ready operation for a while. The operation may be gone afterwards.
 */
static void run(struct cpu_op *op)
{
    if (op->kind == CPU_LAUNCH && !begin_launch(op))
        return;
    op->users++;
    cpu.inside++;
    cpu_own_inside++;
    cpu.running += op->kind == CPU_LAUNCH;
    pthread_mutex_unlock(&cpu.lock);
    enum simt_progress progress = execute(op);
    pthread_mutex_lock(&cpu.lock);
    leave(op, progress);
}

/* ---- workers ---- */

static void rest(void)
{
    bool busy = cpu.ready || cpu.watched || cpu_now() - cpu.active_at < QUIET_NS;
    if (busy && !cpu.lookout) {
        cpu.lookout = true;
        wait_for(&cpu.work, LOOK_NS);
        cpu.lookout = false;
        cpu_watch();
    } else {
        cpu.asleep++;
        pthread_cond_wait(&cpu.work, &cpu.lock);
        cpu.asleep--;
    }
}

static void work(void *user, unsigned index)
{
    (void) user;
    (void) index;
    pthread_mutex_lock(&cpu.lock);
    while (!cpu.stop) {
        struct cpu_op *op = cpu.paused ? NULL : pick(NULL, NULL);
        if (op)
            run(op);
        else
            rest();
    }
    pthread_mutex_unlock(&cpu.lock);
}

/* One more than may be in launches at a time: a host function that blocks must not stop them. */
int cpu_workers_need(void)
{
    if (cpu.workers)
        return 0;
    cpu.worker_count = workers_start(&cpu.workers, cpu.device.threads + 1, work, NULL);
    return cpu.worker_count ? 0 : -1;
}

/* ---- waiting ---- */

static bool is_interrupted(uint64_t *asked)
{
    drv_interrupt_fn *ask = cpu.interrupt;
    void *user = cpu.interrupt_user;
    uint64_t now = cpu_now();
    if (now - *asked < ASK_NS)
        return false;
    *asked = now;
    if (!ask)
        return false;
    pthread_mutex_unlock(&cpu.lock);
    bool yes = ask(user) != 0;
    pthread_mutex_lock(&cpu.lock);
    return yes;
}

static void sleep_waiter(uint64_t asked)
{
    uint64_t past = cpu_now() - asked;
    uint64_t ns = past < ASK_NS ? ASK_NS - past : 1000;
    if (cpu.watched || (cpu.ready && cpu.running < cpu.device.threads))
        ns = MIN(ns, LOOK_NS);
    cpu.waiters++;
    wait_for(&cpu.done, ns);
    cpu.waiters--;
    cpu_watch();
}

CUresult cpu_wait(struct cpu_context *c, struct cpu_stream *first, bool (*done)(void *arg),
                  void *arg)
{
    const struct cpu_thread *self = cpu_thread();
    uint64_t asked = cpu_now();
    bool interrupted = false;
    if (done(arg))
        return c->fault;
    if (!self)
        return CUDA_ERROR_OUT_OF_MEMORY;
    c->waiting++;
    if (first)
        first->waiting++;
    while (!done(arg) && !cpu.stop) {
        struct cpu_op *op = cpu.paused ? NULL : pick(self, first);
        if (op)
            run(op);
        else
            sleep_waiter(asked);
        if (!done(arg) && is_interrupted(&asked)) {
            interrupted = true;
            cpu_cancel(c, "interrupted");
        }
    }
    CUresult code = c->fault;
    if (!code && interrupted)
        code = cpu_refuse(CUDA_ERROR_LAUNCH_TIMEOUT,
                          "interrupted: the launches of the context were stopped");
    c->waiting--;
    if (first) {
        first->waiting--;
        cpu_stream_release(first);
    }
    if (c->destroyed) {
        code = CUDA_ERROR_CONTEXT_IS_DESTROYED;
        cpu_context_free(c);
    }
    return cpu.stop ? CUDA_ERROR_DEINITIALIZED : code;
}

struct until {
    const struct cpu_context *context;
    uint64_t serial;
};

static bool is_past(void *arg)
{
    const struct until *u = arg;
    for (const struct cpu_stream *s = u->context->streams; s; s = s->next)
        if (s->head && s->head->serial < u->serial)
            return false;
    return true;
}

CUresult cpu_wait_prior(struct cpu_context *c)
{
    struct until u = {c, cpu.serials + 1};
    return cpu_wait(c, NULL, is_past, &u);
}

struct range {
    const struct cpu_context *context;
    uint64_t base, serial;
    size_t size;
};

static bool is_range_idle(void *arg)
{
    const struct range *r = arg;
    return r->context->destroyed || cpu_range_idle(r->base, r->size, r->serial);
}

CUresult cpu_wait_range(struct cpu_context *c, uint64_t base, size_t size)
{
    struct range r = {c, base, cpu.serials + 1, size};
    CUresult code = cpu_wait_prior(c);
    return code ? code : cpu_wait(c, NULL, is_range_idle, &r);
}

static bool is_idle(void *arg)
{
    const struct cpu_context *c = arg;
    return !c->pending;
}

static bool is_quiet(void *arg)
{
    const struct cpu_context *c = arg;
    return c->destroyed || cpu_quiet(c);
}

CUresult cpu_wait_quiet(struct cpu_context *c)
{
    return cpu_wait(c, NULL, is_quiet, c);
}

CUresult cpu_wait_all(void)
{
    for (struct cpu_context *c = cpu.contexts; c;) {
        if (!c->pending) {
            c = c->next;
            continue;
        }
        CUresult code = cpu_wait(c, NULL, is_idle, c);
        if (code == CUDA_ERROR_LAUNCH_TIMEOUT || cpu.stop)
            return code;
        c = cpu.contexts; /* the list may have changed meanwhile */
    }
    return CUDA_SUCCESS;
}

/* A context that has work from before the serial number. */
static struct cpu_context *find_before(uint64_t serial)
{
    for (struct cpu_context *c = cpu.contexts; c; c = c->next)
        if (!is_past(&(struct until){c, serial}))
            return c;
    return NULL;
}

CUresult cpu_wait_shared(struct cpu_context *c, uint64_t base, size_t size)
{
    CUcontext handle = c->handle;
    uint64_t serial = cpu.serials + 1;
    struct cpu_context *busy;
    while ((busy = find_before(serial))) {
        struct until u = {busy, serial};
        CUresult code = cpu_wait(busy, NULL, is_past, &u);
        if (code == CUDA_ERROR_LAUNCH_TIMEOUT || cpu.stop)
            return code;
    }
    /* Meanwhile the context may have ended. */
    c = cpu_handle_get(CPU_CONTEXT, handle);
    struct range r = {c, base, serial, size};
    return c ? cpu_wait(c, NULL, is_range_idle, &r) : CUDA_ERROR_CONTEXT_IS_DESTROYED;
}

/* A launch with a grid that has not been told yet, of the context or of any (NULL). Those without
 * one are told here. */
static struct cpu_op *next_to_cancel(const struct cpu_context *only)
{
    for (const struct cpu_context *c = cpu.contexts; c; c = c->next) {
        if (only && c != only)
            continue;
        for (const struct cpu_stream *s = c->streams; s; s = s->next) {
            for (struct cpu_op *op = s->head; op; op = op->next) {
                if (op->kind != CPU_LAUNCH || op->cancelled)
                    continue;
                op->cancelled = true;
                if (op->u.k.grid)
                    return op;
            }
        }
    }
    return NULL;
}

void cpu_cancel(struct cpu_context *c, const char *why)
{
    struct cpu_op *op;
    while ((op = next_to_cancel(c))) {
        /* As if inside: the grid cannot go away, and somebody's print callback is not waited for
         * under the lock. */
        op->users++;
        cpu.inside++;
        cpu_own_inside++;
        cpu.running++;
        pthread_mutex_unlock(&cpu.lock);
        simt_grid_cancel(op->u.k.grid, why);
        pthread_mutex_lock(&cpu.lock);
        leave(op, SIMT_SLICE);
    }
}
