/* Streams: the legacy default one, which every context has, one for each thread that asks
 * (CU_STREAM_PER_THREAD), and those that programs create. Not here: the order of work in them
 * (queue.c). */
#include "base/alloc.h"
#include "cpu/cpu.h"

void cpu_stream_init(struct cpu_stream *s, struct cpu_context *c, unsigned flags)
{
    s->context = c;
    s->flags = flags;
    s->next = NULL;
    struct cpu_stream **p = &c->streams;
    while (*p)
        p = &(*p)->next;
    *p = s;
}

void cpu_stream_release(struct cpu_stream *s)
{
    if (!s->destroyed || s->head || s->waiting || s == &s->context->legacy)
        return;
    struct cpu_stream **p = &s->context->streams;
    while (*p != s)
        p = &(*p)->next;
    *p = s->next;
    cpu_capture_drop(s);
    cpu_handle_destroy(s->handle);
    alloc_free(s);
}

static CUresult per_thread(struct cpu_stream **out, struct cpu_context *c)
{
    const struct cpu_thread *t = cpu_thread();
    for (struct cpu_stream *s = c->streams; t && s; s = s->next) {
        if (s->thread == t->serial) {
            *out = s;
            return CUDA_SUCCESS;
        }
    }
    struct cpu_stream *s = t ? alloc_zero(1, sizeof *s) : NULL;
    if (!s)
        return CUDA_ERROR_OUT_OF_MEMORY;
    cpu_stream_init(s, c, CU_STREAM_DEFAULT);
    s->thread = t->serial;
    *out = s;
    return CUDA_SUCCESS;
}

CUresult cpu_stream_find(struct cpu_stream **out, struct cpu_context *c, CUstream handle)
{
    if (!handle || handle == CU_STREAM_LEGACY) {
        *out = &c->legacy;
        return CUDA_SUCCESS;
    }
    if (handle == CU_STREAM_PER_THREAD)
        return per_thread(out, c);
    struct cpu_stream *s = cpu_handle_get(CPU_STREAM, handle);
    if (!s || s->destroyed)
        return CUDA_ERROR_INVALID_HANDLE;
    *out = s;
    return CUDA_SUCCESS;
}

CUresult cpu_stream_get(struct cpu_stream **out, struct cpu_context *c, CUstream handle)
{
    CUresult code = cpu_stream_find(out, c, handle);
    if (code || !cpu.captures)
        return code;
    const struct cpu_stream *s = *out;
    struct cpu_capture *waited = s == &c->legacy ? cpu_capture_in(c, true) : NULL;
    if (waited)
        return cpu_capture_break(waited, CUDA_ERROR_STREAM_CAPTURE_IMPLICIT);
    return s->capture && s->capture->is_invalid ? CUDA_ERROR_STREAM_CAPTURE_INVALIDATED
                                                : CUDA_SUCCESS;
}

/* A stream of any context: its own context counts then, the current one where it is a special
 * handle. */
static CUresult enter_stream(struct cpu_stream **out, CUstream handle)
{
    struct cpu_context *c = NULL;
    CUresult code = cpu_enter_context(&c);
    if (code)
        return code;
    code = cpu_stream_find(out, c, handle);
    if (!code)
        code = (*out)->context->fault;
    return code ? cpu_leave(code) : CUDA_SUCCESS;
}

/* What a capture is still to do can be neither waited for nor asked. */
static CUresult enter_waitable(struct cpu_stream **out, CUstream handle)
{
    CUresult code = enter_stream(out, handle);
    if (code || !cpu.captures)
        return code;
    struct cpu_stream *s = *out;
    struct cpu_capture *waited = s == &s->context->legacy ? cpu_capture_in(s->context, true) : NULL;
    if (s->capture)
        code = cpu_capture_break(s->capture, CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
    else if (waited)
        code = cpu_capture_break(waited, CUDA_ERROR_STREAM_CAPTURE_IMPLICIT);
    return code ? cpu_leave(code) : CUDA_SUCCESS;
}

CUresult cpu_cuStreamCreateWithPriority(CUstream *stream, unsigned flags, int priority)
{
    struct cpu_context *c = NULL;
    CUresult code = cpu_enter_context(&c);
    if (code)
        return code;
    if (!stream || (flags & ~(unsigned) CU_STREAM_NON_BLOCKING))
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    struct cpu_stream *s = alloc_zero(1, sizeof *s);
    if (!s || !(s->handle = cpu_handle_create(CPU_STREAM, s))) {
        alloc_free(s);
        return cpu_leave(CUDA_ERROR_OUT_OF_MEMORY);
    }
    cpu_stream_init(s, c, flags);
    s->priority = MAX(CPU_PRIORITY, MIN(priority, 0));
    *stream = s->handle;
    return cpu_leave(CUDA_SUCCESS);
}

CUresult cpu_cuStreamCreate(CUstream *stream, unsigned flags)
{
    return cpu_cuStreamCreateWithPriority(stream, flags, 0);
}

/* Work in flight goes on. */
CUresult cpu_cuStreamDestroy(CUstream stream)
{
    struct cpu_context *c = NULL;
    CUresult code = cpu_enter_context(&c);
    if (code)
        return code;
    struct cpu_stream *s = cpu_handle_get(CPU_STREAM, stream);
    if (!s)
        return cpu_leave(CUDA_ERROR_INVALID_HANDLE);
    cpu_handle_destroy(s->handle);
    cpu_capture_drop(s);
    s->destroyed = true;
    cpu_stream_release(s);
    return cpu_leave(CUDA_SUCCESS);
}

CUresult cpu_cuStreamGetPriority(CUstream stream, int *priority)
{
    struct cpu_stream *s = NULL;
    CUresult code = enter_stream(&s, stream);
    if (code)
        return code;
    if (!priority)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    *priority = s->priority;
    return cpu_leave(CUDA_SUCCESS);
}

CUresult cpu_cuStreamGetFlags(CUstream stream, unsigned *flags)
{
    struct cpu_stream *s = NULL;
    CUresult code = enter_stream(&s, stream);
    if (code)
        return code;
    if (!flags)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    *flags = s->flags;
    return cpu_leave(CUDA_SUCCESS);
}

CUresult cpu_cuStreamGetCtx(CUstream stream, CUcontext *context)
{
    struct cpu_stream *s = NULL;
    CUresult code = enter_stream(&s, stream);
    if (code)
        return code;
    if (!context)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    *context = s->context->handle;
    return cpu_leave(CUDA_SUCCESS);
}

CUresult cpu_cuStreamQuery(CUstream stream)
{
    struct cpu_stream *s = NULL;
    CUresult code = enter_waitable(&s, stream);
    if (code)
        return code;
    if (cpu_stream_idle(s, cpu.serials + 1))
        return cpu_leave(CUDA_SUCCESS);
    /* A forked child has no workers yet, and nobody else may be waiting. */
    cpu_workers_need();
    return cpu_leave(CUDA_ERROR_NOT_READY);
}

struct until {
    const struct cpu_stream *stream;
    uint64_t serial;
};

static bool stream_done(void *arg)
{
    const struct until *u = arg;
    return cpu_stream_idle(u->stream, u->serial);
}

CUresult cpu_cuStreamSynchronize(CUstream stream)
{
    struct cpu_stream *s = NULL;
    CUresult code = enter_waitable(&s, stream);
    if (code)
        return code;
    struct until u = {s, cpu.serials + 1};
    return cpu_leave(cpu_wait(s->context, s, stream_done, &u));
}

static CUresult wait_event(struct cpu_stream *s, struct cpu_event *e)
{
    struct cpu_mark *mark;
    if (s->capture || e->capture)
        return cpu_capture_wait(s, e);
    CUresult code = cpu_event_mark(&mark, e);
    if (code || !mark)
        return code;
    struct cpu_op *op = cpu_op_create(CPU_WAIT, 0);
    if (!op)
        return CUDA_ERROR_OUT_OF_MEMORY;
    op->u.mark = mark;
    mark->refs++;
    return cpu_enqueue(s, op);
}

/* CU_EVENT_WAIT_EXTERNAL makes a node of a graph: outside of a capture it means nothing. */
static CUresult wait_external(struct cpu_stream *s, const struct cpu_event *e)
{
    struct cpu_node *n = NULL;
    if (!s->capture)
        return CUDA_ERROR_INVALID_VALUE;
    CUresult code = cpu_capture_node(&n, s, CU_GRAPH_NODE_TYPE_WAIT_EVENT);
    if (!code)
        n->event = e->handle;
    return code;
}

CUresult cpu_cuStreamWaitEvent(CUstream stream, CUevent event, unsigned flags)
{
    struct cpu_context *c = NULL;
    struct cpu_stream *s = NULL;
    CUresult code = cpu_enter_context(&c);
    if (code)
        return code;
    if ((code = cpu_stream_get(&s, c, stream)) || (code = s->context->fault))
        return cpu_leave(code);
    struct cpu_event *e = cpu_handle_get(CPU_EVENT, event);
    if (!e)
        return cpu_leave(CUDA_ERROR_INVALID_HANDLE);
    if (flags > CU_EVENT_WAIT_EXTERNAL)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    return cpu_leave(flags ? wait_external(s, e) : wait_event(s, e));
}
