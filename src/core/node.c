/* Changing what nodes do, in a graph or in what has been made launchable of one. Adding nodes is
 * graph.c's. */
#include "graph.h"

/* A node, and the graph or launchable graph in which it is changed. */
struct target {
    struct core_use use;
    bool is_exec;
    CUgraphNode node;
};

static CUgraphExec exec_of(const struct target *t)
{
    return (CUgraphExec) (uintptr_t) t->use.h->handle;
}

static int begin(struct target *t, struct core_handle *h, bool is_exec, runcu_node *node)
{
    t->is_exec = is_exec;
    t->node = (CUgraphNode) node;
    return core_use_begin(&t->use, h, "the graph");
}

/* --- the four kinds --- */

static int use_kernel(void *user, const CUDA_KERNEL_NODE_PARAMS *params)
{
    const struct target *t = user;
    return t->is_exec
               ? CU_CALL(t->use.driver, cuGraphExecKernelNodeSetParams, exec_of(t), t->node, params)
               : CU_CALL(t->use.driver, cuGraphKernelNodeSetParams, t->node, params);
}

static int set_kernel(struct core_handle *h, bool is_exec, runcu_node *node,
                      const runcu_kernel_call *call)
{
    struct target t;
    int status = begin(&t, h, is_exec, node);
    if (status)
        return status;
    return core_use_end(&t.use, core_kernel_params(call, t.use.driver, use_kernel, &t));
}

static int set_copy(struct core_handle *h, bool is_exec, runcu_node *node, const runcu_box *box)
{
    struct target t;
    CUDA_MEMCPY3D params;
    int status = begin(&t, h, is_exec, node);
    if (status)
        return status;
    CUcontext context = h->context->handle;
    status = core_box_params(&params, box, t.use.driver, context);
    if (!status)
        status = is_exec ? CU_CALL(t.use.driver, cuGraphExecMemcpyNodeSetParams, exec_of(&t),
                                   t.node, &params, context)
                         : CU_CALL(t.use.driver, cuGraphMemcpyNodeSetParams, t.node, &params);
    return core_use_end(&t.use, status);
}

static int set_fill(struct core_handle *h, bool is_exec, runcu_node *node, const runcu_fill *fill)
{
    struct target t;
    CUDA_MEMSET_NODE_PARAMS params;
    int status = begin(&t, h, is_exec, node);
    if (status)
        return status;
    status = core_fill_params(&params, fill);
    if (!status)
        status = is_exec ? CU_CALL(t.use.driver, cuGraphExecMemsetNodeSetParams, exec_of(&t),
                                   t.node, &params, h->context->handle)
                         : CU_CALL(t.use.driver, cuGraphMemsetNodeSetParams, t.node, &params);
    return core_use_end(&t.use, status);
}

static int set_host_call(struct core_handle *h, bool is_exec, runcu_node *node,
                         const runcu_host_call *call)
{
    struct target t;
    CUDA_HOST_NODE_PARAMS params;
    int status = begin(&t, h, is_exec, node);
    if (status)
        return status;
    status = core_host_params(&params, call);
    if (!status)
        status = is_exec ? CU_CALL(t.use.driver, cuGraphExecHostNodeSetParams, exec_of(&t), t.node,
                                   &params)
                         : CU_CALL(t.use.driver, cuGraphHostNodeSetParams, t.node, &params);
    return core_use_end(&t.use, status);
}

/* --- in graphs, and in what is launched --- */

int runcu_graph_set_kernel(runcu_graph *graph, runcu_node *node, const runcu_kernel_call *call)
{
    CORE_NEED(graph);
    CORE_NEED(node);
    CORE_NEED(call);
    return set_kernel(&graph->base, false, node, call);
}

int runcu_graph_set_copy(runcu_graph *graph, runcu_node *node, const runcu_box *box)
{
    CORE_NEED(graph);
    CORE_NEED(node);
    CORE_NEED(box);
    return set_copy(&graph->base, false, node, box);
}

int runcu_graph_set_fill(runcu_graph *graph, runcu_node *node, const runcu_fill *fill)
{
    CORE_NEED(graph);
    CORE_NEED(node);
    CORE_NEED(fill);
    return set_fill(&graph->base, false, node, fill);
}

int runcu_graph_set_host_call(runcu_graph *graph, runcu_node *node, const runcu_host_call *call)
{
    CORE_NEED(graph);
    CORE_NEED(node);
    CORE_NEED(call);
    return set_host_call(&graph->base, false, node, call);
}

int runcu_graph_exec_set_kernel(runcu_graph_exec *exec, runcu_node *node,
                                const runcu_kernel_call *call)
{
    CORE_NEED(exec);
    CORE_NEED(node);
    CORE_NEED(call);
    return set_kernel(&exec->base, true, node, call);
}

int runcu_graph_exec_set_copy(runcu_graph_exec *exec, runcu_node *node, const runcu_box *box)
{
    CORE_NEED(exec);
    CORE_NEED(node);
    CORE_NEED(box);
    return set_copy(&exec->base, true, node, box);
}

int runcu_graph_exec_set_fill(runcu_graph_exec *exec, runcu_node *node, const runcu_fill *fill)
{
    CORE_NEED(exec);
    CORE_NEED(node);
    CORE_NEED(fill);
    return set_fill(&exec->base, true, node, fill);
}

int runcu_graph_exec_set_host_call(runcu_graph_exec *exec, runcu_node *node,
                                   const runcu_host_call *call)
{
    CORE_NEED(exec);
    CORE_NEED(node);
    CORE_NEED(call);
    return set_host_call(&exec->base, true, node, call);
}
