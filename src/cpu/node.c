/* Nodes of graphs: what each kind does and how it is asked and changed. A node holds its work as
 * an operation that launches copy. Not here: edges (graph.c), launches (exec.c). */
#include <string.h>

#include "base/alloc.h"
#include "cpu/cpu.h"

/* ---- beginning and end ---- */

struct cpu_op *cpu_op_copy(const struct cpu_op *op)
{
    size_t extra = op->kind == CPU_LAUNCH ? op->u.k.launch.param_size : 0;
    struct cpu_op *copy = cpu_op_create(op->kind, extra);
    if (!copy)
        return NULL;
    memcpy(copy, op, sizeof *op + extra);
    if (op->kind == CPU_LAUNCH)
        copy->u.k.launch.params = copy->params;
    return copy;
}

struct cpu_node *cpu_node_create(struct cpu_graph *g, int type, struct cpu_op *op)
{
    struct cpu_node *n = alloc_zero(1, sizeof *n);
    if (!n || !(n->handle = cpu_handle_create(CPU_NODE, n))) {
        alloc_free(n);
        cpu_op_discard(op);
        return NULL;
    }
    n->graph = g;
    n->id = ++cpu.nodes;
    n->type = type;
    n->op = op;
    if (g->last)
        g->last->next = n;
    else
        g->nodes = n;
    g->last = n;
    g->count++;
    return n;
}

/* What it does is let go. */
static void empty(struct cpu_node *n)
{
    cpu_op_discard(n->op);
    alloc_free(n->copy);
    alloc_free(n->params);
    cpu_graph_free(n->child);
    n->op = NULL;
    n->copy = NULL;
    n->params = NULL;
    n->child = NULL;
}

void cpu_node_free(struct cpu_node *n)
{
    empty(n);
    cpu_nodes_fini(&n->after);
    cpu_handle_destroy(n->handle);
    alloc_free(n);
}

CUresult cpu_node_assign(struct cpu_node *n, const struct cpu_node *from)
{
    struct cpu_op *op = from->op ? cpu_op_copy(from->op) : NULL;
    CUDA_MEMCPY3D *copy = from->copy ? alloc_zero(1, sizeof *copy) : NULL;
    struct cpu_graph *child = from->child ? cpu_graph_copy(from->child, true) : NULL;
    if (!op != !from->op || !copy != !from->copy || !child != !from->child) {
        cpu_op_discard(op);
        alloc_free(copy);
        cpu_graph_free(child);
        return CUDA_ERROR_OUT_OF_MEMORY;
    }
    empty(n);
    n->op = op;
    n->copy = copy;
    n->child = child;
    n->event = from->event;
    if (copy)
        *copy = *from->copy;
    if (child)
        child->is_child = true;
    return CUDA_SUCCESS;
}

struct cpu_node *cpu_node_copy(struct cpu_graph *to, const struct cpu_node *n)
{
    struct cpu_node *copy = cpu_node_create(to, n->type, NULL);
    if (copy)
        copy->origin = n->id;
    return copy && cpu_node_assign(copy, n) == CUDA_SUCCESS ? copy : NULL;
}

/* ---- what it does ---- */

static void set_op(struct cpu_node *n, struct cpu_op *op)
{
    empty(n);
    n->op = op;
}

CUresult cpu_node_set_kernel(struct cpu_node *n, const CUDA_KERNEL_NODE_PARAMS *params)
{
    struct cpu_op *op = NULL;
    if (!params || n->type != CU_GRAPH_NODE_TYPE_KERNEL)
        return CUDA_ERROR_INVALID_VALUE;
    cpu_refuse(CUDA_SUCCESS, NULL);
    CUresult code = cpu_launch_create(&op, NULL, params);
    if (!code)
        set_op(n, op);
    return code;
}

CUresult cpu_node_set_copy(struct cpu_node *n, const CUDA_MEMCPY3D *p)
{
    struct cpu_copy box;
    struct cpu_context *c = cpu_current();
    if (!p || !c || n->type != CU_GRAPH_NODE_TYPE_MEMCPY || !p->WidthInBytes || !p->Height ||
        !p->Depth)
        return CUDA_ERROR_INVALID_VALUE;
    CUresult code = cpu_box(&box, c, p);
    if (!code)
        code = cpu_check_copy(c, &box, box.way);
    if (code)
        return code;
    CUDA_MEMCPY3D *copy = alloc_zero(1, sizeof *copy);
    if (!copy)
        return CUDA_ERROR_OUT_OF_MEMORY;
    *copy = *p;
    empty(n);
    n->copy = copy;
    return CUDA_SUCCESS;
}

CUresult cpu_node_set_fill(struct cpu_node *n, const CUDA_MEMSET_NODE_PARAMS *p)
{
    size_t bytes;
    if (!p || n->type != CU_GRAPH_NODE_TYPE_MEMSET || !p->width || !p->height ||
        (p->elementSize != 1 && p->elementSize != 2 && p->elementSize != 4))
        return CUDA_ERROR_INVALID_VALUE;
    struct cpu_fill fill = {p->dst, p->value, p->elementSize, p->width, p->height, p->pitch};
    struct cpu_context *c = cpu_owner(cpu_current(), p->dst, 1);
    CUresult code = c ? cpu_check_fill(c, &fill, &bytes) : CUDA_ERROR_INVALID_VALUE;
    if (code)
        return code;
    struct cpu_op *op = cpu_op_create(CPU_FILL, 0);
    if (!op)
        return CUDA_ERROR_OUT_OF_MEMORY;
    op->u.fill = fill;
    set_op(n, op);
    return CUDA_SUCCESS;
}

CUresult cpu_node_set_host(struct cpu_node *n, const CUDA_HOST_NODE_PARAMS *p)
{
    if (!p || !p->fn || n->type != CU_GRAPH_NODE_TYPE_HOST)
        return CUDA_ERROR_INVALID_VALUE;
    struct cpu_op *op = cpu_op_create(CPU_CALL, 0);
    if (!op)
        return CUDA_ERROR_OUT_OF_MEMORY;
    op->u.call.function = p->fn;
    op->u.call.user = p->userData;
    set_op(n, op);
    return CUDA_SUCCESS;
}

static CUresult set_event(struct cpu_node *n, const void *event)
{
    const struct cpu_event *e = cpu_handle_get(CPU_EVENT, event);
    if (!e)
        return CUDA_ERROR_INVALID_VALUE;
    n->event = e->handle;
    return CUDA_SUCCESS;
}

static CUresult set_child(struct cpu_node *n, const void *graph)
{
    const struct cpu_graph *g = cpu_handle_get(CPU_GRAPH, graph);
    if (!g || g == n->graph)
        return CUDA_ERROR_INVALID_VALUE;
    if (!(n->child = cpu_graph_copy(g, true)))
        return CUDA_ERROR_OUT_OF_MEMORY;
    n->child->is_child = true;
    return CUDA_SUCCESS;
}

static CUresult set(struct cpu_node *n, const void *what)
{
    switch (n->type) {
    case CU_GRAPH_NODE_TYPE_KERNEL:
        return cpu_node_set_kernel(n, what);
    case CU_GRAPH_NODE_TYPE_MEMCPY:
        return cpu_node_set_copy(n, what);
    case CU_GRAPH_NODE_TYPE_MEMSET:
        return cpu_node_set_fill(n, what);
    case CU_GRAPH_NODE_TYPE_HOST:
        return cpu_node_set_host(n, what);
    case CU_GRAPH_NODE_TYPE_GRAPH:
        return set_child(n, what);
    case CU_GRAPH_NODE_TYPE_EMPTY:
        return CUDA_SUCCESS;
    default:
        return set_event(n, what);
    }
}

/* ---- adding ---- */

/* Where a node goes. */
struct place {
    CUgraphNode *node;
    CUgraph graph;
    const CUgraphNode *after;
    size_t count;
};

static CUresult check_place(struct cpu_graph **out, const struct place *p)
{
    *out = cpu_handle_get(CPU_GRAPH, p->graph);
    if (!*out || !p->node || (p->count && !p->after))
        return CUDA_ERROR_INVALID_VALUE;
    for (size_t i = 0; i < p->count; i++) {
        const struct cpu_node *n = cpu_handle_get(CPU_NODE, p->after[i]);
        if (!n || n->graph != *out)
            return CUDA_ERROR_INVALID_VALUE;
        for (size_t k = 0; k < i; k++)
            if (p->after[k] == p->after[i])
                return CUDA_ERROR_INVALID_VALUE;
    }
    return CUDA_SUCCESS;
}

/* The last node of the graph, which did not come to be. */
static void take_back(struct cpu_graph *g)
{
    struct cpu_node *n = g->last, *before = NULL;
    for (struct cpu_node *each = g->nodes; each != n; each = each->next)
        before = each;
    if (before)
        before->next = NULL;
    else
        g->nodes = NULL;
    g->last = before;
    g->count--;
    cpu_node_free(n);
}

static CUresult add(const struct place *p, int type, const void *what)
{
    struct cpu_graph *g = NULL;
    CUresult code = cpu_enter();
    if (code)
        return code;
    if ((code = check_place(&g, p)))
        return cpu_leave(code);
    struct cpu_node *n = cpu_node_create(g, type, NULL);
    if (!n)
        return cpu_leave(CUDA_ERROR_OUT_OF_MEMORY);
    code = set(n, what);
    for (size_t i = 0; i < p->count && !code; i++)
        if (!cpu_nodes_add(&n->after, cpu_handle_get(CPU_NODE, p->after[i])))
            code = CUDA_ERROR_OUT_OF_MEMORY;
    if (code)
        take_back(g);
    else
        *p->node = n->handle;
    return cpu_leave(code);
}

CUresult cpu_cuGraphAddKernelNode(CUgraphNode *node, CUgraph graph, const CUgraphNode *after,
                                  size_t count, const CUDA_KERNEL_NODE_PARAMS *params)
{
    return add(&(struct place){node, graph, after, count}, CU_GRAPH_NODE_TYPE_KERNEL, params);
}

CUresult cpu_cuGraphAddMemcpyNode(CUgraphNode *node, CUgraph graph, const CUgraphNode *after,
                                  size_t count, const CUDA_MEMCPY3D *params, CUcontext context)
{
    (void) context;
    return add(&(struct place){node, graph, after, count}, CU_GRAPH_NODE_TYPE_MEMCPY, params);
}

CUresult cpu_cuGraphAddMemsetNode(CUgraphNode *node, CUgraph graph, const CUgraphNode *after,
                                  size_t count, const CUDA_MEMSET_NODE_PARAMS *params,
                                  CUcontext context)
{
    (void) context;
    return add(&(struct place){node, graph, after, count}, CU_GRAPH_NODE_TYPE_MEMSET, params);
}

CUresult cpu_cuGraphAddHostNode(CUgraphNode *node, CUgraph graph, const CUgraphNode *after,
                                size_t count, const CUDA_HOST_NODE_PARAMS *params)
{
    return add(&(struct place){node, graph, after, count}, CU_GRAPH_NODE_TYPE_HOST, params);
}

CUresult cpu_cuGraphAddChildGraphNode(CUgraphNode *node, CUgraph graph, const CUgraphNode *after,
                                      size_t count, CUgraph child)
{
    return add(&(struct place){node, graph, after, count}, CU_GRAPH_NODE_TYPE_GRAPH, child);
}

CUresult cpu_cuGraphAddEmptyNode(CUgraphNode *node, CUgraph graph, const CUgraphNode *after,
                                 size_t count)
{
    return add(&(struct place){node, graph, after, count}, CU_GRAPH_NODE_TYPE_EMPTY, NULL);
}

CUresult cpu_cuGraphAddEventRecordNode(CUgraphNode *node, CUgraph graph, const CUgraphNode *after,
                                       size_t count, CUevent event)
{
    return add(&(struct place){node, graph, after, count}, CU_GRAPH_NODE_TYPE_EVENT_RECORD, event);
}

CUresult cpu_cuGraphAddEventWaitNode(CUgraphNode *node, CUgraph graph, const CUgraphNode *after,
                                     size_t count, CUevent event)
{
    return add(&(struct place){node, graph, after, count}, CU_GRAPH_NODE_TYPE_WAIT_EVENT, event);
}

/* ---- asking and setting ---- */

static CUresult enter_node(struct cpu_node **out, CUgraphNode node, int type)
{
    CUresult code = cpu_enter();
    if (code)
        return code;
    *out = cpu_handle_get(CPU_NODE, node);
    return *out && (*out)->type == type ? CUDA_SUCCESS : cpu_leave(CUDA_ERROR_INVALID_VALUE);
}

static CUresult set_params(CUgraphNode node, int type, const void *params)
{
    struct cpu_node *n = NULL;
    CUresult code = enter_node(&n, node, type);
    return code ? code : cpu_leave(set(n, params));
}

CUresult cpu_cuGraphKernelNodeSetParams(CUgraphNode node, const CUDA_KERNEL_NODE_PARAMS *params)
{
    return set_params(node, CU_GRAPH_NODE_TYPE_KERNEL, params);
}

CUresult cpu_cuGraphMemcpyNodeSetParams(CUgraphNode node, const CUDA_MEMCPY3D *params)
{
    return set_params(node, CU_GRAPH_NODE_TYPE_MEMCPY, params);
}

CUresult cpu_cuGraphMemsetNodeSetParams(CUgraphNode node, const CUDA_MEMSET_NODE_PARAMS *params)
{
    return set_params(node, CU_GRAPH_NODE_TYPE_MEMSET, params);
}

CUresult cpu_cuGraphHostNodeSetParams(CUgraphNode node, const CUDA_HOST_NODE_PARAMS *params)
{
    return set_params(node, CU_GRAPH_NODE_TYPE_HOST, params);
}

CUresult cpu_cuGraphKernelNodeGetParams(CUgraphNode node, CUDA_KERNEL_NODE_PARAMS *params)
{
    struct cpu_node *n = NULL;
    struct simt_kernel_info info;
    CUresult code = enter_node(&n, node, CU_GRAPH_NODE_TYPE_KERNEL);
    if (code)
        return code;
    if (!params)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    if (!cpu_handle_get(CPU_FUNCTION, n->op->u.k.function))
        return cpu_leave(CUDA_ERROR_INVALID_HANDLE);
    const struct simt_launch *l = &n->op->u.k.launch;
    simt_kernel_info(l->kernel, &info);
    uint32_t count = info.func->param_count;
    if (!n->params && !(n->params = alloc_zero(count + 1, sizeof *n->params)))
        return cpu_leave(CUDA_ERROR_OUT_OF_MEMORY);
    for (uint32_t i = 0; i < count; i++)
        n->params[i] = n->op->params + info.func->params[i]->offset;
    *params = (CUDA_KERNEL_NODE_PARAMS){
        .func = n->op->u.k.function,
        .gridDimX = l->grid[0],
        .gridDimY = l->grid[1],
        .gridDimZ = l->grid[2],
        .blockDimX = l->block[0],
        .blockDimY = l->block[1],
        .blockDimZ = l->block[2],
        .sharedMemBytes = (unsigned) l->dynamic_shared,
        .kernelParams = count ? n->params : NULL,
    };
    return cpu_leave(CUDA_SUCCESS);
}

/* Of a copy that was captured. */
static CUDA_MEMCPY3D describe(const struct cpu_copy *c)
{
    bool to_device = c->way & CPU_TO_DEVICE, from_device = c->way & CPU_FROM_DEVICE;
    CUDA_MEMCPY3D p = {.WidthInBytes = c->bytes,
                       .Height = MAX(c->rows, 1),
                       .Depth = MAX(c->planes, 1),
                       .srcPitch = c->from_pitch,
                       .srcHeight = c->from_pitch ? c->from_plane / c->from_pitch : 0,
                       .dstPitch = c->to_pitch,
                       .dstHeight = c->to_pitch ? c->to_plane / c->to_pitch : 0};
    p.srcMemoryType = from_device ? CU_MEMORYTYPE_DEVICE : CU_MEMORYTYPE_HOST;
    p.dstMemoryType = to_device ? CU_MEMORYTYPE_DEVICE : CU_MEMORYTYPE_HOST;
    p.srcDevice = from_device ? (uintptr_t) c->from : 0;
    p.srcHost = from_device ? NULL : c->from;
    p.dstDevice = to_device ? (uintptr_t) c->to : 0;
    p.dstHost = to_device ? NULL : c->to;
    return p;
}

CUresult cpu_cuGraphMemcpyNodeGetParams(CUgraphNode node, CUDA_MEMCPY3D *params)
{
    struct cpu_node *n = NULL;
    CUresult code = enter_node(&n, node, CU_GRAPH_NODE_TYPE_MEMCPY);
    if (code)
        return code;
    if (!params)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    *params = n->copy ? *n->copy : describe(&n->op->u.copy);
    return cpu_leave(CUDA_SUCCESS);
}

CUresult cpu_cuGraphMemsetNodeGetParams(CUgraphNode node, CUDA_MEMSET_NODE_PARAMS *params)
{
    struct cpu_node *n = NULL;
    CUresult code = enter_node(&n, node, CU_GRAPH_NODE_TYPE_MEMSET);
    if (code)
        return code;
    if (!params)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    const struct cpu_fill *f = &n->op->u.fill;
    *params = (CUDA_MEMSET_NODE_PARAMS){f->to, f->pitch, f->value, f->width, f->count, f->rows};
    return cpu_leave(CUDA_SUCCESS);
}

CUresult cpu_cuGraphHostNodeGetParams(CUgraphNode node, CUDA_HOST_NODE_PARAMS *params)
{
    struct cpu_node *n = NULL;
    CUresult code = enter_node(&n, node, CU_GRAPH_NODE_TYPE_HOST);
    if (code)
        return code;
    if (!params)
        return cpu_leave(CUDA_ERROR_INVALID_VALUE);
    *params = (CUDA_HOST_NODE_PARAMS){n->op->u.call.function, n->op->u.call.user};
    return cpu_leave(CUDA_SUCCESS);
}
