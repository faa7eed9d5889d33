/* Graphs, their nodes and edges, and streams that make one. Not here: launches (exec.c). */
#include "graph.h"

#include <string.h>

#include "base/alloc.h"

static CUresult end_graph(const struct drv_table *cu, uint64_t handle)
{
    return cu->cuGraphDestroy((CUgraph) (uintptr_t) handle);
}

static const struct core_handle_kind graph_kind = {"graph", "cuGraphDestroy", end_graph,
                                                   sizeof(runcu_graph)};

CORE_HANDLE_FUNCTIONS(graph, graph_kind)

/* --- what nodes do --- */

static int fail_host_memory(const runcu_function *f)
{
    return runcu_fail(RUNCU_ERROR_LAUNCH_ARGUMENT,
                      "%s: host memory cannot travel with a node of a graph: give device memory, "
                      "and add nodes that copy",
                      f->signature);
}

static int pack_and_use(struct core_launch *l, const struct core_args *args, core_kernel_fn *use,
                        void *user)
{
    void *pointers[CORE_POINTERS];
    size_t room = l->function->count < 0 ? CORE_PACK_STACK : MAX(l->function->bytes, 1);
    int status = core_pack(&l->packed, l->buffer, room, l->function, args);
    if (!status && l->packed.host_count)
        status = fail_host_memory(l->function);
    if (status)
        return status;
    size_t bytes = l->packed.bytes;
    core_launch_point(l, pointers);
    void *whole[] = {CU_LAUNCH_PARAM_BUFFER_POINTER, l->buffer, CU_LAUNCH_PARAM_BUFFER_SIZE, &bytes,
                     CU_LAUNCH_PARAM_END};
    CUDA_KERNEL_NODE_PARAMS params = {
        .func = l->function->handle,
        .gridDimX = l->grid.x,
        .gridDimY = l->grid.y,
        .gridDimZ = l->grid.z,
        .blockDimX = l->block.x,
        .blockDimY = l->block.y,
        .blockDimZ = l->block.z,
        .sharedMemBytes = l->shared,
        .kernelParams = l->pointers,
        .extra = l->pointers || !bytes ? NULL : whole,
    };
    status = use(user, &params);
    if (!status && l->function->prints)
        atomic_store(&l->function->driver->may_print, true);
    runcu_error e;
    if (status == RUNCU_ERROR_DRIVER) {
        runcu_error_get(&e);
        status = core_launch_refused(l, e.routine, e.code);
    }
    return status;
}

static int check_call(const runcu_kernel_call *call, const struct core_driver *driver)
{
    const runcu_function *f = call->function;
    if (!f || (!call->args && call->count))
        return runcu_fail(RUNCU_ERROR_ARGUMENT, "%s of the node is NULL",
                          f ? "the list of arguments" : "the function");
    if (f->driver != driver)
        return runcu_fail(RUNCU_ERROR_ARGUMENT, "%s: the kernel and the graph are of two drivers",
                          f->signature);
    if (atomic_load(&f->context->is_dead))
        return runcu_fail(RUNCU_ERROR_FREED, "%s: the kernel's context has been detached",
                          f->signature);
    if (call->launch.attributes)
        return runcu_fail(RUNCU_ERROR_ARGUMENT,
                          "%s: nodes have no launch attributes: capture the launch", f->signature);
    return 0;
}

int core_kernel_params(const runcu_kernel_call *params, const struct core_driver *driver,
                       core_kernel_fn *use, void *user)
{
    runcu_kernel_call call;
    runcu_launch_params shape;
    core_params(&call, sizeof call, params);
    int status = check_call(&call, driver);
    if (status)
        return status;
    core_params(&shape, sizeof shape, &call.launch);
    struct core_launch l = {.function = call.function};
    struct core_args args = {call.args, call.count, shape.strict != 0};
    shape.stream = NULL;
    status = core_launch_shape(&l, &shape);
    if (status)
        return status;
    l.buffer = alloc_new(call.function->count < 0 ? CORE_PACK_STACK : MAX(call.function->bytes, 1));
    if (!l.buffer)
        return runcu_fail_memory();
    status = pack_and_use(&l, &args, use, user);
    alloc_free(l.buffer);
    return status;
}

int core_fill_params(CUDA_MEMSET_NODE_PARAMS *out, const runcu_fill *params)
{
    runcu_fill f;
    core_params(&f, sizeof f, params);
    if (f.width != 1 && f.width != 2 && f.width != 4)
        return runcu_fail(RUNCU_ERROR_ARGUMENT,
                          "a fill's width is %u bytes: 1, 2 or 4 are possible", (unsigned) f.width);
    if (!f.count)
        return runcu_fail(RUNCU_ERROR_ARGUMENT, "a node that fills has elements to fill");
    *out = (CUDA_MEMSET_NODE_PARAMS){f.to, f.pitch, f.value, f.width, f.count, f.rows ? f.rows : 1};
    return 0;
}

int core_host_params(CUDA_HOST_NODE_PARAMS *out, const runcu_host_call *call)
{
    if (!call->function)
        return runcu_fail(RUNCU_ERROR_ARGUMENT, "the function to call is NULL");
    *out = (CUDA_HOST_NODE_PARAMS){call->function, call->user};
    return 0;
}

/* --- beginning and end --- */

int runcu_graph_create(runcu_graph **out)
{
    CORE_OUT(out);
    struct core_handle *h;
    CUgraph graph = NULL;
    int status = core_handle_new(&h, &graph_kind);
    if (status)
        return status;
    status = CU_CALL(h->context->driver, cuGraphCreate, &graph, 0);
    if (status)
        return core_handle_discard(&h, status);
    h->handle = (uintptr_t) graph;
    h->is_owned = true;
    *out = (runcu_graph *) h;
    return 0;
}

/* An object for a graph that the driver has made, of the same context. */
static int adopt(runcu_graph **out, runcu_context *context, CUgraph graph)
{
    struct core_handle *h = core_new(sizeof *h);
    if (!h) {
        core_cleanup(context, "cuGraphDestroy", context->driver->cu.cuGraphDestroy(graph));
        return RUNCU_ERROR_MEMORY;
    }
    h->context = runcu_context_retain(context);
    h->kind = &graph_kind;
    h->handle = (uintptr_t) graph;
    h->is_owned = true;
    *out = (runcu_graph *) h;
    return 0;
}

int runcu_graph_clone(runcu_graph **out, runcu_graph *graph)
{
    CORE_OUT(out);
    CORE_NEED(graph);
    struct core_use u;
    CUgraph clone = NULL;
    int status = core_use_begin(&u, &graph->base, "the graph");
    if (status)
        return status;
    status = CU_CALL(u.driver, cuGraphClone, &clone, core_graph(u.h));
    if (!status)
        status = adopt(out, u.h->context, clone);
    return core_use_end(&u, status);
}

/* --- captures --- */

int runcu_stream_begin_capture(runcu_stream *stream, enum runcu_capture_mode mode)
{
    struct core_stream_scope in;
    int status = core_stream_begin(&in, stream);
    if (status)
        return status;
    status = CU_CALL(in.driver, cuStreamBeginCapture, core_stream(stream), (int) mode);
    return core_stream_end(&in, status);
}

int runcu_stream_end_capture(runcu_graph **out, runcu_stream *stream)
{
    CORE_OUT(out);
    struct core_stream_scope in;
    CUgraph graph = NULL;
    int status = core_stream_begin(&in, stream);
    if (status)
        return status;
    status = CU_CALL(in.driver, cuStreamEndCapture, core_stream(stream), &graph);
    if (!status)
        status = stream ? adopt(out, stream->context, graph)
                        : runcu_fail(RUNCU_ERROR_ARGUMENT, "the legacy default stream");
    return core_stream_end(&in, status);
}

int runcu_stream_capture_status(int *out, uint64_t *id, runcu_stream *stream)
{
    CORE_NEED(out);
    struct core_stream_scope in;
    uint64_t number = 0;
    *out = RUNCU_CAPTURE_NONE;
    int status = core_stream_begin(&in, stream);
    if (status)
        return status;
    status = CU_CALL(in.driver, cuStreamGetCaptureInfo, core_stream(stream), out, &number, NULL,
                     NULL, NULL);
    if (id)
        *id = number;
    return core_stream_end(&in, status);
}

/* --- adding nodes --- */

/* Where a node goes. */
struct place {
    struct core_use use;
    runcu_node **out;
    CUgraphNode node; /* *out may be one of those before */
    const CUgraphNode *after;
    size_t count;
};

static int begin_node(struct place *p, runcu_node **out, runcu_graph *graph,
                      const runcu_node_list *after)
{
    p->out = out;
    p->after = after ? (const CUgraphNode *) after->at : NULL;
    p->count = after ? after->count : 0;
    if (p->count && !p->after)
        return runcu_fail(RUNCU_ERROR_ARGUMENT, "the list of nodes before is NULL");
    for (size_t i = 0; i < p->count; i++)
        if (!p->after[i])
            return runcu_fail(RUNCU_ERROR_ARGUMENT, "node %zu of those before is NULL", i);
    return core_use_begin(&p->use, &graph->base, "the graph");
}

static int end_node(struct place *p, int status)
{
    if (!status)
        *p->out = (runcu_node *) p->node;
    return core_use_end(&p->use, status);
}

#define ADD(p, row, ...)                                                                      \
    CU_CALL((p)->use.driver, row, &(p)->node, core_graph((p)->use.h), (p)->after, (p)->count, \
            __VA_ARGS__)

static int add_kernel(void *user, const CUDA_KERNEL_NODE_PARAMS *params)
{
    struct place *p = user;
    return ADD(p, cuGraphAddKernelNode, params);
}

int runcu_graph_add_kernel(runcu_node **out, runcu_graph *graph, const runcu_node_list *after,
                           const runcu_kernel_call *call)
{
    CORE_NEED(out);
    CORE_NEED(graph);
    CORE_NEED(call);
    struct place p;
    int status = begin_node(&p, out, graph, after);
    if (status)
        return status;
    return end_node(&p, core_kernel_params(call, p.use.driver, add_kernel, &p));
}

int runcu_graph_add_copy(runcu_node **out, runcu_graph *graph, const runcu_node_list *after,
                         const runcu_box *box)
{
    CORE_NEED(out);
    CORE_NEED(graph);
    CORE_NEED(box);
    struct place p;
    CUDA_MEMCPY3D params;
    int status = begin_node(&p, out, graph, after);
    if (status)
        return status;
    CUcontext context = p.use.h->context->handle;
    status = core_box_params(&params, box, p.use.driver, context);
    if (!status)
        status = ADD(&p, cuGraphAddMemcpyNode, &params, context);
    return end_node(&p, status);
}

int runcu_graph_add_fill(runcu_node **out, runcu_graph *graph, const runcu_node_list *after,
                         const runcu_fill *fill)
{
    CORE_NEED(out);
    CORE_NEED(graph);
    CORE_NEED(fill);
    struct place p;
    CUDA_MEMSET_NODE_PARAMS params;
    int status = begin_node(&p, out, graph, after);
    if (status)
        return status;
    status = core_fill_params(&params, fill);
    if (!status)
        status = ADD(&p, cuGraphAddMemsetNode, &params, p.use.h->context->handle);
    return end_node(&p, status);
}

int runcu_graph_add_host_call(runcu_node **out, runcu_graph *graph, const runcu_node_list *after,
                              const runcu_host_call *call)
{
    CORE_NEED(out);
    CORE_NEED(graph);
    CORE_NEED(call);
    struct place p;
    CUDA_HOST_NODE_PARAMS params;
    int status = begin_node(&p, out, graph, after);
    if (status)
        return status;
    status = core_host_params(&params, call);
    if (!status)
        status = ADD(&p, cuGraphAddHostNode, &params);
    return end_node(&p, status);
}

int runcu_graph_add_empty(runcu_node **out, runcu_graph *graph, const runcu_node_list *after)
{
    CORE_NEED(out);
    CORE_NEED(graph);
    struct place p;
    int status = begin_node(&p, out, graph, after);
    if (status)
        return status;
    status =
        CU_CALL(p.use.driver, cuGraphAddEmptyNode, &p.node, core_graph(p.use.h), p.after, p.count);
    return end_node(&p, status);
}

/* Adds a node of an event, which is held meanwhile. */
static int add_event(struct place *p, runcu_event *event, bool is_record)
{
    int status = core_event_hold(event);
    if (status)
        return status;
    if (event->context->driver != p->use.driver)
        status = runcu_fail(RUNCU_ERROR_ARGUMENT, "the event and the graph are of two drivers");
    else if (is_record)
        status = ADD(p, cuGraphAddEventRecordNode, event->handle);
    else
        status = ADD(p, cuGraphAddEventWaitNode, event->handle);
    core_event_let_go(event);
    return status;
}

int runcu_graph_add_record(runcu_node **out, runcu_graph *graph, const runcu_node_list *after,
                           runcu_event *event)
{
    CORE_NEED(out);
    CORE_NEED(graph);
    CORE_NEED(event);
    struct place p;
    int status = begin_node(&p, out, graph, after);
    return status ? status : end_node(&p, add_event(&p, event, true));
}

int runcu_graph_add_wait(runcu_node **out, runcu_graph *graph, const runcu_node_list *after,
                         runcu_event *event)
{
    CORE_NEED(out);
    CORE_NEED(graph);
    CORE_NEED(event);
    struct place p;
    int status = begin_node(&p, out, graph, after);
    return status ? status : end_node(&p, add_event(&p, event, false));
}

int runcu_graph_add_graph(runcu_node **out, runcu_graph *graph, const runcu_node_list *after,
                          runcu_graph *child)
{
    CORE_NEED(out);
    CORE_NEED(graph);
    CORE_NEED(child);
    struct place p;
    struct core_handle *inner = &child->base;
    if (graph == child)
        return runcu_fail(RUNCU_ERROR_ARGUMENT, "a graph cannot be a node of its own");
    int status = begin_node(&p, out, graph, after);
    if (status)
        return status;
    status = core_handle_hold(inner, "the inner graph");
    if (!status) {
        if (inner->context->driver != p.use.driver)
            status = runcu_fail(RUNCU_ERROR_ARGUMENT, "the two graphs are of two drivers");
        else
            status = ADD(&p, cuGraphAddChildGraphNode, core_graph(inner));
        core_handle_let_go(inner);
    }
    return end_node(&p, status);
}

/* --- nodes and edges --- */

int runcu_graph_remove(runcu_graph *graph, runcu_node *node)
{
    CORE_NEED(graph);
    CORE_NEED(node);
    struct core_use u;
    int status = core_use_begin(&u, &graph->base, "the graph");
    if (status)
        return status;
    return core_use_end(&u, CU_CALL(u.driver, cuGraphDestroyNode, (CUgraphNode) node));
}

int runcu_node_wrap(runcu_node **out, uint64_t handle)
{
    CORE_OUT(out);
    *out = (runcu_node *) (uintptr_t) handle;
    return handle ? 0 : runcu_fail(RUNCU_ERROR_ARGUMENT, "0 is no node");
}

uint64_t runcu_node_handle(const runcu_node *node)
{
    return (uintptr_t) node;
}

int runcu_graph_node_type(int *out, runcu_graph *graph, runcu_node *node)
{
    CORE_NEED(out);
    CORE_NEED(graph);
    CORE_NEED(node);
    struct core_use u;
    *out = 0;
    int status = core_use_begin(&u, &graph->base, "the graph");
    if (status)
        return status;
    return core_use_end(&u, CU_CALL(u.driver, cuGraphNodeGetType, (CUgraphNode) node, out));
}

/* One question of the driver's that is answered with a list. */
struct question {
    CUresult (*of_graph)(CUgraph graph, CUgraphNode *nodes, size_t *count);
    CUresult (*of_node)(CUgraphNode node, CUgraphNode *nodes, size_t *count);
    const char *routine;
    CUgraphNode node;
};

static CUresult ask(const struct question *q, CUgraph graph, CUgraphNode *nodes, size_t *count)
{
    return q->of_graph ? q->of_graph(graph, nodes, count) : q->of_node(q->node, nodes, count);
}

/* The number of all is asked first: the driver tells it only where it gives no list. */
static int list(runcu_node **out, size_t *count, struct core_use *u, const struct question *q)
{
    size_t room = out ? *count : 0, all = 0;
    int status = core_check(u->driver, q->routine, ask(q, core_graph(u->h), NULL, &all));
    size_t some = MIN(room, all);
    if (!status && some)
        status =
            core_check(u->driver, q->routine, ask(q, core_graph(u->h), (CUgraphNode *) out, &some));
    *count = all;
    return core_use_end(u, status);
}

int runcu_graph_nodes(runcu_node **out, size_t *count, runcu_graph *graph)
{
    CORE_NEED(count);
    CORE_NEED(graph);
    struct core_use u;
    int status = core_use_begin(&u, &graph->base, "the graph");
    if (status)
        return status;
    return list(out, count, &u,
                &(struct question){u.driver->cu.cuGraphGetNodes, NULL, "cuGraphGetNodes", NULL});
}

int runcu_graph_roots(runcu_node **out, size_t *count, runcu_graph *graph)
{
    CORE_NEED(count);
    CORE_NEED(graph);
    struct core_use u;
    int status = core_use_begin(&u, &graph->base, "the graph");
    if (status)
        return status;
    return list(
        out, count, &u,
        &(struct question){u.driver->cu.cuGraphGetRootNodes, NULL, "cuGraphGetRootNodes", NULL});
}

int runcu_graph_before(runcu_node **out, size_t *count, runcu_graph *graph, runcu_node *node)
{
    CORE_NEED(count);
    CORE_NEED(graph);
    CORE_NEED(node);
    struct core_use u;
    int status = core_use_begin(&u, &graph->base, "the graph");
    if (status)
        return status;
    return list(out, count, &u,
                &(struct question){NULL, u.driver->cu.cuGraphNodeGetDependencies,
                                   "cuGraphNodeGetDependencies", (CUgraphNode) node});
}

int runcu_graph_after(runcu_node **out, size_t *count, runcu_graph *graph, runcu_node *node)
{
    CORE_NEED(count);
    CORE_NEED(graph);
    CORE_NEED(node);
    struct core_use u;
    int status = core_use_begin(&u, &graph->base, "the graph");
    if (status)
        return status;
    return list(out, count, &u,
                &(struct question){NULL, u.driver->cu.cuGraphNodeGetDependentNodes,
                                   "cuGraphNodeGetDependentNodes", (CUgraphNode) node});
}

int runcu_graph_edges(runcu_node **from, runcu_node **to, size_t *count, runcu_graph *graph)
{
    CORE_NEED(count);
    CORE_NEED(graph);
    struct core_use u;
    size_t room = from && to ? *count : 0, all = 0;
    int status = core_use_begin(&u, &graph->base, "the graph");
    if (status)
        return status;
    status = CU_CALL(u.driver, cuGraphGetEdges, core_graph(u.h), NULL, NULL, &all);
    size_t some = MIN(room, all);
    if (!status && some)
        status = CU_CALL(u.driver, cuGraphGetEdges, core_graph(u.h), (CUgraphNode *) from,
                         (CUgraphNode *) to, &some);
    *count = all;
    return core_use_end(&u, status);
}

int runcu_graph_add_edges(runcu_graph *graph, runcu_node *const *from, runcu_node *const *to,
                          size_t count)
{
    CORE_NEED(graph);
    if (count) {
        CORE_NEED(from);
        CORE_NEED(to);
    }
    struct core_use u;
    int status = core_use_begin(&u, &graph->base, "the graph");
    if (status)
        return status;
    return core_use_end(&u, CU_CALL(u.driver, cuGraphAddDependencies, core_graph(u.h),
                                    (const CUgraphNode *) from, (const CUgraphNode *) to, count));
}

int runcu_graph_remove_edges(runcu_graph *graph, runcu_node *const *from, runcu_node *const *to,
                             size_t count)
{
    CORE_NEED(graph);
    if (count) {
        CORE_NEED(from);
        CORE_NEED(to);
    }
    struct core_use u;
    int status = core_use_begin(&u, &graph->base, "the graph");
    if (status)
        return status;
    return core_use_end(&u, CU_CALL(u.driver, cuGraphRemoveDependencies, core_graph(u.h),
                                    (const CUgraphNode *) from, (const CUgraphNode *) to, count));
}

int runcu_graph_print_dot(runcu_graph *graph, const char *path, int is_verbose)
{
    CORE_NEED(graph);
    CORE_NEED(path);
    struct core_use u;
    int status = core_use_begin(&u, &graph->base, "the graph");
    if (status)
        return status;
    return core_use_end(&u, CU_CALL(u.driver, cuGraphDebugDotPrint, core_graph(u.h), path,
                                    is_verbose ? CU_GRAPH_DEBUG_DOT_FLAGS_VERBOSE : 0));
}
