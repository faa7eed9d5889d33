/* Events. What an event recorded is a mark of its own, so that a stream that waits for it is not
 * misled when the event is recorded again or destroyed. */
#include "base/alloc.h"
#include "cpu/cpu.h"

enum { KNOWN_FLAGS = CU_EVENT_BLOCKING_SYNC | CU_EVENT_DISABLE_TIMING | CU_EVENT_INTERPROCESS };

void cpu_mark_release(struct cpu_mark *m)
{
    if (!m || --m->refs)
        return;
    if (m->beacon)
        cpu_beacon_forget(m);
    alloc_free(m);
}

void cpu_event_destroy(struct cpu_event *e)
{
    struct cpu_event **p = &e->context->events;
    while (*p != e)
        p = &(*p)->next;
    *p = e->next;
    cpu_handle_destroy(e->handle);
    cpu_capture_forget(e);
    cpu_mark_release(e->mark);
    cpu_beacon_release(e->beacon);
    alloc_free(e);
}

static CUresult enter_event(struct cpu_event **out, CUevent event)
{
    struct cpu_context *c = NULL;
    CUresult code = cpu_enter_context(&c);
    if (code)
        return code;
    *out = cpu_handle_get(CPU_EVENT, event);
    code = *out ? (*out)->context->fault : CUDA_ERROR_INVALID_HANDLE;
    return code ? cpu_leave(code) : CUDA_SUCCESS;
}

CUresult cpu_event_create(CUevent *out, struct cpu_context *c, unsigned flags,
                          struct cpu_beacon *beacon)
{
    struct cpu_event *e = alloc_zero(1, sizeof *e);
    if (!e || !(e->handle = cpu_handle_create(CPU_EVENT, e))) {
        alloc_free(e);
        return CUDA_ERROR_OUT_OF_MEMORY;
    }
    e->context = c;
    e->flags = flags;
    e->beacon = cpu_beacon_retain(beacon);
    e->next = c->events;
    c->events = e;
    *out = e->handle;
    return CUDA_SUCCESS;
}

CUresult cpu_cuEventCreate(CUevent *event, unsigned flags)
{
    struct cpu_context *c = NULL;
    CUresult code = cpu_enter_context(&c);
    if (code)
        return code;
    bool is_shared = flags & CU_EVENT_INTERPROCESS;
    if (!event || (flags & ~(unsigned) KNOWN_FLAGS) ||
        (is_shared && !(flags & CU_EVENT_DISABLE_TIMING)))
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    struct cpu_beacon *beacon = is_shared ? cpu_beacon_create() : NULL;
    if (is_shared && !beacon)
        return cpu_leave(CUDA_ERROR_OUT_OF_MEMORY);
    code = cpu_event_create(event, c, flags, beacon);
    cpu_beacon_release(beacon);
    return cpu_leave(code);
}

CUresult cpu_cuEventDestroy(CUevent event)
{
    struct cpu_event *e = NULL;
    CUresult code = enter_event(&e, event);
    if (code)
        return code;
    cpu_event_destroy(e);
    return cpu_leave(CUDA_SUCCESS);
}

CUresult cpu_cuEventRecord(CUevent event, CUstream stream)
{
    struct cpu_event *e = NULL;
    struct cpu_stream *s = NULL;
    CUresult code = enter_event(&e, event);
    if (code)
        return code;
    if ((code = cpu_stream_get(&s, e->context, stream)))
        return cpu_leave(code);
    if (s->context != e->context)
        return cpu_leave(CUDA_ERROR_INVALID_HANDLE);
    if (s->capture)
        return cpu_leave(cpu_capture_record(e, s));
    struct cpu_mark *mark = alloc_zero(1, sizeof *mark);
    struct cpu_op *op = mark ? cpu_op_create(CPU_RECORD, 0) : NULL;
    if (!op) {
        alloc_free(mark);
        return cpu_leave(CUDA_ERROR_OUT_OF_MEMORY);
    }
    mark->refs = 2;
    if (e->beacon)
        cpu_beacon_record(e->beacon, mark);
    cpu_capture_forget(e);
    cpu_mark_release(e->mark);
    op->u.mark = e->mark = mark;
    return cpu_leave(cpu_enqueue(s, op));
}

/* CU_EVENT_RECORD_EXTERNAL makes a node of a graph: outside of a capture it means nothing. */
CUresult cpu_cuEventRecordWithFlags(CUevent event, CUstream stream, unsigned flags)
{
    struct cpu_event *e = NULL;
    struct cpu_stream *s = NULL;
    struct cpu_node *n = NULL;
    if (flags == CU_EVENT_RECORD_DEFAULT)
        return cpu_cuEventRecord(event, stream);
    CUresult code = enter_event(&e, event);
    if (code)
        return code;
    if (!(code = cpu_stream_get(&s, e->context, stream)) &&
        (flags != CU_EVENT_RECORD_EXTERNAL || !s->capture))
        code = CUDA_ERROR_INVALID_VALUE;
    if (!code && !(code = cpu_capture_node(&n, s, CU_GRAPH_NODE_TYPE_EVENT_RECORD)))
        n->event = e->handle;
    return cpu_leave(code);
}

CUresult cpu_cuEventQuery(CUevent event)
{
    struct cpu_event *e = NULL;
    CUresult code = enter_event(&e, event);
    if (code)
        return code;
    struct cpu_mark *m;
    if ((code = cpu_capture_ask(e)) || (code = cpu_capture_safe()) ||
        (code = cpu_event_mark(&m, e)) || !m)
        return cpu_leave(code);
    cpu_workers_need();
    return cpu_leave(CUDA_ERROR_NOT_READY);
}

static bool mark_done(void *arg)
{
    const struct cpu_mark *m = arg;
    return m->done;
}

CUresult cpu_cuEventSynchronize(CUevent event)
{
    struct cpu_event *e = NULL;
    CUresult code = enter_event(&e, event);
    if (code)
        return code;
    struct cpu_mark *m;
    if ((code = cpu_capture_ask(e)))
        return cpu_leave(code);
    if ((code = cpu_event_mark(&m, e)) || !m)
        return cpu_leave(code ? code : e->context->fault);
    m->refs++;
    code = cpu_wait(e->context, NULL, mark_done, m);
    cpu_mark_release(m);
    return cpu_leave(code);
}

CUresult cpu_cuEventElapsedTime(float *milliseconds, CUevent start, CUevent end)
{
    struct cpu_event *e = NULL;
    CUresult code = enter_event(&e, start);
    if (code)
        return code;
    const struct cpu_event *f = cpu_handle_get(CPU_EVENT, end);
    if (!milliseconds)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    if ((code = cpu_capture_ask(e)) || (f && (code = cpu_capture_ask(f))))
        return cpu_leave(code);
    if (!f || !e->mark || !f->mark || ((e->flags | f->flags) & CU_EVENT_DISABLE_TIMING))
        return cpu_leave(CUDA_ERROR_INVALID_HANDLE);
    if (!e->mark->done || !f->mark->done)
        return cpu_leave(CUDA_ERROR_NOT_READY);
    *milliseconds = (float) ((double) (int64_t) (f->mark->time - e->mark->time) / 1e6);
    return cpu_leave(CUDA_SUCCESS);
}
