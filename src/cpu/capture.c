/* Streams that make a graph instead of doing their work: who takes part, what each of them has done
 * last, and what is forbidden meanwhile. */
#include "base/alloc.h"
#include "cpu/cpu.h"

/* ---- who takes part ---- */

static void release(struct cpu_capture *c)
{
    if (c && --c->refs == 0)
        alloc_free(c);
}

static CUresult join(struct cpu_stream *s, struct cpu_capture *c, const struct cpu_nodes *tips)
{
    if (!cpu_nodes_copy(&s->tips, tips))
        return cpu_capture_break(c, CUDA_ERROR_OUT_OF_MEMORY);
    s->capture = c;
    c->refs++;
    return CUDA_SUCCESS;
}

static void part(struct cpu_stream *s)
{
    struct cpu_capture *c = s->capture;
    s->capture = NULL;
    cpu_nodes_fini(&s->tips);
    alloc_free(s->handles);
    s->handles = NULL;
    release(c);
}

/* Every stream goes back to work. The capture may be gone afterwards; its graph is the caller's. */
static struct cpu_graph *finish(struct cpu_capture *c)
{
    struct cpu_graph *g = c->graph;
    struct cpu_capture **p = &cpu.captures;
    while (*p != c)
        p = &(*p)->next;
    *p = c->next;
    c->graph = NULL;
    c->refs++;
    for (struct cpu_context *each = cpu.contexts; each; each = each->next)
        for (struct cpu_stream *s = each->streams; s; s = s->next)
            if (s->capture == c)
                part(s);
    release(c);
    return g;
}

void cpu_capture_drop(struct cpu_stream *s)
{
    struct cpu_capture *c = s->capture;
    if (!c)
        return;
    c->is_invalid = true;
    if (c->origin == s)
        cpu_graph_free(finish(c));
    else
        part(s);
}

/* ---- what is forbidden ---- */

CUresult cpu_capture_break(struct cpu_capture *c, CUresult code)
{
    c->is_invalid = true;
    return code;
}

static bool is_forbidden(const struct cpu_capture *c, const struct cpu_thread *t)
{
    bool is_own = c->thread == t->serial;
    if (t->capture_mode == CU_STREAM_CAPTURE_MODE_RELAXED || c->is_invalid)
        return false;
    if (is_own)
        return c->mode != CU_STREAM_CAPTURE_MODE_RELAXED;
    return t->capture_mode == CU_STREAM_CAPTURE_MODE_GLOBAL &&
           c->mode == CU_STREAM_CAPTURE_MODE_GLOBAL;
}

CUresult cpu_capture_safe(void)
{
    const struct cpu_thread *t = cpu.captures ? cpu_thread() : NULL;
    CUresult code = CUDA_SUCCESS;
    for (struct cpu_capture *c = cpu.captures; c && t; c = c->next)
        if (is_forbidden(c, t))
            code = cpu_capture_break(c, CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
    return code;
}

struct cpu_capture *cpu_capture_in(const struct cpu_context *c, bool is_blocking)
{
    for (const struct cpu_stream *s = cpu.captures ? c->streams : NULL; s; s = s->next)
        if (s->capture && (!is_blocking || !(s->flags & CU_STREAM_NON_BLOCKING)))
            return s->capture;
    return NULL;
}

/* ---- work ---- */

CUresult cpu_capture_node(struct cpu_node **out, struct cpu_stream *s, int type)
{
    struct cpu_capture *c = s->capture;
    *out = NULL;
    if (c->is_invalid)
        return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
    struct cpu_nodes tip = {0};
    struct cpu_node *n = cpu_node_create(c->graph, type, NULL);
    if (!n || !cpu_nodes_copy(&n->after, &s->tips) || !cpu_nodes_add(&tip, n)) {
        cpu_nodes_fini(&tip);
        return cpu_capture_break(c, CUDA_ERROR_OUT_OF_MEMORY);
    }
    cpu_nodes_fini(&s->tips);
    s->tips = tip;
    *out = n;
    return CUDA_SUCCESS;
}

CUresult cpu_capture_add(struct cpu_stream *s, struct cpu_op *op)
{
    static const int types[] = {
        [CPU_LAUNCH] = CU_GRAPH_NODE_TYPE_KERNEL,
        [CPU_COPY] = CU_GRAPH_NODE_TYPE_MEMCPY,
        [CPU_FILL] = CU_GRAPH_NODE_TYPE_MEMSET,
        [CPU_CALL] = CU_GRAPH_NODE_TYPE_HOST,
    };
    struct cpu_node *n = NULL;
    CUresult code = cpu_capture_node(&n, s, types[op->kind]);
    if (code)
        cpu_op_discard(op);
    else
        n->op = op;
    return code;
}

/* ---- events ---- */

void cpu_capture_forget(struct cpu_event *e)
{
    release(e->capture);
    e->capture = NULL;
    cpu_nodes_fini(&e->tips);
}

CUresult cpu_capture_record(struct cpu_event *e, struct cpu_stream *s)
{
    struct cpu_nodes tips;
    if (!cpu_nodes_copy(&tips, &s->tips))
        return cpu_capture_break(s->capture, CUDA_ERROR_OUT_OF_MEMORY);
    s->capture->refs++;
    cpu_capture_forget(e);
    e->capture = s->capture;
    e->tips = tips;
    return CUDA_SUCCESS;
}

CUresult cpu_capture_ask(const struct cpu_event *e)
{
    if (!e->capture)
        return CUDA_SUCCESS;
    return cpu_capture_break(e->capture, CUDA_ERROR_CAPTURED_EVENT);
}

CUresult cpu_capture_wait(struct cpu_stream *s, const struct cpu_event *e)
{
    struct cpu_capture *c = e->capture;
    if (!c)
        return cpu_capture_break(s->capture, CUDA_ERROR_STREAM_CAPTURE_ISOLATION);
    if (!c->graph)
        return s->capture ? cpu_capture_break(s->capture, CUDA_ERROR_CAPTURED_EVENT)
                          : CUDA_ERROR_CAPTURED_EVENT;
    if (c->is_invalid)
        return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
    if (!s->capture)
        return join(s, c, &e->tips);
    if (s->capture != c) {
        cpu_capture_break(c, CUDA_ERROR_STREAM_CAPTURE_MERGE);
        return cpu_capture_break(s->capture, CUDA_ERROR_STREAM_CAPTURE_MERGE);
    }
    for (size_t i = 0; i < e->tips.len; i++)
        if (!cpu_nodes_add(&s->tips, e->tips.at[i]))
            return cpu_capture_break(c, CUDA_ERROR_OUT_OF_MEMORY);
    return CUDA_SUCCESS;
}

/* ---- calls ---- */

CUresult cpu_cuThreadExchangeStreamCaptureMode(int *mode)
{
    struct cpu_thread *t = cpu_thread();
    if (!mode || *mode < 0 || *mode > CU_STREAM_CAPTURE_MODE_RELAXED)
        return CUDA_ERROR_INVALID_VALUE;
    if (!t)
        return CUDA_ERROR_OUT_OF_MEMORY;
    int now = *mode;
    *mode = t->capture_mode;
    t->capture_mode = now;
    return CUDA_SUCCESS;
}

static CUresult enter_stream(struct cpu_stream **out, CUstream stream)
{
    struct cpu_context *c = NULL;
    CUresult code = cpu_enter_context(&c);
    if (code)
        return code;
    code = cpu_stream_find(out, c, stream);
    return code ? cpu_leave(code) : CUDA_SUCCESS;
}

/* The default stream that others wait for cannot be told from them. */
static CUresult check_legacy(const struct cpu_stream *s)
{
    struct cpu_context *c = s->context;
    struct cpu_capture *others = s == &c->legacy ? cpu_capture_in(c, true) : NULL;
    return others ? cpu_capture_break(others, CUDA_ERROR_STREAM_CAPTURE_IMPLICIT) : CUDA_SUCCESS;
}

static CUresult begin(struct cpu_stream *s, int mode)
{
    const struct cpu_thread *t = cpu_thread();
    struct cpu_capture *c = t ? alloc_zero(1, sizeof *c) : NULL;
    if (!c || !(c->graph = cpu_graph_create(true))) {
        alloc_free(c);
        return CUDA_ERROR_OUT_OF_MEMORY;
    }
    c->mode = mode;
    c->thread = t->serial;
    c->id = ++cpu.nodes;
    c->origin = s;
    c->refs = 1;
    s->capture = c;
    c->next = cpu.captures;
    cpu.captures = c;
    return CUDA_SUCCESS;
}

CUresult cpu_cuStreamBeginCapture(CUstream stream, int mode)
{
    struct cpu_stream *s = NULL;
    CUresult code = enter_stream(&s, stream);
    if (code)
        return code;
    if (mode < 0 || mode > CU_STREAM_CAPTURE_MODE_RELAXED)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    if (s == &s->context->legacy)
        return cpu_leave(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
    if (s->capture)
        return cpu_leave(cpu_capture_break(s->capture, CUDA_ERROR_ILLEGAL_STATE));
    return cpu_leave(begin(s, mode));
}

/* Marks whatever comes before the nodes, and them, with `open` 1. */
static bool mark_before(const struct cpu_nodes *tips)
{
    struct cpu_nodes list;
    bool is_good = cpu_nodes_copy(&list, tips);
    for (size_t i = 0; i < list.len && is_good; i++) {
        list.at[i]->open = 1;
        for (size_t k = 0; k < list.at[i]->after.len && is_good; k++)
            is_good = cpu_nodes_add(&list, list.at[i]->after.at[k]);
    }
    cpu_nodes_fini(&list);
    return is_good;
}

/* Has all that other streams did been waited for by the first one? */
static CUresult check_joined(const struct cpu_capture *c)
{
    for (struct cpu_node *n = c->graph->nodes; n; n = n->next)
        n->open = 0;
    if (!mark_before(&c->origin->tips))
        return CUDA_ERROR_OUT_OF_MEMORY;
    for (const struct cpu_node *n = c->graph->nodes; n; n = n->next)
        if (!n->open)
            return CUDA_ERROR_STREAM_CAPTURE_UNJOINED;
    return CUDA_SUCCESS;
}

CUresult cpu_cuStreamEndCapture(CUstream stream, CUgraph *graph)
{
    struct cpu_stream *s = NULL;
    CUresult code = enter_stream(&s, stream);
    if (code)
        return code;
    struct cpu_capture *c = s->capture;
    const struct cpu_thread *t = cpu_thread();
    if (!graph)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    *graph = NULL;
    if (!c)
        return cpu_leave(CUDA_ERROR_ILLEGAL_STATE);
    if (c->origin != s)
        return cpu_leave(cpu_capture_break(c, CUDA_ERROR_STREAM_CAPTURE_UNMATCHED));
    if (c->mode != CU_STREAM_CAPTURE_MODE_RELAXED && (!t || c->thread != t->serial))
        return cpu_leave(CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD);
    code = c->is_invalid ? CUDA_ERROR_STREAM_CAPTURE_INVALIDATED : check_joined(c);
    struct cpu_graph *g = finish(c);
    if (code)
        cpu_graph_free(g);
    else
        *graph = g->handle;
    return cpu_leave(code);
}

static int status_of(const struct cpu_stream *s)
{
    return !s->capture              ? CU_STREAM_CAPTURE_STATUS_NONE
           : s->capture->is_invalid ? CU_STREAM_CAPTURE_STATUS_INVALIDATED
                                    : CU_STREAM_CAPTURE_STATUS_ACTIVE;
}

CUresult cpu_cuStreamIsCapturing(CUstream stream, int *status)
{
    struct cpu_stream *s = NULL;
    CUresult code = enter_stream(&s, stream);
    if (code)
        return code;
    if (!status)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    if (s == &s->context->legacy && cpu_capture_in(s->context, true))
        return cpu_leave(CUDA_ERROR_STREAM_CAPTURE_IMPLICIT);
    *status = status_of(s);
    return cpu_leave(CUDA_SUCCESS);
}

/* The stream's own array of handles, valid until its next work. */
static CUresult list_handles(const CUgraphNode **out, struct cpu_stream *s)
{
    CUgraphNode *list = alloc_zero(s->tips.len + 1, sizeof *list);
    if (!list)
        return CUDA_ERROR_OUT_OF_MEMORY;
    for (size_t i = 0; i < s->tips.len; i++)
        list[i] = s->tips.at[i]->handle;
    alloc_free(s->handles);
    s->handles = list;
    *out = list;
    return CUDA_SUCCESS;
}

CUresult cpu_cuStreamGetCaptureInfo(CUstream stream, int *status, uint64_t *id, CUgraph *graph,
                                    const CUgraphNode **nodes, size_t *count)
{
    struct cpu_stream *s = NULL;
    CUresult code = enter_stream(&s, stream);
    if (code)
        return code;
    if (!status)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    if ((code = check_legacy(s)))
        return cpu_leave(code);
    *status = status_of(s);
    if (*status != CU_STREAM_CAPTURE_STATUS_ACTIVE)
        return cpu_leave(CUDA_SUCCESS);
    if (id)
        *id = s->capture->id;
    if (graph)
        *graph = s->capture->graph->handle;
    if (nodes)
        code = list_handles(nodes, s);
    if (count)
        *count = s->tips.len;
    return cpu_leave(code);
}
