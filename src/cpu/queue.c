/* Work in streams: what may run when, what happens when it has run, and what becomes of the rest
 * after a fault. The legacy default stream and blocking streams wait for each other by the serial
 * numbers that operations get when they are queued. Not here: who executes (run.c). */
#include <stdio.h>
#include <time.h>

#include "base/alloc.h"
#include "cpu/cpu.h"

uint64_t cpu_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t) t.tv_sec * 1000000000u + (uint64_t) t.tv_nsec;
}

struct cpu_op *cpu_op_create(enum cpu_op_kind kind, size_t extra)
{
    struct cpu_op *op = alloc_zero(1, sizeof *op + extra);
    if (op)
        op->kind = (uint8_t) kind;
    return op;
}

/* ---- the list of those that may run ---- */

static void ready_add(struct cpu_op *op)
{
    op->ready_next = NULL;
    op->ready_prev = cpu.ready_last;
    if (cpu.ready_last)
        cpu.ready_last->ready_next = op;
    else
        cpu.ready = op;
    cpu.ready_last = op;
}

static void ready_remove(struct cpu_op *op)
{
    if (op->ready_prev)
        op->ready_prev->ready_next = op->ready_next;
    else
        cpu.ready = op->ready_next;
    if (op->ready_next)
        op->ready_next->ready_prev = op->ready_prev;
    else
        cpu.ready_last = op->ready_prev;
}

void cpu_ready_rotate(struct cpu_op *op)
{
    ready_remove(op);
    ready_add(op);
}

/* ---- order ---- */

static bool is_blocking(const struct cpu_stream *s)
{
    return !(s->flags & CU_STREAM_NON_BLOCKING);
}

static bool blocking_idle(const struct cpu_context *c, uint64_t serial)
{
    for (const struct cpu_stream *s = c->streams; s; s = s->next)
        if (s != &c->legacy && is_blocking(s) && s->head && s->head->serial < serial)
            return false;
    return true;
}

bool cpu_stream_idle(const struct cpu_stream *s, uint64_t serial)
{
    const struct cpu_context *c = s->context;
    if (s->head && s->head->serial < serial)
        return false;
    return s != &c->legacy || blocking_idle(c, serial);
}

/* The first operation of a stream: does nothing in another stream come before it? */
static bool may_start(const struct cpu_op *op)
{
    const struct cpu_stream *s = op->stream;
    const struct cpu_context *c = s->context;
    if (op->kind == CPU_WAIT && !op->u.mark->done)
        return false;
    if (op->kind == CPU_RELEASE && !cpu_range_idle(op->u.free.base, op->u.free.size, 0))
        return false;
    if (s == &c->legacy)
        return blocking_idle(c, op->serial);
    return !is_blocking(s) || !c->legacy.head || c->legacy.head->serial > op->serial;
}

/* Is the address one of the context's own memory, what all contexts share aside? */
static bool is_own(const struct cpu_context *c, uint64_t address)
{
    struct simt_range range;
    return simt_space_find(c->space, address, &range) && !cpu_is_shared(&range);
}

static bool touches(const struct cpu_op *op, const struct cpu_context *c)
{
    if (op->kind == CPU_FILL)
        return is_own(c, op->u.fill.to);
    return op->kind == CPU_COPY &&
           (is_own(c, (uintptr_t) op->u.copy.to) || is_own(c, (uintptr_t) op->u.copy.from));
}

bool cpu_quiet(const struct cpu_context *c)
{
    for (const struct cpu_context *other = cpu.contexts; other; other = other->next) {
        if (other == c || !other->pending)
            continue;
        for (const struct cpu_stream *s = other->streams; s; s = s->next)
            for (const struct cpu_op *op = s->head; op; op = op->next)
                if (touches(op, c))
                    return false;
    }
    return !c->pending && !c->lowering;
}

static bool overlaps(uint64_t a, size_t a_size, uint64_t b, size_t b_size)
{
    return a < b + b_size && b < a + a_size;
}

/* Does a copy or a set, begun or not, use the memory? */
static bool uses(const struct cpu_op *op, uint64_t base, size_t size)
{
    const struct cpu_fill *f = &op->u.fill;
    const struct cpu_copy *c = &op->u.copy;
    if (op->kind == CPU_FILL)
        return f->rows &&
               overlaps(f->to, (f->rows - 1) * f->pitch + f->count * f->width, base, size);
    size_t to = cpu_span(c, c->to_pitch, c->to_plane);
    size_t from = cpu_span(c, c->from_pitch, c->from_plane);
    return op->kind == CPU_COPY && (overlaps((uintptr_t) c->to, to, base, size) ||
                                    overlaps((uintptr_t) c->from, from, base, size));
}

bool cpu_range_idle(uint64_t base, size_t size, uint64_t serial)
{
    for (const struct cpu_context *c = cpu.contexts; c; c = c->next)
        for (const struct cpu_stream *s = c->streams; s; s = s->next)
            for (const struct cpu_op *op = s->head; op; op = op->next)
                if ((op->users || op->serial < serial) && uses(op, base, size))
                    return false;
    return true;
}

static void forget_in_stream(struct cpu_stream *s, uint64_t base, size_t size)
{
    for (struct cpu_op *op = s->head; op; op = op->next) {
        if (op->users || !uses(op, base, size))
            continue;
        if (op->kind == CPU_COPY)
            op->u.copy.bytes = 0;
        else
            op->u.fill.rows = 0;
    }
}

void cpu_forget_range(uint64_t base, size_t size)
{
    for (struct cpu_context *c = cpu.contexts; c; c = c->next)
        for (struct cpu_stream *s = c->streams; s; s = s->next)
            forget_in_stream(s, base, size);
}

/* ---- completion ---- */

static void set_mark(struct cpu_mark *m)
{
    m->time = cpu_now();
    m->done = true;
    if (m->beacon)
        cpu_beacon_light(m);
}

static void end_launch(struct cpu_op *op)
{
    simt_grid_destroy(&op->u.k.grid);
    simt_child_destroy(op->u.k.now);
    while (op->u.k.later) {
        struct simt_child *child = op->u.k.later;
        op->u.k.later = *simt_child_next(child);
        simt_child_destroy(child);
    }
}

/* Ends an operation that is out of its stream. */
static void dispose(struct cpu_op *op)
{
    if (op->state == CPU_READY)
        ready_remove(op);
    if (op->kind == CPU_RECORD)
        set_mark(op->u.mark);
    if (op->kind == CPU_RECORD || op->kind == CPU_WAIT)
        cpu_mark_release(op->u.mark);
    if (op->kind == CPU_RELEASE)
        cpu_memory_drop(op->u.free.base, op->u.free.serial);
    if (op->kind == CPU_LAUNCH)
        end_launch(op);
    op->state = CPU_DONE;
    op->stream->context->pending--;
    if (!op->owner)
        alloc_free(op);
}

/* Takes the first operation out; the stream may be gone afterwards. */
static void pop(struct cpu_stream *s)
{
    struct cpu_op *op = s->head;
    s->head = op->next;
    if (!s->head)
        s->tail = NULL;
    dispose(op);
    cpu_stream_release(s);
}

/* True if something has changed. The stream may be gone afterwards. */
static bool settle_stream(struct cpu_stream *s)
{
    bool changed = false;
    struct cpu_op *op = s->head;
    while (op && op->state == CPU_QUEUED && may_start(op)) {
        struct cpu_op *next = op->next;
        changed = true;
        if (op->kind == CPU_RECORD || op->kind == CPU_WAIT || op->kind == CPU_RELEASE) {
            pop(s);
            op = next;
            continue;
        }
        op->state = CPU_READY;
        ready_add(op);
        cpu_notice(op);
        break;
    }
    return changed;
}

void cpu_settle(void)
{
    bool again = true;
    while (again) {
        again = false;
        for (struct cpu_context *c = cpu.contexts, *next; c; c = next) {
            next = c->next;
            for (struct cpu_stream *s = c->streams, *after; s; s = after) {
                after = s->next;
                again |= settle_stream(s);
            }
        }
    }
}

CUresult cpu_enqueue(struct cpu_stream *s, struct cpu_op *op)
{
    if (s->capture)
        return cpu_capture_add(s, op);
    op->stream = s;
    op->serial = ++cpu.serials;
    op->state = CPU_QUEUED;
    op->next = NULL;
    if (s->tail)
        s->tail->next = op;
    else
        s->head = op;
    s->tail = op;
    s->context->pending++;
    if (s->head == op)
        settle_stream(s);
    return CUDA_SUCCESS;
}

void cpu_op_discard(struct cpu_op *op)
{
    if (op && (op->kind == CPU_RECORD || op->kind == CPU_WAIT))
        cpu_mark_release(op->u.mark);
    alloc_free(op);
}

void cpu_drop_owned(struct cpu_stream *s, uint64_t but)
{
    struct cpu_op *op = s->head;
    s->head = s->tail = NULL;
    while (op) {
        struct cpu_op *next = op->next;
        op->next = NULL;
        if (op->owner && op->owner != but) {
            dispose(op);
        } else {
            if (s->tail)
                s->tail->next = op;
            else
                s->head = op;
            s->tail = op;
        }
        op = next;
    }
}

void cpu_complete(struct cpu_op *op)
{
    pop(op->stream);
    cpu_settle();
    if (cpu.waiters)
        pthread_cond_broadcast(&cpu.done);
}

/* ---- faults ---- */

/* Empties a stream but for what some thread is inside of. */
static void drop_stream(struct cpu_stream *s)
{
    struct cpu_op *op = s->head, *kept = op && op->users ? op : NULL;
    s->head = s->tail = kept;
    if (kept) {
        op = kept->next;
        kept->next = NULL;
    }
    while (op) {
        struct cpu_op *next = op->next;
        dispose(op);
        op = next;
    }
    cpu_stream_release(s);
}

void cpu_fault(struct cpu_context *c, CUresult code, const char *text)
{
    if (c->fault)
        return;
    c->fault = code;
    snprintf(c->fault_text, sizeof c->fault_text, "%s", text);
    for (struct cpu_stream *s = c->streams, *next; s; s = next) {
        next = s->next;
        drop_stream(s);
    }
    cpu_settle();
    if (cpu.waiters)
        pthread_cond_broadcast(&cpu.done);
}
