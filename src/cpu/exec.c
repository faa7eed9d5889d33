/* Graphs that can be launched. A launch replays the nodes through one stream, in an order that the
 * edges allow, all of them queued at once; what was freed meanwhile is found before anything runs.
 */
#include "base/alloc.h"
#include "cpu/cpu.h"

enum { ALL_FLAGS = 15 };

static CUresult enter_exec(struct cpu_exec **out, CUgraphExec exec)
{
    CUresult code = cpu_enter();
    if (code)
        return code;
    *out = cpu_handle_get(CPU_EXEC, exec);
    return *out ? CUDA_SUCCESS : cpu_leave(CUDA_ERROR_INVALID_VALUE);
}

static void destroy(struct cpu_exec *e)
{
    if (!e)
        return;
    if (e->handle)
        cpu_handle_destroy(e->handle);
    cpu_nodes_fini(&e->order);
    cpu_graph_free(e->graph);
    cpu_mark_release(e->last);
    alloc_free(e);
}

/* ---- beginning and end ---- */

static CUresult check_children(const struct cpu_graph *g)
{
    struct cpu_nodes order;
    CUresult code = CUDA_SUCCESS;
    for (const struct cpu_node *n = g->nodes; n && !code; n = n->next) {
        if (!n->child)
            continue;
        code = cpu_graph_order(&order, n->child);
        cpu_nodes_fini(&order);
        if (!code)
            code = check_children(n->child);
    }
    return code;
}

static CUresult instantiate(struct cpu_exec **out, const struct cpu_graph *g)
{
    struct cpu_exec *e = alloc_zero(1, sizeof *e);
    if (!e)
        return CUDA_ERROR_OUT_OF_MEMORY;
    e->graph = cpu_graph_copy(g, false);
    CUresult code = e->graph ? cpu_graph_order(&e->order, e->graph) : CUDA_ERROR_OUT_OF_MEMORY;
    if (!code)
        code = check_children(e->graph);
    if (!code && !(e->handle = cpu_handle_create(CPU_EXEC, e)))
        code = CUDA_ERROR_OUT_OF_MEMORY;
    if (code)
        destroy(e);
    else
        *out = e;
    return code;
}

CUresult cpu_cuGraphInstantiateWithFlags(CUgraphExec *exec, CUgraph graph, unsigned long long flags)
{
    struct cpu_exec *e = NULL;
    struct cpu_context *c = NULL;
    CUresult code = cpu_enter_context(&c);
    if (code)
        return code;
    cpu_refuse(CUDA_SUCCESS, NULL);
    const struct cpu_graph *g = cpu_handle_get(CPU_GRAPH, graph);
    if (!g || !exec || (flags & ~(unsigned long long) ALL_FLAGS))
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    if (flags & CUDA_GRAPH_INSTANTIATE_FLAG_DEVICE_LAUNCH)
        return cpu_leave(cpu_refuse(CUDA_ERROR_NOT_SUPPORTED, "no kernel launches graphs here"));
    code = instantiate(&e, g);
    if (!code)
        *exec = e->handle;
    return cpu_leave(code);
}

/* A launch in flight holds nothing of it. */
CUresult cpu_cuGraphExecDestroy(CUgraphExec exec)
{
    struct cpu_exec *e = NULL;
    CUresult code = enter_exec(&e, exec);
    if (code)
        return code;
    destroy(e);
    return cpu_leave(CUDA_SUCCESS);
}

/* ---- launches ---- */

/* The operations of a launch, before they are queued. */
struct batch {
    struct cpu_stream *stream;
    struct cpu_op *first, **end;
};

static CUresult push(struct batch *b, struct cpu_op *op)
{
    if (!op)
        return CUDA_ERROR_OUT_OF_MEMORY;
    op->next = NULL;
    *b->end = op;
    b->end = &op->next;
    return CUDA_SUCCESS;
}

static CUresult push_mark(struct batch *b, enum cpu_op_kind kind, struct cpu_mark *mark)
{
    struct cpu_op *op = cpu_op_create(kind, 0);
    if (!op)
        return CUDA_ERROR_OUT_OF_MEMORY;
    op->u.mark = mark;
    mark->refs++;
    return push(b, op);
}

/* Its kernel may have been unloaded, and be another one's now. */
static CUresult push_kernel(struct batch *b, const struct cpu_node *n)
{
    const struct cpu_function *f = cpu_handle_get(CPU_FUNCTION, n->op->u.k.function);
    if (!f)
        return cpu_refuse(CUDA_ERROR_INVALID_HANDLE, "a kernel of the graph has been unloaded");
    if (f->module->context != b->stream->context)
        return cpu_refuse(CUDA_ERROR_INVALID_VALUE, "a kernel of the graph is of another context");
    struct cpu_op *op = cpu_op_copy(n->op);
    if (op)
        op->u.k.launch.grid_id = cpu.serials + 1;
    return push(b, op);
}

static CUresult push_fill(struct batch *b, const struct cpu_node *n)
{
    size_t bytes;
    if (cpu_check_fill(b->stream->context, &n->op->u.fill, &bytes))
        return cpu_refuse(CUDA_ERROR_INVALID_VALUE, "memory that the graph sets has been freed");
    return push(b, cpu_op_copy(n->op));
}

static CUresult push_copy(struct batch *b, const struct cpu_node *n)
{
    struct cpu_context *c = b->stream->context;
    struct cpu_copy copy;
    CUresult code = CUDA_SUCCESS;
    if (n->copy)
        code = cpu_box(&copy, c, n->copy);
    else
        copy = n->op->u.copy;
    if (code || cpu_check_copy(c, &copy, copy.way))
        return cpu_refuse(CUDA_ERROR_INVALID_VALUE, "memory that the graph copies has been freed");
    struct cpu_op *op = cpu_op_create(CPU_COPY, 0);
    if (op)
        op->u.copy = copy;
    return push(b, op);
}

/* The event is recorded by the launch, as if it stood in the stream. */
static CUresult push_record(struct batch *b, const struct cpu_node *n)
{
    struct cpu_event *e = cpu_handle_get(CPU_EVENT, n->event);
    if (!e)
        return cpu_refuse(CUDA_ERROR_INVALID_HANDLE, "an event of the graph has been destroyed");
    struct cpu_mark *mark = alloc_zero(1, sizeof *mark);
    if (!mark)
        return CUDA_ERROR_OUT_OF_MEMORY;
    mark->refs = 1;
    if (e->beacon)
        cpu_beacon_record(e->beacon, mark);
    cpu_capture_forget(e);
    cpu_mark_release(e->mark);
    e->mark = mark;
    return push_mark(b, CPU_RECORD, mark);
}

static CUresult push_wait(struct batch *b, const struct cpu_node *n)
{
    struct cpu_event *e = cpu_handle_get(CPU_EVENT, n->event);
    struct cpu_mark *mark = NULL;
    if (!e)
        return cpu_refuse(CUDA_ERROR_INVALID_HANDLE, "an event of the graph has been destroyed");
    CUresult code = cpu_event_mark(&mark, e);
    return code || !mark ? code : push_mark(b, CPU_WAIT, mark);
}

static CUresult push_child(struct batch *b, struct cpu_graph *child);

static CUresult push_node(struct batch *b, const struct cpu_node *n)
{
    switch (n->type) {
    case CU_GRAPH_NODE_TYPE_KERNEL:
        return push_kernel(b, n);
    case CU_GRAPH_NODE_TYPE_MEMCPY:
        return push_copy(b, n);
    case CU_GRAPH_NODE_TYPE_MEMSET:
        return push_fill(b, n);
    case CU_GRAPH_NODE_TYPE_HOST:
        return push(b, cpu_op_copy(n->op));
    case CU_GRAPH_NODE_TYPE_GRAPH:
        return push_child(b, n->child);
    case CU_GRAPH_NODE_TYPE_EVENT_RECORD:
        return push_record(b, n);
    case CU_GRAPH_NODE_TYPE_WAIT_EVENT:
        return push_wait(b, n);
    default:
        return CUDA_SUCCESS;
    }
}

static CUresult push_nodes(struct batch *b, const struct cpu_nodes *order)
{
    CUresult code = CUDA_SUCCESS;
    for (size_t i = 0; i < order->len && !code; i++)
        code = push_node(b, order->at[i]);
    return code;
}

static CUresult push_child(struct batch *b, struct cpu_graph *child)
{
    struct cpu_nodes order;
    CUresult code = cpu_graph_order(&order, child);
    if (!code)
        code = push_nodes(b, &order);
    cpu_nodes_fini(&order);
    return code;
}

static void enqueue(struct batch *b)
{
    for (struct cpu_op *op = b->first, *next; op; op = next) {
        next = op->next;
        cpu_enqueue(b->stream, op);
    }
}

static void discard(struct batch *b)
{
    for (struct cpu_op *op = b->first, *next; op; op = next) {
        next = op->next;
        cpu_op_discard(op);
    }
}

/* Launches of one graph come after each other, whatever their streams. */
static CUresult launch(struct cpu_exec *e, struct cpu_stream *s)
{
    struct batch b = {.stream = s};
    CUresult code = CUDA_SUCCESS;
    b.end = &b.first;
    struct cpu_mark *mark = alloc_zero(1, sizeof *mark);
    if (!mark)
        return CUDA_ERROR_OUT_OF_MEMORY;
    mark->refs = 1;
    if (e->last && !e->last->done)
        code = push_mark(&b, CPU_WAIT, e->last);
    if (!code)
        code = push_nodes(&b, &e->order);
    if (!code)
        code = push_mark(&b, CPU_RECORD, mark);
    if (code) {
        discard(&b);
        cpu_mark_release(mark);
        return code;
    }
    cpu_mark_release(e->last);
    e->last = mark;
    enqueue(&b);
    return CUDA_SUCCESS;
}

static CUresult get_exec(struct cpu_exec **out, struct cpu_stream **stream, CUgraphExec exec,
                         CUstream handle)
{
    struct cpu_context *c = cpu_current();
    *out = cpu_handle_get(CPU_EXEC, exec);
    return *out && c ? cpu_stream_get(stream, c, handle) : CUDA_ERROR_INVALID_VALUE;
}

CUresult cpu_cuGraphLaunch(CUgraphExec exec, CUstream stream)
{
    struct cpu_exec *e = NULL;
    struct cpu_stream *s = NULL;
    struct cpu_context *c = NULL;
    CUresult code = cpu_enter_context(&c);
    if (code)
        return code;
    cpu_refuse(CUDA_SUCCESS, NULL);
    code = get_exec(&e, &s, exec, stream);
    if (!code && s->capture)
        code = cpu_capture_break(s->capture, CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
    if (!code && !(code = cpu_wait_for_room(s->context)))
        code = get_exec(&e, &s, exec, stream);
    if (!code && cpu_workers_need() != 0)
        code = CUDA_ERROR_OUT_OF_MEMORY;
    return cpu_leave(code ? code : launch(e, s));
}

CUresult cpu_cuGraphUpload(CUgraphExec exec, CUstream stream)
{
    struct cpu_exec *e = NULL;
    struct cpu_stream *s = NULL;
    struct cpu_context *c = NULL;
    CUresult code = cpu_enter_context(&c);
    return code ? code : cpu_leave(get_exec(&e, &s, exec, stream));
}

/* ---- updates ---- */

/* The place of a node among its graph's, from 0. */
static size_t place(const struct cpu_node *node)
{
    size_t i = 0;
    for (const struct cpu_node *n = node->graph->nodes; n != node; n = n->next)
        i++;
    return i;
}

static bool same_edges(const struct cpu_node *a, const struct cpu_node *b)
{
    if (a->after.len != b->after.len)
        return false;
    for (size_t i = 0; i < a->after.len; i++) {
        bool is_there = false;
        for (size_t k = 0; k < b->after.len && !is_there; k++)
            is_there = place(a->after.at[i]) == place(b->after.at[k]);
        if (!is_there)
            return false;
    }
    return true;
}

/* How the graph `to` differs from what may be changed in `from`: CU_GRAPH_EXEC_UPDATE_*. */
static int compare(CUgraphExecUpdateResultInfo *info, const struct cpu_graph *from,
                   const struct cpu_graph *to)
{
    if (from->count != to->count)
        return CU_GRAPH_EXEC_UPDATE_ERROR_TOPOLOGY_CHANGED;
    const struct cpu_node *a = from->nodes;
    for (const struct cpu_node *b = to->nodes; b; a = a->next, b = b->next) {
        int result = CU_GRAPH_EXEC_UPDATE_SUCCESS;
        if (!same_edges(a, b))
            result = CU_GRAPH_EXEC_UPDATE_ERROR_TOPOLOGY_CHANGED;
        else if (a->type != b->type)
            result = CU_GRAPH_EXEC_UPDATE_ERROR_NODE_TYPE_CHANGED;
        else if (a->child)
            result = compare(info, a->child, b->child);
        if (result) {
            info->errorNode = info->errorNode ? info->errorNode : b->handle;
            return result;
        }
    }
    return CU_GRAPH_EXEC_UPDATE_SUCCESS;
}

static CUresult assign(struct cpu_graph *to, const struct cpu_graph *from)
{
    struct cpu_node *n = to->nodes;
    CUresult code = CUDA_SUCCESS;
    for (const struct cpu_node *m = from->nodes; m && !code; m = m->next, n = n->next)
        code = cpu_node_assign(n, m);
    return code;
}

CUresult cpu_cuGraphExecUpdate(CUgraphExec exec, CUgraph graph, CUgraphExecUpdateResultInfo *info)
{
    struct cpu_exec *e = NULL;
    CUresult code = enter_exec(&e, exec);
    if (code)
        return code;
    const struct cpu_graph *g = cpu_handle_get(CPU_GRAPH, graph);
    if (!g || !info)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    *info = (CUgraphExecUpdateResultInfo){0, NULL, NULL};
    info->result = compare(info, e->graph, g);
    if (info->result)
        return cpu_leave(CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE);
    code = assign(e->graph, g);
    if (code)
        info->result = CU_GRAPH_EXEC_UPDATE_ERROR;
    return cpu_leave(code);
}

/* The launchable graph's node that was made of the graph's. */
static CUresult enter_node(struct cpu_node **out, CUgraphExec exec, CUgraphNode node)
{
    struct cpu_exec *e = NULL;
    CUresult code = enter_exec(&e, exec);
    if (code)
        return code;
    const struct cpu_node *n = cpu_handle_get(CPU_NODE, node);
    struct cpu_node *each = e->graph->nodes;
    while (each && n && each->origin != n->id)
        each = each->next;
    *out = n ? each : NULL;
    return *out ? CUDA_SUCCESS : cpu_leave(CUDA_ERROR_INVALID_VALUE);
}

CUresult cpu_cuGraphExecKernelNodeSetParams(CUgraphExec exec, CUgraphNode node,
                                            const CUDA_KERNEL_NODE_PARAMS *params)
{
    struct cpu_node *n = NULL;
    CUresult code = enter_node(&n, exec, node);
    return code ? code : cpu_leave(cpu_node_set_kernel(n, params));
}

CUresult cpu_cuGraphExecMemcpyNodeSetParams(CUgraphExec exec, CUgraphNode node,
                                            const CUDA_MEMCPY3D *params, CUcontext context)
{
    struct cpu_node *n = NULL;
    (void) context;
    CUresult code = enter_node(&n, exec, node);
    return code ? code : cpu_leave(cpu_node_set_copy(n, params));
}

CUresult cpu_cuGraphExecMemsetNodeSetParams(CUgraphExec exec, CUgraphNode node,
                                            const CUDA_MEMSET_NODE_PARAMS *params,
                                            CUcontext context)
{
    struct cpu_node *n = NULL;
    (void) context;
    CUresult code = enter_node(&n, exec, node);
    return code ? code : cpu_leave(cpu_node_set_fill(n, params));
}

CUresult cpu_cuGraphExecHostNodeSetParams(CUgraphExec exec, CUgraphNode node,
                                          const CUDA_HOST_NODE_PARAMS *params)
{
    struct cpu_node *n = NULL;
    CUresult code = enter_node(&n, exec, node);
    return code ? code : cpu_leave(cpu_node_set_host(n, params));
}
